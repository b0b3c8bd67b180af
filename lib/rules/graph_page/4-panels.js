/* What stands around the picture: details, filters, results, list. All that comes from the graph is set as text, never as markup. */

const $ = id => document.getElementById(id);
function el(tag, attributes, ...inside) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(attributes || {})) {
    if (k === "on") e.addEventListener("click", v);
    else if (k === "class") e.className = v;
    else if (v !== false && v !== undefined && v !== null) e.setAttribute(k, v === true ? "" : v);
  }
  for (const i of inside) if (i !== null && i !== undefined && i !== "") e.append(i);
  return e;
}
const timeOf = s => s ? new Date(s * 1000).toISOString().replace("T", " ").slice(0, 19) + "Z" : "";
const countOf = n => n.toLocaleString("en").replace(/,/g, "\u202f");
function agoOf(s) {
  const d = data.asOf - s;
  if (!s || d < 0) return "";
  if (d < 90) return "just before";
  if (d < 5400) return Math.round(d / 60) + " min before";
  if (d < 2 * DAY) return Math.round(d / 3600) + " h before";
  return Math.round(d / DAY) + " days before";
}
function sizeOf(b) {
  const units = ["B", "K", "M", "G", "T"];
  let i = 0;
  while (b >= 1024 && i < 4) { b /= 1024; i++; }
  return (i ? b.toFixed(b < 10 ? 1 : 0) : b) + " " + units[i];
}
function lastsOf(r) {
  if (!r.start || !r.end || r.end < r.start) return "";
  const s = r.end - r.start;
  return s < 90 ? s + " s" : s < 5400 ? Math.round(s / 60) + " min" : (s / 3600).toFixed(1) + " h";
}

function rowButton(id, note, type) {
  const n = nodes[id];
  return el("li", null, el("button", { type: "button", on: () => choose(id, true), "aria-current": state.chosen === id ? "true" : false, title: n.kind === COLUMN ? nodes[n.dataset].name + " \u00b7 " + n.name : n.name },
    el("i", { class: "dot " + KINDS[n.kind] }), el("span", { class: "name" }, plain(n.kind === COLUMN && note !== "own" ? nodes[n.dataset].short + " \u00b7 " + n.name : n.short), note && note !== "own" ? el("small", null, plain(note)) : null),
    n.classes.length && note === "own" ? el("span", { class: "chip class" }, n.classes[0]) : null, type ? el("span", { class: "type" }, plain(type)) : null));
}
/* A list of which the first are shown, the rest on demand. */
function longList(make, ids, most) {
  const ul = el("ul", { class: "rows" });
  let shown = 0;
  const more = el("button", { type: "button", class: "more", on: () => grow(500) });
  const grow = by => {
    const next = ids.slice(shown, shown + by);
    next.forEach(i => ul.append(make(i)));
    shown += next.length;
    more.textContent = countOf(ids.length - shown) + " more";
    more.hidden = shown >= ids.length;
  };
  grow(most || 12);
  return [ul, more];
}
function heading(words, n) { return el("h3", null, words, n === undefined ? null : el("span", null, countOf(n))); }
function term(dlist, name, value) { if (value) dlist.append(el("dt", null, name), el("dd", null, value)); }

function neighbours(n) { /* [comes from, feeds], each id -> the jobs between */
  const into = new Map(), out = new Map();
  const add = (m, id, job) => { if (id >= 0) { if (!m.has(id)) m.set(id, new Set()); if (job >= 0) m.get(id).add(job); } };
  if (n.kind === DATASET) {
    flowsIn[n.id].forEach(i => add(into, flows[i].src >= 0 ? flows[i].src : flows[i].job, flows[i].src >= 0 ? flows[i].job : NONE));
    flowsOut[n.id].forEach(i => add(out, flows[i].dst >= 0 ? flows[i].dst : flows[i].job, flows[i].dst >= 0 ? flows[i].job : NONE));
  } else flowsOf[n.id].forEach(i => { add(into, flows[i].src, NONE); add(out, flows[i].dst, NONE); });
  return [into, out];
}
function viaWords(jobs) {
  const names = [...jobs].map(j => nodes[j].short);
  return names.length ? "by " + names.slice(0, 3).join(", ") + (names.length > 3 ? " and " + (names.length - 3) + " more" : "") : "";
}
function threadRow(t, other) {
  const n = nodes[other], li = rowButton(other, n.kind === COLUMN ? "" : "all its rows"), name = li.querySelector(".name");
  const chips = el("span", { class: "chips" }, ...howWords(t.how).map(w => el("span", { class: t.how & DIRECT ? "chip" : "chip indirect" }, w)));
  if (t.how & MASKED) chips.append(el("span", { class: "chip masked" }, "masked"));
  name.append(chips);
  if (t.job >= 0) name.append(el("small", null, "by " + plain(nodes[t.job].short)));
  return li;
}

