#!/usr/bin/env bats
# dp-table: create, commit, files, log, checkpoint; what is refused, and that nothing is half done.

bats_require_minimum_version 1.5.0
load helper

teardown() { if mountpoint -q "$BATS_TEST_TMPDIR/disk"; then umount "$BATS_TEST_TMPDIR/disk"; fi; }

contract() {
    cat >c.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: t
version: 1.0.0
status: active
schema:
  - name: t
    properties:
      - {name: id, logicalType: integer, required: true}
      - {name: day, logicalType: date, partitioned: true, partitionKeyPosition: 1}
      - {name: word, logicalType: string}
Y
}
table() {
    contract
    dp-table create t -c c.yaml >/dev/null
}
needs_partition() { [ -x "$DP_BIN/dp-partition" ] || skip "dp-partition is not built"; }
rows() { seq "$1" "$2" | awk -v d="$3" '{ printf "{\"id\":%d,\"day\":\"%s\",\"word\":\"w%d\"}\n", $1, d, $1 }'; }
# rows FROM TO DAY, laid out and committed with the words behind
put() {
    local from=$1 to=$2 day=$3
    shift 3
    rows "$from" "$to" "$day" | dp-partition -o t | dp-table commit t --eof-commits "$@"
}
entries() { find t/_delta_log -name '0*.json' | wc -l; }

@test "partition values: dots, slashes, blanks, the name of the null directory; an empty string is refused" {
    printf '%s\n' '{"k":"..","n":1}' '{"k":"a/..","n":2}' '{"k":"a b%","n":3}' '{"k":"__HIVE_DEFAULT_PARTITION__","n":4}' '{"k":null,"n":5}' >in.ndjson
    run dp-run -- 'dp-ingest in.ndjson | dp-partition -o odd --by k | dp-table commit odd'
    assert_output "odd: version 0, 5 files, 5 rows"
    assert_equal "$(dp-cat --columns k,n odd | sort)" "$(sort in.ndjson)"
    echo '{"k":"","n":6}' >empty.ndjson
    run --separate-stderr dp-run -- 'dp-ingest empty.ndjson | dp-partition -o e --by k | dp-table commit e'
    dp_expect 1 "partition column k is an empty string"
    [ ! -e e/_delta_log ]
    mkdir -p e
    run bash -c 'cp -r odd t2; DP_MARKS=1 dp-ingest empty.ndjson | dp-partition -o t2 --by k --rejects bad --max-rejects 1 | dp-table commit t2 -q'
    assert_success
    grep -q '"n":6' bad
}

@test "create: the log holds one entry; again is no error, another schema is" {
    contract
    run --separate-stderr dp-table create t -c c.yaml
    dp_expect 0
    [ "$output" = "t: created, 3 columns, 1 of them partition columns" ]
    [ "$(entries)" -eq 1 ]
    jq -se '(.[1].protocol == {minReaderVersion:1,minWriterVersion:2}) and .[2].metaData.partitionColumns == ["day"] and
        (.[2].metaData.configuration["dp.contract"] | startswith("apiVersion"))' t/_delta_log/00000000000000000000.json >/dev/null
    run --separate-stderr dp-table create t -c c.yaml
    dp_expect 0
    sed -i 's/word, logicalType: string/word, logicalType: number/' c.yaml
    run --separate-stderr dp-table create t -c c.yaml
    dp_expect 1 "exists already"
    [ "$(entries)" -eq 1 ]
}

@test "create: local times need a feature, and it is listed" {
    contract
    sed -i 's/word, logicalType: string/at, logicalType: timestamp, logicalTypeOptions: {timezone: false}/' c.yaml
    run dp-table create t -c c.yaml
    [ "$status" -eq 0 ] || skip "the contract can't say it: $output"
    jq -se '.[1].protocol == {minReaderVersion:3,minWriterVersion:7,readerFeatures:["timestampNtz"],writerFeatures:["appendOnly","invariants","timestampNtz"]}' \
        t/_delta_log/00000000000000000000.json >/dev/null
}

