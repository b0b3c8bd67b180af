#!/usr/bin/env bats
# dp-retain plan: what the rules let go, how much of it is known, which versions stay, and that nothing is changed.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

NOW=(--now 2026-06-01T12:00:00Z)

# Ten rows for each day of DAYS, a file a day.
days() { # TABLE DAY...
    local t=$1 d
    shift
    for d in "$@"; do
        seq 1 10 | awk -v d="$d" '{ printf "{\"id\":%d,\"day\":\"%s\",\"ts\":\"%sT%02d:00:00Z\",\"who\":\"p%d\"}\n", $1, d, d, $1 + 5, $1 }'
    done | dp-partition -o "$t" -c c.yaml --by day | dp-table commit "$t" --eof-commits -q >/dev/null
}
contract() {
    cat >c.yaml <<'YAML'
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer}
      - {name: day, logicalType: date}
      - {name: ts, logicalType: timestamp}
      - {name: who, logicalType: string}
slaProperties:
  - {property: retention, value: 1, unit: y, element: orders.ts, driver: regulatory}
YAML
}
rule() { # YAML of one rule, in flow style
    printf 'version: 1\nrules:\n' >r.yaml
    printf -- '  - %s\n' "$@" >>r.yaml
}
setup_table() {
    contract
    days lake/orders 2026-01-01 2026-05-01
    days lake/orders 2026-05-31
}
state() { find lake -type f | sort | xargs cksum; }

@test "rows by a partition column go by whole files, by a column in files to the hour; nothing is changed" {
    setup_table
    state >before
    rule '{id: by-day, reason: GDPR 5(1)(e), rows: {keep: 90d, time: day}}'
    run dp-retain plan -r r.yaml "${NOW[@]}" lake/orders
    assert_success
    [[ ${lines[0]} == "lake/orders: 10 rows go; 1 files of "*" bytes whole, 0 of 0 bytes in part: by-day (GDPR 5(1)(e))" ]] || fail "$output"
    rule '{id: by-ts, rows: {keep: 1d, time: ts}}'
    run dp-retain plan -r r.yaml "${NOW[@]}" lake -o plan
    assert_success
    [[ ${lines[0]} == "lake/orders: 20 to 30 rows go; 2 files of "*" whole, 1 of "*" bytes in part: by-ts" ]] || fail "$output"
    jq -es '.[0].dp_retain_plan == 1 and (.[1].rows | .least == 20 and .most == 30 and .exact == false and .files == 2 and .rewrites == 1) and .[2].end == 1' plan >/dev/null || fail "$(cat plan)"
    run ! grep -q '2026-0\|p1' plan # no values
    run dp-retain plan -r r.yaml "${NOW[@]}" lake --json
    jq -e '.tables == 1 and .tables_to_do == 1 and .rows_most == 30' <<<"${lines[-1]}" >/dev/null || fail "$output"
    state >after
    diff before after
}

@test "nothing to do: no plan, and exit 99 where that is asked for" {
    setup_table
    rule '{id: a, rows: {keep: 10y, time: day}}'
    run dp-retain plan -r r.yaml "${NOW[@]}" lake --skip-empty
    [ "$status" -eq 99 ]
    rule '{id: a, tables: other, rows: {keep: 1d, time: day}}' '{id: off, enabled: false, rows: {keep: 1d, time: day}}'
    run dp-retain plan -r r.yaml "${NOW[@]}" lake
    assert_success
    assert_output --partial '0 of 1 tables'
}

@test "the contract's retention is a rule: a year is a year" {
    setup_table
    run dp-retain plan -c c.yaml --now 2027-05-01T06:30:00Z lake/orders
    assert_success
    assert_line --partial '10 to 20 rows go; 1 files'
    assert_line --partial 'orders/orders/sla/0 (regulatory)'
    run dp-retain plan -c c.yaml --now 2027-01-01T06:00:00Z lake/orders --skip-empty
    [ "$status" -eq 99 ]
}

@test "an S3 lifecycle goes by when files were written; what is not carried out is told" {
    setup_table
    cat >s3.json <<'JSON'
{"Rules": [{"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": "ord"}, "Expiration": {"Days": 30},
  "Transitions": [{"Days": 10, "StorageClass": "GLACIER"}]}]}
JSON
    run --separate-stderr dp-retain plan -r s3.json --now 2099-01-01T00:00:00Z lake
    assert_success
    assert_line --partial 'lake/orders: 30 rows go; 3 files'
    [[ $stderr == *"s3.json:2: expire: Transitions: GLACIER is not carried out: no directory stands for it"* ]] || fail "$stderr"
    sed -i 's/"ord"/"orders\/day=2026"/' s3.json
    run --separate-stderr dp-retain plan -r s3.json --now 2099-01-01T00:00:00Z lake
    [ "$status" -eq 3 ]
    [[ $output == *"ends inside of the table"* ]] || fail "$output"
}

