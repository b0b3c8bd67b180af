"""Real files through ingest, partition and commit; then, as TAP: the table's row count, the exact sums and the distinct
counts of its columns are those that DuckDB computes from the raw file less the rejects, and DuckDB, polars, pyarrow and
delta-rs read the same rows from it.
"""
import csv
import glob
import gzip
import bz2
import io
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
import zipfile

import duckdb
import polars
import pyarrow
import pyarrow.parquet
import deltalake

from tap import done, ok, sh

DATA = os.path.join(os.environ["DP_SHARED"], "data")
con = duckdb.connect(config={"allow_unsigned_extensions": "true"})
con.execute("SET TimeZone='UTC'")
extension = glob.glob(os.path.join(os.path.dirname(duckdb.__file__), "..", "duckdb_extension_delta", "extensions", "*", "delta.duckdb_extension"))
con.execute("LOAD '%s'" % extension[0])

def raw_files(source):
    """(path, member, bytes) of each file in a source, decompressed and in UTF-8, by Python's own libraries."""
    for path in sorted(glob.glob(source)):
        if path.endswith(".zip"):
            with zipfile.ZipFile(path) as z:
                for m in z.namelist():
                    if not m.endswith("/"):
                        yield path, m, z.read(m)
        elif path.endswith(".tar.gz"):
            with tarfile.open(path) as t:
                for m in t:
                    if m.isfile():
                        yield path, m.name, t.extractfile(m).read()
        else:
            opener = gzip.open if path.endswith(".gz") else bz2.open if path.endswith(".bz2") else open
            with opener(path, "rb") as f:
                yield path, None, f.read()


def without_rejects(content, rejects, path, member):
    """The file less its rejected records, by their offsets."""
    cut = sorted((r["offset"], r) for r in rejects if os.path.basename(r["source"]) == os.path.basename(path) and (r.get("member") or None) == member)
    for offset, r in reversed(cut):
        end = offset
        raw = r["raw_bytes"]
        if raw is not None and content[offset:offset + len(raw)] == raw:
            end = offset + len(raw)
        else:
            end = content.find(b"\n", offset)
            end = len(content) if end < 0 else end
        while end < len(content) and content[end:end + 1] in (b"\r", b"\n"):
            end += 1
            if content[end - 1:end] == b"\n":
                break
        content = content[:offset] + content[end:]
    return content


def read_rejects(path):
    out = []
    if os.path.exists(path):
        with open(path, encoding="utf-8") as f:
            for line in f:
                j = json.loads(line)
                r = j["reject"]
                r["raw_bytes"] = j["raw"].encode() if isinstance(j.get("raw"), str) else None
                out.append(r)
    return out


def physical_names(dt):
    """Display name -> physical name of the top-level columns, for tables with column mapping; else None."""
    if dt.metadata().configuration.get("delta.columnMapping.mode", "none") == "none":
        return None
    return {f.name: f.metadata["delta.columnMapping.physicalName"] for f in dt.schema().fields}


def engines(table, work):
    """The table as four engines read it, as relations of text, so that they can be compared; and why polars is not among them."""
    dt = deltalake.DeltaTable(table)
    physical = physical_names(dt)
    no_polars = None
    arrow = {"duckdb": con.execute("SELECT * FROM delta_scan('%s')" % table).to_arrow_table()}
    if physical is None:
        arrow["delta-rs"] = dt.to_pyarrow_table()
        arrow["polars"] = polars.read_delta(table).to_arrow()
    else:  # delta-rs maps nested fields in its query engine alone
        arrow["delta-rs"] = pyarrow.table(deltalake.QueryBuilder().register("t", dt).execute("SELECT * FROM t").read_all())
        try:
            arrow["polars"] = polars.read_delta(table).to_arrow()
        except Exception as e:
            no_polars = str(e)
    parts = dt.metadata().partition_columns
    files = [pyarrow.parquet.ParquetFile(u.replace("file://", "")).read() for u in dt.file_uris()]
    bare = [c for c in arrow["delta-rs"].column_names if c not in parts]
    arrow["pyarrow"] = pyarrow.concat_tables(files) if files else arrow["delta-rs"].select(bare)
    if physical is not None and files:  # what pyarrow sees has physical names, each of which must be there
        arrow["pyarrow"] = arrow["pyarrow"].select([physical[c] for c in bare]).rename_columns(bare)
    return arrow, parts, no_polars


def fingerprint(relation, columns):
    cols = ", ".join('"%s"::VARCHAR' % c.replace('"', '""') for c in columns)
    return con.execute("SELECT count(*), sum(hash(row(%s))::HUGEINT) FROM relation" % cols).fetchone()


