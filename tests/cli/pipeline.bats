#!/usr/bin/env bats
# The promises that no program keeps alone: a pipeline commits whole or not at all, its exit code is the cause, and
# nothing is read twice.

load helper

setup() {
    dp_setup
    cat >c.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: pipeline
version: 1.0.0
status: active
schema:
  - name: t
    logicalType: object
    properties:
      - {name: id, logicalType: integer, required: true}
      - {name: word, logicalType: string}
Y
    for i in 1 2 3 4 5; do printf '{"id":%d,"word":"w%d"}\n' "$i" "$i"; done >in.ndjson
    dp-table create t -c c.yaml
    log_before=$(cat t/_delta_log/*.json | sha256sum)
}

log_is_as_it_was() {
    [ "$(cat t/_delta_log/*.json | sha256sum)" = "$log_before" ]
}

# status of a bash pipeline with pipefail, marks on
pipe() {
    run env DP_MARKS=1 bash -o pipefail -c "$1"
}

@test "the whole pipeline: every record once" {
    pipe 'dp-ingest in.ndjson | dp-partition -o t | dp-table commit t'
    assert_success
    run dp-cat t
    assert_equal "$(echo "$output" | sort)" "$(sort in.ndjson)"
}

@test "a stream cut after any whole record publishes nothing, exit 4" {
    DP_MARKS=1 dp-ingest in.ndjson >whole
    total=$(wc -l <whole)
    for ((k = 0; k < total; k++)); do
        head -n "$k" whole >cut
        pipe 'cat cut | dp-partition -o t | dp-table commit t'
        assert_failure 4
        log_is_as_it_was
    done
}

@test "a stream cut in the middle of a record is exit 4, never a reject" {
    DP_MARKS=1 dp-ingest in.ndjson >whole
    head -c $(($(wc -c <whole) / 2)) whole >cut
    pipe 'cat cut | dp-partition --rejects r --max-rejects 100% -o t | dp-table commit t'
    assert_failure 4
    log_is_as_it_was
}

@test "a record lost, doubled or altered on the way is found by the end mark" {
    DP_MARKS=1 dp-ingest in.ndjson >whole
    sed 3d whole >lost
    sed 3p whole >doubled
    sed 's/"w3"/"W3"/' whole >altered
    for f in lost doubled altered; do
        pipe "cat $f | dp-partition -o t | dp-table commit t"
        assert_failure 4
        log_is_as_it_was
    done
}

@test "a middle program that fails: its own exit code, nothing published" {
    pipe 'dp-ingest in.ndjson | dp-map "if .id == 4 then error(\"no\") else . end" | dp-partition -o t | dp-table commit t'
    assert_failure 1
    log_is_as_it_was
}

@test "a middle program that exits 1 without a word" {
    pipe 'dp-ingest in.ndjson | (head -n 3; exit 1) | dp-partition -o t | dp-table commit t'
    assert_failure 4
    log_is_as_it_was
    run dp-run -- 'dp-ingest in.ndjson | (head -n 3; exit 1) | dp-partition -o t | dp-table commit t'
    assert_failure 1
    log_is_as_it_was
}

@test "a source killed by SIGKILL: 4 downstream, 137 under dp-run" {
    pipe '(head -n 3 in.ndjson | DP_MARKS=1 dp-ingest; kill -KILL $BASHPID) | grep -v "\"\$dp\":\"end\"" | dp-partition -o t | dp-table commit t'
    assert_failure 4
    log_is_as_it_was
    run dp-run -- '(DP_MARKS=1 dp-ingest in.ndjson | head -n 3; kill -KILL $BASHPID) | dp-partition -o t | dp-table commit t'
    assert_failure 137
    log_is_as_it_was
}

@test "a stream without marks: exit 4, unless --eof-commits" {
    run bash -o pipefail -c 'env -u DP_MARKS dp-ingest in.ndjson | dp-partition -o t | dp-table commit t'
    assert_failure 4
    log_is_as_it_was
    run bash -o pipefail -c 'env -u DP_MARKS dp-ingest in.ndjson | dp-partition -o t | dp-table commit --eof-commits t'
    assert_success
    [ "$(dp-cat t | wc -l)" -eq 5 ]
}

@test "rejects over the limit: exit 1 for a broken rule, 4 for what is no record, nothing published" {
    printf '{"id":"six"}\n' >>in.ndjson
    pipe 'dp-ingest in.ndjson | dp-partition -o t | dp-table commit t'
    assert_failure 1
    assert_output --partial 'id'
    log_is_as_it_was
    printf '{"id":\n{"id":7}\n' >bad.ndjson
    pipe 'dp-ingest bad.ndjson | dp-partition -o t | dp-table commit t'
    assert_failure 4
    assert_output --partial 'bad.ndjson:1'
    log_is_as_it_was
}

@test "--since: the same command twice doubles nothing, a grown file goes on" {
    pipe 'dp-ingest --since t in.ndjson | dp-partition -o t | dp-table commit t'
    assert_success
    pipe 'dp-ingest --since t in.ndjson | dp-partition -o t | dp-table commit t'
    assert_success
    [ "$(dp-cat t | wc -l)" -eq 5 ]
    printf '{"id":6,"word":"w6"}\n' >>in.ndjson
    pipe 'dp-ingest --since t in.ndjson | dp-partition -o t | dp-table commit t'
    assert_success
    [ "$(dp-cat t | sed 's/.*"id":\([0-9]*\).*/\1/' | sort -n | tr '\n' ' ')" = '1 2 3 4 5 6 ' ]
}

@test "the same run twice under dp-run is one batch" {
    for _ in 1 2; do
        run env DP_RUN_ID=run-7 dp-run --name job -- 'dp-ingest in.ndjson | dp-partition -o t | dp-table commit t'
        assert_success
    done
    [ "$(dp-cat t | wc -l)" -eq 5 ]
}

@test "marks do not show in a plain pipe" {
    run bash -c 'dp-ingest in.ndjson | dp-map . | grep -c "\$dp"'
    assert_output 0
}

@test "the header carries types and the chain across the pipe" {
    run bash -c 'DP_MARKS=1 dp-ingest -c c.yaml in.ndjson | dp-map "select(.id > 0)" | head -n 1'
    assert_output --partial '"$dp":"begin"'
    assert_output --partial 'dp-ingest'
    assert_output --partial 'dp-map'
    assert_output --partial 'int64'
}

@test "same contents for any --threads and --memory" {
    seq 1 20000 | awk '{ printf "{\"id\":%d,\"word\":\"w%d\"}\n", $1, $1 % 97 }' >big.ndjson
    for o in '-j 1' '-j 2' '-j 4' '-j 2 -m 16M'; do
        rm -rf out
        # shellcheck disable=SC2086
        dp-ingest $o big.ndjson | dp-map $o '. + {x: (.id * 2)}' | dp-partition $o -o out >/dev/null
        find out -name '*.parquet' -exec dp-cat {} + | sha256sum
    done | uniq >sums
    [ "$(wc -l <sums)" -eq 1 ]
}
