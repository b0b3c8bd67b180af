"""A person out of a table with history, change data, a clone and a cold tier: counted, and searched for by other readers than ours.

The case is built twice, as tables mostly are (compressed, dictionaries, bloom filters) and uncompressed, for a search of plain bytes; and once with deletion vectors and V2 checkpoints.
ERASE_ROWS (400,000) and ERASE_SUBJECTS (20,000) say how large.
"""
import hashlib
import json
import os
import re
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
    must("dp-compact t -q", d)
    must("dp-retain plan -r r.yaml --now 2026-12-01T00:00:00Z t -o plan", d)
    must("dp-retain apply plan --now 2026-12-01T00:00:00Z --audit audit --reason cold -q", d)
    generate(d, ROWS, 1000, "rows")
    must("dp-partition -o t -c c.yaml %s rows | dp-table commit t --eof-commits -q" % write, d)
    return d


def all_files(d):
    """Whatever there is, hidden files too (which glob passes over), but for the audit log and what this test wrote."""
    return sorted(os.path.join(at, f) for top in ("t", "clone", "cold") for at, _, names in os.walk(os.path.join(d, top)) for f in names)


def data_files(d):
    return [p for p in all_files(d) if p.endswith(".parquet") and "/_delta_log/" not in p]


def has_dictionary(path):
    """Has its column of addresses dictionaries, and nothing that pyarrow can't give with them?"""
    m = pq.read_metadata(path)
    used = {e for g in range(m.num_row_groups) for c in range(m.num_columns) if m.row_group(g).column(c).path_in_schema == "email" for e in m.row_group(g).column(c).encodings}
    return "RLE_DICTIONARY" in used and used <= {"RLE_DICTIONARY", "PLAIN", "RLE"}


def holds(path):
    """Has the file the person in a row, or in a dictionary of which no row needs that entry any more?  By another reader."""
    names = set(pq.read_schema(path).names)
    for name, value in (("customer_id", WHO), ("email", MAIL)):
        if name in names and pc.any(pc.equal(pq.read_table(path, partitioning=None, columns=[name]).column(0), value)).as_py():
            return True
    if "email" not in names or not has_dictionary(path):
        return False
    column = pq.read_table(path, partitioning=None, columns=["email"], read_dictionary=["email"]).column(0)
    return any(pc.any(pc.equal(chunk.dictionary, MAIL)).as_py() for chunk in column.chunks)


def bounds_hold(path):
    m = pq.ParquetFile(path).metadata
    for g in range(m.num_row_groups):
        for c in range(m.num_columns):
            s = m.row_group(g).column(c).statistics
            name = m.row_group(g).column(c).path_in_schema
            if s and s.has_min_max and (s.min == MAIL or s.max == MAIL or (name == "customer_id" and WHO in (s.min, s.max))):
                return True
    return False


SPELLINGS = [MAIL, urllib.parse.quote(MAIL, safe=""), urllib.parse.quote(urllib.parse.quote(MAIL, safe=""), safe="")]
FIELD = re.compile(r'customer_id\\*"?\s*(?:==|=|:|%%3[Dd])\s*\\*"?%d(?![0-9])' % WHO)


def log_holds(d):
    """The log as text, entries as they are and checkpoints by their rows; and the names of all files."""
    met = [(p, "name") for p in all_files(d) if any(x in p for x in SPELLINGS) or FIELD.search(p)]
    for path in (p for p in all_files(d) if "/_delta_log/" in p):
        if path.endswith(".parquet"):
            text = json.dumps(pq.read_table(path).to_pylist(), default=str)
        else:
            with open(path, errors="replace") as f:
                text = f.read()
        met += [(path, x) for x in SPELLINGS if x in text]
        met += [(path, m.group()) for m in [FIELD.search(text)] if m]
    return met


def bytes_hold(d):
    """The address in any file as it is on disk."""
    met = []
    for path in all_files(d):
        with open(path, "rb") as f:
            content = f.read()
        met += [path for x in SPELLINGS if x.encode() in content]
    return met


