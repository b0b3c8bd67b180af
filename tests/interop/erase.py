"""A person out of a table with history, change data, a clone and a cold tier: counted, and searched for by other readers than ours.

The case is built twice, as tables mostly are (compressed, dictionaries, bloom filters) and uncompressed, for a search of plain bytes; and once with deletion vectors and V2 checkpoints.
ERASE_ROWS (400,000) and ERASE_SUBJECTS (20,000) say how large.
"""
import glob
import hashlib
import json
import os
import shutil
import tempfile
import urllib.parse

import deltalake
import duckdb
import pyarrow.compute as pc
import pyarrow.parquet as pq

import tap
from tap import must, ok, sh

ROWS = int(os.environ.get("ERASE_ROWS", "400000"))
SUBJECTS = int(os.environ.get("ERASE_SUBJECTS", "20000"))
PARTS = 10
BIG = ROWS > 2000000  # rows are summed up then, and not compared one by one
WHO = SUBJECTS - 1  # the greatest number: it is a bound of many files
MAIL = "user%d@example.org" % WHO
FLAGS = "--subject customer_id=%d --subject email=%s" % (WHO, MAIL)
work = tempfile.mkdtemp()


def contract(d):
    with open(d + "/c.yaml", "w") as f:
        f.write("apiVersion: v3.1.0\nkind: DataContract\nid: t\nversion: 1.0.0\nstatus: active\nschema:\n- name: t\n  properties:\n"
                "  - {name: customer_id, logicalType: integer}\n  - {name: email, logicalType: string}\n  - {name: amount, logicalType: integer}\n  - {name: day, logicalType: date}\n")
    with open(d + "/r.yaml", "w") as f:
        f.write("version: 1\nrules:\n  - {id: cool, reason: cost, tier: {after: 90d, time: day, to: %s/cold}}\n" % d)


