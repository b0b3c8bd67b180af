#!/usr/bin/env bats
# What foreign tables demand of new rows: constraints, invariants, generated columns, lengths, defaults, required fields.

bats_require_minimum_version 1.5.0
load helper

# A table as another engine leaves it: table FIELDS-JSON CONFIGURATION-JSON [PARTITION-COLUMNS-JSON [WRITER-FEATURES-JSON]]
table() {
    mkdir -p T/_delta_log
    jq -cn --argjson fields "$1" --argjson conf "$2" --argjson by "${3:-[]}" --argjson features "${4:-null}" '
        {protocol: (if $features then {minReaderVersion: 1, minWriterVersion: 7, writerFeatures: $features} else {minReaderVersion: 1, minWriterVersion: 4} end)},
        {metaData: {id: "11111111-2222-3333-4444-555555555555", format: {provider: "parquet", options: {}}, schemaString: ({type: "struct", fields: $fields} | tojson),
                    partitionColumns: $by, configuration: $conf, createdTime: 1}}' >T/_delta_log/00000000000000000000.json
}
field() { jq -cn --arg n "$1" --argjson t "$2" --argjson m "${3:-{\}}" --argjson nullable "${4:-true}" '{name: $n, type: $t, nullable: $nullable, metadata: $m}'; }
fields() { printf '%s\n' "$@" | jq -cs .; }
put() ( set -o pipefail; printf '%s\n' "$@" | dp-partition -o T "${words[@]}" >put.paths && dp-table commit T --eof-commits <put.paths )
versions() { find T/_delta_log -name '*.json' | wc -l; }

@test "check constraints: a row that breaks one ends the commit with constraint, file and row; null breaks it too; what others have too" {
    table "$(fields "$(field id '"long"')" "$(field price '"decimal(10,2)"')" "$(field s '"string"')")" \
        '{"delta.constraints.positive": "price > 0 AND `id` IS NOT NULL", "delta.constraints.word": "s IS NULL OR s LIKE '"'A%'"'"}'
    run --separate-stderr put '{"id":1,"price":0.01,"s":"Abc"}' '{"id":2,"price":5,"s":null}'
    dp_expect 0
    run --separate-stderr put '{"id":3,"price":1,"s":"A"}' '{"id":4,"price":0.00,"s":"A"}' '{"id":5,"price":0,"s":"b"}'
    dp_expect 1 "row 2 breaks the constraint positive: price > 0 AND"
    [[ $stderr == *"$(cat put.paths)"* ]]
    run --separate-stderr put '{"id":3,"s":"A"}'
    dp_expect 1 "row 1 breaks the constraint positive"
    run --separate-stderr put '{"id":3,"price":2,"s":"b"}'
    dp_expect 1 "row 1 breaks the constraint word"
    [ "$(versions)" -eq 2 ]
    [ "$(dp-cat --to records T | wc -l)" -eq 2 ]
}

@test "a constraint that can't be evaluated is refused by its name before anything is written" {
    table "$(fields "$(field id '"long"')")" '{"delta.constraints.odd": "my_udf(id) > 0"}'
    run --separate-stderr put '{"id":1}'
    dp_expect 3 "constraint odd (my_udf(id) > 0): column 1: function my_udf"
    [ ! -e T/_dp_staging ]
    run --separate-stderr dp-table commit T --eof-commits <<<T/x.parquet
    dp_expect 3 "constraint odd"
}

@test "statistics prove what they can: such files are not read" {
    table "$(fields "$(field id '"long"')")" '{"delta.constraints.low": "id >= 10 AND id < 1000000"}'
    seq 10 5000 | sed 's/.*/{"id":&}/' | dp-partition -o T >put.paths
    # a file whose pages are broken, whose footer is whole
    printf 'XXXXXXXX' | dd of="$(cat put.paths)" bs=1 seek=6 conv=notrunc status=none
    dp-table commit T --eof-commits <put.paths
    seq 9 5000 | sed 's/.*/{"id":&}/' | dp-partition -o T >put.paths
    run --separate-stderr dp-table commit T --eof-commits <put.paths
    dp_expect 1 "row 1 breaks the constraint low"
}

@test "invariants of columns, inside of structs too" {
    inv() { jq -cn --arg e "$1" '{"delta.invariants": ({expression: {expression: $e}} | tojson)}'; }
    table "$(fields "$(field id '"long"' "$(inv 'id > 3')")" "$(field o "$(jq -cn --argjson f "$(field x '"integer"' "$(inv 'o.x IS NULL OR o.x <> 0')")" '{type: "struct", fields: [$f]}')")")" '{}'
    put '{"id":4,"o":{"x":1}}' '{"id":5}'
    run --separate-stderr put '{"id":4,"o":{"x":0}}'
    dp_expect 1 "row 1 breaks the invariant of column o.x"
    run --separate-stderr put '{"id":3}'
    dp_expect 1 "row 1 breaks the invariant of column id: id > 3"
}

