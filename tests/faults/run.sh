#!/bin/bash
# Crash safety, as TAP: dp-partition and dp-table commit are killed before and after every single write, fsync, rename
# and link; then the same command runs again under --since, and the table must hold each row once; once as one commit,
# once with --commit-every, a version for each of three sources.  Afterwards KILLS
# SIGKILLs (200) at random times hit random programs of the whole pipeline, with the same demand.
# usage: DP_BIN=DIR run.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
PATH=${DP_BIN:?}:$PATH
KILLS=${KILLS:-200}
RANDOM=${SEED:-20260301}
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3
# shellcheck source=tests/faults/frame.bash
. "$here/frame.bash"

make_shim

contract
rows() { # FROM TO
    seq "$1" "$2" | awk '{ printf "{\"id\":%d,\"day\":\"2026-03-%02d\",\"word\":\"w%d\"}\n", $1, $1 % 3 + 1, $1 * 7919 % 1000 }'
}
parts='' # or --commit-every 0s
pipeline() { # SOURCE...   the same command before and after the crash
    set -o pipefail
    # shellcheck disable=SC2086 # words
    DP_MARKS=1 DP_THREADS=1 dp-ingest --since t "$@" 2>>err | DP_MARKS=1 DP_THREADS=1 dp-partition $parts -o t 2>>err |
        DP_MARKS=1 dp-table commit $parts t >>out 2>>err
    local status=$?
    set +o pipefail
    return $status
}
fresh() {
    rm -rf t err out
    dp-table create t -c c.yaml >out 2>err
}
# Each id once: N ids in all, none missing, none twice
holds() { # N
    dp-cat t 2>>err | sed 's/.*"id":\([0-9]*\).*/\1/' | sort -n >got
    seq 1 "$1" | cmp -s - got && ! find t -name '*.tmp' | grep -qv _dp_staging
}

each_call() { # PROGRAM WORDS SOURCE...
    local program=$1 words=$2 total when bad i
    shift 2
    fresh || { ok 1 "a table to begin with"; sed 's/^/# /' err; }
    rm -f count
    LD_PRELOAD=$work/shim.so DP_FAULT_PROGRAM=$program DP_FAULT_COUNT=$work/count pipeline "$@"
    ok $? "$program runs under the shim$words"
    total=$(cat count 2>/dev/null || echo 0)
    [ "$total" -gt 3 ]
    ok $? "$program makes $total calls that change the disk$words"
    for when in before after; do
        bad=
        for ((i = 1; i <= total; i++)); do
            fresh
            LD_PRELOAD=$work/shim.so DP_FAULT_PROGRAM=$program DP_FAULT_AT=$i DP_FAULT_WHEN=$when pipeline "$@" 2>/dev/null
            pipeline "$@" || bad="$bad $i(again:$?)"
            holds 300 || bad="$bad $i(rows:$(wc -l <got))"
        done
        [ -z "$bad" ]
        ok $? "$program killed $when each of $total calls, then run again: each row once$words$bad"
    done
}
rows 1 300 >in.ndjson
for k in 1 2 3; do rows $((k * 100 - 99)) $((k * 100)) >in$k.ndjson; done
for program in dp-partition dp-table; do
    each_call $program '' in.ndjson
    parts='--commit-every 0s'
    each_call $program ', in parts' in1.ndjson in2.ndjson in3.ndjson
    parts=''
done

# ---- random kills of the whole pipeline ----
STEP=2000
rows 1 $((STEP * 3)) >>src.ndjson
fresh
start=$(date +%s%N)
pipeline src.ndjson
took=$((($(date +%s%N) - start) / 1000)) # microseconds of an undisturbed run: kills fall anywhere in it and a little behind
bad=''
killed=0
runs=0
size=$((STEP * 3))
while [ "$killed" -lt "$KILLS" ] && [ "$runs" -lt $((KILLS * 8)) ]; do
    runs=$((runs + 1))
    # The source grows, so that each run has something to do.
    rows $((size + 1)) $((size + STEP)) >>src.ndjson
    size=$((size + STEP))
    set -m
    (DP_MARKS=1 dp-ingest --since t src.ndjson 2>>err | DP_MARKS=1 dp-partition -o t 2>>err | DP_MARKS=1 dp-table commit t >>out 2>>err) &
    group=$!
    set +m
    sleep "$(awk -v t="$took" -v r="$RANDOM" 'BEGIN { printf "%.6f", t * r / 32768 * 1.1 / 1e6 }')"
    mapfile -t victims < <(pgrep -g "$group" dp-)
    if [ "${#victims[@]}" -gt 0 ]; then
        kill -KILL "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null && killed=$((killed + 1))
    fi
    wait "$group"
    if ((runs % 25 == 0)); then
        pipeline src.ndjson || bad="$bad $runs(again:$?)"
        holds "$size" || bad="$bad $runs(rows:$(sort -u got | wc -l) of $size, $(uniq -d got | wc -l) twice)"
    fi
done 2>/dev/null # bash tells of each job that was killed
pipeline src.ndjson || bad="$bad end(again:$?)"
holds "$size" || bad="$bad end(rows:$(sort -u got | wc -l) of $size, $(uniq -d got | wc -l) twice)"
[ -z "$bad" ] && [ "$killed" -eq "$KILLS" ]
ok $? "$killed programs killed at random times in $runs runs, the same command again: each row once$bad"
echo "1..$n"
