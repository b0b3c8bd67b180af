#!/usr/bin/env bats
# dp-ingest: formats, dialects, types, rejects, archives, positions.

bats_require_minimum_version 1.5.0
load helper

@test "CSV: numbers keep their digits, codes stay strings, times are ISO" {
    printf 'code,price,id,at\n01,2.50,17850.0,2010-12-01 08:26:00\n' >a.csv
    run --separate-stderr dp-ingest a.csv
    dp_expect 0
    assert_output '{"code":"01","price":2.50,"id":17850.0,"at":"2010-12-01T08:26:00"}'
    run --separate-stderr dp-ingest -v a.csv
    [[ $stderr == *"--delimiter=','"*"--types 'code=string,price=decimal(18,2),id=double,at=timestamp_ntz'"* ]]
}

@test "files with the same header get the same types" {
    printf 'no,q\n1,1\n' >a.csv
    printf 'no,q\nC2,2\n' >b.csv
    run --separate-stderr dp-ingest a.csv b.csv
    assert_output $'{"no":"1","q":1}\n{"no":"C2","q":2}'
}

@test "dialects: told, and forced" {
    run dp-ingest <<<$'a;b\n1,5;x\n2,5;y'
    assert_output $'{"a":"1,5","b":"x"}\n{"a":"2,5","b":"y"}'
    run dp-ingest --delimiter=pipe --quote="'" --header=no --types=none <<<"1|'a|b'"
    assert_output '{"column_1":"1","column_2":"a|b"}'
    run dp-ingest -f tsv --null NA --comment='#' <<<$'a\tb\n#x\nNA\t"NA"'
    assert_output '{"a":null,"b":"NA"}'
    run dp-ingest --skip=2 --newline=lf <<<$'x\ny\na,b\n1,2'
    assert_output '{"a":1,"b":2}'
    run dp-ingest --escape='\' <<<'a,b
1,"q\"q"'
    assert_output '{"a":1,"b":"q\"q"}'
    run --separate-stderr dp-ingest --delimiter=ab </dev/null
    dp_expect 2 "one ASCII character"
}

@test "types: forced, coerced, refused" {
    run dp-ingest --types 'a=double,b=boolean,c=decimal(10,2)' <<<$'a,b,c\n+1.5,TRUE,007.10'
    assert_output '{"a":1.5,"b":true,"c":7.10}'
    run --separate-stderr dp-ingest --types nope=int64 <<<$'a\n1'
    dp_expect 2 "names no column"
    run --separate-stderr dp-ingest --types pirce=int64 <<<$'id,price\n1,2'
    dp_expect 2 "did you mean 'price'?"
    run --separate-stderr dp-ingest --types a=int64 <<<$'a,b\nn/a,1'
    dp_expect 1 "-:2: a: expected int64, got \"n/a\" (--types 'a=string' would let it pass)"
}

@test "--format: a wrong word is exit 2 and names the nearest" {
    run --separate-stderr dp-ingest -f cvs <<<$'a,b\n1,2'
    dp_expect 2 'did you mean "csv"?'
    run dp-ingest -f jsonl <<<'{"a":1}'
    assert_output '{"a":1}'
}

@test "a glob without files: exit 3 and what to do, with --skip-empty 99" {
    run --separate-stderr dp-ingest '*.csv'
    dp_expect 3 "no file matches *.csv (--skip-empty takes that for nothing to do)"
    run --separate-stderr dp-ingest --skip-empty '*.csv'
    assert_equal "$status" 99
    run --separate-stderr dp-run -q -- 'dp-ingest --skip-empty *.csv | dp-partition -o t | dp-table commit t'
    assert_equal "$status" 99
    [ ! -e t ]
}

@test "more bad records than allowed: the message says of which rules, and where they are" {
    run --separate-stderr dp-ingest --rejects bad.ndjson --max-rejects 1 <<<$'{"a":1}\n{x\n{"a":2}\n{y'
    dp_expect 4 "2 of 4 records are bad (malformed 2), more than --max-rejects allows; they are in bad.ndjson"
    run --separate-stderr dp-ingest --max-rejects 10% --report r.json <<<$'{"a":1}\n{x'
    dp_expect 4 "--rejects FILE keeps them"
    run --separate-stderr dp-ingest --report r.json --metrics m.prom <<<$'{"a":1}\n{x'
    dp_expect 4 "-:2: "
    assert_equal "$(jq -c '[.source, .line, .exit]' r.json)" '["-",2,4]'
    grep -qxF 'dp_rejects{program="dp-ingest",job="dp",rule="malformed"} 1' m.prom
}

