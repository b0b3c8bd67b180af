#!/usr/bin/env bats
# Row ids of tables that track their rows: compaction moves rows, their ids and the versions that wrote them go with them.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

rows() { jq -nc --argjson a "$1" --argjson n "$2" 'range($a; $a + $n) | {id: ., k: (. * 7919 % 1000), w: "w\(. % 5)", day: "2026-01-0\(. % 3 + 1)"}'; }
put() { rows "$2" "$3" | dp-partition -q -o "$1" | dp-table commit -q "$1" --eof-commits >/dev/null; }
new() { # table property...; by: --by options
    local t=$1 p given=()
    shift
    for p in delta.enableRowTracking=true "$@"; do given+=(--property "$p"); done
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
  - {name: k, logicalType: integer}
  - {name: w, logicalType: string}
  - {name: day, logicalType: date}
Y
    dp-table create -q "$t" -c c.yaml "${given[@]}" ${by:+--by "$by"}
}
# "id row_id version" of each row, from the log and the files as any reader has them; files without deletion vectors.
ids() {
    local f base
    for f in $(dp-table files "$1"); do
        base=$(cat "$1"/_delta_log/*.json | jq -c --arg f "${f#"$1"/}" 'select(.add.path == $f) | .add | {b: .baseRowId, v: .defaultRowCommitVersion}' | tail -n 1)
        dp-cat --to records "$f" | jq -nr --argjson b "$base" --slurpfile names <(jq -c '.metaData.configuration // empty' "$1"/_delta_log/*.json) '$names[-1] as $n
            | foreach inputs as $r (-1; . + 1; [$r[$c], $r[$n["delta.rowTracking.materializedRowIdColumnName"]] // ($b.b + .),
                $r[$n["delta.rowTracking.materializedRowCommitVersionColumnName"]] // $b.v] | @tsv)' --arg c "${2:-id}"
    done | sort -n
}
last() { find "$1/_delta_log" -name '*.json' | sort | tail -n 1; }

@test "compaction keeps the ids of rows and the versions that wrote them, in any order" {
    new t
    for i in 0 1 2 3; do put t $((i * 100)) 100; done
    ids t >before
    [ "$(cut -f 2 before | sort -un | wc -l)" -eq 400 ]
    run dp-compact t
    assert_success
    [ "$(dp-table files t | wc -l)" -eq 1 ]
    cmp <(ids t) before
    [ "$(jq -r '.commitInfo.tags."delta.rowTracking.preserved" // empty' "$(last t)")" = true ]
    [ "$(dp-cat --to records t | head -n 1 | jq -c keys)" = '["day","id","k","w"]' ]
    put t 400 100
    ids t >before
    run dp-compact --cluster 'zorder(k,w)' t
    assert_success
    cmp <(ids t) before
    ! dp-cat --to records "$(dp-table files t)" | jq -e 'select(.id == null)'
    run dp-compact --sort=-id t
    assert_success
    cmp <(ids t) before
    [ "$(dp-cat --to records t | head -n 1 | jq .id)" -eq 499 ]
    run dp-table verify t
    assert_success
    run dp-compact --sort=-id t
    assert_success
    [ "$(basename "$(last t)")" = 00000000000000000008.json ]
}

@test "so with partitions, names that are mapped, and rows that were deleted" {
    by=day new t delta.columnMapping.mode=name delta.enableDeletionVectors=true
    for i in 0 1 2; do put t $((i * 100)) 100; done
    physical=$(jq -r 'select(.metaData) | .metaData.schemaString | fromjson | .fields[] | select(.name == "id") | .metadata."delta.columnMapping.physicalName"' t/_delta_log/00000000000000000000.json)
    ids t "$physical" >before
    dp-table delete -q t --where '.id % 50 == 7'
    run dp-compact --deleted 0 t
    assert_success
    [ "$(dp-table files t | wc -l)" -eq 3 ]
    cmp <(ids t "$physical") <(awk '$1 % 50 != 7' before)
    run dp-table verify t
    assert_success
}

@test "a table whose row columns have no names gets them in a version of its own; a dry run changes nothing" {
    new t
    put t 0 50
    put t 50 50
    log=t/_delta_log/00000000000000000000.json
    jq -c 'if .metaData then .metaData.configuration |= with_entries(select(.key | startswith("delta.rowTracking.") | not)) else . end' $log >x && mv x $log
    run dp-compact -n t
    assert_success
    [ "$(basename "$(last t)")" = 00000000000000000002.json ]
    run dp-compact t
    assert_success
    [ "$(basename "$(last t)")" = 00000000000000000004.json ]
    grep -q '"operation":"SET TBLPROPERTIES"' t/_delta_log/00000000000000000003.json
    [ "$(ids t | awk '$1 == $2 && $3 == ($1 < 50 ? 1 : 2)' | wc -l)" -eq 100 ]
}

@test "a file that the log gives no ids is damage, and nothing is changed" {
    new t
    put t 0 50
    put t 50 50
    log=t/_delta_log/00000000000000000002.json
    jq -c 'if .add then .add |= del(.baseRowId) else . end' $log >x && mv x $log
    run --separate-stderr dp-compact t
    dp_expect 4 "baseRowId"
    [ "$(basename "$(last t)")" = 00000000000000000002.json ]
    [ "$(dp-cat --to records t | wc -l)" -eq 100 ]
}

@test "a clone numbers its rows afresh, and takes no ids from the files of its source" {
    new t
    for i in 0 1 2; do put t $((i * 100)) 100; done
    dp-table delete -q t --where '.id < 150'
    dp-compact -q t
    put t 300 200
    dp-table clone -q t c
    name() { jq -r 'select(.metaData) | .metaData.configuration."delta.rowTracking.materializedRowIdColumnName"' "$1"/_delta_log/00000000000000000000.json; }
    [ "$(name t)" != "$(name c)" ]
    [[ "$(name c)" == _row-id-col-* ]]
    dp-table clone -q --deep t d
    put d 900 10
    dp-compact -q d
    [ "$(ids d | cut -f 2 | sort -un | wc -l)" -eq 360 ]
}

@test "rows that delete, update and merge copy or change keep their ids" {
    for vectors in false true; do
        rm -rf t
        by=day new t delta.enableDeletionVectors=$vectors delta.enableChangeDataFeed=true
        put t 0 90
        put t 90 90
        ids t >before
        dp-table update -q t --where '.id % 30 == 4' --set 'k=.k + 1'
        dp-table update -q t --where '.id % 30 == 5' --set 'day="2027-01-01"'
        dp-table delete -q t --where '.id % 30 == 6'
        printf '%s\n' '{"id":7,"k":-1}' '{"id":500,"k":-1}' '{"id":8,"op":"delete"}' | dp-table merge -q t --key id --eof-commits
        [ "$(cat t/_delta_log/0000000000000000000[3456].json | jq -r '.commitInfo.tags."delta.rowTracking.preserved" // empty' | sort -u)" = true ]
        dp-table changes t --since 3 >feed
        ! grep -q _row- feed
        dp-compact -q --deleted 0 t
        # no longer with vectors: the files tell all.  Changed and replaced rows have the version that changed them.
        ids t | awk '$1 != 500' >after
        awk '$1 % 30 == 6 || $1 == 8 { next } $1 == 7 { $3 = 6 } $1 % 30 == 4 { $3 = 3 } $1 % 30 == 5 { $3 = 4 } { print $1 "\t" $2 "\t" $3 }' before | diff - after
        [ "$(ids t | cut -f 2 | sort -un | wc -l)" -eq 174 ]
        run dp-table verify t
        assert_success
    done
}

@test "row columns that can't be: one that is a column of the table, one of another type" {
    new t
    put t 0 50
    put t 50 50
    log=t/_delta_log/00000000000000000000.json
    cp $log whole
    jq -c 'if .metaData then .metaData.configuration."delta.rowTracking.materializedRowIdColumnName" = "w" else . end' whole >$log
    for command in "dp-compact t" "dp-table delete t --where .id==1"; do
        run --separate-stderr $command
        dp_expect 4 "names column w, which is another one"
    done
    jq -c 'if .metaData then .metaData.configuration."delta.rowTracking.materializedRowIdColumnName" = "w"
        | .metaData.schemaString |= (fromjson | .fields |= map(select(.name != "w")) | tojson) else . end' whole >$log
    [ "$(dp-cat --to records t | head -n 1 | jq -c keys)" = '["day","id","k"]' ]
    run --separate-stderr dp-compact t
    dp_expect 4 "column w: it is not int64"
    [ "$(basename "$(last t)")" = 00000000000000000002.json ]
}

@test "many rows that are replaced keep their ids, in little memory and in any order; of rows with one key the first one's stays" {
    new t
    put t 0 40000
    put t 40000 40000
    put t 0 5
    ids t >before
    jq -nc 'range(79999; -1; -2) | {id: ., k: -1}' >in
    dp-table merge -q t -m 16M --key id --eof-commits in
    [ "$(dp-cat --to records t | wc -l)" -eq 80003 ]
    # 1 and 3 were there twice
    ids t | cut -f 1,2 >after
    cut -f 1,2 before | awk '!($1 % 2 && seen[$1]++)' | diff - after
}
