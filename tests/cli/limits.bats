#!/usr/bin/env bats
# Limits of include/dp/base/limits.h that a program meets, at the limit and one past it, and hostile archives: each ends soon, with an exit
# code and one line, in bounded memory, and writes nothing that an archive's names ask for.  Limits of one library are in its unit test.

# shellcheck disable=SC2154,SC2016 # status and stderr are those of run; perl's dollars
bats_require_minimum_version 1.5.0
load helper

# hostile CODE TEXT COMMAND...: ends within 30 s (about one on an idle machine), with 700 MB of address space, one line that says TEXT
hostile() {
    local want=$1 text=$2 rc=0
    shift 2
    # A sanitizer wants its address space, and must let an allocation fail as it does without.
    if grep -q __asan_init "$DP_BIN/dp-ingest"; then export ASAN_OPTIONS=allocator_may_return_null=1:${ASAN_OPTIONS:-}; else ulimit -v 700000; fi
    timeout 30 "$@" >/dev/null 2>err || rc=$?
    [ "$rc" -eq "$want" ] || fail "$*: exit $rc: $(cat err)"
    [ "$(wc -l <err)" -eq 1 ] && grep -q "$text" err || fail "$*: $(cat err)"
}
tarred() { tar --format=ustar --owner=0 --group=0 -cf - "$@"; }
# one member with this size field (12 bytes, as perl writes them): lying SIZE < BODY
lying() {
    perl -e 'my $h = pack("a100 a8 a8 a8 a12 a12 A8 a1 a355", "a.ndjson", "0000644", "0000000", "0000000", eval "\"$ARGV[0]\"", "00000000000", " ", "0", "\0" x 100 . "ustar\0" . "00");
             my $sum = unpack("%32C*", $h); substr($h, 148, 8) = sprintf("%06o\0 ", $sum); print $h; print while <STDIN>; print "\0" x 1024' "$1"
}

# DP_LIMIT_ARCHIVE_MEMBERS
@test "an archive of a million members, and of one more" {
    # directories in a cpio: 112 bytes each
    for n in 1000000 1000001; do
        perl -e 'my $e = "070701" . sprintf("%08x" x 13, 1, 040755, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 0) . "d\0"; $e .= "\0" x (-length($e) % 4);
                 print $e x 1000 for 1 .. $ARGV[0] / 1000; print $e x ($ARGV[0] % 1000)' $n >fifo.cpio
        [ "$n" -gt 1000000 ] || perl -e 'my $e = "070701" . sprintf("%08x" x 13, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 11, 0) . "TRAILER!!!\0"; print $e . "\0" x (-length($e) % 4)' >>fifo.cpio
        if [ "$n" -gt 1000000 ]; then hostile 4 'more than 1000000 members' dp-ingest -f ndjson fifo.cpio; else dp-ingest -f ndjson fifo.cpio; fi
    done
}

# DP_LIMIT_EXPANSION
@test "bytes out for each byte in: 10000 above a gigabyte" {
    # lines of 16 MiB, nearly all of them one byte repeated
    perl -e '$l = "{\"a\":\"" . "x" x ((16 << 20) - 9) . "\"}\n"; print $l for 1 .. 64' | zstd -q -1 >at.zst
    dp-ingest -q -f ndjson at.zst >/dev/null
    perl -e '$l = "{\"a\":\"" . "x" x ((16 << 20) - 9) . "\"}\n"; print $l for 1 .. 68' | zstd -q -1 >past.zst
    hostile 4 'more than 10000 bytes out' dp-ingest -f ndjson past.zst
    # what is passed over counts too
    { perl -e 'print pack("a100 a8 a8 a8 a12 a12 A8 a1 a355", "x", "0000644", "0", "0", sprintf("%011o", 1 << 31), "0", " ", "0", "")' | perl -0777 -pe 'my $s = unpack("%32C*", $_); substr($_, 148, 8) = sprintf("%06o\0 ", $s)'
      perl -e 'print "\0" x (1 << 20) for 1 .. 1100'; } | zstd -q -1 >tar.zst
    hostile 4 'more than 10000 bytes out' dp-ingest -f ndjson --member '*.csv' tar.zst
}

