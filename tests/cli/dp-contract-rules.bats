#!/usr/bin/env bats
# dp-contract lint, diff, compat: what they say and their exit status; every contract and chain of the corpus.

# shellcheck disable=SC2154 # status, output and stderr are those of run
bats_require_minimum_version 1.5.0
load helper

FRAME='apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
'

# contract FILE <<properties: a contract with one object t
contract() {
    { printf '%sschema:\n  - name: t\n    properties:\n' "$FRAME"; sed 's/^/      /'; } >"$1"
}

# ---- lint ----

@test "lint: a contract without fault says nothing" {
    contract c.yaml <<'Y'
- {name: a, logicalType: integer, required: true}
Y
    run -0 --separate-stderr dp-contract lint c.yaml
    assert_equal "$output$stderr" ""
}

@test "lint: every fault with line, key and what was meant; exit 2" {
    contract c.yaml <<'Y'
- name: a
  logicalType: strng
  requierd: yes
- name: b
  logicalType: string
  logicalTypeOptions: {minLenght: 1, pattern: '(a', maxLength: "5"}
- name: d
  logicalType: integer
  required: yes
Y
    run -2 --separate-stderr dp-contract lint c.yaml
    assert_output - <<'T'
c.yaml:10: logicalType: unknown word "strng"; did you mean "string"?
c.yaml:11: requierd: a property has no such key; did you mean "required"?
c.yaml:14: minLenght: logicalType string has no such key; did you mean "minLength"?
c.yaml:14: pattern: not a pattern: missing closing parenthesis
c.yaml:14: maxLength: must be a whole number from 0, got a string
c.yaml:17: required: must be true or false, got a string; write true; YAML 1.2 reads this word as text
T
    assert_equal "$stderr" "dp-contract: errors 6, warnings 0, files 1"
}

@test "lint: warnings leave the exit status alone, unless they are asked for" {
    contract c.yaml <<'Y'
- {name: a, logicalType: string, primaryKeyPosition: 1, classification: Public}
- {name: A, logicalType: string, logicalTypeOptions: {format: emial}}
Y
    run -0 --separate-stderr dp-contract lint c.yaml
    assert_line --partial 'warning: primaryKeyPosition: a position without primaryKey; add primaryKey: true'
    assert_line --partial 'the column counts as classified; write public'
    assert_line --partial 'differ only in case'
    assert_line --partial 'did you mean "email"?'
    run -2 dp-contract lint --fail-on warning c.yaml
    echo 'nme: x' >>c.yaml
    run -2 dp-contract lint c.yaml
    run -0 dp-contract lint --fail-on never c.yaml
    run -2 dp-contract lint --fail-on nver c.yaml
}

@test "lint: rules that can't be run, that judge nothing, that refer to nothing" {
    contract c.yaml <<'Y'
- name: a
  logicalType: integer
  quality:
    - {metric: invalidValues, mustBe: 0}
    - {metric: nullValues, mustBeGreaterOrEqualTo: 0}
    - {metric: nullValues, mustBe: some}
    - {metric: nullValues, rule: nullCheck, mustBe: 0, unit: precent, severity: eror}
  relationships:
    - {to: other.id}
    - {to: t.b}
  logicalTypeOptions: {minimum: 5, maximum: 1}
Y
    cat >>c.yaml <<'Y'
    quality:
      - {metric: rowCount, mustBeGreaterThan: 1, unit: percent}
      - {metric: duplicateValues, arguments: {properties: [a, z]}, mustBe: 0}
      - {type: sql, query: 'drop table t; select 1', mustBe: 0}
slaProperties:
  - {property: latnecy, value: 1, unit: d, element: t.a}
  - {property: latency, value: 1, unit: d, element: t.gone}
Y
    run -2 --separate-stderr dp-contract lint -v c.yaml
    assert_line 'c.yaml:12: arguments: invalidValues without arguments says nothing; arguments: {validValues: [...]} or {pattern: ...}'
    assert_line 'c.yaml:13: warning: mustBeGreaterOrEqualTo: all data fulfil it'
    assert_line 'c.yaml:14: mustBe: nullValues is counted: must be a number, got a string'
    assert_line 'c.yaml:15: warning: rule: deprecated since v3.1.0; write metric: nullValues'
    assert_line 'c.yaml:15: warning: unit: "precent" is neither rows nor percent: rows are counted; did you mean "percent"?'
    assert_line 'c.yaml:15: warning: severity: "eror" counts as error; did you mean "error"?'
    assert_line 'c.yaml:17: warning: to: "other.id" refers to nothing: there is no such schema object'
    assert_line 'c.yaml:18: warning: to: "t.b" refers to nothing: there is no such property'
    assert_line 'c.yaml:19: maximum: 1 is below minimum 5: no value can be right'
    assert_line --partial 'c.yaml:21: warning: unit: a row count has no percentage'
    assert_line 'c.yaml:22: properties: the object has no property "z"'
    assert_line --partial 'c.yaml:23: warning: query: must be a query that reads'
    assert_line --partial 'c.yaml:23: note: quality: dp runs no SQL: the rule is reported as unsupported'
    assert_line --partial 'c.yaml:25: warning: property: "latnecy" is not in the standard'
    assert_line 'c.yaml:26: warning: element: "t.gone" refers to nothing'
}

