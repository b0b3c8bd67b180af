"""dp-join over random inputs against DuckDB's SQL: by key, within an interval, as of a time, as two streams; with and without spilling, on one thread and several."""
import datetime
import json
import os
import random
import tempfile

import duckdb

import tap
from tap import must, ok

tap.prefix = "joins: "
DAY_MS = 86400 * 1000
INTERVALS = (("1h", "1 hour", "1 hour"), ("-1m,2h", "1 minute", "2 hours"), ("5m,10m", "-5 minutes", "10 minutes"))
KINDS = (("inner", "JOIN"), ("left", "LEFT JOIN"), ("anti", "ANTI JOIN"))
HOW = ("--threads 1 --memory 400M", "--threads 4 --memory 16M")


def iso(ms, rnd):
    """One instant, in one of the forms that it may have."""
    t = datetime.datetime(2026, 1, 1) + datetime.timedelta(milliseconds=ms)
    form = rnd.randrange(3)
    if form == 0:
        return t.isoformat(timespec="microseconds") + "Z"
    if form == 1:
        return (t + datetime.timedelta(hours=2)).isoformat(timespec="milliseconds") + "+02:00"
    return round((t - datetime.datetime(1970, 1, 1)).total_seconds() * 1000)


def write(path, name, n, keys, nulls, rnd):
    """Records as lines, and the same as rows."""
    rows = []
    with open(path, "w", encoding="utf-8") as f:
        for i in range(n):
            ms = None if nulls and rnd.random() < 0.02 else rnd.randrange(DAY_MS)
            if ms is not None and rnd.random() < 0.3:
                ms -= ms % 3600000  # times that are equal
            k = None if rnd.random() < 0.02 else rnd.randrange(keys)
            g = rnd.choice("ab")
            shown = k if k is None or rnd.random() < 0.8 else rnd.choice((float(k), k))
            f.write(json.dumps({name: i, "k": shown, "g": g, "ts": None if ms is None else iso(ms, rnd), "pad" + name: "x" * rnd.randrange(80)}) + "\n")
            rows.append((i, k, g, None if ms is None else datetime.datetime(2026, 1, 1) + datetime.timedelta(milliseconds=ms)))
    return rows


def load(c, table, rows):
    path = os.path.join(tempfile.gettempdir(), "joins-%d-%s.csv" % (os.getpid(), table))
    with open(path, "w", encoding="utf-8") as f:
        for i, k, g, t in rows:
            f.write("%d,%s,%s,%s\n" % (i, "" if k is None else k, g, "" if t is None else t.isoformat(timespec="milliseconds")))
    c.execute("CREATE OR REPLACE TABLE %s AS SELECT * FROM read_csv('%s', header=false, columns={'n': 'BIGINT', 'k': 'BIGINT', 'g': 'VARCHAR', 'ts': 'TIMESTAMP'})" % (table, path))
    os.unlink(path)


def joined(dir_, words, anti):
    """What all ways to run it print alike, as pairs of numbers."""
    take = "" if anti else "--take j"
    outs = [must("dp-join --with r.ndjson --on k,g %s %s %s l.ndjson" % (take, words, how), dir_) for how in HOW]
    records = [json.loads(line) for line in outs[0].splitlines()]
    in_order = all(a["i"] <= b["i"] for a, b in zip(records, records[1:]))
    return [(r["i"], r.get("j")) for r in records], in_order and all(o == outs[0] for o in outs)


def pairs(rows):
    return sorted(rows, key=lambda x: (x[0], -1 if x[1] is None else x[1]))


def compare(c, dir_, name, words, sql, anti=False):
    got, same = joined(dir_, words, anti)
    want = c.execute(sql).fetchall() if isinstance(sql, str) else sql
    a, b = pairs(got), pairs(want)
    ok(a == b and same and got, "%s: %d rows" % (name, len(b)), "the same for any memory and threads, in order: %s" % same, "%d rows, %d wanted" % (len(a), len(b)),
       "only here: %s" % sorted(set(a) - set(b), key=str)[:5], "missing: %s" % sorted(set(b) - set(a), key=str)[:5])


def one(c, dir_, seed, n_left, n_right, keys):
    rnd = random.Random(seed)
    load(c, "l", write(os.path.join(dir_, "l.ndjson"), "i", n_left, keys, False, rnd))
    load(c, "r", write(os.path.join(dir_, "r.ndjson"), "j", n_right, keys, True, rnd))
    what = "%d x %d of %d keys, " % (n_left, n_right, keys)
    for kind, join in KINDS:
        columns = "l.n, NULL" if kind == "anti" else "l.n, r.n"
        on = "FROM l %s r ON l.k = r.k AND l.g = r.g" % join
        if n_right * n_left < keys * 10 ** 6:
            compare(c, dir_, what + kind, "--kind " + kind, "SELECT %s %s" % (columns, on), kind == "anti")
        for words, before, behind in INTERVALS:
            sql = "SELECT %s %s AND r.ts BETWEEN l.ts - INTERVAL '%s' AND l.ts + INTERVAL '%s'" % (columns, on, before, behind)
            for delay in ("", " --delay 1d"):
                compare(c, dir_, "%s%s within %s%s" % (what, kind, words, delay), "--kind %s --within=%s --time ts%s" % (kind, words, delay), sql, kind == "anti")
    for word, condition in (("", ""), (",within 30m", "WHERE r.ts >= l.ts - INTERVAL '30 minutes'")):
        last = "SELECT k, g, ts, max(n) AS n FROM r WHERE ts IS NOT NULL GROUP BY ALL"
        found = c.execute("SELECT l.n, r.n FROM l ASOF JOIN (%s) r ON l.k = r.k AND l.g = r.g AND l.ts >= r.ts %s" % (last, condition)).fetchall()
        have = {x[0] for x in found}
        missing = [(i, None) for i in range(n_left) if i not in have]
        compare(c, dir_, "%sas of%s" % (what, word), "--as-of 'ts%s'" % word, found)
        compare(c, dir_, "%sleft as of%s" % (what, word), "--kind left --as-of 'ts%s'" % word, found + missing)
        compare(c, dir_, "%santi as of%s" % (what, word), "--kind anti --as-of 'ts%s'" % word, missing, True)


def main():
    c = duckdb.connect()
    c.execute("SET threads = 2")
    with tempfile.TemporaryDirectory() as dir_:
        one(c, dir_, 1, 2000, 1500, 40)
        one(c, dir_, 2, 500, 3000, 3)
        one(c, dir_, 3, 3000, 90000, 4000)  # more than 16M can hold
    tap.done()


main()
