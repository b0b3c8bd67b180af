/* The picture: what can be seen of the layout, with as much detail as its size bears. Far out cards are bars and lines straight; text comes with size. */

const canvas = document.getElementById("c"), pen = canvas.getContext("2d");
const map = document.getElementById("map"), mapPen = map.getContext("2d");
const FONT = '"Segoe UI", system-ui, -apple-system, Roboto, "Helvetica Neue", "DejaVu Sans", Arial, sans-serif';
const FAR = 0.13, NEAR = 0.4; /* below FAR: bars; from NEAR on: whole cards */

const scene = { at: new Map(), edges: [], threadLines: [], cards: [], bounds: { x: 0, y: 0, w: 1, h: 1 } };
const camera = { x: 0, y: 0, z: 1 }; /* of the middle of the picture, and its scale */
let size = { w: 1, h: 1, dpr: 1 }, colors = {}, hover = NONE, cost = 0, frozen = null, frame = 0, thaw = 0;

function readColors() {
  const css = getComputedStyle(document.documentElement);
  for (const name of ["bg", "panel", "ink", "soft", "line", "hover", "accent", "dataset", "job", "column", "good", "bad", "warn", "masked"]) colors[name] = css.getPropertyValue("--" + name).trim();
  colors.run = colors.accent;
}
function measureStage() {
  const box = canvas.getBoundingClientRect(), dpr = Math.min(window.devicePixelRatio || 1, 3);
  if (size.w > 1 && box.width > 1) { /* what stands at the left and top stays there */
    camera.x += (box.width - size.w) / 2 / camera.z;
    camera.y += (box.height - size.h) / 2 / camera.z;
  }
  size = { w: Math.max(1, box.width), h: Math.max(1, box.height), dpr };
  canvas.width = Math.round(size.w * dpr);
  canvas.height = Math.round(size.h * dpr);
  frozen = null;
}
const toScreen = (x, y) => ({ x: (x - camera.x) * camera.z + size.w / 2, y: (y - camera.y) * camera.z + size.h / 2 });
const toWorld = (x, y) => ({ x: (x - size.w / 2) / camera.z + camera.x, y: (y - size.h / 2) / camera.z + camera.y });

function setScene(layout) {
  let x0 = Infinity, y0 = Infinity, x1 = -Infinity, y1 = -Infinity;
  scene.at = layout.at;
  scene.cards = [...layout.at.keys()];
  for (const p of layout.at.values()) { x0 = Math.min(x0, p.x); y0 = Math.min(y0, p.y); x1 = Math.max(x1, p.x + CARD_W); y1 = Math.max(y1, p.y + p.h); }
  scene.bounds = scene.cards.length ? { x: x0, y: y0, w: x1 - x0, h: y1 - y0 } : { x: 0, y: 0, w: 1, h: 1 };
  scene.edges = layout.edges;
  for (const e of scene.edges) {
    const a = layout.at.get(e.a), b = layout.at.get(e.b), ys = [a.y + CARD_H / 2, b.y + CARD_H / 2, ...e.points.map(p => p.y)];
    e.x1 = a.x + CARD_W; e.y1 = a.y + CARD_H / 2; e.x2 = b.x; e.y2 = b.y + CARD_H / 2;
    e.back = e.x2 < e.x1;
    e.low = Math.min(...ys) - (e.back ? 0 : 0); e.high = Math.max(...ys) + (e.back ? 90 : 0);
    e.left = Math.min(e.x1, e.x2) - (e.back ? 60 : 0); e.right = Math.max(e.x1, e.x2) + (e.back ? 60 : 0);
  }
}

