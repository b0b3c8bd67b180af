#!/usr/bin/env bats
# dp-table verify: each kind of damage is found, and a table that is whole has no finding.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

rows() { seq "$1" "$2" | awk -v d="$3" '{ printf "{\"id\":%d,\"p\":\"%s\",\"price\":%d.5,\"at\":\"2026-03-02T03:04:05.123456Z\",\"name\":\"a longer name than statistics hold of it %d\",\"s\":{\"x\":%d}}\n", $1, d, $1, $1, $1 }'; }
put() { rows "$1" "$2" "$3" | dp-partition -o t --by p | dp-table commit t --eof-commits -q >/dev/null; }
# A table of 12 versions with a checkpoint
table() {
    local i
    for i in $(seq 12); do put $((i * 10)) $((i * 10 + 9)) "p$((i % 2))"; done
}
first() { dp-table files t | head -n 1; }
# Changes the first add of version 3 by a jq program
forge() { jq -c "$1" t/_delta_log/00000000000000000003.json >x && mv x t/_delta_log/00000000000000000003.json; }
finds() { # TEXT OPTION...
    local text=$1
    shift
    run --separate-stderr dp-table verify t "$@"
    [ "$status" -eq 4 ] || fail "exit $status: $output $stderr"
    [[ $output == *"$text"* ]] || fail "no \"$text\" in: $output"
}

@test "a table that is whole: no finding, by footers and by values, on any number of threads, as of any version" {
    table
    run dp-table verify t
    assert_success
    [[ $output == "t: version 11, 12 files of "*" bytes, 120 rows: 0 findings" ]] || fail "$output"
    for n in 1 4; do
        run dp-table verify t --deep --threads "$n"
        assert_success
    done
    run dp-table verify t --as-of 4 --json
    jq -e '.version == 4 and .files == 5 and .findings == [] and .commits == 5' <<<"$output" >/dev/null || fail "$output"
}

@test "files: missing, cut, of other rows, with a broken footer" {
    table
    f=$(first)
    cp "$f" keep
    rm "$f"
    finds "$f: it is missing"
    head -c 100 keep >"$f"
    finds "$f: it has 100 bytes, the log says"
    cp "$(dp-table files t | sed -n 2p)" "$f"
    run dp-table verify t
    [ "$status" -eq 4 ]
    cp keep "$f"
    run dp-table verify t
    assert_success
    printf x | dd of="$f" bs=1 seek=60 conv=notrunc status=none # in a page: footers do not tell
    finds "$f: " --deep
}

@test "statistics: minimum, maximum, null count, number of rows, no object" {
    table
    rm t/_delta_log/*.checkpoint.parquet t/_delta_log/_last_checkpoint # else it is what readers believe
    # the statistics of one file: a change in the text of them
    stats() { forge "if .add then .add.stats |= (fromjson | $1 | tojson) else . end"; }
    stats '.minValues.id = 45'
    finds "statistics: id: the log's minimum 45 is above the file's 40"
    finds "statistics: id: the log's minimum 45 is above the file's 40" --deep
    stats '.minValues.id = 1 | .maxValues.at = "2026-03-02T03:04:05.100Z"'
    finds "statistics: at: the log's maximum"
    stats '.maxValues.at = "2026-03-02T03:04:05.123Z" | .maxValues.name = "a"'
    finds "statistics: name: the log's maximum"
    stats '.maxValues.name = "b" | .nullCount.price = 3'
    finds "statistics: price: the log counts 3 nulls, the file has 0"
    stats '.nullCount.price = 0 | .maxValues.s.x = 40'
    finds "statistics: s.x: the log's maximum 40 is below the file's 41" --deep
    stats '.maxValues.s.x = 49 | .numRecords = 11'
    finds "it has 10 rows, the log says 11"
    forge 'if .add then .add.stats = "none" else . end'
    finds "statistics: they are no JSON object"
    forge 'if .add then del(.add.stats) else . end'
    run dp-table verify t --deep
    assert_success
}

@test "the log: gaps, lines that are none, checkpoints and checksums that differ, a hint to nowhere" {
    table
    cp -r t whole
    rm t/_delta_log/00000000000000000004.json t/_delta_log/00000000000000000005.json
    finds "t/_delta_log: the log has a gap: versions 4 to 5 are missing"
    rm -r t && cp -r whole t
    echo '{"add":' >>t/_delta_log/00000000000000000005.json
    finds "00000000000000000005.json"
    rm -r t && cp -r whole t
    forge 'if .add then .add.size = 1 else . end' # the checkpoint has it right, and is what readers believe
    finds "00000000000000000010.checkpoint.parquet: 1 of its files are not live in the commits, or different there"
    rm -r t && cp -r whole t
    dp-table commit t --mode overwrite --eof-commits -q < <(rows 1 2 p1 | dp-partition -o t --by p) >/dev/null
    cp t/_delta_log/00000000000000000010.checkpoint.parquet t/_delta_log/00000000000000000012.checkpoint.parquet
    finds "00000000000000000012.checkpoint.parquet: 11 of its files are not live in the commits"
    rm -r t && cp -r whole t
    echo '{"numFiles":7,"tableSizeBytes":1}' >t/_delta_log/00000000000000000011.crc
    finds "00000000000000000011.crc: numFiles is 7, the commits leave 12"
    rm t/_delta_log/*.crc
    echo '{"version":9,"size":3}' >t/_delta_log/_last_checkpoint
    finds "_last_checkpoint: it names a checkpoint of version 9, which is not there"
    echo '{"version"' >t/_delta_log/_last_checkpoint
    finds "_last_checkpoint: it is no JSON object"
    rm -r t && cp -r whole t
    rm t/_delta_log/0000000000000000000*.json # cleaned up: the checkpoint is the beginning
    run dp-table verify t
    assert_success
    rm t/_delta_log/*.checkpoint.parquet
    finds "nothing to start from"
    run --separate-stderr dp-table verify nowhere
    dp_expect 3
}

@test "findings as JSON, with exit 4 all the same" {
    table
    f=$(first)
    rm "$f"
    run --separate-stderr dp-table verify t --json
    [ "$status" -eq 4 ]
    jq -e --arg f "$f" '.findings == [{path: $f, finding: "it is missing"}]' <<<"$output" >/dev/null || fail "$output"
}

@test "tables of other writers: what is whole has no finding, deletion vectors are held against the log" {
    [ -d "$DP_SHARED/corpus/delta" ] || skip "no corpus"
    for t in basic_partitioned basic-with-checkpoint basic-with-inserts-deletes-checkpoint table-with-columnmapping-mode-id type-widening basic-decimal-table; do
        [ -d "$DP_SHARED/corpus/delta/$t" ] || continue
        run dp-table verify "$DP_SHARED/corpus/delta/$t" --deep
        assert_success
    done
    cp -r "$DP_SHARED/corpus/delta/basic-dv-no-checkpoint" t
    chmod -R u+w t
    run dp-table verify t --deep
    assert_success
    v=$(find t -maxdepth 1 -name 'deletion_vector_*' | head -n 1)
    [ -n "$v" ] || skip "its vectors are not in files"
    printf '\377' | dd of="$v" bs=1 seek=20 conv=notrunc status=none
    finds "deletion vector: "
}
