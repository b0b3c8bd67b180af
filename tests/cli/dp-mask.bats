#!/usr/bin/env bats
# dp-mask: defaults by classification, policies and roles, each technique, what must never pass, keys, headers.

# shellcheck disable=SC2016,SC2154
bats_require_minimum_version 1.5.0
load helper

KEY=demo:00112233445566778899aabbccddeeff

setup() {
    dp_setup
    unset DP_MASK_KEY_FILE
    export DP_MASK_KEY=$KEY
    contract '{name: id, logicalType: integer}' '{name: email, logicalType: string, classification: confidential}' \
        '{name: born, logicalType: date, classification: restricted, tags: [pii]}' '{name: note, logicalType: string, classification: internal}' \
        '{name: age, logicalType: integer}' '{name: score, logicalType: number, physicalType: "decimal(10,2)"}' '{name: ip, logicalType: string}' \
        '{name: zip, logicalType: string}' '{name: ts, logicalType: timestamp}' \
        '{name: items, logicalType: array, items: {logicalType: object, properties: [{name: sku, logicalType: string}, {name: email, logicalType: string, classification: confidential}]}}' \
        '{name: nest, logicalType: array, items: {logicalType: array, items: {logicalType: string, classification: confidential}}}' \
        '{name: who, logicalType: object, classification: confidential, properties: [{name: name, logicalType: string}, {name: town, logicalType: string}]}' \
        '{name: any, logicalType: object, classification: confidential}'
}

# A contract c.yaml of these properties.
contract() {
    {
        printf 'apiVersion: v3.1.0\nkind: DataContract\nid: t\nversion: 1.0.0\nstatus: active\nschema:\n  - name: t\n    logicalType: object\n    properties:\n'
        printf '      - %s\n' "$@"
    } >c.yaml
}
# policy LINES: a policy p.yaml
policy() { printf '%s\n' 'version: 1' "$@" >p.yaml; }
mask() { dp-mask -c c.yaml "$@"; }
# by RULE RECORD: what the rule makes of the record, the rule as {column: rule}
by() {
    printf 'version: 1\ncolumns: %s\n' "$1" >p.yaml
    echo "$2" | dp-mask -c c.yaml -p p.yaml
}
same() { # RULE RECORD WANT
    run --separate-stderr by "$1" "$2"
    [ "$status" -eq 0 ] || fail "$1: exit $status: $stderr"
    [ "$output" = "$3" ] || fail "$1: $output, not $3"
}

@test "without a policy: a classified string is a token, another type null, the rest passes byte for byte" {
    printf '%s\n' '{ "id" : 1.0, "email":"ann@example.org","born":"1980-05-06","note":"a\u00e9b","score":1.10 }' |
        mask >out
    echo '{ "id" : 1.0, "email":"v1:demo:iOVZ0JZeEQXS6BFQC-S5BQ","born":null,"note":"a\u00e9b","score":1.10 }' | diff - out
}

@test "tokens: equal values are equal wherever they stand in their domain, however they are spelled" {
    echo '{"email":"ann@example.org","items":[{"email":"\u0061nn@example.org"},{"sku":"x"}],"nest":[["ann@example.org"],[]]}' | mask >out
    jq -e '.email == .items[0].email and .email != .nest[0][0] and .items[1] == {"sku":"x"} and .nest[1] == []' out
    policy 'columns:' '  email: {mask: token, domain: d}' '  nest[][]: {mask: token, domain: d}'
    echo '{"email":"a","nest":[["a"]]}' | mask -p p.yaml | jq -e '.email == .nest[0][0]'
    export DP_MASK_KEY=demo:ffeeddccbbaa99887766554433221100
    [ "$(echo '{"email":"ann@example.org"}' | mask)" != "$(DP_MASK_KEY=$KEY mask <<<'{"email":"ann@example.org"}')" ]
}

@test "tokens of numbers are those of their value" {
    policy 'columns: {score: {mask: token, domain: n}, id: {mask: token, domain: n}, note: {mask: token, domain: n}}'
    for n in 1.10 1.1 11e-1 0.11e1 110E-2; do echo "{\"score\":$n}"; done | mask -p p.yaml | sort -u >out
    [ "$(wc -l <out)" -eq 1 ] || fail "$(cat out)"
    echo '{"score":7.0,"id":7,"note":"7"}' | mask -p p.yaml | jq -e '.score == .id and .id == .note'
    printf '%s\n' '{"score":0}' '{"score":-0.0}' '{"score":0e9}' | mask -p p.yaml | sort -u | wc -l | grep -qx 1
    printf '%s\n' '{"score":1}' '{"score":-1}' '{"score":10}' '{"score":0.1}' '{"score":1e400}' | mask -p p.yaml | sort -u | wc -l | grep -qx 5
}

@test "null stays null, an empty string stays empty" {
    echo '{"email":null,"born":null,"items":null,"nest":[null,["",null]]}' | mask >out
    echo '{"email":null,"born":null,"items":null,"nest":[null,["",null]]}' | diff - out
}

@test "objects: one that is classified is null as a whole; opened, its parts inherit" {
    echo '{"who":{"name":"Ann","town":"Ulm"},"any":{"x":1}}' | mask >out
    echo '{"who":null,"any":null}' | diff - out
    same '{who.town: pass}' '{"who":{"name":"","town":"Ulm"}}' '{"who":{"name":"","town":"Ulm"}}'
    same '{who.town: pass, who.name: redact}' '{"who":{"name":"Ann","town":"Ulm"}}' '{"who":{"name":"***","town":"Ulm"}}'
}

