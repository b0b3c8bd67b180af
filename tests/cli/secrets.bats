#!/usr/bin/env bats
# No clear value of a masked column and no key anywhere that dp-mask (or what stands behind it) leaves something: output, rejects, reports, metrics, messages,
# files, spills, the environment; after runs that succeed, that fail and that are killed.

# shellcheck disable=SC2154
bats_require_minimum_version 1.5.0
load helper

HEX=9f3ac17e55d0b2846c1de0f7a3925b48
CLEAR='clearq7 zebra9x 918273645'

setup() {
    dp_setup
    unset DP_MASK_KEY DP_MASK_KEY_FILE
    mkdir secret tmp
    export TMPDIR=$PWD/tmp
    (umask 077 && echo "k1:$HEX" >secret/ring)
    cat >c.yaml <<'END'
apiVersion: v3.1.0
kind: DataContract
id: t
version: 1.0.0
status: active
schema:
  - name: t
    logicalType: object
    properties:
      - {name: id, logicalType: integer}
      - {name: email, logicalType: string, classification: confidential}
      - {name: salary, logicalType: integer, classification: restricted}
      - {name: ip, logicalType: string, classification: confidential}
      - {name: grp, logicalType: string, partitioned: true, partitionKeyPosition: 1}
      - name: items
        logicalType: array
        items: {logicalType: object, properties: [{name: email, logicalType: string, classification: confidential}]}
END
    cat >p.yaml <<'END'
version: 1
columns:
  ip: ip
rows: .email != "none"
END
}

# Records whose masked values hold the words of CLEAR.
records() {
    awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++)
        printf "{\"id\":%d,\"email\":\"clearq7.%d@zebra9x.org\",\"salary\":918273645,\"ip\":\"10.1.2.%d\",\"grp\":\"g%d\",\"items\":[{\"email\":\"zebra9x%d\"}]}\n", i, i, i % 250, i % 40, i }'
}

# Byte search in what is in the working directory but for secret/: the clear values and the key, raw, in hex, in base64.
nothing_shows() {
    local words=() w raw
    for w in $CLEAR; do words+=(-e "$w" -e "$(printf %s "$w" | od -An -tx1 | tr -d ' \n')" -e "$(printf %s "$w" | base64 | tr -d '=\n' | head -c 8)"); done
    raw=$(printf %s $HEX | sed 's/../\\x&/g')
    words+=(-e $HEX -e "${HEX^^}" -e "$(printf '%b' "$raw" | base64 | tr -d '=\n')" -e "$(printf '%b' "$raw" | base64 | tr -d '=\n' | tr '+/' '-_')")
    if grep -raoFl "${words[@]}" --exclude-dir=secret .; then fail "$1: a secret shows" || return 1; fi
    if find . -path ./secret -prune -o -type f -print0 | LC_ALL=C xargs -0 grep -laP "$raw"; then fail "$1: the key shows" || return 1; fi
}

mask() { dp-mask -c c.yaml -p p.yaml --key-file secret/ring "$@"; }

@test "the search finds what it looks for" {
    records 1 >here
    run nothing_shows x
    [ "$status" -ne 0 ]
    printf '%b' "$(printf %s $HEX | sed 's/../\\x&/g')" >here
    run nothing_shows x
    [ "$status" -ne 0 ]
    printf %s zebra9x | base64 >here
    run nothing_shows x
    [ "$status" -ne 0 ]
}

@test "a run that succeeds: output, header, report, metrics, messages" {
    records 5000 | mask -v --marks --report r.json --metrics m.prom --rejects bad.ndjson >out 2>err
    [ "$(grep -c v1:k1: out)" -eq 5000 ] || fail "$(head -n 3 out err)"
    nothing_shows success
    records 10 >secret/in.ndjson
    DP_MARKS=1 mask -v --report r.md secret/in.ndjson >out 2>err
    nothing_shows operands
}