def column_facts(relation_sql, expression):
    return con.execute("SELECT count(x), count(DISTINCT x) FROM (SELECT %s AS x FROM %s)" % (expression, relation_sql)).fetchone()


NUMERIC = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "DOUBLE", "FLOAT")


def cast_raw(kind, column):
    """How a raw CSV cell reads as the table's type."""
    c = '"%s"' % column.replace('"', '""')
    if kind.startswith("DECIMAL") or kind in NUMERIC or kind == "BOOLEAN" or kind == "DATE":
        return "TRY_CAST(%s AS %s)" % (c, kind)
    if kind.startswith("TIMESTAMP"):
        return "TRY_CAST(%s AS TIMESTAMP)" % c
    return c


def compare_columns(name, table_rel, raw_rel, raw_names, partitions):
    described = con.execute("DESCRIBE SELECT * FROM table_rel").fetchall()
    columns = [(c[0], c[1]) for c in described if c[0] not in partitions]
    if len(columns) != len(raw_names):
        return ok(False, "%s: the table has the file's columns" % name, [c[0] for c in columns], raw_names)
    bad = []
    for (col, kind), raw in zip(columns, raw_names):
        c = '"%s"' % col.replace('"', '""')
        mine_expr = c if not kind.startswith("TIMESTAMP") else c + "::TIMESTAMP"
        theirs_expr = cast_raw(kind, raw)
        mine, theirs = column_facts("table_rel", mine_expr), column_facts("raw_rel", theirs_expr)
        if kind.startswith("DECIMAL") or kind in NUMERIC:
            total = "SELECT sum(TRY_CAST(x AS DECIMAL(38,10))) FROM (SELECT %s AS x FROM %s) WHERE abs(x::DOUBLE) < 1e20"  # what the sum's type holds
            mine += con.execute(total % (mine_expr, "table_rel")).fetchone()
            theirs += con.execute(total % (theirs_expr, "raw_rel")).fetchone()
        if mine != theirs:
            bad.append("%s (%s): table %s, raw file %s" % (col, kind, mine, theirs))
    return ok(not bad, "%s: counts, distinct counts and sums of %d columns" % (name, len(columns)), *bad)


def load(name, source, ingest="", partition="", max_rejects="100%"):
    """Runs the pipeline; returns the table and the rejects, or None."""
    work = tempfile.mkdtemp(dir=TMP)
    r = sh("dp-ingest %s --rejects /dev/null --max-rejects 100%% %s | dp-contract infer - > c.yaml && "
           "dp-table create t -c c.yaml %s" % (ingest, source, partition), work)
    if not ok(r.returncode == 0, "%s: a contract is inferred and a table created" % name, r.stderr):
        return None
    r = sh("dp-run --name data -- 'dp-ingest %s --rejects rejects.ndjson --max-rejects %s %s | dp-partition -c c.yaml %s --rejects rejects2.ndjson "
           "--max-rejects %s -o t | dp-table commit t'" % (ingest, max_rejects, source, partition, max_rejects), work)
    if not ok(r.returncode == 0, "%s: ingest, partition, commit" % name, r.stderr):
        return None
    rejects = read_rejects(work + "/rejects.ndjson") + read_rejects(work + "/rejects2.ndjson")
    ok(all(x["rules"] and all(q.get("reason") for q in x["rules"]) for x in rejects), "%s: each of %d rejects has its reason" % (name, len(rejects)))
    return work + "/t", rejects, work


def same_in_all_engines(name, table, work):
    arrow, parts, no_polars = engines(table, work)
    whole = {e: fingerprint(t, arrow["delta-rs"].column_names) for e, t in arrow.items() if e != "pyarrow"}
    bare = [c for c in arrow["delta-rs"].column_names if c not in parts]
    ok(len(set(whole.values())) == 1 and fingerprint(arrow["pyarrow"], bare) == fingerprint(arrow["delta-rs"], bare),
       "%s: DuckDB%s, pyarrow and delta-rs read the same %d rows" % (name, "" if no_polars else ", polars", arrow["delta-rs"].num_rows), whole)
    if no_polars:                                # the one reader that has no column mapping says so; it must not read wrong names
        ok("column" in no_polars.lower() and "mapping" in no_polars.lower(), "%s: polars refuses the mapped table by name" % name, no_polars)
    return arrow["duckdb"], parts


