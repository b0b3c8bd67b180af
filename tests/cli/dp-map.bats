#!/usr/bin/env bats
# dp-map: programs over records, what is kept, what is refused.

bats_require_minimum_version 1.5.0
load helper

@test "untouched bytes are kept" {
    printf '{ "a": 1.10 , "b":"\\u0041", "c" :9007199254740993}\n' >in
    run -0 dp-map . in
    assert_output "$(cat in)"
    run -0 dp-map '.a = 2' in
    assert_output '{ "a": 2 , "b":"\u0041", "c" :9007199254740993}'
    run -0 dp-map '{c, a}' in
    assert_output '{"c":9007199254740993,"a":1.10}'
}

@test "none and several outputs" {
    printf '{"l":[1,2]}\n{"l":[]}\n' >in
    run -0 dp-map '.l[] | {v: .}' in
    assert_output '{"v":1}
{"v":2}'
    run -0 dp-map 'empty' in
    assert_output ''
}

@test "--where comes first" {
    printf '{"n":1}\n{"n":null}\n{"n":3}\n' >in
    run -0 dp-map -w '.n > 0' '.n += 1' in
    assert_output '{"n":2}
{"n":4}'
}

@test "-f reads the program from a file" {
    printf '# keeps two fields\n{a,\n b}\n' >p.jq
    echo '{"b":1,"a":2,"c":3}' >in
    run -0 dp-map -f p.jq in
    assert_output '{"a":2,"b":1}'
    run -3 dp-map -f nosuch.jq in
    assert_output --partial nosuch.jq
}

@test "rejects: errors, outputs that are no object, duplicate keys, marks" {
    run -1 --separate-stderr dp-map '.a.b' <<<'{"a":1}'
    [[ $stderr == *"-:1: number cannot be indexed with a string"* ]]
    run -1 dp-map '.a' <<<'{"a":1}'
    assert_output --partial 'not an object'
    run -1 dp-map '.' <<<'{"a":1,"\u0061":2}'
    run -1 dp-map '{"$dp": "end"}' <<<'{}'
    assert_output --partial '$dp'
    run -1 dp-map '.a' <<<'{"a":{"\u0024dp":1}}'
    run -0 --separate-stderr dp-map --rejects bad.ndjson --max-rejects 1 '{a: (1 / .a)}' <<<'{"a":0}
{"a":4}'
    assert_output '{"a":0.25}'
    run -0 jq -r '.reject.rules[0].reason, .raw.a' bad.ndjson
    assert_output 'a division by zero
0'
}

@test "a wrong program is a usage error with its column" {
    run -2 dp-map '.a +' <<<'{}'
    assert_output --partial 'column 5'
    run -2 dp-map 'env' <<<'{}'
    assert_output --partial 'env is refused'
    run -2 dp-map
    assert_output --partial 'program is missing'
}

@test "what is beyond the compiled part runs in libjq, and -v says so" {
    run -0 --separate-stderr dp-map -v '{s: (reduce .l[] as $x (0; . + $x))}' <<<'{"l":[1,2]}'
    assert_output '{"s":3}'
    [[ $stderr == *"libjq: column 6: reduce"* ]]
    run -1 dp-map '{s: (reduce .l[] as $x (0; . + $x))}' <<<'{"l":[9007199254740993]}'
    assert_output --partial 'not exact'
}

header='{"$dp":"begin","run":"r","chain":["dp-ingest"],"schema":{"fields":[{"name":"id","type":"int64","nullable":false},{"name":"p","type":"decimal(10,2)","nullable":true},{"name":"q","type":"int32","nullable":true},{"name":"card","type":"string","nullable":true}]},"fields":[{"name":"card","from":[{"field":"Card No","how":"identity"}],"classification":"restricted"}]}'

# The begin that comes out of a program, in one jq filter's words.
begin_of() {
    local filter=$1
    shift
    { printf '%s\n' "$header"; } | dp-map "$@" 2>/dev/null | head -n 1 | jq -c "$filter"
}
types='[.schema.fields[]? | .name + ":" + .type] | join(" ")'

@test "header: names and types of what the program makes" {
    [ "$(begin_of "$types" '{a: .p, b: .card, c: (.p * .q), d: (.p > 1), e: "x", f: (.card | length), n: 3, id}')" = \
        '"a:decimal(10,2) b:string c:void d:boolean e:string f:int64 n:int64 id:int64"' ]
    [ "$(begin_of "$types" '.a = .p | del(.p) | .card |= ascii_upcase')" = '"id:int64 q:int32 card:string a:decimal(10,2)"' ]
    [ "$(begin_of "$types" '. + {z: "\(.id)"}')" = '"id:int64 p:decimal(10,2) q:int32 card:string z:string"' ]
    [ "$(begin_of "$types" 'if .q then {a: .p} else {a: .q, b: 1} end')" = '"a:void b:int64"' ]
    [ "$(begin_of "$types" '.id as $i | {i: $i, l: [.p]}')" = '"i:int64 l:void"' ]
    [ "$(begin_of "$types" 'select(.q > 1)')" = '"id:int64 p:decimal(10,2) q:int32 card:string"' ]
    [ "$(begin_of .schema 'reduce .q as $x (.; .)')" = null ] # libjq: it can't be told
    [ "$(begin_of .schema '{(.card): 1}')" = null ]
}

