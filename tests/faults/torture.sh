#!/bin/bash
# Eight writers at once, COMMITS (40) commits each, with two compactions and two vacuums that keep nothing among them, as TAP: each row
# is there once, the log has no gap, the table verifies.  KEEP=DIR keeps the table there, for other engines to read.
# usage: DP_BIN=DIR torture.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
PATH=${DP_BIN:?}:$PATH
COMMITS=${COMMITS:-40}
WRITERS=8
export DP_THREADS=1
work=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3
# shellcheck source=tests/faults/frame.bash
. "$here/frame.bash"

echo '{"id":1,"p":"a"}' | dp-contract infer - >c.yaml
dp-table create t -c c.yaml --by p -q >out 2>err || { ok 1 "a table to begin with"; exit 1; }

writer() { # NUMBER
    local w=$1 k
    for ((k = 1; k <= COMMITS; k++)); do
        echo "{\"id\":$((w * 100000 + k)),\"p\":\"p$((k % 3))\"}" | dp-partition -o t --by p 2>"err$w" >"paths$w" &&
            dp-table commit t --eof-commits -q <"paths$w" >/dev/null 2>"err$w" || echo "writer $w, commit $k: $(tail -n 1 "err$w")" >>failed
    done
    echo "$w" >>finished
}
# What goes on among them: runs behind a share of the versions, not of the time.
version() { find t/_delta_log -name '*.json' 2>/dev/null | wc -l; }
when_at() { # SHARE OF A HUNDRED COMMAND...
    local at=$(($1 * WRITERS * COMMITS / 100))
    shift
    until [ "$(version)" -gt "$at" ] || [ "$(wc -l 2>/dev/null <finished)" = "$WRITERS" ]; do sleep 0.05; done
    "$@" >>side 2>&1 || echo "$*: exit $?: $(tail -n 1 side)" >>failed
}
: >finished
for ((w = 1; w <= WRITERS; w++)); do writer $w & done
(
    when_at 25 dp-compact t
    when_at 40 dp-table vacuum t --retain 0s --force -q
    when_at 60 dp-compact t
    when_at 70 dp-table vacuum t --retain 0s --force -q
) &
wait

[ ! -e failed ]
ok $? "$WRITERS writers, $COMMITS commits each, compactions and vacuums among them: nothing fails"
[ ! -e failed ] || head -n 10 failed | sed 's/^/# /'
for ((w = 1; w <= WRITERS; w++)); do seq $((w * 100000 + 1)) $((w * 100000 + COMMITS)); done >want
dp-cat t --columns id 2>err | tr -dc '0-9\n' | sort -n >got
cmp -s want got
ok $? "each of $((WRITERS * COMMITS)) rows is there once ($(wc -l <got) rows, $(uniq -d got | wc -l) twice)"
last=$(find t/_delta_log -name '0*.json' | sort | tail -n 1)
[ "$(version)" -eq $((10#$(basename "$last" .json) + 1)) ]
ok $? "the log has no gap: $(version) entries, the last is $(basename "$last")"
dp-table verify t --deep >found 2>err
ok $? "the table verifies: $(tail -n 1 found)"
head -n 5 err | sed 's/^/# /'
if [ -n "${KEEP:-}" ]; then rm -rf "$KEEP" && cp -a t "$KEEP"; fi
echo "1..$n"
