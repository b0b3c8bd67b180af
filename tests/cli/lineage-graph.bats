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
