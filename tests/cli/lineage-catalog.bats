#!/usr/bin/env bats
# dp-lineage: the catalog over the store: what people say of nodes, and the classification that follows lineage.

# shellcheck disable=SC2154 # status, output and stderr are those of run
bats_require_minimum_version 1.5.0
load helper

# an event: ev SECOND RUN JOB INPUTS OUTPUTS
ev() {
    printf '{"eventType":"COMPLETE","eventTime":"2026-01-01T00:00:%02dZ","producer":"https://example.org/t","schemaURL":"https://example.org/s","run":{"runId":"00000000-0000-7000-8000-%012d"},"job":{"namespace":"j","name":"%s"},"inputs":[%s],"outputs":[%s]}\n' "$@"
}
F='"_producer":"https://example.org/t","_schemaURL":"https://example.org/f"'
ds() { printf '{"namespace":"n","name":"%s","facets":{%s}}' "$1" "${2:-}"; }
# of DATASET FIELD TYPE SUBTYPE [MASKING]
of() { printf '{"namespace":"n","name":"%s","field":"%s","transformations":[{"type":"%s","subtype":"%s","masking":%s}]}' "$1" "$2" "$3" "$4" "${5:-false}"; }
lin() { printf '"columnLineage":{%s,"fields":{%s}}' "$F" "$1"; }
to() { printf '"%s":{"inputFields":[%s]}' "$1" "$2"; }
L() {
    local c=$1
    shift
    dp-lineage "$c" --store s.db "$@"
}

# raw.email -> clean.email (copied), clean.token (masked); raw.age -> clean.adult (indirect); clean.email and clean.city -> out.both; out.both -> clean.email again, in a circle
story() {
    local copy mask
    copy=$(of raw email DIRECT IDENTITY) mask=$(of raw email DIRECT TRANSFORMATION true)
    ev 1 1 load "$(ds raw)" "$(ds clean "$(lin "$(to email "$copy"),$(to token "$mask"),$(to adult "$(of raw age INDIRECT CONDITIONAL)"),$(to city "$(of raw city DIRECT IDENTITY)")")")"
    ev 2 2 join "$(ds clean)" "$(ds out "$(lin "$(to both "$(of clean email DIRECT TRANSFORMATION),$(of clean city DIRECT TRANSFORMATION)")")")"
    ev 3 3 back "$(ds out)" "$(ds clean "$(lin "$(to email "$(of out both DIRECT IDENTITY)")")")"
}

@test "ingest: the same store, rejects and words for any number of threads" {
    local n
    for n in $(seq 1 1500); do
        case $((n % 100)) in
        7) echo '{"eventType":"COMPLETE"}' ;;
        8) echo 'no JSON' ;;
        9) ev $((n % 60)) "$n" job "$(ds "a$((n % 40))" '"documentation":{"description":"x"}')" '' ;; # warned of
        *) ev $((n % 60)) "$((n / 2))" "job$((n % 30))" "$(ds "a$((n % 40))")" "$(ds "b$((n % 50))" "$(lin "$(to x "$(of "a$((n % 40))" y DIRECT IDENTITY)")")")" ;;
        esac
    done >in.ndjson
    for n in 1 2 4; do
        run --separate-stderr dp-lineage ingest --store "s$n.db" -j "$n" --rejects "r$n.ndjson" --max-rejects 99% in.ndjson
        assert_success
        assert_output --regexp '^[0-9]+ events, [0-9]+ of them known already, 15 with warnings$'
        echo "$stderr" >"err$n"
        grep -q 'in.ndjson:9: .*_producer' "err$n"
        [ "$(wc -l <"r$n.ndjson")" -eq 30 ]
        dp-lineage export --store "s$n.db" >"e$n"
        dp-lineage graph --store "s$n.db" --columns >"g$n"
        grep -q b49 "g$n"
        sed -i -E 's/"run":"[^"]*"//' "r$n.ndjson"
        cmp r1.ndjson "r$n.ndjson"
        cmp err1 "err$n"
        cmp e1 "e$n"
        cmp g1 "g$n"
    done
}

