#!/usr/bin/env bats
# dp-table checkpoint: either form, every reader's choice of statistics; what old entries of the log go with --cleanup.

bats_require_minimum_version 1.5.0
load helper

contract() {
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: t' 'version: 1.0.0' 'status: active' 'schema:' '- name: t' '  properties:' \
        '  - {name: id, logicalType: integer, required: true}' '  - {name: at, logicalType: timestamp}' '  - {name: day, logicalType: date, partitioned: true}' >c.yaml
}
table() { contract && dp-table create t -c c.yaml "$@" >/dev/null; }
put() {
    local id=$1
    shift
    echo "{\"id\":$id,\"day\":\"2026-01-0$((id % 2 + 1))\",\"at\":\"2026-01-01T00:00:0$id.123456Z\"}" | dp-partition -o t | dp-table commit t --eof-commits "$@" >/dev/null
}
ids() { dp-cat "$@" | jq -c .id | sort -n | paste -sd ' '; }
entries() { find t/_delta_log -maxdepth 1 -name '*.json' ! -name '*checkpoint*' | wc -l; }

@test "form v2 where the table's protocol has it, and only there" {
    table
    put 1
    run --separate-stderr dp-table checkpoint t --format v2
    dp_expect 3 "v2Checkpoint"
    rm -r t
    table --property delta.checkpointPolicy=v2
    put 1
    put 2
    run dp-table checkpoint t
    assert_output "t: checkpoint of version 2, 2 files"
    compgen -G 't/_delta_log/00000000000000000002.checkpoint.????????-*.parquet'
    jq -e '.version == 2 and .numOfAddFiles == 2 and (.v2Checkpoint.path | startswith("00000000000000000002.checkpoint.")) and (.checksum | length == 32)' t/_delta_log/_last_checkpoint
    run dp-table checkpoint t --format classic
    assert_success
    [ -e t/_delta_log/00000000000000000002.checkpoint.parquet ]
    jq -e 'has("v2Checkpoint") | not' t/_delta_log/_last_checkpoint
    rm t/_delta_log/0*.json
    assert_equal "$(ids t)" "1 2"
    rm t/_delta_log/00000000000000000002.checkpoint.parquet
    assert_equal "$(ids t)" "1 2"
}

@test "statistics as a struct skip files as the text does" {
    table --property delta.checkpoint.writeStatsAsStruct=true --property delta.checkpoint.writeStatsAsJson=false
    put 1
    put 2
    put 3
    dp-table checkpoint t
    rm t/_delta_log/0*.json
    assert_equal "$(dp-table files t --where '.id > 2' | wc -l)" 1
    assert_equal "$(dp-table files t --where '.at < "2026-01-01T00:00:01.9Z"' | wc -l)" 1
    assert_equal "$(dp-table files t --where '.day == "2026-01-02"' | wc -l)" 2
    assert_equal "$(ids t)" "1 2 3"
}

@test "commits write one by themselves, in the table's form" {
    table --property delta.checkpointPolicy=v2 --property delta.checkpointInterval=2
    put 1
    put 2
    put 3
    compgen -G 't/_delta_log/00000000000000000002.checkpoint.????????-*.parquet'
    ! compgen -G 't/_delta_log/00000000000000000003.checkpoint*'
}

@test "cleanup: what is older than the log's retention, and no version kept needs" {
    table
    for i in 1 2 3 4; do put $i; done
    dp-table checkpoint t >/dev/null
    put 5
    run dp-table checkpoint t --cleanup
    assert_line "t: nothing in the log is old enough to go"
    touch -d '40 days ago' t/_delta_log/0*.json
    put 6
    cp -a t before
    run dp-table checkpoint t --cleanup --dry-run
    assert_success
    assert_equal "${#lines[@]}" 8
    assert_line --partial "t: would remove 6 files of the log, "
    assert_line --partial " bytes; the oldest version is 5"
    diff -r t before
    run dp-table checkpoint t --cleanup --json
    assert_success
    jq -e '.removed == 6 and .oldest_version == 5' <<<"${lines[-1]}"
    assert_equal "$(entries)" 2
    assert_equal "$(ids t)" "1 2 3 4 5 6"
    assert_equal "$(ids t --as-of 5)" "1 2 3 4 5"
    run dp-cat t --as-of 4
    assert_failure
}

@test "cleanup by itself behind a checkpoint, unless the table says no" {
    for how in true false; do
        rm -rf t
        table --property delta.checkpointInterval=2 --property delta.enableExpiredLogCleanup=$how
        put 1
        put 2
        touch -d '40 days ago' t/_delta_log/0*.json
        put 3
        put 4
        [ $how = true ] && assert_equal "$(entries)" 3
        [ $how = false ] && assert_equal "$(entries)" 5
        assert_equal "$(ids t)" "1 2 3 4"
    done
}

@test "cleanup: never where the protocol protects checkpoints" {
    table --property delta.feature.checkpointProtection=supported
    put 1
    run --separate-stderr dp-table checkpoint t --cleanup
    dp_expect 3 "checkpointProtection"
}
