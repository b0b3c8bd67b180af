#!/usr/bin/env bats
# dp-retain erase and certify: a person is out of every version, file, log and name, everybody else is where they were; killed anywhere the next run ends it.

# shellcheck disable=SC2154 # status, output and stderr are those of run
bats_require_minimum_version 1.5.0
load helper

WHO=(--subject customer_id=42 --subject email=user42@example.org)

setup() {
    dp_setup
    export DP_AUDIT=$PWD/audit
}

people() { # FROM TO
    seq "$1" "$2" | awk '{ printf "{\"customer_id\":%d,\"email\":\"user%d@example.org\",\"amount\":%d,\"day\":\"2026-01-%02d\"}\n", $1 % 100, $1 % 100, $1, $1 % 3 + 1 }'
}
put() { # TABLE OPTION...
    dp-partition -o "$1" --by day "${@:2}" | dp-table commit "$1" --eof-commits -q >/dev/null
}
contract() {
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: t' 'version: 1.0.0' 'status: active' 'schema:' '- name: t' '  properties:' \
        '  - {name: customer_id, logicalType: integer}' '  - {name: email, logicalType: string}' '  - {name: amount, logicalType: integer}' '  - {name: day, logicalType: string}' >c.yaml
}
table() { # PROPERTY...
    contract
    dp-table create t -c c.yaml --by day -q "${@/#/--property=}"
    people 1 600 | put t --bloom customer_id
    people 601 900 | put t
    dp-table delete t --where '.customer_id == 42 and .amount > 700' -q >/dev/null
    dp-table update t --where '.customer_id == 42' --set 'amount=.amount + 1' -q >/dev/null
    people 901 1000 | put t
}
# versions TABLE...: the rows of each version but for the person's, as one sum each
versions() {
    local t v
    for t; do
        for v in $(dp-table log "$t" | cut -f 1 | sort -n); do echo "$t $v $(dp-cat "$t" --as-of "$v" | grep -v '"customer_id":42,' | sort | cksum)"; done
    done
}
erase() { dp-retain erase "${WHO[@]}" --reason 'request 7' "$@"; }
gone() { dp-retain find "${WHO[@]}" "$@" >found 2>&1 || fail "$(cat found)"; }
sums() { find "$@" -type f -not -path '*/_dp_*' -exec sha256sum {} + | sort; }

@test "every version without the person and with everybody else; only files that had them are touched; a second time there is nothing to do" {
    table
    versions t >before
    dp-retain find "${WHO[@]}" t | awk -F '\t' '$1 == "row" && $4 ~ /parquet/ { print $4 }' | sort -u >had || true
    sums t/day=* >files
    run --separate-stderr erase --verify --json t
    assert_success
    jq -e --argjson n "$(wc -l <had)" '.files_rewritten + .files_removed == $n and .files_found == 0 and .rows_erased > 9 and .versions == 7 and .tables == 1' <<<"${lines[-1]}" || fail "$output"
    versions t | head -n 6 >after
    diff before after
    [ "$(dp-table log t | head -n 1 | cut -f 3)" = ERASE ]
    gone t
    run dp-table verify t
    assert_success
    grep -v -F -f had files >others
    sums t/day=* >now
    [ "$(comm -12 <(sort others) <(sort now) | wc -l)" = "$(wc -l <others)" ] || fail "other files were touched"
    while read -r f; do [ ! -e "$f" ] || fail "$f is there still"; done <had
    cp -r t again
    run --separate-stderr erase --verify --skip-empty t
    assert_failure 99
    diff -r t again
    [ ! -e t/_dp_erase ]
}

@test "a dry run counts and changes nothing" {
    table
    cp -r t was
    run --separate-stderr dp-retain erase "${WHO[@]}" --dry-run --json t
    assert_success
    jq -e '.rows_erased > 9 and .files_rewritten > 3 and .log_files == 0' <<<"${lines[-1]}" || fail "$output"
    diff -r t was
    [ ! -e audit ]
}

