#!/usr/bin/env bats
# dp-table replicate: a copy that is a valid table at every moment, and what is refused.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

LATER=(--now 2099-01-01T00:00:00Z)

rows() { seq "$1" "$2" | awk -v d="$3" '{ printf "{\"id\":%d,\"p\":\"%s\"}\n", $1, d }'; }
put() { # TABLE FROM TO PARTITION OPTION...
    local t=$1 from=$2 to=$3 p=$4
    shift 4
    rows "$from" "$to" "$p" | dp-partition -o "$t" --by p | dp-table commit "$t" --eof-commits -q "$@" >/dev/null
}
same() {
    assert_equal "$(dp-cat "$1" | sort)" "$(dp-cat "$2" | sort)"
    run dp-table verify "$2" --deep
    assert_success
}

@test "a new copy, then what is new, then nothing; times are kept" {
    for i in $(seq 12); do put t "$i" "$i" "a$((i % 3)) %"; done
    run dp-table replicate t copy --dry-run
    assert_success
    [ ! -e copy ]
    run dp-table replicate t copy
    assert_success
    [[ $output == "copy: at version 11, 12 commits, 12 files of "* ]] || fail "$output"
    same t copy
    diff <(cd t && find . -path ./_dp_staging -prune -o -type f -printf '%p %s %T@\n' | sort) <(cd copy && find . -path ./_dp_staging -prune -o -type f -printf '%p %s %T@\n' | sort)
    put t 100 110 b
    put t 120 130 b --mode replace
    run dp-table replicate t copy
    [[ $output == "copy: at version 13, 2 commits, 2 files of "* ]] || fail "$output"
    same t copy
    run dp-table replicate t copy --json --skip-empty
    [ "$status" -eq 99 ]
    jq -e '.version == 13 and .commits == 0 and .files == 0' <<<"${lines[0]}" >/dev/null || fail "$output"
    assert_equal "$(dp-table files t --as-of 12 | sed 's/^t/x/')" "$(dp-table files copy --as-of 12 | sed 's/^copy/x/')"
}

@test "what a vacuum took: older versions lack it in a new copy, an old copy keeps it" {
    put t 1 10 a
    dp-table replicate t old -q >/dev/null
    put t 11 20 a --mode overwrite
    put t 21 30 a --mode overwrite
    dp-table vacuum t "${LATER[@]}" >/dev/null
    run --separate-stderr dp-table replicate t new
    dp_expect 0 "2 files that only older versions need are gone from t"
    same t new
    run --separate-stderr dp-table replicate t old
    dp_expect 0 "1 files that only older versions need are gone from t"
    same t old
    assert_equal "$(dp-table files old --as-of 0 | wc -l)" 1
    [ -s "$(dp-table files old --as-of 0)" ]
    put t 31 40 a
    run dp-table replicate t old
    assert_success
    same t old
}

@test "no copy: another table, one that was written to, a directory that is in use, one that is too far behind" {
    put t 1 10 a
    put u 1 10 a
    run --separate-stderr dp-table replicate t u
    dp_expect 1 "u is another table"
    mkdir d && echo x >d/file
    run --separate-stderr dp-table replicate t d
    dp_expect 1 "d is not empty"
    dp-table replicate t copy >/dev/null
    put copy 11 20 a
    run --separate-stderr dp-table replicate t copy
    dp_expect 1 "copy is at version 1 and t only at 0"
    put t 11 20 a
    run --separate-stderr dp-table replicate t copy
    dp_expect 1 "copy is not a copy of t: version 1 differs"
    rm -r copy
    dp-table replicate t copy >/dev/null
    put t 21 30 a
    put t 31 40 a
    dp-table checkpoint t >/dev/null
    rm t/_delta_log/0000000000000000000{0,1,2}.json
    run --separate-stderr dp-table replicate t copy
    dp_expect 1 "copy is too far behind: version 2 is gone"
    run dp-table replicate t again
    assert_success
    same t again
    run --separate-stderr dp-table replicate nowhere x
    dp_expect 3
}

@test "paths that lead out of the table are refused by name" {
    put t 1 10 a
    mkdir -p c/_delta_log
    jq -c --arg t "$PWD/t" 'if .add then .add.path |= $t + "/" + . else . end' t/_delta_log/00000000000000000000.json >c/_delta_log/00000000000000000000.json
    assert_equal "$(dp-cat c | wc -l)" 10
    run --separate-stderr dp-table replicate c copy
    dp_expect 3 "is outside of the table"
    [ ! -e copy ]
}

@test "valid at every moment, while the table is written to and vacuumed" {
    put t 1 1 a
    (
        for i in $(seq 2 15); do put t "$i" "$i" a; done
        for i in $(seq 5); do put t "$i" "$i" b --mode overwrite && dp-table vacuum t --retain 0s --force -q >/dev/null; done
        touch written
    ) &
    writer=$!
    (until [ -e written ]; do dp-table replicate t copy -q >/dev/null 2>>said || echo "exit $?" >>said; done) &
    copier=$!
    until [ -e written ]; do
        [ -e copy/_delta_log ] || continue
        dp-table verify copy >found 2>&1 || { cp found bad; break; }
    done
    wait "$writer" "$copier"
    [ ! -e bad ] || fail "$(cat bad)"
    dp-table replicate t copy >/dev/null
    same t copy
}

@test "corpus: deletion vectors, column mapping, checkpoints of other writers" {
    [ -d "$DP_SHARED/corpus/delta" ] || skip "no corpus"
    for t in basic-dv-no-checkpoint table-with-columnmapping-mode-id basic-with-checkpoint basic_partitioned; do
        [ -d "$DP_SHARED/corpus/delta/$t" ] || continue
        run dp-table replicate "$DP_SHARED/corpus/delta/$t" "$t"
        assert_success
        same "$DP_SHARED/corpus/delta/$t" "$t"
    done
}
