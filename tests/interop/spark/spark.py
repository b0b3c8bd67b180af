"""Spark with Delta reads tables that we wrote, row for row what dp-cat prints: all types, nested columns, partitions whose
values need escaping, mapped names, a log of which only the checkpoint is left.  Then Spark appends to one and deletes by
vectors from another, and we read, append and are read again; and it reads the matrix of Parquet files.  TAP; one session for everything, since its start is dear.
"""
import base64
import datetime
import glob
import json
import math
import os
import shutil
import sys
import tempfile
from decimal import Decimal

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import altered
import matrix
import tap
from tap import ok

os.environ["TZ"] = "UTC"
EPOCH = datetime.datetime(1970, 1, 1)
tap.prefix = "spark: "


def sh(command, given=None):
    return tap.must(command, TMP, given)


# ---- one form for what both sides print ----

def number(x):
    x = float(x)
    return "NaN" if math.isnan(x) else x.hex() if not math.isinf(x) else str(x)


def instant(x):
    if isinstance(x, str):
        x = datetime.datetime.fromisoformat(x.replace("Z", ""))
    return (x - EPOCH) // datetime.timedelta(microseconds=1)


def form(kind, x):
    """A value of either side by Spark's type: Row, list, dict and scalars; or what json.loads made of our record."""
    name = kind.typeName()
    if x is None:
        return None
    if name == "struct":
        return [[f.name, form(f.dataType, x[f.name] if f.name in (x if isinstance(x, dict) else x.asDict()) else None)] for f in kind.fields]
    if name == "array":
        return [form(kind.elementType, v) for v in x]
    if name == "map":
        pairs = [(p["key"], p["value"]) for p in x] if isinstance(x, list) else x.items()
        return sorted(([form(kind.keyType, k), form(kind.valueType, v)] for k, v in pairs), key=repr)
    if name in ("float", "double"):
        return number(x)
    if name == "decimal":
        return str(Decimal(x))
    if name == "date":
        return x if isinstance(x, str) else x.isoformat()
    if name in ("timestamp", "timestamp_ntz"):
        return instant(x)
    if name == "binary":
        return base64.b64decode(x).hex() if isinstance(x, str) else bytes(x).hex()
    if name == "boolean":
        return bool(x)
    if name == "string":
        return x
    return int(x)


def rows_of_spark(table):
    df = spark.read.format("delta").load(table)
    return df.schema, sorted(json.dumps(form(df.schema, r)) for r in df.collect())


def rows_of_ours(table, schema):
    lines = sh("dp-cat --to records '%s'" % table).splitlines()
    return sorted(json.dumps(form(schema, json.loads(line, parse_float=Decimal))) for line in lines)


def same_rows(table, words, expected=None):
    try:
        schema, theirs = rows_of_spark(table)
    except Exception as e:
        return ok(False, words, e)
    ours = rows_of_ours(table, schema)
    only = [x for x in theirs if x not in set(ours)][:2] + [x for x in ours if x not in set(theirs)][:2]
    return ok(theirs == ours and (expected is None or len(ours) == expected), "%s (%d rows)" % (words, len(ours)), len(theirs), *only)


def load(table, records, partition=""):
    sh("dp-partition -q %s -o %s | dp-table commit -q %s --eof-commits" % (partition, table, table), "".join(json.dumps(r) + "\n" for r in records))


# ---- tables ----

TYPES = """apiVersion: v3.1.0
kind: DataContract
id: t
version: 1.0.0
status: active
schema:
- name: t
  properties:
  - {name: id, logicalType: integer, required: true}
  - {name: i8, physicalType: tinyint}
  - {name: i16, physicalType: smallint}
  - {name: i32, physicalType: int}
  - {name: f, physicalType: float}
  - {name: d, physicalType: double}
  - {name: d9, physicalType: "decimal(9,2)"}
  - {name: d18, physicalType: "decimal(18,4)"}
  - {name: d38, physicalType: "decimal(38,10)"}
  - {name: y, logicalType: boolean}
  - {name: s, logicalType: string}
  - {name: bin, physicalType: binary}
  - {name: day, logicalType: date}
  - {name: at, logicalType: timestamp}
  - {name: local, physicalType: timestamp_ntz}
  - {name: l, logicalType: array, items: {logicalType: array, items: {physicalType: int}}}
  - name: st
    logicalType: object
    properties:
    - {name: x, physicalType: "decimal(5,1)"}
    - {name: list, logicalType: array, items: {logicalType: object, properties: [{name: z, logicalType: string}, {name: w, logicalType: timestamp}]}}
"""