def csv_case(name, source, ingest="", partition="", duck="", encoding="utf-8", exit4=False):
    source = os.path.join(DATA, source)
    if exit4:
        r = sh("dp-ingest %s" % source, TMP)
        return ok(r.returncode == 4 and re.search(r":\d+: ", r.stderr), "%s: refused with exit 4 and the line" % name, r.returncode, r.stderr)
    loaded = load(name, "'%s'" % source if "*" not in source else source, ingest, partition)
    if not loaded:
        return None
    table, rejects, work = loaded
    os.mkdir(work + "/raw")
    for i, (path, member, content) in enumerate(raw_files(source)):
        if encoding != "utf-8":
            content = content.decode(encoding).encode()
        content = without_rejects(content, rejects, path, member)
        with open(work + "/raw/%04d.csv" % i, "wb") as f:
            f.write(content)
    options = "all_varchar=true, header=true, quote='\"', escape='\"', nullstr='', allow_quoted_nulls=false, null_padding=false, auto_detect=false, " \
              "max_line_size=20000000, normalize_names=false, delim=','"
    for key, value in (kv.split("=", 1) for kv in duck.split(";") if kv):
        options = re.sub(r"\b%s=('[^']*'|[^,]*)" % key, lambda m: "%s=%s" % (key, value), options) if key + "=" in options else options + ", %s=%s" % (key, value)
    with open(work + "/raw/0000.csv", encoding="utf-8-sig", newline="") as f:
        header_rows = csv.reader(f, delimiter=re.search(r"delim='(\\t|.)'", options).group(1).replace("\\t", "\t"))
        for _ in range(int((re.search(r"skip=(\d+)", options) or [0, 0])[1])):
            f.readline()
        width = len(next(header_rows))
    names = ["c%d" % i for i in range(width)]
    options += ", columns={%s}" % ",".join("'%s':'VARCHAR'" % n for n in names)
    try:
        con.execute("CREATE OR REPLACE TEMP TABLE raw_rel AS SELECT * FROM read_csv('%s/raw/*.csv', %s)" % (work, options))
    except duckdb.Error as e:
        return ok(False, "%s: DuckDB reads the raw file less the rejects" % name, e, rejects[:3])
    duck_table, _ = same_in_all_engines(name, table, work)
    con.register("table_view", duck_table)
    con.execute("CREATE OR REPLACE TEMP TABLE table_rel AS SELECT * FROM table_view")
    rows, raw = (con.execute("SELECT count(*) FROM " + t).fetchone()[0] for t in ("table_rel", "raw_rel"))
    ok(rows == raw, "%s: %d rows, %d rejects" % (name, rows, len(rejects)), "DuckDB reads %d rows" % raw, rejects[:3])
    derived = re.findall(r'--by\s+"?(\w+)=', partition)  # columns that the file does not have
    compare_columns(name, "table_rel", "raw_rel", names, derived)
    return None


def json_case(name, source, ingest="", partition=""):
    source = os.path.join(DATA, source)
    loaded = load(name, source, ingest, partition)
    if not loaded:
        return
    table, rejects, work = loaded
    duck_table, parts = same_in_all_engines(name, table, work)
    con.register("table_view", duck_table)
    con.execute("CREATE OR REPLACE TEMP TABLE table_rel AS SELECT * FROM table_view")
    raw = work + "/raw.ndjson"
    with open(raw, "wb") as f:
        for path, member, content in raw_files(source):
            f.write(without_rejects(content, rejects, path, member))
    con.execute("CREATE OR REPLACE TEMP TABLE raw_rel AS SELECT json FROM read_ndjson_objects('%s', maximum_object_size=100000000)" % raw)
    rows, lines = (con.execute("SELECT count(*) FROM " + t).fetchone()[0] for t in ("table_rel", "raw_rel"))
    ok(rows == lines, "%s: %d rows, %d rejects" % (name, rows, len(rejects)), "DuckDB reads %d" % lines)
    bad, n = [], 0
    leaves = []

    def walk(prefix, path, kind):
        if kind.startswith("STRUCT(") and not kind.endswith("[]"):
            sub = con.execute("DESCRIBE SELECT unnest(%s) FROM table_rel LIMIT 0" % prefix).fetchall()
            for c, k, *_ in sub:
                walk('%s."%s"' % (prefix, c.replace('"', '""')), path + [c], k)
        elif not kind.endswith("[]") and not kind.startswith("MAP"):
            leaves.append((prefix, path, kind))
    for c, k, *_ in con.execute("DESCRIBE SELECT * FROM table_rel").fetchall():
        if c not in parts:
            walk('"%s"' % c.replace('"', '""'), [c], k)
    for expr, path, kind in leaves:
        pointer = "/" + "/".join(p.replace("~", "~0").replace("/", "~1") for p in path)
        text = "json_extract_string(json, '%s')" % pointer.replace("'", "''")
        theirs_expr = text if kind == "VARCHAR" else "TRY_CAST(%s AS %s)" % (text, "TIMESTAMP" if kind.startswith("TIMESTAMP") else kind)
        mine_expr = expr if not kind.startswith("TIMESTAMP") else expr + "::TIMESTAMP"
        mine, theirs = column_facts("table_rel", mine_expr), column_facts("raw_rel", theirs_expr)
        if kind.startswith("DECIMAL") or kind in NUMERIC:
            total = "SELECT sum(TRY_CAST(x AS DECIMAL(38,10))) FROM (SELECT %s AS x FROM %s)"
            mine += con.execute(total % (mine_expr, "table_rel")).fetchone()
            theirs += con.execute(total % (theirs_expr, "raw_rel")).fetchone()
        n += 1
        if mine != theirs and not (kind == "VARCHAR" and mine[0] == theirs[0]):
            bad.append("%s (%s): table %s, raw file %s" % (".".join(path), kind, mine, theirs))
    ok(not bad, "%s: counts, distinct counts and sums of %d leaves" % (name, n), *bad)