@test "create: a key made by a function is a column" {
    contract
    sed -i 's/, partitioned: true, partitionKeyPosition: 1//' c.yaml
    dp-table create t -c c.yaml --by 'b=hash(id,4)' --by day
    jq -se '.[2].metaData | .partitionColumns == ["b","day"] and (.schemaString | fromjson | [.fields[].name] == ["id","day","word","b"])' \
        t/_delta_log/00000000000000000000.json >/dev/null
    run --separate-stderr dp-table create u -c c.yaml --by 'b=hush(4, id)'
    dp_expect 2
}

@test "commit: what takes no word says so" {
    contract
    dp-table create t -c c.yaml
    run --separate-stderr dp-table commit t --contract c.yaml </dev/null
    dp_expect 2 'one word too many: "c.yaml"; the paths to commit come on standard input, and --contract takes no file'
    run --separate-stderr dp-table commit t -c c.yaml </dev/null
    dp_expect 2 'unknown option -c; did you mean --contract?'
}

@test "create: usage" {
    contract
    run --separate-stderr dp-table create t
    dp_expect 2 "--contract"
    run --separate-stderr dp-table create t -c c.yaml --by nothing
    [ "$status" -ne 0 ]
    run --separate-stderr dp-table create t -c c.yaml --property x
    dp_expect 2 "KEY=VALUE"
    run --separate-stderr dp-table create t -c c.yaml --property delta.enableIcebergCompatV2=true
    dp_expect 3 "delta.enableIcebergCompatV2"
    run --separate-stderr dp-table create t -c c.yaml --property delta.feature.collations=supported
    dp_expect 3 "collations"
    run --separate-stderr dp-table create t -c c.yaml --dry-run
    dp_expect 0
    [ ! -e t ]
}

@test "commit: each row is there, statistics are right" {
    needs_partition
    table
    put 1 100 2026-03-01
    put 101 150 2026-03-02
    [ "$(entries)" -eq 3 ]
    jq -se 'map(select(.add)) | length == 1 and (.[0].add.partitionValues == {day:"2026-03-01"}) and
        (.[0].add.stats | fromjson | .numRecords == 100 and .minValues.id == 1 and .maxValues.id == 100 and .nullCount.id == 0 and .minValues.word == "w1")' \
        t/_delta_log/00000000000000000001.json >/dev/null
    run dp-table files t
    [ "${#lines[@]}" -eq 2 ]
    for f in "${lines[@]}"; do [ -s "$f" ]; done
    [ -z "$(find t/_dp_staging -type f)" ]
}

@test "commit: a stream without marks, and one that is cut, publish nothing" {
    needs_partition
    table
    run --separate-stderr dp-table commit t </dev/null
    dp_expect 4 "marks"
    rows 1 10 2026-03-01 | DP_MARKS=1 dp-ingest -f ndjson >stream
    grep -v '"end"' stream >cut
    run --separate-stderr bash -c 'DP_MARKS=1 dp-partition -o t <cut | dp-table commit t'
    dp_expect 4
    [ "$(entries)" -eq 1 ]
}

@test "commit: a batch by name is committed once" {
    needs_partition
    table
    put 1 10 2026-03-01 --txn load:5
    run --separate-stderr put 1 10 2026-03-01 --txn load:5
    dp_expect 0
    [ "$output" = "t: already committed as version 1" ]
    run --separate-stderr put 1 10 2026-03-01 --txn load:4
    dp_expect 1 "load:4 is older than the table's 5"
    run --separate-stderr put 1 10 2026-03-01 --txn load:4 --txn-older skip
    dp_expect 0
    put 11 20 2026-03-01 --txn load:6
    [ "$(entries)" -eq 3 ]
    run --separate-stderr dp-table commit t --eof-commits --txn load </dev/null
    dp_expect 2 "APP:VERSION"
}

@test "commit: the same paths again are in the table already" {
    needs_partition
    table
    rows 1 10 2026-03-01 | dp-partition -o t >paths
    dp-table commit t --eof-commits <paths
    run --separate-stderr dp-table commit t --eof-commits <paths
    dp_expect 0
    [ "$(entries)" -eq 2 ]
}

