/* What is chosen and shown, the address that holds it, and the hands: mouse, touch, keys. */

const FRESH_STATE = { chosen: NONE, dir: "both", only: false, columns: false, jobs: true, datasets: true, hide: false, list: false, panel: false, filters: {} };
const state = { ...FRESH_STATE, columns: data.open === 1, found: null, seen: 0, still: false };
const view = { columns: false, jobs: true, datasets: true, trace: null, shape: "" };

/* ---- the address ---- */

function hashOf() {
  const parts = [];
  if (state.chosen !== NONE) parts.push("n=" + encodeURIComponent(keyOf(nodes[state.chosen])));
  if (state.dir !== "both") parts.push("d=" + state.dir);
  for (const [name, on] of [["only", state.only], ["hide", state.hide], ["list", state.list], ["nojobs", !state.jobs], ["nodatasets", !state.datasets]]) if (on) parts.push(name + "=1");
  if (state.columns !== (data.open === 1)) parts.push("cols=" + (state.columns ? 1 : 0));
  for (const [facet, values] of Object.entries(state.filters)) for (const v of values) parts.push("f=" + facet + ":" + encodeURIComponent(v));
  return parts.join("&");
}
function parseHash() {
  const next = { ...FRESH_STATE, columns: data.open === 1, filters: {}, panel: state.panel };
  let at = null;
  for (const part of location.hash.slice(1).split("&")) {
    const cut = part.indexOf("="), name = part.slice(0, cut);
    let value = part.slice(cut + 1);
    if (cut < 0) continue;
    try { if (name === "n" || name === "at") value = decodeURIComponent(value); } catch { continue; }
    if (name === "n") { try { next.chosen = nodeOfKey(value); } catch { next.chosen = NONE; } }
    else if (name === "d" && (value === "up" || value === "down")) next.dir = value;
    else if (name === "only" || name === "hide" || name === "list") next[name] = value === "1";
    else if (name === "nojobs") next.jobs = false;
    else if (name === "nodatasets") next.datasets = false;
    else if (name === "cols") next.columns = value === "1";
    else if (name === "f") {
      const colon = value.indexOf(":"), facet = value.slice(0, colon);
      if (FACETS.some(f => f[0] === facet)) {
        try { next.filters[facet] = [...(next.filters[facet] || []), decodeURIComponent(value.slice(colon + 1))]; } catch { /* no value that a filter has */ }
      }
    } else if (name === "at") {
      const v = value.split(",").map(Number);
      if (v.length === 3 && v.every(Number.isFinite) && v[2] > 0) at = { x: v[0], y: v[1], z: v[2] };
    }
  }
  if (!next.jobs && !next.datasets) next.jobs = next.datasets = true;
  return { next, at };
}
let lastHash = "";
function remember(push) {
  const hash = hashOf();
  const url = "#" + hash + (hash ? "&" : "") + "at=" + [camera.x.toFixed(0), camera.y.toFixed(0), camera.z.toPrecision(3)].join(",");
  try {
    if (push && hash !== lastHash) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
  } catch { /* a page without history still works */ }
  lastHash = hash;
}
let cameraTimer = 0;
function noteCamera() { clearTimeout(cameraTimer); cameraTimer = setTimeout(() => remember(false), 250); }

/* ---- change and show ---- */

