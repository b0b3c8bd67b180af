#!/usr/bin/env bats
# dp-table restore: the rows, the schema and the properties of then; what is gone is told, and nothing changes.

bats_require_minimum_version 1.5.0
load helper

contract() {
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: t' 'version: 1.0.0' 'status: active' 'schema:' '- name: t' '  properties:' \
        '  - {name: id, logicalType: integer, required: true}' '  - {name: day, logicalType: date, partitioned: true}' >c.yaml
}
table() { contract && dp-table create t -c c.yaml "$@" >/dev/null; }
put() {
    local id=$1
    shift
    echo "{\"id\":$id,\"day\":\"2026-01-0$((id % 2 + 1))\"}" | dp-partition -o t | dp-table commit t --eof-commits "$@" >/dev/null
}
entry() { printf 't/_delta_log/%020d.json' "$1"; }
ids() { dp-cat "$@" | jq -c .id | sort -n | paste -sd ' '; }

@test "forth and back: rows of then, again and again" {
    table
    put 1
    put 2
    put 3 --mode overwrite
    run dp-table restore t --to 2
    assert_output "t: version 4 is as version 2 was: 2 files added, 1 removed"
    assert_equal "$(ids t)" "1 2"
    assert_equal "$(ids t --as-of 3)" 3
    jq -se '.[0].commitInfo | .operation == "RESTORE" and .operationParameters == {version: "2", timestamp: null} and .isBlindAppend == false and
        .operationMetrics.numRestoredFiles == "2" and .operationMetrics.numRemovedFiles == "1" and .operationMetrics.numOfFilesAfterRestore == "2"' "$(entry 4)"
    # the log alone: what is live
    assert_equal "$(cat t/_delta_log/*.json | jq -sc 'reduce .[] as $a ({}; if $a.add then .[$a.add.path] = 1 elif $a.remove then del(.[$a.remove.path]) else . end) | length')" 2
    run dp-table restore t --to 2
    assert_output "t: is as it was at version 2"
    run dp-table restore t --to 2 --skip-empty
    assert_equal "$status" 99
    [ ! -e "$(entry 5)" ]
    dp-table restore t --to 0 -q
    assert_equal "$(ids t)" ""
    dp-table restore t --to 3 --json | jq -e '.restored == 3 and .version == 6 and .files_added == 1 and .files_removed == 0'
    assert_equal "$(ids t)" 3
    put 4
    assert_equal "$(ids t)" "3 4"
}

@test "by time; --dry-run changes nothing; versions that are not there" {
    table
    put 1
    put 2
    for i in 0 1 2; do touch -d "2026-01-0$((i + 1))T00:00:00Z" "$(entry $i)"; done
    run dp-table restore t --to 2026-01-02T12:00:00Z --dry-run
    assert_output "t: would be as at version 1: 0 files added, 1 removed"
    [ ! -e "$(entry 3)" ]
    dp-table restore t --to 2026-01-02T12:00:00Z -q
    jq -se '.[0].commitInfo.operationParameters == {version: "1", timestamp: "2026-01-02T12:00:00Z"}' "$(entry 3)"
    assert_equal "$(ids t)" 1
    run --separate-stderr dp-table restore t --to 9
    dp_expect 2 "has no version 9"
    run --separate-stderr dp-table restore t --to 2020-01-01
    dp_expect 2 "before the oldest version"
    run --separate-stderr dp-table restore t
    dp_expect 2 "--to is needed"
}

@test "schema and properties of then; the id, the highest column id and what times hang on stay" {
    table --property owner=me
    put 1
    jq -c 'select(.metaData) | .metaData.configuration.owner = "you" | .metaData.configuration["delta.inCommitTimestampEnablementVersion"] = "9" |
        .metaData.schemaString |= (fromjson | .fields += [{name: "more", type: "long", nullable: true, metadata: {}}] | tojson)' "$(entry 0)" >"$(entry 2)"
    run dp-table restore t --to 1
    assert_output "t: version 3 is as version 1 was: 0 files added, 0 removed, schema and properties changed"
    jq -se --slurpfile old "$(entry 0)" '(.[] | select(.metaData).metaData) as $m | ($old[] | select(.metaData).metaData) as $o |
        $m.id == $o.id and $m.schemaString == $o.schemaString and $m.configuration.owner == "me" and $m.configuration["delta.inCommitTimestampEnablementVersion"] == "9"' "$(entry 3)"
    assert_equal "$(dp-cat t)" '{"id":1,"day":"2026-01-02"}'
}

@test "files that are gone: each is told, nothing is changed, exit 3" {
    table
    put 1
    put 2
    put 3 --mode overwrite
    rm -r t/day=2026-01-02/part-*
    run --separate-stderr dp-table restore t --to 2
    dp_expect 3 "of the files of version 2 are gone, and nothing was changed"
    [[ $stderr == *"t/day=2026-01-02/"*"is gone"* ]]
    [ ! -e "$(entry 4)" ]
    dp-table restore t --to 0 -q # needs none
}

@test "deletion vectors of then, also where they shrink" {
    [ -d "$DP_SHARED/corpus/delta" ] || skip "no corpus"
    cp -r "$DP_SHARED/corpus/delta/cdf-table-with-dv" t
    chmod -R u+w t
    for v in 0 3 1 6 2; do
        dp-table restore t --to $v -q
        assert_equal "$(dp-cat t | sort)" "$(dp-cat t --as-of $v | sort)"
        [ "$(cat t/_delta_log/*.json | jq -sc 'reduce .[] as $a ({}; if $a.add then .[$a.add.path] += 1 elif $a.remove then .[$a.remove.path] -= 1 else . end) | [.[]] | max')" -le 1 ]
    done
    # the feed tells what a restore did
    dp-table restore t --to 0 -q
    n=$(dp-table log t --limit 1 | cut -f 1)
    assert_equal "$(dp-table changes t --since "$n" | jq -r '._change_type' | sort -u)" insert
}

@test "refused: tables that only grow, features that are not written" {
    table --property delta.appendOnly=true
    put 1
    put 2
    run --separate-stderr dp-table restore t --to 1
    dp_expect 1 "append"
    [ ! -e "$(entry 3)" ]
}
