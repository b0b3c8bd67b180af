#!/usr/bin/env bats
# A summary table that follows its source: dp-table changes --follow | dp-window | dp-table merge, without an end.  After each change of the source (appends, late rows,
# deletes, updates, a rewrite of its files) and each kill the summary must come to hold what a computation from nothing gives.  States are waited for, never times.

# shellcheck disable=SC2030,SC2031,SC2016
bats_require_minimum_version 1.5.0
load helper

setup() {
    dp_setup
    set -o pipefail
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: e' 'version: 1.0.0' 'status: active' 'schema:' '- name: e' '  properties:' \
        '  - {name: id, logicalType: integer, required: true}' '  - {name: ts, logicalType: integer}' '  - {name: k, logicalType: string}' \
        '  - {name: v, logicalType: number, physicalType: "decimal(18,2)"}' >events.yaml
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: s' 'version: 1.0.0' 'status: active' 'schema:' '- name: s' '  properties:' \
        '  - {name: window_start, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}' '  - {name: window_end, logicalType: integer}' \
        '  - {name: k, logicalType: string, required: true, primaryKey: true, primaryKeyPosition: 2}' '  - {name: n, logicalType: integer}' \
        '  - {name: total, logicalType: number, physicalType: "decimal(18,2)"}' '  - {name: most, logicalType: number, physicalType: "decimal(18,2)"}' >sums.yaml
    dp-table create events -c events.yaml --property delta.enableChangeDataFeed=true "$@" -q
    dp-table create sums -c sums.yaml -q
    : >all
}
teardown() {
    stop
    wait 2>/dev/null
}

# ---- the pipeline, in a session of its own ----

# go WINDOW...: dp-run in the background with these options of dp-window
go() {
    setsid dp-run --name kappa -- "dp-table changes --follow --since sums events | dp-window --time ts --key k --epoch ms --agg 'n=count(),total=sum(v),most=max(v)' --emit changelog \
        --delay 0s --lateness 520w --state state $* | dp-table merge --commit-every 10ms sums" >out 2>err 3>&- &
    pid=$!
    until_ok runs
}
runs() { kill -0 "$pid" && pgrep -s "$pid" -x dp-table; }
# Everything of it at once, as a power cut would.
stop() {
    [ -n "${pid:-}" ] || return 0
    pkill -KILL -s "$pid" 2>/dev/null || true
    dp_until_not pgrep -s "$pid"
    pid=
}

# ---- the source ----

# put N FROM_TIME SPREAD SEED: N new rows of a few keys, out of order
put() {
    awk -v n="$1" -v from="$2" -v spread="$3" -v seed="$4" 'BEGIN { srand(seed); for (i = 0; i < n; i++)
        printf "{\"id\":%d,\"ts\":%d,\"k\":\"k%d\",\"v\":%d.%02d}\n", seed * 1000 + i, from + int(rand() * spread), int(rand() * 4), rand() * 100, rand() * 100 }' >rows
    # The latest row is far ahead, so that all windows before it have fired.
    dp-partition -q -o events rows | dp-table commit -q events --eof-commits >/dev/null
}
ahead() {
    echo '{"id":'"$1"',"ts":'"$2"',"k":"ahead","v":0}' | dp-partition -q -o events | dp-table commit -q events --eof-commits >/dev/null
}
# What a window of D ms says of what the source holds now, computed from nothing: without the key that is ahead.
fresh() {
    dp-cat --to records events | jq -sc --argjson d "$1" 'map(select(.k != "ahead")) | group_by([.ts - .ts % $d, .k])[] |
        [(.[0].ts - .[0].ts % $d), .[0].k, length, (map(.v * 100 | round) | add), (map(.v * 100 | round) | max)]' | sort
}
held() { dp-cat --to records sums | jq -c 'select(.k != "ahead") | [.window_start, .k, .n, (.total * 100 | round), (.most * 100 | round)]' | sort; }
is_exact() { cmp <(fresh "$d") <(held); }
exact() { until_ok is_exact || { diff <(fresh "$d") <(held) | head -20 >&3; fail "$1"; }; }

