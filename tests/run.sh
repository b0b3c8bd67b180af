#!/bin/sh
# Runs suites that speak TAP and sums them up.
# usage: run.sh LOGFILE COMMAND...   each COMMAND is one shell word list; its TAP output is counted
# RUN_JOBS suites run at once (1); a suite has SUITE_SECONDS (1500).
# The last line is "N passed, N failed, N skipped"; exit status 1 when anything failed.
set -u

# One suite: its number and where the list and its output are.
if [ "$1" = --suite ]; then
    part=$2/$3
    suite=$(sed -n "$3p" "$2/suites")
    timeout -k 30 "${SUITE_SECONDS:-1500}" sh -c "$suite" >"$part.out" 2>"$part.err"
    status=$?
    # A suite that died without saying which test failed is a failure of its own.
    plan=$(sed -n 's/^1\.\.\([0-9][0-9]*\).*/\1/p' "$part.out" | awk '{ s += $1 } END { print s + 0 }')
    ran=$(grep -cE '^(not )?ok ' "$part.out")
    bad=$(grep -E '^not ok ' "$part.out" | grep -cviE '# *(skip|todo)')
    {
        echo "## $suite"
        cat "$part.out"
        sed 's/^/#! /' "$part.err"
        if [ "$plan" -ne "$ran" ] || { [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; }; then
            echo "not ok - $suite: ended with status $status after $ran of $plan tests"
            sed 's/^/#   /' "$part.err" | tail -n 20
        fi
    } >"$part.log"
    printf '%s' "$suite" | cut -c1-70 | awk -v r="$ran" -v b="$bad" '{ printf "%-72s %4d run, %d failed\n", $0, r, b }'
    exit 0
fi

log=$1
shift
dir=$(mktemp -d) || exit 3
trap 'rm -rf "$dir"' EXIT
printf '%s\n' "$@" >"$dir/suites"
seq $# | xargs -P "${RUN_JOBS:-1}" -n 1 sh "$0" --suite "$dir"
for k in $(seq $#); do cat "$dir/$k.log"; done >"$log"

# Each failure with the first lines of what it says.
awk '/^((not )?ok|##) / { show = 0 }
     /^not ok / && tolower($0) !~ /# *(skip|todo)/ { print "FAILED: " NR ":" $0; show = 20; next }
     show > 0 && /^#/ { print "    " substr($0, 1, 400); show-- }' "$log"
grep -iE '^(not )?ok .*# *skip' "$log" | sed -E 's/^(not )?ok [0-9]* ?-? ?/skipped: /' | sort | uniq -c | sort -rn | head -n 40
awk '/^(not )?ok / { s = tolower($0) ~ /# *skip/; if (s) skip++; else if (/^not ok/) fail++; else pass++ }
     END { printf "%d passed, %d failed, %d skipped\n", pass, fail, skip; exit fail > 0 }' "$log"
