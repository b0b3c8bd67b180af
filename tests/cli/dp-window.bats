#!/usr/bin/env bats
# dp-window: the run of windows, from options to rows: times, keys, books, late records, marks, headers, state, and what is refused.  What windows are is tested in window.bats.

# shellcheck disable=SC2154 # stderr is of run
bats_require_minimum_version 1.5.0
load helper

clicks() {
    printf '%s\n' '{"ts":"2026-03-01T10:00:05Z","page":"a","n":1.10}' '{"ts":"2026-03-01T10:00:59Z","page":"b","n":2}' \
        '{"ts":"2026-03-01T10:00:30Z","page":"a","n":0.90}' '{"ts":"2026-03-01T10:02:31Z","page":"a","n":5}' '{"ts":"2026-03-01T10:00:10Z","page":"b","n":7}'
}

@test "tumbling windows by key: bounds, sums, order; a late record is counted and kept" {
    clicks >in
    run -0 --separate-stderr dp-window --time ts --key page --tumble 1m --delay 1m --agg 'n=count(),sum=sum(n)' --late late --report r.json in
    assert_output '{"window_start":"2026-03-01T10:00:00Z","window_end":"2026-03-01T10:01:00Z","page":"a","n":2,"sum":2.00}
{"window_start":"2026-03-01T10:00:00Z","window_end":"2026-03-01T10:01:00Z","page":"b","n":1,"sum":2}
{"window_start":"2026-03-01T10:02:00Z","window_end":"2026-03-01T10:03:00Z","page":"a","n":1,"sum":5}'
    assert_equal "$(cat late)" "$(tail -n 1 in)"
    assert_equal "$(stat -c %a late)" 600
    assert_equal "$(jq -c '[.records | .in, .used, .late, .rejected, .unassigned]' r.json)" '[5,4,1,0,0]'
    assert_equal "$(jq .watermark r.json)" 1772359291000
}

@test "without --delay nothing is late, and the end of the input fires all" {
    clicks >in
    run -0 --separate-stderr sh -c 'dp-window --time ts --tumble 1m in | jq -c "[.window_start, .n]"'
    assert_output '["2026-03-01T10:00:00Z",4]
["2026-03-01T10:02:00Z",1]'
}

@test "every kind of window says its bounds" {
    printf '%s\n' '{"t":1000,"k":"a"}' '{"t":4000,"k":"a"}' '{"t":16000,"k":"a"}' >in
    w() { dp-window --time t --key k --epoch ms "$@" in | jq -c '[.window_start, .window_end, .n]' | tr '\n' ' '; }
    assert_equal "$(w --tumble 10s)" '[0,10000,2] [10000,20000,1] '
    assert_equal "$(w --tumble 10s --offset 2s)" '[-8000,2000,1] [2000,12000,1] [12000,22000,1] '
    assert_equal "$(w --tumble 10s --offset -8s)" "$(w --tumble 10s --offset 2s)"
    assert_equal "$(w --hop 10s,5s)" '[-5000,5000,2] [0,10000,2] [10000,20000,1] [15000,25000,1] '
    assert_equal "$(w --session 5s)" '[1000,9000,2] [16000,21000,1] '
    assert_equal "$(w --session 3s)" '[1000,7000,2] [16000,19000,1] '
    assert_equal "$(w --session 3s --gap-exclusive)" '[1000,4000,1] [4000,7000,1] [16000,19000,1] '
    assert_equal "$(w --count 2)" '[1000,4000,2] '
    assert_equal "$(w --count 2 --flush)" '[1000,4000,2] [16000,16000,1] '
    assert_equal "$(w --calendar day --timezone +01:00)" '[-3600000,82800000,3] '
}

@test "a local day has 23 or 25 hours where clocks change" {
    printf '%s\n' '{"t":"2024-03-31T12:00:00","k":1}' '{"t":"2024-10-27T12:00:00","k":1}' >in
    run -0 --separate-stderr sh -c 'dp-window --time t --epoch ms --calendar day --timezone Europe/Berlin in | jq "(.window_end - .window_start) / 3600000"'
    assert_output '23
25'
    run -0 --separate-stderr sh -c 'dp-window --time t --calendar week --week-start 7 --timezone Europe/Berlin in | jq -c "[.window_start, .window_end]"'
    assert_output '["2024-03-30T23:00:00Z","2024-04-06T22:00:00Z"]
["2024-10-26T22:00:00Z","2024-11-02T23:00:00Z"]'
}

