#!/usr/bin/env bats
# dp-table vacuum: what goes, what stays, and that no writer loses a file that is not in the log yet.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

LATER=(--now 2099-01-01T00:00:00Z)

rows() { seq "$1" "$2" | awk -v d="$3" '{ printf "{\"id\":%d,\"_p\":\"%s\"}\n", $1, d }'; }
put() { # FROM TO PARTITION OPTION...
    local from=$1 to=$2 p=$3
    shift 3
    rows "$from" "$to" "$p" | dp-partition -o t --by _p | dp-table commit t --eof-commits -q "$@" >/dev/null
}
# A table whose first file has been replaced
table() {
    put 1 10 a
    put 11 20 b
    put 21 30 a --mode replace
}
files() { find t -name '*.parquet' | grep -cv _delta_log; }

@test "what was removed goes when it is older than the retention, with empty directories; what is live stays" {
    table
    dp-table commit t --mode overwrite --eof-commits -q < <(rows 31 40 b | dp-partition -o t --by _p) >/dev/null
    [ "$(files)" -eq 4 ]
    run dp-table vacuum t
    assert_output "t: deleted 0 files of 0 bytes, 0 are too young" # what was removed just now is younger than 7 days, and its tombstones name it
    run dp-table vacuum t --skip-empty
    [ "$status" -eq 99 ]
    run dp-table vacuum t "${LATER[@]}" --dry-run
    assert_success
    [ "${#lines[@]}" -eq 4 ]
    [[ ${lines[3]} == "t: would delete 3 files of "*" bytes, 0 are too young" ]]
    [ "$(files)" -eq 4 ]
    run dp-table vacuum t "${LATER[@]}" --dry-run --json
    jq -e '.files == 3 and (.paths | length) == 3 and .retention_seconds == 604800' <<<"${lines[-1]}" >/dev/null || fail "$output"
    run dp-table vacuum t "${LATER[@]}"
    assert_success
    [ "$(files)" -eq 1 ]
    [ ! -e t/_p=a ]
    assert_equal "$(dp-cat t --columns id | head -n 1)" '{"id":31}'
    run dp-table vacuum t "${LATER[@]}"
    assert_output "t: deleted 0 files of 0 bytes, 0 are too young"
}

@test "less than the table's retention is refused unless forced" {
    table
    run --separate-stderr dp-table vacuum t --retain 1h
    dp_expect 2 "--force"
    [ "$(files)" -eq 3 ]
    run dp-table vacuum t --retain 0s --force
    assert_success
    [ "$(files)" -eq 2 ]
    dp-table create u -c <(echo '{"a":1}' | dp-contract infer -) --property 'delta.deletedFileRetentionDuration=interval 2 hours'
    run --separate-stderr dp-table vacuum u --retain 1h
    dp_expect 2 "the table's 2 hours"
    run dp-table vacuum u --retain 3h
    assert_success
}

@test "hidden names, the log, links and what they lead to are never touched; strays and change data are" {
    table
    mkdir -p t/_change_data/x t/_other t/.cache t/sub outside
    touch t/_change_data/x/cdc.parquet t/_other/f t/.cache/f t/.hidden t/_SUCCESS t/sub/stray.parquet outside/f
    ln -s ../outside t/link
    ln -s ../../outside/f t/sub/file
    run dp-table vacuum t "${LATER[@]}"
    assert_success
    [ ! -e t/_change_data ] && [ ! -e t/sub/stray.parquet ]
    [ -e t/_other/f ] && [ -e t/.cache/f ] && [ -e t/.hidden ] && [ -e t/_SUCCESS ] && [ -e outside/f ] && [ -L t/link ] && [ -L t/sub/file ]
    assert_equal "$(dp-cat t | wc -l)" 20
}

