"""Sets of Parquet files whose schemas differ, made at random from a seed: dp-cat reads the rows that DuckDB (union_by_name) and
pyarrow (a dataset of the unified schema) read, by files in order, for any number of threads, and --where keeps the rows that DuckDB keeps.  TAP.
usage: evolution.py [SEED...]
"""
import datetime
import decimal
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile

import duckdb
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

BIN = os.environ["DP_BIN"]
UTC = datetime.timezone.utc
D = decimal.Decimal
single = False # are all of the set's floating columns 32 bits wide?  Then records have the shortest text of those.
con = duckdb.connect()
con.execute("SET TimeZone='UTC'")
n_tests = 0

# What a column may be in a file of the set; the peers' common type of each row holds the same values as ours.
LADDERS = {
    "i": [pa.int8(), pa.int16(), pa.int32(), pa.int64()],
    "u": [pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()],
    "f": [pa.float32(), pa.float64()],
    "x": [pa.int8(), pa.int16(), pa.int32(), pa.float64()],
    "m": [pa.decimal128(5, 2), pa.decimal128(7, 2), pa.decimal128(12, 4), pa.decimal128(20, 4)],
    "d": [pa.date32(), pa.timestamp("us")],
    "t": [pa.timestamp("ms"), pa.timestamp("us")],
    "z": [pa.timestamp("ms", "UTC"), pa.timestamp("us", "UTC")],
    "s": [pa.string(), pa.large_string()],
    "b": [pa.bool_()],
    "l": [pa.list_(pa.int8()), pa.list_(pa.int32()), pa.list_(pa.int64())],
    "n": [pa.struct([("a", pa.int8())]), pa.struct([("b", pa.string()), ("a", pa.int64())]), pa.struct([("a", pa.int16()), ("c", pa.list_(pa.int16()))])],
}


def value(rng, t):
    if rng.random() < 0.15:
        return None
    if pa.types.is_integer(t):
        bits = t.bit_width - (0 if pa.types.is_unsigned_integer(t) else 1)
        low = 0 if pa.types.is_unsigned_integer(t) else -(1 << bits)
        return rng.choice([low, (1 << bits) - 1, 0, rng.randint(low, (1 << bits) - 1), rng.randint(max(low, -9), 9)])
    if pa.types.is_floating(t):
        v = rng.choice([0.1, -2.5, 1e30, rng.random() * 1000, 3.0, 1.0])
        return pa.scalar(v, t).as_py()
    if pa.types.is_decimal(t):
        top = 10 ** t.precision - 1
        return D(rng.choice([top, -top, 0, rng.randint(-top, top), rng.randint(-500, 500)])).scaleb(-t.scale, decimal.Context(prec=50))
    if pa.types.is_date(t):
        return datetime.date(rng.choice([1, 1969, 1970, 2026, 9999]), rng.randint(1, 12), rng.randint(1, 28))
    if pa.types.is_timestamp(t):
        us = rng.randint(0, 999) * 1000 if t.unit == "ms" else rng.randint(0, 999999)
        return datetime.datetime(rng.choice([1, 1969, 1970, 2026, 9998]), rng.randint(1, 12), rng.randint(1, 28), rng.randint(0, 23), 0, 1, us, UTC if t.tz else None)
    if pa.types.is_boolean(t):
        return rng.random() < 0.5
    if pa.types.is_list(t):
        return [value(rng, t.value_type) for _ in range(rng.randint(0, 3))]
    if pa.types.is_struct(t):
        return {f.name: value(rng, f.type) for f in t}
    return rng.choice(["", "a", "\u00fc\u00f6", "x" * 30, "null"])


def make_set(rng, folder):
    files = []
    names = rng.sample(sorted(LADDERS), rng.randint(3, 8))
    for i in range(rng.randint(2, 4)):
        mine = ["k"] + [n for n in names if rng.random() < 0.75]
        rng.shuffle(mine)
        fields = [pa.field(n, pa.int32() if n == "k" else rng.choice(LADDERS[n]), nullable=n != "k") for n in mine]
        rows = rng.randint(0, 40)
        table = pa.table([pa.array([i * 1000 + r if f.name == "k" else value(rng, f.type) for r in range(rows)], f.type) for f in fields], pa.schema(fields))
        files.append(os.path.join(folder, "f%d.parquet" % i))
        pq.write_table(table, files[-1], row_group_size=rng.choice([5, 1000]), use_dictionary=rng.random() < 0.5)
    return files


