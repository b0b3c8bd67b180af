#!/usr/bin/env bats
# dp-retain cost: every file counted once and by what it is, prices, savings, tags and owners, run reports, four forms.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

NOW=(--now 2026-06-01T12:00:00Z)

contract() {
    cat >c.yaml <<'YAML'
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders
    properties:
      - {name: id, logicalType: integer}
      - {name: day, logicalType: date}
YAML
}
put() { # TABLE DAY: ten rows, one file
    seq 1 10 | awk -v d="$2" '{ printf "{\"id\":%d,\"day\":\"%s\"}\n", $1, d }' | dp-partition -o "$1" -c c.yaml --by day | dp-table commit "$1" --eof-commits -q >/dev/null
}
# Three days in five files, one of them compacted away, a vector, a change feed, rejects, strangers.
setup_lake() {
    contract
    mkdir lake
    put lake/orders 2026-01-01
    put lake/orders 2026-01-01
    put lake/orders 2026-05-01
    dp-table delete lake/orders --where '.id == 3 and .day == "2026-05-01"' -q >/dev/null
    put lake/sub/other 2026-05-01
}
prices() {
    cat >p.yaml <<'YAML'
version: 1
currency: EUR
cpu-hour: 0.36
tiers:
  - {name: hot, gb-month: 23}
  - {name: cold, gb-month: 4.5, prefix: sub, after: 30d}
YAML
}
# What du counts of the regular files of tables.
du_of() { find "$@" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }'; }
records() { dp-retain cost --to records "${NOW[@]}" "$@"; }

@test "every file counts once: bytes agree with du and files with find, also with strangers, rejects and a change feed" {
    setup_lake
    mkdir -p lake/orders/_change_data lake/orders/_rejects lake/orders/_dp_staging/run 'lake/orders/a b'
    head -c 1000 /dev/zero >lake/orders/_change_data/cdc.parquet
    head -c 200 /dev/zero >lake/orders/_rejects/x
    head -c 30 /dev/zero >lake/orders/rejects.ndjson.gz
    head -c 4 /dev/zero >lake/orders/_dp_staging/run/part
    head -c 5 /dev/zero >'lake/orders/a b/stray.parquet'
    head -c 6 /dev/zero >lake/orders/.dp-1.tmp
    ln -s /etc/passwd lake/orders/link
    run records lake
    assert_success
    total=$(tail -n 1 <<<"$output")
    [ "$(jq .bytes <<<"$total")" -eq "$(du_of lake)" ] || fail "$total"
    [ "$(jq .bytes <<<"$total")" -eq "$(find lake -type f -print0 | du -b -c --files0-from=- | tail -n 1 | cut -f 1)" ]
    [ "$(jq .files <<<"$total")" -eq "$(find lake -type f | wc -l)" ]
    jq -e '.tables == 2 and .rows == 39 and ([.kinds[].bytes] | add) == .bytes and ([.kinds[].files] | add) == .files' <<<"$total" >/dev/null || fail "$total"
    jq -e '.kinds | .changes == {files: 1, bytes: 1000} and .rejects == {files: 2, bytes: 230} and .leftovers == {files: 3, bytes: 15}' <<<"$total" >/dev/null || fail "$total"
    [ "$(jq .kinds.log.bytes <<<"$total")" -eq "$(du_of lake/*/_delta_log lake/sub/*/_delta_log)" ]
}

@test "what older versions need is history: removed files before and behind a checkpoint, and what the log no longer has among its tombstones" {
    contract
    put lake/orders 2026-01-01
    put lake/orders 2026-01-02
    run records lake
    live=$(tail -n 1 <<<"$output" | jq .kinds.live.bytes)
    jq -e '.kinds.history.bytes == 0 and .kinds.leftovers.files == 0' <<<"${lines[-1]}" >/dev/null || fail "$output"
    dp-table delete lake/orders --where '.day == "2026-01-01"' -q >/dev/null
    dp-table checkpoint lake/orders -q >/dev/null
    run records lake
    jq -e --argjson live "$live" '.rows == 10 and .kinds.history.files == 1 and .kinds.history.bytes + .kinds.live.bytes == $live and .kinds.leftovers.files == 0' <<<"${lines[-1]}" >/dev/null || fail "$output"
}

