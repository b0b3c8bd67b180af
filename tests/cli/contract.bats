#!/usr/bin/env bats
# What every program owes its callers, in a loop over all programs: help, exit codes, closed and full descriptors, signals,
# odd input, an empty environment, the same bytes for any number of threads.

# shellcheck disable=SC2059,SC2016 # formats with the bytes that are tried
bats_require_minimum_version 1.5.0
load helper

needs_filters() { [ -n "$(dp_filters)" ] || skip "no filter is built"; }

@test "help: on standard output, exit 0, at most 80 columns" {
    for t in $(dp_tools); do
        for word in --help -h; do
            run --separate-stderr "$t" $word
            [ "$status" -eq 0 ] || fail "$t $word: exit $status"
            [ -z "$stderr" ] || fail "$t $word: $stderr"
            [[ $output == "Usage: $t"* ]] || fail "$t $word: $output"
            long=$(awk 'length > 80' <<<"$output")
            [ -z "$long" ] || fail "$t: longer than 80 columns: $long"
        done
    done
}

@test "help of each command" {
    for t in $(dp_tools); do
        for c in $("$t" --dump-options | awk -F'\t' '$1 == "command" { print $2 }'); do
            run --separate-stderr "$t" "$c" --help
            [ "$status" -eq 0 ] || fail "$t $c --help: exit $status"
            [[ $output == "Usage: $t $c"* ]] || fail "$t $c: $output"
        done
    done
}

