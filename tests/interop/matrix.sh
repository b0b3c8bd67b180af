#!/bin/sh
# Writes the matrix of Parquet files and has DuckDB, pyarrow and polars read it (parquet_matrix.py).  TAP.
# usage: DP_MATRIX=PROGRAM matrix.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
if ! python=$(sh "$here/venv.sh"); then
    if [ "${CI:-}" = true ]; then echo "not ok 1 - the peers' venv is made"; else echo "ok 1 - matrix # SKIP the peers' venv can't be made here"; fi
    echo 1..1
    exit 0
fi
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
"$DP_MATRIX" "$work" || exit 1
PYTHONDONTWRITEBYTECODE=1 "$python" "$here/parquet_matrix.py" "$work" 2>"$work/err" || { tail -n 20 "$work/err" >&2; exit 1; }
