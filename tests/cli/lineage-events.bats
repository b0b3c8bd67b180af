#!/usr/bin/env bats
# Lineage events of every program: one START and one end, whatever happens; whose part a run is; what a job is called; nothing that is secret.

# shellcheck disable=SC2016,SC2154 # what stands in single quotes is for jq and the pipeline's bash; status is that of run
bats_require_minimum_version 1.5.0
load helper

setup() {
    dp_setup
    suite_events=$DP_LINEAGE
    export DP_LINEAGE=$PWD/ev
    printf 'id,email,price\n1,ann@x.org,2.5\n2,bob@x.org,3\n' >a.csv
    dp_records 200 >a.ndjson
}
teardown() {
    [ -z "${pid:-}" ] || kill -KILL "$pid" 2>/dev/null || true
    [ "$suite_events" = none ] || [ ! -f ev ] || cat ev >>"$suite_events"
}

# Events by a filter of jq: events '.eventType'
events() { [ ! -f ev ] || jq -rc "$1" ev; }
# ends JOB EVENT: the one run of the job has one START and, behind it, one end, which is this one
ends() {
    local got
    got=$(jq -rc --arg j "$1" 'select(.job.name == $j and .eventType != "RUNNING") | .eventType' ev | paste -sd' ')
    [ "$got" = "START $2" ] || fail "$1: \"$got\", not \"START $2\": $(events '[.eventType, .job.name]')"
    [ "$(jq -rc --arg j "$1" 'select(.job.name == $j) | .run.runId' ev | sort -u | wc -l)" -eq 1 ] || fail "$1 has several ids"
}
# Waits until a line of jq's comes true of some event: wait_event '.eventType == "START"'
wait_event() { until_ok jq -es "any(.[]; $1)" ev; }

@test "success: START, then COMPLETE, with one id and as UTF-8" {
    dp-map '{id}' a.ndjson >/dev/null
    ends "dp-map:$PWD/a.ndjson" COMPLETE
    [[ $(events .run.runId | sort -u) =~ ^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$ ]]
    [ "$(events '.job.facets.jobType | [.processingType, .integration, .jobType]' | sort -u)" = '["BATCH","DP","COMMAND"]' ]
    [ "$(events .run.facets.processing_engine.name | sort -u)" = dp ]
    rm ev
    dp-map --skip-empty . </dev/null || [ $? -eq 99 ]
    ends dp-map COMPLETE
    rm ev
    cp a.ndjson $'odd\xff\n".ndjson'
    dp-cat --to records $'odd\xff\n".ndjson' >/dev/null
    iconv -f utf-8 -t utf-8 ev >/dev/null
    [ "$(events .eventType | paste -sd' ')" = "START COMPLETE" ]
}

@test "nothing is sent where nothing is done: help, wrong words, dry runs, looks at metadata" {
    dp-map --help >/dev/null
    dp-map --version >/dev/null
    ! dp-map --no-such . a.ndjson 2>/dev/null || false
    dp-partition -n -o lake a.ndjson 2>/dev/null
    dp-run -n -- 'dp-map . a.ndjson' 2>/dev/null
    dp-cat --schema a.ndjson >/dev/null
    [ ! -e ev ]
    dp-ingest a.ndjson -f ndjson | dp-partition -o lake | dp-table commit lake --eof-commits
    rm ev
    dp-table log lake >/dev/null
    dp-table files lake >/dev/null
    dp-table verify lake >/dev/null
    dp-cat --meta lake >/dev/null
    dp-contract infer a.ndjson >c.yaml
    rm ev
    dp-contract lint c.yaml >/dev/null
    [ ! -e ev ]
    DP_LINEAGE=none dp-map . a.ndjson >/dev/null
    [ ! -e ev ]
}

