#!/bin/sh
# The same data and rules through dp-validate and through datacontract-cli, Great Expectations and Soda.  TAP; run by run.sh.
# usage: DP_BIN=DIR DP_SHARED=DIR quality.sh contract|gx|soda
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PATH=$DP_BIN:$PATH
case $1 in contract) set_of=contract ;; *) set_of=quality ;; esac
if ! python=$(sh "$here/venv.sh" "$set_of"); then
    if [ "${CI:-}" = true ]; then echo "not ok 1 - the venv of $1 is made"; else echo "ok 1 - $1 # SKIP its venv can't be made here"; fi
    echo 1..1
    exit 0
fi
if [ ! -d "$DP_SHARED/data/quickstart/orders" ]; then
    echo "ok 1 - $1 # SKIP the sample is not there"
    echo 1..1
    exit 0
fi
cd "$work"
cp "$here/orders.odcs.yaml" .
dp-ingest "$DP_SHARED"/data/quickstart/orders/*.csv | dp-partition -o parts >paths
mv "$(cat paths)" orders.parquet
dp-validate -q --check -c orders.odcs.yaml orders.parquet >ours.ndjson || [ $? = 1 ]
PYTHONDONTWRITEBYTECODE=1 "$python" "$here/quality.py" "$1" "$work"