@test "commit: a run that died behind the renames goes on" {
    needs_partition
    table
    rows 1 10 2026-03-01 | dp-partition -o t >paths
    p=$(cat paths)
    mkdir -p t/day=2026-03-01
    mv "$p" t/day=2026-03-01
    dp-table commit t --eof-commits <paths
    [ "$(dp-table files t | wc -l)" -eq 1 ]
}

@test "commit: overwrite and replace" {
    needs_partition
    table
    put 1 10 2026-03-01
    put 11 20 2026-03-02
    put 21 25 2026-03-02 --mode replace
    [ "$(dp-table log t --json | jq '[.versions[0] | .filesAdded, .filesRemoved] | join(",")')" = '"1,1"' ]
    [ "$(dp-table files t | wc -l)" -eq 2 ]
    put 31 35 2026-03-05 --mode overwrite
    [ "$(dp-table files t | wc -l)" -eq 1 ]
    [ "$(dp-table files t --as-of 1 | wc -l)" -eq 1 ]
    [ "$(dp-table files t --as-of 2 | wc -l)" -eq 2 ]
}

@test "commit: a file of another schema, a damaged file, a path outside: nothing happens" {
    needs_partition
    table
    rows 1 10 2026-03-01 >rows
    dp-partition -o u <rows >paths
    run --separate-stderr dp-table commit t --eof-commits <paths
    dp_expect 2 "not a file inside"
    rows 1 10 2026-03-01 | dp-partition -o t >paths
    truncate -s 100 "$(cat paths)"
    run --separate-stderr dp-table commit t --eof-commits <paths
    dp_expect 4
    echo t/nothing.parquet >paths
    run --separate-stderr dp-table commit t --eof-commits <paths
    dp_expect 3
    [ "$(entries)" -eq 1 ]
}

@test "commit: --dry-run checks and changes nothing; no input is nothing to do" {
    needs_partition
    table
    rows 1 10 2026-03-01 | dp-partition -o t >paths
    run --separate-stderr dp-table commit t --eof-commits --dry-run <paths
    dp_expect 0
    [ "$output" = "t: would commit 1 files, 10 rows" ]
    [ -s "$(cat paths)" ]
    run --separate-stderr dp-table commit t --eof-commits --skip-empty </dev/null
    dp_expect 99
    [ "$(entries)" -eq 1 ]
}

@test "commit: two at a time both win" {
    needs_partition
    table
    for i in 1 2 3 4; do rows "${i}0" "${i}9" 2026-03-01 | dp-partition -o t >"paths$i"; done
    for i in 1 2 3 4; do dp-table commit t --eof-commits <"paths$i" >/dev/null & done
    wait
    [ "$(entries)" -eq 5 ]
    [ "$(dp-table files t | wc -l)" -eq 4 ]
}

@test "commit: eight at a time, each adds a file: all land, no row is lost" {
    needs_partition
    table
    for i in 1 2 3 4 5 6 7 8; do
        rows $((i * 100 + 1)) $((i * 100 + 50)) 2026-01-0$i | dp-partition -o t >"paths$i"
    done
    pids=()
    for i in 1 2 3 4 5 6 7 8; do
        dp-table commit t --eof-commits <"paths$i" >"out$i" 2>"err$i" &
        pids+=($!)
    done
    for p in "${pids[@]}"; do wait "$p" || fail "a commit failed: $(cat err*)"; done
    [ "$(entries)" -eq 9 ]
    [ "$(sed 's/.*version \([0-9]*\),.*/\1/' out? | sort -n | tr '\n' ' ')" = "1 2 3 4 5 6 7 8 " ]
    dp-cat t --columns id | sed 's/[^0-9]//g' | sort -n >got
    for i in 1 2 3 4 5 6 7 8; do seq $((i * 100 + 1)) $((i * 100 + 50)); done | diff - got
}

