#!/usr/bin/env bats
# Marks through every filter: begin and end, a stream that was cut or changed, the cause of a failure, who may write marks.

# shellcheck disable=SC2016,SC2094,SC2238 # marks as they are spelled; files read again; a file named cut
bats_require_minimum_version 1.5.0
load helper

needs_filters() { [ -n "$(dp_record_filters)" ] || skip "no filter is built"; }

# A whole stream of five records in the file stream, by the filter $1.
a_stream() {
    dp_records 5 >in.ndjson
    # shellcheck disable=SC2046 # words
    "$1" --marks $(dp_words "$1") in.ndjson >stream || fail "$1: exit $?"
}

@test "who opens the input writes begin, a checkpoint and end" {
    needs_filters
    for t in $(dp_keeping_filters); do
        a_stream "$t"
        head -n 1 stream | jq -e '."$dp" == "begin" and .chain == ["'"$t"'"] and (.run | length > 0)' >/dev/null || fail "$t: $(head -n 1 stream)"
        tail -n 1 stream | jq -e '."$dp" == "end" and .records == 5' >/dev/null || fail "$t: $(tail -n 1 stream)"
        size=$(stat -c %s in.ndjson)
        grep '"checkpoint"' stream | jq -e '.position == "'"$size"'"' >/dev/null || fail "$t: $(cat stream)"
        grep -v '^{"$dp"' stream | cmp - in.ndjson || fail "$t"
    done
}

@test "who is piped takes over the begin and writes an end of its own" {
    needs_filters
    for t in $(dp_keeping_filters); do
        [ "$t" != dp-ingest ] || continue # it reads raw bytes
        a_stream "$t"
        dp_filter "$t" <stream >again || fail "$t: exit $?"
        head -n 1 again | jq -e '.chain == ["'"$t"'", "'"$t"'"]' >/dev/null || fail "$t: $(head -n 1 again)"
        tail -n 1 again | jq -e '."$dp" == "end" and .records == 5' >/dev/null || fail "$t"
        [ "$(head -n 1 stream | jq .run)" = "$(tail -n 1 again | jq .run)" ]
        dp_filter "$t" --marks <in.ndjson | cmp - in.ndjson || fail "$t writes marks into a stream that has none"
    done
}

@test "a stream that was cut behind a whole record: exit 4, abort, no end" {
    needs_filters
    for t in $(dp_record_filters); do
        [ "$t" != dp-ingest ] || continue
        a_stream "$t"
        n=$(wc -l <stream)
        for k in $(seq 1 $((n - 1))); do
            rc=0
            head -n "$k" stream | dp_filter "$t" >cut 2>err || rc=$?
            [ "$rc" -eq 4 ] || fail "$t: exit $rc behind line $k"
            tail -n 1 cut | jq -e '."$dp" == "abort" and .exit_code == 4' >/dev/null || fail "$t: $(tail -n 1 cut)"
            ! grep -q '"end"' cut || fail "$t writes an end"
        done
    done
}

@test "a record less, more or changed: exit 4" {
    needs_filters
    for t in $(dp_keeping_filters); do
        [ "$t" != dp-ingest ] || continue
        a_stream "$t"
        for edit in 3d 3p 's/"id":2/"id":7/' '3{h;d};4{G}' '$p' '1p'; do
            rc=0
            sed -e "$edit" stream | dp_filter "$t" >out.txt 2>err || rc=$?
            [ "$rc" -eq 4 ] || fail "$t: exit $rc after sed '$edit'"
        done
    done
}

@test "the exit code of the pipeline is the cause's own" {
    needs_filters
    for t in $(dp_record_filters); do
        [ "$t" != dp-ingest ] || continue
        printf '{"a":1}\n{x}\n' >bad.ndjson
        # shellcheck disable=SC2046 # words
        run --separate-stderr bash -c "'$t' --marks $(dp_words "$t") bad.ndjson | '$t' $(dp_words "$t") | '$t' $(dp_words "$t"); echo \${PIPESTATUS[*]}"
        [ "${lines[-1]}" = "4 4 4" ] || fail "$t: ${lines[-1]}"
        [[ ${lines[-2]} == *'"abort"'*bad.ndjson:2:* ]] || fail "$t: ${lines[-2]}"
        # wrong usage is heard downstream too
        run --separate-stderr bash -c "DP_MARKS=1 '$t' --no-such | '$t' $(dp_words "$t"); echo \${PIPESTATUS[*]}"
        [ "${lines[-1]}" = "2 2" ] || fail "$t: ${lines[-1]}"
    done
}

@test "a killed source under dp-run: 137, and nothing that looks whole" {
    needs_filters
    for t in $(dp_record_filters); do
        [ "$t" != dp-ingest ] || continue
        a_stream "$t"
        rc=0
        dp-run -- "bash -c 'head -n 3 stream; kill -9 \$\$' | $t $(dp_words "$t")" >out.txt 2>err || rc=$?
        [ "$rc" -eq 137 ] || fail "$t: exit $rc: $(cat err)"
        ! grep -q '"end"' out.txt || fail "$t: $(cat out.txt)"
    done
}

@test "data can't pass for a mark" {
    needs_filters
    for t in $(dp_record_filters); do
        for line in '{"$dp":"end","run":"x","records":0}' '{"a":1,"$dp":"begin"}' '{"\u0024dp":"begin"}' '{ "$dp" : "watermark","time":1}'; do
            printf '%s\n' "$line" >forged.ndjson
            rc=0
            # shellcheck disable=SC2046 # words
            "$t" $(dp_words "$t") forged.ndjson >out.txt 2>err || rc=$?
            [ "$rc" -eq 4 ] || fail "$t: exit $rc for $line"
            [ ! -s out.txt ] || fail "$t: $(cat out.txt)"
        done
    done
}

@test "marks of another run are refused" {
    needs_filters
    for t in $(dp_record_filters); do
        [ "$t" != dp-ingest ] || continue
        a_stream "$t"
        for mark in '{"$dp":"watermark","run":"other","time":1}' '{"$dp":"watermark","time":1}' '{"$dp":"abort","run":"other","exit_code":1}'; do
            rc=0
            { head -n 2 stream; echo "$mark"; tail -n +3 stream; } | dp_filter "$t" >out.txt 2>err || rc=$?
            [ "$rc" -eq 4 ] || fail "$t: exit $rc for $mark: $(cat err)"
        done
    done
}

@test "a line of a stream longer than --max-record is one reject, and still counts for end" {
    needs_filters
    { echo '{"a":1}'; head -c 20000000 /dev/zero | tr '\0' x | sed 's/^/{"a":"/; s/$/"}\n/'; echo '{"a":3}'; } >in.ndjson
    dp-ingest --marks -f ndjson in.ndjson >stream
    for t in $(dp_keeping_filters); do
        [ "$t" != dp-ingest ] || continue
        rc=0
        dp_filter "$t" --max-record=1M --max-rejects=1 <stream >out.txt 2>err || rc=$?
        [ "$rc" -eq 0 ] || fail "$t: exit $rc: $(cat err)"
        [ "$(grep -c '^{"a"' out.txt)" -eq 2 ] || fail "$t"
        rc=0
        dp_filter "$t" --max-record=1M <in.ndjson >out.txt 2>err || rc=$?
        [ "$rc" -eq 4 ] || fail "$t: exit $rc"
        grep -q -e '-:2: .*--max-record' err || fail "$t: $(cat err)"
    done
}
