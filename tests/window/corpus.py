#!/usr/bin/env python3
"""Cases of windows (JSON files: params, input, expected) through the slow model and through dp-window(1), in each output mode.  TAP.

usage: DP_BIN=DIR corpus.py [--model] FILE...        --model: the model alone

A case is run as --emit changelog and compared row for row; then as `update` (the rows without the retractions) and as `final` (of each window that was not taken
back the last row).  Control lines of the input become marks.  With crash_after the program is killed behind that record and started again at the checkpoint that
was committed last; what was committed must be the output of a run that nobody disturbed.
"""
import json
import math
import os
import sys
from fractions import Fraction

import model
import program

OPS = {"list": "collect"}


def parse_aggs(params):
    """The case's {name: "op:field"} as (name, op, field, argument, where)."""
    aggs = params.get("aggregates", {"n": "count"})
    return [(name, OPS.get(text.partition(":")[0], text.partition(":")[0]), text.partition(":")[2] or None, None, None) for name, text in aggs.items()]


def spec_of(params, emit):
    kind = {"tumbling": "tumble", "hopping": "hop", "session": "session", "sliding": "slide", "count": "count"}[params["kind"]]
    kv = {"kind": "calendar" if "calendar" in params else kind, "aggs": parse_aggs(params), "emit": emit}
    wm = params.get("watermark", {"bound_ms": 0})
    for name, to in (("size_ms", "size"), ("gap_ms", "size"), ("difference_ms", "size"), ("slide_ms", "slide"), ("offset_ms", "offset"), ("calendar", "unit"),
                     ("timezone", "zone"), ("week_start", "week_start"), ("allowed_lateness_ms", "lateness"), ("accumulation", "panes"), ("now_ms", "now"),
                     ("max_future_ms", "max_future"), ("flush_at_end", "flush"), ("count", "count"), ("every", "every"), ("rest", "rest"), ("changes", "changes")):
        if name in params:
            kv[to] = params[name]
    kv["gap_exclusive"] = not params.get("gap_inclusive", True)
    kv["delay"] = None if wm.get("mode") == "explicit" else wm.get("bound_ms", 0)
    kv["source"], kv["sources"] = wm.get("source_field"), tuple(wm.get("sources", ()))
    kv["keys"] = tuple(params["key_fields"]) if "key_fields" in params else (params["key_field"],) if "key_field" in params else ()
    return model.Spec(**kv)


def control(rec):
    """The mark that a control line is: kind, time, source."""
    if "@watermark" in rec:
        return "watermark", rec["@watermark"], rec.get("source")
    for kind in ("idle", "active"):
        if "@" + kind in rec:
            return kind, None, rec["@" + kind]
    return None


def lines_of(case):
    """The input as lines of text, each with its mark or None."""
    out = []
    for rec in case["input"]:
        mark = control(rec)
        out.append((program.mark(*mark) if mark else json.dumps(rec, ensure_ascii=False, separators=(",", ":")), mark))
    return out


def by_model(lines, spec):
    m = model.Model(spec)
    for text, mark in lines:
        if mark:
            m.mark(*mark)
        else:
            m.line(text)
    m.finish()
    rows = []
    for op, start, end, key, pane, values in m.rows:
        row = {"op": op, "start": start, "end": end}
        if key:
            row["key"] = model.bare(key[0]) if len(key) == 1 else [model.bare(k) for k in key]
        if op != "retract":
            row["pane"] = pane
            row.update(values)
        rows.append(row)
    return {"windows": rows, "late": m.late, "rejected": m.rejected, "unassigned": m.unassigned, "unknown": m.unknown, "watermark_at_end": m.at_end}


def by_program(case, spec):
    got = program.run(spec, lines_of(case), case["params"].get("checkpoint_after", []), case["params"].get("crash_after"))
    return got


def lines_in(entries):
    return [e["line"] for e in entries]


