#!/bin/sh
# Spark with Delta over our tables (spark.py), with Spark from pip and its jars from Maven, both kept below obj/.  TAP.
# In CI (CI=true) it is a failure where Spark can't be had, elsewhere a skip.
# usage: DP_BIN=DIR DP_MATRIX=PROGRAM run.sh [CASE...]     (functions of spark.py; default: all; behind altered_tables those of altered.py)
set -u
export DP_LINEAGE=none # dp-run would tell the user's own store
here=$(cd "$(dirname "$0")" && pwd)
obj=$here/../../../obj
jars=$obj/spark-jars

# Copies the jars that pom.xml names, once.
get_jars() {
    want=$(cksum <"$here/pom.xml")
    [ "$(cat "$jars/.made" 2>/dev/null)" = "$want" ] && return 0
    rm -rf "$jars"
    mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars" >&2 || return 1
    echo "$want" >"$jars/.made"
}

missing=
for program in java mvn python3; do command -v "$program" >/dev/null || missing="$missing $program"; done
if [ -n "$missing" ] || ! python=$(sh "$here/../venv.sh" spark) || ! get_jars; then
    why="Spark can't be had here${missing:+: no$missing}"
    if [ "${CI:-}" = true ]; then echo "not ok 1 - $why"; else echo "ok 1 - spark # SKIP $why"; fi
    echo 1..1
    exit 0
fi
jars=$(cd "$jars" && pwd)
export DP_AUDIT="$obj/audit" # nor a forced vacuum the user's own log
log=$obj/spark.log
DP_SPARK_JARS=$jars PYTHONDONTWRITEBYTECODE=1 "$python" "$here/spark.py" "$@" 2>"$log" || { tail -n 20 "$log" >&2; exit 1; }
