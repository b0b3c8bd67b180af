"""dp-window(1) under test: its command line from a model.Spec, one run of it, and what it printed in the model's words."""
import json
import os
import signal
import subprocess
import tempfile
import time
import zlib

import model

DP_WINDOW = os.path.join(os.environ.get("DP_BIN", ""), "dp-window")
ENV = {k: v for k, v in os.environ.items() if not k.startswith("DP_")}
# Rules of rejects, in the words of the cases.
REASONS = {"time": "bad_time", "key": "bad_key"}


class Failed(Exception):
    pass


def mark(kind, time=None, source=None, **more):
    """The line of a mark."""
    m = {"$dp": kind}
    if time is not None:
        m["time"] = time
    if source is not None:
        m["source"] = source
    m.update(more)
    return json.dumps(m, separators=(",", ":"))


def ms(n):
    return "%dms" % n


def call(agg):
    name, op, path, arg, where = agg
    inside = ",".join(str(x) for x in (path, arg) if x is not None)
    return "%s=%s(%s)%s" % (name, op, inside, " where " + where.text if where else "")


def options(spec, late=None, rejects=None, report=None):
    """The words that say what the spec says."""
    out = ["--time", "ts", "--epoch", "ms", "--emit", spec.emit, "--max-rejects", "100%"] + (["--panes", spec.panes] if spec.emit != "final" else [])
    size = {"tumble": lambda: ["--tumble", ms(spec.size)], "hop": lambda: ["--hop", ms(spec.size) + "," + ms(spec.slide)],
            "session": lambda: ["--session", ms(spec.size)] + (["--gap-exclusive"] if spec.gap_exclusive else []),
            "slide": lambda: ["--slide", ms(spec.size)],
            "count": lambda: ["--count", str(spec.count) + (",%d" % spec.every if spec.every else "")],
            "calendar": lambda: ["--calendar", spec.unit, "--timezone", spec.zone] + (["--week-start", str(spec.week_start)] if spec.unit == "week" else [])}
    out += size[spec.kind]()
    for agg in spec.aggs:
        out += ["--agg", call(agg)]
    if spec.keys:
        out += ["--key", ",".join(spec.keys)]
    if spec.offset:
        out += ["--offset=" + ms(spec.offset)]
    if spec.delay is not None and spec.kind != "count":
        out += ["--delay", ms(spec.delay)]
    if spec.lateness and spec.kind != "count":
        out += ["--lateness", ms(spec.lateness)]
    if spec.changes:
        out += ["--changes"]
    if spec.source:
        out += ["--source", spec.source + (":" + ",".join(spec.sources) if spec.sources else "")]
    if spec.max_future is not None:
        out += ["--max-future", ms(spec.max_future), "--now", str(spec.now)]
    if spec.kind == "count":
        out += ["--flush"] if spec.flush and spec.rest else []
    else:
        out += ["--flush" if spec.flush else "--no-flush"]
    for name, path in (("--late", late), ("--rejects", rejects), ("--report", report)):
        if path:
            out += [name, path]
    return out


def rows_of(text, spec):
    """Printed records as the model's rows of the corpus's form."""
    rows = []
    for line in text.split(b"\n"):
        if not line or line.startswith(b'{"$dp"'):
            continue
        got = model.parse(line.decode())
        row = {"start": int(got.pop("window_start").exact), "end": int(got.pop("window_end").exact)}
        key = [got.pop(k) for k in spec.keys]
        if spec.emit != "final":
            row["op"] = got.pop("op")
            pane = got.pop("pane", None)
            if row["op"] != "retract":
                row["pane"] = int(pane.exact)
        if key:
            row["key"] = model.bare(key[0]) if len(key) == 1 else [model.bare(k) for k in key]
        if row.get("op") != "retract":
            row.update({k: model.bare(v) for k, v in got.items()})
        rows.append(row)
    return rows


