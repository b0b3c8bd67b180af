/*
 * A new layout of a part of the graph, or of cards of other heights: layers and order are those that came with the page, empty layers go, heights are found
 * anew (for each layer the nearest to what neighbours ask for, in order and without touching), and connected parts are put in rows.
 */

const CARD_GAP = 14, LINE_GAP = 9;

function rowsOf(n, view) { /* columns that a card shows */
  if (n.kind !== DATASET) return [];
  if (view.trace && view.trace.onThreads) return n.columns.filter(c => view.trace.far.has(c)).slice(0, MOST_ROWS);
  return view.columns ? n.columns.slice(0, MOST_ROWS) : [];
}
function heightOf(n, view) {
  const rows = rowsOf(n, view).length;
  return rows ? CARD_H + rows * ROW_H + (rows < n.columns.length ? ROW_H : 0) + 6 : CARD_H;
}

/* Lines between cards that are shown: [from, to, [flows]], each pair once. Who stands between two that is not shown is passed over. */
function linesOf(shown, view) {
  const lines = new Map();
  const add = (a, b, flow) => {
    if (a < 0 || b < 0 || a === b || !shown[a] || !shown[b]) return;
    const key = a * drawn + b, have = lines.get(key);
    if (have) have[2].push(flow);
    else lines.set(key, [a, b, [flow]]);
  };
  if (!view.datasets) {
    for (let d = 0; d < drawn; d++) {
      if (nodes[d].kind !== DATASET || flowsIn[d].length * flowsOut[d].length > 4000) continue;
      for (const i of flowsIn[d]) for (const k of flowsOut[d]) add(flows[i].job, flows[k].job, i);
    }
    return [...lines.values()];
  }
  flows.forEach((f, i) => {
    if (f.job < 0 || !view.jobs) add(f.src, f.dst, i);
    else { add(f.src, f.job, i); add(f.job, f.dst, i); }
  });
  return [...lines.values()];
}

/* Positions that came with the page. */
function givenLayout(lines) {
  const at = new Map();
  for (let i = 0; i < drawn; i++) at.set(i, { x: nodes[i].x, y: nodes[i].y, h: CARD_H });
  const edges = lines.map(([a, b, f]) => {
    const points = nodes[b].x > nodes[a].x && nodes[a].part === nodes[b].part ? nodes[a].trunk.filter(p => p.layer < nodes[b].layer) : [];
    return { a, b, flows: f, points };
  });
  return { at, edges };
}

function raise(layer, y, ask) {
  const pools = [];
  let offset = 0;
  layer.forEach((item, i) => {
    if (i) offset += layer[i - 1].half + item.half;
    const [sum, weight] = ask(item), w = weight || 0.1;
    pools.push([((weight ? sum / weight : item.y) - offset) * w, w, 1]);
    while (pools.length > 1) {
      const a = pools[pools.length - 2], b = pools[pools.length - 1];
      if (a[0] * b[1] <= b[0] * a[1]) break;
      a[0] += b[0]; a[1] += b[1]; a[2] += b[2];
      pools.pop();
    }
  });
  offset = 0;
  let p = 0, left = pools.length ? pools[0][2] : 0;
  layer.forEach((item, i) => {
    if (i) offset += layer[i - 1].half + item.half;
    if (!left) left = pools[++p][2];
    left--;
    item.y = pools[p][0] / pools[p][1] + offset;
  });
}