def parquet_case(name, source):
    source = os.path.join(DATA, source)
    loaded = load(name, source)
    if not loaded:
        return
    table, rejects, work = loaded
    duck_table, parts = same_in_all_engines(name, table, work)
    con.register("table_view", duck_table)
    con.execute("CREATE OR REPLACE TEMP TABLE table_rel AS SELECT * FROM table_view")
    con.execute("CREATE OR REPLACE TEMP TABLE raw_rel AS SELECT * FROM read_parquet('%s')" % source)
    rows, raw = (con.execute("SELECT count(*) FROM " + t).fetchone()[0] for t in ("table_rel", "raw_rel"))
    ok(rows == raw and not rejects, "%s: %d rows" % (name, rows), "DuckDB reads %d" % raw)
    bad = []
    for col, kind, *_ in con.execute("DESCRIBE SELECT * FROM raw_rel").fetchall():
        c = '"%s"' % col.replace('"', '""')
        mine, theirs = column_facts("table_rel", c), column_facts("raw_rel", c)
        if kind.startswith("DECIMAL") or kind in NUMERIC:
            total = "SELECT sum(TRY_CAST(%s AS DECIMAL(38,10))) FROM %s"
            mine += con.execute(total % (c, "table_rel")).fetchone()
            theirs += con.execute(total % (c, "raw_rel")).fetchone()
        if mine != theirs:
            bad.append("%s (%s): table %s, raw file %s" % (col, kind, mine, theirs))
    ok(not bad, "%s: counts, distinct counts and sums" % name, *bad)


def same_statistics(a, b):
    return a is b if a is None or b is None else a.equals(b)


