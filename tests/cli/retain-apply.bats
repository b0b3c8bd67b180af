#!/usr/bin/env bats
# dp-retain apply: rows, versions and leftovers go as planned, once; a plan that is out of date is refused by name; nothing happens that is not in the audit log.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

NOW=(--now 2026-06-01T12:00:00Z)

setup() {
    dp_setup
    export DP_AUDIT=$PWD/audit
}

days() { # TABLE DAY...
    local t=$1 d
    shift
    for d in "$@"; do
        seq 1 10 | awk -v d="$d" '{ printf "{\"id\":%d,\"day\":\"%s\",\"ts\":\"%sT%02d:00:00Z\",\"who\":\"p%d\"}\n", $1, d, d, $1 + 5, $1 }'
    done | dp-partition -o "$t" -c c.yaml --by day | dp-table commit "$t" --eof-commits -q >/dev/null
}
setup_table() { # OPTION of create...
    cat >c.yaml <<'YAML'
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer}
      - {name: day, logicalType: date}
      - {name: ts, logicalType: timestamp}
      - {name: who, logicalType: string}
YAML
    mkdir -p lake
    dp-table create lake/orders -c c.yaml --by day -q "$@"
    days lake/orders 2026-01-01 2026-05-01
    days lake/orders 2026-05-31
}
rule() {
    printf 'version: 1\nrules:\n' >r.yaml
    printf -- '  - %s\n' "$@" >>r.yaml
}
rows() { dp-cat "${1:-lake/orders}" "${@:2}" | wc -l; }
plan() { dp-retain plan -r r.yaml "${NOW[@]}" lake -o plan >plan.txt; }

@test "whole files, and rows of a file; again it is done; the audit log says who did what" {
    setup_table
    rule '{id: a, rows: {keep: 1d, time: ts}}'
    plan
    run dp-retain apply plan --dry-run
    assert_success
    [ "$(rows)" -eq 30 ]
    [ ! -e audit ]
    run dp-retain apply plan --reason 'case 7'
    assert_success
    assert_line --partial 'lake/orders: 26 rows deleted, version 3'
    [ "$(rows)" -eq 4 ] # of 31 May those of 12 o'clock and after
    dp-table verify lake/orders --deep
    run jq -rs '.[] | select(.commitInfo) | .commitInfo | .operation, .operationParameters.predicate, .operationMetrics.numDeletedRows' lake/orders/_delta_log/00000000000000000003.json
    assert_output $'DELETE\n["retention: a"]\n26'
    run dp-retain audit list
    assert_line --regexp $'begin\tretain.apply\t.*orders.*case 7'
    assert_line --regexp $'end\tretain.apply'
    run dp-retain apply plan
    assert_success
    assert_line --partial 'its rows were deleted before'
    [ "$(rows)" -eq 4 ]
    [ ! -e lake/orders/_delta_log/00000000000000000004.json ]
    run dp-retain audit verify
    assert_success
}

@test "with deletion vectors" {
    setup_table --property delta.enableDeletionVectors=true
    rule '{id: a, rows: {keep: 1d, time: ts}}'
    plan
    run dp-retain apply plan --json
    assert_success
    jq -e '.rows == 26 and .deletion_vectors == 1 and .commits == 1' <<<"${lines[-1]}" >/dev/null || fail "$output"
    [ "$(rows)" -eq 4 ]
    dp-table verify lake/orders --deep
}