@test "techniques" {
    same '{email: redact, age: redact}' '{"email":"a@b","age":3}' '{"email":"***","age":null}'
    same '{email: {mask: redact, text: "[\"gone\"]"}}' '{"email":"a@b"}' '{"email":"[\"gone\"]"}'
    same '{email: null, age: null}' '{"email":"a@b","age":3}' '{"email":null,"age":null}'
    same '{email: {mask: fixed, value: x@example.org}, age: {mask: fixed, value: 40}}' '{"email":"a@b","age":3}' '{"email":"x@example.org","age":40}'
    same '{email: {mask: keep, first: 2, last: 4}}' '{"email":"ann@example.org"}' '{"email":"an*********.org"}'
    same '{email: {mask: keep, first: 1, text: "•"}}' '{"email":"\u00e9\"ab"}' '{"email":"é•••"}'
    same '{email: {mask: keep, first: 2, last: 2}}' '{"email":"abcd"}' '{"email":"****"}'
    same '{email: {mask: hmac, domain: email, bits: 128}}' '{"email":"ann@example.org"}' "{\"email\":\"$(mac hmac | cut -c 1-32)\"}"
    same '{age: {mask: band, width: 10}}' '{"age":34}' '{"age":"[30,40)"}'
    same '{age: {mask: band, width: 10}}' '{"age":-5}' '{"age":"[-10,0)"}'
    same '{score: {mask: band, width: 2.5, from: 1}}' '{"score":3.50}' '{"score":"[3.5,6.0)"}'
    same '{age: {mask: top, at: 90}}' '{"age":101}' '{"age":90}'
    same '{age: {mask: top, at: 090}}' '{"age":101}' '{"age":90}'
    same '{age: {mask: top, at: 90}}' '{"age":8.9e1}' '{"age":8.9e1}'
    same '{born: {mask: date, to: quarter}, ts: {mask: date, to: decade}}' '{"born":"1980-05-06","ts":"2026-01-02T03:04:05Z"}' '{"born":"1980-Q2","ts":"2020s"}'
    same '{ts: {mask: truncate, to: hour}}' '{"ts":"2026-01-02T03:04:05.678+05:30"}' '{"ts":"2026-01-02T03:00:00.000+05:30"}'
    same '{ts: {mask: truncate, to: quarter}, born: {mask: truncate, to: year}}' '{"ts":"2026-12-02T03:04:05Z","born":"1980-05-06"}' '{"ts":"2026-10-01T00:00:00Z","born":"1980-01-01"}'
    same '{zip: zip}' '{"zip":"89077"}' '{"zip":"890"}'
    same '{zip: zip}' '{"zip":"890"}' '{"zip":"***"}'
    same '{ip: ip}' '{"ip":"192.0.2.17"}' '{"ip":"192.0.2.0"}'
    same '{ip: {mask: ip, v4: 20, v6: 44}}' '{"ip":"10.1.255.3"}' '{"ip":"10.1.240.0"}'
    same '{ip: ip}' '{"ip":"2001:db8:1:2::5"}' '{"ip":"2001:db8:1::"}'
    same '{ip: ip}' '{"ip":"::ffff:192.0.2.17"}' '{"ip":"::ffff:192.0.2.0"}'
}

# The keyed hash by another hand: HKDF and HMAC of openssl.  mac TECHNIQUE
mac() {
    command -v openssl >/dev/null || skip "no openssl"
    local key
    key=$(openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:00112233445566778899aabbccddeeff -kdfopt hexsalt:00 -kdfopt "info:dp|$1|email|demo" HKDF | tr -d ':\n' | tr A-F a-f)
    printf 'email\0ann@example.org' | openssl mac -digest SHA256 -macopt "hexkey:$key" HMAC | tr A-F a-f
}

@test "hierarchies and areas, beside the policy" {
    mkdir d
    printf 'Ulm,BW,DE\r\n"St. Gallen","SG",CH\nRoma,RM,IT\n' >d/towns.csv
    printf '036\n890\n' >d/small
    printf '%s\n' 'version: 1' 'columns:' '  note: {mask: hierarchy, file: towns.csv, level: 2}' '  zip: {mask: zip, file: small}' >d/p.yaml
    echo '{"note":"St. Gallen","zip":"89077"}' | mask -p d/p.yaml >out
    echo '{"note":"CH","zip":"000"}' | diff - out
    run --separate-stderr mask -p d/p.yaml <<<'{"note":"Atlantis"}'
    dp_expect 1 "note: hierarchy: the value is not in the hierarchy's file (a string of 8 bytes)"
    printf 'Ulm,BW\n' >d/towns.csv
    run --separate-stderr mask -p d/p.yaml </dev/null
    dp_expect 2 "towns.csv:1: the row has no level 2"
}

@test "drop: commas and blanks stay right, wherever the field stands" {
    policy 'columns: {id: drop, note: drop, zip: drop, "items[].sku": drop}'
    printf '%s\n' '{"id":1}' '{"id":1,"age":2}' '{ "age" : 2 , "id":1 }' '{"id":1,"note":"x","age":2,"zip":"y"}' '{"age":1,"id":2,"note":"x","zip":"y"}' '{"items":[{"sku":"a"},{"sku":"b","email":""}]}' |
        mask -p p.yaml >out
    printf '%s\n' '{}' '{"age":2}' '{ "age" : 2 }' '{"age":2}' '{"age":1}' '{"items":[{},{"email":""}]}' | diff - out
}