@test "generated columns: dp-partition makes them, as partitions too; what comes with another value is refused" {
    gen() { jq -cn --arg e "$1" '{"delta.generationExpression": $e}'; }
    table "$(fields "$(field ts '"timestamp"')" "$(field day '"date"' "$(gen 'CAST(ts AS DATE)')")" "$(field y '"integer"' "$(gen 'YEAR(ts)')")" \
        "$(field m '"string"' "$(gen "DATE_FORMAT(ts, 'yyyy-MM')")")" "$(field h '"integer"' "$(gen 'hour(ts)')")" "$(field t '"timestamp"' "$(gen "DATE_TRUNC('MONTH', ts)")")" \
        "$(field s '"string"')" "$(field p '"string"' "$(gen 'SUBSTRING(s, 1, 2)')")")" '{}' '["day","p"]'
    put '{"ts":"2026-02-03T04:05:06Z","s":"abc"}' '{"ts":null,"s":"xyz","y":null}' '{"ts":"1969-12-31T23:00:00Z","s":"ab","day":"1969-12-31","h":23}'
    [ "$(dp-cat --to records T | jq -cs 'map([.day, .y, .m, .h, .t, .p]) | sort')" = \
        '[[null,null,null,null,null,"xy"],["1969-12-31",1969,"1969-12",23,"1969-12-01T00:00:00Z","ab"],["2026-02-03",2026,"2026-02",4,"2026-02-01T00:00:00Z","ab"]]' ]
    run --separate-stderr put '{"ts":"2026-02-03T04:05:06Z","s":"abc","day":"2026-02-04"}'
    dp_expect 1 "row 1: generated column day is not CAST(ts AS DATE)"
    run --separate-stderr put '{"ts":"2026-02-03T04:05:06Z","s":"abc","y":2025}'
    dp_expect 1 "generated column y is not YEAR(ts)"
    rm -r T
    table "$(fields "$(field ts '"timestamp"')" "$(field w '"integer"' "$(gen 'weekofyear(ts)')")")" '{}'
    run --separate-stderr put '{"ts":"2026-02-03T04:05:06Z"}'
    dp_expect 3 "generated column w (weekofyear(ts)): column 1: function weekofyear"
}

@test "char and varchar: lengths are in characters" {
    table "$(fields "$(field v '"string"' '{"__CHAR_VARCHAR_TYPE_STRING":"varchar(3)"}')" "$(field o '{"type":"struct","fields":[{"name":"c","type":"string","nullable":true,"metadata":{"__CHAR_VARCHAR_TYPE_STRING":"char(2)"}}]}')")" '{}'
    put '{"v":"äöü","o":{"c":"ab"}}' '{"v":null}'
    run --separate-stderr put '{"v":"abc"}' '{"v":"abcd"}'
    dp_expect 1 "row 2: column v is longer than varchar(3)"
    run --separate-stderr put '{"o":{"c":"abc"}}'
    dp_expect 1 "row 1: column o.c is longer than char(2)"
}

@test "a column with a default must be given; identity columns are refused" {
    table "$(fields "$(field id '"long"')" "$(field d '"string"' "{\"CURRENT_DEFAULT\":\"'x'\"}")")" '{}' '[]' '["allowColumnDefaults","appendOnly","invariants"]'
    put '{"id":1,"d":null}'
    run --separate-stderr put '{"id":1}'
    dp_expect 1 "d"
    sed 's/"d"/"e"/' <<<'{"id":1}' | dp-partition -o plain >other
    cp "$(cat other)" T/part-0.parquet
    run --separate-stderr dp-table commit T --eof-commits <<<T/part-0.parquet
    dp_expect 3 "column d has a default value"
    rm -r T
    table "$(fields "$(field id '"long"' '{"delta.identity.start":1,"delta.identity.step":1}')")" '{}' '[]' '["identityColumns"]'
    run --separate-stderr put '{"id":1}'
    dp_expect 3 "column id has identity values"
}

