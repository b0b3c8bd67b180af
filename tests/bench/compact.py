"""Compaction: job f (400 or 2,000 small files to large ones) against polars and DuckDB, a Z-order against delta-rs, and what a clustered table gains.

CPU seconds are compared, pair by pair, for they stand a loaded machine best; walls are printed beside them.  Ours is the whole process; the others' is that of the statement.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
COLUMNS = "user_id,sku"
med = statistics.median


def peer(*words):
    out = subprocess.run([sys.executable, os.path.join(HERE, "peer_compact.py"), *map(str, words)], stdout=subprocess.PIPE, text=True, check=True).stdout
    return [float(v) for v in out.split()] if out.strip() else None


def ours(argv):
    """Wall, CPU, peak MB and standard output.  The process between us and ours is small: what is inherited counts in a peak."""
    got = subprocess.run(["/usr/bin/time", "-q", "-f", "%e %U %S %M", *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
    wall, user, system, kb = (float(v) for v in got.stderr.strip().splitlines()[-1].split())
    return [wall, user + system, kb / 1024, got.stdout, got.stderr]


def size(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(size(os.path.join(path, f)) for f in os.listdir(path) if f.endswith(".parquet"))


def remove(*paths):
    for p in paths:
        shutil.rmtree(p) if os.path.isdir(p) else os.path.exists(p) and os.unlink(p)


def show(job, rows, threads, who, mine, theirs, mb):
    cpu = [t[1] / m[1] for m, t in zip(mine, theirs)]
    row = dict(job=job, size=rows, threads=threads, peer=who, cpu_ratio=round(med(cpu), 2), cpu_min=round(min(cpu), 2), cpu_max=round(max(cpu), 2),
               wall_ratio=round(med(t[0] / m[0] for m, t in zip(mine, theirs)), 2), ours_cpu=round(med(m[1] for m in mine), 2), peer_cpu=round(med(t[1] for t in theirs), 2),
               mem_ours=round(max(m[2] for m in mine)), mem_peer=round(max(t[2] for t in theirs)), mb_ours=round(mb[0] / 1e6, 1), mb_peer=round(mb[1] / 1e6, 1))
    print("| %(job)s | %(size)s | %(threads)d | %(peer)s | **%(cpu_ratio).2f** (%(cpu_min).2f-%(cpu_max).2f) | %(wall_ratio).2f | %(ours_cpu).2f / %(peer_cpu).2f | "
          "%(mem_ours)d / %(mem_peer)d | %(mb_ours).1f / %(mb_peer).1f |" % row, flush=True)
    return row


def small_files(folder, data, rows):
    small = os.path.join(folder, "small" + rows)
    if not os.path.isdir(small):
        remove(small + ".new")
        peer("small", data, small + ".new", 2500)
        os.rename(small + ".new", small)
    return small


def job_f(folder, programs, small, rows, runs):
    out, got = os.path.join(folder, "compacted"), []
    theirs = {w: os.path.join(folder, "compacted-%s.parquet" % w) for w in ("polars", "duckdb")}
    for threads in (1, 2):
        mine, others = [], {w: [] for w in theirs}
        for i in range(runs):
            remove(out, *theirs.values())
            mine.append(ours([programs + "/dp-compact", "-q", "-j", str(threads), "-o", out, small]))
            for w, path in theirs.items():
                others[w].append(peer(w, small, path, threads))
        got += [show("f-compact", rows, threads, w, mine, others[w], (size(out), size(theirs[w]))) for w in theirs]
    remove(out, *theirs.values())
    return got


def scan(programs, table, where):
    """Best of three, and the bytes that were passed over."""
    best = min((ours([programs + "/dp-cat", "-v", "-j", "1", "--to", "records", "--where", where, table]) for _ in range(3)), key=lambda g: g[1])
    return best, int((re.findall(r"(\d+) bytes not read", best[4]) or ["0"])[-1])


def gain(programs, plain, clustered, live):
    """A table put together without an order, and one along a curve: the same rows, the same questions."""
    print("\n| question | CPU s: as it came / clustered | gain | MB passed over: as it came / clustered | of MB |\n| --- | --- | --- | --- | --- |", flush=True)
    got = []
    for where in ('.user_id == 4711', '.sku == "SKU-00077"', '.user_id == 4711 and .sku == "SKU-00077"'):
        (a, x), (b, y) = scan(programs, plain, where), scan(programs, clustered, where)
        if sorted(a[3].splitlines()) != sorted(b[3].splitlines()):
            sys.exit("bench: %s has other rows in the clustered table" % where)
        row = dict(job="z-scan", where=where, plain_cpu=a[1], clustered_cpu=b[1], gain=round(a[1] / max(b[1], 0.01), 1), plain_skipped=x, clustered_skipped=y, bytes=live)
        print("| `%s` | %.2f / %.2f | **%.1f** | %.1f / %.1f | %.1f |" % (where, row["plain_cpu"], row["clustered_cpu"], row["gain"], row["plain_skipped"] / 1e6,
                                                                       row["clustered_skipped"] / 1e6, live / 1e6), flush=True)
        got.append(row)
    return got


def zorder(folder, programs, small, rows, runs):
    base, mine_at, theirs_at, plain = (os.path.join(folder, n) for n in ("z-table", "z-ours", "z-deltars", "z-plain"))
    got = []
    remove(base, plain)
    peer("table", small, base, 20)
    for threads in (1, 2):
        mine, theirs = [], []
        for i in range(runs):
            remove(mine_at, theirs_at)
            shutil.copytree(base, mine_at), shutil.copytree(base, theirs_at)
            mine.append(ours([programs + "/dp-compact", "-q", "-j", str(threads), "--cluster", "zorder(%s)" % COLUMNS, mine_at]))
            theirs.append(peer("deltars", theirs_at, COLUMNS, threads))
        total = size(base)
        got.append(show("z-order", rows, threads, "delta-rs", mine, theirs, (size(mine_at) - total, size(theirs_at) - total)))
    shutil.copytree(base, plain)
    ours([programs + "/dp-compact", "-q", plain])
    got += gain(programs, plain, mine_at, size(mine_at) - total)
    remove(base, mine_at, theirs_at, plain)
    return got


def bench(folder, programs, runs, wanted, data):
    """data: {"1m": its Parquet file}.  Jobs f-compact and z-order, as far as `wanted` finds them."""
    jobs = [j for j in ("f-compact", "z-order") if wanted.search(j)]
    if not jobs:
        return []
    os.makedirs(folder, exist_ok=True)
    print("\n| job | rows | threads | peer | its CPU / ours: median (min-max) | walls | CPU s ours / peer | peak MB ours / peer | MB out ours / peer |\n"
          "| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    got = []
    for rows, parquet in data().items():
        small = small_files(folder, parquet, rows)
        if "f-compact" in jobs:
            got += job_f(folder, programs, small, rows, runs)
        if "z-order" in jobs:
            got += zorder(folder, programs, small, rows, runs)
    return got