@test "lint: secrets are named and never printed" {
    printf '%scustomProperties:\n  - {property: password, value: hunter2}\n  - {property: url, value: "postgres://me:s3cr3t@h/d"}\n  - {property: token, value: "${TOKEN}"}\n' \
        "$FRAME" >c.yaml
    run -0 --separate-stderr dp-contract lint c.yaml
    assert_line --partial 'c.yaml:7: warning: value: looks like a secret'
    assert_line --partial 'c.yaml:8: warning: value: looks like a password in an address'
    refute_line --partial 'c.yaml:9:'
    for form in json github sarif; do
        dp-contract lint --to $form --json c.yaml >>all
    done
    run -1 grep -E 'hunter2|s3cr3t' all
}

@test "lint: JSON, GitHub annotations, SARIF, the summary line" {
    contract 'a,b.yaml' <<'Y'
- {name: a, logicalType: strng}
Y
    dp-contract lint -q --to json 'a,b.yaml' >out || true
    jq -e '.file == "a,b.yaml" and .line == 9 and .level == "error" and .rule == "unknown-word" and .path == "/schema/0/properties/0/logicalType" and .key == "logicalType"
        and .meant == "did you mean \"string\"?"' out >/dev/null || fail "$(cat out)"
    dp-contract lint -q --to github 'a,b.yaml' >out || true
    [[ $(cat out) == '::error file=a%2Cb.yaml,line=9,col='*',title=unknown-word::logicalType: unknown word "strng"; did you mean "string"?' ]] || fail "$(cat out)"
    dp-contract lint -q --to sarif 'a,b.yaml' nowhere.yaml >out && fail "a file that is not there"
    dp-contract lint -q --to sarif 'a,b.yaml' 'a,b.yaml' >out || true
    jq -e '.version == "2.1.0" and (.runs[0].results | length == 2) and .runs[0].results[0].locations[0].physicalLocation.region.startLine == 9' out >/dev/null || fail "$(cat out)"
    dp-contract lint -q --json 'a,b.yaml' >out || true
    tail -n 1 out | jq -e '.errors == 1 and .wrong_files == 1 and .exit == 2 and (.findings | length == 1)' >/dev/null || fail "$(cat out)"
}

@test "lint: text that is no YAML, a duplicate key, an empty file, no file" {
    printf 'a: [1\n' >broken.yaml
    printf '%sname: x\nname: y\n' "$FRAME" >twice.yaml
    : >empty.yaml
    printf '[]\n' >list.yaml
    run -2 --separate-stderr dp-contract lint broken.yaml twice.yaml empty.yaml list.yaml
    assert_line --partial 'broken.yaml:2: '
    assert_line --partial 'twice.yaml:7: duplicate key "name"'
    assert_line --partial 'empty.yaml: an empty document'
    assert_line --partial 'list.yaml:1: a contract must be a map'
    run -3 dp-contract lint nowhere.yaml
}

