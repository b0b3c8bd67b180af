#!/bin/bash
# Crash safety of what changes a table, as TAP.  Each command is killed before and after its calls that change the disk, and
# finds the disk full from them on (shim.c); where there are more than POINTS (24) calls, that many are taken, spread over
# all.  After each: the table verifies, its rows are those of before or of after; and the same command again, undisturbed,
# ends with those of after.
# usage: DP_BIN=DIR commands.sh [NAME...]
# shellcheck disable=SC2034,SC2086 # left_*, between_* and half_* are read by their names
set -u
here=$(cd "$(dirname "$0")" && pwd)
PATH=${DP_BIN:?}:$PATH
POINTS=${POINTS:-24}
export DP_THREADS=1
work=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit 3 # in memory where that is to be had: nobody waits for a disk
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3
# shellcheck source=tests/faults/frame.bash
. "$here/frame.bash"

make_shim

rows() { # FROM TO WORD
    seq "$1" "$2" | awk -v w="$3" '{ printf "{\"id\":%d,\"day\":\"2026-03-%02d\",\"word\":\"%s%d\"}\n", $1, $1 % 3 + 1, w, $1 }'
}
put() { # TABLE OPTION...   rows on standard input
    local t=$1
    shift
    dp-partition -o "$t" --by day 2>>err | dp-table commit "$t" --eof-commits -q "$@" >>out 2>>err
}
# What every command starts from: base/, with a table t of eight versions (the next but one has a checkpoint), change data, vectors
# and files that are gone, and what the commands read.
contract
mkdir base && cd base || exit 3
dp-table create t -c ../c.yaml -q --property delta.checkpointInterval=4 --property delta.enableDeletionVectors=true \
    --property delta.enableChangeDataFeed=true >out 2>err
for k in 1 2 3 4 5; do rows $((k * 12 - 11)) $((k * 12)) w | put t; done
cp -a t old # five versions: a copy to bring up to date
rows 61 63 w | grep 2026-03-01 | put t --mode replace
rows 64 66 w | put t
rows 100 111 x | dp-partition -o t --by day >paths 2>>err
{ rows 1 6 m; rows 200 203 m; } >upserts
mkdir plain && cp "$(dp-table files t | head -n 1)" plain/a.parquet && cp "$(dp-table files t | tail -n 1)" plain/b.parquet
mkdir loose && rows 10 20 w | dp-partition -o loose >>out 2>>err && mv loose/*.parquet loose.parquet && rmdir loose
{ echo id,word && rows 10 20 w | sed 's/.*"id":\([0-9]*\).*"word":\("w[0-9]*"\).*/\1,\2/'; } >loose.csv
cd .. || exit 3
if ! dp-table verify base/t --deep >found 2>&1; then
    ok 1 "a table to begin with"
    sed 's/^/# /' found base/err
fi

# ---- the commands: what runs, and which table it leaves (t unless said) ----
cmd_commit() { dp-table commit t --eof-commits --txn job:1 <paths; }
cmd_overwrite() { dp-table commit t --eof-commits --mode overwrite --txn job:1 <paths; }
cmd_checkpoint() { dp-table checkpoint t; }
cmd_vacuum() { dp-table vacuum t --retain 0s --force; }
done_vacuum() { [ "$(dp-table vacuum t --retain 0s --force -n | wc -l)" -eq 1 ]; }
cmd_replicate() { dp-table replicate t copy; }
left_replicate=copy
cmd_bring_up() { dp-table replicate t old; }
left_bring_up=old
between_bring_up=yes # entry by entry: any version from the one to the other
cmd_restore() { dp-table restore t --to 5; }
cmd_clone() { [ -e copy/_delta_log/00000000000000000000.json ] || dp-table clone t copy; }
left_clone=copy
cmd_deep_clone() { [ -e copy/_delta_log/00000000000000000000.json ] || dp-table clone t copy --deep; }
left_deep_clone=copy
cmd_delete() { dp-table delete t --where '.id < 30'; }
cmd_delete_vectors() { dp-table delete t --where '.id % 5 == 0'; }
cmd_update() { dp-table update t --set 'word="u"' --where '.id < 30 and .id > 12'; }
cmd_merge() { dp-ingest upserts -f ndjson | dp-table merge t --key id --eof-commits; }
cmd_compact() { dp-compact t; }
cmd_convert() { [ -e plain/_delta_log/00000000000000000000.json ] || dp-table convert plain; }
left_convert=plain

