#!/usr/bin/env bats
# Tiers: cold files move by rule to another directory and the table stays readable; what is out of reach fails fast with a list; restore brings it back.

# shellcheck disable=SC2154 # status, output and stderr are those of run
bats_require_minimum_version 1.5.0
load helper

NOW=(--now 2026-06-01T12:00:00Z)

setup() {
    dp_setup
    export DP_AUDIT=$PWD/audit
    mkdir lake cold
}

put() { # TABLE DAY FROM
    seq "$3" $(($3 + 9)) | awk -v d="$2" '{ printf "{\"id\":%d,\"day\":\"%s\",\"who\":\"p%d\"}\n", $1, d, $1 }' |
        dp-partition -o "$1" -c c.yaml "${BY[@]}" | dp-table commit "$1" --eof-commits -q >/dev/null
}
BY=(--by day)
setup_table() { # OPTION of create...
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
      - {name: who, logicalType: string}
YAML
    dp-table create lake/t -c c.yaml "${BY[@]}" -q "$@"
    put lake/t 2026-01-01 1
    put lake/t 2026-01-01 11
    put lake/t 2026-02-01 21
    put lake/t 2026-05-31 31
}
rule() { # MEMBERS of tier
    printf 'version: 1\nrules:\n  - {id: cool, reason: cost, tier: {%s}}\n' "$1" >r.yaml
}
plan() { dp-retain plan -r r.yaml "${NOW[@]}" lake -o plan >plan.txt; }
apply() { dp-retain apply plan --reason 'case 7'; }
content() { dp-cat "${1:-lake/t}" "${@:2}" | sort | cksum; }
id_of() { jq -r 'select(.metaData).metaData.id' "$1"/_delta_log/*0.json | head -n 1; }
live() { dp-table files "${1:-lake/t}"; }

@test "cold files move, as one version that changes no row; again there is nothing to do" {
    setup_table --property delta.enableChangeDataFeed=true --property delta.enableRowTracking=true
    rule "after: 90d, time: day, to: $PWD/cold"
    before=$(content)
    run plan
    assert_success
    grep -q "lake/t: 3 files of [0-9]* bytes move to $PWD/cold, as they are: cool (cost)" plan.txt || fail "$(<plan.txt)"
    [ -z "$(find cold -type f)" ]
    run dp-retain apply plan --dry-run
    assert_line --partial '3 files'
    [ -z "$(find cold -type f)" ] && [ ! -e audit ] && [ ! -e lake/t/_dp_tiers ]
    run dp-retain apply plan --json
    assert_success
    jq -e '.tier_files == 3 and .rewritten == 0 and .commits == 1' <<<"${lines[-1]}" >/dev/null || fail "$output"
    assert_equal "$(content)" "$before"
    assert_equal "$(jq -s 'map(select(.add) | .add | [.baseRowId, .defaultRowCommitVersion]) | sort' lake/t/_delta_log/*05.json)" \
        "$(jq -s 'map(select(.remove) | .remove | [.baseRowId, .defaultRowCommitVersion]) | sort' lake/t/_delta_log/*05.json)"
    [ "$(live | grep -c "^$PWD/cold/$(id_of lake/t)/day=")" -eq 3 ]
    [ "$(find cold -name '*.parquet' | wc -l)" -eq 3 ]
    run jq -rs 'map(select(.add) | .add) | map(.dataChange == false and .tags["dp.tier"] == "cold" and (.tags["dp.sha256"] | length == 64)) | all' lake/t/_delta_log/*05.json
    assert_output true
    # the digest is the file's
    while read -r sum path; do [ "$(sha256sum <"$path" | cut -d ' ' -f 1)" = "$sum" ] || fail "$path"; done < <(dp-retain restore --list lake/t | awk -F '\t' '{ print $3, $1 }')
    dp-table verify lake/t --deep
    run dp-retain audit list
    assert_line --regexp $'begin\tretain.apply\t.*/t\t-\tcase 7|begin\tretain.apply'
    log=$(ls lake/t/_delta_log)
    run dp-retain apply plan
    assert_success
    assert_line --partial '0 files'
    plan
    run cat plan
    [ "$(wc -l <plan)" -eq 2 ]
    assert_equal "$(ls lake/t/_delta_log)" "$log"
    run dp-table changes lake/t --from 5
    refute_output --partial '"id"'
}

