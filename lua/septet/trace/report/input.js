// SPDX-License-Identifier: MIT
// The lanes' panels as elements, and what pointer and keys do to them.
const spansOfMain = (spansOfTask.get(0) ?? []).filter((item) => depthOf(item) === 0);
let whole = spansOfMain.length === 0 || spansOfMain.length > PANELS;

function newPanel(title, panel, isWhole) {
  const canvas = make("canvas", { tabindex: 0, role: "application",
    "aria-label": `Lanes of ${title}. Arrow keys step from span to span.` });
  const filling = make("div", {}, canvas);
  const box = make("div", { class: "view" }, filling);
  const duration = make("span");
  const caption = make("figcaption", { class: isWhole ? "unseen" : "" }, make("h3", {}, title),
    duration);
  Object.assign(panel, { title, canvas, filling, box, duration, edges: [], blocks: [], rows: [],
    figure: make("figure", {}, caption, box) });
  listen(panel);
  return panel;
}

function makePanels() {
  const run = { from: 0, till: data.about.duration + 1, owner: -1, span: -1 };
  panels = whole ? [newPanel("the whole run", run, true)]
    : spansOfMain.map((item) => newPanel(texts[spans.name[item - TABLES[5].first]],
      { from: from[item], till: till[item], owner: 0, span: item }, false));
  extent = Math.max(1, ...panels.map((panel) => panel.till - panel.from));
  selected = null;
  $("panels").classList.toggle("several", panels.length > 2);
  $("panels").replaceChildren(...panels.map((panel) => panel.figure), legend());
  layOutAll();
  setView(0, extent);
}

// Lays the panels out again, for the tasks that match the filter.
function layOutAll() {
  const shown = matching($("filter").value.trim());
  for (const panel of panels) {
    layOut(panel, shown);
    const height = AXIS + panel.rows.length * panel.height + 2;
    panel.shownHeight = Math.min(height, Math.floor(Math.max(300, 0.75 * innerHeight)));
    panel.filling.style.height = `${height}px`;
    panel.canvas.style.height = `${panel.shownHeight}px`;
    const inside = panel.rows.reduce((n, row) => n + row.tasks.length, 0);
    panel.duration.textContent = `${time(panel.till - panel.from)}, ${plural(inside, "task")}`;
  }
  if (selected && !selected.panel.rows[selected.row]) selected = null;
  const found = shown ? shown.reduce((n, yes) => n + yes, 0) : 0;
  $("found").textContent = shown ? `${count(found)} of ${plural(tasks.length, "task")}` : "";
  redraw();
}

// --- the filter ---

// Returns 1 for each task of which something contains the text; null for all of them.
function matching(text) {
  if (text === "") return null;
  const shown = new Uint8Array(tasks.length);
  if (/^#\d+$/.test(text)) {
    const t = taskOfId.get(Number(text.slice(1)));
    if (t !== undefined) shown[t] = 1;
    return shown;
  }
  const wanted = text.toLowerCase();
  const hit = texts.map((s) => s.toLowerCase().includes(wanted));
  const mark = (rows, ...names) => {
    for (let i = 0; i < rows.length; i++) {
      if (rows.task[i] >= 0 && names.some((name) => hit[rows[name][i]])) shown[rows.task[i]] = 1;
    }
  };
  for (let t = 0; t < tasks.length; t++) {
    if (hit[tasks.name[t]] || hit[tasks.at[t]] || hit[tasks.error[t]]) shown[t] = 1;
  }
  mark(waits, "what", "at");
  mark(requests, "url", "code", "method");
  mark(spans, "name");
  mark(marks, "name");
  STATUS.forEach((word, state) => {
    if (word !== wanted) return;
    for (let t = 0; t < tasks.length; t++) if (tasks.outcome[t] === state) shown[t] = 1;
  });
  return shown;
}

// --- the legend, whose entries hide what they name ---

function swatch(name) {
  const box = make("span", { class: "swatch" });
  box.style.setProperty("--kind", `var(--k-${name})`);
  return box;
}

