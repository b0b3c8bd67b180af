#!/usr/bin/env bats
# dp-window against a slow and obvious model (tests/window/model.py) over random streams of a fixed seed: disorder, duplicates, late records, equal times, marks, sources,
# every kind of window, threads and memory, kills.  WINDOW_STREAMS=10000 WINDOW_KILLS=2000 make check-cli is the long run.

# shellcheck disable=SC2016
bats_require_minimum_version 1.5.0
load helper

setup() {
    dp_setup
    command -v python3 >/dev/null || skip "no python3"
}

@test "random streams are as the slow model says, with any threads and memory, and behind kills" {
    run python3 -B "$DP_ROOT/tests/window/property.py" --streams "${WINDOW_STREAMS:-1000}" --kills "${WINDOW_KILLS:-100}"
    echo "$output"
    assert_success
}

@test "a state of changes goes on where a mark comes before the first record" {
    printf '%s\n' '{"$dp":"begin","run":"r","id":""}' '{"ts":1,"_change_type":"insert"}' '{"$dp":"checkpoint","run":"r","source":"a","partition":"0","position":"1","id":"c1"}' >one
    printf '%s\n' '{"$dp":"begin","run":"r","id":"c1"}' '{"$dp":"checkpoint","run":"r","source":"a","partition":"0","position":"1","id":"c1"}' '{"ts":2,"_change_type":"insert"}' \
        '{"ts":1,"_change_type":"delete"}' '{"$dp":"checkpoint","run":"r","source":"a","partition":"0","position":"3","id":"c3"}' >two
    for f in one two; do # both are cut: what they have committed counts
        run --separate-stderr bash -c "dp-window --time ts --tumble 1s --epoch ms --state s <$f"
        dp_expect 4 "the stream was cut"
    done
    printf '%s\n' '{"$dp":"begin","run":"r","id":"c3"}' '{"$dp":"end","run":"r","records":0,"hash":"xxh3:99aa06d3014798d86001c324468d497f"}' >three
    dp-window --time ts --tumble 1s --epoch ms --state s --flush <three >out
    [ "$(grep -v '"$dp"' out)" = '{"window_start":0,"window_end":1000,"n":1}' ] || fail "$(cat out)"
}

@test "a full disk under --late, sources of count windows, a flush of a state: each is told" {
    printf '{"ts":1000}\n{"ts":5000}\n{"ts":1}\n' >in
    if [ -w /dev/full ]; then
        run -3 --separate-stderr dp-window --time ts --tumble 1s --delay 0s --late /dev/full in
        dp_expect 3 "--late: "
    fi
    run --separate-stderr dp-window --count 2 --source s in
    dp_expect 2 "not with --source"
    dp-window --time ts --tumble 1s --state s --flush in >out
    [ "$(wc -l <out)" -eq 3 ]
    echo '{"ts":9000}' >>in # the state has come to the end of time
    run --separate-stderr dp-window --time ts --tumble 1s --state s --flush in
    assert_success
    assert_output ''
    dp_expect 0 "1 records came too late"
}

# stream N KEYS SEED: a stream that does not fit in little memory
stream() {
    awk -v n="$1" -v keys="$2" -v seed="$3" 'BEGIN { srand(seed); for (i = 0; i < n; i++)
        printf "{\"ts\":%d,\"k\":\"user-%d\",\"v\":%d,\"w\":\"%d\"}\n", i / 4 - int(rand() * 3000), int(rand() * keys), int(rand() * 100000), i }'
}

@test "what does not fit in memory: the same bytes, whatever --memory and --threads say" {
    stream 200000 60000 7 >in
    for how in "--tumble 20s" "--hop 30s,10s" "--session 9s" "--session 300ms" "--slide 40ms" "--count 3,2 --flush" "--tumble 10s --emit changelog --lateness 5s"; do
        delay="--delay 1s"
        [[ $how != --count* ]] || delay=
        # shellcheck disable=SC2086 # words
        window() { dp-window --time ts --key k --epoch ms --agg 'n=count(),s=sum(v),q=quantile(v,0.9),d=distinct(w),l=last(w)' $how $delay --late "$1" --report report.json "${@:2}" in; }
        window late1 -j 1 -m 1G >want
        [ -s want ]
        window late2 -j 2 -m 16M >got
        cmp want got || fail "$how"
        cmp late1 late2 || fail "$how: late"
    done
}