@test "unknown fields: refused, dropped, passed; also inside objects" {
    run --separate-stderr mask <<<'{"mail":"ann@example.org"}'
    dp_expect 1 'mail: the contract does not know this field'
    run --separate-stderr mask <<<'{"items":[{"mail":"ann@example.org"}]}'
    dp_expect 1 'items[].mail: the contract does not know this field'
    [ "$(mask --unknown drop <<<'{"mail":"x","id":1,"items":[{"y":1}]}')" = '{"id":1,"items":[{}]}' ]
    [ "$(mask --unknown pass <<<'{"mail":"x","id":1,"items":[{"y":1}]}')" = '{"mail":"x","id":1,"items":[{"y":1}]}' ]
}

@test "names are compared decoded, and the names of one line do not stand for those of the next" {
    policy 'columns: {email: redact, note: pass}' 'rows: .id != 0'
    printf '%s\n' '{"id":1,"note":"x","email":"secret"}' '{"id":0,"email":"secret","note":"x"}' '{"id":1,"email":"secret","note":"x"}' '{"id":1,"\u0065mail":"secret","note":"x"}' '' \
        '{"id":1,"note":"x","e\u006dail":"secret"}' '{"bad' '{"id":1,"note":"x","email":"secret"}' '{"id":7}' '{"id":1,"note":"secret?","email":"secret"}' |
        mask -p p.yaml --max-rejects 1 --where '.id != 7' >out
    ! grep -q '"secret"' out || fail "$(cat out)"
    [ "$(grep -c '"\*\*\*"' out)" -eq 6 ] || fail "$(cat out)"
}

@test "what is not of the contract's form never passes" {
    for bad in '{"email":{"a":"ann"}}' '{"email":["ann"]}' '{"email":17}' '{"email":true}' '{"items":"ann"}' '{"items":{"email":"ann"}}' '{"items":["ann"]}' '{"items":[["ann"]]}' \
        '{"nest":["ann"]}' '{"nest":[[["ann"]]]}' '{"nest":[[1]]}' '{"email":"x","em\u0061il":"ann"}' '{"items":[{"email":"x","email":"ann"}]}' '{"any":{"a":1,"a":"ann"}}'; do
        run --separate-stderr mask --max-rejects 1 --rejects r <<<"$bad"
        [ "$status" -eq 0 ] || fail "$bad: exit $status: $stderr"
        [ -z "$output" ] || fail "$bad: $output"
        jq -e '.raw == null' r >/dev/null || fail "$bad: $(cat r)"
        ! grep -q ann r || fail "$bad: $(cat r)"
        rm -f r
    done
}

@test "a value that its technique can't read: a reject without the value, or null" {
    policy 'columns: {ip: ip, ts: {mask: truncate, to: day}, born: {mask: date, to: year}}'
    for bad in '{"ip":"300.1.2.3"}' '{"ip":"10.0.0.01"}' '{"ip":"fe80::1%eth0"}' '{"ip":""}' '{"ts":"yesterday"}' '{"ts":"2026-13-01T00:00:00Z"}' '{"born":"6.5.1980"}'; do
        run --separate-stderr mask -p p.yaml <<<"$bad"
        [ "$status" -eq 1 ] || fail "$bad: exit $status: $output"
        [[ $stderr != *"$(jq -r '.[] | if . == "" then "none" else . end' <<<"$bad")"* ]] || fail "$stderr"
    done
    same '{ip: {mask: ip, otherwise: null}, ts: {mask: truncate, to: day, otherwise: null}}' '{"ip":"x","ts":"y"}' '{"ip":null,"ts":null}'
}

@test "rules: columns before tags before classifications, the role's before the common ones" {
    policy 'tags: {pii: {mask: date, to: decade}}' 'classifications: {restricted: drop, confidential: redact, internal: null}' 'columns: {email: {mask: keep, first: 1}}' \
        'roles:' '  one: {columns: {born: {mask: date, to: year}}}' '  two: {tags: {pii: pass}, classifications: {confidential: null}}' '  three:'
    rec='{"email":"abc","born":"1980-05-06","note":"x"}'
    [ "$(mask -p p.yaml <<<"$rec")" = '{"email":"a**","born":"1980s","note":null}' ]
    [ "$(mask -p p.yaml --role one <<<"$rec")" = '{"email":"a**","born":"1980","note":null}' ]
    [ "$(mask -p p.yaml --role two <<<"$rec")" = '{"email":"a**","born":"1980-05-06","note":null}' ]
    [ "$(mask -p p.yaml --role three <<<"$rec")" = "$(mask -p p.yaml <<<"$rec")" ]
    [ "$(mask -p p.yaml --role two <<<'{"items":[{"email":"x"}]}')" = '{"items":[{"email":null}]}' ]
}

@test "pass of a classification looks into objects all the same" {
    contract '{name: o, logicalType: object, classification: internal, properties: [{name: a, logicalType: string}, {name: b, logicalType: string, classification: restricted}]}'
    policy 'classifications: {internal: pass, restricted: redact}'
    [ "$(mask -p p.yaml <<<'{"o":{"a":"x","b":"y"}}')" = '{"o":{"a":"x","b":"***"}}' ]
}

@test "rows: everybody's and the role's; an error is a reject that shows nothing" {
    policy 'rows: .id > 1' 'columns: {email: drop, nest: null, "items[].email": drop}' 'roles: {r: {rows: ".note != \"no\" and (.note | tonumber) > 0"}}'
    printf '%s\n' '{"id":1,"note":"5"}' '{"id":2,"note":"5"}' '{"id":3,"note":"-5"}' | mask -p p.yaml --role r --report r.json >out
    echo '{"id":2,"note":"5"}' | diff - out
    jq -e '.records.filtered == 2 and .records.used == 1' r.json
    run --separate-stderr mask -p p.yaml --role r --max-rejects 1 --rejects bad <<<'{"id":2,"note":"hidden"}'
    [ "$status" -eq 0 ]
    jq -e '.reject.rules[0].rule == "rows" and .raw == null' bad
    ! grep -q hidden bad || fail "$(cat bad)"
    policy 'rows: .id >'
    run --separate-stderr mask -p p.yaml </dev/null
    dp_expect 2 'rows: '
}