def expected(case, spec):
    """What the case expects in this mode of output."""
    e = case["expected"]
    rows = e["windows"]
    if spec.emit == "update":
        rows = [r for r in rows if r["op"] != "retract"]
    if spec.emit == "final":
        last = {}
        for r in rows:
            key = r.get("key", [])
            name = (r["end"], r["start"], model.key_bytes(key if isinstance(key, list) else [key]))
            name = name if spec.kind != "count" else (0, 0, len(last))       # as they come
            name = name[:2] + (tuple(name[2]) if isinstance(name[2], list) else name[2],)
            if r["op"] == "retract":
                last.pop(name, None)
            elif name not in last and r["op"] == "update":
                raise ValueError("%s: an update before the first row" % case["id"])
            else:
                last[name] = r
        w = model.END if spec.flush else e["watermark_at_end"]
        w = model.NONE if w is None else w
        rows = [row for k, row in sorted(last.items(), key=lambda x: x[0]) if spec.kind == "count" or k[0] + (spec.kind == "slide") + spec.lateness <= w]
        rows = [{k: v for k, v in r.items() if k not in ("op", "pane")} for r in rows]
    return {"windows": rows, "late": lines_in(e["late"]), "rejected": [(r["line"], r["reason"]) for r in e["rejected"]], "unassigned": lines_in(e["unassigned"]),
            "watermark_at_end": e["watermark_at_end"]}


def same(a, b):
    """Integers and strings exactly, floating point to 1e-12 of the value."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return set(a) == set(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, bool) or isinstance(b, bool) or a is None or b is None or isinstance(a, str) or isinstance(b, str):
        return type(a) is type(b) and a == b
    a, b = Fraction(a), Fraction(b)
    if a.denominator == 1 and b.denominator == 1:
        return a == b or max(abs(a), abs(b)) > 2 ** 53 and math.isclose(a, b, rel_tol=1e-12)
    return abs(a - b) <= Fraction(1, 10 ** 12) * max(abs(a), abs(b))


def differ(want, got, names):
    """None, or the first difference in words."""
    for i, (w, g) in enumerate(zip(want["windows"], got["windows"])):
        if not same(w, g):
            return "row %d: expected %s, got %s" % (i, w, g)
    if len(want["windows"]) != len(got["windows"]):
        return "%d rows, expected %d; the last: %s" % (len(got["windows"]), len(want["windows"]), (got["windows"] or [None])[-1])
    for name in names:
        if name in got and want[name] != got[name]:
            return "%s: expected %s, got %s" % (name, want[name], got[name])
    if got.get("n_unassigned", len(want["unassigned"])) != len(want["unassigned"]):
        return "%d in no window, expected %d" % (got["n_unassigned"], len(want["unassigned"]))
    return None


def late_as_text(want, lines):
    """Late records by their lines, as they stand in the file of them: two lines may be the same."""
    return dict(want, late=[lines[n - 1][0] for n in want["late"]])


def check(path, model_only):
    with open(path, encoding="utf-8") as f:
        case = json.load(f)
    whys = []
    for emit in ("changelog", "update", "final"):
        if emit == "final" and case["params"].get("accumulation") == "discarding":
            continue             # a final result has no panes
        spec = spec_of(case["params"], emit)
        want = expected(case, spec)
        names = ("late", "rejected", "unassigned", "watermark_at_end")
        got = by_model(lines_of(case), spec)
        if emit == "final":
            got["windows"] = [{k: v for k, v in r.items() if k not in ("op", "pane")} for r in got["windows"]]
        why = differ(want, got, names)
        if why:
            whys.append("model, %s: %s" % (emit, why))
        if not model_only:
            try:
                why = differ(late_as_text(want, lines_of(case)), by_program(case, spec), names)
            except program.Failed as e:
                why = str(e)
            if why:
                whys.append("dp-window, %s: %s" % (emit, why))
    return case, whys


def main():
    args = sys.argv[1:]
    model_only = "--model" in args
    files = [a for a in args if not a.startswith("--")]
    bad = 0
    print("1..%d" % len(files))
    for n, path in enumerate(files, 1):
        case, whys = check(path, model_only)
        print("%sok %d - %s: %s" % ("not " if whys else "", n, os.path.basename(path).split("-")[0], case["title"]))
        for why in whys:
            print("# " + why[:600])
        bad += bool(whys)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
