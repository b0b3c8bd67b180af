#!/usr/bin/env bats
# dp-mask encrypt and reveal: the way back for who has the key and a reason, and never without an entry in the audit log.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

KEY=demo:00112233445566778899aabbccddeeff

setup() {
    dp_setup
    unset DP_MASK_KEY_FILE
    export DP_MASK_KEY=$KEY DP_AUDIT=$PWD/audit
    cat >c.yaml <<'YAML'
apiVersion: v3.1.0
kind: DataContract
id: people
version: 1.0.0
status: active
schema:
  - name: people
    properties:
      - {name: id, logicalType: integer, classification: restricted}
      - {name: email, logicalType: string, classification: confidential}
      - {name: born, logicalType: date, classification: restricted}
      - {name: paid, logicalType: number, physicalType: "decimal(10,2)"}
      - {name: note, logicalType: string}
      - {name: items, logicalType: array, items: {logicalType: object, properties: [{name: iban, logicalType: string, classification: restricted}]}}
YAML
    cat >p.yaml <<'YAML'
version: 1
columns:
  id: {mask: encrypt, domain: person}
  email: encrypt
  paid: encrypt
  items[].iban: {mask: encrypt, domain: account}
YAML
}
mask() { dp-mask -c c.yaml -p p.yaml "$@"; }
reveal() { dp-mask reveal -c c.yaml -p p.yaml --reason 'ticket 815' "$@"; }
actions() { dp-retain audit list | cut -f 4,5 | paste -sd ' '; }

@test "there and back: texts, numbers, nested values, null and empty; what has no way back stays" {
    printf '%s\n' '{ "id":7, "email":"ann@example.org","born":"1980-05-06","paid":1.1,"note":"x","items":[{"iban":"DE1"},{"iban":null},{}]}' \
        '{"id":null,"email":"","items":[]}' '{"id":-12000,"email":"\u00e9\"\n\\ \ud83d\ude00","paid":0}' >in.ndjson
    mask in.ndjson >masked
    jq -es '.[0] | [.id, .email, .paid, .items[0].iban] | all(test("^e1:demo:[A-Za-z0-9_-]{23,}$"))' masked >/dev/null || fail "$(cat masked)"
    run ! grep -qE 'ann|DE1|12000' masked
    reveal masked >back
    jq -c '.born = null | del(.born | nulls)' in.ndjson | jq -cS . >want
    jq -c 'del(.born | nulls)' back | jq -cS . >got
    diff want got
    [ "$(jq -r 'select(.note) | .born' back)" = null ]
    [ "$(head -c 7 back)" = '{ "id":' ] # bytes between the values stay
}

@test "equal values are equal in their domain, and in no other" {
    echo '{"id":1,"email":"a","items":[{"iban":"a"},{"iban":"a"}]}' | mask | jq -e '.items[0] == .items[1] and .email != .items[0].iban' >/dev/null
    [ "$(mask <<<'{"paid":1.10}')" = "$(mask <<<'{"paid":11e-1}')" ]
    [ "$(mask <<<'{"email":"a"}')" != "$(DP_MASK_KEY=demo:ffeeddccbbaa99887766554433221100 mask <<<'{"email":"a"}')" ]
}

@test "retired keys open what they wrote; one that is not in the ring does not" {
    unset DP_MASK_KEY
    dp-mask keygen ring >/dev/null
    echo '{"email":"ann"}' | mask --key-file ring >masked
    dp-mask keygen --add ring >/dev/null
    echo '{"email":"ann"}' | mask --key-file ring >>masked
    [ "$(sort -u masked | wc -l)" -eq 2 ]
    [ "$(reveal --key-file ring masked | sort -u)" = '{"email":"ann"}' ]
    dp-mask keygen other >/dev/null
    run reveal --key-file other masked
    [ "$status" -eq 1 ]
    assert_output --partial 'the ring does not have its key'
    run reveal masked
    [ "$status" -eq 2 ]
    assert_output --partial 'needs a key'
}

