"""The four tables of the Parquet bench, written once by pyarrow: wide, long, stringy, nested.  The same bytes whenever it runs.

usage: tables.py DIR      makes DIR/wide.parquet and so on where they are missing (zstd level 3, row groups of 122,880 rows)
"""
import os
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

ROW_GROUP = 122_880
ROWS = {"wide": 500_000, "long": 5_000_000, "stringy": 500_000, "nested": 400_000}
SYLLABLES = "ba co du fe gi ha ka lo mi ne po qua re so ta ul va wen xi zor ter lin mar den".split()


def with_nulls(rng, values, part):
    if not part:
        return values
    return pc.if_else(pa.array(rng.random(len(values)) >= part), values, pa.scalar(None, values.type))


def pick(rng, words, n, skew=0.0):
    """n of the words; with a skew the first ones are the most frequent."""
    at = rng.integers(0, len(words), n) if not skew else (len(words) * rng.random(n) ** (1 + skew)).astype(np.int64)
    return pa.array(words).take(pa.array(at))


def words(rng, n):
    parts = rng.integers(0, len(SYLLABLES), (n, 4))
    return sorted({"".join(SYLLABLES[k] for k in row[:2 + i % 3]) for i, row in enumerate(parts)})


def joined(sep, *parts):
    return pc.binary_join_element_wise(*[p if isinstance(p, (pa.Array, pa.ChunkedArray)) and pa.types.is_string(p.type) else
                                         pc.cast(p, pa.string()) for p in parts], sep)


def text_of_width(digits):
    """A matrix of bytes to strings, a row each."""
    n, width = digits.shape
    offsets = np.arange(0, (n + 1) * width, width, dtype=np.int32)
    return pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(digits)))


HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def hexes(rng, n, width):
    return text_of_width(HEX[rng.integers(0, 16, (n, width), dtype=np.uint8)])


def uuids(rng, n):
    digits = HEX[rng.integers(0, 16, (n, 32), dtype=np.uint8)]
    out = np.full((n, 36), ord("-"), dtype=np.uint8)
    out[:, [i for i in range(36) if i not in (8, 13, 18, 23)]] = digits
    out[:, 14] = ord("4")
    return text_of_width(out)


def decimals(cents, precision=12):
    """decimal(precision, 2) from integers of hundredths."""
    two = np.empty((len(cents), 2), dtype=np.int64)
    two[:, 0], two[:, 1] = cents, cents >> 63
    return pa.Array.from_buffers(pa.decimal128(precision, 2), len(cents), [None, pa.py_buffer(two)])


def timestamps(micros):
    return pa.array(micros).cast(pa.timestamp("us", tz="UTC"))


START = 1_767_225_600_000_000  # 2026-01-01


