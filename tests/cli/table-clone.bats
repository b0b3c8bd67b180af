#!/usr/bin/env bats
# dp-table clone and branch: the same rows, nothing copied or everything; no table until it is whole; going on after a kill.

bats_require_minimum_version 1.5.0
load helper

contract() {
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: t' 'version: 1.0.0' 'status: active' 'schema:' '- name: t' '  properties:' \
        '  - {name: id, logicalType: integer, required: true}' '  - {name: day, logicalType: date, partitioned: true}' >c.yaml
}
table() { contract && dp-table create "$@" -c c.yaml >/dev/null; }
# put TABLE ID...
put() {
    local t=$1 id
    shift
    for id; do echo "{\"id\":$id,\"day\":\"2026-01-0$id\"}" | dp-partition -o "$t" | dp-table commit "$t" --eof-commits >/dev/null || return 1; done
}
rows() { dp-cat "$1" | sort; }
corpus() { [ -d "$DP_SHARED/corpus/delta" ] || skip "no corpus"; }

@test "shallow: the source's files by absolute, encoded paths; what is added is the clone's own" {
    table "a b#"
    put "a b#" 1 2
    run dp-table clone "a b#" sub/c
    assert_output "sub/c: a shallow clone of a b# version 2, 2 files"
    [ -z "$(find sub -name '*.parquet')" ]
    assert_equal "$(rows sub/c)" "$(rows "a b#")"
    jq -se --arg here "$(pwd -P)" '.[0].commitInfo.operation == "CLONE" and .[0].commitInfo.operationParameters.sourceVersion == "2" and
        (map(select(.add).add) | all(.path | startswith("file://\($here)/a%20b%23/day=2026-01-0")) and all(.dataChange))' sub/c/_delta_log/00000000000000000000.json
    [ "$(cat "a b#/_delta_log/"*0.json sub/c/_delta_log/*.json | jq -r 'select(.metaData).metaData.id' | sort -u | wc -l)" -eq 2 ]
    put sub/c 3
    assert_equal "$(rows sub/c | wc -l)" 3
    assert_equal "$(rows "a b#" | wc -l)" 2
    dp-table clone sub/c again >/dev/null # of a clone: absolute paths stay, its own become such
    assert_equal "$(rows again)" "$(rows sub/c)"
}

@test "deep: the files are copied with their places, and the source may go" {
    table t
    put t 1 2 3
    dp-table clone t c --deep --as-of 2 --json | jq -e '.table == "c" and .source_version == 2 and .files == 2 and .files_copied == 2'
    assert_equal "$(cd c && find . -name '*.parquet' | sort)" "$(cd t && find . -name '*.parquet' | sort | grep -v 2026-01-03)"
    [ ! -e c/_dp_staging/clone ]
    rm -r t
    assert_equal "$(dp-cat c | jq -c .id | sort | paste -sd ' ')" "1 2"
    put c 4
    dp-table log c | head -n 1 | grep -q WRITE
}

@test "deletion vectors, mapped columns, partitions of other writers: rows of shallow and deep clones" {
    corpus
    for name in dv-partitioned-with-checkpoint with-short-dv basic-dv-no-checkpoint table-with-columnmapping-mode-name column-mapping-id table_with_column_mapping \
        data-reader-escaped-chars delta-0.8.0-special-partition log-replay-special-characters-a type-widening cdf-table data-reader-timestamp_ntz-name-mode; do
        s=$DP_SHARED/corpus/delta/$name
        dp-table clone "$s" "s-$name" >/dev/null || fail "$name"
        dp-table clone "s-$name" "d-$name" --deep >/dev/null || fail "$name: of the clone"
        dp-table clone "$s" "e-$name" --deep >/dev/null || fail "$name: deep"
        rows "$s" >want
        for c in s d e; do rows "$c-$name" | cmp - want || fail "$c-$name"; done
        [ -z "$(cat "d-$name"/_delta_log/*.json "e-$name"/_delta_log/*.json | jq -r 'select(.add).add | .path, (.deletionVector // {} | select(.storageType == "p").pathOrInlineDv)' | grep '^file:')" ]
    done
}

@test "a deep clone that was killed is no table, and goes on where it was" {
    table t
    put t 1 2 3
    mkdir -p c/_dp_staging/clone c/day=2026-01-01
    pwd -P | sed 's:$:/t:' | tr -d '\n' >c/_dp_staging/clone/source
    cp t/day=2026-01-01/*.parquet c/day=2026-01-01/
    half=$(cd t && echo day=2026-01-02/*.parquet)
    mkdir -p c/day=2026-01-02 && head -c 100 "t/$half" >"c/$half"
    run --separate-stderr dp-cat c/_delta_log
    [ ! -e c/_delta_log ]
    (
        flock 9
        run --separate-stderr dp-table clone t c --deep
        dp_expect 75 "another clone is at work"
    ) 9>c/_dp_staging/clone/.lock
    dp-table clone t c --deep --json | jq -e '.files == 3 and .files_copied == 2'
    assert_equal "$(rows c)" "$(rows t)"
    cmp "t/$half" "c/$half"
}

@test "refused: a table, a directory with something else in it, one inside the source; files that are gone" {
    table t
    put t 1
    dp-table clone t c -q
    run --separate-stderr dp-table clone t c
    dp_expect 2 "c is a table already"
    mkdir full && touch full/x
    run --separate-stderr dp-table clone t full --deep
    dp_expect 2 "full is not empty (x)"
    run --separate-stderr dp-table clone t t/clone
    dp_expect 2 "is inside of t"
    run --separate-stderr dp-table clone t d --shallow --deep
    dp_expect 2 "deep"
    rm t/day=*/*.parquet
    run --separate-stderr dp-table clone t d --deep
    dp_expect 3 "part-00000-"
    [ -z "$(ls d/_delta_log 2>/dev/null)" ]
    run dp-table clone t e --dry-run
    assert_output "e: would be a shallow clone of t version 1, 1 files"
    [ ! -e e ]
}

@test "branch: a copy beside the table with its own feed of changes, which says where it came from" {
    table t
    put t 1 2
    run dp-table branch t/ dev
    assert_output "t@dev: a branch of t/ version 2, 2 files"
    jq -se --arg here "$(pwd -P)" 'map(select(.metaData).metaData.configuration)[0] | .["dp.branch.source"] == "\($here)/t" and .["dp.branch.version"] == "2"' t@dev/_delta_log/*.json
    put t@dev 3
    put t 4
    assert_equal "$(dp-table changes t@dev --since 1 | jq -c '[.id, ._change_type]')" '[3,"insert"]'
    assert_equal "$(dp-cat t@dev | jq .id | sort | paste -sd ' ')" "1 2 3"
    dp-table branch t ./elsewhere --as-of 1 -q
    assert_equal "$(dp-cat elsewhere | jq .id)" 1
    rm -r t@dev elsewhere # is all there is to it
    assert_equal "$(dp-cat t | jq .id | sort | paste -sd ' ')" "1 2 4"
}