@test "runs that fail, with and without tolerance" {
    local n=0
    while read -r bad; do
        n=$((n + 1))
        for words in '' '--max-rejects=5 --rejects=bad'$n '--max-rejects=5 --rejects=-' '--rejects=bad'$n; do
            # shellcheck disable=SC2086 # words
            { records 2; printf '%s\n' "$bad"; } | mask -v $words --report "r$n.json" >"out$n" 2>>err || true
        done
        nothing_shows "$bad"
    done <<'END'
{"id":1,"email":{"zebra9x":"clearq7"}}
{"id":1,"email":["clearq7"]}
{"id":1,"email":918273645}
{"id":1,"items":"clearq7"}
{"id":1,"items":["clearq7"]}
{"id":1,"mail":"clearq7"}
{"id":1,"email":"a","email":"clearq7"}
{"id":1,"email":"a","em\u0061il":"clearq7"}
{"id":1,"items":[{"email":"a","email":"clearq7"}]}
{"id":1,"email":{"clearq7":1,"clearq7":2}}
{"id":1,"ip":"clearq7"}
{"id":1,"email":"clearq7"
{"id":1,"email":"clearq7\q"}
{"id":1,"email":clearq7}
"clearq7"
clearq7,918273645
{"id":1,"email":"clearq7","$dp":1}
END
    [ "$n" -ge 16 ]
}

@test "expressions that err on a clear value" {
    sed -i 's/^rows: .*/rows: (.email | tonumber) > 0/' p.yaml
    records 3 | mask --max-rejects 3 --rejects bad >out 2>err || true
    records 3 | mask >out2 2>err2 || true
    sed -i '/^rows/d' p.yaml
    records 3 | mask --where '(.email | tonumber) > 0' --max-rejects 3 --rejects bad2 >out3 2>err3 || true
    records 3 | mask --where '(.email | tonumber) > 0' >out4 2>err4 || true
    records 3 | mask --where '.email | error' >out5 2>err5 || true
    [ -s bad ] && [ -s bad2 ]
    nothing_shows expressions
}

@test "behind the mask: programs in a pipe, their rejects and files" {
    records 200 >secret/in.ndjson
    dp-table create t -c c.yaml >/dev/null 2>&1
    dp-table create other -c c.yaml >/dev/null 2>&1
    dp-run -- 'dp-mask -c c.yaml -p p.yaml --key-file secret/ring secret/in.ndjson | dp-map ".email |= error" --max-rejects 200 --rejects bad | dp-partition -c c.yaml -o other | dp-table commit other' >out 2>err
    dp-run -- 'dp-mask -c c.yaml -p p.yaml --key-file secret/ring secret/in.ndjson | dp-partition -c c.yaml -o t | dp-table commit t' >>out 2>>err
    [ "$(dp-cat t | wc -l)" -eq 200 ]
    nothing_shows pipeline
}

@test "wrong keys and policies: messages" {
    records 1 >secret/in
    for bad in "$HEX$HEX$HEX$HEX$HEX" "k/1:$HEX" "k1 x active $HEX" "k1 2026-01-01T00:00:00Z alive $HEX" "${HEX}q" "k1:$HEX
k2:$HEX"; do
        (umask 077 && printf '%s\n' "$bad" >secret/bad)
        rc=0
        dp-mask -c c.yaml --key-file secret/bad secret/in >>out 2>>err || rc=$?
        [ "$rc" -eq 2 ] || fail "$bad: exit $rc"
        rc=0
        DP_MASK_KEY=$bad dp-mask -c c.yaml secret/in >>out 2>>err || rc=$?
        [ "$rc" -eq 2 ] || fail "$bad in the environment: exit $rc"
    done
    chmod 644 secret/ring
    mask secret/in >>out 2>>err && fail "a key that others may read"
    nothing_shows messages
}

@test "killed: by SIGTERM, by SIGKILL, in the middle of records" {
    for signal in TERM KILL; do
        mkfifo to
        dp-mask -c c.yaml -p p.yaml --key-file secret/ring -v --marks --rejects bad --max-rejects 100 --report r.json <to >"out$signal" 2>>err &
        pid=$!
        exec 7>to
        records 3000 >&7
        echo '{"mail":"clearq7"}' >&7
        for _ in $(seq 100); do [ "$(grep -c v1:k1 "out$signal")" -ge 3000 ] && break; sleep 0.1; done
        limits=$(cat /proc/$pid/limits)
        [[ $(grep 'Max core file size' <<<"$limits") =~ size\ +0\ +0 ]] || fail "$limits"
        cp /proc/$pid/environ env$signal 2>/dev/null || true
        tr '\0' ' ' </proc/$pid/cmdline >cmdline$signal
        kill -$signal $pid
        wait $pid || true
        exec 7>&-
        rm to
    done
    nothing_shows killed
}

@test "the key in the environment does not stay there" {
    mkfifo to
    DP_MASK_KEY=k1:$HEX dp-mask -c c.yaml <to >out 2>err &
    pid=$!
    exec 7>to
    records 1 >&7
    for _ in $(seq 100); do grep -q v1:k1 out && break; sleep 0.1; done
    cp /proc/$pid/environ environ || skip "the environment of another process can't be read here"
    exec 7>&-
    wait $pid
    grep -q v1:k1 out
    nothing_shows environment
}

# Copies what a process has open and unlinked, while it stands still.
copy_open() {
    local fd
    for fd in /proc/"$1"/fd/*; do
        case $(readlink "$fd" 2>/dev/null) in *'(deleted)'*) cp "$fd" "spill.$2.${fd##*/}" 2>/dev/null || true ;; esac
    done
}