@test "version: one line, and as JSON" {
    for t in $(dp_tools); do
        run --separate-stderr "$t" --version
        [ "$status" -eq 0 ] || fail "$t: exit $status"
        [[ $output =~ ^$t\ \(dp\)\ [0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "$t: $output"
        "$t" -V | cmp - <(echo "$output")
        "$t" --version --json | jq -e '.program == "'"$t"'" and (.formats | length > 0)' >/dev/null || fail "$t --version --json"
    done
}

@test "an unknown option: exit 2, one line, the nearest right word" {
    for t in $(dp_tools); do
        run --separate-stderr "$t" --hepl
        [ "$status" -eq 2 ] || fail "$t: exit $status"
        [ -z "$output" ] || fail "$t: on standard output: $output"
        [ "$stderr" = "$t: unknown option --hepl; did you mean --help?" ] || fail "$t: $stderr"
        run --separate-stderr "$t" --report
        [ "$status" -eq 2 ] || fail "$t --report without a value: exit $status"
    done
}

@test "a message as JSON" {
    for t in $(dp_tools); do
        run --separate-stderr "$t" --log-format=json --no-such-option
        [ "$status" -eq 2 ] || fail "$t: exit $status"
        jq -e '.level == "error" and .program == "'"$t"'" and .status == "USAGE"' <<<"$stderr" >/dev/null || fail "$t: $stderr"
    done
}

@test "a full disk under --help: exit 3" {
    [ -c /dev/full ] || skip "no /dev/full"
    for t in $(dp_tools); do
        rc=0
        "$t" --help >/dev/full 2>err || rc=$?
        [ "$rc" -eq 3 ] || fail "$t: exit $rc"
        [ "$(wc -l <err)" -eq 1 ] || fail "$t: $(cat err)"
    done
}

@test "empty input: empty output, exit 0; with --skip-empty 99" {
    needs_filters
    for t in $(dp_filters); do
        run --separate-stderr dp_filter "$t" </dev/null
        [ "$status" -eq 0 ] || fail "$t: exit $status: $stderr"
        [ -z "$output$stderr" ] || fail "$t: $output $stderr"
        run dp_filter "$t" --skip-empty </dev/null
        [ "$status" -eq 99 ] || fail "$t --skip-empty: exit $status"
    done
}

@test "a last line without a newline is a record" {
    needs_filters
    for t in $(dp_keeping_filters); do
        printf '{"a":1}\n{"a":2}' | dp_filter "$t" >out || fail "$t"
        printf '{"a":1}\n{"a":2}\n' | cmp - out || fail "$t"
    done
}

@test "a record cut in the middle: exit 4, whatever is tolerated" {
    needs_filters
    for t in $(dp_filters); do
        rc=0
        printf '{"a":1}\n{"a":' | dp_filter "$t" --max-rejects=100% >out 2>err || rc=$?
        [ "$rc" -eq 4 ] || fail "$t: exit $rc: $(cat err)"
    done
}

@test "CRLF, blank lines and bytes that must stay as they are" {
    needs_filters
    for t in $(dp_keeping_filters); do
        printf '{"b":1.10, "a" :9007199254740993}\r\n\r\n\n{"x":"\\u00e9\\/"}\r\n' | dp_filter "$t" >out || fail "$t"
        printf '{"b":1.10, "a" :9007199254740993}\n{"x":"\\u00e9\\/"}\n' | cmp - out || fail "$t: $(cat out)"
    done
}

@test "NUL, bad UTF-8, bad JSON: exit 4 with the line; tolerated they are set aside" {
    needs_filters
    for t in $(dp_filters); do
        for bad in '{"a":"\x00"}' '{"a":"\xff"}' '{"a":01}' '{"a":1}}' '{"a":1,"$dp":2}'; do
            rc=0
            printf '{"a":0}\n'"$bad"'\n' | dp_filter "$t" >out 2>err || rc=$?
            [ "$rc" -eq 4 ] || fail "$t: exit $rc for $bad: $(cat err)"
            grep -q ':2: ' err || fail "$t: no line in: $(cat err)"
            rm -rf out out.d rejects
            printf '{"a":0}\n'"$bad"'\n' | dp_filter "$t" --rejects=rejects --max-rejects=1 >/dev/null || fail "$t: $bad"
            jq -e '.reject.line == 2 and .reject.program == "'"$t"'" and (.reject.rules | length == 1)' rejects >/dev/null || fail "$t: $(cat rejects)"
            rm -rf out
        done
    done
}

@test "a full disk: exit 3" {
    needs_filters
    [ -c /dev/full ] || skip "no /dev/full"
    for t in $(dp_record_filters); do
        rc=0
        dp_records 10 | dp_filter "$t" >/dev/full 2>err || rc=$?
        [ "$rc" -eq 3 ] || fail "$t: exit $rc"
        [ "$(wc -l <err)" -eq 1 ] || fail "$t: $(cat err)"
    done
}

@test "closed standard output and input: exit 3, no crash" {
    needs_filters
    for t in $(dp_record_filters); do
        rc=0
        dp_records 10 | dp_filter "$t" >&- 2>err || rc=$?
        [ "$rc" -eq 3 ] || fail "$t >&-: exit $rc: $(cat err)"
        rc=0
        dp_filter "$t" <&- >out 2>err || rc=$?
        [ "$rc" -eq 3 ] || fail "$t <&-: exit $rc: $(cat err)"
    done
}

@test "a reader that leaves: 141, nothing said" {
    needs_filters
    for t in $(dp_record_filters); do
        set +o pipefail
        dp_records 200000 | { rc=0; dp_filter "$t" 2>err || rc=$?; echo $rc >rc; } | head -n 1 >first
        [ "$(cat rc)" -eq 141 ] || fail "$t: exit $(cat rc)"
        [ ! -s err ] || fail "$t: $(cat err)"
    done
}

@test "a reader that leaves, under a parent that ignores SIGPIPE: 141 as well, nothing said" {
    needs_filters
    for t in $(dp_record_filters); do
        set +o pipefail
        dp_records 200000 | (
            trap '' PIPE
            rc=0
            dp_filter "$t" --report=r.json 2>err || rc=$?
            echo $rc >rc
        ) | head -n 1 >first
        [ "$(cat rc)" -eq 141 ] || fail "$t: exit $(cat rc): $(cat err)"
        [ ! -s err ] || fail "$t: $(cat err)"
        jq -e '.exit == 141' r.json >/dev/null || fail "$t: $(cat r.json)"
    done
    for t in $(dp_tools); do
        rc=0
        (trap '' PIPE; "$t" --help 2>err; echo $? >rc) | true
        [[ $(cat rc) == 0 || $(cat rc) == 141 ]] && [ ! -s err ] || fail "$t --help: exit $(cat rc): $(cat err)"
    done
}

@test "SIGTERM while waiting: 143 at once" {
    needs_filters
    for t in $(dp_filters); do
        mkfifo fifo
        dp_filter "$t" <fifo >out.txt 2>err &
        pid=$!
        exec 7>fifo
        printf '{"a":1}\n' >&7
        # shellcheck disable=SC2046 # process ids
        dp_settled $(pgrep -P $pid || echo $pid)
        pkill -TERM -P $pid 2>/dev/null || kill -TERM $pid
        rc=0
        wait $pid || rc=$?
        exec 7>&-
        [ "$rc" -eq 143 ] || fail "$t: exit $rc: $(cat err)"
        [ -z "$(find . -name '.dp-*.tmp')" ] || fail "$t leaves $(find . -name '.dp-*.tmp')"
        rm -rf fifo out
    done
}

@test "as process 1 of a container: SIGTERM ends it" {
    needs_filters
    unshare --pid --fork --kill-child true 2>/dev/null || skip "no right to a process namespace"
    for t in $(dp_filters); do
        mkfifo fifo
        # shellcheck disable=SC2046 # words
        unshare --pid --fork --kill-child "$DP_BIN/$t" $(dp_words "$t") <fifo >out.txt 2>err &
        pid=$!
        exec 7>fifo
        for ((n = 0; n < 600; n++)); do
            if pgrep -P $pid "$t" >child; then break; fi
            sleep 0.05
        done
        dp_settled "$(cat child)" # a process 1 without a handler would not even see the signal
        pkill -TERM -P $pid
        rc=0
        wait $pid || rc=$?
        exec 7>&-
        [ "$rc" -eq 143 ] || fail "$t: exit $rc: $(cat err)"
        rm -rf fifo out
    done
}

@test "each record goes out while the next is awaited" {
    needs_filters
    for t in $(dp_keeping_filters); do
        [ "$t" != dp-ingest ] || continue # what it reads must be told by its head
        rm -f to from
        mkfifo to from
        dp_filter "$t" <to >from &
        local pid=$!
        exec {into}>to {out}<from
        printf '{"a":1}\n' >&"$into"
        read -r -t 60 line <&"$out" || fail "$t keeps the record back"
        [ "$line" = '{"a":1}' ] || fail "$t: $line"
        exec {into}>&- {out}<&-
        wait "$pid"
    done
}

@test "an empty environment, and another locale and time zone" {
    needs_filters
    dp_records 100 >in
    for t in $(dp_record_filters); do
        dp_filter "$t" <in >a || fail "$t"
        # shellcheck disable=SC2046 # words
        env -i "$DP_BIN/$t" $(dp_words "$t") <in >b || fail "$t under env -i"
        LC_ALL=de_DE.UTF-8 TZ=Asia/Kathmandu dp_filter "$t" <in >c || fail "$t elsewhere"
        cmp a b && cmp a c || fail "$t"
    done
}

listing() { find . -printf '%p %s %T@\n' | sort; }

@test "--dry-run changes nothing" {
    needs_filters
    mkdir d && cd d
    dp_records 100 >in
    for t in $(dp_filters); do
        dp_has_option "$t" dry-run || continue
        printf 'x' >bad.ndjson
        listing >../before
        dp_filter "$t" --dry-run --rejects=bad.ndjson <in >/dev/null || fail "$t"
        listing >../after
        diff ../before ../after || fail "$t"
    done
}

@test "the same bytes for any number of threads" {
    needs_filters
    dp_records 60000 >in
    for t in $(dp_record_filters); do
        dp_filter "$t" --threads=1 <in | sha256sum >one
        dp_filter "$t" --threads=2 <in | sha256sum >two
        dp_filter "$t" --threads=5 <in | sha256sum >five
        cmp one two && cmp one five || fail "$t"
    done
}

@test "64 copies in one directory" {
    needs_filters
    dp_records 50 >in
    for t in $(dp_record_filters); do
        dp_filter "$t" <in >want
        for i in $(seq 64); do dp_filter "$t" --report=r.json <in >"got.$i" & done
        wait
        for i in $(seq 64); do cmp want "got.$i" || fail "$t"; done
        jq -se 'length == 1 and .[0].records.in == 50' r.json >/dev/null || fail "$t: $(cat r.json)"
        rm -f got.*
    done
    for i in $(seq 64); do dp_filter dp-partition -o out <in >"got.$i" & done
    wait
    [ "$(cat got.* | dp-cat --to records | sort | uniq -c | awk '{ print $1 }' | sort -u)" = 64 ]
    [ -z "$(find . -name '.dp-*')" ] || fail "left behind: $(find . -name '.dp-*')"
}

@test "a slow reader gets every byte" {
    needs_filters
    dp_records 20000 >in
    for t in $(dp_record_filters); do
        dp_filter "$t" <in >want
        dp_filter "$t" --threads=2 <in | { sleep 0.2; for _ in 1 2 3 4 5; do dd bs=65536 count=1 iflag=fullblock status=none; sleep 0.05; done; cat; } >got || fail "$t"
        cmp want got || fail "$t"
    done
}

@test "--report, --metrics: whole, and as the books say" {
    needs_filters
    for t in $(dp_filters); do
        printf '{"a":1}\n{x}\n{"a":2}\n' | dp_filter "$t" --max-rejects=1 --report=r.json --metrics=m.prom >/dev/null || fail "$t"
        jq -e '.records.in == 3 and .records.used == 2 and .records.rejected == 1 and .malformed == 1 and .exit == 0' r.json >/dev/null || fail "$t: $(cat r.json)"
        grep -q '^dp_records{program="'"$t"'",job="dp",outcome="in"} 3$' m.prom || fail "$t: $(cat m.prom)"
        rm -rf out
    done
}

@test "--rejects: a run that is repeated replaces its own" {
    needs_filters
    printf '{"a":1}\n{x}\n' >in.ndjson
    for t in $(dp_record_filters); do
        # shellcheck disable=SC2046 # words
        for i in 1 2; do "$t" --rejects=bad --max-rejects=1 $(dp_words "$t") in.ndjson >/dev/null || fail "$t"; done
        [ "$(grep -c "\"$t\"" bad)" -eq 1 ] || fail "$t: $(cat bad)"
        [ "$(stat -c %a bad)" = 600 ] || fail "$t: $(stat -c %a bad)"
    done
}

@test "--report through a link, and into a FIFO" {
    needs_filters
    t=$(dp_filters | head -n 1)
    ln -s there.json link.json
    echo old >there.json
    dp_records 3 | dp_filter "$t" --report=link.json >/dev/null
    [ -L link.json ] || fail "the link was replaced"
    jq -e '.records.in == 3' there.json >/dev/null
    rm -rf out
    mkfifo fifo
    cat fifo >got &
    dp_records 4 | dp_filter "$t" --report=fifo >/dev/null
    wait
    jq -e '.records.in == 4' got >/dev/null
}
