#!/usr/bin/env python3
"""Every Delta table of the corpus, made by other writers: its rows are those that another replay of the log found, with their change feeds; what is not
read is refused by its name.  (The number of rows at every version is checked by tests/unit/t_delta_scan.c.)  TAP.

usage: DP_BIN=DIR delta_corpus.py [NAME-PART]        Rows are compared as a multiset.
"""
import json
import os
import re
import subprocess
import sys

from parquet_corpus import load, same
from tap import ENV, done, ok

ROOT = os.path.join(os.environ["DP_SHARED"], "corpus", "delta")
# What must not be read: exit status, and a piece of the reason.
REFUSED = {
    "deltalog-invalid-protocol-version": (3, "reader version 99"),
    "deltalog-state-reconstruction-without-metadata": (4, "no metaData"),
    "deltalog-state-reconstruction-from-checkpoint-missing-protocol": (4, "no protocol"),
    "versions-not-contiguous": (4, "the commit of version 1 is missing"),
    "hive": (3, "_delta_log"),
    "no-delta-log-folder": (3, "_delta_log"),
    "crc-malformed": (3, "_delta_log"),
    "simple_table_features": (3, "reader version 5"),
    "table_c": (4, "the commit of version 12 is missing"),
    "table_e": (3, "catalogOwned"),
    "spark-variant-checkpoint": (3, "variantType"),
}


PLAIN = ("hive", "no-delta-log-folder")          # directories without a log: their files can be read, as tables they are refused


def run(*argv):
    p = subprocess.run(argv, capture_output=True, timeout=60, env=ENV, stdin=subprocess.DEVNULL)
    return p.returncode, p.stdout.split(b"\n")[:-1], p.stderr.decode(errors="replace").strip()


def same_row(a, b):
    a, b = dict(a), dict(b)
    return set(a) == set(b) and all(same(a[k], b[k]) for k in a)


def differ(lines, path):
    """None, or what is not as in the file of expected rows.  Rows are few: the first that is the same is taken away."""
    want = [load(x) for x in open(path, "rb").read().split(b"\n")[:-1]]
    if len(want) != len(lines):
        return "%d rows, expected %d" % (len(lines), len(want))
    for row in map(load, lines):
        at = next((i for i, w in enumerate(want) if same_row(w, row)), None)
        if at is None:
            return "no such row: %.200s; left e.g. %.200s" % (row, want[0])
        del want[at]
    return None


def table_is_empty(name):
    """The replay of the index was made without canonical paths: these two remove under file: what they added under a bare path."""
    return name.startswith("canonicalized-paths")


def check_rows(table, entry, code, lines, words):
    path = os.path.join(ROOT, "expected", table.replace("/", "__") + ".ndjson")
    missing = re.match(r"data file missing: (.*)", entry.get("reference_reader_says", ""))
    if missing and table_is_empty(table):
        return None if code == 0 and not lines else "exit %d, %d rows" % (code, len(lines))
    if missing:                                  # the log is read, the file that is gone is named
        return None if code == 3 and os.path.basename(missing.group(1)) in words else "exit %d: %s" % (code, words[:300])
    if code:
        return "exit %d: %s" % (code, words[:300])
    if os.path.exists(path):
        return differ(lines, path)
    return None if entry.get("rows") in (None, len(lines)) else "%d rows, expected %s" % (len(lines), entry["rows"])


def check(entry):
    name = entry["table"]
    table = os.path.join(ROOT, name)
    code, lines, words = run("dp-table", "files", table) if name in PLAIN else run("dp-cat", "--to", "records", "--binary", "hex", table)
    if name in REFUSED:
        want, piece = REFUSED[name]
        return ok(code == want and piece in words and not lines, "corpus: %s is refused: %s" % (name, piece), code, words)
    why = check_rows(name, entry, code, lines, words)
    feed = os.path.join(ROOT, "expected", name + ".cdf.ndjson")
    if why is None and os.path.exists(feed):
        code, lines, words = run("dp-table", "changes", table, "--binary", "hex")
        lines = [json.dumps({k: v for k, v in json.loads(x).items() if k != "_commit_timestamp"}).encode() for x in lines]
        why = "changes: exit %d: %s" % (code, words[:300]) if code else differ(lines, feed)
        why = why and "changes: " + why
    return ok(why is None, "corpus: %s%s" % (name, " and its changes" if os.path.exists(feed) else ""), why)


def main():
    part = sys.argv[1] if len(sys.argv) > 1 else ""
    n, good = 0, True
    with open(os.path.join(ROOT, "INDEX.ndjson"), encoding="utf-8") as f:
        for entry in map(json.loads, f):
            if part in entry["table"]:
                good = check(entry) and good
                n += 1
    good = ok(part or n > 100, "corpus: all tables are there", n) and good
    done()
    return 0 if good else 1


sys.exit(main())
