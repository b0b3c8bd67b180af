#!/usr/bin/env bats
# dp-join: references of every kind of source, intervals, as of a time, two streams; the same bytes for any memory and threads.

bats_require_minimum_version 1.5.0
load helper

setup() {
    dp_setup
    cat >ref.ndjson <<'E'
{"id":1,"name":"a\u0041","tier":1.10}
{"id":2.0,"name":"b"}
{"id":2,"name":"b2","x":[1,2]}
{"id":null,"name":"n"}
E
    cat >left.ndjson <<'E'
{"o":1,"id":1.0}
{"o":2, "id":2 }
{"o":3,"id":null}
{"o":4}
{"o":5,"id":"1"}
{}
E
    cat >prices.ndjson <<'E'
{"id":1,"ts":"2026-01-01T00:00:00Z","v":1}
{"id":1,"ts":"2026-01-03T00:00:00Z","v":3}
{"id":1,"ts":"2026-01-02T00:00:00Z","v":2}
{"id":1,"ts":"2026-01-02T00:00:00Z","v":22}
{"id":2,"ts":null,"v":0}
E
    cat >events.ndjson <<'E'
{"e":1,"id":1,"ts":"2026-01-02T00:00:00Z"}
{"e":2,"id":1,"ts":"2026-01-01T23:59:59.999999999Z"}
{"e":3,"id":1,"ts":"2025-01-01T00:00:00Z"}
{"e":4,"id":1,"ts":"2026-03-01T01:00:00+01:00"}
{"e":5,"id":1,"ts":1767225600000}
{"e":6,"id":2,"ts":1767225600000}
E
}

@test "inner, left, anti: bytes are kept, keys are equal by value, null keys match nothing" {
    run -0 dp-join --with ref.ndjson --on id left.ndjson
    assert_output '{"o":1,"id":1.0,"name":"a\u0041","tier":1.10,"x":null}
{"o":2, "id":2 ,"name":"b","tier":null,"x":null}
{"o":2, "id":2 ,"name":"b2","x":[1,2],"tier":null}'
    run -0 dp-join --with ref.ndjson --on id --kind left --take name --prefix r_ left.ndjson
    assert_output '{"o":1,"id":1.0,"r_name":"a\u0041"}
{"o":2, "id":2 ,"r_name":"b"}
{"o":2, "id":2 ,"r_name":"b2"}
{"o":3,"id":null,"r_name":null}
{"o":4,"r_name":null}
{"o":5,"id":"1","r_name":null}
{"r_name":null}'
    run -0 dp-join --with ref.ndjson --on id --kind anti left.ndjson
    assert_output '{"o":3,"id":null}
{"o":4}
{"o":5,"id":"1"}
{}'
}

@test "keys: other names, several, paths, nested values; a record without members" {
    printf '{"k":{"a":1,"b":2},"c":"x","v":1}\n{"k":{"b":2.0,"a":1},"c":"y","v":2}\n' >nested.ndjson
    run -0 dp-join --with nested.ndjson --on '.o.key=k,d=c' <<<'{"o":{"key":{"b":2,"a":1e0}},"d":"\u0079"}'
    assert_output '{"o":{"key":{"b":2,"a":1e0}},"d":"\u0079","v":2}'
    run -0 dp-join --with nested.ndjson --on 'q=.k.a' --take v <<<'{"q":1}'
    assert_output '{"q":1,"v":1}
{"q":1,"v":2}'
}

@test "a miss is set aside: --require" {
    run -1 --separate-stderr dp-join --with ref.ndjson --on id --require left.ndjson
    [[ $stderr == *"left.ndjson:3: no match in ref.ndjson"* ]]
    run -0 --separate-stderr dp-join --with ref.ndjson --on id --require --rejects bad --max-rejects 4 --report rep left.ndjson
    [ "${#lines[@]}" -eq 3 ]
    run -0 jq -c '[.reject.line, .reject.rules[0].rule, .raw.o]' bad
    assert_output '[3,"join",3]
[4,"join",4]
[5,"join",5]
[6,"join",null]'
    run -0 jq -c '[.records.used, .records.rejected, .with_records, .with_without_key]' rep
    assert_output '[2,4,4,1]'
}

