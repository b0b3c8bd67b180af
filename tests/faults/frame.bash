# shellcheck shell=bash
# What the tests of crash safety share; sourced in the directory that they work in.
# shellcheck disable=SC2154 # here is set by who sources

export DP_LINEAGE=none # what is counted and killed are calls of the programs' own work
export DP_AUDIT=$PWD/audit # and those of the audit log, which is kept here
n=0
ok() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi; }

# The shim that stops and fails calls, beside what is tried.
make_shim() { ${CC:-cc} -shared -fPIC -O1 -o shim.so "$here/shim.c" -ldl || exit 3; }

# c.yaml: what the tables hold.
contract() {
    cat >c.yaml <<'Y'
apiVersion: v3.1.0
kind: DataContract
id: faults
version: 1.0.0
status: active
schema:
  - name: t
    logicalType: object
    properties:
      - {name: id, logicalType: integer, required: true}
      - {name: day, logicalType: date, partitioned: true, partitionKeyPosition: 1}
      - {name: word, logicalType: string}
Y
}