@test "tag, own: kept with source and time, the same again changes nothing, --dry-run neither" {
    story | L ingest >/dev/null
    run L tag out tier=gold pii --source ann --now 2026-02-01T00:00:00Z
    assert_success
    assert_output "added	n/out	tier=gold
added	n/out	pii"
    run L tag out tier=gold
    assert_output "as it was	n/out	tier=gold"
    run L tag out tier=lead --source bob --now 2026-02-02T00:00:00Z -n
    assert_output "changed	n/out	tier=lead"
    run L tag out
    assert_output "n/out	pii	true	ann	2026-02-01T00:00:00Z
n/out	tier	gold	ann	2026-02-01T00:00:00Z"
    L tag out tier=lead --source bob --now 2026-02-02T00:00:00Z
    L tag 'out#both' unit=m --source bob --now 2026-02-02T00:00:00Z
    L tag out pii --remove --now 2026-02-03T00:00:00Z
    run L tag out
    assert_output "n/out	tier	lead	bob	2026-02-02T00:00:00Z
n/out#both	unit	m	bob	2026-02-02T00:00:00Z"
    run L tag 'out#both'
    assert_output "n/out#both	unit	m	bob	2026-02-02T00:00:00Z"
    # a job; what is not there goes without a word; the graph tells what held when
    L tag job:j/load cron=daily
    run L tag job:j/load
    assert_line --partial "j/load	cron	daily"
    run L tag out pii --remove
    assert_success
    assert_output "as it was	n/out	pii"
    [ "$(L graph out --to json --as-of 2026-02-01T12:00:00Z | jq -c '[.nodes[] | select(.name == "out").tags[] | .key + "=" + .value]')" = '["pii=true","tier=gold"]' ]
    run L own out team:sales=owner ann --source hr
    assert_success
    run L own out --json
    [ "$(jq -c '[.owners[] | [.owner, .type, .source]]' <<<"$output")" = '[["ann",null,"hr"],["team:sales","owner","hr"]]' ]
    run L impact clean
    assert_line "tell	team:sales"
    L own out ann --remove
    run L impact clean
    refute_line "tell	ann"
    run -2 L own 'out#both' ann
    run -2 L tag out =x
    assert_output --partial 'is no tag: KEY or KEY=VALUE'
    run -2 L tag nowhere x
    run -3 dp-lineage tag --store none.db out x
    [ ! -e none.db ]
}

@test "what events say is theirs: a person can't take it back" {
    ev 1 1 load "$(ds raw)" "$(ds clean "\"tags\":{$F,\"tags\":[{\"key\":\"k\",\"value\":\"1\",\"source\":\"etl\"}]}")" | L ingest >/dev/null
    run -2 L tag clean k --remove
    assert_output --partial "k is said by events: whoever sends them can take it back"
    L tag clean k=2 --source ann
    run L tag clean
    assert_line --partial "k	1	etl"
    assert_line --partial "k	2	ann"
    L tag clean k --remove
    run L tag clean
    refute_line --partial "k	2"
}

@test "classes follow lineage, until a mask" {
    story | L ingest >/dev/null
    run L classify 'raw#email' restricted --source ann
    assert_output "added	n/raw#email	restricted"
    L classify 'raw#age' confidential --source ann
    L classify 'raw#city' internal --source ann
    run L classify clean
    assert_success
    assert_line "n/clean#email	restricted	inherited from n/raw#email"
    assert_line "n/clean#token	-	masked, of restricted n/raw#email"
    assert_line "n/clean#city	internal	inherited from n/raw#city"
    refute_line --partial "n/clean#adult"
    run L classify out
    assert_output "n/out#both	restricted	inherited from n/raw#email"
    # a word of a person wins on that column and from there on, and what it is against is told
    L classify 'clean#email' public --source bob
    run L classify clean
    assert_line "n/clean#email	public	said by bob, against restricted inherited from n/raw#email"
    run L classify out
    assert_output "n/out#both	internal	inherited from n/raw#city"
    L classify 'clean#email' --remove
    run L classify out --json
    [ "$(jq -c '.classes[0] | [.column, .class, .how, .from.name, .from.column]' <<<"$output")" = '["both","restricted","inherited","raw","email"]' ]
    # an unknown word counts as most; a whole dataset's is the least that its columns have
    run --separate-stderr L classify 'raw#city' secret
    assert_output "changed	n/raw#city	secret"
    [[ $stderr == *'secret is none of public, internal, confidential, restricted'* ]]
    run L classify out
    assert_output "n/out#both	secret	inherited from n/raw#city"
    L classify 'raw#city' internal
    L classify clean confidential --source bob
    run L classify clean
    assert_line "n/clean#adult	confidential	of the dataset, said by bob"
    assert_line "n/clean#email	restricted	inherited from n/raw#email"
    assert_line "n/clean#token	confidential	of the dataset, said by bob, masked, of restricted n/raw#email"
    run -2 L classify job:j/load public
}