@test "codec and order: whole partitions are written anew before; a small file in a tier is not compacted back" {
    setup_table
    rule "after: 90d, time: day, to: $PWD/cold, name: glacier, codec: 'zstd:19', sort: -id"
    before=$(content)
    plan
    grep -q 'written anew before' plan.txt
    run apply
    assert_success
    assert_equal "$(content)" "$before"
    [ "$(find cold -name '*.parquet' | wc -l)" -eq 2 ]
    run jq -rs 'map(select(.add) | .add.tags) | map([."dp.order", ."dp.codec", ."dp.tier"] | join(" ")) | unique[]' "$(find lake/t/_delta_log -name '*.json' | sort | tail -n 1)"
    assert_output 'sort(-id) zstd:19 glacier'
    run dp-compact lake/t
    [ "$(live | grep -c "$PWD/cold")" -eq 2 ]
    run dp-retain apply plan
    assert_success
    dp-table verify lake/t --deep
}

@test "no partition column: files move as they are, and the plan says so; rows of both sides keep a file" {
    BY=()
    setup_table
    rule "after: 90d, time: day, to: $PWD/cold, codec: zstd"
    before=$(content)
    plan
    grep -q '3 files .* as they are (whole partitions alone are written anew)' plan.txt || fail "$(<plan.txt)"
    apply
    assert_equal "$(content)" "$before"
    { echo '{"id":50,"day":"2026-01-01","who":"x"}'; echo '{"id":51,"day":"2026-05-31","who":"x"}'; } | dp-partition -o lake/t -c c.yaml | dp-table commit lake/t --eof-commits -q
    plan
    [ "$(wc -l <plan)" -eq 2 ]
    # by when they were written
    rule "after: 90d, to: $PWD/cold"
    NOW=(--now 2099-01-01T00:00:00Z)
    plan
    run apply
    assert_success
    [ "$(live | grep -c "$PWD/cold")" -eq 5 ]
}

@test "deletion vectors, column mapping; append and delete meanwhile; what was removed leaves no copy" {
    setup_table --property delta.enableDeletionVectors=true --property delta.columnMapping.mode=name
    dp-table delete lake/t --where '.id == 3' -q
    rule "after: 90d, time: day, to: $PWD/cold"
    plan
    put lake/t 2026-05-30 60
    dp-table delete lake/t --where '.id == 33' -q
    before=$(content)
    run apply
    assert_success
    assert_equal "$(content)" "$before"
    dp-table verify lake/t --deep
    # rows of files in the tier
    dp-table delete lake/t --where '.id == 4' -q
    dp-table update lake/t --set 'who="z"' --where '.id == 21' -q
    [ "$(dp-cat lake/t | wc -l)" -eq 47 ]
    dp-table verify lake/t --deep
    [ "$(dp-cat lake/t --as-of 4 | wc -l)" -eq 40 ]
    # the plan is out of date
    put lake/t 2026-01-01 70
    plan
    put lake/t 2026-01-01 80
    run --separate-stderr dp-retain apply plan
    [ "$status" -eq 75 ]
    [[ $output == *"files that would move to a tier were changed"* ]] || fail "$output $stderr"
}