function look() {
  const t = view.trace, filtered = !state.hide && FACETS.some(f => (state.filters[f[0]] || []).length), found = state.found;
  const match = n => !filtered || passes(n, state.filters);
  const cardsFound = found ? new Set([...found].map(id => nodes[id].kind === COLUMN ? nodes[id].dataset : id)) : null;
  return { chosen: state.chosen, far: t, found, filtered, match,
    on: n => found ? cardsFound.has(n.id) : (!t || t.far.has(n.id)) && match(n),
    flowOn: e => !t.onThreads && e.flows.some(i => t.flows.has(i)) };
}
/* Takes a change of state: what must be laid out anew is, the rest is only drawn. */
function go(change, quiet) {
  Object.assign(state, change);
  refresh();
  if (!quiet) remember(true);
  showAll();
}
function refresh() {
  const n = state.chosen === NONE ? null : nodes[state.chosen];
  view.trace = n ? trace(n.id, state.dir) : null;
  view.columns = state.columns;
  view.jobs = state.jobs && !(view.trace && view.trace.onThreads);
  view.datasets = state.datasets || (view.trace !== null && view.trace.onThreads);
  const only = n && (state.only || view.trace.onThreads), hides = state.hide && FACETS.some(f => (state.filters[f[0]] || []).length);
  const given = !only && !hides && !view.columns && view.jobs && view.datasets;
  const shape = JSON.stringify([only ? state.chosen : NONE, only ? state.dir : "", hides ? state.filters : 0, view.columns, view.jobs, view.datasets]);
  if (shape !== view.shape) {
    const shown = new Array(drawn).fill(false);
    for (let i = 0; i < drawn; i++)
      shown[i] = (nodes[i].kind === JOB ? view.jobs : view.datasets) && (!only || view.trace.far.has(i)) && (!hides || i === state.chosen || passes(nodes[i], state.filters));
    let lines = linesOf(shown, view);
    if (only) {
      if (view.trace.onThreads) {
        const pairs = new Set([...view.trace.threads].map(i => nodes[threads[i].src].dataset * drawn + (nodes[threads[i].dst].kind === COLUMN ? nodes[threads[i].dst].dataset : threads[i].dst)));
        lines = lines.filter(([a, b]) => pairs.has(a * drawn + b));
      } else lines = lines.filter(l => l[2].some(i => view.trace.flows.has(i)));
    }
    setScene(given ? givenLayout(lines) : layOut(shown, lines, view));
    const whole = view.shape !== "";
    view.shape = shape;
    mapImage = null;
    frozen = null;
    if (whole) state.moveTo = only || hides || state.chosen === NONE ? "all" : "chosen";
  }
  const list = view.trace && view.trace.onThreads ? [...view.trace.threads] : view.columns ? threads.map((t, i) => i) : [];
  setThreads(list, view);
}
function cardOf(id) { return id === NONE ? NONE : nodes[id].kind === COLUMN ? nodes[id].dataset : id; }
function showAll() {
  for (const [id, on] of [["b-columns", state.columns], ["b-list", state.list]]) $(id).setAttribute("aria-pressed", String(on));
  showFilters();
  showDetails();
  showList();
  showLegend();
  showPath();
  if (!state.list) measureStage();
  $("none").hidden = scene.cards.length > 0;
  $("sum").textContent = countOf(scene.cards.length) + (scene.cards.length < drawn ? " of " + countOf(drawn) : "") + " datasets and jobs, " + countOf(nodes.length - drawn) + " columns, " + countOf(flows.length) + " flows";
  if (state.moveTo === "all") fit();
  else if (state.moveTo === "chosen") bring(cardOf(state.chosen));
  state.moveTo = "";
  requestDraw();
}
function showPath() {
  const bar = $("path"), n = state.chosen === NONE ? null : nodes[state.chosen], only = n && (state.only || n.kind === COLUMN);
  bar.hidden = !only;
  if (!only) return;
  bar.replaceChildren(el("span", null, (n.kind === COLUMN ? "Lineage of column " : "Lineage of ") + plain(n.kind === COLUMN ? nodes[n.dataset].short + " \u00b7 " + n.name : n.short)),
    el("button", { type: "button", id: "b-whole", on: () => n.kind === COLUMN ? choose(n.dataset, true) : go({ only: false }) }, n.kind === COLUMN ? "Back to the dataset" : "Show the whole graph"));
}
/* Makes a card visible; far out it is also brought near enough to be read. */
function bring(id, always) {
  const p = scene.at.get(id);
  if (!p) return;
  const s = toScreen(p.x + CARD_W / 2, p.y + Math.min(p.h, 400) / 2), inside = s.x > 120 && s.x < size.w - 120 && s.y > 60 && s.y < size.h - 60;
  if (inside && camera.z >= NEAR && !always) return;
  glide(p.x + CARD_W / 2, p.y + Math.min(p.h, 400) / 2, Math.max(camera.z, 0.8));
}
/* What was clicked may be under the details that open: then the picture gives way, as large as it is. */
function uncover(id) {
  const p = scene.at.get(id), s = p && toScreen(p.x + CARD_W, p.y);
  if (s && s.x > size.w - 20) glide(camera.x + (s.x - size.w + 60) / camera.z, camera.y, camera.z);
}
/* `far`: it was named elsewhere than in the picture, which moves to it. */
function choose(id, far) {
  if (id === state.chosen && id === NONE) return;
  const leaving = id === NONE ? { only: false, dir: "both" } : {};
  go({ chosen: id, ...leaving });
  if (id !== NONE) {
    const n = nodes[id], t = view.trace;
    if (far && !state.list) {
      if (state.only || n.kind === COLUMN) fit(); else bring(cardOf(id));
    } else if (!state.list) uncover(cardOf(id));
    say(KINDS[n.kind] + " " + n.short + ", " + t.up + " upstream, " + t.down + " downstream");
  }
}
function clearFilters() { go({ filters: {}, jobs: true, datasets: true, hide: false }); }
function copyLink() {
  remember(false);
  const done = () => say("link copied");
  if (navigator.clipboard && window.isSecureContext) navigator.clipboard.writeText(location.href).then(done, () => {});
  else {
    const area = el("textarea");
    area.value = location.href;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    done();
  }
}

