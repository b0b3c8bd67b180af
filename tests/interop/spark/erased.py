"""A person out of tables of ours and of Spark's: Spark and delta-rs read each version with everybody else, the change feed tells the same of them, row ids stay, and Spark goes on."""
from tap import ok, sh

WHO = 7
FLAGS = "--subject id=%d --subject s=s%d --verify --reason test" % (WHO, WHO)
VALUES = "SELECT id, concat('s', id) AS s, cast(id % 3 AS INT) AS p FROM range({}, {})"


def versions(c, name):
    return sorted(int(x.split("\t")[0]) for x in c.sh("dp-table log '%s'" % name).splitlines())


def as_of(c, name, version):
    df = c.spark.read.format("delta").option("versionAsOf", version).load(c.path(name))
    return c.lines(df.schema, [r for r in df.collect() if r["id"] != WHO])


def feed(c, name, since):
    df = c.spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", since).load(c.path(name)).drop("_commit_timestamp")
    return c.lines(df.schema, [r for r in df.collect() if r["id"] != WHO])


def ids(c, name):
    return {r[0]: r[1] for r in c.sql("SELECT id, _metadata.row_id FROM {}", name).collect() if r[0] != WHO}


def erase(c, name, also="", since=None, tracks=False, refused_by=None):
    known = versions(c, name)
    before = {v: as_of(c, name, v) for v in known}
    told, numbers = since is not None and feed(c, name, since), tracks and ids(c, name)
    r = sh("dp-retain erase %s '%s' %s" % (FLAGS, name, also), c.tmp)
    ok(r.returncode == 0, "%s: erased and verified" % name, r.stdout, r.stderr)
    c.spark.catalog.clearCache()
    c.sql("REFRESH TABLE {}", name)
    bad = [v for v in known if as_of(c, name, v) != before[v]]
    ok(len(known) > 3 and not bad, "%s: Spark reads each of %d versions as before, without the person" % (name, len(known)), bad)
    ok(c.sql("SELECT count(*) FROM {} WHERE id = %d" % WHO, name).collect()[0][0] == 0, "%s: nor does it find them" % name)
    if since is not None:
        ok(feed(c, name, since) == told, "%s: the change feed says of others what it said" % name)
    if tracks:
        ok(ids(c, name) == numbers, "%s: rows keep their ids" % name)
    c.sql("INSERT INTO {} " + VALUES.replace("{}", "%d").replace("(%d, %d)", "(2000, 2005)"), name)
    c.sql("DELETE FROM {} WHERE id = 3", name)
    c.agree(name, "%s: Spark goes on" % name, refused_by=refused_by)


def fill(c, name):
    for at in (0, 30, 60):
        c.sql("INSERT INTO {} " + VALUES.replace("{}", "%d").replace("(%d, %d)", "(%d, %d)" % (at, at + 30)), name)
    c.sql("DELETE FROM {} WHERE id % 10 = 4", name)
    c.sql("UPDATE {} SET p = p + 10 WHERE id < 12", name)


def erased(c, make):
    make(c, "e_plain", {"delta.enableChangeDataFeed": "true", "delta.checkpointInterval": "3"}, clause="PARTITIONED BY (p)")
    fill(c, "e_plain")
    c.sh("dp-table clone e_plain e_clone --shallow")
    erase(c, "e_plain", "e_clone", since=1)
    c.agree("e_clone", "e_clone: a shallow clone, erased with it", 80)

    make(c, "e_vectors", {"delta.enableDeletionVectors": "true", "delta.enableRowTracking": "true", "delta.checkpointPolicy": "v2", "delta.checkpointInterval": "2", "delta.enableInCommitTimestamps": "true"})
    fill(c, "e_vectors")
    erase(c, "e_vectors", tracks=True, refused_by="delta-rs")

    make(c, "e_mapped", {"delta.columnMapping.mode": "name"})
    fill(c, "e_mapped")
    c.sql("ALTER TABLE {} RENAME COLUMN s TO `new name`", "e_mapped")
    erase(c, "e_mapped", refused_by="delta-rs")
