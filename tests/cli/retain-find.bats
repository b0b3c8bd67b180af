#!/usr/bin/env bats
# dp-retain find: a subject is met wherever it still is, by any reader's rows or by none's, and what only looks like it is not.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

people() { # FROM TO
    seq "$1" "$2" | awk '{ printf "{\"id\":%d,\"mail\":\"user%d@example.org\",\"day\":\"2026-01-%02d\",\"town\":\"town of user%d@example.org\"}\n", $1, $1, $1 % 3 + 1, $1 % 7 }'
}
table() { people 1 300 | dp-partition -o t --by day "$@" | dp-table commit t --eof-commits -q >/dev/null; }
kinds() { cut -f1,2 <<<"$output" | grep -E '^(name|row|page|statistics|bloom|bytes|unread)	' | sort | uniq -c | tr -s ' \t\n' ' '; }

@test "rows, bounds, filters and pages; a number is met by its column alone, a text anywhere" {
    table --bloom mail --bloom id
    run --separate-stderr dp-retain find --subject id=150 t
    assert_failure 1
    [ "$(kinds)" = " 1 bloom id 1 row id " ] || fail "$(kinds)"
    [[ $stderr == "dp-retain: the subject is in 1 files" ]] || fail "$stderr"
    run dp-retain find --subject id=999 t # day, size and others are no ids
    assert_success
    assert_output --partial '300 rows'
    run dp-retain find --subject id=0 t # of which there are none, nor nulls
    assert_success
    run dp-retain find --subject mail=user300@example.org t
    assert_failure 1
    run --separate-stderr dp-retain find --subject mail=user5@example.org t # town of ... stands in dictionaries
    assert_failure 1
    [[ $(kinds) == *" page mail "* ]] || fail "$(kinds)"
    run --separate-stderr dp-retain find --subject mail=user999@example.org --json t
    assert_success
    jq -e '.files >= 4 and .rows == 300 and .files_found == 0 and .files_unread == 0 and .identifiers == 1' <<<"${lines[-1]}"
}

@test "a row that was deleted is still there: behind a vector, in an old version, in the log's statistics" {
    people 1 300 >rows
    dp-table create t -c <(printf 'apiVersion: v3.1.0\nkind: DataContract\nid: t\nversion: 1.0.0\nstatus: active\nschema: [{name: t, properties: [{name: id, logicalType: integer}, {name: mail, logicalType: string}]}]\n') \
        --property delta.enableDeletionVectors=true -q
    dp-map '{id,mail}' rows | dp-partition -o t | dp-table commit t --eof-commits -q >/dev/null
    dp-table delete t --where '.id == 150' -q >/dev/null
    run dp-cat t --where '.id == 150'
    assert_output ''
    run --separate-stderr dp-retain find --subject id=150 t
    assert_failure 1
    [ "$(kinds)" = " 1 row id " ] || fail "$output"
    dp-compact t --deleted 0 -q >/dev/null || true
    run dp-retain find --subject id=150 t # the old version's file
    assert_failure 1
    dp-table vacuum t --retain 0s --force -q >/dev/null
    run dp-retain find --subject id=150 t
    assert_success
    # the greatest id and the greatest address stand in the statistics of the first commit
    dp-table delete t --where '.id == 300' -q >/dev/null
    dp-compact t --deleted 0 -q >/dev/null || true
    dp-table vacuum t --retain 0s --force -q >/dev/null
    run dp-retain find --subject id=300 t
    assert_failure 1
    assert_line --regexp '^row	id	1	t/_delta_log/0+1\.json$'
    refute_output --partial '.parquet'
}

@test "names of partitions, checkpoints, rejects, and files that the log names elsewhere" {
    people 1 30 | dp-partition -o t --by mail | dp-table commit t --eof-commits -q >/dev/null
    dp-table checkpoint t -q >/dev/null
    run --separate-stderr dp-retain find --subject mail=user17@example.org t
    assert_failure 1
    [[ $output == *"name	mail	1	t/mail=user17@example.org/part"* && $output == *"row	mail	1	t/_delta_log/"*".checkpoint."* && $output == *"row	mail	1	t/_delta_log/00000000000000000000.json"* ]] || fail "$output"
    dp-table clone t copy -q >/dev/null
    run --separate-stderr dp-retain find --subject id=17 copy
    assert_failure 1
    [[ $output == *"row	id	1	"*"/t/mail=user17@example.org/part"* ]] || fail "$output"
    printf '{"reject":{"rules":[]},"raw":{"id":4711,"mail":"gone@example.org"}}\n' >t/_rejects.ndjson
    run --separate-stderr dp-retain find --subject id=4711 t
    assert_failure 1
    [[ $output == "row	id	1	t/_rejects.ndjson"* ]] || fail "$output"
}

