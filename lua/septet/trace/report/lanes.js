// SPDX-License-Identifier: MIT
// The lanes: panels with rows, drawn on canvases. All panels share one scale and one view, which
// begins at the panel's own zero. Spans narrower than a pixel merge into columns of their density.
const FEW = 40; // rows up to which each task has one of its own, with a label
const PANELS = 24;
const AXIS = 20, GUTTER = 118; // pixels
const LEVELS = [0.3, 0.5, 0.75, 1]; // opacity of a column by how much of it is covered

const view = { from: 0, till: 1 }; // microseconds since a panel's zero
const hiddenKinds = new Uint8Array(KINDS.length);
let extent = 1; // of the longest panel
let panels = [];
let selected = null; // { panel, row, item }
let colours = null;

const byStart = (a, b) => from[a] - from[b] || a - b;

class Row {
  constructor(label) {
    this.label = label;
    this.tasks = [];
    this.ready = [];
    this.body = []; // waits and requests
    this.runs = [];
    this.spans = [];
    this.marks = [];
  }

  get layers() {
    return [this.tasks, this.ready, this.body, this.runs, this.spans, this.marks];
  }
}

// One that ends where the panel begins, or begins where it ends, is of its neighbour.
const overlaps = (item, panel) => from[item] < panel.till
  && (till[item] > panel.from || from[item] === panel.from);

// Returns the items of a task in a table that overlap a panel.
function* itemsIn(table, t, panel) {
  const { starts, first, outside } = itemsOfTask[table];
  const last = t < 0 ? outside : starts[t + 1];
  for (let i = t < 0 ? 0 : starts[t]; i < last; i++) {
    const item = first + i;
    if (overlaps(item, panel)) yield item;
  }
}

// Returns a task's spans, but not the one that is the panel.
const spansIn = (t, panel) => (spansOfTask.get(t) ?? []).filter((item) => item !== panel.span
  && overlaps(item, panel));

const depthOf = (item) => spans.depth[item - TABLES[5].first];

// --- which row ---

function membersOf(panel, shown) {
  const members = panel.owner < 0 ? [] : [panel.owner];
  for (let t = 0; t < tasks.length; t++) {
    if (t === panel.owner || (shown && !shown[t])) continue;
    if (overlaps(t, panel)) members.push(t);
  }
  return members;
}

// A request has a row of its own if its task's row is taken, or if the panel is its task's span.
const isApart = (panel, t, request) =>
  t === panel.owner || t < 0 || requests.lane[request] !== tasks.lane[t];

// Gives each task a row, and each request that does not fit into it, or returns null: too many.
function rowsOfTasks(panel, members, withOutside) {
  if (members.length > FEW) return null;
  const rows = [], placed = new Map();
  for (const t of withOutside ? [...members, -1] : members) {
    const row = new Row(t < 0 ? "" : labelOf(t));
    if (t >= 0) rows.push(row);
    placed.set(t, row);
    for (const span of spansIn(t, panel)) {
      const depth = depthOf(span);
      const spanRow = rows.find((r) => r.task === t && r.depth === depth) ?? new Row("");
      if (spanRow.body.length === 0) rows.push(Object.assign(spanRow, { task: t, depth }));
      spanRow.body.push(span);
    }
    for (const item of itemsIn("request", t, panel)) {
      const i = item - TABLES[2].first;
      if (!isApart(panel, t, i)) {
        row.body.push(item);
        continue;
      }
      const apart = new Row(short(texts[requests.url[i]]));
      apart.body.push(item);
      rows.push(apart);
      if (rows.length > FEW) return null;
    }
  }
  addEdges(panel, members, rows, placed);
  return { rows, placed };
}

// Shares the rows of the model: the lowest that was free.
function rowsOfLanes(panel, members, withOutside) {
  const lanes = new Map(), placed = new Map();
  const rowAt = (lane) => {
    if (!lanes.has(lane)) lanes.set(lane, new Row(""));
    return lanes.get(lane);
  };
  if (panel.owner >= 0) placed.set(panel.owner, rowAt(-1));
  for (const t of members) {
    if (!placed.has(t)) placed.set(t, rowAt(tasks.lane[t]));
  }
  for (const t of withOutside ? [...members, -1] : members) {
    for (const item of itemsIn("request", t, panel)) {
      const i = item - TABLES[2].first;
      const inPlace = t >= 0 && requests.lane[i] === tasks.lane[t];
      (inPlace ? placed.get(t) : rowAt(requests.lane[i])).body.push(item);
    }
  }
  panel.edges = panel.blocks = [];
  return { rows: [...lanes].sort((a, b) => a[0] - b[0]).map(([, row]) => row), placed };
}