@test "times: numbers in units, RFC 3339 in all its forms, and what is no time" {
    w() { printf '{"t":%s}\n' "$1" | dp-window --time t --epoch ms --tumble 1ms "${@:2}" 2>/dev/null | jq -c .window_start; }
    assert_equal "$(w 5)" 5
    assert_equal "$(w -5)" -5
    assert_equal "$(w 1700000000 --unit s)" 1700000000000
    assert_equal "$(w 1700000000.1239 --unit s)" 1700000000123
    assert_equal "$(w -1.0001 --unit s)" -1001
    assert_equal "$(w -1 --unit us)" -1
    assert_equal "$(w 1999999 --unit ns)" 1
    assert_equal "$(w '"1970-01-01T00:00:01Z"')" 1000
    assert_equal "$(w '"1970-01-01T01:00:01.5+01:00"')" 1500
    assert_equal "$(w '"1970-01-01\u005400:00:01.123456789Z"')" 1123
    assert_equal "$(w '"1969-12-31T23:59:59.9999Z"')" -1
    assert_equal "$(w '"1970-01-01T00:00:01"' --timezone UTC)" 1000
    assert_equal "$(w '"1970-01-02"' --timezone UTC)" 86400000
    for bad in null true '"x"' 1.5 1e3 '"1970-01-01T00:00:01"' '"1970-13-01T00:00:01Z"' '"1970-01-01T24:00:01Z"' '{}' 99999999999999999999; do
        printf '{"t":%s}\n' "$bad" >in
        run -1 --separate-stderr dp-window --time t --tumble 1s in
    done
    printf '{"x":1}\n{"t":253402300800000}\n{"t":1}\n' >in
    run -0 --separate-stderr dp-window --time t --tumble 1s --rejects bad --max-rejects 2 in
    assert_equal "$(jq -c '.reject.rules[0] | [.rule, .path]' bad | sort | uniq -c | sed 's/^ *//')" '2 ["time","t"]'
}

@test "keys: equal by value, ordered by their bytes, printed as JSON; null and missing are rejects" {
    printf '%s\n' '{"t":1,"k":1.0}' '{"t":1,"k":1}' '{"t":1,"k":"1"}' '{"t":1,"k":"\u0061"}' '{"t":1,"k":"a"}' '{"t":1,"k":""}' '{"t":1,"k":"\u0000\"é"}' \
        '{"t":1,"k":true}' '{"t":1,"k":10e-1}' '{"t":1,"k":-0.50}' '{"t":1,"k":10}' '{"t":1,"k":9}' '{"t":1,"k":1e50}' '{"t":1,"k":null}' '{"t":1}' '{"t":1,"k":[1]}' >in
    run -0 --separate-stderr sh -c 'dp-window --time t --key k --tumble 1s --max-rejects 3 in | sed "s/.*\"k\"://"'
    assert_output '"","n":1}
"\u0000\"é","n":1}
-0.5,"n":1}
1,"n":3}
"1","n":1}
10,"n":1}
1e50,"n":1}
9,"n":1}
"a","n":2}
true,"n":1}'
    printf '{"t":1,"u":{"id":7,"x y":8},"b":"z"}\n' >in
    run -0 --separate-stderr dp-window --time t --key 'u.id,w=.u."x y",b' --tumble 1s --epoch ms in
    assert_output '{"window_start":0,"window_end":1000,"id":7,"w":8,"b":"z","n":1}'
}

@test "the same rows for any number of threads and any memory, with disorder" {
    awk 'BEGIN { srand(7); for (i = 0; i < 60000; i++) printf "{\"t\":%d,\"k\":\"k%d\",\"v\":%.2f}\n", i * 10 - int(rand() * rand() * 30000), rand() * 500, rand() * 100 }' >in
    dp-window --time t --key k --hop 10s,5s --delay 1s --agg 'n=count(),s=sum(v),m=max(v),q=quantile(v,0.9)' --late l1 -j 1 in >one 2>/dev/null
    dp-window --time t --key k --hop 10s,5s --delay 1s --agg 'n=count(),s=sum(v),m=max(v),q=quantile(v,0.9)' --late l2 -j 3 -m 16M <in >two 2>/dev/null
    cmp one two
    cmp l1 l2
    [ -s l1 ]
    # parts together are the whole
    for i in 1 2 3; do dp-window --time t --key k --hop 10s,5s --delay 1s --agg 'n=count(),s=sum(v),m=max(v),q=quantile(v,0.9)' --part $i/3 in 2>/dev/null; done | sort >parts
    sort one | cmp - parts
}