@test "what commits said: conditions have no value any more; times and numbers of versions stay" {
    table
    dp-table log t | cut -f 1,2 >before
    erase t -q
    dp-table log t | cut -f 1,2 | tail -n +2 >after
    diff before after
    run cat t/_delta_log/*.json
    refute_output --partial '== 42'
    assert_output --partial '== ***'
    refute_output --partial 'user42@'
}

@test "deletion vectors: rows that were deleted are counted anew, in every version" {
    table delta.enableDeletionVectors=true
    dp-table delete t --where '.amount % 7 == 0' -q >/dev/null
    dp-table delete t --where '.amount % 11 == 0' -q >/dev/null
    versions t >before
    erase t -q --verify
    versions t | head -n "$(wc -l <before)" >after
    diff before after
    run dp-table verify t
    assert_success
    gone t
}

@test "change data: the feed tells of everybody else what it told" {
    table delta.enableChangeDataFeed=true
    dp-table changes t --since 0 | grep -v '"customer_id":42,' | sort >before
    erase t -q --verify
    dp-table changes t --since 0 | sort >after
    diff before after
    gone t
}

@test "checkpoints, classic and V2 with sidecars, compacted entries and checksums" {
    for kind in classic v2; do
        rm -rf t
        if [ $kind = v2 ]; then table delta.checkpointPolicy=v2; else table; fi
        dp-table checkpoint t -q >/dev/null
        people 1 100 | put t
        dp-table checkpoint t -q >/dev/null
        for f in t/_delta_log/*.json "$(find t -name 'part-*' | head -n 1)"; do echo crc >"${f%/*}/.${f##*/}.crc"; done # Hadoop's, which fits no other file
        echo '{"allFiles":[{"path":"x","stats":"user42@example.org"}]}' >t/_delta_log/00000000000000000003.crc
        people 1 50 | put t
        versions t >before
        erase t -q --verify || fail "$kind"
        versions t | head -n "$(wc -l <before)" >after
        diff before after || fail "$kind"
        [ ! -e t/_delta_log/00000000000000000003.crc ]
        [ ! -e t/_delta_log/.00000000000000000001.json.crc ]
        gone t
        # the newest version needs no entry before it
        v=$(dp-table log t | head -n 1 | cut -f 1)
        mkdir old && mv t/_delta_log/0000000000000000000[0-4].json old
        dp-cat t >/dev/null || fail "$kind"
        mv old/* t/_delta_log && rmdir old
        [ "$(dp-table log t | head -n 1 | cut -f 1)" = "$v" ]
    done
}

@test "partitions of the person's own: no file, no name and no directory of theirs is left" {
    people 1 300 | dp-partition -o t --by email | dp-table commit t --eof-commits -q >/dev/null
    people 301 350 | dp-partition -o t --by email | dp-table commit t --eof-commits -q >/dev/null
    versions t >before
    [ -d 't/email=user42@example.org' ] || [ -d 't/email=user42%40example.org' ]
    erase t -q --verify
    versions t | head -n 2 >after
    diff before after
    run find t -name '*user42@*' -o -name '*user42%40*'
    assert_output ''
    gone t
}

@test "a table and its shallow clone together; one alone tells that the other has them still" {
    table
    dp-table clone t copy --shallow -q >/dev/null
    people 1 100 | put copy
    versions t copy >before
    cp -r t t2 && cp -r copy copy2
    run --separate-stderr erase copy --json
    assert_success
    jq -e '.foreign_files > 0' <<<"${lines[-1]}" || fail "$output"
    [[ $stderr == *"belong to other tables"* ]] || fail "$stderr"
    dp-cat copy | grep -c '"customer_id":42,' && fail "rows are there still"
    rm -rf t copy && mv t2 t && mv copy2 copy
    erase t copy -q --verify
    for v in 0 1 2 3 4 5; do grep "^t $v " before; done >want
    versions t | head -n 6 | diff want -
    grep '^copy' before >want
    versions copy | head -n "$(wc -l <want)" | diff want -
    gone t copy
    dp-table verify copy -q
}

@test "cold tiers: the files there get twins with their digests, and can be brought back" {
    contract
    sed -i "s|day, logicalType: string|day, logicalType: date|" c.yaml
    dp-table create t -c c.yaml --by day -q
    people 1 300 | put t -c c.yaml
    mkdir cold
    printf 'version: 1\nrules:\n  - {id: cool, reason: cost, tier: {after: 90d, time: day, to: %s}}\n' "$PWD/cold" >r.yaml
    dp-retain plan -r r.yaml --now 2026-06-01T12:00:00Z t -o plan >plan.txt
    dp-retain apply plan --now 2026-06-01T12:00:00Z --reason x -q >/dev/null
    [ "$(find cold -name '*.parquet' | wc -l)" -gt 0 ]
    versions t >before
    erase t -q --verify
    versions t | head -n "$(wc -l <before)" | diff before -
    gone t
    dp-retain restore t --reason back -q >/dev/null
    [ "$(dp-cat t | wc -l)" = 297 ]
}

@test "columns that were renamed or dropped, and mapped names" {
    contract
    dp-table create t -c c.yaml -q --property delta.columnMapping.mode=name
    people 1 300 | dp-partition -o t -c c.yaml | dp-table commit t --eof-commits -q >/dev/null
    erase t -q --verify
    [ "$(dp-cat t | wc -l)" = 297 ]
    gone t
}

@test "files that were written when the table was partitioned otherwise" {
    people 1 100 | dp-partition -o t | dp-table commit t --eof-commits -q >/dev/null
    people 1 300 | dp-partition -o one --by email | dp-table commit one --eof-commits -q >/dev/null
    # the second version is partitioned by what stands in the file of the first
    jq -c 'select(.metaData)' one/_delta_log/*0.json | jq -c --argjson id "$(jq -c 'select(.metaData).metaData.id' t/_delta_log/*0.json)" '.metaData.id = $id' >t/_delta_log/00000000000000000001.json
    jq -c 'select(.add) | {remove: (.add | {path, dataChange, size, deletionTimestamp: 1})}' t/_delta_log/*0.json >>t/_delta_log/00000000000000000001.json
    jq -c 'select(.add)' one/_delta_log/*0.json >>t/_delta_log/00000000000000000001.json
    cp -r one/email=* t
    versions t >before
    erase t -q --verify
    versions t | head -n 2 | diff before -
    gone t
}

@test "row ids stay with their rows" {
    table delta.enableRowTracking=true
    before=$(dp-cat t | wc -l)
    people=$(dp-cat t | grep -c '"customer_id":42,')
    erase t -q --verify
    [ "$(dp-cat t | wc -l)" = $((before - people)) ]
    run dp-table verify t
    assert_success
    gone t
}

@test "files of no version: old ones go, young ones are told" {
    table
    cp "$(find t/day=2026-01-01 -name '*.parquet' | head -n 1)" t/day=2026-01-01/part-lost.parquet
    run --separate-stderr erase t
    assert_failure 1
    [[ $stderr == *"too young"* ]] || fail "$stderr"
    touch -d '3 days ago' t/day=2026-01-01/part-lost.parquet
    head -c 500 t/day=2026-01-01/part-lost.parquet >t/part-torn.parquet # a writer died
    touch -d '3 days ago' t/part-torn.parquet
    run --separate-stderr erase --verify --json t
    assert_success
    jq -e '.orphans_removed == 2 and .orphans_left == 0' <<<"${lines[-1]}" || fail "$output"
    [ ! -e t/day=2026-01-01/part-lost.parquet ] && [ ! -e t/part-torn.parquet ]
}

@test "rejects and other lines of JSON: those of the person go, the others stay byte for byte" {
    printf '%s\n' '{"reason":"range","record":{"customer_id":42,"x":1}}' '{"reason": "bad", "raw":"{\"email\":\"user42@example.org\"}"}' '{ "customer_id" : 421 }' '{"customer_id":"43"}' >rejects.ndjson
    run --separate-stderr erase --json rejects.ndjson
    assert_success
    [ "$(cat rejects.ndjson)" = $'{ "customer_id" : 421 }\n{"customer_id":"43"}' ] || fail "$(cat rejects.ndjson)"
    jq -e '.plain_files == 1 and .rows_erased == 2' <<<"${lines[-1]}" || fail "$output"
    echo '<a>user42@example.org</a>' >rows.xml
    run --separate-stderr erase rows.xml rejects.ndjson
    assert_failure 1
    [[ $stderr == *"rows.xml: only tables, and files of JSON lines, CSV and Parquet"* ]] || fail "$stderr"
}

@test "more tables at once than a process may have files open at first" {
    for k in 1 2 3; do printf '{"customer_id":42}\n{"customer_id":%d}\n' $((50 + k)) | dp-partition -o lake/t$k | dp-table commit lake/t$k --eof-commits -q >/dev/null; done
    for k in $(seq 4 40); do cp -r lake/t$((k % 3 + 1)) lake/t$k; done
    (ulimit -Sn 32 && erase lake --json >report)
    jq -e '.tables == 40 and .rows_erased == 40' <(tail -n 1 report) >/dev/null || fail "$(cat report)"
}

@test "CSV: records of the person go, all other bytes stay; what offsets do not fit is refused" {
    printf 'customer_id,note\r\n42,a\r\n43,"x\r\n42,y"\r\n"42","q ""q"" \n,"\r\n42,\r\n\r\n044,z\r\n42,last' >rows.csv
    chmod 640 rows.csv
    run --separate-stderr erase --json --verify rows.csv
    assert_success
    printf 'customer_id,note\r\n43,"x\r\n42,y"\r\n044,z\r\n' | cmp - rows.csv || fail "$(cat rows.csv)"
    [ "$(stat -c %a rows.csv)" = 640 ]
    jq -e '.plain_files == 1 and .rows_erased == 4 and .files_rewritten == 1' <<<"${lines[-1]}" >/dev/null || fail "$output"
    cp rows.csv was
    erase rows.csv >/dev/null
    cmp was rows.csv
    { echo 'email;customer_id;n'; seq 1 300000 | awk '{ printf "user%d@example.org;%d;%d\n", $1, $1 % 1000, $1 }'; } >big.csv
    awk -F';' 'NR == 1 || !($2 == 42 || $1 == "user42@example.org")' big.csv >want
    erase big.csv -j 1 >/dev/null
    cmp want big.csv
    printf 'customer_id,x\n42,1\n' | gzip >zipped.csv
    printf 'customer_id,x\n42,1\n' | iconv -t UTF-16 >wide.csv
    printf 'customer_id,x\n42,1\n' | iconv -t UTF-16LE >bare.csv
    printf 'customer_id,x\n42,\xe9\xe9\xe9\n43,\xe9\n42,1\n' >latin.csv
    printf 'customer_id,x\n42,1\n42,1,2,3\n' >ragged.csv
    printf 'customer_id,x\n42,1\n43,"1\n42,1\n' >open.csv
    for f in zipped wide bare latin ragged open; do
        cp $f.csv was
        run --separate-stderr erase $f.csv
        [ "$status" -ne 0 ] || fail "$f: $output"
        [[ $stderr == *"$f.csv: "* || $stderr == *"$f.csv:"[0-9]* ]] || fail "$f: $stderr"
        cmp was $f.csv
    done
    printf '\xef\xbb\xbfcustomer_id,x\n42,\xc3\xa9\n43,\xc3\xa9\n42,1\n' >marked.csv
    erase marked.csv >/dev/null
    printf '\xef\xbb\xbfcustomer_id,x\n43,\xc3\xa9\n' | cmp - marked.csv
    printf 'other,x\n42,1\n' >none.csv
    erase none.csv >/dev/null
    [ "$(cat none.csv)" = $'other,x\n42,1' ]
    printf 'customer_id\n42\n42\n' >all.csv
    cp all.csv was
    erase -n all.csv >/dev/null
    cmp was all.csv
    erase all.csv >/dev/null
    [ "$(cat all.csv)" = customer_id ]
    [ -z "$(find . -maxdepth 1 -name '*.tmp' -o -maxdepth 1 -name '.dp*')" ] || fail "$(ls -a)"
}

@test "Parquet files that are no table's: rows go, row groups that lose none are copied" {
    seq 1 5000 | awk '{ printf "{\"customer_id\":%d,\"email\":\"user%d@example.org\",\"v\":%d}\n", $1, $1, $1 }' >in.ndjson
    dp-partition -o out in.ndjson --row-group-rows 1000 >/dev/null
    mv "$(find out -name '*.parquet' | head -n 1)" rows.parquet
    run --separate-stderr erase --json rows.parquet
    assert_success
    jq -e '.plain_files == 1 and .rows_erased == 1' <<<"${lines[-1]}" >/dev/null || fail "$output"
    dp-cat rows.parquet | jq -cS . | diff - <(jq -cS 'select(.customer_id != 42)' in.ndjson)
    run ! grep -qa user42@ rows.parquet
    cp rows.parquet was
    erase rows.parquet >/dev/null
    cmp was rows.parquet
}

@test "what is named, and nothing else that lineage knows; without a name all of that" {
    export DP_LINEAGE=$PWD/events
    printf '%s\n' '{"customer_id":42,"email":"user42@example.org"}' '{"customer_id":43,"email":"user43@example.org"}' >in.ndjson
    for t in one two; do dp-ingest in.ndjson --marks | dp-partition -o $t | dp-table commit $t -q >/dev/null; done
    export DP_LINEAGE=none
    dp-lineage ingest --store l.db events -q
    cp in.ndjson was
    run --separate-stderr erase --store l.db --verify one
    assert_success
    [ "$(dp-cat one | wc -l)" = 1 ] && [ "$(dp-cat two | wc -l)" = 2 ]
    diff in.ndjson was
    run --separate-stderr erase --store l.db --verify
    assert_success
    [ "$(dp-cat two | wc -l)" = 1 ]
    [ "$(wc -l <in.ndjson)" = 1 ]
}

@test "a legal hold forbids it and is named; nothing is changed" {
    table
    dp-retain hold C-7 --subject customer_id=42 --reason trial t -q
    cp -r t was
    run --separate-stderr erase t
    assert_failure 1
    [[ $stderr == *"C-7"* ]] || fail "$stderr"
    diff -r t was
    dp-retain release C-7 --reason over t -q
    erase t -q --verify
}

@test "no audit log, no reason, no table: nothing is read" {
    table
    run --separate-stderr erase --audit /dev/null/x t
    assert_failure 3
    run --separate-stderr dp-retain erase "${WHO[@]}" t
    assert_failure 2
    run --separate-stderr dp-retain erase --reason x t
    assert_failure 2
    run --separate-stderr erase nowhere
    [ "$status" -ne 0 ]
    [ -z "$(find t -name '_dp_erase')" ]
    erase t -q
    dp-retain audit show | grep -c '"retain.erase"' | grep -q '^[24]$' || fail "$(dp-retain audit show)"
    run grep -r 'user42\|"42"' audit
    assert_output ''
}

@test "where the evidence can't go is told before anything is done; a device is written to and not replaced" {
    table
    cp -r t was
    run --separate-stderr erase --evidence no/ev.json t
    assert_failure 3
    diff -r t was
    [ ! -e audit ]
    mkfifo pipe
    cat pipe >got &
    erase t -q --evidence pipe
    wait $!
    [ -p pipe ] && jq -e '.dp_erasure == 1' got
    run --separate-stderr erase t --evidence /dev/full
    assert_failure 3
    [ -c /dev/full ]
}

@test "a certificate holds nothing of the person, and no byte of it can be changed" {
    table
    dp-retain keygen key >/dev/null
    erase t -q --verify --evidence ev.json
    dp-retain certify --key-file key ev.json >cert
    run dp-retain certify --check --public-key key.pub cert
    assert_success
    jq -e '.verified and .search.found == 0 and .rows_erased > 9' <<<"$output"
    run grep -c 'user42' cert
    assert_output 0
    n=$(wc -c <cert)
    for at in 0 5 20 40 100 $((n / 2)) $((n - 200)) $((n - 140)) $((n - 60)) $((n - 3)); do
        cp cert bad
        byte=$(dd if=cert bs=1 skip="$at" count=1 status=none | od -An -tu1)
        printf "\\$(printf %o $((byte ^ 1)))" | dd of=bad bs=1 seek="$at" conv=notrunc status=none
        run --separate-stderr dp-retain certify --check --public-key key.pub bad
        assert_failure 4
    done
    head -c $((n - 10)) cert >bad
    run --separate-stderr dp-retain certify --check --public-key key.pub bad
    assert_failure 4
    sed 's/"rows_erased":/"rows_erased":1/' ev.json >ev2.json
    run --separate-stderr dp-retain certify --key-file key ev2.json
    assert_failure 1
    [[ $stderr == *"altered"* ]] || fail "$stderr"
    people 1 100 | put t
    erase t -q --evidence ev3.json
    run --separate-stderr dp-retain certify --key-file key ev3.json
    assert_failure 1
    [[ $stderr == *"not verified"* ]] || fail "$stderr"
}

@test "a journal that names what is not of the tables given is refused, and nothing is touched" {
    table
    mkdir -p t/_dp_erase/log
    echo precious >precious
    for line in '{"remove":"'"$PWD"'/precious"}' '{"remove":"'"$PWD"'/t/../precious"}' '{"put":"../../precious","table":"'"$PWD/t"'"}' '{"with":"'"$PWD"'"}'; do
        printf '%s\n' '{"dp_erase":1}' "$line" '{"end":true}' >t/_dp_erase/journal
        run --separate-stderr erase t
        [ "$status" -ne 0 ] || fail "$line"
        [ "$(cat precious)" = precious ]
    done
    echo '{"dp_erase":1}' >t/_dp_erase/journal
    run --separate-stderr erase t
    assert_failure 4
    rm t/_dp_erase/journal # what no journal speaks of is a draft
    erase t -q --verify
    [ ! -e t/_dp_erase ]
}

@test "tables by other writers: every version of each has everybody else" {
    [ -d "$DP_SHARED/corpus/delta" ] || skip "no corpus"
    n=0
    while read -r name subject; do
        cp -r "$DP_SHARED/corpus/delta/$name" t
        chmod -R u+w t
        has() { dp-cat t --as-of "$1" 2>/dev/null | jq -c --arg k "${subject%%=*}" --arg v "${subject#*=}" 'select((.[$k] | tostring) != $v)' | sort | cksum; }
        last=$(dp-table log t | head -n 1 | cut -f 1)
        for ((v = 0; v <= last; v++)); do has $v; done >before
        dp-retain erase --subject "$subject" --reason x --verify --orphans 0s t >said 2>&1 || fail "$name: $(cat said)"
        grep -q '^[1-9][0-9]* rows went ' said || fail "$name: $(cat said)"
        for ((v = 0; v <= last; v++)); do has $v; done | diff before - || fail "$name: other rows than before"
        dp-table verify t -q >said 2>&1 || fail "$name: $(cat said)"
        rm -rf t
        n=$((n + 1))
    done <<'T'
basic-dv-no-checkpoint id=5
cdf-table-with-dv value=5
column-mapping-id value=3
compacted-log-files-table id=0
delta-0.1.0 id=5
delta-0.2.0 value=1
delta-0.8.0-special-partition x=B B
dv-partitioned-with-checkpoint part=3
multi-part-checkpoint id=23
snapshot-vacuumed col1=12
table-with-dv-large value=1672
v2-checkpoints-json-with-sidecars id=380
v2-json-sidecars-struct-stats-only id=3
void-column id=2
T
    [ $n = 14 ]
}
