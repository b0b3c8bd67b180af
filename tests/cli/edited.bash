# shellcheck shell=bash
# The table that delete, update and merge are tried on.

contract() {
    printf '%s\n' 'apiVersion: v3.1.0' 'kind: DataContract' 'id: t' 'version: 1.0.0' 'status: active' 'schema:' '- name: t' '  properties:' \
        '  - {name: id, logicalType: integer, required: true, primaryKey: true, primaryKeyPosition: 1}' \
        '  - {name: p, logicalType: string, partitioned: true}' '  - {name: v, logicalType: integer}' '  - {name: s, logicalType: string}' >c.yaml
}
rows() { jq -cn --argjson a "$1" --argjson b "$2" 'range($a; $b) | {id: ., p: "k\(. % 3)", v: (. * 10), s: "x\(.)"}'; }
table() { contract && dp-table create t -c c.yaml "$@" >/dev/null && rows 0 1000 | dp-partition -o t | dp-table commit t --eof-commits >/dev/null; }
dv='delta.enableDeletionVectors=true'
cdf='delta.enableChangeDataFeed=true'
entry() { printf 't/_delta_log/%020d.json' "$1"; }