@test "updates: a window that has fired is printed again, and lateness closes it" {
    printf '%s\n' '{"t":1}' '{"t":25}' '{"t":2}' '{"t":45}' '{"t":3}' >in
    run -0 --separate-stderr dp-window --time t --epoch ms --tumble 10ms --delay 0s --lateness 20ms --emit update in
    assert_output '{"window_start":0,"window_end":10,"n":1,"op":"emit","pane":0}
{"window_start":0,"window_end":10,"n":2,"op":"update","pane":1}
{"window_start":20,"window_end":30,"n":1,"op":"emit","pane":0}
{"window_start":40,"window_end":50,"n":1,"op":"emit","pane":0}'
    run -0 --separate-stderr sh -c 'dp-window --time t --epoch ms --tumble 10ms --delay 0s --lateness 20ms in | jq -c "[.window_start, .n]" | tr "\n" " "'
    assert_output '[0,2] [20,1] [40,1] '
}

@test "--max-future rejects what is too far ahead of the clock, and time stays" {
    printf '%s\n' '{"t":1000}' '{"t":99999999}' '{"t":2000}' >in
    run -0 --separate-stderr dp-window --time t --epoch ms --tumble 1s --delay 0s --max-future 1s --now 2000 --rejects bad --max-rejects 1 in
    assert_output '{"window_start":1000,"window_end":2000,"n":1}
{"window_start":2000,"window_end":3000,"n":1}'
    assert_equal "$(jq -r '.reject.rules[0].rule' bad)" future
}

@test "sources: the least of those that are not idle counts, and named ones are waited for" {
    printf '%s\n' '{"t":100,"s":"a"}' '{"t":5,"s":"b"}' '{"t":6,"s":"b"}' >in
    run -0 --separate-stderr sh -c 'dp-window --time t --epoch ms --tumble 10ms --delay 0s --source s:a,b in | jq -c "[.window_start, .n]" | tr "\n" " "'
    assert_output '[0,2] [100,1] '
    run -0 --separate-stderr dp-window --time t --epoch ms --tumble 10ms --delay 0s --source s:a,b,c --no-flush --report r.json in
    assert_output ''
    assert_equal "$(jq .watermark r.json)" null
    { cat in && echo '{"$dp":"idle","source":"c"}'; } >marked
    run -0 --separate-stderr sh -c 'dp-window --time t --epoch ms --tumble 1ms --delay 0s --source s:a,b,c --no-flush <marked | grep -v dp | jq -c "[.window_start, .n]"'
    assert_output '[5,1]'
}

@test "a source that is silent for --idle holds nobody up, and early rows come by the clock" {
    mkfifo pipe
    dp-window --time t --epoch ms --tumble 10ms --delay 0s --source s:a,b --idle 100ms <pipe >out 2>err &
    pid=$!
    exec 7>pipe
    printf '%s\n' '{"t":1,"s":"a"}' '{"t":15,"s":"a"}' >&7
    until_ok grep -q '"window_start":0,"window_end":10,"n":1' out # b was never heard
    exec 7>&-
    wait $pid
    dp-window --time t --epoch ms --tumble 10ms --delay 0s --early 50ms <pipe >out 2>err &
    pid=$!
    exec 7>pipe
    printf '{"t":1}\n' >&7
    until_ok grep -q '"n":1,"op":"early","pane":0' out
    exec 7>&-
    wait $pid
    assert_equal "$(tail -n 1 out)" '{"window_start":0,"window_end":10,"n":1,"op":"emit","pane":0}'
}

@test "what is due goes out while the input waits" {
    mkfifo pipe
    dp-window --time t --epoch ms --tumble 10ms --delay 0s <pipe >out 2>err &
    pid=$!
    exec 7>pipe
    printf '{"t":1}\n{"t":11}\n' >&7
    until_ok grep -q '"window_start":0' out
    exec 7>&-
    wait $pid
    assert_equal "$(wc -l <out)" 2
}

