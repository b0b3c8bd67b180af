"use strict";
/* The graph as the page holds it: what was embedded, told apart into arrays; search, filters and walks over it. Nothing here draws. */

const started = performance.now();
const data = JSON.parse(document.getElementById("data").textContent);
const text = data.s;
const DATASET = 0, JOB = 1, COLUMN = 2, NONE = -1;
const KINDS = ["dataset", "job", "column"];
const HOW = ["identity", "transformation", "aggregation", "join", "group by", "filter", "sort", "window", "conditional", "indirect"];
const DIRECT = 7, MASKED = 1024;
const CARD_W = 200, CARD_H = 44, ROW_H = 18, MOST_ROWS = 30;
const DAY = 86400;

const nodes = []; /* datasets, jobs, then columns; the place is the id that edges name */
for (let i = 0; i < data.n.length; i += 16) {
  const v = data.n;
  nodes.push({ id: nodes.length, kind: v[i], ns: text[v[i + 1]], name: text[v[i + 2]], type: text[v[i + 3]], text: text[v[i + 4]], state: text[v[i + 5]],
    first: v[i + 6], last: v[i + 7], due: v[i + 8], focus: v[i + 9] === 1, part: v[i + 10], layer: v[i + 11], x: v[i + 12], y: v[i + 13], h: CARD_H, files: v[i + 14], programs: text[v[i + 15]],
    columns: [], tags: [], owners: [], classes: [], runs: [], trunk: [], short: "", where: "" });
}
const drawn = nodes.length; /* cards; columns stand behind */
for (let i = 0; i < data.c.length; i += 5) {
  const v = data.c, column = { id: nodes.length, kind: COLUMN, dataset: v[i], ns: "", name: text[v[i + 1]], type: text[v[i + 2]], text: text[v[i + 3]], state: text[v[i + 4]],
    first: 0, last: 0, due: 0, tags: [], owners: [], classes: [], runs: [], short: text[v[i + 1]], where: "" };
  nodes.push(column);
  nodes[v[i]].columns.push(column.id);
}
for (let i = 0; i < data.t.length;) {
  const node = nodes[data.t[i]], n = data.t[i + 1];
  for (let k = 0; k < n; k++) node.trunk.push({ layer: node.layer + 1 + k, x: data.t[i + 2 + 2 * k], y: data.t[i + 3 + 2 * k] });
  i += 2 + 2 * n;
}
for (let i = 0; i < data.o.length; i += 4) {
  const node = nodes[data.o[i]], a = text[data.o[i + 2]], b = text[data.o[i + 3]];
  if (data.o[i + 1] === 0) node.tags.push(b ? a + "=" + b : a);
  else if (data.o[i + 1] === 1) node.owners.push({ name: a, type: b });
  else node.classes.push(a);
}
for (let i = 0; i < data.r.length; i += 7) {
  const v = data.r;
  nodes[v[i]].runs.push({ id: text[v[i + 1]], state: text[v[i + 2]], start: v[i + 3], end: v[i + 4], rows: v[i + 5], bytes: v[i + 6] });
}
for (const n of nodes) {
  if (n.kind === COLUMN) continue;
  const cut = n.kind === DATASET ? n.name.replace(/\/+$/, "").lastIndexOf("/") : -1;
  n.short = cut >= 0 ? n.name.slice(cut + 1) : n.name;
  n.where = cut > 0 ? (n.ns === "file" ? "" : n.ns + " ") + n.name.slice(0, cut) : n.ns;
  const many = n.files ? n.files + " files" : n.programs ? n.programs.split(", ").length + (n.programs.includes(",") ? " programs" : " program") : "";
  if (many) n.where = n.kind === DATASET ? n.where + " \u00b7 " + many : many + " \u00b7 " + n.where; /* where a line that is too long is not cut */
}
const flows = []; /* dataset to dataset through a job */
for (let i = 0; i < data.f.length; i += 6)
  flows.push({ src: data.f[i], dst: data.f[i + 1], job: data.f[i + 2], first: data.f[i + 3], last: data.f[i + 4], runs: data.f[i + 5] });
const threads = []; /* column to column, or to a whole dataset */
for (let i = 0; i < data.e.length; i += 6)
  threads.push({ src: data.e[i], dst: data.e[i + 1], job: data.e[i + 2], how: data.e[i + 3], first: data.e[i + 4], last: data.e[i + 5] });

