#!/usr/bin/env bats
# dp-lineage: events in and out again without loss, what they add up to, impact as a gate, several writers, a full disk.

bats_require_minimum_version 1.5.0
load helper

C=$DP_SHARED/corpus/lineage
# an event: ev TYPE SECOND RUN JOB INPUTS OUTPUTS
ev() {
    printf '{"eventType":"%s","eventTime":"2026-01-01T00:00:%02dZ","producer":"https://example.org/t","schemaURL":"https://example.org/s","run":{"runId":"00000000-0000-7000-8000-%012d"},"job":{"namespace":"j","name":"%s"},"inputs":[%s],"outputs":[%s]}\n' "$@"
}
F='"_producer":"https://example.org/t","_schemaURL":"https://example.org/f"'
ds() { printf '{"namespace":"n","name":"%s","facets":{%s}}' "$1" "${2:-}"; }
# of DATASET FIELD TYPE SUBTYPE [MASKING]
of() { printf '{"namespace":"n","name":"%s","field":"%s","transformations":[{"type":"%s","subtype":"%s","masking":%s}]}' "$1" "$2" "$3" "$4" "${5:-false}"; }
lin() { printf '"columnLineage":{%s,"fields":{%s},"dataset":[%s]}' "$F" "$1" "${2:-}"; }
to() { printf '"%s":{"inputFields":[%s]}' "$1" "$2"; }
L() {
    local c=$1
    shift
    dp-lineage "$c" --store s.db "$@"
}

# raw.a -> clean.a (identity) and clean.m (masked); clean.a -> sum.total; clean filters by raw.f; side reads clean and says nothing of columns
story() {
    ev COMPLETE 1 1 load "$(ds raw)" "$(ds clean "$(lin "$(to a "$(of raw a DIRECT IDENTITY)"),$(to m "$(of raw p DIRECT TRANSFORMATION true)")" "$(of raw f INDIRECT FILTER)"),\"ownership\":{$F,\"owners\":[{\"name\":\"team:clean\"}]}")"
    ev COMPLETE 2 2 sum "$(ds clean)" "$(ds sum "$(lin "$(to total "$(of clean a DIRECT AGGREGATION)")"),\"ownership\":{$F,\"owners\":[{\"name\":\"team:sum\"}]}")"
    ev FAIL 3 3 side "$(ds clean)" "$(ds silent)"
}

