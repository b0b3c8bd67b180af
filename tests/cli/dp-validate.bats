#!/usr/bin/env bats
# dp-validate: rules and counts by cases, records and rejects, the verdict, keys, types of the source, marks.

bats_require_minimum_version 1.5.0
load helper

# A contract around property lines: contract FILE <<END
contract() { { printf 'apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: t\n    logicalType: object\n    properties:\n'; sed 's/^/      /'; } >"$1"; }

# Each line of a file of cases: contract, rows, whether it passes, checks with their counts.
cases() {
    local line want=0 options check verdict n=0
    while IFS= read -r line; do
        n=$((n + 1))
        printf '%s\n' "$line" | dp-map .contract >c.yaml
        printf '%s\n' "$line" | dp-map '.rows[]' >rows
        options=$(printf '%s\n' "$line" | dp-map '{o: (.options // "--check")}' | sed 's/.*"o":"//; s/"}$//')
        want=1
        [[ $line == *'"expected": {"pass": true'* ]] && want=0
        run --separate-stderr dp-validate -c c.yaml --check "$options" rows
        [ "$status" -eq "$want" ] || fail "$(printf '%.150s' "$line"): exit $status, not $want: $stderr"
        verdict=$(dp-map 'select(.check) | {property, check, count, result: (if .outcome == "fail" and .severity != "error" then "warn" else .outcome end)}' <<<"$output")
        printf '%s\n' "$line" | dp-map '.expected.checks[] | {property, check, count, result}' >checks
        while IFS= read -r check; do
            grep -Fxq -- "$check" <<<"$verdict" || fail "$(printf '%.150s' "$line"): no $check in
$verdict"
        done <checks
    done <"$1"
    [ "$n" -ge 15 ]
}

@test "cases: bounds, lengths, numbers, keys, metrics" { cases "$DP_ROOT/tests/cli/validate-cases.ndjson"; }

@test "cases of the corpus: verdicts and counts" {
    [ -f "$DP_SHARED/corpus/contract/data-cases.ndjson" ] || skip "no corpus"
    cases "$DP_SHARED/corpus/contract/data-cases.ndjson"
}

@test "good records pass byte for byte, a bad one is a reject with all its rules" {
    contract c.yaml <<'END'
- {name: id, logicalType: integer, unique: true}
- {name: n, logicalType: number, logicalTypeOptions: {minimum: 0, multipleOf: 2}}
END
    printf '{ "n":1.10e1, "id":7,"x":"\\u0041"}\n{"id":1,"n":2.0}\n{"id":1,"n":-1}\n{"n":4,"id":1.0}\n{"id":null,"n":null}\n' >in
    run --separate-stderr dp-validate -q -c c.yaml --rejects bad --max-rejects 3 in
    dp_expect 0
    assert_output '{"id":1,"n":2.0}
{"id":null,"n":null}'
    run dp-map '{line: .reject.line, rules: [.reject.rules[] | .rule], raw}' bad
    assert_output '{"line":1,"rules":["multipleOf"],"raw":{ "n":1.10e1, "id":7,"x":"\u0041"}}
{"line":3,"rules":["minimum","multipleOf","unique"],"raw":{"id":1,"n":-1}}
{"line":4,"rules":["unique"],"raw":{"n":4,"id":1.0}}'
}

@test "the first bad record ends the run, with its place; nothing behind it passes" {
    contract c.yaml <<'END'
- {name: k, logicalType: string, unique: true}
- {name: n, logicalType: integer}
END
    printf '{"k":"a","n":1}\n{"k":"a","n":2}\n{"k":"b","n":"x"}\n{"k":"c","n":1}\n' >in
    run --separate-stderr dp-validate -c c.yaml in
    dp_expect 1 'in:2: k: the key was there before: "a"'
    assert_output '{"k":"a","n":1}'
    printf '{"k":"a","n":1}\n{"k":"b","n":"n/a"}\nno json\n' >in
    run --separate-stderr dp-validate -c c.yaml in
    dp_expect 1 'in:2: n: expected an integer, got "n/a"'
}

