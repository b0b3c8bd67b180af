"""Events of lineage against the schemas of OpenLineage, and against the classes of its Python client.

Each event of the files that are named (those that the suite wrote) and of runs made here with each way of delivery: the core schema, then each facet by its
key and place, then what JSON Schema calls a format (date-time with an offset, uuid, uri), then the client's own classes, which must know every member and give
the same back.  TAP.
usage: lineage.py SCHEMA_DIR WORK [DIR]
"""
import datetime
import glob
import http.server
import json
import os
import re
import sqlite3
import sys
import threading
import types
import typing
import uuid

import attr
import jsonschema
import referencing
from openlineage.client import event_v2
from openlineage.client.generated import base
from openlineage.client.serde import Serde

import tap

SCHEMAS, WORK = sys.argv[1], sys.argv[2]
CORE = json.load(open(SCHEMAS + "/OpenLineage.json"))
BASES = {"DatasetFacet": "dataset", "InputDatasetFacet": "input", "OutputDatasetFacet": "output", "RunFacet": "run", "JobFacet": "job"}

# ---- schemas ----


def load():
    """The validator of events, and those of facets by place and key, and by the name of their definition."""
    resources, facets, names = [(CORE["$id"], referencing.Resource.from_contents(CORE))], {}, {}
    files = [json.load(open(f)) for f in sorted(glob.glob(SCHEMAS + "/facets/*.json"))]
    for d in files:
        resources.append((d["$id"], referencing.Resource.from_contents(d)))
    registry = referencing.Registry().with_resources(resources)
    # older and newer versions of the core are asked for by facets; their bases have not changed
    for d in files:
        for ref in re.findall(r'"(https://openlineage\.io/spec/[^"#]*)#', json.dumps(d)):
            if ref not in dict(resources):
                resources.append((ref, referencing.Resource.from_contents(dict(CORE, **{"$id": ref}))))
    registry = referencing.Registry().with_resources(resources)
    for d in files:
        for key, prop in d.get("properties", {}).items():
            for ref in [prop.get("$ref")] if "$ref" in prop else [x.get("$ref") for x in prop.get("oneOf", prop.get("anyOf", []))]:
                name = ref.split("/")[-1]
                validator = jsonschema.Draft202012Validator({"$ref": d["$id"] + "#/$defs/" + name}, registry=registry)
                names[name] = validator
                for place in places_of(d, name):
                    facets[place, key] = validator
        keys = list(d.get("properties", {}))
        for name in d["$defs"] if len(keys) == 1 else ():  # subset: one key, a definition for each side
            for place in places_of(d, name):
                names[name] = jsonschema.Draft202012Validator({"$ref": d["$id"] + "#/$defs/" + name}, registry=registry)
                facets.setdefault((place, keys[0]), names[name])
    return jsonschema.Draft202012Validator(CORE, registry=registry), facets, names


def places_of(d, name):
    refs = re.findall(r'OpenLineage\.json#/\$defs/(\w+)', json.dumps(d["$defs"][name]))
    return [BASES[r] for r in refs if r in BASES]


EVENT, FACETS, NAMES = load()

# ---- formats: in JSON Schema they are only words ----

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")
URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]*$")


def bad_format(kind, text):
    if kind == "date-time":
        return not TIME.match(text) or not datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if kind == "uuid":
        return str(uuid.UUID(text)) != text.lower()
    return not URI.match(text)


def formats(event):
    """(what, format, text) of all places that have one."""
    yield "eventTime", "date-time", event["eventTime"]
    yield "producer", "uri", event["producer"]
    yield "schemaURL", "uri", event["schemaURL"]
    if "run" in event:
        yield "run.runId", "uuid", event["run"]["runId"]
    for place, key, f in facets_of(event):
        yield key + "._producer", "uri", f["_producer"]
        yield key + "._schemaURL", "uri", f["_schemaURL"]
        if key == "parent":
            yield "parent.run.runId", "uuid", f["run"]["runId"]
            if "root" in f:
                yield "parent.root.run.runId", "uuid", f["root"]["run"]["runId"]
        if key == "nominalTime":
            for k in ("nominalStartTime", "nominalEndTime"):
                if k in f:
                    yield key + "." + k, "date-time", f[k]
        if key == "dataQualityMetrics" and "lastUpdated" in f:
            yield key + ".lastUpdated", "date-time", f["lastUpdated"]