@test "hostile contracts: a clear answer within a second" {
    { printf 'a: &a [x,x,x,x,x,x,x,x,x]\n'; for i in b c d e f g h i; do p=$(echo "$i" | tr b-i a-h); printf '%s: &%s [*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s,*%s]\n' $i $i $p $p $p $p $p $p $p $p $p; done; } >bomb.yaml
    printf 'a: &a\n  b: *a\n' >cycle.yaml
    head -c 100000 /dev/zero | tr '\0' '[' >deep.yaml
    { printf '%sschema:\n  - name: t\n    properties:\n' "$FRAME"; awk 'BEGIN { for (i = 0; i < 100000; i++) print "      - {name: c" i ", logicalType: string}" }'; } >wide.yaml
    { printf '%s' "$FRAME"; awk 'BEGIN { for (i = 0; i < 50000; i++) print "nam" i ": x" }'; } >keys.yaml
    contract pattern.yaml <<'Y'
- {name: a, logicalType: string, logicalTypeOptions: {pattern: '^(((((a+)+)+)+)+)+$'}}
Y
    for f in bomb cycle deep wide keys; do
        for command in "lint $f.yaml" "diff $f.yaml $f.yaml" "compat $f.yaml $f.yaml"; do
            rc=0
            # shellcheck disable=SC2086 # words
            timeout 5 dp-contract $command >out 2>err || rc=$?
            [ "$rc" -eq 2 ] || [ "$rc" -eq 4 ] || fail "$command: exit $rc: $(head -c 300 err)"
            [ -s err ] || fail "$command says nothing"
        done
    done
    run -0 timeout 5 dp-contract lint pattern.yaml
    awk -v FS='\n' 'BEGIN { while (i < 9990) print "- {name: c" i++ ", logicalType: string, primaryKey: true}" }' | contract many.yaml
    sed 's/: string/: integer/' many.yaml >other.yaml
    run -1 timeout 5 dp-contract compat -q many.yaml other.yaml
    run -0 timeout 5 dp-contract diff many.yaml other.yaml
    run -2 dp-contract lint keys.yaml
    assert_line --partial 'more than 2000 findings'
}

@test "lists of rules have a bound" {
    for n in 1000 1001; do
        { printf '%sslaProperties:\n' "$FRAME"; awk -v n=$n 'BEGIN { for (i = 0; i < n; i++) print "  - {property: latency, value: 1, element: t.a" i "}" }'; } >$n.yaml
    done
    run -0 dp-contract diff 1000.yaml 1000.yaml
    run -4 --separate-stderr dp-contract diff 1001.yaml 1001.yaml
    [[ $stderr == *'1001.yaml:7: slaProperties: more than 1000 entries' ]] || fail "$stderr"
    run -2 dp-contract lint 1001.yaml
}

# ---- diff ----

@test "diff: breaking first, and the step of the version" {
    contract old.yaml <<'Y'
- {name: a, logicalType: string, logicalTypeOptions: {maxLength: 10}}
- {name: b, logicalType: integer, required: true, description: x}
- {name: gone, logicalType: string}
- {name: d, logicalType: string, classification: public}
Y
    contract new.yaml <<'Y'
- {name: a, logicalType: string, logicalTypeOptions: {maxLength: 20}}
- {name: b, logicalType: number, required: true, description: y}
- {name: more, logicalType: date, required: true}
- {name: d, logicalType: string, classification: restricted}
Y
    sed -i 's/version: 1.0.0/version: 1.1.0/' new.yaml
    run -0 --separate-stderr dp-contract diff old.yaml new.yaml
    assert_output - <<'T'
c: old.yaml to new.yaml

Breaking (3)
  t.a: maxLength 20 was 10 (breaks consumers)
  t.b: type number was integer (breaks consumers)
  t.more: required column added, date (breaks reading of earlier data)

Compatible (1)
  t.gone: optional column removed: readers find nulls

Governance (1)
  t.d: classification "restricted" was "public"

Documentation (1)
  t.b: description "y" was "x"

Version 1.1.0, was 1.0.0: a major step is needed, write 2.0.0.
T
    run -0 dp-contract diff --mode backward old.yaml new.yaml
    assert_line 'Breaking (1)'
    run -1 dp-contract diff --fail-on version old.yaml new.yaml
    run -1 dp-contract diff --fail-on breaking old.yaml new.yaml
    sed -i 's/version: 1.1.0/version: 2.0.0/' new.yaml
    run -0 dp-contract diff --fail-on version old.yaml new.yaml
    assert_line --partial 'this is enough'
    run -0 dp-contract diff old.yaml old.yaml
    assert_line 'No changes.'
}

