// SPDX-License-Identifier: MIT
// The trace: tables of typed columns, and one numbering of everything that the lanes show.
const data = JSON.parse($("data").textContent);
const texts = data.texts;
const stats = data.stats;

const PHASES = ["queue", "dns", "tcp", "tls", "stall", "send", "wait", "recv"];

// Returns a table whose columns are typed arrays, and whose steps are summed up.
function columnsOf(table) {
  const columns = { length: 0 };
  for (const [name, values] of Object.entries(table)) {
    const column = Float64Array.from(values);
    if (name === "start" || name === "task" || name === "id") {
      for (let i = 1; i < column.length; i++) column[i] += column[i - 1];
    }
    columns[name] = column;
    columns.length = column.length;
  }
  return columns;
}

const tasks = columnsOf(data.tasks);
const waits = columnsOf(data.waits);
const requests = columnsOf(data.requests);
const runs = columnsOf(data.runs);
const readies = columnsOf(data.readies);
const spans = columnsOf(data.spans);
const marks = columnsOf(data.marks);

// The kinds that have a colour, with the operations that scripts wait for. --k-NAME is the colour.
const KINDS = [
  ["run", "running"],
  ["ready", "ready, another task runs"],
  ["http", "http", "http", "upload"],
  ["sleep", "sleep", "sleep"],
  ["tasks", "tasks", "tasks", "join", "scope", "group"],
  ["channel", "channel", "send", "recv", "channel"],
  ["sync", "lock, semaphore, event", "lock", "semaphore", "event", "rate"],
  ["io", "files, input", "file", "read", "open", "load", "write", "io"],
  ["other", "other waits"],
  ["span", "span of the script"],
  ["mark", "mark of the script"],
  ["failed", "failed"],
  ["cancelled", "cancelled"],
  ["alive", "task"],
];
const kindNumber = Object.fromEntries(KINDS.map(([name], i) => [name, i]));
const numberOfOperation = Object.create(null);
KINDS.forEach(([, , ...operations], i) => {
  for (const operation of operations) numberOfOperation[operation] = i;
});

const kindOfOperation = (operation) => numberOfOperation[operation] ?? kindNumber.other;

// An item is a row of one of these tables. Its number is the row's, counted through all of them.
const TABLES = [
  { name: "task", rows: tasks },
  { name: "wait", rows: waits },
  { name: "request", rows: requests },
  { name: "run", rows: runs },
  { name: "ready", rows: readies },
  { name: "span", rows: spans },
  { name: "mark", rows: marks },
];
let items = 0;
for (const table of TABLES) {
  table.first = items;
  items += table.rows.length;
}
const from = new Float64Array(items), till = new Float64Array(items), kind = new Uint8Array(items);
const owner = new Int32Array(items); // row of the task, or -1

const STATES = [null, "failed", "cancelled", null]; // of a request

const kindOf = {
  task: () => kindNumber.alive,
  wait: (i) => kindOfOperation(texts[waits.kind[i]]),
  request: (i) => kindNumber[STATES[requests.state[i]] ?? "http"],
  run: () => kindNumber.run,
  ready: () => kindNumber.ready,
  span: () => kindNumber.span,
  mark: () => kindNumber.mark,
};
for (const { name, rows, first } of TABLES) {
  for (let i = 0; i < rows.length; i++) {
    from[first + i] = rows.start[i];
    till[first + i] = rows.start[i] + rows.time[i];
    kind[first + i] = kindOf[name](i);
    owner[first + i] = name === "task" ? i : rows.task[i];
  }
}

// Returns the table of an item, and its row there.
function rowOf(item) {
  let i = TABLES.length - 1;
  while (TABLES[i].first > item || TABLES[i].rows.length === 0) i--;
  return [TABLES[i].name, item - TABLES[i].first];
}

// The items of each task, table by table: those of task t are first[t] to first[t + 1]. The rows of
// these tables are in the order of their tasks.
const itemsOfTask = {};
for (const { name, rows, first } of TABLES.slice(1, 5)) {
  const starts = new Int32Array(tasks.length + 1);
  for (let i = 0; i < rows.length; i++) starts[rows.task[i] + 1]++;
  for (let t = 0; t < tasks.length; t++) starts[t + 1] += starts[t];
  itemsOfTask[name] = { starts, first, outside: starts[0] };
}

