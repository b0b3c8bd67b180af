#!/usr/bin/env bats
# dp-retain hold, release, holds: what is held stays under vacuum, forced or not, clean-up of the log and rules; each refusal names the case.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

NOW=(--now 2026-06-01T12:00:00Z)
LATER=(--now 2099-01-01T00:00:00Z)

setup() {
    dp_setup
    export DP_AUDIT=$PWD/audit
}

put() { # TABLE DAY NAME [OPTION...]: a file of ten rows
    seq 1 10 | awk -v d="$2" -v n="$3" '{ printf "{\"id\":%d,\"day\":\"%s\",\"who\":\"%s%d\"}\n", $1, d, n, $1 }' |
        dp-partition -o "$1" --by day | dp-table commit "$1" --eof-commits -q "${@:4}" >/dev/null
}
# Two partitions, the first file of each replaced
table() {
    put t 2026-01-01 a
    put t 2026-05-01 b
    put t 2026-01-01 c --mode replace
    put t 2026-05-01 d --mode replace
}
files() { find "${1:-t}" -name '*.parquet' | grep -cv _delta_log; }
hold() { dp-retain hold "$@" --reason 'court says'; }
release() { dp-retain release "$@" --reason 'court is done'; }
rule() { printf 'version: 1\nrules:\n  - %s\n' "$1" >r.yaml; }

@test "a whole table: vacuum keeps all, forced too, and names the cases; the last release lets go" {
    table
    run hold C-1 t
    assert_success
    assert_output 'case C-1: 1 tables held'
    hold C-2 t
    [ "$(stat -c %a t/_dp_holds/C-1.json)" = 600 ]
    run dp-table vacuum t "${LATER[@]}"
    assert_success
    assert_output --partial 'stay: held by case C-1, case C-2'
    assert_output --partial 'deleted 0 files'
    run dp-table vacuum t --retain 0s --force "${LATER[@]}" --json -q
    assert_success
    jq -e '.held_files == 2 and .held_bytes > 0 and .cases == ["C-1","C-2"] and .files == 0' <<<"${lines[-1]}" >/dev/null || fail "$output"
    [ "$(files)" -eq 4 ]
    release C-1 t
    dp-table vacuum t "${LATER[@]}" 2>err
    [ "$(files)" -eq 4 ]
    grep -q 'held by case C-2$' err
    release C-2 t
    dp-table vacuum t "${LATER[@]}"
    [ "$(files)" -eq 2 ]
}

@test "a partition: its old files stay, others' go, strangers stay; a value that was never there holds nothing else" {
    table
    echo x >t/stranger.parquet
    hold C-1 t --partition day=2026-01-01
    dp-table vacuum t "${LATER[@]}" 2>err
    [ "$(files)" -eq 4 ] # three of the table and the stranger
    [ "$(find t/day=2026-01-01 -name '*.parquet' | wc -l)" -eq 2 ]
    [ -e t/stranger.parquet ]
    run dp-retain hold C-1 t --partition who=a1 --reason r
    [ "$status" -eq 2 ]
    assert_output --partial 'is not partitioned by who'
    run dp-retain hold C-1 t --partition dya=x --reason r
    [ "$status" -eq 2 ]
}

@test "rules: what a plan from before would delete is refused by name, rows of held subjects and partitions stay" {
    put t 2026-01-01 a
    put t 2026-05-01 b
    rule '{id: old, rows: {keep: 60d, time: day}, versions: {keep: 0d, below-table: true}}'
    dp-retain plan -r r.yaml "${NOW[@]}" t -o before >/dev/null
    hold C-1 t
    run dp-retain apply before
    [ "$status" -eq 1 ]
    assert_output --partial 'held by case C-1'
    [ "$(dp-cat t | wc -l)" -eq 20 ]
    run dp-retain plan -r r.yaml "${NOW[@]}" t -o now
    assert_success
    assert_output --partial 't: held by case C-1: all rows stay'
    release C-1 t
    hold C-2 t --partition day=2026-01-01
    run dp-retain apply before
    [ "$status" -eq 1 ]
    assert_output --partial 'held by case C-2'
    release C-2 t
    hold C-3 t --subject who=a7
    run dp-retain apply before
    [ "$status" -eq 1 ]
    dp-retain plan -r r.yaml "${NOW[@]}" t -o now >/dev/null
    run dp-retain apply now
    assert_success
    assert_line --partial 't: 9 rows deleted'
    [ "$(dp-cat t | jq -r .who | grep '^a')" = a7 ]
    [ "$(files)" -eq 3 ] # the file that it was in stays besides
    dp-retain audit list | cut -f 5 | sort -u | grep -qx retain.hold
    run grep -rE '[="]a7"' audit # the value; a hash may well begin like that
    [ "$status" -eq 1 ]
}

@test "a subject held by an integer; and one that can't be held is refused" {
    put t 2026-01-01 a
    rule '{id: old, rows: {keep: 60d, time: day}}'
    printf '# two\nid=3\r\n\nid=+4\n' >subjects
    hold C-1 t --subjects-from subjects
    dp-retain plan -r r.yaml "${NOW[@]}" t -o now >/dev/null
    dp-retain apply now >/dev/null
    [ "$(dp-cat t | jq -r .id | paste -sd,)" = 3,4 ]
    run hold C-2 t --subject id=x
    [ "$status" -eq 3 ]
    [ ! -e t/_dp_holds/C-2.json ]
}