/* Where a column's thread ends on its card: its row, else the card's head. */
function rowY(id, place) {
  const n = nodes[id], p = scene.at.get(n.kind === COLUMN ? n.dataset : id);
  if (n.kind !== COLUMN || p.h === CARD_H) return p.y + CARD_H / 2;
  const row = place.get(id);
  return p.y + (row === undefined ? p.h - ROW_H / 2 - 4 : CARD_H + row * ROW_H + ROW_H / 2);
}
function setThreads(list, view) {
  const place = new Map();
  scene.rows = new Map();
  for (const id of scene.cards) {
    const rows = rowsOf(nodes[id], view);
    if (rows.length) scene.rows.set(id, rows);
    rows.forEach((c, i) => place.set(c, i));
  }
  scene.threadLines = [];
  for (const i of list) {
    const t = threads[i], a = nodes[t.src].dataset, b = nodes[t.dst].kind === COLUMN ? nodes[t.dst].dataset : t.dst;
    if (!scene.at.has(a) || !scene.at.has(b)) continue;
    const pa = scene.at.get(a), pb = scene.at.get(b);
    scene.threadLines.push({ thread: i, x1: pa.x + CARD_W, y1: rowY(t.src, place), x2: pb.x, y2: rowY(t.dst, place), back: pb.x < pa.x + CARD_W,
      style: t.how & MASKED ? "masked" : t.how & DIRECT ? "direct" : "indirect" });
  }
}

function curve(p, x1, y1, x2, y2) {
  const bend = Math.max(20, Math.min(160, (x2 - x1) / 2));
  p.bezierCurveTo(x1 + bend, y1, x2 - bend, y2, x2, y2);
}
function loop(p, e) { /* back to the left, below both ends */
  const y = Math.max(e.y1, e.y2) + 46;
  p.moveTo(e.x1, e.y1);
  p.bezierCurveTo(e.x1 + 50, e.y1, e.x1 + 50, y, e.x1 - 10, y);
  p.lineTo(e.x2 + 10, y);
  p.bezierCurveTo(e.x2 - 50, y, e.x2 - 50, e.y2, e.x2, e.y2);
}
function lineOf(p, e, rough) {
  if (e.back) { loop(p, e); return; }
  p.moveTo(e.x1, e.y1);
  if (rough) {
    for (const q of e.points || []) p.lineTo(q.x, q.y);
    p.lineTo(e.x2, e.y2);
    return;
  }
  let x = e.x1, y = e.y1;
  for (const q of e.points || []) {
    curve(p, x, y, q.x - CARD_W / 2, q.y);
    p.lineTo(q.x + CARD_W / 2, q.y);
    x = q.x + CARD_W / 2; y = q.y;
  }
  curve(p, x, y, e.x2, e.y2);
}
function arrow(p, x, y, s) {
  p.moveTo(x, y);
  p.lineTo(x - 7 * s, y - 4 * s);
  p.lineTo(x - 7 * s, y + 4 * s);
  p.closePath();
}

const cutCache = new Map();
function cut(ctx, s, width, front) {
  const key = ctx.font + "\n" + width + "\n" + s;
  let have = cutCache.get(key);
  if (have !== undefined) return have;
  have = s;
  if (ctx.measureText(s).width > width) {
    let low = 0, high = s.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      const part = front ? "\u2026" + s.slice(s.length - middle) : s.slice(0, middle) + "\u2026";
      if (ctx.measureText(part).width <= width) low = middle; else high = middle - 1;
    }
    have = front ? "\u2026" + s.slice(s.length - low) : s.slice(0, low) + "\u2026";
  }
  if (cutCache.size > 60000) cutCache.clear();
  cutCache.set(key, have);
  return have;
}
/* Names hold anything: what would turn or hide text is shown as a mark. */
const plain = s => s.replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g, "\ufffd");

