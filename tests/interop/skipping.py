"""Rows that indexes and filters of other writers exclude: the same rows come out as from the records, whatever --where and --rows ask for."""
import datetime
import decimal
import json
import os
import random
import re
import subprocess
import tempfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

import tap

CAT = os.path.join(os.environ["DP_BIN"], "dp-cat")
ROWS = 20000
START = datetime.datetime(2026, 1, 1)


def table(rnd):
    """Ordered, clustered and loose columns, flat and nested, with nulls."""

    def maybe(value, share=0.1):
        return None if rnd.random() < share else value()

    n = ROWS
    order = sorted(rnd.randrange(100000) for _ in range(n))
    return pa.table({
        "id": pa.array(range(n), pa.int64()),
        "n": pa.array(order, pa.int32()),
        "o": pa.array([maybe(lambda i=i: i // 7, 0.2) for i in range(n)], pa.int64()),
        "name": pa.array([maybe(lambda i=i: f"k{i // 3:06d}") for i in range(n)]),
        "cat": pa.array([rnd.choice(["a", "b", "c", None]) if i < n // 2 else "z" for i in range(n)]),
        "d": pa.array([maybe(lambda i=i: i / 8 if rnd.random() < 0.99 else float("nan")) for i in range(n)], pa.float64()),
        "f": pa.array([maybe(lambda i=i: i / 10) for i in range(n)], pa.float32()),
        "dec": pa.array([maybe(lambda i=i: decimal.Decimal(i * 13) / 100) for i in range(n)], pa.decimal128(12, 2)),
        "ts": pa.array([START + datetime.timedelta(seconds=i * 37, microseconds=i) for i in range(n)], pa.timestamp("us", "UTC")),
        "day": pa.array([maybe(lambda i=i: datetime.date(2026, 1, 1) + datetime.timedelta(days=i // 100)) for i in range(n)], pa.date32()),
        "b": pa.array([maybe(lambda i=i: i > n // 2, 0.0 if i < 5000 else 0.05) for i in range(n)]),
        "l": pa.array([maybe(lambda: [maybe(lambda: rnd.randrange(1000)) for _ in range(rnd.randrange(6))]) for _ in range(n)], pa.list_(pa.int32())),
        "st": pa.array([maybe(lambda i=i: {"x": maybe(lambda: i), "y": {"z": f"v{i:05d}"}}) for i in range(n)],
                       pa.struct([("x", pa.int32()), ("y", pa.struct([("z", pa.string())]))])),
        "m": pa.array([maybe(lambda i=i: [("k", i), ("j", 2)][:rnd.randrange(3)]) for i in range(n)], pa.map_(pa.string(), pa.int64())),
    })


def write(rnd, where):
    data = table(rnd)
    names = []
    for version in ("1.0", "2.0"):
        for page in (200, 2000, 50000):
            for dictionary in (True, False):
                names.append(os.path.join(where, f"f{len(names)}.parquet"))
                pq.write_table(data, names[-1], row_group_size=rnd.choice([3000, 7777, 20000]), data_page_size=page, write_page_index=rnd.random() < 0.8,
                               data_page_version=version, use_dictionary=dictionary, compression=rnd.choice(["none", "snappy", "zstd"]),
                               write_batch_size=rnd.choice([64, 1000]))
    names.append(os.path.join(where, "duck.parquet"))
    con = duckdb.connect()
    con.register("data", data)
    con.execute(f"copy (select * exclude (m) from data) to '{names[-1]}' (format parquet, row_group_size 4096, write_bloom_filter true, dictionary_size_limit 100000)")
    return names


def atom(rnd):
    op, i = rnd.choice(["==", "!=", "<", "<=", ">", ">="]), rnd.randrange(-50, ROWS + 100)
    time = START + datetime.timedelta(seconds=i * 37, microseconds=max(i, 0))
    key, text = f"k{i // 3:06d}", f"v{i:05d}"
    return rnd.choice([
        f".id {op} {i}{rnd.choice(['', '.0', '.5'])}", f".n {op} {rnd.randrange(100000)}", f".o {op} {i // 7}", f".name {op} {json.dumps(key)}",
        '.cat == "z"', ".cat == null", '(.cat // "q") == "q"', '.cat | IN("z", "y")', f".d {op} {i / 8}", f".f {op} {i / 10}", f".dec {op} {i * 13 / 100:.2f}",
        f".ts {op} {json.dumps(time.isoformat() + 'Z' if rnd.random() < 0.5 else time.date().isoformat())}",
        f'.day {op} "2026-0{rnd.randrange(1, 8)}-1{rnd.randrange(10)}"', ".b", ".b | not", ".b == false", ".b != true", f".st.x {op} {i}",
        f".st.y.z {op} {json.dumps(text)}", f'.name // "" | startswith({json.dumps(key[:rnd.randrange(2, 8)])})',
        f'.st.y.z // "" | test({json.dumps("^" + text[:rnd.randrange(1, 6)])})', f".id | IN({i}, {i + 1}, {i + 5000})"])


def expression(rnd, depth):
    if depth == 0 or rnd.random() < 0.3:
        return f"({atom(rnd)})"
    how = rnd.random()
    if how > 0.85:
        return f"({expression(rnd, depth - 1)} | not)"
    return f"({expression(rnd, depth - 1)} {'and' if how < 0.6 else 'or'} {expression(rnd, depth - 1)})"


def run(words, source=None):
    p = subprocess.run([CAT, *words], input=source, capture_output=True, check=False)
    return p.returncode, p.stdout, p.stderr.decode()


def main():
    rnd = random.Random(20260102)
    with tempfile.TemporaryDirectory() as where:
        names = write(rnd, where)
        records = {name: run([name])[1] for name in names}
        skipped, wrong = [0, 0], []
        for _ in range(120):
            name, where_text = rnd.choice(names), expression(rnd, rnd.randrange(4))
            columns = rnd.choice([[], ["--columns", "id,l"], ["--columns", "st"], ["--columns", "l,name,cat,id"]])
            got = run(["-v", "--where", where_text, *columns, name])
            want = run(["--where", where_text, *columns], records[name])
            if got[:2] != want[:2]:
                wrong.append(f"{os.path.basename(name)} {where_text} {columns}")
            counts = re.search(r"files, (\d+) of \d+ row groups of the rest, (\d+) of", got[2])
            for i in range(2 if counts else 0):
                skipped[i] += int(counts[i + 1])
        tap.ok(not wrong, "--where: rows are the same with and without skipping", *wrong[:3])
        tap.ok(skipped[0] > 20 and skipped[1] > 200, "--where: row groups and pages were skipped", skipped)
        wrong = []
        for name in names:
            first = rnd.randrange(1, ROWS)
            last = first + rnd.randrange(500)
            lines = records[name].splitlines(keepends=True)[first - 1:last]
            if run(["--rows", f"{first}:{last}", name])[1] != b"".join(lines):
                wrong.append(f"{os.path.basename(name)} {first}:{last}")
        tap.ok(not wrong, "--rows: the same rows", *wrong)
    tap.done()


main()
