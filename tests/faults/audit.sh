#!/bin/bash
# Crash safety of the audit log, as TAP.  A command that appends to it, one that opens a new segment, and the expiry of old
# ones are killed before, after and within each of their calls that change the disk, and find it full from each on (shim.c).
# After each: what was in the log before is there, in its place (an anchor of it holds; an expiry may have taken it); at most
# the last line is torn; no file of the table went without an entry that says so.  The same again, undisturbed, goes through
# and leaves a log that holds.
# usage: DP_BIN=DIR audit.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
PATH=${DP_BIN:?}:$PATH
export DP_THREADS=1
work=$(mktemp -d -p /dev/shm 2>/dev/null || mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 3
# shellcheck source=tests/faults/frame.bash
. "$here/frame.bash"
make_shim
unset DP_AUDIT

# base/: a table with a file that a forced vacuum deletes, and a log of six segments, an anchor of which is kept
mkdir base && cd base || exit 3
for k in 1 2; do
    echo "{\"id\":$k}" | dp-partition -o t | dp-table commit t --eof-commits -q --mode overwrite >/dev/null
done
for k in 1 2 3; do
    mkdir -p x/_delta_log && cp t/_delta_log/*.json x/_delta_log/ && cp t/*.parquet x/
    DP_AUDIT_SEGMENT=1 dp-table vacuum x --retain 0s --force -q --audit log --reason "r$k" >/dev/null
    rm -r x
done
kept=$(dp-retain audit anchor --audit log) && echo "$kept" >anchor
cd .. || exit 3
before=$(dp-retain audit list --audit base/log | wc -l)

cmd_append() { dp-table vacuum t --retain 0s --force -q --audit log >/dev/null; }
cmd_rotate() { DP_AUDIT_SEGMENT=1 dp-table vacuum t --retain 0s --force -q --audit log >/dev/null; }
cmd_begin() { dp-table vacuum t --retain 0s --force -q --audit new/log >/dev/null; } # where there is none
cmd_expire() { dp-retain audit expire --audit log --before 2099-01-01T00:00:00Z --reason policy >/dev/null; }

log_of() { if [ "$1" = begin ]; then echo new/log; else echo log; fi; }
findings() { dp-retain audit verify --audit "$@" 2>>err; }

# One point.  Prints what is wrong.
point() { # NAME PROGRAM WHEN AT
    local name=$1 program=$2 when=$3 at=$4 log said status anchored=(--anchor anchor)
    log=$(log_of "$name")
    [ "$name" != begin ] || anchored=()
    rm -rf run && cp -a base run && cd run || exit 3
    LD_PRELOAD=$work/shim.so DP_FAULT_PROGRAM=$program DP_FAULT_AT=$at DP_FAULT_WHEN=$when "cmd_$name" >out 2>err
    status=$?
    [ "$when" != full ] || [ "$status" -eq 0 ] || [ "$status" -eq 3 ] || echo "$when $at: exit $status: $(tail -n 1 err)"
    if [ -d "$log" ]; then
        said=$(findings "$log" "${anchored[@]}")
        status=$?
        [ "$status" -eq 0 ] || { [ "$status" -eq 4 ] && [ "$(wc -l <<<"$said")" -eq 1 ] && [[ $said == *"the last line is torn"* ]]; } ||
            echo "$when $at: the log: exit $status: $said $(tail -n 1 err)"
    fi
    if [ "$(find t -name '*.parquet' | wc -l)" -lt 2 ] && [ "$name" != expire ]; then # something went: the log must say so
        [ -d "$log" ] && dp-retain audit list --audit "$log" --object /run/t 2>>err | grep -q '	begin	table.vacuum	' || echo "$when $at: a file went without an entry"
    fi
    "cmd_$name" >out 2>err
    status=$?
    [ "$status" -eq 0 ] || echo "$when $at: again: exit $status: $(tail -n 1 err)"
    said=$(findings "$log" "${anchored[@]}") || echo "$when $at: again: the log: $said $(tail -n 1 err)"
    case $name in
    expire) [ "$(dp-retain audit list --audit "$log" 2>>err | head -n 1 | cut -f 1)" -gt "$before" ] || echo "$when $at: again: old entries are left" ;;
    *) [ "$(find t -name '*.parquet' | wc -l)" -eq 1 ] || echo "$when $at: again: the vacuum is not done" ;;
    esac
    [ "$name" != expire ] || [ "$(find log -name 'segment-00000[1-6].ndjson' | wc -l)" -eq 0 ] || echo "$when $at: again: segments are left"
    cd .. || exit 3
}
run_command() { # NAME PROGRAM
    local name=$1 program=$2 total when at
    rm -rf run count && cp -a base run
    (cd run && LD_PRELOAD=$work/shim.so DP_FAULT_PROGRAM=$program DP_FAULT_COUNT=$work/count "cmd_$name" >out 2>err)
    ok $? "$name runs under the shim"
    total=$(cat count 2>/dev/null || echo 0)
    if [ "$total" -eq 0 ]; then
        ok 1 "$name changes the disk"
        return
    fi
    for when in before after torn full; do
        for ((at = 1; at <= total; at++)); do point "$name" "$program" "$when" "$at"; done >bad 2>/dev/null
        [ ! -s bad ]
        ok $? "$name, $when each of $total calls: nothing of the log is lost, and the same again goes through"
        head -n 8 bad | sed 's/^/# /'
    done
}
run_command begin dp-table
run_command append dp-table
run_command rotate dp-table
run_command expire dp-retain
echo "1..$n"
