#!/usr/bin/env bats
# Streams without an end: dp-ingest --follow over files that grow, are rotated and come anew; --commit-every; kills at any time.
# Conditions are waited for, never for a time.

# shellcheck disable=SC2030,SC2031,SC2016,SC2086
bats_require_minimum_version 1.5.0
load helper

setup() {
    dp_setup
    set -o pipefail
}

# Ends what a test has left running.
teardown() {
    for p in ${pids:-}; do kill -KILL -- "$p" 2>/dev/null; done
    wait 2>/dev/null
}

# The data lines of out are these.
out_is() { [ "$(grep -v '^{"$dp"' out)" = "$(printf '%s\n' "$@")" ]; }
has() { grep -q -- "$1" "${2:-out}"; }
gone() { ! kill -0 "$1"; }

# follow WORDS...: dp-ingest --follow in the background, its output in out, its exit code in rc
follow() {
    rm -f rc pid # of one that ran before
    (
        rc=0
        dp-ingest --follow "$@" >out 2>err 3>&- &
        echo $! >pid
        wait $! || rc=$?
        echo $rc >rc
    ) 3>&- &
    until_ok test -s pid
    pid=$(cat pid)
    pids="${pids:-} $pid"
}
# ended CODE: it ends, with that code
ended() {
    until_ok test -s rc
    [ "$(cat rc)" -eq "$1" ] || fail "exit $(cat rc), not $1: $(cat err)"
}

@test "a file grows: records as soon as their lines are whole" {
    printf '{"n":1}\n{"n":' >a
    follow a
    until_ok out_is '{"n":1}'
    printf '2' >>a
    printf '{"other":1}\n' >b # nothing of ours
    printf '}\n{"n":3}\n{"n":4' >>a
    until_ok out_is '{"n":1}' '{"n":2}' '{"n":3}'
    printf '}\n' >>a
    until_ok out_is '{"n":1}' '{"n":2}' '{"n":3}' '{"n":4}'
    kill -TERM "$pid"
    ended 143
}

@test "large files, a backlog, and several threads: the same records" {
    dp_records 60000 >a
    follow -j 3 --marks a
    until_ok has '"idle"'
    dp_records 500 >>a
    n=$(wc -c <a)
    until_ok has "\"position\":\"$n\""
    grep -v '^{"$dp"' out | cmp - a
    has '"active"'
    kill -TERM "$pid"
    ended 143
}

@test "marks: begin, rows of checkpoints, heartbeats, and abort at a signal" {
    echo '{"n":1}' >a
    echo '{"m":1}' >b
    follow --marks a b
    until_ok has '"heartbeat"'
    until_ok grep -q '"source":"b@8:' out
    echo '{"n":2}' >>a
    until_ok grep -q '"position":"16"' out
    head -n 1 out | jq -e '."$dp" == "begin"'
    # One row for both: more on all but the last, the last of a row behind all rows that it covers.
    grep '"checkpoint"' out | head -n 2 | jq -s -e '.[0].more == true and .[1].more == null'
    jq -s -e 'map(select(."$dp" == "heartbeat")) | .[0].stages[0].program == "dp-ingest"' out
    kill -TERM "$pid"
    ended 143
    tail -n 1 out | jq -e '."$dp" == "abort" and .exit_code == 143'
    ! has '"end"'
}

@test "rotation by rename: the old file to its end, then the new" {
    echo '{"old":1}' >log
    follow log
    until_ok out_is '{"old":1}'
    mv log log.1
    echo '{"old":2}' >>log.1
    echo '{"new":1}' >log
    until_ok has '"new":1'
    echo '{"old":3}' >>log.1 # the writer has not opened the new one yet
    until_ok has '"old":3'
    echo '{"new":2}' >>log
    until_ok has '"new":2'
    [ "$(sort out | uniq -d)" = "" ]
    [ "$(wc -l <out)" -eq 5 ]
    [ "$(sed -n 2p out)" = '{"old":2}' ]
}

