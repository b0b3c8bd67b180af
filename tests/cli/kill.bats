#!/usr/bin/env bats
# Signals: SIGKILL at any time, the signals that are asked nicely, inside of dp-run and dp-table too.  What is under its final name is whole,
# what was published stays, and the same command again goes through.

# shellcheck disable=SC2154,SC2016 # status and stderr are those of run; what stands in single quotes is for the pipeline's bash
bats_require_minimum_version 1.5.0
load helper

DELAYS="0.002 0.01 0.02 0.04 0.08"

@test "SIGKILL at any time: output is a prefix, reports are whole or absent, the next run is as the first" {
    dp_records 60000 >in
    echo '{x}' >>in
    for t in $(dp_record_filters); do
        dp_filter "$t" --max-rejects=1 <in >want
        for delay in $DELAYS; do
            rm -f rejects report
            : >got
            # shellcheck disable=SC2046 # words
            "$DP_BIN/$t" --max-rejects=1 --rejects=rejects --report=report --metrics=metrics $(dp_words "$t") <in >got 2>err &
            pid=$!
            sleep "$delay"
            kill -KILL $pid 2>/dev/null || true
            wait $pid 2>/dev/null || true
            cmp -n "$(stat -c %s got)" want got || fail "$t after $delay s"
            [ ! -e report ] || jq -e '.records.in == 60001' report >/dev/null || fail "$t: half a report: $(cat report)"
            [ ! -e rejects ] || jq -se 'length == 1' rejects >/dev/null || fail "$t: half a reject: $(cat rejects)"
        done
        dp_filter "$t" --max-rejects=1 --rejects=rejects <in >got 2>err || fail "$t: $(cat err)"
        cmp want got || fail "$t"
    done
}

@test "SIGKILL at any time: each Parquet file of a directory is whole" {
    dp_records 60000 >in
    for delay in $DELAYS 0.15 0.25; do
        rm -rf out
        dp-partition -o out --by day --target-size=64K <in >paths 2>err &
        pid=$!
        sleep "$delay"
        kill -KILL $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
        if [ -d out ]; then
            find out -name '*.parquet' >found
            dp-cat --to records <found >rows 2>err || fail "after $delay s: $(cat err)"
        fi
        [ ! -s paths ] || dp-cat --to records <paths >rows 2>err || fail "a path was printed of a file that is not whole: $(cat err)"
    done
}

@test "SIGKILL of a commit at any time: before or after, and the same again is no second batch" {
    dp_records 10 | dp-contract infer - >c.yaml
    dp-table create t -c c.yaml --by day
    n=0
    for delay in 0.001 0.002 0.003 0.005 0.008 0.012; do
        n=$((n + 1))
        dp_records 100 | dp-partition -o t >paths
        cp paths again
        dp-table commit t --eof-commits --txn "job:$n" <paths >/dev/null 2>err &
        pid=$!
        sleep $delay
        kill -KILL $pid 2>/dev/null || true
        wait $pid 2>/dev/null || true
        rows=$(dp-cat --to records t | wc -l)
        [ "$rows" -eq $((100 * n)) ] || [ "$rows" -eq $((100 * (n - 1))) ] || fail "after $delay s: $rows rows at batch $n"
        if [ "$rows" -ne $((100 * n)) ]; then dp_records 100 | dp-partition -o t >paths; fi
        dp-table commit t --eof-commits --txn "job:$n" <paths >/dev/null 2>err || fail "again after $delay s: $(cat err)"
        [ "$(dp-cat --to records t | wc -l)" -eq $((100 * n)) ] || fail "batch $n"
    done
}

