#!/usr/bin/env bats
# Tables whose schema grows: dp-partition --evolve writes what the table lacks, dp-table commit --evolve makes it the table's.

bats_require_minimum_version 1.5.0
load helper

contract() { # id's physical type, further lines of properties
    printf '%s\n' 'apiVersion: v3.0.0' 'kind: DataContract' 'id: t' 'version: 1.0.0' 'status: active' 'schema:' '  - name: t' '    properties:' \
        "      - {name: id, logicalType: integer, physicalType: \"$1\", required: true}" '      - {name: s, logicalType: string}' "${@:2}"
}
table() { contract "${1:-int}" >c.yaml && dp-table create T -c c.yaml "${@:2}" >/dev/null; }
put() ( # RECORD HOW [words of dp-partition]
    set -o pipefail
    printf '%s\n' "$1" | dp-partition -q -o T --evolve "$2" "${@:3}" >put.paths && dp-table commit T --eof-commits --evolve "$2" <put.paths
)
last() { jq -cse "[.[] | $1 // empty][0]" "$(printf 'T/_delta_log/%020d.json' "$2")"; }
types() { last .metaData "$1" | jq -c '.schemaString | fromjson | [.fields[] | [.name, .type, .nullable]]'; }

@test "add: columns and fields that the table lacks become its own, nullable, in one commit; older rows have null there" {
    table
    echo '{"id":0,"s":"a"}' | dp-partition -o T | dp-table commit T --eof-commits
    run --separate-stderr put '{"id":1,"n":5,"o":{"a":1}}' add
    dp_expect 0
    [[ $output == *"added n (long), added o (struct)"*"version 2, 1 files, 1 rows"* ]]
    [ "$(types 2)" = '[["id","integer",false],["s","string",true],["n","long",true],["o",{"type":"struct","fields":[{"name":"a","type":"long","nullable":true,"metadata":{}}]},true]]' ]
    put '{"id":2,"o":{"a":2,"b":"x"},"l":[{"k":1}]}' add
    put '{"id":3,"l":[{"k":1,"m":true}]}' add
    [ "$(dp-cat --to records T | jq -cs 'sort_by(.id)')" = \
        '[{"id":0,"s":"a","n":null,"o":null,"l":null},{"id":1,"s":null,"n":5,"o":{"a":1,"b":null},"l":null},{"id":2,"s":null,"n":null,"o":{"a":2,"b":"x"},"l":[{"k":1,"m":null}]},{"id":3,"s":null,"n":null,"o":null,"l":[{"k":1,"m":true}]}]' ]
    # the same columns again change nothing
    run put '{"id":4,"n":6}' add
    [[ $output != *added* ]]
    run last .metaData 5
    [ "$status" -ne 0 ]
}

@test "without --evolve, and where nothing leads there, file and column are named and nothing changes" {
    table
    echo '{"id":1,"n":5}' | dp-partition -q -o T --evolve add >paths
    run --separate-stderr dp-table commit T --eof-commits <paths
    dp_expect 1 "column n is not in the table"
    [[ $stderr == *"$(cat paths)"* ]]
    run --separate-stderr dp-table commit T --eof-commits --evolve add --dry-run <paths
    dp_expect 0
    [[ $output == *"would have added n (long)"*"would commit 1 files"* ]]
    [ "$(find T/_delta_log -name '*.json' | wc -l)" -eq 1 ]
    mkdir U && cp -r T/_delta_log U/
    sed 's/logicalType: string/logicalType: integer/' c.yaml >i.yaml
    echo '{"id":1,"s":7}' | dp-partition -c i.yaml -o plain >other
    cp "$(cat other)" U/part-0.parquet
    run --separate-stderr dp-table commit U --eof-commits --evolve widen <<<U/part-0.parquet
    dp_expect 1 "U/part-0.parquet: column s: the table has string, the new rows have long"
    sed 's/name: s,/name: S,/' c.yaml >upper.yaml
    echo '{"id":1,"S":"x"}' | dp-partition -c upper.yaml -o plain2 >other
    cp "$(cat other)" U/part-1.parquet
    run --separate-stderr dp-table commit U --eof-commits --evolve add <<<U/part-1.parquet
    dp_expect 1 'the table has "s", which is the same when case is ignored'
    sed 's/name: s,/name: a b,/' c.yaml >blank.yaml
    echo '{"id":1,"a b":"x"}' | dp-partition -c blank.yaml -o plain3 >other
    cp "$(cat other)" U/part-2.parquet
    run --separate-stderr dp-table commit U --eof-commits --evolve add <<<U/part-2.parquet
    dp_expect 1 "column mapping"
    [ "$(find U/_delta_log -name '*.json' | wc -l)" -eq 1 ]
}

