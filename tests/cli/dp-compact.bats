#!/usr/bin/env bats
# dp-compact: what is rewritten and what is not, that no row is lost or changed, orders, conflicts, files by name, memory and threads.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

# n records from $1 on, of some variety; k is scattered over all of them.
rows() { awk -v a="$1" -v n="$2" 'BEGIN { for (i = a; i < a + n; i++)
    printf "{\"id\":%d,\"k\":%d,\"w\":\"user-%05d\",\"p\":\"%s\",\"x\":%d.5}\n", i, i * 7919 % 10007, i * 104729 % 9973, i % 2 ? "a" : "b", i % 50 }'; }
# appends a file (or one for each value of --by): put TABLE FROM N OPTION...
put() {
    local t=$1 a=$2 n=$3
    shift 3
    rows "$a" "$n" | dp-partition -q -o "$t" "$@" | dp-table commit -q "$t" --eof-commits >/dev/null
}
files() { dp-table files "$1" | wc -l; }
all() { dp-cat --to records "$1" | sort; }
actions() { jq -c "select(.$2) | .$2" "$1/_delta_log/$(printf %020d "$3").json"; }

@test "small files become one, all of it in a commit that changes no row; a second run does nothing" {
    for i in 0 1 2 3 4 5; do put t $((i * 100)) 100; done
    all t >before
    run dp-compact -n t
    assert_success
    assert_output --partial "t: would rewrite 6 of 6 files of 1 partitions"
    [ "$(files t)" -eq 6 ]
    [ ! -e t/_delta_log/00000000000000000006.json ]
    run dp-compact t
    assert_success
    assert_output --partial "t: version 6, 6 files to 1"
    [ "$(files t)" -eq 1 ]
    all t | cmp - before
    dp-cat --to records t | jq .id | sort -nc # and their order is kept
    [ "$(actions t add 6 | jq -c .dataChange)" = false ]
    [ "$(actions t remove 6 | jq -c .dataChange | sort -u)" = false ]
    actions t commitInfo 6 | jq -e '.operation == "OPTIMIZE" and .isBlindAppend == false and .operationMetrics.numRemovedFiles == "6"
        and .operationMetrics.numAddedFiles == "1" and (.operationMetrics.numRemovedBytes | tonumber) > 0 and .operationMetrics.minFileSize == .operationMetrics.maxFileSize'
    [ -z "$(find t/_dp_staging -name '*.parquet')" ]
    run dp-compact t
    assert_success
    assert_output "t: nothing to do, 1 files are as they should be"
    run dp-compact --skip-empty t
    [ "$status" -eq 99 ]
    [ ! -e t/_delta_log/00000000000000000007.json ]
}

@test "partition by partition, those that --where chooses, in commits of their own" {
    for i in 0 1 2; do put t $((i * 100)) 100 --by p; done
    all t >before
    run dp-compact --where '.p == "a"' t
    assert_success
    [ "$(dp-table files t | grep -c p=a)" -eq 1 ]
    [ "$(dp-table files t | grep -c p=b)" -eq 3 ]
    put t 1000 100 --by p
    all t >before
    run dp-compact --json --commit-size 64K t
    assert_success
    jq -e '.files_in == 6 and .files_out == 2 and .partitions == 2 and .commits == 1 and .version == 5' <<<"$output" >/dev/null || fail "$output"
    all t | cmp - before
    run --separate-stderr dp-compact --where '.id > 5' t
    dp_expect 2 ".id is no partition column"
    run --separate-stderr dp-compact --where '.p == ' t
    dp_expect 2 "--where"
}

@test "a large partition is published in parts, and only one small file is left of it" {
    for i in $(seq 0 15); do put t $((i * 8000)) 8000; done
    all t >before
    run dp-compact --json --commit-size 64K --target-size 512K t
    assert_success
    jq -e '.commits > 1 and .conflicts == 0' <<<"$output" >/dev/null || fail "$output"
    all t | cmp - before
    run dp-compact --skip-empty --commit-size 64K --target-size 512K t
    [ "$status" -eq 99 ]
    [ "$(dp-table files t | xargs stat -c %s | awk '$1 < 393216' | wc -l)" -le 1 ]
}

@test "small row groups become large ones, large ones are copied as they stand" {
    for i in 0 1 2; do put t $((i * 70000)) 70000 --codec snappy; done
    for i in 3 4 5; do put t $((i * 70000)) 2500 --codec snappy; done
    all t >before
    run dp-compact --json t
    assert_success
    jq -e '.files_in == 6 and .files_out == 1 and .row_groups_copied == 3' <<<"$output" >/dev/null || fail "$output"
    all t | cmp - before
    [ "$(dp-cat --meta t | wc -l)" -ge 1 ]
    dp-cat --meta "$(dp-table files t)" | jq -r 'select(.column == "id") | "\(.row_group) \(.rows) \(.codec)"' >groups
    [ "$(wc -l <groups)" -eq 4 ]
    grep -q ' 7500 zstd' groups || fail "$(cat groups)"
    [ "$(grep -c ' 70000 snappy' groups)" -eq 3 ]
    run dp-compact --codec zstd --json t
    jq -e '.files_in == 1 and .row_groups_copied == 0' <<<"$output" >/dev/null || fail "$output"
    all t | cmp - before
    run dp-compact --codec zstd --skip-empty t
    [ "$status" -eq 99 ]
    run dp-compact --codec zstd:9 --skip-empty t
    [ "$status" -eq 0 ]
    run dp-compact --codec zstd:9 --skip-empty t
    [ "$status" -eq 99 ]
    run --separate-stderr dp-compact --codec zstt t
    dp_expect 2 "zstd"
}