@test "a bomb of one line: the longest record, not the file, is held" {
    perl -e 'print "{\"a\":\""; print "x" x (1 << 20) for 1 .. 700' | gzip -1 >line.gz
    hostile 4 'max-record' dp-ingest -f ndjson line.gz
    perl -e 'print "\0" x (1 << 20) for 1 .. 700' | gzip -1 >nul.gz
    hostile 4 . dp-ingest -f ndjson nul.gz
    cp nul.gz x.csv.gz
    hostile 4 . dp-ingest -f csv x.csv.gz
}

# DP_LIMIT_RECORD, DP_LIMIT_RECORD_MAX
@test "--max-record: at the limit and one past it; its own bound" {
    for n in 1023 1024 1025; do
        perl -e 'print "{\"a\":\"", "x" x ($ARGV[0] - 8), "\"}\n"' $n >in
        rc=0
        dp-map --max-record=1K . <in >out.txt 2>err || rc=$?
        [ "$rc" -eq $((n > 1024 ? 4 : 0)) ] || fail "$n: exit $rc: $(cat err)"
    done
    dp-map --max-record=1G . <in >out.txt
    run --separate-stderr dp-map --max-record=$(((1 << 30) + 1)) .
    dp_expect 2 max-record
}

# DP_LIMIT_PATH
@test "a path line of 4096 bytes, and of 4097" {
    perl -e 'print "./" x 2046 . "abcd\n"' >at
    perl -e 'print "./" x 2046 . "abcde\n"' >past
    run --separate-stderr dp-cat --to records <at
    dp_expect 3
    hostile 4 '4096' dp-cat --to records <past
}

# DP_LIMIT_COLUMNS
@test "10000 columns, and one more" {
    for n in 10000 10001; do
        perl -e 'print join(",", map { "c$_" } 1 .. $ARGV[0]), "\n", join(",", (1) x $ARGV[0]), "\n"' $n >in.csv
        rc=0
        dp-ingest -q in.csv >out.txt 2>err || rc=$?
        [ "$rc" -eq $((n > 10000 ? 4 : 0)) ] || fail "$n: exit $rc: $(head -c 300 err)"
        [ "$n" -eq 10000 ] || grep -q 10000 err
    done
}

# DP_LIMIT_COMMIT_BYTES
@test "a log entry of a gigabyte and more: exit 4, not read" {
    echo '{"a":1}' | dp-contract infer - >c.yaml
    dp-table create t -c c.yaml
    truncate -s $(((1 << 30) + 1)) t/_delta_log/00000000000000000001.json
    hostile 4 00000000000000000001.json dp-cat --to records t
}

# DP_LIMIT_ARCHIVE_HEADER, but for the blocks in which it is read
@test "a member whose header takes 4 MiB, and one with more" {
    for n in $(((4 << 20) - (64 << 10))) $(((4 << 20) + (256 << 10))); do
        perl -e 'my ($n, $body) = ($ARGV[0], "{\"a\":1}\n");
            sub entry { my ($mode, $name, $data) = @_; my $e = "070701" . sprintf("%08x" x 13, 1, $mode, 0, 0, 1, 0, length $data, 0, 0, 0, 0, length($name) + 1, 0) . "$name\0";
                        $e .= "\0" x (-length($e) % 4) . $data; $e . "\0" x (-length($e) % 4) }
            print entry(0100644, "n" x $n, $body), entry(0, "TRAILER!!!", "")' $n >name.cpio
        if [ "$n" -lt $((4 << 20)) ]; then dp-ingest -q -f ndjson name.cpio | grep -q '{"a":1}'; else hostile 4 'the header of a member' dp-ingest -f ndjson name.cpio; fi
    done
}

# DP_LIMIT_SAMPLE: lines of a MiB each; a record belongs to the sample when less than the limit stands before it
@test "types come from the first 32 MiB: the record that fills them counts, the next does not" {
    for odd in 32 33; do
        perl -e 'for (1 .. 34) { my $a = $_ == $ARGV[0] ? "\"x\"" : 1; my $r = "{\"a\":$a,\"s\":\""; print $r, "s" x ((1 << 20) - length($r) - 3), "\"}\n" }' $odd >in.ndjson
        rm -rf out
        run --separate-stderr dp-partition -q -o out in.ndjson
        if [ $odd -eq 32 ]; then assert_success; else dp_expect 1 'in.ndjson:33'; fi
    done
}