def filters_hold(paths):
    """Bloom filters that say `perhaps`, and how many there are."""
    con = duckdb.connect()
    hits = n = 0
    for p in paths:
        names = pq.read_schema(p).names
        for name, value in (("customer_id", WHO), ("email", MAIL)):
            filters = {r[0] for r in con.execute("SELECT row_group_id FROM parquet_metadata(?) WHERE path_in_schema = ? AND bloom_filter_offset IS NOT NULL", [p, name]).fetchall()}
            probed = con.execute("SELECT row_group_id, bloom_filter_excludes FROM parquet_bloom_probe(?, ?, ?)", [p, name, value]).fetchall() if name in names else []
            n += sum(group in filters for group, _ in probed)
            hits += sum(group in filters and not excludes for group, excludes in probed)
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


def certificate(d):
    must("dp-retain keygen key && dp-retain certify --key-file key --audit audit ev.json >cert", d)
    r = sh("dp-retain certify --check --public-key key.pub cert", d)
    with open(d + "/cert", "rb") as f:
        cert = f.read().rstrip(b"\n")
    passed = []
    places = sorted({*range(0, len(cert), max(1, len(cert) // 40)), len(cert) - 1})
    for at in places:
        with open(d + "/bad", "wb") as f:
            f.write(cert[:at] + bytes([cert[at] ^ 1]) + cert[at + 1:] + b"\n")
        code = sh("dp-retain certify --check --public-key key.pub bad", d).returncode
        passed += [(at, code)] if code != 4 else []
    ok(r.returncode == 0 and MAIL.encode() not in cert and not FIELD.search(cert.decode()), "it is certified, without a word of the person", r.stderr)
    ok(not passed, "one bit altered at any of %d places: the certificate does not hold (exit 4)" % len(places), passed)


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
    if "vectors" not in name:  # whose paths alone dp-table files does not tell
        live = {os.path.realpath(os.path.join(d, x)) for t in tables for x in must("dp-table files " + t, d).splitlines()}
        alone = [p for p in had if os.path.realpath(p) not in live and "/_change_data/" not in p]
        ok(alone and all(map(os.path.exists, live)), "and in files of history alone: %d" % len(alone), had, sorted(live)[:3])
    if has_feed:
        ok(any("/_change_data/" in p for p in had), "and in change data")
    if "--bloom" in write:
        hits, n = filters_hold(had)
        ok(0 < hits <= n, "%d of %d bloom filters of these files say perhaps" % (hits, n))
    if name == "uncompressed":
        ok(any(p in bytes_hold(d) for p in had), "and so do their bytes")
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
    if "--bloom" in write:
        hits, n = filters_hold(data_files(d))
        ok(n > 0 and hits <= max(2, n // 20), "DuckDB probes the bloom filters: %d of %d say perhaps, by chance" % (hits, n))
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
    ok(not bytes_hold(d), "no byte of any file spells the address", bytes_hold(d)[:4])
    r = sh("dp-retain find %s t clone" % FLAGS, d)
    ok(r.returncode == 0, "dp-retain find finds nothing", r.stdout, r.stderr)
    size = must("find t clone cold -type f | sort | xargs cksum | cksum", d)
    r = sh("dp-retain erase %s --verify --audit audit --reason again t clone" % FLAGS, d)
    ok(r.returncode == 0 and must("find t clone cold -type f | sort | xargs cksum | cksum", d) == size, "again: there is nothing to do", r.stderr)
    certificate(d)
    shutil.rmtree(d)


try:
    case("compressed", ["delta.enableChangeDataFeed=true", "delta.checkpointInterval=4"], "--bloom customer_id --bloom email")
    case("uncompressed", ["delta.enableChangeDataFeed=true"], "--codec none")
    case("vectors and V2 checkpoints", ["delta.enableDeletionVectors=true", "delta.checkpointPolicy=v2", "delta.checkpointInterval=3"], "--bloom customer_id")
finally:
    shutil.rmtree(work)
tap.done()