@test "ragged records" {
    run --separate-stderr dp-ingest --rejects bad --max-rejects 2 <<<$'a,b\n1,2\n3\n4,5,6\n7,8'
    dp_expect 0
    assert_output $'{"a":1,"b":2}\n{"a":7,"b":8}'
    [ "$(grep -c '"rule":"ragged"' bad)" -eq 2 ]
    grep -q '"line":3,"offset":8' bad
    run --separate-stderr dp-ingest <<<$'a,b\n1,2\n3\n4,5'
    dp_expect 4 ":3: expected 2 cells, got 1"
    run --separate-stderr dp-ingest --ragged=pad <<<$'a,b\n1,2\n3\n4,5'
    assert_output $'{"a":1,"b":2}\n{"a":3,"b":null}\n{"a":4,"b":5}'
    run --separate-stderr dp-ingest --ragged=fail --max-rejects 9 <<<$'a,b\n1,2\n3\n4,5'
    dp_expect 4 "expected 2 cells"
}

@test "a cell that is cut off: exit 4 with the line" {
    run --separate-stderr dp-ingest --max-rejects 9 <<<$'a,b\n1,x\n2,"open'
    dp_expect 4 ":3: the input ends inside a quoted cell"
}

@test "encodings" {
    printf 'n\xe4me,x\nM\xfcller,1\n' >latin
    run dp-ingest latin
    assert_output '{"näme":"Müller","x":1}'
    printf '\xff\xfea\0,\0b\0\n\0001\0,\000\xe9\0\n\0' >utf16
    run dp-ingest utf16
    assert_output '{"a":1,"b":"é"}'
    run dp-ingest --encoding windows-1252 <<<$'a,b\n1,\x80'
    assert_output '{"a":1,"b":"€"}'
    run --separate-stderr dp-ingest --encoding klingon <<<a
    dp_expect 2 klingon
}

@test "JSON documents" {
    run dp-ingest <<<'[{"a":1},{"a":2}]'
    assert_output $'{"a":1}\n{"a":2}'
    run dp-ingest <<<$'{\n"a": 1\n}\n{\n"a": 2\n}'
    assert_output $'{ "a": 1 }\n{ "a": 2 }'
    run dp-ingest <<<'{"a":1}{"a":2}'
    assert_output $'{"a":1}\n{"a":2}'
    run --separate-stderr dp-ingest <<<'[{"a":1},'
    dp_expect 4 "cut off"
}

@test "data can't forge a mark" {
    run --separate-stderr dp-ingest <<<'{"$dp":"end"}'
    dp_expect 4
}

@test "compression and archives, by content and not by name" {
    printf 'a,b\n1,x\n' >a.csv
    printf 'a,b\n2,y\n' >b.csv
    gzip -c a.csv >z && gzip -c b.csv >z2 && tar cf t a.csv b.csv z2
    run dp-ingest z
    assert_output '{"a":1,"b":"x"}'
    run dp-ingest t
    assert_output $'{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n{"a":2,"b":"y"}'
    run dp-ingest --member 'b*' t
    assert_output '{"a":2,"b":"y"}'
    run dp-ingest --rejects bad --max-rejects 1 t <t
    assert_success
    head -c 20 z >cut
    run --separate-stderr dp-ingest cut
    dp_expect 4 "cut off"
}

@test "directories, globs, --files-from" {
    mkdir -p d/sub
    for i in 1 2 3; do echo "{\"i\":$i}" >d/$i.ndjson; done
    echo '{"i":4}' >d/sub/x && echo no >d/.hidden && echo no >d/_no
    run dp-ingest d
    assert_output $'{"i":1}\n{"i":2}\n{"i":3}\n{"i":4}'
    run dp-ingest 'd/[12].nd*'
    assert_output $'{"i":1}\n{"i":2}'
    run dp-ingest --files-from - <<<$'d/3.ndjson\nd/1.ndjson'
    assert_output $'{"i":3}\n{"i":1}'
    run --separate-stderr dp-ingest 'nothing*'
    dp_expect 3 "no file matches"
}

@test "--since: a cron job run twice doubles nothing, a grown file goes on, a rewritten one is new" {
    printf 'a,b\n1,x\n2,y\n' >in.csv
    job() { dp-run --name j -- 'dp-ingest --since t in.csv | dp-partition -o t | dp-table commit t'; }
    dp-run --name j -- 'dp-ingest in.csv | dp-partition -o t | dp-table commit t'
    [ "$(dp-cat t | wc -l)" -eq 2 ]
    run job
    [ "$(dp-cat t | wc -l)" -eq 2 ]
    printf '3,z\n' >>in.csv
    job
    [ "$(dp-cat t | wc -l)" -eq 3 ]
    printf 'a,b\n9,n\n' >in.csv
    job
    [ "$(dp-cat t | wc -l)" -eq 4 ]
}
