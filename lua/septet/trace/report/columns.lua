-- SPDX-License-Identifier: MIT
-- The lanes' data: tables in columns. Texts are numbers of a shared list, times are microseconds
-- since the trace began, starts and tasks are differences from the row before. Of a long trace it
-- takes what failed, what took longest, and an even sample of the rest.
local columns = {}

local text = require "septet.trace.report.text"

local us = text.microseconds
local phase_names = require("septet.trace.model.requests").phase_names

local SLOWEST = 50
local READY = 200 -- microseconds for which a task could run and did not, to be shown

-- --- which rows ---

-- Returns `room` of the items, in their order: those that `must` holds for, of the others the
-- longest for one half of the room, and an even sample for the rest.
local function sample(items, room, must, length)
  if #items <= room then return items end
  local chosen, others = {}, {}
  for _, item in ipairs(items) do
    if must(item) and room > 0 then
      chosen[item] = true
      room = room - 1
    else
      others[#others + 1] = item
    end
  end
  local order, longest = {}, {}
  for i, item in ipairs(others) do
    order[item], longest[i] = i, item
  end
  table.sort(longest, function(a, b)
    local x, y = length(a), length(b)
    if x ~= y then return x > y end
    return order[a] < order[b]
  end)
  local half = room // 2
  for i = 1, half do chosen[longest[i]] = true end
  local rest = {}
  for _, item in ipairs(others) do
    if not chosen[item] then rest[#rest + 1] = item end
  end
  local wanted = math.min(room - half, #rest)
  for i = 1, wanted do chosen[rest[(i - 1) * #rest // wanted + 1]] = true end
  local kept = {}
  for _, item in ipairs(items) do
    if chosen[item] then kept[#kept + 1] = item end
  end
  return kept
end

local function lasts(item)
  return item.duration or item.finish - item.start
end

local function never() return false end

local function no_time() return 0 end

local function has_failed(item)
  return item.failed or item.outcome == "error"
end

local LISTS = { "waits", "runs", "readies" } -- of a task

-- Returns the rows of each table, and the number of spans of the whole trace.
local function choose(m, limit)
  local total = #m.tasks + #m.requests + #m.spans + #m.marks
  for _, t in ipairs(m.tasks) do
    total = total + #t.waits + #t.runs
  end
  local function room(n)
    return total <= limit and n or math.max(1, n * limit // total)
  end
  local requests = sample(m.requests, room(#m.requests), has_failed, lasts)
  local spans = sample(m.spans, room(#m.spans), has_failed, lasts)
  local wanted, chosen = sample(m.tasks, room(#m.tasks), has_failed, lasts), {}
  local function choose_task(t)
    while t and not chosen[t] do -- with those that it descends from
      chosen[t] = true
      t = t.parent
    end
  end
  local marks = sample(m.marks, room(#m.marks), never, no_time)
  for _, list in ipairs { requests, spans, marks } do
    for _, item in ipairs(list) do choose_task(item.task) end
  end
  for _, t in ipairs(wanted) do choose_task(t) end
  local rows = { requests = requests, spans = spans, marks = marks, tasks = {} }
  for _, t in ipairs(m.tasks) do
    if chosen[t] then rows.tasks[#rows.tasks + 1] = t end
  end
  for _, name in ipairs(LISTS) do
    local all, owner, count = {}, {}, 0
    for _, t in ipairs(m.tasks) do
      count = count + #t[name]
      for _, item in ipairs(chosen[t] and t[name] or {}) do
        all[#all + 1] = item
        owner[item] = t
      end
    end
    rows[name] = sample(all, room(count), never, lasts)
    rows[name].owner = owner
  end
  return rows, total
end

-- --- columns ---

-- Returns a list of texts, and a function that returns the number of a text.
local function new_texts()
  local list, numbers = { "" }, { [""] = 0 }
  return list, function(s)
    s = s or ""
    local number = numbers[s]
    if not number then
      number = #list
      list[number + 1], numbers[s] = s, number
    end
    return number
  end
end

-- Returns a function that appends a row { name = integer }, and the table of its columns. The
-- columns named in `steps` hold differences.
local function new_table(steps)
  local t, before = {}, {}
  return function(row)
    for name, value in pairs(row) do -- each appends to a column of its own
      local column = t[name]
      if not column then
        column = {}
        t[name] = column
      end
      local step = steps[name] and value - (before[name] or 0) or value
      before[name] = value
      column[#column + 1] = step
    end
  end, t
end

local STEPS = { start = true, task = true, id = true }

local OUTCOMES = { ok = 0, error = 1, cancelled = 2 }

local function task_rows(m, rows, number)
  local add, t = new_table(STEPS)
  local index = {}
  for i, task in ipairs(rows.tasks) do
    index[task] = i - 1
    local reason = task.code and ("%s %s"):format(task.error or "error", task.code) or task.error
    local outcome = task.open and 3 or OUTCOMES[task.outcome] or 0
    add { id = task.id, parent = task.parent and index[task.parent] or -1,
      name = number(task.name), at = number(task.defined), spawned = number(task.at),
      lane = task.lane, start = us(task.start - m.from), time = us(task.finish - task.start),
      outcome = outcome, error = number(reason and tostring(reason)), busy = us(task.busy),
      sched = us(task.sched), waits = #task.waits, resumes = task.resumes }
  end
  return t, index
end

local BEFORE = 2e-3 -- seconds from the end of a task until a task that waits for it is woken

-- Returns a function (task, wait) that returns the task that ended a wait for tasks, or nil. Where
-- the trace does not say, it is the one that the wait names, or the last child that had ended.
local function new_wakers(m)
  local ends = {} -- children by their ends, of a task
  local function last_child(t, time)
    if not ends[t] then
      ends[t] = table.move(t.children, 1, #t.children, 1, {})
      table.sort(ends[t], function(a, b)
        if a.finish ~= b.finish then return a.finish < b.finish end
        return a.index < b.index
      end)
    end
    local low, high = 0, #ends[t]
    while low < high do
      local middle = (low + high + 1) // 2
      if ends[t][middle].finish <= time then low = middle else high = middle - 1 end
    end
    local child = ends[t][low]
    return child and not child.open and child.finish >= time - BEFORE and child or nil
  end
  return function(t, wait)
    if wait.by and wait.by > 0 then return m.task[wait.by] end
    if wait.open or wait.cancelled then return nil end
    local joined = wait.what:match "^join #(%d+)"
    if joined then return m.task[tonumber(joined)] end
    if wait.kind == "tasks" or wait.kind == "scope" then return last_child(t, wait.finish) end
  end
end

local function wait_rows(m, rows, number, index, request_index)
  local add, t = new_table(STEPS)
  local waker = new_wakers(m)
  for _, wait in ipairs(rows.waits) do
    local task = rows.waits.owner[wait]
    local by = waker(task, wait)
    add { task = index[task], kind = number(wait.kind),
      what = number(wait.what), at = number(wait.at), start = us(wait.start - m.from),
      time = us(wait.finish - wait.start), by = by and index[by] or -1,
      request = wait.request and request_index[wait.request] or -1,
      cancelled = wait.cancelled and 1 or 0 }
  end
  return t
end

local function request_row(m, r, number, index)
  local row = { task = r.task and index[r.task] or -1, lane = r.lane or 0,
    start = us(r.start - m.from), time = us(r.finish - r.start), method = number(r.method),
    url = number(r.url), host = number(r.host), status = r.status or 0, code = number(r.code),
    phase = number(r.phase), bytes = r.bytes or 0, at = number(r.at), resend = r.resend or 0,
    protocol = r.protocol or 0, reused = r.reused and 1 or 0, peer = number(r.peer),
    state = r.open and 3 or r.cancelled and 2 or r.failed and 1 or 0 }
  for _, name in ipairs(phase_names) do row[name] = 0 end
  for _, phase in ipairs(r.phases) do row[phase.name] = us(phase.duration) end
  return row
end

local function request_rows(m, rows, number, index)
  local add, t = new_table(STEPS)
  local request_index = {}
  -- By task, as those of the other tables, and then by start.
  local order, sorted = {}, {}
  for i, r in ipairs(rows.requests) do order[r], sorted[i] = i, r end
  local function task_of(r) return r.task and index[r.task] or -1 end
  table.sort(sorted, function(a, b)
    local x, y = task_of(a), task_of(b)
    if x ~= y then return x < y end
    return order[a] < order[b]
  end)
  for i, r in ipairs(sorted) do
    request_index[r] = i - 1
    add(request_row(m, r, number, index))
  end
  return t, request_index
end

local function interval_rows(m, rows, index, shortest)
  local add, t = new_table(STEPS)
  for _, item in ipairs(rows) do
    local time = us(lasts(item))
    if time >= shortest then
      add { task = index[rows.owner[item]], start = us(item.start - m.from), time = time }
    end
  end
  return t
end

local function span_rows(m, rows, number, index)
  local add, t = new_table(STEPS)
  for _, span in ipairs(rows.spans) do
    add { task = span.task and index[span.task] or -1, lane = span.lane or 0,
      name = number(span.name), at = number(span.at), start = us(span.start - m.from),
      time = us(span.finish - span.start), depth = span.depth, failed = span.failed and 1 or 0 }
  end
  return t
end

local function mark_rows(m, rows, number, index)
  local add, t = new_table(STEPS)
  for _, mark in ipairs(rows.marks) do
    add { start = us(mark.time - m.from), time = 0, name = number(mark.name),
      value = number(mark.value and tostring(mark.value)),
      task = mark.task and index[mark.task] or -1 }
  end
  return t
end

local function slowest(rows, request_index)
  local order, list = {}, {}
  for i, r in ipairs(rows.requests) do order[r], list[i] = i, r end
  table.sort(list, function(a, b)
    local x, y = lasts(a), lasts(b)
    if x ~= y then return x > y end
    return order[a] < order[b]
  end)
  local indices = {}
  for i = 1, math.min(SLOWEST, #list) do indices[i] = request_index[list[i]] end
  return indices
end

--- Adds the tables of a finished model to the page's data.
---@param data table
---@param m table
---@param limit integer spans to take; ancestors of tasks may exceed it
function columns.add(data, m, limit)
  local rows, total = choose(m, limit)
  local texts, number = new_texts()
  local index, request_index
  data.spans_of_trace, data.sampled = total, total > limit
  data.texts = texts
  data.tasks, index = task_rows(m, rows, number)
  data.requests, request_index = request_rows(m, rows, number, index)
  data.waits = wait_rows(m, rows, number, index, request_index)
  data.runs = interval_rows(m, rows.runs, index, 0)
  data.readies = interval_rows(m, rows.readies, index, READY)
  data.spans = span_rows(m, rows, number, index)
  data.marks = mark_rows(m, rows, number, index)
  data.slowest = slowest(rows, request_index)
end

return columns
