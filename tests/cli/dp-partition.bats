#!/usr/bin/env bats
# dp-partition: where files go and when they show, types and their conflicts, keys, rejects, marks, bounded memory.

bats_require_minimum_version 1.5.0
load helper

rows() { seq "$1" "$2" | awk '{ printf "{\"id\":%d,\"ts\":\"2026-01-%02dT%02d:00:00Z\",\"word\":\"w%d\",\"price\":%d.25}\n", $1, $1 % 3 + 1, $1 % 24, $1 % 5, $1 }'; }
files() { find "$1" -name 'part-*.parquet' | sort; }
# What files hold, whatever their names: one sum a directory and file.
sums() { (cd "$1" && find . -name 'part-*.parquet' -exec md5sum {} + | sed -E 's|(part-[0-9]*)-.*|\1|' | sort -k2); }
cat_all() { files "$1" | dp-cat --to records; }
contract() {
    cat >c.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: t
version: 1.0.0
status: active
schema:
  - name: t
    properties:
      - {name: id, logicalType: integer, required: true}
      - {name: day, logicalType: date, partitioned: true, partitionKeyPosition: 1}
      - {name: word, logicalType: string}
Y
}

@test "a JSON column keeps any kind of value, in a table made by a contract and in one made by the first commit" {
    cat >c.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: j
version: 1.0.0
status: active
schema:
  - name: j
    properties:
      - {name: n, logicalType: integer, required: true}
      - {name: j, physicalType: json, description: "anything, \"really\""}
      - {name: l, logicalType: array, items: {physicalType: json}}
Y
    printf '%s\n' '{"n":1,"j":{"x":[1,2.50]},"l":[1,"a",{"b":null}]}' '{"n":2,"j":"s","l":[]}' '{"n":3,"j":7,"l":null}' >in.ndjson
    run dp-table create t -c c.yaml
    assert_success
    for n in 1 2; do
        sed "s/}\$/$(printf "%${n}s")}/" in.ndjson >in$n.ndjson # another file each time
        for t in t new; do
            run dp-run -q -- "dp-ingest in$n.ndjson | dp-partition -o $t | dp-table commit -q $t"
            assert_success
            assert_equal "$(dp-cat --columns n,j,l $t | sort -u)" "$(sort in.ndjson)"
            assert_equal "$(dp-cat $t | wc -l)" $((3 * n))
        done
    done
    # In the files it is a string: not all readers of Delta take the annotation JSON for one.
    dp-cat --schema "$(dp-table files t | head -n 1)" | grep -q '"column":"j","type":"string"'
    run dp-table create t -c c.yaml
    assert_output --partial "exists already, with this schema"
}

@test "one file, printed once it is whole, with the rows that came in" {
    rows 1 1000 >in
    run --separate-stderr dp-partition -o out in
    assert_success
    [ "${#lines[@]}" -eq 1 ]
    [ -s "${lines[0]}" ]
    cat_all out >back
    diff <(sed 's/,"price.*//' in) <(sed 's/,"price.*//' back)
}

