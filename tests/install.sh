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
export PKG_CONFIG_PATH="$dest/usr/lib/pkgconfig"
for static in '' --static; do
    for example in example example_parquet; do
        # shellcheck disable=SC2046,SC2086  # flags are words
        cc -std=c17 -Wall -Wextra -Werror -o "$dest/$example" tests/$example.c $(pkg-config --cflags --libs $static dp) 2>"$dest/err"
        ok $? "$example builds with the installed headers and pkg-config${static:+ $static} alone"
        sed 's/^/# /' "$dest/err"
    done
done
got=$(printf '{"b":1.10,"a":[null]}\n' | "$dest/example" .b)
[ "$got" = 1.10 ]
ok $? 'example works'
records='{"id":1,"name":"a","l":[1.5,null]}
{"id":2,"name":null,"l":[]}'
got=$(printf '%s\n{"id":"x"}\n' "$records" | "$dest/example_parquet" 'struct<id:int64 not null,name:string,l:list<double>>' "$dest/x.parquet" 2>"$dest/err")
[ "$got" = "$records" ] && grep -q '^line 3: id: expected int64' "$dest/err" && [ "$("$dest/usr/bin/dp-cat" "$dest/x.parquet")" = "$records" ]
ok $? 'example_parquet writes a file and reads it'
! printf '' | "$dest/example_parquet" 'struct<id:nothing>' "$dest/y.parquet" 2>/dev/null
ok $? 'and says what is wrong'
if command -v c++ >/dev/null; then
    (cd "$dest/usr/include" && find dp -name '*.h' | sed 's/.*/extern "C" {\n#include <&>\n}/') >"$dest/all.cc"
    c++ -std=c++17 -D_POSIX_C_SOURCE=200809L -fsyntax-only -I"$dest/usr/include" "$dest/all.cc" 2>"$dest/err"
    ok $? 'the headers are taken by a C++ compiler too'
    sed 's/^/# /' "$dest/err" | head -n 5
fi
make --no-print-directory uninstall prefix="$dest/usr" >>"$dest/log" 2>&1
left=$(find "$dest/usr" ! -type d)
[ -z "$left" ]
ok $? "make uninstall leaves nothing behind $left"
echo "1..$n"
