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
    [[ $stderr == *"--delimiter=','"*"--types 'code=string,price=double,id=double,at=timestamp_ntz'"* ]]
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

@test "--since and --ledger: standard input has no position" {
    mkdir t
    printf 'a\n1\n' | dp-ingest --marks | dp-partition -o p
    run --separate-stderr dp-ingest --ledger l <<<'{"a":1}'
    dp_expect 2 "standard input has no position"
}

@test "--ledger: each input once, a grown file goes on, a rewritten one is new" {
    printf 'a,b\n1,x\n2,y\n' >in.csv
    echo '{"z":1}' | gzip >in.gz
    job() { dp-ingest --ledger l in.csv in.gz; }
    run --separate-stderr job
    assert_output $'{"a":1,"b":"x"}\n{"a":2,"b":"y"}\n{"z":1}'
    [ "$(stat -c %a l)" = 600 ]
    run --separate-stderr dp-ingest --skip-empty --ledger l in.csv in.gz
    dp_expect 99
    assert_output ""
    printf '3,z\n' >>in.csv
    run --separate-stderr dp-ingest -n --ledger l in.csv
    assert_output '{"a":3,"b":"z"}'
    run --separate-stderr job
    assert_output '{"a":3,"b":"z"}'
    printf 'a,b\n9,n\n' >in.csv
    run --separate-stderr job
    assert_output '{"a":9,"b":"n"}'
    run --separate-stderr job
    assert_output ""
    run --separate-stderr env DP_JOB=other "$DP_BIN/dp-ingest" --ledger l in.csv
    assert_output '{"a":9,"b":"n"}'
}

@test "--ledger: a fingerprint grows with its file" {
    printf '{"a":1}\n' >log
    dp-ingest --ledger l log
    for i in 2 3 4 5; do echo "{\"a\":$i}" >>log; done
    dp-ingest --ledger l log
    printf '{"a":1}\n{"a":7}\n{"a":8}\n{"a":9}\n{"a":10}\n{"a":11}\n' >log
    run dp-ingest --ledger l log
    [ "${#lines[@]}" -eq 6 ]
}

@test "--ledger: a run that fails, or that nobody reads, records nothing" {
    printf '{"a":1}\n{"a":2\n' >in
    run dp-ingest --ledger l in
    assert_failure 4
    printf '{"a":1}\n{"a":2}\n' >in
    run dp-ingest --ledger l --rejects /nonexistent/x in
    assert_failure 3
    run bash -c 'dp-ingest --ledger l in >/dev/full'
    assert_failure 3
    run dp-ingest --ledger l in
    assert_output $'{"a":1}\n{"a":2}'
    yes '{"a":"a long line to fill a pipe with, again and again"}' | head -100000 >big
    dp-ingest --ledger l big | head -1 >/dev/null
    dp-ingest --ledger l big >/dev/full || true
    (dp-ingest --ledger l big & pid=$!; sleep 0.2; kill -9 $pid; wait $pid || true) | (sleep 0.5; cat >/dev/null)
    run bash -c 'dp-ingest --ledger l big | wc -l'
    assert_output 100000
    run bash -c 'dp-ingest --ledger l big | wc -l'
    assert_output 0
}

@test "--ledger: a source that another run reads is waited for, another source is not; foreign files are refused" {
    yes '{"a":"a long line to fill a pipe with, again and again"}' | head -100000 >big
    echo '{"a":1}' >small
    mkfifo hold
    dp-ingest --ledger l big >hold &
    pid=$!
    exec 7<hold
    dp_settled $pid # the pipe is full
    run dp-ingest --ledger l small
    assert_output '{"a":1}'
    (sleep 0.5; cat <&7 >/dev/null) &
    run bash -c 'dp-ingest --ledger l big | wc -l'
    assert_output 0
    wait $pid
    exec 7<&-
    run --separate-stderr dp-ingest --ledger small big
    dp_expect 2 "is no ledger"
    run --separate-stderr dp-ingest --ledger l --since x big
    dp_expect 2
}

@test "-c: types and required fields of records, hidden values, a required column that is missing" {
    cat >c.yaml <<'END'
apiVersion: v3.1.0
kind: DataContract
id: t
version: 1.0.0
status: active
name: t
schema:
  - name: t
    properties:
      - {name: a, logicalType: integer, required: true}
      - {name: b, logicalType: number, classification: pii}
END
    printf '{"a":1,"b":1.5}\n{"a":"n","b":1}\n{"b":1}\n{"a":3,"b":"secret"}\n{"a":5,"q":7}\n' >n.ndjson
    run --separate-stderr dp-ingest -q --marks -c c.yaml --rejects bad --max-rejects 9 n.ndjson
    dp_expect 0
    [[ ${lines[0]} == *'"name":"a","type":"int64","nullable":false'*'"fields":[{"name":"b","classification":"pii"}]'* ]]
    assert_line --index 1 '{"a":1,"b":1.5}'
    assert_line --index 2 '{"a":5,"q":7}'
    [ "$(grep -c '"rule":"type"' bad) $(grep -c '"rule":"required"' bad) $(grep -c secret bad)" = "2 1 0" ]
    printf 'a,b\n1,1\n2,secret\n,3\nx,4\n' >n.csv
    run --separate-stderr dp-ingest -q -c c.yaml --rejects bad2 --max-rejects 9 n.csv
    assert_output '{"a":1,"b":1}'
    [ "$(grep -c '"rule":"type"' bad2) $(grep -c '"rule":"required"' bad2) $(grep -c secret bad2)" = "2 1 0" ]
    grep -q 'got text of 6 bytes' bad2
    run --separate-stderr dp-ingest -c c.yaml n.csv
    dp_expect 1 "n.csv:3"
    [[ $stderr != *secret* ]]
    printf 'b,c\n1,1\n' >m.csv
    run --separate-stderr dp-ingest -c c.yaml m.csv
    dp_expect 1 "requires column a"
}