@test "prices: tiers by prefix and by property, exact sums, the total of the rows; nothing is priced without them" {
    setup_lake
    prices
    run records --prices p.yaml lake
    assert_success
    for i in 0 1; do
        price=23 && [ "$i" = 1 ] && price=4.5
        jq -e --argjson p "$price" '.currency == "EUR" and ((.per_month - .bytes * $p / 1e9) | fabs) < 0.0000006' <<<"${lines[$i]}" >/dev/null || fail "${lines[$i]}"
    done
    run records lake
    refute_output --partial per_month
    run dp-retain cost --by tier lake
    [ "$status" -eq 2 ]
    assert_output --partial -- '--prices'
    run records --by tier --prices p.yaml lake
    [ "$(jq -r .name <<<"$output" | paste -sd ' ')" = "cold hot null" ]
    sed -i 's/gb-month: 23/gb_month: 23/' p.yaml
    run dp-retain cost --prices p.yaml lake
    [ "$status" -eq 2 ]
    assert_output --partial 'p.yaml:5:'
    assert_output --partial 'gb-month'
}

@test "savings: retention is what plan frees, compaction and tiering are estimates with their rule" {
    setup_lake
    prices
    printf 'version: 1\nrules:\n  - {id: month, rows: {keep: 90d, time: day}}\n' >r.yaml
    find lake -type f | sort | xargs cksum >before
    run records --prices p.yaml -r r.yaml lake/orders --now 2027-06-01T00:00:00Z
    assert_success
    plan=$(dp-retain plan -r r.yaml lake/orders --now 2027-06-01T00:00:00Z --json | tail -n 1)
    [ "$(jq '.bytes + .old_bytes' <<<"$plan")" -gt 0 ]
    jq -e --argjson p "$plan" '.savings | map(select(.way == "retention"))[0] | .bytes == $p.bytes + $p.old_bytes and .files == $p.files + $p.old_files and .estimate == false and .rule == "month"' <<<"${lines[0]}" >/dev/null || fail "$output $plan"
    jq -e '.savings | map(select(.way == "compaction"))[0] | .files == 1 and .estimate' <<<"${lines[0]}" >/dev/null || fail "$output"
    jq -e '.kinds.live as $l | .savings | map(select(.way == "tiering"))[0] | .bytes == $l.bytes and .files == $l.files and (.rule | test("from hot to cold after 30 days"))' <<<"${lines[0]}" >/dev/null || fail "$output"
    run records --target-size 4096 lake/orders
    jq -e '.savings == []' <<<"${lines[0]}" >/dev/null || jq -e '[.savings[].way] == ["compaction"]' <<<"${lines[0]}" >/dev/null || fail "$output"
    find lake -type f | sort | xargs cksum >after
    diff before after
}

@test "tags and owners: contracts, properties, the store; several count in each and the output says so; those without are the last row" {
    setup_lake
    cat >lake/orders.odcs.yaml <<'YAML'
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
team: [{username: ann, role: owner}]
tags: ["tier:gold"]
schema:
  - {name: orders, tags: [pii], properties: [{name: id, logicalType: integer}]}
YAML
    run dp-retain cost --by tag lake
    assert_success
    assert_output --partial 'rows overlap'
    [[ ${lines[1]} == pii* && ${lines[2]} == tier=gold* && ${lines[3]} == '(untagged)'* && ${lines[4]} == total* ]] || fail "$output"
    [ "$(awk '$1 == "total" { print $5; exit }' <<<"$output")" -eq "$(find lake/orders lake/sub -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')" ]
    run dp-retain cost --by owner lake
    [[ ${lines[1]} == ann* && ${lines[2]} == '(no owner)'* ]] || fail "$output"
    refute_output --partial 'rows overlap'
    dp-lineage discover --store s.db lake -q >/dev/null
    dp-lineage tag --store s.db "$PWD/lake/sub/other" area=north >/dev/null
    dp-lineage own --store s.db "$PWD/lake/sub/other" bob >/dev/null
    run dp-retain cost --by tag --store s.db lake
    assert_line --regexp '^area=north +1 '
    run dp-retain cost --by owner --store s.db lake
    assert_line --regexp '^bob +1 '
    run dp-retain cost --store none.db lake
    [ "$status" -eq 3 ]
}

report() { # PROGRAM RUN JOB USER SYSTEM
    printf '{"program":"%s","run":"%s","job":"%s","exit":0,"records":{"in":5},"bytes_in":7,"bytes_out":9,"cpu_user_us":%s,"cpu_system_us":%s,"peak_memory_bytes":4096}\n' "$@"
}

