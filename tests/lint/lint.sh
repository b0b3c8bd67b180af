#!/bin/sh
# The rules of the house that a machine can check, as TAP.  Exceptions, each with its reason, stand in
# tests/lint/exceptions (lines "RULE PATH[:NAME]"; # starts a comment).
# usage: lint.sh OBJDIR    (from the project's top; OBJDIR holds the compiled library)
set -u
O=${1:?usage: lint.sh OBJDIR}
except=tests/lint/exceptions
n=0
tmp=$(mktemp -d) || exit 3
trap 'rm -rf "$tmp"' EXIT

allowed() { # RULE WHAT
    grep -v '^#' "$except" | grep -qxF "$1 $2"
}
report() { # RULE WORDS ; findings in $tmp/found, one "WHAT<TAB>WORDS" a line
    n=$((n + 1))
    : >"$tmp/bad"
    while IFS='	' read -r what words; do
        allowed "$1" "$what" || printf '%s: %s\n' "$what" "$words" >>"$tmp/bad"
    done <"$tmp/found"
    if [ -s "$tmp/bad" ]; then
        echo "not ok $n - $1: $2"
        sed 's/^/# /' "$tmp/bad"
    else
        echo "ok $n - $1: $2"
    fi
}

# (a) floors: a file includes its own floor or one below
find include/dp lib -name '*.[ch]' | sort | xargs awk '
    BEGIN {
        split("base record format parquet delta rules io cli", names, " ")
        may["base"] = " base "
        may["record"] = " base record "
        may["format"] = " base record format "
        may["parquet"] = " base record parquet "
        may["delta"] = " base record parquet delta "
        may["rules"] = " base record format parquet delta rules "
        may["io"] = " base record format parquet delta rules io "
        may["cli"] = " base record format parquet delta rules io cli "
    }
    FNR == 1 { k = split(FILENAME, part, "/"); floor = part[k - 1] }
    match($0, /^#include [<"]dp\/[a-z]+\//) {
        to = substr($0, RSTART + 13, RLENGTH - 14)
        if (floor in may && index(may[floor], " " to " ") == 0)
            printf "%s\tline %d includes %s\n", FILENAME, FNR, to
    }' >"$tmp/found"
report floors 'a file includes only its own floor or one below'

# (b) tools stand on the upper floors and see no private header
for f in tools/dp-*.c tools/*/*.c; do
    [ -e "$f" ] || continue
    awk '/^#include [<"].*_priv\.h/ { printf "%s\tline %d includes a private header\n", FILENAME, FNR }
         match($0, /^#include <dp\/(format|parquet)\//) { printf "%s\tline %d includes %s\n", FILENAME, FNR, $2 }' "$f"
done >"$tmp/found"
report tools 'tools include io, cli, rules, delta, record and base only'

# (c) only cli prints, reads arguments or exits
find lib -name '*.c' ! -path 'lib/cli/*' | sort | xargs awk '
    { line = $0; gsub(/"([^"\\]|\\.)*"/, "\"\"", line); sub(/\/\*.*\*\//, "", line); sub(/\/\/.*/, "", line) }
    line ~ /^[ \t]*\*/ || line ~ /^[ \t]*\/\*/ { next }
    line ~ /(^|[^a-z_0-9])(printf|fprintf|puts|fputs|putchar|perror|exit|_exit|err|errx|warn|getopt|getopt_long) *\(/ ||
    line ~ /(^|[^a-z_0-9])(stderr|stdout|argv)([^a-z_0-9]|$)/ { printf "%s\tline %d: %s\n", FILENAME, FNR, $0 }' >"$tmp/found"
report quiet 'only cli prints, reads argv or exits'

# (d) no mutable data at file scope in the library
find "$O/lib" -name '*.o' | sort | while read -r o; do
    objdump -t "$o" | awk -v f="${o#"$O"/}" '
        NF >= 5 && $(NF - 2) ~ /^\.(data|bss|tdata|tbss)/ && $(NF - 2) !~ /^\.data\.rel\.ro/ && $NF !~ /^\./ && $NF !~ /^__/ {
            sub(/\.o$/, ".c", f); printf "%s:%s\tmutable data at file scope\n", f, $NF }'
done >"$tmp/found"
report globals 'no mutable data at file scope in lib'

# (e) each public header compiles alone
find include/dp -name '*.h' | sort | while read -r h; do
    echo "#include \"$h\"" >"$tmp/one.c"
    ${CC:-cc} -std=c17 -Iinclude -I. -D_POSIX_C_SOURCE=200809L -fsyntax-only -Wall -Wextra -Werror "$tmp/one.c" 2>"$tmp/e" ||
        printf '%s\t%s\n' "$h" "$(head -n 1 "$tmp/e")"
done >"$tmp/found"
report headers 'each public header compiles alone'

# (f) sizes
find lib tools include tests quickstart -name '*.[ch]' | sort | xargs awk '/^\{$/ { printf "%s\tline %d: the brace of a function stands behind its head\n", FILENAME, FNR }' >"$tmp/found"
report braces 'one style of braces'

find lib tools include -name '*.[ch]' | sort | xargs wc -l | awk '$2 != "total" && $1 > 1200 { printf "%s\t%d lines\n", $2, $1 }' >"$tmp/found"
report filesize 'no file over 1,200 lines'
find lib tools -name '*.c' | sort | xargs awk '
    FNR == 1 { inside = 0 }
    /^[A-Za-z_].*\)[ ]*\{$/ || (/^\{$/ && !inside) { inside = 1; start = FNR; head = /^\{$/ ? last : $0 }
    /^\}/ && inside { if (FNR - start > 100) { name = head; sub(/ *\(.*/, "", name); sub(/.*[ *]/, "", name)
                      printf "%s:%s\t%d lines\n", FILENAME, name, FNR - start }; inside = 0 }
    { last = $0 }' >"$tmp/found"
report functionsize 'no function over 100 lines'

# (g) words that mark something unfinished
grep -rnE '\b(TODO|FIXME|XXX)\b|not (yet )?implemented|placeholder($|[^=:])|for now' lib tools include man 2>/dev/null |
    awk -F: '{ printf "%s\tline %s: %s\n", $1, $2, $3 }' >"$tmp/found"
report finished 'no word that marks an unfinished place'

# (h) each named limit stands in a test, which is where it is met and passed by one
grep -oE '^#define DP_LIMIT_[A-Z_]+' include/dp/base/limits.h | sed 's/.* //' | while read -r name; do
    # as an argument of a scanner it is only borrowed
    grep -hw "$name" tests/unit/*.c tests/cli/*.bats | grep -vq "dp_scan_open($name" || printf '%s\tno test at the limit and one past it names it\n' "$name"
done >"$tmp/found"
report limits 'each limit of dp/base/limits.h is named in a test'

echo "1..$n"