function icon(ctx, kind, x, y, color) {
  ctx.strokeStyle = ctx.fillStyle = color;
  ctx.lineWidth = 1.5;
  ctx.beginPath();
  if (kind === DATASET) {
    ctx.ellipse(x, y - 4.5, 6, 2.4, 0, 0, 2 * Math.PI);
    ctx.moveTo(x - 6, y - 4.5); ctx.lineTo(x - 6, y + 4.5);
    ctx.ellipse(x, y + 4.5, 6, 2.4, 0, Math.PI, 0, true);
    ctx.lineTo(x + 6, y - 4.5);
    ctx.moveTo(x - 6, y); ctx.ellipse(x, y, 6, 2.4, 0, Math.PI, 0, true);
    ctx.stroke();
  } else {
    ctx.arc(x, y, 6.5, 0, 2 * Math.PI);
    ctx.stroke();
    ctx.beginPath();
    ctx.moveTo(x - 2, y - 3.4); ctx.lineTo(x + 3.6, y); ctx.lineTo(x - 2, y + 3.4);
    ctx.fill();
  }
}
function box(ctx, x, y, w, h, r) {
  ctx.beginPath();
  ctx.roundRect(x, y, w, h, r);
}

function drawCard(ctx, n, p, look, detail) {
  const isJob = n.kind === JOB, tint = isJob ? colors.job : colors.dataset, chosen = look.chosen === n.id;
  box(ctx, p.x, p.y, CARD_W, p.h, isJob ? 22 : 8);
  ctx.fillStyle = hover === n.id && !chosen ? colors.hover : colors.panel;
  ctx.fill();
  ctx.lineWidth = chosen ? 3 : look.match(n) ? 1.4 : 1;
  ctx.strokeStyle = chosen ? colors.accent : look.found && look.found.has(n.id) ? colors.accent : tint;
  if (n.state === "dropped") ctx.setLineDash([5, 4]);
  ctx.stroke();
  ctx.setLineDash([]);
  if (!detail) {
    const px = Math.min(30, 9.5 / camera.z);
    ctx.fillStyle = colors.ink;
    ctx.font = "600 " + px.toFixed(1) + "px " + FONT;
    ctx.fillText(cut(ctx, plain(n.short), CARD_W - 16), p.x + 8, p.y + CARD_H / 2 + px * 0.36);
    return;
  }
  icon(ctx, n.kind, p.x + 19, p.y + CARD_H / 2, tint);
  const badges = n.kind === DATASET && n.allClasses.size ? 16 : 0, dot = dotOf(n);
  ctx.fillStyle = colors.ink;
  ctx.font = "600 13px " + FONT;
  ctx.fillText(cut(ctx, plain(n.short), CARD_W - 52 - badges), p.x + 34, p.y + (n.where ? 19 : 26.5));
  ctx.fillStyle = colors.soft;
  ctx.font = "10.5px " + FONT;
  if (n.where) ctx.fillText(cut(ctx, plain(n.where), CARD_W - 48, !isJob), p.x + 34, p.y + 33.5);
  if (badges) { /* a shield: something in it is classified */
    const x = p.x + CARD_W - 27, y = p.y + 9;
    ctx.beginPath();
    ctx.moveTo(x, y); ctx.lineTo(x + 5, y + 2); ctx.lineTo(x + 5, y + 6);
    ctx.quadraticCurveTo(x + 4, y + 10, x, y + 12); ctx.quadraticCurveTo(x - 4, y + 10, x - 5, y + 6);
    ctx.lineTo(x - 5, y + 2); ctx.closePath();
    ctx.fillStyle = colors.bad;
    ctx.fill();
  }
  if (dot) {
    ctx.beginPath();
    ctx.arc(p.x + CARD_W - 13, p.y + 15, 4, 0, 2 * Math.PI);
    ctx.fillStyle = colors[dot];
    ctx.fill();
  }
  const rows = scene.rows && scene.rows.get(n.id);
  if (!rows) return;
  ctx.strokeStyle = colors.line;
  ctx.lineWidth = 1;
  ctx.beginPath();
  ctx.moveTo(p.x + 1, p.y + CARD_H - 0.5); ctx.lineTo(p.x + CARD_W - 1, p.y + CARD_H - 0.5);
  ctx.stroke();
  rows.forEach((c, i) => drawRow(ctx, nodes[c], p, p.y + CARD_H + i * ROW_H, look));
  if (rows.length < n.columns.length) {
    ctx.fillStyle = colors.soft;
    ctx.font = "10.5px " + FONT;
    ctx.fillText("+ " + (n.columns.length - rows.length) + " more", p.x + 12, p.y + CARD_H + rows.length * ROW_H + 12);
  }
}
function drawRow(ctx, c, p, y, look) {
  if (look.chosen === c.id || (look.found && look.found.has(c.id))) {
    ctx.fillStyle = look.chosen === c.id ? colors.accent : colors.hover;
    box(ctx, p.x + 4, y, CARD_W - 8, ROW_H, 4);
    ctx.fill();
  }
  ctx.fillStyle = look.chosen === c.id ? colors.panel : c.state === "gone" ? colors.soft : colors.ink;
  ctx.font = "11.5px " + FONT;
  ctx.fillText(cut(ctx, plain(c.name), c.classes.length ? 106 : 118), p.x + 12, y + 13);
  if (c.classes.length) { ctx.fillStyle = colors.bad; ctx.fillRect(p.x + 5, y + 4, 2.5, ROW_H - 8); }
  ctx.fillStyle = look.chosen === c.id ? colors.panel : colors.soft;
  ctx.font = "10px " + FONT;
  ctx.textAlign = "right";
  ctx.fillText(cut(ctx, plain(c.type), 58), p.x + CARD_W - 10, y + 13);
  ctx.textAlign = "left";
}

