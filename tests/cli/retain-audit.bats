#!/usr/bin/env bats
# dp-retain audit, and the commands that write to the audit log first and do not run where they can't.

# shellcheck disable=SC2154,SC2030,SC2031 # status and output are those of run; what a test exports is its own
bats_require_minimum_version 1.5.0
load helper

# A table with a file that a forced vacuum deletes
table() {
    echo '{"id":1,"_p":"a"}' | dp-partition -o t --by _p | dp-table commit t --eof-commits -q >/dev/null
    echo '{"id":2,"_p":"a"}' | dp-partition -o t --by _p | dp-table commit t --eof-commits -q --mode replace >/dev/null
}
files() { find t -name '*.parquet' | grep -cv _delta_log; }
vacuum() { dp-table vacuum t --retain 0s --force "$@"; }
log() { echo "$XDG_STATE_HOME/dp/audit"; }
first() { log | sed 's|$|/segment-000001.ndjson|'; }
# n entries, in a log of small segments
entries() { for ((k = 0; k < $1; k++)); do vacuum -q --reason "r$k" >/dev/null || return 1; done; }

@test "a forced vacuum is told of before and after, with who, what and why; others and a dry run are not" {
    table
    dp-table vacuum t >/dev/null
    vacuum --dry-run >/dev/null
    dp-table vacuum t --retain 8d >/dev/null
    [ ! -e "$(log)" ]
    DP_ACTOR=ann DP_RUN_ID=run-7 vacuum --reason 'case 7' >/dev/null
    [ "$(files)" -eq 1 ]
    [ "$(stat -c %a "$(log)")" = 700 ]
    [ "$(stat -c %a "$(first)")" = 600 ]
    run dp-retain audit show
    assert_success
    jq -es --arg t "file://$PWD/t" --arg u "$(id -un)" --arg h "$(hostname)" 'length == 2 and (.[0] | .seq == 1 and .kind == "begin" and .action == "table.vacuum" and .object == $t and .why == "case 7"
        and .actor.login == $u and .actor.host == $h and .actor.as == "ann" and .program == "dp-table" and .run == "run-7" and .what == {force: true, retain_seconds: 0})
        and (.[1] | .kind == "end" and .of == 1 and .outcome == "done" and .what.files == 1)' <<<"$output" >/dev/null || fail "$output"
    run dp-retain audit list
    assert_line --index 0 --regexp "^1	[0-9T:.-]+Z	$(id -un)	begin	table.vacuum	file://$PWD/t	-	case 7\$"
    assert_line --index 1 --regexp "	end	table.vacuum	.*	done	-\$"
    run dp-retain audit verify
    assert_output "$(log): 2 entries (1 to 2) in 1 segments hold; no anchor, so what may have been cut from the end is not known"
}

@test "a command that can't be told of does not run: no directory, no permission, a file in its place, no home, a damaged log" {
    table
    echo file >file
    run --separate-stderr vacuum --audit file
    dp_expect 3 "audit log"
    run --separate-stderr vacuum --audit file/sub
    dp_expect 3 "audit log"
    if [ "$(id -u)" -ne 0 ]; then
        mkdir -m 500 closed
        run --separate-stderr vacuum --audit closed
        dp_expect 3 "audit log"
    fi
    run --separate-stderr vacuum --audit /proc/none
    dp_expect 3 "audit log"
    [ "$(files)" -eq 2 ]
    mkdir damaged
    echo '{"seq":1}' >damaged/segment-000001.ndjson
    run --separate-stderr vacuum --audit damaged
    dp_expect 4 "dp-retain audit verify"
    [ "$(files)" -eq 2 ]
    if getent passwd 54321 >/dev/null || [ "$(id -u)" -ne 0 ] || ! setpriv --reuid 54321 true 2>/dev/null; then skip "needs a user without a home"; fi
    chmod -R a+rwX .
    run --separate-stderr env -u HOME -u XDG_STATE_HOME setpriv --reuid 54321 --clear-groups dp-table vacuum t --retain 0s --force
    [ "$status" -eq 3 ] || [[ $stderr == *ermission* ]] # or the directory of the tests is closed to that user
    [ "$(files)" -eq 2 ]
}

