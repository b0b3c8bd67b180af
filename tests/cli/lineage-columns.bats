#!/usr/bin/env bats
# Column lineage, column by column, against what is true: each test names for every column of an output those that it was made of, how, and whether
# their clear values can still be seen.  A table's columns lead back to the files that came in, through every program, with and without marks.

load helper

setup() {
    dp_setup
    suite_events=$DP_LINEAGE
    mkdir run
    export XDG_RUNTIME_DIR=$PWD/run DP_LINEAGE=$PWD/events.ndjson
    cat >c.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: orders
version: 1.0.0
status: active
schema:
  - name: orders
    logicalType: object
    properties:
      - {name: id, logicalType: integer, required: true}
      - {name: email, logicalType: string, classification: restricted}
      - {name: ts, logicalType: timestamp}
      - {name: price, logicalType: number}
Y
    printf 'id,email,ts,price\n1,a@b.c,2026-01-02T03:04:05Z,1.5\n2,d@e.f,2026-01-03T03:04:05Z,2.5\n' >a.csv
}

teardown() { [ "$suite_events" = none ] || [ ! -f events.ndjson ] || cat events.ndjson >>"$suite_events"; }

# columns PROGRAM OUTPUT: a line for each way from a column of an input to one of the output of that program's last run that was complete:
# output column (* for all), input, its column, how, "masked" where the clear value can't be seen.
columns() {
    jq -n -r --arg program "$1" --arg out "$2" '
        [inputs | select(.eventType == "COMPLETE" and (.job.name | split("[.:]"; null) | index($program)))] | last |
        .outputs[] | select((.name | split("/") | last) == $out) | .facets.columnLineage |
        def ways($to): (.name | split("/") | last) as $from | .field as $f | .transformations[] |
            "\($to) \($from) \($f) \(.subtype)\(if .masking then " masked" else "" end)\(if (.type == "DIRECT") == (.subtype | IN("IDENTITY", "TRANSFORMATION", "AGGREGATION")) then "" else " of no such type" end)";
        ((.fields // {}) | to_entries[] | .key as $c | .value.inputFields[] | ways($c)),
        ((.dataset // [])[] | ways("*"))' events.ndjson | LC_ALL=C sort
}

# Standard input is the truth.
columns_are() {
    columns "$@" >got
    LC_ALL=C sort >truth
    diff truth got
}

inputs_are() { # program names...
    local program=$1
    shift
    assert_equal "$(jq -n -r --arg program "$program" '[inputs | select(.eventType == "COMPLETE" and (.job.name | split("[.:]"; null) | index($program)))] | last | .inputs[].name | split("/") | last' events.ndjson | LC_ALL=C sort | paste -sd ' ')" "$*"
}

orders='dp-ingest -c c.yaml a.csv | dp-validate -c c.yaml --rejects bad.ndjson --max-rejects 1% | dp-mask -c c.yaml --key-file key | dp-partition -c c.yaml --by "day=day(ts)" --sort price -o lake'

orders_truth() {
    cat <<'T'
id a.csv id IDENTITY
email a.csv email TRANSFORMATION masked
ts a.csv ts IDENTITY
price a.csv price IDENTITY
day a.csv ts TRANSFORMATION
* a.csv id FILTER
* a.csv email FILTER
* a.csv ts FILTER
* a.csv price FILTER
* a.csv price SORT
T
}

@test "a CSV through validate, mask and partition into a table, without marks: the columns lead back" {
    dp-mask keygen key
    bash -o pipefail -c "$orders | dp-table commit --eof-commits lake"
    orders_truth | columns_are dp-table-commit lake
    orders_truth | columns_are dp-partition lake
    inputs_are dp-table-commit a.csv
    inputs_are dp-mask a.csv
    assert_equal "$(ls run/dp)" "" # what was handed over was taken
}

@test "the same with marks, and the output is the same" {
    dp-mask keygen key
    DP_MARKS=1 bash -o pipefail -c "$orders | dp-table commit lake"
    orders_truth | columns_are dp-table-commit lake
    orders_truth | columns_are dp-partition lake
    assert [ ! -e run/dp ]
}

@test "the same under dp-run" {
    dp-mask keygen key
    dp-run --name orders -- "$orders | dp-table commit lake"
    orders_truth | columns_are dp-table-commit lake
    assert_equal "$(jq -r 'select(.job.name == "orders.dp-table-commit" and .eventType == "COMPLETE").outputs[0] | .facets.lifecycleStateChange.lifecycleStateChange, .facets.version.datasetVersion' events.ndjson | paste -sd ' ')" "CREATE 0"
    assert_equal "$(jq -c 'select(.job.name == "orders.dp-ingest" and .eventType == "COMPLETE").inputs[0].inputFacets.inputStatistics | [.rowCount, .size, .fileCount]' events.ndjson)" "[2,$(stat -c %s a.csv),1]"
    assert_equal "$(jq -c 'select(.job.name == "orders.dp-table-commit" and .eventType == "COMPLETE").outputs[0].outputFacets.outputStatistics | [.rowCount, .fileCount]' events.ndjson)" "[2,2]"
}

@test "several CSVs: each column comes from those that have it, with and without marks" {
    printf 'id,email\n3,g@h.i\n' >b.csv
    truth='id a.csv id IDENTITY
id b.csv id IDENTITY
email a.csv email IDENTITY
email b.csv email IDENTITY
ts a.csv ts IDENTITY
price a.csv price IDENTITY'
    where='* a.csv price FILTER
* a.csv id FILTER
* b.csv id FILTER'
    for marks in "" --marks; do
        # shellcheck disable=SC2086 # a word or none
        dp-ingest $marks a.csv b.csv | dp-map $marks 'select(.price > 1 or .id == 1)' | dp-partition $marks -o out >/dev/null
        columns_are dp-partition out <<<"$truth
$where"
    done
    dp-partition a.csv b.csv -o alone >/dev/null
    columns_are dp-partition alone <<<"$truth"
    mkdir dir && cp a.csv b.csv dir
    dp-partition dir -o whole >/dev/null # one dataset
    columns_are dp-partition whole <<<'id dir id IDENTITY
email dir email IDENTITY
ts dir ts IDENTITY
price dir price IDENTITY'
    dp-run --name r -- 'dp-ingest a.csv b.csv | dp-partition -o piped'
    columns_are dp-partition piped <<<"$truth"
}

@test "lineage changes nothing that goes out" {
    dp-map '.x = .price | del(.price)' a.csv >with
    env -u DP_LINEAGE dp-map '.x = .price | del(.price)' a.csv >without
    cmp with without
    dp-map . a.csv | dp-map '.y = 1' >with
    env -u DP_LINEAGE bash -c "dp-map . a.csv | dp-map '.y = 1'" >without
    cmp with without
    # a column that both sides of a join have is refused where a header says so; one beside the pipe must not
    printf 'id,price\n1,7\n' >r.csv
    run env -u DP_LINEAGE bash -c 'dp-map . a.csv | dp-join --with r.csv --on id --kind left'
    local status_without=$status output_without=$output
    run bash -c 'dp-map . a.csv | dp-join --with r.csv --on id --kind left'
    assert_equal "$status $output" "$status_without $output_without"
}

@test "a program that isn't ours between two of ours: nothing is claimed" {
    dp-ingest a.csv | cat | dp-partition -o out >/dev/null
    columns_are dp-partition out </dev/null
    dp-ingest a.csv | wc -l >/dev/null
    dp-ingest a.csv | cat | dp-partition -o out2 >/dev/null
    columns_are dp-partition out2 </dev/null
}

@test "map: copied, renamed, derived, conditional, nested, filtered" {
    printf '%s\n' '{"id":1,"a":2,"b":3,"c":true,"in":{"x":1,"y":"z"}}' >in.ndjson
    dp-map 'select(.a > 1) | {id, bee: .b, sum: (.a + .b), if: (if .c then .a else .b end), x: .in.x, all: {p: .a, q: .in}, k: 1}' in.ndjson | dp-partition -o out >/dev/null
    columns_are dp-partition out <<'T'
id in.ndjson id IDENTITY
bee in.ndjson b IDENTITY
sum in.ndjson a TRANSFORMATION
sum in.ndjson b TRANSFORMATION
if in.ndjson a TRANSFORMATION
if in.ndjson b TRANSFORMATION
if in.ndjson c CONDITIONAL
x in.ndjson in TRANSFORMATION
all in.ndjson a TRANSFORMATION
all in.ndjson in TRANSFORMATION
* in.ndjson a FILTER
T
}

@test "map: what a program of libjq makes of a record is not claimed, nor what stands behind it" {
    printf '%s\n' '{"id":1,"a":2}' >in.ndjson
    dp-map 'reduce .a as $x (.; .id = $x)' in.ndjson | dp-map '.b = .a' | dp-partition -o out >/dev/null
    columns_are dp-partition out </dev/null
    inputs_are dp-partition in.ndjson
}

@test "join: columns of both sides, keys of both" {
    printf 'id,name,tier\n1,x,gold\n' >customers.csv
    dp-ingest a.csv | dp-join --with customers.csv --on id --take name,tier --prefix c_ | dp-partition -o out >/dev/null
    columns_are dp-partition out <<'T'
id a.csv id IDENTITY
email a.csv email IDENTITY
ts a.csv ts IDENTITY
price a.csv price IDENTITY
c_name customers.csv name IDENTITY
c_tier customers.csv tier IDENTITY
* a.csv id JOIN
* customers.csv id JOIN
T
    inputs_are dp-join a.csv customers.csv
}

@test "window: keys, aggregates, counts that hide, what was where and when" {
    dp-ingest a.csv | dp-window --time ts --key who=.id --tumble 1h --where '.price > 0' --agg 'n=count(email),high=max(price) where .id > 0' --agg 'each=(.high / .n)' | dp-partition -o out >/dev/null
    columns_are dp-partition out <<'T'
window_start a.csv ts TRANSFORMATION
window_end a.csv ts TRANSFORMATION
who a.csv id IDENTITY
n a.csv email AGGREGATION masked
high a.csv price AGGREGATION
high a.csv id FILTER
each a.csv price AGGREGATION
each a.csv id FILTER
each a.csv email AGGREGATION masked
* a.csv id GROUP_BY
* a.csv ts WINDOW
* a.csv price FILTER
T
}

@test "dedupe: records as they are, chosen by key, by what is kept, and by what is there" {
    printf 'id\n7\n' >old.csv
    dp-ingest a.csv | dp-dedupe --key id --keep max:price --against old.csv | dp-partition -o out >/dev/null
    columns_are dp-partition out <<'T'
id a.csv id IDENTITY
email a.csv email IDENTITY
ts a.csv ts IDENTITY
price a.csv price IDENTITY
* a.csv id FILTER
* a.csv price FILTER
* old.csv id FILTER
T
    inputs_are dp-dedupe a.csv old.csv
}

# A table `lake` of a.csv.
make_table() {
    dp-ingest -c c.yaml a.csv | dp-partition -o lake | dp-table commit --eof-commits lake
}

@test "merge: each column from the records and from itself, by the keys of both" {
    make_table
    printf '{"id":2,"email":"x","ts":"2026-01-03T03:04:05Z","price":9}\n' >new.ndjson
    dp-map '{id, email: .email, price: (.price * 2)}' new.ndjson | dp-table merge lake --key id --eof-commits
    columns_are dp-table-merge lake <<'T'
id new.ndjson id IDENTITY
id lake id IDENTITY
email new.ndjson email IDENTITY
email lake email IDENTITY
ts lake ts IDENTITY
price new.ndjson price TRANSFORMATION
price lake price IDENTITY
* new.ndjson id JOIN
* lake id JOIN
T
    inputs_are dp-table-merge lake new.ndjson
}

@test "update: what is set, from what, where; delete: which rows" {
    make_table
    dp-table update lake --set 'price=.price * 2' --set 'email=null' --where '.id == 1'
    columns_are dp-table-update lake <<'T'
id lake id IDENTITY
email lake email IDENTITY
email lake id CONDITIONAL
ts lake ts IDENTITY
price lake price TRANSFORMATION
price lake id CONDITIONAL
T
    dp-table delete lake --where '.price > 2.9'
    columns_are dp-table-delete lake <<'T'
id lake id IDENTITY
email lake email IDENTITY
ts lake ts IDENTITY
price lake price IDENTITY
* lake price FILTER
T
}

@test "compact, clone, restore, cat: columns as they were" {
    make_table
    make_table
    dp-compact lake --sort price
    columns_are dp-compact lake <<'T'
id lake id IDENTITY
email lake email IDENTITY
ts lake ts IDENTITY
price lake price IDENTITY
* lake price SORT
T
    dp-table clone lake copy
    columns_are dp-table-clone copy <<'T'
id lake id IDENTITY
email lake email IDENTITY
ts lake ts IDENTITY
price lake price IDENTITY
T
    dp-cat lake --columns id,price --where '.id > 0' | dp-partition -o out >/dev/null
    columns_are dp-partition out <<'T'
id lake id IDENTITY
price lake price IDENTITY
* lake id FILTER
T
    dp-table restore lake --to 0
    columns dp-table-restore lake | grep -qx 'email lake email IDENTITY'
    assert_equal "$(jq -r 'select(.job.name | startswith("dp-table-restore")) | select(.eventType == "COMPLETE") | .outputs[0].facets.lifecycleStateChange.lifecycleStateChange' events.ndjson)" OVERWRITE
}

@test "files of a table are the table; a glob and a directory are one dataset with parts" {
    make_table
    dp-table files lake | dp-compact -o out >/dev/null
    inputs_are dp-compact lake
    columns dp-compact out | grep -qx 'email lake email IDENTITY'
    mkdir day
    cp a.csv day/1.csv
    cp a.csv day/2.csv
    dp-ingest 'day/*.csv' >/dev/null
    inputs_are dp-ingest '*.csv'
    dp-ingest day >/dev/null
    inputs_are dp-ingest day
    assert_equal "$(jq -c 'select(.eventType == "COMPLETE" and (.inputs[0].name | endswith("/day"))) | .inputs[0].inputFacets.inputStatistics | [.rowCount, .fileCount]' events.ndjson)" '[4,2]'
}

# The lifecycle that the last complete run of a program told of its output.
lifecycle() {
    jq -n -r --arg program "$1" '[inputs | select(.eventType == "COMPLETE" and (.job.name | split("[.:]"; null) | index($program)))] | last | .outputs[0].facets.lifecycleStateChange.lifecycleStateChange' events.ndjson
}

# Each column of a.csv is that of its name in a copy.
copy_of() {
    printf '%s\n' "id $1 id IDENTITY" "email $1 email IDENTITY" "ts $1 ts IDENTITY" "price $1 price IDENTITY"
}

@test "convert, branch, replicate, overwrite: columns as they were, and what became of the table" {
    dp-ingest a.csv | dp-partition -o files >/dev/null
    dp-table convert files
    copy_of files | columns_are dp-table-convert files
    assert_equal "$(lifecycle dp-table-convert)" CREATE
    make_table
    dp-table branch lake try
    copy_of lake | columns_are dp-table-branch lake@try
    assert_equal "$(lifecycle dp-table-branch)" CREATE
    dp-table replicate lake copy
    copy_of lake | columns_are dp-table-replicate copy
    assert_equal "$(lifecycle dp-table-replicate)" CREATE
    dp-ingest -c c.yaml a.csv | dp-partition -o lake | dp-table commit --mode overwrite --eof-commits lake
    copy_of a.csv | columns_are dp-table-commit lake
    inputs_are dp-table-commit a.csv
    assert_equal "$(lifecycle dp-table-commit)" OVERWRITE
    dp-table replicate lake copy
    copy_of lake | columns_are dp-table-replicate copy
    assert_equal "$(lifecycle dp-table-replicate)" null
}

@test "changes: the table's columns, and three that none of them is in" {
    make_table
    dp-table changes lake --from-files | dp-partition -o out >/dev/null
    copy_of lake | columns_are dp-partition out
    dp-table changes lake --from-files --where '._commit_version >= 0 and .id > 0' | dp-partition -o out2 >/dev/null
    { copy_of lake && echo '* lake id FILTER'; } | columns_are dp-partition out2
}

@test "join without a match, and as of a time: keys and times of both" {
    printf 'id,at,rate\n1,2026-01-01T00:00:00Z,5\n' >rates.csv
    dp-ingest a.csv | dp-join --with rates.csv --on id --kind anti | dp-partition -o out >/dev/null
    { copy_of a.csv && printf '%s\n' '* a.csv id JOIN' '* rates.csv id JOIN'; } | columns_are dp-partition out
    dp-ingest a.csv | dp-join --with rates.csv --on id --as-of ts=at --take rate | dp-partition -o out2 >/dev/null
    { copy_of a.csv && printf '%s\n' 'rate rates.csv rate IDENTITY' '* a.csv id JOIN' '* a.csv ts JOIN' '* rates.csv id JOIN' '* rates.csv at JOIN'; } | columns_are dp-partition out2
}

@test "delete that leaves no row truncates, one that leaves some does not" {
    make_table
    dp-table delete lake --where '.id == 1'
    assert_equal "$(lifecycle dp-table-delete)" null
    dp-table delete lake --where true
    copy_of lake | columns_are dp-table-delete lake
    assert_equal "$(lifecycle dp-table-delete)" TRUNCATE
    # rows that are deleted one by one until none is left
    make_table
    dp-table delete lake --where '.id > 0'
    assert_equal "$(lifecycle dp-table-delete)" TRUNCATE
    make_table
    dp-table update lake --set price=1
    assert_equal "$(lifecycle dp-table-update)" null
}

@test "create makes a table of nothing; replace and evolve: only what the files have leads back to them" {
    dp-table create -c c.yaml made
    columns_are dp-table-create made </dev/null
    assert_equal "$(lifecycle dp-table-create)" CREATE
    dp-ingest -c c.yaml a.csv | dp-partition --by "day=day(ts)" -o days | dp-table commit --eof-commits days
    sed 's/1.5/7/' a.csv >again.csv
    dp-ingest -c c.yaml again.csv | dp-partition --by "day=day(ts)" -o days | dp-table commit --mode replace --eof-commits days
    { copy_of again.csv && echo 'day again.csv ts TRANSFORMATION'; } | columns_are dp-table-commit days
    assert_equal "$(lifecycle dp-table-commit)" OVERWRITE
    make_table
    printf 'id,email,extra\n3,g@h.i,x\n' >b.csv
    dp-ingest b.csv | dp-partition -o lake --evolve add | dp-table commit --evolve add --eof-commits lake
    columns_are dp-table-commit lake <<'T'
id b.csv id IDENTITY
email b.csv email IDENTITY
extra b.csv extra IDENTITY
T
    assert_equal "$(lifecycle dp-table-commit)" ALTER
}

@test "fields within fields are told by their column" {
    printf '{"id":1,"a":{"b":{"c":1,"d":2},"e":"x"}}\n' >n.ndjson
    dp-map '{id, c: .a.b.c, o: {x: .a.b, e: .a.e}}' n.ndjson | dp-partition -o out >/dev/null
    columns_are dp-partition out <<'T'
id n.ndjson id IDENTITY
c n.ndjson a TRANSFORMATION
o n.ndjson a TRANSFORMATION
T
    dp-map '.a.b.c = .id' n.ndjson | dp-partition -o out2 >/dev/null
    columns_are dp-partition out2 <<'T'
id n.ndjson id IDENTITY
a n.ndjson a TRANSFORMATION
a n.ndjson id TRANSFORMATION
T
}

@test "validate with rejects: all columns that a rule reads decide which rows there are, and rejects are no dataset" {
    sed 's/name: id, logicalType: integer, required: true/&, logicalTypeOptions: {minimum: 2}/' c.yaml >min.yaml
    dp-ingest -c c.yaml a.csv | dp-validate -c min.yaml --rejects bad.ndjson --max-rejects 1 | dp-partition -o out >/dev/null
    { copy_of a.csv && printf '* a.csv %s FILTER\n' id email ts price; } | columns_are dp-partition out
    assert_equal "$(jq -c 'select(.eventType == "COMPLETE" and (.job.name | startswith("dp-validate"))) | [.outputs[]?.name]' events.ndjson)" '[]'
    assert_equal "$(jq -c 'select(.eventType == "COMPLETE" and (.job.name | startswith("dp-validate"))) | .inputs[0].inputFacets.dataQualityAssertions.assertions[] | select(.success | not) | [.assertion, .column]' events.ndjson)" '["minimum","id"]'
}

@test "session and hopping windows; a count of rows is of no column" {
    dp-ingest a.csv | dp-window --time ts --key id --session 10m --agg 'n=count()' | dp-partition -o out >/dev/null
    columns_are dp-partition out <<'T'
window_start a.csv ts TRANSFORMATION
window_end a.csv ts TRANSFORMATION
id a.csv id IDENTITY
* a.csv id GROUP_BY
* a.csv ts WINDOW
T
    dp-ingest a.csv | dp-window --time ts --hop 20m,10m --agg 'm=mean(price)' | dp-partition -o out2 >/dev/null
    columns_are dp-partition out2 <<'T'
window_start a.csv ts TRANSFORMATION
window_end a.csv ts TRANSFORMATION
m a.csv price AGGREGATION
* a.csv ts WINDOW
T
}

@test "of an archive, a compressed file, Parquet: the columns are those of what was named" {
    tar cf a.tar a.csv
    gzip -k a.csv
    dp-ingest a.csv | dp-partition -o files >/dev/null
    mv files/*.parquet a.parquet
    local f
    for f in a.tar a.csv.gz a.parquet; do
        dp-ingest "$f" | dp-partition -o "of-$f" >/dev/null
        copy_of "$f" | columns_are dp-partition "of-$f"
        inputs_are dp-partition "$f"
    done
}

@test "README: where it came from, what it feeds" {
    mkdir orders
    mv a.csv orders/1.csv
    sed -i 's/^status: active/&\nteam: {members: [{username: sales-team}]}/; /partition/d' c.yaml
    mv c.yaml orders.odcs.yaml
    sed '/price/d' orders.odcs.yaml >new.odcs.yaml
    dp-mask keygen mask.key
    sed -n '/^## Where it came from/,/^## Why/s/^    //p' "$DP_ROOT/README.md" >block
    # what is printed begins with a digit or one of three words, and its columns are apart by a tab
    grep -E '^([0-9]|change|tell|stop)' block | sed -E 's/ {2,}/\t/g' | LC_ALL=C sort >want
    grep -vE '^([0-9]|change|tell|stop)' block >lines
    [ "$(grep -c '^dp-lineage' lines)" -eq 6 ]
    bash -u lines >out 2>err || fail "$(cat out err)"
    grep -v '^lake/' out | sed "s,$PWD,/srv/shop," | LC_ALL=C sort >got
    diff want got
    grep -q '<html' lineage.html
}
