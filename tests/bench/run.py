"""Jobs a to d, g, h and u, each of ours paired with DuckDB in one run: A B A B ..., the ratio pair by pair, the median of the ratios.

Our time is that of the whole process; DuckDB's is that of the statement alone, without its start.  Both drain into the
same kind of pipe or write the same kind of file.  A ratio over 1 means that we are faster.  Behind them whole tables in and out of Parquet (parquet.py),
a large table's log (delta.py), windows, joins and keys (windows.py), the store of lineage (lineage.py), and start-up.
"""
import json
import math
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

import compact
import delta
import lineage
import parquet
import windows

# What a process inherits counts in its own peak: between this one and a small program another small one must stand.
TIME = ["/usr/bin/time", "-q", "-f", "%M", "-o"] if os.path.exists("/usr/bin/time") else []
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
BIN = os.environ["DP_BIN"]
SHARED = os.environ.get("DP_SHARED", os.path.join(TOP, "..", "shared"))
DIR = os.environ.get("BENCH_DIR", os.path.join(TOP, "obj", "bench-data"))
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
os.environ["XDG_STATE_HOME"] = os.path.join(DIR, "state")  # the store of lineage that dp-run keeps is not the user's
JOBS = re.compile(os.environ.get("BENCH_JOBS", "."))
SIZES = os.environ.get("BENCH_SIZES", "1m 5m").split()
ROWS = {"200k": 200_000, "1m": 1_000_000, "5m": 5_000_000}

FLAT = ("event_id VARCHAR|ts TIMESTAMP|user_id BIGINT|email VARCHAR|country VARCHAR|device VARCHAR|action VARCHAR|sku VARCHAR|"
        "qty INTEGER|price DECIMAL(10,2)|currency VARCHAR|ip VARCHAR").split("|")


def columns(cols):
    return "{" + ",".join("%s:'%s'" % tuple(c.split(" ", 1)) for c in cols) + "}"


DUCK_JSON = "read_json('%s',format='newline_delimited',columns=" + columns(FLAT + ["geo STRUCT(lat DOUBLE, lon DOUBLE)"]) + ")"
DUCK_CSV = "read_csv('%s',header=true,columns=" + columns(FLAT + ["geo_lat DOUBLE", "geo_lon DOUBLE"]) + ")"
# Seconds per 1,000,000 rows on one core that no program can go below: reading, parsing, the codec, the pipe.
FLOOR = {"a-zstd": 0.91, "a-snappy": 0.56, "b-zstd": 0.82, "c-ndjson": 0.52, "c-csv": 0.40, "d-filter": 0.13, "e-partition": 1.06, "g-validate": 0.28, "h-ndjson": 0.38, "h-parquet": 0.87}
BAR = {"a-zstd": 1.5, "a-snappy": 1.8, "b-zstd": 1.5, "c-ndjson": 1.7, "c-csv": 1.5, "d-filter": 2.5, "e-partition": 1.7, "g-validate": 2.0, "g-parquet": 2.0, "u-ndjson": 1.0, "u-parquet": 1.0, "h-ndjson": 3.0, "h-parquet": 3.0}


def contract(path, geo):
    props = [("event_id", "string", "string"), ("ts", "timestamp", "timestamp"), ("user_id", "integer", "bigint"), ("email", "string", "string"),
             ("country", "string", "string"), ("device", "string", "string"), ("action", "string", "string"), ("sku", "string", "string"),
             ("qty", "integer", "int"), ("price", "number", "decimal(10,2)"), ("currency", "string", "string"), ("ip", "string", "string")]
    if not geo:
        props += [("geo_lat", "number", "double"), ("geo_lon", "number", "double")]
    with open(path, "w") as f:
        f.write("apiVersion: v3.1.0\nkind: DataContract\nid: bench\nversion: 1.0.0\nstatus: active\nschema:\n  - name: events\n"
                "    logicalType: object\n    properties:\n")
        for p in props:
            f.write("      - {name: %s, logicalType: %s, physicalType: '%s'}\n" % p)
        if geo:
            f.write("      - name: geo\n        logicalType: object\n        properties:\n"
                    "          - {name: lat, logicalType: number, physicalType: double}\n"
                    "          - {name: lon, logicalType: number, physicalType: double}\n")