function dirButtons(t) {
  const make = (dir, words) => el("button", { type: "button", "aria-pressed": String(state.dir === dir), on: () => go({ dir }), "data-dir": dir }, words);
  return el("div", { class: "seg", role: "group", "aria-label": "Follow" }, make("up", "\u2190 Upstream " + countOf(t.up)), make("both", "Both"), make("down", "Downstream " + countOf(t.down) + " \u2192"));
}

function showDetails() {
  const panel = $("details");
  panel.replaceChildren();
  panel.hidden = state.chosen === NONE;
  if (panel.hidden) return;
  const n = nodes[state.chosen], t = view.trace, isColumn = n.kind === COLUMN, facts = el("dl");
  panel.append(el("div", { class: "head" }, el("span", { class: "kind" }, el("i", { class: "dot " + KINDS[n.kind] }), KINDS[n.kind] + (n.type && !isColumn ? " \u00b7 " + plain(n.type) : "")),
    el("span", null, el("button", { type: "button", class: "small", on: copyLink, title: "Copy a link to this view" }, "Copy link"), " ",
      el("button", { type: "button", class: "small", "aria-label": "Close details", title: "Close (Esc)", on: () => choose(NONE) }, "\u00d7"))));
  panel.append(el("h2", { id: "details-h" }, plain(n.short)));
  if (isColumn) panel.append(el("p", { class: "where" }, "of ", el("button", { type: "button", class: "small", on: () => choose(n.dataset, true) }, plain(nodes[n.dataset].short))));
  else panel.append(el("p", { class: "where" }, plain(n.ns + "  " + n.name)));
  if (n.text) panel.append(el("p", { class: "doc" }, plain(n.text)));
  const classes = isColumn ? n.classes : [...n.allClasses];
  if (classes.length || n.tags.length)
    panel.append(el("div", { class: "chips" }, ...classes.map(c => el("span", { class: "chip class", title: "Classification" }, plain(c))), ...n.tags.map(x => el("span", { class: "chip", title: "Tag" }, plain(x)))));
  if (isColumn) term(facts, "Type", plain(n.type));
  if (n.files) term(facts, "Files", countOf(n.files));
  term(facts, "Programs", n.programs);
  term(facts, "Owners", n.owners.map(o => plain(o.name) + (o.type ? " (" + plain(o.type) + ")" : "")).join(", "));
  if (n.state) term(facts, "State", el("span", null, dotOf(n) ? el("i", { class: "dot " + dotOf(n) }) : null, " " + plain(n.state)));
  if (n.kind === DATASET) term(facts, "Freshness", n.fresh);
  term(facts, n.kind === DATASET ? "Last written" : "Last seen", n.last ? timeOf(n.last) + " (" + agoOf(n.last) + ")" : "");
  if (n.due) term(facts, "Due", timeOf(n.due));
  term(facts, "First seen", timeOf(n.first));
  panel.append(facts, dirButtons(t));
  if (!isColumn) panel.append(el("label", { class: "facet" }, el("input", { type: "checkbox", id: "only", ...(state.only ? { checked: true } : {}) }), " Show only its lineage ", el("kbd", null, "f")));
  const only = panel.querySelector("#only");
  if (only) only.addEventListener("change", () => go({ only: only.checked }));
  if (isColumn) {
    const into = [...threadsIn[n.id].map(i => threads[i]), ...threadsIn[n.dataset].map(i => threads[i])], out = threadsOut[n.id].map(i => threads[i]);
    panel.append(heading("Made from", into.length), ...longList(x => threadRow(x, x.src), into, 30), heading("Goes into", out.length), ...longList(x => threadRow(x, x.dst), out, 30));
  } else {
    if (n.columns.length) showColumns(panel, n);
    const [into, out] = neighbours(n);
    panel.append(heading("Comes from", into.size), ...longList(id => rowButton(id, viaWords(into.get(id))), [...into.keys()]),
      heading("Feeds", out.size), ...longList(id => rowButton(id, viaWords(out.get(id))), [...out.keys()]));
  }
  if (n.runs.length) showRuns(panel, n);
  panel.setAttribute("aria-labelledby", "details-h");
}
function showColumns(panel, n) {
  panel.append(heading("Columns", n.columns.length));
  const holder = el("div"), fill = ids => holder.replaceChildren(...longList(c => rowButton(c, "own", nodes[c].type), ids, 15));
  if (n.columns.length > 15) {
    const find = el("input", { type: "search", class: "find", placeholder: "Find a column", "aria-label": "Find a column" });
    find.addEventListener("input", () => fill(n.columns.filter(c => nodes[c].name.toLowerCase().includes(find.value.toLowerCase()))));
    panel.append(find);
  }
  fill(n.columns);
  panel.append(holder);
}
function showRuns(panel, n) {
  const sized = n.runs.some(r => r.rows >= 0), body = el("tbody");
  for (const r of n.runs)
    body.append(el("tr", null, el("td", { title: r.id }, el("i", { class: "dot " + dotOf({ kind: JOB, state: r.state }) }), " " + plain(r.state)), el("td", null, timeOf(r.start).slice(0, 16)),
      el("td", { class: "n" }, sized ? (r.rows >= 0 ? countOf(r.rows) : "") : lastsOf(r)), sized ? el("td", { class: "n" }, r.bytes >= 0 ? sizeOf(r.bytes) : "") : null));
  panel.append(heading("Last runs"), el("table", null, el("thead", null, el("tr", null, el("th", null, "State"), el("th", null, "Started"), el("th", { class: "n" }, sized ? "Rows" : "Lasted"), sized ? el("th", { class: "n" }, "Bytes") : null)), body));
}

