#!/usr/bin/env bats
# Names, links, rights and what vanishes, in a loop over all programs: odd names are only names, a link stands for what it leads to, what
# can't be written is said by name, and a table that is gone is not made anew.

# shellcheck disable=SC2154 # status and stderr are those of run
bats_require_minimum_version 1.5.0
load helper

# Names that shells, formats and terminals trip over.
odd_names() { printf '%s\0' ./-n.ndjson 'two words.ndjson' '{n.ndjson' $'new\nline.ndjson' $'\xff\xfe.ndjson' '%s%n.ndjson' 'star*[a]?.ndjson' "quo'te\".ndjson" '~.ndjson'; }

# A filter over a named file: over FILE dp-map [OPTION...]
over() {
    local file=$1 tool=$2
    shift 2
    # shellcheck disable=SC2046 # words
    "$DP_BIN/$tool" "$@" $(dp_words "$tool") "$file"
}

@test "odd names of files are read as they are" {
    while IFS= read -r -d '' name; do
        printf '{"a":1}\n' >"$name"
        for t in $(dp_filters); do
            over "$name" "$t" >out.txt 2>err || fail "$t: $(printf %q "$name"): $(cat err)"
            [ -s out.txt ] || fail "$t: $(printf %q "$name"): nothing came out"
            rm -rf out
        done
    done < <(odd_names)
}

@test "odd names in messages, rejects, reports and metrics: one line, and JSON that is UTF-8" {
    while IFS= read -r -d '' name; do
        printf '{"a":1}\n{"a":01}\n' >"$name"
        for t in $(dp_filters); do
            rc=0
            over "$name" "$t" >/dev/null 2>err || rc=$?
            [ "$rc" -eq 4 ] || fail "$t: $(printf %q "$name"): exit $rc: $(cat err)"
            [ "$(wc -l <err)" -eq 1 ] || fail "$t: $(printf %q "$name"): $(cat err)"
            over "$name" "$t" --max-rejects=1 --rejects=bad --report="r $t.json" --metrics="m $t" --log-format=json >/dev/null 2>err || fail "$t: $(cat err)"
            jq -se 'length == 1 and .[0].reject.line == 2' bad >/dev/null || fail "$t: $(cat bad)"
            jq -se 'length == 1' "r $t.json" >/dev/null || fail "$t: $(cat "r $t.json")"
            iconv -f utf-8 -t utf-8 bad "r $t.json" "m $t" err >/dev/null || fail "$t: $(printf %q "$name"): not UTF-8"
            rm -rf out bad
        done
    done < <(odd_names)
}

@test "odd names of reports, rejects and output directories" {
    while IFS= read -r -d '' name; do
        for t in $(dp_filters); do
            printf '{"a":1}\n{x}\n' | dp_filter "$t" --max-rejects=1 --rejects="$name" --report="$name.json" --metrics="$name.prom" >/dev/null 2>err || fail "$t: $(cat err)"
            [ -s "$name" ] && [ -s "$name.json" ] && [ -s "$name.prom" ] || fail "$t: $(printf %q "$name"): $(ls -b)"
            rm -rf "$name" "$name.json" "$name.prom" out
        done
        rc=0
        printf '{"a":1}\n' | dp-partition -o "$name" >paths 2>err || rc=$?
        case $name in
        *$'\n'*) [ "$rc" -eq 2 ] && [ ! -e "$name" ] && grep -q newline err || fail "a newline in a path line: exit $rc: $(cat paths err)" ;;
        *)
            [ "$rc" -eq 0 ] || fail "$(printf %q "$name"): exit $rc: $(cat err)"
            [ "$(dp-cat --to records <paths)" = '{"a":1}' ] || fail "$(printf %q "$name"): $(cat paths)"
            ;;
        esac
        rm -rf "$name"
    done < <(odd_names)
}