@test "rotation by copy and truncation: a new source, also of the same length or beginning" {
    printf '{"n":1}\n{"n":2}\n' >log
    follow --marks log
    until_ok has '"n":2'
    until_ok grep -q '"position":"16"' out
    cp log copy
    : >log
    echo '{"n":3}' >>log
    until_ok has '"n":3'
    echo '{"n":4}' >log # as long as before
    until_ok has '"n":4'
    echo '{"n":4}' >log.new
    cat log.new >log # the very same: nobody can tell, and nobody loses it either
    echo '{"n":5}' >>log
    until_ok has '"n":5'
    until_ok grep -q '"position":"8"' out
    grep '"checkpoint"' out | jq -r .source | sort -u | wc -l | grep -qx '[3-5]'
}

@test "what is alike at first is told apart later, and a copy in place goes on" {
    printf '{"start":1}\n{"n":1}\n' >log
    follow log
    until_ok has '"n":1'
    mv log log.1
    printf '{"start":1}\n' >log
    until_ok has 'begins as before' err
    printf '{"n":2}\n' >>log
    until_ok out_is '{"start":1}' '{"n":1}' '{"start":1}' '{"n":2}'
    printf '{"start":1}\n{"n":2}\n{"n":3}\n' >copy
    mv copy log
    until_ok has 'goes on where that ended' err
    until_ok has '"n":3'
    [ "$(wc -l <out)" -eq 5 ]
}

@test "directories and globs: new files join, what is not there is waited for" {
    mkdir in
    echo '{"f":"b"}' >in/b
    echo '{"f":"a"}' >in/a
    follow in 'later/*.log' single
    until_ok out_is '{"f":"a"}' '{"f":"b"}'
    has 'single is not there yet' err
    mkdir in/sub later
    echo '{"f":"sub"}' >in/sub/c
    until_ok has '"f":"sub"'
    echo '{"f":"log"}' >later/x.log
    until_ok has '"f":"log"'
    echo '{"f":"single"}' >single
    until_ok has '"f":"single"'
    echo '{"f":"b2"}' >>in/b
    until_ok has '"f":"b2"'
    rm in/a
    echo '{"f":"a2"}' >in/a
    until_ok has '"f":"a2"'
    gzip -k in/b # an archiver beside us
    until_ok has 'passed over.*gzip' err
    echo '{"f":"b3"}' >>in/b
    until_ok has '"f":"b3"'
    [ "$(sort out | uniq -d)" = "" ]
}

@test "CSV: a header waits for a record, types hold for files that come later" {
    printf 'id,code\n' >1.csv
    follow '*.csv'
    printf '7,"ab\nc' >>1.csv
    sleep 0.2 # long enough to be looked at, on most machines
    printf '"\n8,x\n9,y' >>1.csv
    until_ok has '"id":8'
    out_is '{"id":7,"code":"ab\nc"}' '{"id":8,"code":"x"}'
    printf '\n' >>1.csv
    until_ok has '"id":9'
    printf 'id,code\n10,5\n' >2.csv
    until_ok has '{"id":10,"code":"5"}'
}

@test "CSV: half a record that holds a line end teaches no types" {
    printf 'id,code\n7,"ab\n' >1.csv
    follow '*.csv'
    echo '{"n":1}' >other.csv # who has read this one has looked at the first
    until_ok has '"n":1'
    printf 'c"\n' >>1.csv
    until_ok has '{"id":7,"code":"ab\\nc"}'
}

@test "rejects are published on the way, and counted as they come" {
    printf '{"n":1}\nnot json\n' >a
    follow --rejects bad --max-rejects 2 a
    until_ok has '"raw":"not json"' bad
    echo 'nor this' >>a
    until_ok has '"raw":"nor this"' bad
    [ "$(wc -l <bad)" -eq 2 ]
    echo '{"n":2}' >>a
    until_ok out_is '{"n":1}' '{"n":2}'
    echo 'three' >>a
    ended 4
    [ "$(wc -l <bad)" -eq 3 ]
}

