#!/usr/bin/env bats
# Parquet files whose schemas differ, read as one set: by names, globs, directories and paths in a pipe, by every program that reads them.

# shellcheck disable=SC2016,SC2154
bats_require_minimum_version 1.5.0
load helper

# contract NAME PROPERTY...: NAME.yaml
contract() {
    {
        printf 'apiVersion: v3.1.0\nkind: DataContract\nid: t\nversion: 1.0.0\nstatus: active\nschema:\n  - name: t\n    logicalType: object\n    properties:\n'
        printf '      - %s\n' "${@:2}"
    } >"$1.yaml"
}

# NAME.parquet of the records on standard input, with these properties of a contract.
parquet() {
    contract "$@"
    dp-partition -c "$1.yaml" -o "$1.d" --row-group-rows 2 >/dev/null
    mv "$1.d"/part-*.parquet "$1.parquet"
    rmdir "$1.d"
}

int() { printf '{name: %s, logicalType: integer, physicalType: %s}' "$1" "$2"; }
number() { printf '{name: %s, logicalType: number, physicalType: "%s"}' "$1" "$2"; }
text() { printf '{name: %s, logicalType: string}' "$1"; }

setup() {
    dp_setup
    parquet a "$(int id int)" "$(text name)" "$(number f float)" "$(number m 'decimal(5,2)')" '{name: s, logicalType: object, properties: [{name: a, logicalType: integer, physicalType: smallint}]}' <<'END'
{"id":1,"name":"x","f":0.1,"m":1.25,"s":{"a":1}}
{"id":2,"name":"y","f":null,"m":null,"s":null}
{"id":3,"name":"z","f":2.5,"m":-999.99,"s":{"a":-5}}
END
    parquet b '{name: s, logicalType: object, properties: [{name: b, logicalType: string}, {name: a, logicalType: integer, physicalType: int}]}' "$(number m 'decimal(9,4)')" \
        "$(number f double)" "$(text more)" "$(int id bigint)" <<'END'
{"s":{"b":"q","a":100000},"m":1.2345,"f":1e300,"more":"m","id":9007199254740993}
{"s":{"b":null,"a":null},"m":12345.0000,"f":0.1,"more":null,"id":4}
END
    cat >want <<'END'
{"id":1,"name":"x","f":0.10000000149011612,"m":1.2500,"s":{"a":1,"b":null},"more":null}
{"id":2,"name":"y","f":null,"m":null,"s":null,"more":null}
{"id":3,"name":"z","f":2.5,"m":-999.9900,"s":{"a":-5,"b":null},"more":null}
{"id":9007199254740993,"name":null,"f":1e300,"m":1.2345,"s":{"a":100000,"b":"q"},"more":"m"}
{"id":4,"name":null,"f":0.1,"m":12345.0000,"s":{"a":null,"b":null},"more":null}
END
}