@test "keys: value, day, month, year, hour, hash and truncate make directories and metadata" {
    rows 1 300 | dp-partition -o out --by word --by 'day=day(ts)' >/dev/null
    [ "$(files out | wc -l)" -eq 15 ]
    [ -d 'out/word=w1/day=2026-01-02' ]
    strings -n 8 out/word=w1/day=2026-01-02/*.parquet | grep -qF '{"word":"w1","day":"2026-01-02"}'
    rows 1 300 | dp-partition -o o2 --by 'm=month(ts)' --by 'y=year(ts)' --by 'h=hour(ts)' >/dev/null
    [ -d 'o2/m=2026-01/y=2026/h=2026-01-01T03' ]
    rows 1 300 | dp-partition -o o3 --by 'b=hash(id,4)' --by 't=truncate(word,1)' --by 'n=truncate(id,100)' >/dev/null
    [ -d 'o3/b=0/t=w/n=200' ] && [ ! -d 'o3/b=4' ]
}

@test "null is not the text of its directory, and an empty string is not null" {
    printf '%s\n' '{"a":1,"k":null}' '{"a":2,"k":"__HIVE_DEFAULT_PARTITION__"}' '{"a":3,"k":""}' | dp-partition -o out --by k >/dev/null
    [ "$(files out | wc -l)" -eq 3 ]
    local f n=0
    for f in $(files out); do
        strings -n 6 "$f" | grep -qF '{"k":null}' && n=$((n + 1))
        strings -n 6 "$f" | grep -qF '{"k":"__HIVE_DEFAULT_PARTITION__"}' && n=$((n + 10))
        strings -n 6 "$f" | grep -qF '{"k":""}' && n=$((n + 100))
    done
    [ "$n" -eq 111 ]
}

@test "contents do not depend on threads or memory, spilled or not" {
    local pad=0123456789abcdefghijklmnopqrstuvwxyz
    rows 1 60000 | sed -E "s/^(.\"id\":)([0-9]+)/\1\2,\"pad\":\"$pad\2$pad\2$pad\"/" >in
    dp-partition -j 1 -m 500M -o a --by 'b=hash(id,40)' in >/dev/null
    dp-partition -j 3 -m 16M --report r.json -o b --by 'b=hash(id,40)' in >/dev/null
    diff <(sums a) <(sums b)
    grep -q '"spilled_bytes": *[1-9]' r.json
    dp-partition -j 1 -m 500M --sort=-word,price -o c in >/dev/null
    dp-partition -j 3 -m 16M --sort=-word,price -o d in >/dev/null
    diff <(sums c) <(sums d)
}

@test "--sort orders each file, ties as they came" {
    rows 1 500 | dp-partition -o out --sort=-word,id >/dev/null
    cat_all out | sed -E 's/.*"id":([0-9]+).*"word":"(w[0-9])".*/\2 \1/' >got
    sort -k1,1r -k2,2n got | diff - got
}