@test "failures: bad data, a program that is wrong, a full disk, no such file" {
    printf '{"a":1}\n{"a":"s3cr3t\n' >bad.ndjson
    ! dp-map . bad.ndjson >/dev/null 2>&1 || false
    ends "dp-map:$PWD/bad.ndjson" FAIL
    [ "$(events '.run.facets.errorMessage.programmingLanguage // empty')" = C ]
    [[ $(events '.run.facets.errorMessage.message // empty') == *bad.ndjson:2:* ]]
    rm ev
    ! dp-map '.a | nofunction' a.ndjson >/dev/null 2>&1 || false
    ends "dp-map:$PWD/a.ndjson" FAIL
    rm ev
    if [ -e /dev/full ]; then
        ! dp-map . a.ndjson >/dev/full 2>/dev/null || false
        ends "dp-map:$PWD/a.ndjson" FAIL
        rm ev
    fi
    ! dp-cat --to records none.ndjson >/dev/null 2>&1 || false
    ends dp-cat FAIL
}

@test "signals: ABORT, and the exit code of the signal" {
    for sig in INT:130 TERM:143 HUP:129; do
        rm -f ev fifo
        mkfifo fifo
        env --default-signal=INT,HUP "$DP_BIN/dp-map" . <fifo >/dev/null 2>err &
        pid=$!
        exec 7>fifo
        wait_event '.eventType == "START"'
        dp_settled $pid
        kill -"${sig%:*}" $pid
        rc=0
        wait $pid || rc=$?
        exec 7>&-
        pid=
        [ "$rc" -eq "${sig#*:}" ] || fail "$sig: exit $rc: $(cat err)"
        ends dp-map ABORT
        [[ $(events 'select(.eventType == "ABORT") | .run.facets.errorMessage.message') == "stopped by signal"* ]]
    done
}

@test "a reader that had enough, and a writer that failed: ABORT" {
    dp_records 200000 >big.ndjson
    set +o pipefail
    dp-map . big.ndjson | head -n 1 >/dev/null
    ends "dp-map:$PWD/big.ndjson" ABORT
    rm ev
    printf '{"a":1}\nx\n' >bad.ndjson
    dp-map --marks . bad.ndjson 2>/dev/null | dp-partition -o lake >/dev/null 2>&1 || true
    ends "dp-map:$PWD/bad.ndjson" FAIL
    ends "dp-partition:$PWD/lake" ABORT
}

@test "a process that is killed: the next run says ABORT for it" {
    mkfifo fifo
    dp-map . <fifo >/dev/null 2>err &
    pid=$!
    exec 7>fifo
    wait_event '.eventType == "START"'
    kill -KILL $pid
    wait $pid || true
    exec 7>&-
    pid=
    [ "$(events .eventType)" = START ]
    dp-cat --to records a.ndjson >/dev/null
    ends dp-map ABORT
    [[ $(events 'select(.eventType == "ABORT") | .run.facets.errorMessage.message') == *died* ]]
    dp-cat --to records a.ndjson >/dev/null
    ends dp-map ABORT
    # what is alive is left alone
    mkfifo fifo2
    dp-dedupe --key id <fifo2 >/dev/null &
    pid=$!
    exec 7>fifo2
    wait_event '.job.name == "dp-dedupe"'
    dp-cat --to records a.ndjson >/dev/null
    exec 7>&-
    wait $pid
    pid=
    ends dp-dedupe COMPLETE
}

@test "dp-run closes a stage that was killed, and ends with it" {
    mkfifo fifo
    dp-run --name x -- 'cat fifo | sh -c "echo \$\$ >stage.pid; exec dp-dedupe --key id" | cat' 2>err >/dev/null &
    pid=$!
    exec 7>fifo
    wait_event '.job.name == "x.dp-dedupe"'
    kill -KILL "$(cat stage.pid)"
    exec 7>&-
    rc=0
    wait $pid || rc=$?
    pid=
    [ "$rc" -eq 137 ] || fail "exit $rc: $(cat err)"
    ends x.dp-dedupe ABORT
    ends x ABORT
}