@test "a disk that is full: the command does not run, and the log is as it was" {
    command -v cc >/dev/null || skip "no compiler"
    table
    vacuum -q --audit a >/dev/null
    cp -r a before
    echo '{"id":3,"_p":"a"}' | dp-partition -o t --by _p | dp-table commit t --eof-commits -q --mode replace >/dev/null
    cc -shared -fPIC -O1 -o shim.so "$DP_ROOT/tests/faults/shim.c" -ldl || skip "no shim here"
    [[ $DP_BIN != *asan* ]] || skip "the sanitizer must be the first library"
    run --separate-stderr env LD_PRELOAD="$PWD/shim.so" DP_FAULT_PROGRAM=dp-table DP_FAULT_AT=1 DP_FAULT_WHEN=full dp-table vacuum t --retain 0s --force --audit a
    dp_expect 3 "audit log"
    [ "$(files)" -eq 2 ]
    diff -r a before
    run --separate-stderr env LD_PRELOAD="$PWD/shim.so" DP_FAULT_PROGRAM=dp-table DP_FAULT_AT=1 DP_FAULT_WHEN=full dp-table vacuum t --retain 0s --force --audit new
    dp_expect 3 "audit log"
    [ "$(files)" -eq 2 ]
    vacuum -q --audit a
    dp-retain audit verify --audit a
}

@test "list and show by time, action, object, actor, and what is open" {
    table
    entries 2
    DP_ACTOR=bob vacuum -q
    run dp-retain audit list --actor bob
    assert_equal "${#lines[@]}" 2
    run dp-retain audit list --actor "$(id -u)"
    assert_equal "${#lines[@]}" 6
    run dp-retain audit list --action table
    assert_equal "${#lines[@]}" 6
    run dp-retain audit list --action tab
    assert_output ""
    run dp-retain audit list --object "$PWD/t"
    assert_equal "${#lines[@]}" 6
    run dp-retain audit list --object nowhere --skip-empty
    [ "$status" -eq 99 ]
    run dp-retain audit list --since 2099-01-01T00:00:00Z
    assert_output ""
    run dp-retain audit list --until 2099-01-01T00:00:00Z --json
    jq -e '.entries | length == 6' <<<"$output" >/dev/null
    # a day is a whole day
    [ "$(dp-retain audit list --until "$(date -u +%Y-%m-%d)" --json | jq '.entries | length')" = 6 ]
    run dp-retain audit list --until 2020-01-01
    assert_output ""
    run dp-retain audit show 3
    assert_equal "$(jq -c '[.seq, .of]' <<<"$output")" '[3,null]
[4,3]'
    run --separate-stderr dp-retain audit show 3 77
    dp_expect 1 "the log has 1 to 6"
    run dp-retain audit list --open
    assert_output ""
    sed -i '$d' "$(first)" # as if the last had died
    run dp-retain audit list --open
    assert_line --regexp '^5	.*	begin	table.vacuum	'
    assert_equal "${#lines[@]}" 1
    run --separate-stderr dp-retain audit lst
    dp_expect 2 "did you mean list?"
    run --separate-stderr dp-retain audit verify --open
    dp_expect 2 "--open is not for audit verify"
    run --separate-stderr dp-retain audit list --audit none
    dp_expect 3 "there is no audit log in none"
}

@test "verify names file, line and entry; with an anchor it finds what was cut or written anew" {
    table
    entries 3
    dp-retain audit anchor >anchors
    entries 1
    dp-retain audit anchor >>anchors
    run dp-retain audit verify --anchor anchors
    assert_output "$(log): 8 entries (1 to 8) in 1 segments hold, 2 anchors hold"
    cp "$(first)" whole
    sed -i 4d "$(first)"
    run --separate-stderr dp-retain audit verify
    dp_expect 4 "1 findings"
    assert_output "segment-000001.ndjson:4: entry 4 is here, and entries 3 to 3 are missing before it"
    run --separate-stderr dp-retain audit verify --json
    [ "$status" -eq 4 ]
    head -n 7 whole >"$(first)"
    dp-retain audit verify
    run --separate-stderr dp-retain audit verify --anchor - <anchors
    dp_expect 4 "1 findings"
    assert_output "standard input:2: entry 8, which this anchor is of, is not there: the log ends at entry 6, the rest was cut off"
    run --separate-stderr dp-retain audit list
    assert_success
    head -c -1 "$(first)" >torn && cp torn "$(first)"
    run --separate-stderr dp-retain audit verify
    dp_expect 4 "1 findings"
    assert_output --partial "segment-000001.ndjson:7: the last line is torn (entry 6, "
    vacuum -q
    run dp-retain audit verify
    assert_output --partial "1 torn lines were repaired"
    assert_equal "$(dp-retain audit show 6 | jq -r .kind)" repair
    echo nonsense >>anchors
    run --separate-stderr dp-retain audit verify --anchor anchors
    dp_expect 4 "anchors:3: this is no anchor"
    run --separate-stderr dp-retain audit verify --anchor none
    dp_expect 3 none
    : >empty
    run --separate-stderr dp-retain audit verify --anchor empty
    dp_expect 4 "there is no anchor"
}