@test "what was not encrypted so, or was changed, is a reject that shows nothing" {
    echo '{"email":"ann@example.org","items":[{"iban":"DE1"}]}' | mask >masked
    good=$(jq -r .email masked)
    iban=$(jq -r '.items[0].iban' masked)
    for bad in ann@example.org "${good%?}" "${good}A" "${good/demo/demi}" "e1:demo" "e1:demo:" "e1:demo:AAAA" "v1:demo:xxxx" "$iban" "${good/e1:demo:?/e1:demo:_}"; do
        run --separate-stderr reveal --max-rejects 1 --rejects bad.ndjson <<<"{\"email\":\"$bad\"}"
        [ "$status" -eq 0 ] || fail "$bad: $stderr"
        [ -z "$output" ] || fail "$bad: $output"
        jq -e '.raw == null' bad.ndjson >/dev/null
        rm bad.ndjson
    done
    run reveal <<<'{"email":7}'
    [ "$status" -eq 1 ]
    assert_output --partial 'expected a string, got a number'
    [ "$(reveal <<<"{\"em\\u0061il\":\"\\u0065${good#e}\"}" | jq -r .email)" = ann@example.org ] # decoded names and values
}

@test "the audit log first: who, which columns of what and why; without it nothing is revealed" {
    echo '{"email":"ann@example.org"}' | mask >masked
    run dp-mask reveal -c c.yaml -p p.yaml masked
    [ "$status" -eq 2 ]
    assert_output --partial -- '--reason'
    [ ! -e audit ]
    reveal masked >/dev/null
    [ "$(actions)" = $'begin\tmask.reveal end\tmask.reveal' ]
    dp-retain audit verify >/dev/null
    grep -q '"columns":\["id","email","paid","items\[\].iban"\]' audit/*
    grep -qF "\"object\":\"file://$PWD/masked\"" audit/*
    grep -q '"why":"ticket 815"' audit/*
    grep -q '"records":1,"rejected":0' audit/*
    run grep -r 'ann@' audit
    [ "$status" -eq 1 ]
    echo x >file
    for broken in file /proc/nothing; do
        run --separate-stderr reveal --audit "$broken" masked
        [ "$status" -eq 3 ] || fail "$broken: $status"
        [ -z "$output" ] || fail "$broken: $output"
    done
    run --separate-stderr reveal -n masked
    assert_success
    [ -z "$output" ]
    [[ $stderr == *'would reveal ["id","email","paid","items[].iban"]'* ]] || fail "$stderr"
    [ "$(actions)" = $'begin\tmask.reveal end\tmask.reveal' ]
    run reveal masked missing
    [ "$status" -eq 3 ]
    [ "$(dp-retain audit list | cut -f 4,7 | tail -n 1)" = $'end\tfailed' ]
}

@test "only what a mask encrypts: other techniques have no way back, and a role is that of the mask" {
    run dp-mask reveal -c c.yaml --reason x <<<'{}'
    [ "$status" -eq 2 ]
    assert_output --partial 'no column of this contract, policy and role is encrypted'
    printf 'version: 1\ncolumns: {email: redact}\nroles: {clerk: {columns: {email: encrypt}}}\n' >p.yaml
    mask --role clerk <<<'{"email":"ann"}' >masked
    [ "$(reveal --role clerk masked)" = '{"email":"ann"}' ]
    run reveal masked
    [ "$status" -eq 2 ]
    printf 'version: 1\ncolumns: {born: {mask: encrypt, bits: 128}}\n' >p.yaml
    run mask <<<'{}'
    [ "$status" -eq 2 ]
    assert_output --partial bits
}

@test "through Parquet and tables; the header says revealed, its types are the contract's, and masking ends" {
    seq 1 300 | awk '{ printf "{\"id\":%d,\"email\":\"p%d@example.org\",\"paid\":%d.50,\"note\":\"n\"}\n", $1, $1 % 7, $1 }' >in.ndjson
    dp-partition -o t in.ndjson -c c.yaml | dp-table commit t --eof-commits -q >/dev/null
    dp-mask -c c.yaml -p p.yaml -o m t | dp-table commit m --eof-commits -q >/dev/null
    dp-cat m | reveal | jq -cS '{id, email, paid}' | sort >got
    dp-cat t | jq -cS '{id, email, paid: (.paid)}' | sort >want
    diff want got
    dp-cat t --marks | mask --marks | reveal --marks | head -n 1 >header
    grep -q '"what":"revealed","technique":"encrypt"' header || fail "$(cat header)"
    run grep -o '"name":"email","from":[^]]*masking' header
    [ "$status" -eq 1 ]
    grep -q '"name":"email".*"classification":"confidential"' header
    dp-cat t --marks | mask --marks | reveal --marks -j 1 >one
    dp-cat t --marks | mask --marks | reveal --marks -j 4 >four
    diff <(grep -v run one) <(grep -v run four)
}