def facets_of(event):
    for place in ("run", "job"):
        for key, f in event.get(place, {}).get("facets", {}).items():
            yield place, key, f
    for side, members in (("inputs", "inputFacets"), ("outputs", "outputFacets")):
        for d in event.get(side, []):
            for key, f in d.get("facets", {}).items():
                yield "dataset", key, f
            for key, f in d.get(members, {}).items():
                yield side[:-1], key, f


def check_schema(event):
    core = ["core: " + best(e) for e in EVENT.iter_errors(event)]
    yield from core
    if core:
        return
    for place, key, f in facets_of(event):
        for part in ("_producer", "_schemaURL"):
            if part not in f:
                yield "%s facet %s has no %s" % (place, key, part)
                return
        name = f["_schemaURL"].split("/")[-1]
        if (place, key) in FACETS:
            for e in FACETS[place, key].iter_errors(f):
                yield "%s facet %s: %s" % (place, key, best(e))
            if name not in NAMES:
                yield "%s facet %s: _schemaURL names %s" % (place, key, name)
        elif any(k == key for p, k in FACETS):
            yield "facet %s does not belong to a %s" % (key, place)
        elif not key.startswith("dp"):
            yield "%s facet %s is nobody's, and its name is not ours" % (place, key)
    for what, kind, text in formats(event):
        try:
            bad = bad_format(kind, text)
        except ValueError:
            bad = True
        if bad:
            yield "%s is no %s: %s" % (what, kind, text)


def best(e):
    e = jsonschema.exceptions.best_match([e])
    return "%s: %s" % ("/".join(str(p) for p in e.absolute_path), e.message[:200])


# ---- the client's classes ----

CLASSES = {}


def gather(cls):
    for c in cls.__subclasses__():
        CLASSES[c.__name__] = c
        gather(c)


def build(value, kind, at):
    """The value as the client's class has it."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if value is None or kind is typing.Any:
        return value
    if origin in (typing.Union, types.UnionType):
        for k in args:
            if k is not type(None):
                return build(value, k, at)
    if origin is list:
        if not isinstance(value, list):
            raise ValueError("%s is no list" % at)
        return [build(v, args[0], "%s[%d]" % (at, i)) for i, v in enumerate(value)]
    if origin is dict:
        if not isinstance(value, dict):
            raise ValueError("%s is no object" % at)
        return {k: facet(v, at + "." + k) if is_facet(args[1]) else build(v, args[1], at + "." + k) for k, v in value.items()}
    if attr.has(kind):
        return facet(value, at) if is_facet(kind) else make(value, kind, at)
    if isinstance(kind, type) and hasattr(kind, "__members__"):
        return kind(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(kind, type) and not isinstance(value, kind):
        raise ValueError("%s is %s, not %s" % (at, type(value).__name__, kind.__name__))
    return value


def is_facet(kind):
    return isinstance(kind, type) and issubclass(kind, base.BaseFacet) and kind.__name__ in list(BASES) + ["BaseFacet"]


def make(value, cls, at):
    attr.resolve_types(cls, {**vars(typing), **vars(base), **vars(sys.modules[cls.__module__])}, None)
    fields = {f.name: f for f in attr.fields(cls)}
    given = {}
    for k, v in value.items():
        if k not in fields:
            raise ValueError("%s: %s knows no %s" % (at, cls.__name__, k))
        if fields[k].init:
            given[k.lstrip("_")] = build(v, fields[k].type, at + "." + k)
    return cls(**given)


def facet(value, at):
    name = value["_schemaURL"].split("/")[-1]
    if name == "BaseFacet":
        return value
    if name not in CLASSES:
        raise ValueError("%s: the client has no class %s" % (at, name))
    return make(value, CLASSES[name], at)


def same(ours, theirs, at=""):
    """What differs, nulls and empty containers that the class adds aside; URLs of schemas may be of another version."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for k in ours:
            if k in ("_schemaURL", "schemaURL"):
                if ours[k].split("/")[-1] != theirs[k].split("/")[-1]:
                    yield "%s.%s" % (at, k)
            elif k not in theirs:
                if ours[k] not in ({}, []):
                    yield "%s.%s is lost" % (at, k)
            else:
                yield from same(ours[k], theirs[k], at + "." + k)
        for k in theirs:
            if k not in ours and theirs[k] not in ({}, [], None):
                yield "%s.%s is new" % (at, k)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for i, (a, b) in enumerate(zip(ours, theirs)):
            yield from same(a, b, "%s[%d]" % (at, i))
    elif ours != theirs:
        yield "%s: %r became %r" % (at, ours, theirs)