@test "the books of inner and anti" {
    dp-join --with ref.ndjson --on id --report rep left.ndjson >/dev/null
    run -0 jq -c '[.records.in, .records.used, .records.filtered]' rep
    assert_output '[6,2,4]'
    dp-join --with ref.ndjson --on id --kind anti --report rep left.ndjson >/dev/null
    run -0 jq -c '[.records.in, .records.used, .records.filtered]' rep
    assert_output '[6,4,2]'
}

@test "--unique" {
    run -1 dp-join --with ref.ndjson --on id --unique left.ndjson
    assert_output --partial 'a key stands there twice'
    run -0 dp-join --with ref.ndjson --on name=name,id --unique --take tier <<<'{"id":1,"name":"aA"}'
    assert_output '{"id":1,"name":"aA","tier":1.10}'
}

@test "names that both sides have: exit 2 names the column, also where only some records have it" {
    run -2 dp-join --with ref.ndjson --on id <<<'{"id":1,"t\u0069er":0}'
    assert_output --partial 'both sides have a column tier'
    run -2 --separate-stderr dp-join --with ref.ndjson --on id --where '.id != 9' <<<'{"id":1}
{"id":9,"name":0}
{"id":1,"name":0}'
    [[ $stderr == *"both sides have a column name"* ]]
    run -0 dp-join --with ref.ndjson --on id --take x --kind left <<<'{"id":1,"tier":0}'
    assert_output '{"id":1,"tier":0,"x":null}'
    run -2 dp-join --with ref.ndjson --on id <<<'{"$dp":"begin","run":"r","chain":[],"schema":{"fields":[{"name":"name","type":"string","nullable":true}]}}'
    assert_output --partial 'both sides have a column name'
}

@test "wrong words" {
    run -2 dp-join --on id left.ndjson
    assert_output --partial -- '--with'
    run -2 dp-join --with ref.ndjson --on '' left.ndjson
    run -2 dp-join --with ref.ndjson --on '.[0]' left.ndjson
    run -2 dp-join --with - --on id left.ndjson
    run -2 dp-join --with ref.ndjson --on id --within 5 --time ts left.ndjson
    run -2 dp-join --with ref.ndjson --on id --within 5m left.ndjson
    assert_output --partial 'needs --time'
    run -2 dp-join --with ref.ndjson --on id --within 5m,1m --time ts left.ndjson
    assert_output --partial 'ends before it begins'
    run -2 dp-join --with ref.ndjson --on id --as-of ts,7d left.ndjson
    run -2 dp-join --with ref.ndjson --on id --as-of ts --delay 1s left.ndjson
    run -2 dp-join --with ref.ndjson --on id --within 1s --time ts --delay 1s left.ndjson
    assert_output --partial 'needs --take'
    run -2 dp-join --with ref.ndjson --on id --kind anti --take name left.ndjson
    run -2 dp-join --with ref.ndjson --on id --take name,name left.ndjson
    run -2 dp-join --with ref.ndjson --on id --kind left --require left.ndjson
    run -2 dp-join --with ref.ndjson --on id --with-version 1 left.ndjson
    assert_output --partial 'is no table'
}

@test "the other source: no such file or column, a bad record" {
    run -3 dp-join --with nosuch --on id left.ndjson
    run -1 dp-join --with ref.ndjson --on ident left.ndjson
    assert_output --partial 'no record has .ident'
    run -1 dp-join --with ref.ndjson --on id --take nme left.ndjson
    assert_output --partial 'no record has nme'
    for bad in '{"id":1' '{"id":1,"id":2}' 'x' '{"id":1,"\u0024dp":2}'; do
        printf '{"id":1}\n%s\n' "$bad" >bad.ndjson
        run -4 dp-join --with bad.ndjson --on id left.ndjson
        assert_output --partial 'bad.ndjson'
    done
    printf '{"id":1,"ts":"soon"}\n' >bad.ndjson
    run -4 dp-join --with bad.ndjson --on id --as-of ts events.ndjson
    assert_output --partial 'bad.ndjson:1: '
    : >empty
    run -0 dp-join --with empty --on id --kind left left.ndjson
    [ "${#lines[@]}" -eq 6 ]
}

