#!/usr/bin/env bats
# dp-table changes: the change data feed against what others say of their tables and against what was committed here; positions, marks, --follow, refusals.

# shellcheck disable=SC2030,SC2031,SC2016
bats_require_minimum_version 1.5.0
load helper

setup() {
    dp_setup
    set -o pipefail
}
teardown() {
    for p in ${pids:-}; do kill -KILL "$p" 2>/dev/null; done
    wait 2>/dev/null
}
contract() {
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: t' 'version: 1.0.0' 'status: active' 'schema:' '- name: t' '  properties:' \
        '  - {name: id, logicalType: integer, required: true}' '  - {name: day, logicalType: date, partitioned: true}' '  - {name: word, logicalType: string}' >c.yaml
}
table() { contract && dp-table create t -c c.yaml --property delta.enableChangeDataFeed=true "$@" >/dev/null; }
# put ID DAY WORD [OPTION...]
put() {
    local row="{\"id\":$1,\"day\":\"$2\",\"word\":\"$3\"}"
    shift 3
    echo "$row" | dp-partition -o t | dp-table commit t --eof-commits "$@" >/dev/null
}
short() { jq -c '[.id, .word, ._change_type, ._commit_version]' "$@"; }
corpus() { [ -d "$DP_SHARED/corpus/delta/expected" ] || skip "no corpus"; }
entry() { printf 't/_delta_log/%020d.json' "$1"; }

