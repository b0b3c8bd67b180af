#!/usr/bin/env bats
# dp-ingest --ledger in front of a program with a durable state: the checkpoint that begin names, and --since-state, by which the state is what counts, whoever is killed when.

# shellcheck disable=SC2030,SC2031,SC2016,SC2086
bats_require_minimum_version 1.5.0
load helper

setup() {
    dp_setup
    set -o pipefail
    export DP_MARKS=1
}
teardown() {
    stop
    wait 2>/dev/null
}

Q=(--time ts --key k --tumble 1s --delay 500ms --agg 'n=count(),s=sum(v)')
rows() { # FROM TO   nearly in order
    seq "$1" "$2" | awk '{ printf "{\"id\":%d,\"ts\":%d,\"k\":\"k%d\",\"v\":%d}\n", $1, $1 * 100 + $1 * 7919 % 5 * 60, $1 * 31 % 7, $1 % 10 }'
}
data() { sed '/^{"$dp"/d'; }
# What all rows give, also those of windows that are open: want FILE...
want() { DP_MARKS=0 dp-window "${Q[@]}" --flush "$@" | sort; }
# What was printed, each row once, and what is open in the state.
got() { { data <out; DP_MARKS=0 dp-window "${Q[@]}" --state s --flush </dev/null; } | sort -u; }
job() { dp-ingest --ledger l "$@" 2>>err | dp-window "${Q[@]}" --state s >>out 2>>err; }

# The pipeline in the background, in a session of its own: go SOURCE...
go() {
    setsid bash -c 'dp-ingest --follow --ledger l --since-state s "$@" | dp-window --time ts --key k --tumble 1s --delay 500ms --agg "n=count(),s=sum(v)" --state s >>out' \
        - "$@" 2>>err 3>&- &
    pid=$!
    until_ok pgrep -s "$pid" -x dp-window
}
stop() {
    [ -n "${pid:-}" ] || return 0
    pkill -KILL -s "$pid" 2>/dev/null || true
    dp_until_not pgrep -s "$pid"
    pid=
}
last_point() { DP_MARKS=0 dp-window --state s --inspect 2>/dev/null | jq -r 'select(.kind == "checkpoint" and .live) | .number' | tail -1; }
is_past() { local now; now=$(last_point) && [ -n "$now" ] && [ "$now" -gt "$1" ]; }

@test "begin names the checkpoint of the last run, and the state goes on from it" {
    for k in 1 2 3; do rows $((k * 100 - 99)) $((k * 100)) >in$k; done
    want in1 in2 in3 >wanted
    job in1
    job in1 in2
    job in1 in2
    rows 201 250 >in3
    job in1 in2 in3
    rows 251 300 >>in3
    job in1 in2 in3
    got | diff wanted -
    [ "$(data <out | sort | uniq -d | wc -l)" -eq 0 ]
    run -1 grep "is --since missing" err
    # behind each run the id is that of its last checkpoint; a file that grows past what its name told of it included
    printf '{"id":0,"ts":1,"k":"x","v":1}\n' >tiny
    for ((i = 1; i < 4; i++)); do
        dp-ingest --ledger l2 tiny >stream
        jq -r 'select(."$dp" == "begin").id' stream >id
        [ "$i" -eq 1 ] || diff last id
        jq -r 'select(."$dp" == "checkpoint").id' stream >last
        echo '{"id":1}' >>tiny
    done
    [ -s last ] && [ "$(jq -s 'map(select(has("id"))) | length' tiny)" -eq 4 ]
}

@test "a state that has not the checkpoint is told, not passed over; --since-state goes back to what it has" {
    for k in 1 2; do rows $((k * 100 - 99)) $((k * 100)) >in$k; done
    want in1 in2 >wanted
    dp-ingest --ledger l in1 >/dev/null # handed over to nobody
    run -4 job in2
    grep -q 'of the state s is not there' err
    rm -rf s out
    run -2 --separate-stderr dp-ingest --since-state s in1
    dp_expect 2 "ledger"
    job --since-state s in1 in2
    rm s/*2-*.ck # as if it had been killed before the second one: back to where that run began
    dp-ingest -n --ledger l --since-state s in1 in2 | jq -s 'map(select(.id and .ts)) | length' | grep -qx 200
    dp-ingest -n --ledger l --since-state s in1 in2 | jq -s 'map(select(.id and .ts)) | length' | grep -qx 200
    job --since-state s in1 in2
    got | diff wanted -
    # without any it begins anew; and what is unknown is refused
    rm -rf s out
    job --since-state s in1 in2
    got | diff wanted -
    run -2 --separate-stderr dp-ingest --ledger other --since-state s in1
    dp_expect 2 "knows none of the checkpoints of s"
    [ ! -s other ] || [ "$(dp-ingest -n --ledger other in1 | data | wc -l)" -eq 100 ]
    # another state has positions of its own
    dp-ingest --ledger l --since-state s2 in1 | data | wc -l | grep -qx 100
}

@test "followed files, and any program killed at any time: each record is in the state once" {
    rows 1 200 >f
    go f
    until_ok is_past 0
    for i in 1 2 3 4 5 6; do
        rows $((i * 200 + 1)) $((i * 200 + 200)) >>f
        case $i in
        1) pkill -KILL -s "$pid" -x dp-window; ;;
        2) pkill -KILL -s "$pid" -x dp-ingest; ;;
        3) was=$(last_point) && until_ok is_past "$was" ;;
        4) was=$(last_point) && until_ok is_past "$was" && pkill -KILL -s "$pid" -x dp-window ;;
        esac
        stop
        go f
    done
    rows 1401 1500 >>f
    want f >wanted
    is_all() { [ "$(tail -c 4096 out | data | tail -1 | jq -r .window_start)" \> "1970-01-01T00:02:25" ]; }
    until_ok is_all
    stop
    job --since-state s f # what came behind the last checkpoint
    got | diff wanted -
}

@test "--since-state: what is no directory is told, and nothing is read" {
    printf '{"a":1}\n' >in.ndjson
    : >file
    run -3 dp-ingest --ledger l.db --since-state file in.ndjson
    assert_output --partial "can't look into file"
    refute_output --partial '{"a":1}'
    # one that is not there is a job that begins
    run -0 dp-ingest -q --ledger l.db --since-state new in.ndjson
    assert_line '{"a":1}'
}
