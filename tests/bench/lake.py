#!/usr/bin/env python3
"""A lake of many tables for the planner of retention and for what tables cost: logs with checkpoints and statistics; the data files are empty, or not there (--no-files).

Each table has a day column, FILES data files over as many commits as --commits says (the first half of them stands in a checkpoint, too), and of every
twentieth file a remove: versions that go.

usage: lake.py DIR [--tables 1000] [--files 1000] [--commits 20] [--no-files]      with dp-table in PATH
"""
import argparse, json, os, subprocess, sys, uuid

p = argparse.ArgumentParser()
p.add_argument("dir")
p.add_argument("--tables", type=int, default=1000)
p.add_argument("--files", type=int, default=1000)
p.add_argument("--commits", type=int, default=20)
p.add_argument("--no-files", action="store_true")
a = p.parse_args()
DAY = 86400000
NOW = 1768000000000  # 2026-01-09T23:06:40Z
schema = json.dumps({"type": "struct", "fields": [{"name": n, "type": t, "nullable": True, "metadata": {}} for n, t in
                     (("id", "long"), ("ts", "timestamp"), ("name", "string"), ("amount", "double"), ("day", "date"))]})


def iso(ms):
    import datetime
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000Z")


for t in range(a.tables):
    table = f"{a.dir}/db{t % 10}/t{t:04}"
    log = table + "/_delta_log"
    os.makedirs(log)
    per, made = max(1, a.files // a.commits), []
    for v in range(a.commits):
        at = NOW - (a.commits - v) * 10 * DAY
        lines = [{"commitInfo": {"timestamp": at, "operation": "WRITE", "operationParameters": {"mode": "Append"}, "isBlindAppend": True}}]
        if v == 0:
            lines.append({"protocol": {"minReaderVersion": 1, "minWriterVersion": 2}})
            lines.append({"metaData": {"id": str(uuid.UUID(int=t + 1)), "format": {"provider": "parquet", "options": {}}, "schemaString": schema,
                                       "partitionColumns": ["day"], "configuration": {"delta.checkpointInterval": "100000"}, "createdTime": at}})
        for i in range(per):
            n = v * per + i
            ms = at + i * DAY * 10 // per
            day = iso(ms)[:10]
            path = f"day={day}/part-{n:05}-{uuid.UUID(int=t * a.files + n)}.zstd.parquet"
            stats = {"numRecords": 1000, "minValues": {"id": n * 1000, "ts": iso(ms), "name": f"name {n}", "amount": 0.5},
                     "maxValues": {"id": n * 1000 + 999, "ts": iso(ms + 3600000), "name": f"name {n} z", "amount": 99.5}, "nullCount": {"id": 0, "ts": 0, "name": 0, "amount": 0}}
            lines.append({"add": {"path": path, "partitionValues": {"day": day}, "size": 50000 + n, "modificationTime": ms, "dataChange": True, "stats": json.dumps(stats)}})
            made.append((path, day))
            if not a.no_files:
                os.makedirs(f"{table}/day={day}", exist_ok=True)
                os.close(os.open(f"{table}/{path}", os.O_CREAT | os.O_WRONLY))
                os.utime(f"{table}/{path}", (ms / 1000, ms / 1000))
        for path, day in made[:max(1, per // 20)] if v else []:
            lines.append({"remove": {"path": path, "deletionTimestamp": at, "dataChange": True, "extendedFileMetadata": True, "partitionValues": {"day": day}, "size": 50000}})
        made = made[max(1, per // 20):] if v else made
        name = f"{log}/{v:020}.json"
        with open(name, "w") as f:
            f.write("".join(json.dumps(x) + "\n" for x in lines))
        os.utime(name, (at / 1000, at / 1000))
        if v == a.commits // 2:
            subprocess.run(["dp-table", "checkpoint", table, "-q"], check=True, stdout=subprocess.DEVNULL)
print(a.tables, "tables", file=sys.stderr)
