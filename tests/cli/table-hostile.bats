#!/usr/bin/env bats
# dp-table against tables, names and keys that are made to break it: no wait without end, no wrong answer, no line that is two.

bats_require_minimum_version 1.5.0
load helper

table() {
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: t' 'version: 1.0.0' 'status: active' 'schema:' '- name: t' '  properties:' \
        '  - {name: id, logicalType: integer}' '  - {name: v, logicalType: integer}' '  - {name: p, logicalType: string, partitioned: true}' >c.yaml
    dp-table create t -c c.yaml -q "$@" >/dev/null
    jq -cn 'range(0; 20) | {id: ., v: (. * 2), p: "k\(. % 3)"}' | dp-partition -o t | dp-table commit t --eof-commits >/dev/null
}
entry() { printf 't/_delta_log/%020d.json' "$1"; }

@test "a FIFO, a directory, a device where the log says that a file is: refused, not waited for" {
    table
    mkfifo fifo
    mkdir t/dir
    for what in fifo dir zero; do
        rm -f t/it
        case $what in
        fifo) mkfifo t/it ;;
        dir) mkdir t/it ;;
        zero) ln -s /dev/zero t/it ;;
        esac
        printf '{"commitInfo":{}}\n{"add":{"path":"it","partitionValues":{"p":"a"},"size":0,"modificationTime":1,"dataChange":true}}\n' >"$(entry 2)"
        for args in 'verify t' 'verify t --deep' 'changes t --from-files' 'delete t --where .id==1' 'update t --set v=1' 'clone t copy --deep' 'replicate t repl'; do
            rm -rf copy repl
            # shellcheck disable=SC2086
            run timeout 60 dp-table $args
            [[ $status == [34] ]] || fail "$what: dp-table $args: $status: $output"
        done
        run timeout 60 dp-cat t
        assert_equal "$status" 3
        run timeout 60 dp-table merge t --key id --eof-commits <<<'{"id":1,"p":"a"}'
        assert_equal "$status" 3
        [ ! -e "$(entry 3)" ]
        rm -rf t/it
    done
}

@test "a FIFO in the log" {
    table
    mkfifo "$(entry 2)"
    for args in 'files t' 'verify t' 'log t' 'replicate t repl' 'delete t --where .id==1'; do
        # shellcheck disable=SC2086
        run timeout 60 dp-table $args
        [[ $status == [34] ]] || fail "dp-table $args: $status: $output"
    done
    rm "$(entry 2)"
    mkfifo t/_delta_log/_last_checkpoint
    run timeout 60 dp-table verify t
    assert_equal "$status" 4
    run timeout 60 dp-table files t
    assert_success
}

@test "a version that is not there can't be verified" {
    table
    run dp-table verify t --as-of 9
    assert_equal "$status" 2
    assert_output "dp-table: t has no version 9: the latest is 1"
}

@test "a key that names several rows: all are replaced, and that is told" {
    table --property delta.enableChangeDataFeed=true
    run --separate-stderr dp-table merge t --key p --eof-commits --json <<<'{"id":99,"v":9,"p":"k1"}'
    assert_success
    assert_regex "$stderr" '^dp-table: .*the key is not unique in the table: 6 rows more than were updated are replaced with them$'
    jq -e '.updated == 1 and .collapsed == 6' <<<"${lines[-1]}"
    assert_equal "$(dp-cat t --where '.p == "k1"' --to records)" '{"id":99,"v":9,"p":"k1"}'
    run --separate-stderr dp-table merge t --key id --eof-commits <<<'{"id":3,"p":"k0"}'
    assert_equal "$stderr" ""
}

@test "names with line breaks stay in their line" {
    table
    mkdir t/sub
    : >"t/sub/a"$'\n'"b"
    run dp-table vacuum t --retain 0s --force
    assert_success
    assert_line --index 0 $'0\tt/sub/a?b'
    for name in '' $'a\nb'; do
        run dp-table branch t "$name"
        assert_equal "$status" 2
    done
}

@test "a schema with one name twice is damaged, whoever asks" {
    table
    jq -c 'select(.metaData) | .metaData.schemaString |= (fromjson | .fields += [.fields[0]] | tojson)' "$(entry 0)" >"$(entry 2)"
    for args in 'files t' 'verify t' 'delete t --where true' 'clone t u'; do
        # shellcheck disable=SC2086
        run dp-table $args
        assert_equal "$status" 4
        assert_output --partial 'column id stands twice'
    done
    run dp-cat t
    assert_equal "$status" 4
}

@test "a key that millions of rows have does not cost memory" {
    ! grep -q __asan_init "$DP_BIN/dp-table" || skip "a sanitizer holds back freed memory: peak memory is not measured"
    command -v /usr/bin/time >/dev/null || skip "no /usr/bin/time: peak memory is not measured"
    table
    jq -cn 'range(0; 300000) | {id: ., v: 1, p: "k1"}' >in
    for _ in 1 2 3 4; do dp-partition -o t <in | dp-table commit t --eof-commits -q; done
    echo '{"id":1,"v":1,"p":"k1"}' >one
    /usr/bin/time -o peak -f %M dp-table merge t one --key v --eof-commits -m 16M -q
    [ "$(tail -n 1 peak)" -le $((48 * 1024)) ]
    assert_equal "$(dp-cat t --where '.v == 1' --to records)" '{"id":1,"v":1,"p":"k1"}'
}

@test "a column with a name of the change feed: no table is made or changed so that nothing can be written to it" {
    feed='delta.enableChangeDataFeed is on and a column is called _change_type'
    table --property delta.enableChangeDataFeed=true
    run bash -c 'echo "{\"id\":1,\"_change_type\":\"x\",\"p\":\"k1\"}" | dp-partition -o t --evolve add'
    assert_equal "$status" 3
    assert_output --partial "$feed"
    run dp-table create u -c <(sed 's/name: v,/name: _change_type,/' c.yaml) --property delta.enableChangeDataFeed=true
    assert_equal "$status" 3
    assert_output --partial "$feed"
    [ ! -e u/_delta_log/00000000000000000000.json ]
    echo '{"id":1,"_change_type":"x"}' | dp-partition -o w | dp-table commit w --eof-commits -q
    run dp-table branch w b
    assert_equal "$status" 3
    assert_output --partial "$feed"
    [ ! -e w@b/_delta_log/00000000000000000000.json ]
}
