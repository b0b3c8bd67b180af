"""Other engines read the matrix of files that matrix.c wrote, and find the rows that went in; then each footer, page header and index is
read by the code of footer.py and compared with the rows.  TAP.

usage: parquet_matrix.py FOLDER

What the engines can't do is named in COARSE and REFUSED and held to: the day that one of them can, its test fails and the line goes.
"""
import collections
import glob
import os
import sys

os.environ["RUST_BACKTRACE"] = "0"
import duckdb
import polars
import pyarrow
import pyarrow.compute
import pyarrow.parquet

import matrix_meta
import matrix_rows
from matrix_rows import RARE, SHAPES, WAYS
from tap import done, ok

FOLDER = sys.argv[1]
con = duckdb.connect()
con.execute("SET TimeZone='UTC'")

# Finer than the engine's own type: compared in its units (nanoseconds).
COARSE = {("duckdb", "t_ns"): 1000, ("duckdb", "ts_ns"): 1000}
# What engines refuse, by a word of their message.
REFUSED = {
    ("polars", "intervals"): "interval",
    ("duckdb", "split_int"): "BYTE_STREAM_SPLIT encoding is only supported for FLOAT or DOUBLE",
    ("duckdb", "split_fixed"): "BYTE_STREAM_SPLIT encoding is only supported for FLOAT or DOUBLE",
    ("polars", "split_fixed"): "\"ByteStreamSplit\"-encoded",
    ("polars", "delta_fixed"): "\"DeltaByteArray\"-encoded",
}


# ---- Arrow to plain values ----

def units(t):
    if pyarrow.types.is_timestamp(t) or pyarrow.types.is_time(t):
        return {"s": 10 ** 9, "ms": 10 ** 6, "us": 10 ** 3, "ns": 1}[t.unit]
    return None


def plain(a):
    """An Arrow array as Python values: dates as days, times as nanoseconds, maps as lists of pairs."""
    t = a.type
    if isinstance(t, pyarrow.BaseExtensionType):
        return plain(a.storage)
    if pyarrow.types.is_dictionary(t):
        return plain(a.dictionary_decode())
    if pyarrow.types.is_map(t):
        pairs = list(zip(plain(a.keys), plain(a.items)))
        ends, start = a.offsets.to_pylist(), a.offsets[0].as_py() if len(a) else 0
        return [pairs[ends[i] - start:ends[i + 1] - start] if ok_ else None for i, ok_ in enumerate(a.is_valid().to_pylist())]
    if pyarrow.types.is_list(t) or pyarrow.types.is_large_list(t):
        flat, out, at = plain(a.flatten()), [], 0
        for n in pyarrow.compute.list_value_length(a).to_pylist():
            out.append(None if n is None else flat[at:at + n])
            at += n or 0
        return out
    if pyarrow.types.is_struct(t):
        names = [t.field(i).name for i in range(t.num_fields)]
        fields = [plain(f) for f in a.flatten()]
        return [dict(zip(names, row)) if valid else None for valid, *row in zip(a.is_valid().to_pylist(), *fields)]
    factor = units(t)
    if factor:
        wide = a.view(pyarrow.int32()).cast(pyarrow.int64()) if pyarrow.types.is_time32(t) else a.view(pyarrow.int64())
        return [None if v is None else v * factor for v in wide.to_pylist()]
    if pyarrow.types.is_date32(t):
        return a.view(pyarrow.int32()).to_pylist()
    return a.to_pylist()


def column(table, name):
    c = table.column(name)
    return c.combine_chunks() if c.num_chunks != 1 else c.chunk(0)


# ---- the engines ----

def by_duckdb(path):
    return con.execute("FROM read_parquet('%s')" % path).to_arrow_table()


def by_polars(path):
    return polars.read_parquet(path).to_arrow()


PEERS = {"duckdb": by_duckdb, "pyarrow": pyarrow.parquet.read_table, "polars": by_polars}


