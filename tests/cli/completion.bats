#!/usr/bin/env bats
# The completions as zsh and fish themselves take them: every program's options, a choice, a command; compared with the option table.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

needs_shell() { command -v "$1" >/dev/null || skip "$1 is not installed"; }
options_of() { "$1" --dump-options | awk -F'\t' -v c="${2:--}" '$1 == "option" && $2 == c { print "--" $3 }' | sort; }
choices_of() { "$1" --dump-options | awk -F'\t' -v c="$2" -v o="$3" '$1 == "option" && $2 == c && $3 == o { gsub(/,/, "\n", $7); print $7 }' | sort; }
commands_of() { "$1" --dump-options | awk -F'\t' '$1 == "command" { print $2 }' | sort; }

# What fish offers for a line: one word a line.
fish_offers() {
    HOME=$PWD XDG_CONFIG_HOME=$PWD XDG_DATA_HOME=$PWD fish --no-config -c '
        for f in $argv[1]/completions/fish/*.fish; source $f; end
        complete -C $argv[2]' "$DP_ROOT" "$1" | cut -f 1
}

@test "fish: each option of each program and of each command" {
    needs_shell fish
    for t in $(dp_tools); do
        [ -f "$DP_ROOT/completions/fish/$t.fish" ] || fail "no completions for $t"
        diff <(options_of "$t") <(fish_offers "$t --" | sed 's/=$//' | sort -u) || fail "$t"
        for c in $(commands_of "$t"); do
            diff <(options_of "$t" "$c") <(fish_offers "$t $c --" | sed 's/=$//' | sort -u) || fail "$t $c"
        done
    done
}

@test "fish: programs, commands and choices" {
    needs_shell fish
    [ "$(fish_offers dp-pa | grep -x dp-partition)" = dp-partition ]
    diff <(commands_of dp-table) <(fish_offers 'dp-table ' | sort) || fail "commands of dp-table"
    diff <(choices_of dp-table commit mode) <(fish_offers 'dp-table commit --mode ' | sort) || fail "--mode"
    diff <(choices_of dp-map - log-format) <(fish_offers 'dp-map --log-format=' | sed 's/.*=//' | sort) || fail "--log-format="
}

# What zsh lists for a line, in a terminal of its own: words of the list.
zsh_offers() {
    cat >zpty.zsh <<'ZSH'
zmodload zsh/zpty
zpty line zsh -f -i
zpty -w line "PS1=; stty -echo; unsetopt zle_bracketed_paste; fpath=($1/completions/zsh \$fpath); autoload -Uz compinit; compinit -u -d $PWD/dump
zstyle ':completion:*' list-separator '  # '; zstyle ':completion:*' insert-tab false; LISTMAX=10000; COLUMNS=1000; LINES=1000
bindkey '^X^L' list-choices; unsetopt auto_menu; print re''ady"
while zpty -r line got; do [[ $got == *ready* ]] && break; done
zpty -w -n line "$2"$'\x18\x0c'
sleep ${3:-1}
all=
while zpty -r -t line got; do all+=$got; done
print -r -- "$all"
zpty -d line
ZSH
    HOME=$PWD ZDOTDIR=$PWD TERM=vt100 timeout 30 zsh -f zpty.zsh "$DP_ROOT" "$1" | tr -d '\r\0' | sed 's/\x1b\[[0-9;?]*[a-zA-Z]//g'
}

@test "zsh: each option of each program, and of a command" {
    needs_shell zsh
    for t in $(dp_tools); do
        [ -f "$DP_ROOT/completions/zsh/_$t" ] || fail "no completions for $t"
        zsh_offers "$t --" >offered
        grep -o -- '--[a-z][a-z0-9-]*' offered | sort -u >names
        missing=$(options_of "$t" | comm -23 - names)
        [ -z "$missing" ] || fail "$t: zsh does not offer $missing in: $(cat offered)"
    done
    zsh_offers "dp-table commit --" >offered
    grep -o -- '--[a-z][a-z0-9-]*' offered | sort -u >names
    missing=$(options_of dp-table commit | comm -23 - names)
    [ -z "$missing" ] || fail "dp-table commit: zsh does not offer $missing in: $(cat offered)"
}

@test "zsh: programs, commands and choices" {
    needs_shell zsh
    zsh_offers "dp-pa" >offered
    grep -q 'dp-partition' offered || fail "$(cat offered)"
    zsh_offers "dp-table " >offered
    for c in $(commands_of dp-table); do grep -qw "$c" offered || fail "$c: $(cat offered)"; done
    zsh_offers "dp-table commit --mode=" >offered
    for c in $(choices_of dp-table commit mode); do grep -q "$c" offered || fail "$c: $(cat offered)"; done
}

@test "zsh and fish read every file without a complaint" {
    needs_shell zsh
    needs_shell fish
    for f in "$DP_ROOT"/completions/zsh/_*; do zsh -n "$f" 2>err && [ ! -s err ] || fail "$f: $(cat err)"; done
    for f in "$DP_ROOT"/completions/fish/*.fish; do fish --no-config -n "$f" 2>err && [ ! -s err ] || fail "$f: $(cat err)"; done
}
