#!/usr/bin/env python3
"""Random streams through dp-window(1) and through the slow model: disorder, duplicates, late records, equal times, marks, several sources, every kind of window,
every mode of output; with several threads and little memory, byte for byte the same; killed in the middle and gone on with from what was committed.  TAP.

usage: DP_BIN=DIR property.py [--streams N] [--from SEED] [--kills N] [--kind KIND] [--show SEED]

A stream is told by its seed alone: `--show SEED` prints its command and its lines.
"""
import argparse
import concurrent.futures
import json
import os
import random
import shlex
import sys
import tempfile

import corpus
import model
import program

KINDS = ("tumble", "hop", "session", "slide", "count", "calendar")
ZONES = [("Europe/Berlin", (2024, 3, 29)), ("Europe/Berlin", (2024, 10, 25)), ("America/New_York", (2024, 11, 1)), ("Australia/Lord_Howe", (2024, 4, 5)),
         ("America/Sao_Paulo", (2018, 11, 2)), ("Pacific/Apia", (2011, 12, 27)), ("America/St_Johns", (2010, 11, 5)), ("UTC", (1969, 12, 28)), ("Asia/Kolkata", (2024, 2, 27))]
KEYS = ["a", "b", "", "a b", "a!", "é", "Z", "\u20ac", "\U0001f600", 'q"u', "back\\slash"]


class Where:
    def __init__(self, text, test):
        self.text, self.test = text, test

    def __call__(self, rec):
        return self.test(rec)


WHERES = [Where(".w == \"x\"", lambda r: r.get("w") == "x"), Where(".v > 3", lambda r: isinstance(r.get("v"), str) or isinstance(r.get("v"), model.Number) and r["v"].exact > 3)]
AGGS = [("count", None, None), ("count", "v", None), ("sum", "v", None), ("mean", "v", None), ("min", "v", None), ("max", "v", None), ("var_samp", "v", None),
        ("var_pop", "v", None), ("stddev_samp", "v", None), ("stddev_pop", "v", None), ("first", "v", None), ("last", "w", None), ("distinct", "w", None),
        ("distinct_approx", "w", None), ("quantile", "v", "0.95"), ("quantile", "v", "0"), ("quantile_approx", "v", "0.5"), ("median", "v", None), ("top", "v", 3),
        ("collect", "ts", None), ("collect", "v", None), ("min", "w", None), ("max", "w", None)]


def some_aggs(r):
    out = [("n", "count", None, None, None)]
    for op, path, arg in r.sample(AGGS, r.choice([0, 1, 2, 3, 4])):
        out.append(("a%d" % len(out), op, path, arg, r.choice(WHERES) if r.random() < 0.2 else None))
    return tuple(out)


def a_spec(r, kind):
    kv = {"kind": kind, "aggs": some_aggs(r), "emit": r.choice(["final", "update", "changelog", "changelog"])}
    kv["keys"] = r.choice([(), ("k",), ("k",), ("k", "g")])
    if kind == "count":
        kv.update(count=r.randint(1, 5), flush=True, rest=r.random() < 0.5, delay=None)
        kv["every"] = r.choice([None, None, r.randint(1, 6)])
        return model.Spec(**kv)
    kv["size"] = r.choice([1, 2, 5, 10, 10, 12, 40])
    if kind == "hop":
        kv["slide"] = r.choice([1, 2, 3, 5, 7, 10, 15])
    if kind in ("tumble", "hop"):
        kv["offset"] = r.choice([0, 0, 0, 3, -3, 25, -107])
    if kind == "session":
        kv["gap_exclusive"] = r.random() < 0.4
    scale = 1
    if kind == "calendar":
        scale = 3600000
        kv["unit"] = r.choice(["day", "day", "day", "week", "month"])
        kv["week_start"] = r.randint(1, 7)
        kv["zone"] = r.choice(ZONES)[0]
    kv["delay"] = r.choice([None, 0, 0, 3, 10, 30])
    if kv["delay"] is not None:
        kv["delay"] *= scale
    kv["lateness"] = r.choice([0, 0, 4, 12, 50, 50]) * scale
    if kv["emit"] != "final" and r.random() < 0.25:
        kv["panes"] = "discarding"
    x = r.random()
    if x < 0.3:
        kv["source"] = "src"
        kv["sources"] = () if x < 0.1 else ("A", "B") if x < 0.2 else ("A", "B", "C")
    if r.random() < 0.1:
        kv["now"], kv["max_future"] = 100 * scale, r.choice([0, 30]) * scale
    kv["flush"] = r.random() < 0.7
    kv["changes"] = kv.get("panes") is None and r.random() < 0.15
    return model.Spec(**kv)


