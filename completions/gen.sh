#!/bin/sh
# Writes the completions of all programs in $DP_BIN for bash, zsh and fish below the folder $1:  DP_BIN=obj/release/bin sh completions/gen.sh completions
set -eu
out=$1
here=$(dirname "$0")
for shell in bash zsh fish; do mkdir -p "$out/$shell"; done
for program in "${DP_BIN:?the folder of the programs}"/dp-*; do
    name=${program##*/}
    "$program" --dump-options >"$out/.dump"
    awk -v shell=bash -f "$here/gen.awk" "$out/.dump" >"$out/bash/$name"
    awk -v shell=zsh -f "$here/gen.awk" "$out/.dump" >"$out/zsh/_$name"
    awk -v shell=fish -f "$here/gen.awk" "$out/.dump" >"$out/fish/$name.fish"
done
rm -f "$out/.dump"