@test "appends, late rows, deletes, updates, compaction: the summary is what the source gives" {
    d=1000
    put 200 100000 20000 1
    ahead 1 200000
    go --tumble 1s
    exact "the first rows"
    put 100 100000 20000 2
    exact "late rows"
    put 50 120000 60000 3
    exact "new rows"
    dp-table delete events --where '.k == "k1" and .v < 50' -q
    exact "deletes"
    dp-table update events --set v=1.25 --where '.k == "k2"' -q
    exact "updates"
    dp-table update events --set ts='.ts + 5000' --where '.k == "k3"' -q
    exact "rows that move to other windows"
    dp-compact -q events
    put 10 100000 100 4
    exact "compaction, and rows behind it"
    dp-table delete events --where '.ts >= 100000 and .ts < 105000' -q
    exact "whole windows go"
    [ "$(fresh $d | wc -l)" -gt 50 ]
}

@test "killed at any time, and gone on with: each change counts once" {
    d=2000
    put 100 100000 20000 1
    ahead 1 200000
    for i in 2 3 4 5 6 7; do
        go --tumble 2s
        put 60 100000 20000 $i
        [ $((i % 2)) -eq 0 ] || dp-table delete events --where ".id >= ${i}000 and .id < ${i}020" -q
        [ $((i % 3)) -ne 0 ] || exact "before kill $i" # else it is killed wherever it is
        stop
        put 5 110000 5000 1$i
    done
    go --tumble 2s
    exact "at the end"
    dp-table update events --set 'v=.v + 1' --where '.k == "k0"' -q
    exact "and on it goes"
    # nothing was counted twice on the way: the feed of positions ends where the source does
    until_ok test "$(jq -rs '[.[].txn // empty | select(.appId | startswith("kappa/delta:"))] | max_by(.version) | .version' sums/_delta_log/*.json)" -gt 10
}

@test "begun anew without --since: the same summary in one go, and in parts a message that names it" {
    d=1000
    put 50 100000 20000 1
    ahead 1 200000
    line() { dp-run --name kappa -- "dp-table changes $1 events ${3:-} | dp-window --time ts --key k --epoch ms --agg 'n=count(),total=sum(v),most=max(v)' --emit changelog --tumble 1s \
        --delay 0s --lateness 520w --state state | dp-table merge $2 sums" >out 2>err; }
    line "" ""
    is_exact
    dp-table delete events --where '.k == "k1"' -q
    line "" "" # all of the feed again: its rows by key are what they were, and what is new is new
    is_exact
    grep -q "is --since missing" err
    # a version's rows come when those before it can have been committed: in parts, however fast all of them are read
    run -1 line "" "--commit-every 1ms" "| while IFS= read -r l; do echo \"\$l\"; case \$l in *checkpoint*) sleep 0.05 ;; esac; done"
    grep -q "is older than the table's .*--since" err
    put 20 100000 20000 2
    line "--since sums" "--commit-every 1ms"
    is_exact
}

@test "sessions that grow, merge and fall apart" {
    d=1
    sessions() {
        dp-cat --to records events | jq -sc 'map(select(.k != "ahead")) | group_by(.k)[] | sort_by(.ts) | (reduce .[] as $r ([];
            if length > 0 and $r.ts - .[-1][-1].ts <= 500 then .[-1] += [$r] else . + [[$r]] end))[] |
            [.[0].ts, .[0].k, length, (map(.v * 100 | round) | add), (map(.v * 100 | round) | max)]' | sort
    }
    fresh() { sessions; }
    put 60 100000 20000 1
    ahead 1 200000
    go --session 500ms
    exact "the first rows"
    put 60 100000 20000 2
    exact "late rows that bridge"
    dp-table delete events --where '.id % 3 == 0' -q
    exact "rows that held sessions together go"
    stop
    put 30 100000 20000 3
    dp-table update events --set ts='.ts + 250' --where '.k == "k1"' -q
    go --session 500ms
    exact "behind a kill"
}