RE_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
RE_MAIL = "^[^@ ]+@[^@ ]+[.][a-z]+$"
COUNTRIES = "DE US FR GB ES IT NL PL SE AT CH BE DK NO FI PT CZ IE JP BR".split()
DEVICES = ["mobile", "desktop", "tablet"]
ACTIONS = ["view", "add_to_cart", "purchase", "remove", "search"]


def rules_contract(path):
    """The twelve rules of job g; types are checked besides, so it is more than what DuckDB does."""
    def valid(values):
        return "quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: [%s]}}]" % ", ".join('"%s"' % v for v in values)
    props = ["{name: event_id, logicalType: string, required: true, logicalTypeOptions: {pattern: '%s'}}" % RE_UUID,
             "{name: email, logicalType: string, required: true, logicalTypeOptions: {pattern: '%s'}}" % RE_MAIL,
             "{name: price, logicalType: number, required: true, logicalTypeOptions: {minimum: 0, maximum: 10000}}",
             "{name: user_id, logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 1000000}}",
             "{name: country, logicalType: string, %s}" % valid(COUNTRIES), "{name: device, logicalType: string, %s}" % valid(DEVICES),
             "{name: action, logicalType: string, %s}" % valid(ACTIONS),
             "{name: qty, logicalType: integer, logicalTypeOptions: {minimum: 1, maximum: 999}}",
             "{name: sku, logicalType: string, logicalTypeOptions: {maxLength: 16}}"]
    with open(path, "w") as f:
        f.write("apiVersion: v3.1.0\nkind: DataContract\nid: rules\nversion: 1.0.0\nstatus: active\nschema:\n  - name: events\n"
                "    logicalType: object\n    properties:\n" + "".join("      - %s\n" % p for p in props))


def rules_sql(source):
    def isin(values):
        return ",".join("'%s'" % v for v in values)
    broken = ["event_id IS NULL", "email IS NULL", "price IS NULL", "NOT regexp_matches(event_id,'%s')" % RE_UUID, "NOT regexp_matches(email,'%s')" % RE_MAIL,
              "user_id NOT BETWEEN 1 AND 1000000", "country NOT IN (%s)" % isin(COUNTRIES), "device NOT IN (%s)" % isin(DEVICES),
              "action NOT IN (%s)" % isin(ACTIONS), "qty NOT BETWEEN 1 AND 999", "price NOT BETWEEN 0 AND 10000", "length(sku) > 16"]
    return "SELECT %s FROM %s" % (",".join("count(*) FILTER (WHERE %s)" % b for b in broken), source)


def prepare(size):
    nd, csv, pq = (os.path.join(DIR, "events%s.%s" % (size, e)) for e in ("ndjson", "csv", "parquet"))
    if not os.path.exists(nd):
        subprocess.check_call([sys.executable, os.path.join(SHARED, "bench", "gen.py"), str(ROWS[size]), DIR, "events" + size])
    if not os.path.exists(pq):
        subprocess.check_call([sys.executable, os.path.join(HERE, "duck.py"), "2",
                               "COPY (FROM %s) TO '%s' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)" % (DUCK_JSON % nd, pq)])
    for f in (nd, csv, pq):                      # into the page cache
        with open(f, "rb") as h:
            while h.read(1 << 24):
                pass
    return nd, csv, pq


