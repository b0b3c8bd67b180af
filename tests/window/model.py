"""Event-time windows, slowly and plainly: what dp-window(1) must say, from its definitions and without its code.

A window is the list of the records in it; what a row says is computed from that list when it is written, with exact fractions.  Model takes records and marks in
their order and keeps what a run of dp-window would print: rows, and which records were late, rejected, in no window or unknown.  Nothing here is fast on purpose,
and nothing is bounded.  Times are integer milliseconds.  The standard library alone.
"""
import datetime
import functools
import json
import math
import zoneinfo
from fractions import Fraction

NONE = -(1 << 63)                # nothing is promised
END = 1 << 200                   # the end of time
RETRACT, EMIT, UPDATE = "retract", "emit", "update"
ORDER = {RETRACT: 0, EMIT: 1, UPDATE: 2}


class Spec:
    """What the options of dp-window say, times in ms."""
    kind = "tumble"              # tumble hop session slide count calendar
    size = 1                     # also the gap of a session and the difference of slide
    slide = 1
    offset = 0
    gap_exclusive = False
    count, every = 1, None
    unit, week_start, zone = "day", 1, "UTC"
    lateness = 0
    emit = "changelog"           # final update changelog
    panes = "accumulating"
    delay = 0                    # None: only marks move the watermark
    keys = ()
    source, sources = None, ()
    now, max_future = None, None
    flush = True
    rest = False                 # count windows: print what is left at the end
    changes = False
    aggs = ()                    # of (name, op, field, argument, where: a function of the record or None)

    def __init__(self, **kv):
        for k, v in kv.items():
            if not hasattr(Spec, k):
                raise TypeError(k)
            setattr(self, k, v)


# ---- calendars ----

def local_date(zone, second):
    z = zoneinfo.ZoneInfo(zone)
    return (datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc) + datetime.timedelta(seconds=second)).astimezone(z).date()


@functools.lru_cache(maxsize=None)
def first_instant(zone, date):
    """The first second whose local date is this one; None where there is none.  Every minute of four days is looked at."""
    noon = (date - datetime.date(1970, 1, 1)).days * 86400
    for m in range(noon - 48 * 3600, noon + 48 * 3600, 60):
        if local_date(zone, m) == date:
            for s in range(m - 59, m + 1):
                if local_date(zone, s) == date:
                    return s
    return None


