#!/usr/bin/env bats
# Peak memory: at most --memory and 32 MB, with inputs several times as large.

bats_require_minimum_version 1.5.0
load helper

# bounded MEMORY_MB PROGRAM...
bounded() {
    local most=$(($1 + 32)) got
    shift
    ! grep -q __asan_init "$DP_BIN/dp-ingest" || skip "a sanitizer holds back freed memory: peak memory is not measured"
    command -v /usr/bin/time >/dev/null || skip "no /usr/bin/time: peak memory is not measured"
    rm -rf out
    /usr/bin/time -o peak -f %M "$@" >/dev/null
    got=$(($(tail -n 1 peak) / 1024))
    echo "$* peaks at $got MB of $most"
    [ "$got" -le "$most" ]
}

# 50 MB, 8 partitions of 400-byte rows whose text is not alike.
rows() {
    awk 'BEGIN { srand(1); for (i = 0; i < 120000; i++) { s = ""; for (k = 0; k < 6; k++) s = s sprintf("%08x%08x%04x", rand() * 4294967295, rand() * 4294967295, i % 65536)
        printf "{\"p\":%d,\"id\":%d,\"a\":\"%s%s\",\"b\":\"%s\",\"l\":[%d,2,3]}\n", i % 8, i, s, s, s, i } }'
}

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return 1
    rows >rows.ndjson
    { echo "p,id,a,b"; sed -E 's/\{"p":([0-9]*),"id":([0-9]*),"a":"([^"]*)","b":"([^"]*)".*/\1,\2,\3,\4/' rows.ndjson; } >rows.csv
}

@test "records that are handed on" {
    for f in rows.ndjson rows.csv; do
        bounded 16 dp-ingest -m 16M -j 2 "$BATS_FILE_TMPDIR/$f"
        bounded 16 dp-cat -m 16M -j 2 --to csv "$BATS_FILE_TMPDIR/$f"
        bounded 16 dp-map -m 16M -j 2 '{id, a}' "$BATS_FILE_TMPDIR/$f"
    done
}

@test "records that are held to a contract, and masked" {
    cat >c.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: r
version: 1.0.0
status: active
schema:
  - name: r
    properties:
      - {name: p, logicalType: integer, required: true}
      - {name: id, logicalType: integer, primaryKey: true, primaryKeyPosition: 1}
      - {name: a, logicalType: string, classification: confidential}
      - {name: b, logicalType: string, logicalTypeOptions: {minLength: 10}}
      - {name: l, logicalType: array, items: {logicalType: integer}}
Y
    dp-mask keygen key
    for j in 1 2; do
        bounded 16 dp-validate -q -c c.yaml -m 16M -j "$j" "$BATS_FILE_TMPDIR/rows.ndjson"
        bounded 16 dp-mask -q -c c.yaml --key-file key -m 16M -j "$j" "$BATS_FILE_TMPDIR/rows.ndjson"
    done
}

@test "each key once: more keys than fit, records that wait" {
    for j in 1 2; do
        bounded 16 dp-dedupe -m 16M -j "$j" --key b "$BATS_FILE_TMPDIR/rows.ndjson"
        bounded 16 dp-dedupe -m 16M -j "$j" --key b --keep max:a "$BATS_FILE_TMPDIR/rows.ndjson"
        bounded 16 dp-dedupe -m 16M -j "$j" --key b --within 1h --time id "$BATS_FILE_TMPDIR/rows.ndjson"
        bounded 16 dp-dedupe -m 16M -j "$j" --key a --against "$BATS_FILE_TMPDIR/rows.csv" "$BATS_FILE_TMPDIR/rows.ndjson"
    done
}

@test "records with a source that does not fit" {
    for j in 1 2; do
        bounded 16 dp-join -m 16M -j "$j" --with "$BATS_FILE_TMPDIR/rows.ndjson" --on id --take a,b --prefix w_ "$BATS_FILE_TMPDIR/rows.ndjson"
        bounded 16 dp-join -m 16M -j "$j" --with "$BATS_FILE_TMPDIR/rows.csv" --on b --take p --prefix w_ "$BATS_FILE_TMPDIR/rows.ndjson"
    done
}

# A record of 50 MB: five copies at most where types are inferred, three where they are known (dp(7), --memory).
@test "one huge record: it is not held more often than said" {
    perl -e 'print "{\"id\":1,\"s\":\"", "x" x (50 << 20), "\"}\n"' >big.ndjson
    dp-contract infer big.ndjson >big.yaml
    bounded 218 dp-partition -q -m 16M -o out big.ndjson
    bounded 150 dp-partition -q -m 16M -c big.yaml -o out big.ndjson
    bounded 150 dp-cat -m 16M --to csv big.ndjson
}

@test "records into files: one, some, sorted, very many" {
    for j in 1 2; do
        bounded 16 dp-partition -q -m 16M -j "$j" -o out "$BATS_FILE_TMPDIR/rows.ndjson"
        bounded 16 dp-partition -q -m 16M -j "$j" --by p -o out "$BATS_FILE_TMPDIR/rows.csv"
    done
    bounded 16 dp-partition -q -m 16M -j 2 --by p --sort b -o out "$BATS_FILE_TMPDIR/rows.ndjson"
    bounded 16 dp-partition -q -m 16M -j 2 --by 'h=hash(id,1000)' -o out "$BATS_FILE_TMPDIR/rows.ndjson"
}

@test "a thousand columns, their types inferred" {
    perl -e 'for $i (1 .. 5000) { print "{", join(",", map { my $v = ($i * 7919 + $_ * 104729) % 1000003; "\"c$_\":" . ($_ % 3 == 0 ? $v * 997 : $_ % 3 == 1 ? "\"v$v\"" : "0.$v") } 1 .. 1000), "}\n" }' >wide.ndjson
    for j in 1 2; do bounded 16 dp-partition -q -m 16M -j "$j" -o out wide.ndjson; done
    mv out columns
    for j in 1 2; do
        bounded 16 dp-cat -m 16M -j "$j" columns
        bounded 16 dp-cat -m 16M -j "$j" --to csv columns
        bounded 16 dp-map -m 16M -j "$j" . columns
    done
}