@test "rejects of lines that are no records keep their place among the others" {
    contract c.yaml <<'END'
- {name: k, logicalType: integer, unique: true}
END
    printf '{"k":1}\nbad\n{"k":1}\n{"k":1,"k":2}\n{"k":2}\n' >in
    run --separate-stderr dp-validate -q -c c.yaml --rejects bad --max-rejects 9 in
    dp_expect 0
    assert_output '{"k":1}
{"k":2}'
    run sed 's/.*"line":\([0-9]*\).*"rules":\[{"rule":"\([^"]*\)".*/\1 \2/' bad
    assert_output '2 malformed
3 unique
4 duplicate-key'
    run --separate-stderr dp-validate -q -c c.yaml --rejects - --max-rejects 9 in
    assert_line --index 0 '{"k":1}'
    assert_line --index 2 --partial '"rule":"unique"'
    assert_line --index 4 '{"k":2}'
}

@test "output, rejects and verdict do not depend on threads, memory and pieces of the input" {
    contract c.yaml <<'END'
- {name: id, logicalType: integer, logicalTypeOptions: {multipleOf: 3}}
- {name: name, logicalType: string, unique: true}
- {name: price, logicalType: number, quality: [{metric: duplicateValues, mustBeLessThan: 2}]}
END
    dp_records 20000 >in
    for how in "--threads 1" "--threads 3" "--memory 16M --threads 2"; do
        rm -f bad
        # shellcheck disable=SC2086 # words
        dp-validate -q -c c.yaml --rejects bad --max-rejects 100% $how in >out 2>err || true
        # shellcheck disable=SC2086 # words
        dd if=in bs=777 2>dd | dp-validate -q -c c.yaml --check --max-rejects 100% $how >verdict 2>err || true
        sed -i 's/"run":"[^"]*"//' bad
        cat out bad verdict | cksum >>sums
    done
    [ "$(sort -u sums | wc -l)" -eq 1 ] || fail "$(cat sums)"
    grep -q '"check":"unique".*"outcome":"fail","count":1000' verdict
}

@test "keys beyond the memory are spilled" {
    contract c.yaml <<'END'
- {name: k, logicalType: string, unique: true}
END
    awk 'BEGIN { for (i = 0; i < 600000; i++) printf "{\"k\":\"key-%d-of-some-length\"}\n", i; print "{\"k\":\"key-7-of-some-length\"}" }' >in
    run --separate-stderr dp-validate -q -c c.yaml --check --memory 16M --max-rejects 1 in
    dp_expect 0
    assert_line --partial '"check":"unique"'
    assert_output --partial '"count":1,"rows":600001'
}

@test "a rule about the whole set fails the run, and its stream is not published" {
    contract c.yaml <<'END'
- {name: n, logicalType: integer, quality: [{metric: nullValues, mustBeLessThan: 50, unit: percent}]}
END
    printf '{"n":null}\n{"n":1}\n' >in
    run --separate-stderr dp-validate --marks -c c.yaml in
    dp_expect 1 "n: nullValues"
    assert_output --partial '{"$dp":"abort"'
    assert_line '{"n":1}'
    refute_output --partial '{"$dp":"end"'
}

@test "nothing comes in: metrics are judged, records are none" {
    contract c.yaml <<'END'
- {name: n, logicalType: integer, required: true, unique: true}
END
    run --separate-stderr dp-validate -c c.yaml --check </dev/null
    dp_expect 0
    assert_line --partial '"summary"'
}

@test "a pattern that explodes is an error of its rule, soon" {
    contract c.yaml <<'END'
- {name: s, logicalType: string, logicalTypeOptions: {pattern: '^(a|a)*$|^(a+)+$'}}
END
    printf '{"s":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab"}\n' >in
    run --separate-stderr timeout 5 dp-validate -c c.yaml in
    dp_expect 1 "match limit"
    run --separate-stderr timeout 5 dp-validate -c c.yaml --check in
    dp_expect 1
    assert_output --partial '"outcome":"error"'
    # DP_LIMIT_PCRE_MATCH_BYTE: of each record little time is lost, so that many of them end too
    awk '{ for (i = 0; i < 1000; i++) print }' in >many
    run --separate-stderr timeout 20 dp-validate -c c.yaml --check --max-rejects 100% many
    dp_expect 0
    jq -se 'map(select(.check == "pattern")) | .[0] | .outcome == "error" and (.samples | length == 5)' <<<"$output" >/dev/null
}

