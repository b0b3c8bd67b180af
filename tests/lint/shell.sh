#!/bin/sh
# Lints the scripts named as arguments, as TAP.
set -u
n=0
for f in "$@"; do
    n=$((n + 1))
    if out=$(shellcheck -x -e SC1090,SC1091,SC2016 "$f" 2>&1); then
        echo "ok $n - $f"
    else
        echo "not ok $n - $f"
        echo "$out" | sed 's/^/# /'
    fi
done
echo "1..$n"
