"""The matrix of Parquet files (../matrix.c) read by Spark: one file of each shape row by row, the others by the sum of the rows' hashes;
filters, which use the page index and the bloom filters; and what Spark has no type or decoder for is refused by it, not read wrong.
"""
import datetime
import glob

import matrix_rows
from tap import ok

EPOCH = datetime.datetime(1970, 1, 1)
TYPES = {
    "id": "int", "i8": "tinyint", "i16": "smallint", "i32": "int", "i64": "bigint", "u8": "smallint", "u16": "int", "u32": "bigint", "u64": "decimal(20,0)",
    "f32": "float", "f64": "double", "yes": "boolean", "d9": "decimal(9,2)", "d18": "decimal(18,4)", "d38": "decimal(38,10)", "str": "string", "json": "string",
    "word": "string", "bin": "binary", "fix": "binary", "uuid": "binary", "day": "date", "ts_ms": "timestamp", "ts_us": "timestamp", "tl_ms": "timestamp_ntz",
    "tl_us": "timestamp_ntz",
}
# Spark 4.2 has no such types, or not from Parquet.
REFUSED = {"f16": "float", "t_us": "time(6)", "t_ms": "time(3)", "t_ns": "time(6)", "ts_ns": "timestamp", "tl_ns": "timestamp_ntz", "iv": "interval day to second"}
FLOATS = ("f32", "f64")
DEEP = "id int, lists array<array<bigint>>, rows array<struct<str:string,in:struct<f64:double,u8:array<smallint>>,m:map<string,date>>>, pairs map<int,array<string>>"
FORM = {"required": "%s", "nulls": "%s", "lists": "array<%s>", "maps": "map<string,%s>"}


def schema_of(shape, without=()):
    if shape == "deep":
        return DEEP
    columns = []
    for name, kind in TYPES.items():
        if name in without:
            continue
        whole = kind if name == "id" else "struct<%s:%s,in:struct<%s:%s>>" % (name, kind, name, kind) if shape == "structs" else FORM[shape] % kind
        columns.append("`%s` %s" % (name, whole))
    return ", ".join(columns)


def plain(v):
    """Spark's Python values as matrix_rows.from_peer takes them."""
    if isinstance(v, datetime.datetime):
        return (v - EPOCH) // datetime.timedelta(microseconds=1) * 1000
    if isinstance(v, datetime.date):
        return (v - EPOCH.date()).days
    if isinstance(v, list):
        return [plain(x) for x in v]
    if isinstance(v, dict):
        return {k: plain(x) for k, x in v.items()}
    return {k: plain(v[k]) for k in v.__fields__} if hasattr(v, "__fields__") else v


def unordered(shape, name, v):
    """Spark's maps have no order: pairs are sorted."""
    if isinstance(v, dict):
        return {k: unordered(shape, k, x) for k, x in v.items()}
    if isinstance(v, list) and ((shape == "maps" and name != "id") or name in ("m", "pairs")):
        return sorted(v, key=lambda pair: pair[0])
    return [unordered(shape, name, x) for x in v] if isinstance(v, list) else v


def rows_are_ours(spark, folder, shape, ours):
    path = "%s/%s-auto-zstd-v1.parquet" % (folder, shape)
    rows = spark.read.schema(schema_of(shape)).parquet(path).collect()
    rows.sort(key=lambda r: r["id"])
    bad = []
    for name in rows[0].__fields__:
        got = [matrix_rows.walk(matrix_rows.from_peer, shape, name, plain(r[name])) for r in rows]
        for i, (a, b) in enumerate(zip(got, ours[name])):
            if unordered(shape, name, a) != unordered(shape, name, b):
                bad.append("%s row %d: %.150r, not %.150r" % (name, i, a, b))
                break
    ok(len(rows) == len(ours["id"]) and not bad, "reads %s row by row" % shape, len(rows), *bad)


def sums(spark, paths, schema):
    df = spark.read.schema(schema).parquet(*paths)
    return {r["f"]: (r["count(1)"], r["sum(h)"]) for r in df.selectExpr("_metadata.file_name as f", "cast(xxhash64(to_json(struct(*))) as decimal(38,0)) as h").groupBy("f").agg({"*": "count", "h": "sum"}).collect()}


