#!/usr/bin/env python3
"""Reads every Parquet file of the corpus with a dumper and compares the rows with what other readers saw.

usage: parquet_corpus.py DUMPER CORPUS [NAME-PART]   (DUMPER FILE prints NDJSON, binary as hex; CORPUS has parquet/ and parquet-bad/)
Prints one line for each file that differs and a summary; exit 1 when a file differs that is not on the list below.
"""
import json, os, struct, subprocess, sys, re
from decimal import Decimal

class Pairs(list):
    """A JSON object as pairs, so that duplicate names stay apart."""

def load(line):
    return json.loads(line, object_pairs_hook=Pairs, parse_float=Decimal, parse_int=int)

def number(x):
    return isinstance(x, (int, Decimal)) and not isinstance(x, bool)

def same_number(exp, got):
    if Decimal(exp) == Decimal(got):
        return True
    e, g = float(exp), float(got)
    if e == g:
        return True
    for fmt in ("<f", "<e"):
        try:
            if struct.pack(fmt, g) == struct.pack(fmt, e) and struct.unpack(fmt, struct.pack(fmt, e))[0] == e:
                return True
        except OverflowError:
            pass
    return False

TIME = re.compile(r"^(\d{4,}-\d\d-\d\dT)?\d\d:\d\d:\d\d(\.\d+)?(Z|\+00|\+00:00)?$")

def canonical_time(s):
    s = re.sub(r"(Z|\+00|\+00:00)$", "", s)
    if "." in s:
        s = s.rstrip("0").rstrip(".")
    return s

def interval(s):
    """ISO 8601 or DuckDB's words to (months, days, microseconds)."""
    m = re.match(r"^P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d+))?S)?)?$", s)
    if m and s != "P":
        y, mo, d, h, mi, sec, frac = (m.group(i) for i in range(1, 8))
        us = ((int(h or 0) * 60 + int(mi or 0)) * 60 + int(sec or 0)) * 10**6 + int((frac or "0").ljust(6, "0"))
        return (int(y or 0) * 12 + int(mo or 0), int(d or 0), us)
    months = days = us = 0
    for n, unit in re.findall(r"(\d+) (year|month|day)s?", s):
        if unit == "day":
            days += int(n)
        else:
            months += int(n) * (12 if unit == "year" else 1)
    m = re.search(r"(\d+):(\d\d):(\d\d)(?:\.(\d+))?", s)
    if m:
        us = ((int(m.group(1)) * 60 + int(m.group(2))) * 60 + int(m.group(3))) * 10**6 + int((m.group(4) or "0").ljust(6, "0"))
    return (months, days, us)

def same_string(exp, got):
    if exp == got:
        return True
    if exp.startswith("0x"):
        return exp[2:].lower() == got.lower()
    if TIME.match(exp) and TIME.match(got):
        return canonical_time(exp) == canonical_time(got)
    if got.startswith("P") or exp.startswith("P"):
        return interval(exp) == interval(got)
    try:  # text for any binary (second reader)
        return bytes.fromhex(got).decode() == exp
    except ValueError:
        return False

def same(exp, got):
    if exp is None or got is None or isinstance(exp, bool) or isinstance(got, bool):
        return exp is got
    if number(exp) and number(got):
        return same_number(exp, got)
    if isinstance(exp, str) and number(got):  # decimals
        try:
            return Decimal(exp) == Decimal(got)
        except ArithmeticError:
            return False
    if isinstance(exp, str) and isinstance(got, str):
        return same_string(exp, got)
    if isinstance(exp, str):  # a JSON column
        try:
            return same(load(exp), got)
        except ValueError:
            return False
    if isinstance(got, Pairs) and isinstance(exp, list) and not isinstance(exp, Pairs):  # a map with text keys
        return len(exp) == len(got) and all(same(e[0][1], k) and same(e[1][1], v) for e, (k, v) in zip(exp, got))
    if isinstance(exp, Pairs) and isinstance(got, Pairs):
        return len(exp) == len(got) and all(same(e[1], g[1]) for e, g in zip(exp, got))
    if isinstance(exp, list) and isinstance(got, list):
        return len(exp) == len(got) and all(same(e, g) for e, g in zip(exp, got))
    return False