@test "commit: staging that nobody holds and that is older than a day is swept, all else is not" {
    needs_partition
    table
    mkdir -p t/_dp_staging/old t/_dp_staging/young t/_dp_staging/held
    touch t/_dp_staging/{old,young,held}/{x.parquet,.lock} t/_dp_staging/entry.1.tmp t/_dp_staging/entry.2.tmp
    touch -d '25 hours ago' t/_dp_staging/{old,held} t/_dp_staging/entry.1.tmp
    touch -d '23 hours ago' t/_dp_staging/young
    exec 9<t/_dp_staging/held/.lock
    flock -x 9
    put 1 3 2026-01-01
    exec 9<&-
    [ ! -e t/_dp_staging/old ]
    [ ! -e t/_dp_staging/entry.1.tmp ]
    [ -e t/_dp_staging/entry.2.tmp ]
    [ -e t/_dp_staging/young/x.parquet ]
    [ -e t/_dp_staging/held/x.parquet ]
    put 4 6 2026-01-01
    [ ! -e t/_dp_staging/held ]
    [ "$(dp-cat t | wc -l)" -eq 6 ]
}

@test "a full disk leaves the log as it was, and the next run goes on" {
    needs_partition
    mkdir -p disk
    mount -t tmpfs -o size=256k tmpfs disk 2>/dev/null || skip "no mount here"
    contract
    dp-table create disk/t -c c.yaml >/dev/null
    seq 1 3 | awk '{ printf "{\"id\":%d,\"day\":\"2026-01-01\",\"word\":\"w\"}\n", $1 }' >in.ndjson
    dp-partition -o disk/t in.ndjson >paths
    find disk/t/_delta_log -type f -exec cksum {} + | sort >before
    dd if=/dev/zero of=disk/fill bs=4k 2>/dev/null || true # full to the last block
    run --separate-stderr dp-table commit disk/t --eof-commits <paths
    full=("$status" "$stderr")
    run --separate-stderr dp-partition -o disk/t in.ndjson
    part=("$status" "$stderr")
    find disk/t/_delta_log -type f -exec cksum {} + | sort >after
    rm disk/fill
    # The run again.
    dp-table commit disk/t --eof-commits <paths >out || cp err out
    rows=$(dp-cat disk/t | wc -l)
    umount disk
    [ "${full[0]}" -eq 3 ] || fail "commit on a full disk: exit ${full[*]}"
    [[ ${full[1]} == *"No space left"* ]]
    [ "${part[0]}" -eq 3 ] || fail "partition on a full disk: exit ${part[*]}"
    diff before after
    [ "$rows" -eq 3 ]
}

@test "files: --where leaves out by partition and by statistics" {
    needs_partition
    table
    put 1 10 2026-03-01
    put 11 20 2026-03-02
    [ "$(dp-table files t --where '.day == "2026-03-02"' | wc -l)" -eq 1 ]
    [ "$(dp-table files t --where '.id > 10' | wc -l)" -eq 1 ]
    [ "$(dp-table files t --where '.id > 20' | wc -l)" -eq 0 ]
    [ "$(dp-table files t --where '.word == "w7"' | wc -l)" -ge 1 ]
    run --separate-stderr dp-table files t --where '.day =='
    dp_expect 2
    run --separate-stderr dp-table files t --as-of 9
    dp_expect 2 "no version 9"
    run --separate-stderr dp-table files t --as-of 1999-01-01
    dp_expect 2 "before"
}

@test "files: --marks makes a stream" {
    needs_partition
    table
    put 1 10 2026-03-01
    run --separate-stderr dp-table files t --marks
    dp_expect 0
    [ "${#lines[@]}" -eq 3 ]
    [[ ${lines[0]} == '{"$dp":"begin"'* ]]
    [[ ${lines[2]} == '{"$dp":"end"'* ]]
}

@test "checkpoint: written at every tenth version, and read" {
    needs_partition
    table
    for i in 1 2 3 4 5 6 7 8 9 10; do put "$i" "$i" 2026-03-01 --txn "a:$i" >/dev/null; done
    [ -s t/_delta_log/00000000000000000010.checkpoint.parquet ]
    jq -e '.version == 10 and .numOfAddFiles == 10' t/_delta_log/_last_checkpoint >/dev/null
    rm t/_delta_log/0000000000000000000[0-9].json
    [ "$(dp-table files t | wc -l)" -eq 10 ]
    run --separate-stderr put 1 1 2026-03-01 --txn a:10
    [ "$output" = "t: already committed as version 10" ]
}