@test "--retry-rejects: rows of a CSV, mended, are read as their source is; what is still bad keeps its place" {
    printf 'id,price,note\n1,2.50,a\n2,n/a,b\n3\n4,4.00,"x, y"\n5,5.00,z,w\n' >o.csv
    run dp-ingest -q --types price=double --rejects bad --max-rejects 9 o.csv
    sed -e 's/,n\/a,/,9.90,/' -e 's/"raw":"3"/"raw":"3,3.00,\\"c, d\\""/' -e '$s/,w"}$/,v"}/' bad >mended
    run --separate-stderr dp-ingest --retry-rejects --types price=double --rejects still --max-rejects 1 --threads 2 mended
    dp_expect 0
    assert_output $'{"id":2,"price":9.90,"note":"b"}\n{"id":3,"price":3.00,"note":"c, d"}'
    grep -q '"source":"o.csv","member":null,"line":6,"offset":47,.*"rule":"ragged".*"raw":"5,5.00,z,v"}$' still
    [ "$(wc -l <still)" -eq 1 ]
    run --separate-stderr dp-ingest --retry-rejects still
    dp_expect 4 "o.csv:6: expected 3 cells"
    run --separate-stderr dp-ingest --retry-rejects --rejects still still
    dp_expect 2 "must name another file"
    rm o.csv
    run --separate-stderr dp-ingest --retry-rejects still
    dp_expect 4
}

@test "--retry-rejects: records, texts that are JSON now, rejects of other programs" {
    printf '{"a":1}\n{"a":2\n{"a":3}\nnonsense\n{"a":4,"$dp":1}\n{"a":"five"}\n' >n.ndjson
    dp-ingest -q --rejects bad --max-rejects 9 n.ndjson >good.ndjson
    cat >c.yaml <<'END'
apiVersion: v3.1.0
kind: DataContract
id: t
version: 1.0.0
status: active
name: t
schema: [{name: t, properties: [{name: a, logicalType: integer}]}]
END
    dp-partition -q -c c.yaml -o p --rejects bad --max-rejects 9 <good.ndjson
    grep -q '"program":"dp-partition".*"raw":{"a":"five"}}$' bad
    sed -e 's/"raw":"{\\"a\\":2/&}/' -e 's/nonsense/[\\n1]/' -e 's/,"$dp":1//' -e 's/"five"/5/' bad >mended
    run --separate-stderr dp-ingest -q --retry-rejects --rejects still --max-rejects 9 mended
    assert_output $'{"a":2}\n{"a":4}\n{"a":5}'
    grep -q '"line":4,.*not an object' still
    run --separate-stderr dp-ingest -w '.a > 3' --retry-rejects --rejects still2 --max-rejects 9 mended
    assert_output $'{"a":4}\n{"a":5}'
    run --separate-stderr dp-ingest --retry-rejects n.ndjson
    dp_expect 4 "not the line of a reject"
    echo '{"reject":{"source":"-"},"raw":{"$dp":"end"}}' >forged
    run --separate-stderr dp-ingest --retry-rejects forged
    dp_expect 4 "kept for marks"
    run --separate-stderr dp-ingest --retry-rejects --since t forged
    dp_expect 2
}

