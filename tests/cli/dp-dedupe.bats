#!/usr/bin/env bats
# dp-dedupe: which record of each key stays, within a time, against a table, in little memory; marks and books.

# shellcheck disable=SC2016 # a mark's name is no variable
bats_require_minimum_version 1.5.0
load helper

@test "the first of each key, bytes as they came, keys by their value" {
    printf '{"id":1,"v" : 1.10}\n{"id":2}\n{"id":1.0}\n{"id":"1"}\n{"id":10e-1}\n{"id":"\\u0061"}\n{"id":"a"}\n{"id":true}\n{"id":[1,{"x":1,"y":2}]}\n{"id":[1.0,{"y":2,"x":1}]}\n' >in
    run -0 dp-dedupe --key id in
    assert_output '{"id":1,"v" : 1.10}
{"id":2}
{"id":"1"}
{"id":"\u0061"}
{"id":true}
{"id":[1,{"x":1,"y":2}]}'
}

@test "keys of several fields, nested ones, odd names, the whole record" {
    printf '{"a":"x","g":{"b":1},"c,d":1}\n{"a":"x","g":{"b":2},"c,d":1}\n{"g":{"b":1.0},"a":"x","c,d":2}\n{"a":"x1","g":{"b":""},"c,d":1}\n{"a":"x","g":{"b":"1"},"c,d":1}\n' >in
    run -0 dp-dedupe --key a,g.b in
    assert_output "$(sed -n '1p;2p;4p;5p' in)"
    run -0 dp-dedupe --key '."c,d"' in
    assert_output "$(sed -n '1p;3p' in)"
    printf '{"a":1,"b":null}\n{"b":null,"a":1.0}\n{"a":1}\n' | dp-dedupe --key . >out
    printf '{"a":1,"b":null}\n{"a":1}\n' | cmp - out
}

@test "a key without a value: a reject, or passed" {
    printf '{"a":1,"b":1}\n{"a":1,"b":null}\n{"a":1}\n{"a":1,"b":1}\n{"a":null,"b":1}\n' >in
    run --separate-stderr dp-dedupe --key a,b in
    dp_expect 1 'in:2: b: a key must have a value'
    run -0 --separate-stderr dp-dedupe --key a,b --rejects bad --max-rejects 3 in
    assert_output '{"a":1,"b":1}'
    run -0 jq -rc '.reject | [.line, .rules[0].rule, .rules[0].path]' bad
    assert_output '[2,"key","b"]
[3,"key","b"]
[5,"key","a"]'
    for keep in first last max:a; do
        run -0 dp-dedupe --key a,b --null-keys pass --keep $keep --report r.json in
        [ "${#lines[@]}" -eq 4 ] || fail "$keep: $output"
        jq -e '.records.in == 5 and .records.used == 4 and .records.deduplicated == 1 and .keys == 1' r.json || fail "$(cat r.json)"
    done
}

@test "the last, the highest, the lowest: in the order of the input, of equals the last" {
    printf '{"k":1,"v":5,"n":1}\n{"k":2,"v":1e2,"n":2}\n{"k":1,"v":7.0,"n":3}\n{"k":3,"n":4}\n{"k":2,"v":99.9999999999999999999999999,"n":5}\n{"k":1,"v":7,"n":6}\n{"k":3,"v":null,"n":7}\n{"k":2,"v":-9007199254740993,"n":8}\n{"k":2,"v":-9007199254740992,"n":9}\n' >in
    nums() { dp-dedupe --key k --keep "$1" "${@:2}" | jq -c .n | tr '\n' ' '; }
    [ "$(nums last in)" = '6 7 9 ' ]
    [ "$(nums max:v in)" = '2 6 7 ' ]
    [ "$(nums min:v in)" = '1 7 8 ' ]
    [ "$(nums first in)" = '1 2 4 ' ]
}