def dump(dumper, path):
    p = subprocess.run(dumper.split() + [path], capture_output=True, timeout=60)
    return p.returncode, p.stdout.split(b"\n")[:-1], p.stderr.decode(errors="replace").strip()

def expectation(corpus, name):
    base = os.path.join(corpus, "expected", name.replace("/", "__"))
    for end, head in ((".ndjson", 0), (".head.ndjson", 1), (".hyparquet.ndjson", 0), (".head.hyparquet.ndjson", 1), (".hyparquet.head.ndjson", 1)):
        if os.path.exists(base + end):
            return open(base + end, "rb").read().split(b"\n")[:-1], head
    return None, 0

def folder_is_bad(corpus):
    return os.path.basename(corpus) == "parquet-bad"

def refusal(code, words, want):
    """None when the program refused as it has to: a code out of a tuple, and a piece of the reason."""
    codes, piece = want
    if code in codes and piece in words:
        return None
    return "exit %d: %s (expected %s, %s)" % (code, words or "rows", codes, piece)

def rows_differ(want, lines, head, rows):
    if not head and len(lines) != len(want):
        return "%d rows, expected %d" % (len(lines), len(want))
    if head and rows is not None and len(lines) != rows:
        return "%d rows, expected %d" % (len(lines), rows)
    for i, (e, g) in enumerate(zip(want, lines)):
        try:
            e2, g2 = load(e), load(g)
        except ValueError as x:
            return "row %d: %s: %s" % (i, x, g[:200])
        if same(e2, g2):
            continue
        for (k, a), (k2, b) in zip(e2, g2):
            if not same(a, b):
                return "row %d: %s: expected %.150r, got %.150r" % (i, k, a, b)
        return "row %d: expected %.200s, got %.200s" % (i, e, g)
    return None

def check(dumper, corpus, entry):
    """None when all is well, else what differs."""
    name = entry["file"]
    code, lines, words = dump(dumper, os.path.join(corpus, name))
    if code < 0 or code in (70, 134, 139) or "Sanitizer" in words or "runtime error" in words:
        return "CRASH %d %s" % (code, words[:300])
    if name in REFUSED:
        return refusal(code, words, REFUSED[name])
    if not str(entry.get("duckdb", "read")).startswith("read") and expectation(corpus, name)[0] is None:
        return refusal(code, words, ((3, 4), ""))
    want, head = expectation(corpus, name)
    if name in OWN:
        want, head = OWN[name], 0
    if code:
        return "refused: %s" % words
    if want is None:
        rows = entry.get("rows", entry.get("footer_rows"))  # where the values are not given, their number is
        return None if rows == len(lines) else "%d rows, expected %s" % (len(lines), rows)
    return rows_differ(want, lines, head, entry.get("rows"))

# Files that must be refused although another reader takes them: exit codes, and a piece of the reason.
REFUSED = {
    "parquet-testing/datapage_v1-corrupt-checksum.parquet": ((4,), "row group 0, column a, page 0: the page's checksum does not match"),
    "parquet-testing/large_string_map.brotli.parquet": ((4,), "row group 0, column arr.key_value.key, page 0: a page of 1073741828 bytes"),
    "parquet-testing/uniform_encryption.parquet.encrypted": ((3,), "encrypted"),
    "parquet-testing/encrypt_columns_and_footer.parquet.encrypted": ((3,), "encrypted"),
    "parquet-testing/aes256/encrypt_columns_and_footer.parquet.encrypted": ((3,), "encrypted"),
    "parquet-testing/encrypt_columns_plaintext_footer.parquet.encrypted": ((3,), "row group 0, column float_field: the column is encrypted"),
    "duckdb/encryption/encrypted_footer.parquet": ((3,), "encrypted"),
    "duckdb/encryption/encrypted_column.parquet": ((3,), "column a: the column is encrypted"),
    # levels that begin inside of a row: the format's digest asks for a refusal, the other reader is lucky
    "parquet-testing/ARROW-GH-45185.parquet": ((4,), "row group 0, column x.list.element, page 0: the first repetition level is not 0"),
}