@test "wrong policies: exit 2 with the line and the nearest right word" {
    while IFS='|' read -r text want; do
        printf 'version: 1\n%b\n' "$text" >p.yaml
        run --separate-stderr mask -p p.yaml </dev/null
        [ "$status" -eq 2 ] || fail "$text: exit $status: $stderr"
        [[ $stderr == *"$want"* ]] || fail "$text: $stderr"
    done <<'END'
colums: {}|p.yaml:2: a policy has no key "colums", did you mean "columns"?
columns: {emial: redact}|p.yaml:2: the contract has no column "emial", did you mean "email"?
columns: {email: redcat}|no technique "redcat", did you mean redact?
columns: {email: sha256}|sha256: a hash without a key is undone by trying values; use hmac or token
columns: {email: {mask: md5}}|a hash without a key
columns: {email: generalise}|say how: band, top, date, truncate, zip, ip or hierarchy
columns: {email: {mask: token, domian: x}}|token takes no "domian", did you mean domain?
columns: {email: {mask: token, bits: 64}}|bits must be a whole number from 128 to 256
columns: {email: {mask: token, bits: 130}}|bits must be a multiple of 8
columns: {email: {domain: x}}|a rule needs the key "mask"
columns: {age: band}|band needs the key "width"
columns: {age: {mask: band, width: 0}}|width must be
columns: {email: {mask: band, width: 10}}|band does not take a string
columns: {age: {mask: keep, first: 1}}|keep does not take a int64
columns: {age: {mask: top, at: 89.5}}|top does not take a int64
columns: {ts: {mask: token}}|token does not take a timestamp
columns: {age: {mask: fixed, value: many}}|the value of fixed is not of its type
columns: {"nest[]": drop}|drop takes a field away
columns: {any.x: redact}|takes the column that it is in as a whole
columns: {items: null, "items[].sku": redact}|another rule takes the column that it is in as a whole
columns: {born: {mask: date, to: hour}}|date does not take
columns: {note: {msk: redact}}|p.yaml:2: a rule has no key "msk", did you mean "mask"?
columns: {note: {technique: redact}}|p.yaml:2: a rule has no key "technique", and it needs the key "mask"
columns: {note: {text: x}}|p.yaml:2: a rule needs the key "mask"
rols: {}|p.yaml:2: a policy has no key "rols", did you mean "roles"?
roles: {a: {colums: {}}}|a role has no key "colums"
END
    printf 'version: 1\ncolumns:\n\tnote: redact\n' >p.yaml
    run --separate-stderr mask -p p.yaml </dev/null
    dp_expect 2 "p.yaml:3: a tab can't indent YAML: write spaces instead"
    printf 'columns: {}\n' >p.yaml
    run --separate-stderr mask -p p.yaml </dev/null
    dp_expect 2 'a policy begins with `version: 1`'
    policy 'roles: {analyst: {}, support: {}}'
    run --separate-stderr mask -p p.yaml --role analist </dev/null
    dp_expect 2 'no role "analist"; there is analyst, support'
    run --separate-stderr mask --role analyst </dev/null
    dp_expect 2 '--role needs the policy'
}

@test "a file that is named and can't be opened is exit 3, whoever names it" {
    for rule in '{mask: hierarchy, file: nowhere.csv}' '{mask: hierarchy, file: /}'; do
        policy "columns: {note: $rule}"
        run --separate-stderr mask -p p.yaml </dev/null
        dp_expect 3 'p.yaml:2: column note: can'
    done
    policy 'columns: {zip: {mask: zip, file: nowhere}}'
    run --separate-stderr mask -p p.yaml </dev/null
    dp_expect 3 "column zip: can't open ./nowhere"
    run --separate-stderr mask -p nowhere.yaml </dev/null
    dp_expect 3 "can't open nowhere.yaml"
}

@test "a command with a slip is named" {
    run --separate-stderr dp-mask keygn ring
    dp_expect 2 '"keygn" is no file and no command; did you mean "keygen"?'
    [ ! -e ring ]
    contract '{name: n, logicalType: integer}'
    echo '{"n":1}' >keygn
    [ "$(dp-mask -c c.yaml keygn)" = '{"n":1}' ]
}

@test "a tag or classification that no column has is told" {
    policy 'tags:' '  pi: redact' '  pii: redact' 'roles:' '  analyst:' '    classifications:' '      secret: pass'
    run --separate-stderr mask -p p.yaml </dev/null
    assert_equal "$status" 0
    [[ $stderr == *'p.yaml:3: no column of the contract has the tag "pi"'* ]] || fail "$stderr"
    [[ $stderr == *'no column of the contract has the classification "secret"'* ]] || fail "$stderr"
    [[ $stderr != *'"pii"'* ]] || fail "$stderr"
}

@test "required: what would be null is refused, by name" {
    contract '{name: n, logicalType: integer, required: true, classification: restricted}'
    run --separate-stderr mask </dev/null
    dp_expect 2 'column n: it is restricted and required, and int64 can be neither'
    policy 'columns: {n: {mask: band, width: 5}}'
    [ "$(mask -p p.yaml <<<'{"n":7}')" = '{"n":"[5,10)"}' ]
    for rule in null redact '{mask: band, width: 5, otherwise: null}'; do
        policy "columns: {n: $rule}"
        run --separate-stderr mask -p p.yaml </dev/null
        dp_expect 2 'would make it null; drop or fixed would not'
    done
    contract '{name: n, logicalType: number, classification: restricted}'
    policy 'columns: {n: {mask: band, width: 5}}'
    run --separate-stderr mask -p p.yaml <<<'{"n":"x7"}'
    dp_expect 1 'n: band: not a number (a string of 2 bytes)'
}

