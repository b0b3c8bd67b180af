#!/bin/sh
# Makes the venv of the peers once (obj/venv, anew when requirements.txt changes) and prints its python; fails where
# it can't be had.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venv=$here/../../obj/venv
want=$(cksum <"$here/requirements.txt")
if [ "$(cat "$venv/.made" 2>/dev/null)" != "$want" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv" >&2
    "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" >&2
    echo "$want" >"$venv/.made"
fi
cd "$venv" && echo "$PWD/bin/python"
