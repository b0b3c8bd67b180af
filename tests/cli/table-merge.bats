#!/usr/bin/env bats
# dp-table merge: records into a table by key, against a slow model; each batch once; the same whatever threads and memory.

bats_require_minimum_version 1.5.0
load helper
load edited

all() { dp-cat "${1:-t}" | jq -sc 'sort_by(.id)[]'; }

# n records of random keys, some of them deletes, some twice; seed, n, keys.
changes() {
    awk -v seed="$1" -v n="$2" -v keys="$3" 'BEGIN { srand(seed); for (i = 1; i <= n; i++) { k = int(rand() * keys)
        if (rand() < 0.2) printf "{\"id\":%d,\"v\":%d,\"op\":\"d\"}\n", k, int(rand() * 20000)
        else if (rand() < 0.1) printf "{\"id\":%d,\"v\":1,\"_change_type\":\"update_preimage\"}\n", k
        else printf "{\"id\":%d,\"p\":\"k%d\",\"v\":%d,\"s\":\"m%d\"}\n", k, int(rand() * 5), int(rand() * 20000), i } }'
}
# The model: rows on standard input, records in a file; last one wins, or by v.
model() {
    jq -sc --slurpfile r "$1" --argjson by "$2" 'INDEX(.[]; .id | tostring) as $t |
        (reduce ($r[] | select(._change_type != "update_preimage")) as $x ({}; ($x.id | tostring) as $k |
            if $by and .[$k] and .[$k].v > $x.v then . else .[$k] = $x end)) as $w |
        reduce ($w[]) as $x ($t; ($x.id | tostring) as $k | if $by and .[$k] and .[$k].v > $x.v then . elif $x.op == "d" then del(.[$k]) else .[$k] = $x end) |
        [.[]] | sort_by(.id)[]'
}

@test "a model agrees: replaced, new, gone; by files and by vectors" {
    for how in '' "--property $dv" "--property $cdf" "--property $dv --property $cdf"; do
        rm -rf t
        table $how
        rows 0 1000 >model
        for seed in 1 2 3; do
            changes $seed 400 1500 >in.ndjson
            if [ $seed = 2 ]; then dp-table merge t --sequence v in.ndjson -q; by=true; else dp-table merge t in.ndjson -q; by=false; fi
            model in.ndjson $by <model >next
            mv next model
            all >got
            diff model got
        done
    done
    # the last of these tables tells all changes: played again they make it anew
    dp-table create u -c c.yaml -q
    dp-table changes t | dp-table merge u --eof-commits -q
    all u | diff model -
}

@test "rows of windows: emit and update are put, retract takes away, pane is no column" {
    printf '%s\n' 'apiVersion: v3.0.2' 'kind: DataContract' 'id: w' 'version: 1.0.0' 'status: active' 'schema:' '  - name: w' '    properties:' \
        '      - {name: s, logicalType: integer}' '      - {name: n, logicalType: integer}' >w.yaml
    dp-table create w -c w.yaml >/dev/null
    printf '%s\n' '{"s":1,"n":1,"op":"emit","pane":0}' '{"s":2,"n":5,"op":"early","pane":0}' '{"s":1,"n":2,"op":"update","pane":1}' '{"s":3,"n":1,"op":"emit","pane":0}' |
        dp-table merge w --key s --eof-commits >/dev/null
    printf '%s\n' '{"s":3,"op":"retract","pane":1}' | dp-table merge w --key s --eof-commits >/dev/null
    run -0 sh -c 'dp-cat w | LC_ALL=C sort'
    assert_output '{"s":1,"n":2}
{"s":2,"n":5}'
}

@test "what is told: change data, metrics, the line" {
    table --property $cdf
    printf '%s\n' '{"id":1,"p":"k1","v":111,"s":"new"}' '{"id":2,"op":"d"}' '{"id":5000,"p":"k7","v":1,"s":"ins"}' '{"id":3,"p":"k0","v":1,"s":"a"}' \
        '{"id":3,"p":"k8","v":2,"s":"b"}' '{"_change_type":"delete","id":9999}' >in.ndjson
    run dp-table merge t in.ndjson --dry-run
    assert_output "t: would have 1 rows deleted, 2 rows updated, 1 rows inserted; 3 files replaced, 0 with deletion vectors"
    [ ! -e "$(entry 2)" ]
    run dp-table merge t in.ndjson
    assert_output "t: version 2, 1 rows deleted, 2 rows updated, 1 rows inserted; 6 files for 3, 0 deletion vectors"
    jq -se 'map(select(.commitInfo))[0].commitInfo | .operation == "MERGE" and .isBlindAppend == false and (.operationMetrics | .numSourceRows == "6" and
        .numTargetRowsInserted == "1" and .numTargetRowsUpdated == "2" and .numTargetRowsDeleted == "1" and .numTargetRowsCopied == "997" and .numOutputRows == "1000")' "$(entry 2)"
    dp-table changes t --since 2 | jq -c '[.id, .p, ._change_type]' | LC_ALL=C sort >got
    printf '%s\n' '[1,"k1","update_postimage"]' '[1,"k1","update_preimage"]' '[2,"k2","delete"]' '[3,"k0","update_preimage"]' '[3,"k8","update_postimage"]' \
        '[5000,"k7","insert"]' | LC_ALL=C sort | diff - got
    run dp-table merge t --json --eof-commits <<<'{"id":3,"op":"retract"}'
    jq -e '.deleted == 1 and .files_skipped >= 3' <<<"${lines[-1]}"
    # only new rows: nothing is rewritten, and plain files tell of it
    dp-table merge t --eof-commits -q <<<'{"id":7777,"p":"k1","v":1,"s":"n"}'
    run jq -c 'select(.cdc or .remove)' "$(entry 4)"
    assert_output ""
}