@test "absence: a row for each silence, with the evidence" {
    printf '%s\n' '{"t":0,"k":"a","v":1}' '{"t":5,"k":"b","v":2}' '{"t":8,"k":"a","v":3}' '{"t":30,"k":"b","v":4}' >in
    run -0 --separate-stderr dp-window --time t --key k --epoch ms --absent 10ms --agg 'n=count(),last=last(v)' in
    assert_output '{"window_start":5,"window_end":15,"last_seen":5,"absent_ms":10,"k":"b","n":1,"last":2}
{"window_start":0,"window_end":18,"last_seen":8,"absent_ms":10,"k":"a","n":2,"last":3}'
    run -0 --separate-stderr sh -c 'dp-window --time t --key k --epoch ms --absent 10ms --flush in | wc -l'
    assert_output 3
}

@test "changes are taken back: a window without records is retracted" {
    printf '%s\n' '{"t":1,"k":"a","v":5,"_change_type":"insert"}' '{"t":2,"k":"a","v":7,"_change_type":"insert"}' '{"t":2,"k":"b","v":1,"_change_type":"insert"}' '{"t":20,"k":"a","v":1,"_change_type":"insert"}' \
        '{"t":1,"k":"a","v":5,"_change_type":"update_preimage"}' '{"t":1,"k":"a","v":6,"_change_type":"update_postimage"}' '{"t":2,"k":"b","v":1,"_change_type":"delete"}' >in
    run -0 --separate-stderr sh -c 'dp-window --time t --key k --epoch ms --tumble 10ms --delay 0s --lateness 1h --emit changelog --agg "s=sum(v)" in | jq -c "[.op, .window_start, .k, .s, .pane]"'
    assert_output '["emit",0,"a",12,0]
["emit",0,"b",1,0]
["update",0,"a",7,1]
["update",0,"a",13,2]
["retract",0,"b",null,0]
["emit",20,"a",1,0]'
    run -0 --separate-stderr sh -c 'dp-window --time t --key k --epoch ms --tumble 10ms --agg "s=sum(v)" in | jq -c "[.window_start, .k, .s]"'
    assert_output '[0,"a",13]
[20,"a",1]'
    sed 's/insert/inserted/' in >bad
    run -1 --separate-stderr dp-window --time t --tumble 10ms bad
}

@test "changes behind records that were passed over are changes" {
    printf '%s\n' '{"t":1,"k":"a","v":1}' '{"t":1,"k":"a","v":9,"_change_type":"delete"}' '{"t":1,"k":"a","v":1,"_change_type":"delete"}' '{"t":2,"k":"b","v":1,"_change_type":"insert"}' >in
    run -0 --separate-stderr sh -c 'dp-window --time t --key k --epoch ms --tumble 10ms --changes --where ".v < 5" --agg "n=count()" in | jq -c "[.k, .n]"'
    assert_output '["b",1]'
}

@test "marks: the header says what rows are, checkpoints wait without a state, watermarks go on" {
    printf '%s\n' '{"ts":"2026-03-01T10:00:05Z","k":"a","v":1}' >in.ndjson
    dp-ingest --marks in.ndjson | dp-window --time ts --key k --tumble 1m --agg 'n=count(),m=max(v)' >out
    assert_equal "$(head -n 1 out | jq -c '[.chain, [.schema.fields[] | [.name, .type]]]')" \
        '[["dp-ingest","dp-window"],[["window_start","timestamp"],["window_end","timestamp"],["k","void"],["n","int64"],["m","void"]]]'
    assert_equal "$(head -n 1 out | jq -c '[.fields[] | select(.name) | [.name, ([.from[] | .field] | unique)]]')" \
        '[["window_start",["ts"]],["window_end",["ts"]],["k",["k"]],["n",[]],["m",["v"]]]'
    assert_equal "$(jq -r '."$dp" // "row"' out | tr '\n' ' ')" 'begin row checkpoint end '
    printf '%s\n' '{"t":1}' '{"$dp":"watermark","time":20}' '{"t":15}' '{"t":5}' '{"$dp":"watermark","time":"1970-01-01T00:00:00.040Z"}' | dp-window --time t --epoch ms --tumble 10ms >out 2>err
    assert_equal "$(cat out)" '{"window_start":0,"window_end":10,"n":1}
{"$dp":"watermark","time":20}
{"$dp":"watermark","time":40}'
}

