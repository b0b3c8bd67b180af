"""Event time in a pipe: windows (i), each key once (j), hopping and session windows with 1,000,000 keys, joins within an interval and as of a time; throughput with
checkpoints on; latency.  Each program of ours takes turns with all its peers; the ratio is to the fastest of them, run by run.  Spark is one of them where obj/venv-spark is
there, or is made (BENCH_SPARK=1); BENCH_SPARK=0 leaves it out.
"""
import os
import random
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BAR = {"i-window": 2.5, "j-dedupe": 2.5}
MILLION = 1_000_000


def duck(threads, sql):
    return [sys.executable, os.path.join(HERE, "duck.py"), str(threads), sql], True


def pol(threads, program, *args):
    """A program for polars; it prints the seconds that it took on standard error."""
    return ["env", "POLARS_MAX_THREADS=%d" % threads, sys.executable, os.path.join(HERE, "peer_windows.py"), program, *args], True


def out(sql):
    return "COPY (%s) TO '/dev/stdout' (FORMAT json)" % sql


def raw(sql):
    return "COPY (%s) TO '/dev/stdout' (FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\\x01')" % sql


def spark_python(asked):
    """The python that has PySpark, and why there is none."""
    venv = os.path.join(HERE, "..", "interop", "venv.sh")
    there = os.path.join(HERE, "..", "..", "obj", "venv-spark")
    if asked == "0":
        return None, "BENCH_SPARK=0"
    if not shutil.which("java"):
        return None, "there is no java"
    if asked == "1":
        return subprocess.check_output(["sh", venv, "spark"], text=True).strip(), None
    if os.path.exists(os.path.join(there, ".made")):
        return os.path.join(there, "bin", "python"), None
    return None, "obj/venv-spark is not there; BENCH_SPARK=1 makes it, 450 MB"


def lines(argv):
    """How many lines a program prints."""
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as child:
        n = sum(block.count(b"\n") for block in iter(lambda: child.stdout.read(1 << 20), b""))
    if child.returncode:
        sys.exit("bench: %s failed" % " ".join(argv)[:300])
    return n


# ---- data of our own ----

def made(path, lines):
    """Writes it once; it has its name only when it is whole."""
    if not os.path.exists(path):
        with open(path + ".new", "w") as f:
            f.writelines(lines)
        os.rename(path + ".new", path)
    with open(path, "rb") as f:                  # into the page cache
        while f.read(1 << 24):
            pass
    return path


def clicks(n, keys, seed):
    """n events over an hour, each 1 ms and more behind the one before, up to 2 s out of order, of so many keys."""
    rng = random.Random(seed)
    for i in range(n):
        t = 1_772_323_200_000 + i * 3_600_000 // n - rng.randrange(2000)
        yield '{"id":%d,"k":%d,"t":%d,"v":%d.%02d}\n' % (i, rng.randrange(keys), t, rng.randrange(1000), rng.randrange(100))


