#!/bin/bash
# Crash safety of a stateful pipeline, as TAP: dp-ingest --since T | dp-window --state S | dp-partition -o T | dp-table commit T, or with dp-dedupe in dp-window's place
# ("records" below are its windows then).  That program and dp-table are
# killed before and after each of their calls that change the disk, and find the disk full from them on; afterwards KILLS (60) SIGKILLs hit random programs at
# random times.  After each the same command runs again, and in the end the table's rows are those of a run that nothing disturbed: neither is a window
# lost, nor twice there, nor without some of its records.  With --commit-every 0s each source is a checkpoint and a version of its own, so that the state is
# often one or two checkpoints ahead of the table; and each run commits the windows that the one before left in the state.
# usage: DP_BIN=DIR window.sh [window|dedupe]
set -u
here=$(cd "$(dirname "$0")" && pwd)
PATH=${DP_BIN:?}:$PATH
which=${1:-window}
KILLS=${KILLS:-60}
POINTS=${POINTS:-40}
RANDOM=${SEED:-20260301}
export DP_MARKS=1 DP_THREADS=1
work=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3
# shellcheck source=tests/faults/frame.bash
. "$here/frame.bash"

make_shim
cat >c.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: faults
version: 1.0.0
status: active
schema:
  - name: t
    logicalType: object
    properties:
Y
if [ "$which" = window ]; then
    cat >>c.yaml <<'Y'
      - {name: window_start, logicalType: timestamp, required: true}
      - {name: window_end, logicalType: timestamp, required: true}
      - {name: k, logicalType: string, required: true}
      - {name: n, logicalType: integer}
      - {name: top, logicalType: integer}
Y
else
    cat >>c.yaml <<'Y'
      - {name: id, logicalType: integer, required: true}
      - {name: ts, logicalType: integer, required: true}
      - {name: d, logicalType: integer, required: true}
      - {name: k, logicalType: string}
      - {name: v, logicalType: integer}
Y
fi
rows() { # FROM TO   nearly in order; each fifth has a d that was there long before
    seq "$1" "$2" | awk '{ printf "{\"id\":%d,\"ts\":%d,\"k\":\"k%d\",\"v\":%d,\"d\":%d}\n", $1, $1 * 100 + $1 * 7919 % 5 * 60, $1 * 31 % 7, $1 * 7919 % 1000, $1 % 5 ? $1 : $1 / 2 }'
}
within='' # of dp-dedupe: with a time of its own, or not
stage() { # OPTION...
    # shellcheck disable=SC2086 # words
    if [ "$which" = window ]; then dp-window --time ts --key k --tumble 1s --delay 500ms --agg 'n=count(),top=max(v)' "$@"; else dp-dedupe --key d $within "$@"; fi
}
keep_open() { if [ "$which" = window ]; then stage --no-flush "$@"; else stage "$@"; fi; }
parts=''
pipeline() { # SOURCE...   the same command before and after the crash
    set -o pipefail
    # shellcheck disable=SC2086 # words
    dp-ingest --since t "$@" 2>>err | stage --state s 2>>err | dp-partition $parts -o t 2>>err | dp-table commit $parts t >>out 2>>err
    local status=$?
    set +o pipefail
    return $status
}
fresh() {
    rm -rf t s err out
    dp-table create t -c c.yaml >out 2>err
}
content() { DP_MARKS=0 dp-cat t 2>>err | sort; }
holds() { content | cmp -s - want && ! find s -name '*.tmp' | grep -q .; }

