"""Spark's side of the jobs with windows: one statement in a local session of so many threads, its rows made whole, counted and thrown away (none is printed).  On standard
error it says the seconds that the statement took, its processor seconds (of the Java machine, all its threads) and the machine's peak MB.  Neither the session's start nor a
first run of the same statement over the first 64 MB of each file counts.  It fails where there are other than ROWS rows.

usage: peer_spark.py minutes|hop|session THREADS FILE ROWS
       peer_spark.py within THREADS FILE FILE ROWS
"""
import os
import sys
import tempfile
import time

from pyspark.sql import Observation, SparkSession, functions

EVENTS = "ts TIMESTAMP, country STRING, price DECIMAL(10,2)"
CLICKS = "id BIGINT, k BIGINT, t BIGINT, v DECIMAL(10,2)"
PRICES = "k BIGINT, at BIGINT, price BIGINT"
# name: types of each file, which are the views a and b; the statement
JOBS = {
    "minutes": ([EVENTS], "SELECT window.start AS m, country, count(*) AS n, sum(price) AS s, avg(price) AS a, percentile_disc(0.95) WITHIN GROUP (ORDER BY price) AS p95 "
                "FROM a GROUP BY window(ts, '1 minute'), country ORDER BY m, country"),
    "hop": ([CLICKS], "SELECT window.start AS s, k, count(*) AS n, sum(v) AS v FROM (SELECT timestamp_millis(t) AS ts, k, v FROM a) "
            "GROUP BY window(ts, '2 minutes', '1 minute'), k ORDER BY s, k"),
    "session": ([CLICKS], "SELECT k, session_window.start AS start, session_window.end AS stop, count(*) AS n, sum(v) AS v FROM (SELECT timestamp_millis(t) AS ts, k, v FROM a) "
                "GROUP BY session_window(ts, '10 minutes'), k ORDER BY stop, start, k"),
    "within": ([CLICKS, PRICES], "SELECT a.id, a.k, a.t, b.at, b.price FROM a JOIN b ON a.k = b.k AND b.at BETWEEN a.t - 5000 AND a.t + 5000"),
}


def session(threads):
    """Files in parts that the threads can share evenly, and no more parts behind a shuffle than these rows need."""
    b = SparkSession.builder.master("local[%d]" % threads).config("spark.ui.enabled", "false").config("spark.driver.memory", "4g")
    b = b.config("spark.ui.showConsoleProgress", "false").config("spark.sql.session.timeZone", "UTC").config("spark.sql.files.maxPartitionBytes", "32m").config("spark.sql.shuffle.partitions", str(4 * threads))
    s = b.getOrCreate()
    s.sparkContext.setLogLevel("OFF")
    return s


def beginning(path, to):
    """The whole lines in the first 64 MB of a file."""
    with open(path, "rb") as f, open(to, "wb") as g:
        some = f.read(64_000_000)
        g.write(some[:some.rfind(b"\n") + 1])
    return to


def answer(spark, job, files):
    """Rows of the statement over these files."""
    types, sql = JOBS[job]
    for view, schema, path in zip("ab", types, files):
        spark.read.schema(schema).json(path).createOrReplaceTempView(view)
    seen = Observation()
    spark.sql(sql).observe(seen, functions.count(functions.lit(1)).alias("rows")).write.format("noop").mode("overwrite").save()
    return seen.get["rows"]


def used(pid):
    """Processor seconds of a process so far."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith("VmHWM:"))


job, threads, *files, wanted = sys.argv[1:]
spark = session(int(threads))
java = spark.sparkContext._jvm.java.lang.ProcessHandle.current().pid()
with tempfile.TemporaryDirectory() as tmp:
    answer(spark, job, [beginning(f, os.path.join(tmp, "%d.ndjson" % i)) for i, f in enumerate(files)])
start, before = time.perf_counter(), used(java)
rows = answer(spark, job, files)
took, cpu, mb = time.perf_counter() - start, used(java) - before, peak(java)
spark.stop()
if rows != int(wanted):
    sys.exit("Spark has %d rows, not %s" % (rows, wanted))
print("%.6f %.6f %.1f" % (took, cpu, mb), file=sys.stderr)