def coarse(peer, name, v):
    step = COARSE.get((peer, name))
    if not step or v is None:
        return v
    if isinstance(v, list):
        return [coarse(peer, name, x) for x in v]
    if isinstance(v, dict):
        return {k: coarse(peer, name, x) for k, x in v.items()}
    return (abs(v) // step) * (1 if v > 0 else -1) if isinstance(v, int) else v  # DuckDB cuts towards zero


def same(a, b):
    """Equal, NaN included."""
    if a.type != b.type or len(a) != len(b):
        return False
    if a.equals(b):
        return True
    t = a.type
    if pyarrow.types.is_floating(t):
        bits = {2: pyarrow.int16(), 4: pyarrow.int32(), 8: pyarrow.int64()}[t.bit_width // 8]
        return a.is_valid().equals(b.is_valid()) and a.drop_null().view(bits).equals(b.drop_null().view(bits))
    if not a.is_valid().equals(b.is_valid()):
        return False
    if pyarrow.types.is_map(t):
        return a.offsets.equals(b.offsets) and same(a.keys, b.keys) and same(a.items, b.items)
    if pyarrow.types.is_list(t) or pyarrow.types.is_large_list(t):
        return pyarrow.compute.list_value_length(a).equals(pyarrow.compute.list_value_length(b)) and same(a.flatten(), b.flatten())
    return pyarrow.types.is_struct(t) and all(same(x, y) for x, y in zip(a.flatten(), b.flatten()))


def compare(peer, shape, table, ours, seen):
    """Names of columns that differ, each with its first row.  `seen`: columns of files that were equal, with which others can be compared fast."""
    bad = []
    if table.num_rows != len(ours["id"]) or table.column_names != list(ours):
        return ["%d rows, columns %s" % (table.num_rows, table.column_names)]
    for name, want in ours.items():
        c = column(table, name)
        before = seen.get(name)
        if before is not None and same(before, c):
            continue
        got = [matrix_rows.walk(matrix_rows.from_peer, shape, name, v) for v in plain(c)]
        got, want = coarse(peer, name, got), coarse(peer, name, want)
        if got == want:
            seen.setdefault(name, c)
        else:
            i = next(i for i in range(len(want)) if got[i] != want[i])
            bad.append("%s row %d: %.150r, not %.150r" % (name, i, got[i], want[i]))
    return bad


def read_by(peer, shape, ours):
    seen = {}
    rare = RARE if shape in ("required", "nulls") else []
    for way in WAYS + rare:
        bad, n = [], 0
        refusal = REFUSED.get((peer, shape)) or REFUSED.get((peer, way))
        paths = sorted(glob.glob("%s/%s-%s-*.parquet" % (FOLDER, shape, way)))
        for path in paths[:1] if refusal else paths:
            n += 1
            try:
                bad += [os.path.basename(path) + ": " + b for b in compare(peer, shape, PEERS[peer](path), ours, seen)]
            except (Exception, polars.exceptions.PanicException) as e:
                bad.append("%s: %s" % (os.path.basename(path), str(e)[:300]))
        if refusal:
            ok(len(bad) == n and all(refusal in b for b in bad), "%s refuses %s, %s by name" % (peer, shape, way), *bad)
        else:
            ok(n == (4 if way in RARE else 12) and not bad, "%s reads %s, %s, in %d files" % (peer, shape, way, n), *bad)


def probe_filters(ours):
    """DuckDB asks the bloom filters: each value that is there is found, and of a thousand that are not nearly none."""
    path = "%s/required-delta-zstd-v1.parquet" % FOLDER
    for name, absent in (("str", "'none %d'"), ("i64", "%d * 7919 + 4611686018427387904"), ("u32", "1000000 + %d * 77")):
        there = con.execute("SELECT DISTINCT \"%s\" FROM '%s'" % (name, path)).fetchall()
        missed = sum(all(r[-1] for r in con.execute("FROM parquet_bloom_probe('%s', '%s', ?)" % (path, name), v).fetchall()) for v in there[:200])
        hits = sum(not r[-1] for i in range(200) for r in con.execute("FROM parquet_bloom_probe('%s', '%s', %s)" % (path, name, absent % i)).fetchall())
        ok(missed == 0 and hits < 30, "bloom filter of %s: every value, %d false hits of 600" % (name, hits), missed)


def main():
    for shape in SHAPES:
        ours = matrix_rows.read_ours(FOLDER, shape)
        for peer in PEERS:
            read_by(peer, shape, ours)
        for way in WAYS + (RARE if shape in ("required", "nulls") else []):
            faults = collections.Counter()
            for suffix in ("none-v2", "zstd-v1"):
                matrix_meta.check("%s/%s-%s-%s.parquet" % (FOLDER, shape, way, suffix), shape, way, ours, faults)
            ok(not faults, "metadata of %s, %s agrees with the rows" % (shape, way), *["%s (%d times)" % f for f in faults.most_common(12)])
    probe_filters(matrix_rows.read_ours(FOLDER, "required"))


main()
done()
