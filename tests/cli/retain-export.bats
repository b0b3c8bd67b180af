#!/usr/bin/env bats
# dp-retain export: who, where and what; what the package holds and what it says; that the audit log comes first and nothing is half there.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

NOW=(--now 2026-01-31T10:00:00Z)
LOG=(--audit log)

table() { # TABLE [dp-partition option...], records on standard input
    local t=$1
    shift
    dp-partition -o "$t" "$@" | dp-table commit "$t" --eof-commits -q >/dev/null
}
records() { printf '%s\n' '{"customer_id":42,"email":"a@b.c","v":1}' '{"customer_id":7,"email":"x@y.z","v":2}'; }
manifest() { unzip -p "${1:-out.zip}" manifest.json; }
# One dataset of the manifest: of TABLE, this jq program says true.
told() { # TABLE PROGRAM
    manifest | jq -e --arg t "$PWD/$1" ".datasets[] | select(.dataset == \$t) | $2" >/dev/null || fail "$1: $2: $(manifest)"
}
export_42() { dp-retain export --subject customer_id=42 --subject email=a@b.c "${LOG[@]}" "${NOW[@]}" -o out.zip -q "$@"; }

@test "tables, files and nested columns below a directory: as CSV, JSON and a page, with digests" {
    records | table lake/customers
    printf 'customer_id,city\n42,"K\xc3\xb6ln"\n"42",x\n042,no\n7,no\n' >lake/cities.csv
    printf '%s\n' '{"customer":{"email":"a@b.c"},"n":1}' '{"customer":{"email":"A@b.c"},"n":2}' '{"n":3}' >lake/nested.ndjson
    printf '%s\n' '{"Email":["q","a@b.c"]}' '{"Email":["q"]}' >lake/lists.ndjson
    echo '{"a":1}' | table lake/other
    { seq 1 3000 | sed 's/.*/{"a":&}/'; echo '{"email":"a@b.c"}'; } >lake/late.ndjson # what its first records do not tell
    run dp-retain export --subject customer_id=42 --subject email=a@b.c --request 'R <1>' "${LOG[@]}" "${NOW[@]}" -o out.zip lake
    assert_success
    assert_line 'out.zip: 6 rows of 5 of 5 datasets; due 2026-02-28, 28 days left'
    [ "$(stat -c %a out.zip)" = 600 ]
    unzip -q out.zip -d u
    [ "$(find u -type f | sort | tr '\n' ' ')" = "u/data/cities_csv.csv u/data/cities_csv.json u/data/customers.csv u/data/customers.json u/data/late_ndjson.csv u/data/late_ndjson.json u/data/lists_ndjson.csv u/data/lists_ndjson.json u/data/nested_ndjson.csv u/data/nested_ndjson.json u/index.html u/manifest.json " ] || fail "$(find u)"
    printf 'customer_id,city\r\n42,K\xc3\xb6ln\r\n42,x\r\n' | cmp - u/data/cities_csv.csv
    jq -e '. == [{"customer_id":42,"email":"a@b.c","v":1}]' u/data/customers.json >/dev/null
    jq -e '. == [{"customer":{"email":"a@b.c"},"n":1}]' u/data/nested_ndjson.json >/dev/null
    jq -e '. == [{"Email":["q","a@b.c"]}]' u/data/lists_ndjson.json >/dev/null
    jq -r '.files[] | "\(.sha256)  u/\(.name)"' u/manifest.json | sha256sum -c --quiet -
    jq -e '.request == "R <1>" and .received == "2026-01-31" and .due == "2026-02-28" and .due_extended == "2026-04-30" and .rows == 6' u/manifest.json >/dev/null
    told lake/other '.state == "no-column" and .rows == 0'
    told lake/nested.ndjson '.columns | map(.column) == ["customer.email","customer_id","email"]'
    grep -q 'R &lt;1&gt;' u/index.html
    run ! grep -qi '<script\|x@y.z' u/index.html
}

@test "the same bytes for any number of threads; a package takes the place of no file" {
    records | table lake/customers
    export_42 lake
    cp out.zip first.zip
    run export_42 lake
    assert_failure 2
    assert_output --partial 'out.zip is there already'
    cmp out.zip first.zip
    rm out.zip
    export_42 lake --threads 1 --memory 16M
    cmp out.zip first.zip
    ln -sf nowhere link.zip
    run dp-retain export --subject id=1 "${LOG[@]}" -o link.zip lake
    assert_failure 2
}

