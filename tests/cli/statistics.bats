#!/usr/bin/env bats
# dp-validate --check on Parquet and Delta: statistics answer what they can, and say the same as the records.

bats_require_minimum_version 1.5.0
load helper

# contract EXTRA-OPTIONS-OF-ID EXTRA-PROPERTIES
contract() {
    cat >c.yaml <<Y
apiVersion: v3.1.0
kind: DataContract
id: o
version: 1.0.0
status: active
slaProperties:
  - {property: freshness, value: ${3:-24}, unit: h, element: o.ts}
  - {property: retention, value: 1, unit: y, element: o.day}
schema:
  - name: o
    logicalType: object
    properties:
      - {name: id, logicalType: integer, required: true, logicalTypeOptions: {minimum: ${1:-1}, exclusiveMaximum: 1001}}
      - {name: ts, logicalType: timestamp, required: true, logicalTypeOptions: {minimum: "2026-03-01T00:00:00Z", maximum: "2026-03-01T00:16:40.5Z"}}
      - {name: day, logicalType: date, logicalTypeOptions: {maximum: "2026-12-31"}}
      - {name: word, logicalType: string, quality: [{metric: nullValues, mustBeLessThan: 25.1, unit: percent}, {metric: nullValues, mustBe: 0, severity: warning}]}
      - {name: price, logicalType: number, logicalTypeOptions: {minimum: -0.5}}
      - {name: gone, logicalType: string}
${2:-}
    quality:
      - {metric: rowCount, mustBeBetween: [1000, 1000.5]}
Y
}
data() {
    seq 1000 | awk '{ printf "{\"id\":%d,\"ts\":\"2026-03-01T00:%02d:%02d.5Z\",\"day\":\"2026-02-%02d\",\"word\":%s,\"price\":%d.25,\"country\":\"%s\"}\n", $1, $1 / 60, $1 % 60,
        $1 % 28 + 1, ($1 % 4 ? "\"w" $1 "\"" : "null"), $1 % 7, ($1 % 2 ? "DE" : "FR") }' >in.ndjson
}
plain() {
    data
    sed -i 's/,"country":"[A-Z]*"//' in.ndjson
}
# The verdict on SOURCE..., without what may differ: where samples are, and who answered.
verdict() {
    dp-validate -c c.yaml --check --now 2026-03-01T12:00:00Z "$@" 2>log >rows || true
    jq -c 'del(.from_statistics, .samples)' rows
}

@test "all rules answered: no data page is read" {
    plain
    contract
    verdict in.ndjson >of_records
    dp-partition -c c.yaml -o d in.ndjson >paths
    f=$(cat paths)
    verdict "$f" >of_statistics
    diff of_records of_statistics
    jq -se 'map(select(.check)) | length > 15 and all(.from_statistics)' rows >/dev/null
    run dp-validate -c c.yaml --check --now 2026-03-01T12:00:00Z -v "$f"
    assert_output --partial "no record is read"
    # not a byte of the pages is looked at
    size=$(od -An -tu4 -j $(($(stat -c %s "$f") - 8)) -N 4 "$f" | tr -d ' ')
    dd if=/dev/zero of="$f" bs=1 seek=4 count=$(($(stat -c %s "$f") - 12 - size)) conv=notrunc status=none
    verdict "$f" >of_zeros
    diff of_records of_zeros
}

@test "a rule that a record breaks is answered by records, of its column alone" {
    plain
    contract 5
    dp-partition -c c.yaml -o d in.ndjson >paths
    verdict in.ndjson >of_records
    verdict "$(cat paths)" >of_parquet
    diff of_records of_parquet
    jq -se 'map(select(.check == "minimum" and .property == "id")) | .[0] | .outcome == "fail" and .count == 4 and .from_statistics == false and
        (.samples | map(.value) == ["1", "2", "3", "4"])' rows >/dev/null
    run dp-validate -c c.yaml --check --now 2026-03-01T12:00:00Z -v "$(cat paths)"
    assert_output --partial "rules of 1 columns"
}

@test "keys, patterns and expressions read their columns; --closed and --where read all" {
    data
    contract 1 '      - {name: country, logicalType: string, unique: true, logicalTypeOptions: {pattern: "^[A-Z]{2}$"}}'
    dp-partition -c c.yaml -o d in.ndjson >paths
    verdict in.ndjson >of_records
    verdict "$(cat paths)" >of_parquet
    diff of_records of_parquet
    jq -se 'map(select(.check == "unique")) | .[0] | .count == 2 and .surplus == 998' rows >/dev/null
    verdict --closed in.ndjson >of_records
    verdict --closed "$(cat paths)" >of_parquet
    diff of_records of_parquet
    jq -se 'map(select(.check)) | all(.from_statistics) | not' rows >/dev/null
}

