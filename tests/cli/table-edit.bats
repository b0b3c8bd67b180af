#!/usr/bin/env bats
# dp-table delete and update: the right rows and no others, by files written anew or deletion vectors, with what changed told; races decided again.

bats_require_minimum_version 1.5.0
load helper
load edited

# All rows of t, in the order of id.
all() { dp-cat t "$@" | jq -sc 'sort_by(.id)[]'; }
changed() { dp-table changes t --since "$1" | jq -c 'del(._commit_timestamp)' | jq -sc 'sort_by(._commit_version, .id, (._change_type | . == "update_postimage"))[]'; }

@test "delete: the rows for which it is true, and no others" {
    for how in '' "--property $dv" "--property $cdf" "--property $dv --property $cdf"; do
        rm -rf t
        table $how
        run dp-table delete t --where '.id % 7 == 3 or (.v > 9000 and .p == "k1")'
        assert_success
        all >got
        rows 0 1000 | jq -c 'select((.id % 7 == 3 or (.v > 9000 and .p == "k1")) | not)' >want
        cmp want got
        run dp-table delete t --where '.id % 7 == 3'
        assert_output "t: no row changes"
        run dp-table delete t --where '.id % 7 == 3' --skip-empty
        assert_equal "$status" 99
        dp-table delete t --where '.id % 2 == 0' -q
        dp-table delete t --where '.p == "k2"' -q
        all >got
        jq -c 'select(.id % 2 == 1 and .p != "k2")' want >left
        cmp left got
        dp-table delete t --where true -q
        assert_equal "$(all)" ""
        all --as-of 2 | cmp want -
    done
}

