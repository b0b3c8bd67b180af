#!/bin/sh
# Runs suites that speak TAP and sums them up.
# usage: run.sh LOGFILE COMMAND...   each COMMAND is one shell word list; its TAP output is counted
# The last line is "N passed, N failed, N skipped"; exit status 1 when anything failed.
set -u
log=$1
shift
: >"$log"
for suite in "$@"; do
    echo "## $suite" >>"$log"
    timeout -k 30 "${SUITE_SECONDS:-1500}" sh -c "$suite" >"$log.part" 2>"$log.err"
    status=$?
    cat "$log.part" >>"$log"
    sed 's/^/#! /' "$log.err" >>"$log"
    # A suite that died without saying which test failed is a failure of its own.
    plan=$(sed -n 's/^1\.\.\([0-9][0-9]*\).*/\1/p' "$log.part" | awk '{ s += $1 } END { print s + 0 }')
    ran=$(grep -cE '^(not )?ok ' "$log.part")
    bad=$(grep -E '^not ok ' "$log.part" | grep -cviE '# *(skip|todo)')
    if [ "$plan" -ne "$ran" ] || { [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; }; then
        echo "not ok - $suite: ended with status $status after $ran of $plan tests" >>"$log"
        sed 's/^/#   /' "$log.err" | tail -n 20 >>"$log"
    fi
    printf '%s' "$suite" | cut -c1-70 | awk -v r="$ran" -v b="$bad" '{ printf "%-72s %4d run, %d failed\n", $0, r, b }'
done
rm -f "$log.part" "$log.err"
# Each failure with the first lines of what it says.
awk '/^(not )?ok / { show = 0 }
     /^not ok / && tolower($0) !~ /# *(skip|todo)/ { print "FAILED: " NR ":" $0; show = 20; next }
     show > 0 && /^#/ { print "    " substr($0, 1, 400); show-- }' "$log"
grep -iE '^(not )?ok .*# *skip' "$log" | sed -E 's/^(not )?ok [0-9]* ?-? ?/skipped: /' | sort | uniq -c | sort -rn | head -n 40
awk '/^(not )?ok / { s = tolower($0) ~ /# *skip/; if (s) skip++; else if (/^not ok/) fail++; else pass++ }
     END { printf "%d passed, %d failed, %d skipped\n", pass, fail, skip; exit fail > 0 }' "$log"
