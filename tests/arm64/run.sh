#!/bin/bash
# The other architecture: builds everything for arm64, runs the library's tests in an emulator, and holds what the programs write to what they write here.
# usage: DP_BIN=DIR DP_GEN=PROGRAM run.sh       speaks TAP; needs gcc-aarch64-linux-gnu, qemu-user-static, Debian's arm64 packages (fetched, never installed)
# Not run there: tests whose limits are of time, which an emulator stretches; the bats files.
set -u
cd "$(dirname "$0")/../.." || exit 3
root=$PWD/obj/arm64/root
n=0

ok() { n=$((n + 1)); echo "ok $n - $*"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $*"; }
skip() { n=$((n + 1)); echo "ok $n - arm64 # SKIP $*"; echo "1..$n"; exit 0; }

# The libraries' arm64 packages, unpacked below obj/: apt with a state of its own, so that the machine stays as it is.
fetch() {
    local apt=$PWD/obj/arm64/apt
    [ ! -e "$root/.whole" ] || return 0
    rm -rf "$root" "$apt"
    mkdir -p "$root" "$apt/state/lists/partial" "$apt/cache/archives/partial"
    : >"$apt/status"
    cat >"$apt/conf" <<CONF
Dir::State "$apt/state";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
Debug::NoLocking "1";
CONF
    export APT_CONFIG=$apt/conf
    apt-get update -qq || return 1
    apt-get install -y -qq -d --no-install-recommends libc6-dev libzstd-dev liblz4-dev zlib1g-dev libsnappy-dev libbrotli-dev libyaml-dev libcsv-dev libxxhash-dev \
        libpcre2-dev libssl-dev libarchive-dev libjq-dev libsqlite3-dev libcmocka-dev || return 1
    unset APT_CONFIG
    for p in "$apt"/cache/archives/*.deb; do dpkg -x "$p" "$root" || return 1; done
    rm -rf "$apt"
    touch "$root/.whole"
}

# writes DIR [EMULATOR...]: what a pipeline writes, as one text: records behind the mask, the rejects, and each Parquet file's sum
writes() {
    local dir=$1
    shift
    rm -rf out && mkdir out
    "$@" "$dir/dp-ingest" -f ndjson events.ndjson --rejects out/bad --max-rejects 5% >out/records 2>/dev/null
    "$@" "$dir/dp-mask" -q -c events.yaml --key-file key out/records >out/masked
    "$@" "$dir/dp-partition" -q -c events.yaml --by 'day=day(ts)' --rejects out/misfits --max-rejects 5% -o out/files out/masked >out/names 2>/dev/null
    sha256sum <out/masked
    cat out/misfits >>out/bad
    sed 's/"run":"[^"]*"//; s/"ts":"[^"]*"//; s/"time":"[^"]*"//' out/bad | sha256sum
    sort out/names | xargs cat | sha256sum # one file for each day: their names differ behind it
}

[ "$(uname -m)" = x86_64 ] || skip "this machine is no x86-64: its own tests are the test"
command -v qemu-aarch64-static >/dev/null || skip "no qemu-aarch64-static (package qemu-user-static)"
command -v aarch64-linux-gnu-gcc >/dev/null || skip "no aarch64-linux-gnu-gcc (package gcc-aarch64-linux-gnu)"
mkdir -p obj/arm64
fetch >obj/arm64/fetch.log 2>&1 || { tail -n 5 obj/arm64/fetch.log >&2; skip "the arm64 packages can't be fetched"; }

# Only what is run: the library's tests and the programs of the pipeline, quickly compiled.
make_arm() { make --no-print-directory -s -j "$(nproc)" VARIANT=arm64 DEV=1 CFLAGS=-O1 CC="aarch64-linux-gnu-gcc --sysroot=$root" AR=aarch64-linux-gnu-ar SAN= "$@"; }
units=
for t in tests/unit/t_*.c; do
    t=$(basename "$t" .c)
    case $t in t_expr | t_expr_diff | t_limits) continue ;; esac
    units="$units obj/arm64/unit/$t"
done
# shellcheck disable=SC2086 # a list
if make_arm obj/arm64/bin/dp-ingest obj/arm64/bin/dp-mask obj/arm64/bin/dp-partition $units >obj/arm64/make.log 2>&1; then ok "everything compiles for arm64 without warnings"
else
    cat obj/arm64/make.log >&2
    not_ok "everything compiles for arm64 without warnings"
    echo "1..$n"
    exit 1
fi

test_one() { nice qemu-aarch64-static -L "$1" "$2" >"$2.log" 2>&1 && : >"$2.good"; }
export -f test_one
# shellcheck disable=SC2086
rm -f obj/arm64/unit/*.good
# shellcheck disable=SC2086,SC2016
printf '%s\n' $units | xargs -P "$(nproc)" -I{} bash -c 'test_one "$0" "{}"' "$root"
for t in $units; do
    if [ -e "$t.good" ]; then ok "$(basename "$t") on arm64"
    else
        grep -E 'ERROR|LINE|FAILED' "$t.log" | head -n 20 >&2
        not_ok "$(basename "$t") on arm64"
    fi
done

work=$(mktemp -d) || exit 3
trap 'rm -rf "$work"' EXIT
gen=$(realpath "${DP_GEN:?}") here=$(realpath "${DP_BIN:?}") there=$PWD/obj/arm64/bin contract=$PWD/quickstart/events.odcs.yaml
cd "$work" || exit 3
mkdir sample && "$gen" sample && awk 'NR % 10 == 1' sample/events.ndjson >events.ndjson && rm -rf sample
cp "$contract" events.yaml
(umask 077 && echo 'k1:9f3ac17e55d0b2846c1de0f7a3925b48' >key)
ours=$(writes "$here")
theirs=$(writes "$there" qemu-aarch64-static -L "$root")
if [ -s out/names ] && [ "$ours" = "$theirs" ]; then ok "the same bytes on both: records, rejects, Parquet files"
else
    printf '%s\n--\n%s\n' "$ours" "$theirs" >&2
    not_ok "the same bytes on both: records, rejects, Parquet files"
fi
echo "1..$n"