def plain(v, at):
    """A peer's value as one that compares: numbers exactly, times as text without zeros at the end."""
    if v is None or isinstance(v, (bool, str)) and at not in ("d", "t", "z"):
        return v
    if isinstance(v, dict):
        return {k: plain(x, "") for k, x in v.items()}
    if isinstance(v, list):
        return [plain(x, "") for x in v]
    if isinstance(v, (int, float, D)):
        if at == "f" and single:
            return struct.unpack("f", struct.pack("f", v))[0]
        return float(v) if at in ("f", "x") else D(str(v))
    text = v.isoformat() if not isinstance(v, str) else v
    text = text.replace("+00:00", "").replace("Z", "")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text if "T" in text else text + "T00:00:00"


def union(rows):
    """Every row with every field, at each depth of a struct that some row has."""
    keys = {}
    for r in rows:
        for k, v in r.items():
            keys.setdefault(k, set()).update(v if isinstance(v, dict) else ())
    return [{k: ({f: (r.get(k) or {}).get(f) for f in sorted(fields)} if fields and r.get(k) is not None else r.get(k)) for k, fields in sorted(keys.items())} for r in rows]


def ours(args):
    out = subprocess.run([os.path.join(BIN, "dp-cat")] + args, capture_output=True, text=True)
    if out.returncode:
        return out.stderr
    rows = [json.loads(line, parse_float=D, parse_int=D) for line in out.stdout.splitlines()]
    return [{k: plain(v, k) for k, v in r.items()} for r in rows]


def ok(good, words, *details):
    global n_tests
    n_tests += 1
    print("%sok %d - %s" % ("" if good else "not ", n_tests, words))
    for d in details if not good else ():
        print("# " + str(d)[:600])


def differ(a, b):
    if isinstance(a, str) or isinstance(b, str):
        return a, b
    for x, y in zip(a, b):
        if x != y:
            return x, y
    return len(a), len(b)


def one(seed):
    rng = random.Random(seed)
    folder = tempfile.mkdtemp()
    try:
        global single
        files = make_set(rng, folder)
        single = not any(pq.read_schema(f).field("f").type == pa.float64() for f in files if "f" in pq.read_schema(f).names)
        got = ours(["-j", "1"] + files)
        source = "read_parquet(%s, union_by_name=true)" % json.dumps(files).replace('"', "'")
        names = [c[0] for c in con.execute("DESCRIBE SELECT * FROM " + source).fetchall()]
        instant = " REPLACE (CAST(z AS TIMESTAMP) AS z)" if "z" in names else "" # Python's would need a package of time zones
        rel = con.execute("SELECT *%s FROM %s ORDER BY k" % (instant, source))
        duck = union([{n: plain(v, n) for n, v in zip(names, r)} for r in rel.fetchall()])
        if not isinstance(got, str):
            got = union(got)
        ok(got == duck, "set %d: the rows of DuckDB" % seed, *differ(got, duck))
        ok(ours(["-j", "2", "-m", "16M"] + files) == ours(["-j", "1"] + files), "set %d: the same for two threads" % seed)
        flat = [pq.read_schema(f) for f in files]
        flat = [pa.schema([f for f in s if f.name not in ("n", "l")]) for s in flat]
        try:
            schema = pa.unify_schemas(flat, promote_options="permissive")
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            schema = None # dates with timestamps
        if schema:
            arrow = union([{n: plain(v, n) for n, v in r.items()} for r in pa.dataset.dataset(files, schema=schema).to_table().to_pylist()])
            mine = union(ours(["--columns", ",".join(schema.names)] + files))
            ok(arrow == mine, "set %d: the rows of pyarrow" % seed, *differ(arrow, mine))
        for expr, sql in ((".i > 3", "i > 3"), (".x >= 1", "x >= 1"), (".m < 1.25", "m < 1.25"), (".f == 1", "f = 1"), (".s == \"a\"", "s = 'a'"), (".u == null", "u IS NULL"),
                          (".t > \"1970\"", "t > TIMESTAMP '1970-01-01'"), (".d >= \"1970\"", "d >= DATE '1970-01-01'")):
            name = expr[1]
            if name not in names:
                continue
            keys = [D(r[0]) for r in con.execute("SELECT k FROM %s WHERE %s ORDER BY k" % (source, sql)).fetchall()]
            kept = ours(["--where", expr, "--columns", "k"] + files)
            ok([r["k"] for r in kept] == keys if not isinstance(kept, str) else False, "set %d: where %s" % (seed, sql), kept, keys)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


for word in sys.argv[1:] or range(1, 26):
    one(int(word))
print("1..%d" % n_tests)