/* ---- filters ---- */

function showFilters() {
  const panel = $("filters"), n = Object.values(state.filters).reduce((s, v) => s + v.length, 0) + (state.jobs ? 0 : 1) + (state.datasets ? 0 : 1);
  $("n-filters").hidden = !n;
  $("n-filters").textContent = n;
  panel.hidden = !state.panel;
  $("b-filter").setAttribute("aria-expanded", String(state.panel));
  if (!state.panel) { panel.replaceChildren(); return; }
  const held = document.activeElement && panel.contains(document.activeElement) ? document.activeElement.id : "";
  panel.replaceChildren(el("div", { class: "head" }, el("h2", null, "Filters"), el("button", { type: "button", class: "small", on: clearFilters, disabled: !n }, "Clear")));
  const check = (id, words, on, count, change) => {
    const input = el("input", { type: "checkbox", id });
    input.checked = on;
    input.addEventListener("change", () => change(input.checked));
    return el("label", { title: words }, input, el("span", null, words), count === undefined ? null : el("em", null, countOf(count)));
  };
  const kinds = [0, 0, 0];
  nodes.forEach(x => kinds[x.kind]++);
  panel.append(el("fieldset", { class: "facet" }, el("legend", null, "Show"),
    check("f-dataset", "Datasets", state.datasets, kinds[0], on => go({ datasets: on, jobs: on ? state.jobs : true })), check("f-job", "Jobs", state.jobs, kinds[1], on => go({ jobs: on, datasets: on ? state.datasets : true })),
    check("f-column", "Columns", state.columns, kinds[2], on => go({ columns: on })), check("f-hide", "Only what matches", state.hide, undefined, on => go({ hide: on }))));
  FACETS.forEach(facet => {
    const values = facetValues(facet), chosen = state.filters[facet[0]] || [];
    if (!values.length) return;
    const set = el("fieldset", { class: "facet" }, el("legend", null, facet[1])), most = 8;
    const put = ([v, count]) => set.append(check("f-" + facet[0] + "-" + v, plain(v) || "(none)", chosen.includes(v), count, on => {
      const next = on ? [...chosen, v] : chosen.filter(w => w !== v);
      go({ filters: { ...state.filters, [facet[0]]: next } });
    }));
    values.filter(([v], i) => i < most || chosen.includes(v)).forEach(put);
    const rest = values.filter(([v], i) => i >= most && !chosen.includes(v));
    if (rest.length) {
      const more = el("button", { type: "button", class: "more", on: () => { more.remove(); rest.slice(0, 400).forEach(put); } }, countOf(rest.length) + " more");
      set.append(more);
    }
    panel.append(set);
  });
  if (held && document.getElementById(held)) document.getElementById(held).focus();
}

