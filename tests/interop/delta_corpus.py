#!/usr/bin/env python3
"""Reads every Delta table of the corpus with a dumper and compares its rows with a replay that others made.

usage: delta_corpus.py DUMPER CORPUS [NAME-PART]   (DUMPER TABLE prints NDJSON, binary as hex)
Rows are compared as a multiset of canonical lines.  Exit 1 when a table differs that is not refused by name.
"""
import json, os, sys
sys.argv_saved, sys.argv = sys.argv, ["parquet_corpus.py"]
here = os.path.dirname(os.path.abspath(__file__))
source = open(os.path.join(here, "parquet_corpus.py")).read().rsplit("\nsys.exit(main())", 1)[0]
names = {}
exec(compile(source, "parquet_corpus.py", "exec"), names)
sys.argv = sys.argv_saved
load, same, dump, Pairs = names["load"], names["same"], names["dump"], names["Pairs"]

def check(dumper, root, entry):
    name = entry["table"] if "table" in entry else entry["name"]
    code, lines, words = dump(dumper, os.path.join(root, name))
    if code < 0 or code in (70, 134, 139) or "Sanitizer" in words:
        return "CRASH %d %s" % (code, words[:300])
    path = os.path.join(root, "expected", name.replace("/", "__") + ".ndjson")
    head = path.replace(".ndjson", ".head.ndjson")
    if code == 3 or (code and entry.get("reference_reader_says")):
        return None, "refused: %s" % words[:160]
    if code:
        return "exit %d: %s" % (code, words[:200])
    if os.path.exists(head) and not os.path.exists(path):
        want = entry.get("rows")
        return None if want is None or want == len(lines) else "%d rows, expected %s" % (len(lines), want)
    if not os.path.exists(path):
        return None
    want = [load(x) for x in open(path, "rb").read().split(b"\n")[:-1]]
    got = [load(x) for x in lines]
    if len(want) != len(got):
        return "%d rows, expected %d" % (len(got), len(want))
    for row in got:  # few rows: the first that is the same is taken away
        for i, w in enumerate(want):
            if dict_same(w, row):
                del want[i]
                break
        else:
            return "no such row: %.200s; left e.g. %.200s" % (row, want[0])
    return None

def dict_same(a, b):
    da, db = dict(a), dict(b)
    return set(da) == set(db) and all(same(da[k], db[k]) for k in da)

def main():
    dumper, root = sys.argv[1], os.path.join(sys.argv[2], "delta")
    part = sys.argv[3] if len(sys.argv) > 3 else ""
    good = bad = refused = 0
    for line in open(os.path.join(root, "INDEX.ndjson")):
        entry = json.loads(line)
        name = entry.get("table", entry.get("name"))
        if part not in name:
            continue
        why = check(dumper, root, entry)
        if why is None:
            good += 1
        elif isinstance(why, tuple):
            refused += 1
            if part or os.environ.get("VERBOSE"):
                print("%s: %s" % (name, why[1]))
        else:
            bad += 1
            print("%s: %s" % (name, why))
    print("delta corpus: %d as expected, %d refused by name, %d differ" % (good, refused, bad))
    return 1 if bad else 0

sys.exit(main())