/* ---- mouse and touch ---- */

const fingers = new Map();
let grip = null;
function zoomAt(sx, sy, z) {
  const p = toWorld(sx, sy);
  camera.z = limitZoom(z);
  camera.x = p.x - (sx - size.w / 2) / camera.z;
  camera.y = p.y - (sy - size.h / 2) / camera.z;
  moved();
  noteCamera();
}
function place(e) { const b = canvas.getBoundingClientRect(); return { x: e.clientX - b.left, y: e.clientY - b.top }; }
canvas.addEventListener("pointerdown", e => {
  cancelAnimationFrame(gliding);
  canvas.setPointerCapture(e.pointerId);
  fingers.set(e.pointerId, place(e));
  grip = { x: place(e).x, y: place(e).y, moved: fingers.size > 1 };
});
canvas.addEventListener("pointermove", e => {
  const p = place(e), old = fingers.get(e.pointerId);
  if (!old) {
    const id = hitAt(p.x, p.y), card = cardOf(id);
    canvas.classList.toggle("hit", id !== NONE);
    canvas.title = id === NONE ? "" : plain(nodes[id].kind === COLUMN ? nodes[id].name + " " + nodes[id].type : nodes[id].name);
    if (card !== hover) { hover = card; if (cost < 22) requestDraw(); }
    return;
  }
  if (fingers.size === 1) {
    if (Math.hypot(p.x - grip.x, p.y - grip.y) > 4) grip.moved = true;
    if (grip.moved) {
      camera.x -= (p.x - old.x) / camera.z;
      camera.y -= (p.y - old.y) / camera.z;
      canvas.classList.add("drag");
      moved();
    }
    fingers.set(e.pointerId, p);
  } else if (fingers.size === 2) {
    const other = [...fingers].find(([id]) => id !== e.pointerId)[1];
    const before = Math.hypot(old.x - other.x, old.y - other.y), after = Math.hypot(p.x - other.x, p.y - other.y);
    camera.x -= (p.x - old.x) / 2 / camera.z;
    camera.y -= (p.y - old.y) / 2 / camera.z;
    fingers.set(e.pointerId, p);
    grip.moved = true;
    if (before > 0) zoomAt((p.x + other.x) / 2, (p.y + other.y) / 2, camera.z * after / before);
  }
});
function release(e) {
  const p = place(e), was = fingers.delete(e.pointerId);
  canvas.classList.remove("drag");
  if (!was || fingers.size) return;
  if (grip && !grip.moved && e.type === "pointerup" && e.button === 0) choose(hitAt(p.x, p.y));
  else noteCamera();
  grip = null;
}
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);
canvas.addEventListener("pointerleave", () => { hover = NONE; });
canvas.addEventListener("dblclick", e => { const p = place(e), id = hitAt(p.x, p.y); if (id === NONE) zoomAt(p.x, p.y, camera.z * 2); else if (nodes[id].kind !== COLUMN) go({ chosen: id, only: true }); });
canvas.addEventListener("wheel", e => {
  e.preventDefault();
  const unit = e.deltaMode === 1 ? 18 : e.deltaMode === 2 ? size.h : 1, p = place(e);
  if (e.shiftKey && !e.ctrlKey) { camera.x += (e.deltaX || e.deltaY) * unit / camera.z; moved(); noteCamera(); return; }
  zoomAt(p.x, p.y, camera.z * Math.exp(-Math.max(-240, Math.min(240, e.deltaY * unit)) * (e.ctrlKey ? 0.008 : 0.0022)));
}, { passive: false });
function fromMap(e) {
  const b = map.getBoundingClientRect(), m = mapScale();
  camera.x = ((e.clientX - b.left) * map.width / b.width - m.x) / m.k;
  camera.y = ((e.clientY - b.top) * map.height / b.height - m.y) / m.k;
  moved();
  noteCamera();
}
map.addEventListener("pointerdown", e => { map.setPointerCapture(e.pointerId); fromMap(e); });
map.addEventListener("pointermove", e => { if (e.buttons) fromMap(e); });

