#!/bin/sh
# One fuzz target for a while, as TAP with one line.
# usage: fuzz.sh PROGRAM SECONDS [SEEDDIR...]   FUZZ_SEED: the same seed tries the same inputs (default: others each time)
set -u
prog=$1 seconds=$2
shift 2
name=$(basename "$prog")
work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
mkdir "$work/new"
set -- "$work/new" "tests/fuzz/corpus/${name#fuzz_}" "$@"
dirs=
for d in "$@"; do [ -d "$d" ] && dirs="$dirs $d"; done
echo 1..1
# shellcheck disable=SC2086  # a list of directories without blanks
# An allocation that is too large must fail as it does without a sanitizer, and not end the run.
if ASAN_OPTIONS="allocator_may_return_null=1:${ASAN_OPTIONS:-}" "$prog" -seed="${FUZZ_SEED:-0}" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=32768 -max_len=65536 -artifact_prefix="$work/" $dirs >"$work/log" 2>&1; then
    echo "ok 1 - $name: $(grep -c . "$work/log") lines, $(grep -oE 'stat::number_of_executed_units: *[0-9]+|Done [0-9]+ runs' "$work/log" | tail -n 1)"
else
    echo "not ok 1 - $name"
    tail -n 40 "$work/log" | sed 's/^/# /'
    for f in "$work"/crash-* "$work"/timeout-* "$work"/oom-* "$work"/leak-*; do
        [ -e "$f" ] && echo "# $(basename "$f"): $(base64 -w 0 <"$f" | cut -c 1-4000)"
    done
fi
