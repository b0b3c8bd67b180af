#!/usr/bin/env bats
# dp-window against cases of windows: those that other systems' tests pin (the shared corpus) and our own harder ones (tests/window/cases), each as changelog, update
# and final; the cases with a crash as they are written.  The expectations themselves are checked against the slow model (tests/window/model.py).

# shellcheck disable=SC2030,SC2031,SC2016
bats_require_minimum_version 1.5.0
load helper

W=$DP_SHARED/corpus/window
C=$DP_ROOT/tests/window/cases

setup_file() {
    command -v python3 >/dev/null || return 0
    cases=("$C"/x*.json)
    [ ! -d "$W" ] || cases+=("$W"/w*.json)
    python3 -B "$DP_ROOT/tests/window/corpus.py" "${cases[@]}" >"$BATS_FILE_TMPDIR/tap" || true
}
setup() {
    dp_setup
    command -v python3 >/dev/null || skip "no python3"
}
# case ID: it passed
ours() {
    grep -q "^ok [0-9]* - $1:" "$BATS_FILE_TMPDIR/tap" || fail "$(sed -n "/^not ok [0-9]* - $1:/,/^[on]/p" "$BATS_FILE_TMPDIR/tap")"
}
corpus() {
    [ -d "$W" ] || skip "no corpus"
    ours "$1"
}

@test "every case of the corpus and of ours has its test here" {
    for f in "$W"/w*.json "$C"/x*.json; do
        [ -e "$f" ] || continue # no corpus
        id=$(basename "$f")
        grep -q "^@test \"${id%%-*}:" "$BATS_TEST_FILENAME" || fail "no test of $id"
    done
}