def check_client(event):
    try:
        cls = event_v2.RunEvent if "run" in event else event_v2.JobEvent if "job" in event else event_v2.DatasetEvent
        yield from same(event, Serde.to_dict(make(event, cls, "event")))
    except Exception as e:  # whatever a class says
        yield "%s: %s" % (type(e).__name__, e)


# ---- events of files ----


def check_all(events, words):
    faults = {"schema": {}, "client": {}}
    for n, event in enumerate(events):
        for kind, check in (("schema", check_schema), ("client", check_client)):
            for f in check(event):
                faults[kind].setdefault(f[:160], "event %d (%s)" % (n + 1, event.get("job", {}).get("name")))
    for kind, what in (("schema", "the schemas"), ("client", "the client's classes")):
        tap.ok(not faults[kind], "%s: %d events are right by %s" % (words, len(events), what), *["%s: %s" % (w, f) for f, w in faults[kind].items()])


def lives(events, words):
    """Each run has one START and one end, and nothing behind it."""
    runs, odd = {}, []
    for e in events:
        if "run" in e:
            runs.setdefault(e["run"]["runId"], []).append(e["eventType"])
    for run, kinds in runs.items():
        ends = [k for k in kinds if k in ("COMPLETE", "FAIL", "ABORT")]
        if kinds.count("START") != 1 or len(ends) != 1 or kinds[-1] != ends[0] or kinds[0] != "START":
            odd.append("%s: %s" % (run, " ".join(kinds)))
    tap.ok(runs and not odd, "%s: each of %d runs has one START and one end" % (words, len(runs)), *odd)


def read(path):
    with open(path) as f:
        return [json.loads(line) for line in f]


def controls():
    """What must be found is found."""
    schema = "https://openlineage.io/spec/facets/1-2-0/SchemaDatasetFacet.json#/$defs/SchemaDatasetFacet"
    good = {"eventType": "START", "eventTime": "2026-01-01T00:00:00Z", "producer": "urn:dp:x", "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
            "run": {"runId": "01a204f6-6d2b-755a-a963-418a7956044f"}, "job": {"namespace": "n", "name": "j"},
            "outputs": [{"namespace": "n", "name": "d", "facets": {"schema": {"_producer": "urn:dp:x", "_schemaURL": schema, "fields": [{"name": "a", "type": "long"}]}}}]}

    def found(change):
        event = json.loads(json.dumps(good))
        change(event)
        return bool(list(check_schema(event))) or bool(list(check_client(event)))

    facets = lambda e: e["outputs"][0]["facets"]  # noqa: E731
    wrong = [lambda e: e.pop("producer"), lambda e: e.update(eventTime="2026-01-01T00:00:00"), lambda e: e.update(eventType="BEGIN"), lambda e: e["run"].update(runId="1"),
             lambda e: e["job"].pop("name"), lambda e: facets(e)["schema"].pop("_producer"), lambda e: facets(e)["schema"].update(fields=[{"type": "long"}]),
             lambda e: facets(e)["schema"]["fields"][0].update(name=5), lambda e: e["job"].update(facets=facets(e)), lambda e: facets(e).update(unknown=facets(e)["schema"]),
             lambda e: e.update(dataset={"namespace": "n", "name": "d"})]
    missed = [str(i) for i, change in enumerate(wrong) if not found(change)]
    tap.ok(not found(lambda e: None) and not missed, "events with one fault are found, one without is not", missed, list(check_schema(good)), list(check_client(good)))


# ---- runs of our own, by each way of delivery ----