@test "as of a time: the latest known, never later, of one time the last" {
    run -0 dp-join --with prices.ndjson --on id --as-of ts events.ndjson
    assert_output '{"e":1,"id":1,"ts":"2026-01-02T00:00:00Z","v":22}
{"e":2,"id":1,"ts":"2026-01-01T23:59:59.999999999Z","v":1}
{"e":4,"id":1,"ts":"2026-03-01T01:00:00+01:00","v":3}
{"e":5,"id":1,"ts":1767225600000,"v":1}'
    run -0 dp-join --with prices.ndjson --on id --as-of ts,within\ 1d --kind left --prefix r_ events.ndjson
    assert_output '{"e":1,"id":1,"ts":"2026-01-02T00:00:00Z","r_ts":"2026-01-02T00:00:00Z","r_v":22}
{"e":2,"id":1,"ts":"2026-01-01T23:59:59.999999999Z","r_ts":"2026-01-01T00:00:00Z","r_v":1}
{"e":3,"id":1,"ts":"2025-01-01T00:00:00Z","r_ts":null,"r_v":null}
{"e":4,"id":1,"ts":"2026-03-01T01:00:00+01:00","r_ts":null,"r_v":null}
{"e":5,"id":1,"ts":1767225600000,"r_ts":"2026-01-01T00:00:00Z","r_v":1}
{"e":6,"id":2,"ts":1767225600000,"r_ts":null,"r_v":null}'
    run -0 dp-join --with prices.ndjson --on id --as-of at=ts --take v <<<'{"id":1,"at":"2026-01-03T00:00:00Z"}'
    assert_output '{"id":1,"at":"2026-01-03T00:00:00Z","v":3}'
}

@test "within an interval: both bounds are in it, matches in the order of their times" {
    run -0 dp-join --with prices.ndjson --on id --within 1d --time ts <<<'{"id":1,"ts":"2026-01-02T00:00:00Z"}'
    assert_output '{"id":1,"ts":"2026-01-02T00:00:00Z","v":1}
{"id":1,"ts":"2026-01-02T00:00:00Z","v":2}
{"id":1,"ts":"2026-01-02T00:00:00Z","v":22}
{"id":1,"ts":"2026-01-02T00:00:00Z","v":3}'
    run -0 dp-join --with prices.ndjson --on id --within=-1d,-1ms --time at --with-time ts --take v <<<'{"id":1,"at":"2026-01-02T00:00:00Z"}'
    assert_output '{"id":1,"at":"2026-01-02T00:00:00Z","v":1}'
    run -0 dp-join --with prices.ndjson --on id --within 0s,1d --time at --with-time ts --kind anti <<<'{"id":1,"at":"2026-01-03T00:00:00.001Z"}
{"id":1,"at":"2026-01-03T00:00:00Z"}'
    assert_output '{"id":1,"at":"2026-01-03T00:00:00.001Z"}'
}

@test "times: instants and local ones are not compared; what is none is a reject" {
    printf '{"id":1,"day":"2026-01-01","v":1}\n{"id":1,"day":"2026-01-02","v":2}\n' >days.ndjson
    run -0 dp-join --with days.ndjson --on id --as-of ts=day --take v <<<'{"id":1,"ts":"2026-01-01T23:00:00"}'
    assert_output '{"id":1,"ts":"2026-01-01T23:00:00","v":1}'
    for ts in '"2026-01-01T23:00:00Z"' '"x"' 1.5 true null '[]'; do
        run -1 dp-join --with days.ndjson --on id --as-of ts=day --take v <<<'{"id":1,"ts":'"$ts"'}'
        assert_output --partial '-:1: .ts: '
    done
    run -1 dp-join --with days.ndjson --on id --as-of ts=day --take v <<<'{"id":1}'
    printf '{"id":1,"day":"2026-01-01"}\n{"id":1,"day":1}\n' >mixed.ndjson
    run -4 dp-join --with mixed.ndjson --on id --as-of ts=day <<<'{"id":1,"ts":1}'
    assert_output --partial 'some of its times are instants and some are local'
}