@test "names in an archive are only names" {
    mkdir in
    printf '{x}\n' >in/a
    for name in ../../up /tmp/dp-absolute $'new\nline' $'\e[31mred' $'\xff\xfe' '$(touch no)' '{"a":1}'; do
        rm -f t.tar rejects
        tarred -P --transform="flags=r;s|.*|$(printf %s "$name" | sed 's/[\\&|]/\\&/g; s/$/\\/; $s/\\$//')|" in/a >t.tar
        dp-ingest -q -f ndjson --max-rejects=1 --rejects=rejects t.tar 2>err || fail "$(printf %q "$name"): $(cat err)"
        jq -se 'length == 1 and (.[0].reject.member | length > 0)' rejects >/dev/null || fail "$(cat rejects)"
        rc=0
        dp-ingest -q -f ndjson t.tar 2>err || rc=$?
        [ "$rc" -eq 4 ] && [ "$(wc -l <err)" -eq 1 ] && ! grep -q $'\e' err || fail "$(printf %q "$name"): exit $rc: $(cat -v err)"
    done
    [ ! -e ../../up ] && [ ! -e /tmp/dp-absolute ] && [ ! -e no ]
}

@test "an archive in an archive is refused by name" {
    echo '{"a":1}' >a.ndjson
    tarred a.ndjson >x.tar
    zip -q y.zip a.ndjson
    for inner in x.tar y.zip; do
        tarred $inner | gzip >t.tar.gz
        hostile 3 "$inner.*archive itself" dp-ingest -f ndjson t.tar.gz
    done
    gzip -c a.ndjson | gzip >twice.gz
    hostile 3 'more than once' dp-ingest -f ndjson twice.gz
}

@test "archives that are cut off: exit 4, wherever" {
    dp_records 3000 >a.ndjson
    tarred a.ndjson >t.tar
    gzip -k t.tar && bzip2 -k t.tar && xz -k t.tar && zstd -q t.tar && lz4 -q t.tar t.tar.lz4
    zip -q t.zip a.ndjson && 7z a -bd t.7z a.ndjson >/dev/null && echo a.ndjson | cpio -o -H newc >t.cpio 2>/dev/null
    gzip -kc a.ndjson >t.gz
    for f in t.tar t.tar.gz t.tar.bz2 t.tar.xz t.tar.zst t.tar.lz4 t.zip t.7z t.cpio t.gz; do
        dp-ingest -q -f ndjson $f | cmp - a.ndjson || fail "$f whole"
        size=$(stat -c %s $f)
        for part in 1 5 9; do
            head -c $((size * part / 11)) $f >cut
            rc=0
            timeout 10 dp-ingest -q -f ndjson cut >out.txt 2>err || rc=$?
            [ "$rc" -eq 4 ] && [ "$(wc -l <err)" -eq 1 ] || fail "$f cut at $part of 11: exit $rc: $(cat err)"
        done
    done
}

# DP_LIMIT_ARCHIVE_MEMORY
@test "a tar that lies about a member's size; a cpio about its name's; a 7z about its directory's" {
    for size in 77777777777 '\\x80\\x00\\x00\\x00\\x7f\\xff\\xff\\xff\\xff\\xff\\xff\\xff' '\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00'; do
        echo '{"a":1}' | lying "$size" >t.tar
        hostile 4 . dp-ingest -f ndjson t.tar
    done
    perl -e 'print "070701" . sprintf("%08x" x 13, 1, 0100644, 0, 0, 1, 0, 5, 0, 0, 0, 0, 0xfffffff0, 0); print "n" x (1 << 20) for 1 .. 16' >t.cpio
    hostile 4 . dp-ingest -f ndjson t.cpio # `the header of a member', or libarchive gets no memory for it
    # a directory of 99,999,999 files without names, in a few bytes: gigabytes of entries
    perl -e 'my $d = "\x01\x05\xe0\xff\xe0\xf5\x05\x00\x00"; use integer;
        my $crc = sub { my $c = 0xffffffff; for (unpack "C*", $_[0]) { $c ^= $_; for (1 .. 8) { $c = $c & 1 ? (($c >> 1) & 0x7fffffff) ^ 0xedb88320 : ($c >> 1) & 0x7fffffff } } ($c ^ 0xffffffff) & 0xffffffff };
        my $s = pack("Q<Q<L<", 0, length $d, $crc->($d)); print "7z\xbc\xaf\x27\x1c\0\4" . pack("L<", $crc->($s)) . $s . $d' >t.7z
    hostile 4 . dp-ingest -f ndjson t.7z
}