@test "what is taken in comes out again, byte for byte" {
    [ -d "$C/events" ] || skip "no corpus"
    for f in "$C"/events/*.json "$C"/facets/example_full_event.json; do
        jq -c . "$f" >>all.ndjson
        jq . "$f" >"$(basename "$f")"
    done
    run --separate-stderr L ingest --rejects bad.ndjson --max-rejects 2 all.ndjson
    assert_success
    L export | sort >got
    jq -c 'select(.run == null or .run.runId)' all.ndjson | sort -u >want
    diff want got
    [ "$(wc -l <bad.ndjson)" -eq 2 ]
    grep -q 'runId: is not there' bad.ndjson
    # pretty-printed they are the same events
    run --separate-stderr L ingest --max-rejects 2 ./*.json
    assert_success
    L export | sort | diff want -
    run --separate-stderr L ingest --json --max-rejects 2 all.ndjson
    [ "$(jq .repeated <<<"$output")" -eq "$(wc -l <all.ndjson | awk '{ print $1 - 2 }')" ]
}

@test "odd events come out again byte for byte: nulls, numbers beyond 64 bits, escapes, deep and big ones" {
    local head='"eventTime":"2026-02-01T00:00:00.123456789+02:00","producer":"p:x","schemaURL":"https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"'
    local deep big
    deep="$(printf '{"k":%.0s' {1..60})1$(printf '}%.0s' {1..60})"
    big=$(head -c 1100000 /dev/zero | tr '\0' y)
    event() { printf '{%s,"run":{"runId":"00000000-0000-7000-8000-%012d"},"job":{"namespace":"j","name":"o"}%s}\n' "$head" "$1" "$2"; }
    {
        event 1 ',"eventType":null,"inputs":null,"outputs":null'
        event 2 ',"eventType":"COMPLETE","own":{"n":123456789012345678901234567890,"e":1.10e+05,"z":-0.0,"m":-0,"l":[null,[],{}]}'
        event 3 ',"eventType":"COMPLETE","own":"\u00e9\/\ud83d\ude00\u0000\ud800 é😀"'
        event 4 ',"eventType":"OTHER","own":'"$deep"
        event 5 ',"eventType":"START","own":"'"$big"'"'
        printf '{"schemaURL":"https://openlineage.io/spec/1-0-0/OpenLineage.json#/definitions/RunEvent", "producer" : "p:x","eventTime":"2026-02-01T00:00:01Z","run":{"facets":{"":{"a.b":{"a":1,"A":2}}},"runId":"0199BEEF-0000-7000-8000-0000000000AB"},"job":{"name":"","namespace":"","facets":null}}\n'
    } >odd.ndjson
    L ingest odd.ndjson >/dev/null 2>&1
    L export | LC_ALL=C sort >out
    LC_ALL=C sort odd.ndjson | cmp - out
    L ingest odd.ndjson 2>&1 | grep -q '6 of them known already'
    L export | LC_ALL=C sort | cmp - out
}

@test "templates of integrations, with values for their matchers" {
    [ -d "$C/templates" ] || skip "no corpus"
    for f in "$C"/templates/*.json; do
        jq -c --arg f "$(basename "$f")" '(if type == "array" then .[] else . end) | . as $e
            | .eventTime = (if (.eventTime // "" | test("^[0-9]{4}-")) then .eventTime else "2026-01-01T00:00:00Z" end)
            | if .run then .run.runId = "00000000-0000-7000-8000-" + (($f | explode | add | tostring) + "000000000000")[0:12] else . end' "$f" >>filled.ndjson
    done
    # one of them is a job without a name
    run --separate-stderr L ingest --max-rejects 1 filled.ndjson
    assert_success
    jq -cS 'select(.job.name)' filled.ndjson | sort -u >want
    L export | jq -cS . | sort | diff want -
    run L up 'test.xxx' --columns
    assert_success
    assert_output --partial '#'
}

@test "the single facets of the corpus, each in a whole event, also --strict" {
    [ -d "$C/facets" ] || skip "no corpus"
    n=0
    for f in "$C"/facets/*Facet__*.json; do
        n=$((n + 1))
        case ${f##*/} in
        *JobFacet* | LineageFacet__*job* | LineageFacet__implicit*) where='.job.facets = $f' ;;
        *RunFacet*) where='.run.facets = $f' ;;
        *InputDatasetFacet*) where='.inputs[0].inputFacets = $f' ;;
        *OutputDatasetFacet*) where='.outputs[0].outputFacets = $f' ;;
        *) where='.outputs[0].facets = $f' ;;
        esac
        ev COMPLETE 1 "$n" "job$n" "$(ds in)" "$(ds "out$n")" | jq -c --slurpfile fs "$f" '$fs[0] as $f | '"$where" >>one.ndjson
    done
    run --separate-stderr L ingest --strict one.ndjson
    assert_success
    L export | diff one.ndjson -
    run L down airflow://production/daily.transform
    assert_output --partial "airflow://production/daily.load"
    run L up public.daily_summary
    assert_output --partial "airflow://production/daily.extract"
    run L up public.transactions
    assert_success
    run L down public.transactions
    assert_output --partial "job"
}

@test "--strict refuses what the schemas don't allow" {
    [ -d "$C/events" ] || skip "no corpus"
    for f in dataset job run; do
        run --separate-stderr L ingest --strict "$C/events/proxy__fluentd__events__event_invalid_${f}_facet.json"
        dp_expect 1 "is missing"
    done
    run --separate-stderr L ingest --strict "$C/events/python__serde_example_run_event.json"
    dp_expect 1 "no offset"
    run --separate-stderr L ingest --strict "$C/events/proxy__fluentd__docker__test-start.json"
    assert_success
}