@test "a Z-order makes files, row groups and pages narrow in each column, whatever the memory" {
    for i in 0 1 2 3; do put t $((i * 20000)) 20000; done
    cp -r t u
    all t >before
    run dp-compact --cluster 'zorder(k,w)' --target-size 64K t
    assert_success
    all t | cmp - before
    [ "$(files t)" -ge 4 ]
    for e in '.k == 77' '.w == "user-00077"'; do
        [ "$(dp-table files t --where "$e" | wc -l)" -le $(($(files t) * 3 / 5)) ] || fail "$e: $(dp-table files t --where "$e" | wc -l) of $(files t)"
    done
    [ "$(actions t add 4 | jq -r '.tags["dp.order"]' | sort -u)" = "zorder(k,w)" ]
    [ "$(actions t add 4 | jq -r '.tags["dp.cube"]' | sort -u | wc -l)" -eq 1 ]
    run dp-compact --cluster 'zorder(k, w)' --target-size 64K --skip-empty t
    [ "$status" -eq 99 ]
    dp-compact -q --cluster 'zorder(k,w)' --target-size 64K -j 1 -m 16M u >/dev/null
    cat $(dp-table files t) | cksum >one
    cat $(dp-table files u) | cksum >two
    cmp one two
}

@test "an ordered table takes what came since, and leaves large earlier results alone" {
    put t 0 60000
    dp-compact -q --cluster 'zorder(k,w)' t >/dev/null
    put t 100000 1000
    dp-table files t >was
    all t >before
    dp-compact -q --cluster 'zorder(k,w)' t >/dev/null
    [ "$(files t)" -eq 2 ]
    [ "$(dp-table files t | sort | comm -12 - <(sort was) | wc -l)" -eq 1 ] # the large one
    for i in 1 2 3 4 5; do
        put t $((100000 * (i + 1))) 1000
        dp-compact -q --cluster 'zorder(k,w)' t >/dev/null
    done
    [ "$(files t)" -le 4 ] # a row is moved a logarithmic number of times
    [ "$(dp-cat --to records t | wc -l)" -eq 66000 ]
}

@test "a sort orders all rows of a partition, over its files" {
    for i in 0 1 2 3; do put t $((i * 20000)) 20000; done
    all t >before
    dp-compact -q --sort k,-id --target-size 64K t >/dev/null
    all t | cmp - before
    [ "$(files t)" -ge 2 ]
    for f in $(dp-table files t); do dp-cat --to csv --columns k,id "$f" | tail -n +2; done >got
    sort -t, -k1,1n -k2,2nr got | cmp - got
    run dp-compact --skip-empty --sort k,-id --target-size 64K t
    [ "$status" -eq 99 ]
    run --separate-stderr dp-compact --sort kk t
    dp_expect 2 'did you mean "k"'
    run --separate-stderr dp-compact --cluster 'zorder(k,k)' t
    dp_expect 2 "twice"
    run --separate-stderr dp-compact --cluster 'hilbert(k)' t
    dp_expect 2 "zorder(COLUMN"
    run --separate-stderr dp-compact --cluster 'zorder(k,ww)' t
    dp_expect 2 'did you mean "w"'
}

@test "appends at the same time are not lost and are no conflict" {
    for i in $(seq 0 9); do put t $((i * 1000)) 1000; done
    for i in $(seq 10 19); do put t $((i * 1000)) 1000; done &
    for i in 1 2 3 4; do dp-compact -q t >/dev/null; done
    wait
    dp-compact -q t >/dev/null || true
    dp-cat --to records t | jq .id | sort -n | cmp - <(seq 0 19999)
}

@test "files that a winner took away: their partition is done again, the others are published" {
    for i in 0 1 2; do put t $((i * 20000)) 20000 --by p; done
    # all of partition a is replaced while dp-compact runs
    rows 0 100 | jq -c 'select(.p == "a")' | dp-partition -q -o t >staged
    dp-compact --json t >said &
    pid=$!
    dp-table commit -q t --mode replace --eof-commits <staged >/dev/null
    wait "$pid"
    [ "$(dp-cat --to records t | jq -c 'select(.p == "b")' | wc -l)" -eq 30000 ]
    [ "$(dp-cat --to records t | jq -c 'select(.p == "a")' | wc -l)" -eq 50 ]
    [ "$(dp-table files t | grep -c p=b)" -eq 1 ]
}