@test "a table of any name: created, written, listed, read" {
    echo '{"a":1}' | dp-contract infer - >c.yaml
    while IFS= read -r -d '' name; do
        [[ $name != *$'\n'* ]] || continue # refused by dp-partition, above
        dp-table create "$name" -c c.yaml >/dev/null || fail "$(printf %q "$name")"
        echo '{"a":1}' | dp-partition -o "$name" | dp-table commit "$name" --eof-commits >/dev/null || fail "$(printf %q "$name")"
        [ "$(dp-table files "$name" | dp-cat --to records)" = '{"a":1}' ] || fail "$(printf %q "$name"): $(dp-table files "$name")"
        for t in dp-cat dp-map dp-ingest; do
            word=$(dp_words $t)
            [ $t != dp-ingest ] || word=--quiet
            [ "$("$t" "$word" "$name")" = '{"a":1}' ] || fail "$t $(printf %q "$name")"
        done
    done < <(odd_names)
}

@test "links to files and directories stand for what they lead to; loops and dangling ones: exit 3" {
    mkdir d
    printf '{"a":1}\n' >d/f.ndjson
    ln -s d/f.ndjson file
    ln -s d dir
    ln -s nothing dangling
    ln -s loop loop
    for t in $(dp_filters); do
        for name in file dir; do
            over $name "$t" >out.txt 2>err || fail "$t $name: $(cat err)"
            [ -s out.txt ] || fail "$t $name: nothing came out"
            rm -rf out
        done
        for name in dangling loop nothing file/x; do
            rc=0
            over $name "$t" >/dev/null 2>err || rc=$?
            [ "$rc" -eq 3 ] && grep -q "$name" err || fail "$t $name: exit $rc: $(cat err)"
            rm -rf out
        done
    done
    ln -s . d/round # a directory that holds itself is not walked for ever
    for t in $(dp_filters); do
        # shellcheck disable=SC2046 # words
        timeout 20 "$DP_BIN/$t" $(dp_words "$t") d >out.txt 2>err || fail "$t d: $(cat err)"
        rm -rf out
    done
}

@test "output through links: the link stays, what it leads to is written" {
    for t in $(dp_filters); do
        for f in bad report.json metrics; do echo old >"there.$f" && ln -sf "there.$f" "link.$f"; done
        printf '{"a":1}\n{x}\n' | dp_filter "$t" --max-rejects=1 --rejects=link.bad --report=link.report.json --metrics=link.metrics >/dev/null 2>err || fail "$t: $(cat err)"
        for f in bad report.json metrics; do
            [ -L "link.$f" ] || fail "$t: link.$f was replaced"
        done
        jq -se 'length == 2 and .[1].reject.line == 2' <(sed 's/^old$/{}/' there.bad) >/dev/null || fail "$t: $(cat there.bad)" # what is not its own stays
        jq -e '.records.in == 2' there.report.json >/dev/null && grep -q '^dp_records' there.metrics || fail "$t: $(cat there.*)"
        rm -rf out there.* link.*
    done
    mkdir real
    ln -s real link
    echo '{"a":1}' | dp-partition -o link >paths
    [ "$(dp-cat --to records <paths)" = '{"a":1}' ]
    [ -L link ] && [ "$(find real -name '*.parquet' | wc -l)" -eq 1 ]
    echo '{"a":1}' | dp-contract infer - >c.yaml
    dp-table create t -c c.yaml
    ln -s t name
    echo '{"a":1}' | dp-partition -o name | dp-table commit name --eof-commits
    [ "$(dp-cat --to records t)" = '{"a":1}' ]
    echo '{"a":2}' | dp-partition -o t | dp-table commit name --eof-commits
    [ "$(dp-cat --to records name | sort)" = $'{"a":1}\n{"a":2}' ]
}

# Rights as a plain user has them, also where the tests run as root.
plain() {
    if [ "$(id -u)" -ne 0 ]; then "$@"; else setpriv --bounding-set=-dac_override,-dac_read_search "$@"; fi
}
needs_rights() {
    mkdir ro && chmod 555 ro
    # shellcheck disable=SC2016 # for the inner shell
    ! plain sh -c ': >ro/x' 2>/dev/null || skip "no way to be without the right to write here"
    [ "$(id -u)" -ne 0 ] || setpriv --bounding-set=-dac_override,-dac_read_search true 2>/dev/null || skip "no right to give up rights"
}

