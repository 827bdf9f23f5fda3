// SPDX-License-Identifier: MIT
// The page around the lanes: the verdict, the tables, the tree; and the start of it all.
const sum = (numbers) => Object.values(numbers).reduce((a, b) => a + b, 0);
const allRequests = sum(stats.requests);
const allTasks = sum(stats.tasks);

const list = (words) => (words.length > 1
  ? `${words.slice(0, -1).join(", ")} and ${words[words.length - 1]}` : words[0] ?? "");

const sentence = (text) => text[0].toUpperCase() + text.slice(1) + ".";

function verdict() {
  const { requests: of, tasks: ended } = stats;
  const duration = time(data.about.duration);
  if (allTasks === 0 && allRequests === 0) return "The trace is empty.";
  if (allRequests === 0) {
    const bad = [[ended.error, "failed"], [ended.cancelled, "cancelled"], [ended.open, "not ended"]]
      .filter(([n]) => n > 0).map(([n, word]) => `${count(n)} ${word}`);
    const what = `${plural(allTasks, "task")} in ${duration}`;
    return `${what}, ${bad.length ? list(bad) : `${allTasks > 1 ? "all " : ""}ended well`}.`;
  }
  const bad = [[of.refused, "with an error status"], [of.failed, "failed"],
    [of.cancelled, "cancelled"], [of.open, "not ended"]]
    .filter(([n]) => n > 0).map(([n, word]) => `${count(n)} ${word}`);
  const what = `${plural(allRequests, "request")} in ${duration}`;
  if (bad.length === 0) return `${what}${allRequests > 1 ? ", all" : ","} answered.`;
  return `${what}: ${list([`${count(of.ok)} answered`, ...bad])}.`;
}

function figures() {
  const response = stats.latency?.rows[0];
  return [
    response && ["median response", time(response.p50)],
    response && ["99th percentile", time(response.p99)],
    ["tasks", count(allTasks)],
    ["tasks at once", count(stats.peak_tasks)],
    allRequests && ["requests at once", count(stats.peak_requests)],
    stats.attempts > allRequests && ["redirects and retries", count(stats.attempts - allRequests)],
    allRequests && ["received", size(stats.bytes)],
    ["loop busy", share(stats.busy, data.about.duration)],
    ["longest turn", time(stats.longest_run)],
    ["failed tasks", count(stats.tasks.error)],
  ].filter(Boolean);
}

// --- tables ---

// fillTable(table, caption, columns of { name, left?, of(row) }, rows)
function fillTable(table, caption, columns, rows) {
  const cell = (column, i, row) => make(i === 0 ? "th" : "td",
    { scope: i === 0 && "row", class: column.left ? "left where" : false }, column.of(row));
  table.replaceChildren(
    make("caption", {}, caption),
    make("thead", {}, make("tr", {}, columns.map((column) =>
      make("th", { scope: "col", class: column.left ? "left" : false }, column.name)))),
    make("tbody", {}, rows.map((row) =>
      make("tr", {}, columns.map((column, i) => cell(column, i, row))))));
}

function fillLatency() {
  const { latency } = stats;
  for (const section of document.querySelectorAll(".latency")) section.hidden = !latency;
  if (!latency) return;
  const { low, high, counts } = latency.histogram;
  const width = 560, height = 150, bottom = 126, most = Math.max(...counts);
  const x = (us) => (width * Math.log(us / low)) / Math.log(high / low);
  const svg = draw("svg", { viewBox: `0 -16 ${width} ${height + 16}`, role: "img" });
  const response = latency.rows[0];
  svg.append(draw("title", {}, `Histogram of ${plural(response.count, "response time")}, from `
    + `${time(low)} to ${time(high)} on a logarithmic axis`));
  counts.forEach((n, i) => {
    if (n === 0) return;
    const tall = Math.max(1.5, (n / most) * bottom), w = width / counts.length;
    svg.append(draw("rect", { class: "count", x: i * w + 0.5, y: bottom - tall, width: w - 1,
      height: tall }, draw("title", {}, `${count(n)} of ${count(response.count)}`)));
  });
  const line = { class: "axis", x1: 0, x2: width, y1: bottom + 0.5, y2: bottom + 0.5 };
  svg.append(draw("line", line));
  let lastTick = -99;
  for (let at = 10 ** Math.floor(Math.log10(low)); at <= high * 1.001; at *= 10) {
    for (const edge of [at, 2 * at, 5 * at]) {
      if (edge < low * 0.999 || edge > high * 1.001 || x(edge) - lastTick < 50) continue;
      lastTick = x(edge);
      const anchor = lastTick < 10 ? "start" : lastTick > width - 10 ? "end" : "middle";
      svg.append(draw("line", { class: "axis", x1: lastTick, x2: lastTick, y1: bottom,
        y2: bottom + 4 }), draw("text", { x: lastTick, y: bottom + 17, "text-anchor": anchor },
        axisTime(edge, edge)));
    }
  }
  let lastLabel = -99;
  for (const [name, label] of [["p50", "p50"], ["p90", "p90"], ["p99", "p99"]]) {
    const at = Math.max(0, Math.min(width, x(Math.max(response[name], low))));
    svg.append(draw("line", { class: "tick", x1: at, x2: at, y1: -2, y2: bottom }));
    if (at - lastLabel < 26) continue;
    lastLabel = at;
    svg.append(draw("text", { class: "strong", x: at, y: -5,
      "text-anchor": at > width - 14 ? "end" : "middle" }, label));
  }
  $("histogram").replaceChildren(svg);
  fillTable($("percentiles"), "A response: from its start, with redirects, however it ended.", [
    { name: "", left: true,
      of: (row) => [row.name === "response" ? "" : swatch(row.name), row.name] },
    { name: "count", of: (row) => count(row.count) },
    { name: "p50", of: (row) => time(row.p50) }, { name: "p90", of: (row) => time(row.p90) },
    { name: "p99", of: (row) => time(row.p99) }, { name: "max", of: (row) => time(row.max) },
  ], latency.rows);
}