@test "diff: Markdown and JSON" {
    contract old.yaml <<'Y'
- {name: a_b, logicalType: string}
Y
    contract new.yaml <<'Y'
- {name: a_b, logicalType: integer}
Y
    run -0 dp-contract diff --to markdown old.yaml new.yaml
    assert_line '## Breaking (1)'
    assert_line '- **t.a\_b**: type integer was string *(breaks reading of earlier data, and consumers)*'
    dp-contract diff --to json old.yaml new.yaml >out
    jq -e '.needed == "major" and .made == "none" and .suggested == "2.0.0" and (.version_is_right | not) and .counts.breaking == 1
        and .changes[0].path == "t.a_b" and .changes[0].breaks_data and .changes[0].breaks_consumers and .changes[0].new_line == 9' out >/dev/null || fail "$(cat out)"
    run -2 dp-contract diff old.yaml
    run -2 dp-contract diff --mode sideways old.yaml new.yaml
}

@test "diff: rules of quality, enum, keys, service levels, objects" {
    printf 'apiVersion: v3.2.0\nkind: DataContract\nid: c\nversion: 1.0.0\nstatus: active\n' | tee old.yaml >new.yaml
    cat >>old.yaml <<'Y'
slaProperties: [{property: latency, value: 4, unit: h}]
schema:
  - name: t
    properties:
      - {name: k, logicalType: integer, primaryKey: true, quality: [{metric: nullValues, mustBe: 0}]}
      - {name: s, logicalType: string, enum: [{value: a}, {value: b}]}
  - name: u
    properties: [{name: x, logicalType: string}]
Y
    cat >>new.yaml <<'Y'
slaProperties: [{property: latency, value: 2, unit: d}]
schema:
  - name: t
    properties:
      - {name: k, logicalType: integer, quality: [{metric: nullValues, mustBeLessThan: 5, unit: percent}]}
      - {name: s, logicalType: string, enum: [{value: b}, {value: c}]}
Y
    run -0 dp-contract diff old.yaml new.yaml
    assert_line '  t.k: is no longer in the primary key (breaks consumers)'
    assert_line '  t.k: quality rule nullValues mustBeLessThan 5 % was nullValues mustBe 0 (breaks consumers)'
    assert_line '  t.s: values "c" added; values "a" dropped (breaks reading of earlier data, and consumers)'
    assert_line '  u: object removed (breaks consumers)'
    assert_line '  slaProperties: SLA latency weaker: 2 d was 4 h (breaks consumers)'
}

# ---- compat ----

@test "compat: reasons, modes and exit status" {
    contract v1.yaml <<'Y'
- {name: id, logicalType: integer, required: true}
- {name: a, logicalType: string}
Y
    contract v2.yaml <<'Y'
- {name: id, logicalType: integer, required: true}
Y
    contract v3.yaml <<'Y'
- {name: id, logicalType: integer, required: true}
- {name: a, logicalType: integer}
Y
    run -0 --separate-stderr dp-contract compat v1.yaml v2.yaml v3.yaml
    assert_equal "$output$stderr" ""
    run -1 --separate-stderr dp-contract compat --mode backward_transitive v1.yaml v2.yaml v3.yaml
    assert_output '/t/a: type string cannot be read as integer [v1.yaml]'
    assert_equal "$stderr" 'dp-contract: v3.yaml is not BACKWARD_TRANSITIVE compatible: 1 reason'
    run -1 --separate-stderr dp-contract compat --mode Full v1.yaml v3.yaml
    assert_line '/t/a: type string cannot be read as integer [BACKWARD]'
    assert_line '/t/a: type integer cannot be read as string [FORWARD]'
    run -0 dp-contract compat --mode none v1.yaml v3.yaml
    run -1 dp-contract compat --closed v1.yaml v2.yaml
    assert_line '/t/a: not known to the reader'
    run -2 --separate-stderr dp-contract compat --mode backwrd v1.yaml v2.yaml
    [[ $stderr == *'did you mean BACKWARD?'* ]] || fail "$stderr"
    run -2 dp-contract compat v1.yaml
}

@test "compat: JSON" {
    contract v1.yaml <<'Y'
- {name: a, logicalType: string}
Y
    contract v2.yaml <<'Y'
- {name: a, logicalType: string, required: true, physicalType: text}
Y
    dp-contract compat -q --to json v1.yaml v2.yaml >out && fail "compatible"
    jq -e '.path == "/t/a" and .text == "required by the reader, optional in the writer" and .direction == "BACKWARD" and .level == "error" and .against == "v1.yaml"' out >/dev/null ||
        fail "$(cat out)"
    dp-contract compat --json v1.yaml v2.yaml >out 2>err && fail "compatible"
    tail -n 1 out | jq -e '(.compatible | not) and .mode == "BACKWARD" and (.reasons | length == 1) and .exit == 1' >/dev/null || fail "$(cat out)"
}