@test "keys: none, from a file, from the environment, with others' rights" {
    unset DP_MASK_KEY
    run --separate-stderr mask </dev/null
    dp_expect 2 'column email needs a key, and there is none: `dp-mask keygen FILE` makes one'
    run --separate-stderr mask --key-file nowhere </dev/null
    dp_expect 3 'there is no key file nowhere: `dp-mask keygen nowhere` makes it'
    run --separate-stderr dp-mask keygen ring
    [ "$status" -eq 0 ] && [[ $output =~ ^[0-9a-f]{8}$ ]] || fail "$output $stderr"
    id=$output
    [ "$(stat -c %a ring)" = 600 ]
    [ "$(wc -l <ring)" -eq 2 ] && grep -qE "^$id [0-9T:Z-]+ active [0-9a-f]{64}$" ring
    cp -p ring before
    run --separate-stderr dp-mask keygen ring
    dp_expect 2 'never overwritten'
    cmp ring before
    mask --key-file ring <<<'{"email":"a"}' | grep -q "\"v1:$id:" || fail "no token"
    DP_MASK_KEY_FILE=ring mask <<<'{"email":"a"}' | grep -q "\"v1:$id:"
    mask --key-file <(cat ring) <<<'{"email":"a"}' | grep -q "\"v1:$id:"
    run --separate-stderr env DP_MASK_KEY=$KEY DP_MASK_KEY_FILE=ring dp-mask -c c.yaml </dev/null
    dp_expect 2 'which key is meant'
    second=$(dp-mask keygen --add ring)
    mask --key-file ring <<<'{"email":"a"}' | grep -q "\"v1:$second:"
    grep -q "^$id .* retired " ring
    chmod 640 ring
    run --separate-stderr mask --key-file ring </dev/null
    dp_expect 2 'can be read by others (mode 640)'
    for bad in secret 00112233 00000000000000000000000000000000; do
        run --separate-stderr env DP_MASK_KEY=$bad dp-mask -c c.yaml </dev/null
        [ "$status" -eq 2 ] && [[ $stderr != *"$bad"* ]] || fail "$bad: $status $stderr"
    done
    policy 'columns: {email: redact, "items[].email": redact, nest: null}'
    mask -p p.yaml <<<'{"email":"a"}' >out # no key is needed
}

@test "the header: types, what was done, which classification is left" {
    policy 'columns: {age: {mask: band, width: 10}, id: drop, note: redact, ts: {mask: truncate, to: day}, "items[].email": redact}'
    contract '{name: id, logicalType: integer}' '{name: email, logicalType: string, required: true, classification: confidential}' '{name: note, logicalType: string, classification: restricted}' \
        '{name: age, logicalType: integer, required: true}' '{name: ts, logicalType: timestamp}' \
        '{name: items, logicalType: array, items: {logicalType: object, properties: [{name: email, logicalType: string, classification: confidential}]}}'
    echo '{"id":1,"email":"a","note":"b","age":3,"ts":"2026-01-02T03:04:05Z","items":[{"email":"x"}]}' | dp-ingest -f ndjson -c c.yaml --marks | mask -p p.yaml >out
    head -n 1 out >begin
    jq -e '.chain == ["dp-ingest","dp-mask"]' begin
    jq -e '[.schema.fields[] | {(.name): .type}] | add | .email == "string" and .age == "string" and .ts == "timestamp" and (has("id") | not)' begin || fail "$(cat begin)"
    jq -e '.schema.fields[] | select(.name == "age") | .nullable == false' begin
    jq -e '.fields[] | select(.name == "email") | .classification == "confidential" and .done[-1] == {"program":"dp-mask","what":"masked","technique":"token","domain":"email"}' begin || fail "$(cat begin)"
    jq -e '.fields[] | select(.name == "note") | (has("classification") | not) and .done[-1].technique == "redact"' begin
    jq -e '.fields[] | select(.name == "items") | .done[-1].path == "items[].email"' begin
    jq -e '[.fields[].name] | index("id") == null' begin
    tail -n 1 out | jq -e '.["$dp"] == "end" and .records == 1'
}

@test "behind a mask, rejects still hide what is a pseudonym" {
    echo '{"email":"ann@example.org","id":"x"}' | dp-mask -c c.yaml --marks - >masked 2>/dev/null || true
    printf '{"id":1,"email":"ann@example.org"}\n' >in.ndjson
    dp-mask -c c.yaml --marks in.ndjson >masked
    for i in $(seq 20); do # header and record come at once: whoever is first, the header counts
        rm -f r
        dp-map -j 4 '.id | error' --max-rejects 1 --rejects r >/dev/null <masked
        jq -e '.raw == null' r || fail "$(cat r)"
    done
}

@test "in a pipeline: ingest, mask, partition, commit; a contract of the masked view" {
    contract '{name: id, logicalType: integer}' '{name: email, logicalType: string, classification: confidential}' '{name: day, logicalType: date}'
    printf 'id,email,day\n1,ann@example.org,2026-01-02\n2,bob@example.org,2026-01-03\n3,ann@example.org,2026-01-02\n' >in.csv
    dp-table create t -c c.yaml
    dp-run -- 'dp-ingest -c c.yaml in.csv | dp-mask -c c.yaml | dp-partition -c c.yaml -o t | dp-table commit t' >/dev/null
    dp-cat t >out
    [ "$(jq -r .email out | sort -u | wc -l)" -eq 2 ]
    ! grep -q example out || fail "$(cat out)"
    ! grep -rqa 'ann@example' t || fail "a clear value in the table"
}