@test "expressions: an error is the record's, libjq is said" {
    contract c.yaml <<'END'
- name: a
  quality:
    - {type: custom, engine: dp, implementation: '.a.b > 1'}
    - {type: custom, engine: dp, implementation: '[.a] | length == 1 and (reduce 1 as $x (0; . + $x)) == 1'}
END
    printf '{"a":{"b":2}}\n{"a":5}\n' >in
    run --separate-stderr dp-validate -v -c c.yaml --rejects bad --max-rejects 1 in
    dp_expect 0 "run"
    [[ $stderr == *libjq* ]]
    assert_output '{"a":{"b":2}}'
    grep -q '"rule":"expression".*failed' bad
}

@test "a wrong rule is exit 2, with its line" {
    contract c.yaml <<'END'
- {name: s, logicalType: string, logicalTypeOptions: {pattern: '(['}}
END
    run --separate-stderr dp-validate -c c.yaml </dev/null
    dp_expect 2 "c.yaml:10"
    contract c.yaml <<'END'
- {name: s, quality: [{metric: nullValues, mustBeBetween: [5, 2]}]}
END
    run --separate-stderr dp-validate -c c.yaml </dev/null
    dp_expect 2 "c.yaml:10"
    contract c.yaml <<'END'
- {name: s, quality: [{type: custom, engine: dp, implementation: '.a <'}]}
END
    run --separate-stderr dp-validate -c c.yaml </dev/null
    dp_expect 2 "implementation"
    run --separate-stderr dp-validate </dev/null
    dp_expect 2 "--contract"
    run --separate-stderr dp-validate -c c.yaml --json </dev/null
    dp_expect 2 "--check"
    run --separate-stderr dp-validate -c c.yaml --check --rejects - </dev/null
    dp_expect 2 "findings"
}

@test "reports: JSON, Markdown, text, JUnit, Prometheus" {
    contract c.yaml <<'END'
- {name: n, logicalType: integer, logicalTypeOptions: {minimum: 5}}
END
    printf '{"n":7}\n{"n":1}\n' >in
    for r in r.json r.md r.txt; do
        run --separate-stderr dp-validate -c c.yaml --report "$r" --junit j.xml --metrics m in
        dp_expect 1
        assert_output '{"n":7}'
    done
    grep -q '"verdict":' r.json
    grep -q 'minimum' r.md
    grep -q 'minimum' r.txt
    grep -q '<failure' j.xml
    grep -q 'dp_records' m
    grep -q 'minimum' m
    run --separate-stderr dp-validate -c c.yaml --check --json --max-rejects 1 in
    dp_expect 0
    assert_line --index -1 --partial '"status":"OK"'
}

@test "classified values are told by type and length alone" {
    contract c.yaml <<'END'
- {name: card, logicalType: string, classification: restricted, unique: true, logicalTypeOptions: {maxLength: 4}}
- {name: n, logicalType: integer}
END
    printf '{"card":"4111-s3cret","n":1}\n{"card":"s3c","n":2}\n{"card":"s3c","n":"x"}\n' >in
    run dp-validate -v -c c.yaml --rejects bad --max-rejects 9 --report r.json --junit j.xml --metrics m in
    dp-validate -c c.yaml --check --max-rejects 9 in >verdict
    grep -q '"raw":null' bad
    grep -q 'a string of 11 characters' bad
    for f in bad r.json j.xml m verdict; do ! grep -q 's3c' "$f" || fail "a value is in $f"; done
}