@test "each batch once: --txn, positions, an unfinished stream" {
    table
    rows 0 5 | jq -c '.v = -1' >in.ndjson
    dp-table merge t in.ndjson --txn job:7 -q
    run dp-table merge t in.ndjson --txn job:7
    assert_success
    assert_output "t: already committed as version 2"
    run dp-table merge t in.ndjson --txn job:6
    assert_equal "$status" 1
    run dp-table merge t <in.ndjson
    assert_equal "$status" 4
    [ ! -e "$(entry 3)" ]
    dp-ingest --marks in.ndjson >marked
    dp-table merge t <marked -q
    run dp-table merge t <marked
    assert_success
    [ ! -e "$(entry 4)" ]
    run dp-ingest --since t --marks in.ndjson
    run dp-table merge t < <(head -c 300 marked)
    assert_equal "$status" 4
    jq -se 'map(select(.txn)) | length == 1' "$(entry 3)"
}

@test "bad records are set aside, and unknown keys of the command are refused" {
    table
    printf '%s\n' '{"id":null,"v":1}' '{"v":1}' '{"id":1,"op":"what"}' '{"id":1,"v":"many"}' '{"id":1,"zz":1}' '{"id":1,"p":"k1","v":-5,"s":"ok"}' >in.ndjson
    run dp-table merge t in.ndjson
    assert_equal "$status" 1
    dp-table merge t in.ndjson --rejects bad.ndjson --max-rejects 5 -q
    assert_equal "$(wc -l <bad.ndjson)" 5
    assert_equal "$(dp-cat t | jq -c 'select(.id == 1)')" '{"id":1,"p":"k1","v":-5,"s":"ok"}'
    run dp-table merge t in.ndjson --key idd
    assert_equal "$status" 2
    assert_output --partial "did you mean id?"
    run dp-table merge t in.ndjson --sequence s
    assert_equal "$status" 2
    rows 0 3 | dp-partition -o plain2 | dp-table commit plain2 --eof-commits -q
    run dp-table merge plain2 in.ndjson
    assert_equal "$status" 2
    assert_output --partial "--key is needed"
    dp-table merge plain2 --key 'p,id' --eof-commits -q <<<'{"id":1,"p":"k1","v":7,"s":"y"}'
    dp-table merge plain2 --key p --eof-commits -q <<<'{"p":"k2","op":"delete"}'
    assert_equal "$(all plain2)" "$(printf '%s\n' '{"id":0,"v":0,"p":"k0","s":"x0"}' | jq -c '{id,p,v,s}')
$(echo '{"id":1,"p":"k1","v":7,"s":"y"}')"
}

@test "the same whatever threads and memory" {
    contract
    rows 0 30000 | dp-ingest -f ndjson - >rows.ndjson
    changes 9 30000 45000 >in.ndjson
    for how in "-j1 -m 16M" "-j4" "-j2 -m 24M"; do
        rm -rf t
        dp-table create t -c c.yaml --property $cdf -q
        dp-partition -o t <rows.ndjson | dp-table commit t --eof-commits -q
        dp-table merge t in.ndjson --sequence v -q $how
        { dp-cat t; dp-table changes t --since 2 | jq -c 'del(._commit_timestamp)'; } >got
        [ -e first ] || cp got first
        cmp first got
    done
    model in.ndjson true <rows.ndjson >want
    all | cmp want -
}

@test "an endless stream is merged in parts" {
    table
    rows 0 10 | jq -c '.v = 1' >a.ndjson
    rows 5 15 | jq -c '.v = 2' >b.ndjson
    dp-ingest --marks a.ndjson b.ndjson >marked
    run dp-table merge t --commit-every 1ms <marked
    assert_success
    assert_equal "$(dp-cat t | jq -s 'map(select(.v == 2)) | length')" 10
    assert_equal "$(dp-cat t | jq -s 'map(select(.v == 1)) | length')" 5
    # again: nothing twice, nothing lost
    run dp-table merge t --commit-every 1ms <marked
    assert_success
    assert_equal "$(dp-cat t | jq -s 'map(select(.v == 2)) | length')" 10
}

@test "writers at once: no record is lost and no key is there twice" {
    table
    for k in 1 2 3; do
        { rows $((k * 2000)) $((k * 2000 + 50)); rows $((k * 10)) $((k * 10 + 5)) | jq -c ".v = -$k"; } >in$k.ndjson
        dp-table merge t in$k.ndjson -q &
        pids[k]=$!
    done
    for k in 1 2 3; do wait "${pids[k]}"; done
    assert_equal "$(dp-cat t | jq -s 'length')" 1150
    assert_equal "$(dp-cat t | jq -s 'map(select(.v < 0)) | length')" 15
    assert_equal "$(dp-cat t | jq -s '[.[].id] | length == (unique | length)')" true
}
