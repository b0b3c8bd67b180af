# Completions out of the option table:  dp-map --dump-options | awk -v shell=bash -f completions/gen.awk > completions/bash/dp-map
#
# shell is bash, zsh or fish.  Input is what --dump-options prints: one fact a line, fields parted by tabs.
#   tool NAME SUMMARY | command NAME SUMMARY | operands CMD WHAT MIN MAX | stream CMD yes|no
#   option CMD LONG LETTER KIND ARG CHOICES DEFAULT GROUP HELP         (CMD is - for the program itself)

BEGIN { FS = "\t" }
$1 == "tool" { tool = $2; summary = $3 }
$1 == "command" { commands[++n_commands] = $2; about[$2] = $3 }
$1 == "operands" { what[$2] = $3 }
$1 == "option" {
    i = ++n
    cmd[i] = $2; long[i] = $3; letter[i] = $4 == "-" ? "" : $4; kind[i] = $5
    arg[i] = $6; choices[i] = $7 == "-" ? "" : $7; help[i] = $10
}
END {
    if (shell == "bash") bash()
    else if (shell == "zsh") zsh()
    else if (shell == "fish") fish()
    else { print "gen.awk: -v shell=bash, zsh or fish" > "/dev/stderr"; exit 2 }
}

function takes_value(i) { return kind[i] != "flag" && kind[i] != "set" }
function takes_files(c) { return c ~ /SOURCE|FILE|TABLE|PATH|DIR|CONTRACT|OLD|NEW/ }
function blanks(s) { gsub(/,/, " ", s); return s }
function squote(s) { gsub(/'/, "'\\''", s); return "'" s "'" }
function all_commands(    s, k) { for (k = 1; k <= n_commands; k++) s = s (k > 1 ? " " : "") commands[k]; return s }
function bars(s) { gsub(/ /, "|", s); return s }

# ---- bash ----

function bash_words(c,    i, s) {
    for (i = 1; i <= n; i++) if (cmd[i] == c) s = s (s == "" ? "" : " ") "--" long[i] (letter[i] != "" ? " -" letter[i] : "")
    return s
}
function bash_values(c,    i, how, pattern) {
    for (i = 1; i <= n; i++) {
        if (cmd[i] != c || !takes_value(i)) continue
        pattern = c "," "--" long[i] (letter[i] != "" ? "|" c ",-" letter[i] : "")
        if (choices[i] != "") how = "COMPREPLY=($(compgen -W '" blanks(choices[i]) "' -- \"$cur\"))"
        else if (kind[i] == "path") how = "COMPREPLY=($(compgen -f -- \"$cur\"))"
        else if (kind[i] == "dir") how = "COMPREPLY=($(compgen -d -- \"$cur\"))"
        else how = "COMPREPLY=()"
        print "        " pattern ") " how "; return ;;"
    }
}
function bash(    f, k, c) {
    f = tool; gsub(/-/, "_", f); f = "_" f
    print "# bash completion for " tool ", made by completions/gen.awk"
    print f "() {"
    print "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=- word"
    print "    if [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi"
    if (n_commands) {
        print "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do"
        print "        case $word in " bars(all_commands()) ") cmd=$word; break ;; esac"
        print "    done"
    } else {
        print "    : \"$word\""
    }
    print "    case $cmd,$prev in"
    bash_values("-")
    for (k = 1; k <= n_commands; k++) bash_values(commands[k])
    print "    esac"
    print "    if [[ $cur == -* ]]; then"
    print "        case $cmd in"
    print "        -) COMPREPLY=($(compgen -W '" bash_words("-") "' -- \"$cur\")) ;;"
    for (k = 1; k <= n_commands; k++) print "        " commands[k] ") COMPREPLY=($(compgen -W '" bash_words(commands[k]) "' -- \"$cur\")) ;;"
    print "        esac"
    print "        return"
    print "    fi"
    if (n_commands) print "    if [[ $cmd == - ]]; then COMPREPLY=($(compgen -W '" all_commands() "' -- \"$cur\")); return; fi"
    print "    COMPREPLY=($(compgen -f -- \"$cur\"))"
    print "}"
    print "complete -o filenames -F " f " " tool
}

# ---- zsh ----

function zsh_text(s) { gsub(/\\/, "\\\\", s); gsub(/\[/, "\\[", s); gsub(/\]/, "\\]", s); gsub(/:/, "\\:", s); return s }
function zsh_option(i,    tail, spec) {
    if (takes_value(i)) {
        tail = ":" zsh_text(arg[i]) ":"
        if (choices[i] != "") tail = tail "(" blanks(choices[i]) ")"
        else if (kind[i] == "path") tail = tail "_files"
        else if (kind[i] == "dir") tail = tail "_files -/"
        else tail = tail " "
    }
    spec = "[" zsh_text(help[i]) "]" tail
    gsub(/'/, "'\\''", spec)
    if (letter[i] != "") return "'(-" letter[i] " --" long[i] ")'{-" letter[i] (takes_value(i) ? "+" : "") ",--" long[i] (takes_value(i) ? "=" : "") "}'" spec "'"
    return (kind[i] == "list" ? "'*" : "'") "--" long[i] (takes_value(i) ? "=" : "") spec "'"
}
function zsh_arguments(c, indent,    i) {
    for (i = 1; i <= n; i++) if (cmd[i] == c) print indent zsh_option(i) " \\"
}
function zsh(    k) {
    print "#compdef " tool
    print "# zsh completion for " tool ", made by completions/gen.awk"
    if (!n_commands) {
        print "_arguments -s -S \\"
        zsh_arguments("-", "    ")
        print "    '*:" zsh_text(what["-"]) ":" (takes_files(what["-"]) ? "_files" : " ") "'"
        return
    }
    print "local context state line"
    print "typeset -A opt_args"
    print "_arguments -s -S -C \\"
    zsh_arguments("-", "    ")
    print "    '1:command:((" zsh_commands() "))' \\"
    print "    '*::operand:->rest'"
    print "case $words[1] in"
    for (k = 1; k <= n_commands; k++) {
        print commands[k] ")"
        print "    _arguments -s -S \\"
        zsh_arguments(commands[k], "        ")
        print "        '*:" zsh_text(what[commands[k]]) ":" (takes_files(what[commands[k]]) ? "_files" : " ") "' ;;"
    }
    print "esac"
}
function zsh_commands(    k, s, t) {
    for (k = 1; k <= n_commands; k++) {
        t = about[commands[k]]; gsub(/[^A-Za-z0-9]/, "\\\\&", t); gsub(/'/, "'\\''", t) # zsh evaluates the list
        s = s (k > 1 ? " " : "") commands[k] "\\:" t
    }
    return s
}

# ---- fish ----

function fish_option(i, when,    s) {
    s = "complete -c " tool when " -l " long[i]
    if (letter[i] != "") s = s " -s " letter[i]
    if (takes_value(i)) {
        if (choices[i] != "") s = s " -x -a " squote(blanks(choices[i]))
        else if (kind[i] == "path") s = s " -r -F"
        else if (kind[i] == "dir") s = s " -x -a '(__fish_complete_directories)'"
        else s = s " -x"
    }
    print s " -d " fish_quote(help[i])
}
function fish_quote(s) { gsub(/\\/, "\\\\", s); gsub(/'/, "\\'", s); return "'" s "'" }
function fish(    i, k, all) {
    print "# fish completion for " tool ", made by completions/gen.awk"
    all = all_commands()
    for (k = 1; k <= n_commands; k++)
        print "complete -c " tool " -f -n 'not __fish_seen_subcommand_from " all "' -a " commands[k] " -d " fish_quote(about[commands[k]])
    for (i = 1; i <= n; i++) {
        if (cmd[i] == "-") fish_option(i, n_commands ? " -n 'not __fish_seen_subcommand_from " all "'" : "")
        else fish_option(i, " -n '__fish_seen_subcommand_from " cmd[i] "'")
    }
}