@test "rows of the set, however it is named, by every reader" {
    mkdir dir
    cp a.parquet b.parquet dir
    for threads in 1 2; do
        for memory in 16M 160M; do
            diff want <(dp-cat -j $threads -m $memory a.parquet b.parquet)
            diff want <(dp-map -j $threads -m $memory . a.parquet b.parquet)
        done
    done
    diff want <(dp-cat '[ab].parquet')
    diff want <(dp-cat dir)
    diff want <(dp-map . dir)
    diff want <(dp-ingest dir/*)
    diff want <(printf '%s\n' a.parquet b.parquet | dp-cat)
    diff want <(printf '%s\n' a.parquet b.parquet | dp-map .)
    diff want <(dp-partition -o out a.parquet b.parquet | dp-cat)
    diff want <(printf '%s\n' a.parquet b.parquet | dp-partition -o out2 | dp-cat)
}

@test "columns, headers and schema of the set" {
    [ "$(dp-cat --to csv --columns more,id a.parquet b.parquet)" = $'more,id\n,1\n,2\n,3\nm,9007199254740993\n,4' ]
    [ "$(dp-cat --to csv a.parquet b.parquet | head -1)" = id,name,f,m,s,more ]
    [ "$(printf '%s\n' a.parquet b.parquet | dp-cat --to csv | head -1)" = id,name,f,m,s,more ]
    [ "$(dp-cat --to table --columns id,more a.parquet b.parquet | wc -l)" -eq 7 ]
    dp-cat --schema a.parquet b.parquet >schema
    [ "$(jq -r '.column + " " + .type' schema | paste -sd,)" = 'id int64,name string,f double,m decimal(9,4),s struct<a:int32,b:string>,more string' ]
    diff schema <(printf '%s\n' a.parquet b.parquet | dp-cat --schema)
    [ "$(dp-cat --rows 3:4 a.parquet b.parquet)" = "$(sed -n 3,4p want)" ]
    dp-cat --marks a.parquet b.parquet | head -1 | jq -e '[.schema.fields[].type] == ["int64", "string", "double", "decimal(9,4)", "struct", "string"]' >/dev/null
    run --separate-stderr dp-cat --columns nowhere a.parquet b.parquet
    dp_expect 1 "no column nowhere"
    [ -z "$output" ]
}

@test "--where: what is skipped is never a row that it would keep" {
    for where in '.id > 2' '.id == 9007199254740993' '.m >= 1.25' '.m < -999' '.f < 0.2' '.f == 0.1' '.f > 0.1 and .f < 0.1000001' '.more == null' '.more == "m"' \
        '.more != "m"' '.more > "a"' '.name == null' '.s.b == "q"' '.s.a == -5' '.nowhere == null' '.nowhere > 1' '(.more // "none") == "none"' '.m == 1.2500'; do
        diff <(dp-map . --where "$where" want) <(dp-cat --where "$where" a.parquet b.parquet) || fail "$where"
        diff <(dp-map '{id}' --where "$where" want) <(dp-cat --where "$where" --columns id a.parquet b.parquet) || fail "$where, columns"
    done
    run --separate-stderr dp-cat -v --where '.more == "m"' a.parquet b.parquet
    [[ $stderr == *"2 of 3 row groups"* ]] || fail "$stderr"
}

@test "a conflict names both files, the column and both types, before any output" {
    parquet c "$(text id)" <<<'{"id":"1"}'
    for reader in dp-cat 'dp-cat --to csv' 'dp-cat --columns id' 'dp-cat --schema' 'dp-map .' dp-ingest 'dp-partition -o out'; do
        # shellcheck disable=SC2086
        run --separate-stderr $reader a.parquet b.parquet c.parquet
        dp_expect 1 "column id: a.parquet has int32, c.parquet has string, and no type holds both"
        [ -z "$output" ] || fail "$reader: $output"
        [ -z "$(ls -A out 2>/dev/null)" ] || fail "$reader left files"
    done
    run --separate-stderr dp-cat <<<$'b.parquet\nc.parquet'
    dp_expect 1 "column id: b.parquet has int64, c.parquet has string"
    [ -z "$output" ]
    parquet e '{name: s, logicalType: object, properties: [{name: a, logicalType: array, items: {logicalType: integer}}]}' <<<'{"s":{"a":[1]}}'
    run --separate-stderr dp-cat a.parquet e.parquet
    dp_expect 1 "column s.a: a.parquet has int16, e.parquet has list<int64>"
    parquet g "$(number id double)" <<<'{"id":1.5}'
    diff <(printf '{"id":%s}\n' 1.0 2.0 3.0 1.5) <(dp-cat --columns id a.parquet g.parquet)
    run --separate-stderr dp-cat b.parquet g.parquet
    dp_expect 1 "column id: b.parquet has int64, g.parquet has double"
}

@test "names in another case are other columns; a file of the same schema twice is the same" {
    parquet c "$(int ID int)" <<<'{"ID":7}'
    [ "$(dp-cat --columns id,ID a.parquet c.parquet | tail -1)" = '{"id":null,"ID":7}' ]
    diff <(dp-cat a.parquet; dp-cat a.parquet) <(dp-cat a.parquet a.parquet)
}

@test "a table among files is one of the set" {
    dp-table create t -c b.yaml
    dp-partition -o t b.parquet | dp-table commit t --eof-commits
    diff want <(dp-cat a.parquet t)
    diff want <(dp-map . a.parquet t)
    [ "$(dp-cat --where '.m == 1.2345' a.parquet t)" = "$(sed -n 4p want)" ]
    [ "$(dp-cat --columns name,id t a.parquet | head -1)" = '{"name":null,"id":9007199254740993}' ]
    run --separate-stderr dp-cat --as-of 0 t a.parquet
    dp_expect 2 "a.parquet is not a table"
}

@test "a contract holds the rows of the set to its types" {
    parquet c "$(int id bigint)" "$(text name)" "$(text more)" <<<'{"id":1,"name":"n","more":"m"}'
    run --separate-stderr dp-validate -c c.yaml a.parquet b.parquet
    assert_equal "$status" 0
    [ "$(wc -l <<<"$output")" -eq 5 ]
    sed -i 's/{name: more, logicalType: string}/{name: more, logicalType: string, required: true}/' c.yaml
    run --separate-stderr dp-validate -c c.yaml --rejects bad.ndjson --max-rejects 10 a.parquet b.parquet
    assert_equal "$status" 0
    [ "$(wc -l <<<"$output")" -eq 1 ]
    [ "$(jq -r '.reject.source + ":" + (.reject.line|tostring)' bad.ndjson | paste -sd,)" = a.parquet:1,a.parquet:2,a.parquet:3,b.parquet:2 ]
}

@test "paths of a pipe are a set up to the next mark" {
    { echo a.parquet; sleep 0.2; echo b.parquet; } | diff want <(dp-cat)
    begin='{"$dp":"begin","run":"r","job":"j","chain":["x"]}' mark='{"$dp":"checkpoint","run":"r","source":"s","partition":"0","position":"1","id":"1"}'
    printf '%s\n' "$begin" a.parquet "$mark" b.parquet "$mark" | dp-cat --marks 2>/dev/null | grep -v '"\$dp"' >got || true
    [ "$(head -1 got)" = '{"id":1,"name":"x","f":0.1,"m":1.25,"s":{"a":1}}' ]
    [ "$(sed -n 4p got)" = "$(sed -n 4p want)" ]
}

@test "a named pipe among the sources is opened once, by who reads it" {
    mkfifo p q
    for reader in 'dp-map .' dp-cat; do
        { sleep 0.1; cat want; } >p &
        { sleep 0.1; cat want; } >q &
        # shellcheck disable=SC2086
        run --separate-stderr timeout 20 $reader p q
        assert_equal "$status" 0
        [ "$(wc -l <<<"$output")" -eq 10 ]
        wait
    done
}

@test "a set through a mask into files: columns of other types are cast, those of the same are copied" {
    contract m "$(text name)"
    printf 'version: 1\ncolumns:\n  name: redact\n' >p.yaml
    sed -E 's/"name":"[^"]*"/"name":"***"/' want >masked
    for threads in 1 2; do
        rm -rf out
        dp-mask --unknown pass -c m.yaml -p p.yaml -j $threads -o out a.parquet b.parquet >names
        diff <(sort masked) <(dp-cat $(cat names) | sort)
        rm -rf out
        printf '%s\n' a.parquet b.parquet | dp-mask --unknown pass -c m.yaml -p p.yaml -j $threads -o out >names
        diff <(sort masked) <(dp-cat $(cat names) | sort)
    done
    awk 'BEGIN { for (i = 0; i < 20000; i++) printf "{\"id\":%d,\"name\":\"n%d\",\"k\":\"%d-%d\"}\n", i, i % 100, i * 7919 % 20011, i }' >rows
    contract one "$(int id int)" "$(text name)" "$(text k)"
    contract two "$(text k)" "$(int id bigint)" "$(text name)" "$(text new)"
    for f in one two; do dp-partition -c $f.yaml -o $f.d rows >$f.name; done
    dp-cat "$(cat one.name)" "$(cat two.name)" | jq -c '.name = "***"' >wanted
    rm -rf out
    dp-mask --unknown pass -c m.yaml -p p.yaml --report r.json -o out "$(cat one.name)" "$(cat two.name)" >names
    diff wanted <(dp-cat $(cat names))
    [ "$(jq .columns_copied r.json)" -gt 0 ] || fail "$(cat r.json)"
}

@test "a conflict of a set ends dp-mask -o before anything is written" {
    parquet c "$(text id)" <<<'{"id":"x"}'
    printf 'version: 1\ncolumns:\n  id: redact\n' >p.yaml
    run --separate-stderr dp-mask -c c.yaml -p p.yaml -o out a.parquet c.parquet
    [ "$status" -eq 1 ]
    [[ $stderr == *a.parquet*c.parquet* ]]
    [ -z "$output" ]
    [ -z "$(find out -type f 2>/dev/null)" ]
}