def next_date(spec, date):
    if spec.unit == "month":
        return datetime.date(date.year + date.month // 12, date.month % 12 + 1, 1)
    return date + datetime.timedelta(days=7 if spec.unit == "week" else 1)


def period(spec, t):
    """The calendar period that an instant is in."""
    date = local_date(spec.zone, t // 1000)
    if spec.unit == "week":
        date -= datetime.timedelta(days=(date.isoweekday() - spec.week_start) % 7)
    elif spec.unit == "month":
        date = date.replace(day=1)
    while True:
        start = first_of(spec, date)
        following = next_date(spec, date)
        end = first_of(spec, following)
        if start * 1000 <= t < end * 1000:
            return start * 1000, end * 1000
        date = following          # a clock that is set back over midnight: the hour before it is in the new date's window already


def first_of(spec, date):
    """The first instant at or behind the beginning of a date, which may not exist."""
    while True:
        at = first_instant(spec.zone, date)
        if at is not None:
            return at
        date += datetime.timedelta(days=1)


# ---- aggregates ----

def number(v):
    """A number of a record (they are read as the text that stands there) as an exact fraction, or None."""
    if isinstance(v, Number):
        return v.exact
    return None


class Number:
    """A JSON number with its spelling."""
    def __init__(self, text):
        self.text = text
        self.exact = Fraction(text)

    def __eq__(self, other):
        return isinstance(other, Number) and self.exact == other.exact

    def __hash__(self):
        return hash(self.exact)

    def __repr__(self):
        return self.text


def parse(text):
    """JSON with the spelling of numbers kept."""
    return json.loads(text, parse_int=Number, parse_float=Number)


def bare(v):
    """With plain numbers again, exact ones."""
    if isinstance(v, Number):
        return v.exact
    if isinstance(v, list):
        return [bare(x) for x in v]
    if isinstance(v, dict):
        return {k: bare(x) for k, x in v.items()}
    return v


def short(v):
    """A number whose decimal spelling is summed as such; others are taken as doubles."""
    return "e" not in v.text and "E" not in v.text and len(v.text.lstrip("-").replace(".", "")) <= 38


def exact_or_double(v):
    return v.exact if short(v) else Fraction(float(v.text))


def rank(values, q):
    """Nearest rank: the value at ceil(q * n), 1-based; q = 0 is the least."""
    values = sorted(values)
    return values[max(1, math.ceil(q * len(values))) - 1] if values else None


def variance(values, less):
    n = len(values)
    if n <= less:
        return None
    mean = sum(values, Fraction(0)) / n
    return sum(((x - mean) ** 2 for x in values), Fraction(0)) / (n - less)


def root(v):
    return None if v is None else math.sqrt(float(v))


def field(rec, path):
    for name in path.split("."):
        rec = rec.get(name) if isinstance(rec, dict) else None
    return rec


def aggregate(agg, records):
    """The value of one aggregate over records [(time, arrival, record)]; numbers are fractions, floats where a root is taken."""
    _, op, path, arg, where = agg
    records = sorted((r for r in records if where is None or where(r[2])), key=lambda r: (r[0], r[1]))
    if op == "count" and path is None:
        return Fraction(len(records))
    if op == "collect" and path is None:
        return [bare(r[2]) for r in records]
    values = [field(r[2], path) for r in records]
    values = [v for v in values if v is not None]
    if op == "count":
        return Fraction(len(values))
    if op == "collect":
        return [bare(v) for v in values]
    if op in ("first", "last"):
        return bare(values[0 if op == "first" else -1]) if values else None
    if op in ("distinct", "distinct_approx"):
        return Fraction(len({json.dumps(v) if not isinstance(v, Number) else v for v in values}))
    if op in ("min", "max"):
        values = [v.encode() if isinstance(v, str) else v.exact for v in values]
        v = (min if op == "min" else max)(values) if values else None
        return v.decode() if isinstance(v, bytes) else v
    if op == "top":
        return [v.exact for v in sorted(values, key=lambda v: v.exact, reverse=True)[:arg]]
    exact = [v.exact for v in values]
    if op in ("quantile", "quantile_approx", "median"):
        return rank(exact, Fraction(1, 2) if op == "median" else Fraction(str(arg)))
    if op == "sum":
        if not values:
            return None
        total = sum((exact_or_double(v) for v in values), Fraction(0))
        return total if all(short(v) for v in values) else float(total)
    if op == "mean":
        return sum((exact_or_double(v) for v in values), Fraction(0)) / len(values) if values else None
    if op in ("var_samp", "var_pop", "stddev_samp", "stddev_pop"):
        v = variance([exact_or_double(x) for x in values], 1 if op.endswith("samp") else 0)
        return root(v) if op.startswith("stddev") else v
    raise ValueError(op)


def sums(agg):
    return agg[1] in ("sum", "mean", "var_samp", "var_pop", "stddev_samp", "stddev_pop", "quantile", "quantile_approx", "median")


def time_of(v):
    """Milliseconds: an integer, or RFC 3339 with an offset; None: neither."""
    if isinstance(v, Number):
        return int(v.text) if v.text.lstrip("-").isdigit() and -(1 << 63) <= int(v.text) < 1 << 63 else None
    if not isinstance(v, str):
        return None
    try:
        at = datetime.datetime.fromisoformat(v)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return (at - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(milliseconds=1)


# ---- windows ----

class Window:
    def __init__(self, start, end, key):
        self.start, self.end, self.key = start, end, key
        self.records = []        # (time, arrival, record)
        self.fresh = []          # of them, those that no pane has carried
        self.fired, self.pane = False, -1

    def add(self, r):
        self.records.append(r)
        self.fresh.append(r)

    def remove(self, r):
        """Takes out a record that is the same but for its arrival; False: there is none."""
        for have in self.records:
            if have[0] == r[0] and have[2] == r[2]:
                self.records.remove(have)
                if have in self.fresh:
                    self.fresh.remove(have)
                return True
        return False


class Source:
    def __init__(self):
        self.promise, self.idle, self.heard = NONE, False, False


class Model:
    def __init__(self, spec):
        self.spec = spec
        self.windows = {}        # (key, start, end) -> Window, the ones that are held
        self.rows = []           # (op, start, end, key, pane, {aggregate: value})
        self.late, self.rejected, self.unassigned, self.unknown, self.used = [], [], [], [], 0
        self.now = NONE
        self.sources = {name: Source() for name in (None,) + tuple(spec.sources)}
        self.arrival = 0
        self.lines = 0
        self.held = {}           # slide: key -> records that a window may still need; count: key -> all accepted records
        self.numbers = {}        # count: key -> number of accepted records

    # -- the watermark --

    def move(self, step):
        """W from the sources' promises; what is due is fired."""
        # What is said of all sources counts for the nameless one, as long as none has a name.
        active = [s for name, s in self.sources.items() if not s.idle and (name is not None or len(self.sources) == 1)]
        if active:
            self.now = max(self.now, min(s.promise for s in active))
        self.fire(step)

    def source(self, name):
        if self.spec.source is None:
            name = None
        return self.sources.setdefault(name, Source())

    def mark(self, kind, time=None, name=None):
        """A watermark, idle or active mark."""
        self.lines += 1
        which = [self.source(name)] if name is not None or self.spec.source is None else list(self.sources.values())
        for s in which:
            if kind == "watermark":
                s.promise = max(s.promise, time)
                s.idle = False
            else:
                s.idle = kind == "idle"
        step = []
        self.move(step)
        self.write(step)

    # -- records --

    def line(self, text):
        """A record as its line."""
        self.lines += 1
        self.take(parse(text))

    def take(self, rec):
        spec = self.spec
        time = time_of(rec.get("ts"))
        if time is None:
            return self.rejected.append((self.lines, "bad_time"))
        if spec.max_future is not None and time > spec.now + spec.max_future:
            return self.rejected.append((self.lines, "future"))
        key = []
        for name in spec.keys:
            v = field(rec, name)
            if v is None:
                return self.rejected.append((self.lines, "bad_key"))
            key.append(v)
        for agg in spec.aggs:
            v = field(rec, agg[2]) if sums(agg) and (agg[4] is None or agg[4](rec)) else None
            if v is not None and not isinstance(v, Number):
                return self.rejected.append((self.lines, "bad_value"))
        minus = spec.changes and rec.get("_change_type") in ("delete", "update_preimage")
        plain = {k: v for k, v in rec.items() if k not in ("_change_type", "_commit_version", "_commit_timestamp")} if spec.changes else rec
        self.arrival += 1
        name = field(rec, spec.source) if spec.source else None
        step = []
        fate = self.place(tuple(key), (time, self.arrival, plain), minus, step)
        if fate == "used":
            self.used += 1
        else:
            getattr(self, fate).append(self.lines)
        # Only records that are taken move the watermark; a late one is behind it anyway, unless it is one of several sources.
        s = self.source(name)
        s.idle, s.heard = False, True
        if spec.delay is not None:
            s.promise = max(s.promise, time - spec.delay)
        self.move(step)
        self.write(step)

    def place(self, key, r, minus, step):
        kind = self.spec.kind
        if kind == "session":
            return self.place_session(key, r, minus, step)
        if kind == "slide":
            return self.place_slide(key, r, minus, step)
        if kind == "count":
            return self.place_count(key, r, step)
        bounds = self.assign(r[0])
        if not bounds:
            return "unassigned"
        bounds = sorted(b for b in bounds if not self.closed(b[1]))
        if not bounds:
            return "late"
        for b in bounds:
            w = self.windows.get((key,) + b)
            if minus:
                if w is None or not w.remove(r):
                    return "unknown"
                if not w.records:
                    del self.windows[(key,) + b]
                    if w.fired:
                        step.append((RETRACT, w))
                    continue
            else:
                if w is None:
                    w = self.windows[(key,) + b] = Window(b[0], b[1], key)
                w.add(r)
            self.refire(w, step)
        return "used"

    def assign(self, t):
        spec = self.spec
        if spec.kind == "calendar":
            return [period(spec, t)]
        hop = spec.slide if spec.kind == "hop" else spec.size
        first = t - (t - spec.offset) % hop
        out = []
        while first > t - spec.size:
            out.append((first, first + spec.size))
            first -= hop
        return out

    # Both bounds of slide's windows are in them: the instant behind one is where another's end would be.
    def due(self, end):
        return end + 1 if self.spec.kind == "slide" else end

    def closed(self, end):
        return self.now >= self.due(end) + self.spec.lateness

    def refire(self, w, step):
        """A window that was changed when it was due already is written at once (but for final results)."""
        if self.spec.emit == "final" or self.now < self.due(w.end):
            return
        step.append((UPDATE if w.fired else EMIT, w))
        w.fired = True

    def place_session(self, key, r, minus, step):
        spec = self.spec
        gap = spec.size
        mine = [w for w in self.windows.values() if w.key == key]
        if minus:
            return self.cut_session(key, r, mine, step)
        start, end = r[0], r[0] + gap
        touch, growing = [], True
        while growing:
            growing = False
            for w in mine:
                if w not in touch and (w.start < end and start < w.end if spec.gap_exclusive else w.start <= end and start <= w.end):
                    touch.append(w)
                    start, end = min(start, w.start), max(end, w.end)
                    growing = True
        if self.closed(end):
            return "late"
        if len(touch) == 1 and (touch[0].start, touch[0].end) == (start, end):
            touch[0].add(r)
            self.refire(touch[0], step)
            return "used"
        new = Window(start, end, key)
        for w in touch:
            new.records += w.records
            new.fresh += w.fresh
            del self.windows[(key, w.start, w.end)]
        new.add(r)
        for w in sorted((w for w in touch if w.fired), key=lambda w: (w.end, w.start)):
            step.append((RETRACT, w))
        self.windows[(key, start, end)] = new
        self.refire(new, step)
        return "used"

    def cut_session(self, key, r, mine, step):
        """A record is taken out of its session, which may fall into several."""
        gap = self.spec.size
        end_of = [w for w in mine if w.start <= r[0] < w.end]
        if not end_of:
            return "late" if self.closed(r[0] + gap) else "unknown"
        old = end_of[0]
        if not old.remove(r):
            return "unknown"
        parts = []
        for x in sorted(old.records, key=lambda x: (x[0], x[1])):
            far = parts and x[0] - parts[-1][-1][0]
            if parts and (far < gap if self.spec.gap_exclusive else far <= gap):
                parts[-1].append(x)
            else:
                parts.append([x])
        if len(parts) == 1 and (parts[0][0][0], parts[0][-1][0] + gap) == (old.start, old.end):
            self.refire(old, step)
            return "used"
        del self.windows[(key, old.start, old.end)]
        if old.fired:
            step.append((RETRACT, old))
        for p in parts:
            w = Window(p[0][0], p[-1][0] + gap, key)
            w.records = list(p)
            w.fresh = [x for x in old.fresh if x in p]
            self.windows[(key, w.start, w.end)] = w
            self.refire(w, step)
        return "used"

    def place_slide(self, key, r, minus, step):
        """Every set of records within the difference of each other, once: the windows of before and of after are compared."""
        d = self.spec.size
        held = self.held.setdefault(key, [])
        if self.closed(r[0] + d):
            return "late"
        before = self.sliding(held)
        if minus:
            same = [h for h in held if h[0] == r[0] and h[2] == r[2]]
            if not same:
                return "unknown"
            held.remove(same[0])
        else:
            held.append(r)
        after = self.sliding(held)
        for b in sorted(set(before) | set(after), key=lambda b: (b[1], b[0])):
            if self.closed(b[1]) or before.get(b) == after.get(b):
                continue
            w = self.windows.get((key,) + b)
            if b not in after:
                del self.windows[(key,) + b]
                if w.fired:
                    step.append((RETRACT, w))
                continue
            if w is None:
                w = self.windows[(key,) + b] = Window(b[0], b[1], key)
            w.fresh = [x for x in after[b] if x not in w.records or x in w.fresh]
            w.records = after[b]
            self.refire(w, step)
        return "used"

    def sliding(self, held):
        """The windows of records: [t-D, t] of each, and [t+1, t+1+D] where something is in it."""
        d = self.spec.size
        out = {}
        for t in {h[0] for h in held}:
            for b in ((t - d, t), (t + 1, t + 1 + d)):
                inside = [h for h in held if b[0] <= h[0] <= b[1]]
                if inside:
                    out[b] = inside
        return out

    def place_count(self, key, r, step):
        """The n-th accepted records of a key: a window every `every`, of the last `count` ones; bounds are the least and the greatest time in it."""
        spec = self.spec
        every = spec.every or spec.count
        held = self.held.setdefault(key, [])
        held.append(r)
        n = self.numbers[key] = self.numbers.get(key, 0) + 1
        # Window i is of the records i * every + 1 to i * every + count.
        if n >= spec.count and (n - spec.count) % every == 0:
            step.append((EMIT, self.counted(key, held[n - spec.count:n])))
        return "used"

    def counted(self, key, records):
        w = Window(min(x[0] for x in records), max(x[0] for x in records), key)
        for x in records:
            w.add(x)
        w.fired = True
        return w

    # -- what comes out --

    def fire(self, step):
        spec = self.spec
        if spec.kind == "count":
            return
        out = []
        for at, w in list(self.windows.items()):
            if spec.emit == "final":
                if self.closed(w.end):
                    out.append((EMIT, w))
            elif self.now >= self.due(w.end) and not w.fired:
                w.fired = True
                out.append((EMIT, w))
            if self.closed(w.end):
                del self.windows[at]
        if spec.kind == "slide":
            for key, held in self.held.items():
                # The window that begins behind a record is there because of it, and ends a millisecond later than any that it is in.
                self.held[key] = [h for h in held if not self.closed(h[0] + spec.size + 1)]
        out.sort(key=lambda x: (x[1].end, x[1].start, key_bytes(x[1].key)))
        step += out

    def write(self, step):
        for op, w in step:
            if op == RETRACT:
                if self.spec.emit == "changelog":
                    self.rows.append((RETRACT, w.start, w.end, w.key, None, {}))
                continue
            w.pane = w.pane + 1 if op == UPDATE else 0
            of = w.fresh if self.spec.panes == "discarding" and self.spec.emit != "final" else w.records
            self.rows.append((op, w.start, w.end, w.key, w.pane, {a[0]: aggregate(a, of) for a in self.spec.aggs}))
            w.fresh = []

    def finish(self):
        """End of input."""
        step = []
        self.at_end = None if self.now == NONE else self.now
        if self.spec.flush:
            self.now = END
            self.fire(step)
            if self.spec.kind == "count" and self.spec.rest:
                self.left(step)
        self.write(step)

    def left(self, step):
        """What a count window has in it when there are no more."""
        spec = self.spec
        every = spec.every or spec.count
        out = []
        for key, held in self.held.items():
            first = 0
            while first + spec.count <= len(held):
                first += every
            if first < len(held):
                out.append((EMIT, self.counted(key, held[first:])))
        step += sorted(out, key=lambda x: (x[1].end, x[1].start, key_bytes(x[1].key)))


def key_bytes(key):
    """What keys are ordered by: strings by their UTF-8, other values by their text, field by field."""
    return [k.encode() if isinstance(k, str) else (k.text if isinstance(k, Number) else json.dumps(k)).encode() for k in key]
