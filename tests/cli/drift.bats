#!/usr/bin/env bats
# Option table, man page and completions are one truth.

bats_require_minimum_version 1.5.0
load helper

# Whether other manuals are installed is not the page's fault.
lint() {
    local said
    said=$(mandoc -Tlint -Wstyle "$1" 2>/dev/null | grep -v 'referenced manual not found') || return 0
    fail "$said"
}

page() { echo "$DP_ROOT/man/$1.1"; }

# Options that a page documents: words behind .It Fl Fl, and those behind a comma.
documented() { sed -n 's/^\.It //p' "$1" | grep -o 'Fl Fl [a-z][a-z0-9-]*' | sed 's/Fl Fl //' | sort -u; }
options_of() { "$1" --dump-options | awk -F'\t' '$1 == "option" { print $3 }' | sort -u; }

@test "every program has a page with all sections, and mandoc finds nothing" {
    command -v mandoc >/dev/null || skip "mandoc is not installed"
    missing=
    for t in $(dp_tools); do
        if [ ! -f "$(page "$t")" ]; then
            missing="$missing $t"
            continue
        fi
        for s in NAME SYNOPSIS DESCRIPTION OPTIONS 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
            grep -q "^\.Sh $s\$" "$(page "$t")" || fail "man/$t.1 lacks .Sh $s"
        done
        lint "$(page "$t")"
    done
    [ -z "$missing" ] || fail "no man page:$missing"
}

@test "dp(7) and the pages of formats: mandoc finds nothing" {
    command -v mandoc >/dev/null || skip "mandoc is not installed"
    for p in "$DP_ROOT"/man/*.[57]; do
        lint "$p"
    done
}

@test "each option has an item in its page or, when it is common, in dp(7)" {
    documented "$DP_ROOT/man/dp.7" >common
    for t in $(dp_tools); do
        [ -f "$(page "$t")" ] || continue
        documented "$(page "$t")" >own
        for o in $(options_of "$t"); do
            grep -qx -e "$o" own common || fail "man/$t.1 lacks:
.It Fl Fl $o"
        done
    done
}

@test "each item of a page is an option" {
    for t in $(dp_tools); do
        [ -f "$(page "$t")" ] || continue
        options_of "$t" >have
        for o in $(documented "$(page "$t")"); do
            grep -qx -e "$o" have || fail "man/$t.1 documents --$o, and $t has no such option"
        done
    done
}

@test "exit codes that a page lists are those of the design" {
    for t in $(dp_tools); do
        [ -f "$(page "$t")" ] || continue
        # shellcheck disable=SC2013 # words are meant
        for c in $(sed -n '/^\.Sh EXIT STATUS/,/^\.Sh FILES\|^\.Sh EXAMPLES/s/^\.It \([0-9]*\).*/\1/p' "$(page "$t")"); do
            case $c in
            0 | 1 | 2 | 3 | 4 | 70 | 75 | 99 | 130 | 137 | 141 | 143) ;;
            *) fail "man/$t.1: exit status $c" ;;
            esac
        done
    done
}

@test "commands are in the page" {
    for t in $(dp_tools); do
        [ -f "$(page "$t")" ] || continue
        for c in $("$t" --dump-options | awk -F'\t' '$1 == "command" { print $2 }'); do
            grep -q "\(Cm\|Ss\) .*\b$c\b" "$(page "$t")" || fail "man/$t.1 lacks the command $c (.It Cm $c)"
        done
    done
}

@test "completions are those that the tables give (make completions writes them)" {
    for t in $(dp_tools); do
        for s in bash zsh fish; do
            f=$DP_ROOT/completions/$s/$t
            [ $s = zsh ] && f=$DP_ROOT/completions/zsh/_$t
            [ $s = fish ] && f=$f.fish
            "$t" --dump-options | awk -v shell=$s -f "$DP_ROOT/completions/gen.awk" >want
            [ -f "$f" ] || fail "${f#"$DP_ROOT"/} is missing: make completions"
            diff -u "$f" want || fail "${f#"$DP_ROOT"/} is old: make completions"
        done
        bash -n "$DP_ROOT/completions/bash/$t"
    done
}