# Rows, the versions that they leave behind, leftovers: planned once, carried out as often as it takes.  The version of before stays readable, those before it go.
retain() { dp-retain "$@" -r ../rules.yaml --now 2099-01-01T00:00:00Z t; }
cmd_retain() {
    [ -e plan ] || retain plan -o plan || return
    dp-retain apply plan
}
done_retain() {
    retain plan --json 2>>err | tail -n 1 | jq -e '.versions_go == 0 and .old_files == 0 and .leftovers == 0' >>out || return 1
    [ "$(dp-cat t --as-of 7 2>>err | sort | cksum)" = "$(content ../base/t)" ] || return 1
    ! dp-cat t --as-of 5 >>out 2>>err && [ ! -e t/_dp_staging/dead ]
}
cat >rules.yaml <<'Y'
version: 1
rules:
  - {id: held, rows: {keep: 80y, time: day, where: .id == 16}}
  - {id: some, rows: {where: .id < 20}}
  - {id: versions, versions: {keep: 0d, last: 2, below-table: true}}
  - {id: leftovers, leftovers: {keep: 1d}}
Y
mkdir -p base/t/_dp_staging/dead
touch -d '2 days ago' base/t/_dp_staging/dead

# A hold is there or it is not, and so is its end; neither leaves anything of its own behind.
cmd_hold() { dp-retain hold C-1 t --partition day=2026-03-01 --subject word=w2 --reason test; }
done_hold() { [ "$(dp-retain holds t | wc -l)" -gt 0 ] && ! dp-table checkpoint t --cleanup >>out 2>>err && [ -z "$(find t/_dp_holds -name '.dp-*')" ]; }
cmd_release() {
    [ -n "$(dp-retain holds t)" ] || return 0
    dp-retain release C-1 t --reason test
}
done_release() { [ -z "$(dp-retain holds t)" ] && [ -z "$(find t/_dp_holds -type f)" ]; }

# A person out of all versions of a table and its clone: whatever stood in the way, nothing is left of them and nothing is missing of others.
who=(--subject id=16 --subject word=w16)
cmd_erase() {
    [ -e twin/_delta_log ] || dp-table clone t twin --shallow -q || return
    dp-retain erase "${who[@]}" --reason test t twin loose.csv loose.parquet
}
half_erase=yes # entries and checkpoints of older versions may not agree yet; the latest version is whole
histories() { # TABLE   its versions up to the seventh, without the person
    local v
    for v in 0 1 2 3 4 5 6 7; do dp-cat "$1" --as-of $v 2>>err | grep -v '"id":16,' | sort | cksum; done
}
done_erase() {
    dp-retain find "${who[@]}" t twin >>out 2>>err || return 1
    [ "$(histories t)" = "$(histories ../base/t)" ] || return 1
    [ "$(dp-cat twin 2>>err | sort | cksum)" = "$(dp-cat ../base/t | grep -v '"id":16,' | sort | cksum)" ] || return 1
    diff loose.csv <(grep -v '^16,' ../base/loose.csv) >>out && diff <(dp-cat loose.parquet) <(dp-cat ../base/loose.parquet | grep -v '"id":16,') >>out || return 1
    dp-table verify twin >>out 2>>err && [ ! -e t/_dp_erase ] && [ ! -e twin/_dp_erase ]
}

# Cold files: written anew, moved to a tier; moved back from it.
mkdir base/cold
cat >tiers.yaml <<Y
version: 1
rules:
  - {id: cool, tier: {after: 1d, time: day, to: $work/run/cold, codec: 'zstd:9'}}
Y
tier() { dp-retain "$@" -r ../tiers.yaml --now 2026-03-03T12:00:00Z t; }
cmd_tier() {
    [ -e plan ] || tier plan -o plan || return
    dp-retain apply plan
}
homes() { find cold -mindepth 2 ! -name .dp-tier "$@" | sort; }
done_tier() { # as many copies as files that the log names there, and nothing else
    tier plan --json 2>>err | tail -n 1 | jq -e '.tier_files == 0' >>out || return 1
    [ "$(dp-retain restore --list t | cut -f 1 | sed "s,$PWD/,," | sort)" = "$(homes -type f)" ] && [ -n "$(homes -type f)" ] && [ -z "$(homes -name '.dp-*')" ]
}
cmd_tier_back() { dp-retain restore t --reason test; }
done_tier_back() { [ -z "$(dp-retain restore --list t)" ] && [ ! -e t/_dp_staging/tier ] && [ "$(homes -type f | wc -l)" -gt 0 ]; }
make_tiered() { # what tier_back starts from
    again
    (cd run && cmd_tier && dp-table vacuum t --retain 0s --force) >out 2>err || { ok 1 "a table with a tier"; return; }
    rm -rf base && mv run base && rm -f base/plan
}

