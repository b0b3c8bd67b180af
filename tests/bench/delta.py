"""Opening a large Delta table: its live files listed, all of them and those that partition values or statistics leave, paired with delta-rs.

The table has 100,000 live files in 1,000 commits, partitioned by day, with statistics of eight columns.  It is there twice: all of it commits, and with a
checkpoint nine commits before its end.  Only the log is made, for none of the jobs opens a data file.  Our time is that of the whole process; delta-rs's
is from the call that opens the table to the list of paths in Python, without Python's start and imports.
"""
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

COMMITS, FILES, DAYS, LAST = 1000, 100, 200, 990
SCHEMA = [("id", "long"), ("ts", "timestamp"), ("user_id", "long"), ("email", "string"), ("country", "string"), ("qty", "integer"), ("price", "decimal(10,2)"),
          ("score", "double"), ("day", "date")]
BAR = 2.0
# job: our --where, delta-rs's predicate
JOBS = {"files": (None, None),
        "files-where-day": ('.day == "2026-03-01"', "day = '2026-03-01'"),
        "files-where-id": (".id >= 50000000 and .id <= 50500000", "id >= 50000000 AND id <= 50500000")}
PEER = """
import sys, time
import deltalake
table, predicate = sys.argv[1:]
start = time.perf_counter()
cpu = time.process_time()
paths = deltalake.DeltaTable(table).file_uris(file_pruning_predicate=predicate) if predicate else deltalake.DeltaTable(table).file_uris()
print(len(paths), time.process_time() - cpu)
print("%.6f" % (time.perf_counter() - start), file=sys.stderr)
"""


def stats(rng, first):
    low = {"id": first, "ts": "2026-01-%02dT%02d:00:00.000Z" % (rng.randint(1, 28), rng.randint(0, 11)), "user_id": rng.randint(1, 500), "email": "a%06d@example.org" % rng.randint(0, 99999),
           "country": "AT", "qty": 1, "price": rng.randint(1, 99) / 100, "score": rng.random() / 1000}
    high = {"id": first + 999, "ts": low["ts"][:11] + "23:59:59.999Z", "user_id": 1000000 - rng.randint(1, 500), "email": "z%06d@example.org" % rng.randint(0, 99999),
            "country": "US", "qty": 999, "price": 9000 + rng.randint(1, 99999) / 100, "score": 1 - rng.random() / 1000}
    return json.dumps({"numRecords": 1000, "minValues": low, "maxValues": high, "nullCount": {k: (0 if k != "email" else 31) for k in low}}, separators=(",", ":"))


def day(n):
    return "2026-%02d-%02d" % (n // 28 + 1, n % 28 + 1)


def head(v):
    lines = [{"commitInfo": {"timestamp": 1760000000000 + v, "operation": "WRITE", "operationParameters": {"mode": "Append"}, "engineInfo": "bench", "isBlindAppend": v % 10 != 9}}]
    if v == 0:
        fields = [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in SCHEMA]
        lines.append({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
        lines.append({"metaData": {"id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "format": {"provider": "parquet", "options": {}}, "schemaString": json.dumps({"type": "struct", "fields": fields}),
                                   "partitionColumns": ["day"], "configuration": {}, "createdTime": 1760000000000}})
    return lines


def make_log(log):
    """Yields each version as its file is there; one commit in ten removes files of earlier ones, so that 100,000 stay."""
    rng = random.Random(7)
    made, first, now = [], 0, int(time.time() * 1000)
    for v in range(COMMITS):
        lines = head(v)
        n = FILES if v % 10 != 9 else FILES + 20
        for i in range(n):
            d = day((v * 7 + i * 3) % DAYS)
            name = "day=%s/part-%05d-%032x-c000.snappy.parquet" % (d, i, rng.getrandbits(128))
            lines.append({"add": {"path": name, "partitionValues": {"day": d}, "size": 1000000 + rng.randint(0, 99999), "modificationTime": 1760000000000 + v, "dataChange": True, "stats": stats(rng, first)}})
            first += 1000
            made.append((name, d))
        for _ in range(n - FILES):
            name, d = made.pop(rng.randrange(len(made) - n))
            lines.append({"remove": {"path": name, "deletionTimestamp": now, "dataChange": True, "extendedFileMetadata": True, "partitionValues": {"day": d}, "size": 1000000}})
        with open("%s/%020d.json" % (log, v), "w") as f:
            f.write("".join(json.dumps(a, separators=(",", ":")) + "\n" for a in lines))
        yield v


def make(where, dp_table):
    if os.path.exists(where + "/made"):
        return
    shutil.rmtree(where, ignore_errors=True)
    logs = [os.path.join(where, name, "_delta_log") for name in ("commits", "checkpoint")]
    for log in logs:
        os.makedirs(log)
    for v in make_log(logs[0]):
        os.link("%s/%020d.json" % (logs[0], v), "%s/%020d.json" % (logs[1], v))
        if v == LAST:
            subprocess.check_call([dp_table, "checkpoint", "-q", os.path.dirname(logs[1])])
    open(where + "/made", "w").close()


def bench(where, dp_table, runs, wanted, run):
    jobs = ["%s-%s" % (job, kind) for kind in ("commits", "checkpoint") for job in JOBS]
    if not any(wanted.search(j) for j in jobs):
        return []
    try:
        __import__("deltalake")
    except ImportError:
        sys.exit("bench: delta-rs is not there")
    make(where, dp_table)
    print("\n| 100,000 files | threads | times delta-rs: median (min-max) | bar | ours, s | delta-rs, s | ours, CPU s | peak MB ours / delta-rs |\n| --- | --- | --- | --- | --- | --- | --- | --- |")
    rows = []
    for name in jobs:
        if not wanted.search(name):
            continue
        job, kind = name.rsplit("-", 1)
        table, (ours, theirs) = os.path.join(where, kind), JOBS[job]
        for threads in (1, 2):
            pairs = []
            for i in range(runs + 1):
                a = run([dp_table, "files", table, "-j", str(threads)] + (["-w", ours] if ours else []), False)
                b = run([sys.executable, "-c", PEER, table, theirs or ""], True)
                if i:                            # the first one warms up
                    pairs.append((b[0] / a[0], a, b))
            ratios = [p[0] for p in pairs]
            row = dict(job=name, threads=threads, ratio=round(statistics.median(ratios), 2), ratio_min=round(min(ratios), 2), ratio_max=round(max(ratios), 2), bar=BAR,
                       ours_s=round(statistics.median(p[1][0] for p in pairs), 3), peer_s=round(statistics.median(p[2][0] for p in pairs), 3),
                       ours_cpu=round(min(p[1][1] for p in pairs), 3), mem_ours=round(max(p[1][2] for p in pairs)), mem_peer=round(max(p[2][2] for p in pairs)))
            rows.append(row)
            print("| %(job)s | %(threads)d | **%(ratio).2f** (%(ratio_min).2f-%(ratio_max).2f) | %(bar).1f | %(ours_s).3f | %(peer_s).3f | %(ours_cpu).2f | %(mem_ours)d / %(mem_peer)d |" % row, flush=True)
    return rows
