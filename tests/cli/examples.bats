#!/usr/bin/env bats
# Every example of a man page runs, and what the page shows is what it prints.
#
# In a .Bd -literal block under EXAMPLES a line that begins with "$ " is a command, "> " goes on with it, the lines behind it are its output (standard
# output and standard error); a line "..." stands for any lines.  The blocks of one page share a directory, in their order.  A block without "$ " is not run.

bats_require_minimum_version 1.5.0
load helper

# The blocks of a page as plain text.
blocks() {
    sed -n '/^\.Sh EXAMPLES/,/^\.Sh [^E]/p' "$1" | awk '/^\.Bd .*-literal/ { on = 1; next } /^\.Ed/ { on = 0; print "\f"; next } on' |
        sed -e 's/\\(aq/'"'"'/g; s/\\(dq/"/g; s/\\(ti/~/g; s/\\(ha/^/g; s/\\(ga/`/g; s/\\-/-/g; s/\\&//g; s/\\e/\\/g'
}

# want and got agree, "..." in want standing for any lines.
agree() {
    awk 'NR == FNR { want[++n] = $0; next } { got[++m] = $0 }
        function match_from(i, j) {
            if (i > n) return j > m
            if (want[i] == "...") { for (; j <= m + 1; j++) if (match_from(i + 1, j)) return 1; return 0 }
            return j <= m && want[i] == got[j] && match_from(i + 1, j + 1)
        }
        END { exit !match_from(1, 1) }' "$1" "$2"
}

try() { # command in $1, wanted output in file want
    bash -c "$1" >got 2>&1 </dev/null || true
    agree want got || fail "$page: \$ $1
--- the page shows
$(cat want)
--- it prints
$(cat got)"
}

run_page() {
    local command='' line
    page=$(basename "$1")
    mkdir -p run && cd run || return 1
    : >want
    while IFS= read -r line; do
        case $line in
        '$ '*)
            [ -z "$command" ] || try "$command"
            command=${line#??}
            : >want
            ;;
        $'\f')
            [ -z "$command" ] || try "$command"
            command=''
            ;;
        '> '*) command="$command"$'\n'"${line#??}" ;;
        *) [ -z "$command" ] || printf '%s\n' "$line" >>want ;;
        esac
    done < <(blocks "$1")
    [ -z "$command" ] || try "$command"
    cd ..
    rm -rf run
}

@test "examples of the programs' pages" {
    for t in $(dp_tools); do
        [ ! -f "$DP_ROOT/man/$t.1" ] || run_page "$DP_ROOT/man/$t.1"
    done
}

@test "examples of the other pages" {
    for p in "$DP_ROOT"/man/*.[57]; do
        case $(blocks "$p") in *'$ dp-'*) ;; *) continue ;; esac
        for t in $(blocks "$p" | grep -o '\bdp-[a-z]*' | sort -u); do [ -x "$DP_BIN/$t" ] || skip "$t is not built"; done
        run_page "$p"
    done
}
