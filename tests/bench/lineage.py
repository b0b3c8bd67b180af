#!/usr/bin/env python3
"""Events of a lake for the store of lineage, and how fast it answers.

    lineage.py generate [lake|tangle [DATASETS JOBS EDGES]] >events.ndjson
    lineage.py bench BIN_DIR WORK_DIR [JOBS_REGEX [DATASETS JOBS EDGES]]

lake: 50 domains, in each of them layers as lakes have them: raw (from outside) 40 %, staged 30 %, core 20 %, marts 10 %.  A staged table is made of 1 to 3 raw ones, a core table of 1 to 3
staged and now and then of another core table before it, a mart of 2 to 4 core tables, one in ten of another domain.  A column comes from 1 to 3 columns above it; keys of six core tables are
shared by all domains.  A table is written by several jobs (by hour, by day, again, by region).
tangle: twenty layers, each job reads two tables of the layer before at random: everything hangs on everything, and nothing is like that; it is the worst case.
Every event is a COMPLETE with schema and column lineage, EDGES / JOBS edges of columns each.

The lake ends with DatasetEvents of tags, owners and classes.

The bench takes each in, then asks `up` and `impact` for nodes of each layer, and searches (the whole process, best of five of each question: median and slowest of the questions).
"""
import json
import os
import random
import re
import resource
import subprocess
import sys
import time

LAYERS = 20
COLUMNS = 20
DOMAINS = 50
FACT = {"_producer": "https://example.org/bench", "_schemaURL": "https://openlineage.io/spec/facets/1-0-0/Any.json"}
SCHEMA = [{"name": "column_%02d" % k, "type": "string", "ordinal_position": k + 1} for k in range(COLUMNS)]