function strokeLines(ctx, list, style, width, rough, dash) {
  if (!list.length) return;
  ctx.strokeStyle = style;
  ctx.lineWidth = width;
  ctx.setLineDash(dash || []);
  ctx.beginPath();
  for (const e of list) lineOf(ctx, e, rough);
  ctx.stroke();
  ctx.setLineDash([]);
}

/* One whole picture into ctx; cam and w, h say what of it is seen. */
function paint(ctx, cam, w, h, dpr, look) {
  const z = cam.z, x0 = cam.x - w / 2 / z, x1 = cam.x + w / 2 / z, y0 = cam.y - h / 2 / z, y1 = cam.y + h / 2 / z;
  ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
  ctx.fillStyle = colors.bg;
  ctx.fillRect(0, 0, w, h);
  ctx.setTransform(dpr * z, 0, 0, dpr * z, dpr * (w / 2 - cam.x * z), dpr * (h / 2 - cam.y * z));
  const rough = z < FAR * 1.6, dim = look.far || look.filtered || look.found, lit = [], faint = [];
  for (const e of scene.edges) {
    if (e.right < x0 || e.left > x1 || e.high < y0 || e.low > y1) continue;
    if (look.far ? look.flowOn(e) : look.filtered ? look.match(nodes[e.a]) && look.match(nodes[e.b]) : !look.found) lit.push(e);
    else faint.push(e);
  }
  const px = 1 / z;
  ctx.globalAlpha = look.far && look.far.onThreads ? 0.25 : dim ? 0.3 : 1;
  strokeLines(ctx, faint, colors.line, Math.max(1.2, 0.7 * px), rough);
  ctx.globalAlpha = rough && !look.far ? Math.max(0.22, Math.min(0.75, 900 / (lit.length + 1))) : 1;
  const near = look.far ? lit.filter(e => e.a === look.chosen || e.b === look.chosen) : [];
  if (look.far) ctx.globalAlpha = Math.max(0.3, Math.min(0.8, 60 / (lit.length + 1)));
  strokeLines(ctx, lit, look.far ? colors.accent : colors.soft, look.far ? Math.max(1.3, 0.9 * px) : Math.max(1, 0.55 * px), rough);
  ctx.globalAlpha = 1;
  strokeLines(ctx, near, colors.accent, Math.max(2.6, 1.8 * px), rough);
  ctx.globalAlpha = 1;
  if (z >= NEAR * 0.7) {
    ctx.fillStyle = look.far ? colors.accent : colors.soft;
    ctx.beginPath();
    for (const e of lit) arrow(ctx, e.x2, e.y2, 1);
    ctx.fill();
  }
  drawThreads(ctx, x0, y0, x1, y1, px, look);
  let shownCards = 0;
  ctx.textAlign = "left";
  for (const on of dim ? [false, true] : [true]) {
    ctx.globalAlpha = on ? 1 : 0.22;
    for (const id of scene.cards) {
      const p = scene.at.get(id);
      if (p.x > x1 || p.x + CARD_W < x0 || p.y > y1 || p.y + p.h < y0) continue;
      const n = nodes[id];
      if (dim && look.on(n) !== on) continue;
      shownCards++;
      if (z >= FAR) { drawCard(ctx, n, p, look, z >= NEAR); continue; }
      const dot = dotOf(n);
      ctx.fillStyle = id === look.chosen ? colors.accent : dot === "bad" ? colors.bad : n.kind === JOB ? colors.job : colors.dataset;
      const grow = id === look.chosen || (look.found && look.found.has(id)) ? 5 * px : 0, least = Math.max(0, 2.2 * px - p.h) / 2;
      ctx.fillRect(p.x - grow, p.y - grow - least, CARD_W + 2 * grow, p.h + 2 * grow + 2 * least);
    }
  }
  ctx.globalAlpha = 1;
  return shownCards;
}
const THREAD = { direct: ["accent", [], 1.8], indirect: ["soft", [6, 5], 1.4], masked: ["masked", [], 3] };
function drawThreads(ctx, x0, y0, x1, y1, px, look) {
  const seen = scene.threadLines.filter(e => !(Math.max(e.x1, e.x2) + 60 < x0 || Math.min(e.x1, e.x2) - 60 > x1 || Math.max(e.y1, e.y2) + 60 < y0 || Math.min(e.y1, e.y2) > y1));
  for (const style of ["indirect", "direct", "masked"]) {
    const list = seen.filter(e => e.style === style), [color, dash, width] = THREAD[style];
    if (!list.length) continue;
    strokeLines(ctx, list, colors[color], Math.max(width, width * 0.6 * px), false, dash);
    ctx.fillStyle = colors[color];
    ctx.beginPath();
    for (const e of list) arrow(ctx, e.x2, e.y2, 1);
    ctx.fill();
    if (style === "masked" && px < 4) for (const e of list) if (!e.back) lock(ctx, (e.x1 + e.x2) / 2, (e.y1 + e.y2) / 2);
  }
}
function lock(ctx, x, y) {
  ctx.beginPath();
  ctx.arc(x, y, 9, 0, 2 * Math.PI);
  ctx.fillStyle = colors.masked;
  ctx.fill();
  ctx.fillStyle = ctx.strokeStyle = colors.panel;
  ctx.lineWidth = 1.5;
  ctx.fillRect(x - 4, y - 0.5, 8, 5.5);
  ctx.beginPath();
  ctx.arc(x, y - 0.5, 2.6, Math.PI, 0);
  ctx.stroke();
}