@test "row groups end at --row-group-size, which --memory must have room for" {
    rows 1 20000 >in
    dp-partition -o a in >/dev/null
    one=$(dp-cat --meta a/*.parquet | wc -c) # more row groups, more metadata
    dp-partition -o b --row-group-size 256K in >/dev/null
    [ "$(dp-cat --meta b/*.parquet | wc -c)" -gt $((3 * one)) ]
    assert_equal "$(cat_all a | md5sum)" "$(cat_all b | md5sum)"
    run --separate-stderr dp-partition -o c --row-group-size 200M in
    assert_failure 2
    [[ $stderr == *"--row-group-size of 200 MiB: needs --memory 364M"* ]]
    run dp-partition -o c --row-group-size 200M -m 364M in
    assert_success
}

@test "--encoding, --bloom, --page-version and --page-checksums: rows are the same, on any number of threads" {
    rows 1 20000 | sed 's/}$/,"o":{"l":["a","b"]}}/' >in
    dp-partition -o plain in >/dev/null
    options=(--encoding word=delta_byte_array --encoding .id=plain --encoding price=plain --encoding o.l=delta_length_byte_array --bloom word --bloom id=0.001 --page-version 2
        --page-checksums)
    dp-partition -o a "${options[@]}" in >/dev/null
    dp-partition -o b -j 3 -m 16M "${options[@]}" in >/dev/null
    assert_equal "$(sums a)" "$(sums b)"
    assert_equal "$(cat_all plain | md5sum)" "$(cat_all a | md5sum)"
    dp-cat --meta a/*.parquet | grep -q DELTA_BYTE_ARRAY
    dp-cat --meta a/*.parquet | grep -q DELTA_LENGTH_BYTE_ARRAY
    run ! grep -q DELTA_BYTE_ARRAY <(dp-cat --meta plain/*.parquet)
}

@test "columns that --encoding and --bloom can't have are named before anything is written" {
    rows 1 10 >in
    while IFS='|' read -r options says; do
        # shellcheck disable=SC2086
        run --separate-stderr dp-partition -o out $options in
        assert_failure 2
        [[ $stderr == *"$says"* ]] || fail "$options: $stderr"
        [ ! -e out ]
    done <<'T'
--encoding word=byte_stream_split|column word: BYTE_ARRAY values can't be encoded as byte_stream_split, only as plain, dictionary, delta_length_byte_array, delta_byte_array
--encoding word=dictionry|--encoding word=dictionry: no encoding "dictionry"; did you mean dictionary?
--encoding word|--encoding word: COLUMN=ENCODING is needed
--encoding wort=plain|no column wort; did you mean word?
--bloom wort|--bloom wort: no column wort; did you mean word?
--bloom word=2|the share of false hits is 0.000001 to 0.5, not "2"
--page-version 3|--page-version
T
}

@test "a table's properties say the codec and the version of pages; options win" {
    rows 1 3000 >in
    dp-contract infer in >c.yaml
    dp-table create t -c c.yaml --property delta.parquet.compression.codec=GZIP --property delta.parquet.format.version=2.12.0
    dp-partition -o t in >paths
    dp-cat --meta "$(cat paths)" | grep -qi gzip
    run ! grep -qi zstd <(dp-cat --meta "$(cat paths)")
    dp-partition -o t --codec snappy in >paths
    dp-cat --meta "$(cat paths)" | grep -qi snappy
    dp-table create bad -c c.yaml --property delta.parquet.compression.codec=middle-out
    run --separate-stderr dp-partition -o bad in
    assert_failure 2
    [[ $stderr == *"table property delta.parquet.compression.codec: no codec"* ]]
}

@test "--target-size and --row-group-rows cut files" {
    rows 1 5000 | dp-partition -o out --target-size 1 --row-group-rows 1000 >paths
    [ "$(wc -l <paths)" -eq 5 ]
    [ "$(cat_all out | wc -l)" -eq 5000 ]
}

@test "a contract gives types and keys; what breaks them is a reject" {
    contract
    printf '%s\n' '{"id":1,"day":"2026-01-01","word":"a"}' '{"id":"x","day":"2026-01-01"}' '{"day":"2026-01-02"}' '{"id":2,"day":"2026-01-02","more":1}' >in
    run --separate-stderr dp-partition -c c.yaml -o out in
    [ "$status" -eq 1 ]
    [[ $stderr == *"in:2: id: "* ]]
    [ -z "$(files out 2>/dev/null)" ]
    dp-partition -c c.yaml --rejects bad --max-rejects 3 -o out in >/dev/null
    [ -d out/day=2026-01-01 ]
    [ "$(wc -l <bad)" -eq 3 ]
    grep -q '"rule":"required"' bad && grep -q '"rule":"unknown-field"' bad && grep -q '"rule":"type"' bad
}

@test "the value of a classified field is not shown" {
    contract
    sed -i 's/{name: word, logicalType: string}/{name: word, logicalType: integer, classification: confidential}/' c.yaml
    echo '{"id":1,"day":"2026-01-01","word":"secret"}' >in
    run --separate-stderr dp-partition -c c.yaml --rejects bad --max-rejects 1 -o out in
    assert_success
    ! grep -q secret bad
    run --separate-stderr dp-partition -c c.yaml -o out in
    [ "$status" -eq 1 ]
    [[ $stderr != *secret* ]]
}

@test "a table: staging, types of the table, conflicts, commit" {
    contract
    dp-table create t -c c.yaml >/dev/null
    printf '{"id":%d,"day":"2026-01-0%d","word":"w"}\n' 1 1 2 2 3 1 >in
    dp-partition -o t in >paths
    [ "$(grep -c '^t/_dp_staging/' paths)" -eq 2 ]
    dp-table commit t --eof-commits <paths
    [ "$(dp-cat --to records t | wc -l)" -eq 3 ]
    run --separate-stderr dp-partition -o t --by 'x=hash(id,3)' in
    [ "$status" -eq 2 ]
    sed 's/logicalType: string/logicalType: integer/' c.yaml >c2.yaml
    run --separate-stderr dp-partition -c c2.yaml -o t in
    [ "$status" -eq 1 ]
    [[ $stderr == *"word"*"table"*"string"*"contract"* ]]
}

@test "an empty string as partition value of a table is a reject" {
    sed 's/date, partitioned/string, partitioned/' <(contract; cat c.yaml) >k.yaml
    dp-table create t -c k.yaml >/dev/null
    echo '{"id":1,"day":""}' >in
    run --separate-stderr dp-partition -o t in
    [ "$status" -eq 1 ]
    [[ $stderr == *"empty string"* ]]
}

@test "usage: each wrong word is named" {
    local w
    rows 1 3 >in
    run --separate-stderr dp-partition in
    [ "$status" -eq 2 ]
    for w in 'd=dya(ts)' 'd=day(nope)' 'day()' 'd=hash(id,0)' 'd=hash(id)' ''; do
        run --separate-stderr dp-partition -o out --by "$w" in
        [ "$status" -eq 2 ] || fail "$w: $status $stderr"
    done
    run --separate-stderr dp-partition -o out --by 'd=day(word)' in
    [ "$status" -eq 1 ]
    run --separate-stderr dp-partition -o out --codec zsdt:3 in
    [ "$status" -eq 2 ]
    [[ $stderr == *zstd* ]]
    [ -z "$(files out 2>/dev/null)" ]
}

@test "a stream that was cut leaves a plain directory as it was" {
    rows 1 100 >in
    DP_MARKS=1 dp-ingest -f ndjson in | sed '$d' >cut
    run --separate-stderr dp-partition -o out <cut
    [ "$status" -eq 4 ]
    [ -z "$(find out -type f 2>/dev/null)" ]
}

@test "checkpoints come behind the paths, the latest of each source" {
    rows 1 100 >in
    DP_MARKS=1 dp-ingest -f ndjson in | dp-partition --marks -o out --by word >all
    [ "$(grep -c parquet all)" -ge 5 ]
    grep -n '"checkpoint"' all | tail -n 1 | cut -d: -f1 >at
    grep -n 'parquet$' all | tail -n 1 | cut -d: -f1 >last
    [ "$(cat at)" -gt "$(cat last)" ]
    tail -n 1 all | grep -q '^{"$dp":"end"'
}

@test "--dry-run writes nothing; an empty input makes no file" {
    rows 1 10 | dp-partition -n -o out
    [ ! -e out ]
    run --separate-stderr dp-partition -o out </dev/null
    assert_success
    assert_output ""
    run dp-partition --skip-empty -o out </dev/null
    [ "$status" -eq 99 ]
}

@test "a closed output: the paths go nowhere, and no file stays" {
    rows 1 100 >in
    run --separate-stderr bash -c 'dp-partition -o out in >&-'
    [ "$status" -eq 3 ]
    [ -z "$(find out -type f 2>/dev/null)" ]
    awk 'BEGIN { for (i = 0; i < 1500; i++) printf "{\"k\":%d,\"v\":1}\n", i }' >many
    run --separate-stderr bash -c 'dp-partition -o out --by k many | head -c 10 >/dev/null; exit "${PIPESTATUS[0]}"'
    [ "$status" -eq 141 ]
    [ -z "$(find out -type f 2>/dev/null)" ]
}

@test "a table's layout: kept by create, taken by default; another expression is a conflict" {
    cat >o.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: o
version: 1.0.0
status: active
schema:
  - name: o
    properties:
      - {name: id, logicalType: integer}
      - {name: ts, logicalType: timestamp}
      - {name: word, logicalType: string}
      - {name: price, logicalType: number, physicalType: "decimal(18,2)"}
Y
    dp-table create t -c o.yaml --by 'day = day(ts)' --by word --by 'b=hash( 4, id)' >/dev/null
    jq -se '.[2].metaData.configuration["dp.layout"] == "[\"day=day(ts)\",{\"column\":\"word\"},\"b=hash(id,4)\"]"' t/_delta_log/00000000000000000000.json
    rows 1 60 >in
    run --separate-stderr dp-partition -v -o t in
    assert_success
    assert_regex "$stderr" "--by 'day=day\(ts\)', as the table's layout has it"
    dp-table commit --eof-commits -q t <<<"$output"
    dp-cat --to records --columns id,day t | jq -se 'length == 60 and all(.[]; .day == "2026-01-0\(.id % 3 + 1)")'
    # some of them given, in another spelling: the same directories
    run dp-partition -q -o t --by 'b=hash(id,4)' in
    assert_success
    run --separate-stderr dp-partition -o t --by 'day=month(ts)' in
    dp_expect 1 "--by day=month(ts): the table's layout has day=day(ts)"
    # the column as it stands in the records: asked for, it is taken; else it is a field too many
    sed 's/}$/,"day":"2030-01-01"}/' in >own
    run --separate-stderr dp-partition -q -o t own
    dp_expect 1 "--by day takes it from the records"
    run dp-partition -q -o t --by day own
    assert_success
    # create again: the same layout, and another
    run dp-table create t -c o.yaml --by 'day=day(ts)' --by word --by 'b=hash(id,4)'
    assert_success
    run --separate-stderr dp-table create t -c o.yaml --by 'day=day(ts)' --by word --by 'b=hash(id,8)'
    dp_expect 1 'with another layout'
    run --separate-stderr dp-table create u -c o.yaml --property dp.layout=x
    dp_expect 2 'it is made from --by'
}

@test "a partition column that no record has is refused unless --by names it" {
    contract
    dp-table create t -c c.yaml >/dev/null
    sed -i 's/"dp.layout":"[^}]*}]"/"x":"y"/' t/_delta_log/*0.json # a table that others made
    run ! grep -q dp.layout t/_delta_log/*0.json
    seq 1 20 | sed 's/.*/{"id":&,"word":"w"}/' >in
    for j in 1 2; do
        run --separate-stderr dp-partition -j $j -o t in
        dp_expect 1 "partition column day: no record has it"
        assert_equal "$output" ""
    done
    run dp-partition -q -o t --by day in
    assert_success
    # one field is enough, a null too; no record at all is no fault
    { cat in; echo '{"id":21,"day":null}'; } >some
    run dp-partition -q -o t some
    assert_success
    run dp-partition -q -o t /dev/null
    assert_success
    # by the contract alone, into a directory
    run --separate-stderr dp-partition -o plain -c c.yaml in
    dp_expect 1 "partition column day: no record has it"
    [ -z "$(find plain -name '*.parquet')" ]
    sed -i 's/"x":"y"/"dp.layout":"[\\"day=dya(id)\\"]"/' t/_delta_log/*0.json
    run --separate-stderr dp-partition -o t in
    dp_expect 4 'property dp.layout: '
}

@test "a value in a column that holds something classified is in no reason" {
    cat >c.yaml <<'END'
apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
schema:
  - name: t
    properties:
      - {name: o, logicalType: object, properties: [{name: x, logicalType: integer, classification: restricted}]}
END
    run -1 dp-partition -c c.yaml -o out --rejects bad <<<'{"o":{"x":"secretx"}}'
    [[ $output == *"o.x"* ]] || fail "$output"
    run ! grep -q secretx bad <(echo "$output")
}

@test "by range: how many bounds are at or below the value; several keys at once; what the bounds must be" {
    printf '%s\n' '{"n":9,"s":"a","d":"2026-01-01"}' '{"n":10,"s":"m","d":"2026-02-01"}' '{"n":50,"s":"zz","d":"2026-03-01"}' '{"n":null,"s":null,"d":null}' '{"n":-5,"s":"","d":"2025-01-01"}' >in
    dp-contract infer in >c.yaml
    dp-partition -c c.yaml --by 'r=range(n, 10, 50)' --by 'q=range(s,b,n)' --by 'e=range(d,2026-01-15)' -o out in >paths
    [ "$(sed 's,/part-.*,,' paths | sort)" = "$(printf '%s\n' out/r=0/q=0/e=0 out/r=1/q=1/e=1 out/r=2/q=2/e=1 out/r=__HIVE_DEFAULT_PARTITION__/q=__HIVE_DEFAULT_PARTITION__/e=__HIVE_DEFAULT_PARTITION__ | sort)" ]
    dp-table create T -c c.yaml --by 'r=range(n,10,50)'
    dp-partition -o T in | dp-table commit T --eof-commits
    [ "$(dp-cat --to records T | jq -cs 'map([.n, .r]) | sort')" = '[[null,null],[-5,0],[9,0],[10,1],[50,2]]' ]
    for by in 'r=range(n)' 'r=range(n,)' 'r=range(n,50,10)' 'r=range(n,x)' 'r=range(d,2026)'; do
        run --separate-stderr dp-partition -c c.yaml --by "$by" -o out2 in
        dp_expect 2
    done
    run --separate-stderr dp-partition -o T --by 'r=range(n,10,60)' in
    dp_expect 1 "the table's layout has r=range(n,10,50)"
}

@test "skew: the largest partitions, the values that make them large, and an advice; the same whatever the threads" {
    awk 'BEGIN { for (i = 0; i < 20000; i++) printf "{\"id\":%d,\"u\":\"%s\"}\n", i, i % 2 ? "hot" : "u" i }' >in
    run --separate-stderr dp-partition --skew --by 'b=hash(u,8)' -o out --report r.json in
    dp_expect 0
    jq -e '.skew | .rows == 20000 and .partitions == 8 and (.largest | length) == 8 and (.largest[0].rows > 10000) and .heavy[0].value == "u = \"hot\"" and
        .heavy[0].rows <= 10000 and .heavy[0].rows + .heavy_error >= 10000 and (.advice | test("most of them of u = \"hot\""))' r.json
    [[ $stderr == *"skew: "*"most of them of u = \"hot\": no more partitions by this key divide it"* ]]
    first=$(jq -c .skew r.json)
    dp-partition --by 'b=hash(u,8)' -o out2 --report r.json --threads 1 --memory 16M in
    [ "$first" = "$(jq -c .skew r.json)" ]
    awk 'BEGIN { for (i = 0; i < 1000; i++) printf "{\"id\":%d}\n", i }' | dp-partition -n --by 'b=range(id,250,500,750)' -o out3 2>err
    grep -q "even: no partition" err
    [ ! -e out3 ]
}

@test "--cluster: rows along a Z-curve, the same whatever threads and memory, none lost, spilled or not" {
    local pad=0123456789abcdefghijklmnopqrstuvwxyz
    jq -nc --arg p "$pad" 'range(60000) | {id: ., k: (. * 7919 % 60013), w: "u\(. * 104729 % 59999 + 100000)", p: (if . % 3 == 0 then "a" else "b" end), x: (if . % 50 == 7 then null else . % 7 / 2 end), pad: ($p + $p)}' >in
    dp-partition -j 1 -m 500M -o a --by p --cluster 'zorder(k, w)' --row-group-rows 1024 in >/dev/null
    dp-partition -j 3 -m 16M --report r.json -o b --by p --cluster 'zorder(k,w)' --row-group-rows 1024 in >/dev/null
    diff <(sums a) <(sums b)
    grep -q '"spilled_bytes": *[1-9]' r.json
    diff <(cat_all a | jq -Sc '.x |= (. // -1) * 2 | del(.p)' | sort) <(jq -Sc '.x |= (. // -1) * 2 | del(.p)' in | sort) | head -n 5 | diff - /dev/null
    # a narrow range of either column is in few of the forty row groups of a partition
    files a | grep p=b | dp-cat --to records >got
    for narrow in 'k 29900 30000' 'w "u129900" "u130000"'; do
        read -r c lo hi <<<"$narrow"
        n=$(jq -n --arg c "$c" --argjson lo "$lo" --argjson hi "$hi" 'reduce inputs[$c] as $v ({n: 0, g: []}; (.n / 1024 | floor) as $i | .n += 1
            | .g[$i] |= [([.[0] // $v, $v] | min), ([.[1] // $v, $v] | max)]) | .g | if length == 40 then map(select(.[0] <= $hi and .[1] >= $lo)) | length else -1 end' got)
        [ "$n" -ge 1 ] && [ "$n" -le 20 ] || fail "$c: $n row groups"
    done
    dp-partition -m 16M -o c --cluster 'zorder(x)' in >/dev/null
    dp-partition -m 16M -o d --sort x in >/dev/null
    diff <(sums c) <(sums d)
}

@test "--cluster: nulls, equal rows and columns of one value; slips are told before anything is written" {
    for i in 1 2 3 4 5 6; do echo "{\"id\":$i,\"a\":1,\"b\":null,\"s\":\"x\",\"l\":[1]}"; done >in
    dp-partition -o out --cluster 'zorder(a,b,s)' in >/dev/null
    [ "$(cat_all out | jq -cs 'map(.id)')" = '[1,2,3,4,5,6]' ]
    : | dp-partition -o none --cluster 'zorder(a,b)'
    [ -z "$(files none)" ]
    while read -r code words said; do
        run --separate-stderr bash -c "dp-partition -o bad $words in"
        dp_expect "$code" "$said"
        [ ! -e bad ]
    done <<'S'
2 "--cluster=zorder(a,c)" column
2 "--cluster=zorder(a,l)" has no order
S
    run --separate-stderr dp-partition -o bad --cluster 'zorder(a,a)' in
    dp_expect 2 "twice"
    run --separate-stderr dp-partition -o bad --cluster 'hilbert(a,b)' in
    dp_expect 2 "zorder"
    run --separate-stderr dp-partition -o bad --cluster 'zorder(a,b)' --sort a in
    dp_expect 2 "--sort"
    [ ! -e bad ]
}

@test "--cluster: into a mapped table, and with --commit-every; memory stays within its bound" {
    cat >c.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: t
version: 1.0.0
status: active
schema:
- name: t
  properties:
  - {name: id, logicalType: integer}
  - {name: "a b", logicalType: integer}
  - {name: w, logicalType: string}
  - {name: p, logicalType: string}
Y
    dp-table create -q t -c c.yaml --by p --property delta.columnMapping.mode=name
    seq 1 3000 | jq -c '{id: ., "a b": (. * 37 % 1000), w: "w\(. % 17)", p: "p\(. % 2)"}' >in
    dp-partition -q -o t --cluster 'zorder(a b,w)' in | dp-table commit -q t --eof-commits
    diff <(dp-cat --to records t | jq -Sc . | sort) <(jq -Sc . in | sort)
    run dp-table verify t
    assert_success
    dp-partition -q -o t --cluster 'zorder(a b,w)' --commit-every 0s in | dp-table commit -q t --eof-commits
    [ "$(dp-cat --to records t | wc -l)" -eq 6000 ]
    ! grep -q __asan_init "$DP_BIN/dp-partition" || skip "a sanitizer holds back freed memory: peak memory is not measured"
    awk 'BEGIN { for (i = 0; i < 400000; i++) printf "{\"id\":%d,\"k\":%d,\"w\":\"user-%05d\",\"p\":\"%s\",\"pad\":\"0123456789012345678901234567890123456789%d\"}\n", i, i * 7919 % 10007, i * 104729 % 9973, i % 2 ? "a" : "b", i }' >big
    for m in 16M 64M; do
        rm -rf o
        /usr/bin/time -f %M -o peak dp-partition -q -m "$m" -j 2 --by p --cluster 'zorder(k,w)' -o o big >/dev/null
        [ "$(tail -n 1 peak)" -le $(((${m%M} + 32) * 1024)) ] || fail "$m: $(cat peak) KiB"
    done
}