// A task without a name of its own is labelled with its only request.
function labelOf(t) {
  const { starts } = itemsOfTask.request, request = starts[t];
  const isNamed = !texts[tasks.at[t]].endsWith(texts[tasks.name[t]]);
  const label = isNamed || starts[t + 1] - request !== 1 ? texts[tasks.name[t]]
    : texts[requests.url[request]];
  return `#${tasks.id[t]} ${short(label)}`;
}

// Finds what a panel draws between rows: which task started or woke which, and groups.
function addEdges(panel, members, rows, placed) {
  const numbers = new Map(rows.map((row, i) => [row, i]));
  const rowOfTask = (t) => numbers.get(placed.get(t));
  const add = (at, source, target) => {
    if (placed.has(source)) panel.edges.push([at, rowOfTask(source), rowOfTask(target)]);
  };
  panel.edges = [];
  panel.blocks = [];
  for (const t of members) {
    if (from[t] >= panel.from) add(from[t], tasks.parent[t], t);
    for (const item of itemsIn("wait", t, panel)) {
      const i = item - TABLES[1].first, by = waits.by[i];
      if (by >= 0 && by !== t) add(till[item], by, t);
      if (texts[waits.kind[i]] !== "scope") continue;
      const inside = (children.get(t) ?? []).filter((child) => placed.has(child)
        && till[child] >= from[item] && from[child] <= till[item]).map(rowOfTask);
      if (inside.length) panel.blocks.push([item, rowOfTask(t), Math.max(...inside)]);
    }
  }
}

function layOut(panel, shown) {
  const members = membersOf(panel, shown);
  const withOutside = panel.owner < 0 && !shown && itemsOfTask.request.outside > 0;
  const few = rowsOfTasks(panel, members, withOutside);
  const { rows, placed } = few ?? rowsOfLanes(panel, members, withOutside);
  for (const t of members) {
    const row = placed.get(t);
    row.tasks.push(t);
    for (const item of itemsIn("wait", t, panel)) {
      const drawn = waits.request[item - TABLES[1].first];
      if (drawn < 0 || (few && t === panel.owner)) row.body.push(item);
    }
    for (const item of itemsIn("run", t, panel)) row.runs.push(item);
    for (const item of itemsIn("ready", t, panel)) row.ready.push(item);
    row.marks.push(...(marksOfTask.get(t) ?? []).filter((item) => overlaps(item, panel)));
    const outermost = t === panel.owner ? 1 : 0; // what is inside of them would overlap
    if (!few) row.spans = spansIn(t, panel).filter((item) => depthOf(item) === outermost);
  }
  for (const row of rows) {
    for (const layer of row.layers) layer.sort(byStart);
  }
  panel.rows = rows;
  panel.gutter = few && rows.length > 0 ? GUTTER : 0;
  const room = Math.max(360, 0.62 * innerHeight);
  panel.height = few ? 19 : Math.max(4, Math.min(16, Math.floor(room / Math.max(1, rows.length))));
}

// --- drawing ---

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  colours = {
    bars: [...KINDS.map(([name]) => name), ...PHASES].map((name) => colour(`k-${name}`)),
    ink: colour("ink"), muted: colour("muted"), grid: colour("grid"), edge: colour("edge"),
    sheet: colour("sheet"), accent: colour("accent"), bar: colour("bar-ink"),
    font: `11px ${getComputedStyle(document.body).fontFamily}`,
  };
}

// The numbers of all lists of boxes, in the order of painting: what lies below comes first.
const ABOVE = ["failed", "ready", "span", "run", "mark"].map((name) => kindNumber[name]);
const BARS = [...KINDS.keys(), ...PHASES.map((_, i) => KINDS.length + i)];
const PAINTED = [kindNumber.alive,
  ...BARS.filter((i) => i !== kindNumber.alive && !ABOVE.includes(i)), ...ABOVE]
  .flatMap((i) => LEVELS.map((_, level) => i * LEVELS.length + level));