@test "widen: only where the table allows it; each change is recorded; older files are read as the wider type" {
    table int
    contract bigint >big.yaml
    run --separate-stderr put '{"id":5000000000}' widen -c big.yaml
    dp_expect 1 "delta.enableTypeWidening=true"
    rm -r T
    table int --property delta.enableTypeWidening=true
    echo '{"id":1}' | dp-partition -o T | dp-table commit T --eof-commits
    echo '{"id":2}' | dp-partition -o T >narrow
    run --separate-stderr put '{"id":5000000000}' add -c big.yaml
    dp_expect 1
    run --separate-stderr put '{"id":5000000000}' widen -c big.yaml
    dp_expect 0
    [[ $output == *"widened id (integer to long)"* ]]
    last .metaData 2 | jq -e '.schemaString | fromjson | .fields[0] == {name:"id",type:"long",nullable:false,metadata:{"delta.typeChanges":[{fromType:"integer",toType:"long"}]}}'
    # files that were written for the narrower type
    dp-table commit T --eof-commits <narrow
    [ "$(dp-cat --to records --columns id T | jq -cs 'map(.id) | sort')" = '[1,2,5000000000]' ]
    # a second change is recorded behind the first
    contract 'decimal(20,0)' >dec.yaml
    sed -i 's/logicalType: integer/logicalType: number/' dec.yaml
    put '{"id":12345678901234567890}' widen -c dec.yaml
    last .metaData 4 | jq -e '.schemaString | fromjson | .fields[0].metadata["delta.typeChanges"] | length == 2 and .[1] == {fromType:"long",toType:"decimal(20,0)"}'
    [ "$(dp-cat --to csv --columns id T | sort | tr '\n' ' ')" = '1 12345678901234567890 2 5000000000 id ' ]
    [ "$(dp-cat --where '.id == 2' --to csv --columns id T | wc -l)" -eq 2 ]
}

@test "a mapped table: new columns get ids and physical names, which the files have" {
    contract int >c.yaml
    dp-table create T -c c.yaml --property delta.columnMapping.mode=name >/dev/null
    put '{"id":1,"new one":5,"o":{"a":1}}' add
    last .metaData 1 | jq -e '.configuration["delta.columnMapping.maxColumnId"] == "5"'
    last .metaData 1 | jq -e '.schemaString | fromjson | .fields[2] | .name == "new one" and .metadata["delta.columnMapping.id"] == 3 and
        (.metadata["delta.columnMapping.physicalName"] | test("^col-[0-9a-f-]{36}$"))'
    put '{"id":2,"new one":6,"o":{"a":2,"b":3}}' add
    [ "$(dp-cat --to records T | jq -cs 'sort_by(.id)')" = '[{"id":1,"s":null,"new one":5,"o":{"a":1,"b":null}},{"id":2,"s":null,"new one":6,"o":{"a":2,"b":3}}]' ]
    # two runs that add the same column by themselves: the second one's files have to be written again
    echo '{"id":3,"z":1}' | dp-partition -q -o T --evolve add >one
    echo '{"id":4,"z":2}' | dp-partition -q -o T --evolve add >two
    dp-table commit T --eof-commits --evolve add <one
    run --separate-stderr dp-table commit T --eof-commits --evolve add <two
    dp_expect 1 "column z: the table's physical name is"
}

@test "a local timestamp brings its feature into the protocol" {
    table
    contract int '      - {name: at, logicalType: timestamp, physicalType: timestamp_ntz}' | sed 's/v3.0.0/v3.1.0/' >ntz.yaml
    put '{"id":1,"at":"2026-01-02T03:04:05"}' add -c ntz.yaml
    last .protocol 1 | jq -e '.minReaderVersion == 3 and .minWriterVersion == 7 and .readerFeatures == ["timestampNtz"] and (.writerFeatures | sort) == ["appendOnly","invariants","timestampNtz"]'
    [ "$(dp-cat --to records T)" = '{"id":1,"s":null,"at":"2026-01-02T03:04:05"}' ]
}

@test "types that the header says count; the contract that is kept goes on judging the columns that it names" {
    table
    echo '{"id":1,"d":"2026-01-02"}' >in.ndjson
    contract int '      - {name: d, logicalType: date}' >d.yaml
    dp-ingest -c d.yaml --marks in.ndjson | dp-partition -q -o T --evolve add | dp-table commit T --evolve add --contract
    types 1 | jq -e '.[2] == ["d","date",true]'
}

@test "writers that add columns at once: all rows, all columns" {
    table
    for i in 1 2 3 4 5 6; do
        (echo "{\"id\":$i,\"c$((i % 3))\":$i}" | dp-partition -q -o T --evolve add | dp-table commit T --eof-commits --evolve add >"out$i" 2>&1) &
    done
    wait
    cat out*
    [ "$(dp-cat --to records T | jq -cs 'map([.id, .c0 // .c1 // .c2]) | sort')" = '[[1,1],[2,2],[3,3],[4,4],[5,5],[6,6]]' ]
}