def a_value(r):
    return r.choice(["1", "2", "3", "5", "7", "-4", "0", "0.1", "0.2", "1.25", "1.10", "-2.5", "9007199254740993", "123456789012345678", "1e3", "1e16", "-1e16", "0.30", "null"])


def a_time(r, t):
    if r.random() < 0.9 or abs(t) > 10 ** 14:
        return str(t)
    whole, part = divmod(t, 1000)
    at = (model.datetime.datetime(1970, 1, 1) + model.datetime.timedelta(seconds=whole)).strftime("%Y-%m-%dT%H:%M:%S") + ".%03d" % part
    return json.dumps((at if at[0] != "-" and at[4] == "-" else "1970-01-01T00:00:00.%03d" % part) + "Z")


def some_lines(r, spec):
    """Records and marks: (text, mark or None)."""
    scale, base = 1, 0
    if spec.kind == "calendar":
        scale = 1800000
        at = dict(ZONES)[spec.zone] if r.random() < 0.5 else r.choice([d for z, d in ZONES if z == spec.zone])
        base = int(model.datetime.datetime(*at, tzinfo=model.datetime.timezone.utc).timestamp() * 1000)
    has_text = not any(a[1] in ("min", "max", "top") and a[2] == "v" for a in spec.aggs)   # numbers and strings have no order
    out, t = [], r.randint(-40, 20)
    spread = r.choice([1, 3, 10, 30, 60, 60])
    for _ in range(r.choice([0, 1, 3, 10, 25, 60, 120])):
        if out and r.random() < 0.05:
            out.append(r.choice(out))            # the same again
            continue
        if spec.kind != "count" and r.random() < (0.12 if spec.delay is None else 0.03):
            source = r.choice([None, "A", "B"]) if spec.source else None
            kind = r.choice(["watermark"] * 6 + ["idle", "active"])
            m = (kind, base + (t + r.randint(-20, 15)) * scale if kind == "watermark" else None, source)
            out.append((program.mark(*m), m))
            continue
        t += r.choice([0, 0, 1, 1, 2, 3, 15])
        x = t - r.choice([0, 0, 0, 1, 2, r.randint(0, spread)])
        x = base + x * scale + (r.choice([0, 0, 1, -1, 1799999]) if scale > 1 else 0)
        rec = ['"ts":%s' % (r.choice(["null", "true", "\"x\"", "1.5", "[]", "1" + "0" * 19]) if r.random() < 0.02 else a_time(r, x))]
        if r.random() > 0.02:
            rec.append('"k":%s' % (json.dumps(r.choice(KEYS), ensure_ascii=r.random() < 0.3) if r.random() > 0.02 else "null"))
        rec.append('"g":%d' % r.choice([1, 2, 10]))
        if r.random() > 0.05:
            rec.append('"v":%s' % ('"text"' if has_text and r.random() < 0.03 else a_value(r)))
        rec.append('"w":"%s"' % r.choice(["x", "y", "z", "xx", "é"]))
        if spec.source:
            rec.append('"src":"%s"' % r.choice("AABBC"))
        if r.random() < 0.2:
            r.shuffle(rec)
        out.append(("{" + ",".join(rec) + "}", None))
    return out


def subtractions(r, lines):
    """Some records are taken out again later, each once: what dp-table changes says of rows that were deleted or changed.  Different records have different times, or
    which of two that look alike to the aggregates goes could be seen in what is first and last."""
    out, open_, at = [], [], {}
    for text, mark in lines:
        if mark:
            out.append((text, mark))
            continue
        if at.setdefault(model.time_of(model.parse(text).get("ts")), text) != text:
            continue
        out.append((text[:-1] + ',"_change_type":"%s"}' % r.choice(["insert", "update_postimage"]), None))
        open_.append(text)
        if open_ and r.random() < 0.25:
            gone = open_.pop(r.randrange(len(open_)))
            out.append((gone[:-1] + ',"_change_type":"%s"}' % r.choice(["delete", "update_preimage"]), None))
    return out