@test "killed at some instant the table holds each row once, and the next run goes on" {
    for i in $(seq 0 7); do put t $((i * 2000)) 2000 --by p; done
    all t >before
    for d in 0.002 0.005 0.01 0.02 0.04; do
        timeout -s KILL "$d" dp-compact -q t >/dev/null 2>&1 || true
        all t | cmp - before
    done
    dp-compact -q t >/dev/null
    all t | cmp - before
    [ "$(files t)" -eq 2 ]
}

@test "files by name: into a directory, with the partition values of their table or of their metadata" {
    for i in 0 1 2; do put t $((i * 100)) 100 --by p; done
    dp-table files t --where '.p == "a"' | dp-compact -o arc >paths
    [ "$(cat paths)" = "$(echo arc/p=a/part-*.parquet)" ]
    dp-cat --to records t | jq -c 'select(.p == "a")' | jq -Sc . | sort >want
    put r 0 1 --by p # a table of the same kind
    dp-table commit -q r --mode overwrite --eof-commits < <(dp-compact -o r arc) >/dev/null
    dp-cat --to records r | jq -Sc . | sort | cmp - want
    dp-compact -q -o whole t >/dev/null
    [ "$(find whole -name '*.parquet' | wc -l)" -eq 2 ]
    [ "$(files t)" -eq 6 ]
    run --separate-stderr dp-compact -o x t arc
    dp_expect 1 "can't be put together"
    run --separate-stderr dp-compact arc
    dp_expect 2 "-o DIR"
    run --separate-stderr dp-compact -o x --where '.p == "a"' t
    dp_expect 2 "dp-table files"
}

@test "files by name whose schemas differ are one set; marks go round them" {
    mkdir in
    echo '{"a":1,"c":true}' | dp-partition -q -o in >/dev/null
    echo '{"a":2,"b":"x"}' | dp-partition -q -o in >/dev/null
    run dp-compact --marks -o out in
    assert_success
    [[ ${lines[0]} == '{"$dp":"begin"'* && ${lines[2]} == '{"$dp":"end"'*'"records":1'* ]]
    [ "$(dp-cat --to records out | jq -Sc . | sort)" = "$(printf '{"a":1,"b":null,"c":true}\n{"a":2,"b":"x","c":null}')" ] || fail "$(dp-cat --to records out)"
    dp-compact --marks -o out2 in | dp-table commit t2 >/dev/null 2>&1 && fail "files outside of the table were committed"
    echo '{"a":1}' | dp-partition -q -o t3 | dp-table commit -q t3 --eof-commits >/dev/null
    run --separate-stderr dp-compact -o t3 in
    dp_expect 1 "column"
    run dp-compact -n -o out3 in
    assert_success
    [ -z "$(find out3 -name '*.parquet' 2>/dev/null)" ]
}

@test "deletion vectors go, mapped columns and foreign tables stay what they are" {
    [ -d "$DP_SHARED/corpus/delta" ] || skip "no corpus"
    n=0
    for d in "$DP_SHARED"/corpus/delta/*/; do
        find "$d" -maxdepth 3 -name _delta_log -printf '%h\n'
    done | sort >tables
    while read -r d; do
        rm -rf c && cp -r "$d" c && chmod -R u+w c
        dp-cat --to records c 2>/dev/null | jq -Sc . 2>/dev/null | sort >before || continue
        if dp-compact -q --deleted 0 c >/dev/null 2>said; then
            dp-cat --to records c | jq -Sc . | sort >after
            cmp before after || fail "$d changed"
            n=$((n + 1))
        fi
    done <tables
    [ "$n" -ge 10 ] || fail "only $n tables were looked at"
}

@test "memory stays within its bound" {
    ! grep -q __asan_init "$DP_BIN/dp-compact" || skip "a sanitizer holds back freed memory: peak memory is not measured"
    put t 0 150000
    put t 150000 150000
    for m in 16M 64M; do
        rm -rf c && cp -r t c
        /usr/bin/time -f %M -o peak dp-compact -q -m "$m" -j 2 --cluster 'zorder(k,w)' c >/dev/null
        [ "$(tail -n 1 peak)" -le $(((${m%M} + 32) * 1024)) ] || fail "$m: $(cat peak) KiB"
        [ "$(dp-cat --to records c | wc -l)" -eq 300000 ]
    done
}

@test "a table with constraints is compacted, for no row is new" {
    for i in 0 1; do put t $((i * 100)) 100; done
    jq -c 'if .metaData then .metaData.configuration += {"delta.constraints.c": "id >= 0"} | . elif .protocol then {protocol: {minReaderVersion: 1, minWriterVersion: 3}} else . end' \
        t/_delta_log/00000000000000000000.json >new && mv new t/_delta_log/00000000000000000000.json
    run dp-compact t
    assert_success
    [ "$(files t)" -eq 1 ]
}
