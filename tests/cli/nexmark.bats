#!/usr/bin/env bats
# The queries of Nexmark (dp-nexmark(7), tests/nexmark): what they print of 3,000 events, and that the page shows what runs.
# That the results are right is for tests/nexmark/check.py, which compares them with SQL; rewrite expected.txt with NEXMARK_REWRITE=1 behind it.

bats_require_minimum_version 1.5.0
load helper

queries=$DP_ROOT/tests/nexmark

@test "each query's pipeline prints what it should" {
    for t in dp-window dp-join dp-dedupe; do [ -x "$DP_BIN/$t" ] || skip "$t is not built"; done
    command -v python3 >/dev/null || skip "no python3"
    python3 "$queries/gen.py" . --events 3000 --rate 40
    for q in "$queries"/q*.sh; do
        rm -rf log
        name=$(basename "$q" .sh)
        bash -o pipefail "$q" >out 2>err || fail "$name: exit $?: $(cat err)"
        LC_ALL=C sort out >sorted
        echo "$name $(wc -l <out) $(sha256sum <sorted | cut -c 1-16)"
        head -n 3 sorted | sed 's/^/    /'
    done >got
    [ -z "${NEXMARK_REWRITE:-}" ] || cp got "$queries/expected.txt"
    diff "$queries/expected.txt" got
}

@test "dp-nexmark(7) shows the pipelines as they run, and tells of each query" {
    awk '/^\.Ss Query /{ name = sprintf("q%02d", $3) } /^\.Bd/ { on = 1; next } /^\.Ed/ { on = 0 } on { gsub(/\\e/, "\\"); print > name ".page" }' "$DP_ROOT/man/dp-nexmark.7"
    for q in "$queries"/q*.sh; do
        grep -v '^# ' "$q" | diff "$(basename "$q" .sh).page" - || fail "$q is not what the page shows"
    done
    [ "$(find . -name 'q*.page' | wc -l)" -eq 22 ]
    [ "$(grep -c '^\.Ss Query ' "$DP_ROOT/man/dp-nexmark.7")" -eq 23 ]
}