const lists = () => nodes.map(() => []);
const flowsOut = lists(), flowsIn = lists(), flowsOf = lists(), threadsOut = lists(), threadsIn = lists();
flows.forEach((f, i) => {
  if (f.src >= 0) flowsOut[f.src].push(i);
  if (f.dst >= 0) flowsIn[f.dst].push(i);
  if (f.job >= 0) flowsOf[f.job].push(i);
});
threads.forEach((t, i) => { threadsOut[t.src].push(i); threadsIn[t.dst].push(i); });

/* A job's state and a dataset's freshness, as the filters and dots tell them. */
function freshness(n) {
  if (n.kind !== DATASET) return "";
  if (n.due && data.asOf > n.due) return "stale";
  if (!n.last) return "not known";
  const age = data.asOf - n.last;
  return age <= DAY ? "within a day" : age <= 7 * DAY ? "within a week" : age <= 31 * DAY ? "within a month" : "older";
}
const FRESH = ["stale", "within a day", "within a week", "within a month", "older", "not known"];
function dotOf(n) {
  const s = n.state;
  if (s === "fail" || s === "abort") return "bad";
  if (s === "running" || s === "start") return "run";
  if (s === "dropped" || s === "gone") return "warn";
  if (n.kind === DATASET) return freshness(n) === "stale" ? "warn" : "";
  return s === "complete" ? "good" : "";
}
/* A dataset is as sensitive as its columns. */
for (const n of nodes) {
  n.allClasses = new Set(n.classes);
  n.allTags = new Set(n.tags);
}
for (const n of nodes) {
  if (n.kind !== COLUMN) continue;
  n.classes.forEach(c => nodes[n.dataset].allClasses.add(c));
  n.tags.forEach(t => nodes[n.dataset].allTags.add(t));
}
for (const n of nodes) n.fresh = freshness(n);

/* What names a node in links: kind, namespace and name, and of a column its own. */
function keyOf(n) {
  if (n.kind === COLUMN) return keyOf(nodes[n.dataset]) + "#" + encodeURIComponent(n.name);
  return KINDS[n.kind] + ":" + encodeURIComponent(n.ns) + ":" + encodeURIComponent(n.name);
}
const byKey = new Map();
for (const n of nodes) if (n.kind !== COLUMN) byKey.set(keyOf(n), n.id);
function nodeOfKey(key) {
  const cut = key.indexOf("#"), id = byKey.get(cut < 0 ? key : key.slice(0, cut));
  if (id === undefined || cut < 0) return id === undefined ? NONE : id;
  const name = decodeURIComponent(key.slice(cut + 1)), column = nodes[id].columns.find(c => nodes[c].name === name);
  return column === undefined ? id : column;
}

/* ---- search: words that must all be there; word:value looks in one place ---- */

const PLACES = { tag: "tag", owner: "owner", col: "column", column: "column", ns: "ns", namespace: "ns", class: "class", job: "job", dataset: "dataset" };
let haystack = null;
function makeHaystack() {
  haystack = nodes.map(n => ({ name: n.name.toLowerCase(), short: n.short.toLowerCase(), ns: n.ns.toLowerCase(), tag: n.tags.join("\n").toLowerCase(),
    owner: n.owners.map(o => o.name).join("\n").toLowerCase(), class: n.classes.join("\n").toLowerCase(), text: n.text.toLowerCase() }));
}
function scoreWord(n, h, word, place) {
  if (place) {
    if (place === "tag" || place === "owner" || place === "class" || place === "ns") return h[place].includes(word) ? 6 : 0;
    return KINDS[n.kind] === place && h.name.includes(word) ? 8 : 0;
  }
  if (h.short === word) return 20;
  if (h.short.startsWith(word)) return 12;
  if (h.short.includes(word)) return 9;
  if (h.name.includes(word)) return 7;
  if (h.tag.includes(word) || h.owner.includes(word) || h.class.includes(word)) return 5;
  if (h.ns.includes(word)) return 3;
  return h.text.includes(word) ? 2 : 0;
}
function search(query) {
  if (!haystack) makeHaystack();
  const words = query.toLowerCase().split(/\s+/).filter(Boolean).map(w => {
    const cut = w.indexOf(":"), place = cut > 0 ? PLACES[w.slice(0, cut)] : undefined;
    return place && cut < w.length - 1 ? [w.slice(cut + 1), place] : [w, ""];
  });
  const found = [];
  if (!words.length) return found;
  for (const n of nodes) {
    let score = 0;
    for (const [word, place] of words) {
      let one = scoreWord(n, haystack[n.id], word, place);
      if (!one && !place && n.kind === COLUMN && nodes[n.dataset].short.toLowerCase().includes(word)) one = 1; /* orders email */
      if (!one) { score = 0; break; }
      score += one;
    }
    if (score > words.length || (score && words.length === 1 && n.kind !== COLUMN)) found.push([score - n.kind * 0.1, n.id]);
  }
  found.sort((a, b) => b[0] - a[0] || a[1] - b[1]);
  return found.map(f => f[1]);
}