@test "up and down, by datasets and by columns" {
    story | L ingest
    run L up sum
    assert_output "1	dataset	n/clean
1	job	j/sum
2	dataset	n/raw
2	job	j/load"
    run L down raw --depth 1
    assert_output "1	dataset	n/clean
1	job	j/load"
    run L up 'sum#total'
    assert_output --partial "column	direct	n/raw#a"
    assert_output --partial "column	indirect	n/raw#f"
    run L down 'raw#p'
    assert_output --partial "column	masked	n/clean#m"
    refute_output --partial "n/clean#a"
    refute_output --partial "n/silent"
    run L down 'raw#p' --with-failed
    assert_output --partial "dataset	unknown	n/silent"
    run L down 'raw#f'
    assert_output --partial "dataset	indirect	n/clean	rows"
    assert_output --partial "dataset	indirect	n/sum	rows"
    run L path 'raw#f' 'sum#total'
    assert_output "0	column	direct	n/raw#f
1	job	indirect	j/load
1	column	indirect	n/clean#a
2	job	indirect	j/sum
2	column	indirect	n/sum#total"
    run L down job:load
    assert_output --partial "n/sum"
    run L path 'raw#a' 'sum#total'
    assert_output "0	column	direct	n/raw#a
1	job	direct	j/load
1	column	direct	n/clean#a
2	job	direct	j/sum
2	column	direct	n/sum#total"
    # against the data: found, and said
    run --separate-stderr -0 L path raw sum
    [ -z "$stderr" ]
    run --separate-stderr -0 L path sum raw
    [ "$stderr" = "dp-lineage: raw does not come from sum; the other way round it does: dp-lineage path raw sum" ] || fail "$stderr"
    [ "$(L path sum raw --json -q | jq -r .direction)" = up ]
    run L path sum raw
    assert_success
    run --separate-stderr L path silent sum
    dp_expect 1 "no way"
    run L down raw --json
    [ "$(jq -r '[.nodes[] | select(.kind == "dataset") | .name] | join(",")' <<<"$output")" = "clean,sum" ]
}

@test "runs that failed make no edge, unless --with-failed asks for them" {
    local lineage
    lineage=$(lin "$(to a "$(of in a DIRECT IDENTITY)")")
    ev START 1 1 load "$(ds in)" "$(ds out "$lineage")" | L ingest
    run L down in
    assert_output --partial "n/out" # data flows as long as it runs
    ev FAIL 2 1 load "" "" | L ingest
    for ask in "down in" "up out" "down job:load" "up job:load" "down in --current" "down in#a" "up out#a"; do
        # shellcheck disable=SC2086 # words of a command
        run L $ask
        assert_success
        assert_output ""
        # shellcheck disable=SC2086
        [ -n "$(L $ask --with-failed)" ] || fail "$ask"
    done
    run L impact in
    assert_success
    run --separate-stderr L impact in --with-failed
    assert_equal "$status" 1
    run -1 L path in out
    run -0 L path in out --with-failed
    run -0 L path 'in#a' 'out#a' --with-failed
    for more in "" --columns --current; do
        # shellcheck disable=SC2086
        [ "$(L graph --to json $more | jq '.edges | length')" = 0 ]
        # shellcheck disable=SC2086
        [ "$(L graph --to json $more --with-failed | jq '.edges | length > 0')" = true ]
    done
    # it comes through, and fails again later: what was there stays, of the latest run that did not fail
    ev COMPLETE 3 2 load "$(ds in)" "$(ds out "$lineage")" | L ingest
    ev ABORT 5 3 load "$(ds in)" "$(ds other)" | L ingest
    run L down in --current
    assert_output --partial "n/out"
    run L down in
    refute_output --partial "n/other"
    run -1 --separate-stderr L diff --from 2026-01-01T00:00:04Z
    assert_output "dataset	came	n/other	-"
    run -1 --separate-stderr L diff --from 2026-01-01T00:00:04Z --with-failed
    assert_line "edge	went	n/in -> n/out	j/load"
}

@test "nodes are told by distance, then datasets with their columns and jobs, by name, whatever the order of events was" {
    local lineage
    lineage=$(lin "$(to b "$(of in k DIRECT IDENTITY)"),$(to a "$(of in k DIRECT IDENTITY)")")
    {
        ev COMPLETE 1 1 zeta "$(ds in)" "$(ds z "$lineage"),$(ds a "$lineage")"
        ev COMPLETE 2 2 beta "$(ds a)" "$(ds m)"
        ev COMPLETE 3 3 alpha "$(ds in)" "$(ds c)"
    } >e
    L ingest e
    run L down in
    assert_output "1	dataset	n/a
1	dataset	n/c
1	dataset	n/z
1	job	j/alpha
1	job	j/zeta
2	dataset	n/m
2	job	j/beta"
    run L down 'in#k' --depth 1
    assert_output "1	dataset	direct	n/a
1	column	direct	n/a#a
1	column	direct	n/a#b
1	dataset	unknown	n/c
1	dataset	direct	n/z
1	column	direct	n/z#a
1	column	direct	n/z#b
1	job	unknown	j/alpha
1	job	direct	j/zeta"
    L down 'in#k' >there
    tac e | dp-lineage ingest --store back.db
    dp-lineage down 'in#k' --store back.db | diff there -
}