@test "compat: a table's own history" {
    command -v dp-table >/dev/null || skip "dp-table is not there"
    contract v1.yaml <<'Y'
- {name: id, logicalType: integer, physicalType: bigint, required: true}
- {name: price, logicalType: number, physicalType: 'decimal(10,2)', unique: true}
- {name: free, logicalType: object}
- {name: list, logicalType: array, items: {logicalType: object, properties: [{name: q, logicalType: integer}]}}
Y
    dp-table create t -c v1.yaml
    run -0 dp-contract compat --mode full_transitive t v1.yaml
    sed 's/logicalType: integer, physicalType: bigint/logicalType: string/; s/name: q, logicalType: integer/name: q, logicalType: date/' v1.yaml >v2.yaml
    run -1 --separate-stderr dp-contract compat t v2.yaml
    assert_line '/t/id: type integer cannot be read as string'
    assert_line '/t/list/[]/q: type integer cannot be read as date'
    log=t/_delta_log/0000000000000000000
    jq -c 'select(.metaData) | .metaData.schemaString |= sub("\"long\""; "\"string\"")' ${log}0.json >${log}1.json
    jq -c 'select(.metaData)' ${log}0.json >${log}2.json
    run -0 dp-contract compat t v1.yaml
    run -1 --separate-stderr dp-contract compat --mode backward_transitive t v1.yaml
    assert_output '/t/id: type string cannot be read as integer [t version 1]'
    run -2 dp-contract compat t v1.yaml v2.yaml
    mkdir -p e/_delta_log
    run -3 dp-contract compat e v1.yaml
}

# ---- the corpus ----

@test "corpus: lint refuses the 34 and no other" {
    [ -d "$DP_SHARED/corpus/contract" ] || skip "no shared corpus"
    cd "$DP_SHARED/corpus/contract/files"
    dp-contract lint -q --fail-on never --json ./*.yaml >"$BATS_TEST_TMPDIR/out" 2>/dev/null || true
    cd "$BATS_TEST_TMPDIR"
    tail -n 1 out | jq -r '.findings[] | select(.level == "error") | .file' | sort -u | sed 's|^\./||' >wrong
    jq -r 'select(.expect_schema_valid_for_own_apiVersion | not) | .file' "$DP_SHARED/corpus/contract/index.ndjson" | sort >want
    assert_equal "$(wc -l <want)" 34
    diff want wrong
}

@test "corpus: each chain's verdict in each mode" {
    [ -f "$DP_SHARED/corpus/contract/compat.ndjson" ] || skip "no shared corpus"
    n=0
    while IFS= read -r line; do
        rm -f v*.json
        for i in $(jq 'range(.versions | length)' <<<"$line"); do
            jq --argjson i "$i" '{apiVersion: "v3.2.0", kind: "DataContract", id: "c", version: "\($i).0.0", status: "active", schema: .versions[$i]}' <<<"$line" >"v$i.json"
        done
        dp-contract compat -q v*.json >got || true
        jq -r '.reasons.backward[]' <<<"$line" | diff - got
        for mode in FORWARD FULL BACKWARD_TRANSITIVE FULL_TRANSITIVE; do
            rc=0
            dp-contract compat -q --mode "$mode" v*.json >got || rc=$?
            want=$(jq --arg m "$mode" 'if .expected[$m] then 0 else 1 end' <<<"$line")
            [ "$rc" -eq "$want" ] || fail "$(jq -r .id <<<"$line") $mode: exit $rc"
        done
        n=$((n + 1))
    done <"$DP_SHARED/corpus/contract/compat.ndjson"
    assert_equal "$n" 27
}

@test "a list of rules has its bound (DP_LIMIT_CONTRACT_RULES)" {
    rules() { echo '- name: a'; echo '  quality:'; for i in $(seq "$1"); do echo "    - {metric: nullValues, mustBeLessThan: $i}"; done; }
    rules 1000 | contract at.yaml
    run -0 dp-contract lint at.yaml
    rules 1001 | contract past.yaml
    run -2 --separate-stderr dp-contract lint past.yaml
    [[ $output$stderr == *"more than 1000 entries"* ]] || fail "$output$stderr"
}