def a_stream(seed, kind=None):
    r = random.Random(seed)
    spec = a_spec(r, kind or KINDS[seed % len(KINDS)])
    lines = some_lines(r, spec)
    if spec.changes:
        lines = subtractions(r, lines)
    return r, spec, lines


def want_of(spec, lines):
    m = corpus.by_model(lines, spec)
    if spec.emit == "final":
        m["windows"] = [{k: v for k, v in row.items() if k not in ("op", "pane")} for row in m["windows"]]
    return m


def outputs(args, data):
    """What a run prints, and the lines of its late records."""
    with tempfile.TemporaryDirectory() as d:
        late = os.path.join(d, "late")
        return program.once(args + ["--late", late], data), program.records(late)


def check(seed, kind):
    """None, or why it is not as the model says."""
    r, spec, lines = a_stream(seed, kind)
    try:
        want = want_of(spec, lines)
        data = "".join(t + "\n" for t, _ in lines).encode()
        got = program.run(spec, lines, extra=["--threads", "1"])
        why = corpus.differ(corpus.late_as_text(want, lines), got, ("late", "watermark_at_end"))
        if why:
            return why
        want_rejects = [line for line, _ in want["rejected"]]
        if want_rejects != [line for line, _ in got["rejected"]]:
            return "rejected: expected %s, got %s" % (want["rejected"], got["rejected"])
        other = ["--threads", str(r.randint(2, 4)), "--memory", r.choice(["16M", "32M", "160M"])]
        if outputs(program.options(spec) + other, data) != (got["bytes"], got["late"]):
            return "other bytes with " + " ".join(other)
    except program.Failed as e:
        return str(e)
    return None


def check_kills(seed, kind):
    """Killed twice at most, gone on with from a checkpoint that a sink has committed: not always the latest one that was written."""
    r, spec, lines = a_stream(seed, kind)
    n = sum(1 for _, m in lines if m is None)
    if n < 3:
        return None
    points = sorted(r.sample(range(1, n + 1), r.randint(1, min(6, n))))
    try:
        data = "".join(t + "\n" for t, _ in lines).encode()
        out, late = outputs(program.options(spec), data)
        whole = program.plain(out)
        got, got_late = program.with_kills(spec, lines, points, r)
        if got_late != late:
            return "checkpoints behind %s: late records are %s, not %s" % (points, got_late, late)
        if got != whole:
            return "checkpoints behind %s: %s" % (points, first_difference(whole, got))
    except program.Failed as e:
        return str(e)
    return None


def first_difference(want, got):
    for i, (a, b) in enumerate(zip(want.split(b"\n"), got.split(b"\n"))):
        if a != b:
            return "row %d: expected %s, got %s" % (i, a.decode(), b.decode())
    return "%d bytes, expected %d" % (len(got), len(want))


def show(seed, kind):
    _, spec, lines = a_stream(seed, kind)
    print("dp-window " + " ".join(map(shlex.quote, program.options(spec))))
    for text, _ in lines:
        print(text)
    want = want_of(spec, lines)
    for row in want["windows"]:
        print("# " + str(row))
    print("# " + str({k: v for k, v in want.items() if k != "windows"}))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--streams", type=int, default=1000)
    p.add_argument("--kills", type=int, default=100)
    p.add_argument("--from", dest="first", type=int, default=0)
    p.add_argument("--kind", choices=KINDS)
    p.add_argument("--show", type=int)
    o = p.parse_args()
    if o.show is not None:
        return show(o.show, o.kind)
    print("1..2")
    bad = 0
    with concurrent.futures.ProcessPoolExecutor(int(os.environ.get("WINDOW_JOBS", os.cpu_count() or 1))) as pool:
        for number, (words, work, n) in enumerate((("streams are as the model says, with any threads and memory", check, o.streams),
                                                   ("streams that were killed give what they give undisturbed", check_kills, o.kills)), 1):
            seeds = range(o.first, o.first + n)
            whys = [(s, w) for s, w in zip(seeds, pool.map(work, seeds, [o.kind] * n, chunksize=8)) if w]
            print("%sok %d - %d random %s" % ("not " if whys else "", number, n, words))
            for s, w in whys[:10]:
                print("# seed %d: %s" % (s, w[:500]))
            if whys:
                print("# %d streams of %d differ" % (len(whys), n))
            bad += len(whys)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