/* ---- filters: of each kind one of the chosen values must hold ---- */

const FACETS = [
  ["state", "State", n => [n.state || "not known"]],
  ["fresh", "Freshness", n => n.kind === DATASET ? [n.fresh] : []],
  ["class", "Classification", n => [...n.allClasses]],
  ["tag", "Tag", n => [...n.allTags]],
  ["owner", "Owner", n => n.owners.map(o => o.name)],
  ["ns", "Namespace", n => [n.ns]],
];
function facetValues(facet) {
  const counts = new Map();
  for (let i = 0; i < drawn; i++) for (const v of facet[2](nodes[i])) counts.set(v, (counts.get(v) || 0) + 1);
  const all = [...counts];
  if (facet[0] === "fresh") return all.sort((a, b) => FRESH.indexOf(a[0]) - FRESH.indexOf(b[0]));
  return all.sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}
function passes(n, filters) {
  for (const facet of FACETS) {
    const want = filters[facet[0]];
    if (want && want.length && !facet[2](n).some(v => want.includes(v))) return false;
  }
  return true;
}

/* ---- walks ---- */

/* Datasets reached from node `id`, by flows; what is asked is how far each is, and which flows were taken. */
function walkFlows(id, down, far, taken) {
  const queue = [];
  const reach = (v, d) => { if (v >= 0 && !far.has(v)) { far.set(v, d); queue.push(v); } };
  if (nodes[id].kind === JOB) {
    far.set(id, 0);
    for (const i of flowsOf[id]) { taken.add(i); reach(down ? flows[i].dst : flows[i].src, 1); }
  } else reach(id, 0);
  for (let q = 0; q < queue.length; q++) {
    for (const i of (down ? flowsOut : flowsIn)[queue[q]]) {
      taken.add(i);
      const f = flows[i], d = far.get(queue[q]) + 1;
      if (f.job >= 0 && !far.has(f.job)) far.set(f.job, d);
      reach(down ? f.dst : f.src, d);
    }
  }
}
function walkThreads(id, down, far, taken) {
  const queue = [id];
  far.set(id, 0);
  const reach = (v, d) => { if (!far.has(v)) { far.set(v, d); queue.push(v); } };
  for (let q = 0; q < queue.length; q++) {
    const v = queue[q], d = far.get(v) + 1, n = nodes[v];
    if (down) {
      for (const i of threadsOut[v]) { taken.add(i); reach(threads[i].dst, d); }
      if (n.kind === DATASET) n.columns.forEach(c => threadsOut[c].forEach(i => { taken.add(i); reach(threads[i].dst, d); }));
    } else {
      for (const i of threadsIn[v]) { taken.add(i); reach(threads[i].src, d); }
      if (n.kind === COLUMN) for (const i of threadsIn[n.dataset]) { taken.add(i); reach(threads[i].src, d); }
    }
  }
}
/* The lineage of a node: { far: id -> hops (below 0 upstream), flows, threads, up, down (numbers of datasets) }. */
function trace(id, dir) {
  const up = new Map(), down = new Map(), takenUp = new Set(), takenDown = new Set(), n = nodes[id];
  const walk = n.kind === COLUMN ? walkThreads : walkFlows;
  walk(id, false, up, takenUp);
  walk(id, true, down, takenDown);
  const unit = n.kind === COLUMN ? COLUMN : DATASET;
  const count = far => [...far.keys()].filter(v => v !== id && nodes[v].kind === unit).length;
  const far = new Map();
  if (dir !== "down") for (const [v, d] of up) far.set(v, -d);
  if (dir !== "up") for (const [v, d] of down) if (!far.has(v)) far.set(v, d);
  far.set(id, 0);
  const taken = new Set([...(dir !== "down" ? takenUp : []), ...(dir !== "up" ? takenDown : [])]);
  const onThreads = n.kind === COLUMN;
  if (onThreads) { /* the cards that the columns stand in */
    for (const v of [...far.keys()]) if (nodes[v].kind === COLUMN && !far.has(nodes[v].dataset)) far.set(nodes[v].dataset, far.get(v));
  }
  return { id, far, flows: onThreads ? new Set() : taken, threads: onThreads ? taken : new Set(), up: count(up), down: count(down), onThreads };
}
function howWords(how) { return HOW.filter((w, i) => how >> i & 1); }