def run(argv, inner):
    """Wall seconds, CPU seconds, peak MB, bytes on standard output.  The child may report the first (inner), or the first three, at the end of its standard error."""
    r, w = os.pipe()
    peak = os.path.join(DIR, "peak")
    start = time.perf_counter()
    child = subprocess.Popen(TIME + [peak] + argv if TIME else argv, stdin=subprocess.DEVNULL, stdout=w, stderr=subprocess.PIPE)
    os.close(w)
    got, block = 0, bytearray(1 << 20)
    while True:
        n = os.readv(r, [block])
        if not n:
            break
        got += n
    os.close(r)
    err = child.stderr.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = status
    if status:
        sys.exit("bench: %s failed:\n%s" % (" ".join(argv)[:300], err[-2000:]))
    with open(peak) if TIME else open(os.devnull) as f:
        kb = int((f.read().split() or [usage.ru_maxrss])[-1])
    measured = [wall, usage.ru_utime + usage.ru_stime, kb / 1024]
    if inner:
        said = [float(x) for x in err.strip().splitlines()[-1].split()]
        measured[:len(said)] = said
    return *measured, got


def tree_bytes(path):
    if os.path.isfile(path):
        return os.path.getsize(path)
    return sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(path) for f in fs)


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)


def pair(job, size, threads, ours, duck, out):
    """out: (our output, DuckDB's output) for jobs that write files."""
    ratios, a_s, b_s, mem_a, mem_b, bytes_a, bytes_b = [], [], [], 0, 0, 0, 0
    duck_argv = [sys.executable, os.path.join(HERE, "duck.py"), str(threads), duck]
    for i in range(RUNS + 1):
        if out:
            remove(out[0]), remove(out[1])
        a = run(ours, False)
        b = run(duck_argv, True)
        if i == 0:
            continue                             # warm-up
        ratios.append(b[0] / a[0])
        a_s.append(a[0]), b_s.append(b[0])
        mem_a, mem_b = max(mem_a, a[2]), max(mem_b, b[2])
        bytes_a, bytes_b = (tree_bytes(out[0]), tree_bytes(out[1])) if out else (a[3], b[3])
    n = ROWS[size] / 1e6
    med = statistics.median
    row = dict(job=job, size=size, threads=threads, ratio=round(med(ratios), 2), ratio_min=round(min(ratios), 2), ratio_max=round(max(ratios), 2),
               bar=BAR[job], ours_s=round(med(a_s), 3), duck_s=round(med(b_s), 3), floor=round(med(a_s) / n / (FLOOR.get(job, math.nan) / (1 if threads == 1 else 2)), 2),
               mem_ours=round(mem_a), mem_duck=round(mem_b), mb_ours=round(bytes_a / 1e6, 1), mb_duck=round(bytes_b / 1e6, 1))
    print("| %(job)s | %(size)s | %(threads)d | **%(ratio).2f** (%(ratio_min).2f-%(ratio_max).2f) | %(bar).1f | %(ours_s).3f | %(duck_s).3f | %(floor).2f | "
          "%(mem_ours)d / %(mem_duck)d | %(mb_ours).1f / %(mb_duck).1f |" % row, flush=True)
    return row


def masking():
    """A policy and a key for job h: a keyed hash of the address (DuckDB: sha256 without a key), the network of the IP address, the hour."""
    policy, ring = os.path.join(DIR, "masks.yaml"), os.path.join(DIR, "bench.ring")
    with open(policy, "w") as f:
        f.write("version: 1\ncolumns:\n  email: hmac\n  ip: ip\n  ts: {mask: truncate, to: hour}\n")
    if not os.path.exists(ring):
        subprocess.check_call([BIN + "/dp-mask", "keygen", ring], stdout=subprocess.DEVNULL)
    return ["-p", policy, "--key-file", ring]


REPEATED = "SELECT count(*), sum(n - 1) FROM (SELECT event_id, count(*) AS n FROM %s GROUP BY event_id HAVING count(*) > 1)"


def keys_contract(path):
    """Keys that are there more than once, and rows that are too many (job u): one in a hundred is."""
    with open(path, "w") as f:
        f.write("apiVersion: v3.1.0\nkind: DataContract\nid: keys\nversion: 1.0.0\nstatus: active\nschema:\n  - name: events\n    logicalType: object\n    properties:\n"
                "      - {name: event_id, logicalType: string, quality: [{metric: duplicateValues, mustBeLessThan: 2, unit: percent}]}\n")


