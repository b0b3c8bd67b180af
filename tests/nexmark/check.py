"""Nexmark's queries (README.md), each as one pipeline of ours and as SQL of DuckDB's over the same events: equal rows.  TAP.

usage: DP_BIN=DIR [NEXMARK_GEN="--events N --rate N --seed N"] check.py [QUERY...]     behind tests/interop/run.sh nexmark, which has the venv with DuckDB
"""
import collections
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from decimal import Decimal

import duckdb

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "interop"))
import tap  # noqa: E402
from tap import ok  # noqa: E402

# Bids of auctions while these are open, the highest first.
OPEN = "FROM auction a JOIN bid b ON a.id = b.auction WHERE b.dateTime BETWEEN a.dateTime AND a.expires"
TEN = "time_bucket(INTERVAL 10 SECONDS, dateTime)"


def ranks(count, name):
    return ", ".join(["%s AS total_%s" % (count, name)] + ["%s FILTER (%s) AS rank%d_%s" % (count, w, i + 1, name) for i, w in enumerate(
        ("price < 10000", "price >= 10000 AND price < 1000000", "price >= 1000000"))])


STATISTICS = ", ".join((ranks("count(*)", "bids"), ranks("count(DISTINCT bidder)", "bidders"), ranks("count(DISTINCT auction)", "auctions")))

SQL = {
    "q00": "SELECT auction, bidder, price, dateTime, extra FROM bid",
    "q01": "SELECT auction, bidder, 0.908 * price AS price, dateTime, extra FROM bid",
    "q02": "SELECT auction, price FROM bid WHERE auction % 123 = 0",
    "q03": "SELECT p.name, p.city, p.state, a.id FROM auction a JOIN person p ON a.seller = p.id WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')",
    "q04": "SELECT category, avg(final) AS avg FROM (SELECT max(b.price) AS final, a.category " + OPEN + " GROUP BY a.id, a.category) GROUP BY category",
    "q05": """WITH hops AS (SELECT auction, time_bucket(INTERVAL 2 SECONDS, dateTime) - to_seconds(2 * i) AS start FROM bid, range(5) AS hop(i)),
        counts AS (SELECT auction, start, count(*) AS num FROM hops GROUP BY auction, start)
        SELECT auction, num, start AS window_start, start + INTERVAL 10 SECONDS AS window_end FROM counts c
        WHERE num = (SELECT max(num) FROM counts WHERE start = c.start)""",
    "q06": """SELECT seller, id AS auction, expires AS closed, avg(final) OVER (PARTITION BY seller ORDER BY expires, id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) AS avg
        FROM (SELECT a.seller, a.id, a.expires, max(b.price) AS final """ + OPEN + " GROUP BY ALL)",
    "q07": "SELECT auction, price, bidder, dateTime FROM bid b WHERE price = (SELECT max(price) FROM bid WHERE %s = time_bucket(INTERVAL 10 SECONDS, b.dateTime))" % TEN,
    "q08": "SELECT DISTINCT p.id, p.name, time_bucket(INTERVAL 10 SECONDS, p.dateTime) AS starttime FROM person p JOIN auction a ON p.id = a.seller AND " +
           "time_bucket(INTERVAL 10 SECONDS, p.dateTime) = time_bucket(INTERVAL 10 SECONDS, a.dateTime)",
    "q09": "SELECT a.id, a.itemName, a.initialBid, a.reserve, a.dateTime, a.expires, a.seller, a.category, b.bidder, b.price, b.dateTime AS bid_dateTime, b.extra AS bid_extra " +
           OPEN + " QUALIFY row_number() OVER (PARTITION BY a.id ORDER BY b.price DESC, b.dateTime) = 1",
    "q10": "SELECT auction, bidder, price, dateTime, extra FROM bid",
    "q11": """SELECT bidder, count(*) AS bid_count, min(dateTime) AS starttime, max(dateTime) + INTERVAL 10 SECONDS AS endtime FROM (
        SELECT *, sum(new) OVER (PARTITION BY bidder ORDER BY dateTime) AS session FROM (
            SELECT *, (coalesce(dateTime - lag(dateTime) OVER (PARTITION BY bidder ORDER BY dateTime) > INTERVAL 10 SECONDS, true))::INT AS new FROM bid))
        GROUP BY bidder, session""",
    "q13": "SELECT auction, bidder, price, dateTime, value FROM bid JOIN side ON auction % 10000 = key",
    "q14": """SELECT auction, bidder, 0.908 * price AS price, dateTime, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts,
        CASE WHEN hour(dateTime) BETWEEN 8 AND 18 THEN 'dayTime' WHEN hour(dateTime) <= 6 OR hour(dateTime) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidTimeType
        FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000""",
    "q15": "SELECT strftime(dateTime, '%Y-%m-%d') AS day, " + STATISTICS + " FROM bid GROUP BY day",
    "q16": "SELECT channel, strftime(dateTime, '%Y-%m-%d') AS day, max(strftime(dateTime, '%H:%M')) AS minute, " + STATISTICS + " FROM bid GROUP BY channel, day",
    "q17": "SELECT auction, strftime(dateTime, '%Y-%m-%d') AS day, " + ranks("count(*)", "bids") +
           ", min(price) AS min_price, max(price) AS max_price, avg(price) AS avg_price, sum(price) AS sum_price FROM bid GROUP BY auction, day",
    "q18": "SELECT * FROM bid QUALIFY row_number() OVER (PARTITION BY bidder, auction ORDER BY dateTime DESC) = 1",
    "q19": "SELECT *, row_number() OVER (PARTITION BY auction ORDER BY price DESC, dateTime) AS rank_number FROM bid QUALIFY rank_number <= 10",
    "q20": "SELECT b.* EXCLUDE (extra), a.itemName AS a_itemName, a.initialBid AS a_initialBid, a.reserve AS a_reserve, a.dateTime AS a_dateTime, a.expires AS a_expires, " +
           "a.seller AS a_seller, a.category AS a_category FROM bid b JOIN auction a ON b.auction = a.id WHERE a.category = 10",
    "q21": """SELECT auction, bidder, price, channel, CASE lower(channel) WHEN 'apple' THEN '0' WHEN 'google' THEN '1' WHEN 'facebook' THEN '2' WHEN 'baidu' THEN '3'
        ELSE regexp_extract(url, '(&|^)channel_id=([^&]*)', 2) END AS channel_id FROM bid
        WHERE lower(channel) IN ('apple', 'google', 'facebook', 'baidu') OR regexp_matches(url, '(&|^)channel_id=')""",
    "q22": "SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, split_part(url, '/', 5) AS dir2, split_part(url, '/', 6) AS dir3 FROM bid",
}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def plain(v):
    """A value in one form for both: instants as UTC text, numbers by twelve digits (what a double's mean has of an exact one), whole ones by all."""
    if isinstance(v, datetime):
        return v.strftime("%Y-%m-%dT%H:%M:%S.%f")
    if isinstance(v, str) and TIME.match(v):
        return datetime.fromisoformat(v[:-1]).strftime("%Y-%m-%dT%H:%M:%S.%f")
    if isinstance(v, (float, Decimal)) and v != int(v):
        return "%.12g" % v
    return int(v) if isinstance(v, (float, Decimal)) else v


