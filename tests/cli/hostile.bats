#!/usr/bin/env bats
# What must not get out, and what must not get in: values in the messages of expressions, keys of objects that are data, keys on the command line.

# shellcheck disable=SC2016,SC2154
bats_require_minimum_version 1.5.0
load helper

setup() {
    dp_setup
    unset DP_MASK_KEY_FILE
    export DP_MASK_KEY=demo:00112233445566778899aabbccddeeff
}

contract() { # PROPERTY...
    {
        printf 'apiVersion: v3.1.0\nkind: DataContract\nid: t\nversion: 1.0.0\nstatus: active\nschema:\n  - name: t\n    logicalType: object\n    properties:\n'
        printf '      - %s\n' "$@"
    } >c.yaml
}
classified() { contract '{name: email, logicalType: string, classification: confidential}' '{name: who, logicalType: object, classification: confidential}'; }

# No byte of the secret in FILES, nor in what was printed.
silent() { # FILE...
    run ! grep -il needle "$@"
    [ -z "$output" ] || fail "in $output: $(cat "$@")"
}

@test "an expression that errs does not tell the value it erred on" {
    classified
    for where in 'error(.email)' '.email|fromjson' '(.email|ascii_downcase|fromjson) == 1' '.email|strptime("%Y")'; do
        run dp-mask -c c.yaml -w "$where" --rejects bad <<<'{"email":"NEEDLE"}'
        [ "$status" -eq 1 ] || fail "$where: exit $status"
        echo "$output" >out
        silent out bad
        jq -e '.reject.rules[0].rule == "where"' bad
    done
    printf '    quality:\n      - {type: custom, engine: dp, implementation: "error(.email)"}\n' >>c.yaml
    run dp-validate -c c.yaml --rejects bad --report r.json --junit j.xml --metrics m <<<'{"email":"NEEDLE"}'
    [ "$status" -eq 1 ]
    echo "$output" >out
    silent out bad r.json j.xml m
}

@test "the message of an expression stays where nothing is classified" {
    contract '{name: email, logicalType: string}'
    run dp-map --where 'error(.email)' . <<<'{"email":"seen"}'
    assert_output --partial seen
}

@test "keys inside a classified object are not named when one stands twice" {
    classified
    run dp-mask -c c.yaml --rejects bad <<<'{"email":"a","who":{"NEEDLE":1,"x":2,"NEEDLE":3}}'
    [ "$status" -eq 1 ]
    echo "$output" >out
    silent out bad
    jq -e '.reject.rules[0].rule == "duplicate-key"' bad
    run dp-mask -c c.yaml --rejects bad <<<'{"email":"a","who":null,"email":"b"}'
    jq -e '.reject.rules[0].path == "email"' bad
}

@test "a key where the name of its file should stand is not told" {
    classified
    unset DP_MASK_KEY
    run dp-mask -c c.yaml --key-file 00112233445566778899aabbccddeeff <<<'{"email":"a"}'
    [ "$status" -eq 2 ]
    refute_output --partial 00112233
}

@test "keygen --add through a link writes the ring that it points to" {
    dp-mask keygen ring
    ln -s ring link
    dp-mask keygen --add link
    [ -L link ]
    [ "$(grep -c retired ring)" -eq 1 ]
}

@test "infer writes odd names so that they read back, and leaves out those that no contract can name" {
    printf '%s\n' '{"a\u2028b":1,"\u0085":"x\u0085y","\ufeffz":true,"\u009fq":[{"\u2029":"v"}],"":5,"o":{"":1}}' >in
    dp-contract infer --all --rules exact --name t <in >c.yaml 2>err
    dp-contract lint c.yaml
    dp-validate -c c.yaml --closed <<<'{"a\u2028b":1,"\u0085":"x\u0085y","\ufeffz":true,"\u009fq":[{"\u2029":"v"}],"o":{}}'
    dp-validate -c c.yaml <in | cmp - in
    grep -q 'left out' c.yaml
}

@test "infer and validate agree on NaN: a value where the contract says double" {
    printf '%s\n' '{"a":"NaN","b":[{"c":"-Infinity"}]}' '{"a":1.5,"b":[{"c":2.5}]}' >in
    dp-contract infer --all --name t <in >c.yaml
    dp-validate -c c.yaml <in | cmp - in
    sed -i '/physicalType: double/d' c.yaml
    run dp-validate -c c.yaml <in
    [ "$status" -eq 1 ]
}

@test "names out of data can't break into a report's text or Markdown" {
    contract '{name: "x\n# forged\u001b[31m<b>\u009b", logicalType: integer}'
    for form in txt md; do
        run dp-validate -c c.yaml --check --report "r.$form" <<<'{"x\n# forged\u001b[31m<b>\u009b":"a"}'
        [ "$status" -eq 1 ]
        run ! grep -qP '^# forged|\x1b|\xc2\x9b' "r.$form"
    done
    run ! grep -q '<b>' r.md
}

@test "rows of data that come where paths are read are not quoted" {
    classified
    run dp-mask -c c.yaml <<<'NEEDLE@example.org,4111'
    [ "$status" -eq 3 ]
    refute_output --partial NEEDLE
    assert_output --partial 'dp-ingest'
    run dp-mask -c c.yaml <<<'NEEDLE://example.org'
    refute_output --partial NEEDLE
}