@test "the highest time is the latest instant, other text goes by its bytes" {
    printf '{"k":1,"t":"2026-01-01T00:00:00Z"}\n{"k":1,"t":"2026-01-01T00:00:00.5Z"}\n{"k":1,"t":"2026-01-01T00:30:00+01:00"}\n{"k":2,"t":"b"}\n{"k":2,"t":"\\u0063"}\n{"k":2,"t":"ab"}\n' >in
    run -0 dp-dedupe --key k --keep max:t in
    assert_output '{"k":1,"t":"2026-01-01T00:00:00.5Z"}
{"k":2,"t":"\u0063"}'
    run --separate-stderr dp-dedupe --key k --keep max:t <<<'{"k":1,"t":"x"}
{"k":2,"t":2}'
    dp_expect 1 't is a number in some records and text in others'
    run --separate-stderr dp-dedupe --key k --keep max:t <<<'{"k":1,"t":[]}'
    dp_expect 1 't: it has no order'
}

@test "floats that are not numbers: NaN is none, Infinity is above all" {
    printf 'k,v\n1,NaN\n1,-Infinity\n2,5\n2,Infinity\n3,7\n3,NaN\n' | dp-ingest -f csv -c <(printf 'apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: c\n    properties:\n      - {name: k, logicalType: integer}\n      - {name: v, logicalType: number, physicalType: double}\n') --marks >typed
    run -0 bash -c "dp-dedupe --key k --keep max:v <typed | jq -c 'select(.k).v'"
    assert_output '"-Infinity"
"Infinity"
7'
}

@test "within a time: near a kept one, before or behind it; bounds belong to it" {
    printf '{"k":1,"t":1000}\n{"k":1,"t":2000}\n{"k":1,"t":2001}\n{"k":1,"t":500}\n{"k":1,"t":1}\n{"k":1,"t":0}\n{"k":1,"t":-1}\n{"k":1,"t":"1970-01-01T00:00:03.001Z"}\n{"k":1,"t":"1970-01-01T01:00:03.002+01:00"}\n' >in
    run -0 dp-dedupe --key k --time t --within 1s in
    assert_output '{"k":1,"t":1000}
{"k":1,"t":2001}
{"k":1,"t":-1}
{"k":1,"t":"1970-01-01T01:00:03.002+01:00"}'
    run -0 dp-dedupe --key k --time t --within 0ms in
    [ "${#lines[@]}" -eq 9 ]
    for bad in '{"k":1}' '{"k":1,"t":null}' '{"k":1,"t":true}' '{"k":1,"t":1.5}' '{"k":1,"t":"2026-01-01T00:00:00"}' '{"k":1,"t":99999999999999999999}'; do
        run --separate-stderr dp-dedupe --key k --time t --within 1s <<<"$bad"
        dp_expect 1 't: '
    done
}

@test "within a time: what is behind the watermark is late, by --delay and by marks" {
    printf '{"k":1,"t":0}\n{"k":2,"t":10000}\n{"k":1,"t":9000}\n{"k":1,"t":8999}\n{"k":3,"t":9500}\n' >in
    run -0 --separate-stderr dp-dedupe --key k --time t --within 1s --delay 1s --report r.json in
    assert_output "$(sed -n '1,3p;5p' in)"
    [[ $stderr == *"1 records were behind the watermark"* ]]
    jq -e '.records.late == 1 and .records.used == 4' r.json
    { sed -n 1,2p in; echo '{"$dp":"watermark","time":9000}'; sed -n '3,$p' in; } >marked
    run -0 --separate-stderr bash -c 'dp-dedupe -q --key k --time t --within 1s <marked'
    assert_output "$(sed -n '1,4p;6p' marked)"
    { sed -n 1,2p in; echo '{"$dp":"watermark","time":5,"source":"b"}'; echo '{"$dp":"watermark","time":"1970-01-01T00:00:09Z","source":"a"}'; sed -n '4p' in
        echo '{"$dp":"idle","source":"b"}'; sed -n '3,$p' in; } >marked # the least of both sources, and of those that are not idle
    run -0 --separate-stderr bash -c 'dp-dedupe -q --key k --time t --within 1s <marked | grep -v dp'
    assert_output "$(sed -n '1,2p;4,5p' in)"
    run -0 --separate-stderr dp-dedupe --key k --time t --within 1s in
    [ "${#lines[@]}" -eq 4 ] && [ -z "$stderr" ] # none is late; 8999 is near 9000
}