function fillHosts() {
  $("hosts-section").hidden = stats.hosts.length === 0;
  if (stats.hosts.length === 0) return;
  const more = stats.more_hosts ? `, and of ${plural(stats.more_hosts, "host")} more` : "";
  fillTable($("hosts"), `Each redirect and each retry counts${more}.`, [
    { name: "host", left: true, of: (row) => row.name },
    { name: "attempts", of: (row) => count(row.attempts) },
    { name: "ok", of: (row) => count(row.ok) },
    { name: "4xx, 5xx", of: (row) => count(row.refused) },
    { name: "failed", of: (row) => count(row.failed) },
    { name: "p50", of: (row) => time(row.p50) }, { name: "p99", of: (row) => time(row.p99) },
    { name: "max", of: (row) => time(row.max) },
    { name: "conns", of: (row) => count(row.new) },
    { name: "received", of: (row) => size(row.bytes) },
  ], stats.hosts);
}

function fillJobs() {
  $("jobs-section").hidden = stats.jobs.length === 0;
  if (stats.jobs.length === 0) return;
  const number = (name) => ({ name, of: (row) => count(row[name]) });
  const duration = (name, key) => ({ name, of: (row) => (row[key] === undefined ? ""
    : time(row[key])) });
  fillTable($("jobs"), "What this process did with jobs of queues.", [
    { name: "queue", left: true, of: (row) => row.name },
    ...["put", "new", "taken", "done", "dropped", "failed", "dead", "back", "lost",
      "recovered"].map(number),
    duration("queued p50", "waited"), duration("ran p50", "p50"), duration("ran p99", "p99"),
  ], stats.jobs);
}

function fillErrors() {
  if (stats.errors.length === 0) {
    $("errors").parentNode.replaceChildren(make("p", { id: "errors" }, "None."));
    return;
  }
  fillTable($("errors"), "Attempts of requests, and tasks, by what they failed of.", [
    { name: "class", left: true, of: (row) => row.class },
    { name: "of", left: true, of: (row) => row.of },
    { name: "count", of: (row) => count(row.count) },
    { name: "at", left: true, of: (row) => tail(row.at) },
    { name: "for example", left: true, of: (row) => tail(row.example) },
  ], stats.errors);
}

// --- the slowest ---

function phasesBar(i, longest) {
  const svg = draw("svg", { viewBox: "0 0 320 12", preserveAspectRatio: "none", role: "img" });
  const scale = 320 / longest;
  let at = 0;
  svg.append(draw("title", {}, PHASES.filter((phase) => requests[phase][i] > 0)
    .map((phase) => `${phase} ${time(requests[phase][i])}`).join(", ")));
  for (const phase of PHASES) {
    const duration = requests[phase][i];
    if (duration === 0) continue;
    const bar = draw("rect", { x: at * scale, y: 0, width: Math.max(0.7, duration * scale),
      height: 12 });
    bar.style.fill = `var(--k-${phase})`;
    svg.append(bar);
    at += duration;
  }
  return svg;
}

function fillSlowest(all) {
  const rows = all ? data.slowest : data.slowest.slice(0, 12);
  $("slowest-section").hidden = rows.length === 0;
  if (rows.length === 0) return;
  const longest = Math.max(1, requests.time[data.slowest[0]]);
  const phase = (name) => ({ name, of: (i) => (requests[name][i] ? time(requests[name][i]) : "") });
  fillTable($("slowest"), "Each from its own start, on one scale. A name shows it in the lanes.", [
    { name: "request", left: true, of: (i) => make("button", { type: "button",
      onclick: () => showItem(TABLES[2].first + i) },
      `${texts[requests.method[i]]} ${texts[requests.url[i]]}`) },
    { name: "result", of: (i) => make("span", { class: requests.state[i] === 1
      || requests.status[i] >= 400 ? "bad" : "" }, requestOutcome(i)) },
    { name: "started", of: (i) => time(requests.start[i]) },
    { name: "total", of: (i) => time(requests.time[i]) },
    { name: "phases", left: true, of: (i) => phasesBar(i, longest) },
    ...PHASES.filter((name) => data.slowest.some((i) => requests[name][i] > 0)).map(phase),
  ], rows);
  $("more").hidden = all || data.slowest.length <= rows.length;
  $("more").textContent = `Show all ${data.slowest.length}`;
}