@test "SIGTERM and SIGINT to a commit that waits: 128+N, nothing published, and the next one goes through" {
    echo '{"a":1}' | dp-contract infer - >c.yaml
    dp-table create t -c c.yaml
    for sig in TERM INT; do
        mkfifo fifo
        env --default-signal=INT "$DP_BIN/dp-table" commit t --eof-commits <fifo >said 2>err &
        pid=$!
        exec 7>fifo
        echo '{"a":1}' | dp-partition -o t >&7
        dp_settled $pid
        kill -$sig $pid
        rc=0
        wait $pid || rc=$?
        exec 7>&-
        [ "$sig:$rc" = TERM:143 ] || [ "$sig:$rc" = INT:130 ] || fail "$sig: exit $rc: $(cat err)"
        [ "$(find t/_delta_log -type f | wc -l)" -eq 1 ] || fail "$sig: $(find t)"
        [ -z "$(find t -name '.dp-*')" ] || fail "$sig leaves $(find t -name '.dp-*')"
        rm -f fifo
    done
    echo '{"a":1}' | dp-partition -o t | dp-table commit t --eof-commits
    [ "$(dp-cat --to records t)" = '{"a":1}' ]
}

# Waits until no process of the pipeline whose command line holds this word is left.
gone() {
    for _ in $(seq 300); do
        pgrep -f "$1" >left || return 0
        sleep 0.1
    done
    fail "still there: $(pgrep -af "$1")"
}

@test "SIGTERM and SIGINT to dp-run end the stages, remove what they made, publish nothing" {
    echo '{"a":1}' | dp-contract infer - >c.yaml
    dp-table create t -c c.yaml
    for sig in TERM INT; do
        mkfifo fifo
        word=$BATS_TEST_TMPDIR/t
        env --default-signal=INT "$DP_BIN/dp-run" --lock lock -- "cat fifo | dp-ingest -f ndjson | dp-partition -o $word | dp-table commit $word" >said 2>err &
        pid=$!
        exec 7>fifo
        echo '{"a":1}' >&7
        dp_settled $pid
        kill -$sig $pid
        rc=0
        wait $pid || rc=$?
        exec 7>&-
        [ "$sig:$rc" = TERM:143 ] || [ "$sig:$rc" = INT:130 ] || fail "$sig: exit $rc: $(cat err)"
        gone "dp-table commit $word"
        [ "$(find t/_delta_log -type f | wc -l)" -eq 1 ] || fail "$sig: $(find t)"
        [ -z "$(find t -name '*.parquet' -o -name '.dp-*.tmp')" ] || fail "$sig leaves $(find t)"
        rm -f fifo
    done
    dp-run --lock lock -- 'echo "{\"a\":1}" | dp-ingest -f ndjson | dp-partition -o t | dp-table commit t' >said
    [ "$(dp-cat --to records t)" = '{"a":1}' ]
}

@test "SIGKILL of dp-run: the stages end by themselves, nothing is published, the lock is free" {
    echo '{"a":1}' | dp-contract infer - >c.yaml
    dp-table create t -c c.yaml
    mkfifo fifo
    word=$BATS_TEST_TMPDIR/t
    dp-run --lock lock -- "cat fifo | dp-ingest -f ndjson | dp-partition -o $word | dp-table commit $word" >said 2>err &
    pid=$!
    exec 7>fifo
    echo '{"a":1' >&7
    dp_settled $pid
    kill -KILL $pid
    wait $pid || true
    exec 7>&-
    gone "dp-table commit $word"
    [ "$(find t/_delta_log -type f | wc -l)" -eq 1 ] || fail "$(cat err; find t)"
    dp-run --lock lock -- true
}

@test "a stage inside dp-run under a parent that ignores SIGPIPE has the usual SIGPIPE" {
    (trap '' PIPE; dp-run -- 'yes | head -n 1; grep SigIgn /proc/self/status') >out.txt
    [ "$(head -n 1 out.txt)" = y ]
    mask=$(awk '/SigIgn/ { print $2 }' out.txt)
    [ $((0x$mask & 0x1000)) -eq 0 ] || fail "SIGPIPE is ignored in a stage: $mask"
}