@test "against a table, a Parquet file, a CSV; some of its rows; with --keep" {
    for i in 1 2 3 4 5 6; do echo "{\"id\":$i,\"day\":\"2026-01-0$((i % 2 + 1))\",\"g\":{\"x\":\"n$i\"}}"; done >have
    dp-contract infer have >c.yaml
    dp-table create t -c c.yaml
    dp-partition -q -o t have | dp-table commit t --eof-commits
    dp-partition -q -o p have
    dp-cat --to csv --columns id,day have >have.csv
    printf '{"id":7,"g":{"x":"n1"},"n":1}\n{"id":2.0,"g":{"x":"n8"},"n":2}\n{"id":7,"g":{"x":"n9"},"n":3}\n{"id":3,"g":{"x":"n9"},"n":4}\n' >in
    for source in t p have.csv have; do
        run -0 dp-dedupe --key id --against $source --report r.json in
        assert_output "$(sed -n 1p in)"
        jq -e '.against_keys == 6 and .records.deduplicated == 3' r.json
        run -0 dp-dedupe --key id --against $source --against-where '.day == "2026-01-01"' in
        assert_output "$(sed -n '1p;4p' in)"
        run -0 dp-dedupe --key id --against $source --keep last in
        assert_output "$(sed -n 3p in)"
    done
    run -0 dp-dedupe --key g.x,id --against t in
    assert_output "$(cat in)"
    run -0 dp-dedupe --key g.x --against t in
    assert_output "$(sed -n '2,3p' in)"
    run --separate-stderr dp-dedupe --key idd --against t in
    dp_expect 1 'idd'
    run --separate-stderr dp-dedupe --key id --against nosuch in
    dp_expect 3 'nosuch'
    run --separate-stderr dp-dedupe --key id --against t --against-where '.day ==' in
    dp_expect 2 '--against-where'
}

@test "options that are wrong, and columns that are not there" {
    while IFS='|' read -r words say; do
        # shellcheck disable=SC2086 # words
        run --separate-stderr dp-dedupe $words </dev/null
        dp_expect 2 "$say"
    done <<'E'
|a key is missing
--key a..b|--key: path
--key a,a|named twice
--key a, --keep last|--key
--key a --keep biggest:x|max:FIELD
--key a --keep max:|--keep
--key a --keep first:x|max:FIELD
--key a --within 1m|needs --time
--key a --time t|needs --within
--key a --within 1m --time t --keep last|--within keeps the first
--key a --within 1m --time t.|--time
--key a --delay 1m|needs --within
--key a --against-where .x|needs --against
--key . --against x|whole record
--key .[0] --against x|begins with the name of a column
--key a --null-keys no|--null-keys
E
    printf 'id,at\n1,2\n' >in.csv
    run --separate-stderr dp-dedupe --key idd in.csv
    dp_expect 1 'in.csv has no column idd; did you mean id?'
    run --separate-stderr dp-dedupe --key id --keep max:aa in.csv
    dp_expect 1 'in.csv has no column aa; did you mean at?'
}

@test "a record with a key twice is a reject" {
    run --separate-stderr dp-dedupe --key a <<<'{"a":1,"b":1,"b":2}'
    dp_expect 1 'stands twice'
}

many() { awk -v n="$1" -v values="$2" 'BEGIN { s = 7; for (i = 1; i <= n; i++) { s = (s * 69069 + 5) % 4294967296; k = s % values
    printf "{\"id\":\"a-longer-key-%d\",\"t\":%d,\"v\":%d,\"n\":%d}\n", k, i * 10, s % 1000, i } }'; }