def line(names, values):
    return json.dumps(sorted((n, plain(v)) for n, v in zip(names, values)))


def ours(name, work):
    r = subprocess.run(["bash", "-o", "pipefail", os.path.join(HERE, name + ".sh")], cwd=work, env=tap.ENV, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if r.returncode:
        raise RuntimeError("exit %d: %s" % (r.returncode, r.stderr))
    rows = [json.loads(x, parse_float=Decimal) for x in r.stdout.splitlines()]
    return collections.Counter(line(x, x.values()) for x in rows)


def theirs(con, name):
    con.execute(SQL[name])
    names = [d[0] for d in con.description]
    return collections.Counter(line(names, row) for row in con.fetchall())


def compare(con, name, work):
    try:
        a, b = ours(name, work), theirs(con, name)
    except Exception as e:
        return ok(False, name, e)
    with open(os.path.join(HERE, name + ".sh"), encoding="utf-8") as f:
        words = f.readline().lstrip("# ").split(":")[0].strip()
    return ok(a == b and a, "%s (%d rows)" % (words, sum(a.values())), "only ours: %s" % list((a - b).elements())[:2], "only DuckDB's: %s" % list((b - a).elements())[:2],
              "%d rows of ours, %d of DuckDB's" % (sum(a.values()), sum(b.values())))


work = tempfile.mkdtemp()
try:
    subprocess.run([sys.executable, os.path.join(HERE, "gen.py"), work] + os.environ.get("NEXMARK_GEN", "").split(), check=True)
    con = duckdb.connect()
    for table in ("person", "auction", "bid"):
        names = list(json.loads(open(os.path.join(work, table + ".ndjson"), encoding="utf-8").readline()))
        types = {c: "TIMESTAMP" if c in ("dateTime", "expires") else "BIGINT" if c in ("id", "initialBid", "reserve", "seller", "category", "auction", "bidder", "price")
                 else "VARCHAR" for c in names}
        con.execute("CREATE TABLE %s AS FROM read_json('%s/%s.ndjson', format = 'newline_delimited', columns = {%s})" % (
            table, work, table, ", ".join("'%s': '%s'" % t for t in types.items())))
    con.execute("CREATE TABLE side AS FROM read_csv('%s/side.csv')" % work)
    tap.prefix = "nexmark: "
    for name in sorted(SQL):
        if len(sys.argv) < 2 or name in sys.argv[1:]:
            compare(con, name, work)
finally:
    shutil.rmtree(work, ignore_errors=True)
tap.done()