def records(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8", newline="\n") as f:
        return f.read().splitlines()


def start(args, stdout, stderr, **kv):
    return subprocess.Popen([DP_WINDOW] + args, stdin=subprocess.PIPE, stdout=stdout, stderr=stderr, env=ENV, **kv)


def once(args, data):
    p = subprocess.run([DP_WINDOW] + args, input=data, capture_output=True, env=ENV, timeout=120)
    if p.returncode:
        raise Failed("exit %d: %s" % (p.returncode, p.stderr.decode(errors="replace")[:400]))
    return p.stdout


def run(spec, lines, checkpoints=(), crash_after=None, extra=()):
    """What a run gives, in the form of a case's expectations."""
    with tempfile.TemporaryDirectory() as d:
        late, rejects, report = (os.path.join(d, n) for n in ("late.ndjson", "rejects.ndjson", "report.json"))
        args = options(spec, late, rejects, report) + list(extra)
        if crash_after is None:
            out = once(args, "".join(t + "\n" for t, _ in lines).encode())
        else:
            out = crashed(args, d, lines, checkpoints, crash_after)
        with open(report, encoding="utf-8") as f:
            said = json.load(f)
        got = {"windows": rows_of(out, spec), "watermark_at_end": said.get("watermark"), "bytes": out}
        if crash_after is None:
            got["late"] = records(late)
            got["rejected"] = [(r["line"], REASONS.get(r["rules"][0]["rule"], r["rules"][0]["rule"])) for r in (json.loads(x)["reject"] for x in records(rejects))]
            got["n_unassigned"] = said["records"]["unassigned"]
        return got


# ---- a stream with marks, which can be stopped and gone on with ----

def stream(lines, checkpoints, from_record=0, resumes=None, run_id="r1"):
    """The lines of a stream that begins behind record `from_record` (of the checkpoint with the id `resumes`), with a checkpoint mark behind each record of
    `checkpoints`, as (text, number of the record, or None of a mark)."""
    begin = {"id": resumes} if resumes is not None else {}
    yield mark("begin", run=run_id, job="dp", source="in", chain=["dp-ingest"], **begin), None
    n = 0
    for text, is_mark in lines:
        if is_mark:
            if n >= from_record:
                yield json.dumps({**json.loads(text), "run": run_id}, separators=(",", ":")), None
            continue
        n += 1
        if n > from_record:
            yield text, n
            if n in checkpoints:
                yield mark("checkpoint", None, "in", run=run_id, partition="0", position=str(n), id=identity(n)), None


def identity(n):
    """The id of the checkpoint behind record n: the same whichever run comes there."""
    return "c%08x" % zlib.crc32(b"%d" % n)


def committed(out, but=0):
    """(the rows before the last checkpoint but so many, its position or 0) of a stream that was printed: what a sink would have published."""
    points, at = [(0, 0)], 0
    for line in out.split(b"\n")[:-1]:
        at += len(line) + 1
        if line.startswith(b'{"$dp":"checkpoint"'):
            m = json.loads(line)
            if not m.get("more"):
                points.append((at, int(m["position"])))
    done, position = points[max(0, len(points) - 1 - but)]
    return plain(out[:done]), position


def ended(texts):
    """The `end` of a stream of these lines, with the count and hash that dp-ingest gives."""
    data = "".join(t + "\n" for t, number in texts if number is not None)
    said = subprocess.run([os.path.join(os.environ.get("DP_BIN", ""), "dp-ingest"), "--format", "ndjson", "--marks"], input=data.encode(), capture_output=True, env=ENV,
                          check=True).stdout
    end = json.loads(said.split(b"\n")[-2]) if data else {"records": 0, "hash": "xxh3:99aa06d3014798d86001c324468d497f"}
    return mark("end", run="r1", records=end["records"], hash=end["hash"])


def crashed(args, d, lines, checkpoints, crash_after):
    """Runs to behind record crash_after, kills it, and runs again from what was committed."""
    args = args + ["--state", os.path.join(d, "state"), "--line-buffered"]
    done, position = committed(attempt(args, d, lines, checkpoints, 0, None, crash_after))
    return done + finish(args, lines, checkpoints, position, identity(position) if position else None)


def attempt(args, d, lines, checkpoints, from_record, resumes, until, after=None):
    """What a run printed that was given the records from_record + 1 to `until`, and was killed: behind all of its checkpoints, or `after` so many seconds."""
    texts = []
    for text, number in stream(lines, checkpoints, from_record, resumes):
        if number is not None and number > until:
            break
        texts.append(text)
    return killed(args, d, texts, sum(1 for t in texts if t.startswith('{"$dp":"checkpoint"')), after)


def finish(args, lines, checkpoints, position, resumes):
    rest = list(stream(lines, checkpoints, position, resumes))
    out = once(args, ("".join(t + "\n" for t, _ in rest) + ended(rest) + "\n").encode())
    return plain(out)


def plain(out):
    """Without the marks."""
    return b"".join(x + b"\n" for x in out.split(b"\n") if x and not x.startswith(b'{"$dp"'))


def with_kills(spec, lines, checkpoints, r):
    """What is committed of runs that are killed up to twice, and the late records; the sink has committed the latest checkpoint that was passed on, or one before it."""
    with tempfile.TemporaryDirectory() as d:
        late = os.path.join(d, "late")
        args = options(spec, late) + ["--state", os.path.join(d, "state")]
        n = sum(1 for _, m in lines if m is None)
        done, position, resumes = b"", 0, r.choice(["", None])
        for _ in range(r.randint(1, 2)):
            if position == n:
                break
            out = attempt(args, d, lines, checkpoints, position, resumes, r.randint(position + 1, n), r.choice([None, None, r.uniform(0, 0.02)]))
            more, at = committed(out, r.choice([0, 0, 1, 2]))
            if at:
                done, position, resumes = done + more, at, identity(at)
        return done + finish(args, lines, checkpoints, position, resumes), records(late)


def killed(args, d, texts, marks, after):
    """What a run printed that read these lines, and was killed when it had written all of its checkpoints (and whatever else it wanted), or wherever it was then."""
    path = os.path.join(d, "out")
    with open(path, "wb") as out:
        p = start(args, out, open(os.path.join(d, "err"), "wb"))
        try:
            p.stdin.write("".join(t + "\n" for t in texts).encode())
            p.stdin.flush()
            if after is not None:
                time.sleep(after)
            else:
                wait(lambda: p.poll() is not None or count(path, b'{"$dp":"checkpoint"') >= marks)
            if p.poll() is not None:
                with open(os.path.join(d, "err"), "rb") as f:
                    raise Failed("exit %d before it was killed: %s" % (p.returncode, f.read().decode(errors="replace")))
        finally:
            p.send_signal(signal.SIGKILL)
            p.stdin.close()
            p.wait()
    with open(path, "rb") as f:
        return f.read()


def count(path, piece):
    with open(path, "rb") as f:
        return f.read().count(piece)


def wait(true, seconds=30):
    """Until a condition holds, which it must some time."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise Failed("it never came true")
        time.sleep(0.002)
