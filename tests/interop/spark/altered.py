"""Tables that are altered by each command here and read equal by Spark and delta-rs after each; and tables that those two wrote, with the features that
they have, appended to, restored, cloned and vacuumed here and still read equal there.  The change feed of each is compared three ways too.
"""
import json
import os
import subprocess
from decimal import Decimal

import tap
from tap import ok

HERE = os.path.dirname(os.path.abspath(__file__))


class Peer:
    """delta-rs, which lives in another venv."""

    def __init__(self):
        python = subprocess.run(["sh", HERE + "/../venv.sh"], capture_output=True, text=True, check=True).stdout.strip()
        self.child = subprocess.Popen([python, "-W", "ignore", HERE + "/../delta_rs.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **question):
        self.child.stdin.write(json.dumps(question) + "\n")
        self.child.stdin.flush()
        answer = json.loads(self.child.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["ok"]

    def close(self):
        self.child.stdin.close()
        self.child.wait()


class Case:
    """One session's tools: Spark, delta-rs, our programs, and a form for values in which the three are compared."""

    def __init__(self, spark, tmp, form):
        self.spark, self.tmp, self.form, self.peer = spark, tmp, form, Peer()

    def sh(self, command, given=None):
        return tap.must(command, self.tmp, given)

    def path(self, name):
        return os.path.join(self.tmp, name)

    def sql(self, text, name=None):
        return self.spark.sql(text.replace("{}", "delta.`%s`" % self.path(name)) if name else text)

    # ---- rows ----

    def lines(self, schema, rows):
        return sorted(json.dumps(self.form(schema, r)) for r in rows)

    def ours(self, schema, command):
        return self.lines(schema, (json.loads(x, parse_float=Decimal) for x in self.sh(command).splitlines()))

    def differ(self, a, b, who):
        only = [x for x in a if x not in set(b)][:1], [x for x in b if x not in set(a)][:1]
        return "%s has %d rows, we %d; only there %s, only here %s" % (who, len(b), len(a), only[1], only[0])

    def compare(self, words, schema, ours, readers, expected, refused_by):
        why = [] if expected is None or len(ours) == expected else ["%d rows wanted, %d read" % (expected, len(ours))]
        for who, read in readers.items():
            try:
                theirs = self.lines(schema, read())
            except Exception as e:
                if who != refused_by:
                    why.append("%s: %s" % (who, e))
                continue
            if theirs != ours:
                why.append(self.differ(ours, theirs, who))
        return ok(not why, "%s (%d rows)" % (words, len(ours)), *why)

    def agree(self, name, words, expected=None, refused_by=None):
        """The table is read equal by all three; `refused_by` does not have the feature and may say so."""
        try:
            df = self.spark.read.format("delta").load(self.path(name))
            ours = self.ours(df.schema, "dp-cat --to records '%s'" % name)
        except Exception as e:
            return ok(False, words, e)
        return self.compare(words, df.schema, ours, {"Spark": df.collect, "delta-rs": lambda: self.peer.ask(rows_of=self.path(name))}, expected, refused_by)

    def feed(self, name, words, since=0, expected=None, refused_by=None):
        """So are its changes; times of commits are left to other tests."""
        try:
            df = self.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", since).load(self.path(name)).drop("_commit_timestamp")
            ours = self.ours(df.schema, "dp-table changes '%s' --since %d" % (name, since))
        except Exception as e:
            return ok(False, words, e)
        return self.compare(words, df.schema, ours, {"Spark": df.collect, "delta-rs": lambda: self.peer.ask(changes=self.path(name), since=since)}, expected, refused_by)

    def refused(self, command, words, by, given=None):
        r = tap.sh(command, self.tmp, given)
        return ok(r.returncode == 3 and by in r.stderr, "%s: refused by name" % words, r.returncode, r.stderr)

    # ---- what is written ----

    def load(self, name, rows, options="", commit=""):
        self.sh("dp-partition -q %s -o '%s' | dp-table commit -q %s '%s' --eof-commits" % (options, name, commit, name), "".join(json.dumps(r) + "\n" for r in rows))


CONTRACT = """apiVersion: v3.1.0
kind: DataContract
id: t
version: 1.0.0
status: active
schema:
- name: t
  properties:
  - {name: id, logicalType: integer, required: true}
  - {name: k, logicalType: string}
  - {name: n, physicalType: int}
  - {name: v, physicalType: double}
  - {name: d, physicalType: "decimal(9,2)"}
  - {name: at, logicalType: timestamp}
  - {name: day, logicalType: date}
"""


def rows(start, n):
    return [{"id": i, "k": None if i % 11 == 5 else "k%d" % (i % 4), "n": i % 7 if i % 5 else None, "v": i / 4, "d": float("%d.%02d" % (i, i % 100)),
             "at": "2026-01-01T10:%02d:00.123456Z" % (i % 60), "day": "2026-01-%02d" % (i % 3 + 1)} for i in range(start, start + n)]


def written_here(c):
    """Every way in which a table is written and altered here."""
    with open(c.path("t.yaml"), "w", encoding="utf-8") as f:
        f.write(CONTRACT)
    for name, more in (("a", ""), ("vectors", "--property delta.enableDeletionVectors=true")):
        c.sh("dp-table create %s -c t.yaml --by day --property delta.enableChangeDataFeed=true --property delta.checkpointInterval=4 %s" % (name, more))
        c.load(name, rows(0, 60))
        c.load(name, rows(100, 20))
        c.agree(name, "%s: two appends" % name, 80)
        c.load(name, [r for r in rows(300, 9) if r["day"] == "2026-01-02"], commit="--mode replace")
        c.agree(name, "%s: a partition replaced" % name)
        c.load(name, rows(500, 12), commit="--mode overwrite")
        c.agree(name, "%s: all overwritten" % name, 12)
        c.feed(name, "%s: the changes of appends and overwrites" % name)
        c.sh("dp-table restore %s --to 2" % name)
        c.agree(name, "%s: restored" % name, 80)
        c.sh("dp-table checkpoint %s" % name)
        c.load(name, [dict(r, extra="x") for r in rows(600, 4)], "--evolve add", "--evolve add")
        c.agree(name, "%s: a column more, behind a checkpoint" % name, 84)
        c.sh("dp-table delete %s --where '.id %% 4 == 1' && dp-table update %s --where '.id %% 4 == 2' --set 'k=\"new\"' --set n=.n+1" % (name, name))
        c.agree(name, "%s: rows deleted and updated" % name, 63)
        c.feed(name, "%s: the changes of restore, delete and update" % name, 4)
        c.sh("dp-compact -q %s" % name)
        c.agree(name, "%s: compacted" % name, 63)
        c.sh("dp-compact -q --cluster 'zorder(id,n)' %s" % name)
        c.agree(name, "%s: clustered" % name, 63)
        c.sh("dp-table replicate %s %s-copy" % (name, name))
        c.load(name, rows(620, 5))
        c.sh("dp-table replicate %s %s-copy" % (name, name))
        c.agree(name + "-copy", "%s: a replica, brought up to date" % name, 68)
        c.feed(name, "%s: the whole feed" % name)
    c.sh("dp-table clone a shallow --shallow && dp-table clone a deep --deep --as-of 2")
    c.agree("shallow", "a shallow clone", 68)
    c.agree("deep", "a deep clone", 80)
    c.load("shallow", rows(700, 5))
    c.load("deep", rows(700, 5))
    c.agree("shallow", "a shallow clone with rows of its own", 73)
    c.agree("deep", "a deep clone with rows of its own", 85)
    c.sh("dp-table vacuum a --retain 0s --force && dp-table vacuum shallow --retain 0s --force")
    c.agree("a", "behind a vacuum", 68)
    c.agree("shallow", "a vacuum of the shallow clone leaves the files of its source", 73)
    c.sh("dp-table verify a && dp-table verify vectors && dp-table verify deep")
    ok(True, "and verify finds nothing")


def go_on(c, name, given, n, refused_by=None, since=None):
    """What is done here to a table of another writer: rows appended, deleted and updated, files compacted, a checkpoint, a vacuum.  Returns how many rows it has then."""
    n += len(given) - 1
    c.load(name, given)
    c.sh("dp-table delete %s --where '.id == %d' && dp-table update %s --where '.id == %d' --set id=.id+5000" % (name, given[0]["id"], name, given[1]["id"]))
    c.agree(name, "%s: rows of ours appended, deleted, updated" % name, n, refused_by)
    if since is not None:
        c.feed(name, "%s: our changes in the feed" % name, since, len(given) + 3, refused_by)
    if "rowTracking" in c.sh("head -q -n 3 %s/_delta_log/*.json" % name):
        c.refused("dp-compact %s" % name, "%s: compaction where rows have ids" % name, "enableRowTracking")
    else:
        c.sh("dp-compact -q %s" % name)
    c.sh("dp-table checkpoint %s" % name)
    c.agree(name, "%s: compacted, our checkpoint" % name, n, refused_by)
    c.sh("dp-table vacuum %s --retain 0s --force && dp-table verify %s" % (name, name))
    c.agree(name, "%s: our vacuum" % name, n, refused_by)
    return n


def by_spark(c):
    base = "id BIGINT, s STRING, p INT"
    values = "SELECT id, concat('s', id) AS s, cast(id % 3 AS INT) AS p FROM range(60)"
    more = [{"id": 1000 + i, "s": "m%d" % i, "p": i % 3} for i in range(7)]

    def make(name, properties, columns=base, by="", clause=""):
        c.sql("CREATE TABLE {} (%s) USING delta %s %s TBLPROPERTIES (%s)" % (columns, by, clause, ", ".join("'%s' = '%s'" % p for p in properties.items())), name)

    make("s_dv", {"delta.enableDeletionVectors": "true", "delta.enableChangeDataFeed": "true", "delta.checkpointInterval": "3"}, by="PARTITIONED BY (p)")
    c.sql("INSERT INTO {} " + values, "s_dv")
    c.sql("DELETE FROM {} WHERE id % 7 = 3", "s_dv")
    c.sql("UPDATE {} SET s = concat(s, '!') WHERE id % 5 = 0", "s_dv")
    n = sum(1 for i in range(60) if i % 7 != 3)
    c.agree("s_dv", "s_dv: vectors and changes of Spark", n)
    c.feed("s_dv", "s_dv: Spark's change feed", 1)
    go_on(c, "s_dv", more, n, since=4)

    make("s_v2", {"delta.checkpointPolicy": "v2", "delta.checkpointInterval": "2", "delta.enableRowTracking": "true", "delta.enableInCommitTimestamps": "true"})
    for _ in range(3):
        c.sql("INSERT INTO {} " + values, "s_v2")
    go_on(c, "s_v2", more, 180)
    ids = [r[0] for r in c.sql("SELECT _metadata.row_id FROM {}", "s_v2").collect()]
    ok(len(set(ids)) == 186 and None not in ids, "s_v2: each row has an id of its own, ours too", sorted(ids, key=str)[-9:])
    c.sql("INSERT INTO {} " + values, "s_v2")
    c.agree("s_v2", "s_v2: Spark goes on", 246)

    make("s_cluster", {"delta.feature.timestampNtz": "supported"}, columns=base + ", t TIMESTAMP_NTZ", clause="CLUSTER BY (id)")
    c.sql("INSERT INTO {} SELECT *, timestamp_ntz'2026-01-01 00:00:00.5' FROM (%s)" % values, "s_cluster")
    go_on(c, "s_cluster", [dict(r, t="2026-01-02T03:04:05.678") for r in more], 60)

    make("s_wide", {"delta.enableTypeWidening": "true"})
    c.sql("INSERT INTO {} " + values, "s_wide")
    c.sql("ALTER TABLE {} ALTER COLUMN p TYPE BIGINT", "s_wide")
    go_on(c, "s_wide", [dict(r, p=5000000000) for r in more], 60, refused_by="delta-rs")

    make("s_mapped", {"delta.columnMapping.mode": "name", "delta.enableChangeDataFeed": "true"}, by="PARTITIONED BY (p)")
    c.sql("INSERT INTO {} " + values, "s_mapped")
    c.sql("ALTER TABLE {} RENAME COLUMN s TO `new name`", "s_mapped")
    go_on(c, "s_mapped", [{"id": r["id"], "new name": r["s"], "p": r["p"]} for r in more], 60)

    make("s_check", {"delta.appendOnly": "false"})
    c.sql("ALTER TABLE {} ADD CONSTRAINT positive CHECK (id >= 0)", "s_check")
    c.sql("INSERT INTO {} " + values, "s_check")
    r = tap.sh("dp-partition -q -o s_check | dp-table commit -q s_check --eof-commits", c.tmp, "".join(json.dumps(x) + "\n" for x in more))
    ok(r.returncode == 0 or (r.returncode == 3 and "positive" in r.stderr), "s_check: a constraint is kept, or refused by its name", r.stderr)
    c.agree("s_check", "s_check: a table with a constraint", 60 if r.returncode else 67)

    c.sql("CREATE TABLE {} (id BIGINT GENERATED ALWAYS AS IDENTITY, s STRING) USING delta", "s_identity")
    c.sql("INSERT INTO {} (s) SELECT s FROM (%s)" % values, "s_identity")
    c.agree("s_identity", "s_identity: a column that numbers rows", 60)
    c.refused("dp-partition -q -o s_identity | dp-table commit -q s_identity --eof-commits", "s_identity: rows for it", "identity values", '{"id":1,"s":"x"}\n')


def by_delta_rs(c):
    types = {"id": "long", "k": "string", "n": "int", "v": "double", "d": "decimal(9,2)", "at": "timestamp", "day": "date"}
    c.peer.ask(create=c.path("r"), rows=rows(0, 50), types=types, by=["day"], properties={"delta.enableChangeDataFeed": "true"})
    c.peer.ask(append=c.path("r"), rows=rows(100, 10))
    c.peer.ask(do=c.path("r"), what="delete", where="id = 3")
    c.peer.ask(do=c.path("r"), what="update", where="id = 4", set={"k": "'changed'"})
    c.peer.ask(do=c.path("r"), what="merge", rows=rows(55, 10) + [dict(rows(7, 1)[0], k="merged")])
    c.agree("r", "r: delta-rs appends, deletes, updates and merges", 69)
    c.feed("r", "r: its change feed")
    c.peer.ask(do=c.path("r"), what="optimize")
    c.peer.ask(do=c.path("r"), what="checkpoint")
    go_on(c, "r", rows(900, 6), 69, since=6)
    c.peer.ask(append=c.path("r"), rows=rows(950, 4))
    c.agree("r", "r: delta-rs goes on", 78)


def run(spark, tmp, form):
    c = Case(spark, tmp, form)
    try:
        for case in (written_here, by_spark, by_delta_rs):
            try:
                case(c)
            except Exception as e:
                ok(False, "%s goes through" % case.__name__, e)
    finally:
        c.peer.close()