# Rows that are ours where the other reader is wrong or has another form.
OWN = {
    # its arithmetic overflows in the year 290000
    "parquet-testing/int96_from_spark.parquet": [b'{"a":"2024-01-01T20:34:56.123456Z"}', b'{"a":"2024-01-01T01:00:00Z"}', b'{"a":"9999-12-31T03:00:00Z"}',
        b'{"a":"2024-12-30T23:00:00Z"}', b'{"a":null}', b'{"a":"+290000-12-30T23:00:00Z"}'],
    # it shows maps whose keys are no text as objects, and one without values as its group
    "parquet-testing/map_no_value.parquet": [json.dumps({"my_map": [{"key": k, "value": None} for k in keys], "my_map_no_v": [{"key": k, "value": None} for k in keys],
        "my_list": keys}).encode() for keys in ([1, 2, 3], [4, 5, 6], [7, 8, 9])],
}

# Beside the index: what the folders hold that is no file of its own kind.
OTHER = (".bin", ".csv", ".json", ".ndjson")

def variants(dumper, corpus):
    """The shredded samples: name and what differs.  Their values as JSON are the unit tests' business."""
    folder = os.path.join(corpus, "shredded_variant")
    for case in json.load(open(os.path.join(folder, "cases.json"))):
        name = case.get("parquet_file")
        if not name:
            continue
        code, lines, words = dump(dumper, os.path.join(folder, name))
        if case.get("error_message") or "INVALID" in name:
            yield "shredded_variant/" + name, refusal(code, words, ((4,), "a Variant that can't be read"))
        else:
            rows = len(case.get("variant_files", [0]))
            yield "shredded_variant/" + name, None if code == 0 and len(lines) == rows else "exit %d, %d rows, expected %d: %s" % (code, len(lines), rows, words)

def files_of(corpus):
    for top, _, names in os.walk(corpus):
        for n in names:
            path = os.path.relpath(os.path.join(top, n), corpus)
            if not path.startswith("expected" + os.sep) and not path.endswith(OTHER):
                yield path

def main():
    dumper, root = sys.argv[1], sys.argv[2]
    part = sys.argv[3] if len(sys.argv) > 3 else ""
    good = bad = 0
    for folder in ("parquet", "parquet-bad"):
        corpus = os.path.join(root, folder)
        left = set(files_of(corpus))
        results = []
        for line in open(os.path.join(corpus, "INDEX.ndjson")):
            entry = json.loads(line)
            left.discard(entry["file"])
            if part in entry["file"]:
                results.append((entry["file"], check(dumper, corpus, entry)))
        if os.path.isdir(os.path.join(corpus, "shredded_variant")):
            for name, why in variants(dumper, corpus):
                left.discard(name)
                results.append((name, why))
        for name in sorted(left):  # summaries of split tables hold no rows of their own
            code, lines, words = dump(dumper, os.path.join(corpus, name))
            summary = os.path.basename(name) in ("_metadata", "_common_metadata")
            fine = summary and not lines and (code == 0 or (code == 3 and "its data is in another file" in words))
            results.append((name, None if fine else "not in the index; exit %d: %s" % (code, words)))
        for name, why in results:
            good += why is None
            if why is not None:
                bad += 1
                print("%s/%s: %s" % (folder, name, why))
    print("parquet corpus: %d as expected, %d differ" % (good, bad))
    return 1 if bad or not good else 0

if __name__ == "__main__":
    sys.exit(main())