def prices(n, keys, seed):
    """n prices of so many keys over the same hour, in their order."""
    rng = random.Random(seed)
    for i in range(n):
        yield '{"k":%d,"at":%d,"price":%d}\n' % (i if i < keys else rng.randrange(keys), 1_772_323_190_000 + i * 3_600_000 // n, rng.randrange(10000))


CLICKS = "read_json('%s',format='newline_delimited',columns={id:'BIGINT',k:'BIGINT',t:'BIGINT',v:'DECIMAL(10,2)'})"
PRICES = "read_json('%s',format='newline_delimited',columns={k:'BIGINT',\"at\":'BIGINT',price:'BIGINT'})"


# ---- jobs ----

def jobs_of_events(b, size, t, nd, json_of):
    """i and j: ours, its peers by name, and Spark's job and files."""
    j = ["-j", str(t)]
    typed = json_of % nd
    p95 = ("SELECT time_bucket(INTERVAL 1 MINUTE, ts) m,country,count(*) n,sum(price) s,avg(price) a,quantile_disc(price,0.95) p95 FROM "
           "read_json('%s',format='newline_delimited',columns={ts:'TIMESTAMP',country:'VARCHAR',price:'DECIMAL(10,2)'}) GROUP BY ALL ORDER BY ALL" % nd)
    peers_i = {"DuckDB": duck(t, out(p95)), "polars": pol(t, "minutes", nd)}
    peers_j = {"sort -u": (["env", "LC_ALL=C", "sort", "-u", "-S", "4G", "--parallel=%d" % t, nd], False),
               "DuckDB, raw": duck(t, raw("SELECT any_value(json) FROM read_json_objects('%s',format='newline_delimited') GROUP BY json->>'event_id'" % nd)),
               "DuckDB, typed": duck(t, out("SELECT DISTINCT ON (event_id) * FROM %s" % typed))}
    if shutil.which("mlr") and size == "200k":
        peers_i["Miller"] = (["mlr", "--ijsonl", "--ojsonl", "put", "-q", MLR_MINUTES, "then", "stats1", "-a", "count,sum,mean,p95", "-f", "price", "-g", "m,country", nd], False)
        peers_j["Miller"] = (["mlr", "--ijsonl", "--ojsonl", "head", "-n", "1", "-g", "event_id", nd], False)
    return {"i-window": ([b + "/dp-window", *j, "--time", "ts", "--key", "country", "--tumble", "1m", "--delay", "15m", "--agg",
                          "n=count(),s=sum(price),a=mean(price),p95=quantile(price,0.95)", nd], peers_i, ["minutes", t, nd]),
            "j-dedupe": ([b + "/dp-dedupe", *j, "--key", "event_id", nd], peers_j, None)}


MLR_MINUTES = '$m = sub($ts, ":..[.].*", ""); emit $*'


def jobs_of_keys(b, t, many, some, quotes):
    """Windows with 1,000,000 keys; joins."""
    j = ["-j", str(t)]
    hop = ("SELECT k, s AS start, count(*) AS n, sum(v) AS v FROM (SELECT k, v, unnest([t // 60000 * 60000, t // 60000 * 60000 - 60000]) AS s FROM %s) GROUP BY ALL ORDER BY s, k" % (CLICKS % many))
    session = ("SELECT k, min(t) AS start, max(t) + 600000 AS stop, count(*) AS n, sum(v) AS v FROM (SELECT k, t, v, sum(fresh) OVER (PARTITION BY k ORDER BY t) AS g FROM "
               "(SELECT k, t, v, CASE WHEN t - lag(t) OVER (PARTITION BY k ORDER BY t) <= 600000 THEN 0 ELSE 1 END AS fresh FROM %s)) GROUP BY k, g ORDER BY stop, start, k" % (CLICKS % many))
    interval = "SELECT a.id, a.k, a.t, p.\"at\", p.price FROM %s a JOIN %s p ON a.k = p.k AND p.\"at\" BETWEEN a.t - 5000 AND a.t + 5000" % (CLICKS % some, PRICES % quotes)
    # by default DuckDB takes the records of a file for few, and goes through all prices for each: a hundred times slower
    as_of = "SELECT a.id, a.k, a.t, a.v, p.\"at\", p.price FROM %s a ASOF LEFT JOIN %s p ON a.k = p.k AND a.t >= p.\"at\"" % (CLICKS % some, PRICES % quotes)
    window = [b + "/dp-window", *j, "--time", "t", "--key", "k", "--epoch", "ms", "--delay", "2s", "--agg", "n=count(),v=sum(v)"]
    return {"hop-1m-keys": (window + ["--hop", "2m,1m", many], {"DuckDB": duck(t, out(hop)), "polars": pol(t, "hop", many)}, ["hop", t, many]),
            "session-1m-keys": (window + ["--session", "10m", many], {"DuckDB": duck(t, out(session)), "polars": pol(t, "session", many)}, ["session", t, many]),
            "join-within": ([b + "/dp-join", *j, "--with", quotes, "--on", "k", "--within", "5s", "--time", "t", "--with-time", "at", some], {"DuckDB": duck(t, out(interval))},
                            ["within", t, some, quotes]),
            "join-as-of": ([b + "/dp-join", *j, "--with", quotes, "--on", "k", "--as-of", "t=at", "--kind", "left", some],
                           {"DuckDB": duck(t, "SET asof_loop_join_threshold=0; " + out(as_of)), "polars": pol(t, "as-of", some, quotes)}, None)}


# ---- turns ----

def turns(job, size, rows, threads, ours, peers, of_spark, spark, runs, run):
    """Ours and each peer, one behind the other; the first round warms up, which Spark does by itself.  Its rows must be as many as ours."""
    if spark and of_spark:
        peers = dict(peers, Spark=([spark, os.path.join(HERE, "peer_spark.py"), *map(str, of_spark), str(lines(ours))], True))
    rounds = []
    for i in range(runs + 1):
        a = run(ours, False)
        p = {name: run(*spec) for name, spec in peers.items() if i or name != "Spark"}
        if i:
            rounds.append((a, p))
    med = statistics.median
    fastest = min(peers, key=lambda n: med(p[n][0] for _, p in rounds))
    ratios = [min(x[0] for x in p.values()) / a[0] for a, p in rounds]
    cpu = [min(x[1] for x in p.values()) / a[1] for a, p in rounds]
    row = dict(job=job, size=size, threads=threads, ratio=round(med(ratios), 2), ratio_min=round(min(ratios), 2), ratio_max=round(max(ratios), 2), bar=BAR.get(job),
               ours_s=round(med(a[0] for a, _ in rounds), 3), ours_cpu=round(med(a[1] for a, _ in rounds), 3), cpu_ratio=round(med(cpu), 2),
               rate=round(rows / med(a[0] for a, _ in rounds) / 1e6, 2), mem_ours=round(max(a[2] for a, _ in rounds)), fastest=fastest, mb=round(rounds[0][0][3] / 1e6, 1),
               peers={n: dict(s=round(med(p[n][0] for _, p in rounds), 3), cpu=round(med(p[n][1] for _, p in rounds), 3), mem=round(max(p[n][2] for _, p in rounds))) for n in peers})
    said = ", ".join("%s %.2f (%.2f) %d" % (n, x["s"], x["cpu"], x["mem"]) for n, x in row["peers"].items())
    print("| %s | %s | %d | **%.2f** (%.2f-%.2f) | %.2f | %s | %.2f (%.2f) %d | %s |" % (job, size, threads, row["ratio"], row["ratio_min"], row["ratio_max"], row["cpu_ratio"],
          row["bar"] or "", row["ours_s"], row["ours_cpu"], row["mem_ours"], said), flush=True)
    return row


# ---- rates ----

def checkpointed(where, b, runs, wanted):
    """Events a second on one core, with a checkpoint behind each of twenty files: dp-ingest and dp-window on the same core, and dp-window alone behind a recorded stream."""
    if not wanted.search("rate"):
        return []
    parts, recorded, state = os.path.join(where, "parts"), os.path.join(where, "marked.ndjson"), os.path.join(where, "rate.state")
    if not os.path.exists(parts):
        os.makedirs(parts + ".new")
        subprocess.check_call(["split", "-n", "l/20", "-d", "--additional-suffix=.ndjson", os.path.join(where, "events1m.ndjson"), parts + ".new/p"])
        os.rename(parts + ".new", parts)
    ingest = "%s/dp-ingest --marks -j1 %s/*.ndjson" % (b, parts)
    window = "%s/dp-window -j1 --time ts --key country --tumble 1m --delay 15m --agg 'n=count(),s=sum(price)' --state %s" % (b, state)
    with open(recorded, "w") as f:
        subprocess.check_call(["sh", "-c", ingest], stdout=f)
    print("\n| one core, 20 checkpoints | million events a second: median (min-max) | CPU s |\n| --- | --- | --- |")
    rows = []
    for name, command in (("dp-ingest and dp-window", "%s | %s >/dev/null" % (ingest, window)), ("dp-window behind a recorded stream", "cat %s | %s >/dev/null" % (recorded, window))):
        rates, cpu = [], []
        for i in range(runs + 1):
            shutil.rmtree(state, ignore_errors=True)
            had, start = os.times(), time.perf_counter()
            subprocess.check_call(["taskset", "-c", "0", "sh", "-c", command])
            took, now = time.perf_counter() - start, os.times()
            if i:
                rates.append(1 / took)
                cpu.append(now.children_user + now.children_system - had.children_user - had.children_system)
        rows.append(dict(job="rate", what=name, rate=round(statistics.median(rates), 2), rate_min=round(min(rates), 2), rate_max=round(max(rates), 2), cpu=round(min(cpu), 2)))
        print("| %(what)s | **%(rate).2f** (%(rate_min).2f-%(rate_max).2f) | %(cpu).2f |" % rows[-1], flush=True)
    return rows


def latency_rows(b, wanted):
    if not wanted.search("latency"):
        return []
    import latency
    row = dict(job="latency", **latency.measure(b, 100_000, 10, 100))
    print("\n| events a second | rows | latency, ms: median | p99 | largest |\n| --- | --- | --- | --- | --- |\n| %(rate)d | %(rows)d | %(p50).1f | %(p99).1f | %(most).1f |" % row, flush=True)
    return [row]


# ---- all ----

def bench(where, b, runs, wanted, sizes, prepare, json_of, run):
    rows = []
    names = ["i-window", "j-dedupe", "hop-1m-keys", "session-1m-keys", "join-within", "join-as-of"]
    spark = None
    if any(wanted.search(n) for n in names):
        spark, missing = spark_python(os.environ.get("BENCH_SPARK"))
        if missing:
            print("\nSpark takes no part: %s." % missing)
        print("\n| job | rows | threads | times the fastest peer: median (min-max) | the same by CPU s | bar | ours: s (CPU s) peak MB | peers: s (CPU s) peak MB |\n"
              "| --- | --- | --- | --- | --- | --- | --- | --- |")
    for size in sizes:
        for t in (1, 2):
            jobs = {n: s for n, s in jobs_of_events(b, size, t, os.path.join(where, "events%s.ndjson" % size), json_of).items() if wanted.search(n)}
            if jobs:
                prepare(size)
            rows += [turns(n, size, {"200k": 200_000, "1m": MILLION, "5m": 5 * MILLION}[size], t, *spec, spark, runs, run) for n, spec in jobs.items()]
    if any(wanted.search(n) for n in names[2:]):
        many = made(os.path.join(where, "clicks-2m.ndjson"), clicks(2 * MILLION, MILLION, 1))
        some = made(os.path.join(where, "clicks-1m.ndjson"), clicks(MILLION, 10_000, 2))
        quotes = made(os.path.join(where, "prices-1m.ndjson"), prices(MILLION, 10_000, 3))
        for t in (1, 2):
            for n, spec in jobs_of_keys(b, t, many, some, quotes).items():
                if wanted.search(n):
                    rows.append(turns(n, "2m" if many in spec[0] else "1m", 2 * MILLION if many in spec[0] else MILLION, t, *spec, spark, runs, run))
    rows += checkpointed(where, b, runs, wanted)
    rows += latency_rows(b, wanted)
    return rows