// --- the tree ---

function taskLine(t) {
  const error = texts[tasks.error[t]];
  const outcome = STATUS[tasks.outcome[t]] + (error ? ` (${error})` : "");
  return [make("button", { type: "button", onclick: () => showItem(t) }, nameOf(t)),
    make("small", { class: tasks.outcome[t] === 1 ? "bad" : false },
      `${outcome}, ${time(tasks.time[t])}, busy ${time(tasks.busy[t])}`
      + `, ${plural(tasks.waits[t], "wait")}`)];
}

// A branch that is filled when it is opened for the first time.
function branch(summary, fill, open = false) {
  const inside = make("ul");
  const details = make("details", { ontoggle() {
    if (details.open && !inside.firstChild) append(inside, fill());
  } }, make("summary", {}, summary), inside);
  details.open = open;
  return make("li", {}, details);
}

function taskBranch(t, open) {
  const below = children.get(t);
  if (!below) return make("li", { class: "leaf" }, taskLine(t));
  return branch(taskLine(t), () => branches(below), open);
}

// Siblings of one function are one branch if they are many.
function branches(siblings) {
  const groups = new Map();
  for (const t of siblings) {
    const key = texts[tasks.at[t]];
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(t);
  }
  return [...groups].flatMap(([at, group]) => {
    if (group.length <= 12) return group.map((t) => taskBranch(t, false));
    const failed = group.filter((t) => tasks.outcome[t] === 1).length;
    const words = `${count(group.length)} tasks of ${tail(at) || "one function"}`
      + (failed ? `, ${count(failed)} failed` : "");
    return [branch(words, () => firstOf(group))];
  });
}

const MANY = 200;

function firstOf(group) {
  const shown = group.slice(0, MANY).map((t) => taskBranch(t, false));
  if (group.length > MANY) {
    const rest = group.slice(MANY);
    shown.push(branch(`${count(rest.length)} more`, () => firstOf(rest)));
  }
  return shown;
}

// --- the start ---

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  $("theme").textContent = name === "dark" ? "Light" : "Dark";
  readColours();
  redraw();
}

function fillPage() {
  const { about } = data;
  $("script").textContent = about.script.replace(/^.*\//, "") || about.script;
  const started = new Date(about.started);
  $("about").textContent = `${about.script}, process ${about.pid}, started `
    + `${started.toISOString().replace("T", " ").slice(0, 19)} UTC, septet ${about.version}`;
  $("verdict").textContent = verdict();
  append($("findings"), data.findings.map(({ severity, text }) =>
    make("li", { class: severity }, sentence(text))));
  append($("figures"), figures().map(([label, value]) =>
    make("div", {}, make("dt", {}, label), make("dd", {}, value))));
  fillLatency();
  fillHosts();
  fillJobs();
  fillErrors();
  $("sampled").hidden = !data.sampled;
  $("sampled").textContent = `The trace has ${count(data.spans_of_trace)} spans. The lanes, the `
    + `slowest requests and the tree hold ${count(items)} of them: those that failed, the longest, `
    + "and an even sample. The figures are of all.";
  fillSlowest(false);
  append($("tree"), (children.get(-1) ?? []).map((t) => taskBranch(t, true)));
  $("made").textContent = `${plural(data.spans_of_trace, "span")} of ${plural(allTasks, "task")}, `
    + `from ${plural(about.records, "record")}, ${about.lost ? count(about.lost) : "none"} lost.`;
}

const dark = matchMedia("(prefers-color-scheme: dark)");
setTheme(dark.matches ? "dark" : "light");
dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
$("theme").addEventListener("click", () =>
  setTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"));
$("in").addEventListener("click", () => zoom(0.5));
$("out").addEventListener("click", () => zoom(2));
$("reset").addEventListener("click", () => setView(0, extent));
$("more").addEventListener("click", () => fillSlowest(true));
$("whole").hidden = whole;
$("whole").addEventListener("click", () => setWhole(!whole));
let typing = 0;
$("filter").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(layOutAll, 120);
});
addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target === $("filter")) return;
  event.preventDefault();
  $("filter").focus();
});
addEventListener("resize", layOutAll);
addEventListener("scroll", () => {
  if (panels.some((panel) => panel.stale)) redraw();
}, { passive: true });
fillPage();
makePanels();
// For bench/report.py: the frame in which the lanes are drawn is over.
requestAnimationFrame(() => setTimeout(() => performance.mark("drawn")));