@test "a line that is too long is one reject" {
    printf '{"n":1}\n' >a
    follow --max-record 1K --rejects bad --max-rejects 5 a
    until_ok has '"n":1'
    head -c 300000 /dev/zero | tr '\0' x >>a
    printf 'y\n{"n":2}\n' >>a
    until_ok has '"n":2'
    until_ok has 'more than 1024 bytes' bad
    [ "$(wc -l <bad)" -eq 1 ]
}

@test "--ledger: killed and started again, it goes on at the last checkpoint" {
    printf '{"n":1}\n{"n":2}\n' >a
    follow --ledger seen.db a
    until_ok out_is '{"n":1}' '{"n":2}'
    until_ok test -s seen.db
    until_ok sh -c 'dp-ingest -n --ledger seen.db a | wc -l | grep -qx 0' # it is in the ledger
    kill -KILL "$pid"
    ended 137
    echo '{"n":3}' >>a
    follow --ledger seen.db a
    until_ok out_is '{"n":3}'
    kill -TERM "$pid"
    ended 143
}

@test "a reader that goes away ends it, also when nothing comes" {
    printf '{"n":1}\n{"n":2}\n' >a
    run -141 timeout 30 bash -o pipefail -c 'dp-ingest --follow a | head -n 1'
    assert_output '{"n":1}'
}

@test "what can't be followed is refused by name" {
    echo '{"n":1}' >a
    gzip -k a
    run --separate-stderr -3 dp-ingest --follow a.gz
    dp_expect 3 'gzip'
    dp-ingest a | dp-partition -o p >paths
    run --separate-stderr -3 dp-ingest --follow "$(cat paths)"
    dp_expect 3 'Parquet'
    printf '[\n{"a":1},\n{"a":2}]\n' >doc
    run --separate-stderr -3 dp-ingest --follow doc
    dp_expect 3 'one object a line'
    iconv -t UTF-16 a >wide
    run --separate-stderr -3 dp-ingest --follow wide
    dp_expect 3 'utf-16'
    mkfifo pipe
    run --separate-stderr -3 dp-ingest --follow pipe
    dp_expect 3 'no regular file'
    run --separate-stderr -2 dp-ingest --follow
    dp_expect 2 'standard input'
    run --separate-stderr -2 dp-ingest --follow --max-rejects 1% a
    dp_expect 2 'give a number'
    run -2 dp-ingest --follow --retry-rejects a
}

# ---- --commit-every ----

some_files() {
    for i in 1 2 3; do seq $((i * 10)) $((i * 10 + 9)) | sed 's/.*/{"id":&}/' >$i.ndjson; done
    cat >c.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: follow
version: 1.0.0
status: active
schema:
  - name: t
    logicalType: object
    properties:
      - {name: id, logicalType: integer, required: true}
Y
    dp-table create t -c c.yaml
}
versions() { dp-table log t | wc -l; }
at_least() { [ "$(versions)" -ge "$1" ]; }
rows() { dp-cat t | sed 's/.*"id":\([0-9]*\).*/\1/' | sort -n; }