@test "foreign keys are in the set that --reference names" {
    contract c.yaml <<'END'
- {name: id, logicalType: integer}
- name: customer
  logicalType: integer
  relationships: [{to: customers.id}]
END
    sed 's/^/  /' >>c.yaml <<'END'
- name: customers
  logicalType: object
  properties:
    - {name: id, logicalType: integer}
END
    printf '{"id":1,"customer":5}\n{"id":2,"customer":6}\n{"id":3,"customer":null}\n{"id":4,"customer":5.0}\n' >in
    printf 'id,name\n5,x\n7,y\n' >customers.csv
    run --separate-stderr dp-validate -q -c 'c.yaml#t' --reference customers=customers.csv --rejects bad --max-rejects 1 in
    dp_expect 0
    assert_output '{"id":1,"customer":5}
{"id":3,"customer":null}
{"id":4,"customer":5.0}'
    grep -q '"rule":"foreignKey","path":"customer"' bad
    run --separate-stderr dp-validate -v -c 'c.yaml#t' --check in
    dp_expect 0 "foreignKey is not run"
    # a slip of the pen is no silence
    run --separate-stderr dp-validate -c 'c.yaml#t' --reference customer=customers.csv in
    dp_expect 2 "did you mean customers?"
    run --separate-stderr dp-validate -c 'c.yaml#customers' --reference customers=customers.csv in
    dp_expect 2 "no relationship"
    run --separate-stderr dp-validate -c 'c.yaml#t' --reference customers=gone.csv in
    dp_expect 3 "gone.csv"
    # in another contract of the folder, by names and by ids
    sed -n '1,/^schema/p' c.yaml >other.yaml
    cat >>other.yaml <<'END'
- name: customers
  id: c
  logicalType: object
  properties:
    - {name: id, id: i, logicalType: integer}
END
    for to in other.yaml#customers.id other.yaml#/customers.id other.yaml#/schema/c/properties/i; do
        sed "s|to: customers.id|to: '$to'|" c.yaml >by.yaml
        run --separate-stderr dp-validate -q -c 'by.yaml#t' --reference customers=customers.csv --rejects bad --max-rejects 1 in
        dp_expect 0
        assert_output '{"id":1,"customer":5}
{"id":3,"customer":null}
{"id":4,"customer":5.0}'
    done
    sed "s|to: customers.id|to: 'other.yaml#customers'|" c.yaml >by.yaml
    run --separate-stderr dp-validate -q -c 'by.yaml#t' in
    dp_expect 2 "is not a reference"
}

@test "a report that can't be written is said before the input is read" {
    contract c.yaml <<'END'
- {name: id, logicalType: integer}
END
    printf '{"id":1}\n' >in
    for option in report metrics junit rejects; do
        run --separate-stderr dp-validate -c c.yaml --$option gone/file in
        dp_expect 3 "--$option: cannot open directory gone"
        assert_output ''
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
        run --separate-stderr dp-validate -c c.yaml --$option . in
        dp_expect 2 "is a directory"
    done
}

@test "typed sources: CSV and Parquet by the contract, conflicts with both sides" {
    contract c.yaml <<'END'
- {name: ts, logicalType: timestamp, logicalTypeOptions: {minimum: "2026-01-01T00:00:00Z"}}
- {name: n, logicalType: integer}
- {name: x, logicalType: number, physicalType: double, logicalTypeOptions: {maximum: 10}}
END
    printf 'ts,n,x\n2026-01-02T03:04:05Z,5,1.5\n2025-01-01T00:00:00Z,6,NaN\n2026-01-02T03:04:05Z,n/a,1\n' >in.csv
    run --separate-stderr dp-validate -q -c c.yaml --check --max-rejects 9 in.csv
    dp_expect 0
    assert_line --partial '"property":"n","rule":"/schema/0/properties/1/logicalType"'
    assert_output --partial '"check":"minimum","dimension":null,"severity":"error","outcome":"fail","count":1,"rows":3'
    grep -q '"property":"n".*"check":"type".*"outcome":"fail","count":1,"rows":3' <<<"$output"
    head -3 in.csv | dp-ingest -q -f csv -c c.yaml >in.ndjson
    dp-partition -q -c c.yaml -o pq in.ndjson >paths
    run --separate-stderr dp-validate -q -c c.yaml --rejects bad --max-rejects 1 <paths
    dp_expect 0
    assert_output --partial '"n":5'
    contract other.yaml <<'END'
- {name: n, logicalType: string}
END
    run --separate-stderr dp-validate -c other.yaml <paths
    dp_expect 1 "column n: the contract says string"
    run --separate-stderr bash -c 'dp-ingest -q --marks pq | dp-validate -c other.yaml'
    dp_expect 1 "column n: the contract says string, the stream's header says int64"
}