@test "out of reach: nothing comes out, exit 3, with the list; hot rows can be read; restore brings back from where archives were put" {
    setup_table
    rule "after: 90d, time: day, to: $PWD/cold"
    before=$(content)
    plan
    apply
    mv cold away
    run --separate-stderr dp-cat lake/t
    [ "$status" -eq 3 ]
    [ -z "$output" ]
    [[ $stderr == *"3 files of "*" bytes of tier $PWD/cold are out of reach; dp-retain restore --list lake/t tells them"* ]] || fail "$stderr"
    [ "$(dp-cat lake/t --where '.day > "2026-05-01"' | wc -l)" -eq 10 ]
    run --separate-stderr dp-cat lake/t --where '.day == "2026-02-01"'
    [[ $stderr == *"1 files of "* ]] || fail "$stderr"
    run dp-retain restore --list lake/t --where '.day == "2026-02-01"'
    assert_success
    assert_output --regexp "^$PWD/cold/.*/day=2026-02-01/.*\.parquet"$'\t[0-9]+\t[0-9a-f]{64}\tout of reach$'
    run dp-retain restore --list lake/t --json
    jq -e '.files == 3 and .files_out_of_reach == 3 and (.list | length == 3) and (.list[0].there == false)' <<<"${lines[-1]}" >/dev/null || fail "$output"
    run --separate-stderr dp-retain restore lake/t --reason test
    dp_expect 3 "3 of 3 files"
    put lake/t 2026-05-30 40 # writers go on
    mkdir cold
    run --separate-stderr dp-retain plan -r r.yaml "${NOW[@]}" lake
    [[ $output == *"tier $PWD/cold is empty"* ]] || fail "$output"
    rmdir cold
    # one day from the archive, flat below the id, the rest as a whole
    mkdir back
    cp -r "away/$(id_of lake/t)/day=2026-02-01" back/
    run dp-retain restore lake/t --from back --where '.day == "2026-02-01"' --reason test
    assert_success
    assert_output --partial '1 files of'
    [ "$(dp-cat lake/t --where '.day == "2026-02-01"' | wc -l)" -eq 10 ]
    run dp-retain restore lake/t --from away --reason test
    assert_success
    run dp-retain restore lake/t --from away --reason test
    assert_output --partial '0 files'
    run live
    refute_output --partial cold
    dp-table verify lake/t --deep
    dp-cat lake/t --where '.day != "2026-05-30"' | sort | cksum >after
    assert_equal "$(<after)" "$before"
    run dp-retain audit list
    assert_line --regexp $'begin\tretain.restore\t.*test'
    run jq -rs 'map(select(.add).add | .tags // {} | has("dp.tier")) | any' "$(find lake/t/_delta_log -name '*.json' | sort | tail -n 1)"
    assert_output false
}

@test "restore: another file under the name is refused, no audit log, no deed; --reason is wanted; a dry run" {
    setup_table
    rule "after: 90d, time: day, to: $PWD/cold"
    plan
    apply
    run --separate-stderr dp-retain restore lake/t
    dp_expect 2 "needs --reason"
    run --separate-stderr dp-retain restore lake/t --where '.dya == 1' --reason x
    dp_expect 2 "did you mean day"
    run dp-retain restore lake/t --dry-run
    assert_output --partial '3 files'
    log=$(ls lake/t/_delta_log)
    echo x >no
    run --separate-stderr dp-retain restore lake/t --reason x --audit no
    [ "$status" -ne 0 ]
    cp -r cold keep
    victim=$(find cold -name '*.parquet' | head -n 1)
    printf 'X' | dd of="$victim" bs=1 seek=100 conv=notrunc status=none
    rm -r lake/t/day=2026-0[12]-01
    run --separate-stderr dp-retain restore lake/t --reason x
    dp_expect 4 "is not the file that was moved"
    truncate -s 10 "$victim"
    run --separate-stderr dp-retain restore lake/t --reason x
    dp_expect 4 "has 10 bytes"
    assert_equal "$(ls lake/t/_delta_log)" "$log"
    run --separate-stderr dp-retain restore lake/t --from keep --reason x
    [ "$status" -eq 0 ] || fail "$stderr"
    dp-table verify lake/t --deep
}

@test "vacuum: old files go from the table, then from the tier, and no other's; older versions stay until then" {
    setup_table
    rule "after: 90d, time: day, to: $PWD/cold"
    plan
    apply
    home=cold/$(id_of lake/t)
    mkdir -p cold/other && echo x >cold/other/file && echo x >cold/file
    echo x >"$home/part-stray.parquet"
    touch -d '30 days ago' "$home/part-stray.parquet"
    run dp-table vacuum lake/t
    assert_output --partial 'deleted 1 files' # the stray
    [ ! -e "$home/part-stray.parquet" ]
    run dp-table vacuum lake/t --retain 0s --force
    assert_output --partial 'deleted 3 files'
    [ "$(find "$home" -name '*.parquet' | wc -l)" -eq 3 ]
    [ "$(dp-cat lake/t | wc -l)" -eq 40 ]
    dp-retain restore lake/t --where '.day == "2026-02-01"' --reason x
    [ "$(find "$home" -name '*.parquet' | wc -l)" -eq 3 ]
    # a copy of the table has another's tier, and leaves it alone
    cp -r lake/t copy
    dp-table vacuum copy --retain 0s --force
    [ "$(find "$home" -name '*.parquet' | wc -l)" -eq 3 ]
    dp-retain plan -r r.yaml "${NOW[@]}" copy >words || true
    grep -q "refused: .*belongs to the table" words || fail "$(<words)"
    dp-table vacuum lake/t --retain 0s --force
    [ "$(find "$home" -name '*.parquet' | wc -l)" -eq 2 ]
    [ -e cold/other/file ] && [ -e cold/file ] && [ -e "$home/.dp-tier" ]
    [ "$(dp-cat lake/t | wc -l)" -eq 40 ]
    # the last file comes back: its tier is still known
    dp-retain restore lake/t --reason x
    dp-table vacuum lake/t --retain 0s --force
    [ "$(find "$home" -name '*.parquet' | wc -l)" -eq 0 ]
    dp-table verify lake/t --deep
}

