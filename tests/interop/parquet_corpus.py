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

def check(dumper, corpus, entry):
    """None when all is well, else what differs."""
    name = entry["file"]
    code, lines, words = dump(dumper, os.path.join(corpus, name))
    if code < 0 or code in (70, 134, 139) or "Sanitizer" in words or "runtime error" in words:
        return "CRASH %d %s" % (code, words[:300])
    want, head = expectation(corpus, name)
    refused = not str(entry.get("duckdb", "read")).startswith("read")
    if code:
        if refused and want is None:
            return None
        return "refused: %s" % words
    if want is None and folder_is_bad(corpus) and open(os.path.join(corpus, name), "rb").read(4) not in (b"PAR1", b"PARE"):
        return None  # not Parquet by its first bytes: a reader of many formats may take it for another
    if want is None:
        return None if not refused else "read %d rows; the other reader: %s" % (len(lines), entry["duckdb"][:120])
    if not head and len(lines) != len(want):
        return "%d rows, expected %d" % (len(lines), len(want))
    if head and entry.get("rows") is not None and len(lines) != entry["rows"]:
        return "%d rows, expected %d" % (len(lines), entry["rows"])
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

# File (or its beginning) and why it differs on purpose.
KNOWN = {
    "parquet-testing/datapage_v1-corrupt-checksum.parquet": "checksums are checked here, not there",
    "parquet-testing/int96_from_spark.parquet": "the other reader's arithmetic overflows in the year 290000",
    "parquet-testing/map_no_value.parquet": "the second reader shows a map as an object",
    "duckdb/bigdecimal.parquet": "a decimal of 77 digits is refused by name",
    "duckdb/parquet_column_num_values_mismatch.parquet": "a column without values in a row group of 8 rows is refused",
    "duckdb/broken/broken_utinyint.parquet": "an annotation that does not fit its type is ignored, as the format asks",
    "parquet-testing/ARROW-GH-45185.parquet": "levels that begin inside of a row are refused",
}

def main():
    dumper, root = sys.argv[1], sys.argv[2]
    part = sys.argv[3] if len(sys.argv) > 3 else ""
    good = bad = known = 0
    for folder in ("parquet", "parquet-bad"):
        corpus = os.path.join(root, folder)
        for line in open(os.path.join(corpus, "INDEX.ndjson")):
            entry = json.loads(line)
            if part not in entry["file"]:
                continue
            why = check(dumper, corpus, entry)
            if why is None:
                good += 1
            elif entry["file"] in KNOWN and not why.startswith("CRASH"):
                known += 1
            else:
                bad += 1
                print("%s/%s: %s" % (folder, entry["file"], why))
    print("parquet corpus: %d as expected, %d differ on purpose, %d differ" % (good, known, bad))
    return 1 if bad else 0

sys.exit(main())
