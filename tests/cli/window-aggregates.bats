#!/usr/bin/env bats
# dp-window's aggregates as a whole program sees them: each function once, conditions, expressions, what errs, and results that depend on neither memory nor threads nor order.  Their
# values in detail: tests/unit/t_agg.c.

bats_require_minimum_version 1.5.0
load helper

readings() {
    printf '%s\n' '{"ts":1000,"v":1.10,"k":"a","ok":true}' '{"ts":2000,"v":4,"k":"b","ok":false}' '{"ts":3000,"v":null,"k":"a"}' '{"ts":5000,"v":0.40,"k":"a","ok":true}'
}

@test "each aggregate once" {
    readings >in
    run -0 --separate-stderr sh -c "dp-window --time ts --tumble 1m --agg 'n=count(),c=count(v),s=sum(v),m=mean(v),l=min(v),h=max(k),va=var_pop(v),sd=stddev_samp(v)' \
        --agg 'q=quantile(v,0.95),md=median(v),qa=quantile_approx(v,0.5),t=top(v,2),mo=most(k,1),d=distinct(k),da=distinct_approx(k)' \
        --agg 'f=first(v),la=last(v),co=collect(k),de=delta(v),r=rate(v),y=sum(v) where .ok,x=.s / .c' in | cut -d, -f3-"
    assert_output '"n":4,"c":3,"s":5.50,"m":1.8333333333333333,"l":0.40,"h":"b","va":2.428888888888889,"sd":1.9087517736293877,"q":4,"md":1.1,"qa":1.1,"t":[4,1.10],"mo":[{"value":"a","count":3}],"d":2,"da":2,"f":1.10,"la":0.40,"co":["a","b","a","a"],"de":-0.70,"r":-0.175,"y":1.50,"x":1.8333333333333333}'
}

@test "what an aggregate can't take: the record is set aside; of a window without order nothing is printed" {
    printf '%s\n' '{"ts":1,"v":1}' '{"ts":2,"v":"x"}' >in
    run -0 --separate-stderr dp-window --time ts --tumble 1s --agg 's=sum(v)' --max-rejects 1 --rejects bad in
    assert_output '{"window_start":"1970-01-01T00:00:00Z","window_end":"1970-01-01T00:00:01Z","s":1}'
    assert_equal "$(jq -c '[.reject.line, .reject.rules[0].reason]' bad)" '[2,"v: sum wants a number, got a string"]'
    run -1 --separate-stderr dp-window --time ts --tumble 1s --agg 'low=min(v)' in
    refute_output
    assert_equal "$stderr" "dp-window: low: numbers and strings in one window have no order"
    run -2 --separate-stderr dp-window --time ts --tumble 1s --agg 'n=count(),a=avg(v)' in
    assert_equal "$stderr" 'dp-window: --agg: aggregate `n=count(),a=avg(v)`, column 13: no aggregate has the name avg; did you mean mean?'
}

# Doubles, decimals of any length and strings in disorder.
many() {
    jq -nc --arg o "$1" '[range(3000)] | (if $o == "back" then reverse else . end)[] |
        {ts: (. * 37 % 60000), v: (if . % 3 == 0 then . / 7 elif . % 3 == 1 then . * 1e15 else -. end), k: "k\(. % 300)"}'
}

@test "the same rows for any order, memory and threads" {
    many forth >forth
    many back >back
    local agg='s=sum(v),m=mean(v),va=var_samp(v),l=min(v),h=max(v),q=quantile(v,0.9),qa=quantile_approx(v,0.9),t=top(v,3),d=distinct(v),da=distinct_approx(v),mo=most(k,3)'
    dp-window --time ts --tumble 20s --key k --agg "$agg" -j 1 forth >one
    dp-window --time ts --tumble 20s --key k --agg "$agg" -j 4 -m 16M back >two
    cmp one two
    dp-window --time ts --tumble 20s --agg "$agg" -j 1 forth >one
    dp-window --time ts --tumble 20s --agg "$agg" -j 2 -m 16M back >two
    cmp one two
    assert_equal "$(wc -l <one)" 3
}