/* ---- keys ---- */

/* The nearest card in a direction: along lines to the sides, else by place. */
function step(dx, dy) {
  const id = cardOf(state.chosen), here = scene.at.get(id);
  if (!here) {
    const m = toWorld(size.w / 2, size.h / 2);
    let best = NONE, least = Infinity;
    for (const [i, p] of scene.at) { const d = Math.hypot(p.x + CARD_W / 2 - m.x, p.y - m.y); if (d < least) { least = d; best = i; } }
    return best;
  }
  if (dx) {
    let best = NONE, least = Infinity;
    for (const e of scene.edges) {
      const to = dx > 0 ? (e.a === id ? e.b : NONE) : (e.b === id ? e.a : NONE);
      if (to === NONE) continue;
      const d = Math.abs(scene.at.get(to).y - here.y);
      if (d < least) { least = d; best = to; }
    }
    return best;
  }
  let best = NONE, least = Infinity;
  for (const [i, p] of scene.at) {
    const d = (p.y - here.y) * dy;
    if (i !== id && d > 0 && Math.abs(p.x - here.x) < CARD_W && d < least) { least = d; best = i; }
  }
  return best;
}
canvas.addEventListener("keydown", e => {
  const sides = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
  if (sides && e.shiftKey) { camera.x += sides[0] * 120 / camera.z; camera.y += sides[1] * 120 / camera.z; moved(); noteCamera(); e.preventDefault(); return; }
  if (sides) {
    const id = step(sides[0], sides[1]);
    if (id !== NONE) { choose(id); bring(id); }
    e.preventDefault();
  } else if (e.key === "Enter" && state.chosen !== NONE) { $("details").focus(); e.preventDefault(); }
});
document.addEventListener("keydown", e => {
  const typing = e.target instanceof HTMLInputElement || e.target instanceof HTMLTextAreaElement || e.target instanceof HTMLSelectElement;
  if (e.key === "Escape") {
    if (!$("hits").hidden || document.activeElement === $("q")) { closeHits(true); canvas.focus(); }
    else if (state.chosen !== NONE) { choose(NONE); if (!state.list) canvas.focus(); }
    return;
  }
  if ((typing && e.target.type !== "checkbox") || e.ctrlKey || e.metaKey || e.altKey || $("help").open) return;
  const acts = { "/": () => { $("q").focus(); $("q").select(); }, "+": () => zoomAt(size.w / 2, size.h / 2, camera.z * 1.35), "=": () => zoomAt(size.w / 2, size.h / 2, camera.z * 1.35), "-": () => zoomAt(size.w / 2, size.h / 2, camera.z / 1.35),
    "0": () => fit(), f: () => { if (state.chosen !== NONE) go({ only: !state.only }); }, c: () => go({ columns: !state.columns }), l: () => go({ list: !state.list }), "?": showHelp };
  if (acts[e.key]) { acts[e.key](); e.preventDefault(); }
});
$("q").addEventListener("input", showHits);
$("q").addEventListener("focus", () => { if ($("q").value) showHits(); });
$("q").addEventListener("keydown", e => {
  if (e.key === "ArrowDown" || e.key === "ArrowUp") {
    const n = Math.min(hits.length, 60);
    if (n) hit = (hit + (e.key === "ArrowDown" ? 1 : n - 1)) % n;
    markHit();
    e.preventDefault();
  } else if (e.key === "Enter" && hit >= 0) { takeHit(hit); if (!state.list) canvas.focus(); e.preventDefault(); }
});
document.addEventListener("pointerdown", e => { if (!e.target.closest(".search")) closeHits(false); });

/* ---- buttons, theme, printing, saving ---- */