CONTRACT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "orders.odcs.yaml")
PIPELINE = ("printf 'id,who,n\\n1,a@example.com,5\\n2,b@example.com,7\\n' >in.csv; rm -rf t;"
            "dp-ingest --marks in.csv | dp-map '.n += 1' | dp-partition -o t | dp-table commit t")


def run_with(name, **env):
    work = os.path.join(WORK, name)
    os.makedirs(work, exist_ok=True)
    before = dict(tap.ENV)
    for k in list(tap.ENV):
        if k.startswith("OPENLINEAGE") or k in ("DP_LINEAGE", "http_proxy", "all_proxy", "ALL_PROXY"):
            del tap.ENV[k]
    tap.ENV.update(HOME=work, XDG_STATE_HOME=work + "/state", **env)
    try:
        r = tap.sh(PIPELINE, work)
    finally:
        tap.ENV.clear()
        tap.ENV.update(before)
    tap.ok(r.returncode == 0, "%s: the pipeline is not harmed" % name, r.stderr)
    return work, r


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    got = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        self.got.append((self.headers.get("Authorization"), json.loads(body)))
        self.send_response(201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


def kinds(events):
    """Jobs are named by what they write, which stands in a folder for each way."""
    return sorted("%s %s" % (e["job"]["name"].split(":")[0], e["eventType"]) for e in events)


def deliveries():
    work, _ = run_with("file", DP_LINEAGE="events.ndjson")
    events = read(work + "/events.ndjson")
    check_all(events, "file")
    lives(events, "file")
    want = kinds(events)

    def like(got, words):
        tap.ok(kinds(got) == want, "%s: the same events come" % words, kinds(got), want)

    work, r = run_with("console", DP_LINEAGE="console")
    like([json.loads(line) for line in r.stderr.splitlines() if line.startswith("{")], "console")

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = "http://127.0.0.1:%d" % server.server_address[1]
    for name, env in (("http", {"OPENLINEAGE_URL": url, "OPENLINEAGE_API_KEY": "k"}),
                      ("gzip", {"OPENLINEAGE__TRANSPORT": json.dumps({"type": "http", "url": url, "compression": "gzip", "auth": {"type": "api_key", "apiKey": "k"}})})):
        Receiver.got.clear()
        work, _ = run_with(name, **env)
        drain(work, env)
        like([e for _, e in Receiver.got], name)
        tap.ok(all(a == "Bearer k" for a, _ in Receiver.got), "%s: the key is shown" % name)
        lives([e for _, e in Receiver.got], name)
    Receiver.got.clear()
    work = os.path.join(WORK, "composite")
    os.makedirs(work, exist_ok=True)
    with open(work + "/openlineage.yml", "w") as f:
        f.write("transport:\n  type: composite\n  transports:\n    a: {type: http, url: '%s'}\n    b: {type: file, log_file_path: events.ndjson, append: true}\n" % url)
    run_with("composite")
    drain(work, {})
    like([e for _, e in Receiver.got], "composite, http")
    like(read(work + "/events.ndjson"), "composite, file")
    server.shutdown()

    work, _ = run_with("store", DP_LINEAGE="l.db")
    drain(work, {"DP_LINEAGE": "l.db"})
    db = sqlite3.connect(work + "/l.db")
    n = db.execute("SELECT count(*) FROM event").fetchone()[0]
    tap.ok(n == len(want), "store: the same events come", n)
    db.close()


def drain(work, env):
    """What a slow machine left to later is sent."""
    before = dict(tap.ENV)
    tap.ENV.update(HOME=work, XDG_STATE_HOME=work + "/state", **env)
    r = tap.sh("dp-lineage send", work)
    tap.ok(r.returncode == 0, "%s: dp-lineage send" % os.path.basename(work), r.stdout, r.stderr)
    tap.ENV.clear()
    tap.ENV.update(before)


import openlineage.client.facet_v2  # noqa: E402,F401  with it all classes of facets are there

gather(base.BaseFacet)
controls()
suites = sorted(glob.glob(sys.argv[3] + "/*.ndjson")) if len(sys.argv) > 3 and sys.argv[3] else []
suite_events = [e for path in suites for e in read(path)]
if suite_events:
    check_all(suite_events, "the suite (%d files)" % len(suites))
else:
    tap.ok(True, "the suite # SKIP it has written no events here")
deliveries()
tap.done()