@test "a signed anchor: another program checks it; unsigned, forged and foreign ones are refused" {
    table
    entries 1
    dp-retain keygen k >id
    dp-retain keygen other >/dev/null
    dp-retain audit anchor --key-file k >signed
    assert_equal "$(cut -d' ' -f 8 signed)" "$(cat id)"
    dp-retain audit verify --anchor signed --public-key k.pub
    { printf 'dp-audit-anchor\0'; cut -d' ' -f 1-6 signed | tr -d '\n'; } >message
    cut -d' ' -f 9 signed | tr -d '\n' | tr -- '-_' '+/' | sed 's/$/==/' | base64 -d >signature
    openssl pkeyutl -verify -pubin -inkey k.pub -rawin -in message -sigfile signature
    run --separate-stderr dp-retain audit verify --anchor signed --public-key other.pub
    dp_expect 4 "is signed with key"
    dp-retain audit anchor >plain
    run --separate-stderr dp-retain audit verify --anchor plain --public-key k.pub
    dp_expect 4 "no signature"
    sed 's/ 2 / 3 /' signed >forged
    run --separate-stderr dp-retain audit verify --anchor forged --public-key k.pub
    dp_expect 4 "the signature is not that of key"
    run --separate-stderr dp-retain audit verify --anchor signed --public-key k
    dp_expect 2 "a private one"
    run --separate-stderr dp-retain audit verify --public-key k.pub
    dp_expect 2 "anchor"
    chmod 644 k
    run --separate-stderr dp-retain audit anchor --key-file k
    dp_expect 2 "can be read by others"
    sed -i 's/r0/r1/' "$(first)"
    run --separate-stderr dp-retain audit anchor
    dp_expect 4 "entry 1 was changed"
}

@test "retention of the log: segments go, tombstones stay, the chain holds; what is damaged is left alone" {
    table
    export DP_AUDIT_SEGMENT=1 # an entry to a segment
    entries 3
    dp-retain audit anchor >anchors
    at=$(dp-retain audit show 4 | jq -r .time)
    run --separate-stderr dp-retain audit expire
    dp_expect 2 "needs --before TIME or --older D"
    run dp-retain audit expire --older 1d
    assert_output "$(log): removed 0 segments with 0 entries, 0 bytes"
    run dp-retain audit expire --before "$at" --dry-run
    assert_output --partial "would remove 3 segments with 3 entries"
    dp-retain audit verify | grep '6 entries (1 to 6) in 6 segments'
    run dp-retain audit expire --before "$at" --reason policy
    assert_output --partial ": removed 3 segments with 3 entries"
    [ ! -e "$(first)" ]
    run dp-retain audit verify --anchor anchors
    assert_output "$(log): 5 entries (4 to 8) in 5 segments hold, 3 entries in 3 segments expired, 1 anchors hold"
    assert_equal "$(dp-retain audit list --action audit.expire | cut -f 4,8)" $'begin\tpolicy\nend\t-'
    dp-retain audit expire --before "$(date -u +%Y-%m-%dT%H:%M:%S.%6NZ)"
    run dp-retain audit verify --anchor anchors
    assert_success
    assert_output --partial ", 1 anchors hold" # of the last entry of its segment, whose hash the tombstone has
    sed -i '2d' "$(log)/expired.ndjson"
    run --separate-stderr dp-retain audit verify
    [ "$status" -eq 4 ]
    run --separate-stderr dp-retain audit expire --before 2099-01-01T00:00:00Z
    dp_expect 4 "tombstone"
}

@test "many at once: every entry is there, in one chain" {
    table
    export DP_AUDIT_SEGMENT=4K
    for i in 1 2 3 4 5 6; do
        (cp -r t "t$i" && for k in 1 2 3; do dp-table vacuum "t$i" --retain 0s --force -q --audit a >/dev/null || echo failed; done) >out.$i 2>&1 &
    done
    wait
    cat out.? >out
    [ ! -s out ] || fail "$(cat out)"
    run dp-retain audit verify --audit a
    assert_output --partial "36 entries (1 to 36)"
}