# a file of day $1 and what is made of it
day() {
    local in="{\"namespace\":\"file\",\"name\":\"/in/orders-2026-11-$1.csv\"}" cols
    cols=$(printf '"columnLineage":{%s,"fields":{"%s":{"inputFields":[{"namespace":"file","name":"/in/orders-2026-11-%s.csv","field":"id"}]}}}' "$F" "${2:-id}" "$1")
    ev COMPLETE "$1" "1$1" hourly "$in" "{\"namespace\":\"s3://lake\",\"name\":\"clean/dt=2026-11-$1/part-00001-00000000-0000-7000-8000-0000000000$1.parquet\",\"facets\":{$cols,\"ownership\":{$F,\"owners\":[{\"name\":\"team:$1\"}]}}}"
    ev COMPLETE "$1" "2$1" load "{\"namespace\":\"s3://lake\",\"name\":\"clean/dt=2026-11-$1/part-00001-00000000-0000-7000-8000-0000000000$1.parquet\"}" "$(ds table)"
}

@test "files of days, hours and parts are told as one dataset, each of them with --each" {
    for d in 01 02 03; do day $d; done | L ingest
    local folded='s3://lake/clean/dt={date}/part-00001-{uuid}.parquet'
    run L up table
    assert_output "1	dataset	$folded	3 files
1	job	j/load
2	dataset	/in/orders-{date}.csv	3 files
2	job	j/hourly"
    run L up table --each
    assert_equal "$(grep -c dataset <<<"$output")" 6
    run L up table --json
    [ "$(jq -c '[.datasets, (.nodes[] | select(.files) | .files)]' <<<"$output")" = '[2,3,3]' ]
    # the printed name is a node: all of them; one file is that file
    run L down '/in/orders-{date}.csv' --columns
    assert_output "1	dataset	direct	$folded	3 files	rows
1	column	direct	$folded#id
1	job	direct	j/hourly
2	dataset	unknown	n/table
2	job	unknown	j/load"
    run L down '/in/orders-2026-11-02.csv' --depth 1
    assert_output "1	dataset	s3://lake/clean/dt=2026-11-02/part-00001-00000000-0000-7000-8000-000000000002.parquet
1	job	j/hourly"
    run L up "$folded#id" --json
    [ "$(jq -c '.of, .nodes[0].files' <<<"$output")" = '{"kind":"column","namespace":"s3://lake","name":"clean/dt={date}/part-00001-{uuid}.parquet","column":"id"}
3' ]
    run --separate-stderr L down '/in/{date}.csv'
    assert_equal "$status" 2
    # who must know is the same, folded or not
    for more in "" --each; do
        # shellcheck disable=SC2086 # words of a command
        run --separate-stderr L impact '/in/orders-{date}.csv' $more
        assert_equal "$status" 1
        [ "$(grep tell <<<"$output")" = "tell	team:01
tell	team:02
tell	team:03" ]
    done
    run --separate-stderr L impact '/in/orders-2026-11-01.csv#id'
    [[ $output == *"tell	team:01"* && $output != *"team:02"* ]]
    # a way leads from one of them to one of them
    run L path '/in/orders-{date}.csv' table
    assert_success
    assert_line --index 0 --partial "/in/orders-2026-11-0"
    assert_line --index 4 "2	dataset	n/table"
    run L path '/in/orders-{date}.csv#id' "$folded#id"
    assert_line --index 2 --partial "#id"
}

@test "tables and names of things are never folded" {
    local delta="\"storage\":{$F,\"storageLayer\":\"delta\"}" outs=""
    for n in /t/v1 /t/v2 /t/orders2.csv /t/orders3.csv /t/country=DE/x.csv /t/country=FR/x.csv; do outs+="{\"namespace\":\"file\",\"name\":\"$n\"},"; done
    for d in 01 02; do outs+="{\"namespace\":\"file\",\"name\":\"/t/sales_2026-11-$d\",\"facets\":{$delta}},{\"namespace\":\"pg://h\",\"name\":\"sales_2026-11-$d\"},"; done
    ev COMPLETE 1 1 load "$(ds in)" "${outs%,}" | L ingest
    diff <(L down in) <(L down in --each)
    assert_equal "$(L down in | grep -c dataset)" 10
}

@test "--direct: one dataset away, where values go" {
    {
        ev COMPLETE 1 1 load "$(ds raw)" "$(ds clean "$(lin "$(to a "$(of raw a DIRECT IDENTITY)"),$(to m "$(of raw p DIRECT TRANSFORMATION true)")")")"
        ev COMPLETE 2 2 pick "$(ds raw)" "$(ds picked "$(lin "$(to z "$(of raw z DIRECT IDENTITY)")" "$(of raw a INDIRECT FILTER)")")"
        ev COMPLETE 3 3 mute "$(ds raw)" "$(ds heap)"
        ev COMPLETE 4 4 sum "$(ds clean),$(ds picked)" "$(ds sum "$(lin "$(to total "$(of clean a DIRECT AGGREGATION)")" "$(of picked z INDIRECT SORT)")")"
        # raw chooses rows of near, and its values come to it by a way round
        ev COMPLETE 5 5 round "$(ds clean),$(ds raw)" "$(ds near "$(lin "$(to a "$(of clean a DIRECT IDENTITY)")" "$(of raw a INDIRECT FILTER)")")"
    } | L ingest
    run -0 L down 'raw#a' --direct
    assert_output "1	dataset	direct	n/clean
1	column	direct	n/clean#a
1	job	direct	j/load"
    run -0 L down 'raw#p' --direct
    assert_output --partial "1	column	masked	n/clean#m"
    [ "$(L down raw --direct | grep -c dataset)" -eq 3 ]
    run -0 L down raw --direct
    [[ $output == *n/clean* && $output == *n/picked* && $output == *n/heap* && $output != *n/near* && $output != *#* ]] || fail "$output"
    # further, by values alone: near is two datasets away
    run -0 L down 'raw#a' --direct --depth 0
    [[ $output == *"2	column	direct	n/near#a"* && $output == *"2	column	direct	n/sum#total"* && $output != *picked* ]] || fail "$output"
    # up it is the same, and a job's are its own
    [ "$(L up sum --direct | grep dataset)" = "1	dataset	n/clean" ]
    [ "$(L up sum | grep -c dataset)" -eq 3 ]
    [ "$(L up near --direct --columns)" = "1	dataset	direct	n/clean
1	column	direct	n/clean#a
1	job	direct	j/round" ]
    [ "$(L down job:j/load --direct)" = "1	dataset	n/clean" ]
    run --separate-stderr -1 L impact --direct 'raw#a'
    [ "$stderr" = "dp-lineage: 1 dataset, 1 job and 1 column depend on it" ]
    run --separate-stderr -1 L impact --direct raw
    [ "$stderr" = "dp-lineage: 3 datasets, 3 jobs and 0 columns depend on it" ]
    run --separate-stderr -0 L impact --direct picked
    [ -z "$output" ]
}

# on a terminal of $1 columns
on_terminal() {
    local columns=$1
    shift
    script -qec "stty cols $columns; dp-lineage $* --store s.db" /dev/null </dev/null | tr -d '\r'
}

@test "on a terminal rows are aligned, and no line is wider than it is" {
    command -v script >/dev/null || skip "no script(1)"
    story | L ingest
    local name
    name=$(printf 'long%.0s' {1..20})
    ev COMPLETE 4 4 "größe" "$(ds raw)" "$(ds "$name")" | L ingest
    assert_equal "$(on_terminal 120 down raw --depth 1)" "1  dataset  n/clean
1  dataset  n/$name
1  job      j/größe
1  job      j/load"
    run on_terminal 40 down raw --depth 1
    assert_line -n 1 "1  dataset  n/longlonglonglonglonglongl…"
    for c in "down raw --columns" "impact raw" runs "search n" orphans "stale --older 1ms" "path raw sum"; do
        run on_terminal 60 "$c"
        [ "${#lines[@]}" -gt 0 ] || fail "$c: nothing"
        [[ $output != *$'\t'* || $c == impact* ]] || fail "$c: $output"
        [ "$(grep -v '^tell\|^dp-lineage' <<<"$output" | LC_ALL=C.UTF-8 wc -L)" -le 60 ] || fail "$c: $output"
    done
    # what is piped is as it was
    [ "$(L down raw --depth 1 | head -1)" = "1	dataset	n/clean" ]
}

@test "of a column: a job that says it takes others of the dataset is not told, one that says nothing is" {
    {
        ev COMPLETE 1 1 load "$(ds raw)" "$(ds clean "$(lin "$(to a "$(of raw a DIRECT IDENTITY)")")")"
        ev COMPLETE 2 2 other "$(ds raw)" "$(ds more "$(lin "$(to b "$(of raw b DIRECT IDENTITY)")")")"
        ev COMPLETE 3 3 reader "$(ds raw)" ""
        ev COMPLETE 4 4 mute "$(ds raw)" "$(ds heap)"
    } | L ingest
    for o in "" --current; do
        run -0 L down 'raw#a' $o
        assert_output "1	dataset	direct	n/clean
1	column	direct	n/clean#a
1	dataset	unknown	n/heap
1	job	direct	j/load
1	job	unknown	j/mute
1	job	unknown	j/reader"
    done
}

@test "names: suffixes, paths, and the nearest of what is not there" {
    ev COMPLETE 1 1 a '{"namespace":"file","name":"'"$PWD"'/in.csv"}' '{"namespace":"s3://b","name":"x/orders"},{"namespace":"s3://c","name":"y/orders"}' | L ingest
    run L down in.csv
    assert_success
    run L down ./in.csv --depth 1
    assert_output --partial "s3://b/x/orders"
    run --separate-stderr L up orders
    dp_expect 2 "several"
    run L up y/orders
    assert_output --partial "$PWD/in.csv"
    run --separate-stderr L up ordrs
    dp_expect 2 "did you mean orders"
    run --separate-stderr L up 'x/orders#a'
    dp_expect 2 "no column a"
    run --separate-stderr dp-lineage up --store none.db x
    dp_expect 3 "no store"
}

@test "impact: what breaks, whom to tell, exit 1; 0 where nothing does" {
    story | L ingest
    run --separate-stderr L impact 'raw#a'
    assert_equal "$status" 1
    [[ $output == *"column	direct	n/sum#total"* && $output == *"tell	team:clean"* && $output == *"tell	team:sum"* ]]
    run --separate-stderr L impact --direct 'raw#f'
    assert_success
    # a column that is handed on and chosen by: both are told
    ev COMPLETE 4 4 pick "$(ds in)" "$(ds out "$(lin "$(to k "$(of in k DIRECT IDENTITY)")" "$(of in k INDIRECT FILTER)")")" | L ingest
    run --separate-stderr L impact 'in#k'
    [[ $output == *"dataset	direct	n/out	rows"* ]]
    [ "$(L impact 'in#k' --json 2>/dev/null | jq -c '[.nodes[] | select(.kind == "dataset") | .how, .rows]')" = '["direct","indirect"]' ]
    run --separate-stderr L impact --direct 'in#k'
    [[ $output == *"dataset	direct	n/out"* && $output != *rows* ]]
    run --separate-stderr L impact 'sum#total' --json
    assert_success
    [ "$(jq .datasets <<<"$output")" -eq 0 ]
}

contract() { # VERSION, then NAME:TYPE ...
    printf 'apiVersion: v3.1.0\nkind: DataContract\nid: c\nname: c\nversion: %s\nstatus: active\nteam: {members: [{username: "ann@example.org"}]}\nschema:\n  - name: clean\n    properties:\n' "$1"
    shift
    for p in "$@"; do printf '      - {name: %s, logicalType: %s}\n' "${p%:*}" "${p#*:}"; done
}

@test "impact --contract: columns that go or change" {
    story | L ingest
    contract 1.0.0 a:integer m:string z:string >old.yaml
    contract 2.0.0 a:string m:string z:string >retyped.yaml
    contract 2.0.0 m:string z:string >gone.yaml
    contract 1.1.0 a:integer m:string z:string new:string >more.yaml
    contract 2.0.0 a:integer m:string >unused.yaml
    for n in retyped gone; do
        run --separate-stderr L impact --contract old.yaml "$n.yaml"
        [ "$status" -eq 1 ] || fail "$n: $status $stderr"
        [[ $output == *"change	clean#a"* && $output == *"n/sum#total"* && $output == *"tell	team:sum"* && $output == *"tell	ann@example.org"* ]] || fail "$n: $output"
    done
    run --separate-stderr L impact --contract old.yaml more.yaml
    assert_success
    run --separate-stderr L impact --contract old.yaml unused.yaml
    assert_success
    [[ $output == *"clean#z"* ]]
    run --separate-stderr L impact --contract old.yaml gone.yaml --dataset raw --json
    assert_equal "$status" 1
    [ "$(jq -r '.changes[0].column' <<<"$output")" = a ]
}

@test "as of a time, the current view, and what differs" {
    ev COMPLETE 1 1 load "$(ds a)" "$(ds out "\"schema\":{$F,\"fields\":[{\"name\":\"x\",\"type\":\"int\"},{\"name\":\"y\",\"type\":\"int\"}]}")" >e
    ev COMPLETE 9 2 load "$(ds b)" "$(ds out "\"schema\":{$F,\"fields\":[{\"name\":\"x\",\"type\":\"long\"},{\"name\":\"z\",\"type\":\"int\"}]},\"ownership\":{$F,\"owners\":[{\"name\":\"me\"}]}")" >>e
    L ingest e
    run L up out
    assert_output --partial "n/a"
    run L up out --as-of 2026-01-01T00:00:05Z
    refute_output --partial "n/b"
    # a date alone is the whole day: up to its end, from its beginning
    for at in 2025-12-31 2026-01-01; do
        run L up out --as-of "$at"
        [[ $at == 2025* && -z $output || $at == 2026* && $output == *n/a* && $output == *n/b* ]] || fail "$at: $output"
        run --separate-stderr L diff --from "$at" --to "$at"
        [[ $at == 2025* && $status -eq 0 || $at == 2026* && $status -eq 1 ]] || fail "$at: $status"
        run L runs --until "$at"
        [[ $at == 2025* && -z $output || $at == 2026* && ${#lines[@]} -eq 2 ]] || fail "$at: $output"
    done
    run -0 L runs --since 2026-01-02
    assert_output ""
    run L up out --current
    refute_output --partial "n/a"
    run --separate-stderr L diff --from 2026-01-01T00:00:05Z
    assert_equal "$status" 1
    [ "$output" = "dataset	came	n/b	-
edge	went	n/a -> n/out	j/load
edge	came	n/b -> n/out	j/load
column	changed	n/out#x	int -> long
column	went	n/out#y	int
column	came	n/out#z	int
owner	came	n/out	me" ] || fail "$output"
    run --separate-stderr L diff --from 2026-01-01T00:00:10Z
    assert_success
}

@test "runs, orphans, stale" {
    story | L ingest
    run L runs
    assert_line --index 0 --partial "j/side	FAIL"
    assert_equal "${#lines[@]}" 3
    run L runs --failed
    assert_equal "${#lines[@]}" 1
    run L runs clean --limit 1
    assert_equal "${#lines[@]}" 1
    run L orphans
    assert_output "n/raw	not written	2026-01-01T00:00:01Z
n/silent	not read	2026-01-01T00:00:03Z
n/sum	not read	2026-01-01T00:00:02Z"
    run --separate-stderr L stale --older 1h --now 2026-01-01T01:00:02Z
    assert_equal "$status" 1
    assert_output --regexp "^n/silent	-	-
n/clean	2026-01-01T00:00:01Z	3601\$"
    run --separate-stderr L stale clean --older 2h --now 2026-01-01T01:00:02Z
    assert_success
}

@test "a dropped dataset is no orphan, and one that was renamed leads on" {
    ev COMPLETE 1 1 load "$(ds a)" "$(ds old "$(lin "$(to x "$(of a x DIRECT IDENTITY)")")")" >e
    ev COMPLETE 2 2 mv "" "$(ds new "\"lifecycleStateChange\":{$F,\"lifecycleStateChange\":\"RENAME\",\"previousIdentifier\":{\"namespace\":\"n\",\"name\":\"old\"}},\"schema\":{$F,\"fields\":[{\"name\":\"x\"}]}")" >>e
    L ingest e
    run L orphans
    refute_output --partial "n/old"
    run L up 'new#x'
    assert_output --partial "n/a#x"
    run L down a
    assert_output --partial "n/new"
}

@test "other names of a dataset are one, unless --apart" {
    ev COMPLETE 1 1 load "$(ds a)" "$(ds t "\"symlinks\":{$F,\"identifiers\":[{\"namespace\":\"file\",\"name\":\"/data/t\",\"type\":\"LOCATION\"}]}")" >e
    ev COMPLETE 2 2 sum '{"namespace":"file","name":"/data/t"}' "$(ds z)" >>e
    L ingest e
    run L down a
    assert_output --partial "n/z"
    run L down a --apart
    refute_output --partial "n/z"
}

@test "cycles end, and a chain of 10,000 datasets is followed" {
    ev COMPLETE 1 1 a "$(ds x)" "$(ds y "$(lin "$(to c "$(of x c DIRECT IDENTITY)")")")" >e
    ev COMPLETE 2 2 b "$(ds y)" "$(ds x "$(lin "$(to c "$(of y c DIRECT IDENTITY)")")")" >>e
    L ingest e
    run L down x
    assert_output "1	dataset	n/y
1	job	j/a
2	job	j/b"
    run L down 'x#c' --json
    assert_success
    awk 'BEGIN { for (i = 0; i < 10000; i++) printf "{\"eventTime\":\"2026-01-01T00:00:00Z\",\"producer\":\"p\",\"schemaURL\":\"s\",\"run\":{\"runId\":\"00000000-0000-7000-8000-%012d\"},\"job\":{\"namespace\":\"j\",\"name\":\"c%d\"},\"inputs\":[{\"namespace\":\"n\",\"name\":\"d%d\"}],\"outputs\":[{\"namespace\":\"n\",\"name\":\"d%d\",\"facets\":{\"columnLineage\":{\"_producer\":\"p\",\"_schemaURL\":\"s\",\"fields\":{\"c\":{\"inputFields\":[{\"namespace\":\"n\",\"name\":\"d%d\",\"field\":\"c\"}]}}}}}]}\n", i + 100, i, i, i + 1, i }' >chain
    L ingest chain
    [ "$(L up 'd10000#c' | grep -c '	column	')" -eq 10000 ]
    [ "$(L down d0 | grep -c '	dataset	')" -eq 10000 ]
}

@test "eight writers at once, some killed: the store is whole, and goes on" {
    for w in 1 2 3 4 5 6 7 8; do
        for i in $(seq 40); do ev COMPLETE "$((i % 60))" "$((w * 1000 + i))" "w$w" "$(ds in)" "$(ds "out$i")"; done >"w$w"
    done
    for w in 1 2 3 4 5 6 7 8; do L ingest "w$w" >/dev/null 3>&- & pids[w]=$!; done
    kill -9 "${pids[3]}" "${pids[6]}" 2>/dev/null || true
    for w in 1 2 4 5 7 8; do wait "${pids[w]}"; done
    wait "${pids[3]}" "${pids[6]}" || true
    L ingest w3 w6
    [ "$(L export | sort -u | wc -l)" -eq 320 ]
    [ "$(L runs | wc -l)" -eq 320 ]
}

@test "a dry run keeps nothing; rejects say why" {
    story >e
    echo '{"eventTime":"now","run":{"runId":"x"},"job":{"namespace":"j","name":"n"}}' >>e
    run --separate-stderr L ingest --rejects r --max-rejects 1 e
    assert_success
    jq -e '.reject.rules[0].rule == "event" and (.reject.rules[0].reason | test("RFC 3339")) and .reject.line == 4' r
    run --separate-stderr L ingest e
    dp_expect 1 "e:4: eventTime"
}

@test "a full disk is exit 3, and what was there stays" {
    [ -w /dev/shm ] || skip "no /dev/shm"
    story | L ingest
    before=$(L export | wc -l)
    for i in $(seq 3000); do ev COMPLETE "$((i % 60))" "$((5000 + i))" "f$i" "$(ds "in$i")" "$(ds "out$i")"; done >many
    run --separate-stderr bash -c "ulimit -f 400; trap '' XFSZ; dp-lineage ingest --store s.db many"
    [ "$status" -ne 0 ]
    [[ $stderr == *"store s.db"* ]] || fail "$stderr"
    [ "$(L export | wc -l)" -ge "$before" ]
    L ingest many
    [ "$(L runs | wc -l)" -eq 3003 ]
}

@test "where DP_LINEAGE names a file of events, what to do with it is told" {
    ev COMPLETE 1 1 load "$(ds raw)" "$(ds clean)" >events.ndjson
    export DP_LINEAGE=events.ndjson
    run --separate-stderr dp-lineage runs
    dp_expect 3 "dp-lineage ingest events.ndjson takes it into a store at $XDG_STATE_HOME/dp/lineage.db"
    dp-lineage ingest events.ndjson
    run dp-lineage up clean
    assert_success
}

@test "a file that is none of ours is refused by name" {
    echo "some text" >s.db
    run --separate-stderr L ingest </dev/null
    dp_expect 2 "s.db is no store"
    # of events the way into one is told
    ev COMPLETE 1 1 load "$(ds raw)" "$(ds clean)" >s.db
    for c in "up raw" "tag raw a"; do
        run --separate-stderr L $c
        dp_expect 2 "s.db is a file of events, no store: dp-lineage ingest s.db takes it into $XDG_STATE_HOME/dp/lineage.db"
    done
    DP_LINEAGE=s.db run --separate-stderr dp-lineage up raw
    dp_expect 2 "dp-lineage ingest --store FILE s.db takes it into one"
    dp-lineage ingest s.db
    run -0 dp-lineage up clean
}