@test "dp-run is the parent of its stages, in all tries" {
    dp-run --name shop -- 'dp-ingest a.csv | dp-map . | dp-partition -o lake | dp-table commit lake'
    for j in dp-ingest dp-map dp-partition dp-table-commit; do ends shop.$j COMPLETE; done
    ends shop COMPLETE
    id=$(events 'select(.job.name == "shop") | .run.runId' | sort -u)
    [ "$(events 'select(.job.name != "shop") | .run.facets.parent | [.run.runId, .job.namespace, .job.name, .root.run.runId, .root.job.name]' | sort -u)" = "[\"$id\",\"default\",\"shop\",\"$id\",\"shop\"]" ]
    [ "$(events 'select(.job.name == "shop") | .run.facets.parent')" = $'null\nnull' ]
    [ "$(events .eventType | head -n 1)" = START ] && [ "$(events .job.name | sed -n '1p;$p' | paste -sd' ')" = "shop shop" ]
    rm ev
    printf '#!/bin/sh\necho x >>tries\ndp-map . a.ndjson >/dev/null\n[ "$(wc -l <tries)" -eq 2 ] || exit 75\n' >stage
    chmod +x stage
    DP_RUN_ID=again dp-run --name try --retries 1 -- ./stage 2>/dev/null
    [ "$(events 'select(.job.name == "try") | .eventType' | paste -sd' ')" = "START COMPLETE" ]
    [ "$(events 'select(.job.name == "try.dp-map") | .eventType' | paste -sd' ')" = "START COMPLETE START COMPLETE" ]
    [ "$(events 'select(.job.name == "try.dp-map") | .run.runId' | sort -u | wc -l)" -eq 2 ]
    [ "$(events 'select(.job.name == "try") | .run.runId' | sort -u)" = "$(events 'select(.job.name == "try.dp-map") | .run.facets.parent.run.runId' | sort -u)" ]
    rm ev
    run dp-run -- 'dp-map . a.ndjson | (cat >/dev/null; exit 1)'
    ends "$(events .job.name | grep -m 1 '^dp-run:dp-map|')" FAIL
    ends "dp-map:$PWD/a.ndjson" COMPLETE
}

@test "dp-run in dp-run: the root stays" {
    dp-run --name outer -- 'dp-run --name inner -- "dp-map . a.ndjson" >/dev/null; true'
    outer=$(events 'select(.job.name == "outer") | .run.runId' | sort -u)
    inner=$(events 'select(.job.name == "inner") | .run.runId' | sort -u)
    [ "$outer" != "$inner" ]
    [ "$(events 'select(.job.name == "inner") | .run.facets.parent | [.run.runId, .root.run.runId]' | sort -u)" = "[\"$outer\",\"$outer\"]" ]
    [ "$(events 'select(.job.name == "inner.dp-map") | .run.facets.parent | [.run.runId, .root.run.runId, .root.job.name]' | sort -u)" = "[\"$inner\",\"$outer\",\"outer\"]" ]
}

# What the parent of a run is: parent VARIABLE=VALUE...
parent() {
    rm -f ev
    env "$@" dp-map . a.ndjson >/dev/null
    events '.run.facets.parent | [.run.runId, .job.namespace, .job.name, .root.run.runId, .root.job.namespace, .root.job.name]' | sort -u
}

