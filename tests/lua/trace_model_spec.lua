-- SPDX-License-Identifier: MIT
-- septet.trace.model: what ran, from the events of a trace.
local private = debug.getregistry()["septet.require"] -- of private modules
local model = private "septet.trace.model"
local model_of = require "trace_model"

local function pick(list, ...)
  local fields, picked = { ... }, {}
  for i, item in ipairs(list) do
    picked[i] = {}
    for j, field in ipairs(fields) do picked[i][j] = item[field] end
  end
  return picked
end

-- Checks that no number is smaller than the one before it.
local function ascending(...)
  local last = -math.huge
  for _, number in ipairs { ... } do
    equal(number >= last, true)
    last = number
  end
end

-- main spawns a task that sleeps and makes a request, and joins it.
local function two_tasks()
  return {
    { "clock", 10, 0, unix_ns = 1700000000123456789 },
    { "spawn", 10, 1, parent = 0, defined = "dir/crawl.lua:1" },
    { "name", 10, 1, name = "main" },
    { "spawn", 10.25, 2, parent = 1, defined = "dir/crawl.lua:14", at = "dir/crawl.lua:3" },
    { "wait", 10.5, 1, what = "join #2", ref = 9, at = "dir/crawl.lua:16" },
    { "run", 10, 1, duration = 0.5, left = "wait" },
    { "wait", 10.75, 2, what = "http GET https://example.com/1", ref = 7 },
    { "run", 10.625, 2, duration = 0.125, left = "wait" },
    { "ready", 12, 2, by = 0, cancelled = false },
    { "xfer", 10.7, 2, ref = 7, method = "GET", url = "https://example.com/1", status = 200,
      bytes = 14213, protocol = 20, reused = false, total = 1.4, queue = 0.1, dns = 0.2, tcp = 0.3,
      tls = 0.1, send = 0.1, wait = 0.4, receive = 0.1 },
    { "run", 12.25, 2, duration = 0.25, left = "end" },
    { "end", 12.5, 2, outcome = "ok" },
    { "ready", 12.5, 1, by = 2, cancelled = false },
    { "run", 12.5, 1, duration = 0.25, left = "end" },
    { "end", 12.75, 1, outcome = "ok" },
  }
end