@test "required fields inside of others hold for files of other writers too" {
    table "$(fields "$(field id '"long"')" "$(field o '{"type":"struct","fields":[{"name":"x","type":"long","nullable":false,"metadata":{}}]}')" \
        "$(field l '{"type":"array","elementType":"long","containsNull":false}')")" '{}'
    echo '{"id":1,"o":{"x":1},"l":[1]}' | dp-partition -o ok >other
    cp "$(cat other)" T/part-0.parquet
    dp-table commit T --eof-commits <<<T/part-0.parquet
    printf '%s\n' '{"id":1,"o":null,"l":null}' '{"id":1,"o":{"x":null},"l":[2]}' '{"id":2,"o":{"x":3},"l":[3,null]}' '{"id":3,"o":{"x":3},"l":[3]}' >in
    head -2 in | cat - <(tail -1 in) | dp-partition -o bad >other
    cp "$(cat other)" T/part-1.parquet
    run --separate-stderr dp-table commit T --eof-commits <<<T/part-1.parquet
    dp_expect 1 "row 2: column o has a null in its required fields"
    tail -2 in | dp-partition -o bad2 >other
    cp "$(cat other)" T/part-2.parquet
    run --separate-stderr dp-table commit T --eof-commits <<<T/part-2.parquet
    dp_expect 1 "row 1: column l has a null in its required fields"
    [ "$(versions)" -eq 2 ]
}

@test "the first broken row is told, whatever the threads and the memory; overwrite and replace are checked alike" {
    table "$(fields "$(field id '"long"')" "$(field p '"long"')")" '{"delta.constraints.odd": "id % 1000 <> 999 OR id < 70000"}' '["p"]'
    seq 1 100000 | awk '{ printf "{\"id\":%d,\"p\":%d}\n", $1, $1 % 3 }' | dp-partition -o T --row-group-rows 1000 >put.paths
    for w in "--threads 1" "--threads 2 --memory 16M" "--mode overwrite" "--mode replace"; do
        # shellcheck disable=SC2086
        run --separate-stderr dp-table commit T --eof-commits $w <put.paths
        dp_expect 1 "row 23667 breaks the constraint odd"
        [ -z "${first:-}" ] || [ "$stderr" = "$first" ]
        first=$stderr
    done
    [ "$(versions)" -eq 1 ]
}

@test "a contract judges what overwrite and replace bring, too" {
    printf '%s\n' 'apiVersion: v3.0.0' 'kind: DataContract' 'id: t' 'version: 1.0.0' 'status: active' 'schema:' '  - name: t' '    properties:' \
        '      - {name: id, logicalType: integer, required: true, unique: true}' '      - {name: p, logicalType: integer, partitioned: true}' >c.yaml
    dp-table create T -c c.yaml
    seq 1 10 | awk '{ printf "{\"id\":%d,\"p\":%d}\n", $1, $1 % 2 }' | dp-partition -o T | dp-table commit T --eof-commits --contract
    for mode in overwrite replace; do
        printf '%s\n' '{"id":1,"p":0}' '{"id":1,"p":1}' | dp-partition -o T >bad
        run --separate-stderr dp-table commit T --eof-commits --mode $mode --contract <bad
        dp_expect 1 "break 1 rule"
        [ "$(versions)" -eq 2 ]
    done
    # rows that go do not count against those that come
    printf '%s\n' '{"id":2,"p":0}' '{"id":4,"p":0}' | dp-partition -o T | dp-table commit T --eof-commits --mode replace --contract
    [ "$(dp-cat --to csv --columns id T | tail -n +2 | sort -n | tr '\n' ' ')" = "1 2 3 4 5 7 9 " ]
}

@test "update is held to them, delete is not in their way" {
    table "$(fields "$(field id '"long"')" "$(field n '"long"')")" '{"delta.constraints.small": "n < 10"}'
    put '{"id":1,"n":1}' '{"id":2,"n":2}' '{"id":3,"n":3}'
    run --separate-stderr dp-table update T --where '.id == 2' --set 'n=10'
    dp_expect 1 "breaks the constraint small"
    [ "$(versions)" -eq 2 ]
    dp-table update T --where '.id == 2' --set 'n=9'
    dp-table delete T --where '.id == 1'
    [ "$(dp-cat --to records T | jq -cs 'sort_by(.id)')" = '[{"id":2,"n":9},{"id":3,"n":3}]' ]
}

