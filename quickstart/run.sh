#!/bin/sh
# The quick start: makes a sample (once), runs two pipelines into two Delta tables, shows what came out.
# usage: DP_BIN=DIR DP_GEN=PROGRAM run.sh      works in ./lake-quickstart (DP_QUICKSTART names another folder)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
bin=$(cd "${DP_BIN:?}" && pwd)
PATH=$bin:$PATH
gen=$(cd "$(dirname "${DP_GEN:?}")" && pwd)/$(basename "$DP_GEN")
dir=${DP_QUICKSTART:-lake-quickstart}
mkdir -p "$dir"
cd "$dir"

say() { printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then cat; else sed 's/\x1b\[[01]m//g'; fi; }
show() { printf '$ %s\n' "$*"; }

if [ ! -e orders.tar.gz ] || [ ! -e events.ndjson.zst ]; then
    say "Making the sample: 50,000 orders (CSV in a tar.gz) and 200,000 shop events (NDJSON, zstd)"
    rm -rf sample.tmp && mkdir sample.tmp
    "$gen" sample.tmp
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -C sample.tmp -cf - orders | gzip -n >orders.tar.gz.tmp
    zstd -q -f sample.tmp/events.ndjson -o events.ndjson.zst.tmp
    mv orders.tar.gz.tmp orders.tar.gz
    mv events.ndjson.zst.tmp events.ndjson.zst
    rm -rf sample.tmp
fi

# into TABLE CONTRACT TIME SOURCE: what the raw file holds and the table does not have yet
into() {
    [ -d "$1/_delta_log" ] || { show "dp-table create $1 -c $2"; dp-table create "$1" -c "$2"; }
    bad="--rejects $1.rejects.ndjson --max-rejects 1%"
    pipeline="dp-ingest -c $2 --since $1 $bad $4 |
  dp-validate -c $2 $bad |
  dp-mask -c $2 --key-file mask.key |
  dp-partition -c $2 --by 'day=day($3)' $bad -o $1 |
  dp-table commit $1"
    show "dp-run --name quickstart -- '$pipeline'"
    dp-run --name quickstart -- "$pipeline"
}
cp "$here"/orders.odcs.yaml "$here"/events.odcs.yaml .

if [ ! -e mask.key ]; then
    say "A key for masking: what a contract classifies becomes a keyed token"
    show "dp-mask keygen mask.key"
    dp-mask keygen mask.key
fi
say "Orders: raw CSV in an archive to a Delta table, held to the contract orders.odcs.yaml, emails masked"
into orders orders.odcs.yaml ordered_at orders.tar.gz
say "Events: NDJSON to a Delta table"
into events events.odcs.yaml ts events.ndjson.zst

say "The table"
show "dp-cat --to table --columns order_id,ordered_at,email,country,sku,qty,price,day --rows 1:5 orders"
dp-cat --to table --columns order_id,ordered_at,email,country,sku,qty,price,day --rows 1:5 orders
show "dp-table log orders"
dp-table log orders
printf '%s orders and %s events are in the tables.\n' "$(dp-cat orders | wc -l)" "$(dp-cat events | wc -l)"

# rejected TABLE: its rejects by program, rule and field, with the first of each as the example
rejected() {
    dp-map '.reject as $r | $r.rules[0] | {t: "\($r.program)\t\(.rule)\t\(.path // "-")\t\($r.member // $r.source):\($r.line)\t\(.reason)"}' "$1.rejects.ndjson" |
        sed 's/^{"t":"//; s/"}$//; s/\\"/"/g; s/\\\\/\\/g' |
        awk -F '\\\\t' '{ k = $1 "\t" $2 "\t" $3; if (!n[k]++) first[k] = $4 ": " $5 } END { for (k in n) print n[k] "\t" k "\t" first[k] }' |
        sort -t "$(printf '\t')" -k1,1nr -k2 |
        awk -F '\t' -v t="$1" 'BEGIN { f = "%-7s %5s  %-12s  %-12s  %-10s  %s\n"; printf f, "table", "count", "program", "rule", "field", "the first of them" }
            { printf f, t, $1, $2, $3, $4, $5 }'
}

say "What was rejected, and why (the records themselves, with every reason: orders.rejects.ndjson, events.rejects.ndjson)"
for t in orders events; do rejected $t; done

say "Try next"
cat <<EOF
  cd $(pwd) && export PATH=$bin:\$PATH
  dp-cat -w '.country == "DE" and .price > 150' orders | dp-map '{order_id, total: (.price * .qty)}' | head
  dp-contract infer --max-rejects 1% events.ndjson.zst      # a first contract, from the data
  duckdb -c "install delta; load delta; select country, count(*), sum(price) from delta_scan('orders') group by all"   # another engine
EOF