@test "--retry-rejects: records that were not shown are read again, by member and place" {
    cat >c.yaml <<'END'
apiVersion: v3.1.0
kind: DataContract
id: t
version: 1.0.0
status: active
name: t
schema:
  - name: t
    properties:
      - {name: a, logicalType: integer, classification: pii}
END
    sed s/integer/string/ c.yaml >loose.yaml
    printf 'a,b\n1,2\nx,"q\nr"\n3,4\ny,5\n' >p.csv
    printf '{"a":1}\n{"a":"x"}\n{"a":"y"}\n' >h.ndjson
    printf '[{"a":1},\n{"a":\n"x"}]' >d.json
    dp-cat --to records h.ndjson | dp-map '.a |= tostring' | dp-ingest --marks | dp-partition -q -o pq >/dev/null
    tar cf t.tar p.csv h.ndjson
    dp-ingest -q -c c.yaml --rejects bad --max-rejects 99 t.tar h.ndjson d.json pq/*.parquet >/dev/null
    [ "$(grep -c '"raw":null' bad)" -eq 10 ]
    run --separate-stderr dp-ingest -c loose.yaml --retry-rejects bad
    dp_expect 0
    assert_line --index 0 '{"a":"x","b":"q\nr"}'
    assert_line --index 1 '{"a":"y","b":"5"}'
    [ "$(grep -c '{"a":"x"}' <<<"$output")" -eq 3 ]
    [ "${#lines[@]}" -eq 10 ]
    one=$output
    run --separate-stderr dp-ingest -c loose.yaml --retry-rejects --threads 4 bad
    [ "$output" = "$one" ]
    run --separate-stderr dp-ingest -q -c c.yaml --retry-rejects --rejects still --max-rejects 99 bad
    [ "$(wc -l <still)" -eq 10 ]
    sed -i 1d h.ndjson
    run --separate-stderr dp-ingest -c loose.yaml --retry-rejects <(grep '"source":"h.ndjson"' bad)
    dp_expect 4 "its source has changed"
    echo '{"reject":{"source":"-","line":1,"offset":0},"raw":null}' >nowhere
    run --separate-stderr dp-ingest --retry-rejects nowhere
    dp_expect 4 "was standard input"
}

@test "CSV from a slow writer starts when its types are told" {
    run bash -c "(printf 'a,b\n1,2\n3,4\n'; sleep 6) | timeout 5 dp-ingest --types a=int64,b=int64 2>/dev/null | (IFS= read -r l; echo \"\$l \$SECONDS\")"
    [[ $output == '{"a":1,"b":2} '[0123] ]]
}

@test "rows with one cell or none in front of the header are passed over" {
    printf ',,\nA title,,\na,b,c\n1,2,3\n' >a.csv
    run --separate-stderr dp-ingest -v a.csv
    assert_output '{"a":1,"b":2,"c":3}'
    [[ $stderr == *--skip=2* ]]
}

# pack NAME PROGRAM COMMAND: the same records out of what COMMAND packs; a missing packer is a visible skip.
packed() {
    command -v "$1" >/dev/null || skip "$1 is not here"
    printf 'a,b\n1,x\n2,y\n' >a.csv
    bash -c "$2"
    run --separate-stderr dp-ingest in.packed
    dp_expect 0
    assert_output $'{"a":1,"b":"x"}\n{"a":2,"b":"y"}'
}

@test "packed: xz" { packed xz 'xz -c a.csv >in.packed'; }
@test "packed: lz4" { packed lz4 'lz4 -q -c a.csv >in.packed'; }
@test "packed: zstd" { packed zstd 'zstd -q -c a.csv >in.packed'; }
@test "packed: cpio" { packed cpio 'echo a.csv | cpio -o -H newc --quiet >in.packed'; }
@test "packed: 7z" { packed 7z '7z a -bd in.7z a.csv >/dev/null && mv in.7z in.packed'; }

@test "a truncated gzip or zip is exit 4" {
    seq 1 20000 | sed '1s/.*/n/' >a.csv
    gzip -c a.csv | head -c 20000 >cut.gz
    run --separate-stderr dp-ingest cut.gz
    assert_equal "$status" 4
    command -v zip >/dev/null || skip "zip is not here"
    zip -q a.zip a.csv
    head -c 20000 a.zip >cut.zip
    run --separate-stderr dp-ingest cut.zip
    assert_equal "$status" 4
}

@test "several sources: a table beside a CSV, one header for all, conflicts by name" {
    printf 'a,b\n1,x\n' >a.csv
    printf 'a,c\n99999999999999999999,y\n' >b.csv
    printf 'a,b\nn/a,z\n' >d.csv
    dp-run -- 'dp-ingest a.csv | dp-partition -q -o t | dp-table commit -q t'
    run --separate-stderr dp-ingest a.csv t
    assert_output $'{"a":1,"b":"x"}\n{"a":1,"b":"x"}'
    run --separate-stderr dp-ingest --marks t a.csv b.csv
    dp_expect 0
    [[ ${lines[0]} == *'"name":"a","type":"decimal('*'"name":"b","type":"string"'*'"name":"c","type":"string"'* ]]
    [ "${#lines[@]}" -eq 8 ]
    run --separate-stderr dp-ingest --marks b.csv t d.csv
    dp_expect 1 "column a: b.csv says"
    [[ $stderr == *"d.csv says string"* ]]
    [[ $output != *'"a":9999'* ]]
    run --separate-stderr dp-ingest --marks --types a=string t d.csv
    dp_expect 1
    echo '{"q":1}' >n.ndjson
    run --separate-stderr dp-ingest --marks a.csv n.ndjson
    dp_expect 0
    [[ ${lines[0]} != *schema* ]]
}

@test "a raw newline in a string of a JSON document is one bad record, with its own line" {
    printf '[{"a":"x\ny\nz"},\n{"a":1},{"a":01},[1"a b",2]]' >in.json
    run --separate-stderr dp-ingest -f json --max-rejects 9 --rejects bad in.json
    dp_expect 0
    assert_output '{"a":1}'
    [ "$(jq -r '"\(.reject.line) \(.reject.rules[0].reason)"' bad)" = $'1 control byte 0x0d in a string\n4 a number begins with a zero\n4 not an object' ]
}