@test "not a table, a log that is damaged, a feature that is not known" {
    mkdir x
    run --separate-stderr dp-table files x
    dp_expect 3 "not a Delta table"
    table
    echo '{"add":{"path":' >t/_delta_log/00000000000000000001.json
    run --separate-stderr dp-table files t
    dp_expect 4 "00000000000000000001.json"
    echo '{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":["teleport"],"writerFeatures":["teleport"]}}' >t/_delta_log/00000000000000000001.json
    run --separate-stderr dp-table files t
    dp_expect 3 "teleport"
}

@test "the tables of the corpus: a deletion vector is never passed over" {
    [ -d "$DP_SHARED/corpus/delta" ] || skip "no corpus"
    run --separate-stderr dp-table files "$DP_SHARED/corpus/delta/with-short-dv"
    dp_expect 3 "deletion vector"
    run --separate-stderr dp-table files "$DP_SHARED/corpus/delta/basic_partitioned"
    dp_expect 0
    [ "${#lines[@]}" -eq 6 ]
}

@test "files: --where by the bounds of floating columns, which leave NaN open" {
    mkdir -p t/_delta_log
    cat >t/_delta_log/00000000000000000000.json <<'END'
{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}
{"metaData":{"id":"a","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"x\",\"type\":\"double\",\"nullable\":true,\"metadata\":{}},{\"name\":\"f\",\"type\":\"float\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":[],"configuration":{},"createdTime":0}}
{"add":{"path":"p.parquet","partitionValues":{},"size":1,"modificationTime":0,"dataChange":true,"stats":"{\"numRecords\":2,\"minValues\":{\"x\":0.10000000000000001,\"f\":0.10000000149011612},\"maxValues\":{\"x\":2.5,\"f\":2.5},\"nullCount\":{\"x\":0,\"f\":0}}"}}
END
    [ "$(dp-table files t --where '.x < 0.1' | wc -l)" -eq 0 ]
    [ "$(dp-table files t --where '.x == 0.1' | wc -l)" -eq 1 ]
    [ "$(dp-table files t --where '.f == 0.1' | wc -l)" -eq 1 ]
    [ "$(dp-table files t --where '.f == 3' | wc -l)" -eq 0 ]
    [ "$(dp-table files t --where '.x > 2.5' | wc -l)" -eq 1 ] # "NaN" is a string there, and strings are above numbers
    [ "$(dp-table files t --where '.x == "NaN"' | wc -l)" -eq 1 ]
}

@test "create: what a list holds can't be required in a Delta table, and is not" {
    echo '{"id":1,"s":{"x":1},"l":[{"x":1,"m":[{"y":1}]}]}' | dp-contract infer - >c.yaml
    grep -q 'required: true' c.yaml
    dp-table create t -c c.yaml
    jq -se '.[2].metaData.schemaString | fromjson | [.. | objects | select(.name and .nullable == false) | .name] == ["id","s","x","l"]' \
        t/_delta_log/00000000000000000000.json >/dev/null || fail "$(cat t/_delta_log/*)"
    run --separate-stderr dp-table create t -c c.yaml
    dp_expect 0
    [[ $output == *"exists already"* ]]
    for words in "-c c.yaml" ""; do
        # shellcheck disable=SC2086 # words
        echo '{"id":1,"s":{"x":1},"l":[{"x":1,"m":[{"y":1}]}]}' | dp-partition $words -o t | dp-table commit t --eof-commits
    done
    [ "$(dp-cat --to records t | uniq -c | awk '{ print $1 }')" = 2 ]
}

# A table with rules: ids once and not negative, words of a pattern, at least two rows a commit.
ruled() {
    contract
    sed -i 's/required: true}/required: true, unique: true, logicalTypeOptions: {minimum: 0}}/
            s/word, logicalType: string}/word, logicalType: string, classification: restricted, logicalTypeOptions: {pattern: "^w[0-9]+$"}}/' c.yaml
    printf '    quality:\n      - {metric: rowCount, mustBeGreaterOrEqualTo: 2}\n      - {metric: rowCount, mustBeLessThan: 1000, severity: warning}\n' >>c.yaml
    dp-table create t -c c.yaml >/dev/null
}