def wide(rng, n):
    cols = {}
    for i in range(12):
        kind = i % 4
        v = (rng.integers(0, 100, n), rng.integers(0, 1 << 20, n), rng.normal(0, 5000, n), np.arange(n) // 37 + i)[kind]
        cols["i%02d" % i] = with_nulls(rng, pa.array(v.astype(np.int32)), 0.1 if i % 3 == 2 else 0)
    for i in range(10):
        v = (np.arange(n) * 3 + i, rng.integers(0, 1 << 40, n), rng.integers(0, 5000, n) * 1000, np.cumsum(rng.integers(0, 200, n)))[i % 4]
        cols["l%02d" % i] = with_nulls(rng, pa.array(v.astype(np.int64)), 0.05 if i % 5 == 4 else 0)
    for i in range(8):
        v = (rng.random(n), rng.normal(100, 15, n), np.round(rng.gamma(2, 40, n), 2), np.cumsum(rng.normal(0, 0.1, n)))[i % 4]
        cols["d%02d" % i] = with_nulls(rng, pa.array(v), 0.1 if i % 4 == 1 else 0)
    for i in range(4):
        cols["f%02d" % i] = pa.array((rng.random(n) if i % 2 else np.round(rng.normal(20, 4, n), 1)).astype(np.float32))
    for i in range(4):
        cols["b%02d" % i] = with_nulls(rng, pa.array(rng.random(n) < (0.5, 0.02)[i % 2]), 0.1 if i == 3 else 0)
    for i in range(4):
        cols["day%02d" % i] = with_nulls(rng, pa.array((20454 + rng.integers(0, (30, 4000)[i % 2], n)).astype(np.int32)).cast(pa.date32()), 0.03 if i == 1 else 0)
    for i in range(6):
        v = START + (np.cumsum(rng.integers(0, 2_000_000, n)), rng.integers(0, 30 * 86400, n) * 1_000_000, rng.integers(0, 30 * 86_400_000_000, n))[i % 3]
        cols["t%02d" % i] = with_nulls(rng, timestamps(v), 0.2 if i == 4 else 0)
    for i in range(4):
        cols["m%02d" % i] = decimals((rng.integers(0, 100_000, n), np.round(rng.gamma(2, 4000, n)).astype(np.int64))[i % 2])
    some, many = words(rng, 40), words(rng, 6000)
    for i in range(8):
        v = (lambda: pick(rng, some, n), lambda: pick(rng, many, n, 1.0), lambda: joined("-", pick(rng, some, n), pa.array(rng.integers(0, 1 << 30, n))),
             lambda: hexes(rng, n, 12))[i % 4]()
        cols["s%02d" % i] = with_nulls(rng, v, 0.1 if i % 2 else 0)
    return pa.table(cols)


def long(rng, n):
    return pa.table({
        "id": pa.array(np.arange(n, dtype=np.int64) + 10_000_000),
        "ts": timestamps(START + np.cumsum(rng.integers(0, 1000, n)) * 1000),
        "sensor": pa.array(rng.integers(0, 10_000, n).astype(np.int32)),
        "value": pa.array(np.round(rng.normal(21, 4, n), 3)),
        "status": pick(rng, ["ok", "warn", "fault", "offline", "service"], n, 2.0),
        "count": with_nulls(rng, pa.array(rng.poisson(12, n).astype(np.int32)), 0.1),
    })


def stringy(rng, n):
    some, many, vocabulary = words(rng, 25), words(rng, 20_000), words(rng, 3000)
    hosts = joined("", pick(rng, many, 400), pa.array([".example.com"] * 400)).to_pylist()
    length = rng.integers(4, 18, n)
    offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.int32)
    text = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), pick(rng, vocabulary, int(offsets[-1]), 1.5)), " ")
    part = rng.integers(0, 1 << 16, n)
    path = joined("", pa.array(["/srv/lake/bronze/orders/year=2026/month="] * n), pa.array(rng.integers(1, 13, n)), pa.array(["/region="] * n), pick(rng, some, n),
                  pa.array(["/part-"] * n), pa.array(np.arange(n) // 4), pa.array([".snappy.parquet"] * n))
    ip = joined(".", *[pa.array(rng.integers(0, 256, n)) for _ in range(4)])
    return pa.table({
        "id": uuids(rng, n),
        "url": joined("", pa.array(["https://"] * n), pick(rng, hosts, n, 1.0), pa.array(["/"] * n), pick(rng, many, n, 1.0), pa.array(["/"] * n), pick(rng, many, n), pa.array(["?id="] * n), pa.array(part)),
        "country": pick(rng, some, n, 1.0),
        "city": pick(rng, many, n, 0.5),
        "email": with_nulls(rng, joined("", pick(rng, many, n), pa.array(rng.integers(0, 1000, n)), pa.array(["@"] * n), pick(rng, hosts, n, 1.0)), 0.05),
        "text": text,
        "path": path,
        "ip": ip,
        "hash": hexes(rng, n, 32),
        "code": with_nulls(rng, joined("-", pick(rng, some, n), pa.array(rng.integers(100, 1000, n))), 0.3),
    })


def list_of(rng, n, most, values, none=0.05):
    """Lists of 0 to `most` values, some of them null; values(k) makes k of them."""
    length = rng.integers(0, most + 1, n)
    missing = rng.random(n) < none
    length[missing] = 0
    offsets = np.concatenate([[0], np.cumsum(length)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values(int(offsets[-1])), mask=pa.array(missing))


def nested(rng, n):
    some, many = words(rng, 60), words(rng, 4000)

    def item(k):
        return pa.StructArray.from_arrays([joined("-", pick(rng, some, k), pa.array(rng.integers(0, 2000, k))), pa.array(rng.integers(1, 20, k).astype(np.int32)),
                                           pa.array(np.round(rng.gamma(2, 15, k), 2))], ["sku", "qty", "price"])
    attrs = rng.integers(0, 5, n)
    offsets = np.concatenate([[0], np.cumsum(attrs)]).astype(np.int32)
    total = int(offsets[-1])
    at = (np.arange(total) - np.repeat(offsets[:-1], attrs)) + 0  # the place in its map, so that keys differ
    keys = joined("", pa.array(["k"] * total), pa.array(at * 7 + rng.integers(0, 7, total)))
    place = pa.StructArray.from_arrays([pa.array(48 + rng.random(n) * 6), pa.array(6 + rng.random(n) * 9), with_nulls(rng, pick(rng, many, n, 1.0), 0.1)],
                                       ["lat", "lon", "name"], mask=pa.array(rng.random(n) < 0.1))
    return pa.table({
        "id": pa.array(np.arange(n, dtype=np.int64)),
        "numbers": list_of(rng, n, 8, lambda k: with_nulls(rng, pa.array(rng.integers(0, 100_000, k).astype(np.int32)), 0.05)),
        "tags": list_of(rng, n, 4, lambda k: pick(rng, some, k)),
        "place": place,
        "items": list_of(rng, n, 5, item),
        "attrs": pa.MapArray.from_arrays(pa.array(offsets), keys, pick(rng, many, total)),
        "matrix": list_of(rng, n, 3, lambda k: list_of(rng, k, 3, lambda j: pa.array(np.round(rng.normal(0, 1, j), 3)), 0)),
    })


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for seed, (name, rows) in enumerate(ROWS.items()):
        path = os.path.join(folder, name + ".parquet")
        if os.path.exists(path):
            continue
        table = globals()[name](np.random.default_rng(4200 + seed), rows)
        pq.write_table(table, path + ".tmp", compression="zstd", compression_level=3, row_group_size=ROW_GROUP)
        os.rename(path + ".tmp", path)


if __name__ == "__main__":
    main()