stream() { # run id, id or -, lines...: a stream with marks
    local id="" run=$1 lines
    [ "$2" = - ] || id=",\"id\":\"$2\""
    shift 2
    lines=$(printf '%s\n' "$@")
    printf '%s\n' "$lines" | grep -v '"\$dp"' | dp-ingest -f ndjson --marks 2>/dev/null | tail -n 1 | jq -c --arg run "$run" '.run = $run' >end
    printf '{"$dp":"begin","run":"%s","job":"dp"%s}\n%s\n' "$run" "$id" "$lines"
    cat end
}
mark() { printf '{"$dp":"checkpoint","run":"%s","source":"s","partition":"0","position":"%s","id":"%s"}' "$1" "$2" "$3"; }

@test "--state: the checkpoint that begin names is restored, whatever came behind it" {
    w() { dp-window --time t --epoch ms --tumble 10ms --delay 0s --state st | grep -v '"\$dp"'; }
    stream r1 - '{"t":1}' '{"t":2}' "$(mark r1 2 c1)" '{"t":3}' "$(mark r1 3 c2)" '{"t":4}' >one
    w <one | cmp - /dev/null
    stream r2 c1 '{"t":3}' '{"t":4}' '{"t":11}' "$(mark r2 5 c3)" >two
    assert_equal "$(w <two)" '{"window_start":0,"window_end":10,"n":4}'
    stream r3 c2 '{"t":4}' '{"t":11}' >three
    assert_equal "$(w <three)" '{"window_start":0,"window_end":10,"n":4}'
    stream r4 c3 '{"t":12}' '{"t":21}' >four
    assert_equal "$(w <four)" '{"window_start":10,"window_end":20,"n":2}'
    stream r5 - '{"t":12}' '{"t":21}' >five
    assert_equal "$(w <five 2>err)" '{"window_start":10,"window_end":20,"n":1}'
    grep -q 'state st is passed over' err
    stream r6 nowhere '{"t":12}' >six
    dp-window --time t --epoch ms --tumble 10ms --delay 0s --state st <six >out 2>err || status=$?
    assert_equal "$status" 4
    grep -q 'nowhere' err
}

@test "--state without marks: the newest checkpoint, files are read once, and another query is refused" {
    printf '%s\n' '{"t":1}' '{"t":2}' >a.ndjson
    w() { dp-window --time t --epoch ms --tumble 10ms --delay 0s --state st "$@"; }
    run -0 --separate-stderr w --dry-run a.ndjson
    [ ! -e st ]
    run -0 --separate-stderr w a.ndjson
    assert_output ''
    printf '%s\n' '{"t":3}' '{"t":14}' >>a.ndjson
    run -0 --separate-stderr w a.ndjson
    assert_output '{"window_start":0,"window_end":10,"n":3}'
    run -0 --separate-stderr w a.ndjson
    assert_output ''
    run -0 --separate-stderr w --flush a.ndjson
    assert_output '{"window_start":10,"window_end":20,"n":1}'
    run -2 --separate-stderr dp-window --time t --epoch ms --tumble 20ms --delay 0s --state st a.ndjson
    [[ $stderr == *size_ms*10*20* ]]
    run -2 --separate-stderr dp-window --time t --epoch ms --tumble 10ms --delay 0s --agg 'm=max(t)' --state st a.ndjson
    [[ $stderr == *aggregates* ]]
}

@test "--state: SIGTERM writes a checkpoint, and the late file has each line once" {
    mkfifo pipe
    dp-window --time t --epoch ms --tumble 10ms --delay 0s --state st --late late <pipe >out 2>err &
    pid=$!
    exec 7>pipe
    printf '{"t":1}\n{"t":12}\n{"t":2}\n' >&7
    until_ok grep -q '"window_start":0' out
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    exec 7>&-
    assert_equal "$status" 143
    printf '{"t":13}\n{"t":3}\n{"t":25}\n' | dp-window --time t --epoch ms --tumble 10ms --delay 0s --state st --late late >out 2>err
    assert_equal "$(cat out)" '{"window_start":10,"window_end":20,"n":2}'
    assert_equal "$(cat late)" '{"t":2}
{"t":3}'
}

contract() { # name, property lines
    printf '%s\n' 'apiVersion: v3.0.2' 'kind: DataContract' "id: $1" 'version: 1.0.0' 'status: active' 'schema:' "  - name: $1" '    properties:'
    printf '      - {%s}\n' "${@:2}"
}

