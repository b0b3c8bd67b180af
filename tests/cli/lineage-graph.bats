#!/usr/bin/env bats
# dp-lineage graph: the whole, a part, each form, moments; what is not there is refused.

bats_require_minimum_version 1.5.0
load helper

ev() { # SECOND RUN JOB INPUT OUTPUT FACETS
    printf '{"eventType":"COMPLETE","eventTime":"2026-01-01T00:00:%02dZ","producer":"https://example.org/t","schemaURL":"https://example.org/s","run":{"runId":"00000000-0000-7000-8000-%012d"},"job":{"namespace":"j","name":"%s"},"inputs":[{"namespace":"n","name":"%s"}],"outputs":[{"namespace":"n","name":"%s","facets":{%s}}]}\n' "$@"
}
F='"_producer":"https://example.org/t","_schemaURL":"https://example.org/f"'
setup() {
    dp_setup
    {
        ev 1 1 load raw clean "\"columnLineage\":{$F,\"fields\":{\"m\":{\"inputFields\":[{\"namespace\":\"n\",\"name\":\"raw\",\"field\":\"p\",\"transformations\":[{\"type\":\"DIRECT\",\"subtype\":\"TRANSFORMATION\",\"masking\":true}]}]}}}"
        ev 2 2 sum clean sum ''
        ev 3 3 other x y ''
        ev 4 4 evil clean '</script><b>' ''
    } >events.ndjson
    dp-lineage ingest --store s.db events.ndjson
}
G() { dp-lineage graph --store s.db "$@"; }
names() { jq -r '[.nodes[] | select(.kind != "column") | .name] | join(" ")'; }

@test "the whole graph, and parts of it" {
    [ "$(G --to json | names)" = '</script><b> clean raw sum x y evil load other sum' ]
    [ "$(G --to json --up dataset:sum | names)" = 'clean raw sum load sum' ]
    [ "$(G --to json --down --depth 1 raw | names)" = 'clean raw load' ]
    [ "$(G --to json x | names)" = 'x y other' ]
    [ "$(G --to json --as-of 2026-01-01T00:00:01Z | names)" = 'clean raw load' ]
    [ "$(G --to json 'clean#m' | names)" = 'clean raw load' ]
}

@test "columns and how they come about" {
    [ "$(G --to json --columns | jq -c '[.edges[] | select(.how) | .how, .masking]')" = '[["TRANSFORMATION"],true]' ]
    [ "$(G --to json | jq '[.nodes[] | select(.kind == "column")] | length')" = 0 ]
}

# a day's pipeline from a file of that day into a table and a file: day DAY
day() {
    local run="\"runId\":\"00000000-0000-7000-8000-0000000001$1\"" n=0 p
    for p in hourly hourly.dp-ingest hourly.dp-partition hourly.dp-table-commit; do
        n=$((n + 1))
        printf '{"eventType":"COMPLETE","eventTime":"2026-11-%sT00:00:0%dZ","producer":"https://example.org/t","schemaURL":"https://example.org/s","run":{"runId":"00000000-0000-7000-8000-00000000%d1%s"},"job":{"namespace":"j","name":"%s"},"inputs":[%s],"outputs":[%s]}\n' \
            "$1" "$n" "$n" "$1" "$p" "$([ $n -gt 1 ] && printf '{"namespace":"file","name":"/in/o-2026-11-%s.csv","facets":{"schema":{%s,"fields":[{"name":"id"}]}}}' "$1" "$F")" \
            "$([ $n -gt 2 ] && printf '{"namespace":"file","name":"/lake/t"}')"
    done
}

@test "files of one dataset are one node, programs of one pipeline one job, unless each is asked for" {
    for d in 01 02 03; do day $d; done | dp-lineage ingest --store p.db
    P() { dp-lineage graph --store p.db "$@"; }
    [ "$(P --to json | jq -c '[.nodes[] | [.name, .files, .programs]], [.edges[] | [.from, .job, .to]]')" = '[["/in/o-{date}.csv",3,null],["/lake/t",null,null],["hourly",null,["dp-ingest","dp-partition","dp-table-commit"]]]
[[0,2,1]]' ]
    [ "$(P --to json --columns | jq '[.nodes[] | select(.kind == "column")] | length')" = 1 ]
    [ "$(P --to json --group none | names)" = '/in/o-{date}.csv /lake/t hourly hourly.dp-ingest hourly.dp-partition hourly.dp-table-commit' ]
    [ "$(P --to json --each | names)" = '/in/o-2026-11-01.csv /in/o-2026-11-02.csv /in/o-2026-11-03.csv /lake/t hourly' ]
    # a file that is named is that file, a printed name is all of them
    [ "$(P --to json /in/o-2026-11-02.csv | names)" = '/in/o-2026-11-02.csv /lake/t hourly' ]
    [ "$(P --to json --up /lake/t | names)" = '/in/o-{date}.csv /lake/t hourly' ]
    [ "$(P --to json '/in/o-{date}.csv#id' --columns | jq -c '[.nodes[] | select(.focus) | .name]')" = '["id"]' ]
    [ "$(P --to json job:hourly.dp-ingest | jq -c '[.nodes[] | select(.focus) | .name]')" = '["hourly"]' ]
    P | grep -qF 'label="o-{date}.csv\n3 files"'
    P --columns | grep -qF '<B>o-{date}.csv</B> (3 files)'
    P --to mermaid | grep -qF 'hourly - 3 programs'
    P --to html | grep -qF 'dp-ingest, dp-partition, dp-table-commit'
}

@test "each form is whole, into a file too, and the same again" {
    for form in dot mermaid json html; do
        G --to $form >"a.$form"
        G --to $form -o "b.$form"
        cmp "a.$form" "b.$form"
    done
    [[ $(head -c 7 a.dot) = digraph ]]
    [[ $(head -n 1 a.mermaid) = 'flowchart LR' ]]
    [[ $(head -n 1 a.html) = '<!DOCTYPE html>' ]]
    run grep -c '</script>' a.html
    assert_output 2
    run grep -cE 'https?://' a.html
    assert_output 0
    cmp a.dot <(G)
}

@test "what is not there is refused" {
    run -2 G nothing.like.it
    run -2 G --to svg
    run -2 G --up --down raw
    run -3 dp-lineage graph --store none.db
}