@test "a shallow clone goes on; a deep one has the files; a copy of the log is refused by name" {
    setup_table
    rule "after: 90d, time: day, to: $PWD/cold"
    plan
    apply
    before=$(content)
    dp-table clone lake/t shallow -q
    dp-table clone lake/t deep --deep -q
    assert_equal "$(content shallow)" "$before"
    dp-table vacuum shallow --retain 0s --force
    [ "$(find cold -name '*.parquet' | wc -l)" -eq 3 ]
    run --separate-stderr dp-table replicate lake/t replica
    [ "$status" -eq 5 ] || [ "$status" -ne 0 ]
    [[ $stderr == *"outside of the table"* ]] || fail "$stderr"
    mv cold away
    assert_equal "$(content deep)" "$before"
}

@test "tiers that are no good: inside of a table, not there, relative; blanks and %; two tables in one" {
    setup_table
    mkdir "lake/t/in"
    rule "after: 90d, time: day, to: $PWD/lake/t/in"
    run dp-retain plan -r r.yaml "${NOW[@]}" lake
    assert_output --partial 'is inside of the table'
    rule "after: 90d, time: day, to: $PWD/none"
    run --separate-stderr dp-retain plan -r r.yaml "${NOW[@]}" lake
    [ "$status" -eq 3 ]
    [[ $output == *"none is not there: mount it"* ]] || fail "$output"
    for to in cold /cold/../x / /cold//x; do
        rule "after: 90d, time: day, to: '$to'"
        run --separate-stderr dp-retain plan -r r.yaml "${NOW[@]}" lake
        dp_expect 2 "whole path is wanted"
    done
    rule "after: 90d, time: dya, to: $PWD/cold"
    run dp-retain plan -r r.yaml "${NOW[@]}" lake
    assert_output --partial 'did you mean day'
    dir="$PWD/a b%20c"
    mkdir "$dir"
    dp-table create lake/u -c c.yaml "${BY[@]}" -q
    put lake/u 2026-01-01 1
    rule "after: 90d, time: day, to: \"$dir\""
    before=$(content) second=$(content lake/u)
    plan
    run apply
    assert_success
    [ "$(find "$dir" -name '*.parquet' | wc -l)" -eq 4 ]
    assert_equal "$(content)" "$before"
    assert_equal "$(content lake/u)" "$second"
    dp-table vacuum lake/t --retain 0s --force
    assert_equal "$(content lake/u)" "$second"
    dp-table verify lake/t --deep
    dp-table verify lake/u --deep
}

@test "two tiers: the colder one wins, and a file goes on from one to the other; rows that go are not moved" {
    setup_table
    mkdir warm
    printf 'version: 1\nrules:\n  - {id: w, tier: {after: 60d, time: day, to: %s}}\n  - {id: c, tier: {after: 140d, time: day, to: %s}}\n' "$PWD/warm" "$PWD/cold" >r.yaml
    before=$(content)
    plan
    apply
    [ "$(find cold -name '*.parquet' | wc -l)" -eq 2 ]
    [ "$(find warm -name '*.parquet' | wc -l)" -eq 1 ]
    NOW=(--now 2026-07-01T00:00:00Z)
    plan
    apply
    [ "$(find cold -name '*.parquet' | wc -l)" -eq 3 ]
    [ "$(live | grep -c "$PWD/warm")" -eq 0 ]
    assert_equal "$(content)" "$before"
    dp-table vacuum lake/t --retain 0s --force
    [ "$(find warm -name '*.parquet' | wc -l)" -eq 0 ]
    printf '  - {id: r, rows: {keep: 60d, time: day}}\n' >>r.yaml
    put lake/t 2026-01-03 90
    plan
    apply
    [ "$(dp-cat lake/t | wc -l)" -eq 10 ]
    [ "$(find cold -name '*.parquet' | wc -l)" -eq 3 ]
}