@test "exactly once: files, windows, table; with the table at checkpoint n and the state behind it" {
    contract w 'name: window_start, logicalType: date, physicalType: timestamp' 'name: window_end, logicalType: date, physicalType: timestamp' 'name: k, logicalType: string' \
        'name: n, logicalType: integer' >w.yaml
    dp-table create w -c w.yaml >/dev/null
    : >in.ndjson
    windows="dp-window --time t --key k --tumble 10s --delay 0s --state st"
    for i in 1 2 3 4 5 6; do
        printf '{"t":%d,"k":"a"}\n{"t":%d,"k":"b"}\n' $((i * 7000)) $((i * 7000 + 1)) >>in.ndjson
        # a run whose commit never comes: its checkpoint is of no table
        [ $((i % 2)) = 0 ] || DP_JOB=j dp-ingest --marks --since w in.ndjson | $windows >/dev/null
        dp-run --name j -- "dp-ingest --since w in.ndjson | $windows | dp-partition -o w | dp-table commit w -q" >/dev/null
    done
    dp-window --time t --key k --tumble 10s --delay 0s --no-flush in.ndjson | sort >want
    dp-cat w | sort | cmp - want
    [ "$(wc -l <want)" -ge 6 ]
}

@test "a summary stays exact while its table gets late rows, updates and deletes" {
    contract o 'name: id, logicalType: integer, required: true' 'name: ts, logicalType: date, physicalType: timestamp' 'name: k, logicalType: string' \
        'name: v, logicalType: number, physicalType: "decimal(10,2)"' >o.yaml
    contract s 'name: window_start, logicalType: date, physicalType: timestamp' 'name: window_end, logicalType: date, physicalType: timestamp' 'name: k, logicalType: string' \
        'name: n, logicalType: integer' 'name: s, logicalType: number, physicalType: "decimal(38,2)"' >s.yaml
    dp-table create o -c o.yaml --property delta.enableChangeDataFeed=true >/dev/null
    dp-table create s -c s.yaml >/dev/null
    put() { printf '%s\n' "$@" | dp-partition -o o | dp-table commit o --eof-commits -q >/dev/null; }
    local agg='n=count(),s=sum(v)'
    exact() { # the summary's rows are those of the table, for windows that have fired
        dp-cat o | dp-window --time ts --key k --tumble 10s --agg "$agg" | head -n -1 | sort >want
        dp-cat s | sort | cmp -s - want
    }
    put '{"id":1,"ts":"2026-01-01T00:00:01Z","k":"a","v":1.10}' '{"id":2,"ts":"2026-01-01T00:00:02Z","k":"a","v":2.00}' '{"id":3,"ts":"2026-01-01T00:00:03Z","k":"b","v":5}'
    put '{"id":4,"ts":"2026-01-01T01:00:01Z","k":"a","v":7}'
    dp-run --name kappa -- "dp-table changes o --follow --since s | dp-window --time ts --key k --tumble 10s --agg '$agg' --delay 0s --lateness 365d --emit changelog --state st |
        dp-table merge s --key window_start,window_end,k --commit-every 0s" >out 2>err &
    pid=$!
    until_ok exact
    dp-table delete o --where '.id == 3' >/dev/null
    until_ok exact
    dp-table update o --where '.id == 1' --set 'v=.v+1' >/dev/null
    put '{"id":5,"ts":"2026-01-01T00:00:09Z","k":"c","v":1}'
    until_ok exact
    kill -TERM $pid
    wait $pid || true
    put '{"id":6,"ts":"2026-01-01T00:00:04Z","k":"c","v":1}'
    dp-run --name kappa -- "dp-table changes o --since s | dp-window --time ts --key k --tumble 10s --agg '$agg' --delay 0s --lateness 365d --emit changelog --state st |
        dp-table merge s --key window_start,window_end,k" >out
    exact
}

