#!/usr/bin/env bats
# dp-table diff: files, schema, properties, rows; by versions and between tables; in bounded memory.

bats_require_minimum_version 1.5.0
load helper

setup() {
    dp_setup
    set -o pipefail
}
contract() {
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: t' 'version: 1.0.0' 'status: active' 'schema:' '- name: t' '  properties:' \
        '  - {name: id, logicalType: integer, required: true}' '  - {name: day, logicalType: date, partitioned: true}' >c.yaml
}
table() { contract && dp-table create "$@" -c c.yaml >/dev/null; }
# put TABLE ID... -- OPTION...
put() {
    local t=$1 ids=()
    shift
    while [ $# -gt 0 ] && [ "$1" != -- ]; do ids+=("$1") && shift; done
    shift || true
    for id in "${ids[@]}"; do echo "{\"id\":$id,\"day\":\"2026-01-01\"}"; done | dp-partition -o "$t" | dp-table commit "$t" --eof-commits "$@" >/dev/null
}
corpus() { [ -d "$DP_SHARED/corpus/delta" ] || skip "no corpus"; }
# what --rows must say of two versions, from their rows
rows_by_hand() {
    comm -3 <(dp-cat "$1" --as-of "$2" | sort) <(dp-cat "$1" --as-of "$3" | sort) |
        sed -e '/^\t/!s/}$/,"_change_type":"delete"}/' -e '/^\t/{s/^\t//;s/}$/,"_change_type":"insert"}/}' | sort
}

@test "versions: files that came and went; equal ones are exit 0" {
    table t
    put t 1
    put t 2 3 -- --mode overwrite
    run --separate-stderr dp-table diff t 1 2
    dp_expect 1 "t: versions 1 and 2 differ: 1 files only in the first, 1 only in the second"
    assert_equal "$(cut -c 1-22 <<<"$output" | paste -sd ' ')" "- t/day=2026-01-01/par + t/day=2026-01-01/par"
    run dp-table diff t 2 2
    assert_success
    assert_output ""
    run dp-table diff t 2 # with the latest
    assert_success
    run --separate-stderr dp-table diff t 0 9
    dp_expect 2 "no version 9"
    run dp-table diff t 0 1 --json
    assert_equal "$status" 1
    tail -n 1 <<<"${lines[-1]}" | jq -e '.differ == true and .files_added == 1 and .files_removed == 0 and (.files[0].added | endswith(".parquet"))' ||
        jq -e '.differ == true' <<<"${lines[0]}"
}

@test "rows: counted, in the order of their bytes; what was only rewritten is no difference" {
    table t
    put t 1 2 2 3
    put t 2 3 4 3 -- --mode overwrite
    run --separate-stderr dp-table diff t 1 2 --rows
    dp_expect 1 "2 rows only in the first, 2 only in the second"
    printf '%s\n' '{"id":1,"day":"2026-01-01","_change_type":"delete"}' '{"id":2,"day":"2026-01-01","_change_type":"delete"}' \
        '{"id":3,"day":"2026-01-01","_change_type":"insert"}' '{"id":4,"day":"2026-01-01","_change_type":"insert"}' | diff - <(echo "$output")
    put t 3 3 2 4 -- --mode overwrite
    run dp-table diff t 2 3 --rows
    assert_success
    assert_output ""
}

@test "schema, partition columns, properties and protocol" {
    table t --property owner=me --property gone=1
    jq -c 'select(.metaData) | .metaData.configuration |= (.owner = "you" | del(.gone) | .new = "x") | .metaData.schemaString |= (fromjson |
        .fields[0].nullable = true | .fields += [{name: "more", type: {type: "struct", fields: [{name: "a", type: "long", nullable: true, metadata: {}}]}, nullable: true, metadata: {}}] | tojson)' \
        t/_delta_log/00000000000000000000.json >t/_delta_log/00000000000000000001.json
    jq -c 'select(.metaData) | .metaData.schemaString |= (fromjson | .fields[2].type.fields[0].type = "string" | tojson)' t/_delta_log/00000000000000000001.json >t/_delta_log/00000000000000000002.json
    run --separate-stderr dp-table diff t 0 1
    dp_expect 1
    printf '%s\n' '~ column id: not null -> nullable' '+ column more struct' '~ property owner: "me" -> "you"' '- property gone: "1"' '+ property new: "x"' | sort | diff - <(sort <<<"$output")
    run --separate-stderr dp-table diff t 1 2
    assert_output '~ column more.a: long -> string'
    run --separate-stderr dp-table diff t 1 2 --rows
    dp_expect 1 "column more.a is"
}