@test "tables: partition columns are read, several files and times too old are not" {
    data
    contract 1 '      - {name: country, logicalType: string, required: true, partitioned: true, partitionKeyPosition: 1}' 1
    dp-table create t -c c.yaml >/dev/null
    dp-partition -c c.yaml -o t in.ndjson | dp-table commit t --eof-commits
    verdict in.ndjson >of_records
    verdict t >of_table
    diff of_records of_table
    jq -se 'map(select(.check == "freshness")) | .[0] | .outcome == "fail" and .from_statistics and .reason == "the newest is 11 h 43 min old"' rows >/dev/null
    jq -se 'map(select(.property == "country")) | all(.from_statistics == false)' rows >/dev/null
    run dp-validate -c c.yaml --check --now 2026-03-01T12:00:00Z t
    assert_failure 1
}

# Records of all kinds, some of which break something, and their contract; loose.yaml takes them all.
mixed() {
    cat >c.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: o
version: 1.0.0
status: active
schema:
  - name: o
    logicalType: object
    properties:
      - {name: i, logicalType: integer, required: true, logicalTypeOptions: {minimum: -3.5, exclusiveMaximum: 4}}
      - {name: big, logicalType: integer, logicalTypeOptions: {maximum: 9223372036854775806, minimum: -1e30}}
      - {name: x, logicalType: number, logicalTypeOptions: {exclusiveMinimum: 0.1, maximum: 0.7}}
      - {name: s, logicalType: string, logicalTypeOptions: {minLength: 2, maxLength: 4}}
      - {name: mail, logicalType: string, logicalTypeOptions: {format: email}, quality: [{metric: missingValues, mustBeLessThan: 10, unit: percent, arguments: {missingValues: ["n/a", null]}}]}
      - {name: c, logicalType: string, logicalTypeOptions: {pattern: "^[A-ZÄ]+$"}, quality: [{metric: invalidValues, mustBe: 0, arguments: {validValues: [DE, FR, "Ä", LONGERTHAN8]}}]}
      - {name: b, logicalType: boolean, required: true}
Y
    awk 'BEGIN { split("-4 -3 0 3 4 5", i, " "); split("9223372036854775807 9223372036854775806 -9223372036854775808 null", g, " ");
        split("0.1 0.10000000000000002 0.7 0.7000000000000001 0.5 null -1.5", x, " "); split("\"a\" \"ab\" \"äöüß\" \"äöüßa\" \"\" null \"abcde\"", s, " ");
        split("\"a@b.de\" \"n/a\" null \"no\" \"x@y.org\"", m, " "); split("\"DE\" \"FR\" \"Ä\" \"XX\" \"de\" \"LONGERTHAN8\" null \"\"", c, " "); split("true false null", b, " ")
        for (n = 0; n < '${1:-5000}'; n++) printf "{\"i\":%s,\"big\":%s,\"x\":%s,\"s\":%s,\"mail\":%s,\"c\":%s,\"b\":%s}\n", i[n % 6 + 1], g[n % 4 + 1], x[n % 7 + 1],
            s[int(n / 7) % 7 + 1], m[int(n / 3) % 5 + 1], c[int(n / 11) % 8 + 1], b[n % 50 ? n % 2 + 1 : 3] }' >in.ndjson
    sed 's/required: true/required: false/' c.yaml >loose.yaml
}
# Verdict and samples of SOURCE..., without who answered and where.
findings() { dp-validate -c c.yaml --check --max-rejects 100% "$@" 2>/dev/null | jq -c 'del(.from_statistics) | if .samples then .samples |= map(del(.source)) else . end'; }

# Rows that surely keep every rule never become records: the verdict must be that of the records all the same.
@test "columns say the same as records: bounds, nulls, lengths, lists, patterns" {
    mixed
    dp-partition -c loose.yaml -o d in.ndjson >paths
    for threads in 1 2; do
        findings -j $threads in.ndjson >of_records
        findings -j $threads --report r.json "$(cat paths)" >of_columns
        diff of_records of_columns
    done
    jq -se 'map(select(.check)) | map(select(.outcome == "fail")) | length >= 8' of_columns >/dev/null
    jq -e '.verdict.rows == 5000' r.json >/dev/null
}