/* ---- search results ---- */

let hits = [], hit = -1;
function withMarks(s, words) {
  const holder = el("b"), low = s.toLowerCase(), word = words.map(w => w.replace(/^[a-z]+:/, "")).find(w => w && low.includes(w));
  if (!word || low.length !== s.length) { holder.textContent = plain(s); return holder; }
  const at = low.indexOf(word);
  holder.append(plain(s.slice(0, at)), el("mark", null, plain(s.slice(at, at + word.length))), plain(s.slice(at + word.length)));
  return holder;
}
function showHits() {
  const ul = $("hits"), query = $("q").value.trim();
  hits = query ? search(query) : [];
  hit = hits.length ? 0 : -1;
  state.found = query && hits.length ? new Set(hits.slice(0, 2000)) : null;
  const words = query.toLowerCase().split(/\s+/);
  ul.replaceChildren(...hits.slice(0, 60).map((id, i) => {
    const n = nodes[id], about = n.kind === COLUMN ? "column of " + nodes[n.dataset].short : n.where;
    const extra = [...n.classes, ...n.tags, ...n.owners.map(o => o.name)].join(" \u00b7 ");
    return el("li", { role: "option", id: "hit-" + i, "aria-selected": String(i === hit), on: () => takeHit(i) }, el("i", { class: "dot " + KINDS[n.kind] }),
      el("div", null, withMarks(n.kind === COLUMN ? n.name : n.short, words), el("span", { class: "where" }, plain(about + (extra ? " \u00b7 " + extra : "")))));
  }));
  if (hits.length > 60) ul.append(el("li", { class: "more" }, countOf(hits.length - 60) + " more: add a word, or tag: owner: col: ns: class:"));
  if (query && !hits.length) ul.append(el("li", { class: "more" }, "Nothing is named so"));
  ul.hidden = !query;
  $("q").setAttribute("aria-expanded", String(!ul.hidden));
  markHit();
  requestDraw();
  if (query) say(hits.length ? countOf(hits.length) + " results" : "no results");
}
function markHit() {
  [...$("hits").children].forEach((li, i) => { if (li.getAttribute("role")) li.setAttribute("aria-selected", String(i === hit)); });
  const li = hit >= 0 ? document.getElementById("hit-" + hit) : null;
  if (li) { $("q").setAttribute("aria-activedescendant", li.id); li.scrollIntoView({ block: "nearest" }); } else $("q").removeAttribute("aria-activedescendant");
}
function takeHit(i) {
  const id = hits[i];
  closeHits(true);
  if (id !== undefined) choose(id, true);
}
function closeHits(clear) {
  $("hits").hidden = true;
  $("q").setAttribute("aria-expanded", "false");
  $("q").removeAttribute("aria-activedescendant");
  if (clear) $("q").value = "";
  state.found = null;
  requestDraw();
}

/* ---- the list: the same nodes as a table ---- */