@test "tiers: files that moved there, and what else is in them" {
    table
    mkdir cold
    printf 'version: 1\nrules:\n  - {id: cool, tier: {after: 1d, time: day, to: %s}}\n' "$PWD/cold" >r.yaml
    dp-retain plan -r r.yaml --now 2026-01-03T12:00:00Z -o plan t >/dev/null
    DP_AUDIT=$PWD/audit dp-retain apply plan >/dev/null
    run --separate-stderr dp-retain find --subject id=150 t # 150 % 3 == 0: the first day
    assert_failure 1
    [[ $output == *"row	id	1	"*"/cold/"* ]] || fail "$output"
    home=$(find cold -mindepth 1 -maxdepth 1 -type d)
    echo '{"id":4711}' >"$home/stray.json"
    run --separate-stderr dp-retain find --subject id=4711 t
    assert_failure 1
    [[ $output == *"row	id	1	"*"/stray.json"* ]] || fail "$output"
    mv cold away # nobody can tell
    run --separate-stderr dp-retain find --subject id=9999 t
    assert_failure 3
    [[ $output == *"unread	"*"/cold/"* ]] || fail "$output"
}

@test "what can't be told is said: compressed files, files without permission; then the exit code is 3" {
    table
    gzip -c /dev/null >t/_old.csv.gz
    run --separate-stderr dp-retain find --subject id=9999 t
    assert_failure 3
    [[ $output == "unread	"*"t/_old.csv.gz	it is compressed (gzip) and not looked into"* ]] || fail "$output"
    rm t/_old.csv.gz
    cp t/day=2026-01-01/*.parquet t/_cut.parquet
    truncate -s -100 t/_cut.parquet
    run --separate-stderr dp-retain find --subject id=9999 t
    assert_failure 3
    [[ $output == "unread	"*"t/_cut.parquet	"* ]] || fail "$output"
}

@test "the same for any number of threads; whom to look for is asked for; identifiers from a file and a graph" {
    table
    dp-retain find --subject mail=user5@example.org t -j 1 >one || [ $? -eq 1 ]
    dp-retain find --subject mail=user5@example.org t -j 3 >three || [ $? -eq 1 ]
    cmp one three
    printf '# whom\nmail=nobody@example.org\n' >who
    chmod 600 who
    run dp-retain find --subjects-from who t
    assert_success
    printf '{"mail":"nobody@example.org","id":150}\n{"mail":"other@example.org","id":7}\n' >graph.ndjson
    run --separate-stderr dp-retain find --subjects-from who --id-graph graph.ndjson t
    assert_failure 1
    [ "$(kinds)" = " 1 row id " ] || fail "$output"
    run --separate-stderr dp-retain find t
    dp_expect 2 "who it is about"
    run --separate-stderr dp-retain find --subject id=1 nowhere
    dp_expect 3 "nowhere"
}

@test "files that are no table's: bytes, records of JSON lines, CSV and Parquet" {
    printf 'customer_id,note\n42,x\n43,"42"\n' >rows.csv
    printf '%s\n' '{"customer_id":42}' '{"other":42}' >rows.ndjson
    echo '{"customer_id":42,"email":"user42@example.org"}' | dp-partition -o out >/dev/null
    mv out/*.parquet rows.parquet
    echo 'write to user42@example.org' >note.txt
    run dp-retain find --subject customer_id=42 --subject email=user42@example.org rows.csv rows.ndjson rows.parquet note.txt
    [ "$status" -eq 1 ]
    assert_line $'row\tcustomer_id\t1\trows.csv'
    assert_line $'row\tcustomer_id\t1\trows.ndjson'
    assert_line $'row\tcustomer_id\t1\trows.parquet'
    assert_line $'row\temail\t1\trows.parquet'
    assert_line $'bytes\temail\t1\tnote.txt'
    run dp-retain find --subject customer_id=44 rows.csv rows.ndjson note.txt
    assert_success
    printf 'customer_id,note\n42,x,3\n' >ragged.csv
    run dp-retain find --subject customer_id=44 ragged.csv
    [ "$status" -eq 3 ]
    assert_output --partial 'records can'
    run dp-retain find --subject customer_id=44 missing.csv
    [ "$status" -ne 0 ]
}

@test "without a name: all that lineage knows" {
    export DP_LINEAGE=$PWD/events
    printf '%s\n' '{"customer_id":42}' '{"customer_id":43}' >in.ndjson
    for t in one two; do dp-ingest in.ndjson --marks | dp-partition -o $t | dp-table commit $t -q >/dev/null; done
    export DP_LINEAGE=none
    dp-lineage ingest --store l.db events -q
    run dp-retain find --subject customer_id=42 --store l.db
    [ "$status" -eq 1 ]
    [ "$(cut -f 4 <<<"$output" | grep -c -e "$PWD/one/" -e "$PWD/two/" -e "$PWD/in.ndjson")" -ge 5 ] || fail "$output"
    rm -r two in.ndjson
    run dp-retain find --subject customer_id=42 --store l.db
    [ "$status" -eq 1 ]
    run ! grep -q /two/ <<<"$output"
    run dp-retain find --subject customer_id=42 --store none.db
    [ "$status" -ne 0 ]
    XDG_STATE_HOME=$PWD/empty run dp-retain find --subject customer_id=42
    [ "$status" -eq 2 ]
    assert_output --partial 'name a table or a file'
}