content() { # of the table in this directory, as one line
    [ -e "$1/_delta_log/00000000000000000000.json" ] || { echo none; return; }
    dp-cat "$1" 2>>err | sort | cksum
}
again() {
    rm -rf run
    cp -a base run
}
# Does the table hold what its log says?  Half done, a checkpoint and the commits before it may name different files.
is_valid() { # TABLE HALF
    if [ -z "$2" ]; then
        dp-table verify "$1" --deep >found 2>&1
        return
    fi
    dp-table verify "$1" -q 2>&1 | grep -vE 'checkpoint[.].*parquet: [0-9]+ (of its files are not live|live files of the commits)|findings$' >found
    [ ! -s found ]
}
# One point: killed or full, then again.  Prints what is wrong.
point() { # NAME PROGRAM TABLE WHEN AT
    local name=$1 program=$2 table=$3 when=$4 at=$5 between=between_$1 half=half_$1 mid status
    again
    cd run || exit 3
    LD_PRELOAD=$work/shim.so DP_FAULT_PROGRAM=$program DP_FAULT_AT=$at DP_FAULT_WHEN=$when "cmd_$name" >out 2>err
    mid=$(content "$table")
    if [ "$mid" != none ] && ! is_valid "$table" "${!half:-}"; then echo "$when $at: not valid: $(head -n 1 found)"; fi
    if [ -z "${!between:-}" ] && [ "$mid" != "$before" ] && [ "$mid" != "$after" ]; then echo "$when $at: neither the rows of before nor of after"; fi
    "cmd_$name" >out 2>err
    status=$?
    [ "$status" -eq 0 ] || echo "$when $at: again: exit $status: $(tail -n 1 err)"
    if declare -F "done_$name" >/dev/null && ! "done_$name"; then echo "$when $at: again: not all is done"; fi
    [ "$(content "$table")" = "$after" ] || echo "$when $at: again: not the rows of after"
    dp-table verify "$table" >found 2>&1 || echo "$when $at: again: not valid: $(head -n 1 found)"
    cd .. || exit 3
}
run_command() { # NAME PROGRAM
    local name=$1 program=$2 left=left_$1 table total step when at
    table=${!left:-t}
    again
    before=$(cd run && content "$table")
    rm -f count
    (cd run && LD_PRELOAD=$work/shim.so DP_FAULT_PROGRAM=$program DP_FAULT_COUNT=$work/count "cmd_$name" >out 2>err)
    ok $? "$name runs under the shim"
    after=$(cd run && content "$table")
    total=$(cat count 2>/dev/null || echo 0)
    if [ "$total" -eq 0 ] || [ "$after" = none ]; then
        ok 1 "$name changes the disk ($total calls)"
        sed 's/^/# /' run/err
        return
    fi
    step=$(((total + POINTS - 1) / POINTS))
    for when in before after full; do
        for ((at = 1; at <= total; at += step)); do point "$name" "$program" "$table" "$when" "$at"; done >bad 2>/dev/null
        [ ! -s bad ]
        ok $? "$name, $when each of $total calls (every $step): valid, and the same again goes through"
        head -n 8 bad | sed 's/^/# /'
    done
}
all='commit overwrite checkpoint vacuum replicate bring_up restore clone deep_clone delete delete_vectors update'
dp-table --help | grep -q '^ *merge ' && all="$all merge"
dp-table --help | grep -q '^ *convert ' && all="$all convert"
[ -x "$(command -v dp-compact)" ] && all="$all compact"
[ -x "$(command -v dp-retain)" ] && all="$all hold release retain erase tier tier_back" # the last changes what commands start from
# shellcheck disable=SC2086 # words
[ $# -gt 0 ] || set -- $all
for name; do
    case $name in
    compact) run_command "$name" dp-compact ;;
    tier_back) make_tiered && run_command "$name" dp-retain ;;
    release)
        cp -a base base.free
        (cd base && cmd_hold) >out 2>err
        run_command "$name" dp-retain
        rm -rf base && mv base.free base
        ;;
    hold | retain | erase | tier) run_command "$name" dp-retain ;;
    *) run_command "$name" dp-table ;;
    esac
done
echo "1..$n"