function legend() {
  const present = new Set(kind);
  const entries = KINDS.flatMap(([name, words], i) => {
    if (!present.has(i) || name === "alive") return [];
    const button = make("button", { type: "button", "aria-pressed": String(!hiddenKinds[i]),
      onclick() {
        hiddenKinds[i] ^= 1;
        button.setAttribute("aria-pressed", String(!hiddenKinds[i]));
        redraw();
      } }, swatch(name), words);
    return [button];
  });
  const phases = PHASES.filter((phase) => requests[phase]?.some((us) => us > 0))
    .map((phase) => make("span", {}, swatch(phase), phase));
  return make("div", { class: "legend", role: "group", "aria-label": "Kinds, to show or hide" },
    entries, phases.length ? make("div", { class: "legend phases" }, "Phases:", phases) : null,
    $("hint"));
}

// --- where the pointer is ---

function itemAt(panel, x, y) {
  const row = Math.floor((y - AXIS + panel.box.scrollTop) / panel.height);
  if (y < AXIS || !panel.rows[row]) return null;
  const scale = (panel.canvas.clientWidth - panel.gutter) / (view.till - view.from);
  const at = panel.from + view.from + (x - panel.gutter) / scale;
  const { tasks: lives, ready, body, runs, spans: named, marks: marked } = panel.rows[row];
  const inRow = (y - AXIS + panel.box.scrollTop) % panel.height;
  const order = inRow > panel.height - 3 ? [named, body, runs, ready, lives]
    : [marked, runs, ready, body, lives];
  for (const layer of order) {
    const near = (layer === runs ? 0 : layer === marked ? 3 : 1.5) / scale;
    const item = layer[firstEndingAfter(layer, at - near)];
    if (item !== undefined && from[item] <= at + near && !hiddenKinds[kind[item]]) {
      return { panel, row, item };
    }
  }
  return null;
}

function showTip(found, x, y) {
  const tip = $("tip");
  tip.hidden = !found;
  if (!found) return;
  const [title, lines] = detailsOf(found.item);
  tip.replaceChildren(make("b", {}, title), make("dl", {},
    lines.map(([label, value]) => [make("dt", {}, label), make("dd", {}, value)])));
  const { width, height } = tip.getBoundingClientRect();
  const left = x + 14 + width > innerWidth ? Math.max(4, x - 14 - width) : x + 14;
  const top = y + 16 + height > innerHeight ? Math.max(4, y - 16 - height) : y + 16;
  tip.style.transform = `translate(${left}px, ${top}px)`;
}

// --- stepping ---

const stops = (row) => (row.body.length ? row.body : row.tasks)
  .filter((item) => !hiddenKinds[kind[item]]);

function select(found) {
  selected = found;
  const { panel, row, item } = found;
  const top = row * panel.height;
  if (top < panel.box.scrollTop) panel.box.scrollTop = top;
  const room = panel.shownHeight - AXIS - panel.height;
  if (top > panel.box.scrollTop + room) panel.box.scrollTop = top - room;
  const start = from[item] - panel.from, end = till[item] - panel.from;
  const width = view.till - view.from;
  if (end < view.from || start > view.till) setView(start - width / 2, start + width / 2);
  redraw();
  const [title, lines] = detailsOf(item);
  $("spoken").textContent = [title, ...lines.map(([label, value]) => `${label} ${value}`)]
    .join(", ");
  const rectangle = panel.canvas.getBoundingClientRect();
  const scale = (rectangle.width - panel.gutter) / (view.till - view.from);
  const x = panel.gutter + Math.max(0, (start - view.from) * scale);
  showTip(found, rectangle.left + Math.min(x, rectangle.width - 40),
    rectangle.top + AXIS + top - panel.box.scrollTop + panel.height);
}