each_call() { # PROGRAM WORDS SOURCE...
    local program=$1 words=$2 total when bad i step
    shift 2
    fresh || { ok 1 "a table to begin with"; sed 's/^/# /' err; }
    rm -f count
    LD_PRELOAD=$work/shim.so DP_FAULT_PROGRAM=$program DP_FAULT_COUNT=$work/count pipeline "$@"
    ok $? "$program runs under the shim$words"
    content >want
    total=$(cat count 2>/dev/null || echo 0)
    [ "$total" -gt 3 ] && [ "$(wc -l <want)" -gt 100 ]
    ok $? "$program makes $total calls that change the disk, for $(wc -l <want) rows$words"
    step=$(((total + POINTS - 1) / POINTS))
    for when in before after full; do
        bad=
        for ((i = 1; i <= total; i += step)); do
            fresh
            LD_PRELOAD=$work/shim.so DP_FAULT_PROGRAM=$program DP_FAULT_AT=$i DP_FAULT_WHEN=$when pipeline "$@" 2>/dev/null
            pipeline "$@" || bad="$bad $i(again:$?)"
            holds || bad="$bad $i(rows:$(content | comm -3 - want | wc -l) differ)"
        done
        [ -z "$bad" ]
        ok $? "$program stopped $when each of $total calls (every $step), then run again: the rows of an undisturbed run$words$bad"
    done
}
rows 1 300 >in.ndjson
for k in 1 2 3; do rows $((k * 100 - 99)) $((k * 100)) >in$k.ndjson; done
for program in "dp-$which" dp-table; do
    parts=''
    within=''
    each_call "$program" '' in.ndjson
    parts='--commit-every 0s'
    within='--within 1h --time ts --delay 10s'
    each_call "$program" ', in parts' in1.ndjson in2.ndjson in3.ndjson
done

# ---- random kills of the whole pipeline ----
fresh
sources=()
bad=''
killed=0
runs=0
size=0
timed() { # the pipeline, and how long it took in microseconds
    local start status
    start=$(date +%s%N)
    pipeline "${sources[@]}"
    status=$?
    took=$((($(date +%s%N) - start) / 1000)) # that of many sources: kills fall anywhere in the shorter runs, and behind some
    return $status
}
grow() { # each run has something to do: a few new sources, and what the last ones left
    for k in 1 2 3; do
        rows $((size + 1)) $((size + 400)) >"src$size.ndjson"
        sources+=("src$size.ndjson")
        size=$((size + 400))
    done
}
grow
timed || bad="$bad first"
while [ "$killed" -lt "$KILLS" ] && [ "$runs" -lt $((KILLS * 16)) ]; do
    runs=$((runs + 1))
    grow
    set -m
    # shellcheck disable=SC2086 # words
    (dp-ingest --since t "${sources[@]}" 2>>err | stage --state s 2>>err | dp-partition $parts -o t 2>>err | dp-table commit $parts t >>out 2>>err) &
    group=$!
    set +m
    sleep "$(awk -v t="$took" -v r="$RANDOM" 'BEGIN { printf "%.6f", t * r / 32768 * 0.8 / 1e6 }')"
    mapfile -t victims < <(pgrep -g "$group" dp-)
    if [ "${#victims[@]}" -gt 0 ]; then
        kill -KILL "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null && killed=$((killed + 1))
    fi
    wait "$group"
    if ((runs % 15 == 0)); then
        grow
        timed || bad="$bad $runs(again:$?)"
        cat "${sources[@]}" >all.ndjson
        DP_MARKS=0 keep_open all.ndjson 2>>err | wc -l >count
        [ "$(content | wc -l)" -eq "$(cat count)" ] || bad="$bad $runs(rows:$(content | wc -l) of $(cat count))"
    fi
done 2>/dev/null # bash tells of each job that was killed
pipeline "${sources[@]}" || bad="$bad end(again:$?)"
content >got
mv s disturbed
fresh
cat "${sources[@]}" >all.ndjson
parts=''
pipeline all.ndjson || bad="$bad undisturbed(:$?)"
content >want
cmp -s got want || bad="$bad end(rows:$(comm -3 got want | wc -l) differ)"
[ -z "$bad" ] && [ "$killed" -eq "$KILLS" ]
ok $? "$killed programs killed at random times in $runs runs, the same command again: the $(wc -l <want) rows of an undisturbed run$bad"
n_files=$(find disturbed -name '*.ck' | wc -l)
[ "$n_files" -lt 400 ]
ok $? "the state has $n_files checkpoints left"
echo "1..$n"
