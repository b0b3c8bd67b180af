#!/usr/bin/env python3
"""Mutates the corpus's contracts (a key dropped or added, a value of another kind, another word, another version) and compares dp-contract's
verdict with that of the JSON schema of the contract's own version.

usage: schema.py CORPUS WORKDIR COUNT SEED
Differences that dp-contract(5) lists are counted, any other fails.
"""
import collections, copy, json, os, random, re, subprocess, sys

import jsonschema
from ruamel.yaml import YAML

corpus, work, count, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
VERSIONS = ("v3.0.0", "v3.0.1", "v3.0.2", "v3.1.0", "v3.2.0")
schemas = {v: json.load(open(f"{corpus}/schema/odcs-json-schema-{v}.json")) for v in VERSIONS}
validators = {v: jsonschema.Draft201909Validator(s) for v, s in schemas.items()}

# (we refuse it, the schema does not): our message; and the other way round: the schema's message and the place
STRICTER = re.compile("needs a name|is there twice|must be a position|one operator|first bound is above|the same length|as many properties"
                      "|both be one property|one property refers to one|must both|holds a NUL")
LAXER = (("'map' is a required property", "schema/"), ("'staging_dir' is a required property", "servers/"), ("", "/dimension/"), ("", "/relationships/"))

WORDS = ["string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean", "map", "text", "library", "sql", "custom", "local", "s3",
         "athena", "kafka", "duckdb", "sftp", "postgres", "oracle", "nullValues", "rowCount", "accuracy", "measure", "foreignKey"]
VALUES = ["x", "", 5, 5.0, -1, 0, 1.5, True, None, [], {}, ["a"], [1, 2], [2, 1], [1, 1], [{"a": 1}], {"a": 1}, ["a", "a"], "a.b", "schema/a/properties/b", "active"]


def reader():
    yaml = YAML(typ="safe", pure=True)
    yaml.version = (1, 2)
    yaml.constructor.yaml_constructors["tag:yaml.org,2002:timestamp"] = lambda constructor, node: node.value
    return yaml


def documents():
    for line in open(f"{corpus}/index.ndjson"):
        entry = json.loads(line)
        if entry["bytes"] > 30000:
            continue
        try:
            doc = json.loads(json.dumps(reader().load(open(f"{corpus}/files/{entry['file']}"))))
        except Exception:
            continue
        if isinstance(doc, dict):
            yield doc


def known_keys(node, out):
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            out.update(node["properties"])
        for v in node.values():
            known_keys(v, out)
    elif isinstance(node, list):
        for v in node:
            known_keys(v, out)


def paths(node, path=()):
    yield path
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for k, v in items:
        yield from paths(v, path + (k,))


def at(node, path):
    for k in path:
        node = node[k]
    return node


def mutate(rng, doc, keys):
    doc = copy.deepcopy(doc)
    if rng.random() < 0.25:
        doc["apiVersion"] = rng.choice(VERSIONS)
    for _ in range(rng.choice((1, 1, 1, 2))):
        path = rng.choice(list(paths(doc)))
        if not path:
            continue
        parent, kind = at(doc, path[:-1]), rng.random()
        if kind < 0.25:
            parent.pop(path[-1])
        elif kind < 0.5:
            parent[path[-1]] = copy.deepcopy(rng.choice(VALUES))
        elif kind < 0.6:
            parent[path[-1]] = rng.choice(WORDS)
        else:
            target = at(doc, path)
            target = target if isinstance(target, dict) else parent
            if isinstance(target, dict):
                target[rng.choice(keys) if rng.random() < 0.9 else "zork"] = copy.deepcopy(rng.choice(VALUES + WORDS))
    return doc


def ours(doc):
    name = os.path.join(work, "c.yaml")
    with open(name, "w") as f:
        json.dump(doc, f, ensure_ascii=False)
    run = subprocess.run([os.path.join(os.environ["DP_BIN"], "dp-contract"), "diff", name, name], capture_output=True, text=True)
    if run.returncode not in (0, 2):
        return False, f"exit {run.returncode}: {run.stderr}"
    return run.returncode == 0, run.stderr.strip()


def theirs(doc):
    v = doc.get("apiVersion")
    if not isinstance(v, str) or v not in validators:
        return False, [("", "apiVersion")]
    errors = []
    for e in validators[v].iter_errors(doc):
        errors.append((e.message, "/".join(map(str, e.absolute_path))))
    return not errors, errors


def is_listed(accepted, said, errors):
    if not accepted:
        return bool(STRICTER.search(said))
    deepest = max(errors, key=lambda e: e[1].count("/"))  # what stands above it only follows: keys that are not evaluated
    return any(m in deepest[0] and p in "/" + deepest[1] + "/" for m, p in LAXER)


def main():
    rng = random.Random(seed)
    keys = set()
    for s in schemas.values():
        known_keys(s, keys)
    keys, docs = sorted(keys), list(documents())
    tally, wrong = collections.Counter(), []
    for _ in range(count):
        doc = mutate(rng, rng.choice(docs), keys)
        we, said = ours(doc)
        they, errors = theirs(doc)
        if we == they:
            tally["agree"] += 1
        elif is_listed(we, said, errors):
            tally["listed"] += 1
        else:
            wrong.append((json.dumps(doc)[:2000], we, said, errors[:3]))
    for doc, we, said, errors in wrong[:5]:
        print(f"# we {'accept' if we else 'refuse'}: {said} | the schema: {errors}\n# {doc}")
    print(f"{'not ok' if wrong else 'ok'} 1 - {count} contracts: {tally['agree']} verdicts agree, {tally['listed']} differ as listed, {len(wrong)} otherwise")
    print("1..1")
    sys.exit(bool(wrong))


main()