@test "absolute and odd spellings of a path, and deletion vectors, protect their files" {
    table
    one=$(dp-table files t | head -n 1)
    # the same files by absolute URI, by a doubled slash, and one with a vector at the root
    jq -c --arg t "$PWD/t" --arg one "${one#t/}" 'if .add then .add.path |= (if . == $one then "file://" + $t + "/" + . else "./" + . end) else . end' \
        t/_delta_log/00000000000000000000.json t/_delta_log/00000000000000000001.json t/_delta_log/00000000000000000002.json >all
    mv t u
    mkdir -p t/_delta_log
    cp -r u/_p=* t/
    grep -v '"remove"' all | awk '/"(protocol|metaData)"/ { print } /"add"/ { a[++n] = $0 } END { for (i = 2; i <= n; i++) print a[i] }' >t/_delta_log/00000000000000000000.json
    printf '%s\n' '{"add":{"path":"x.parquet","partitionValues":{"_p":"a"},"size":1,"modificationTime":1,"dataChange":true,"deletionVector":{"storageType":"u","pathOrInlineDv":"ab^-aqEH.-t@S}K{vb[*k^","offset":1,"sizeInBytes":40,"cardinality":1},"stats":"{\"numRecords\":2}"}}' >>t/_delta_log/00000000000000000000.json
    mkdir t/ab
    touch t/x.parquet t/ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin t/deletion_vector_00000000-8816-431a-aaf6-d3fe2512ff61.bin
    run dp-table vacuum t "${LATER[@]}"
    assert_success
    [ -e t/x.parquet ] && [ -e t/ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin ] && [ ! -e t/deletion_vector_00000000-8816-431a-aaf6-d3fe2512ff61.bin ]
    [ "$(find t/_p=* -name '*.parquet' | wc -l)" -eq 2 ] || fail "$(find t; cat t/_delta_log/*)"
}

@test "a protocol with a writer feature that is not known: nothing is deleted" {
    table
    printf '%s\n' '{"protocol":{"minReaderVersion":1,"minWriterVersion":7,"writerFeatures":["timeMachine"]}}' >t/_delta_log/00000000000000000003.json
    run --separate-stderr dp-table vacuum t "${LATER[@]}"
    dp_expect 3 "timeMachine"
    [ "$(files)" -eq 3 ]
    run --separate-stderr dp-table vacuum nowhere
    dp_expect 3
}

@test "staging: what is a day old and unlocked goes, what is younger stays whatever --retain says" {
    table
    rows 41 50 a | dp-partition -o t --by _p >paths
    run dp-table vacuum t --retain 0s --force
    assert_success
    dp-table commit t --eof-commits <paths >/dev/null
    assert_equal "$(dp-cat t | wc -l)" 30
    rows 51 60 a | dp-partition -o t --by _p >paths
    dp-table vacuum t "${LATER[@]}" >/dev/null
    run --separate-stderr dp-table commit t --eof-commits <paths
    [ "$status" -ne 0 ]
    assert_equal "$(dp-cat t | wc -l)" 30
}

@test "writers at work while vacuums with no retention run: each row is there" {
    table
    for w in 1 2 3; do
        (for i in $(seq 12); do put $((w * 1000 + i)) $((w * 1000 + i)) "$w" || echo "writer $w: $i" >>failed; done) &
        writers[w]=$!
    done
    while kill -0 "${writers[@]}" 2>/dev/null; do dp-table vacuum t --retain 0s --force -q >/dev/null || echo vacuum >>failed; done
    wait "${writers[@]}"
    [ ! -e failed ] || fail "$(cat failed)"
    assert_equal "$(dp-cat t | wc -l)" 56
}

@test "a deletion vector whose name begins with more than usual is found, and stays" {
    dp_records 20 | dp-contract infer - >c.yaml
    dp-table create v -c c.yaml --property delta.enableDeletionVectors=true >/dev/null
    dp_records 2000 | dp-partition -o v | dp-table commit v --eof-commits >/dev/null
    dp-table delete v -w '.id % 7 == 1' >/dev/null
    bin=$(cd v && echo deletion_vector_*.bin)
    if [ -e "v/$bin" ]; then mv "v/$bin" "v/x%y-$bin"; else fail "no vector on disk: $(ls v)"; fi
    assert_equal "$(dp-cat v | wc -l)" 1714
    dp-table vacuum v --retain 0s --force >/dev/null
    assert_equal "$(dp-cat v | wc -l)" 1714
    mv "v/x%y-$bin" gone
    run --separate-stderr dp-cat v
    dp_expect 3 "$bin"
}
