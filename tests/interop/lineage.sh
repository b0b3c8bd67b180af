#!/bin/sh
# Events of lineage, those that the suite wrote and those of runs made here, against OpenLineage's schemas and its Python client.  TAP.
# usage: DP_BIN=DIR DP_SHARED=DIR lineage.sh [DIR]      DIR has a file of events for each suite, where `make check-cli` was run
set -u
here=$(cd "$(dirname "$0")" && pwd)
DP_SHARED=${DP_SHARED:-$here/../../../shared}
if [ ! -d "$DP_SHARED/corpus/lineage/schema" ]; then
    echo "ok 1 - lineage # SKIP the corpus is not there"
    echo 1..1
    exit 0
fi
if ! python=$(sh "$here/venv.sh" lineage); then
    if [ "${CI:-}" = true ]; then echo "not ok 1 - the venv of lineage is made"; else echo "ok 1 - lineage # SKIP its venv can't be made here"; fi
    echo 1..1
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONDONTWRITEBYTECODE=1 "$python" "$here/lineage.py" "$DP_SHARED/corpus/lineage/schema" "$work" "${1:-}"