def copied_case():
    """A file by pyarrow with dictionaries, page index and bloom filters, masked: what passes is copied, and the engines read it with its indexes."""
    work = tempfile.mkdtemp(dir=TMP)
    n = 50000
    rows = pyarrow.table({
        "id": pyarrow.array(range(n), pyarrow.int64()), "email": ["clear%d@example.org" % (i * 7919 % 30011) for i in range(n)],
        "city": ["town %d" % (i % 97) for i in range(n)], "score": [None if i % 11 == 0 else i * 0.5 for i in range(n)],
        "at": pyarrow.array([1760000000000000 + i * 1000000 for i in range(n)], pyarrow.timestamp("us", "UTC")),
        "tags": [["a%d" % (i % 5), None] if i % 3 else [] for i in range(n)], "place": [{"lat": i / 7, "lon": i} for i in range(n)]})
    more = {}
    if "bloom_filter_options" in pyarrow.parquet.write_table.__doc__:
        more["bloom_filter_options"] = {"id": True, "city": True, "email": True}
    for version in ("1.0", "2.0"):
        source = os.path.join(work, "source%s.parquet" % version)
        pyarrow.parquet.write_table(rows.replace_schema_metadata({"pandas": "clear12@example.org"}), source, row_group_size=20000, compression="snappy", data_page_version=version,
                                    write_page_index=True, write_page_checksum=True, data_page_size=20000, sorting_columns=[pyarrow.parquet.SortingColumn(0)], **more)
        with open(os.path.join(work, "c.yaml"), "w", encoding="utf-8") as f:
            f.write("apiVersion: v3.1.0\nkind: DataContract\nid: t\nversion: 1.0.0\nstatus: active\nschema:\n  - name: t\n    logicalType: object\n    properties:\n"
                    "      - {name: id, logicalType: integer}\n      - {name: email, logicalType: string, classification: confidential}\n      - {name: city, logicalType: string}\n"
                    "      - {name: score, logicalType: number}\n      - {name: at, logicalType: timestamp}\n      - {name: tags, logicalType: array, items: {logicalType: string}}\n"
                    "      - {name: place, logicalType: object, properties: [{name: lat, logicalType: number}, {name: lon, logicalType: 'integer'}]}\n")
        out = os.path.join(work, "out" + version)
        r = sh("DP_MASK_KEY=k:00112233445566778899aabbccddeeff dp-mask -c c.yaml -o %s %s" % (out, source), work)
        name = "copied chunks of pages version " + version
        if not ok(r.returncode == 0, name + ": masked", r.stderr):
            continue
        path = r.stdout.strip()
        got = pyarrow.parquet.read_table(path, page_checksum_verification=True)
        ok(got.drop_columns(["email"]).equals(rows.drop_columns(["email"]).cast(got.drop_columns(["email"]).schema)), name + ": pyarrow reads the same", got.schema)
        ok(len(set(got.column("email").to_pylist())) == 30011 and got.column("email")[0].as_py().startswith("v1:k:"), name + ": tokens, one for each value")
        meta, was = pyarrow.parquet.ParquetFile(path).metadata, pyarrow.parquet.ParquetFile(source).metadata
        bad = []
        for g in range(was.num_row_groups):
            for i in range(was.num_columns):
                a, b = meta.row_group(g).column(i), was.row_group(g).column(i)
                if a.path_in_schema == "email":
                    if "clear" in str(a.statistics):
                        bad.append("a clear bound: %s" % a.statistics)
                elif (a.compression, a.has_column_index, a.has_offset_index) != (b.compression, b.has_column_index, b.has_offset_index) or not same_statistics(a.statistics, b.statistics):
                    bad.append("row group %d, %s: %s, was %s" % (g, a.path_in_schema, a, b))
            if [c.column_index for c in meta.row_group(g).sorting_columns] != [0]:
                bad.append("row group %d: sorting columns" % g)
        ok(not bad, name + ": codec, statistics, page index and sorting are the source's", *bad)
        with open(path, "rb") as f:
            ok(b"clear" not in f.read(), name + ": no clear value in the bytes, the key-value metadata neither")
        sql = "SELECT count(*), sum(id), min(city) FROM read_parquet('%s') WHERE id BETWEEN 23456 AND 24567 OR city = 'town 5'"
        ok(con.execute(sql % path).fetchall() == con.execute(sql % source).fetchall(), name + ": DuckDB finds the same by bounds and filters")
        ok(con.execute("SELECT * EXCLUDE (email) FROM '%s' EXCEPT SELECT * EXCLUDE (email) FROM '%s'" % (path, source)).fetchall() == [],
           name + ": DuckDB reads the same")
        ok(polars.read_parquet(path).drop("email").equals(polars.read_parquet(source).drop("email")), name + ": polars reads the same")


def main():
    copied_case()
    csv_case("quickstart/orders", "quickstart/orders/*.csv", partition='--by "day=day(InvoiceDate)"')
    json_case("quickstart/events.ndjson", "quickstart/events.ndjson", partition='--by "day=day(event_time)"')
    csv_case("quickstart/products.tsv", "quickstart/products.tsv", duck=r"delim='\t'")
    csv_case("quickstart/countries.csv", "quickstart/countries.csv")
    csv_case("retail zip", "retail/retail-2010-12.zip", partition='--by "day=day(InvoiceDate)"')
    csv_case("retail tar.gz", "retail/retail-2011-11.tar.gz", partition="--by Country")
    json_case("github hour", "github/gh-2015-01-01-15.ndjson.gz", partition="--by type")
    json_case("github first 1000", "github/gh-first-1000.ndjson")
    csv_case("sensors", "sensors/ncedc-earthquakes-2016.tar.gz")
    for i in (1, 2, 3):
        csv_case("pii/userdata%d" % i, "pii/userdata%d.csv" % i)
    csv_case("pii fake names 3000", "pii/fake-name-generator-3000.csv.gz")
    csv_case("pii fake names 100", "pii/fake-name-generator-100.csv")
    for f in sorted(glob.glob(DATA + "/parquet/*/*.parquet")):
        parquet_case(os.path.basename(f), os.path.relpath(f, DATA))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "csv.json"), encoding="utf-8") as f:
        for case in json.load(f):
            csv_case(**case)


if not os.path.isdir(DATA):
    print("ok 1 - real files # SKIP %s is not there\n1..1" % DATA)
    sys.exit(0)
TMP = tempfile.mkdtemp()
try:
    main()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
done()