@test "a pipeline: bad rows are set aside, the rest is committed" {
    contract c.yaml <<'END'
- {name: id, logicalType: integer, primaryKey: true}
- {name: day, logicalType: date}
END
    dp-table create lake -c c.yaml >/dev/null
    printf 'id,day\n1,2026-01-01\n2,2026-01-02\n2,2026-01-03\n' >in.csv
    run --separate-stderr dp-run -- "dp-ingest -q -c c.yaml in.csv | dp-validate -q -c c.yaml --rejects bad --max-rejects 1 | dp-partition -c c.yaml -o lake | dp-table commit lake"
    dp_expect 0
    run dp-cat --to records lake
    assert_output '{"id":1,"day":"2026-01-01"}
{"id":2,"day":"2026-01-02"}'
    grep -q '"rule":"primaryKey"' bad
}

@test "messages say what was allowed, and no way out that there is not" {
    contract c.yaml <<'END'
- {name: id, logicalType: integer, required: true, classification: restricted}
- {name: n, logicalType: integer, required: true}
END
    printf 'id,n\n1,2\n,3\n' >in.csv
    run --separate-stderr dp-ingest -q -c c.yaml in.csv
    dp_expect 1 'in.csv:3: id: required, but null'
    printf 'id,n\n1,x\n' >in.csv
    run --separate-stderr dp-validate -c c.yaml in.csv
    dp_expect 1 'in.csv:2: n: expected int64, got "x"'
    refute [ "${stderr/--types/}" != "$stderr" ]
    run --separate-stderr dp-validate -c c.yaml --rejects nowhere/bad in.csv
    dp_expect 3 '--rejects: cannot open directory nowhere'
    [ "$(wc -l <<<"$stderr")" -eq 1 ]
    sed 's/^    properties:/    quality:\n      - {metric: rowCount, mustBeGreaterThan: 5}\n&/' c.yaml >q.yaml
    run --separate-stderr dp-validate -c q.yaml <<<'{"id":1,"n":1}'
    dp_expect 1 'rowCount: counted 1 in 1 records, allowed: more than 5'
}

@test "what the stream's header calls classified is told by type and length, though this contract doesn't" {
    local frame='apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: t
    properties:'
    printf '%s\n' "$frame" '      - {name: a.b, logicalType: string, classification: restricted}' '      - {name: o, logicalType: object, properties: [{name: x, logicalType: string, classification: secret}]}' \
        '      - {name: p, logicalType: string}' '      - {name: k, logicalType: string, classification: restricted}' >in.yaml
    printf '%s\n' "$frame" '      - {name: a.b, logicalType: string, logicalTypeOptions: {maxLength: 1}}' '      - {name: p, logicalType: string, logicalTypeOptions: {maxLength: 1}}' \
        '      - {name: o, logicalType: object, properties: [{name: x, logicalType: string, logicalTypeOptions: {maxLength: 1}}]}' '      - {name: k, logicalType: string, unique: true}' >c.yaml
    for i in 1 2; do echo '{"a.b":"secretval","o":{"x":"secretx"},"p":"shown","k":"secretkey"}'; done >in.ndjson
    dp-ingest --marks -f ndjson -c in.yaml in.ndjson >marked
    run dp-validate -c c.yaml --max-rejects 2 --rejects bad --report r.json --junit r.xml <marked
    [ "$(grep -c '"p","reason":"expected at most 1 characters, got .*shown' bad)" = 2 ] || fail "$(cat bad)"
    run ! grep -q 'secret[vxk]' bad r.json r.xml <(echo "$output$stderr")
}