@test "columns: files, spills while it runs, what a killed run leaves" {
    records 120000 >secret/in.ndjson
    mkdir secret/t
    dp-partition -c c.yaml --by grp -o secret/plain secret/in.ndjson >/dev/null
    dp-table create secret/t -c c.yaml >/dev/null 2>&1
    dp-run -- 'dp-ingest -f ndjson -c c.yaml secret/in.ndjson | dp-partition -c c.yaml -o secret/t | dp-table commit secret/t' >/dev/null 2>&1
    printf 'version: 1\ncolumns: {ip: ip, grp: hmac}\n' >q.yaml # a masked partition column: rows are laid out anew, and some wait on disk
    for signal in none TERM KILL; do
        dp-mask -c c.yaml -p q.yaml --key-file secret/ring -v -m 16M -j 1 -o "out$signal" --report r.json secret/t >>paths 2>>err &
        pid=$!
        for i in $(seq 60); do
            kill -STOP $pid 2>/dev/null || break
            copy_open $pid "$signal$i"
            [ "$(find . -maxdepth 1 -name "spill.$signal*" -size +0 | wc -l)" -lt 3 ] || stop=yes
            kill -CONT $pid 2>/dev/null || break # it may have ended just before it was stopped: a zombie takes signals until bash has reaped it
            if [ "${stop:-}" = yes ] && [ $signal != none ]; then kill -$signal $pid 2>/dev/null || true; break; fi
            sleep 0.02
        done
        wait $pid || true
        stop=
    done
    [ "$(dp-cat $(grep outnone paths) | wc -l)" -eq 120000 ] || fail "$(head -n 5 paths err)"
    [ -n "$(find . -maxdepth 1 -name 'spill.*' -size +0)" ] || echo "# no spill was seen" >&3
    nothing_shows columns
}

@test "columns that are copied: dictionaries, bloom filters, page indexes, row groups, several files, other leaves of what is masked" {
    records 120000 >secret/in.ndjson
    head -n 50000 secret/in.ndjson >secret/more.ndjson
    sed -i '/^rows/d' p.yaml
    sed -i 's/, partitioned: true, partitionKeyPosition: 1//' c.yaml
    for source in in more; do
        dp-partition -c c.yaml -o secret/$source --row-group-rows 50000 --page-checksums --page-version 2 --codec gzip --bloom id --bloom email --bloom ip secret/$source.ndjson >>secret/files
    done
    mapfile -t files <secret/files
    mask -v -j 1 -o out1 --report r.json "${files[@]}" >p1 2>err
    mask -v -j 2 -m 16M -o out2 "${files[@]}" >p2 2>>err
    cmp "$(cat p1)" "$(cat p2)"
    jq -e '.columns_copied > 0' r.json || fail "$(cat r.json)"
    [ "$(dp-cat $(cat p1) | wc -l)" -eq 170000 ]
    mask -o plain --codec none "${files[@]}" >p3 # nothing hides behind compression
    dp-cat $(cat p3) | cmp - <(dp-cat $(cat p1))
    nothing_shows copied
}

@test "a URL's password and the secrets in its parameters are never repeated: not in messages, reports, or the abort of a stream" {
    local words
    for words in "dp-cat --report r.json http://u:hush@h/x" "dp-cat --report r.md http://u:hush@h/x*.csv" "dp-ingest --json=no --report r.txt https://u:hush@h/x?token=hush" \
        "dp-ingest --marks https://u:hu/sh@h/x?sig=hush" "dp-table files s3://k:hush@b/t" "dp-table files --log-format json s3://k:hush@b/t" "dp-validate -c http://u:hush@h/c.yaml x" \
        "dp-join --with http://u:hush@h/x --on a x" "dp-lineage up --store http://u:hush@h/x.db y"; do
        # shellcheck disable=SC2086
        run $words </dev/null
        [ "$status" -ne 0 ]
        [[ $output != *hush* && $output != *hu/sh* ]] || fail "$words: $output"
    done
    for words in r.json r.md r.txt; do [ ! -e "$words" ] || { run ! grep -l hush "$words"; }; done
    grep -q 'http://h/x' r.json
}

@test "a write past ulimit -f is a message and exit 3, in each program that writes" {
    local i
    for i in $(seq 3000); do echo "{\"a\":$i,\"b\":\"$i$i$i\"}"; done >in.ndjson
    run --separate-stderr bash -c "ulimit -f 10; dp-cat in.ndjson >out"
    [ "$status" -eq 3 ]
    [[ $stderr == *"File too large"* ]] || fail "$stderr"
    run --separate-stderr bash -c "ulimit -f 2; dp-partition -o t in.ndjson >out"
    [ "$status" -eq 3 ]
    [[ $stderr == *"File too large"* ]] || fail "$stderr"
    run --separate-stderr bash -c "ulimit -f 10; DP_LINEAGE=none dp-run -- 'dp-map . in.ndjson >out'"
    [ "$status" -eq 3 ]
    [[ $stderr == *"dp-map: cannot write standard output: File too large"* ]] || fail "$stderr"
}