@test "pipelines: reports are summed by job, stages of dp-run count in its report alone, and real reports carry the time" {
    mkdir reports
    { report dp-map r1 load 100 50; report dp-run r1 load 3000000 1000000; } >reports/a.ndjson
    report dp-map r2 load 1000000 0 >reports/b.json
    report dp-map r3 'we\"ird\\job' 5000 0 >reports/c.jsonl
    echo '{"program":"dp-map","run":"r4","job":"old","exit":0}' >>reports/c.jsonl
    echo junk >reports/ignored.txt
    prices
    run records --by pipeline --reports reports --prices p.yaml
    assert_success
    jq -es '.[0] | .name == "load" and .runs == 2 and .cpu_user_seconds == 4 and .cpu_system_seconds == 1 and .cost == 0.0005 and .records == 15' <<<"$output" >/dev/null || fail "$output"
    jq -es '.[1].name == "old" and .[1].unmeasured == 1 and .[2].name == "we\"ird\\job" and .[2].cost == 0.000001' <<<"$output" >/dev/null || fail "$output"
    rm -r reports/*
    seq 1 20000 | awk '{ print "{\"a\":" $1 "}" }' >in.ndjson
    DP_JOB=real dp-map '.a' in.ndjson --report reports/m.json >/dev/null || true
    jq -e '.cpu_user_us + .cpu_system_us > 0 and .peak_memory_bytes > 1000000' reports/m.json >/dev/null || fail "$(cat reports/m.json)"
    dp-run --report reports/r.json -q -- 'dp-cat in.ndjson >/dev/null'
    jq -e '.cpu_user_us + .cpu_system_us > 0' reports/r.json >/dev/null || fail "$(cat reports/r.json)"
    run dp-retain cost --reports reports
    assert_success
    assert_line --regexp '^real +1 '
    { report dp-map r1 load 1 1; echo '{"a":1}'; } >reports/bad.json
    run dp-retain cost --reports reports/bad.json
    [ "$status" -eq 4 ]
    assert_output --partial 'bad.json:2: this is no report'
    run dp-retain cost --by pipeline
    [ "$status" -eq 2 ]
    mkfifo pipe
    run dp-retain cost --reports pipe
    [ "$status" -eq 2 ]
}

data_report() { # PROGRAM RUN JOB USER SYSTEM INPUTS OUTPUTS: paths with commas between
    local list='split(",") | map({namespace: "file", name: ., files: 2})'
    report "${@:1:5}" | jq -c --arg in "$6" --arg out "$7" ". + {inputs: (\$in | $list), outputs: (\$out | $list)}"
}

@test "processor time by table, tag, owner and tier: what a run writes, else its job, else what it reads; it adds up to that of the runs" {
    setup_lake
    prices
    mkdir reports
    ln -s lake link
    {
        data_report dp-run r1 load 3000001 0 x "$PWD/lake/orders,$PWD/lake/sub/other" # each a half
        data_report dp-partition r1 load 77 77 x "$PWD/lake/orders"                   # a stage of it
        data_report dp-partition r2 night 100 10 '' "$PWD/link/orders"                # by another name
        data_report dp-map r3 night 5 1 "$PWD/lake/sub/other" ''                      # its job writes orders
        data_report dp-cat r4 dp 0 40 "$PWD/lake/sub/other" ''                        # reads only
        data_report dp-cat r5 dp 9 0 "$PWD/gone" ''                                   # of no table here
        report dp-map r6 old 1 0                                                      # does not say
    } >reports/a.ndjson
    run records --reports reports --prices p.yaml lake
    assert_success
    jq -es 'map(select(.by != "pipeline")) | map([.name, .runs, .cpu_user_seconds, .cpu_system_seconds]) == [["lake/orders", 3, 1.500106, 0.000011], ["lake/sub/other", 2, 1.5, 0.00004], ["(no table of these)", 2, 0.00001, 0], [null, 6, 3.000116, 0.000051]]' <<<"$output" >/dev/null ||
        jq -es 'map(select(.by != "pipeline")) | map([.name, .runs, .cpu_user_seconds, .cpu_system_seconds])' <<<"$output" | fail
    jq -es 'map(select(.by == "pipeline" and .name == "load"))[0] | .files == 4 and .cpu_user_seconds == 3.000001' <<<"$output" >/dev/null || fail "$output"
    jq -es '.[0].cpu_cost == 0.00015' <<<"$output" >/dev/null || fail "$output"
    run records --by tier --reports reports --prices p.yaml lake
    jq -es 'map(select(.by == "tier")) | map([.name, .cpu_user_seconds]) == [["cold", 1.5], ["hot", 1.500106], ["(no table of these)", 0.00001]]' <<<"$output" >/dev/null || fail "$output"
    run records --by tag --reports reports lake
    jq -es 'map(select(.by == "tag")) | map([.name, .tables, .cpu_user_seconds]) == [["(untagged)", 2, 3.000106], ["(no table of these)", 0, 0.00001]]' <<<"$output" >/dev/null || fail "$output"
    run records --by owner --reports reports lake/orders
    jq -es 'map(select(.by != "pipeline")) | map(.cpu_user_seconds) == [1.500106, 1.50001, 3.000116]' <<<"$output" >/dev/null || fail "$output"
    run dp-retain cost --reports reports --prices p.yaml lake
    assert_line --regexp '^lake/orders .* 1[.]500117 +0[.]000150$'
    assert_line --regexp '^total .* 3[.]000167 '
    dp-retain cost --to prometheus --prices p.yaml --reports reports lake >out
    prometheus <out
    grep -qF 'dp_cost_data_cpu_seconds{table="lake/sub/other",mode="system"} 0.000040' out
    dp-retain cost --to csv --prices p.yaml --reports reports lake >out
    grep -q '^table,lake/orders,cpu,,,,3,1.500106,0.000011,0.000150,EUR,,' out
    run records lake
    refute_output --partial cpu_user_seconds
}

@test "real runs: a pipeline's report tells what its stages read and write, those of single programs too, without a receiver of lineage" {
    contract
    export DP_LINEAGE=none
    seq 1 10 | awk '{ printf "{\"id\":%d,\"day\":\"2026-01-01\"}\n", $1 }' >in.ndjson
    mkdir reports
    dp-run --name load --report reports/1.json -q -- "dp-ingest in.ndjson | dp-partition -o 'a t' -c c.yaml --by day | dp-table commit 'a t' --eof-commits -q" >/dev/null
    jq -e --arg d "$PWD" '.inputs == [{namespace: "file", name: "\($d)/in.ndjson", rows: 10, bytes: (.inputs[0].bytes), files: 1}] and (.outputs | length == 1) and (.outputs[0] | .name == "\($d)/a t" and .rows == 10 and .files == 1)' reports/1.json >/dev/null || fail "$(cat reports/1.json)"
    dp-run --name twice --retries 1 --report reports/2.json -q -- "dp-cat 'a t' in.ndjson >/dev/null; test \$DP_ATTEMPT = 2 || exit 3" 2>/dev/null
    jq -e '(.inputs | map(.name | sub(".*/"; ""))) == ["a t", "in.ndjson"] and .tries == 2 and .outputs == [] and .inputs[0].rows == 10' reports/2.json >/dev/null || fail "$(cat reports/2.json)"
    dp-cat 'a t' --report reports/3.json >/dev/null
    jq -e '.inputs[0].name | endswith("a t")' reports/3.json >/dev/null || fail "$(cat reports/3.json)"
    dp-table delete 'a t' --where '.id == 1' --json -q | tail -n 1 >reports/4.json
    jq -e '.outputs | length == 1' reports/4.json >/dev/null || fail "$(cat reports/4.json)"
    dp-table vacuum 'a t' -q --report reports/5.json >/dev/null
    jq -e '.outputs == [] and (.inputs | length == 1) and (.inputs[0].name | endswith("a t"))' reports/5.json >/dev/null || fail "$(cat reports/5.json)"
    run records --reports reports .
    assert_success
    jq -es 'map(select(.by == "table")) | length == 2 and .[0].runs == 5 and .[0].cpu_user_seconds + .[0].cpu_system_seconds > 0' <<<"$output" >/dev/null || fail "$output"
    # a descriptor that is something else by then is left alone
    : >mine
    DP_RUN_BOOK=8:1:1 dp-cat in.ndjson 8>>mine >/dev/null
    [ ! -s mine ]
    TMPDIR=/nonexistent dp-run --report r.json -q -- 'dp-cat in.ndjson >/dev/null' || [ "$?" -ne 70 ]
    jq -e 'has("inputs") | not' r.json >/dev/null || fail "$(cat r.json)"
    [ -z "$(find . -name '.dp-book*')" ]
}

