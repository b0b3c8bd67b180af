#!/usr/bin/env bats
# dp-window --state: what is in it after any number of runs, which of its checkpoints is restored, taking keys from other states (--from-state), looking into one (--inspect).
# Crashes: tests/faults/window.sh; the format and its damages: tests/unit/t_state.c.

# shellcheck disable=SC2030,SC2031,SC2016
bats_require_minimum_version 1.5.0
load helper

Q=(--time ts --key k --tumble 1s --delay 500ms --agg 'n=count(),s=sum(v),l=max(id)')

rows() { # FROM TO   nearly in order
    seq "$1" "$2" | awk '{ printf "{\"id\":%d,\"ts\":%d,\"k\":\"k%d\",\"v\":%d}\n", $1, $1 * 100 + $1 * 7919 % 5 * 60, $1 * 31 % 13, $1 % 10 }'
}
mark() { echo "{\"\$dp\":\"$1\",\"run\":\"r\"$2}"; }
checkpoint() { mark checkpoint ",\"source\":\"s\",\"partition\":\"0\",\"position\":\"$1\",\"id\":\"at$1\""; }
# A stream that begins where checkpoint ID was, with rows up to some more checkpoints: stream ID FROM TO...
stream() {
    local id=$1 from=$2 to
    shift 2
    mark begin ",\"id\":\"$id\""
    for to; do
        rows "$from" "$to"
        checkpoint "$to"
        from=$((to + 1))
    done
}
whole() { # closes a stream on standard input, as the program that began it would
    tee body
    grep -v '^{"$dp"' body >records || true
    mark end ",\"records\":$(grep -c . records),\"hash\":\"$(dp-cat --marks --to records records | jq -r 'select(."$dp" == "end").hash')\""
}
until_mark() { sed "/\"id\":\"at$1\"/q" | data; } # what a sink has that committed at this checkpoint
data() { sed '/^{"$dp"/d'; }

@test "a file that grows: the rows of many runs are those of one" {
    rows 1 900 >all
    dp-window "${Q[@]}" --flush all >want
    : >f
    : >got
    for to in 100 350 351 800 800 900; do
        rows 1 $to >f
        dp-window "${Q[@]}" --state s f >>got
    done
    dp-window "${Q[@]}" --state s --flush f >>got
    diff want got
    [ "$(stat -c %a s)" = 700 ] && [ "$(stat -c %a s/*.ck | sort -u)" = 600 ]
}

@test "begin names the checkpoint, also where the state is ahead; what came behind it is of a dead branch" {
    rows 1 900 >all
    dp-window "${Q[@]}" --flush all >want
    run -4 bash -c 'dp-window "$@" --state s <"$0" >one' <(stream "" 1 200 400 600) "${Q[@]}" # cut: the state is at 600
    for at in 200 400 600; do # whichever of them the sink had committed
        rm -rf t && cp -a s t
        stream at$at $((at + 1)) 700 900 | whole | dp-window "${Q[@]}" --state t >two
        stream at900 901 | whole | dp-window "${Q[@]}" --state t --flush >three
        { until_mark $at <one; data <two; data <three; } | diff want - || fail "from $at"
    done
    # the last one that died had gone on from 200: at400 of the run before is still there for a commit that won after all, and is never the newest
    run -4 bash -c 'dp-window "$@" --state s <"$0" >two' <(stream at200 201 300) "${Q[@]}"
    dp-window --state s --inspect | jq -c 'select(.kind == "checkpoint") | [.number, .goes_on_from, .id, .live]' >points
    echo '[1,0,"at200",true]
[2,1,"at400",false]
[3,2,"at600",false]
[4,1,"at300",true]' | diff - points
    head -c 100 s/000000000004-000000000001.ck >cut && cp cut s/000000000004-000000000001.ck
    rows 201 900 >rest
    dp-window "${Q[@]}" --state s --flush --no-progress - <rest >three 2>err
    grep -q 'number 4) is damaged; going on from number 1' err
    { until_mark 200 <one; cat three; } | diff want -
}

