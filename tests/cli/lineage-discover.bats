#!/usr/bin/env bats
# dp-lineage discover: columns and contracts of what lies in a lake, what went and came back, bounds.

# shellcheck disable=SC2154 # output and stderr are those of run
bats_require_minimum_version 1.5.0
load helper

L() {
    local c=$1
    shift
    dp-lineage "$c" --store s.db "$@"
}

contract() { # FILE NAME [OWNER]
    mkdir -p "$(dirname "$1")"
    cat >"$1" <<.
apiVersion: v3.1.0
kind: DataContract
id: $2
version: 1.0.0
status: active
team: {name: ${3:-sales}, members: [{username: ann, role: owner}, {username: old, dateOut: "2020-01-01"}]}
schema:
  - name: $2
    description: what was ordered
    tags: [tier:gold, daily]
    properties:
      - {name: id, logicalType: integer}
      - {name: mail, logicalType: string, classification: restricted, description: where to write}
.
}

@test "discover: columns of CSV, compressed CSV, NDJSON and Avro files" {
    mkdir lake
    printf 'id,mail\n1,a@b\n' >lake/a.csv
    printf 'id\tmail\n1\ta@b\n' >lake/t.tsv
    printf 'id,mail\n1,a@b\n' | gzip >lake/z.csv.gz
    printf '{"id":1,"who":{"mail":"a@b"}}\n{"id":2,"new":true}\n' >lake/n.ndjson
    : >lake/empty.csv
    : >lake/empty.ndjson
    run --separate-stderr L discover lake
    assert_success
    assert_line "6 datasets, 6 new or changed, 0 gone"
    for f in a.csv t.tsv z.csv.gz; do
        run L show "lake/$f"
        assert_line "  1  id    int64"
        assert_line "  2  mail  string"
    done
    run L show lake/n.ndjson --json
    [ "$(jq -c '[.columns[].column]' <<<"$output")" = '["id","who","who.mail","new"]' ]
    # what dp does not read has no columns, and is there all the same
    printf 'Obj\001' >lake/x.avro
    run --separate-stderr L discover lake
    assert_output --partial "found	avro"
    [ -z "$stderr" ]
}

@test "discover: a contract gives owners, tags, descriptions and classes; the nearest one counts" {
    mkdir -p lake/raw lake/shop/orders
    printf 'id,mail\n1,a@b\n' | tee lake/raw/orders.csv >lake/shop/orders/part-1.csv
    contract lake/contracts/orders.yaml orders
    contract lake/shop/orders.odcs.yaml shop.orders shopkeepers
    printf 'kind: Deployment\n' >lake/contracts/other.yaml
    run L discover lake
    assert_success
    assert_line "2 datasets, 2 new or changed, 0 gone"
    run L show lake/raw/orders.csv --json
    [ "$(jq -c '[.description, [.owners[].owner], (.tags | map(.key) | sort)]' <<<"$output")" = '["what was ordered",["ann","sales"],["classification","daily","tier"]]' ]
    [ "$(jq -c '[.columns[] | [.column, .class, .description]]' <<<"$output")" = '[["id",null,null],["mail","restricted","where to write"]]' ]
    run L show lake/shop/orders --json
    [ "$(jq -c '[.owners[].owner]' <<<"$output")" = '["ann","shopkeepers"]' ]
    run L search --owner shopkeepers
    assert_output --partial lake/shop/orders
    refute_output --partial raw
    # again nothing is new; a contract that changed is
    run L discover lake
    assert_output "2 datasets, 0 new or changed, 0 gone"
    sed -i 's/what was ordered/what was bought/' lake/contracts/orders.yaml
    run L discover lake
    assert_line "2 datasets, 1 new or changed, 0 gone"
    [ "$(L show lake/raw/orders.csv --json | jq -r .description)" = "what was bought" ]
    # one that is wrong is told with its place, and the walk goes on
    sed -i 's/logicalType: string/logicalType: words/' lake/contracts/orders.yaml
    run --separate-stderr L discover lake
    assert_success
    [[ $stderr == *"lake/contracts/orders.yaml"*logicalType* ]]
}