// Returns the items of a table by the value of one of its columns.
function groupsOf({ rows, first }, column) {
  const groups = new Map();
  for (let i = 0; i < rows.length; i++) {
    const key = rows[column][i];
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(first + i);
  }
  return groups;
}
const children = groupsOf(TABLES[0], "parent");
const spansOfTask = groupsOf(TABLES[5], "task");
const marksOfTask = groupsOf(TABLES[6], "task");

const nameOf = (t) => (t < 0 ? "no task" : `#${tasks.id[t]} ${tail(texts[tasks.name[t]])}`);

// What a wait is for, in few words.
function shortWait(i) {
  const what = texts[waits.what[i]].replace(/ \(\d+ ended\)$/, "");
  if (/^tasks \w+ of /.test(what)) return what.slice(6);
  if (what.startsWith("scope of ")) return "group" + what.slice(5);
  const request = /^http (\S+) (.*)$/.exec(what);
  if (request) return `${request[1]} ${short(request[2])}`;
  const join = /^join #(\d+)/.exec(what);
  if (!join) return what;
  const t = taskOfId.get(Number(join[1]));
  return `join #${join[1]}${t === undefined ? "" : ` ${short(texts[tasks.name[t]])}`}`;
}
const taskOfId = new Map(Array.from(tasks.id ?? [], (id, t) => [id, t]));

const STATUS = ["ok", "failed", "cancelled", "not ended"];

function requestOutcome(i) {
  if (requests.state[i] === 1) {
    const phase = texts[requests.phase[i]];
    return texts[requests.code[i]] + (phase ? `, while ${phase}` : "");
  }
  return requests.state[i] ? STATUS[requests.state[i]] : String(requests.status[i]);
}

const PROTOCOLS = { 10: "HTTP/1.0", 11: "HTTP/1.1", 20: "HTTP/2", 30: "HTTP/3" };

const describe = {
  task(i) {
    const error = texts[tasks.error[i]];
    const outcome = STATUS[tasks.outcome[i]] + (error ? `: ${error}` : "");
    return [nameOf(i), [
      ["outcome", outcome], ["defined", texts[tasks.at[i]]], ["spawned", texts[tasks.spawned[i]]],
      ["parent", tasks.parent[i] < 0 ? "" : nameOf(tasks.parent[i])],
      ["busy", `${time(tasks.busy[i])} in ${plural(tasks.resumes[i], "turn")}`],
      ["ready", time(tasks.sched[i])], ["waits", count(tasks.waits[i])]]];
  },
  wait(i) {
    return [texts[waits.what[i]], [
      ["task", nameOf(waits.task[i])], ["at", texts[waits.at[i]]],
      ["woken by", waits.by[i] < 0 ? "" : nameOf(waits.by[i])],
      ["ended", waits.cancelled[i] ? "by its cancellation" : ""]]];
  },
  request(i) {
    const phases = PHASES.filter((p) => requests[p][i] > 0)
      .map((p) => [p, time(requests[p][i])]);
    return [`${texts[requests.method[i]]} ${texts[requests.url[i]]}`, [
      ["result", requestOutcome(i)], ...phases,
      ["received", requests.status[i] ? size(requests.bytes[i]) : ""],
      ["connection", requests.status[i]
        ? `${requests.reused[i] ? "reused" : "new"}, ${PROTOCOLS[requests.protocol[i]] ?? "?"}`
        : ""],
      ["peer", texts[requests.peer[i]]],
      ["attempt", requests.resend[i] ? `repeated or redirected, ${requests.resend[i]}` : ""],
      ["task", nameOf(requests.task[i])], ["at", texts[requests.at[i]]]]];
  },
  run: (i) => ["running", [["task", nameOf(runs.task[i])]]],
  ready: (i) => ["ready to run, while other tasks ran", [["task", nameOf(readies.task[i])]]],
  mark(i) {
    const value = texts[marks.value[i]];
    return [texts[marks.name[i]], [["value", value], ["mark of", nameOf(marks.task[i])]]];
  },
  span(i) {
    return [texts[spans.name[i]], [["span of", nameOf(spans.task[i])], ["at", texts[spans.at[i]]],
      ["outcome", spans.failed[i] ? "failed" : ""]]];
  },
};

// Returns the title of an item, and its [label, text] lines.
function detailsOf(item) {
  const [table, row] = rowOf(item);
  const [title, lines] = describe[table](row);
  const when = [["start", time(from[item])], ["duration", time(till[item] - from[item])]];
  return [title, [...when, ...lines.filter(([, value]) => value !== "")]];
}