@test "a job that masks from now on ends the class; another that still copies does not" {
    story | L ingest >/dev/null
    L classify 'raw#email' restricted --source ann
    ev 10 4 load "$(ds raw)" "$(ds clean "$(lin "$(to email "$(of raw email DIRECT TRANSFORMATION true)")")")" | L ingest >/dev/null
    run L classify 'clean#email'
    assert_output "n/clean#email	-	masked, of restricted n/raw#email"
    ev 11 5 other "$(ds raw)" "$(ds clean "$(lin "$(to email "$(of raw email DIRECT IDENTITY)")")")" | L ingest >/dev/null
    run L classify 'clean#email'
    assert_output "n/clean#email	restricted	inherited from n/raw#email, masked, of restricted n/raw#email"
}

@test "a contract's classes, as events bring them, count as said; a person's go before them" {
    local tags='{"key":"classification","value":"confidential","source":"contract","field":"email"}'
    story | L ingest >/dev/null
    ev 5 5 fill "" "$(ds raw "\"schema\":{$F,\"fields\":[{\"name\":\"email\"}]},\"tags\":{$F,\"tags\":[$tags]}")" | L ingest >/dev/null
    run L classify raw
    assert_output "n/raw#email	confidential	said by contract"
    run L classify out
    assert_output "n/out#both	confidential	inherited from n/raw#email"
    L classify 'raw#email' internal --source ann
    run L classify out
    assert_output "n/out#both	internal	inherited from n/raw#email"
}

# orders of two runs of load, the second with another schema; report only reads it
orders() {
    local schema='{"name":"id","type":"long"},{"name":"price","type":"decimal","description":"in euro"}' later='{"name":"id","type":"string"},{"name":"price","type":"decimal"},{"name":"day","type":"date"}'
    ev 1 1 load "{\"namespace\":\"n\",\"name\":\"raw\",\"inputFacets\":{\"dataQualityAssertions\":{$F,\"assertions\":[{\"assertion\":\"not_null\",\"success\":true,\"column\":\"prc\"},{\"assertion\":\"unique\",\"success\":false,\"column\":\"id\",\"actual\":\"3\"}]}}}" \
        "{\"namespace\":\"n\",\"name\":\"orders\",\"facets\":{\"documentation\":{$F,\"description\":\"All orders\"},\"schema\":{$F,\"fields\":[$schema]},$(lin "$(to price "$(of raw prc DIRECT IDENTITY)")")},\"outputFacets\":{\"outputStatistics\":{$F,\"rowCount\":100,\"size\":2000,\"fileCount\":2}}}"
    ev 2 2 load "$(ds raw)" "$(ds orders "\"schema\":{$F,\"fields\":[$later]}")"
    ev 3 3 report "$(ds orders)" ""
}

@test "show: a dataset, a column, a job" {
    orders | L ingest >/dev/null
    L classify 'raw#prc' confidential --source ann
    L own orders team:sales=steward --source hr --now 2026-01-05T00:00:00Z
    run L show orders
    assert_success
    assert_output - <<'.'
dataset n/orders
  description         All orders
  first at            2026-01-01T00:00:01Z
  last at             2026-01-01T00:00:03Z
  written at          2026-01-01T00:00:02Z
  written by          j/load
  rows                100
  bytes               2000
  files               2
  milliseconds        0
  usual milliseconds  0
  writes              2
owners
  n/orders  team:sales  steward  hr  2026-01-05T00:00:00Z
columns
  1  id     string
  2  price  decimal  confidential inherited from n/raw#prc
  3  day    date
changes of the schema
  2026-01-01T00:00:02Z  came     day  date
  2026-01-01T00:00:02Z  changed  id   long -> string
  2026-01-01T00:00:01Z  first         2 columns
runs
  00000000-0000-7000-8000-000000000003  j/report  COMPLETE  2026-01-01T00:00:03Z  2026-01-01T00:00:03Z  0
  00000000-0000-7000-8000-000000000002  j/load    COMPLETE  2026-01-01T00:00:02Z  2026-01-01T00:00:02Z  0
  00000000-0000-7000-8000-000000000001  j/load    COMPLETE  2026-01-01T00:00:01Z  2026-01-01T00:00:01Z  0  100
from
  n/raw  j/load  2026-01-01T00:00:02Z
to
  j/report  2026-01-01T00:00:03Z
.
    run L show orders --limit 1
    refute_line --partial "2 columns"
    run L show raw
    assert_line "  fail  unique    id   3  2026-01-01T00:00:01Z"
    assert_line "  pass  not_null  prc     2026-01-01T00:00:01Z"
    run L show 'orders#price'
    assert_line "  2  price  decimal  confidential inherited from n/raw#prc"
    assert_line "  1	column	direct	n/raw#prc"
    refute_line --partial "day"
    run L show job:j/load
    assert_line "  run count           2"
    assert_line "  n/raw  2026-01-01T00:00:02Z"
    run L show orders --json
    [ "$(jq -c '[.kind, .name, .rows, .columns[1].class, .columns[1].from.column, .owners[0].owner, (.runs | length), .from[0].dataset, .checks]' <<<"$output")" = \
        '["dataset","orders",100,"confidential","prc","team:sales",3,"n/raw",[]]' ]
    run L show job:load --json
    [ "$(jq -c '[.kind, .run_count, .failed_count, (.runs | length)]' <<<"$output")" = '["job",2,0,2]' ]
    run -2 L show nothing
}

