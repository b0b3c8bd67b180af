#!/bin/sh
# Our tables read by other engines, real files compared with what DuckDB makes of them, (evolution) sets of files whose schemas
# differ, (skipping) rows that indexes and filters of other writers exclude, and (upkeep) tables that are looked after.  TAP.
# In CI (CI=true) peers that can't be had are a failure, elsewhere a skip.
# usage: DP_BIN=DIR run.sh [data|evolution|skipping|upkeep]
set -u
here=$(cd "$(dirname "$0")" && pwd)
if ! python=$(sh "$here/venv.sh"); then
    if [ "${CI:-}" = true ]; then echo "not ok 1 - the peers' venv is made"; else echo "ok 1 - interop # SKIP the peers' venv can't be made here"; fi
    echo 1..1
    exit 0
fi
PYTHONDONTWRITEBYTECODE=1 exec "$python" "$here/${1:-data}.py"
