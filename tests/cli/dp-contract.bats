#!/usr/bin/env bats
# dp-contract infer: types, what is required, sources of each kind, options, and what it does with bad input.

# shellcheck disable=SC2016,SC2154 # marks hold a dollar; status, output and stderr are those of run
bats_require_minimum_version 1.5.0
load helper

# logicalType and physicalType of a column, and whether it is required: "integer bigint true"
column() {
    awk -v want="- name: $1" '
        { line = $0; sub(/^ +/, "", line) }
        line == want { on = 1; next }
        on && line ~ /^- name: / { exit }
        on && line ~ /^logicalType: / { l = substr(line, 14) }
        on && line ~ /^physicalType: / { p = substr(line, 15) }
        on && line == "required: true" { r = " required" }
        END { print l (l != "" ? " " : "") p r }' c.yaml
}

@test "types and required fields of records" {
    cat >in.ndjson <<'N'
{"id":1,"price":2.55,"ok":true,"day":"2026-01-02","at":"2026-01-02T03:04:05Z","local":"2026-01-02 03:04:05","name":"a","mix":1,"big":0.1,"none":null}
{"id":2,"price":10,"ok":null,"day":"2026-01-03","at":"2026-01-02T03:04:05.5+01:00","local":"2026-01-02T03:04:05","mix":"x","big":9007199254740993}
N
    run -0 dp-contract infer in.ndjson
    echo "$output" >c.yaml
    assert_equal "$(column id)" "integer bigint required"
    assert_equal "$(column price)" "number double required"
    assert_equal "$(column ok)" "boolean boolean"
    assert_equal "$(column day)" "date date required"
    assert_equal "$(column at)" "timestamp timestamp required"
    assert_equal "$(column local)" "timestamp timestamp_ntz required"
    assert_equal "$(column name)" "string string"
    assert_equal "$(column mix)" "json required"
    assert_equal "$(column big)" "number decimal(17,1) required"
    assert_equal "$(column none)" "string string"
    grep -q '^# Inferred from 2 records' c.yaml
    grep -q 'day(COLUMN).*: at, local$' c.yaml
    grep -q 'partitionKeyPosition: 1): day$' c.yaml
    refute_output --partial primaryKey
    refute_output --partial classification
}

@test "name and id: from the source, or as told" {
    echo '{"a":1}' >'my orders-1.ndjson'
    dp-contract infer 'my orders-1.ndjson' >c.yaml
    grep -qx 'name: myorders-1' c.yaml
    grep -qx 'id: myorders-1' c.yaml
    dp-contract infer --name yes --id urn:x 'my orders-1.ndjson' >c.yaml
    grep -qx 'name: "yes"' c.yaml
    grep -qx 'id: "urn:x"' c.yaml
    dp-contract infer <'my orders-1.ndjson' >c.yaml
    grep -qx 'name: data' c.yaml
}

@test "CSV, plain and compressed, gives the same contract but for its name" {
    printf 'id,when,note\n1,2026-01-02,a\n2,2026-01-03,\n' >t.csv
    gzip -k t.csv
    dp-contract infer --name t t.csv >plain.yaml
    dp-contract infer --name t t.csv.gz >packed.yaml
    cmp plain.yaml packed.yaml
    cp plain.yaml c.yaml
    assert_equal "$(column id)" "integer bigint required"
    assert_equal "$(column when)" "date date required"
    assert_equal "$(column note)" "string string"
}

@test "Parquet keeps its types" {
    f=$DP_SHARED/data/parquet/kylo-parquet-mr/userdata1.parquet
    [ -f "$f" ] || skip "no shared data"
    dp-contract infer "$f" >c.yaml
    assert_equal "$(column id)" "integer int required"
    assert_equal "$(column salary)" "number double"
}

@test "the types of a header win; a stream that is cut gives nothing" {
    header='{"$dp":"begin","run":"r","schema":{"fields":[{"name":"a","type":"decimal(9,2)","nullable":true}]}}'
    printf '%s\n{"a":1.50}\n' "$header" >cut.ndjson
    run --separate-stderr dp-contract infer <cut.ndjson
    assert_equal "$status" 4
    assert_equal "$output" ""
    command -v dp-map >/dev/null || skip "dp-map is not there"
    printf '{"a":"AP8="}\n' >in.ndjson
    dp-map --marks . in.ndjson >marked.ndjson
    sed -i '1s/^{"$dp":"begin"/&,"schema":{"fields":[{"name":"a","type":"binary","nullable":true}]}/' marked.ndjson
    dp-contract infer <marked.ndjson >c.yaml
    assert_equal "$(column a)" "string binary required"
}

@test "nested values" {
    echo '{"o":{"x":1,"l":[{"q":1.5},{"q":2}]},"e":[],"m":{}}' | dp-contract infer >c.yaml
    run -0 cat c.yaml
    assert_output --partial '        items:
          logicalType: string'
    assert_output --partial '                - name: q
                  logicalType: number
                  physicalType: double
                  required: true'
    assert_equal "$(column m)" "json required"
}

@test "the sample ends early, --all does not" {
    dp_records 2000 >in.ndjson
    dp-contract infer --sample 1K in.ndjson >c.yaml
    run -0 head -n 1 c.yaml
    refute_output --partial 'from 2000 records'
    dp-contract infer --all in.ndjson >c.yaml
    run -0 head -n 1 c.yaml
    assert_output --partial 'from 2000 records'
    run -2 dp-contract infer --all --sample 1K in.ndjson
}