@test "CSV in, duplicate columns, and what conversion says of a classified cell" {
    contract '{name: id, logicalType: integer}' '{name: email, logicalType: string, classification: confidential}' '{name: salary, logicalType: integer, classification: restricted}'
    printf 'id,email,salary\n1,ann@example.org,secretword\n' >in.csv
    run --separate-stderr mask in.csv --max-rejects 1 --rejects r
    ! grep -q 'secretword\|ann@' r || fail "$(cat r)"
    [[ $output$stderr != *secretword* ]] || fail "$output $stderr"
    contract '{name: id, logicalType: integer}' '{name: zip, logicalType: string, classification: confidential}'
    policy 'columns: {zip: zip}'
    printf 'id,zip\n1,01234\n' >zip.csv
    [ "$(mask -p p.yaml zip.csv)" = '{"id":1,"zip":"012"}' ]
    printf 'id,zip,more\n1,01234,x\n' >more.csv
    run --separate-stderr mask -p p.yaml more.csv
    dp_expect 1 'more: the contract does not know this field'
    [ "$(mask -p p.yaml --unknown drop more.csv)" = '{"id":1,"zip":"012"}' ]
    [ "$(mask -p p.yaml --unknown pass more.csv)" = '{"id":1,"zip":"012","more":"x"}' ]
}

# Parquet and tables

columns_contract() {
    contract '{name: id, logicalType: integer}' '{name: email, logicalType: string, classification: confidential}' '{name: age, logicalType: integer}' \
        '{name: score, logicalType: number, physicalType: "decimal(10,2)"}' '{name: x, logicalType: number}' '{name: ip, logicalType: string}' '{name: day, logicalType: date}' '{name: ts, logicalType: timestamp}' \
        '{name: items, logicalType: array, items: {logicalType: object, properties: [{name: sku, logicalType: string}, {name: email, logicalType: string, classification: confidential}]}}' \
        '{name: ok, logicalType: boolean, classification: restricted}'
    policy 'columns:' '  email: {mask: token, domain: person}' '  items[].email: {mask: token, domain: person}' '  age: {mask: band, width: 10}' '  score: {mask: token, domain: s}' \
        '  x: {mask: top, at: 50.0}' '  ip: ip' '  ts: {mask: truncate, to: quarter}' '  day: {mask: truncate, to: month}' 'roles: {r: {rows: .id % 2 == 0, columns: {id: drop}}}'
    awk 'BEGIN { for (i = 1; i <= 20000; i++) printf "{\"id\":%d,\"email\":%s,\"age\":%d,\"score\":%d.%02d,\"x\":%s,\"ip\":\"10.%d.%d.%d\",\"day\":\"2026-%02d-%02d\",\"ts\":\"19%02d-%02d-11T%02d:00:07.5Z\",\"items\":[{\"sku\":\"s\",\"email\":\"n%d@example.org\"}],\"ok\":true}\n",
        i, i % 9 ? "\"n" i % 700 "@example.org\"" : "null", i % 120 - 10, i % 50, i % 100, i % 11 ? i % 100 ".5" : "\"NaN\"", i % 3, i % 250, i % 200, i % 2 + 1, i % 28 + 1, i % 99, i % 12 + 1, i % 24, i % 30 }' >in.ndjson
    dp-partition -c c.yaml -o pq in.ndjson >files
}

@test "Parquet: the same values as from records, whatever the threads" {
    columns_contract
    for role in '' '--role=r'; do
        # shellcheck disable=SC2086 # no word, or one
        dp-mask -c c.yaml -p p.yaml $role -o o1 -j 1 "$(cat files)" >p1
        # shellcheck disable=SC2086
        dp-mask -c c.yaml -p p.yaml $role -o o2 -j 2 "$(cat files)" >p2
        # shellcheck disable=SC2086
        dp-cat "$(cat files)" | mask -p p.yaml $role | sed 's/\.0\{3,6\}Z/Z/' >want
        dp-cat "$(cat p1)" | diff - want | head -n 5 >d
        [ ! -s d ] || fail "$(cat d)"
        cmp "$(cat p1)" "$(cat p2)"
        rm -rf o1 o2
    done
}

@test "Parquet: rows that can't be masked are rejects by number, without a value" {
    columns_contract
    sed -n 's/"ip":"[^"]*"/"ip":"nowhere.example"/; 1p; 2,40p' in.ndjson >few
    sed -i '5,$s/nowhere.example/10.0.0.1/' few
    dp-partition -c c.yaml -o few.d few >few.files
    run --separate-stderr dp-mask -c c.yaml -p p.yaml -o out "$(cat few.files)"
    dp_expect 1 ':1: ip: ip: not an IP address (a string of 15 bytes)'
    [ -z "$output" ] && [ -z "$(find out -type f 2>/dev/null)" ] || fail "published: $output"
    dp-mask -c c.yaml -p p.yaml -o out --max-rejects 10 --rejects r --report rep.json "$(cat few.files)" >done
    [ "$(dp-cat "$(cat done)" | wc -l)" -eq 36 ]
    jq -e '.records.in == 40 and .records.used == 36 and .records.rejected == 4' rep.json
    [ "$(jq -c '[.reject.line, .raw]' r | tr -d '\n')" = '[1,null][2,null][3,null][4,null]' ] || fail "$(cat r)"
    ! grep -q 'nowhere.example' r || fail "$(cat r)"
}

