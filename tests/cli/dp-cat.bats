#!/usr/bin/env bats
# dp-cat: forms, columns, rows, schema, metadata, tables, skipping, refusals.

# shellcheck disable=SC2016
bats_require_minimum_version 1.5.0
load helper

corpus() {
    [ -d "$DP_SHARED/corpus" ] || skip "no corpus"
    P=$DP_SHARED/corpus/parquet/parquet-testing
    D=$DP_SHARED/corpus/delta
}

@test "records pass byte for byte" {
    printf '{"a": 1.10,"b":"\\u00e9"}\n{ "x":9007199254740993 }' >in
    dp-cat in >out
    printf '{"a": 1.10,"b":"\\u00e9"}\n{ "x":9007199254740993 }\n' | cmp - out
    dp-cat <in | cmp - out
}

@test "csv: quoting, null, empty string, nested values" {
    printf '{"a":"x,y","b":"say \\"hi\\"","c":null,"d":"","e":[1,2],"f":"two\\nlines"}\n' >in
    run dp-cat --to csv in
    assert_output 'a,b,c,d,e,f
"x,y","say ""hi""",,"","[1,2]","two
lines"'
}

@test "csv: a field that the first record lacks is exit 1" {
    printf '{"a":1}\n{"a":1,"b":2}\n' >in
    run --separate-stderr dp-cat --to csv in
    dp_expect 1 "--columns"
    run dp-cat --to csv --columns a,b in
    assert_output 'a,b
1,
1,2'
}