@test "whatever can't be understood holds the whole table, and is named" {
    table
    mkdir t/_dp_holds
    for text in '' '{' '{"dp_legal_hold":2}' '{"dp_legal_hold":1,"case":"x"}' '[]'; do
        echo "$text" >t/_dp_holds/odd.json
        run dp-table vacuum t "${LATER[@]}"
        assert_success
        assert_output --partial '_dp_holds/odd.json, which can'
        [ "$(files)" -eq 4 ]
    done
    hold C-1 t --partition day=2026-01-01
    mv t/_dp_holds/C-1.json t/_dp_holds/C-2.json
    run dp-retain holds t
    assert_output --partial 'it is of another case'
    run hold C-2 t
    [ "$status" -eq 1 ]
    rm -r t/_dp_holds
    echo x >t/_dp_holds # no directory
    dp-table vacuum t "${LATER[@]}" 2>err
    [ "$(files)" -eq 4 ]
}

@test "the log is not cleaned, by a command or after a commit" {
    put t 2026-01-01 a --set delta.logRetentionDuration='interval 1 hour' --set delta.checkpointInterval=2 2>/dev/null || put t 2026-01-01 a
    for k in 1 2 3 4; do put t 2026-05-01 "b$k"; done
    touch -d '2020-01-01' t/_delta_log/*.json
    dp-table checkpoint t -q
    hold C-1 t --subject who=a1
    n=$(find t/_delta_log -name '*.json' | wc -l)
    run dp-table checkpoint t --cleanup "${LATER[@]}"
    [ "$status" -eq 1 ]
    assert_output --partial 'held by case C-1'
    [ "$(find t/_delta_log -name '*.json' | wc -l)" -eq "$n" ]
    for k in $(seq 12); do put t 2026-05-01 "e$k" "${LATER[@]}"; done
    [ -e t/_delta_log/00000000000000000000.json ]
    release C-1 t
    dp-table checkpoint t --cleanup "${LATER[@]}"
    [ ! -e t/_delta_log/00000000000000000000.json ]
}

@test "names, reasons and the audit log: nothing is done that can't be told" {
    put t 2026-01-01 a
    for name in '' . ../x a/b .x 'a b' "$(printf 'x%.0s' {1..101})"; do
        run hold "$name" t
        [ "$status" -eq 2 ]
    done
    hold "$(printf 'x%.0s' {1..100})" t
    run dp-retain hold C-1 t
    [ "$status" -eq 2 ]
    echo x >noaudit
    run hold C-1 t --audit noaudit
    [ "$status" -eq 3 ]
    [ ! -e t/_dp_holds/C-1.json ]
    hold C-1 t
    run release C-1 t --audit noaudit
    [ "$status" -eq 3 ]
    [ -e t/_dp_holds/C-1.json ]
    run release C-9 t
    [ "$status" -eq 1 ]
    run hold C-2 t --dry-run
    assert_success
    [ ! -e t/_dp_holds/C-2.json ]
}

@test "several tables; widened; listed; released below a directory; copied by replicate" {
    put 'my lake/a' 2026-01-01 a
    put 'my lake/b' 2026-01-01 b
    hold C-1 'my lake/a' 'my lake/b' --partition day=2026-01-01
    hold C-1 'my lake/a' --partition day=2026-02-02 --subject who=x
    run dp-retain holds 'my lake'
    assert_success
    [ "${#lines[@]}" -eq 2 ]
    assert_line --partial 'day=2026-01-01, day=2026-02-02, 1 subjects'
    refute_output --partial 'who'
    run dp-retain holds 'my lake' --json
    jq -e '.holds | length == 2 and .[0].subjects == 1' <<<"$output" >/dev/null || fail "$output"
    dp-table replicate 'my lake/a' copy -q
    cmp copy/_dp_holds/C-1.json 'my lake/a/_dp_holds/C-1.json'
    [ "$(dp-cat 'my lake/a' | wc -l)" -eq 10 ]
    release C-1 'my lake' --all-under
    run dp-retain holds 'my lake' --skip-empty
    [ "$status" -eq 99 ]
}

@test "a shallow clone is held with its source" {
    put t 2026-01-01 a
    dp-table clone t c -q
    run hold C-1 c
    [ "$status" -eq 1 ]
    assert_output --partial 'name that table too'
    [ ! -e c/_dp_holds ]
    hold C-1 c t
    [ -e t/_dp_holds/C-1.json ]
}

@test "holds and vacuums at once: what is there when a hold returns stays" {
    for k in $(seq 6); do
        rm -rf t && table
        dp-table vacuum t "${LATER[@]}" >/dev/null 2>&1 &
        pid=$!
        hold C-1 t >/dev/null
        n=$(files)
        wait "$pid"
        dp-table vacuum t "${LATER[@]}" >/dev/null 2>&1
        [ "$(files)" -eq "$n" ] || fail "$k: $n files, then $(files)"
    done
}
