#!/bin/sh
# Every man page is clean mdoc, as TAP.
set -u
n=0
for page in man/*.[157]; do
    [ -e "$page" ] || continue
    n=$((n + 1))
    if out=$(mandoc -Tlint -Wstyle "$page" 2>&1 | grep -vE 'operating system explicitly specified|referenced manual not found|Mdocdate|outdated mandoc.db') && [ -n "$out" ]; then
        echo "not ok $n - $page"
        echo "$out" | sed 's/^/# /'
    else
        echo "ok $n - $page is clean mdoc"
    fi
done
echo "1..$n"