@test "table: aligned, wide characters, control characters shown" {
    printf '{"n":1,"t":"\\u65e5\\u672c"}\n{"n":100,"t":"a\\u001b[31m"}\n' >in
    run dp-cat --to table in
    assert_output '  n  t
---  -----------
  1  日本
100  a\u001b[31m'
}

@test "columns and rows of records" {
    dp_records 10 >in
    run dp-cat --columns price,id --rows 3:4 in
    assert_output '{"price":3.03,"id":3}
{"price":4.04,"id":4}'
    [ "$(dp-cat --rows 9: in | wc -l)" -eq 2 ]
    [ "$(dp-cat --rows :2 in | wc -l)" -eq 2 ]
    [ "$(dp-cat --where '.id > 5' --rows 1:2 in | jq -c .id | tr '\n' ' ')" = "6 7 " ]
}

@test "wrong options" {
    echo '{"a":1}' >in
    for words in '--rows 5' '--rows 0:1' '--rows 3:2' '--rows :' '--rows a:b' '--columns a,,b' '--columns a,a' '--to xml' '--schema --meta' '--as-of 1'; do
        # shellcheck disable=SC2086
        run --separate-stderr dp-cat $words in
        dp_expect 2
    done
    run --separate-stderr dp-cat --meta in
    dp_expect 3 "--meta"
}

@test "schema of records is inferred" {
    printf '{"a":1,"b":"x"}\n{"a":2,"b":null}\n' >in
    run dp-cat --schema in
    assert_output '{"column":"a","type":"int64","nullable":true}
{"column":"b","type":"string","nullable":true}'
}

@test "parquet: forms, columns in the order asked for" {
    corpus
    run dp-cat --columns timestamp_col,id --rows 2:3 "$P/alltypes_plain.parquet"
    assert_output '{"timestamp_col":"2009-03-01T00:01:00Z","id":5}
{"timestamp_col":"2009-04-01T00:00:00Z","id":6}'
    run dp-cat --to csv --columns id,string_col --binary hex --rows :2 "$P/alltypes_plain.parquet"
    assert_output 'id,string_col
4,30
5,31'
    run --separate-stderr dp-cat --columns nothing "$P/alltypes_plain.parquet"
    dp_expect 1 "no column nothing"
    run dp-cat --schema --rows 1:1 --to csv "$P/nested_lists.snappy.parquet"
    assert_output 'column,type,nullable,parquet
a,list<list<list<string>>>,true,a.list.element.list.element.list.element BYTE_ARRAY UTF8'
}

@test "parquet: where reads columns that are not printed" {
    corpus
    run dp-cat --where '.id > 5 and .bool_col' --columns double_col "$P/alltypes_plain.parquet"
    assert_success
    assert_output "$(dp-cat "$P/alltypes_plain.parquet" | jq -c 'select(.id > 5 and .bool_col) | {double_col}' | sed 's/:0}/:0.0}/')"
}

@test "parquet: row groups that statistics exclude are passed over" {
    corpus
    f=$DP_SHARED/corpus/parquet/duckdb/file_row_number.parquet
    dp-cat --where '.seq >= 1999 and .seq < 2001' "$f" >out
    [ "$(jq -c .seq out | tr '\n' ' ')" = "1999 2000 " ]
    run --separate-stderr dp-cat -v --columns seq --where '.seq == 1500' "$f"
    dp_expect 0 "skipped: 0 of 1 files"
    [[ $stderr != *", 0 of"*"row groups"* ]]
    [ "$output" = '{"seq":1500}' ]
}

@test "parquet: the same bytes for any number of threads, and through a pipe of paths" {
    corpus
    f=$P/alltypes_tiny_pages.parquet
    dp-cat -j 1 "$f" >one
    dp-cat -j 3 "$f" | cmp - one
    echo "$f" | dp-cat | cmp - one
    [ "$(wc -l <one)" -eq 7300 ]
    dp-cat --rows 7000:7001 "$f" | cmp - <(sed -n 7000,7001p one)
}

@test "parquet: refusals name what is wrong" {
    corpus
    run --separate-stderr dp-cat "$P/uniform_encryption.parquet.encrypted"
    dp_expect 3 "encrypted"
    run --separate-stderr dp-cat "$P/encrypt_columns_plaintext_footer.parquet.encrypted"
    dp_expect 3 "column float_field: the column is encrypted"
    run dp-cat --columns int32_field,boolean_field "$P/encrypt_columns_plaintext_footer.parquet.encrypted"
    assert_success
    assert_line --index 0 '{"int32_field":"00:00:00","boolean_field":true}'
    run --separate-stderr dp-cat "$P/large_string_map.brotli.parquet"
    dp_expect 4 "limit"
    run --separate-stderr dp-cat "$P/datapage_v1-corrupt-checksum.parquet"
    dp_expect 4 "row group 0, column a, page 0"
    head -c 200 "$P/alltypes_plain.parquet" >cut.parquet
    run --separate-stderr dp-cat cut.parquet
    dp_expect 4 "cut.parquet"
}

@test "parquet: the whole corpus against what other readers saw" {
    corpus
    command -v python3 >/dev/null || skip "no python3"
    run python3 "$DP_ROOT/tests/interop/parquet_corpus.py" "dp-cat --binary hex" "$DP_SHARED/corpus"
    assert_success
}

@test "meta of a file" {
    corpus
    dp-cat --meta "$P/alltypes_plain.parquet" >meta
    [ "$(wc -l <meta)" -eq 11 ]
    jq -es 'map(select(.column == "id"))[0] | .rows == 8 and .physical_type == "INT32" and .row_group == 0' meta
}

@test "meta per file, row group and page; schema in Parquet's words" {
    corpus
    f=$P/data_index_bloom_encoding_stats.parquet
    dp-cat --meta "$f" | jq -e '.parquet == "BYTE_ARRAY STRING" and .offset_index and .column_index and .bloom_filter and .pages == 1'
    dp-cat --meta --per file "$f" | jq -e '.rows == 14 and .row_groups == 1 and (.schema | startswith("message ")) and (.schema | contains("optional BYTE_ARRAY String (STRING)"))'
    dp-cat --meta --per row-group "$f" | jq -e '.rows == 14 and .sorting == []'
    dp-cat --meta --per page "$f" | jq -e '.column == "String" and .page == 0 and .rows == 14 and .nulls == 0 and .min == "Hello" and .max == "today"'
    [ "$(dp-cat --meta --per page --to csv "$P/alltypes_tiny_pages.parquet" | wc -l)" -gt 100 ]
    run dp-cat --schema "$P/nested_lists.snappy.parquet"
    assert_success
    assert_line --index 0 --partial '"parquet":"a.list.element.list.element.list.element BYTE_ARRAY UTF8"'
    run --separate-stderr dp-cat --per page "$f"
    dp_expect 2 "--meta"
}

@test "parquet: pages that indexes exclude are not read, the rows are the same" {
    corpus
    f=$P/alltypes_tiny_pages.parquet
    dp-cat "$f" >all
    for e in '.id == 3710' '.id > 7000 and .id < 7010' '.date_string_col == "01/13/10"' '.timestamp_col >= "2010-05"' '.bool_col | not' '.id | IN(1, 5000)'; do
        dp-cat --where "$e" all | cmp - <(dp-cat --where "$e" "$f")
    done
    run --separate-stderr dp-cat -v --where '.id == 3710' "$f"
    dp_expect 0 "pages of the rest"
    [[ $stderr =~ ,\ 5[0-9]+\ of\ 5794\ pages ]]
    run --separate-stderr dp-cat -v --columns id --where '.String == "Hella"' "$P/data_index_bloom_encoding_stats.parquet"
    dp_expect 1 "no column id"
    run --separate-stderr dp-cat -v --where '.String == "Hella"' "$P/data_index_bloom_encoding_stats.parquet"
    dp_expect 0 "1 of 1 row groups"
    [ -z "$output" ]
}

@test "tables: partition columns, time travel, metadata" {
    corpus
    run dp-cat --to csv --rows 1:2 "$D/basic_partitioned"
    assert_output 'letter,number,a_float
a,1,1.1
b,2,2.2'
    dp-cat --meta "$D/basic_partitioned" | jq -e '.partition_columns == ["letter"]'
    t=$D/time-travel-start-start20
    [ "$(dp-cat --as-of 0 "$t" | wc -l)" -lt "$(dp-cat "$t" | wc -l)" ]
    run --separate-stderr dp-cat --as-of 99 "$t"
    dp_expect 2
}

@test "tables: the corpus, row for row, with its changes and refusals" {
    corpus
    command -v python3 >/dev/null || skip "no python3"
    run python3 -B "$DP_ROOT/tests/interop/delta_corpus.py"
    assert_success
}

@test "marks of a table: begin with its schema, end with counts, whole for the next program" {
    corpus
    dp-cat --marks "$D/basic_partitioned" >out
    head -1 out | jq -e '."$dp" == "begin" and (.schema.fields | length) == 3'
    tail -1 out | jq -e '."$dp" == "end"'
    dp-cat <out >again
    [ "$(grep -vc '"$dp"' again)" -eq "$(dp-cat "$D/basic_partitioned" | wc -l)" ]
    sed '2d' out >short
    run --separate-stderr dp-cat short </dev/null
    run --separate-stderr bash -c 'dp-cat <short'
    dp_expect 4
}

@test "tables: rows that deletion vectors delete are not there, inline and in files, and are not counted by --rows" {
    corpus
    for t in basic-dv-no-checkpoint dv-partitioned-with-checkpoint log-replay-dv-key-cases with-short-dv; do
        dp-cat "$D/$t" >all
        [ "$(wc -l <all)" -eq "$(wc -l <"$DP_SHARED/corpus/delta/expected/$t.ndjson")" ] || fail "$t: $(wc -l <all) rows"
        for n in 1 2 5 1000; do
            dp-cat --rows "$n:" "$D/$t" | diff <(tail -n "+$n" all) - || fail "$t: from row $n"
        done
    done
    cp -r "$D/table-with-dv-large" t # vectors whose names have a prefix that the log does not tell of
    [ "$(dp-cat t | wc -l)" -eq 1993 ]
    [ "$(dp-cat t --where '.value < 100' | wc -l)" -eq "$(dp-cat t | jq -s 'map(select(.value < 100)) | length')" ]
}

@test "tables: bounds of a type that was widened do not leave rows out" {
    corpus
    dp-cat "$D/type-widening" >all
    for w in '.date_timestamp_ntz == "2024-09-09T00:00:00"' '.float_double > 3.4' '.int_long == 2' '.byte_decimal == 1' '.date_timestamp_ntz > "2024-09-09T12"'; do
        dp-cat --where "$w" "$D/type-widening" | diff <(jq -c "select($w)" all | wc -l) <(wc -l) || fail "$w"
    done
    [ "$(dp-cat --where '.int_long == 2' -v "$D/type-widening" 2>&1 >out | grep -c skipped)" -eq 1 ]
    [ "$(wc -l <out)" -eq 1 ]
}