@test "an S3 lifecycle's transitions go where a directory stands for the storage class, as S3 would: sizes, dates, the coldest" {
    setup_table
    mkdir cold frozen
    printf 'version: 1\nstorage-classes: {GLACIER: %s/cold/, DEEP_ARCHIVE: %s/frozen}\n' "$PWD" "$PWD" >classes.yaml
    s3() { printf '%s\n' "{\"Rules\": [{\"ID\": \"x\", \"Status\": \"Enabled\", \"Filter\": {$1}, \"Transitions\": [$2]}]${3:-}}" >s3.json; }
    plan() { run --separate-stderr dp-retain plan -r classes.yaml -r s3.json --now 2099-01-01T00:00:00Z lake "$@"; }
    any='"ObjectSizeGreaterThan": 0'
    s3 "" '{"Days": 10, "StorageClass": "GLACIER"}' # objects below 128 KiB stay
    plan --skip-empty
    [ "$status" -eq 99 ] || fail "$output $stderr"
    s3 "" '{"Days": 10, "StorageClass": "GLACIER"}' ', "TransitionDefaultMinimumObjectSize": "varies_by_storage_class"'
    plan
    assert_line --partial "3 files of "
    assert_line --partial "move to $PWD/cold, as they are: x/GLACIER"
    s3 "$any" '{"Days": 10, "StorageClass": "GLACIER"}, {"Days": 90, "StorageClass": "DEEP_ARCHIVE"}'
    plan
    assert_line --partial "move to $PWD/frozen, as they are: x/DEEP_ARCHIVE"
    refute_output --partial "$PWD/cold"
    s3 "$any" '{"Date": "2099-01-02", "StorageClass": "GLACIER"}'
    plan --skip-empty
    [ "$status" -eq 99 ]
    s3 "$any" '{"Date": "2099-01-01", "StorageClass": "GLACIER"}, {"Days": 1, "StorageClass": "STANDARD_IA"}'
    plan -o p
    assert_success
    [[ $stderr == *"s3.json:1: x: Transitions: STANDARD_IA is not carried out"* ]] || fail "$stderr"
    dp-cat lake/orders | sort >was
    dp-retain apply p -q >/dev/null
    [ "$(find cold -name '*.parquet' | wc -l)" -eq 3 ]
    dp-cat lake/orders | sort | diff was -
    run dp-retain plan -r s3.json -r classes.yaml --now 2099-01-01T00:00:00Z lake --skip-empty # the classes come first
    [ "$status" -eq 99 ]
    for bad in '{"StorageClass": "GLACIER"}' '{"Days": 1, "Date": "2099-01-01", "StorageClass": "GLACIER"}' '{"Days": 1}' '{"Days": -1, "StorageClass": "GLACIER"}' '{"Days": 1, "Storage": "GLACIER"}' '7'; do
        s3 "" "$bad"
        plan
        [ "$status" -eq 2 ] || fail "$bad: $status $output $stderr"
    done
    printf 'version: 1\nstorage-classes: {GLACIER: cold}\n' >classes.yaml
    plan
    [ "$status" -eq 2 ]
    [[ $stderr == *"classes.yaml:2:"*"by its whole path"* ]] || fail "$stderr"
}

@test "of several rules the longest keep wins, and a condition holds what it says" {
    setup_table
    rule '{id: short, rows: {keep: 1d, time: day}}' '{id: long, rows: {keep: 90d, time: day}}'
    run dp-retain plan -r r.yaml "${NOW[@]}" lake
    assert_line --partial 'lake/orders: 10 rows go; 1 files'
    rule '{id: short, rows: {keep: 1d, time: day}}' '{id: hold, rows: {keep: forever, time: day, where: .id == 3}}'
    run dp-retain plan -r r.yaml "${NOW[@]}" lake
    assert_line --partial 'lake/orders: 0 to 20 rows go; 0 files of 0 bytes whole, 2 of'
    rule '{id: written, rows: {keep: 0d}}' '{id: day, rows: {keep: 90d, time: day}}'
    run dp-retain plan -r r.yaml --now 2099-01-01T00:00:00Z lake
    assert_line --partial 'lake/orders: 30 rows go; 3 files'
}