def throughput(size, threads):
    if not any(JOBS.search(job) for job in BAR):
        return []
    nd, csv, pq = prepare(size)
    yaml_geo, yaml_flat = os.path.join(DIR, "events.odcs.yaml"), os.path.join(DIR, "events-flat.odcs.yaml")
    contract(yaml_geo, True), contract(yaml_flat, False)
    yaml_rules = os.path.join(DIR, "events-rules.odcs.yaml")
    rules_contract(yaml_rules)
    yaml_keys = os.path.join(DIR, "events-keys.odcs.yaml")
    keys_contract(yaml_keys)
    mine, theirs = os.path.join(DIR, "ours"), os.path.join(DIR, "duck.parquet")
    t = ["--threads", str(threads)]
    part = [BIN + "/dp-partition", "-o", mine, *t]
    mask = [BIN + "/dp-mask", *t, "-c", yaml_geo, *masking()]
    masked = "SELECT * REPLACE (sha256(email) AS email, regexp_replace(ip,'[0-9]+$','0') AS ip, date_trunc('hour',ts) AS ts) FROM "
    jobs = {
        "a-zstd": (part + ["-c", yaml_geo, "--codec", "zstd:3", nd],
                   "COPY (FROM %s) TO '%s' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)" % (DUCK_JSON % nd, theirs), (mine, theirs)),
        "a-snappy": (part + ["-c", yaml_geo, "--codec", "snappy", nd],
                     "COPY (FROM %s) TO '%s' (FORMAT parquet, COMPRESSION snappy)" % (DUCK_JSON % nd, theirs), (mine, theirs)),
        "b-zstd": (part + ["-c", yaml_flat, "--codec", "zstd:3", csv],
                   "COPY (FROM %s) TO '%s' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)" % (DUCK_CSV % csv, theirs), (mine, theirs)),
        "c-ndjson": ([BIN + "/dp-cat", *t, pq], "COPY (FROM '%s') TO '/dev/stdout' (FORMAT json)" % pq, None),
        "c-csv": ([BIN + "/dp-cat", *t, "--to", "csv", pq],
                  "COPY (FROM '%s') TO '/dev/stdout' (FORMAT csv)" % pq, None),
        "d-filter": ([BIN + "/dp-map", *t, "-w", '.country == "DE" and .price != null and .price > 50', "{event_id,ts,user_id,price}", nd],
                     "COPY (SELECT event_id,ts,user_id,price FROM read_json('%s',format='newline_delimited',columns={event_id:'VARCHAR',ts:'VARCHAR',"
                     "user_id:'BIGINT',price:'DECIMAL(10,2)',country:'VARCHAR'}) WHERE country='DE' AND price>50) TO '/dev/stdout' (FORMAT json)" % nd, None),
        "e-partition": (part + ["-c", yaml_geo, "--by", "date=day(ts)", "--by", "country", "--codec", "zstd:3", nd],
                        "COPY (SELECT *, ts::DATE AS date FROM %s) TO '%s' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3, PARTITION_BY (date,country))" % (DUCK_JSON % nd, theirs),
                        (mine, theirs)),
        "g-validate": ([BIN + "/dp-validate", *t, "-q", "-c", yaml_rules, "--check", "--max-rejects", "100%", nd], rules_sql(DUCK_JSON % nd), None),
        "g-parquet": ([BIN + "/dp-validate", *t, "-q", "-c", yaml_rules, "--check", "--max-rejects", "100%", pq], rules_sql("'%s'" % pq), None),
        "u-ndjson": ([BIN + "/dp-validate", *t, "-q", "-c", yaml_keys, "--check", nd], REPEATED % (DUCK_JSON % nd), None),
        "u-parquet": ([BIN + "/dp-validate", *t, "-q", "-c", yaml_keys, "--check", pq], REPEATED % ("'%s'" % pq), None),
        "h-ndjson": (mask + [nd], "COPY (%s %s) TO '/dev/stdout' (FORMAT json)" % (masked, DUCK_JSON % nd), None),
        "h-parquet": (mask + ["-o", mine, pq], "COPY (%s '%s') TO '%s' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)" % (masked, pq, theirs), (mine, theirs)),
    }
    return [pair(job, size, threads, *spec) for job, spec in jobs.items() if JOBS.search(job)]