@test "references: CSV, a glob, Parquet, a table and its versions, gzip" {
    printf 'id,n\n1,x\n2,\n' >r.csv
    run -0 dp-join --with r.csv --on id <<<'{"id":2}
{"id":1}'
    assert_output '{"id":2,"n":null}
{"id":1,"n":"x"}'
    gzip -k r.csv
    run -0 dp-join --with r.csv.gz --on id <<<'{"id":1}'
    assert_output '{"id":1,"n":"x"}'
    mkdir g
    echo '{"id":1,"n":"g1"}' >g/a.ndjson
    echo '{"id":1,"n":"g2"}' >g/b.ndjson
    for with in 'g/*.ndjson' g; do
        run -0 dp-join --with "$with" --on id <<<'{"id":1}'
        assert_output '{"id":1,"n":"g1"}
{"id":1,"n":"g2"}'
    done
    file=$(dp-ingest r.csv | dp-partition -o pq)
    run -0 dp-join --with "$file" --on id --kind left <<<'{"id":1}
{"id":3}'
    assert_output '{"id":1,"n":"x"}
{"id":3,"n":null}'
    printf 'version: 1.0.0\nkind: DataContract\napiVersion: v3.0.2\nid: c\nstatus: active\nschema:\n  - name: r\n    properties:\n      - {name: id, logicalType: integer}\n      - {name: n, logicalType: string}\n' >c.yaml
    dp-table create t -c c.yaml >/dev/null
    dp-ingest r.csv | dp-partition -o t | dp-table commit t --eof-commits >/dev/null
    echo '{"id":1,"n":"new"}' | dp-partition -o t | dp-table commit t --mode overwrite --eof-commits >/dev/null
    run -0 dp-join --with t --on id <<<'{"id":1}'
    assert_output '{"id":1,"n":"new"}'
    run -0 dp-join --with t --on id --with-version 1 --take n <<<'{"id":1}'
    assert_output '{"id":1,"n":"x"}'
}

# A database with the table t and, perhaps, others: database FILE SQL...
database() {
    command -v sqlite3 >/dev/null || skip "no sqlite3"
    sqlite3 "$@"
}

@test "references: SQLite, values by their storage class, FILE#TABLE" {
    database r.db "create table \"t\"\"1\"(id integer primary key, n text, b blob, r real); insert into \"t\"\"1\" values (1,'x\"é',x'01ff',0.1),(2,null,null,1e300)"
    run -0 dp-join --with r.db --on id --kind left <<<'{"id":1}
{"id":2}
{"id":3}'
    assert_output '{"id":1,"n":"x\"é","b":"Af8=","r":0.1}
{"id":2,"n":null,"b":null,"r":1e300}
{"id":3,"n":null,"b":null,"r":null}'
    database r.db 'create view v as select id, n from "t""1"'
    run -2 dp-join --with r.db --on id <<<'{"id":1}'
    assert_output --partial 'several tables'
    run -0 dp-join --with 'r.db#v' --on id <<<'{"id":1}'
    assert_output '{"id":1,"n":"x\"é"}'
    run -2 dp-join --with 'r.db#w' --on id <<<'{"id":1}'
    assert_output --partial 'has no table w; there are: t"1, v'
    database r.db "create table bad(id, n); insert into bad values (1, cast(x'ff' as text))"
    run -4 dp-join --with 'r.db#bad' --on id <<<'{"id":1}'
    assert_output --partial 'not UTF-8'
}

# Two inputs of some size, keys with several matches each.
inputs() {
    awk 'BEGIN { for (i = 0; i < 110000; i++) printf "{\"k\":%d,\"ts\":%d,\"j\":%d,\"pad\":\"%0*d\"}\n", i * 7919 % 20000, i * 6700417 % 10000000, i, i % 90, 0 }' >r.ndjson
    awk 'BEGIN { for (i = 0; i < 20000; i++) printf "{\"i\":%d,\"k\":%d,\"ts\":%d}\n", i, i * 104729 % 21000, i * 7368787 % 10000000 }' >l.ndjson
}

@test "the same bytes for any memory and threads, with and without spilling" {
    inputs
    for how in '' '--within 10m --time ts' '--as-of ts' '--as-of ts,within=x' '--within=-3m,1m --time ts --delay 4h --take j,pad --prefix r_'; do
        [[ $how != *=x ]] || continue
        # shellcheck disable=SC2086 # words
        dp-join --with r.ndjson --on k --kind left --prefix r_ $how --threads 1 --memory 300M l.ndjson >want
        [ "$(wc -l <want)" -ge 20000 ]
        for m in 16M 20M; do
            # shellcheck disable=SC2086 # words
            dp-join --with r.ndjson --on k --kind left --prefix r_ $how --threads 3 --memory $m --report rep l.ndjson >got
            cmp want got || fail "$how with $m"
            [[ $m != 16M || $how == *delay* ]] || [ "$(jq .spilled_bytes rep)" -gt 1000000 ] || fail "$how: nothing was spilled"
        done
    done
}

