#!/usr/bin/env bats
# What dp-table says to who slips: names that the table does not have, operands that are missing or empty, copies inside of their source, properties that
# do nothing; and that a dry run's figures are those of the run.  The README's lines about a table that is there are run as they stand.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

contract() {
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: customers' 'version: 1.0.0' 'status: active' 'schema:' '- name: customers' '  properties:' \
        '  - {name: id, logicalType: integer, required: true, primaryKey: true}' '  - {name: city, logicalType: string}' >c.yaml
}
# Version 1 has two rows, version 2 one more.
table() {
    contract
    dp-table create "$1" -c c.yaml --property delta.enableChangeDataFeed=true >/dev/null
    printf '%s\n' '{"id":1,"city":"Ulm"}' '{"id":2,"city":"Mayence"}' | dp-table merge "$1" --eof-commits >/dev/null
    echo '{"id":3,"city":"Bonn"}' | dp-table merge "$1" --eof-commits >/dev/null
}
says() { # EXIT TEXT WORD...: one line on standard error
    local code=$1 text=$2
    shift 2
    run --separate-stderr "$@"
    [ "$status" -eq "$code" ] || fail "$*: exit $status: $output $stderr"
    [[ $stderr == *"$text"* ]] || fail "$*: $stderr"
    [ "$(wc -l <<<"$stderr")" -eq 1 ] || fail "$*: $stderr"
}

@test "--where of files and changes: a column that the table does not have is refused, those of the feed are known" {
    table t
    for c in files changes; do says 2 '--where: t has no column ctiy; did you mean city?' dp-table $c t -w '.ctiy == "Ulm"'; done
    assert_equal "$(dp-table changes t -w '._change_type == "insert" and ._commit_version == 2' --columns id | jq -c .id)" 3
    assert_equal "$(dp-table changes t -w '.city == "Ulm"' | wc -l)" 1
}

@test "operands: the one that is missing is named, and an empty one is no path" {
    table t
    says 2 'TABLE is missing' dp-table restore --to 1
    says 2 'DEST is missing' dp-table clone t
    says 2 'DEST is missing' dp-table replicate t
    says 2 'NAME or DEST is missing' dp-table branch t
    says 2 'a version, a time or a second TABLE is missing' dp-table diff t
    says 2 'TABLE is an empty word' dp-table vacuum ''
    says 2 'DEST is an empty word' dp-table clone t ''
    says 2 'NAME or DEST is an empty word' dp-table branch t ''
    says 2 'nope is not a Delta table' dp-compact nope
    says 2 'TABLE is missing' dp-compact
    assert_equal "$(ls | grep -v separate-stderr)" "$(printf '%s\n' c.yaml t)"
}

@test "verify: a version that the table does not have" {
    table t
    says 2 't has no version 9: the latest is 2' dp-table verify t --as-of 9
}

@test "replicate: no copy inside of the table, by whatever name" {
    table t
    ln -s t link
    mkdir u
    for d in t ./t/ t/copy t/a/b/c link/copy u/../t/copy "$PWD/t/x"; do says 2 "$d is t itself, or inside of it" dp-table replicate t "$d"; done
    [ ! -e t/copy ] && [ ! -e t/a ] || fail 'something was made'
    dp-table replicate t ./t2 >/dev/null
    dp-table replicate t u/deep/er >/dev/null
    dp-table verify u/deep/er
}

@test "replicate: a live file that is lost is no reason to try again later" {
    table t
    f=$(dp-table files t | tail -n 1)
    rm "$f"
    for n in '' -n; do
        # shellcheck disable=SC2086 # a word or none
        says 4 "${f#t/} is in the log of version 2 and not on disk" dp-table replicate t copy $n
    done
    [ ! -e copy/_delta_log ] || fail 'a log was made'
}