@test "no records: a contract without properties" {
    run -0 dp-contract infer /dev/null
    refute_output --partial 'properties:'
    assert_output --partial 'kind: DataContract'
}

@test "bad input: a message with the place, an exit code, no output" {
    printf '{"a":1}\n{"a":\n{"a":2}\n' >bad.ndjson
    run --separate-stderr dp-contract infer bad.ndjson
    assert_equal "$status" 4
    assert_equal "$output" ""
    [[ $stderr == *bad.ndjson:2:* ]]
    run -0 --separate-stderr dp-contract infer --max-rejects 1 bad.ndjson
    assert_output --partial 'from 2 records'
    printf '{"a":1,"a":2}\n' >dup.ndjson
    run --separate-stderr dp-contract infer dup.ndjson
    assert_equal "$status" 1
    run --separate-stderr dp-contract infer nowhere.ndjson
    assert_equal "$status" 3
    run --separate-stderr dp-contract infr
    assert_equal "$status" 2
    [[ $stderr == *infer* ]]
    run --separate-stderr dp-contract
    assert_equal "$status" 2
}

@test "--where chooses the records" {
    printf '{"k":"a","v":1}\n{"k":"b","v":"x"}\n' >in.ndjson
    dp-contract infer --where '.k == "a"' in.ndjson >c.yaml
    assert_equal "$(column v)" "integer bigint required"
}

@test "what infer prints, a table takes" {
    command -v dp-table >/dev/null || skip "dp-table is not there"
    dp_records 50 >in.ndjson
    dp-contract infer in.ndjson >c.yaml
    run -0 dp-table create t -c c.yaml
}

# The lines of one property, without those of the properties below.
property() { awk -v n="- name: $1" '{ t = $0; sub(/^ */, "", t) } t == n { on = 1; next } on && t ~ /^- name:/ { exit } on { print t }' c.yaml; }

@test "rules out of evidence: loose, exact, none" {
    for i in $(seq 60); do
        echo "{\"id\":$((i * 7)),\"code\":\"AB-$((1000 + i))\",\"mail\":\"u$i@example.org\",\"size\":\"$([ $((i % 3)) = 0 ] && echo big || echo small)\",\"t\":$((i % 9 - 4)).5,\"l\":[{\"q\":$i}],\"name\":\"$(printf "n%.0s" $(seq $((i % 30 + 1))))\"}"
    done >in.ndjson
    dp-contract infer in.ndjson >c.yaml
    [ "$(property id | tail -n +4)" = "# seen: 60 of 60, all different, 7 .. 420
unique: true
logicalTypeOptions:
minimum: 0" ]
    property code | grep -qxF 'pattern: "^AB-[0-9]{4}$"'
    property mail | grep -qxF 'format: email'
    property size | grep -qxF -- '- big'
    property size | grep -qxF 'mustBe: 0'
    property t | grep -qxF 'minimum: -10' && property t | grep -qxF 'maximum: 10'
    property q | grep -qxF 'minimum: 0'
    run ! grep -q 'unique: true' <(property q)
    run ! grep -q 'pattern\|unique' <(property name)
    grep -q '# Fit for a key (primaryKey: true): id, code, mail$' c.yaml
    run ! grep -q 'example.org' c.yaml
    dp-table create t -c c.yaml # it reads back

    dp-contract infer --rules exact in.ndjson >c.yaml
    property id | grep -qxF 'minimum: 7' && property id | grep -qxF 'maximum: 420'
    property t | grep -qxF 'minimum: -4.5'
    property name | grep -qxF 'maxLength: 30'
    dp-contract infer --rules none in.ndjson >c.yaml
    run ! grep -q 'seen\|unique\|Options' c.yaml
}

@test "few values make no rules" {
    for i in $(seq 19); do echo "{\"id\":$i,\"k\":\"a\"}"; done | dp-contract infer >c.yaml
    grep -q '# seen: 19 of 19, all different, 1 .. 19' c.yaml
    run ! grep -q 'unique\|minimum\|quality' c.yaml
}

@test "compat: FULL tells a stricter classification once; help names a command once" {
    printf '{"a":1}\n' | dp-contract infer >old.yaml
    sed 's/logicalType: integer/&\n        classification: restricted/' old.yaml >new.yaml
    run --separate-stderr dp-contract compat --mode full old.yaml new.yaml
    dp_expect 0
    [ "$(grep -c 'classification is now restricted' <<<"$stderr")" -eq 1 ]
    # the order of lineage and masks: public, internal, confidential, restricted, every other word
    for pair in public:internal internal:confidential confidential:restricted restricted:pii; do
        sed "s/classification: .*/classification: ${pair%:*}/" new.yaml >weaker.yaml
        sed "s/classification: .*/classification: ${pair#*:}/" new.yaml >stricter.yaml
        run --separate-stderr dp-contract compat --mode full weaker.yaml stricter.yaml
        grep -q "classification is now ${pair#*:}" <<<"$stderr" || fail "$pair"
        run --separate-stderr dp-contract compat --mode full stricter.yaml weaker.yaml
        run ! grep -q 'classification is now' <<<"$stderr"
    done
    run dp-contract compat --help
    assert_line --index 0 'Usage: dp-contract compat [OPTION...] [--mode MODE] OLD... NEW'
}