@test "many matches of one record do not gather in memory" {
    ! grep -q __asan_init "$DP_BIN/dp-join" || skip "a sanitizer holds back freed memory: peak memory is not measured"
    awk 'BEGIN { for (i = 0; i < 20000; i++) printf "{\"k\":1,\"j\":%d,\"pad\":\"%0200d\"}\n", i, 0 }' >r.ndjson
    for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo '{"k":1,"i":'$i'}'; done >l.ndjson
    run -0 bash -c 'ulimit -v 250000; dp-join --with r.ndjson --on k --memory 16M --threads 1 l.ndjson | wc -l'
    assert_output 240000
    dp-join --with r.ndjson --on k --memory 300M --threads 4 l.ndjson | tail -1 | grep -q '"i":12,"j":19999,'
}

@test "two streams: the result of a whole join as long as nothing is late; late ones are counted" {
    run -0 dp-join --with prices.ndjson --on id --within 1d --time ts --take v --delay 100w --kind left events.ndjson
    want=$(dp-join --with prices.ndjson --on id --within 1d --time ts --take v --kind left events.ndjson)
    assert_output "$want"
    printf '{"k":1,"t":%d,"a":%d}\n' 1000 1 5000 2 3000 3 4000 4 >l.ndjson
    printf '{"k":1,"t":%d,"b":%d}\n' 1000 1 6000 2 4000 3 4500 4 5000 5 >r.ndjson
    run -0 --separate-stderr dp-join --with r.ndjson --on k --time t --within 1s --take b --delay 1s --kind left --report rep l.ndjson
    assert_output '{"k":1,"t":1000,"a":1,"b":1}
{"k":1,"t":5000,"a":2,"b":5}
{"k":1,"t":5000,"a":2,"b":2}
{"k":1,"t":4000,"a":4,"b":5}'
    [[ $stderr == *'2 records of r.ndjson were late'* ]]
    run -0 jq -c '[.records.late, .with_late]' rep
    assert_output '[1,2]'
}

@test "two streams: FIFOs, output goes out as soon as it is final" {
    mkfifo right left
    dp-join --with right --on k --time t --within 1s --take b --delay 0s <left >out 2>err &
    pid=$!
    exec 8>left
    echo '{"k":1,"t":1000,"a":1}' >&8
    exec 9>right # opened when the first record needs it
    echo '{"k":1,"t":1500,"b":1}' >&9
    echo '{"k":1,"t":2001,"b":2}' >&9
    until_ok grep -q '"b":1' out
    [ "$(wc -l <out)" -eq 1 ]
    echo '{"k":1,"t":9000,"a":2}' >&8
    exec 8>&-
    echo '{"k":1,"t":9000,"b":3}' >&9
    exec 9>&-
    wait $pid
    run -0 cat out
    assert_output '{"k":1,"t":1000,"a":1,"b":1}
{"k":1,"t":9000,"a":2,"b":3}'
}

@test "two streams: a file that grows is followed" {
    mkfifo left
    echo '{"k":1,"t":1000,"b":1}' >right.ndjson
    dp-join --with right.ndjson --on k --time t --within 1s --take b --delay 0s --follow <left >out 2>err &
    pid=$!
    exec 8>left
    echo '{"k":1,"t":1000,"a":1}' >&8
    echo '{"k":1,"t":3000,"b":2}' >>right.ndjson
    until_ok grep -q '"b":1' out
    exec 8>&-
    wait $pid
}

@test "two streams: a record of megabytes keeps its bytes while it waits" {
    awk 'BEGIN { for (i = 1; i <= 3; i++) printf "{\"k\":1,\"t\":%d,\"pad\":\"%03000000d\"}\n", i, i }' >l.ndjson
    echo '{"k":1,"t":2,"b":1}' >r.ndjson
    dp-join --with r.ndjson --on k --time t --within 1s --take b --delay 1s l.ndjson >out
    sed 's/}$/,"b":1}/' l.ndjson | cmp - out
}