@test "a column behind a URL is that column, not its dataset" {
    orders | sed 's|"namespace":"n","name":"|"namespace":"s3://lake","name":"|g' | L ingest >/dev/null
    run L show 's3://lake/orders#price'
    assert_line --index 0 "column s3://lake/orders#price"
    run L up 's3://lake/orders#price'
    assert_line "1	column	direct	s3://lake/raw#prc"
    run -2 L show 's3://lake/orders#nothing'
    assert_output --partial "has no column nothing"
}

@test "search: names before columns before descriptions, beginnings of words, filters" {
    orders | L ingest >/dev/null
    ev 4 4 price.list "$(ds orders)" "$(ds prices "\"documentation\":{$F,\"description\":\"what the raw goods cost in euro\"}")" | L ingest >/dev/null
    run L search price
    assert_success
    assert_output "job	name	j/price.list
dataset	name	n/prices
dataset	column	n/orders"
    run L search raw
    assert_output "dataset	name	n/raw
dataset	text	n/prices"
    run L search goo EUR
    assert_output "dataset	text	n/prices"
    run L search orders nothing
    assert_success
    assert_output ""
    run L search pri --kind dataset --limit 1
    assert_output "dataset	name	n/prices"
    # what is said afterwards is found at once, and no more once it is taken back
    L tag orders tier=gold
    L own orders team:sales
    L classify 'raw#prc' confidential
    run L search gold
    assert_output "dataset	column	n/orders"
    run L search --tag tier
    assert_output "dataset	name	n/orders"
    run L search --tag tier=lead
    assert_output ""
    run L search --owner team:sales price
    assert_output "dataset	column	n/orders"
    run L search --class confidential
    assert_output "dataset	name	n/orders
dataset	name	n/raw"
    L tag orders tier --remove
    run L search gold
    assert_output ""
    # words are words, whatever FTS5 would make of them
    for w in '"' '/' 'a"b' 'name:orders' 'NOT' '*' '(' 'a AND' '-x' '^x' "'" ''; do
        run L search -- "$w"
        assert_success
    done
    run L search price --json
    [ "$(jq -c '[.found[] | [.kind, .name, .where]]' <<<"$output")" = '[["job","price.list","name"],["dataset","prices","name"],["dataset","orders","column"]]' ]
    # a column that only lineage names, of a dataset that was known
    ev 9 9 more "$(ds raw)" "$(ds sums "$(lin "$(to total "$(of raw tax DIRECT AGGREGATION)")")")" | L ingest >/dev/null
    run L search tax
    assert_output "dataset	column	n/raw"
    run -2 L search
    run -2 L search x --class public --kind job
}

@test "search: a store that a program wrote to is indexed by who searches; one that can't be written is searched as it is" {
    orders | L ingest >/dev/null
    printf '{"a":1}\n' >in.ndjson
    DP_LINEAGE=$PWD/s.db dp-partition -o lake in.ndjson >/dev/null
    run L search lake
    assert_line --regexp "^dataset	name	.*/lake$"
    [ "$(id -u)" -ne 0 ] || skip "root writes anything"
    DP_LINEAGE=$PWD/s.db dp-partition -o pond in.ndjson >/dev/null
    chmod a-w s.db
    run --separate-stderr L search pond
    assert_success
    assert_output ""
    [[ $stderr == *'is not found'* ]]
}