@test "parents by OPENLINEAGE_CONTEXT, by OPENLINEAGE_PARENT_ID, and what is no parent" {
    a=019b7ca9-8f2e-7000-8000-00000000000a b=019b7ca9-8f2e-7000-8000-00000000000b
    ctx="{\"parent\":{\"run\":{\"runId\":\"$a\"},\"job\":{\"namespace\":\"af\",\"name\":\"d.t\"},\"root\":{\"run\":{\"runId\":\"$b\"},\"job\":{\"namespace\":\"af\",\"name\":\"d\"}}}}"
    [ "$(parent OPENLINEAGE_CONTEXT="$ctx" OPENLINEAGE_PARENT_ID=x/y/$b)" = "[\"$a\",\"af\",\"d.t\",\"$b\",\"af\",\"d\"]" ]
    ctx="{\"parent\":{\"run\":{\"runId\":\"$a\"},\"job\":{\"namespace\":\"af\",\"name\":\"d.t\"}}}"
    [ "$(parent OPENLINEAGE_CONTEXT="$ctx")" = "[\"$a\",\"af\",\"d.t\",\"$a\",\"af\",\"d.t\"]" ]
    [ "$(parent OPENLINEAGE_PARENT_ID=ns/job/$a)" = "[\"$a\",\"ns\",\"job\",\"$a\",\"ns\",\"job\"]" ]
    [ "$(parent OPENLINEAGE_PARENT_ID=ns/job/$a OPENLINEAGE_ROOT_PARENT_ID=https://af.example/x/root/$b)" = "[\"$a\",\"ns\",\"job\",\"$b\",\"https://af.example/x\",\"root\"]" ]
    for x in OPENLINEAGE_PARENT_ID=x OPENLINEAGE_PARENT_ID=a/b OPENLINEAGE_CONTEXT=x OPENLINEAGE_CONTEXT='{"parent":1}' OPENLINEAGE_CONTEXT='[]' A=1; do
        [ "$(parent "$x")" = '[null,null,null,null,null,null]' ] || fail "$x: $(parent "$x")"
    done
}