@test "what is refused, by name" {
    no() { run -2 --separate-stderr dp-window "$@" </dev/null; }
    no --tumble 1s
    [[ $stderr == *"--time is missing"* ]]
    no --time t
    [[ $stderr == *"--tumble, --hop"* ]]
    no --time t --tumble 1s --session 1s
    [[ $stderr == *"one kind"* ]]
    no --time t --hop 1s
    no --time t --count 0
    no --time t --calendar day
    [[ $stderr == *"--timezone"* ]]
    no --time t --calendar day --timezone Europe/Berln
    [[ $stderr == *"Europe/Berlin"* ]]
    no --time t --tumble 1s --key window_start
    no --time t --tumble 1s --key a,a
    no --time t --tumble 1s --key a,,b
    no --time t --tumble 1s --agg 'a=cuont()'
    [[ $stderr == *count* ]]
    no --time t --tumble 1s --agg 'op=count()'
    no --time t --tumble 1s --part 3/2
    no --time t --tumble 1s --late -
    no --time t --session 1s --offset 1s
    no --time t --tumble 0s
}

@test "README: by when it happened" {
    mkdir events lake
    printf '%s\n' '{"event_id":1,"ts":"2026-03-01T10:00:05Z","country":"DE","sku":"a","price":1.10}' '{"event_id":1,"ts":"2026-03-01T10:00:05Z","country":"DE","sku":"a","price":1.10}' \
        '{"event_id":2,"ts":"2026-03-01T11:00:05Z","country":"DE","sku":"a","price":2.00}' >events/1.ndjson
    printf '%s\n' '{"sku":"a","valid_from":"2026-01-01T00:00:00Z","list":3}' '{"sku":"a","valid_from":"2026-03-01T11:00:00Z","list":4}' | dp-partition -q -o lake/prices |
        dp-table commit -q lake/prices --eof-commits
    contract() { # NAME PROPERTY...
        printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' "id: $1" 'version: 1.0.0' 'status: active' 'schema:' "- name: $1" '  properties:'
        shift
        printf '  - {%s}\n' "$@"
    }
    contract orders 'name: ts, logicalType: timestamp' 'name: country, logicalType: string' 'name: price, logicalType: number, physicalType: "decimal(18,2)"' >orders.yaml
    contract hourly 'name: window_start, logicalType: timestamp' 'name: window_end, logicalType: timestamp' 'name: country, logicalType: string' 'name: n, logicalType: integer' \
        'name: sales, logicalType: number, physicalType: "decimal(18,2)"' >hourly.yaml
    dp-table create lake/orders -c orders.yaml --property delta.enableChangeDataFeed=true -q
    dp-table create lake/hourly -c hourly.yaml -q
    for at in 2026-03-01T10:00:00Z 2026-03-01T10:30:00Z 2026-03-02T10:00:00Z; do echo '{"ts":"'$at'","country":"DE","price":1.5}'; done | dp-partition -q -o lake/orders |
        dp-table commit -q lake/orders --eof-commits
    sed -n '/^## By when it happened/,/^## Where/s/^    //p' "$DP_ROOT/README.md" | sed -e ':a' -e "/|\$/{N;ba" -e '}' -e '/\\$/{N;ba' -e '}' -e 's/ --follow//' >lines
    assert_equal "$(grep -c '^dp-' lines)" 3
    bash -euo pipefail lines >out
    run -0 jq -sc '[.[0].n, .[0].p95 == 1.1, .[2].list, .[3].list]' <(grep '^{' out)
    assert_output '[2,true,3,4]'
    assert_equal "$(dp-cat --to records lake/hourly | jq -c '[.window_start, .n, .sales == 3]')" '["2026-03-01T10:00:00Z",2,true]'
}

@test "one record in a million windows does not gather them in memory" {
    ! grep -q __asan_init "$DP_BIN/dp-window" || skip "a sanitizer takes terabytes of address space"
    echo '{"t":0}' >in
    run -0 bash -c 'ulimit -v 150000; dp-window --time t --hop 1000s,1ms -j 1 -m 16M in | cksum'
    want=$output
    run -0 bash -c 'dp-window --time t --hop 1000s,1ms -j 1 -m 1G in | cksum'
    assert_output "$want"
}

@test "--late is not the input" {
    clicks >in
    cp in same
    for how in 'in' '- <in' '<in'; do
        run -2 --separate-stderr sh -c "dp-window --time ts --tumble 1m --late in $how"
        assert_equal "$stderr" "dp-window: --late: in is what is read: late records need a file of their own"
        cmp in same
    done
}