@test "two streams: a watermark mark lets go of what is behind it" {
    run -0 dp-join --with prices.ndjson --on id --within 1d --time ts --take v --delay 52w <<<'{"$dp":"watermark","time":"2026-01-03T00:00:00Z"}
{"id":1,"ts":"2026-01-02T23:59:59.999Z"}
{"id":1,"ts":"2026-01-04T00:00:00Z"}'
    assert_output '{"$dp":"watermark","time":"2026-01-03T00:00:00Z"}
{"id":1,"ts":"2026-01-04T00:00:00Z","v":3}'
}

@test "a newer version of the reference is read, one that is broken is not" {
    mkfifo left
    echo '{"id":1,"n":"old"}' >r.ndjson
    dp-join --with r.ndjson --on id --reload 1ms <left >out 2>err &
    pid=$!
    exec 8>left
    echo '{"id":1}' >&8
    until_ok grep -q old out
    echo '{"id":1,"n":"new"}' >next
    mv next r.ndjson
    for ((i = 0; i < 600; i++)); do
        echo '{"id":1}' >&8
        grep -q new out && break
        sleep 0.05
    done
    grep -q new out
    echo '{"id":1,"n":' >next
    mv next r.ndjson
    for ((i = 0; i < 600; i++)); do
        echo '{"id":1}' >&8
        grep -q 'stays as it was' err && break
        sleep 0.05
    done
    grep -q 'stays as it was' err
    exec 8>&-
    wait $pid
    [ "$(tail -1 out)" = '{"id":1,"n":"new"}' ]
}

@test "a newer version of a table is read" {
    printf 'version: 1.0.0\nkind: DataContract\napiVersion: v3.0.2\nid: c\nstatus: active\nschema:\n  - name: r\n    properties:\n      - {name: id, logicalType: integer}\n      - {name: n, logicalType: string}\n' >c.yaml
    dp-table create t -c c.yaml >/dev/null
    echo '{"id":1,"n":"old"}' | dp-partition -o t | dp-table commit t --eof-commits >/dev/null
    mkfifo left
    dp-join --with t --on id --reload 1ms <left >out 2>err &
    pid=$!
    exec 8>left
    echo '{"id":1}' >&8
    until_ok grep -q old out
    echo '{"id":1,"n":"new"}' | dp-partition -o t | dp-table commit t --mode overwrite --eof-commits >/dev/null
    for ((i = 0; i < 600; i++)); do
        echo '{"id":1}' >&8
        grep -q new out && break
        sleep 0.05
    done
    exec 8>&-
    wait $pid
    grep -q new out
}

@test "the header: columns with their types, nullable where kept, and where they come from" {
    printf 'id,n\n1,x\n' >r.csv
    begin='{"$dp":"begin","run":"r","chain":["dp-ingest"],"schema":{"fields":[{"name":"id","type":"int64","nullable":false}]},"fields":[{"name":"id","from":[{"field":"No","how":"identity"}],"classification":"restricted"}]}'
    end='{"$dp":"end","run":"r","records":0,"hash":"xxh3:99aa06d3014798d86001c324468d497f"}'
    run -0 bash -c "printf '%s\n' '$begin' '$end' | dp-join --with r.csv --on id --kind left --prefix c_ | head -1 | jq -c '.chain, .schema.fields, .fields'"
    assert_output '["dp-ingest","dp-join"]
[{"name":"id","type":"int64","nullable":false},{"name":"c_n","type":"string","nullable":true}]
[{"name":"id","from":[{"field":"No","how":"identity"}],"classification":"restricted"},{"name":"c_n","from":[{"field":"n","source":"r.csv","how":"identity"}],"done":[{"program":"dp-join","what":"joined"}]},{"name":null,"from":[{"field":"No","how":"join"},{"field":"id","source":"r.csv","how":"join"}]}]'
}