def types():
    with open(TMP + "/types.yaml", "w", encoding="utf-8") as f:
        f.write(TYPES)
    lines = [
        '{"id":1,"i8":-128,"i16":32767,"i32":-2147483648,"f":1.5,"d":0.1,"d9":1234567.89,"d18":-0.0001,"d38":1234567890123456789012345678.0123456789,"y":true,'
        '"s":"\\u00e9\\ud83d\\ude00","bin":"AP8=","day":"0001-01-01","at":"2026-01-02T03:04:05.678901Z","local":"1969-12-31T23:59:59.999999",'
        '"l":[[1,null],[],null],"st":{"x":-9999.9,"list":[{"z":"q","w":"2026-01-01T00:00:00Z"},{"z":null}]}}',
        '{"id":9223372036854775807,"f":"NaN","d":"-Infinity","d9":-0.01,"s":"","bin":"","day":"9999-12-31","at":"1677-09-21T00:12:44Z","local":"2262-04-11T23:47:16.854775","l":[],"st":{"x":null,"list":[]}}',
        '{"id":-9223372036854775808,"f":"Infinity","d":-0.0,"day":"1970-01-01","at":"1969-12-31T23:59:59.999999Z","st":null}',
    ]
    sh("dp-table create types -c types.yaml")
    sh("dp-partition -q -c types.yaml -o types | dp-table commit -q types --eof-commits", "\n".join(lines) + "\n")
    same_rows(TMP + "/types", "all types and nested columns", 3)
    df = spark.read.format("delta").load(TMP + "/types")
    ok(df.where("at = timestamp'2026-01-02T03:04:05.678901Z' and d38 > 0 and s >= 'a'").count() == 1 and df.where("day < date'1900-01-01'").count() == 1
       and df.where("i8 < -127").count() == 1 and df.where("id = 9223372036854775807").count() == 1, "files are skipped by our statistics, rows are not lost")


ODD = ["plain", "a b", "a/b", "50%", "x=y", "\u00fc\U0001f600", "q'\"", "a:b", "\u4e2d", None]


def partitioned():
    rows = [{"id": i, "where": ODD[i % 10], "n": i % 3 if i % 4 else None, "ts": "2026-01-%02dT10:00:00.5Z" % (i % 3 + 1), "v": i * 0.5} for i in range(200)]
    sh("dp-contract infer - >part.yaml", "".join(json.dumps(r) + "\n" for r in rows))
    sh("dp-table create part -c part.yaml --by where --by n --by 'day=day(ts)'")
    keys = "--by where --by n --by 'day=day(ts)'"
    load("part", rows, keys)
    same_rows(TMP + "/part", "partitions with values that need escaping, and null", 200)
    df = spark.read.format("delta").load(TMP + "/part")
    ok(df.where("`where` = 'a/b'").count() == 20 and df.where("n is null").count() == 50 and df.where("day = date'2026-01-02'").count() == 67,
       "partitions are pruned", df.where("`where` = 'a/b'").count(), df.where("n is null").count(), df.where("day = date'2026-01-02'").count())
    # Spark appends, we read; we append, Spark reads.
    df.where("id < 30").selectExpr("id + 1000 as id", "`where`", "n", "ts", "v", "day").write.format("delta").mode("append").save(TMP + "/part")
    same_rows(TMP + "/part", "what Spark appended to our table", 230)
    load("part", [dict(r, id=r["id"] + 2000) for r in rows[:50]], keys)
    same_rows(TMP + "/part", "what we append behind Spark", 280)
    ok(spark.sql("DESCRIBE HISTORY delta.`%s/part`" % TMP).count() == 4, "Spark reads the history", sh("dp-table log part"))