@test "what can't be written or read: exit 3, one line that names it" {
    needs_rights
    printf '{"a":1}\n{x}\n' >in
    printf '{"a":1}\n' >secret.ndjson
    chmod 000 secret.ndjson
    for t in $(dp_filters); do
        for option in --rejects=ro/x --report=ro/x.json --metrics=ro/x; do
            rc=0
            # shellcheck disable=SC2046 # words
            plain "$DP_BIN/$t" --max-rejects=1 $option $(dp_words "$t") <in >/dev/null 2>err || rc=$?
            [ "$rc" -eq 3 ] || fail "$t $option: exit $rc: $(cat err)"
            [ "$(grep -cw ro err)" -eq 1 ] || fail "$t $option: $(cat err)"
            rm -rf out
        done
        rc=0
        # shellcheck disable=SC2046 # words
        plain "$DP_BIN/$t" $(dp_words "$t") secret.ndjson >/dev/null 2>err || rc=$?
        [ "$rc" -eq 3 ] && [ "$(wc -l <err)" -eq 1 ] && grep -q 'secret.ndjson.*Permission denied' err || fail "$t: exit $rc: $(cat err)"
    done
    for dir in ro/new ro; do
        rc=0
        echo '{"a":1}' | plain "$DP_BIN/dp-partition" -o $dir >/dev/null 2>err || rc=$?
        [ "$rc" -eq 3 ] && grep -q ro err || fail "dp-partition -o $dir: exit $rc: $(cat err)"
    done
    [ -z "$(ls ro)" ]
}

@test "a table that can't be written: commit and checkpoint exit 3, the log is as it was" {
    needs_rights
    echo '{"a":1}' | dp-contract infer - >c.yaml
    rc=0
    plain "$DP_BIN/dp-table" create ro/t -c c.yaml 2>err || rc=$?
    [ "$rc" -eq 3 ] && [ ! -e ro/t ] || fail "create: exit $rc: $(cat err)"
    dp-table create t -c c.yaml
    echo '{"a":1}' | dp-partition -o t >paths
    chmod 555 t/_delta_log
    rc=0
    plain "$DP_BIN/dp-table" commit t --eof-commits <paths >/dev/null 2>err || rc=$?
    [ "$rc" -eq 3 ] && grep -q '_delta_log' err || fail "commit: exit $rc: $(cat err)"
    rc=0
    plain "$DP_BIN/dp-table" checkpoint t >/dev/null 2>err || rc=$?
    [ "$rc" -eq 3 ] || fail "checkpoint: exit $rc: $(cat err)"
    chmod 755 t/_delta_log
    [ "$(find t/_delta_log -type f | wc -l)" -eq 1 ] || fail "$(find t/_delta_log)"
    [ -z "$(dp-cat --to records t)" ]
}

@test "a table that vanishes under a program: exit 3, not made anew" {
    echo '{"a":1}' | dp-contract infer - >c.yaml
    for stage in partition commit; do
        rm -rf t gone fifo
        dp-table create t -c c.yaml
        mkfifo fifo
        if [ $stage = partition ]; then dp-partition -o t <fifo >paths 2>err & else dp-table commit t --eof-commits <fifo >said 2>err & fi
        pid=$!
        exec 7>fifo
        if [ $stage = partition ]; then echo '{"a":1}' >&7; else echo '{"a":1}' | dp-partition -o t >&7; fi
        dp_settled $pid
        mv t gone
        exec 7>&-
        rc=0
        wait $pid || rc=$?
        [ "$rc" -eq 3 ] && [ "$(wc -l <err)" -eq 1 ] || fail "$stage: exit $rc: $(cat err)"
        [ ! -e t ] || fail "$stage: $(find t)"
        [ -z "$(dp-cat --to records gone)" ]
    done
}

@test "a table without a file that its log names: exit 3 or 4, and which" {
    echo '{"a":1}' | dp-contract infer - >c.yaml
    dp-table create t -c c.yaml
    echo '{"a":1}' | dp-partition -o t | dp-table commit t --eof-commits
    file=$(dp-table files t)
    rm "$file"
    for t in dp-cat dp-map dp-ingest; do
        word=$(dp_words $t)
        [ $t != dp-ingest ] || word=--quiet
        rc=0
        "$t" "$word" t >got 2>err || rc=$?
        [[ $rc == [34] ]] && [ ! -s got ] && grep -q "${file##*/}" err || fail "$t: exit $rc: $(cat err)"
    done
}
