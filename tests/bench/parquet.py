"""Writing and reading of a wide, a long, a stringy and a nested table, ours against DuckDB, pyarrow and polars, interleaved in one run.

parquet-read-*: everybody reads the same file (by pyarrow, zstd 3) into its own columns, in memory; parquet-stream-*: the same, past in batches that are not kept;
parquet-write-*: the columns are written from there with the same codec, level and rows in a
row group; the clock runs inside each process, without start, import and first uses.  The ratio is taken run by run against the peer whose
median is least; over 1 means that we are faster.  What was written is compared by hashes of each column once.
"""
import json
import os
import statistics
import subprocess
import sys

import tables

HERE = os.path.dirname(os.path.abspath(__file__))
CODECS = ("zstd:3", "snappy")
READERS = ("dp", "duckdb", "duckdb-arrow", "pyarrow", "polars")
STREAMERS = ("dp", "duckdb-arrow", "pyarrow", "polars")
WRITERS = ("dp", "duckdb", "pyarrow", "polars")
BAR = 1.3


def run(program, args):
    argv = [program, *args] if program.endswith("bench_parquet") else [sys.executable, os.path.join(HERE, "peer_parquet.py"), program, *args]
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit("bench: %s failed:\n%s" % (" ".join(argv), done.stderr[-2000:]))
    return json.loads(done.stdout)


def warm_cache(path):
    with open(path, "rb") as f:
        while f.read(1 << 24):
            pass


def measure(job, who, ours, args_of, runs, rows):
    got = {w: [] for w in who}
    for i in range(runs + 1):                    # the first is a warm-up
        for w in who:
            r = run(ours if w == "dp" else w, args_of(w))
            if r["rows"] != rows:
                sys.exit("bench: %s: %s has %d rows of %d" % (job, w, r["rows"], rows))
            if i:
                got[w].append(r)
    return got


def figures(job, threads, got, sizes):
    def median(w, key):
        return statistics.median(r[key] for r in got[w])
    peers = [w for w in got if w != "dp"]
    best = min(peers, key=lambda w: median(w, "s"))
    ratios = [b["s"] / a["s"] for a, b in zip(got["dp"], got[best])]
    row = dict(job=job, threads=threads, fastest=best, ratio=round(statistics.median(ratios), 2), ratio_min=round(min(ratios), 2), ratio_max=round(max(ratios), 2),
               cpu_ratio=round(min(median(w, "cpu") for w in peers) / median("dp", "cpu"), 2), bar=BAR,
               seconds={w: round(median(w, "s"), 3) for w in got}, cpu={w: round(median(w, "cpu"), 3) for w in got},
               peak={w: round(median(w, "peak")) for w in got}, more={w: round(median(w, "peak") - median(w, "before")) for w in got},
               mb={w: round(n / 1e6, 1) for w, n in sizes.items()})
    print("| %s | %d | **%.2f** (%.2f-%.2f) %s | %.2f | %s | %s | %s | %s |" % (
        job, threads, row["ratio"], row["ratio_min"], row["ratio_max"], best, row["cpu_ratio"],
        *[" / ".join("%g" % v for v in row[key].values()) for key in ("seconds", "cpu", "peak", "mb")]), flush=True)
    return row


def reading(op, who, folder, ours, runs, wanted):
    rows = []
    for name, n in tables.ROWS.items():
        path, job = os.path.join(folder, name + ".parquet"), "parquet-%s-%s" % (op, name)
        if not wanted.search(job):
            continue
        warm_cache(path)
        for threads in (1, 2):
            got = measure(job, who, ours, lambda w: [op, path, str(threads)], runs, n)
            rows.append(figures(job, threads, got, {"file": os.path.getsize(path)}))
        codec = min(run(ours, ["codec", path, "1"])["cpu"] for _ in range(runs))
        print("| %s, the codec alone | | | | | %.3f | | |" % (job, codec), flush=True)
        rows.append(dict(job=job + "-codec", cpu={"codec": codec}))
    return rows


def agree(source, files):
    """Each file has the rows of its source, column by column."""
    lines = subprocess.run([sys.executable, os.path.join(HERE, "peer_parquet.py"), "sums", source, *files], stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    for f, line in zip(files, lines[1:]):
        if line != lines[0]:
            sys.exit("bench: %s has not the rows of %s:\n%s\n%s" % (f, source, line, lines[0]))


def writing(folder, ours, runs, wanted):
    rows = []
    for name, n in tables.ROWS.items():
        path = os.path.join(folder, name + ".parquet")
        for codec in CODECS:
            job = "parquet-write-%s-%s" % (name, codec.partition(":")[0])
            if not wanted.search(job):
                continue
            warm_cache(path)
            outs = {w: os.path.join(folder, "out-%s.parquet" % w) for w in WRITERS}
            for threads in (1, 2):
                got = measure(job, WRITERS, ours, lambda w: ["write", path, str(threads), codec, str(tables.ROW_GROUP), outs[w]], runs, n)
                rows.append(figures(job, threads, got, {w: os.path.getsize(outs[w]) for w in WRITERS}))
            agree(path, list(outs.values()))
            for out in outs.values():
                os.unlink(out)
    return rows


def head(names, sizes):
    print("\n| job | threads | times the fastest: median (min-max) | CPU: least of the others / ours | seconds: %s | CPU seconds | peak MB | %s |\n"
          "| --- | --- | --- | --- | --- | --- | --- | --- |" % (" / ".join(names), sizes), flush=True)


def bench(folder, ours, runs, wanted):
    """All that `wanted` (a compiled expression) finds in the jobs' names: parquet-read-wide, parquet-write-wide-zstd ..."""
    names = ["parquet-%s-%s" % (op, t) for op in ("read", "stream") for t in tables.ROWS] + ["parquet-write-%s-%s" % (t, c.partition(":")[0]) for t in tables.ROWS for c in CODECS]
    if not any(wanted.search(n) for n in names):
        return []
    subprocess.run([sys.executable, os.path.join(HERE, "tables.py"), folder], check=True)
    head(READERS, "MB of the file")
    rows = reading("read", READERS, folder, ours, runs, wanted)
    head(STREAMERS, "MB of the file")
    rows += reading("stream", STREAMERS, folder, ours, runs, wanted)
    head(WRITERS, "MB of the files")
    return rows + writing(folder, ours, runs, wanted)
