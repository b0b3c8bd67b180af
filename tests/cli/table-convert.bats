#!/usr/bin/env bats
# dp-table convert: a directory of Parquet becomes a table where it stands; types of its directories; what has no common schema is refused.

bats_require_minimum_version 1.5.0
load helper

# lay DIR [OPTION...]: records on standard input as a plain directory of Parquet files
lay() {
    local dir=$1
    shift
    dp-partition -o "$dir" "$@" >/dev/null
}
entry() { echo "$1/_delta_log/00000000000000000000.json"; }
fields() { jq -r 'select(.metaData).metaData.schemaString | fromjson.fields | map("\(.name) \(.type)") | join(", ")' "$(entry "$1")"; }

@test "files stay as they are; rows, statistics and sizes are theirs" {
    printf '%s\n' '{"id":1,"word":"a"}' '{"id":2,"word":null}' | lay d
    printf '%s\n' '{"id":3,"word":"c"}' | lay d/more
    echo text >d/README
    mkdir d/_other && cp d/part-* d/_other/
    find d -type f -exec sha256sum {} + | sort >before
    dp-cat d/part-* d/more/part-* | sort >want
    run dp-table convert d --dry-run
    assert_output "d: would be a table, 2 files, 3 rows, 2 columns, 0 of them partition columns"
    [ ! -e d/_delta_log ]
    run dp-table convert d
    assert_output "d: is a table, 2 files, 3 rows, 2 columns, 0 of them partition columns"
    find d -type f ! -path '*/_delta_log/*' -exec sha256sum {} + | sort | cmp - before
    dp-cat d | sort | cmp - want
    jq -se '.[0].commitInfo.operation == "CONVERT" and .[0].commitInfo.operationParameters.numFiles == "2"' "$(entry d)"
    jq -se '[.[] | select(.add).add | .stats | fromjson] | map(.numRecords) == [3, 0] or (map(.numRecords) | add) == 3' "$(entry d)"
    jq -se 'any(.[] | select(.add).add.stats | fromjson; .nullCount.word == 1 and .minValues.id == 1 and .maxValues.id == 2)' "$(entry d)"
    while read -r path size; do [ "$(stat -c %s "d/$path")" -eq "$size" ]; done < <(jq -r 'select(.add).add | "\(.path) \(.size)"' "$(entry d)")
    run --separate-stderr dp-table convert d
    dp_expect 2 "d is a table already"
    echo '{"id":4,"word":"d"}' | dp-partition -o d | dp-table commit d --eof-commits >/dev/null
    assert_equal "$(dp-cat d | wc -l)" 4
}

@test "directories make columns: their names and values unescaped, their types by all values" {
    mkdir -p "d/day=2026-01-01/n=1/w=a%3Ab/z=01" d/day=__HIVE_DEFAULT_PARTITION__/n=-20/w=x\ y/z=2
    echo '{"id":1}' | lay one && cp one/part-* "d/day=2026-01-01/n=1/w=a%3Ab/z=01/a.parquet"
    cp one/part-* "d/day=__HIVE_DEFAULT_PARTITION__/n=-20/w=x y/z=2/b.parquet"
    run dp-table convert d
    assert_output "d: is a table, 2 files, 2 rows, 5 columns, 4 of them partition columns"
    assert_equal "$(fields d)" "id long, day date, n long, w string, z string"
    assert_equal "$(dp-cat d | sort | paste -sd ' ')" '{"id":1,"day":"2026-01-01","n":1,"w":"a:b","z":"01"} {"id":1,"day":null,"n":-20,"w":"x y","z":"2"}'
    assert_equal "$(dp-table files d --where '.n < 0' | wc -l)" 1
}

@test "--by and a contract say the types; values that are not of theirs are refused by name" {
    mkdir -p d/hour=05 d/hour=17
    echo '{"id":1}' | lay one && cp one/part-* d/hour=05/a.parquet && cp one/part-* d/hour=17/b.parquet
    cp -r d e && cp -r d f
    dp-table convert d --by 'hour int32' >/dev/null
    assert_equal "$(fields d)" "id long, hour integer"
    assert_equal "$(dp-cat d | jq -c .hour | sort | paste -sd ' ')" "17 5"
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: t' 'version: 1.0.0' 'status: active' 'schema:' '- name: t' '  properties:' \
        '  - {name: id, logicalType: integer}' '  - {name: hour, logicalType: integer}' >c.yaml
    dp-table convert e -c c.yaml >/dev/null
    assert_equal "$(dp-cat e | jq -c .hour | sort | paste -sd ' ')" "17 5"
    run --separate-stderr dp-table convert f --by 'hour date'
    dp_expect 1 "hour=05/a.parquet"
    run --separate-stderr dp-table convert f --by 'minute int32'
    dp_expect 2 "no directory of f is named minute="
    run --separate-stderr dp-table convert f --by hour
    dp_expect 2 "NAME TYPE is wanted"
    [ ! -e f/_delta_log ]
}

@test "files that differ: columns that some lack are null; other types, and other directories, are refused" {
    echo '{"id":1}' | lay d && echo '{"id":2,"more":"x"}' | lay d/b
    dp-table convert d >/dev/null
    assert_equal "$(dp-cat d | sort | paste -sd ' ')" '{"id":1,"more":null} {"id":2,"more":"x"}'
    echo '{"id":"a"}' | lay e && echo '{"id":2}' | lay e/b
    run --separate-stderr dp-table convert e
    dp_expect 1 "id"
    mkdir -p f/x=1 f/y=1
    cp d/part-* f/x=1/ && cp d/part-* f/y=1/
    run --separate-stderr dp-table convert f
    dp_expect 1 "do not lie in directories of the same keys"
    mkdir g
    run --separate-stderr dp-table convert g
    dp_expect 2 "holds no Parquet file"
    mkdir h && cp -r d h/t
    run --separate-stderr dp-table convert h
    dp_expect 2 "h/t is a table"
    run --separate-stderr dp-table convert nowhere
    dp_expect 3 "nowhere"
    for x in e f g h; do [ ! -e $x/_delta_log ]; done
}

@test "a partition column that the files have too; odd names of files" {
    printf '%s\n' '{"id":1,"day":"2026-01-01"}' | dp-ingest -f ndjson | lay one
    mkdir -p 'd/day=2026-01-02'
    cp one/part-* 'd/day=2026-01-02/a b%41#.parquet'
    dp-table convert d --by 'day date' >/dev/null
    assert_equal "$(dp-cat d)" '{"id":1,"day":"2026-01-02"}' # what the directory says
    jq -e 'select(.add).add.path == "day=2026-01-02/a%20b%2541%23.parquet"' "$(entry d)"
}