def files_are_equal(spark, folder, shape):
    """All files of a shape have the same rows as the one that was looked at.  Floats in streams of bytes can't be read, the rest of such files can."""
    names = ["auto", "plain", "dictionary", "delta", "split"]
    paths = [p for way in names for p in sorted(glob.glob("%s/%s-%s-*.parquet" % (folder, shape, way)))]
    paths = [p for p in paths if "-brotli-" not in p]  # Spark comes without that codec
    whole = [p for p in paths if "-split-" not in p]
    found = sums(spark, whole, schema_of(shape))
    if shape != "deep":
        found_split = sums(spark, [p for p in paths if "-split-" in p] + whole[:1], schema_of(shape, FLOATS))
        ok(len(found_split) == 11 and len(set(found_split.values())) == 1, "reads %s with other columns split, in 10 files" % shape, found_split)
    ok(len(found) == len(whole) == 40 and len(set(found.values())) == 1, "reads the same rows of %s in %d files" % (shape, len(whole)), *sorted(set(map(str, found.values()))))


def filters(spark, folder, ours):
    tests = [("str = 'alpha'", "str", lambda v: v == "alpha"), ("i64 = 650", "i64", lambda v: v == 650), ("u32 = 4294967295", "u32", lambda v: v == 2 ** 32 - 1),
             ("d38 < 0", "d38", lambda v: v < 0), ("day >= date'1999-01-01'", "day", lambda v: v >= matrix_rows.days("1999-01-01")), ("i8 < -127", "i8", lambda v: v < -127),
             ("str > 'https://example.com/a/path/that/is/longer/than/what/bounds/keep/of/it/000700'", "str",
              lambda v: v > "https://example.com/a/path/that/is/longer/than/what/bounds/keep/of/it/000700"), ("yes = false", "yes", lambda v: not v),
             ("f64 = 0", "f64", lambda v: v in ("0x0.0p+0", "-0x0.0p+0")), ("d9 = 9999999.99", "d9", lambda v: str(v) == "9999999.99")]
    for file in ("auto-zstd-v1", "delta-none-v2"):
        df = spark.read.schema(schema_of("nulls")).parquet("%s/nulls-%s.parquet" % (folder, file))
        bad = []
        for text, name, want in tests:
            n, expected = df.where(text).count(), sum(v is not None and want(v) for v in ours[name])
            if n != expected:
                bad.append("%s: %d rows, not %d" % (text, n, expected))
        ok(not bad, "filters on %s find their rows" % file, *bad)


def refusals(spark, folder):
    def refused(name, kind, path):
        try:
            return "%s: read as %s" % (name, spark.read.schema("`%s` %s" % (name, kind)).parquet(path).collect()[:3])
        except Exception as e:
            return None if any(w in str(e) for w in ("UNSUPPORTED_TIME_TYPE", "MISMATCH", "FAILED_READ_FILE", "Illegal Parquet type", "BrotliCodec")) else str(e)
    bad = [refused(name, kind, "%s/%s-auto-zstd-v1.parquet" % (folder, "intervals" if name == "iv" else "nulls")) for name, kind in REFUSED.items()]
    ok(not any(bad), "refuses %s" % ", ".join(REFUSED), *filter(None, bad))
    bad = [refused(name, TYPES[name], "%s/nulls-split-zstd-v1.parquet" % folder) for name in FLOATS]
    bad += [refused(name, TYPES[name], "%s/nulls-split_int-zstd-v1.parquet" % folder) for name in ("i32", "i64", "d18")]
    ok(not any(bad), "refuses BYTE_STREAM_SPLIT", *filter(None, bad))
    bad = refused("i32", "int", "%s/nulls-auto-brotli-v1.parquet" % folder)
    ok(not bad, "refuses brotli", bad)


def run(spark, folder):
    for shape in matrix_rows.SHAPES:
        if shape == "intervals":
            continue
        ours = matrix_rows.read_ours(folder, shape)
        try:
            rows_are_ours(spark, folder, shape, ours)
            files_are_equal(spark, folder, shape)
        except Exception as e:
            ok(False, "reads %s" % shape, e)
        if shape == "nulls":
            filters(spark, folder, ours)
    refusals(spark, folder)
