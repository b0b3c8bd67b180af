"""Tables of delta-rs vacuumed, verified, replicated and put under rules of retention here, ours read there behind eight writers at once, compactions and vacuums."""
import json
import os
import shutil
import tempfile

import deltalake
import pyarrow as pa

import tap
from tap import must, ok, sh

here = os.path.dirname(os.path.abspath(__file__))
work = tempfile.mkdtemp()


def rows(path):
    """All rows as delta-rs reads them, in one order."""
    return sorted(map(str, deltalake.DeltaTable(path).to_pyarrow_table().to_pylist()))


def table(a, b, word):
    return pa.table({"id": pa.array(range(a, b), pa.int64()), "p": ["p %d" % (i % 3) for i in range(a, b)], "word": ["%s%d" % (word, i) for i in range(a, b)],
                     "price": [i / 8 if i % 7 else None for i in range(a, b)]})


def upkeep():
    t = os.path.join(work, "theirs")
    deltalake.write_deltalake(t, table(0, 1000, "a"), partition_by=["p"])
    deltalake.write_deltalake(t, table(1000, 2000, "b"), mode="append")
    d = deltalake.DeltaTable(t)
    d.delete("id % 10 = 3")
    d.update(updates={"word": "'u'"}, predicate="id < 50")
    d.optimize.compact()
    d.create_checkpoint()
    deltalake.write_deltalake(t, table(5000, 5100, "c"), mode="append")
    want = rows(t)
    r = sh("dp-table verify theirs --deep", work)
    ok(r.returncode == 0, "a table of delta-rs verifies, each value", r.stdout, r.stderr)
    must("dp-table replicate theirs copy", work)
    r = sh("dp-table verify copy --deep", work)
    ok(r.returncode == 0 and rows(os.path.join(work, "copy")) == want, "its copy verifies, and delta-rs reads it equal", r.stdout, r.stderr)
    theirs = sorted(deltalake.DeltaTable(t).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=True))
    ours = sorted(line.split("\t")[1].split("/", 1)[1] for line in must("dp-table vacuum theirs --retain 0s --force --dry-run", work).splitlines() if "\t" in line)
    decoded = sorted(x.replace("%20", " ") for x in theirs)
    ok(ours and [x.replace("%20", " ") for x in ours] == decoded, "a vacuum would take here what it would take there", ours[:4], theirs[:4])
    must("dp-table vacuum theirs --retain 0s --force", work)
    ok(rows(t) == want and sh("dp-table verify theirs --deep", work).returncode == 0, "vacuumed here: delta-rs reads it equal, and it verifies")
    deltalake.write_deltalake(t, table(6000, 6010, "d"), mode="append")
    must("dp-table replicate theirs copy", work)
    ok(rows(os.path.join(work, "copy")) == rows(t), "written to there, brought up to date here: read equal")


def retention():
    """A table of delta-rs under rules: what the plan says stays readable is read there as before, what it says goes is gone."""
    t = os.path.join(work, "kept")
    deltalake.write_deltalake(t, table(0, 900, "a"), partition_by=["p"])
    deltalake.write_deltalake(t, table(900, 1800, "b"), mode="overwrite")
    deltalake.write_deltalake(t, table(1800, 2100, "c"), mode="append")
    deltalake.DeltaTable(t).delete("id % 10 = 3")
    with open(os.path.join(work, "rules.yaml"), "w") as f:
        f.write("version: 1\nrules:\n  - {id: rows, rows: {where: .id < 1500 and .id != 950}}\n  - {id: whole, rows: {where: .p == \"p 1\"}}\n"
                "  - {id: versions, versions: {keep: 1d, below-table: true, last: 2}}\n")
    must("dp-retain plan -r rules.yaml --now 2099-01-01T00:00:00Z kept -o plan", work)
    with open(os.path.join(work, "plan")) as f:
        plan = [json.loads(line) for line in f][1]["versions"]
    state = {v: k for k in ("stay", "go") for a, b in plan[k] for v in range(a, b + 1)}
    before = {v: sorted(map(str, deltalake.DeltaTable(t, version=v).to_pyarrow_table().to_pylist())) for v in state}
    want = [r for r in rows(t) if "'p 1'" not in r and (int(r.split(",")[0].split(": ")[1]) >= 1500 or "'id': 950," in r)]
    must("dp-retain apply --audit audit plan", work)
    ok(rows(t) == want and len(want) > 100, "retention: the rows that stay are those that delta-rs reads")
    found = {}
    for v in state:
        try:
            found[v] = "stay" if sorted(map(str, deltalake.DeltaTable(t, version=v).to_pyarrow_table().to_pylist())) == before[v] else "other"
        except OSError:
            found[v] = "go"
    ok(found == state and {"stay", "go"} == set(state.values()), "retention: versions stay readable and go as planned", str(state), str(found))
    r = sh("dp-table verify kept --deep", work)
    ok(r.returncode == 0, "retention: the table verifies", r.stdout, r.stderr)


def asked(path):
    """The same by its query engine, which reads files by their whole paths, too."""
    return sorted(map(str, pa.table(deltalake.QueryBuilder().register("t", deltalake.DeltaTable(path)).execute("select * from t").read_all()).to_pylist()))


def tiers():
    """A table of delta-rs whose cold files stand in a directory with blanks and a %, and come back."""
    t, cold = os.path.join(work, "cool"), os.path.join(work, "cold a%20b")
    deltalake.write_deltalake(t, table(0, 900, "a"), partition_by=["p"])
    os.mkdir(cold)
    want = asked(t)
    with open(os.path.join(work, "tiers.yaml"), "w") as f:
        f.write("version: 1\nrules:\n  - {id: cool, tier: {after: 1d, to: %s}}\n" % json.dumps(cold))
    must("dp-retain plan -r tiers.yaml --now 2099-01-01T00:00:00Z cool -o plan.tiers && dp-retain apply --audit audit plan.tiers", work)
    moved = [u for u in deltalake.DeltaTable(t).file_uris() if "cold" in u]
    ok(asked(t) == want and len(want) == 900 and len(moved) == 3, "tiers: delta-rs reads a table with files elsewhere equal", str(moved))
    deltalake.write_deltalake(t, table(5000, 5010, "c"), mode="append")
    must("dp-table delete cool --where '.id == 7'", work)
    want = asked(t)
    must("dp-retain restore --audit audit --reason test cool", work)
    ok(asked(t) == want and rows(t) == want and len(want) == 909, "tiers: written to there, brought back here: read equal")
    r = sh("dp-table verify cool --deep", work)
    ok(r.returncode == 0, "tiers: the table verifies", r.stdout, r.stderr)


def torture():
    t = os.path.join(work, "ours")
    commits = os.environ.get("COMMITS", "20")
    out = sh("KEEP=%s COMMITS=%s bash %s/../faults/torture.sh" % (t, commits, here), work)
    ok(out.returncode == 0 and "not ok" not in out.stdout, "eight writers, compactions, vacuums", out.stdout, out.stderr)
    d = deltalake.DeltaTable(t)
    ids = d.to_pyarrow_table(columns=["id"])["id"].to_pylist()
    ok(len(ids) == len(set(ids)) == 8 * int(commits), "delta-rs finds each of their rows once", len(ids), d.version())


try:
    upkeep()
    retention()
    tiers()
    torture()
finally:
    shutil.rmtree(work, ignore_errors=True)
tap.done()
