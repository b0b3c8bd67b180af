"""polars' side of the jobs with windows: prints its result as NDJSON, and the seconds that it took (start-up not counted) on standard error.

usage: peer_windows.py minutes|hop|session|as-of FILE [FILE]
"""
import os
import sys
import time

import polars as pl

EVENTS = {"ts": pl.String, "country": pl.String, "price": pl.Float64}
CLICKS = {"id": pl.Int64, "k": pl.Int64, "t": pl.Int64, "v": pl.Float64}
PRICES = {"k": pl.Int64, "at": pl.Int64, "price": pl.Int64}


def read(path, schema):
    return pl.scan_ndjson(path, schema=schema)


def minutes(path):
    """1-minute windows by country; polars has no exact decimals from JSON, so prices are doubles here."""
    f = read(path, EVENTS).with_columns(m=pl.col("ts").str.slice(0, 16))
    p = pl.col("price")
    return f.group_by("m", "country").agg(n=pl.len(), s=p.sum(), a=p.mean(), p95=p.quantile(0.95, "higher")).sort("m", "country")


def hop(path):
    f, start = read(path, CLICKS), pl.col("t") // 60000 * 60000
    both = pl.concat([f.with_columns(s=start), f.with_columns(s=start - 60000)])
    return both.group_by("s", "k").agg(n=pl.len(), v=pl.col("v").sum()).sort("s", "k")


def session(path):
    f = read(path, CLICKS).sort("k", "t").with_columns(g=((pl.col("t") - pl.col("t").shift(1).over("k")) > 600000).fill_null(True).cum_sum())
    return f.group_by("k", "g").agg(start=pl.col("t").min(), stop=pl.col("t").max() + 600000, n=pl.len(), v=pl.col("v").sum()).sort("stop", "start", "k")


def as_of(path, other):
    left, right = read(path, CLICKS).sort("t"), read(other, PRICES).sort("at")
    return left.join_asof(right, left_on="t", right_on="at", by="k", strategy="backward").sort("id")


start = time.perf_counter()
with os.fdopen(1, "wb") as out:
    {"minutes": minutes, "hop": hop, "session": session, "as-of": as_of}[sys.argv[1]](*sys.argv[2:]).collect().write_ndjson(out)
print("%.6f" % (time.perf_counter() - start), file=sys.stderr)
