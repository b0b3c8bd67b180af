#!/bin/sh
# make install into a DESTDIR, a program built from it with pkg-config alone, make uninstall.  TAP.
set -u
n=0
ok() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi; }
dest=$(mktemp -d) || exit 3
trap 'rm -rf "$dest"' EXIT
make --no-print-directory install prefix="$dest/usr" >"$dest/log" 2>&1
ok $? 'make install'
missing=
for t in tools/dp-*.c; do
    t=$(basename "$t" .c)
    for f in "bin/$t" "share/man/man1/$t.1" "share/bash-completion/completions/$t" "share/zsh/site-functions/_$t" "share/fish/vendor_completions.d/$t.fish"; do
        [ -s "$dest/usr/$f" ] || missing="$missing $f"
    done
done
for f in lib/libdp.a lib/pkgconfig/dp.pc include/dp/base/status.h share/man/man7/dp.7 share/man/man5/dp-records.5; do
    [ -s "$dest/usr/$f" ] || missing="$missing $f"
done
[ -z "$missing" ]
ok $? "every program comes with its man page and completions$missing"
# shellcheck disable=SC2046  # flags are words
cc -std=c17 -o "$dest/example" tests/example.c $(PKG_CONFIG_PATH="$dest/usr/lib/pkgconfig" pkg-config --cflags --libs dp) 2>"$dest/err"
ok $? 'a program builds with the installed headers and pkg-config alone'
sed 's/^/# /' "$dest/err"
got=$(printf '{"b":1.10,"a":[null]}\n' | "$dest/example" .b)
[ "$got" = 1.10 ]
ok $? 'and works'
make --no-print-directory uninstall prefix="$dest/usr" >>"$dest/log" 2>&1
left=$(find "$dest/usr" ! -type d)
[ -z "$left" ]
ok $? "make uninstall leaves nothing behind $left"
echo "1..$n"
