#!/usr/bin/env bats
# dp-retain keygen: what it writes, what it refuses, and that another program takes the keys.

# shellcheck disable=SC2154 # status and output are those of run
bats_require_minimum_version 1.5.0
load helper

@test "a key of mode 0600 and its public half, whose id is printed" {
    umask 022
    run dp-retain keygen k
    assert_success
    [[ $output =~ ^[0-9a-f]{16}$ ]]
    [ "$(stat -c %a k)" = 600 ]
    [ "$(stat -c %a k.pub)" = 644 ]
    openssl pkey -in k -pubout >again
    cmp again k.pub
    assert_equal "$(openssl pkey -pubin -in k.pub -outform DER | tail -c 32 | sha256sum | cut -c 1-16)" "$output"
    umask 0
    dp-retain keygen open
    [ "$(stat -c %a open)" = 600 ]
}

@test "no key is overwritten; a lost public half is made from the key; two keys differ" {
    dp-retain keygen k >id
    cp k before
    run --separate-stderr dp-retain keygen k
    dp_expect 2 "k.pub is there already: a key file is never overwritten"
    mv k.pub pub
    run dp-retain keygen k
    assert_output "$(cat id)"
    cmp k before
    cmp k.pub pub
    rm k
    run --separate-stderr dp-retain keygen k
    dp_expect 2 "never overwritten"
    [ ! -e k ]
    dp-retain keygen other >other.id
    run ! cmp -s id other.id
}

@test "a key file that others can read, a directory and what is no key are refused, and stay as they are" {
    dp-retain keygen k >/dev/null
    rm k.pub
    chmod 640 k
    run --separate-stderr dp-retain keygen k
    dp_expect 2 "can be read by others (mode 640)"
    [ ! -e k.pub ]
    echo secret-word >plain
    chmod 600 plain
    run --separate-stderr dp-retain keygen plain
    dp_expect 2 "holds no Ed25519 key"
    [[ $stderr != *secret-word* ]]
    assert_equal "$(cat plain)" secret-word
    mkdir d
    run --separate-stderr dp-retain keygen d
    dp_expect 2 "is a directory"
    run --separate-stderr dp-retain keygen none/k
    dp_expect 3 "none"
}