@test "search --class: what was found counts until something is said or comes that changes it" {
    story | L ingest >/dev/null
    of_class() { L search --class "$1" | cut -f 3 | sort | tr '\n' ' '; }
    [ -z "$(of_class restricted)" ]
    L classify 'raw#email' restricted --source ann
    [ "$(of_class restricted)" = "n/clean n/out n/raw " ]
    [ "$(of_class restricted)" = "n/clean n/out n/raw " ]
    [ "$(L search --class restricted out | wc -l)" -eq 1 ]
    [ "$(L search --class restricted --limit 2 | wc -l)" -eq 2 ]
    # a copy that comes later
    ev 9 9 copy "$(ds out)" "$(ds copied "$(lin "$(to both "$(of out both DIRECT IDENTITY)")")")" | L ingest >/dev/null
    [ "$(of_class restricted)" = "n/clean n/copied n/out n/raw " ]
    L classify 'raw#email' -r
    [ -z "$(of_class restricted)" ]
    ev 10 10 tags "" "$(ds raw "\"tags\":{$F,\"tags\":[{\"key\":\"classification\",\"value\":\"internal\",\"field\":\"email\"}]}")" | L ingest >/dev/null
    [ "$(of_class internal)" = "n/clean n/copied n/out n/raw " ]
    # a store that can't be written is worked out anew
    L classify 'raw#email' confidential --source ann
    chmod 444 s.db
    [ "$(of_class confidential)" = "n/clean n/copied n/out n/raw " ]
}

@test "policy: classes that are weaker than what a column was made from, without any rule" {
    story | L ingest >/dev/null
    run L policy
    assert_success
    assert_output ""
    L classify 'raw#email' restricted --source ann
    L classify 'out#both' public --source bob
    run L policy
    assert_failure 1
    assert_line "error	weakerClasses	n/out#both	is public, said by bob, and made without a mask from n/raw#email, which is restricted"
    assert_line --partial "1 breach of the policy"
    # a mask says so rightly
    L classify 'clean#token' public --source bob
    run L policy
    refute_line --partial token
    printf 'weakerClasses: warning\n' >p.yaml
    run L policy --rules p.yaml
    assert_success
    assert_line --partial "warning	weakerClasses	n/out#both"
    printf 'weakerClasses: off\n' >p.yaml
    run L policy --rules p.yaml
    assert_output ""
}

@test "policy: names, tags, owners, descriptions, classes; lines, JSON, JUnit" {
    orders | L ingest >/dev/null
    ev 4 4 Bad_Job "$(ds orders)" "$(ds "Weird Name")" | L ingest >/dev/null
    L classify 'raw#prc' confidential --source ann
    L tag orders audience=public
    cat >p.yaml <<'.'
rules:
  - name: names
    datasets: "n/*"
    jobs: ["j/*"]
    pattern: "^[a-z_]+$"
    columns: "^[a-z]+$"
  - name: told
    datasets: n/orders
    owner: true
    description: true
    columnDescriptions: true
    tags: [tier, audience=public]
    severity: warning
  - name: no personal data for all
    datasets: "*"
    tagged: audience=public
    atMost: internal
  - name: classified
    datasets: n/raw
    classified: true
    description: true
.
    run L policy --rules p.yaml --junit j.xml
    assert_failure 1
    assert_output "error	names	n/Weird Name	its name does not match ^[a-z_]+$
warning	told	n/orders	no tag tier
warning	told	n/orders	no owner
warning	told	n/orders#id	no description
warning	told	n/orders#price	no description
warning	told	n/orders#day	no description
error	no personal data for all	n/orders#price	is confidential, more than internal
error	classified	n/raw	no description
error	names	j/Bad_Job	its name does not match ^[a-z_]+$
dp-lineage: 4 breaches of the policy"
    python3 - <<'.'
import xml.etree.ElementTree as e
cases = {c.get("name"): c for c in e.parse("j.xml").getroot().iter("testcase")}
assert list(cases) == ["weakerClasses", "names", "told", "no personal data for all", "classified"]
assert cases["names"].find("failure").get("message") == "2 findings"
assert cases["told"].find("failure") is None and "no owner" in cases["told"].find("system-out").text
.
    run --separate-stderr L policy --rules p.yaml --json
    [ "$(jq -c '[.errors, .warnings, .checked, .findings[6].column, .findings[6].rule]' <<<"$output")" = '[4,5,6,"price","no personal data for all"]' ]
    # once it is kept
    ev 5 5 fix "" "$(ds raw "\"documentation\":{$F,\"description\":\"raw\"}")" | L ingest >/dev/null
    L tag orders audience=staff
    sed -i '/^  - name: names/,/columns/d' p.yaml
    run L policy --rules p.yaml
    assert_success
}