@test "a column that one lacks is null there" {
    table t
    put t 1
    jq -c 'select(.metaData) | .metaData.schemaString |= (fromjson | .fields += [{name: "more", type: "long", nullable: true, metadata: {}}] | tojson)' \
        t/_delta_log/00000000000000000000.json >t/_delta_log/00000000000000000002.json
    echo '{"id":2,"day":"2026-01-01","more":5}' | dp-partition -o t | dp-table commit t --eof-commits >/dev/null
    run --separate-stderr dp-table diff t 1 3 --rows
    assert_output '{"id":2,"day":"2026-01-01","more":5,"_change_type":"insert"}'
}

@test "tables: a branch differs by what was done in it; copies of one content do not" {
    table t
    put t 1 2
    dp-table branch t dev >/dev/null
    put t@dev 3
    run --separate-stderr dp-table diff t t@dev --rows
    dp_expect 1 "t and t@dev differ"
    assert_output '{"id":3,"day":"2026-01-01","_change_type":"insert"}'
    mv t/day=2026-01-01 away && mkdir t/day=2026-01-01 # what both have is not read
    run --separate-stderr dp-table diff t t@dev --rows
    assert_output '{"id":3,"day":"2026-01-01","_change_type":"insert"}'
    rmdir t/day=2026-01-01 && mv away t/day=2026-01-01
    dp-table clone t copy --deep >/dev/null
    run dp-table diff t copy --rows
    assert_success
    table u
    put u 2 1
    run dp-table diff t u --rows
    assert_success
    # a stream for a sink: whole, exit 0
    dp-table diff t t@dev --rows --marks >out
    head -n 1 out | jq -e '."$dp" == "begin" and (.schema.fields | map(.name)) == ["id","day","_change_type"]'
    tail -n 1 out | jq -e '."$dp" == "end" and .records == 1'
    dp-map . <out >/dev/null
}

@test "deletion vectors, checked against the rows of both versions" {
    corpus
    t=$DP_SHARED/corpus/delta/cdf-table-with-dv
    for pair in "0 1" "1 0" "2 5" "6 3" "0 6"; do
        # shellcheck disable=SC2086
        diff <(dp-table diff "$t" $pair --rows 2>/dev/null | sort) <(rows_by_hand "$t" $pair) || fail "$pair"
    done
    run --separate-stderr dp-table diff "$t" 0 1
    dp_expect 1 "1 with other rows deleted"
    cp -r "$t" u && chmod -R u+w u && dp-table clone u v >/dev/null # a clone names the same vectors otherwise
    run dp-table diff u v --rows
    assert_success
}

@test "more rows than memory: the same lines in the same order" {
    table t
    awk 'BEGIN { for (i = 0; i < 150000; i++) printf "{\"id\":%d,\"day\":\"2026-01-01\"}\n", i * 7919 % 150001 }' >in
    dp-partition -o t <in | dp-table commit t --eof-commits >/dev/null
    awk 'NR % 3' in | dp-partition -o t | dp-table commit t --eof-commits --mode overwrite >/dev/null
    dp-table diff t 1 2 --rows -m 16M -v 2>err >small || [ $? -eq 1 ]
    dp-table diff t 1 2 --rows 2>/dev/null >large || [ $? -eq 1 ]
    cmp small large
    awk 'NR % 3 == 0' in | sed 's/}$/,"_change_type":"delete"}/' | LC_ALL=C sort | cmp - <(LC_ALL=C sort small)
    grep -q "rows were spilled" err
}
