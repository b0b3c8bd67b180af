#!/usr/bin/env bats
# dp-run: the exit code of the cause, lock, timeout, retries, what the stages get.

# shellcheck disable=SC2016 # what stands in single quotes is for the pipeline's bash
bats_require_minimum_version 1.5.0
load helper

@test "the pipeline's own code, standard input and output" {
    run --separate-stderr dp-run -- 'cat; exit 0' <<<hello
    dp_expect 0
    [ "$output" = hello ]
    [ -z "$stderr" ]
}

@test "the first stage that failed of itself is the cause" {
    run --separate-stderr dp-run -- 'true | (exit 1) | (cat; exit 4)'
    dp_expect 1 "stage 2 of 3"
    run --separate-stderr dp-run -- '(exit 141) | (exit 3) | (exit 4)'
    dp_expect 3
    run --separate-stderr dp-run -- 'true | true | (exit 75)'
    dp_expect 75
    run --separate-stderr dp-run -- 'false && true'
    dp_expect 1
    run --separate-stderr dp-run -- 'exit 7'
    dp_expect 7
}

@test "a killed source: 137, not the cut stream that its neighbour saw" {
    run --separate-stderr dp-run -- "bash -c 'echo x; kill -9 \$\$' | (cat >/dev/null; exit 4)"
    dp_expect 137 "it was killed"
}

@test "a reader that had enough is no failure; one that left is 141" {
    run --separate-stderr dp-run -- 'yes | head -n 1'
    dp_expect 0
    [ "$output" = y ]
    set +o pipefail
    { rc=0; dp-run -- yes 2>err || rc=$?; echo $rc >rc; } | head -n 1 >first
    [ "$(cat rc)" -eq 141 ]
    [ ! -s err ]
}

@test "marks are on, one run id, the job's name, the number of the try" {
    run dp-run --name orders -- 'echo "$DP_MARKS $DP_JOB $DP_ATTEMPT"; echo $DP_RUN_ID | (read -r a; [ "$a" = "$DP_RUN_ID" ] && echo same)'
    assert_output $'1 orders 1\nsame'
    DP_RUN_ID=mine run dp-run -- 'echo $DP_RUN_ID'
    assert_output mine
    AIRFLOW_CTX_DAG_ID=d AIRFLOW_CTX_TASK_ID=t AIRFLOW_CTX_DAG_RUN_ID=r run dp-run -- 'echo $DP_RUN_ID'
    assert_output d/t/r
}

@test "memory and threads are shared, more to those that gather" {
    for t in dp-ingest dp-partition; do printf '#!/bin/sh\ncat\n' >$t && chmod +x $t; done
    PATH=$PWD:$PATH run dp-run -m 600M -j 12 -- 'env 2>&1 | dp-ingest | dp-partition >e; true'
    assert_success
    grep -qx "DP_MEMORY=$((100 << 20))" e
    grep -qx "DP_MEMORY_PARTITION=$((400 << 20))" e
    grep -qx "DP_THREADS_PARTITION=8" e
    grep -qx "DP_THREADS_INGEST=2" e
}

@test "a held lock: 75; free again afterwards" {
    run --separate-stderr dp-run --lock l -- 'dp-run --lock l -- true'
    dp_expect 75
    [[ $stderr == *"another run holds l"* ]]
    run dp-run --lock l -- true
    [ "$status" -eq 0 ]
    run --separate-stderr dp-run --lock none/l -- true
    dp_expect 3 "none/l"
}

@test "timeout: the whole group ends, 143" {
    run --separate-stderr dp-run --timeout 300ms -- 'sleep 30 | sleep 31 | cat'
    dp_expect 143 "--timeout"
    dp_until_not pgrep -f '^sleep 3[01]$'
}

@test "SIGTERM ends the stages and is told as 143" {
    dp-run -- 'echo $BASHPID >pid; sleep 33 | cat' &
    p=$!
    for _ in $(seq 300); do [ -s pid ] && break; sleep 0.1; done
    kill -TERM $p
    rc=0
    wait $p || rc=$?
    [ "$rc" -eq 143 ]
    dp_until_not kill -0 "$(cat pid)"
}

@test "retries: until it is well, only where it may help" {
    run --separate-stderr dp-run --retries 3 -- 'echo $DP_ATTEMPT; [ $DP_ATTEMPT = 2 ] || exit 75' </dev/null
    dp_expect 0 "try 2 of 4"
    [ "$output" = $'1\n2' ]
    run --separate-stderr dp-run --retries 3 -- 'echo $DP_ATTEMPT; exit 1' </dev/null
    dp_expect 1
    [ "$output" = 1 ]
    echo data >in
    run dp-run -q --retries 1 -- 'cat; [ $DP_ATTEMPT = 2 ] || exit 4' <in
    assert_output $'data\ndata'
}

