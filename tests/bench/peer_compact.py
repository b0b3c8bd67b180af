"""One job of compaction by a peer, in a process of its own: prints wall seconds, CPU seconds and peak MB of the statement, without the library's start.

usage: peer_compact.py polars|duckdb FOLDER OUT THREADS      small files to one, zstd level 3
       peer_compact.py deltars TABLE COLUMNS THREADS         optimize.z_order, zstd level 3
       peer_compact.py small PARQUET FOLDER ROWS             makes the small files: ROWS each, snappy
       peer_compact.py table FOLDER TABLE FILES              makes a table of them: so many files in each commit
"""
import glob
import os
import resource
import sys
import time

job, a, b, n = sys.argv[1:]


def measured(fn):
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    fn()
    after = resource.getrusage(resource.RUSAGE_SELF)
    print(time.perf_counter() - start, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, after.ru_maxrss / 1024)


if job == "polars":
    os.environ["POLARS_MAX_THREADS"] = n
    import polars
    measured(lambda: polars.scan_parquet(a + "/*.parquet").sink_parquet(b, compression="zstd", compression_level=3))
elif job == "duckdb":
    import duckdb
    c = duckdb.connect(config={"threads": int(n)})
    c.execute("SET enable_progress_bar=false")
    measured(lambda: c.execute("COPY (FROM read_parquet('%s/*.parquet')) TO '%s' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)" % (a, b)))
elif job == "deltars":
    os.environ["TOKIO_WORKER_THREADS"] = n
    from deltalake import DeltaTable, WriterProperties
    t = DeltaTable(a)
    measured(lambda: t.optimize.z_order(b.split(","), max_concurrent_tasks=int(n), writer_properties=WriterProperties(compression="ZSTD", compression_level=3)))
elif job == "small":
    import pyarrow.parquet as pq
    os.makedirs(b)
    for i, batch in enumerate(pq.ParquetFile(a).iter_batches(int(n))):
        import pyarrow
        pq.write_table(pyarrow.Table.from_batches([batch]), "%s/%05d.parquet" % (b, i), compression="snappy")
elif job == "table":
    import pyarrow
    import pyarrow.parquet as pq
    from deltalake import write_deltalake
    files = sorted(glob.glob(a + "/*.parquet"))
    for i in range(0, len(files), int(n)):
        write_deltalake(b, pyarrow.concat_tables([pq.read_table(f) for f in files[i:i + int(n)]]), mode="append")