// Selects the item that is `across` from the selected one in its row, or the nearest in a row
// `down` from it.
function step(panel, across, down) {
  if (selected?.panel !== panel) {
    const row = panel.rows.findIndex((r) => stops(r).length > 0);
    if (row >= 0) select({ panel, row, item: stops(panel.rows[row])[0] });
    return;
  }
  let { row, item } = selected;
  if (across) {
    const items = stops(panel.rows[row]);
    const next = items[items.indexOf(item) + across];
    if (next !== undefined) select({ panel, row, item: next });
    return;
  }
  do row += down; while (panel.rows[row] && stops(panel.rows[row]).length === 0);
  if (!panel.rows[row]) return;
  const items = stops(panel.rows[row]);
  const at = items.findIndex((other) => till[other] >= from[item]);
  select({ panel, row, item: items[at < 0 ? items.length - 1 : at] });
}

function zoomTo({ panel, item }) {
  const start = from[item] - panel.from, width = Math.max(till[item] - from[item], 10);
  setView(start - width * 0.1, start + width * 1.1);
}

const move = (part) => setView(view.from + part * (view.till - view.from),
  view.till + part * (view.till - view.from));

const keys = {
  "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2), 0: () => setView(0, extent),
  ArrowLeft: (panel, shift) => (shift ? move(-0.2) : step(panel, -1, 0)),
  ArrowRight: (panel, shift) => (shift ? move(0.2) : step(panel, 1, 0)),
  ArrowUp: (panel) => step(panel, 0, -1),
  ArrowDown: (panel) => step(panel, 0, 1),
  Enter: (panel) => selected?.panel === panel && zoomTo(selected),
  Escape: () => {
    selected = null;
    showTip(null);
    redraw();
  },
};

function listen(panel) {
  const { canvas, box } = panel;
  let drag = null;
  const instantAt = (event) => {
    const { left, width } = canvas.getBoundingClientRect();
    const share = (event.clientX - left - panel.gutter) / (width - panel.gutter);
    return view.from + share * (view.till - view.from);
  };
  canvas.addEventListener("wheel", (event) => {
    const focused = document.activeElement === canvas;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      move((event.deltaX || event.deltaY) / 1000);
    } else if (event.ctrlKey || focused) {
      zoom(1.0015 ** Math.max(-400, Math.min(400, event.deltaY)), instantAt(event));
    } else {
      return;
    }
    event.preventDefault();
  }, { passive: false });
  canvas.addEventListener("pointerdown", (event) => {
    drag = { x: event.clientX, y: event.clientY, moved: false };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) {
      const { left, top } = canvas.getBoundingClientRect();
      const found = itemAt(panel, event.clientX - left, event.clientY - top);
      showTip(found, event.clientX, event.clientY);
      return;
    }
    const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
    if (!drag.moved && Math.abs(dx) + Math.abs(dy) < 4) return;
    showTip(null);
    move(-dx / Math.max(1, canvas.clientWidth - panel.gutter));
    box.scrollTop -= dy;
    drag = { x: event.clientX, y: event.clientY, moved: true };
  });
  canvas.addEventListener("pointerup", (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    const found = itemAt(panel, event.clientX - left, event.clientY - top);
    if (!drag?.moved && found) select(found);
    drag = null;
  });
  canvas.addEventListener("pointercancel", () => { drag = null; });
  canvas.addEventListener("pointerleave", () => showTip(null));
  canvas.addEventListener("blur", () => showTip(null));
  canvas.addEventListener("dblclick", () => selected && zoomTo(selected));
  canvas.addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    action(panel, event.shiftKey);
  });
  box.addEventListener("scroll", redraw);
}

// Shows an item in the lanes: of the panel that has it, or of the whole run.
function showItem(item) {
  const find = () => {
    for (const panel of panels) {
      const row = panel.rows.findIndex((r) => r.layers.some((layer) => layer.includes(item)));
      if (row >= 0) return { panel, row, item };
    }
    return null;
  };
  if (!find() && $("filter").value !== "") {
    $("filter").value = "";
    layOutAll();
  }
  if (!find() && !whole) setWhole(true);
  const found = find();
  if (!found) return;
  found.panel.figure.scrollIntoView({ block: "center" });
  found.panel.canvas.focus({ preventScroll: true });
  zoomTo(found);
  select(found);
}

function setWhole(value) {
  whole = value;
  $("whole").setAttribute("aria-pressed", String(whole));
  makePanels();
}