@test "retries: a pipe can't be read again" {
    echo data | { rc=0; dp-run --retries 3 -- 'cat >/dev/null; exit 75' 2>err || rc=$?; echo $rc >rc; }
    [ "$(cat rc)" -eq 75 ]
    grep -q "can't be read again" err
}

@test "no bash: exit 3, and usage: exit 2" {
    run --separate-stderr dp-run
    dp_expect 2 "PIPELINE is missing"
    run --separate-stderr dp-run a b
    dp_expect 2 'one word too many: "b"'
    run --separate-stderr dp-run --timeout 5 -- true
    dp_expect 2 "--timeout"
    run --separate-stderr dp-run -- 'true | ('
    dp_expect 2
}

@test "--dry-run runs nothing; an empty environment is enough" {
    run --separate-stderr dp-run -n -- 'touch made | cat'
    dp_expect 0 "would run 2 stages"
    [ ! -e made ]
    run env -i "$DP_BIN/dp-run" -- 'dp-run --version'
    assert_output --partial "dp-run (dp)"
}

@test "--report names the stages' codes and the tries" {
    run dp-run -q --report r.json -- 'true | (exit 3) | (exit 4)'
    jq -e '.exit == 3 and .stages == [0,3,4] and .tries == 1' r.json
}

# dp-stage CODE|head TEXT: stands for a stage; tells on standard error which program its parent is.
make_stage() {
    cat >dp-stage <<'END'
#!/bin/sh
cat /proc/$PPID/comm >&2
case $1 in
KILL) echo x; kill -9 $$ ;;
sleep) exec sleep "$2" ;;
yes) exec yes ;;
esac
cat
printf '%s\n' "$2"
exit "$1"
END
    chmod +x dp-stage
    PATH=$PWD:$PATH
}

@test "a plain pipeline runs without bash: words, codes, standard input and output" {
    make_stage
    run --separate-stderr dp-run -- "dp-stage 0 'a  \$b' | dp-stage 0 \"c'd\"|$PWD/dp-stage 0 e=f" <<<in
    dp_expect 0
    [ "$output" = $'in\na  $b\nc\'d\ne=f' ]
    [ "$(sort -u <<<"$stderr")" = dp-run ] || { echo "$stderr"; false; }
    run --separate-stderr dp-run -- 'dp-stage 0 | dp-stage 3 | dp-stage 4' </dev/null
    dp_expect 3 "stage 2 of 3"
    run --separate-stderr dp-run -- 'dp-stage KILL | dp-stage 4' </dev/null
    dp_expect 137 "it was killed"
    run --separate-stderr dp-run --retries 1 -- 'dp-stage 75' </dev/null
    dp_expect 75 "try 2 of 2"
    run dp-run -- 'dp-stage yes | /usr/bin/head -n 1'
    [ "$status" -eq 0 ]
}

@test "a plain pipeline: time and signals end all of it" {
    make_stage
    run --separate-stderr dp-run --timeout 300ms -- 'dp-stage sleep 34 | dp-stage sleep 35'
    dp_expect 143 "--timeout"
    dp_until_not pgrep -f '^sleep 3[45]$'
    dp-run -- 'dp-stage sleep 36 | dp-stage sleep 37' 2>started &
    p=$!
    for _ in $(seq 300); do [ "$(wc -l <started)" = 2 ] && break; sleep 0.1; done
    kill -TERM $p
    rc=0
    wait $p || rc=$?
    [ "$rc" -eq 143 ]
    dp_until_not pgrep -f '^sleep 3[67]$'
}

@test "what is not plain is bash's: builtins, lists, expansions, its own environment, text without #!" {
    make_stage
    for text in 'dp-stage 0; true' 'dp-stage 0 | cat' 'dp-stage 0 *' 'A=1 dp-stage 0' 'dp-stage 0 "$HOME"'; do
        run --separate-stderr dp-run -- "$text" </dev/null
        dp_expect 0
        [ "$stderr" = bash ]
    done
    BASH_ENV=/dev/null run --separate-stderr dp-run -- 'dp-stage 0' </dev/null
    [ "$stderr" = bash ]
    dp-stage() { echo function; }
    export -f dp-stage
    run dp-run -- 'dp-stage 0' </dev/null
    assert_output function
    unset -f dp-stage
    echo 'echo mine' >dp-text
    chmod +x dp-text
    run dp-run -- dp-text
    assert_output mine
    run -127 --separate-stderr dp-run -- 'dp-missing | dp-stage 0' </dev/null
    dp_expect 127
}
