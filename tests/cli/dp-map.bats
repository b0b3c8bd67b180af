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
