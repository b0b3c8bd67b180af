#!/bin/sh
# Measures our programs against the peers on the same data: see README.md beside this file.
# usage: DP_BIN=DIR run.sh      BENCH_DIR: folder for 3 GB of data (default obj/bench-data); BENCH_JOBS: regular expression
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if ! python=$(sh "$here/../interop/venv.sh"); then
    echo "bench: the peers' venv can't be made here" >&2
    exit 3
fi
exec "$python" -B "$here/run.py" "$@"
