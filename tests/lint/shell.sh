#!/bin/sh
# Lints the scripts named as arguments, as TAP.  One that does not name its shell is for any.
set -u
n=0
for f in "$@"; do
    n=$((n + 1))
    case $(head -n 1 "$f") in
    '#!'*) dialect= ;;
    *) dialect='-s sh' ;;
    esac
    # shellcheck disable=SC2086 # no word is two
    if out=$(shellcheck -x -e SC1090,SC1091,SC2016 $dialect "$f" 2>&1); then
        echo "ok $n - $f"
    else
        echo "not ok $n - $f"
        echo "$out" | sed 's/^/# /'
    fi
done
echo "1..$n"