@test "tables: partitioning is kept, also where the column is masked; marks and paths in the pipe" {
    columns_contract
    sed -i 's/{name: day, logicalType: date}/{name: day, logicalType: date, partitioned: true, partitionKeyPosition: 1}/' c.yaml
    dp-table create t -c c.yaml
    dp-run -- 'dp-ingest -f ndjson -c c.yaml in.ndjson | dp-partition -c c.yaml -o t | dp-table commit t' 2>/dev/null
    dp-mask -c c.yaml -p p.yaml -o plain t >paths
    [ "$(sed 's|/part.*||' paths | sort -u | tr '\n' ' ')" = 'plain/day=2026-01-01 plain/day=2026-02-01 ' ] || fail "$(cat paths)"
    [ "$(dp-cat $(cat paths) | wc -l)" -eq 20000 ]
    policy 'columns: {items: null}'
    dp-table create m -c c.yaml
    dp-run -- 'dp-mask -c c.yaml -p p.yaml -o m t | dp-table commit m' 2>/dev/null
    [ "$(dp-cat m | wc -l)" -eq 20000 ]
    dp-mask -c c.yaml --marks -o elsewhere t >stream
    head -n 1 stream | jq -e '.fields[] | select(.name == "email") | .done[0].what == "masked"'
    tail -n 1 stream | jq -e --argjson n "$(($(wc -l <stream) - 2))" '.records == $n'
    run --separate-stderr bash -c 'dp-table files t | dp-mask -c c.yaml -o again'
    dp_expect 3 'name the table'
    dp-run -- 'dp-mask -c c.yaml -o m in.ndjson | dp-table commit m' >/dev/null 2>err && fail "records were taken"
    grep -q 'no Parquet file and no table' err || fail "$(cat err)"
}

@test "paths in the pipe: files are masked once the pipe was whole" {
    columns_contract
    cat files | dp-mask -c c.yaml -p p.yaml -o out >paths
    [ "$(dp-cat "$(cat paths)" | wc -l)" -eq 20000 ]
    run --separate-stderr dp-mask -c c.yaml -o out2 <in.ndjson
    dp_expect 2 'dp-mask | dp-partition -o DIR'
}

# Rows enough for chunks to be copied: row groups of some hundred kilobytes, of several row groups, with dictionaries, page indexes, bloom filters and checksums.
many_rows() {
    contract '{name: id, logicalType: integer}' '{name: email, logicalType: string, classification: confidential}' '{name: kind, logicalType: string, classification: confidential}' \
        '{name: note, logicalType: string}' '{name: x, logicalType: number}' '{name: ip, logicalType: string}' '{name: geo, logicalType: object, properties: [{name: lat, logicalType: number}, {name: lon, logicalType: number}]}' \
        '{name: items, logicalType: array, items: {logicalType: object, properties: [{name: sku, logicalType: string}, {name: email, logicalType: string, classification: confidential}]}}' "$@"
    policy 'columns: {ip: ip}'
    awk 'BEGIN { srand(7); for (i = 1; i <= 60000; i++) { r = int(rand() * 1000000000); printf "{\"id\":%d,\"email\":%s,\"kind\":\"secretkind%d\",\"note\":\"note %d %d\",\"x\":%d.5,\"ip\":\"10.%d.%d.%d\",\"geo\":{\"lat\":%d.25,\"lon\":null},\"items\":[{\"sku\":\"s%d\",\"email\":\"clear%d@example.org\"}],\"g\":\"g%d\"}\n",
        i, i % 9 ? "\"clear" r "@example.org\"" : "null", i % 5, r, i, r % 997, r % 200, i % 250, r % 250, r % 90, r % 7000, r, int(i / 20001) } }' >in.ndjson
}

@test "Parquet: what passes is copied, what is masked leaves nothing, whatever the threads and the memory" {
    many_rows
    jq -c 'del(.g)' in.ndjson >flat.ndjson
    dp-partition -c c.yaml -o pq --codec snappy --row-group-rows 25000 --page-checksums --bloom id --bloom email --bloom note flat.ndjson >files
    dp-mask -c c.yaml -p p.yaml -o o1 -j 1 --report r.json "$(cat files)" >p1
    dp-mask -c c.yaml -p p.yaml -o o2 -j 2 -m 16M "$(cat files)" >p2
    dp-mask -c c.yaml -p p.yaml -o o3 -j 5 "$(cat files)" >p3
    cmp "$(cat p1)" "$(cat p2)"
    cmp "$(cat p1)" "$(cat p3)"
    jq -e '.columns_copied == 12 and .records.used == 60000' r.json || fail "$(cat r.json)"
    mask -p p.yaml flat.ndjson >want
    dp-cat "$(cat p1)" | diff - want | head -n 5 >d
    [ ! -s d ] || fail "$(cat d)"
    dp-cat --meta "$(cat p1)" >meta
    [ "$(jq -r 'select(.column == "note") | .codec' meta | sort -u)" = snappy ] || fail "$(head -n 3 meta)"
    [ "$(jq -r 'select(.column == "ip") | .codec' meta | sort -u)" = zstd ]
    dp-mask -c c.yaml -p p.yaml -o o4 --codec none "$(cat files)" >p4 # nothing is copied now, and nothing compressed
    ! grep -qaE 'clear[0-9]|secretkind' "$(cat p4)" || fail "a clear value"
    ! grep -qaE 'clear[0-9]|secretkind' "$(cat p1)" || fail "a clear value"
    dp-cat "$(cat p4)" | cmp - want
    [ "$(dp-cat --meta "$(cat p4)" | jq -r .codec | sort -u)" = none ]
}