function layPart(cards, lines, view) {
  const items = new Map(), edges = [], layers = new Map();
  const put = (key, layer, order, half, card) => {
    const item = { layer, order, half, card, y: 0, left: [], right: [] };
    items.set(key, item);
    if (!layers.has(layer)) layers.set(layer, []);
    layers.get(layer).push(item);
    return item;
  };
  for (const id of cards) put(id, nodes[id].layer, nodes[id].y + CARD_H / 2, (heightOf(nodes[id], view) + CARD_GAP) / 2, id);
  const used = new Set(cards.map(id => nodes[id].layer)); /* layers of cards; trunks have no points in others */
  const join = (a, b, by) => { a.right.push([b, by]); b.left.push([a, by]); };
  const joined = new Set();
  for (const [a, b, f] of lines) {
    const points = [];
    let last = items.get(a);
    if (nodes[b].layer > nodes[a].layer) {
      for (const p of nodes[a].trunk) {
        if (p.layer >= nodes[b].layer || !used.has(p.layer)) continue;
        const key = a + ":" + p.layer;
        const item = items.get(key) || put(key, p.layer, p.y, LINE_GAP / 2, NONE);
        if (!joined.has(key)) { joined.add(key); join(last, item, last.card === NONE ? 8 : 2); }
        points.push(item);
        last = item;
      }
      join(last, items.get(b), last.card === NONE ? 2 : 1);
    }
    edges.push({ a, b, flows: f, items: points });
  }
  const order = [...layers.keys()].sort((a, b) => a - b), columns = order.map(k => layers.get(k).sort((a, b) => a.order - b.order));
  for (const layer of columns) {
    let y = -layer.reduce((s, i) => s + i.half, 0);
    for (const item of layer) { item.y = y + item.half; y += 2 * item.half; }
  }
  const asker = (left, right) => item => {
    let sum = 0, weight = 0;
    if (left) for (const [o, by] of item.left) { sum += o.y * by; weight += by; }
    if (right) for (const [o, by] of item.right) { sum += o.y * by; weight += by; }
    return [sum, weight];
  };
  for (let pass = 0; pass < 8 && columns.length > 1; pass++) {
    const both = pass >= 5;
    for (let k = 0; k < columns.length; k++) raise(columns[k], 0, asker(true, both));
    for (let k = columns.length - 1; k >= 0; k--) raise(columns[k], 0, asker(both, true));
  }
  let x = 0, top = Infinity, bottom = -Infinity, width = 0;
  for (const layer of columns) {
    let rise = 0, n = 0;
    for (const item of layer) {
      item.x = x;
      if (item.card !== NONE) { top = Math.min(top, item.y - item.half); bottom = Math.max(bottom, item.y + item.half); }
      for (const [o] of item.right) { rise += Math.abs(o.y - item.y); n++; }
    }
    width = x + CARD_W;
    x += CARD_W + Math.min(700, 90 + (n ? rise / n * 0.2 : 0));
  }
  return { items, edges, layers: columns.length, width, height: bottom - top, top, cards };
}

/* Cards of `shown` (true by id) laid out anew: { at: id -> {x, y, h}, edges }. */
function layOut(shown, lines, view) {
  const parent = new Map(), ids = [];
  for (let i = 0; i < drawn; i++) if (shown[i]) { parent.set(i, i); ids.push(i); }
  const root = v => { while (parent.get(v) !== v) { parent.set(v, parent.get(parent.get(v))); v = parent.get(v); } return v; };
  for (const [a, b] of lines) { const x = root(a), y = root(b); if (x !== y) parent.set(Math.max(x, y), Math.min(x, y)); }
  const groups = new Map();
  for (const i of ids) { const r = root(i); if (!groups.has(r)) groups.set(r, { cards: [], lines: [] }); groups.get(r).cards.push(i); }
  for (const l of lines) groups.get(root(l[0])).lines.push(l);
  const parts = [...groups.values()].map(g => layPart(g.cards, g.lines, view));
  parts.sort((a, b) => (b.layers > 1) - (a.layers > 1) || b.height - a.height || b.width - a.width || a.cards[0] - b.cards[0]);
  let area = 0, bound = 0;
  for (const p of parts) { area += (p.width + 60) * (p.height + 40); bound = Math.max(bound, p.width); }
  bound = Math.max(bound, Math.sqrt(area * 2));
  const at = new Map(), edges = [];
  let x = 0, y = 0, row = 0;
  for (const p of parts) {
    if (x > 0 && x + p.width > bound) { y += row + (p.layers > 1 ? 60 : 8); x = row = 0; }
    for (const id of p.cards) {
      const item = p.items.get(id), h = heightOf(nodes[id], view);
      at.set(id, { x: x + item.x, y: y + item.y - p.top - h / 2, h });
    }
    for (const e of p.edges) edges.push({ a: e.a, b: e.b, flows: e.flows, points: e.items.map(i => ({ x: x + i.x + CARD_W / 2, y: y + i.y - p.top })) });
    x += p.width + (p.layers > 1 ? 70 : 16);
    row = Math.max(row, p.height);
  }
  return { at, edges };
}