def startup():
    """One record through each program: median of 200 whole processes, in milliseconds."""
    rec = os.path.join(DIR, "one.ndjson")
    with open(rec, "w") as f:
        f.write('{"id":1}\n')
    table = os.path.join(DIR, "start-table")
    remove(table)
    yaml = os.path.join(DIR, "one.odcs.yaml")
    with open(yaml, "w") as f:
        f.write("apiVersion: v3.1.0\nkind: DataContract\nid: one\nversion: 1.0.0\nstatus: active\nschema:\n  - name: one\n    logicalType: object\n"
                "    properties:\n      - {name: id, logicalType: integer}\n")
    subprocess.check_call([BIN + "/dp-table", "create", table, "-c", yaml], stdout=subprocess.DEVNULL)
    out = os.path.join(DIR, "start-out")
    argvs = {"dp-ingest": [rec], "dp-map": [".", rec], "dp-cat": [rec], "dp-contract": ["infer", rec], "dp-validate": ["-c", yaml, rec], "dp-mask": ["-c", yaml, rec],
             "dp-partition": ["-c", yaml, "-o", out, rec],
             "dp-table": ["log", table], "dp-run": ["--", "/bin/true"],
             "dp-run, bash": ["--", ":"], "/bin/true": [], "mawk": ["{print}", rec], "jq": [".", rec]}
    print("\n| program | start-up, ms: median (min) |\n| --- | --- |")
    rows = []
    for prog, args in argvs.items():
        path = os.path.join(BIN, prog.split(",")[0]) if prog.startswith("dp-") else shutil.which(prog)
        if not path or not os.path.exists(path):
            continue
        times = []
        for _ in range(200):
            start = time.perf_counter()
            subprocess.run([path, *args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            times.append((time.perf_counter() - start) * 1e3)
        rows.append(dict(program=prog, median_ms=round(statistics.median(times), 2), min_ms=round(min(times), 2)))
        print("| %(program)s | %(median_ms).2f (%(min_ms).2f) |" % rows[-1], flush=True)
    return rows


def main():
    os.makedirs(DIR, exist_ok=True)
    if any(JOBS.search(job) for job in BAR) and not os.path.exists(os.path.join(SHARED, "bench", "gen.py")):
        sys.exit("bench: the data generator is not there (%s/bench/gen.py)" % SHARED)
    if any(JOBS.search(job) for job in BAR):
        print("| job | rows | threads | times DuckDB: median (min-max) | bar | ours, s | DuckDB, s | ours / floor | peak MB ours / DuckDB | MB out ours / DuckDB |\n"
              "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    rows = []
    for size in SIZES:
        for threads in ((1, 2) if size != "5m" else (2,)):
            rows += throughput(size, threads)
    rows += compact.bench(os.path.join(DIR, "compact"), BIN, RUNS, JOBS, lambda: {s: prepare(s)[2] for s in SIZES})
    rows += parquet.bench(os.path.join(DIR, "tables"), os.path.join(BIN, "..", "bench", "bench_parquet"), RUNS, JOBS)
    rows += delta.bench(os.path.join(DIR, "log"), os.path.join(BIN, "dp-table"), RUNS, JOBS, run)
    rows += windows.bench(DIR, BIN, RUNS, JOBS, SIZES, prepare, DUCK_JSON, run)
    rows += lineage.bench(os.path.join(DIR, "lineage"), os.path.join(BIN, "dp-lineage"), RUNS, JOBS)
    if JOBS.search("startup"):
        rows += startup()
    with open(os.path.join(DIR, "results.json"), "w") as f:
        json.dump(rows, f, indent=1)


main()