@test "named limits: sets of fields of the other source" {
    # DP_LIMIT_JOIN_SHAPES
    awk 'BEGIN { for (i = 0; i < 4096; i++) printf "{\"id\":%d%s}\n", i, i ? ",\"f" i % 64 "\":1,\"g" int(i / 64) "\":1" : "" }' >r.ndjson
    dp-join --with r.ndjson --on id <<<'{"id":1}' >out
    echo '{"id":1,"h":1}' >>r.ndjson
    run -4 dp-join --with r.ndjson --on id <<<'{"id":1}'
    assert_output --partial '4096 different sets of fields'
    run -0 dp-join --with r.ndjson --on id --take f1 <<<'{"id":1}'
    # DP_LIMIT_JOIN_NULLS: 128 records, each lacks 127 columns, of 1,031 or 1,032 bytes
    awk 'BEGIN { for (i = 0; i < 128; i++) printf "{\"id\":%d,\"%01023d\":1}\n", i, i }' >r.ndjson
    run -0 dp-join --with r.ndjson --on id <<<'{"id":1}'
    awk 'BEGIN { for (i = 0; i < 129; i++) printf "{\"id\":%d,\"%01024d\":1}\n", i, i }' >r.ndjson
    run -4 dp-join --with r.ndjson --on id <<<'{"id":1}'
    assert_output --partial 'differ too much'
}

@test "a signal while the other source, a FIFO, has no writer is no failure of the environment" {
    mkfifo fifo
    echo '{"k":1}' >l.ndjson
    dp-join --with fifo --on k l.ndjson 2>/dev/null &
    pid=$!
    until [ ! -e "/proc/$pid" ] || grep -q '^State:.[SZ]' "/proc/$pid/status"; do sleep 0.05; done
    sleep 0.1 # whenever it comes, the exit code is the signal's
    while kill -TERM "$pid" 2>/dev/null; do sleep 0.2; done
    code=0
    wait "$pid" || code=$?
    assert_equal "$code" 143
}

@test "slips are told: a key that no record has, the nearest name, a URL" {
    printf '{"id":1,"name":"a"}\n{"id":2,"name":"b"}\n' >w.ndjson
    printf '{"id":1}\n' >in
    run -0 --separate-stderr dp-join --with w.ndjson --on idd=id --kind left in
    assert_output '{"id":1,"name":null}'
    [[ $stderr == *'--on: no record has .idd, so none has a match'* ]]
    run -0 --separate-stderr dp-join --with w.ndjson --on id in
    [ -z "$stderr" ]
    run -1 --separate-stderr dp-join --with w.ndjson --on id --take nmae in
    dp_expect 1 'no record has nmae; did you mean name?'
    run -1 --separate-stderr dp-join --with w.ndjson --on id=idd in
    dp_expect 1 'no record has .idd; did you mean id?'
    for url in s3://b/k https://example.org/x.csv; do
        run -3 --separate-stderr dp-join --with $url --on id in
        dp_expect 3 "${url%%:*}:// is not read"
    done
}

@test "--timezone: times without an offset are instants" {
    printf '{"k":1,"at":"2026-01-01T01:00:00","v":1}\n' >w.ndjson
    printf '{"k":1,"ts":"2026-01-01T00:00:30Z"}\n' >in
    run -1 --separate-stderr dp-join --with w.ndjson --on k --as-of ts=at --take v in
    dp_expect 1 'an instant, where the times of w.ndjson are local'
    run -0 dp-join --with w.ndjson --on k --as-of ts=at --take v --timezone Europe/Berlin in
    assert_output '{"k":1,"ts":"2026-01-01T00:00:30Z","v":1}'
    run -0 dp-join --with w.ndjson --on k --within 1m --time ts --with-time at --take v --timezone +01:00 in
    assert_output '{"k":1,"ts":"2026-01-01T00:00:30Z","v":1}'
    run -2 --separate-stderr dp-join --with w.ndjson --on k --timezone UTC in
    dp_expect 2 '--timezone says where times are'
}

@test "--reload: a file that joins the directory or glob is read" {
    for with in d 'd/*.ndjson'; do
        rm -rf d in out
        mkdir d
        echo '{"id":1,"v":1}' >d/a.ndjson
        mkfifo in
        dp-join --with "$with" --on id --kind left --reload 10ms - <in >out 3>&- &
        pid=$!
        exec 5>in
        echo '{"id":1}' >&5
        until_ok grep -q '"v":1' out
        echo '{"id":2,"v":2}' >d/b.ndjson.tmp
        mv d/b.ndjson.tmp d/b.ndjson
        asked() {
            echo '{"id":2}' >&5
            grep -q '"v":2' out
        }
        until_ok asked
        exec 5>&-
        wait "$pid"
    done
}
