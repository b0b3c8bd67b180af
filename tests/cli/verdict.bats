#!/usr/bin/env bats
# The verdict's forms, as golden files of the library's test hold them, read by other programs: XML by Python, metrics by their grammar, rows by Python.

load helper

@test "JUnit XML is what CI servers read" {
  command -v python3 || skip "no python3"
  run python3 - "$BATS_TEST_DIRNAME/../golden/verdict/junit.xml" <<'PY'
import sys, xml.etree.ElementTree as ET
# element: allowed attributes, required ones, allowed children
schema = {
    "testsuites": ({"name", "time", "tests", "failures", "disabled", "errors"}, set(), {"testsuite"}),
    "testsuite": ({"name", "tests", "failures", "errors", "time", "disabled", "skipped", "timestamp", "hostname", "id", "package"}, {"name", "tests", "failures", "errors"},
                  {"properties", "testcase", "system-out", "system-err"}),
    "testcase": ({"name", "assertions", "time", "classname", "status"}, {"name"}, {"skipped", "error", "failure", "system-out", "system-err"}),
    "failure": ({"type", "message"}, set(), set()), "error": ({"type", "message"}, set(), set()), "skipped": ({"type", "message"}, set(), set()),
}
def check(e):
    allowed, required, children = schema[e.tag]
    assert set(e.attrib) <= allowed and required <= set(e.attrib), (e.tag, e.attrib)
    for c in e:
        assert c.tag in children, (e.tag, c.tag)
        check(c)
root = ET.parse(sys.argv[1]).getroot()
check(root)
for s in root:
    cases = list(s)
    count = lambda t: sum(c.find(t) is not None for c in cases)
    assert len(cases) == int(s.get("tests"))
    assert (count("failure"), count("error"), count("skipped")) == tuple(int(s.get(k)) for k in ("failures", "errors", "skipped"))
assert root.get("name") == 'urn:orders "daily" 1.1.0'
assert root.find(".//testcase[@classname='orders.na|me\n']") is not None
PY
  assert_success
}

@test "Prometheus text keeps its grammar: HELP and TYPE first, labels escaped, no series twice" {
  command -v python3 || skip "no python3"
  run python3 - "$BATS_TEST_DIRNAME/../golden/verdict/metrics.prom" <<'PY'
import re, sys
label = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
line = re.compile(r'(dp_validate_[a-z_]+)\{(%s(?:,%s)*)\} ([0-9]+)' % (label, label))
declared, seen, last = set(), set(), None
for l in open(sys.argv[1], encoding="utf-8"):
    assert l.endswith("\n")
    l = l[:-1]
    if l.startswith("# HELP "):
        helped = l.split()[2]
        continue
    if l.startswith("# TYPE "):
        name, kind = l.split()[2:]
        assert name == helped and kind == "gauge" and name not in declared
        declared.add(name)
        last = name
        continue
    m = line.fullmatch(l)
    assert m, l
    assert m[1] == last, l
    assert (m[1], m[2]) not in seen, l
    seen.add((m[1], m[2]))
assert len(declared) >= 4
PY
  assert_success
}

@test "JSON and NDJSON say the same" {
  command -v python3 || skip "no python3"
  run python3 - "$BATS_TEST_DIRNAME/../golden/verdict" <<'PY'
import json, sys
doc = json.load(open(sys.argv[1] + "/report.json", encoding="utf-8"))
rows = [json.loads(l) for l in open(sys.argv[1] + "/report.ndjson", encoding="utf-8")]
findings = doc.pop("findings")
assert rows[:-1] == findings and rows[-1] == {"summary": doc}
PY
  assert_success
}