@test "commit --contract: good files are published" {
    needs_partition
    ruled
    run --separate-stderr bash -c "$(declare -f rows); { rows 1 50 2026-03-01; rows 51 60 2026-03-02; } | dp-partition -o t | dp-table commit t --eof-commits --contract --report r.json"
    dp_expect 0
    [ "$(entries)" -eq 2 ]
    jq -e '.verdict.outcome == "pass" and .verdict.rows == 60 and (.verdict.findings | length) > 5' r.json >/dev/null
}

@test "commit --contract: broken rules, each with its reason; nothing is published" {
    needs_partition
    ruled
    printf '%s\n' '{"id":-1,"day":"2026-03-01","word":"w1"}' '{"id":7,"day":"2026-03-01","word":"secret"}' '{"id":7,"day":"2026-03-02","word":"w3"}' >in.ndjson
    for threads in 1 2; do
        run --separate-stderr bash -c "dp-partition -o t in.ndjson | dp-table commit t --eof-commits --contract -j $threads --report r.json"
        dp_expect 1 "break 3 rules of the table's contract: nothing was published"
        [[ "$stderr" == *"t.id"*minimum*"1 of 3 rows"*"-1"* ]]
        [[ "$stderr" == *"t.id"*unique*"1 key more than once, 1 row too many"* ]]
        [[ "$stderr" == *"t.word"*pattern* && "$stderr" != *secret* ]]
        [ "$(entries)" -eq 1 ]
        jq -e '.verdict.outcome == "fail" and (.verdict.findings | map(select(.outcome == "fail")) | length) == 3' r.json >/dev/null
        jq '.verdict' r.json | sed 's/part-[0-9a-f-]*//; s/[0-9a-f-]\{36\}//' >verdict.$threads
    done
    cmp verdict.1 verdict.2
    run ! grep -rq secret r.json
}

@test "commit --contract: thresholds over the files, warnings, dry run, tables without a contract" {
    needs_partition
    ruled
    run --separate-stderr bash -c "$(declare -f rows); rows 1 1 2026-03-01 | dp-partition -o t | dp-table commit t --eof-commits --contract"
    dp_expect 1 "break 1 rule of"
    [[ "$stderr" == *"rowCount"*"1 row, allowed: at least 2"* ]]
    run --separate-stderr bash -c "$(declare -f rows); rows 1 1000 2026-03-01 | dp-partition -o t | dp-table commit t --eof-commits --contract"
    dp_expect 0
    [[ "$stderr" == *"allowed: less than 1000"* ]]
    run --separate-stderr bash -c "$(declare -f rows); rows 1 1 2026-03-01 | dp-partition -o t | dp-table commit t --eof-commits --contract -n"
    dp_expect 1
    run --separate-stderr bash -c "$(declare -f rows); rows 1 5 2026-03-01 | dp-partition -o u --by day | dp-table commit u --eof-commits --contract"
    dp_expect 2 "keeps no contract"
    [ ! -e u/_delta_log ]
}

@test "create: properties that need a table feature make the protocol carry it" {
    contract
    run dp-table create t -c c.yaml --property delta.enableRowTracking=true --property delta.enableInCommitTimestamps=true \
        --property delta.checkpointPolicy=v2 --property delta.feature.vacuumProtocolCheck=supported
    [ "$status" -eq 0 ]
    log=t/_delta_log/00000000000000000000.json
    grep -q '"minReaderVersion":3,"minWriterVersion":7,"readerFeatures":\["v2Checkpoint","vacuumProtocolCheck"\]' $log
    grep -q '"writerFeatures":\["appendOnly","invariants","rowTracking","domainMetadata","v2Checkpoint","inCommitTimestamp","vacuumProtocolCheck"\]' $log
    grep -q '"delta.rowTracking.materializedRowIdColumnName":"_row-id-col-' $log
    ! grep -q 'delta.feature' $log
    head -c 35 $log | grep -q '{"commitInfo":{"inCommitTimestamp":'
}