@test "the same bytes whatever the memory and the threads; spilled" {
    many 1300000 1300000 >in
    for how in '--keep first' '--keep last' '--keep max:v' '--keep first --within 2h --time t'; do
        # shellcheck disable=SC2086 # words
        {
            dp-dedupe --key id $how -m 512M -j 1 in | sha256sum >want
            dp-dedupe --key id $how -m 16M -j 2 --report r.json in | sha256sum >got
        }
        cmp want got || fail "$how"
        jq -e '.spilled_bytes > 0 and .keys > 0 and .collision_odds < 1e-20' r.json || fail "$how: $(cat r.json)"
    done
    [ "$(dp-dedupe --key id in | wc -l)" -eq "$(cut -d'"' -f4 in | sort -u | wc -l)" ]
    run --separate-stderr env TMPDIR=/nonexistent dp-dedupe --key id -m 16M in
    [ "$status" -eq 3 ] && [[ $stderr == *nonexistent* ]]
}

mark() { echo "{\"\$dp\":\"$1\",\"run\":\"r\"$2}"; }

@test "marks pass at once with the first, and at the end, the latest of each, with the last" {
    echo '{"k":1,"n":1}' >one
    { mark begin ',"chain":["x"]'; cat one; mark checkpoint ',"source":"s","partition":"0","position":"5","id":"1"'; mark watermark ',"time":5'; cat one
        mark heartbeat ',"source":"s","time":"2026-01-01T00:00:00Z"'; mark checkpoint ',"source":"s","partition":"0","position":"9","id":"2"'
        mark checkpoint ',"source":"u","partition":"0","position":"1","id":"3"'; mark watermark ',"time":9'
        mark checkpoint ',"source":"s","partition":"0","position":"8","id":"4"'; mark checkpoint ',"source":"s","partition":"0","position":"9","id":"5"'; } >body
    cat one one >two
    hash=$(dp-cat --marks --to records two | jq -r 'select(."$dp" == "end").hash')
    { cat body; mark end ",\"records\":2,\"hash\":\"$hash\""; } >in
    kinds() { jq -r '."$dp" // "record" + (.n | tostring)' | paste -sd' '; }
    [ "$(dp-dedupe --key k <in | kinds)" = 'begin record1 checkpoint watermark heartbeat checkpoint checkpoint watermark checkpoint checkpoint end' ]
    [ "$(dp-dedupe --key k --keep last <in | kinds)" = 'begin heartbeat record1 watermark checkpoint checkpoint end' ]
    run -0 bash -c "dp-dedupe --key k --keep last <in | jq -c 'select(.\"\$dp\" == \"checkpoint\" or .\"\$dp\" == \"watermark\") | [.position, .time, .more, .id]'"
    assert_output '[null,9,null,null]
["9",null,true,"5"]
["1",null,null,"5"]'
    run -0 bash -c "dp-dedupe --key k <in | jq -c 'select(.\"\$dp\" == \"begin\").chain'"
    assert_output '["x","dp-dedupe"]'
    run --separate-stderr bash -c 'dp-dedupe --key k --keep last <body'
    dp_expect 4 'it has a begin and no end'
    [ "$(printf '%s\n' "$output" | grep -c '"n":1')" -eq 0 ] # what is held back is not let go by a stream that was cut
}

@test "rejects in their place, beside what waits" {
    printf '{"k":1,"n":1}\n{"n":2}\n{"k":1,"n":3}\n{"k":2,"n":4}\nx\n{"k":2,"n":5}\n' >in
    run -0 bash -c "dp-dedupe -q --key k --rejects - --max-rejects 9 in | jq -c '.n // .reject.line'"
    assert_output '1
2
4
5'
    run -0 bash -c "dp-dedupe -q --key k --keep last --rejects - --max-rejects 9 in | jq -c '.n // .reject.line'"
    assert_output '2
5
3
5'
}

@test "--where comes first, and books close" {
    printf '{"k":1,"n":1}\n{"k":1,"n":2}\n{"k":2,"n":3}\n{"k":1,"n":4}\n' >in
    run -0 dp-dedupe --key k --where '.n > 1' --report r.json in
    assert_output '{"k":1,"n":2}
{"k":2,"n":3}'
    jq -e '.records == (.records + {in: 4, used: 2, filtered: 1, deduplicated: 1})' r.json
}

@test "no space for what waits: exit 3, nothing printed" {
    many 100000 70000 >in
    run --separate-stderr bash -c "ulimit -f 2000; trap '' XFSZ; dp-dedupe --key id --keep last -m 16M in"
    [ "$status" -eq 3 ] || fail "exit $status: $stderr"
    [ -z "$output" ]
}

# ---- a state ----

mark() { echo "{\"\$dp\":\"$1\",\"run\":\"r\"$2}"; }
# stream ID TO...: begin, numbers up to each TO with a checkpoint behind them, and an end that counts
stream() {
    local from=1 to
    mark begin ",\"id\":\"$1\""
    shift
    for to; do
        ids "$from" "$to"
        mark checkpoint ",\"source\":\"s\",\"partition\":\"0\",\"position\":\"$to\",\"id\":\"at$to\""
        from=$((to + 1))
    done
}
ids() { seq "$1" "$2" | awk '{ printf "{\"id\":%d,\"n\":%d}\n", $1 * 7 % 50, $1 }'; }
whole() {
    tee body
    grep -v '^{"$dp"' body >records || true
    mark end ",\"records\":$(grep -c . records),\"hash\":\"$(dp-cat --marks --to records records | jq -r 'select(."$dp" == "end").hash')\""
}
data() { sed '/^{"$dp"/d'; }

@test "--state: over any number of runs each key goes out once, and named files go on where they were" {
    ids 1 200 >all
    dp-dedupe --key id all >want
    for to in 10 11 30 30 120 200; do
        ids 1 "$to" >f
        dp-dedupe --key id --state s f >>got
    done
    cmp want got
    ids 1 200 | dp-dedupe --key id --state s >again
    [ ! -s again ]
    dp-dedupe --key id --state s2 --report r.json f >/dev/null
    jq -e '.checkpoints == 1 and .keys == 50' r.json
    [ "$(stat -c %a s)" = 700 ]
    run -2 --separate-stderr dp-dedupe --key id,n --state s f
    dp_expect 2 'the state s was made by another query: key was "id", is "id,n"'
    run -2 --separate-stderr dp-dedupe --key id --keep last --state s f
    dp_expect 2 '--state keeps the keys that went out'
    dp-dedupe -n --key id --state none f | cmp - <(dp-dedupe --key id f)
    [ ! -e none ]
}

@test "--state: more keys than fit, and long ones" {
    seq 1 200000 | awk '{ printf "{\"id\":\"a key that is longer than fifteen bytes %d\"}\n", $1 }' >in
    dp-dedupe --key id -m 16M --state s in >out
    cmp in out
    tail -n 70000 in | dp-dedupe --key id -m 16M --state s --report r.json >again
    [ ! -s again ]
    jq -e '.keys == 200000 and .records.deduplicated == 70000' r.json
}

@test "--state: begin names the checkpoint; a mark goes on when its keys are in the state" {
    stream "" 20 40 60 | whole >one
    dp-dedupe --key id --state s <one >out
    [ "$(grep -c checkpoint out)" -eq 3 ] && [ "$(find s -name '*.ck' | wc -l)" -eq 3 ]
    stream at20 20 40 60 | sed '2,22d' | whole >two # from the first checkpoint on: what was behind it is not known
    dp-dedupe --key id --state s <two | data | cmp - <(sed '1,/at20/d' out | data)
    { mark begin ',"id":"at60"'; ids 1 60; } | whole >three
    dp-dedupe --key id --state s <three | data >none
    [ ! -s none ]
    { mark begin ''; ids 1 10; } | whole >four
    dp-dedupe --key id --state s <four 2>err | data | cmp - <(ids 1 10)
    grep -q 'is --since missing' err
    run -4 --separate-stderr dp-dedupe --key id --state s < <({ mark begin ',"id":"nowhere"'; ids 1 10; } | whole)
    dp_expect 4 'nowhere'
}

@test "--state within a time: times and the watermark go on; late records are in their file once" {
    job() { dp-dedupe --key k --within 10s --time t --delay 2s --state s --late late "$@" 2>>err; }
    printf '%s\n' '{"k":1,"t":1000}' '{"k":1,"t":2000}' '{"k":2,"t":5000}' >f
    job f >out
    printf '%s\n' '{"k":1,"t":4000}' '{"k":3,"t":2500}' '{"k":1,"t":11500}' '{"k":2,"t":14000}' '{"k":2,"t":16000}' '{"k":4,"t":"1970-01-01T00:00:17Z"}' >>f
    job f >>out
    run -0 cat out
    assert_output '{"k":1,"t":1000}
{"k":2,"t":5000}
{"k":1,"t":11500}
{"k":2,"t":16000}
{"k":4,"t":"1970-01-01T00:00:17Z"}'
    assert_equal "$(cat late)" '{"k":3,"t":2500}'
    [ "$(stat -c %a late)" = 600 ]
    echo '{"k":9,"t":1}' >>f
    job f >>out
    job f
    assert_equal "$(cat late)" '{"k":3,"t":2500}
{"k":9,"t":1}'
}

@test "--timezone, --max-future, and options that need --within" {
    printf '%s\n' '{"k":1,"t":"2026-01-01T01:00:00"}' '{"k":1,"t":"2026-01-01T00:00:05Z"}' '{"k":1,"t":"2026-01-01 01:00:20"}' >in
    run -0 dp-dedupe --key k --within 10s --time t --timezone Europe/Berlin in
    assert_output '{"k":1,"t":"2026-01-01T01:00:00"}
{"k":1,"t":"2026-01-01 01:00:20"}'
    run -1 --separate-stderr dp-dedupe --key k --within 10s --time t in
    dp_expect 1 'a time without an offset: --timezone says where'
    run -1 --separate-stderr dp-dedupe --key k --within 10s --time t --timezone +01:00 --max-future 10s --now 2026-01-01T00:00:00Z in
    dp_expect 1 'in:3: t: the time is too far in the future'
    for o in '--late x' '--timezone UTC' '--max-future 1s'; do
        # shellcheck disable=SC2086 # words
        run -2 --separate-stderr dp-dedupe --key k $o in
        dp_expect 2 '--within'
    done
    [ ! -e x ]
    run -2 --separate-stderr dp-dedupe --key k --within 1s --time t --late in in
    dp_expect 2 'is what is read'
    mkdir d && cp in d/late
    run -2 --separate-stderr dp-dedupe --key k --within 1s --time t --late d/late d
    dp_expect 2 'is what is read'
    cmp in d/late
}

@test "--keep max of a field that no record has is told" {
    printf '{"k":1,"v":1}\n{"k":1,"v":2}\n' >in
    run -0 --separate-stderr dp-dedupe --key k --keep max:w in
    assert_output '{"k":1,"v":2}'
    [[ $stderr == *'--keep max:w: no record has w'* ]]
}

@test "--against a table of SQLite" {
    printf 'CREATE TABLE t(id INTEGER, name TEXT); INSERT INTO t VALUES (1, %s), (3, %s);' "'a'" "'c'" | sqlite3 db 2>/dev/null ||
        python3 -c 'import sqlite3; c = sqlite3.connect("db"); c.executescript("CREATE TABLE t(id INTEGER, name TEXT); INSERT INTO t VALUES (1, \"a\"), (3, \"c\")")'
    printf '{"id":1}\n{"id":2}\n{"id":3.0}\n{"id":2}\n' >in
    for against in db 'db#t'; do
        run -0 dp-dedupe --key id --against "$against" in
        assert_output '{"id":2}'
    done
    run -0 dp-dedupe --key id --against 'db#t' --against-where '.name == "a"' in
    assert_output '{"id":2}
{"id":3.0}'
    run -1 --separate-stderr dp-dedupe --key nothing --against db in
    dp_expect 1 'no record has .nothing'
}