@test "header: where fields come from" {
    local from='[.fields[] | select(.name or .from != []) | .name + "<" + ([.from[] | (.field // "any") + "/" + .how] | join(","))] | join(" ")'
    [ "$(begin_of "$from" '{id, n: .card, t: (.p * .q)}')" = '"id<id/identity n<Card No/identity t<p/transformation,q/transformation"' ]
    [ "$(begin_of "$from" '{a: (if .q > 1 then .p else 0 end)}')" = '"a<p/transformation,q/conditional"' ]
    [ "$(begin_of "$from" 'select(.q > 1) | {id}')" = '"id<id/identity <q/filter"' ]
    [ "$(begin_of "$from" -w '.p > 1' '{id}')" = '"id<id/identity <p/filter"' ]
    [ "$(begin_of '[.fields[] | .done[-1].what]' '{id, n: .card, t: (.p * .q)}')" = '[null,"renamed","derived"]' ]
    # through two programs
    [ "$(printf '%s\n' "$header" | { dp-map '{t: (.p * .q), c: .card}' || true; } 2>/dev/null | dp-map '{u: (.t + 1), d: .c}' 2>/dev/null | head -n 1 | jq -c "$from")" = \
        '"u<p/transformation,q/transformation d<Card No/identity"' ]
}

@test "header: what is made of a classified field is classified" {
    local classes='[.fields[] | select(.classification) | .name + ":" + .classification] | join(" ")'
    [ "$(begin_of "$classes" '{a: .card, b: (.card | length), c: (if .card == "x" then 1 else 2 end), id}')" = '"a:restricted b:restricted c:restricted"' ]
    [ "$(begin_of "$classes" '.x = .card | del(.card)')" = '"x:restricted"' ]
    [ "$(begin_of "$classes" 'del(.card)')" = '""' ]
    [ "$(begin_of "$classes" '{s: tojson}')" = '"s:restricted"' ]
    [ "$(begin_of "$classes" '{(.id | tostring): .card}')" = '"card:restricted"' ] # names can't be told: it stays
}

@test "header: types that the program leaves open are inferred, the others kept" {
    printf 'id,p,q\n1,1.10,2\n' >in.csv
    dp-ingest --marks --types 'id=int32,p=decimal(10,2),q=int32' in.csv | dp-map '{id, p, t: (.p * .q)}' | dp-partition -o out >/dev/null
    run -0 dp-cat --schema out/*.parquet
    [ "$(jq -r '.column + ":" + .type' <<<"$output" | paste -sd ' ')" = 'id:int32 p:decimal(10,2) t:double' ]
}

@test "what libjq says of a record does not show the record" {
    { printf '{"secret":"hunter2","a":'; head -c 300 /dev/zero | tr '\0' '['; head -c 300 /dev/zero | tr '\0' ']'; echo '}'; } >in
    run --separate-stderr dp-map '{b: (.a | flatten)}' in
    [ "$status" -eq 1 ]
    [[ $stderr == *"libjq cannot read the record"* && $stderr != *hunter2* && $stderr != *"[["* ]]
}

@test "a filter that passes records over unseen: the same records, rejects and lines" {
    for i in $(seq 400); do
        printf '{"a":%d,"c":"FR","in":{"c":"DE"}}\n{"a":%d,"c":"DE","in":{"c":"x"}}\n' "$i" "$i"
        case $i in
        50) echo '{"a":1,"c":"\u0044E","in":{"c":""}}' ;;
        60) echo '{"a":2,"c":"FR","c":"DE"}' ;;
        70) echo '{"a":3,"c":"FR",}' ;;
        80) echo '{"a":4,"$dp":"x"}' ;;
        90) echo '{"c":"DE"}' ;;
        esac
    done >in
    local quick='.c == "DE"' slow='[.c] == ["DE"]' j
    for j in 1 2; do
        dp-map -j$j -w "$quick" --rejects r1 --max-rejects 3 --report q.json . in >o1
        dp-map -j$j -w "$slow" --rejects r2 --max-rejects 3 --report s.json . in >o2
        [ "$(wc -l <o1)" -eq 402 ]
        cmp o1 o2
        diff <(jq -c '.reject | .line, .rules' r1) <(jq -c '.reject | .line, .rules' r2)
        diff <(jq -c '.records // .books' q.json) <(jq -c '.records // .books' s.json)
    done
}