@test "a line of a report has at most DP_LIMIT_REPORT_LINE bytes" {
    line() { printf '{"program":"p","run":"r","job":"j","exit":0,"x":"%s"}' "$(head -c "$1" /dev/zero | tr '\0' x)"; }
    size=$(($(line 0 | wc -c)))
    head -c $((16777216 - size)) /dev/zero | tr '\0' x >fill
    { printf '{"program":"p","run":"r","job":"j","exit":0,"x":"'; cat fill; printf '"}\n'; } >at.json
    { printf '{"program":"p","run":"r","job":"j","exit":0,"x":"x'; cat fill; printf '"}\n'; } >past.json
    [ "$(head -n 1 at.json | tr -d '\n' | wc -c)" -eq 16777216 ]
    dp-retain cost --reports at.json >/dev/null
    run dp-retain cost --reports past.json
    [ "$status" -eq 4 ]
    assert_output --partial 'past.json:1: a line of more than 16777216 bytes'
}

# Strict text exposition 0.0.4: each family has HELP then TYPE before its samples and stands together, labels are escaped, values are numbers, no sample stands twice.
prometheus() {
    awk '
        function fault(what) { print "line " NR ": " what ": " $0; bad = 1; exit 1 }
        /^# HELP [a-zA-Z_:][a-zA-Z0-9_:]* ./ { if ($3 in helped) fault("family twice"); helped[$3] = 1; name = $3; typed = 0; next }
        /^# TYPE [a-zA-Z_:][a-zA-Z0-9_:]* (gauge|counter)$/ { if ($3 != name || typed) fault("TYPE of another family"); typed = 1; next }
        {
            if (!typed || index($0, name "{") != 1) fault("sample without its family")
            s = substr($0, length(name) + 2)
            while (match(s, /^[a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\\\|\\"|\\n)*"/)) { s = substr(s, RLENGTH + 1); if (substr(s, 1, 1) != ",") break; s = substr(s, 2) }
            if (s !~ /^} [0-9]+(\.[0-9]+)?$/) fault("labels or value")
            key = substr($0, 1, length($0) - length(s)); if (key in seen) fault("twice"); seen[key] = 1; samples++
        }
        END { if (bad) exit 1; if (!samples) { print "no samples"; exit 1 } }'
}