const LIST = [["Name", n => n.short.toLowerCase()], ["Kind", n => n.kind], ["Where", n => n.where], ["State", n => n.state], ["Last written or seen", n => -n.last], ["From", n => -neighbours(n)[0].size], ["Feeds", n => -neighbours(n)[1].size]];
let listOrder = 0, listBack = false, listMost = 200;
function showList() {
  const holder = $("list");
  holder.hidden = !state.list;
  $("stage").hidden = state.list;
  $("b-list").setAttribute("aria-pressed", String(state.list));
  if (!state.list) { holder.replaceChildren(); return; }
  const key = LIST[listOrder][1];
  const ids = scene.cards.filter(i => passes(nodes[i], state.filters)).map(i => [key(nodes[i]), i]);
  ids.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]) * (listBack ? -1 : 1));
  const head = el("tr", null, ...LIST.map(([words], i) => el("th", { scope: "col", class: i > 4 ? "n" : "", "aria-sort": i === listOrder ? (listBack ? "descending" : "ascending") : "none" },
    el("button", { type: "button", on: () => { listBack = i === listOrder && !listBack; listOrder = i; showList(); } }, words + (i === listOrder ? (listBack ? " \u2193" : " \u2191") : "")))));
  const body = el("tbody");
  for (const [, i] of ids.slice(0, listMost)) {
    const n = nodes[i], [into, out] = neighbours(n);
    body.append(el("tr", { class: i === state.chosen ? "here" : "" }, el("td", null, el("button", { type: "button", on: () => choose(i, true) }, plain(n.short))), el("td", null, el("span", { class: "kind" }, el("i", { class: "dot " + KINDS[n.kind] }), KINDS[n.kind])),
      el("td", null, plain(n.where)), el("td", null, dotOf(n) ? el("i", { class: "dot " + dotOf(n) }) : null, " " + plain(n.state)), el("td", null, timeOf(n.last).slice(0, 16)), el("td", { class: "n" }, countOf(into.size)), el("td", { class: "n" }, countOf(out.size))));
  }
  holder.replaceChildren(el("table", null, el("caption", { class: "unseen" }, "Datasets and jobs"), el("thead", null, head), body));
  if (ids.length > listMost) holder.append(el("button", { type: "button", class: "more", on: () => { listMost += 1000; showList(); } }, countOf(ids.length - listMost) + " more"));
}

function showLegend() {
  const line = (style, words) => {
    const c = document.createElement("canvas"), ctx = c.getContext("2d"), [color, dash, width] = THREAD[style];
    c.width = 52; c.height = 16;
    c.style.width = "26px"; c.style.height = "8px";
    ctx.scale(2, 2);
    strokeLines(ctx, [{ x1: 0, y1: 4, x2: 26, y2: 4, points: [] }], colors[color], width, true, dash.map(d => d * 0.7));
    return el("span", null, c, words);
  };
  const items = [el("span", null, el("i", { class: "dot dataset" }), "dataset"), el("span", null, el("i", { class: "dot job" }), "job")];
  if (view.columns || (view.trace && view.trace.onThreads)) items.push(line("direct", "direct"), line("indirect", "indirect"), line("masked", "masked"));
  items.push(el("span", null, el("i", { class: "dot bad" }), "failed"), el("span", null, el("i", { class: "dot warn" }), "stale or dropped"));
  $("legend").replaceChildren(...items);
}
function showHelp() {
  const rows = [["/", "search; arrows and Enter choose"], ["drag, wheel, pinch", "move and zoom"], ["+  \u2212  0", "zoom in, out, show all"], ["\u2190 \u2192", "to what it comes from, to what it feeds"], ["\u2191 \u2193", "to the next card above or below"],
    ["f", "show only its lineage"], ["c", "columns"], ["l", "list instead of picture"], ["Esc", "close, let go"], ["tag: owner: col: ns: class:", "in a search: look there only"]];
  const close = el("button", { type: "button", on: () => $("help").close() }, "Close");
  $("help").replaceChildren(el("h2", { id: "help-h" }, "Keys"), el("dl", null, ...rows.flatMap(([k, w]) => [el("dt", null, el("kbd", null, k)), el("dd", null, w)])),
    el("p", { class: "where" }, "Choose a dataset to see what it comes from and feeds; choose one of its columns to follow that alone. The address holds the view: copy it to share it."), close);
  $("help").showModal();
}
let sayTimer = 0;
function say(words) { clearTimeout(sayTimer); sayTimer = setTimeout(() => { $("said").textContent = words; }, 150); }