@test "at-most refuses a plan that lets too much go; a table that can't be planned does not hide the others" {
    setup_table
    cp -r lake/orders lake/second
    rule '{id: a, tables: orders, rows: {keep: 1d, time: day, at-most: 50%}}' '{id: b, rows: {keep: 1d, time: day}}'
    run dp-retain plan -r r.yaml "${NOW[@]}" lake -o plan
    [ "$status" -eq 1 ]
    assert_line --partial 'up to 20 of 30 rows would go, more than the 50% that at-most allows'
    assert_line --partial 'lake/second: 20 rows go'
    [ "$(grep -c '"table"' plan)" -eq 1 ]
    rule '{id: a, rows: {keep: 1d, time: dya}}'
    run dp-retain plan -r r.yaml "${NOW[@]}" lake/orders
    [ "$status" -eq 2 ]
    assert_line --partial 'dya'
    rm lake/second/_delta_log/*0.json
    rule '{id: a, rows: {keep: 1d, time: day}}'
    run dp-retain plan -r r.yaml "${NOW[@]}" lake
    [ "$status" -ne 0 ]
    assert_line --partial 'lake/orders: 20 rows go'
    assert_line --partial 'second'
}

@test "versions: those that stay readable, those that go" {
    contract
    for k in 1 2 3 4; do
        echo "{\"id\":$k,\"day\":\"2026-01-01\",\"ts\":\"2026-01-01T00:00:00Z\",\"who\":\"a\"}" | dp-partition -o lake/t -c c.yaml --by day | dp-table commit lake/t --eof-commits --mode overwrite -q >/dev/null
    done
    rule '{id: a, versions: {keep: 30d}}'
    run dp-retain plan -r r.yaml lake
    assert_line --partial 'lake/t: versions 0-3 stay readable; 0 old files'
    run dp-retain plan -r r.yaml --now 2099-01-01T00:00:00Z lake
    assert_line --regexp '^lake/t: versions 3 stay readable, 0-2 go; 3 old files of [0-9]+ bytes are deleted: a$'
    rule '{id: a, versions: {keep: 30d}}' '{id: b, versions: {keep: 1d, last: 2}}'
    run dp-retain plan -r r.yaml --now 2099-01-01T00:00:00Z lake
    assert_line --partial 'lake/t: versions 2-3 stay readable, 0-1 go; 2 old files'
    rule '{id: a, versions: {keep: 1h}}' # the table keeps a week
    run dp-retain plan -r r.yaml --now "$(date -u -d '+1 day' +%FT%TZ)" lake
    assert_line --partial 'versions 0-3 stay readable'
    rule '{id: a, versions: {keep: 1h, below-table: true}}'
    run dp-retain plan -r r.yaml --now "$(date -u -d '+1 day' +%FT%TZ)" lake
    assert_line --partial 'versions 3 stay readable, 0-2 go; 3 old files'
}

@test "a month of versions, a day apart: daily, weekly, monthly" {
    contract
    for k in $(seq 1 40); do
        echo "{\"id\":$k,\"day\":\"2026-01-01\",\"ts\":\"2026-01-01T00:00:00Z\",\"who\":\"a\"}" | dp-partition -o lake/t -c c.yaml --by day | dp-table commit lake/t --eof-commits --mode overwrite -q >/dev/null
    done
    for k in $(seq 0 39); do touch -d "2026-03-01T10:00:00Z + $k days" "lake/t/_delta_log/$(printf %020d "$k").json"; done
    rule '{id: a, versions: {keep: 0d, below-table: true, daily: 3, weekly: 3, monthly: 2}}'
    run dp-retain plan -r r.yaml --now 2099-01-01T00:00:00Z lake
    # version 39 is Thursday 9 April; 30 is 31 March, 35 is Sunday 5 April, 28 is Sunday 29 March
    assert_line --partial 'versions 28, 30, 35, 37-39 stay readable, 0-27, 29, 31-34, 36 go'
}

@test "leftovers of writers that died" {
    setup_table
    mkdir -p lake/orders/_dp_staging/dead
    touch -d 2026-05-01 lake/orders/_dp_staging/dead lake/orders/_delta_log/.dp-1234.tmp
    rule '{id: a, leftovers: {keep: 7d}}'
    run dp-retain plan -r r.yaml "${NOW[@]}" lake
    assert_line 'lake/orders: 2 leftovers of writers go: a'
    rule '{id: a, leftovers: {keep: 40d}}'
    run dp-retain plan -r r.yaml "${NOW[@]}" lake
    refute_output --partial 'leftovers of writers'
}

@test "the same plan for any number of threads; faults of a rule file with their line" {
    setup_table
    for k in 1 2 3 4 5; do cp -r lake/orders "lake/t$k"; done
    rule '{id: a, rows: {keep: 1d, time: day}, versions: {keep: 1d}}'
    dp-retain plan -r r.yaml "${NOW[@]}" lake -o one --threads 1 >one.txt
    dp-retain plan -r r.yaml "${NOW[@]}" lake -o four --threads 4 >four.txt
    cmp one four && cmp one.txt four.txt
    rule '{id: a, rows: {keep: 1d, tme: day}}'
    run --separate-stderr dp-retain plan -r r.yaml lake
    dp_expect 2 "r.yaml:3"
    run --separate-stderr dp-retain plan lake
    dp_expect 2 "-r FILE or -c CONTRACT is needed"
}