@test "discover: the contract that a table keeps goes before one beside it" {
    mkdir lake
    contract own.yaml orders keepers
    contract lake/orders.yaml orders
    dp-table create lake/orders -c own.yaml >/dev/null
    L discover lake >/dev/null
    [ "$(L show lake/orders --json | jq -c '[.owners[].owner]')" = '["ann","keepers"]' ]
    [ "$(L show lake/orders --json | jq -r '.columns[] | select(.column == "mail").class')" = restricted ]
}

@test "discover: what went and is there again lives, however old its files are" {
    mkdir lake
    printf 'id\n1\n' >lake/a.csv
    L discover lake >/dev/null
    mv lake/a.csv a.csv
    run L discover lake
    assert_output "gone	-	$PWD/lake/a.csv
0 datasets, 0 new or changed, 1 gone"
    run L discover lake
    assert_output "0 datasets, 0 new or changed, 0 gone"
    touch -d 2001-01-01 a.csv
    mv a.csv lake/a.csv
    run L discover lake
    assert_output "found	csv	$PWD/lake/a.csv
1 datasets, 1 new or changed, 0 gone"
    run L discover lake
    assert_output "1 datasets, 0 new or changed, 0 gone"
    rm lake/a.csv
    run L discover lake
    assert_line "0 datasets, 0 new or changed, 1 gone"
}

@test "discover: a table is as old as its commit says, not as its copied file" {
    contract c.yaml t
    dp-table create lake/t -c c.yaml --property delta.enableInCommitTimestamps=true >/dev/null
    L discover lake >/dev/null
    touch -d 2030-01-01 lake/t/_delta_log/*.json
    run L discover lake
    assert_output "1 datasets, 0 new or changed, 0 gone"
}

@test "discover: DP_LIMIT_LAKE_DEPTH, DP_LIMIT_LAKE_NAMES and DP_LIMIT_LAKE_CONTRACTS" {
    deep=lake$(printf '/d%.0s' $(seq 100))
    mkdir -p "$deep"
    printf 'id\n1\n' >"$deep/a.csv"
    run L discover lake
    assert_line "1 datasets, 1 new or changed, 0 gone"
    mkdir "$deep/d"
    run -4 L discover lake
    assert_output --partial "more than 100 directories in each other"
    # a directory of parts is one dataset, however many they are
    mkdir -p wide
    python3 -c '
for i in range(100001): open("wide/part-%06d.ndjson" % i, "w").close()'
    run L discover wide
    assert_output "found	json	$PWD/wide
1 datasets, 1 new or changed, 0 gone"
    python3 -c '
import os
for i in range(100001): os.rename("wide/part-%06d.ndjson" % i, "wide/%06d.ndjson" % i)'
    run -4 L discover wide
    assert_output --partial "more than 100000 names in one directory"
    # contracts
    python3 - <<'.'
import os
os.mkdir("many")
def put(name, n):
    with open("many/" + name, "w") as f:
        f.write("apiVersion: v3.1.0\nkind: DataContract\nid: a\nversion: 1.0.0\nstatus: active\nschema:\n")
        for i in range(n): f.write("  - {name: o%d, logicalType: object, physicalName: %s_o%d}\n" % (i, name[0], i))
put("a.yaml", 10000)
.
    run L discover many
    assert_output "0 datasets, 0 new or changed, 0 gone"
    contract many/b.yaml x
    run -4 L discover many
    assert_output --partial "more than 10000 objects"
}

@test "discover: memory does not grow with the lake" {
    ! grep -q __asan_init "$DP_BIN/dp-lineage" || skip "a sanitizer holds back freed memory: peak memory is not measured"
    command -v /usr/bin/time >/dev/null || skip "no /usr/bin/time: peak memory is not measured"
    mkdir -p lake/x
    python3 -c '
import os
for i in range(5000):
    with open("lake/x/%05d.csv" % i, "w") as f: f.write("a,b\n1,x\n")'
    /usr/bin/time -o peak -f %M dp-lineage discover --to events lake >/dev/null
    [ "$(tail -n 1 peak)" -lt 16384 ]
}