@test "policy: a rule file that is wrong is told with file, line and key" {
    orders | L ingest >/dev/null
    wrong() {
        printf '%s\n' "$1" >p.yaml
        run -2 L policy --rules p.yaml
        assert_output --partial "$2"
    }
    wrong 'rules: [{name: a, datasets: "*", pattern: "("}]' 'pattern'
    wrong 'rules: [{name: a, datasets: "*", ownr: true}]' 'ownr'
    wrong 'rules: [{name: a}]' 'speaks of nothing'
    wrong 'rules: [{datasets: "*"}]' 'a rule needs a name'
    wrong 'rules: [{name: a, datasets: "*", atMost: secret}]' 'atMost: "secret" is none of'
    wrong 'rules: [{name: a, datasets: "*", owner: yes}]' 'owner: expected true or false'
    wrong 'rules: [{name: a, datasets: "*", tags: {a: b}}]' 'tags: expected a word or a list'
    wrong 'rules: [{name: a, datasets: "*"}, {name: a, jobs: "*"}]' 'another rule of the name a'
    wrong 'rules: {}' 'rules: expected a list'
    wrong 'weakerClasses: no' 'none of error, warning, off'
    wrong '[]' 'expected a map'
    run -3 L policy --rules nowhere.yaml
}

# a table, a directory of parts, a partitioned one, single files, and what is none
lake() {
    mkdir -p lake/raw lake/hive/day=1 lake/hive/day=2 lake/.hidden
    printf '{"a":1,"b":"x"}\n' >lake/raw/y.ndjson
    printf 'a,b\n1,x\n' >lake/raw/x.csv
    dp-partition -o lake/tab lake/raw/y.ndjson | dp-table commit lake/tab --eof-commits >/dev/null
    dp-partition -o lake/plain lake/raw/y.ndjson >/dev/null
    cp lake/plain/*.parquet lake/raw/z.parquet
    cp lake/raw/z.parquet lake/hive/day=1/a.parquet
    cp lake/raw/z.parquet lake/hive/day=2/b.parquet
    cp lake/raw/z.parquet lake/.hidden/h.parquet
    mkdir outside && cp lake/raw/z.parquet outside/o.parquet && ln -s ../outside lake/link && ln -s raw/z.parquet lake/z2.parquet
    echo words >lake/raw/notes.txt
}

@test "discover: tables and files, nothing behind links; again only what changed; what is gone is told" {
    lake
    run L discover -n lake
    assert_success
    [ "$(dp-lineage search --store s.db --kind dataset / | wc -l)" -eq 0 ]
    run L discover lake
    assert_success
    assert_output "found	parquet	$PWD/lake/hive
found	parquet	$PWD/lake/plain
found	csv	$PWD/lake/raw/x.csv
found	json	$PWD/lake/raw/y.ndjson
found	parquet	$PWD/lake/raw/z.parquet
found	delta	$PWD/lake/tab
6 datasets, 6 new or changed, 0 gone"
    run L show lake/tab
    assert_line "  version             0"
    assert_line "  2  b  string"
    run L discover lake
    assert_output "6 datasets, 0 new or changed, 0 gone"
    printf '{"a":2,"b":"y"}\n' >more.ndjson
    dp-partition -o lake/tab more.ndjson | dp-table commit lake/tab --eof-commits >/dev/null
    rm lake/raw/x.csv
    run L discover lake --json
    [ "$(jq -c '[.found, .changed, .gone, .faults]' <<<"$output")" = '[5,1,1,0]' ]
    run L show lake/tab --json
    [ "$(jq -r .version <<<"$output")" = 1 ]
    run L discover lake
    assert_output "5 datasets, 0 new or changed, 0 gone"
    run L orphans
    refute_line --partial x.csv
    # what can't be read is told, and is there all the same
    echo junk >lake/raw/bad.parquet
    run --separate-stderr L discover lake
    assert_success
    [[ $stderr == *"lake/raw/bad.parquet: not a Parquet file"* ]]
    run --separate-stderr dp-lineage discover --to events lake
    dp-lineage ingest --store other.db --strict <<<"$output"
    run -3 L discover nowhere
}