@test "lineage: renamed columns, copies of copies, masked ones, what is gone and what is elsewhere" {
    export DP_LINEAGE=$PWD/events
    records >src.ndjson
    cat >c.yaml <<'YAML'
apiVersion: v3.1.0
kind: DataContract
id: c
version: 1.0.0
status: active
description: {purpose: To ship <b>orders</b>}
schema:
  - name: src
    description: Orders & returns
    properties:
      - {name: customer_id, logicalType: integer, classification: restricted}
      - {name: email, logicalType: string, classification: restricted}
      - {name: v, logicalType: integer}
slaProperties:
  - {property: retention, value: 7, unit: y, element: src.v, driver: regulatory}
YAML
    dp-ingest src.ndjson --marks | dp-map '{cid: .customer_id, mail: .email, v}' | table renamed
    dp-cat renamed --marks | dp-map '{x: .mail, twice: (.v * 2)}' | table copy
    dp-mask keygen k >/dev/null 2>&1
    dp-ingest src.ndjson --marks -c c.yaml | dp-mask -c c.yaml --key-file k | table masked
    dp-ingest src.ndjson --marks | table gone
    rm -r gone
    DP_LINEAGE=none dp-lineage ingest --store l.db events -q
    run export_42 --store l.db -c c.yaml
    assert_success
    told renamed '.rows == 1 and .columns == [{"column":"cid","identifier":"customer_id","why":"lineage"},{"column":"mail","identifier":"email","why":"lineage"}]'
    told renamed ".sources == [\"$PWD/src.ndjson\"] and .recipients == [\"$PWD/copy\"]"
    told copy '.rows == 1 and .columns == [{"column":"x","identifier":"email","why":"lineage"}]'
    told masked '.rows == 0 and (.pseudonymised | sort) == ["customer_id","email"]'
    told gone '.state == "gone"'
    told src.ndjson '.rows == 1 and .description == "Orders & returns" and .purpose == "To ship <b>orders</b>" and .retention == "7 y (regulatory)"'
    unzip -p out.zip index.html >page
    grep -q 'To ship &lt;b&gt;orders' page
    # what is on another system is told, and fails unless it is allowed
    echo '{"eventType":"COMPLETE","eventTime":"2026-01-01T00:00:00Z","run":{"runId":"0190a5f0-0000-7000-8000-000000000001"},"job":{"namespace":"n","name":"j"},"inputs":[{"namespace":"postgres://db:5432","name":"crm.users"}],"outputs":[],"producer":"https://x.example/","schemaURL":"https://openlineage.io/spec/2-0-2/OpenLineage.json"}' >ev
    DP_LINEAGE=none dp-lineage ingest --store l.db ev -q
    rm out.zip
    run export_42 --store l.db
    assert_failure 1
    assert_output --partial '1 datasets could not be searched'
    manifest | jq -e '.datasets[] | select(.dataset == "postgres://db:5432/crm.users") | .state == "unreachable"' >/dev/null
    unzip -p out.zip index.html | grep -q '1 places could not be searched'
    rm out.zip
    run export_42 --store l.db --allow-unreachable --json
    assert_success
    assert_output --partial '"unreachable":1'
}

@test "columns that were named: alone they are searched with their copies, and other columns of the name are not" {
    export DP_LINEAGE=$PWD/events
    printf '%s\n' '{"id":42,"who":"ann"}' >people.ndjson
    printf '%s\n' '{"id":42,"what":"book"}' >orders.ndjson
    dp-ingest people.ndjson --marks | dp-map '{person: .id}' | table copy
    dp-ingest orders.ndjson --marks | table orders
    DP_LINEAGE=none dp-lineage ingest --store l.db events -q
    run dp-retain export --subject person_id=42 --column people.ndjson#id=person_id --only-columns "${LOG[@]}" -o out.zip --store l.db
    assert_success
    told people.ndjson '.rows == 1 and .columns[0].why == "told"'
    told copy '.rows == 1 and .columns == [{"column":"person","identifier":"person_id","why":"lineage"}]'
    told orders.ndjson '.rows == 0'
    local bad
    for bad in orders#idd=person_id nothing people.ndjson#id '#id=person_id' people.ndjson#id=other none.ndjson#id=person_id; do
        run dp-retain export --subject person_id=42 --column "$bad" "${LOG[@]}" -o b.zip --store l.db
        assert_failure 2
        assert_output --partial "--column"
    done
    assert_output --partial 'there is no such dataset'
    [ ! -e b.zip ]
}