def generate(d, first, n, name):
    """Every subject now and then, the one that is to go in a third of the loads: most files are without."""
    sh("awk 'BEGIN { for (i = %d; i < %d; i++) { c = (i * 7919) %% %d; if (c == %d && int(i / STEP) %% 3) c = 5;"
       " printf \"{\\\"customer_id\\\":%%d,\\\"email\\\":\\\"user%%d@example.org\\\",\\\"amount\\\":%%d,\\\"day\\\":\\\"2026-%%02d-%%02d\\\"}\\n\", c, c, i, i %% 5 + 1, i %% 28 + 1 } }' >%s"
       .replace("STEP", str(max(1, ROWS // PARTS))) % (first, first + n, SUBJECTS, WHO, name), d)


def build(name, properties, write):
    d = os.path.join(work, name)
    os.makedirs(d + "/cold")
    contract(d)
    must("dp-table create t -c c.yaml -q " + " ".join("--property " + p for p in properties), d)
    for k in range(PARTS):
        generate(d, k * ROWS // PARTS, ROWS // PARTS, "rows")
        must("dp-partition -o t -c c.yaml %s rows --target-size %dK | dp-table commit t --eof-commits -q" % (write, max(16, ROWS // 20000)), d)
    os.remove(d + "/rows")
    must("dp-table delete t --where '.customer_id == %d and .amount < %d' -q" % (WHO, ROWS // 4), d)
    must("dp-table update t --where '.customer_id == %d' --set 'amount=.amount + 1' -q" % WHO, d)
    must("dp-table checkpoint t -q", d)
    must("dp-table clone t clone --shallow -q", d)
    must("dp-table delete t --where '.amount % 1000 == 7' -q", d)
    sh("dp-compact t -q", d)
    plan = sh("dp-retain plan -r r.yaml --now 2026-12-01T00:00:00Z t -o plan", d)
    if plan.returncode == 0:
        must("dp-retain apply plan --now 2026-12-01T00:00:00Z --reason cold -q", d)
    generate(d, ROWS, 1000, "rows")
    must("dp-partition -o t -c c.yaml %s rows | dp-table commit t --eof-commits -q" % write, d)
    return d


def data_files(d):
    return sorted(p for p in glob.glob(d + "/**/*.parquet", recursive=True) if "/_delta_log/" not in p)


def holds(path):
    """Has the file a row of the person?  By another reader, all of its columns, and what its metadata says."""
    t = pq.read_table(path, partitioning=None)
    return any(name in t.column_names and pc.any(pc.equal(t.column(name), value)).as_py() for name, value in (("customer_id", WHO), ("email", MAIL)))


def bounds_hold(path):
    m = pq.ParquetFile(path).metadata
    for g in range(m.num_row_groups):
        for c in range(m.num_columns):
            s = m.row_group(g).column(c).statistics
            name = m.row_group(g).column(c).path_in_schema
            if s and s.has_min_max and (s.min == MAIL or s.max == MAIL or (name == "customer_id" and WHO in (s.min, s.max))):
                return True
    return False


def log_holds(d):
    """The log as text: entries, and checkpoints by their rows."""
    needles = [MAIL, urllib.parse.quote(MAIL, safe=""), urllib.parse.quote(urllib.parse.quote(MAIL, safe=""), safe="")]
    needles += [x % WHO for x in ('"customer_id":%d,', '"customer_id":%d}', '\\"customer_id\\":%d,', '\\"customer_id\\":%d}', "customer_id == %d", "customer_id=%d")]
    met = []
    for path in glob.glob(d + "/**/_delta_log/**", recursive=True):
        if not os.path.isfile(path):
            continue
        if path.endswith(".parquet"):
            text = json.dumps(pq.read_table(path).to_pylist(), default=str)
        else:
            with open(path, errors="replace") as f:
                text = f.read()
        text = text.replace("\\\\", "\\")
        met += [(path, x) for x in needles if x in text or x.replace('"', '\\"') in text]
    return met


def bytes_hold(d):
    """The needle in any file as it is on disk."""
    needle = MAIL.encode()
    met = []
    for path in glob.glob(d + "/**", recursive=True):
        if os.path.isfile(path) and "/audit/" not in path:
            with open(path, "rb") as f:
                if needle in f.read():
                    met.append(path)
    return met


def filters_hold(paths):
    """Bloom filters that say `perhaps`, and how many there are."""
    con = duckdb.connect()
    hits = n = 0
    for p in paths:
        try:
            filters = {r[0] for r in con.execute("SELECT row_group_id FROM parquet_metadata(?) WHERE path_in_schema = 'customer_id' AND bloom_filter_offset IS NOT NULL", [p]).fetchall()}
            for group, excludes in con.execute("SELECT row_group_id, bloom_filter_excludes FROM parquet_bloom_probe(?, 'customer_id', ?)", [p, WHO]).fetchall():
                n += group in filters
                hits += group in filters and not excludes
        except duckdb.BinderException:  # change data of another schema
            pass
    return hits, n


def digest(rows):
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()


def sum_of_rows(d, command):
    """Of many rows: how many, and a sum of their hashes, as DuckDB makes it."""
    must(command + " >rows.csv", d)
    found = duckdb.connect().execute("SELECT count(*), sum(hash(line)::HUGEINT) FROM read_csv(?, header = false, delim = '\x01', quote = '', columns = {'line': 'VARCHAR'}) WHERE NOT contains(line, ?)",
                                     [d + "/rows.csv", '"customer_id":%d,' % WHO]).fetchone()
    os.remove(d + "/rows.csv")
    return found


def version_by_dp(d, table, v):
    if BIG:
        return sum_of_rows(d, "dp-cat %s --as-of %d" % (table, v))
    return digest(x for x in must("dp-cat %s --as-of %d" % (table, v), d).splitlines() if '"customer_id":%d,' % WHO not in x)


def version_by_rust(d, table, v):
    """delta-rs refuses tables with deletion vectors: None."""
    t = deltalake.DeltaTable(os.path.join(d, table))
    t.load_as_version(v)
    q = deltalake.QueryBuilder().register("t", t)
    if BIG:
        b = q.execute("select count(*) as n, sum(customer_id) as a, sum(amount) as b, sum(length(email)) as c, min(day) as e, max(day) as f from t where customer_id <> %d" % WHO)
        return str([(x if hasattr(x, "num_rows") else x).to_pylist() if hasattr(x, "to_pylist") else str(x) for x in b]), ROWS
    rows = q.execute("select customer_id, email, amount, day from t where customer_id <> %d" % WHO)
    out = []
    for b in rows:
        out += map(str, (b if hasattr(b, "num_rows") else b).to_pylist() if hasattr(b, "to_pylist") else [])
    return digest(out), len(out)


def try_rust(d, table, v):
    try:
        return version_by_rust(d, table, v)
    except Exception as e:  # what it can't read it could not read before either
        return type(e).__name__


def versions(d, table):
    return sorted(int(x.split("\t")[0]) for x in must("dp-table log " + table, d).splitlines())


def feed(d):
    if BIG:
        return sum_of_rows(d, "dp-table changes t --since 0")
    return digest(x for x in must("dp-table changes t --since 0", d).splitlines() if '"customer_id":%d,' % WHO not in x)


def sums(paths):
    out = {}
    for p in paths:
        with open(p, "rb") as f:
            out[p] = (hashlib.sha256(f.read()).hexdigest(), os.stat(p).st_mtime_ns)
    return out


def case(name, properties, write):
    tap.prefix = name + ": "
    d = build(name, properties, write)
    has_feed = "delta.enableChangeDataFeed=true" in properties
    tables = ["t", "clone"]
    known = {t: versions(d, t) for t in tables}
    before = {(t, v): (version_by_dp(d, t, v), try_rust(d, t, v)) for t in tables for v in known[t]}
    told = feed(d) if has_feed else None
    files = data_files(d)
    had = [p for p in files if holds(p)]
    old = sums(files)
    ok(0 < len(had) < len(files) and log_holds(d) and any(map(bounds_hold, files)), "before, the person is found by this search: %d of %d files" % (len(had), len(files)), log_holds(d)[:3])
    ok(any("/cold/" in p for p in had), "in the cold tier, too")
    r = sh("dp-retain erase %s --verify --evidence ev.json --json --audit audit --reason proof t clone" % FLAGS, d)
    done = json.loads(r.stdout.splitlines()[-1]) if r.stdout.strip() else {}
    ok(r.returncode == 0 and done.get("files_found") == 0 and done.get("files_unread") == 0, "erased and verified", r.stdout, r.stderr)
    ok(done.get("files_rewritten", 0) + done.get("files_removed", 0) + done.get("change_files", 0) == len(had), "the files that had the person are those that were touched: %d" % len(had), done)
    now = sums(data_files(d))
    ok(all(now.get(p) == old[p] for p in files if p not in had), "all others are byte for byte what they were")
    ok(not [p for p in had if os.path.exists(p)], "the files that had the person are gone")
    left = [p for p in data_files(d) if holds(p) or bounds_hold(p)]
    ok(not left, "pyarrow finds nothing in any file or bound", left[:4])
    ok(not log_holds(d), "nor is anything in the log", log_holds(d)[:4])
    hits, n = filters_hold(data_files(d))
    ok(hits <= max(2, n // 20) and (n > 0) == ("--bloom" in write), "DuckDB probes the bloom filters: %d of %d say perhaps, by chance" % (hits, n))
    bad = [k for k in before if version_by_dp(d, *k) != before[k][0]]
    ok(not bad, "each of %d versions has everybody else, as before" % len(before), bad)
    rust = [k for k in before if isinstance(before[k][1], tuple)]
    bad = [(k, try_rust(d, *k)) for k in rust if try_rust(d, *k) != before[k][1]]
    ok(not bad, "delta-rs reads %d of them equal" % len(rust), bad[:3])
    ok(all("deletion" in str(properties) or isinstance(before[k][1], tuple) for k in before), "delta-rs could read them", [before[k][1] for k in before if not isinstance(before[k][1], tuple)][:3])
    if has_feed:
        ok(feed(d) == told, "the change feed tells of everybody else what it told")
    for t in tables:
        r = sh("dp-table verify %s --deep" % t, d)
        ok(r.returncode == 0, "%s verifies, each value" % t, r.stdout, r.stderr)
    if "uncompressed" in name:
        ok(not bytes_hold(d), "no byte of any file spells the address", bytes_hold(d)[:4])
    size = must("find t clone cold -type f | sort | xargs cksum | cksum", d)
    r = sh("dp-retain erase %s --verify --audit audit --reason again t clone" % FLAGS, d)
    ok(r.returncode == 0 and must("find t clone cold -type f | sort | xargs cksum | cksum", d) == size, "again: there is nothing to do", r.stderr)
    must("dp-retain keygen key && dp-retain certify --key-file key --audit audit ev.json >cert", d)
    ok(sh("dp-retain certify --check --public-key key.pub cert", d).returncode == 0, "it is certified")
    shutil.rmtree(d)


try:
    case("compressed", ["delta.enableChangeDataFeed=true", "delta.checkpointInterval=4"], "--bloom customer_id --bloom email")
    case("uncompressed", ["delta.enableChangeDataFeed=true"], "--codec none")
    case("vectors and V2 checkpoints", ["delta.enableDeletionVectors=true", "delta.checkpointPolicy=v2", "delta.checkpointInterval=3"], "--bloom customer_id")
finally:
    shutil.rmtree(work)
tap.done()