@test "--commit-every: a version for each checkpoint of a stream that ends" {
    some_files
    dp-ingest --marks --since t [123].ndjson | dp-partition --commit-every 0s -o t | tee stream | dp-table commit --commit-every 0s t >said
    [ "$(wc -l <said)" -eq 3 ]
    [ "$(versions)" -eq 4 ]
    rows | cmp - <(seq 10 39)
    # Paths stand before the checkpoints that cover them.
    [ "$(grep -v '"begin"\|"end"' stream | sed 's/^{.*/mark/; s/^t.*/path/' | tr '\n' ' ')" = 'path mark path mark path mark ' ]
    dp-ingest --marks --since t [123].ndjson | dp-partition --commit-every 0s -o t | dp-table commit --commit-every 0s t
    [ "$(versions)" -eq 4 ]
    # Seldom: one version at the end, with all positions.
    seq 40 45 | sed 's/.*/{"id":&}/' >>1.ndjson
    echo '{"id":46}' >>2.ndjson
    dp-ingest --marks --since t [123].ndjson | dp-partition --commit-every 1h -o t | tee stream | dp-table commit --json --commit-every 0s t | jq -e '.commits == 1 and .rows == 7'
    [ "$(versions)" -eq 5 ]
    grep '"checkpoint"' stream | jq -s -e 'length == 2 and .[0].more == true and .[1].more == null'
    rows | cmp - <(seq 10 46)
    [ -z "$(find t/_dp_staging -name '*.parquet')" ]
}

@test "--commit-every: a row of checkpoints is one position" {
    some_files
    dp-ingest --marks --since t [123].ndjson | dp-partition --commit-every 1h -o t >stream
    # The stream ends in the middle of the row: the files before it have rows of sources whose positions did not come.
    n=$(grep -n '"more":true' stream | tail -n 1 | cut -d: -f1)
    run -4 bash -c "head -n $n stream | dp-table commit --commit-every 0s t"
    [ "$(versions)" -eq 1 ]
    n=$(grep -n '"checkpoint"' stream | tail -n 1 | cut -d: -f1)
    run -4 bash -c "head -n $n stream | dp-table commit --commit-every 0s t"
    [ "$(versions)" -eq 2 ]
    rows | cmp - <(seq 10 39)
}

@test "--commit-every: what was committed stays when the stream is cut or aborted" {
    some_files
    dp-ingest --marks --since t [123].ndjson | dp-partition --commit-every 0s -o t >stream
    n=$(grep -n '"checkpoint"' stream | sed -n 2p | cut -d: -f1)
    run --separate-stderr -4 bash -c "head -n $((n + 1)) stream | dp-table commit --commit-every 0s t"
    dp_expect 4 '2 versions up to 2'
    rows | cmp - <(seq 10 29)
    # The rest of it, and then a bad record: an abort behind another version.
    echo '{"id":40}' >4.ndjson
    echo '{"id":"x"}' >5.ndjson
    run --separate-stderr -1 bash -c 'set -o pipefail; dp-ingest --marks --since t [12345].ndjson | dp-partition --commit-every 0s -o t | dp-table commit --commit-every 0s t'
    rows | cmp - <(seq 10 40)
    rm 5.ndjson
    dp-ingest --marks --since t [1234].ndjson | dp-partition --commit-every 0s -o t | dp-table commit --commit-every 0s t
    rows | cmp - <(seq 10 40)
}

@test "--commit-every: without checkpoints, with other modes" {
    some_files
    run --separate-stderr bash -c 'DP_MARKS=1 dp-table files t | dp-table commit --commit-every 0s t'
    dp-map . 1.ndjson | dp-partition -o t --commit-every 0s >paths
    run --separate-stderr -0 bash -c 'dp-table commit --eof-commits --commit-every 0s t <paths'
    dp_expect 0 'no checkpoint came'
    rows | cmp - <(seq 10 19)
    run --separate-stderr -2 dp-table commit --commit-every 1s --mode overwrite t <paths
    dp_expect 2 'would replace the one before it'
    run -2 dp-table commit --commit-every 1s --txn a:1 t
}