describe("model", function()
  it("tasks have their waits, runs and times", function()
    local m = model_of(two_tasks(), { pid = 42 })
    equal({ m.meta.pid, m.from, m.till, m.lost, m.lanes, m.rows }, { 42, 10, 12.75, 0, 2, 2 })
    local main, page = m.tasks[1], m.tasks[2]
    equal({ main.id, main.name, main.named, main.parent, main.lane, main.start, main.finish,
      main.open, main.outcome, main.resumes },
      { 1, "main", true, nil, 0, 10, 12.75, false, "ok", 2 })
    equal({ page.id, page.name, page.named, page.parent_id, page.lane, page.at, page.defined },
      { 2, "crawl.lua:14", false, 1, 1, "dir/crawl.lua:3", "dir/crawl.lua:14" })
    equal({ rawequal(page.parent, main), rawequal(main.children[1], page), m.task[2] == page },
      { true, true, true })
    equal({ main.busy, main.waited, main.sched }, { 0.75, 2, 0 })
    equal({ page.busy, math.abs(page.sched - 0.525) < 1e-9 }, { 0.375, true })
    equal(main.max_run.start, 10)
    equal(pick(main.waits, "kind", "what", "start", "finish", "by", "open", "cancelled", "at"),
      { { "join", "join #2", 10.5, 12.5, 2, false, false, "dir/crawl.lua:16" } })
    equal(#page.runs, 2)
    equal(#m.runs, 3 + 1)
    equal(m.runs[1].start, 10)
  end)

  it("a request lies in its task's row, in the place of its wait, and its phases add up", function()
    local m = model_of(two_tasks())
    local r, page = m.requests[1], m.tasks[2]
    equal({ r.host, r.lane, r.ok, r.failed, r.start, r.status },
      { "example.com:443", 1, true, false, 10.7, 200 })
    equal(rawequal(r.task, page), true)
    equal(rawequal(page.waits[1].request, r) and rawequal(r.awaited, page.waits[1]), true)
    -- The clock of the wait was read later, and that of the end earlier.
    equal({ page.waits[1].start, page.waits[1].finish }, { 10.7, r.finish })
    local names, sum, at = {}, 0, r.start
    for i, phase in ipairs(r.phases) do
      names[i] = phase.name
      equal(math.abs(phase.start - at) < 1e-9, true)
      at, sum = at + phase.duration, sum + phase.duration
    end
    equal(table.concat(names, " "), "queue dns tcp tls stall send wait recv")
    equal(math.abs(sum - r.total) < 1e-9, true)
    equal(math.abs(r.finish - 12.1) < 1e-9, true)
  end)

  it("phases never exceed the total", function()
    local m = model_of { { "xfer", 1, 0, ref = 1, total = 0.5, wait = 3, receive = 1 } }
    equal(pick(m.requests[1].phases, "name", "duration"), { { "wait", 0.5 } })
    equal({ m.requests[1].host, m.requests[1].ok, m.requests[1].method }, { "?", false, "?" })
  end)

  it("hosts have their port, and no password", function()
    local hosts = {}
    for i, url in ipairs { "http://a/x", "https://b?q", "http://u:p@c:81/@d:1", "http://[::1]/",
      "http://[::1]:8080#x", "nothing", "HTTP://E" } do
      hosts[i] = model_of { { "xfer", 1, 0, ref = i, total = 0, url = url } }.requests[1].host
    end
    equal(hosts, { "a:80", "b:443", "c:81", "[::1]:80", "[::1]:8080", "?", "E:80" })
  end)

  it("requests and spans that do not nest have rows of their own", function()
    local m = model_of {
      { "spawn", 0, 1 },
      { "xfer", 0.5, 1, ref = 1, total = 2 },
      { "xfer", 1, 1, ref = 2, total = 0.5 },
      { "xfer", 3, 1, ref = 3, total = 1, code = "cancelled" },
      { "span_begin", 4, 1, ref = 1, name = "a" }, { "span_begin", 5, 1, ref = 2, name = "b" },
      { "span_begin", 5, 1, ref = 3, name = "c" }, { "span_end", 6, 1, ref = 3, failed = true },
      { "span_end", 6, 1, ref = 1 }, { "span_end", 7, 1, ref = 2 }, { "span_end", 7, 1, ref = 8 },
      { "span_begin", 7, 1, ref = 9, name = "d" },
      { "run", 0, 1, duration = 8, left = "end" },
      { "end", 8, 1, outcome = "error", error = "Timeout" },
    }
    equal(pick(m.requests, "ref", "lane"), { { 1, 1 }, { 2, 2 }, { 3, 1 } })
    equal({ m.lanes, m.rows, m.tasks[1].error }, { 1, 3, "Timeout" })
    equal(pick({ m.requests[3] }, "cancelled", "failed", "ok"), { { true, false, false } })
    equal(pick(m.spans, "name", "start", "finish", "depth", "lane", "open", "failed"), {
      { "a", 4, 6, 0, 1, false, false }, { "b", 5, 7, 1, 0, false, false },
      { "c", 5, 6, 2, 0, false, true }, { "d", 7, 8, 0, 0, true, false } })
  end)

  it("rows are as many as tasks that live at once, whatever the clock says", function()
    local events = {}
    for round = 0, 2 do
      for id = 1, 5 do events[#events + 1] = { "spawn", 3 - round, round * 5 + id } end
      for id = 1, 5 do events[#events + 1] = { "end", 3 - round, round * 5 + id } end
    end
    local m = model_of(events)
    equal(m.lanes, 5)
    for i, t in ipairs(m.tasks) do equal({ t.lane, t.start, t.finish }, { (i - 1) % 5, 3, 3 }) end
  end)

  it("what has no end is open until that of its task, or of the trace", function()
    local m = model_of {
      { "spawn", 0, 1 }, { "wait", 1, 1, what = "sleep 9 s" },
      { "run", 0, 1, duration = 1, left = "wait" },
      { "spawn", 1, 2 }, { "wait", 2, 2, what = "http GET http://a:1/x", ref = 5 },
      { "phase", 2.5, 2, ref = 5, phase = "admitted" },
      { "phase", 3, 2, ref = 5, phase = "connect" },
      { "phase", 3.5, 2, ref = 5, phase = "wait" }, { "mark", 4, 2, name = "here" },
    }
    equal(pick(m.tasks, "finish", "open", "outcome"), { { 4, true, nil }, { 4, true, nil } })
    equal(pick(m.tasks[1].waits, "start", "finish", "open"), { { 1, 4, true } })
    local r = m.requests[1]
    equal({ r.url, r.open, r.ok, r.failed, r.total, r.lane },
      { "http://a:1/x", true, false, false, 2, 1 })
    equal(pick(r.phases, "name", "duration"),
      { { "queue", 0.5 }, { "stall", 0.5 }, { "tcp", 0.5 }, { "wait", 0.5 } })
  end)

  it("what has no begin is zero width at its time", function()
    local m = model_of { { "mark", 1, 0, name = "x" }, { "end", 3, 4, outcome = "ok" },
      { "ready", 4, 5, by = 0 }, { "run", 5, 5, duration = 1, left = "end" },
      { "span_end", 6, 7, ref = 1 } }
    equal(pick(m.tasks, "id", "start", "finish", "open"),
      { { 4, 3, 3, false }, { 5, 4, 6, true }, { 7, 6, 6, true } })
    equal({ #m.spans, m.till, m.from }, { 0, 6, 1 })
  end)

  it("a second task of one number ends the first", function()
    local m = model_of { { "spawn", 0, 1 }, { "spawn", 2, 1 }, { "end", 3, 1, outcome = "ok" } }
    equal(pick(m.tasks, "start", "finish", "open"), { { 0, 2, true }, { 2, 3, false } })
    equal(rawequal(m.task[1], m.tasks[2]), true)
  end)

  it("heads and bodies belong to their request", function()
    local m = model_of {
      { "head", 1, 1, ref = 4, which = "request", text = "A: b\r\n" },
      { "head", 1, 1, ref = 4, which = "response", text = "interim" },
      { "head", 1, 1, ref = 4, which = "response", text = "C: d\r\n" },
      { "body", 1, 1, ref = 4, which = "response", text = "ab" },
      { "body", 1, 1, ref = 4, which = "response", text = "c", cut = true },
      { "xfer", 0.5, 1, ref = 4, total = 1 } }
    local r = m.requests[1]
    equal(r.head, { request = "A: b\r\n", response = "C: d\r\n" })
    equal(r.body.response, { text = "abc", cut = true })
  end)

  it("the wall clock of a trace never goes back", function()
    local m = model_of { { "clock", 10, 0, unix_ns = 1000000000000 },
      { "clock", 70, 0, unix_ns = 1000 }, { "clock", 130, 0, unix_ns = 2000000000000 } }
    equal(m.unix(5), 995000000000)
    equal(m.unix(10.000000001), 1000000000001)
    equal(m.unix(75), 1065000000000)
    equal(m.unix(131), 2001000000000)
    equal(model_of({ { "spawn", 3, 1 } }, { started = 100 }).unix(4), 101000000000)
  end)

  it("no sequence of events makes it raise", function()
    local seed = 7
    local function draw(n)
      seed = (seed * 6364136223846793005 + 1442695040888963407) & math.maxinteger
      return (seed >> 33) % n
    end
    local kinds = { "spawn", "wait", "ready", "run", "cancel", "end", "xfer", "phase", "head",
      "body", "name", "span_begin", "span_end", "mark", "count", "sample", "hog", "stuck", "clock",
      "job", "lost", "new" }
    local values = { what = { "sleep", "http GET http://a/", "join #1" }, name = { "a", "b" },
      url = { "http://a/", "x" }, which = { "request", "response" }, text = { "", "x" },
      left = { "wait", "yield", "end" }, outcome = { "ok", "error" },
      step = { "put", "taken", "dead", "x" }, queue = { "q", "" }, key = { "k" },
      value = { 1, 0 / 0, "x", math.huge },
      unix_ns = { math.maxinteger, math.mininteger, 5 }, count = { 1, -1, math.maxinteger } }
    local numbers = { 0, 1, -1, 0.5, 1e18, math.huge, 0 / 0 }
    for _ = 1, 300 do
      local m = model.new()
      for _ = 1, draw(40) do
        local e = { kind = kinds[draw(#kinds) + 1], task = draw(4), time = draw(8),
          ref = draw(3), parent = draw(3), by = draw(3), cancelled = draw(2) == 0 }
        for _, field in ipairs { "what", "name", "url", "which", "text", "left", "outcome", "value",
          "unix_ns", "count", "step", "queue", "key" } do
          if draw(3) > 0 then e[field] = values[field][draw(#values[field]) + 1] end
        end
        for _, field in ipairs { "time", "duration", "total", "queue", "wait", "ref", "task" } do
          if draw(9) == 0 then e[field] = numbers[draw(#numbers) + 1] end
        end
        if e.task ~= e.task then e.task = nil end
        if e.ref ~= e.ref then e.ref = nil end
        m:add(e)
      end
      m:finish()
      m:add { kind = "spawn", time = 1, task = 1 } -- has no effect
      for _, t in ipairs(m.tasks) do
        equal(t.start <= t.finish and t.lane < m.lanes, true)
        for _, wait in ipairs(t.waits) do
          ascending(t.start, wait.start, wait.finish, t.finish)
        end
      end
      for _, span in ipairs(m.spans) do
        equal(span.start <= span.finish and span.lane < m.rows, true)
      end
      for _, r in ipairs(m.requests) do
        local sum = 0
        for _, phase in ipairs(r.phases) do sum = sum + phase.duration end
        equal(math.abs(sum - r.total) <= 1e-9 * (1 + r.total) and r.lane < m.rows, true)
      end
    end
  end)
end)