// Collects boxes by colour and opacity: setting a fill style for each would take most of the time.
class Boxes {
  constructor() {
    this.lists = Array.from({ length: colours.bars.length * LEVELS.length }, () => []);
  }

  add(colour, cover, x, y, width, height) {
    const level = cover >= 1 ? 3 : cover > 0.5 ? 2 : cover > 0.2 ? 1 : 0;
    this.lists[colour * LEVELS.length + level].push(x, y, width, height);
  }

  paint(context) {
    for (const i of PAINTED) {
      const list = this.lists[i];
      if (list.length === 0) continue;
      context.fillStyle = colours.bars[Math.floor(i / LEVELS.length)];
      context.globalAlpha = LEVELS[i % LEVELS.length];
      for (let k = 0; k < list.length; k += 4) {
        context.fillRect(list[k], list[k + 1], list[k + 2], list[k + 3]);
      }
      list.length = 0;
    }
    context.globalAlpha = 1;
  }
}

// Returns the first place in a layer whose item ends at `at` or later.
function firstEndingAfter(layer, at) {
  let low = 0, high = layer.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (till[layer[middle]] < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

class Painter {
  constructor(panel) {
    const { canvas } = panel;
    const ratio = devicePixelRatio || 1, width = canvas.clientWidth, height = panel.shownHeight;
    const across = Math.round(width * ratio), down = Math.round(height * ratio);
    if (canvas.width !== across || canvas.height !== down) {
      canvas.width = across;
      canvas.height = down;
    }
    this.panel = panel;
    this.context = canvas.getContext("2d");
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.context.clearRect(0, 0, width, height);
    this.context.font = colours.font;
    this.context.textBaseline = "middle";
    Object.assign(this, { width, height, boxes: new Boxes(), labels: [] });
    this.start = panel.from + view.from;
    this.end = Math.min(panel.from + view.till, panel.till);
    this.scale = (width - panel.gutter) / (view.till - view.from);
  }

  x(at) {
    return this.panel.gutter + (at - this.start) * this.scale;
  }

  paint() {
    const { panel, context } = this;
    this.axis();
    const top = panel.box.scrollTop;
    const first = Math.max(0, Math.floor(top / panel.height));
    const last = Math.min(panel.rows.length - 1, Math.floor((top + this.height) / panel.height));
    context.save();
    context.beginPath();
    context.rect(panel.gutter - 3, AXIS, this.width - panel.gutter + 3, this.height - AXIS);
    context.clip();
    for (const block of panel.blocks) this.block(block);
    for (let i = first; i <= last; i++) this.row(panel.rows[i], AXIS + i * panel.height - top);
    this.boxes.paint(context);
    for (const edge of panel.edges) this.edge(edge);
    this.texts();
    if (selected?.panel === panel) this.frame(selected, top);
    context.restore();
    if (panel.gutter) this.gutter(first, last);
  }

  row(row, y) {
    const height = this.panel.height, inset = height > 10 ? 2 : height > 5 ? 1 : 0;
    const body = height - 2 * inset - (height > 5 ? 0 : 1);
    const thin = Math.max(1, Math.round(body / 4));
    this.layer(row.tasks, y + inset + (body - thin) / 2, thin);
    this.layer(row.body, y + inset, body, (item, x0, x1, next) => {
      this.bar(item, x0, x1, y + inset, body);
      if (body >= 11 && this.labels.length < 1500) {
        const free = Math.min(next, this.nextTurn(row, item));
        this.labels.push([item, x0, x1, free, y + inset + body / 2, row.label]);
      }
    });
    this.layer(row.ready, y + inset, body);
    this.layer(row.runs, y + inset, body, null, this.panel.gutter > 0);
    if (height > 5) this.layer(row.spans, y + height - 2, 2);
    this.layer(row.marks, y, height, null, true);
  }

  // Where the turn after an item is drawn, if it has a width.
  nextTurn(row, item) {
    const run = row.runs[firstEndingAfter(row.runs, till[item] + 2 / this.scale)];
    return run === undefined ? Infinity : this.x(from[run]);
  }

  // Draws the items of a layer that are in view.
  layer(layer, y, height, wide, solid) {
    const { boxes, start, end, scale, panel } = this;
    let column = -1, cover = 0, colour = 0, longest = 0;
    const flush = () => {
      if (column >= 0) boxes.add(colour, solid ? 1 : cover, column, y, 1, height);
      column = -1;
    };
    for (let k = firstEndingAfter(layer, start); k < layer.length; k++) {
      const item = layer[k];
      if (from[item] > end) break;
      if (hiddenKinds[kind[item]]) continue;
      const x0 = panel.gutter + (Math.max(from[item], start) - start) * scale;
      const x1 = panel.gutter + (Math.min(till[item], end) - start) * scale;
      if (x1 - x0 >= 1) {
        flush();
        const next = k + 1 < layer.length ? this.x(from[layer[k + 1]]) : this.width;
        if (wide) wide(item, x0, x1, next);
        else boxes.add(kind[item], 1, x0, y, x1 - x0, height);
        continue;
      }
      const at = Math.floor(x0);
      if (at !== column) {
        flush();
        column = at;
        cover = longest = 0;
      }
      cover += x1 - x0;
      if (x1 - x0 >= longest) {
        longest = x1 - x0;
        colour = kind[item];
      }
    }
    flush();
  }

  // Draws a wait, or a request with its phases.
  bar(item, x0, x1, y, height) {
    const request = item - TABLES[2].first;
    const isRequest = request >= 0 && request < requests.length;
    if (isRequest && x1 - x0 >= 3 && kind[item] === kindNumber.http) {
      let at = from[item];
      PHASES.forEach((phase, i) => {
        const duration = requests[phase][request];
        if (duration === 0) return;
        const a = Math.max(x0, this.x(at)), b = Math.min(x1, this.x(at + duration));
        at += duration;
        if (b > a) this.boxes.add(KINDS.length + i, 1, a, y, Math.max(b - a, 0.5), height);
      });
      if (requests.status[request] >= 400) {
        this.boxes.add(kindNumber.failed, 1, x0, y + height - 2, x1 - x0, 2);
      }
    } else {
      this.boxes.add(kind[item], 1, x0, y, x1 - x0 > 3 ? x1 - x0 - 0.5 : x1 - x0, height);
    }
  }

  // Writes into the bars, or behind one that is too short if its row is free there.
  texts() {
    const { context, panel } = this;
    context.lineWidth = 3;
    for (const [item, x0, x1, next, y, rowLabel] of this.labels) {
      if (x1 - x0 < 24 && !panel.gutter) continue;
      const [table, i] = rowOf(item);
      const label = table === "request" ? requestLabel(i, rowLabel)
        : table === "span" ? (spans.failed[i] ? "✗ " : "") + texts[spans.name[i]] : shortWait(i);
      const width = context.measureText(label).width;
      if (width > x1 - x0 - 8 && panel.gutter && next - x1 > width + 12) {
        context.strokeStyle = colours.sheet;
        context.strokeText(label, x1 + 6, y + 0.5);
        context.fillStyle = colours.muted;
        context.fillText(label, x1 + 6, y + 0.5);
        continue;
      }
      const part = fitting(context, label, x1 - x0 - 8);
      if (table === "request" && kind[item] === kindNumber.http) { // over phases of any colour
        context.strokeStyle = colours.bars[kindNumber.http];
        context.strokeText(part, x0 + 5, y + 0.5);
      }
      context.fillStyle = kind[item] === kindNumber.failed ? "#fff" : colours.bar;
      context.fillText(part, x0 + 5, y + 0.5);
    }
  }

  // The ground of a group's tasks, from the wait for them to its end.
  block([item, first, last]) {
    const { context, panel } = this;
    const x0 = this.x(from[item]), x1 = this.x(till[item]);
    const y = AXIS + first * panel.height - panel.box.scrollTop;
    context.fillStyle = colours.bars[kindNumber.tasks];
    context.globalAlpha = 0.4;
    context.fillRect(x0, y + 2, x1 - x0, (last - first + 1) * panel.height - 2);
    context.globalAlpha = 1;
  }

  // A line from the task that started or woke another one, with a dot at the other one.
  edge([at, source, target]) {
    const { context, panel } = this;
    const x = this.x(at);
    if (x < panel.gutter - 1 || x > this.width) return;
    const middle = (row) => AXIS + (row + 0.5) * panel.height - panel.box.scrollTop;
    context.fillStyle = colours.edge;
    const y = Math.min(middle(source), middle(target));
    context.fillRect(Math.round(x) - 0.5, y, 1, Math.abs(middle(source) - middle(target)));
    context.beginPath();
    context.arc(Math.round(x), middle(target), 2.5, 0, 7);
    context.fill();
  }

  axis() {
    const { context, panel } = this;
    context.fillStyle = colours.sheet;
    const end = this.x(this.end);
    if (end > panel.gutter) context.fillRect(panel.gutter, AXIS, end - panel.gutter, this.height);
    const about = (view.till - view.from) * (80 / (this.width - panel.gutter));
    const power = 10 ** Math.floor(Math.log10(about));
    const step = power * [1, 2, 5, 10].find((n) => n * power >= about);
    context.fillStyle = colours.muted;
    const first = Math.ceil(view.from / step) * step;
    for (let at = first; at <= view.till; at += step) {
      const x = this.x(panel.from + at);
      context.fillStyle = colours.grid;
      context.fillRect(Math.round(x), AXIS - 2, 1, this.height - AXIS + 2);
      context.fillStyle = colours.muted;
      const label = at === 0 ? "0" : axisTime(at, step, view.till);
      const room = context.measureText(label).width;
      context.fillText(label, Math.max(panel.gutter, Math.min(x - 3, this.width - room)), 9);
    }
  }

  gutter(first, last) {
    const { context, panel } = this;
    context.fillStyle = colours.ink;
    for (let i = first; i <= last; i++) {
      const y = AXIS + (i + 0.5) * panel.height - panel.box.scrollTop;
      if (y < AXIS + 4) continue;
      context.fillText(fitting(context, panel.rows[i].label, GUTTER - 10), 0, y + 0.5);
    }
  }

  frame({ row, item }, top) {
    const { context, panel } = this;
    const x0 = Math.max(this.x(from[item]), panel.gutter + 1);
    const x1 = Math.min(this.x(till[item]), this.width);
    context.strokeStyle = colours.accent;
    context.lineWidth = 2;
    context.strokeRect(x0 - 1, AXIS + row * panel.height - top + 1, Math.max(x1 - x0, 1) + 2,
      panel.height - 2);
  }
}

// What a request's bar says. Its URL is left out if its row is labelled with it.
function requestLabel(i, rowLabel) {
  const result = `${requestOutcome(i)} · ${time(requests.time[i])}`;
  const url = short(texts[requests.url[i]]);
  return rowLabel.endsWith(url) ? result : `${url} · ${result}`;
}

// Returns as much of a text as fits, or "" if that is next to nothing.
function fitting(context, text, room) {
  const width = context.measureText(text).width;
  if (width <= room) return text;
  const length = Math.floor((text.length * room) / width) - 1;
  return length < 3 ? "" : text.slice(0, length) + "…";
}

// A time on an axis that ends at `end` and whose labels are `step` apart.
function axisTime(at, step, end = at) {
  const [unit, name] = end >= 1e6 ? [1e6, "s"] : end >= 1e3 ? [1e3, "ms"] : [1, "µs"];
  const places = Math.max(0, Math.ceil(Math.log10(unit / step) - 1e-9));
  return `${(at / unit).toFixed(places)}${THIN}${name}`;
}

let frameWanted = 0;

function redraw() {
  frameWanted ||= requestAnimationFrame(drawNow);
}

function drawNow() {
  frameWanted = 0;
  for (const panel of panels) {
    const { top, bottom } = panel.canvas.getBoundingClientRect();
    panel.stale = panel.painted && items > 20000 && (bottom < -200 || top > innerHeight + 200);
    if (panel.stale) continue;
    new Painter(panel).paint();
    panel.painted = true;
  }
  const whole = view.from === 0 && view.till === extent;
  $("range").textContent = whole ? time(extent)
    : `${time(view.from)} – ${time(view.till)} of ${time(extent)}`;
}

// Shows from..till of each panel, as far as there is something.
function setView(start, end) {
  const width = Math.max(Math.min(end - start, extent), 1);
  view.from = Math.max(0, Math.min(start, extent - width));
  view.till = view.from + width;
  redraw();
}

// Makes the view `factor` times as wide, around an instant that stays where it is.
function zoom(factor, around = (view.from + view.till) / 2) {
  setView(around - (around - view.from) * factor, around + (view.till - around) * factor);
}
