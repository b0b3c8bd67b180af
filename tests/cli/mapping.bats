#!/usr/bin/env bats
# Column mapping of new tables: names that other writers refuse go through ingest, partition and commit, and only then is a table mapped.

bats_require_minimum_version 1.5.0
load helper

rows() { # FROM TO
    seq "$1" "$2" | awk '{ printf "{\"State Name\":\"s%d\",\"n=1\":%d,\"N_1\":%d,\"n 1\":%d,\"day\":\"2026-01-0%d\",\"s\":{\"x y\":%d,\"z\":[{\"p,q\":\"k\"}]}}\n", $1 % 3, $1, $1 + 1, $1 + 2, $1 % 2 + 1, $1 }'
}
table() { # words of create
    rows 1 4 | dp-contract infer - >c.yaml
    dp-table create t -c c.yaml "$@" 2>err
}
put() { rows "$1" "$2" | dp-partition -o t | dp-table commit t --eof-commits "${@:3}"; }
meta() { jq -cse '.[] | .metaData // empty' t/_delta_log/00000000000000000000.json; }
fields() { meta | jq -c '.schemaString | fromjson | [.fields[] | [.name, .metadata["delta.columnMapping.physicalName"], .metadata["delta.columnMapping.id"]]]'; }

@test "create: physical names are legible, legal and unique, ids at every level; one warning" {
    table --by day
    [ "$(wc -l <err)" -eq 1 ]
    grep -q 'warning.*"State Name".*polars' err
    [ "$(fields)" = '[["State Name","State_Name",1],["n=1","n_1_2",2],["N_1","N_1",3],["n 1","n_1_3",4],["day","day",5],["s","s",6]]' ]
    meta | jq -e '.configuration | .["delta.columnMapping.mode"] == "name" and .["delta.columnMapping.maxColumnId"] == "9"' >/dev/null
    meta | jq -e '.schemaString | fromjson | .fields[5].type.fields | .[0].metadata["delta.columnMapping.physicalName"] == "x_y" and
        .[1].type.elementType.fields[0].metadata == {"delta.columnMapping.id":9,"delta.columnMapping.physicalName":"p_q"}' >/dev/null
    jq -se '.[1].protocol == {minReaderVersion:2,minWriterVersion:5}' t/_delta_log/00000000000000000000.json >/dev/null
    run --separate-stderr dp-table create t -c c.yaml --by day
    dp_expect 0
    [[ $output == *"exists already"* ]]
}

@test "a table of legal names is not mapped, unless the property says so" {
    echo '{"a":1,"b":2}' | dp-contract infer - >c.yaml
    run --separate-stderr dp-table create t -c c.yaml
    dp_expect 0
    [ -z "$stderr" ]
    [ "$(fields)" = '[["a",null,null],["b",null,null]]' ]
    rm -r t
    run --separate-stderr dp-table create t -c c.yaml --property delta.columnMapping.mode=name
    dp_expect 0
    [ -z "$stderr" ]
    [ "$(fields)" = '[["a","a",1],["b","b",2]]' ]
    echo '{"a":1,"b":2}' | dp-partition -o t | dp-table commit t --eof-commits
    [ "$(dp-cat t)" = '{"a":1,"b":2}' ]
    rm -r t
    run --separate-stderr dp-table create t -c c.yaml --property delta.columnMapping.mode=id
    dp_expect 3 "mode=id"
    echo '{"a b":1}' | dp-contract infer - >c.yaml
    run --separate-stderr dp-table create t -c c.yaml --property delta.columnMapping.mode=none
    dp_expect 1 '"a b"'
    [ ! -e t ]
}

@test "names that are equal ignoring case are refused, both named" {
    echo '{"a":1,"Ab c":1,"aB C":2}' | dp-contract infer - >c.yaml
    run --separate-stderr dp-table create t -c c.yaml
    dp_expect 1 '"Ab c" and "aB C"'
    [ ! -e t ]
}

@test "rows go in and come out by the table's names; values and statistics are keyed by the physical ones" {
    table --by "State Name" --by day
    put 1 6
    rows 1 6 | sort >want
    dp-cat t | sort | diff want -
    jq -se '[.[].add // empty] | length > 1 and all(.partitionValues | keys == ["State_Name", "day"]) and
        all(.stats | fromjson | (.minValues | has("n_1_2") and (.s | has("x_y"))) and (.nullCount | has("State Name") | not))' t/_delta_log/00000000000000000001.json >/dev/null
    f=$(dp-table files t | head -1)
    dp-cat "$f" | head -1 | jq -e 'keys == ["N_1", "n_1_2", "n_1_3", "s"] and (.s.z[0] | has("p_q"))' >/dev/null
    [ "$(dp-table files t --where '.["State Name"] == "s1"' | wc -l)" -eq 2 ]
    [ "$(dp-table files t --where '.["n=1"] > 5' | wc -l)" -eq 1 ]
    [ "$(dp-cat t --where '.["n=1"] > 5' --columns 'n=1,State Name')" = '{"n=1":6,"State Name":"s0"}' ]
}

@test "overwrite, replace, sort and statistics of named columns" {
    # shellcheck disable=SC2016 # back-ticks are the property's own quotes
    table --by "State Name" --property 'delta.dataSkippingStatsColumns=`n=1`,s.`x y`'
    put 1 6
    jq -se '[.[].add // empty | .stats | fromjson | .minValues | keys] | all(. == ["n_1_2", "s"])' t/_delta_log/00000000000000000001.json >/dev/null
    rows 7 9 | head -1 | dp-partition -o t --sort='-n=1' | dp-table commit t --eof-commits --mode replace # s1
    [ "$(dp-cat t | wc -l)" -eq 5 ]
    put 1 2 --mode overwrite
    [ "$(dp-cat t | wc -l)" -eq 2 ]
}

@test "a commit that makes the table maps it, with the files' names as the physical ones" {
    rows 1 2 | dp-partition -o t --by day >paths
    run --separate-stderr dp-table commit t --eof-commits <paths
    dp_expect 0
    [[ $stderr == *'"State Name"'* ]]
    [ "$(fields | jq -c '.[0]')" = '["State Name","State Name",1]' ]
    put 3 4
    rows 1 4 | diff - <(dp-cat t | sort -t: -k3n)
}

@test "a file with the table's names is no file of a mapped table" {
    table
    rows 1 2 | dp-partition -o d >paths
    cp "$(cat paths)" t/x.parquet
    run --separate-stderr dp-table commit t --eof-commits <<<t/x.parquet
    dp_expect 1 "physical names"
    [ "$(find t/_delta_log -name '0*.json' | wc -l)" -eq 1 ]
}

@test "--since: each row once" {
    table
    rows 1 5 >in.ndjson
    since() { dp-ingest --marks --since t in.ndjson | dp-partition --marks -o t | dp-table commit t; }
    since
    rows 6 7 >>in.ndjson
    since
    since || true # nothing new
    [ "$(dp-cat t | wc -l)" -eq 7 ]
}

@test "a header with newlines, blanks and signs" {
    printf '"State\nName","a,b","stringCol!@#$%%^&*()",x\n1,2,u,v\n' >in.csv
    dp-ingest in.csv | dp-contract infer - >c.yaml
    dp-table create t -c c.yaml
    dp-ingest in.csv | dp-partition -o t | dp-table commit t --eof-commits
    [ "$(dp-cat t)" = "$(dp-ingest in.csv)" ]
}