@test "create: a switch is true or false, and a table that is there keeps its properties, with a word" {
    contract
    says 2 'delta.appendOnly=yes: true or false is wanted' dp-table create t -c c.yaml --property delta.appendOnly=yes
    says 2 'true or false is wanted' dp-table create t -c c.yaml --property delta.enableChangeDataFeed=TRUE
    dp-table create t -c c.yaml --property delta.enableChangeDataFeed=true >/dev/null
    run --separate-stderr dp-table create t -c c.yaml --property delta.enableChangeDataFeed=true
    assert_success
    [ -z "$stderr" ] || fail "$stderr"
    says 0 'its property delta.enableChangeDataFeed stays "true"' dp-table create t -c c.yaml --property delta.enableChangeDataFeed=false
    says 0 'its property delta.appendOnly stays unset' dp-table create t -c c.yaml --property delta.appendOnly=true
}

@test "a dry run has the figures of the run, and changes nothing" {
    table t
    echo '{"id":9,"city":"Trier"}' >new
    cp -r t before
    for words in "delete t -w .id==1" "update t --set city=.city -w .id<3" "merge t new" "restore t --to 1"; do
        # shellcheck disable=SC2086 # words
        dp-table $words --json -n | jq -cS '{deleted, updated, inserted, files_removed, deletion_vectors}' >plan
        diff -r t before || fail "$words -n changed something"
        # shellcheck disable=SC2086
        dp-table $words --json | jq -cS '{deleted, updated, inserted, files_removed, deletion_vectors}' >done
        diff plan done || fail "$words"
        rm -rf t && cp -r before t
    done
    dp-table delete t -w '.id == 1' --json -n | jq -e 'has("result") or has("version") or has("files_added") | not'
    dp-table delete t -w '.id == 77' --json -n | jq -e '.result == "nothing changed"'
    echo '{"id":9,"city":"Trier"}' | dp-partition -o t >paths
    dp-table commit t --eof-commits -n --json <paths | jq -e '.files == 1 and .rows == 1 and (has("version") | not)'
}

@test "--json: no name stands twice in an object" {
    table t
    dp-table verify t --json >v
    [ "$(grep -o '"[a-z_]*":' v | sort | uniq -d | grep -v '"path"\|"finding"')" = '' ] || fail "$(cat v)"
    jq -e '(.program_version | type) == "string" and .version == 2' v
}

@test "merge: orders in capitals, as other systems write them" {
    table t
    printf '%s\n' '{"op":"D","id":1}' '{"op":"U","id":2,"city":"Mainz"}' '{"op":"INSERT","id":4,"city":"Köln"}' | dp-table merge t --eof-commits --json >sum
    jq -e '.deleted == 1 and .updated == 1 and .inserted == 1' sum
    run dp-table merge t --eof-commits <<<'{"op":"x","id":1}'
    assert_failure 1
}

@test "merge --commit-every: the summary is that of all versions, also of a run that fails later; nothing new is said" {
    table t
    echo '{"id":1,"city":"Trier"}' | dp-table merge t --eof-commits >/dev/null
    dp-table changes t --marks >feed
    dp-table create u -c c.yaml >/dev/null
    dp-table merge u --commit-every 0s --json <feed | jq -e '.result == "committed" and .version == 4 and .commits == 4 and .inserted == 3 and .updated == 1'
    dp-table create w -c c.yaml >/dev/null
    head -n 6 feed >cut
    run --separate-stderr dp-table merge w --commit-every 0s --json <cut
    assert_failure 4
    jq -e --argjson n "$(dp-cat w --to records | wc -l)" '.result == "committed" and .inserted == $n and $n > 0' <<<"$output"
    dp-run -- 'dp-table changes t --since u | dp-table merge u --json' >sum
    jq -e '.result == "nothing new" or .result == "already committed"' sum
}

@test "README: what one does with a table that is there" {
    table lake/customers
    mkdir changes
    printf '%s\n' '{"op":"d","id":1}' '{"op":"c","id":4,"city":"Köln"}' >changes/1.ndjson
    sed -n '/^## What one does with a table/,/^## The programs/s/^    //p' "$DP_ROOT/README.md" >lines
    [ "$(grep -c dp- lines)" -ge 7 ]
    while IFS= read -r line; do
        bash -c "$line" >out 2>&1 </dev/null || fail "$line: $(cat out)"
    done <lines
    jq -e . <(dp-cat backup/customers --to records) >/dev/null
    assert_equal "$(dp-cat lake/customers --to records | jq -c .id | sort | tr '\n' ' ')" '1 2 '
}
