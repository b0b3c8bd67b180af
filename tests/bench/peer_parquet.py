"""A peer's side of the Parquet bench: a whole file into memory, or rows in memory into a file, timed inside of the process, without start and import.

usage: peer_parquet.py PEER read FILE THREADS
       peer_parquet.py PEER stream FILE THREADS      past in batches, none of which is kept, each engine's own way of doing that
       peer_parquet.py PEER write FILE THREADS CODEC ROW_GROUP_ROWS OUT      CODEC: zstd:3, snappy
       peer_parquet.py sums FILE...      rows and a sum of hashes of each column, so that files can be compared
PEER: duckdb (rows go into a table of its own in memory), duckdb-arrow (reading: rows go out as an Arrow table), pyarrow, polars.
Prints the same line of JSON as bench_parquet.
"""
import json
import os
import resource
import sys
import time

WARM = os.path.join(os.environ.get("TMPDIR", "/tmp"), "dp-bench-%d.parquet" % os.getpid())


def status(name):
    with open("/proc/self/status") as f:
        return next(int(line.split()[1]) / 1024 for line in f if line.startswith(name))


def cpu():
    u = resource.getrusage(resource.RUSAGE_SELF)
    return u.ru_utime + u.ru_stime


def timed(job, rows_of):
    with open("/proc/self/clear_refs", "w") as f:
        f.write("5")
    before, c, t = status("VmRSS:"), cpu(), time.perf_counter()
    got = job()
    wall, busy = time.perf_counter() - t, cpu() - c
    print(json.dumps({"s": wall, "cpu": busy, "rows": rows_of(got), "peak": status("VmHWM:"), "before": before}))


class Duckdb:
    def __init__(self, threads):
        import duckdb
        self.con = duckdb.connect(config={"threads": threads})
        self.n = 0

    def read(self, path):
        self.n += 1
        self.con.execute("CREATE TEMP TABLE t%d AS FROM read_parquet('%s')" % (self.n, path))
        return "t%d" % self.n

    def rows(self, table):
        return self.con.execute("SELECT count(*) FROM " + table).fetchone()[0]

    def write(self, table, path, codec, level, group):
        self.con.execute("COPY %s TO '%s' (FORMAT parquet, COMPRESSION %s%s, ROW_GROUP_SIZE %d)" %
                         (table, path, codec, ", COMPRESSION_LEVEL %d" % level if level else "", group))


class DuckdbArrow(Duckdb):
    def stream(self, path):
        reader = self.con.execute("FROM read_parquet('%s')" % path).to_arrow_reader(122_880)
        return sum(b.num_rows for b in reader)

    def read(self, path):
        return self.con.execute("FROM read_parquet('%s')" % path).to_arrow_table()

    def rows(self, table):
        return table.num_rows


class Pyarrow:
    def __init__(self, threads):
        import pyarrow
        import pyarrow.parquet
        pyarrow.set_cpu_count(threads)
        pyarrow.set_io_thread_count(threads)
        self.pq, self.threads = pyarrow.parquet, threads

    def read(self, path):
        return self.pq.read_table(path, use_threads=self.threads > 1)

    def stream(self, path):
        with self.pq.ParquetFile(path) as f:
            return sum(b.num_rows for b in f.iter_batches(65_536, use_threads=self.threads > 1))

    def rows(self, table):
        return table.num_rows

    def write(self, table, path, codec, level, group):
        self.pq.write_table(table, path, compression=codec, compression_level=level, row_group_size=group)


class Polars:
    def __init__(self, threads):
        os.environ["POLARS_MAX_THREADS"] = str(threads)
        import polars
        self.pl = polars

    def read(self, path):
        return self.pl.read_parquet(path)

    def stream(self, path):
        seen = []
        self.pl.scan_parquet(path).sink_batches(lambda b: seen.append(b.height))
        return sum(seen)

    def rows(self, table):
        return table.height

    def write(self, table, path, codec, level, group):
        table.write_parquet(path, compression=codec, compression_level=level, row_group_size=group)


PEERS = {"duckdb": Duckdb, "duckdb-arrow": DuckdbArrow, "pyarrow": Pyarrow, "polars": Polars}


def warm(peer, op):
    """Thread pools, plug-ins and first uses are start-up too: a few rows before the clock runs."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    pq.write_table(pa.table({"a": [1, 2, 3], "b": ["x", "y", None]}), WARM)
    try:
        got = peer.read(WARM)
        if op == "stream":
            peer.stream(WARM)
        if op == "write":
            peer.write(got, WARM, "zstd", 3, 1000)
    finally:
        os.unlink(WARM)


def sums(paths):
    """Maps are compared as lists of entries, since not all of the peers have maps."""
    import duckdb
    con = duckdb.connect()
    for path in paths:
        cols = con.execute("DESCRIBE FROM read_parquet('%s')" % path).fetchall()
        exprs = ["sum(hash(%s)::HUGEINT)::VARCHAR" % (("map_entries(%s)" if c[1].startswith("MAP") else "%s") % c[0]) for c in cols]
        print(json.dumps([con.execute("SELECT count(*), %s FROM read_parquet('%s')" % (", ".join(exprs), path)).fetchone(), [c[0] for c in cols]]))


def main():
    if sys.argv[1] == "sums":
        return sums(sys.argv[2:])
    name, op, path, threads = sys.argv[1:5]
    peer = PEERS[name](int(threads))
    warm(peer, op)
    if op == "read":
        return timed(lambda: peer.read(path), peer.rows)
    if op == "stream":
        return timed(lambda: peer.stream(path), lambda n: n)
    codec, _, level = sys.argv[5].partition(":")
    group, out = int(sys.argv[6]), sys.argv[7]
    table = peer.read(path)
    timed(lambda: peer.write(table, out, codec, int(level) if level else None, group), lambda _: peer.rows(table))


main()
