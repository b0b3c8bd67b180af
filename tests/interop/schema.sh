#!/bin/sh
# Contracts with one fault or none, made from those of the corpus, through dp-contract and through the standard's own JSON schemas.  TAP.
# usage: DP_BIN=DIR DP_SHARED=DIR schema.sh [COUNT [SEED]]
set -u
here=$(cd "$(dirname "$0")" && pwd)
if [ ! -d "$DP_SHARED/corpus/contract/schema" ]; then
    echo "ok 1 - schema # SKIP the corpus is not there"
    echo 1..1
    exit 0
fi
if ! python=$(sh "$here/venv.sh" schema); then
    if [ "${CI:-}" = true ]; then echo "not ok 1 - the venv of schema is made"; else echo "ok 1 - schema # SKIP its venv can't be made here"; fi
    echo 1..1
    exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONDONTWRITEBYTECODE=1 "$python" "$here/schema.py" "$DP_SHARED/corpus/contract" "$work" "${1:-600}" "${2:-1}"
