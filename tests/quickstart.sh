#!/bin/sh
# The quick start ends well, twice, and the second run adds nothing.  TAP.
set -u
n=0
ok() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi; }
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
export XDG_STATE_HOME="$work/state" # the store of lineage is not the user's
DP_QUICKSTART=$work/lake sh quickstart/run.sh >"$work/first" 2>"$work/err1" </dev/null
ok $? 'the quick start runs'
sed 's/^/# /' "$work/err1" | tail -n 5
orders=$("$DP_BIN"/dp-cat "$work/lake/orders" | wc -l)
events=$("$DP_BIN"/dp-cat "$work/lake/events" | wc -l)
bad_orders=$(wc -l <"$work/lake/orders.rejects.ndjson")
bad_events=$(wc -l <"$work/lake/events.rejects.ndjson")
[ $((orders + bad_orders)) -eq 50000 ]
ok $? "$orders orders and $bad_orders rejects are the 50,000 made"
[ $((events + bad_events)) -eq 200000 ]
ok $? "$events events and $bad_events rejects are the 200,000 made"
[ "$bad_orders" -gt 100 ] && [ "$bad_events" -gt 100 ]
ok $? 'the dirt was found'
DP_QUICKSTART=$work/lake sh quickstart/run.sh >"$work/second" 2>"$work/err2" </dev/null
ok $? 'it runs a second time'
[ "$("$DP_BIN"/dp-cat "$work/lake/orders" | wc -l)" -eq "$orders" ] && [ "$("$DP_BIN"/dp-cat "$work/lake/events" | wc -l)" -eq "$events" ]
ok $? 'and doubles nothing'
echo "1..$n"