@test "merge makes generated columns too, of rows that are replaced and of new ones; defaults must be given there as well" {
    table "$(fields "$(field id '"long"')" "$(field ts '"timestamp"')" "$(field day '"date"' '{"delta.generationExpression":"CAST(ts AS DATE)"}')" \
        "$(field y '"integer"' '{"delta.generationExpression":"year(ts)"}' false)")" '{"delta.enableChangeDataFeed":"true"}' '["day"]'
    put '{"id":1,"ts":"2026-02-03T04:05:06Z"}' '{"id":2,"ts":"2026-02-03T04:05:06Z"}'
    printf '%s\n' '{"id":1,"ts":"1969-12-31T23:59:59Z"}' '{"id":3,"ts":"2027-01-01T00:00:00Z","y":2027}' '{"id":2,"op":"delete"}' | dp-table merge T --key id --eof-commits
    [ "$(dp-cat --to records T | jq -cs 'map([.id, .day, .y]) | sort')" = '[[1,"1969-12-31",1969],[3,"2027-01-01",2027]]' ]
    [ "$(dp-table changes T --since 2 | jq -c 'select(._change_type == "update_postimage") | [.day, .y]')" = '["1969-12-31",1969]' ]
    run --separate-stderr dp-table merge T --key id --eof-commits <<<'{"id":1,"ts":"2026-02-03T04:05:06Z","y":2025}'
    dp_expect 1 "generated column y is not year(ts)"
    rm -r T
    table "$(fields "$(field id '"long"')" "$(field d '"string"' "{\"CURRENT_DEFAULT\":\"'x'\"}")")" '{}' '[]' '["allowColumnDefaults","appendOnly","invariants"]'
    put '{"id":1,"d":null}'
    run --separate-stderr dp-table merge T --key id --eof-commits <<<'{"id":2}'
    dp_expect 1 "d"
    dp-table merge T --key id --eof-commits <<<'{"id":2,"d":"y"}'
    dp-table merge T --key id --eof-commits <<<'{"id":1,"op":"delete"}'
    [ "$(dp-cat --to records T)" = '{"id":2,"d":"y"}' ]
}

@test "update makes generated columns anew, also where that moves rows to another partition; one that is set must agree" {
    gen() { jq -cn --arg e "$1" '{"delta.generationExpression": $e}'; }
    for vectors in false true; do
        rm -rf T
        if $vectors; then
            mkdir -p T/_delta_log
            table "$(fields "$(field id '"long"')" "$(field ts '"timestamp"')" "$(field s '"string"')" "$(field day '"date"' "$(gen 'CAST(ts AS DATE)')")" "$(field y '"integer"' "$(gen 'year(ts)')" false)" \
                "$(field p '"string"' "$(gen 'SUBSTRING(s, 1, 1)')")")" '{"delta.enableChangeDataFeed":"true","delta.enableDeletionVectors":"true"}' '["day"]' \
                '["generatedColumns","changeDataFeed","deletionVectors"]'
            sed -i 's/"minReaderVersion":1,/"minReaderVersion":3,"readerFeatures":["deletionVectors"],/' T/_delta_log/00000000000000000000.json
        else
            table "$(fields "$(field id '"long"')" "$(field ts '"timestamp"')" "$(field s '"string"')" "$(field day '"date"' "$(gen 'CAST(ts AS DATE)')")" "$(field y '"integer"' "$(gen 'year(ts)')" false)" \
                "$(field p '"string"' "$(gen 'SUBSTRING(s, 1, 1)')")")" '{"delta.enableChangeDataFeed":"true"}' '["day"]'
        fi
        put '{"id":1,"ts":"2026-02-03T04:05:06Z","s":"abc"}' '{"id":2,"ts":"2026-02-03T04:05:07Z","s":"xyz"}' '{"id":3,"ts":"2025-02-03T04:05:08Z","s":"q"}'
        dp-table update -q T --where '.id == 1' --set 'ts="1999-12-31T23:59:59Z"'
        [ "$(dp-cat --to records T | jq -cs 'map([.id, .day, .y, .p]) | sort')" = '[[1,"1999-12-31",1999,"a"],[2,"2026-02-03",2026,"x"],[3,"2025-02-03",2025,"q"]]' ]
        [ "$(dp-table changes T --since 2 | jq -c 'select(._change_type == "update_postimage") | [.day, .y]')" = '["1999-12-31",1999]' ]
        dp-table update -q T --where '.id == 2' --set 's=.s + .p' --set 'y=2026'
        [ "$(dp-cat --to records T | jq -cs 'map([.s, .day, .y, .p]) | sort')" = '[["abc","1999-12-31",1999,"a"],["q","2025-02-03",2025,"q"],["xyzx","2026-02-03",2026,"x"]]' ]
        dp-table update -q T --where '.id == 3' --set 's="new"' --set 'p="n"'
        n=$(versions)
        run --separate-stderr dp-table update T --where '.id == 3' --set 'p="z"'
        dp_expect 1 "generated column p is not SUBSTRING(s, 1, 1)"
        run --separate-stderr dp-table update T --where '.id == 3' --set 'ts=null'
        dp_expect 1 "y"
        [ "$(versions)" -eq "$n" ]
        run dp-table verify T
        assert_success
    done
}