@test "into a plain directory: files and names on the way" {
    some_files
    dp-ingest --marks [123].ndjson | dp-partition --by 'x=hash(id,2)' --commit-every 0s -o d >stream
    [ "$(find d -name '*.parquet' | wc -l)" -eq "$(grep -c '^d/' stream)" ]
    [ "$(grep -c '^d/' stream)" -ge 4 ]
    echo '{"id":{}}' >>3.ndjson
    rm -r d
    run -1 bash -c 'set -o pipefail; dp-ingest --marks [123].ndjson | dp-partition --commit-every 0s -o d >stream'
    # What was passed on with a checkpoint stays, the rest goes.
    [ "$(find d -name '*.parquet' | wc -l)" -eq "$(grep -c '"checkpoint"' stream)" ]
    [ -z "$(find d -name '*.tmp')" ]
}

# ---- all of it ----

# The pipeline in the background, in a group of its own.
start() {
    set -m
    (
        set +e -o pipefail
        trap : TERM # a signal to the group is for the programs
        export DP_MARKS=1
        dp-ingest --follow --since t src.ndjson 2>>err1 | dp-partition --commit-every 0s -o t 2>>err2 | dp-table commit --commit-every 0s t >>said 2>>err3
        echo "$?" >piperc
    ) 3>&- &
    group=$!
    set +m
    pids="${pids:-} -$group"
}

@test "commits are seen while the stream runs, and rotation goes on under it" {
    some_files
    seq 1 5 | sed 's/.*/{"id":&}/' >src.ndjson
    start
    until_ok at_least 2
    rows | cmp - <(seq 1 5)
    seq 6 9 | sed 's/.*/{"id":&}/' >>src.ndjson
    until_ok at_least 3
    mv src.ndjson src.1
    echo '{"id":10}' >>src.1
    echo '{"id":11}' >src.ndjson
    until_ok sh -c 'dp-cat t | grep -q 11'
    until_ok sh -c 'dp-cat t | grep -q 10'
    rows | cmp - <(seq 1 11)
    kill -TERM "-$group"
    until_ok test -s piperc
    rows | cmp - <(seq 1 11)
    # Again, from where it ended.
    echo '{"id":12}' >>src.ndjson
    start
    until_ok sh -c 'dp-cat t | grep -q 12'
    rows | cmp - <(seq 1 12)
}

@test "under dp-run: a signal ends it with its code, what was committed stays" {
    some_files
    seq 1 5 | sed 's/.*/{"id":&}/' >src.ndjson
    dp-run --name web -- 'dp-ingest --follow --since t src.ndjson | dp-partition --commit-every 0s -o t | dp-table commit --commit-every 0s t' >said 2>err 3>&- &
    pid=$!
    pids="${pids:-} $pid"
    until_ok at_least 2
    kill -TERM "$pid"
    rc=0
    wait "$pid" || rc=$?
    [ "$rc" -eq 143 ]
    rows | cmp - <(seq 1 5)
    grep -q '"web/src.ndjson@' t/_delta_log/*1.json
}

@test "killed at random times, whichever program, and started again: each row once" {
    some_files
    RANDOM=20261122
    n=0
    : >src.ndjson
    for k in 1 2 3 4 5 6; do
        rm -f piperc
        start
        v=$(versions)
        for ((i = RANDOM % 12; i >= 0; i--)); do
            seq $((n + 1)) $((n + 50)) | sed 's/.*/{"id":&}/' >>src.ndjson
            n=$((n + 50))
            sleep 0.0$((RANDOM % 90 + 10))
        done
        # Some die at a moment of no meaning, others right behind a commit.
        [ $((k % 3)) -ne 0 ] || until_ok at_least $((v + 1))
        case $((k % 3)) in 0) name=dp-ingest ;; 1) name=dp-partition ;; 2) name=dp-table ;; esac
        victim=$(pgrep -g "$group" -x "$name") && kill -KILL $victim
        until_ok test -s piperc # the others end by themselves
        [ "$(cat piperc)" -ne 0 ]
    done
    # The rest, by the same programs without --follow.
    export DP_MARKS=1
    dp-ingest --since t src.ndjson | dp-partition -o t | dp-table commit t
    unset DP_MARKS
    rows | cmp - <(seq 1 "$n")
}