@test "a graph of identifiers: closed over chains; a value that many share is refused by its field" {
    records | table lake/customers
    echo '{"device_id":"d2","x":1}' >lake/devices.ndjson
    printf '%s\n' '{"device_id":"d2","phone":"+1"}' '{"customer_id":42,"device_id":["d1","d2"]}' '{"customer_id":7,"device_id":"d3"}' >graph.ndjson
    dp-retain export --subject customer_id=42 --id-graph graph.ndjson "${LOG[@]}" -o out.zip -q lake
    told lake/devices.ndjson '.rows == 1'
    told lake/customers '.rows == 1'
    manifest | jq -e '.identifiers | map(select(.given | not) | .value) | sort == ["+1","d1","d2"]' >/dev/null
    seq 1 600 | sed 's/.*/{"customer_id":&,"phone":"unknown"}/' >graph.ndjson
    run dp-retain export --subject customer_id=42 --id-graph graph.ndjson "${LOG[@]}" -o b.zip lake
    assert_failure
    assert_output --partial 'field phone'
    refute_output --partial unknown
    [ ! -e b.zip ]
}

@test "records that were set aside are the person's, too; a device holds nothing" {
    export DP_LINEAGE=$PWD/events
    printf '%s\n' '{"email":"a@b.c","n":1}' '{"email":"a@b.c","n":"x"}' '{"email":"q","n":"x"}' |
        dp-validate -c <(printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: a' 'version: 1.0.0' 'status: active' 'schema:' '  - name: a' '    properties:' '      - {name: email, logicalType: string}' \
            '      - {name: n, logicalType: integer}') --rejects bad.ndjson --max-rejects 10 >good.ndjson
    dp-cat good.ndjson --to csv >/dev/null
    dp-lineage ingest --store l.db events -q
    echo '{"eventType":"COMPLETE","eventTime":"2026-01-01T00:00:00Z","run":{"runId":"0190a5f0-0000-7000-8000-000000000001"},"job":{"namespace":"n","name":"j"},"inputs":[{"namespace":"file","name":"/dev/null"}],"outputs":[],"producer":"https://x.example/","schemaURL":"https://openlineage.io/spec/2-0-2/OpenLineage.json"}' >ev
    dp-lineage ingest --store l.db ev -q
    run dp-retain export --subject email=a@b.c "${LOG[@]}" -o out.zip --store l.db bad.ndjson
    assert_success
    told good.ndjson '.rows == 1'
    told bad.ndjson '.rows == 1 and .columns[0].column == "raw.email"'
    manifest | jq -e '.datasets[] | select(.dataset == "/dev/null") | .state == "gone"' >/dev/null
}

@test "partitions, deletion vectors and decimals: live rows of the latest version" {
    seq 1 100 | awk '{ printf "{\"customer_id\":%d,\"day\":\"2026-01-%02d\",\"p\":%d.50}\n", $1 % 5, $1 % 3 + 1, $1 }' | table lake/orders --by day
    dp-table delete lake/orders --where '.customer_id == 2 and .p < 50' -q >/dev/null
    dp-retain export --subject customer_id=2 "${LOG[@]}" -o out.zip -q lake/orders
    [ "$(unzip -p out.zip data/orders.json | jq length)" = "$(dp-cat lake/orders | jq -s 'map(select(.customer_id == 2)) | length')" ]
    [ "$(unzip -p out.zip data/orders.json | jq length)" = 10 ]
    dp-retain export --subject p=51.50 "${LOG[@]}" -o p.zip -q lake/orders
    [ "$(unzip -p p.zip data/orders.json | jq length)" = 1 ]
    dp-retain export --subject day=2026-01-02 "${LOG[@]}" -o d.zip -q lake/orders
    [ "$(unzip -p d.zip data/orders.json | jq length)" = "$(dp-cat lake/orders | grep -c '"2026-01-02"')" ]
}

@test "hostile values and names: text in the page, cells in CSV, no formula, no way out of the folder" {
    mkdir -p 'lake/..evil' 'lake/a b' lake/x lake/X
    printf '%s\n' '{"email":"a@b.c","t":"=cmd|1","u":"a,\"b\"\nc","v":"<script>alert(1)</script>&","w":-1,"x":"-1","y":"","z":null,"n":"\u0000\u0007"}' | tee 'lake/a b/we"i,rd<i>.ndjson' lake/x/data.ndjson lake/X/DATA.ndjson >lake/--rm.ndjson
    dp-retain export --subject email=a@b.c "${LOG[@]}" -o out.zip -q lake
    run unzip -Z1 out.zip
    assert_line data/_-rm_ndjson.csv
    refute_output --partial '..'
    [ "$(unzip -Z1 out.zip | tr A-Z a-z | sort | uniq -d)" = "" ]
    unzip -Z1 out.zip | grep -v '^data/[A-Za-z0-9_][A-Za-z0-9_-]*\.\(csv\|json\)$' | sort | paste -sd' ' | grep -qx 'index.html manifest.json'
    unzip -p out.zip data/data_ndjson-2.csv >d.csv
    python3 - <<'P'
import csv
rows = list(csv.DictReader(open("d.csv", newline="", encoding="utf-8")))
assert rows == [{"email": "a@b.c", "t": "'=cmd|1", "u": 'a,"b"\nc', "v": "<script>alert(1)</script>&", "w": "-1", "x": "'-1", "y": "", "z": "", "n": "\0\7"}], rows
P
    [[ $(tail -n 1 d.csv) == *',"",,'* ]] # an empty text is no null
    unzip -p out.zip index.html >page
    run ! grep -q '<script>\|<i>' page
    grep -q '&lt;script&gt;alert(1)&lt;/script&gt;&amp;' page
    python3 -c 'import html.parser; html.parser.HTMLParser().feed(open("page", encoding="utf-8").read())'
}

@test "columns that are not shown; identifiers from a file; nothing found" {
    records | table lake/customers
    printf '# a request\r\ncustomer_id=42\r\n' >who
    dp-retain export --subjects-from who --redact email --redact 'orders#v' "${LOG[@]}" -o out.zip -q lake
    unzip -p out.zip data/customers.json | jq -e '. == [{"customer_id":42,"email":"[redacted]","v":1}]' >/dev/null
    unzip -p out.zip data/customers.csv | grep -q '^42,\[redacted\],1'
    dp-retain export --subjects-from - --redact 'customers#v' "${LOG[@]}" -o two.zip -q lake <who
    unzip -p two.zip data/customers.json | jq -e '.[0].v == "[redacted]" and .[0].email == "a@b.c"' >/dev/null
    run -0 dp-retain export --subject email=nobody "${LOG[@]}" -o none.zip lake
    unzip -p none.zip index.html | grep -q 'Nothing was found about you'
    run -99 dp-retain export --subject email=nobody --skip-empty "${LOG[@]}" -o empty.zip lake
    run -2 dp-retain export "${LOG[@]}" -o no.zip lake
    run -2 dp-retain export --subject nonsense "${LOG[@]}" -o no.zip lake
    run -2 dp-retain export --subject a=b "${LOG[@]}" -o no.zip
    run -3 dp-retain export --subject a=b "${LOG[@]}" -o no.zip --store none.db
    run -3 dp-retain export --subject a=b "${LOG[@]}" -o no.zip nowhere
    [ ! -e no.zip ]
}

@test "the clock: a month by the calendar, 45 days, late" {
    records | table lake/customers
    local law received want n=0
    while read -r law received want; do
        n=$((n + 1))
        dp-retain export --subject a=b "${LOG[@]}" --law "$law" --received "$received" --now 2026-01-10T00:00:00Z -o $n.zip lake --json >json 2>err
        [ "$(jq -r '"\(.due) \(.due_extended) \(.days_left)"' json)" = "$want" ] || fail "$law $received: $(cat json)"
        if [[ $want == *-[0-9]* && ${want##* } == -* ]]; then grep -q 'was due on' err; else run ! grep -q 'was due on' err; fi
    done <<'T'
gdpr 2025-12-31T23:59:59Z 2026-01-31 2026-03-31 21
gdpr 2025-11-30T00:00:00Z 2025-12-30 2026-02-28 -11
gdpr 2026-01-10T01:00:00+02:00 2026-02-09 2026-04-09 30
ccpa 2026-01-01T00:00:00Z 2026-02-15 2026-04-01 36
T
}

@test "the audit log: first, with a salted digest and no personal data; without it nothing is read or written" {
    records | table lake/customers
    dp-retain export --subject email=a@b.c --reason 'case 7' --request R1 "${LOG[@]}" -o out.zip -q lake
    [ "$(dp-retain audit list --audit log | cut -f 4,5,7,8 | paste -sd' ')" = $'begin\tsubject.export\t-\tcase 7 end\tsubject.export\tdone\t-' ]
    run ! grep -rq 'a@b\|a%40b' log
    dp-retain audit show --audit log 1 | jq -es '.[0].what | .request == "R1" and (.subject | .identifiers == 1 and (.salt | length) == 32)' >/dev/null
    dp-retain audit show --audit log | jq -es '.[1].what.rows == 1' >/dev/null
    [ "$(dp-retain audit show --audit log | jq -r 'select(.kind == "end").what.sha256')" = "$(sha256sum <out.zip | cut -d' ' -f1)" ]
    # the digest can be checked by who knows the identifier
    dp-retain audit show --audit log 1 | head -n 1 | jq -r '.what.subject | .salt, .digest' >d
    python3 - <<'P'
import hmac
salt, digest = open("d").read().split()
assert hmac.new(bytes.fromhex(salt), b"email\0a@b.c\n", "sha256").hexdigest() == digest
P
    echo x >file
    run -3 dp-retain export --subject email=a@b.c --audit file -o b.zip lake
    run -3 dp-retain export --subject email=a@b.c --audit /proc/none -o b.zip lake
    [ ! -e b.zip ]
    # a failure is an end, too
    run -3 dp-retain export --subject email=a@b.c "${LOG[@]}" -o nodir/b.zip lake
    [ "$(dp-retain audit list --audit log | tail -n 1 | cut -f 4,7)" = $'end\tfailed' ]
}

@test "what can't be read is told: bad records, a damaged file, a file of another's" {
    records | table lake/customers
    records >lake/half.ndjson
    echo nonsense >>lake/half.ndjson
    records | dp-partition -o lake/dir >/dev/null
    local f=(lake/dir/*.parquet)
    printf 'XXXX' | dd of="${f[0]}" bs=1 seek=4 conv=notrunc status=none
    truncate -s -20 "${f[0]}"
    run export_42 lake
    assert_failure 1
    told lake/half.ndjson '.rows == 1 and .unreadable == 1'
    told lake/customers '.rows == 1'
    manifest | jq -e '[.datasets[] | select(.state == "unreachable")] | length == 1 and .[0].rows == 0' >/dev/null || fail "$(manifest)"
}

@test "killed in the middle, or the disk full: no package" {
    seq 1 300000 | awk '{ printf "{\"customer_id\":42,\"n\":%d,\"t\":\"%s\"}\n", $1, "text " $1 * 7919 }' >big.ndjson
    local i
    for i in 0.01 0.05 0.1 0.2; do
        dp-retain export --subject customer_id=42 "${LOG[@]}" -o k.zip big.ndjson >/dev/null 2>&1 &
        sleep $i
        kill -KILL $! 2>/dev/null || true
        wait $! 2>/dev/null || true
        [ ! -e k.zip ] || { unzip -tq k.zip && rm k.zip; }
    done
    run bash -c "ulimit -f 200; dp-retain export --subject customer_id=42 --audit log -o f.zip big.ndjson"
    assert_failure
    [ ! -e f.zip ]
    run ! compgen -G '.dp-*.tmp' || rm -f .dp-*.tmp # of what was killed at once
    run -0 dp-retain export --subject customer_id=42 "${LOG[@]}" -o k.zip big.ndjson
    [ "$(unzip -p k.zip data/big_ndjson.csv | wc -l)" = 300001 ]
    unzip -p k.zip index.html | grep -q 'first 100 of 300000 rows'
    [ "$(unzip -p k.zip data/big_ndjson.json | jq length)" = 300000 ]
    dp-retain audit verify --audit log >/dev/null
}

@test "what a run has just told and still waits for the store is searched too" {
    export XDG_STATE_HOME=$PWD/state
    records >in.ndjson
    env -u DP_LINEAGE dp-run --name load -- 'dp-ingest in.ndjson | dp-partition -o lake/customers | dp-table commit lake/customers' >/dev/null
    [ ! -e state/dp/lineage.db ] # it waits in the spool
    run env -u DP_LINEAGE dp-retain export --subject customer_id=42 "${LOG[@]}" "${NOW[@]}" -o out.zip
    assert_success
    told lake/customers '.state == "searched" and .rows == 1'
}

@test "older versions: rows that the latest has not, or not so, each once with a version that has it; what is hidden stays hidden" {
    put() { dp-partition -o lake/t "$@" | dp-table commit lake/t --eof-commits -q >/dev/null; }
    printf '%s\n' '{"customer_id":42,"day":"a","v":1}' '{"customer_id":7,"day":"a","v":1}' | put --by day                    # 0
    printf '%s\n' '{"customer_id":42,"day":"b","v":2}' | put --by day                                                       # 1
    dp-table update lake/t --set v=10 --where '.day == "a"' -q >/dev/null                                                    # 2: v 1 is in 1
    dp-table update lake/t --set v=11 --where '.day == "a"' -q >/dev/null                                                    # 3: v 10 is in 2
    dp-table delete lake/t --where '.day == "b"' -q >/dev/null                                                               # 4: day b is in 3
    printf '%s\n' '{"customer_id":42,"day":"c","v":3,"note":"n"}' | dp-partition -o lake/t --by day --evolve add | dp-table commit lake/t --eof-commits --evolve add -q >/dev/null # 5
    dp-compact lake/t -q >/dev/null 2>&1 || true
    export_42 lake
    [ "$(unzip -p out.zip data/t.json | jq -c 'map(.v)')" = '[11,3]' ] || fail "$(unzip -p out.zip data/t.json)"
    manifest | jq -e '.datasets | length == 1' >/dev/null
    unzip -p out.zip index.html | grep -q 'kept for a limited time'
    rm out.zip
    run dp-retain export --subject customer_id=42 "${LOG[@]}" "${NOW[@]}" -o out.zip --history --json -q lake
    assert_success
    jq -e '.rows == 5 and .history_rows == 3 and .tables == 1 and .searched == 1' <<<"${lines[-1]}" >/dev/null || fail "$output"
    unzip -p out.zip data/t-history.json | jq -ce 'map([.v, ._dp_version]) | sort == [[1,1],[2,2],[10,2]]' >/dev/null || fail "$(unzip -p out.zip data/t-history.json)"
    unzip -p out.zip data/t-history.csv | head -n 1 | grep -q '_dp_version'
    manifest | jq -e '.datasets | map([.data, .history]) == [["t", null], ["t-history", true]]' >/dev/null || fail "$(manifest)"
    unzip -p out.zip index.html >page
    grep -q 'older versions of the table had' page
    run ! grep -q 'limited time' page
    grep -q '"history":true' log/*
    # the same for any number of threads; hidden columns do not tell rows apart
    cp out.zip first.zip && rm out.zip
    dp-retain export --subject customer_id=42 "${LOG[@]}" "${NOW[@]}" -o out.zip --history -q -j 1 lake
    cmp out.zip first.zip
    rm out.zip
    dp-retain export --subject customer_id=42 "${LOG[@]}" "${NOW[@]}" -o out.zip --history --redact v -q lake
    unzip -p out.zip data/t-history.json | jq -ce 'map([.day, .v, ._dp_version]) == [["b","[redacted]",2]]' >/dev/null || fail "$(unzip -p out.zip data/t-history.json)"
    rm out.zip
    # what was vacuumed is gone
    dp-table vacuum lake/t --retain 0s --force --now 2099-01-01T00:00:00Z "${LOG[@]}" -q >/dev/null
    dp-retain export --subject customer_id=42 "${LOG[@]}" "${NOW[@]}" -o out.zip --history -q lake
    run ! unzip -p out.zip data/t-history.json
    rm out.zip
}

@test "older versions: a file that no whole version has is told, and the export fails unless that is known" {
    put() { dp-partition -o lake/t "$@" | dp-table commit lake/t --eof-commits -q >/dev/null; }
    echo '{"customer_id":42,"day":"a","v":1}' | put --by day
    echo '{"customer_id":42,"day":"b","v":2}' | put --by day
    rm "$(find lake/t/day=a -name '*.parquet')"
    dp-table delete lake/t --where '.day == "b"' -q >/dev/null
    dp-table delete lake/t --where '.day == "a"' -q >/dev/null 2>&1 || true
    # version 1 lacks a file of day a, and day b is live in no other
    run dp-retain export --subject customer_id=42 "${LOG[@]}" "${NOW[@]}" -o out.zip --history -q lake
    [ "$status" -eq 1 ] || fail "$status $output"
    manifest | jq -e '.datasets | map(.fault // "") | any(test("no version that can be read as a whole|cannot open|latest version could not"))' >/dev/null || fail "$(manifest)"
}