@test "delete: rows that are not there to be read are not touched" {
    table
    before=$(ls t/p=k0 t/p=k2)
    # statistics exclude files; a partition goes without being read
    run dp-table delete t --where '.p == "k1" and .id < 500' --json
    jq -e '.deleted == 167 and .copied == 166 and .files_removed == 1 and .files_added == 1 and .files_skipped == 2' <<<"${lines[-1]}"
    chmod 000 t/p=k2/*
    dp-table delete t --where '.p == "k2"' -q
    assert_equal "$(ls t/p=k0 t/p=k2)" "$before"
    assert_equal "$(jq -sc 'map(select(.commitInfo))[0].commitInfo | [.operation, .operationParameters.predicate, .isBlindAppend, .operationMetrics.numDeletedRows]' "$(entry 3)")" \
        '["DELETE","[\".p == \\\"k2\\\"\"]",false,"333"]'
    [ ! -e t/_dp_staging ] || [ -z "$(find t/_dp_staging -name '*.parquet')" ]
}

@test "delete: deletion vectors, their statistics, and more of them" {
    table --property $dv
    dp-table delete t --where '.id < 30' -q
    cp "$(entry 2)" two
    jq -se 'map(select(.add).add) | length == 3 and all(.deletionVector.cardinality == 10 and .deletionVector.storageType == "u" and
        (.stats | fromjson | .tightBounds == false and .numRecords >= 333 and .nullCount.v == 0))' two
    assert_equal "$(ls t/deletion_vector_*.bin | wc -l)" 1
    dp-table delete t --where '.id < 60' -q
    jq -se '(map(select(.remove).remove.deletionVector.cardinality) | add) == 30 and (map(select(.add).add.deletionVector.cardinality) | add) == 60' "$(entry 3)"
    # all that is left of a file: removed, with its vector
    dp-table delete t --where '.p == "k1" and .s != "x"' -q
    jq -se '(map(select(.add)) | length) == 0 and (map(select(.remove).remove.deletionVector.cardinality)) == [20]' "$(entry 4)"
    rows 0 1000 | jq -c 'select(.id >= 60 and .p != "k1")' >want
    all | cmp want -
}

@test "update: in place, into other partitions, with vectors" {
    for how in '' "--property $dv"; do
        rm -rf t
        table $how
        dp-table update t --set 'v=.v + 1' --set 's="\(.s)-\(.v)"' --where '.id % 5 == 0' -q
        dp-table update t --set 'p="k9"' --where '.id < 10' -q
        all >got
        rows 0 1000 | jq -c 'if .id % 5 == 0 then .s = "\(.s)-\(.v)" | .v += 1 else . end | if .id < 10 then .p = "k9" else . end' >want
        cmp want got
        dp-table update t --set 'v=null' -q
        assert_equal "$(all | jq -s 'map(select(.v == null)) | length')" 1000
    done
    rm -rf t
    table
    dp-cat t | jq -c 'if .id == 500 then .v = 1 else . end' >want
    dp-table update t --set v=1 --where '.id == 500' -q
    dp-cat t | LC_ALL=C sort >got
    LC_ALL=C sort want | cmp - got
    jq -se '.[0].commitInfo | .operation == "UPDATE" and .operationMetrics.numUpdatedRows == "1" and .operationMetrics.numCopiedRows == "332"' "$(entry 2)"
}

@test "change data: all that changed, and only that" {
    for how in "--property $cdf" "--property $dv --property $cdf"; do
        rm -rf t
        table $how
        dp-table update t --set 'v=-1' --where '.id == 1 or .id == 2' -q
        dp-table delete t --where '.id == 2 or .id == 3' -q
        dp-table delete t --where '.p == "k2"' -q
        dp-table update t --set 'p="k5"' --where '.p == "k0" and .id < 7' -q
        {
            rows 1 3 | jq -c '(. + {_change_type: "update_preimage"}), (.v = -1 | . + {_change_type: "update_postimage"}) | . + {_commit_version: 2}'
            rows 2 4 | jq -c 'if .id == 2 then .v = -1 else . end | . + {_change_type: "delete", _commit_version: 3}'
            rows 0 1000 | jq -c 'select(.p == "k2" and .id != 2) | . + {_change_type: "delete", _commit_version: 4}'
            rows 0 7 | jq -c 'select(.p == "k0" and .id != 3) | (. + {_change_type: "update_preimage"}), (.p = "k5" | . + {_change_type: "update_postimage"}) | . + {_commit_version: 5}'
        } >want
        changed 2 >got
        diff want got
        # a file that goes as a whole is told by its removal
        run jq -c 'select(.cdc)' "$(entry 4)"
        assert_output ""
    done
}

@test "what can't be is refused, and nothing changes" {
    table
    run dp-table delete t
    assert_equal "$status" 2
    run dp-table delete t --where '.pp == "k1"'
    assert_equal "$status" 2
    assert_output --partial "has no column pp; did you mean p?"
    run dp-table delete t --where '.s + 1 == 2'
    assert_equal "$status" 1
    run dp-table update t --set 'v="many"' --where '.id == 7'
    assert_equal "$status" 1
    assert_output --partial '--set: v: expected int64, got "many"'
    run dp-table update t --set 'id=null' --where '.id == 7'
    assert_equal "$status" 1
    run dp-table update t --set 'v=.v,.v'
    assert_equal "$status" 1
    assert_output --partial "more than one value"
    run dp-table update t --set 'w=1'
    assert_equal "$status" 2
    run dp-table update t --set 'v=1' --set v=2
    assert_equal "$status" 2
    run dp-table update t
    assert_equal "$status" 2
    run dp-table delete t --where '.id < 10' --dry-run
    assert_output "t: would have 10 rows deleted; 3 files replaced, 0 with deletion vectors"
    [ ! -e "$(entry 2)" ]
    rows 0 1000 | cmp - <(all)
    contract
    dp-table create only -c c.yaml --property delta.appendOnly=true -q
    run dp-table delete only --where true
    assert_equal "$status" 1
    assert_output --partial "append-only"
}

@test "the same whatever threads and memory" {
    rows 0 20000 | dp-ingest -f ndjson - >in.ndjson
    for how in "-j1" "-j4 -m 16M" "-j2"; do
        rm -rf t
        contract && dp-table create t -c c.yaml -q
        dp-partition -o t <in.ndjson | dp-table commit t --eof-commits -q
        dp-table delete t --where '.id % 3 == 1 and .id < 9000' -q $how
        dp-table update t --set 'v=.v * 2' --where '.id % 11 == 0' -q $how
        dp-cat t >got
        [ -e first ] || cp got first
        # files are listed in the order of their arrival, rows stay in theirs
        cmp first got
    done
}

@test "row groups that lose no row are copied as they stand" {
    rows 0 20000 | jq -c '.p = "a"' >in.ndjson
    contract && dp-table create t -c c.yaml -q
    dp-partition -o t --row-group-rows 1000 <in.ndjson | dp-table commit t --eof-commits -q
    dp-table delete t --where '.id == 5500' -q
    dp-cat --meta "$(dp-table files t)" | jq -s "map(.row_group) | max" >groups
    assert_equal "$(cat groups)" 19
    assert_equal "$(dp-cat t | jq -s 'length')" 19999
    jq -c 'select(.id != 5500)' in.ndjson | cmp - <(all)
}

@test "writers at once: each row goes once, and none comes back" {
    table
    for k in 1 2 3 4; do
        { for i in 0 1 2 3 4; do dp-table delete t --where ".id % 20 == $((k * 4 + i - 4))" -q || exit 1; done; } &
        pids[k]=$!
    done
    for i in 1 2 3; do rows $((i * 1000)) $((i * 1000 + 100)) | dp-partition -o t | dp-table commit t --eof-commits -q; done
    for k in 1 2 3 4; do wait "${pids[k]}" || lost=1; done
    # who lost every time says so by its exit code, and its rows are there; else each is gone
    if [ -z "${lost:-}" ]; then
        assert_equal "$(all | jq -s 'map(select(.id < 1000 and .id % 20 < 17)) | length')" 0
    fi
    assert_equal "$(all | jq -s '[.[].id] | length == (unique | length)')" true
    assert_equal "$(all | jq -s 'map(select(.id < 1000 and .id % 20 >= 17)) | length')" 150
}
