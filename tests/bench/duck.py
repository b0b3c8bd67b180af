"""DuckDB's side: runs one statement and prints, on standard error, the seconds that it took (start-up not counted).
usage: duck.py THREADS SQL
"""
import sys
import time

import duckdb

con = duckdb.connect()
con.execute("SET threads=%d" % int(sys.argv[1]))
con.execute("SET TimeZone='UTC'")
start = time.perf_counter()
con.execute(sys.argv[2])
print("%.6f" % (time.perf_counter() - start), file=sys.stderr)