@test "w001: one record, size 12 at t=21" { corpus w001; }
@test "w002: record exactly on a window start belongs to that window" { corpus w002; }
@test "w003: negative offset shifts the grid; both records share a window" { corpus w003; }
@test "w004: offset +5 s, three keyed records, out of order" { corpus w004; }
@test "w005: window that starts before the epoch: floor, not truncation" { corpus w005; }
@test "w006: records with a null time are set aside, never windowed" { corpus w006; }
@test "w007: three windows, sum per window, arrival out of order" { corpus w007; }
@test "w008: fixed windows with an explicit watermark jump" { corpus w008; }
@test "w009: late record within allowed lateness re-fires the accumulated window" { corpus w009; }
@test "w010: a record older than the watermark is not late while its window is open" { corpus w010; }
@test "w011: allowed lateness 500 ms, size 2 s: counted, re-fired, then refused" { corpus w011; }
@test "w012: same input, discarding panes: the re-fire carries only the new record" { corpus w012; }
@test "w013: final results only: size 2, grace 1; no flush at end keeps the open window back" { corpus w013; }
@test "w014: large jump closes several windows at once; one refused record" { corpus w014; }
@test "w015: hopping 12/5 at t=21: three windows" { corpus w015; }
@test "w016: barely overlapping 6/5 at t=7: one window" { corpus w016; }
@test "w017: hopping 10/5, first window starts before zero" { corpus w017; }
@test "w018: hopping 7/5: slide does not divide size" { corpus w018; }
@test "w019: slide larger than size: some records are in no window" { corpus w019; }
@test "w020: hopping 10/5 with offset 2" { corpus w020; }
@test "w021: hopping 10 s / 5 s over millisecond records" { corpus w021; }
@test "w022: hopping 10 s / 3 s: four bins for one record, three for others" { corpus w022; }
@test "w023: hopping 200 ms / 40 ms: millisecond precision" { corpus w023; }
@test "w024: hopping 10/5 keyed with out-of-order tail inside grace 100" { corpus w024; }
@test "w025: final results of hopping 10/5 with grace 5" { corpus w025; }
@test "w026: late for the older windows, on time for the newest one: counted once, not late" { corpus w026; }
@test "w027: gap exclusive: a distance equal to the gap splits" { corpus w027; }
@test "w028: gap inclusive: a distance equal to the gap joins" { corpus w028; }
@test "w029: consecutive records make one session" { corpus w029; }
@test "w030: out-of-order records bridge sessions" { corpus w030; }
@test "w031: gap of one second over millisecond records" { corpus w031; }
@test "w032: keyed sessions with bridging and two refused records" { corpus w032; }
@test "w033: sessions over one global key, watermark delay 10, gap 5" { corpus w033; }
@test "w034: session 3 s, no lateness: late record judged on the merged session" { corpus w034; }
@test "w035: session 3 s, lateness 10 ms, accumulating: extends a fired session" { corpus w035; }
@test "w036: session 3 s, lateness 10 s: one late record merges two fired sessions" { corpus w036; }
@test "w037: final results for sessions, gap 5: late record after the session closed" { corpus w037; }
@test "w038: a middle record joins two sessions that are gap+1 apart" { corpus w038; }
@test "w039: four keys, sessions and merging" { corpus w039; }
@test "w040: append mode: delay 10, size 5, refused record after the window closed" { corpus w040; }
@test "w041: watermark never goes back when older records arrive" { corpus w041; }
@test "w042: two sources: the slower one holds the watermark" { corpus w042; }
@test "w043: a source with no record yet holds everything; marking it idle releases" { corpus w043; }
@test "w044: a source that wakes up behind the watermark is late, and cannot pull the watermark back" { corpus w044; }
@test "w045: a timestamp far in the future is set aside and does not move the watermark" { corpus w045; }
@test "w046: without the guard the same record makes every later record late" { corpus w046; }
@test "w047: calendar days, Los Angeles, winter" { corpus w047; }
@test "w048: 23-hour day: Berlin, 2024-03-31" { corpus w048; }
@test "w049: fixed offset -8 h stands in for China days" { corpus w049; }
@test "w050: sum with cancellation: 1e16 + 1 - 1e16" { corpus w050; }
@test "w051: variance far from zero: 1e9 + {4,7,13,16}" { corpus w051; }
@test "w052: 100 records 200 ms apart, hop 2 s, size 10 s" { corpus w052; }
@test "w053: one session of 100 records, gap 20 s, ends last + gap" { corpus w053; }
@test "w054: one watermark step closes many windows: order by end, then start, then key bytes" { corpus w054; }
@test "w055: no records: no windows; and a hole between windows emits nothing" { corpus w055; }
@test "w056: crash after record 5, checkpoint after record 3: committed output equals the run without a crash" { corpus w056; }
@test "w057: crash before any checkpoint: whole input replayed" { corpus w057; }
@test "w058: calendar weeks that begin on Wednesday, UTC" { corpus w058; }
@test "w059: calendar months, UTC" { corpus w059; }
@test "w060: sliding by event, difference 5, grace 15, both ends inclusive" { corpus w060; }
@test "x101: a day of 25 hours: New York 2024-11-03, with 01:30 that happens twice in one day" { ours x101; }
@test "x102: a day of 24 hours and a half: Lord Howe 2024-04-07" { ours x102; }
@test "x103: midnight that does not exist: Sao Paulo 2018-11-04 begins at 01:00" { ours x103; }
@test "x104: a date that does not exist: Apia has no 2011-12-30" { ours x104; }
@test "x105: clocks set back over midnight: Saint John's 2010-11-07 has begun, and is 2010-11-06 again for an hour" { ours x105; }
@test "x106: a week that begins on Sunday, over the shift of New York in March" { ours x106; }
@test "x107: months of Berlin: March 2024 is an hour short, October an hour long" { ours x107; }
@test "x108: days beyond the last shift that a zone's file lists: its rule for later years" { ours x108; }
@test "x109: days before 1893 are those of local mean time: Berlin, 53 min 28 s" { ours x109; }
@test "x110: days of a zone with late records: the window of 23 hours fires at its own end" { ours x110; }
@test "x111: weeks before the epoch" { ours x111; }
@test "x112: hops with holes, negative times and an offset" { ours x112; }
@test "x113: hops: late for three windows, in time for one, and wholly late" { ours x113; }
@test "x114: hops, discarding: each pane has what is new to it" { ours x114; }
@test "x115: equal times at the watermark: a record at W is not late, and the window that begins there is open" { ours x115; }
@test "x116: a watermark that jumps over the records, then back: it stays" { ours x116; }
@test "x117: a watermark before any record" { ours x117; }
@test "x118: keys in the order of their bytes: no locale, no case, no normal form" { ours x118; }
@test "x119: a key that is null or missing is rejected, an empty one is a key" { ours x119; }
@test "x120: times that are none" { ours x120; }
@test "x121: the future: at the bound is in time, a millisecond more is not" { ours x121; }
@test "x122: three sources: one silent, one idle, one alone" { ours x122; }
@test "x123: all sources idle: the watermark stays, and goes on when one is heard" { ours x123; }
@test "x124: a source that nobody named joins when it is heard" { ours x124; }
@test "x125: watermarks of one source and of all" { ours x125; }
@test "x126: sessions: a late record joins a fired one, then another bridges it to the next, then far behind" { ours x126; }
@test "x127: sessions of several keys retract and emit each for itself" { ours x127; }
@test "x128: a fired session grows into one that has not fired: retracted at once, written when its time has come" { ours x128; }
@test "x129: gap exclusive: a record between two sessions at the gap from each joins neither, one nearer joins both" { ours x129; }
@test "x130: a late record that a live session rescues" { ours x130; }
@test "x131: sessions before the epoch" { ours x131; }
@test "x132: windows by number: each three of a key, in the order of their coming, and no time is late" { ours x132; }
@test "x133: windows by number that overlap: the last three, every two" { ours x133; }
@test "x134: windows by number with holes: two of each five" { ours x134; }
@test "x135: sliding: records at the watermark are in the window that ends there" { ours x135; }
@test "x136: sliding with lateness: windows that were written are written again, and new ones come between" { ours x136; }
@test "x137: sliding before the epoch, and one record alone" { ours x137; }
@test "x138: a change feed: rows that were deleted or changed are taken out of what was written" { ours x138; }
@test "x139: a change feed: rows that go before their window is written leave no trace" { ours x139; }
@test "x140: a change feed: a session falls apart when the record that held it together goes" { ours x140; }
@test "x141: numbers that no double holds: sums, least and greatest" { ours x141; }
@test "x142: decimals add up without a rest" { ours x142; }
@test "x143: null and missing values are passed over; nothing at all is null" { ours x143; }
@test "x144: first and last go by time, and by arrival where times are equal" { ours x144; }
@test "x145: killed over a session that grows" { ours x145; }
@test "x146: killed with sliding windows on hold" { ours x146; }
@test "x147: killed between two records of a count window" { ours x147; }
@test "x148: killed in a day of 23 hours" { ours x148; }