def event(j, job, inputs, output, fields):
    """One job's run: fields is a list of (column, [(input, column)])."""
    column = lambda k: "column_%02d" % k
    said = {column(to): {"inputFields": [dict(d, field=column(k), transformations=[{"type": "DIRECT", "subtype": "TRANSFORMATION"}]) for d, k in sources]} for to, sources in fields}
    output = dict(output, facets={"schema": dict(FACT, fields=SCHEMA), "columnLineage": dict(FACT, fields=said)})
    return {"eventType": "COMPLETE", "eventTime": "2026-01-%02dT%02d:%02d:%02d.%03dZ" % (1 + j // 86400, j // 3600 % 24, j // 60 % 60, j % 60, j % 1000),
            "run": {"runId": "00000000-0000-7000-8000-%012d" % j}, "job": {"namespace": "bench", "name": job}, "inputs": inputs, "outputs": [output],
            "producer": "https://example.org/bench", "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"}


def tangle(datasets, jobs, edges):
    rnd = random.Random(7)
    layer = max(1, datasets // LAYERS)
    each = max(1, edges // jobs)
    name = lambda i: {"namespace": "s3://lake", "name": "layer%d/table%05d" % (i // layer, i)}
    for j in range(jobs):
        target = layer + j % max(1, datasets - layer)
        base = (target // layer - 1) * layer
        inputs = [name(base + rnd.randrange(layer)) for _ in range(2)]
        fields = {}
        for k in range(each):
            fields.setdefault(k % COLUMNS, []).append((inputs[k % 2], rnd.randrange(COLUMNS)))
        yield event(j, "job.%05d" % j, inputs, name(target), list(fields.items()))


def tables(datasets):
    """The lake's tables: (layer, domain, number) by layer and domain."""
    size = max(20, datasets // DOMAINS) # of fewer a mart has no four core tables to read
    counts = {"raw": size * 4 // 10, "staged": size * 3 // 10, "core": size * 2 // 10, "marts": size - size * 9 // 10}
    return {layer: [[(layer, d, i) for i in range(n)] for d in range(DOMAINS)] for layer, n in counts.items()}


def name_of(table):
    return {"namespace": "s3://lake", "name": "%s/domain%02d/table%03d" % table}


def inputs_of(rnd, all_tables, table):
    layer, d, i = table
    if layer == "staged":
        raw, n = all_tables["raw"][d], len(all_tables["staged"][d])
        return [raw[i]] + raw[n + i:n + i + 1] + ([rnd.choice(raw[:i])] if i and rnd.random() < 0.2 else []) # every raw table is read by one
    if layer == "core":
        found = rnd.sample(all_tables["staged"][d], rnd.choice((1, 2, 3)))
        if i and rnd.random() < 0.3:
            found.append(("core", d, rnd.randrange(i)))
        if rnd.random() < 0.3: # what the whole lake shares: customers, products, calendar ...
            found.append(("core", rnd.randrange(6), 0))
        return [t for t in found if t != table]
    found = rnd.sample(all_tables["core"][d], rnd.choice((2, 3, 4)))
    if rnd.random() < 0.1:
        found.append(rnd.choice(all_tables["core"][rnd.randrange(DOMAINS)]))
    return found


def lake(datasets, jobs, edges):
    rnd = random.Random(11)
    every = tables(datasets)
    targets = [t for layer in ("staged", "core", "marts") for domain in every[layer] for t in domain]
    made_of = {t: inputs_of(rnd, every, t) for t in targets}
    each = max(1, edges // jobs)
    ways = ("hourly", "daily", "backfill", "correct", "emea", "apac", "latam", "us", "audit")
    for j in range(jobs):
        target = targets[j % len(targets)]
        inputs = [name_of(t) for t in made_of[target]]
        fields = {}
        for k in range(each): # most columns are those of one input under the same place
            to = k % COLUMNS
            come = k % len(inputs) if to >= 2 else 0
            fields.setdefault(to, []).append((inputs[come], to if to < 2 or rnd.random() < 0.7 else rnd.randrange(COLUMNS)))
        yield event(j, "%s.%s.table%03d.%s" % (target[0], "domain%02d" % target[1], target[2], ways[j // len(targets) % len(ways)]), inputs, name_of(target), list(fields.items()))


def marks(datasets):
    """What people and contracts say of a third of the lake's tables: a tier, an owner of forty, and of some raw columns that they are restricted."""
    every = tables(datasets)
    for n, t in enumerate(t for layer in every.values() for domain in layer for t in domain):
        if n % 3:
            continue
        tags = [{"key": "tier", "value": ("gold", "silver", "bronze")[n % 7 % 3], "source": "bench"}]
        if t[0] == "raw" and n % 15 == 0:
            tags.append({"key": "classification", "value": "restricted", "field": "column_%02d" % (n % COLUMNS), "source": "bench"})
        yield {"eventTime": "2026-03-01T00:00:00Z", "dataset": dict(name_of(t), facets={"tags": dict(FACT, tags=tags), "ownership": dict(FACT, owners=[{"name": "team-%d" % (n % 40)}])}),
               "producer": "https://example.org/bench", "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent"}


def generate(out, kind="lake", datasets=10000, jobs=50000, edges=1000000):
    for e in (lake if kind == "lake" else tangle)(datasets, jobs, edges):
        out.write(json.dumps(e, separators=(",", ":")) + "\n")
    for e in marks(datasets) if kind == "lake" else ():
        out.write(json.dumps(e, separators=(",", ":")) + "\n")


# ---- the bench ----

def run(argv):
    """Wall and processor seconds of a whole process, and its lines."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    got = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wall = time.monotonic() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if got.returncode not in (0, 1): # impact: 1, something depends on it
        sys.exit("bench: %s: exit %d\n%s" % (" ".join(argv), got.returncode, got.stderr.decode()))
    return wall, after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime, got.stdout.count(b"\n")


def ask(runs, tool, store, what, name):
    """Lines, the best wall of several runs, and the mean of their user and system milliseconds."""
    got = [run([tool, what, "--store", store, *(name if isinstance(name, tuple) else (name,))]) for _ in range(max(3, runs))]
    mean = lambda k: sum(g[k] for g in got) / len(got) * 1e3 # of a few milliseconds the system counts all or nothing
    return [got[0][3], min(g[0] for g in got) * 1e3, mean(1), mean(2)]


def nodes(kind, datasets):
    if kind == "tangle":
        layer = max(1, datasets // LAYERS)
        name = lambda i: "layer%d/table%05d" % (i // layer, i)
        return {"first": [name(0)], "middle": [name(datasets // 2)], "last": [name(datasets - 1)]}
    every = tables(datasets)
    rnd = random.Random(13)
    found = {layer: ["%s/domain%02d/table%03d" % t for t in rnd.sample([t for domain in domains for t in domain], 7)] for layer, domains in every.items()}
    found["shared"] = ["core/domain%02d/table000" % d for d in range(6)] # the worst: the whole lake hangs on them
    return found


SEARCHES = {"lineage-search-words": ["table005", "column_07", ("core", "domain03"), ("--kind", "job", "daily"), "t", "nosuchword"],
            "lineage-search-marks": [("--tag", "tier"), ("--tag", "tier=gold"), ("--owner", "team-7"), ("--tag", "tier=gold", "--owner", "team-7"), ("--class", "restricted")],
            "lineage-search-both": [("--tag", "tier=gold", "table"), ("--owner", "team-9", "marts"), ("--class", "restricted", "core")]}


def questions(kind, datasets, jobs):
    """(job, what, names): datasets, then their second column."""
    found = []
    for where, names in nodes(kind, datasets).items():
        for what in ("up", "impact"):
            job = "lineage-%s-%s-%s" % (what, kind, where)
            found += [(job + end, what, [name + hash for name in names]) for end, hash in (("", ""), ("-column", "#column_01")) if jobs.search(job + end)]
    found += [(job, "search", names) for job, names in SEARCHES.items() if kind == "lake" and jobs.search(job)]
    return found


def ingest(runs, tool, kind, events, store):
    best = None
    for _ in range(runs):
        for end in ("", "-wal", "-shm"):
            if os.path.exists(store + end):
                os.remove(store + end)
        got = run([tool, "ingest", "--store", store, events])
        best = got if not best or got[1] + got[2] < best[1] + best[2] else best
    with open(events, "rb") as f:
        n = sum(1 for _ in f)
    row = dict(job="lineage-ingest-" + kind, events=n, wall=best[0], user=best[1], system=best[2], events_mb=os.path.getsize(events) / 1e6, store_mb=os.path.getsize(store) / 1e6)
    print("| job | events | events a second of processor | of wall | user s | system s | MB of events / of store |\n| --- | --- | --- | --- | --- | --- | --- |")
    print("| %s | %d | **%.0f** | %.0f | %.2f | %.2f | %.0f / %.0f |" % (
        row["job"], n, n / (best[1] + best[2]), n / best[0], best[1], best[2], row["events_mb"], row["store_mb"]), flush=True)
    return row


def bench(work, tool, runs=3, jobs=re.compile("."), *size):
    """Rows of results; nothing is made where no job is asked for."""
    rows = []
    for kind in ("lake", "tangle"):
        asked = questions(kind, size[0] if size else 10000, jobs)
        if not asked and not jobs.search("lineage-ingest-" + kind):
            continue
        os.makedirs(work, exist_ok=True)
        stem = os.path.join(work, "lineage-" + kind + "".join("-%d" % n for n in size))
        events, store = stem + ".ndjson", stem + ".db"
        if not os.path.exists(events):
            with open(events + ".part", "w") as f:
                generate(f, kind, *size)
            os.rename(events + ".part", events)
        rows.append(ingest(runs if jobs.search("lineage-ingest-" + kind) else 1, tool, kind, events, store))
        print("\n| job | nodes | ms: median (slowest) | user + system ms, mean | lines |\n| --- | --- | --- | --- | --- |")
        for job, what, names in asked:
            got = [ask(runs, tool, store, what, name) for name in names]
            lines, wall, user, system = (sorted(g[k] for g in got) for k in range(4))
            cpu, mid = sorted(g[2] + g[3] for g in got), len(got) // 2
            rows.append(dict(job=job, ms=wall, user_ms=user, system_ms=system, lines=lines))
            print("| %s | %d | **%.1f** (%.1f) | %.1f (%.1f) | %d (%d) |" % (job, len(got), wall[mid], wall[-1], cpu[mid], cpu[-1], lines[mid], lines[-1]), flush=True)
        print()
    return rows


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "generate":
        generate(sys.stdout, *sys.argv[2:3], *map(int, sys.argv[3:]))
    elif len(sys.argv) > 3 and sys.argv[1] == "bench":
        bench(sys.argv[3], os.path.join(sys.argv[2], "dp-lineage"), 5, re.compile((sys.argv + ["."])[4]), *map(int, sys.argv[5:]))
    else:
        sys.exit(__doc__)