@test "options without effect are refused by name" {
    echo '{"t":1,"n":2}' >in
    refused() { # WORDS OPTION...
        local words=$1
        shift
        run -2 --separate-stderr dp-window --time t "$@" in
        [[ $stderr == *"$words"* ]] || fail "$* $stderr"
    }
    refused '--no-flush' --tumble 1s --flush --no-flush
    refused '--week-start is for --calendar week' --calendar day --timezone UTC --week-start 7
    refused '--panes is about updates' --tumble 1s --panes discarding
    refused '--delay is about event time' --count 2 --delay 1s
    refused '--lateness is about event time' --count 2 --lateness 1s
    refused '--idle is about event time' --count 2 --idle 1s
    refused 'n is also the name of the count' --tumble 1s --key n
    run -0 dp-window --time t --tumble 1s --key k=n in
    run -0 dp-window --time t --tumble 1s --key n --agg 'rows=count()' in
}

@test "a time of which a window can't be printed is a reject" {
    printf '%s\n' '{"t":"9999-12-31T23:59:59Z"}' '{"t":"9999-12-31T23:58:59Z"}' '{"t":"0000-01-01T00:00:00Z"}' '{"t":253402300800000}' >in
    run -0 --separate-stderr dp-window --time t --tumble 1m --rejects bad --max-rejects 2 in
    assert_output '{"window_start":"0000-01-01T00:00:00Z","window_end":"0000-01-01T00:01:00Z","n":1}
{"window_start":"9999-12-31T23:58:00Z","window_end":"9999-12-31T23:59:00Z","n":1}'
    assert_equal "$(jq -c '[.reject.line, .reject.rules[0].reason]' bad)" '[1,"the time, or a window of it, is beyond the years 0 to 9999"]
[4,"the time, or a window of it, is beyond the years 0 to 9999"]'
    for w in '--hop 2h,1h' '--session 1h' '--slide 1h' '--calendar month --timezone Europe/Berlin'; do
        # shellcheck disable=SC2086 # words
        dp-window --time t $w --max-rejects 100% in >out 2>err
        jq -e '(.window_start | length) < 25 and (.window_end | length) < 25 and .window_end < "9999-12-31T23:59:59.999Z"' out >/dev/null || [ ! -s out ] || fail "$w: $(cat out)"
        # shellcheck disable=SC2086 # words
        run -0 dp-window --epoch ms --time t $w in
    done
}

@test "-n says what would be made; --late in a directory that is read is refused" {
    mkdir d
    echo '{"t":1}' | tee d/a.ndjson >d/late
    run -0 --separate-stderr dp-window -n --time t --tumble 1s --state no/where d/a.ndjson
    [[ $stderr == *'--state no/where is not there: it would be made'* ]]
    [ ! -e no ]
    run -2 --separate-stderr dp-window --time t --tumble 1s --late d/late d
    dp_expect 2 'is what is read'
    run -2 --separate-stderr dp-window --time t --tumble 1s --late d/late 'd/l*'
    dp_expect 2 'is what is read'
    cmp d/late d/a.ndjson
}

@test "of Parquet and tables only the columns that are asked for are read, with the rows of all of them" {
    printf '%s\n' '{"t":1,"k":"a","v":1.5,"q":1,"x":"s","g":{"b":1}}' '{"t":5,"k":"b","v":2,"q":2,"x":null,"g":{"b":2}}' '{"t":12,"k":"a","v":3,"q":3,"x":"u","g":{"b":3}}' >in.ndjson
    dp-partition -q -o pq in.ndjson >/dev/null
    for o in '--tumble 10ms' '--tumble 10ms --key k --agg s=sum(v)' '--tumble 10ms --agg m=max(g.b)' '--tumble 10ms --agg l=last(x)where.q>1' '--tumble 10ms --key k --where .q>1' \
        '--tumble 10ms --agg z=sum(nothing)' '--count 2 --flush' '--session 5ms --source k --delay 0s' '--tumble 1ms --delay 0s --late late'; do
        # shellcheck disable=SC2086 # words
        dp-window --time t $o in.ndjson >want 2>/dev/null
        # shellcheck disable=SC2086 # words
        dp-window --time t $o pq >got 2>/dev/null || fail "$o"
        cmp <(jq -c . want) <(jq -c . got) || fail "$o: $(cat got)"
    done
    jq -e 'has("g")' late || [ ! -s late ] # late records are whole
    run -1 dp-window --time q.z --tumble 1ms --rejects bad pq
    [ "$(jq -r '.raw | fromjson? // . | keys | length' bad | sort -u)" = 6 ]
}
