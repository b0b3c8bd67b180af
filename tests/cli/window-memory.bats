#!/usr/bin/env bats
# dp-window with more of one key than --memory: the bound holds, the time is near linear, and the bytes are the same.

# shellcheck disable=SC2030,SC2031,SC2154
bats_require_minimum_version 1.5.0
load helper

setup() {
    command -v /usr/bin/time >/dev/null || skip "no /usr/bin/time: peak memory is not measured"
    cd "$BATS_TEST_TMPDIR" || return 1
    most=$(((16 + 32) * 1024))
    ! grep -q __asan_init "$DP_BIN/dp-window" || most=$((1024 * 1024)) # a sanitizer holds back freed memory
    # 150,000 sessions of one key, none of which is over before the end
    awk 'BEGIN { for (i = 0; i < 150000; i++) printf "{\"t\":%.0f,\"k\":\"a\",\"v\":%d}\n", 1700000000000 + (i * 7919 % 150000) * 10, i % 100 }' > one.ndjson
}

# The most that a run had in memory, in KiB, and its user seconds, in `used`.
measured() {
    /usr/bin/time -o used -f '%M %U' "$@"
}

@test "150,000 sessions of one key in 16M: within the bound, in seconds, the same bytes" {
    measured dp-window --time t --epoch ms --key k --session 1ms --delay 1d --agg 'n=count(),s=sum(v)' -m 16M one.ndjson > small
    read -r kib seconds < used
    [ "$kib" -le "$most" ]
    awk -v s="$seconds" 'BEGIN { exit !(s < 10) }'
    dp-window --time t --epoch ms --key k --session 1ms --delay 1d --agg 'n=count(),s=sum(v)' -m 400M -j 1 one.ndjson > large
    cmp small large
    [ "$(wc -l < small)" -eq 150000 ]
}

@test "150,000 rows of one key in a sliding window in 16M: within the bound, the same bytes" {
    measured dp-window --time t --epoch ms --key k --slide 25ms --delay 1d --agg 'n=count(),m=max(v)' -m 16M one.ndjson > small
    read -r kib seconds < used
    [ "$kib" -le "$most" ]
    awk -v s="$seconds" 'BEGIN { exit !(s < 15) }'
    dp-window --time t --epoch ms --key k --slide 25ms --delay 1d --agg 'n=count(),m=max(v)' -m 400M -j 1 one.ndjson > large
    cmp small large
}

@test "sessions of one key that were put aside go on from a state" {
    dp-window --time t --epoch ms --key k --session 1ms --delay 1d --agg 'n=count(),s=sum(v)' -m 400M one.ndjson > whole
    head -n 70000 one.ndjson > first
    tail -n +70001 one.ndjson > second
    dp-window --time t --epoch ms --key k --session 1ms --delay 1d --agg 'n=count(),s=sum(v)' -m 16M --state s first > out
    dp-window --time t --epoch ms --key k --session 1ms --delay 1d --agg 'n=count(),s=sum(v)' -m 16M --state s --flush second >> out
    cmp whole out
}

@test "held sessions of one key that can't be divided are refused by name" {
    run --separate-stderr dp-window --time t --epoch ms --key k --session 1ms --lateness 30d --emit update --agg 'n=count(),s=sum(v)' -m 16M one.ndjson
    [ "$status" -eq 4 ]
    [[ "$stderr" == *"one key"*"--memory"* ]]
}

@test "a count window of 100,000 at each record costs what a small one costs" {
    dp-window --time t --epoch ms --key k --count 100000,1 --agg 'n=count(),s=sum(v)' one.ndjson > sums
    measured dp-window --time t --epoch ms --key k --count 100000,1 --agg 'n=count(),a=min(v),z=last(v)' one.ndjson > edges
    [ "$(wc -l < sums)" -eq 50001 ]
    [ "$(wc -l < edges)" -eq 50001 ]
    read -r _ seconds < used
    awk -v s="$seconds" 'BEGIN { exit !(s < 20) }'
}