def mapped():
    rows = [{"State Name": "s%d" % (i % 3), "n=1": i, "N_1": i + 1, "s": {"x y": i, "z": [{"p,q": "k%d" % i}]}} for i in range(40)]
    sh("dp-contract infer - >map.yaml", "".join(json.dumps(r) + "\n" for r in rows))
    sh("dp-table create map -c map.yaml --by 'State Name'")
    load("map", rows)
    same_rows(TMP + "/map", "mapped names, also of a partition column and of nested fields", 40)
    spark.read.format("delta").load(TMP + "/map").where("`n=1` < 5").write.format("delta").mode("append").save(TMP + "/map")
    same_rows(TMP + "/map", "what Spark appended to the mapped table", 45)
    spark.sql("ALTER TABLE delta.`%s/map` RENAME COLUMN `n=1` TO renamed" % TMP)
    load("map", [{"State Name": "s9", "renamed": 99, "N_1": 1, "s": {"x y": 1, "z": []}}])
    same_rows(TMP + "/map", "a column that Spark renamed, and rows that we add to it", 46)


def checkpointed():
    sh("dp-contract infer - >check.yaml", '{"id":1,"k":"a","o":{"x":1.5}}\n{"id":2,"k":"a","o":null}\n')
    sh("dp-table create check -c check.yaml --by k --property delta.checkpointInterval=4")
    for v in range(6):
        load("check", [{"id": 10 * v + i, "k": "ab c"[i % 4], "o": {"x": i / 4} if i % 3 else None} for i in range(10)])
    log = TMP + "/check/_delta_log/"
    if not ok(os.path.exists(log + "%020d.checkpoint.parquet" % 4), "a checkpoint is there", os.listdir(log)):
        return
    for v in range(5):
        os.unlink(log + "%020d.json" % v)
    same_rows(TMP + "/check", "a table of which only the checkpoint and what follows are left", 60)
    for _ in range(3):
        spark.range(2).selectExpr("id", "'z' as k", "named_struct('x', 1.5D) as o").write.format("delta").mode("append").save(TMP + "/check")
    ok(bool(glob.glob(log + "%020d.checkpoint*.parquet" % 8)), "Spark writes the next checkpoint", sorted(os.listdir(log)))
    same_rows(TMP + "/check", "our reading of Spark's checkpoint", 66)


def vectors():
    spark.range(1000).selectExpr("id", "cast(id as string) as s", "map('k', id) as m").repartition(1).write.format("delta").option("delta.enableDeletionVectors", "true").save(TMP + "/dv")
    spark.sql("DELETE FROM delta.`%s/dv` WHERE id %% 7 = 3" % TMP)
    same_rows(TMP + "/dv", "Spark's own table with maps and deletion vectors", 857)


def parquet_matrix():
    os.mkdir(TMP + "/matrix")
    sh("'%s' matrix" % os.environ["DP_MATRIX"])
    matrix.run(spark, TMP + "/matrix")


def altered_tables():
    altered.run(spark, TMP, form, sys.argv[1:])


def start():
    import pyspark.sql
    jars = ",".join(sorted(glob.glob(os.environ["DP_SPARK_JARS"] + "/*.jar")))
    conf = {
        "spark.master": "local[2]", "spark.jars": jars, "spark.driver.memory": "1g", "spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1", "spark.sql.shuffle.partitions": "1", "spark.databricks.delta.snapshotPartitions": "1", "spark.default.parallelism": "1",
        "spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN",  # small tables: compiling costs more than it saves
        "spark.sql.session.timeZone": "UTC", "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension", "spark.local.dir": TMP,
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog", "spark.sql.warehouse.dir": TMP + "/warehouse",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Duser.timezone=UTC -Dderby.system.home=" + TMP,
    }
    b = pyspark.sql.SparkSession.builder.appName("dp")
    for k, v in conf.items():
        b = b.config(k, v)
    s = b.getOrCreate()
    s.sparkContext.setLogLevel("ERROR")
    return s


TMP = tempfile.mkdtemp()
try:
    spark = start()
    for case in (types, partitioned, mapped, checkpointed, vectors, parquet_matrix, altered_tables):
        if len(sys.argv) > 1 and case.__name__ not in sys.argv[1:]:
            continue
        try:
            case()
        except Exception as e:
            ok(False, "%s goes through" % case.__name__, e)
    spark.stop()
finally:
    shutil.rmtree(TMP, ignore_errors=True)
tap.done()