@test "from nothing where begin says so, from the newest without a begin" {
    rows 1 900 >all
    dp-window "${Q[@]}" --flush all >want
    run -4 bash -c 'dp-window "$@" --state s <"$0" >one' <(stream "" 1 200 400) "${Q[@]}"
    cp -a s t
    stream "" 1 500 900 | whole | dp-window "${Q[@]}" --state s --flush 2>err | data | diff want -
    [ ! -s err ]
    stream "" 1 900 | sed 's/,"id":""//' | whole | dp-window "${Q[@]}" --state s --flush 2>err | data | diff want -
    grep -q 'is --since missing' err
    rows 401 900 | dp-window "${Q[@]}" --state t --flush >two
    { until_mark 400 <one; cat two; } | diff want -
}

@test "a checkpoint that is not there, or damaged, is no start: exit 4 names those that are whole" {
    run -4 bash -c 'dp-window "$@" --state s <"$0" >one' <(stream "" 1 200 400) "${Q[@]}"
    run -4 --separate-stderr bash -c 'dp-window "$@" --state s <"$0"' <(stream at300 301 400) "${Q[@]}"
    [[ $stderr == *'checkpoint "at300" of the state s is not there; whole are: "at400", "at200"'* ]]
    printf x | dd of=s/000000000002-000000000001.ck bs=1 seek=70 conv=notrunc status=none
    run -4 --separate-stderr bash -c 'dp-window "$@" --state s <"$0"' <(stream at400 401 500) "${Q[@]}"
    [[ $stderr == *'checkpoint "at400" of the state s is damaged; whole are: "at200"'* ]]
    [ -z "$(find s -name '*.tmp')" ] && [ "$(find s -name '*.ck' | wc -l)" -eq 2 ]
}

@test "a run without records goes on where records were changes of a table" {
    { mark begin ',"id":""'; rows 1 50 | sed 's/}$/,"_change_type":"insert"}/'; checkpoint 50; } >one
    run -4 bash -c 'dp-window "$@" --state s <one' - "${Q[@]}"
    stream at50 51 50 | whole | dp-window "${Q[@]}" --state s --flush --no-progress | data >two
    [ -s two ]
    mark begin ',"id":"at50"' >three
    rows 49 49 | sed 's/}$/,"_change_type":"delete"}/' >>three
    whole <three | dp-window "${Q[@]}" --state s --flush | data >four
    [ "$(jq -s 'map(.n) | add' two)" -eq $(($(jq -s 'map(.n) | add' four) + 1)) ] # taken back
}

@test "another query, another program's state, a directory of something else: exit 2" {
    rows 1 50 >f
    dp-window "${Q[@]}" --state s f >out
    run -2 --separate-stderr dp-window --time ts --key k --tumble 2s --delay 500ms --agg 'n=count(),s=sum(v),l=max(id)' --state s f
    [[ $stderr == *'the state s was made by another query: size_ms was 1000, is 2000'* ]]
    run -2 --separate-stderr dp-window "${Q[@]}" --part 1/2 --state s f
    [[ $stderr == *'part was null, is "1/2"'* ]]
    mkdir d && cp f d
    run -2 --separate-stderr dp-window "${Q[@]}" --state d f
    [[ $stderr == *'d is no state: it has other files'* ]]
    [ "$(ls -A d)" = "f"$'\n'".lock" ] || [ "$(ls -A d | sort | paste -sd' ')" = ".lock f" ]
}

@test "one at a time: exit 75" {
    mkfifo in
    rows 1 50 >f
    dp-window "${Q[@]}" --state s <in >out 2>err &
    pid=$!
    exec 5>in
    rows 1 300 >&5
    until_ok test -e s/state.json
    run -75 --separate-stderr dp-window "${Q[@]}" --state s f
    [[ $stderr == *'another process works on the state s'* ]]
    exec 5>&-
    wait "$pid"
    dp-window "${Q[@]}" --state s --flush f >more # late or not, it goes on
}

@test "parts of the keys: together they are the whole, in any number, and taken over in any other" {
    rows 1 400 >one
    rows 401 900 >two
    dp-window "${Q[@]}" --flush one two | sort >want
    for from in 1 2 3; do
        rm -rf old new out
        for ((i = 1; i <= from; i++)); do dp-window "${Q[@]}" --part $i/$from --state old/$i one >>out; done
        dirs=()
        for ((i = 1; i <= from; i++)); do dirs+=(--from-state old/$i); done
        for to in 1 2 4; do
            rm -rf new
            cp out got
            for ((i = 1; i <= to; i++)); do
                dp-window "${Q[@]}" --part $i/$to --state new/$i "${dirs[@]}" one two >>got 2>err || fail "$from to $to: $(cat err)"
                mv old gone # from here on it is not asked again
                dp-window "${Q[@]}" --part $i/$to --state new/$i "${dirs[@]}" --flush one two >>got || fail "$from to $to, again"
                mv gone old
            done
            sort got | diff want - || fail "$from parts to $to"
        done
    done
}