/* While a gesture runs and whole pictures are slow, the last one is moved; a whole one follows. */
function draw(now) {
  frame = 0;
  const moving = frozen && cost > 22 && performance.now() < thaw;
  if (moving) {
    const k = camera.z / frozen.z;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.fillStyle = colors.bg;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    const x = size.dpr * ((frozen.x - camera.x) * camera.z + size.w / 2 - size.w / 2 * k), y = size.dpr * ((frozen.y - camera.y) * camera.z + size.h / 2 - size.h / 2 * k);
    pen.drawImage(frozen.image, x, y, canvas.width * k, canvas.height * k);
    drawMap();
    requestDraw();
    return;
  }
  const t = performance.now();
  state.seen = paint(pen, camera, size.w, size.h, size.dpr, look());
  cost = performance.now() - t;
  if (cost > 22) {
    if (!frozen) frozen = { image: document.createElement("canvas") };
    frozen.image.width = canvas.width;
    frozen.image.height = canvas.height;
    frozen.image.getContext("2d").drawImage(canvas, 0, 0);
    frozen.x = camera.x; frozen.y = camera.y; frozen.z = camera.z;
  } else frozen = null;
  drawMap();
}
function requestDraw() { if (!frame) frame = requestAnimationFrame(draw); }
function moved() { thaw = performance.now() + 120; requestDraw(); }