@test "Prometheus text holds against a strict parser, with names that need escapes" {
    setup_lake
    prices
    mv lake/sub/other $'lake/sub/o"t\\h\ner'
    dp-retain cost --to prometheus --prices p.yaml lake >out
    prometheus <out
    grep -qF 'dp_cost_bytes{table="lake/sub/o\"t\\h\ner",kind="live"} ' out
    report dp-map r1 'a\"b' 1 1 >r.json
    dp-retain cost --to prometheus --prices p.yaml --by tag --reports r.json lake >out
    prometheus <out
    grep -qF 'dp_cost_cpu_seconds{pipeline="a\"b",mode="user"} 0.000001' out
    run prometheus <<<'dp_x{a="b"} 1'
    [ "$status" -eq 1 ]
    run prometheus < <(printf '# HELP dp_x y\n# TYPE dp_x gauge\ndp_x{a="b"c"} 1\n')
    [ "$status" -eq 1 ]
}

@test "CSV has the same cells in each line, quoted where they need it, and CRLF" {
    setup_lake
    prices
    mv lake/sub/other 'lake/sub/o,t"her'
    report dp-map r1 job 1 1 >r.json
    dp-retain cost --to csv --prices p.yaml --reports r.json lake >out.csv
    [ "$(grep -c $'\r$' out.csv)" -eq "$(wc -l <out.csv)" ]
    grep -qF '"lake/sub/o,t""her",live,' out.csv
    dp-ingest -f csv out.csv >out.ndjson
    jq -es 'all(.[]; length == 13) and ([.[] | select(.by == "table" and .what == "total").bytes] | add) == ([.[] | select(.by == "total" and .what == "total").bytes] | add)' out.ndjson >/dev/null || fail "$(cat out.csv)"
}

@test "a table twice counts once; one that can't be read is told, the others are counted; the same output for any number of threads" {
    setup_lake
    dp-retain cost lake >one
    dp-retain cost lake lake/orders "$PWD/lake" -j 2 >two
    diff one two
    echo broken >lake/sub/other/_delta_log/00000000000000000000.json
    run dp-retain cost lake
    [ "$status" -eq 4 ]
    assert_output --partial 'lake/sub/other'
    assert_line --regexp '^lake/orders +1 '
    run dp-retain cost missing
    [ "$status" -eq 3 ]
    run dp-retain cost
    [ "$status" -eq 2 ]
    run sh -c "dp-retain cost lake/orders >/dev/full"
    [ "$status" -eq 3 ]
}

@test "directories nest as deep as the limit of a lake says" {
    contract
    put t 2026-01-01
    deep=t$(printf '/d%.0s' $(seq 100))
    mkdir -p "$deep"
    echo x >"$deep/f"
    run records t
    assert_success
    jq -e '.kinds.leftovers.files == 1' <<<"${lines[0]}" >/dev/null
    mkdir "$deep/d"
    run dp-retain cost t
    [ "$status" -eq 4 ]
    assert_output --partial 'more than 100 directories'
}