@test "a plan that is out of date is refused by name, the others are done; what it does not touch may change" {
    setup_table
    cp -r lake/orders lake/second
    sed -i 's/"id":"[0-9a-f-]*","format"/"id":"11111111-1111-4111-8111-111111111111","format"/; s/"id":"[0-9a-f-]*","name"/"id":"11111111-1111-4111-8111-111111111111","name"/' lake/second/_delta_log/*0.json
    rule '{id: a, rows: {keep: 30d, time: day}}'
    plan
    days lake/orders 2026-05-30 # is kept
    days lake/second 2026-01-02 # is not
    run --separate-stderr dp-retain apply plan
    [ "$status" -eq 75 ]
    [[ $output == *"second: the plan is out of date: files that it touches"* ]] || fail "$output $stderr"
    [[ $stderr == *"out of date for 1 of 2 tables"* ]] || fail "$stderr"
    [ "$(rows)" -eq 20 ]
    [ "$(rows lake/second)" -eq 40 ]
    plan
    run dp-retain apply plan
    assert_success
    [ "$(rows lake/second)" -eq 10 ]
    # the rules
    days lake/orders 2026-01-01
    plan
    rule '{id: a, rows: {keep: 1d, time: day}}'
    run --separate-stderr dp-retain apply plan
    dp_expect 75 "its rules were changed"
    # the plan
    rule '{id: a, rows: {keep: 30d, time: day}}'
    plan
    sed 's/"files":1/"files":2/' plan >changed
    run --separate-stderr dp-retain apply changed
    dp_expect 4 "changed since it was made"
    head -n 2 plan >short
    run --separate-stderr dp-retain apply short
    dp_expect 4 "no end"
    run --separate-stderr dp-retain apply r.yaml
    dp_expect 4 "r.yaml"
    [ "$(rows)" -eq 30 ]
}

@test "no audit log, no deed" {
    setup_table
    rule '{id: a, rows: {keep: 1d, time: day}}'
    plan
    echo 'no directory' >audit
    run --separate-stderr dp-retain apply plan
    [ "$status" -eq 3 ] || [ "$status" -eq 4 ]
    [ "$(rows)" -eq 30 ]
}

@test "versions: what was said to stay is read, what was said to go is gone; no other table's file" {
    setup_table
    for _ in 1 2 3; do days lake/orders 2026-05-31; done
    dp-table delete lake/orders --where '.id == 1' -q >/dev/null
    dp-table delete lake/orders --where '.id == 2' -q >/dev/null
    rule '{id: a, versions: {keep: 30d, last: 2}}'
    NOW=(--now 2099-01-01T00:00:00Z)
    plan
    jq -es '.[1].versions | .stay == [[6,7]] and .go == [[0,5]]' plan >/dev/null || jq -c .versions plan
    before=$(dp-cat lake/orders --as-of 6 | sort | cksum)
    stay=$(jq -cs '.[1].versions.stay' plan)
    run dp-retain apply plan
    assert_success
    assert_equal "$(dp-cat lake/orders --as-of 6 | sort | cksum)" "$before"
    for v in $(jq -r 'select(.versions) | .versions.stay[] | range(.[0]; .[1] + 1)' plan); do dp-cat lake/orders --as-of "$v" >/dev/null || fail "version $v of $stay is gone"; done
    for v in $(jq -r 'select(.versions) | .versions.go[] | range(.[0]; .[1] + 1)' plan); do run ! dp-cat lake/orders --as-of "$v"; done
    dp-table verify lake/orders --deep
}

@test "keep 0d: what goes is gone at once, rows and all" {
    setup_table
    rule '{id: a, rows: {keep: 1d, time: ts}, versions: {keep: 0d, below-table: true}}'
    NOW=(--now "$(date -u -d '+10 sec' +%FT%TZ)")
    plan
    assert_equal "$(jq -cs '.[1].versions | [.stay, .go]' plan)" '[[[0,0]],[[1,2]]]' # the first is empty
    run dp-retain apply plan
    assert_success
    [ "$(rows)" -eq 0 ]
    [ "$(find lake/orders -name '*.parquet' | grep -cv _delta_log)" -eq 0 ]
    run dp-retain apply plan
    assert_success
    [ "$(rows)" -eq 0 ]
}

@test "leftovers of writers" {
    setup_table
    mkdir -p lake/orders/_dp_staging/dead
    touch lake/orders/_dp_staging/dead/part-0 lake/orders/_delta_log/.dp-1234.tmp lake/orders/_delta_log/.dp-5678.tmp
    touch -d 2026-05-01 lake/orders/_dp_staging/dead lake/orders/_delta_log/.dp-1234.tmp
    touch -d 2026-06-01 lake/orders/_delta_log/.dp-5678.tmp
    rule '{id: a, leftovers: {keep: 7d}}'
    plan
    run dp-retain apply plan
    assert_success
    assert_line --partial '2 leftovers of writers removed'
    [ ! -e lake/orders/_dp_staging/dead ] && [ ! -e lake/orders/_delta_log/.dp-1234.tmp ] && [ -e lake/orders/_delta_log/.dp-5678.tmp ]
}

@test "an S3 lifecycle: files by when they were written, and a column that holds some of them" {
    setup_table
    echo '{"Rules": [{"ID": "e", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 30}}]}' >s3.json
    rule '{id: keep, rows: {keep: 90d, time: day}}'
    NOW=(--now 2099-01-01T00:00:00Z)
    dp-retain plan -r s3.json "${NOW[@]}" lake -o plan >/dev/null
    cp -r lake/orders copy
    run dp-retain apply plan
    assert_success
    [ "$(rows)" -eq 0 ]
    rm -rf lake/orders && mv copy lake/orders
    rule '{id: keep, rows: {keep: 72y, time: day}}'
    dp-retain plan -r s3.json -r r.yaml --now 2098-03-01T00:00:00Z lake -o plan >/dev/null
    run dp-retain apply plan
    assert_success
    [ "$(rows)" -eq 20 ] # 1 January 2026 was kept until 2098-01-02, the others are
}

@test "without rules a table goes by the contract that it keeps; one that changed since is out of date" {
    setup_table
    cat >>c.yaml <<'YAML'
slaProperties:
  - {property: retention, value: 90, unit: d, element: orders.day, driver: regulatory}
YAML
    dp-table create lake/kept -c c.yaml --by day -q
    days lake/kept 2026-01-01 2026-05-01
    run dp-retain plan "${NOW[@]}" lake/orders # keeps a contract without one
    assert_failure 2
    assert_output --partial 'no table keeps a contract with slaProperties of retention'
    run dp-retain plan "${NOW[@]}" lake -o plan
    assert_success
    assert_line --partial 'lake/kept: 10 rows go; 1 files of '
    assert_line --partial 'orders/orders/sla/0 (regulatory)'
    refute_line --partial 'lake/orders: '
    sed 's/"own":"./"own":"x/' plan | head -n -1 >other
    printf '{"end":1,"digest":"%s"}\n' "$(sha256sum <other | cut -d' ' -f1)" >>other
    run dp-retain apply other
    assert_failure 75
    assert_output --partial 'its own contract says something else of retention now'
    [ "$(rows lake/kept)" -eq 20 ]
    run dp-retain apply plan
    assert_success
    [ "$(rows lake/kept)" -eq 10 ]
}

@test "what was deleted by rule is known to lineage" {
    setup_table
    rule '{id: a, rows: {keep: 1d, time: ts}}'
    plan
    DP_LINEAGE=$PWD/events.ndjson dp-retain apply plan
    jq -es 'map(.eventType) == ["START", "COMPLETE"] and (.[1] | (.job.name | startswith("dp-retain-apply:")) and (.outputs[0] | (.name | endswith("/lake/orders"))
        and .facets.version.datasetVersion == "3" and ([.facets.columnLineage.dataset[] | .field + " " + .transformations[0].subtype] == ["ts FILTER"]))
        and .inputs[0].facets.version.datasetVersion == "2")' events.ndjson >/dev/null || fail "$(cat events.ndjson)"
}