let mapImage = null;
function mapScale() {
  const b = scene.bounds, k = Math.min((map.width - 12) / b.w, (map.height - 12) / b.h);
  return { k, x: (map.width - b.w * k) / 2 - b.x * k, y: (map.height - b.h * k) / 2 - b.y * k };
}
function drawMap() {
  const m = mapScale();
  if (!mapImage) {
    mapImage = document.createElement("canvas");
    mapImage.width = map.width;
    mapImage.height = map.height;
    const ctx = mapImage.getContext("2d");
    for (const id of scene.cards) {
      const p = scene.at.get(id);
      ctx.fillStyle = nodes[id].kind === JOB ? colors.job : colors.dataset;
      ctx.globalAlpha = 0.7;
      ctx.fillRect(p.x * m.k + m.x, p.y * m.k + m.y, Math.max(1.2, CARD_W * m.k), Math.max(1, p.h * m.k));
    }
  }
  mapPen.clearRect(0, 0, map.width, map.height);
  mapPen.drawImage(mapImage, 0, 0);
  const a = toWorld(0, 0), b = toWorld(size.w, size.h);
  mapPen.strokeStyle = colors.accent;
  mapPen.fillStyle = colors.accent;
  mapPen.lineWidth = 1.5;
  mapPen.globalAlpha = 0.12;
  mapPen.fillRect(a.x * m.k + m.x, a.y * m.k + m.y, (b.x - a.x) * m.k, (b.y - a.y) * m.k);
  mapPen.globalAlpha = 1;
  mapPen.strokeRect(a.x * m.k + m.x, a.y * m.k + m.y, (b.x - a.x) * m.k, (b.y - a.y) * m.k);
}

function hitAt(sx, sy) { /* the card, or the column's row, under a place of the screen */
  const p = toWorld(sx, sy);
  for (let i = scene.cards.length - 1; i >= 0; i--) {
    const id = scene.cards[i], q = scene.at.get(id);
    if (p.x < q.x || p.x > q.x + CARD_W || p.y < q.y || p.y > q.y + q.h) continue;
    const rows = scene.rows && scene.rows.get(id), row = Math.floor((p.y - q.y - CARD_H) / ROW_H);
    if (rows && camera.z >= NEAR && row >= 0 && row < rows.length) return rows[row];
    return id;
  }
  return NONE;
}
function limitZoom(z) { return Math.max(Math.min(0.02, fitZoom(scene.bounds)), Math.min(4, z)); }
function fitZoom(b, most) { return Math.min(most || 1.1, (size.w - 48) / b.w, (size.h - 64) / b.h); }
let gliding = 0;
function glide(x, y, z) {
  cancelAnimationFrame(gliding);
  if (state.still || window.matchMedia("(prefers-reduced-motion: reduce)").matches || document.hidden) {
    camera.x = x; camera.y = y; camera.z = z;
    requestDraw();
    return;
  }
  const from = { ...camera }, begin = performance.now(), lasts = 260;
  const step = () => {
    const t = Math.min(1, (performance.now() - begin) / lasts), s = 1 - Math.pow(1 - t, 3);
    camera.z = from.z * Math.pow(z / from.z, s);
    camera.x = from.x + (x - from.x) * s;
    camera.y = from.y + (y - from.y) * s;
    moved();
    if (t < 1) gliding = requestAnimationFrame(step); else noteCamera();
  };
  step();
}
function fit(b) {
  const r = b || scene.bounds;
  glide(r.x + r.w / 2, r.y + r.h / 2, fitZoom(r));
}
