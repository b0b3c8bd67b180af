#!/bin/sh
# Makes a venv of peers once (anew when its requirements change) and prints its python; fails where it can't be had.
# usage: venv.sh [SET]      obj/venv from requirements.txt, obj/venv-SET from requirements-SET.txt
set -eu
here=$(cd "$(dirname "$0")" && pwd)
list=$here/requirements${1:+-$1}.txt
venv=$here/../../obj/venv${1:+-$1}
want=$(cksum <"$list")
mkdir -p "$here/../../obj"
exec 9>"$venv.lock"
flock 9 # suites side by side want the same venv: one makes it, the others wait
if [ "$(cat "$venv/.made" 2>/dev/null)" != "$want" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv" >&2 9>&-
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$list" >&2 9>&-
    echo "$want" >"$venv/.made"
fi
cd "$venv" && echo "$PWD/bin/python"
