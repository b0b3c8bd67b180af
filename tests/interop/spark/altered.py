"""Tables that are altered by each command here and read equal by Spark and delta-rs after each; and tables that those two wrote, with the features that
they have, appended to, altered, compacted and vacuumed here and still read equal there.  The change feed of each is compared three ways too.
A comparison stands behind several commands where a fault of each would show in it: each costs a second.
"""
import json
import os
import subprocess
import threading
from decimal import Decimal

import erased as erasure
import tap
from tap import ok

HERE = os.path.dirname(os.path.abspath(__file__))


class Peer:
    """delta-rs, which lives in another venv."""

    def __init__(self):
        python = subprocess.run(["sh", HERE + "/../venv.sh"], capture_output=True, text=True, check=True).stdout.strip()
        self.lock = threading.Lock()
        self.child = subprocess.Popen([python, "-W", "ignore", HERE + "/../delta_rs.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **question):
        with self.lock:
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

    def same(self, words, schema, theirs, command):
        """Rows of a query of Spark's are what a command of ours prints."""
        return self.compare(words, schema, self.ours(schema, command), {"Spark": lambda: theirs}, None, None)

    def refused(self, command, words, by, given=None, code=3):
        r = tap.sh(command, self.tmp, given)
        return ok(r.returncode == code and by in r.stderr, "%s: refused by name" % words, r.returncode, r.stderr)

    def row_ids(self, name, versions=False):
        return {(r[0], r[1]) if versions else r[0]: (r[1], r[2])[versions] for r in self.sql("SELECT id, _metadata.row_id, _metadata.row_commit_version FROM {}", name).collect()}

    # ---- what is written ----

    def load(self, name, rows, options="", commit=""):
        self.sh(loading(name, options, commit), lines(rows))

    def merge(self, name, rows, options=""):
        self.sh("dp-table merge -q '%s' --key id %s --eof-commits" % (name, options), lines(rows))


def lines(rows):
    return "".join(json.dumps(r) + "\n" for r in rows)


def loading(name, options="", commit=""):
    return "dp-partition -q %s -o '%s' | dp-table commit -q %s '%s' --eof-commits" % (options, name, commit, name)


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


def changed(of, at):
    """Records to merge: four that replace rows or are new, three that are new, and two that take rows away."""
    return [dict(r, k="merged") for r in rows(of, 4)] + rows(at, 3) + [{"id": of + 8, "op": "delete"}, {"id": of + 10, "_change_type": "delete"}]


def written_here(c):
    """Every way in which a table is written and altered here."""
    for name, more in (("a", ""), ("vectors", "--property delta.enableDeletionVectors=true")):
        c.sh("dp-table create %s -c t.yaml --by day --property delta.enableChangeDataFeed=true --property delta.checkpointInterval=4 %s" % (name, more))
        c.load(name, rows(0, 60))
        c.load(name, rows(100, 20))
        c.load(name, [r for r in rows(300, 9) if r["day"] == "2026-01-02"], commit="--mode replace")
        c.agree(name, "%s: appends, and a partition replaced" % name)
        c.load(name, rows(500, 12), commit="--mode overwrite")  # this one and the next are seen in the changes
        c.sh("dp-table restore %s --to 2" % name)
        c.load(name, [dict(r, extra="x") for r in rows(600, 4)], "--evolve add", "--evolve add")
        c.sh("dp-table delete %s --where '.id %% 4 == 1' && dp-table update %s --where '.id %% 4 == 2' --set 'k=\"new\"' --set n=.n+1" % (name, name))
        c.agree(name, "%s: restored, a column more, rows deleted and updated" % name, 63)
        c.merge(name, changed(0, 800))
        c.agree(name, "%s: merged" % name, 65)
        c.sh("dp-compact -q %s" % name)
        c.agree(name, "%s: compacted" % name, 65)
        c.sh("dp-compact -q --cluster 'zorder(id,n)' %s && dp-table replicate %s %s-copy" % (name, name, name))
        c.load(name, rows(620, 5))
        c.sh("dp-table replicate %s %s-copy" % (name, name))
        c.agree(name + "-copy", "%s: clustered, and a replica brought up to date" % name, 70)
        c.feed(name, "%s: all its changes" % name)
    differences(c, "vectors", 6, 9)
    c.sh("dp-table verify a && dp-table verify vectors")


def differences(c, name, a, b):
    """Rows in which two versions differ."""
    then, now = (c.spark.read.format("delta").option("versionAsOf", v).load(c.path(name)) for v in (a, b))
    both = then.exceptAll(now).selectExpr("*", "'delete' AS _change_type").unionAll(now.exceptAll(then).selectExpr("*", "'insert' AS _change_type"))
    c.same("%s: the rows in which two versions differ" % name, both.schema, both.collect(), "dp-table diff %s %d %d --rows || [ $? = 1 ]" % (name, a, b))


def copies(c):
    """Clones and branches of table a, which Spark alters too; and a directory of Spark's that becomes a table."""
    c.sh("dp-table clone a shallow --shallow && dp-table clone a deep --deep --as-of 2")
    for name, n in (("shallow", 75), ("deep", 85)):
        c.load(name, rows(700, 5))
        c.sh("dp-table vacuum %s --retain 0s --force" % name)
        c.agree(name, "a %s clone with rows of its own" % name, n)
    c.sh("dp-table branch a try")
    c.merge("a@try", changed(100, 850))
    c.sql("DELETE FROM {} WHERE id IN (0, 3)", "a@try")
    c.agree("a@try", "a branch into which is merged, and from which Spark deletes", 70)
    c.feed("a@try", "the changes of a branch", 1)
    c.sh("dp-run -q -- 'dp-table changes a@try --since 1 | dp-table merge a --key id'")
    c.agree("a", "a branch merged back", 70)
    c.sh("rm -r a@try && dp-table vacuum a --retain 0s --force")
    c.agree("a", "behind a vacuum", 70)
    c.sh("dp-table verify a && dp-table verify deep")

    c.spark.range(40).selectExpr("id", "concat('s', id) AS s", "timestamp_seconds(id) AS t", "cast(id % 3 AS INT) AS p").repartition(2).write.partitionBy("p").parquet(c.path("converted"))
    c.sh("dp-table convert converted --by 'p int32'")
    c.agree("converted", "a directory that Spark wrote is a table", 40)
    c.merge("converted", [{"id": 1, "s": "m", "t": "2026-01-01T00:00:00Z", "p": 2}, {"id": 100, "s": "n", "t": "1966-01-01T00:00:00Z", "p": 7}, {"id": 2, "op": "delete"}])
    c.sql("DELETE FROM {} WHERE id = 4", "converted")
    c.sh("dp-compact -q converted")
    c.agree("converted", "merged into, compacted", 39)


def kept_here(c):
    """What stands beside the rows: types that grew, ids of rows, times of commits, checkpoints, and a log that was cleaned up."""
    c.sh("dp-table create evolved -c t.yaml --by day --property delta.columnMapping.mode=name --property delta.enableTypeWidening=true")
    c.load("evolved", rows(0, 20))
    with open(c.path("wide.yaml"), "w", encoding="utf-8") as f:
        f.write(CONTRACT.replace("physicalType: int}", "logicalType: integer}") + '  - {name: "new one", logicalType: object, properties: [{name: x, logicalType: integer}]}\n')
    c.load("evolved", [dict(r, n=5000000000 + r["id"], **{"new one": {"x": 1}}) for r in rows(20, 5)], "-c wide.yaml --evolve widen", "--evolve widen")
    c.agree("evolved", "a mapped table with a wider column and a new one", 25, refused_by="delta-rs")
    c.sql("UPDATE {} SET n = n + 1, `new one` = named_struct('x', 7L) WHERE id IN (3, 21)", "evolved")
    c.merge("evolved", [dict(rows(4, 1)[0], n=6000000000), {"id": 5, "op": "delete"}])
    c.agree("evolved", "Spark updates it, we merge into it", 24, refused_by="delta-rs")

    switches = ("enableRowTracking", "enableInCommitTimestamps", "enableDeletionVectors", "enableChangeDataFeed")
    c.sh("dp-table create ids -c t.yaml --property delta.checkpointPolicy=v2 %s" % " ".join("--property delta.%s=true" % s for s in switches))
    c.load("ids", rows(0, 30))
    before = c.row_ids("ids")
    c.sh("dp-table delete ids --where '.id == 3'")
    c.merge("ids", changed(0, 40))
    c.sh("dp-table checkpoint ids --format v2 && rm ids/_delta_log/%s[0-2].json" % ("0" * 19))
    c.agree("ids", "ids: rows with ids, and only a checkpoint of form v2 left of what was before", 31, refused_by="delta-rs")
    c.feed("ids", "ids: its changes", 3, refused_by="delta-rs")
    after = c.row_ids("ids")
    same = [i for i in range(30) if i not in (3, 8, 10)]
    ok(len(set(after.values())) == len(after) == 31 and None not in after.values() and all(before[i] == after[i] for i in same), "ids: those of rows that stay or are replaced stay, none is there twice",
       sorted(after.items()))
    c.sql("UPDATE {} SET k = 'spark' WHERE id IN (4, 41)", "ids")
    c.sql("INSERT INTO {} SELECT id + 900 AS id, k, n, v, d, at, day FROM {} WHERE id < 9", "ids")
    c.load("ids", rows(60, 5))
    last = c.row_ids("ids")
    ok(len(set(last.values())) == len(last) and None not in last.values() and last[4] == after[4], "ids: nor when Spark and we go on", sorted(last.items()))
    c.agree("ids", "ids: Spark and we go on", len(last), refused_by="delta-rs")
    told = c.row_ids("ids", True)
    c.sh("dp-compact -q --deleted 0 --cluster 'zorder(n,v)' ids")
    ok(c.row_ids("ids", True) == told, "ids: and when we cluster them, the versions too", sorted(told.items() ^ c.row_ids("ids", True).items()))
    c.sql("UPDATE {} SET k = 'again' WHERE id = 5", "ids")
    now = c.row_ids("ids")
    ok(now == last, "ids: Spark updates one of the moved rows, which keeps its id", sorted(now.items() ^ last.items()))
    c.agree("ids", "ids: clustered here, updated there", len(last), refused_by="delta-rs")
    times = {r[0]: r[1].isoformat(timespec="milliseconds") + "Z" for r in c.sql("DESCRIBE HISTORY {}", "ids").select("version", "timestamp").collect()}
    ours = {h["version"]: h["time"] for h in json.loads(c.sh("dp-table log ids --json"))["versions"]}
    ok(len(times) == 6 and times == {v: ours.get(v) for v in times}, "ids: times of commits are Spark's", times, ours)

    c.sh("dp-table create clean -c t.yaml --property delta.checkpoint.writeStatsAsStruct=true --property delta.checkpoint.writeStatsAsJson=false")
    for i in range(3):
        c.load("clean", rows(10 * i, 10))
    c.sh("dp-table checkpoint clean --format classic && touch -d '40 days ago' clean/_delta_log/*.json")
    c.load("clean", rows(30, 10))
    c.sh("dp-table checkpoint clean --cleanup && [ ! -e clean/_delta_log/%020d.json ]" % 2)
    c.agree("clean", "a log that was cleaned up, with statistics as a struct", 40)
    df = c.spark.read.format("delta").load(c.path("clean"))
    found = [df.where(w).count() for w in ("id = 25", "at >= timestamp'2026-01-01 10:39:00.123456'", "d < 1", "n is null", "k = 'k1' and day = date'2026-01-01'")]
    ours = [len(c.sh("dp-cat clean --where '%s'" % w).splitlines()) for w in (".id == 25", '.at >= "2026-01-01T10:39:00.123456Z"', ".d < 1", ".n == null", '.k == "k1" and .day == "2026-01-01"')]
    ok(found == ours and found[:2] == [1, 1], "files are skipped by these statistics, rows are not lost", found, ours)


def go_on(c, name, given, n, refused_by=None, since=None, feed_refused_by=None):
    """What is done here to a table of another writer: rows appended, deleted, updated and merged, files compacted, a checkpoint, a vacuum.  Returns how many rows it has then."""
    n += len(given) - 1
    tracks = "delta.enableRowTracking" in c.sh("head -q -n 3 %s/_delta_log/*.json" % name)
    c.load(name, given)
    told = tracks and c.row_ids(name, True)
    c.sh("dp-table delete %s --where '.id == %d' && dp-table update %s --where '.id == %d' --set id=.id+5000" % (name, given[0]["id"], name, given[1]["id"]))
    if tracks:
        want = {r: i + 5000 * (i == given[1]["id"]) for i, r in told if i != given[0]["id"]}
        found = {r: i for i, r in c.row_ids(name, True)}
        ok(want == found, "%s: rows that we copied and updated keep their ids" % name, sorted(want.items() ^ found.items()))
    c.merge(name, [given[1], {"id": given[2]["id"], "op": "delete"}, dict(given[4], id=given[3]["id"])])
    c.agree(name, "%s: rows of ours appended, deleted, updated, merged" % name, n, refused_by)
    if tracks:
        ids = c.row_ids(name)
        ok(ids[given[3]["id"]] in {r for r, i in want.items() if i == given[3]["id"]}, "%s: so does a row that we replaced by merge" % name, want, ids)
    if since is not None:
        c.feed(name, "%s: our changes in the feed" % name, since, len(given) + 7, refused_by or feed_refused_by)
    before = tracks and c.row_ids(name, True)
    c.sh("dp-compact -q %s" % name)
    if tracks:
        after = c.row_ids(name, True)
        ok(before == after and len(c.sh("dp-table files %s" % name).splitlines()) == 1, "%s: rows that were compacted keep their ids and the versions that wrote them" % name,
           sorted(before.items() ^ after.items()))
    c.sh("dp-table checkpoint %s && dp-table vacuum %s --retain 0s --force && dp-table verify %s" % (name, name, name))
    c.agree(name, "%s: compacted, our checkpoint, our vacuum" % name, n, refused_by)
    return n


BASE = "id BIGINT, s STRING, p INT"
VALUES = "SELECT id, concat('s', id) AS s, cast(id % 3 AS INT) AS p FROM range(60)"
MORE = [{"id": 1000 + i, "s": "m%d" % i, "p": i % 3} for i in range(7)]


def make(c, name, properties, columns=BASE, clause=""):
    c.sql("CREATE TABLE {} (%s) USING delta %s TBLPROPERTIES (%s)" % (columns, clause, ", ".join("'%s' = '%s'" % p for p in properties.items())), name)


def by_spark(c):
    make(c, "s_dv", {"delta.enableDeletionVectors": "true", "delta.enableChangeDataFeed": "true", "delta.checkpointInterval": "3"}, clause="PARTITIONED BY (p)")
    c.sql("INSERT INTO {} " + VALUES, "s_dv")
    c.sql("DELETE FROM {} WHERE id % 7 = 3", "s_dv")
    c.sql("UPDATE {} SET s = concat(s, '!') WHERE id % 5 = 0", "s_dv")
    n = sum(1 for i in range(60) if i % 7 != 3)
    c.agree("s_dv", "s_dv: vectors and changes of Spark", n)
    c.feed("s_dv", "s_dv: Spark's change feed", 1)
    go_on(c, "s_dv", MORE, n, since=4)

    make(c, "s_v2", {"delta.checkpointPolicy": "v2", "delta.checkpointInterval": "2", "delta.enableRowTracking": "true", "delta.enableInCommitTimestamps": "true"})
    for _ in range(2):
        c.sql("INSERT INTO {} " + VALUES, "s_v2")
    n = go_on(c, "s_v2", MORE, 120)
    ids = [r[0] for r in c.sql("SELECT _metadata.row_id FROM {}", "s_v2").collect()]
    ok(len(set(ids)) == n and None not in ids, "s_v2: each row has an id of its own, ours too", sorted(ids, key=str)[-9:])
    c.sql("INSERT INTO {} " + VALUES, "s_v2")
    c.agree("s_v2", "s_v2: Spark goes on", n + 60)

    make(c, "s_cluster", {"delta.feature.timestampNtz": "supported"}, BASE + ", t TIMESTAMP_NTZ", "CLUSTER BY (id)")
    for _ in range(2):
        c.sql("INSERT INTO {} SELECT *, timestamp_ntz'2026-01-01 00:00:00.5' FROM (%s)" % VALUES, "s_cluster")
    n = go_on(c, "s_cluster", [dict(r, t="2026-01-02T03:04:05.678") for r in MORE], 120)
    c.load("s_cluster", [dict(r, id=r["id"] + 70, t=None) for r in MORE])
    c.sql("OPTIMIZE {}", "s_cluster")
    columns = c.sql("DESCRIBE DETAIL {}", "s_cluster").select("clusteringColumns").collect()[0][0]
    c.agree("s_cluster", "s_cluster: Spark optimizes it", n + 7)
    ok(columns == ["id"], "s_cluster: and it is clustered as it was", columns)

    make(c, "s_wide", {"delta.enableTypeWidening": "true"})
    c.sql("INSERT INTO {} " + VALUES, "s_wide")
    c.sql("ALTER TABLE {} ALTER COLUMN p TYPE BIGINT", "s_wide")
    go_on(c, "s_wide", [dict(r, p=5000000000) for r in MORE], 60, refused_by="delta-rs")

    make(c, "s_mapped", {"delta.columnMapping.mode": "name", "delta.enableChangeDataFeed": "true"}, clause="PARTITIONED BY (p)")
    c.sql("INSERT INTO {} " + VALUES, "s_mapped")
    c.sql("ALTER TABLE {} RENAME COLUMN s TO `new name`", "s_mapped")
    go_on(c, "s_mapped", [{"id": r["id"], "new name": r["s"], "p": r["p"]} for r in MORE], 60, since=3, feed_refused_by="delta-rs")


def rules_of_spark(c):
    """What Spark's tables demand of rows holds for ours, and what can't be checked is refused."""
    make(c, "s_rules", {"delta.enableChangeDataFeed": "true"}, "id BIGINT NOT NULL, at TIMESTAMP, day DATE GENERATED ALWAYS AS (CAST(at AS DATE)), y INT GENERATED ALWAYS AS (year(at)), "
         "h STRING GENERATED ALWAYS AS (date_format(at, 'yyyy-MM-dd-HH')), name VARCHAR(5), code CHAR(3)", "PARTITIONED BY (day)")
    c.sql("ALTER TABLE {} ADD CONSTRAINT positive CHECK (id >= 0 AND (name IS NULL OR name NOT IN ('bad', 'worse')))", "s_rules")
    c.sql("INSERT INTO {} (id, at, name, code) SELECT id, timestamp_seconds(id * 7000), concat('n', id), 'abc' FROM range(40)", "s_rules")
    given = [{"id": 1000 + i, "at": "%d-12-31T23:59:59.999999Z" % (1969 + i), "name": "\u00e4\U0001f600%d" % i, "code": "cod"} for i in range(7)]
    go_on(c, "s_rules", given, 40)
    for words, by, row in (("a row that breaks a constraint", "positive", {"id": -1}), ("a name that is no value of a list", "positive", {"id": 1, "name": "bad"}),
                           ("a text that is too long", "varchar(5)", {"id": 1, "name": "123456"}), ("a generated column that is not", "CAST(at AS DATE)", {"id": 1, "at": given[0]["at"], "day": "2026-01-01"})):
        c.refused(loading("s_rules"), "s_rules: %s" % words, by, lines([row]), 1)
    c.sql("INSERT INTO {} (id, at, name, code) VALUES (1, timestamp'2026-01-01 00:00:00', 'x', 'xyz')", "s_rules")
    c.agree("s_rules", "s_rules: Spark goes on", 47)

    c.sql("CREATE TABLE {} (id BIGINT GENERATED ALWAYS AS IDENTITY, s STRING) USING delta", "s_identity")
    c.sql("INSERT INTO {} (s) SELECT s FROM (%s)" % VALUES, "s_identity")
    c.agree("s_identity", "s_identity: a column that numbers rows", 60)
    c.refused(loading("s_identity"), "s_identity: rows for it", "identity values", '{"id":1,"s":"x"}\n')


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


def erased(c):
    erasure.erased(c, make)


# Two lanes, since much of the time is one thread of Spark's planning; within one a case may need what those before it made.
LANES = ((written_here, copies, kept_here, erased), (by_spark, rules_of_spark, by_delta_rs))


def run(spark, tmp, form, only):
    """All cases, or those among `only`."""
    c = Case(spark, tmp, form)
    with open(c.path("t.yaml"), "w", encoding="utf-8") as f:
        f.write(CONTRACT)
    chosen = [[case for case in lane if case.__name__ in only] for lane in LANES]

    def go(lane):
        for case in lane:
            try:
                case(c)
            except Exception as e:
                ok(False, "%s goes through" % case.__name__, e)

    threads = [threading.Thread(target=go, args=(lane,)) for lane in (chosen if any(chosen) else LANES)]
    try:
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    finally:
        c.peer.close()