@test "parts are taken over at the checkpoint that begin names" {
    rows 1 900 >all
    dp-window "${Q[@]}" --flush all | sort >want
    for i in 1 2; do run -4 bash -c 'dp-window "$@" <"$0" >one' <(stream "" 1 200 400) --part $i/2 --state old/$i "${Q[@]}"; until_mark 200 <one; done >got
    for i in 1 2 3; do
        stream at200 201 600 900 | whole | dp-window "${Q[@]}" --part $i/3 --state new/$i --from-state old/1 --from-state old/2 | data
        stream at900 901 | whole | dp-window "${Q[@]}" --part $i/3 --state new/$i --from-state old/1 --from-state old/2 --flush | data
    done >>got
    sort got | diff want -
}

@test "states that don't fit together are refused" {
    rows 1 400 >one
    for i in 1 2; do dp-window "${Q[@]}" --part $i/2 --state old/$i one >/dev/null; done
    dp-window "${Q[@]}" --state all one >/dev/null
    dp-window --time ts --tumble 1s --delay 500ms --key k --state other one >/dev/null
    refused() { # WORDS OPTION...
        local words=$1
        shift
        run -2 --separate-stderr dp-window "${Q[@]}" "$@" one
        [[ $stderr == *"$words"* ]] || fail "$stderr"
    }
    refused "don't have all keys of part 2/4: those from 1/4 on are missing" --part 2/4 --state n1 --from-state old/2
    dp-window "${Q[@]}" --part 2/4 --state n2 --from-state old/1 one >/dev/null # one of two holds it
    refused "have the same keys" --part 1/4 --state n3 --from-state old/1 --from-state all
    refused "aggregates was" --part 1/2 --state n4 --from-state other
    refused "needs --state" --part 1/2 --from-state all
    rows 401 450 >>one
    dp-window "${Q[@]}" --part 1/2 --state old/1 one >/dev/null # one of them goes on alone
    run --separate-stderr dp-window "${Q[@]}" --state n5 --from-state old/1 --from-state old/2 one
    [ "$status" -eq 2 ] || [ "$status" -eq 4 ] # read something else, or of another moment
    [ -z "$(find n1 n3 n4 n5 -name '*.ck')" ]
}

@test "a look into a state changes nothing, and needs no option" {
    rows 1 45 >f
    dp-window "${Q[@]}" --state s f >out
    find s -type f -exec md5sum {} + | sort >before
    dp-window --state s --inspect >lines
    find s -type f -exec md5sum {} + | sort | diff before -
    jq -es '.[0].kind == "query" and .[0].query.size_ms == 1000 and .[1].kind == "checkpoint" and .[1].number == 1' lines
    jq -es 'map(select(.kind == "position"))[0].offset == '"$(stat -c %s f)" lines
    # what is open is what a flush prints
    jq -c 'select(.kind == "windows") | .key[0] as $k | .windows[] | [.start, $k, .n, .s, .l]' lines | sort >open
    dp-window "${Q[@]}" --epoch ms --state s --flush f | jq -c '[.window_start, .k, .n, .s, .l]' | sort | diff open -
    [ -s open ]
    run -2 dp-window --inspect
    run -3 dp-window --state nothing --inspect
    [ ! -e nothing ]
    for w in --hop=2s,1s\ --delay=1s --session=700ms\ --delay=1s --slide=300ms\ --delay=1s --count=7 --calendar=day\ --timezone=+02:00\ --delay=1s; do
        rm -rf x
        # shellcheck disable=SC2086 # words
        dp-window --time ts --key k,v $w --state x f >out
        dp-window --state x --inspect | jq -es 'any(.kind == "windows" and (.key | length) == 2 and .windows[0].n > 0)' || fail "$w"
    done
}
