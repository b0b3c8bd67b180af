#!/bin/sh
# Our tables read by other engines, real files compared with what DuckDB makes of them, (evolution) sets of files whose schemas
# differ, (skipping) rows that indexes and filters of other writers exclude, (upkeep) tables that are looked after, (joins) joins of random inputs, (erase) a person searched for after erasure, and (nexmark) the queries
# of Nexmark against SQL.  TAP.
# In CI (CI=true) peers that can't be had are a failure, elsewhere a skip.
# usage: DP_BIN=DIR run.sh [data|evolution|skipping|upkeep|joins|erase|nexmark]
set -u
here=$(cd "$(dirname "$0")" && pwd)
if ! python=$(sh "$here/venv.sh"); then
    if [ "${CI:-}" = true ]; then echo "not ok 1 - the peers' venv is made"; else echo "ok 1 - interop # SKIP the peers' venv can't be made here"; fi
    echo 1..1
    exit 0
fi
script=$here/${1:-data}.py
export DP_LINEAGE="${DP_TEST_LINEAGE:-none}" # dp-run would tell the user's own store
export DP_AUDIT="$here/../../obj/audit" # and a forced vacuum the user's own log
[ "${1:-}" != nexmark ] || script=$here/../nexmark/check.py
PYTHONDONTWRITEBYTECODE=1 exec "$python" "$script"