@test "Airflow's task is the parent, by the ids that its provider makes" {
    af=(AIRFLOW_CTX_DAG_ID=shop AIRFLOW_CTX_TASK_ID=load AIRFLOW_CTX_DAG_RUN_ID=r1)
    [ "$(parent "${af[@]}" AIRFLOW_CTX_TRY_NUMBER=1 AIRFLOW_CTX_LOGICAL_DATE=2026-01-02T00:00:00+00:00)" = '["019b7c01-0400-75fc-9288-1a9ac4fdd656","default","shop.load","'"$(events .run.facets.parent.root.run.runId | head -n 1)"'","default","shop"]' ]
    [ "$(events .run.facets.nominalTime.nominalStartTime | sort -u)" = 2026-01-02T00:00:00.000Z ]
    [ "$(parent "${af[@]}" AIRFLOW_CTX_TRY_NUMBER=1 AIRFLOW_CTX_EXECUTION_DATE=2026-01-02T02:00:00+02:00 | cut -d'"' -f2)" = 019b7c01-0400-75fc-9288-1a9ac4fdd656 ]
    [ "$(parent "${af[@]}" AIRFLOW_CTX_TRY_NUMBER=1 AIRFLOW_CTX_EXECUTION_DATE=2026-01-02T03:04:05.678901Z | cut -d'"' -f8)" = 019b7ca9-8f2e-7953-af02-d5aeccc29c23 ]
    [ "$(parent "${af[@]}" OPENLINEAGE_NAMESPACE=prod | cut -d'"' -f4)" = prod ]
    [ "$(parent "${af[@]}" AIRFLOW_CTX_TRY_NUMBER=1)" != "$(parent "${af[@]}" AIRFLOW_CTX_TRY_NUMBER=2)" ]
    [ "$(parent "${af[@]}" | cut -d'"' -f8)" = "$(parent "${af[@]}" AIRFLOW_CTX_TRY_NUMBER=2 | cut -d'"' -f8)" ]
    [ "$(parent "${af[@]}" OPENLINEAGE_PARENT_ID=ns/job/019b7ca9-8f2e-7000-8000-00000000000a | cut -d'"' -f4)" = ns ]
    rm ev
    env "${af[@]}" AIRFLOW_CTX_TRY_NUMBER=1 dp-run -- 'dp-map . a.ndjson' >/dev/null
    env "${af[@]}" AIRFLOW_CTX_TRY_NUMBER=2 dp-run -- 'dp-map . a.ndjson' >/dev/null
    [ "$(events 'select(.job.name | startswith("dp-run")) | .run.runId' | sort -u | wc -l)" -eq 2 ]
    [ "$(events 'select(.job.name | startswith("dp-run") | not) | .run.facets.parent.root.job.name' | sort -u)" = shop ]
}

@test "the time that a run is for" {
    dp-map --now 2026-03-04T05:06:07Z . a.ndjson >/dev/null
    [ "$(events .run.facets.nominalTime.nominalStartTime | sort -u)" = 2026-03-04T05:06:07.000Z ]
    rm ev
    AIRFLOW_CTX_DATA_INTERVAL_START=2026-01-01T00:00:00Z AIRFLOW_CTX_DATA_INTERVAL_END=2026-01-02T00:00:00Z dp-map . a.ndjson >/dev/null
    [ "$(events '.run.facets.nominalTime | .nominalStartTime + " " + .nominalEndTime' | sort -u)" = "2026-01-01T00:00:00.000Z 2026-01-02T00:00:00.000Z" ]
}

# What the job of a program is called, without the directory of the test: job PROGRAM...
job() {
    rm -f ev
    "$@" >/dev/null 2>&1 </dev/null || true
    events .job.name | sort -u | sed "s|$PWD|.|"
}

@test "names of jobs last: by the table, the output, the input, never by a date" {
    mkdir -p in/2026-01-02 in/day=2026-01-02
    cp a.ndjson in/2026-01-02/x.ndjson
    cp a.ndjson in/day=2026-01-02/part-00001.ndjson
    cp a.ndjson in/orders-20260102.ndjson
    [ "$(job dp-map . a.ndjson)" = dp-map:./a.ndjson ]
    [ "$(job dp-map .)" = dp-map ]
    [ "$(job dp-map . a.ndjson ./in/2026-01-02/x.ndjson)" = dp-map:./a.ndjson ]
    [ "$(job dp-map . in/2026-01-02/x.ndjson)" = dp-map:./in ]
    [ "$(job dp-map . in/day=2026-01-02/part-00001.ndjson)" = dp-map:./in ]
    [ "$(job dp-map . in/orders-20260102.ndjson)" = dp-map:./in ]
    [ "$(job dp-cat --to records 'in/*.ndjson')" = dp-cat:./in ]
    [ "$(job dp-cat --to records <(cat a.ndjson))" = dp-cat ]
    [ "$(job dp-partition -o lake/orders a.ndjson)" = dp-partition:./lake/orders ]
    [ "$(job dp-table commit --eof-commits lake/../lake/orders/)" = dp-table-commit:./lake/orders ]
    [ "$(DP_JOB=shop job dp-table commit --eof-commits lake/orders)" = shop.dp-table-commit ]
    [ "$(DP_JOB=shop job dp-map . a.ndjson)" = shop.dp-map ]
    [ "$(OPENLINEAGE_NAMESPACE=prod job dp-map .; events .job.namespace | sort -u)" = $'dp-map\nprod' ]
}

@test "a run that lasts tells of itself now and then" {
    mkfifo fifo
    DP_LINEAGE_PERIOD=1ms dp-map . <fifo >out &
    pid=$!
    exec 7>fifo
    wait_event '.eventType == "START"'
    for n in 1 2 3; do
        echo "{\"a\":$n}" >&7
        until_ok jq -es "map(select(.eventType == \"RUNNING\")) | length >= $n" ev
    done
    exec 7>&-
    wait $pid
    pid=
    ends dp-map COMPLETE
    [ "$(events .eventType | tail -n 1)" = COMPLETE ]
    rm ev
    DP_LINEAGE_PERIOD=1ms dp-run --name long -- 'dp-ingest -f ndjson --follow a.ndjson' >out 2>err &
    pid=$!
    wait_event '.eventType == "RUNNING" and .job.name == "long"'
    wait_event '.eventType == "RUNNING" and .job.name == "long.dp-ingest"'
    [ "$(events '.job.facets.jobType.processingType' | sort -u)" = STREAMING ]
    kill -TERM $pid
    wait $pid || true
    pid=
    ends long ABORT
    ends long.dp-ingest ABORT
    DP_LINEAGE_PERIOD=soon dp-map . a.ndjson 2>&1 >/dev/null | grep -q DP_LINEAGE_PERIOD
}

@test "messages that leave hold no values and no secrets" {
    printf '{"a":1}\n{"a":"hunter2"}\n' >v.ndjson
    printf 'apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: v\n    logicalType: object\n    properties:\n      - {name: a, logicalType: integer}\n' >c.yaml
    ! dp-validate -c c.yaml v.ndjson >/dev/null 2>err || false
    grep -q hunter2 err
    ! dp-map '.a + 1' v.ndjson >/dev/null 2>&1 || false
    ! dp-map --max-rejects 0 'if .a == "hunter2" then error("hunter2") else . end' v.ndjson >/dev/null 2>&1 || false
    ! dp-cat --to records 'https://me:hunter2@example.org/a.csv?token=hunter2' >/dev/null 2>&1 || false
    AWS_SECRET_ACCESS_KEY=hunter2 PGPASSWORD=hunter2 OPENLINEAGE_API_KEY=hunter2 dp-map . a.ndjson >/dev/null
    ! dp-cat --to records 'none?password=hunter2' >/dev/null 2>&1 || false
    [ "$(events 'select(.eventType == "FAIL") | .eventType' | wc -l)" -ge 4 ]
    ! grep hunter2 ev || false
}

@test "what the contract says: owners, tags, words; classes of columns until a mask" {
    cat >c.yaml <<'EOF_C'
apiVersion: v3.1.0
kind: DataContract
id: orders
name: orders
version: 1.0.0
status: active
description: {purpose: what the shop sells}
tags: [finance, "tier:gold"]
team:
  name: shop
  members:
    - {username: ann, role: owner}
    - {username: bob, role: dev, dateOut: "2025-01-01"}
schema:
  - name: orders
    logicalType: object
    description: one row an order
    tags: [x]
    properties:
      - {name: id, logicalType: integer, required: true, description: "the key"}
      - {name: email, logicalType: string, classification: pii}
      - {name: price, logicalType: number}
EOF_C
    dp-ingest a.csv | dp-partition -c c.yaml -o lake | dp-table commit lake --eof-commits
    j='select(.job.name | startswith("dp-partition"))'
    [ "$(events "$j | .job.facets.ownership.owners" | sort -u)" = '[{"name":"shop","type":"team"},{"name":"ann","type":"owner"}]' ]
    [ "$(events "$j | .job.facets.tags.tags | map(.key + \"=\" + .value)" | sort -u)" = '["finance=true","tier=gold"]' ]
    [ "$(events "$j | .job.facets.documentation.description" | sort -u)" = "what the shop sells" ]
    j='select(.eventType == "COMPLETE" and (.job.name | startswith("dp-partition"))) | .outputs[0].facets'
    [ "$(events "$j | .tags.tags | map(.key + \"=\" + .value + \" \" + (.field // \"\"))")" = '["finance=true ","tier=gold ","x=true ","classification=pii email"]' ]
    [ "$(events "$j | [.ownership.owners[1].name, .documentation.description, .schema.fields[0].description]")" = '["ann","one row an order","the key"]' ]
    rm ev
    dp-mask keygen key >/dev/null
    dp-run --name m -- 'dp-ingest a.csv | dp-mask -c c.yaml --key-file key | dp-partition -c c.yaml -o lake | dp-table commit lake'
    [ "$(events 'select(.eventType == "COMPLETE" and .job.name == "m.dp-partition") | .outputs[0].facets.tags.tags | map(select(.field))')" = '[]' ]
    [ "$(events 'select(.eventType == "COMPLETE" and .job.name == "m.dp-mask") | .inputs[0].facets.tags.tags | map(select(.field) | .value)')" = '["pii"]' ]
    # a contract that can be read once is the program's
    dp-ingest a.csv | dp-partition -c <(cat c.yaml) -o lake2 >/dev/null
}

@test "a table that keeps a contract tells of it, whoever reads or changes it" {
    cat >c.yaml <<'EOF_C'
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
team: {name: shop}
schema:
  - name: orders
    description: one row an order
    tags: [gold]
    properties:
      - {name: id, logicalType: integer, description: "the key"}
      - {name: email, logicalType: string, classification: pii}
      - {name: price, logicalType: number}
EOF_C
    dp-table create t -c c.yaml -q
    rm ev
    dp-ingest a.csv | dp-partition -o t | dp-table commit t --eof-commits -q
    dp-cat t >/dev/null
    dp-cat t --to records --as-of 1 >/dev/null
    dp-map '{id}' t >/dev/null
    dp-table delete t --where '.id == 1' -q
    echo '{"id":2,"email":"c@x.org","price":1}' | dp-table merge t --key id --eof-commits -q
    dp-compact t --sort id -q
    words='[.documentation.description, .ownership.owners[0].name, (.tags.tags | map(.value) | sort | join(" ")), .schema.fields[0].description, .storage.storageLayer]'
    want='["one row an order","shop","pii true","the key","delta"]'
    for job in dp-table-commit dp-table-delete dp-table-merge dp-compact; do
        [ "$(events "select(.eventType == \"COMPLETE\" and (.job.name | startswith(\"$job\"))) | .outputs[0].facets | $words")" = "$want" ] || fail "$job: $(events "select(.job.name | startswith(\"$job\"))")"
    done
    for job in dp-cat dp-map; do
        got=$(events "select(.eventType == \"COMPLETE\" and (.job.name | startswith(\"$job\"))) | .inputs[0].facets | $words" | sort -u)
        [ "$got" = "$want" ] || fail "$job: $(events "select(.job.name | startswith(\"$job\"))")"
    done
    [ "$(events 'select(.eventType == "COMPLETE" and (.job.name | startswith("dp-cat"))) | .inputs[0].facets.version.datasetVersion' | sort -u)" = 1 ]
}

@test "dp-validate: every rule as a test of the run" {
    printf '{"id":1}\n{"id":0}\n{"id":null}\n' >v.ndjson
    printf 'apiVersion: v3.1.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\nschema:\n  - name: v\n    logicalType: object\n    properties:\n      - {name: id, logicalType: integer, required: true, logicalTypeOptions: {minimum: 1}}\n' >c.yaml
    ! dp-validate -c c.yaml v.ndjson >/dev/null 2>&1 || false
    [ "$(events '.run.facets.test.tests // empty | map(select(.status == "fail") | .type + " " + .actual)')" = '["minimum 1 of 2"]' ]
    rm ev
    dp-validate --check --max-rejects 9 -c c.yaml v.ndjson >/dev/null 2>&1
    [ "$(events '.run.facets.test.tests // empty | map(.type + " " + .status + " " + .actual)')" = '["type pass 0 of 3","not_null fail 1 of 3","minimum fail 1 of 3"]' ]
    [ "$(events '.inputs[0].inputFacets.dataQualityAssertions.assertions // empty | map(.assertion + " " + .column + " " + (.success | tostring))')" = '["type id true","not_null id false","minimum id false"]' ]
    [ "$(events '.inputs[0].inputFacets.dataQualityMetrics // empty | [.rowCount, .columnMetrics.id.nullCount]')" = '[3,1]' ]
    # of several files none has the rows of all: the figures are those of the reader, if it tells any
    rm ev
    cp v.ndjson w.ndjson
    dp-ingest v.ndjson w.ndjson | DP_LINEAGE=$PWD/s.db dp-validate --check --max-rejects 9 -c c.yaml >/dev/null 2>&1
    dp-validate --check --max-rejects 9 -c c.yaml v.ndjson w.ndjson >/dev/null 2>&1
    [ "$(events 'select(.job.name | startswith("dp-validate")) | .inputs[] | .inputFacets | .inputStatistics.rowCount + .dataQualityMetrics.rowCount // empty' | jq -s 'add // 0')" -le 6 ]
    [ "$(dp-lineage runs --store s.db --json | jq '.runs[0].rows_in // 0')" -le 6 ]
}

@test "where CI says the code is" {
    CI_PROJECT_URL=https://u:hunter2@git.example/shop CI_COMMIT_SHA=abc CI_COMMIT_BRANCH=main dp-map . a.ndjson >/dev/null
    [ "$(events '.job.facets.sourceCodeLocation | [.type, .url, .version, .branch]' | sort -u)" = '["git","https://git.example/shop","abc","main"]' ]
    ! grep hunter2 ev || false
}

@test "dp-run keeps a store of its own, where nothing else is said" {
    unset DP_LINEAGE
    dp-run --name own -- 'dp-map . a.ndjson' >/dev/null
    [ "$(dp-lineage runs | cut -f2,3 | sort)" = "$(printf 'default/own\tCOMPLETE\ndefault/own.dp-map\tCOMPLETE')" ]
    [ -f "$XDG_STATE_HOME/dp/lineage.db" ]
    rm -r "$XDG_STATE_HOME/dp"
    DP_LINEAGE=none dp-run --name own -- 'dp-map . a.ndjson' >/dev/null
    OPENLINEAGE_DISABLED=true dp-run --name own -- 'dp-map . a.ndjson' >/dev/null
    OPENLINEAGE__TRANSPORT__TYPE=file OPENLINEAGE__TRANSPORT__LOG_FILE_PATH=$PWD/ev OPENLINEAGE__TRANSPORT__APPEND=true dp-run --name own -- 'dp-map . a.ndjson' >/dev/null
    [ ! -e "$XDG_STATE_HOME/dp/lineage.db" ]
    ends own COMPLETE
    ends own.dp-map COMPLETE
    dp-map . a.ndjson >/dev/null
    [ ! -e "$XDG_STATE_HOME/dp/lineage.db" ]
}

@test "START names what the words tell: operands, -o, the table whose rows change" {
    both() { jq -c "select(.eventType == \"${1:-START}\") | [[.inputs[]?.name], [.outputs[]?.name]]" ev | sed "s#$PWD/##g"; }
    printf '{"a":%d,"b":"x"}\n' 1 2 3 4 >a.ndjson
    dp-map . a.ndjson >/dev/null
    [ "$(both)" = '[["a.ndjson"],[]]' ]
    rm ev
    dp-map . 'a.nd*' >/dev/null # a pattern is told when it is read
    [ "$(both)" = '[[],[]]' ]
    rm ev
    dp-partition -o lake a.ndjson >paths
    [ "$(both)" = '[["a.ndjson"],["lake"]]' ]
    [ "$(both COMPLETE)" = '[["a.ndjson"],["lake"]]' ]
    rm ev
    DP_LINEAGE=none dp-table commit --eof-commits lake <paths >/dev/null
    dp-table update lake --set b='"y"' >/dev/null
    dp-table delete lake --where '.a == 2' >/dev/null
    dp-table merge lake --key a --eof-commits a.ndjson >/dev/null
    dp-cat lake >/dev/null
    [ "$(both | tr -d '\n')" = '[["lake"],["lake"]][["lake"],["lake"]][["lake"],["lake"]][["lake"],[]]' ] || fail "$(both)"
    # what they wrote has its size
    [ "$(jq -c 'select(.eventType == "COMPLETE") | .outputs[]?.outputFacets.outputStatistics | [has("rowCount"), (.size > 0) or (.fileCount == 0), has("fileCount")]' ev | sort -u)" = '[true,true,true]' ]
    [ "$(jq -r 'select(.eventType == "COMPLETE" and (.job.name | startswith("dp-table-update"))).outputs[0].outputFacets.outputStatistics.size' ev)" -gt 100 ]
}