# Row groups are read by any thread; findings, samples, reports and rejects are those of the records, in their order.
@test "row groups of odd sizes, several files, tables: the same for any number of threads" {
    mixed 9001
    for rows in 1 700 4096 4097 100000; do
        rm -rf d
        [ $rows = 1 ] && { sed -n 1,300p in.ndjson >some.ndjson; } || cp in.ndjson some.ndjson
        dp-partition -c loose.yaml --row-group-rows $rows -o d some.ndjson >paths
        findings -j 1 some.ndjson >of_records
        for threads in 1 2 3; do
            findings -j $threads --report r$threads.json "$(cat paths)" >of_columns
            diff of_records of_columns
            dp-validate -c c.yaml --check -j $threads --max-rejects 100% --rejects bad$threads.ndjson "$(cat paths)" >rows 2>/dev/null || true
            jq -c 'del(.reject.run)' bad$threads.ndjson >bad$threads
            jq -c 'del(.from_statistics) | if .samples then .samples |= map(del(.source)) else . end' rows | diff of_records -
            cmp bad1 bad$threads
            jq -e --slurpfile one r1.json '.verdict == $one[0].verdict and .books == $one[0].books' r$threads.json >/dev/null
        done
    done
    # several files: lines count from each file's first
    rm -rf d
    mkdir d
    n=1
    for rows in 1 4096 37 4867; do
        tail -n +$n in.ndjson | head -n $rows >part$rows.ndjson
        n=$((n + rows))
        dp-partition -c loose.yaml --row-group-rows 1000 -o d/$rows part$rows.ndjson >path$rows
    done
    findings -j 1 part1.ndjson part4096.ndjson part37.ndjson part4867.ndjson >of_records
    dp-table create t -c loose.yaml >/dev/null
    dp-table create one -c loose.yaml >/dev/null
    for rows in 1 4096 37 4867; do dp-partition -c loose.yaml --row-group-rows 1000 -o t part$rows.ndjson | dp-table commit t --eof-commits >/dev/null; done
    dp-partition -c loose.yaml --row-group-rows 1000 -o one in.ndjson | dp-table commit one --eof-commits >/dev/null
    findings -j 1 t >of_table
    for threads in 1 2 3; do
        findings -j $threads "$(cat path1)" "$(cat path4096)" "$(cat path37)" "$(cat path4867)" | diff of_records -
        findings -j $threads t | diff of_table -
        findings -j $threads one | jq -c 'del(.samples)' >of_one
        jq -c 'del(.samples)' of_table | diff - of_one
        # the least of memory: row groups are read one after the other
        findings -j $threads -m 16M t | diff of_table -
    done
}

@test "a row group that is damaged ends the run, for any number of threads" {
    mixed 9001
    dp-partition -c loose.yaml --row-group-rows 3000 --codec none -o d in.ndjson >paths
    f=$(cat paths)
    dd if=/dev/zero of="$f" bs=1 seek=$(($(stat -c %s "$f") / 2)) count=2000 conv=notrunc status=none
    for threads in 1 2; do
        run dp-validate -c c.yaml --check -j $threads --max-rejects 100% "$f"
        assert_failure 4
        assert_output --partial "row group 1"
    done
}

# Statistics of files whose rows are deleted in part say less: what they answer is still what the live rows say.
@test "tables with deletion vectors: counts, bounds and nulls are those of the live rows" {
    [ -d "$DP_SHARED/corpus/delta" ] || skip "no corpus"
    for t in basic-dv-no-checkpoint log-replay-dv-key-cases dv-partitioned-with-checkpoint cdf-table-with-dv; do
        [ -d "$DP_SHARED/corpus/delta/$t" ] || continue
        table=$DP_SHARED/corpus/delta/$t
        dp-cat --to records "$table" >in.ndjson
        # the widest bounds that hold, and bounds that only deleted rows could break
        column=$(dp-cat --schema "$table" | jq -r 'select(.type | test("^(bigint|integer|int|long|int32|int64|int[0-9]*)$")) | .name' | head -1)
        [ -n "$column" ] || { echo "$t: no column of integers" >&2; return 1; }
        read -r low high n < <(jq -s --arg c "$column" -r '"\(map(.[$c]) | min) \(map(.[$c]) | max) \(length)"' in.ndjson)
        cat >c.yaml <<Y
apiVersion: v3.1.0
kind: DataContract
id: o
version: 1.0.0
status: active
schema:
  - name: o
    logicalType: object
    properties:
      - {name: $column, logicalType: integer, required: true, logicalTypeOptions: {minimum: $low, maximum: $high}}
    quality: [{metric: rowCount, mustBe: $n}]
Y
        for threads in 1 2; do
            verdict -j $threads in.ndjson >of_records
            verdict -j $threads "$table" >of_table
            diff of_records of_table
            jq -se 'map(select(.check)) | all(.outcome == "pass")' of_table >/dev/null
        done
        sed "s/minimum: $low/minimum: $((low + 1))/; s/mustBe: $n/mustBe: $((n + 1))/" c.yaml >other.yaml
        mv other.yaml c.yaml
        verdict in.ndjson >of_records
        verdict "$table" >of_table
        diff of_records of_table
        jq -se 'map(select(.check == "rowCount" or .check == "minimum")) | all(.outcome == "fail")' of_table >/dev/null
    done
}