@test "tables of other writers: their feeds are what they say" {
    corpus
    n=0
    for f in "$DP_SHARED"/corpus/delta/expected/*.cdf.ndjson; do
        name=$(basename "$f" .cdf.ndjson)
        dp-table changes "$DP_SHARED/corpus/delta/$name" >got || fail "$name"
        jq -e '._commit_timestamp | test("^2[0-9]{3}-.*Z$")' got >/dev/null || fail "$name: a time"
        diff <(jq -cS 'del(._commit_timestamp)' got | sort) <(jq -cS . "$f" | sort) >diff || fail "$name: $(head diff)"
        cmp <(dp-table changes "$DP_SHARED/corpus/delta/$name" -j 1) <(dp-table changes "$DP_SHARED/corpus/delta/$name" -j 4 -m 16M)
        n=$((n + 1))
    done
    [ "$n" -ge 8 ]
}

@test "appends are inserts, an overwrite deletes first; ranges by version and by time" {
    table
    put 1 2026-01-01 a
    put 2 2026-01-02 b
    put 3 2026-01-02 c --mode overwrite
    dp-table changes t | short >all
    printf '%s\n' '[1,"a","insert",1]' '[2,"b","insert",2]' '[1,"a","delete",3]' '[2,"b","delete",3]' '[3,"c","insert",3]' | cmp - all
    assert_equal "$(dp-table changes t --since 2 --until 2 | short)" '[2,"b","insert",2]'
    touch -d 2026-01-01T00:00:00Z "$(entry 0)"
    touch -d 2026-01-01T00:00:01Z "$(entry 1)"
    touch -d 2026-01-01T00:00:00Z "$(entry 2)" # never before the one in front of it
    touch -d 2026-01-02T00:00:00Z "$(entry 3)"
    assert_equal "$(dp-table changes t --until 2 | jq -r ._commit_timestamp | paste -sd ' ')" "2026-01-01T00:00:01Z 2026-01-01T00:00:01.001Z"
    assert_equal "$(dp-table changes t --since 2026-01-01T00:00:01Z --until 2026-01-01T12:00:00Z | short | paste -sd ' ')" '[1,"a","insert",1] [2,"b","insert",2]'
    assert_equal "$(dp-table changes t --since 2026-01-02 | short | wc -l)" 3
    run dp-table changes t --since 2026-02-01 --skip-empty
    assert_equal "$status" 99
    run --separate-stderr dp-table changes t --since 5
    dp_expect 2 "has no version 5: the latest is 3"
    run --separate-stderr dp-table changes t --since 2 --until 1
    dp_expect 2 "before the first one"
    run --separate-stderr dp-table changes t --since nowhere
    dp_expect 2 "neither a version, a time (RFC 3339) nor a table"
}

@test "begin names the checkpoint behind which the target was committed, whichever run comes there" {
    table
    put 1 2026-01-01 a
    put 2 2026-01-01 b
    dp-table create s -c c.yaml >/dev/null
    id() { jq -r --arg kind "$1" 'select(."$dp" == $kind) | .id'; }
    dp-table changes t --since s --marks >first
    assert_equal "$(id begin <first)" "" # there are no positions yet
    [ "$(id checkpoint <first | sort -u | wc -l)" -ge 2 ]
    dp-table changes t --since s --until 1 --marks | dp-table merge s --key id >/dev/null
    at=$(jq -r 'select(."$dp" == "checkpoint" and .position == "2") | .id' first)
    dp-table changes t --since s --marks >second
    assert_equal "$(id begin <second)" "$at"
    assert_equal "$(id checkpoint <second | tail -n 1)" "$(id checkpoint <first | tail -n 1)"
    dp-table changes t --since 1 --marks | head -n 1 | jq -e 'has("id") | not' # from no table: it does not say
    # files, two of them, in one order and in the other
    dp-table create f -c c.yaml >/dev/null
    printf '{"id":1,"day":"2026-01-01","word":"a"}\n' >a
    printf '{"id":2,"day":"2026-01-01","word":"b"}\n' >b
    dp-ingest --marks --since f a | dp-partition -o f | dp-table commit f >/dev/null
    assert_equal "$(dp-ingest --marks --since f b a | id checkpoint | tail -n 1)" "$(dp-ingest --marks a b | id checkpoint | tail -n 1)"
    dp-ingest --marks --since f b a | dp-partition -o f | dp-table commit f >/dev/null
    assert_equal "$(dp-ingest --marks --since f a | id begin)" "$(dp-ingest --marks a b | id checkpoint | tail -n 1)"
}

@test "--columns and --where, also by what --columns leaves out" {
    table
    put 1 2026-01-01 a
    put 2 2026-01-02 b
    put 3 2026-01-02 c --mode overwrite
    assert_equal "$(dp-table changes t --columns word -w '._change_type == "delete" and .day > "2026-01-01"' | jq -c 'del(._commit_timestamp)')" \
        '{"word":"b","_change_type":"delete","_commit_version":3}'
    assert_equal "$(dp-table changes t --columns _commit_version,id -w '. | has("word")' --until 1 | jq -c 'del(._commit_timestamp)')" '{"_commit_version":1,"id":1,"_change_type":"insert"}'
    dp-table changes t --columns word -w '.id == 1' --marks | head -n 1 | jq -e '.schema.fields | map(.name) == ["word","_change_type","_commit_version","_commit_timestamp"]'
    run --separate-stderr dp-table changes t --columns wort
    dp_expect 1 "no column wort; did you mean word?"
}

@test "the feed is off: refused with the version's name; --from-files tells by the files" {
    contract
    dp-table create t -c c.yaml >/dev/null
    put 1 2026-01-01 a
    run --separate-stderr dp-table changes t --since 0
    dp_expect 3 "is off in version 0"
    [ -z "$output" ]
    assert_equal "$(dp-table changes t --from-files | short)" '[1,"a","insert",1]'
    # turned on: from there
    jq -c 'select(.metaData) | .metaData.configuration["delta.enableChangeDataFeed"] = "true"' "$(entry 0)" >"$(entry 2)"
    put 2 2026-01-01 b
    assert_equal "$(dp-table changes t | short)" '[2,"b","insert",3]'
    run --separate-stderr dp-table changes t --since 1
    dp_expect 3 "is off in version 1"
    # and off again
    jq -c 'select(.metaData)' "$(entry 0)" >"$(entry 4)"
    run --separate-stderr dp-table changes t --since 2
    dp_expect 3 "is off in version 4"
}

@test "a column that came later is null before; one that is gone is refused" {
    table
    put 1 2026-01-01 a
    meta() { jq -c 'select(.metaData) | .metaData.schemaString |= (fromjson | '"$1"' | tojson)' "$(entry 0)"; }
    meta '.fields += [{name: "more", type: "long", nullable: true, metadata: {}}]' >"$(entry 2)"
    assert_equal "$(dp-table changes t | jq -c .more)" null
    assert_equal "$(dp-table changes t --until 1 | jq -c 'has("more")')" false
    meta '.fields |= map(select(.name != "word"))' >"$(entry 3)"
    run --separate-stderr dp-table changes t
    dp_expect 3 "column word, which the last version of the range has not"
    assert_equal "$(dp-table changes t --until 2 | wc -l)" 1
}

@test "a remove that does not say its partition; files that are gone" {
    table
    put 1 2026-01-01 a
    put 2 2026-01-02 b --mode overwrite
    jq -c 'if .remove then .remove |= del(.partitionValues, .extendedFileMetadata) else . end' "$(entry 2)" >x
    cat x >"$(entry 2)"
    assert_equal "$(dp-table changes t --since 2 | jq -c '[.id, .day, ._change_type]' | paste -sd ' ')" '[1,"2026-01-01","delete"] [2,"2026-01-02","insert"]'
    rm -r t/day=2026-01-01
    run --separate-stderr dp-table changes t --since 2
    dp_expect 3 "version 2: a file that tells its changes is gone"
    rm "$(entry 0)"
    run --separate-stderr dp-table changes t --since 0
    [ "$status" -ne 0 ]
}

@test "positions: what was made of the changes is committed with them, and each change counts once" {
    table
    put 1 2026-01-01 a
    dp-run -- 'dp-table changes t | dp-partition -o audit | dp-table commit audit' >/dev/null
    put 2 2026-01-01 b
    put 3 2026-01-01 c
    for i in 1 2; do dp-run -- 'dp-table changes t --since audit | dp-partition -o audit | dp-table commit audit' >log; done
    dp-cat audit | short | sort >got
    printf '%s\n' '[1,"a","insert",1]' '[2,"b","insert",2]' '[3,"c","insert",3]' | cmp - got
    # an independent reading of the position: the log itself
    id=$(jq -r 'select(.metaData) | .metaData.id' "$(entry 0)")
    assert_equal "$(cat audit/_delta_log/*.json | jq -r 'select(.txn) | .txn | "\(.appId) \(.version)"' | tail -n 1)" "dp/delta:$id/0 4"
    cp -r t moved && rm -r t # its id is what counts
    run dp-table changes moved --since audit --skip-empty
    assert_equal "$status" 99
    # put back to an older state by hand: the target is ahead
    rm moved/_delta_log/*2.json moved/_delta_log/*3.json
    run --separate-stderr dp-table changes moved --since audit
    dp_expect 1 "which is only at version 1"
}

@test "--follow: new versions come with checkpoints; a new schema ends it with 75" {
    table
    put 1 2026-01-01 a
    (
        rc=0
        dp-table changes t --follow --marks >out 2>err 3>&- || rc=$?
        echo "$rc" >rc
    ) &
    until_ok grep -q '"position":"2"' out
    put 2 2026-01-01 b
    until_ok grep -q '"position":"3"' out
    until_ok grep -q '"heartbeat"' out
    jq -c 'select(.metaData) | .metaData.schemaString |= (fromjson | .fields += [{name: "more", type: "long", nullable: true, metadata: {}}] | tojson)' "$(entry 0)" >x
    cp x t/x && mv t/x "$(entry 3)"
    until_ok test -s rc
    assert_equal "$(cat rc)" 75
    grep -q "version 3 changes the schema" err
    grep -v '^{"$dp"' out | short >got
    printf '%s\n' '[1,"a","insert",1]' '[2,"b","insert",2]' | cmp - got
    tail -n 1 out | jq -e '."$dp" == "abort" and .exit_code == 75'
    head -n 1 out | jq -e '."$dp" == "begin" and .schema.fields[3].name == "_change_type"'
}

@test "--follow ends by a signal, and when its reader goes" {
    table
    put 1 2026-01-01 a
    dp-table changes t --follow >out 2>err 3>&- &
    pids=$!
    until_ok test -s out
    kill -TERM "$pids"
    rc=0
    wait "$pids" || rc=$?
    assert_equal "$rc" 143
    dp-table changes t --follow 2>err | head -n 1 | short >got || true
    assert_equal "$(cat got)" '[1,"a","insert",1]'
}

@test "deletion vectors: the rows by which two states of a file differ, alone" {
    corpus
    t=$DP_SHARED/corpus/delta/cdf-table-with-dv
    diff <(dp-table changes "$t" --since 1 | jq -cS 'del(._commit_timestamp)' | sort) \
        <(jq -cS 'select(._commit_version >= 1)' "$DP_SHARED/corpus/delta/expected/cdf-table-with-dv.cdf.ndjson" | sort)
    # what is there at a version is what was inserted up to it and not deleted
    for v in 0 1 2 3 4 5 6; do
        diff <(dp-cat "$t" --as-of $v | jq -c .value | sort) \
            <(dp-table changes "$t" --until $v | jq -rs 'group_by(.value)[] | select((map(if ._change_type == "insert" then 1 else -1 end) | add) > 0) | .[0].value' | sort)
    done
}
