# shellcheck shell=bash
# What all bats files share: where programs and data are, assertions, a directory of their own for each test.
# DP_BIN: the programs under test (default: obj/release/bin).  DP_SHARED: corpus and data, tests that need them skip where they are absent.
# Every program sends its lineage events to DP_TEST_LINEAGE (default: SUITE.ndjson in obj/release/lineage, begun anew by each run of a suite; none: nowhere), where
# others check them all.

DP_ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
DP_BIN=$(cd "${DP_BIN:-$DP_ROOT/obj/release/bin}" && pwd) || exit 1
DP_SHARED=${DP_SHARED:-$DP_ROOT/../shared}
export DP_ROOT DP_BIN DP_SHARED
export PATH=$DP_BIN:$PATH LC_ALL=C.UTF-8
unset DP_MARKS DP_RUN_ID DP_JOB DP_MEMORY DP_THREADS DP_LINEAGE DP_LINEAGE_PERIOD
for dp_name in $(compgen -e); do
    case $dp_name in OPENLINEAGE_* | AIRFLOW_CTX_* | GITHUB_* | GIT_* | CI_*) unset "$dp_name" ;; esac
done

for dp_dir in /usr/lib/bats /usr/lib /usr/local/lib "${BATS_LIB_PATH:-/nonexistent}"; do
    if [ -f "$dp_dir/bats-support/load.bash" ]; then
        load "$dp_dir/bats-support/load.bash"
        load "$dp_dir/bats-assert/load.bash"
        break
    fi
done

# Every test works in an empty directory; what programs keep for their user is beside it.
dp_setup() {
    local events=${DP_TEST_LINEAGE:-${DP_BIN%/bin}/lineage/$(basename "$BATS_TEST_FILENAME" .bats).ndjson}
    export HOME=$BATS_TEST_TMPDIR.home XDG_STATE_HOME=$BATS_TEST_TMPDIR.home/state DP_LINEAGE=$events
    if [ "$events" != none ]; then
        mkdir -p "$HOME" "${events%/*}" || return 1
        [ "$BATS_TEST_NUMBER" -ne 1 ] || [ -n "${DP_TEST_LINEAGE:-}" ] || : >"$events"
    fi
    cd "$BATS_TEST_TMPDIR" || return 1
}
setup() { dp_setup; }

# Names of all programs.
dp_tools() { for dp_t in "$DP_BIN"/dp-*; do echo "${dp_t##*/}"; done; }

# What a program says of itself: dp_fact stream dp-map  ->  yes
dp_fact() { "$DP_BIN/$2" --dump-options | awk -F'\t' -v k="$1" '$1 == k && $2 == "-" { print $3; exit }'; }
dp_has_option() { "$DP_BIN/$1" --dump-options | awk -F'\t' -v o="$2" '$1 == "option" && $2 == "-" && $3 == o { f = 1 } END { exit !f }'; }

# Programs that read records on standard input, and the words (blanks between) that each needs to do so.  A new filter gets a line in dp_words.
dp_filters() { for dp_t in $(dp_tools); do [ -n "$(dp_words "$dp_t")" ] && echo "$dp_t"; done; return 0; }
dp_words() {
    case $1 in
    dp-map) echo "." ;;
    dp-validate) echo "--contract=$DP_ROOT/tests/cli/any.odcs.yaml" ;;
    dp-ingest) echo "--format=ndjson" ;;
    dp-cat) echo "--to=records" ;;
    dp-partition) echo "--output=out" ;;
    dp-window) echo "--count=1" ;;
    dp-dedupe) echo "--key=." ;;
    dp-mask) echo "--contract=$DP_ROOT/tests/cli/plain.odcs.yaml" ;;
    dp-join) echo "--kind=left --on=id=none --with=$DP_ROOT/tests/cli/none.ndjson" ;;
    esac
}
# Filters whose standard output is the records.
dp_record_filters() { for dp_t in $(dp_filters); do [ "$dp_t" != dp-partition ] && echo "$dp_t"; done; return 0; }
# Of them those whose output is the records of the input.
dp_keeping_filters() { for dp_t in $(dp_record_filters); do [ "$dp_t" != dp-window ] && echo "$dp_t"; done; return 0; }

# Runs a filter with the words it needs: dp_filter dp-map --threads 2 < in
dp_filter() {
    local tool=$1
    shift
    # shellcheck disable=SC2046 # words
    "$DP_BIN/$tool" "$@" $(dp_words "$tool")
}

# n records of some variety.
dp_records() {
    awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++)
        printf "{\"id\":%d,\"day\":\"2026-01-%02d\",\"price\":%d.%02d,\"name\":\"n\\u00e9 %d\",\"tags\":[\"a\",\"%d\"]}\n", i, i % 28 + 1, i % 97, i % 100, i * 7919 % 1000, i % 5 }'
}

# Waits until a process has nothing to do: it sleeps, and took no processor time between looks.  dp_settled PID...
dp_settled() {
    local p looks last now
    for p in "$@"; do
        looks=0 last=
        for ((dp_n = 0; dp_n < 1200 && looks < 4; dp_n++)); do
            now=$(cut -d' ' -f3,14,15 "/proc/$p/stat" 2>/dev/null) || return 0
            if [[ $now == S* && $now == "$last" ]]; then looks=$((looks + 1)); else looks=0; fi
            last=$now
            sleep 0.05
        done
    done
}
# until_ok WORDS...: the command succeeds some time, in half a minute at most
until_ok() {
    local n
    for ((n = 0; n < 600; n++)); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.05
    done
    fail "it never came true: $*; out: $(head -c 2000 out 2>/dev/null); err: $(cat err 2>/dev/null)"
}
# Waits, half a minute at most, until a command fails: dp_until_not kill -0 $pid
dp_until_not() {
    for ((dp_n = 0; dp_n < 600; dp_n++)); do
        "$@" >/dev/null 2>&1 || return 0
        sleep 0.05
    done
    fail "it stays true: $*"
}

# Exit code and message in one: dp_expect CODE TEXT, behind `run --separate-stderr`.
# shellcheck disable=SC2154 # status and output are those of run
dp_expect() {
    [ "$status" -eq "$1" ] || fail "exit $status, not $1; stderr: ${stderr:-$output}"
    [ -z "${2:-}" ] || [[ ${stderr:-$output} == *"$2"* ]] || fail "no \"$2\" in: ${stderr:-$output}"
}