$("b-in").addEventListener("click", () => zoomAt(size.w / 2, size.h / 2, camera.z * 1.5));
$("b-out").addEventListener("click", () => zoomAt(size.w / 2, size.h / 2, camera.z / 1.5));
$("b-fit").addEventListener("click", () => fit());
$("b-filter").addEventListener("click", () => { state.panel = !state.panel; showAll(); });
$("b-columns").addEventListener("click", () => go({ columns: !state.columns }));
$("b-list").addEventListener("click", () => { go({ list: !state.list }); if (state.list) $("list").focus(); });
$("b-print").addEventListener("click", () => window.print());
$("b-help").addEventListener("click", showHelp);
$("b-clear").addEventListener("click", clearFilters);
$("skip").addEventListener("click", e => { e.preventDefault(); go({ list: true }); $("list").focus(); });

const darkWanted = window.matchMedia("(prefers-color-scheme: dark)");
let theme = "";
try { theme = localStorage.getItem("dp-theme") || ""; } catch { /* not every page may keep things */ }
function setTheme(name) {
  document.documentElement.dataset.theme = name || (darkWanted.matches ? "dark" : "light");
  readColors();
  mapImage = frozen = null;
  if (scene.cards.length) { showLegend(); requestDraw(); }
}
darkWanted.addEventListener("change", () => setTheme(theme));
$("b-theme").addEventListener("click", () => {
  theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try { localStorage.setItem("dp-theme", theme); } catch { /* it holds for this visit then */ }
  setTheme(theme);
});
window.addEventListener("beforeprint", () => {
  document.documentElement.dataset.theme = "light";
  readColors();
  measureStage();
  size.dpr = 3;
  canvas.width = size.w * 3;
  canvas.height = size.h * 3;
  paint(pen, { ...camera, z: camera.z }, size.w, size.h, 3, look());
});
window.addEventListener("afterprint", () => { setTheme(theme); measureStage(); requestDraw(); });
$("b-save").addEventListener("click", () => {
  const sheet = document.createElement("canvas");
  sheet.width = size.w * 2;
  sheet.height = size.h * 2;
  paint(sheet.getContext("2d"), camera, size.w, size.h, 2, look());
  sheet.toBlob(blob => {
    const a = el("a", { download: "lineage.png" });
    a.href = URL.createObjectURL(blob);
    a.click();
    setTimeout(() => URL.revokeObjectURL(a.href), 5000);
  });
});
new ResizeObserver(() => { if (!state.list) { measureStage(); draw(); } }).observe($("stage"));

/* ---- begin ---- */

function comeBack() {
  const { next, at } = parseHash();
  Object.assign(state, next);
  refresh();
  lastHash = hashOf();
  state.moveTo = "";
  showAll();
  if (at) { cancelAnimationFrame(gliding); Object.assign(camera, at); camera.z = limitZoom(camera.z); requestDraw(); } else if (state.chosen !== NONE && !state.only) bring(cardOf(state.chosen), true); else fit();
}
window.addEventListener("popstate", comeBack);

document.title = plain(data.title);
$("title").textContent = plain(data.title);
$("asof").textContent = data.asOf ? "as of " + timeOf(data.asOf) : "";
setTheme(theme);
measureStage();
state.still = true;
comeBack();
if (!location.hash) {
  const focus = nodes.findIndex(n => n.focus);
  if (focus >= 0 && nodes.filter(n => n.focus).length === 1) { go({ chosen: focus }, true); if (nodes[focus].kind === COLUMN || drawn < 60) fit(); else bring(cardOf(focus), true); } else fit();
  remember(false);
}
cancelAnimationFrame(frame);
frame = 0;
draw();
state.still = false;
/* For who drives the page: how long it took, where things stand, what is chosen. */
window.dpGraph = { ready: performance.now(), took: performance.now() - started, nodes: nodes.length, drawn, state, camera, trace: () => view.trace, shown: () => scene.cards.length, threads: () => scene.threadLines.map(t => t.style),
  place: key => { const id = nodeOfKey(key), n = nodes[id], p = n && scene.at.get(cardOf(id)), b = canvas.getBoundingClientRect();
    if (!p) return null;
    const rows = scene.rows && scene.rows.get(cardOf(id)), row = n.kind === COLUMN && rows ? rows.indexOf(id) : -1, s = toScreen(p.x + CARD_W / 2, p.y + (row >= 0 ? CARD_H + row * ROW_H + ROW_H / 2 : CARD_H / 2));
    return { x: s.x + b.left, y: s.y + b.top }; } };
document.documentElement.dataset.ready = "yes";