@test "Parquet: a row that can't be masked amid row groups that are copied; filters; a damaged source" {
    many_rows
    jq -c 'del(.g) | if .id == 42000 then .ip = "nowhere.example" else . end' in.ndjson >flat.ndjson
    dp-partition -c c.yaml -o pq --row-group-rows 25000 --page-checksums flat.ndjson >files
    run --separate-stderr dp-mask -c c.yaml -p p.yaml -o out "$(cat files)"
    dp_expect 1 ':42000: ip: ip: not an IP address'
    [ -z "$(find out -type f 2>/dev/null)" ] || fail "published"
    for j in 1 3; do
        dp-mask -c c.yaml -p p.yaml -o "out$j" -j $j --max-rejects 1 --rejects "r$j" "$(cat files)" >"p$j"
        [ "$(jq -c '[.reject.line, .raw]' "r$j")" = '[42000,null]' ] || fail "$(cat "r$j")"
    done
    cmp "$(cat p1)" "$(cat p3)"
    mask -p p.yaml --max-rejects 1 flat.ndjson >want
    dp-cat "$(cat p1)" | cmp - want
    policy 'columns: {ip: redact}' 'rows: .id % 2 == 0'
    dp-mask -c c.yaml -p p.yaml -o few "$(cat files)" >paths
    mask -p p.yaml flat.ndjson >want
    dp-cat "$(cat paths)" | cmp - want
    policy 'columns: {ip: redact}'
    size=$(stat -c %s "$(cat files)")
    for at in 1 2 3 4 5 6 7 8; do # in columns that are copied and in those that are read
        cp "$(cat files)" bad.parquet
        printf 'XXXX' | dd of=bad.parquet bs=1 seek=$((size * at / 9)) conv=notrunc 2>/dev/null
        run --separate-stderr dp-mask -c c.yaml -p p.yaml -j 2 -o broken bad.parquet
        dp_expect 4 'bad.parquet: row group'
        echo "$stderr" >>said
        [ -z "$(find broken -type f 2>/dev/null)" ] || fail "published"
    done
    grep -q 'column note' said && grep -q 'column email' said || fail "$(cat said)"
}

@test "tables: copied by partition, with several files; deletion vectors" {
    many_rows '{name: g, logicalType: string, partitioned: true, partitionKeyPosition: 1}'
    dp-table create t -c c.yaml
    for part in 1,30000p 30001,60000p; do
        sed -n "$part" in.ndjson >part.ndjson
        dp-run -- 'dp-ingest -f ndjson -c c.yaml part.ndjson | dp-partition -c c.yaml -o t | dp-table commit t' 2>/dev/null
    done
    dp-mask -c c.yaml -p p.yaml -o plain --report r.json -j 1 t >p1
    dp-mask -c c.yaml -p p.yaml -o plain2 -j 2 -m 16M t >p2
    jq -e '.columns_copied > 0 and .records.used == 60000' r.json || fail "$(cat r.json)"
    [ "$(sed 's|/part.*||' p1 | sort -u | tr '\n' ' ')" = 'plain/g=g0 plain/g=g1 plain/g=g2 ' ] || fail "$(cat p1)"
    paste -d' ' p1 p2 | while read -r a b; do cmp "$a" "$b"; done
    mask -p p.yaml in.ndjson | jq -c 'del(.g)' | sort >want
    dp-cat $(cat p1) | jq -c 'del(.g)' | sort | cmp - want
    dp-table create m -c c.yaml
    dp-run -- 'dp-mask -c c.yaml -p p.yaml -o m t | dp-table commit m' 2>/dev/null
    mask -p p.yaml in.ndjson | sort >want
    dp-cat m | sort | cmp - want
    policy 'columns: {g: hmac, ip: ip}' # the partition column itself: rows are laid out anew
    dp-mask -c c.yaml -p p.yaml -o byhash t >paths
    [ "$(dp-cat $(cat paths) | wc -l)" -eq 60000 ]
    [ "$(sed 's|/part.*||' paths | sort -u | wc -l)" -eq 3 ]
    [ -d "$DP_SHARED/corpus/delta/basic-dv-no-checkpoint" ] || skip "the shared corpus is not there"
    for d in basic-dv-no-checkpoint dv-partitioned-with-checkpoint; do
        t=$DP_SHARED/corpus/delta/$d
        dp-contract infer "$t" >dv.yaml 2>/dev/null
        dp-mask -c dv.yaml -o "dv.$d" "$t" >paths
        [ "$(dp-cat $(cat paths) | wc -l)" -eq "$(dp-cat "$t" | wc -l)" ] || fail "$d"
    done
}

@test "--dry-run says what becomes of which column, and writes nothing" {
    many_rows
    jq -c 'del(.g)' in.ndjson >flat.ndjson
    dp-partition -c c.yaml -o pq flat.ndjson >files
    policy 'columns: {ip: ip, id: drop, kind: pass}' 'rows: .x > 3'
    run --separate-stderr dp-mask -n -c c.yaml -p p.yaml -o out "$(cat files)"
    [ "$status" -eq 0 ] && [ -z "$output" ] && [ ! -e out ] || fail "$status $output $stderr"
    [[ $stderr == *'would mask email: token in domain "email", classified confidential'* ]] || fail "$stderr"
    [[ $stderr == *'would drop id: drop'* && $stderr == *'would let pass kind: pass, classified confidential'* && $stderr == *'this is not true: .x > 3'* ]] || fail "$stderr"
    policy 'columns: {ip: ip}'
    run --separate-stderr dp-mask -n -c c.yaml -p p.yaml -o out "$(cat files)"
    [[ $stderr == *'would write 60000 rows to out; of '*' columns would be copied as they stand'* ]] || fail "$stderr"
    [ ! -e out ]
}
