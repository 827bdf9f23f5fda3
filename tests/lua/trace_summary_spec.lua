-- SPDX-License-Identifier: MIT
-- The summary of a run, from events as they come and from a model, and what the findings say.
local private = debug.getregistry()["septet.require"] -- of private modules
local findings = private "septet.trace.findings"
local model = private "septet.trace.model"
local summary = private "septet.trace.summary"
local totals = private "septet.trace.totals"
local words = private "septet.trace.words"
local task, http, json = require "septet.task", require "septet.http", require "septet.json"
local origin = require "origin"

-- Returns what print or export writes.
local function written(write_to)
  local pieces = {}
  write_to(function(text) pieces[#pieces + 1] = text end)
  return table.concat(pieces)
end

local function collected(events, options)
  local collector = summary.collector()
  for _, e in ipairs(events) do collector:add(e) end
  return written(function(write) collector:print(write, options) end)
end

local function model_of(events)
  local m = model.new { script = "x.lua" }
  for _, e in ipairs(events) do m:add(e) end
  return m:finish()
end

local function exported(events, options)
  return written(function(write) summary.export(model_of(events), write, options) end)
end

local function spawn(id, time, parent, defined)
  return { kind = "spawn", task = id, time = time, parent = parent or 0,
    defined = defined or "/srv/x/crawl.lua:14" }
end
local function wait(id, time, what, ref)
  return { kind = "wait", task = id, time = time, what = what, ref = ref or 0 }
end
local function ready(id, time) return { kind = "ready", task = id, time = time, by = 0 } end
local function run(id, time, duration, left)
  return { kind = "run", task = id, time = time, duration = duration, left = left or "wait" }
end
local function ended(id, time, outcome)
  return { kind = "end", task = id, time = time, outcome = outcome or "ok" }
end
local function xfer(id, time, total, more)
  local e = { kind = "xfer", task = id, time = time, total = total, queue = 0, wait = total,
    method = "GET", url = "https://example.com/1", status = 200, protocol = 11, bytes = 1000,
    reused = true, ref = 1, request = 1, resend = 0, send = 0 }
  for key, value in pairs(more or {}) do e[key] = value or nil end
  return e
end

-- A run of two tasks and some requests, whose figures are exact in binary.
local function sample()
  return {
    spawn(1, 0, 0, "/srv/x/crawl.lua:0"),
    { kind = "clock", task = 0, time = 0, unix_ns = 1766426787123456789, unix = 1766426787.1 },
    spawn(2, 0.125, 1), wait(1, 0.125, "join", 2), run(1, 0, 0.125),
    wait(2, 0.25, "http", 1), run(2, 0.125, 0.125),
    xfer(2, 0.25, 1, { queue = 0.25, dns = 0.125, tcp = 0.125, wait = 0.5, reused = false }),
    ready(2, 1.25), wait(2, 1.25, "http", 2), run(2, 1.25, 0.015625),
    xfer(2, 1.25, 0.5, { status = 503, ref = 2, bytes = 0 }), ready(2, 1.75),
    wait(2, 1.75, "sleep"), run(2, 1.75, 0), ready(2, 2), wait(2, 2, "http", 3), run(2, 2, 0),
    xfer(2, 2, 0.5, { ref = 3, resend = 1, request = 1 }), ready(2, 2.5),
    wait(2, 2.5, "http", 4), run(2, 2.5, 0),
    xfer(2, 2.5, 0.25, { ref = 4, code = "timeout", phase = "wait", status = 0, protocol = 0,
      url = "http://other.example/x", bytes = 0, reused = false }),
    ready(2, 2.75), run(2, 2.75, 0.125, "end"), ended(2, 2.875),
    ready(1, 2.875), run(1, 2.875, 0.125, "end"), ended(1, 3),
  }
end

local EXPECTED = [[
4 requests in 3.00 s, 1.3/s, 1 of them retries, 2.00 kB received
  ok 2   http errors 1 (503×1)   network errors 1 (timeout×1)

               p50     p90     p99   p99.9     max
  response  501 ms  1.00 s  1.00 s  1.00 s  1.00 s  with the queue
  service   501 ms  750 ms  750 ms  750 ms  750 ms  once it left the queue
  queue        0 s  250 ms  250 ms  250 ms  250 ms
  mean of phases: dns 125 ms, tcp 125 ms, send 0 s, wait 438 ms
  connections: 2 new, 50.0% of requests reused one, h1 100%

  host              requests  2xx  5xx  failed     p50     p99  received
  example.com:443          3    2    1       0  501 ms  1.00 s   2.00 kB
  other.example:80         1    0    0       1  250 ms  250 ms         0

  slowest tasks by line  tasks   total    mean  longest
  crawl.lua:0                1  3.00 s  3.00 s   3.00 s
  crawl.lua:14               1  2.75 s  2.75 s   2.75 s

  waited for  times   total    mean  longest
  join            1  2.75 s  2.75 s   2.75 s
  http            4  2.23 s  559 ms   1.00 s
  sleep           1  250 ms  250 ms   250 ms

  2 tasks, 2 at once, 8 turns, tasks ran 17.2% of the time
]]

describe("summary", function()
  it("of a run, it has its figures, in 80 columns", function()
    local text = collected(sample())
    equal(text:sub(1, #EXPECTED), EXPECTED)
    for one in text:gmatch "[^\n]*" do equal(utf8.len(one) <= 80, true, one) end
  end)

  it("has no loop that is idle while a task runs", function()
    local text = collected {
      spawn(1, 0), wait(1, 0.75, "sleep"), run(1, 0, 0.75),
      { kind = "sample", time = 0.75, task = 0, live = 1, idle = 0 },
      { kind = "sample", time = 1, task = 0, live = 1, idle = 0.25 },
      ready(1, 1), run(1, 1, 0, "end"), ended(1, 1),
    }
    equal({ text:match "tasks ran ([%d.]+%%).-was idle ([%d.]+%%)" }, { "75.0%", "25.0%" })
  end)

  it("of a model, it is that of the events", function()
    equal(exported(sample()):gsub("about .-%)", ""), (collected(sample()):gsub("about .-%)", "")))
    local function figures(text)
      local t = json.decode(text)
      t.trace.seconds = nil
      return t
    end
    local options = { json = true, script = "x.lua" }
    equal(figures(exported(sample(), options)), figures(collected(sample(), options)))
  end)

  it("of random runs, the model and the events give the same figures", function()
    local seed = 20261130
    local function draw(n)
      seed = (seed * 6364136223846793005 + 1442695040888963407) & math.maxinteger
      return (seed >> 33) % n
    end
    for _ = 1, 30 do
      local events, time, refs = {}, 0, 0
      local tasks = {} -- by id: "ready", "ended", or its wait
      for id = 1, 2 + draw(6) do
        events[#events + 1], tasks[id] = spawn(id, time, 0, "a.lua:" .. draw(3)), "ready"
      end
      for _ = 1, 60 do
        local id = draw(#tasks) + 1
        local state, start = tasks[id], time
        time = time + draw(100) / 512 -- whole nanoseconds, and exact in binary
        if state == "ready" then
          local left = draw(8) > 0 and "wait" or "end"
          refs = refs + 1
          tasks[id] = left == "wait" and wait(id, time, ({ "http", "sleep", "lock" })[draw(3) + 1],
            refs) or "ended"
          if left == "wait" then events[#events + 1] = tasks[id] end
          events[#events + 1] = run(id, start, time - start, left)
          if left == "end" then
            events[#events + 1] = ended(id, time, draw(2) > 0 and "ok" or "error")
          end
        elseif state ~= "ended" then
          local total = time - state.time
          if state.what == "http" then
            events[#events + 1] = xfer(id, state.time, total, { ref = state.ref,
              request = state.ref, status = ({ 200, 404, 503 })[draw(3) + 1], queue = total / 2,
              code = draw(5) == 0 and "reset", phase = "wait" })
          end
          events[#events + 1], tasks[id] = ready(id, time), "ready"
        end
      end
      local ours = json.decode(collected(events, { json = true }))
      local theirs = json.decode(exported(events, { json = true }))
      ours.trace.seconds, theirs.trace.seconds = nil, nil
      equal(theirs, ours)
      equal(ours.requests.count, ours.requests.ok + ours.requests.http_errors
        + ours.requests.network_errors + ours.requests.cancelled)
    end
  end)

  it("of nothing, it is one line", function()
    equal(collected {}, "nothing ran\n")
    equal(exported {}, "nothing ran\n")
    equal(json.decode(collected({}, { json = true })).requests.count, 0)
  end)

  it("without a request, it has no figures of requests, and never nan or inf", function()
    local alone = { spawn(1, 0), run(1, 0, 0, "end"), ended(1, 0) }
    equal(collected(alone), "1 task in 0 s, no requests\n")
    local events = { spawn(1, 0), spawn(2, 0), run(1, 0, 0, "end"), ended(1, 0) }
    local text = collected(events)
    equal(text:match "^[^\n]*", "no requests in 0 s")
    equal(text:find("2 tasks (1 still open), 2 at once, 1 turn\n", 1, true) ~= nil, true)
    for _, made in ipairs { text, exported(events), collected(events, { json = true }),
      exported(alone), collected({}, { json = true }) } do
      equal(made:lower():find "nan", nil)
      equal(made:lower():find "inf", nil)
    end
  end)

  it("a wait begins when its turn ends, although its record may have the turn's begin", function()
    local events = { spawn(1, 0), wait(1, 0, "sleep"), run(1, 0, 2), ready(1, 3),
      wait(1, 3, "lock"), ready(1, 4), run(1, 3, 2), ready(1, 5), run(1, 5, 0, "end"),
      ended(1, 5) }
    for _, make in ipairs { collected, exported } do
      local waits = json.decode(make(events, { json = true })).waits
      equal({ waits[1].kind, waits[1].total, waits[2].kind, waits[2].total },
        { "sleep", 1, "lock", 0 })
    end
  end)

  it("the share in which the loop was idle is that of the samples", function()
    local function idle(time, seconds)
      return { kind = "sample", task = 0, time = time, live = 1, in_flight = 0, queued = 0,
        memory = 0, idle = seconds }
    end
    local events = { spawn(1, 0), idle(2, 10), wait(1, 2, "sleep"), run(1, 0, 2), ready(1, 7),
      idle(6, 12), run(1, 7, 1, "end"), ended(1, 8) }
    for _, make in ipairs { collected, exported } do
      equal(json.decode(make(events, { json = true })).idle, 4)
      equal(make(events):find("tasks ran 37.5% of the time, the loop was idle 50.0%", 1, true)
        ~= nil, true)
    end
  end)

  it("numbers have their singular and plural", function()
    local text = collected { spawn(1, 0), wait(1, 0, "http", 1), run(1, 0, 0),
      xfer(1, 0, 1, { insecure = true }), ready(1, 1), run(1, 1, 0, "end"), ended(1, 1) }
    equal(text:match "^[^\n]*", "1 request in 1.00 s, 1/s, 1.00 kB received")
    equal(text:find("the certificate of 1 response was not verified", 1, true) ~= nil, true)
  end)

  it("a request that has not ended counts in the percentiles, with its time so far", function()
    local events = { spawn(1, 0), wait(1, 0, "http", 1), run(1, 0, 0),
      { kind = "sample", task = 0, time = 64, live = 1, in_flight = 0, queued = 1, memory = 0 } }
    for _, make in ipairs { collected, exported } do
      local t = json.decode(make(events, { json = true }))
      equal({ t.requests.count, t.requests.open, t.requests.queued }, { 0, 1, 1 })
      equal({ t.latency.response.count, t.latency.response.max }, { 1, 64 })
      local text = make(events)
      equal(text:find("still open 1 (1 queued)", 1, true) ~= nil, true)
      local note = "1 request is still open: counted with its time so far"
      equal(text:find(note, 1, true) ~= nil, true)
    end
  end)

  it("an attempt that follows a redirect is no retry", function()
    local t = json.decode(collected({ spawn(1, 0),
      xfer(1, 0, 1, { status = 302 }), xfer(1, 1, 1, { resend = 1 }),
      xfer(1, 2, 1, { request = 2, status = 503 }), xfer(1, 3, 1, { request = 2, resend = 1 }),
    }, { json = true })).requests
    equal({ t.count, t.retried, t.redirected, t.statuses }, { 4, 1, 1,
      { ["200"] = 2, ["302"] = 1, ["503"] = 1 } })
  end)

  it("names and hosts of others neither reach the terminal nor break the JSON", function()
    local hostile = "\27]0;x\7\r\n\"\\<script>\xff"
    local events = { spawn(1, 0, 0, "/x/" .. hostile .. ".lua:3"),
      { kind = "name", task = 1, time = 0, name = hostile },
      spawn(2, 0, 0, "/x/" .. hostile .. ".lua:3"),
      wait(1, 0, "lock" .. hostile:gsub("%s", "")), run(1, 0, 1),
      xfer(1, 0, 1, { url = "http://" .. hostile .. "/", code = hostile, phase = "wait" }),
      { kind = "stuck", task = 1, time = 1 } }
    for _, make in ipairs { collected, exported } do
      local text = make(events)
      equal(text:gsub("\n", ""):find "%c", nil)
      equal(utf8.len(text) ~= nil, true)
      equal(text:find("\\x1b]0;x\\x07", 1, true) ~= nil, true)
      local t = json.decode(make(events, { json = true }))
      equal(t.requests.network_errors, 1)
    end
  end)

  it("more hosts and lines than it keeps share one row, and a table is cut", function()
    local events = {}
    for i = 1, 1100 do
      events[#events + 1] = spawn(i, 0, 0, "a.lua:" .. i)
      events[#events + 1] = xfer(i, 0, 1, { url = ("http://host%d/"):format(i), request = i })
      events[#events + 1] = ended(i, 1)
    end
    local text = collected(events)
    equal(text:find("(others)", 1, true) ~= nil, true)
    equal(text:find "… 991 more hosts\n" ~= nil, true)
    equal(text:find "… 991 more lines\n" ~= nil, true)
    local t = json.decode(collected(events, { json = true }))
    local attempts = 0
    for _, host in ipairs(t.hosts) do attempts = attempts + host.count end
    equal({ #t.hosts, #t.lines, attempts, t.requests.count }, { 1001, 1001, 1100, 1100 })
  end)

  it("names give way to numbers where a row is too wide", function()
    local events = { spawn(1, 0) }
    for i = 1, 8 do
      events[#events + 1] = xfer(1, 0, i, { url = "http://" .. ("long."):rep(12) .. "example/",
        status = i * 100 + 99, bytes = 123456789, code = i > 5 and "reset" or false,
        phase = i > 5 and "wait" or false })
    end
    local text = collected(events)
    for one in text:gmatch "[^\n]*" do equal(utf8.len(one) <= 80, true, one) end
    equal(text:find "\n  long%.[^ ]*…[^ ]*example:80  " ~= nil, true)
  end)

  it("what is lost is told, and makes no ghost of a task", function()
    local events = { spawn(1, 0), spawn(2, 0), wait(2, 0, "http", 1), run(2, 0, 0),
      { kind = "lost", task = 0, time = 5, count = 1234 }, run(1, 5, 0, "end"), ended(1, 6) }
    local t = json.decode(collected(events, { json = true }))
    equal({ t.trace.lost, t.tasks.count, t.tasks.open, t.requests.open }, { 1234, 1, 0, 0 })
    equal(collected(events):find("1 234 lost", 1, true) ~= nil, true)
    equal(collected(events):find("1 234 records were lost", 1, true) ~= nil, true)
  end)

  it("tasks and requests that end leave nothing, and those that stay are counted", function()
    local collector = summary.collector()
    for id = 1, 5000 do
      for _, e in ipairs { spawn(id, id), wait(id, id, "http", id), run(id, id, 0) } do
        collector:add(e)
      end
      if id % 1000 > 0 then
        collector:add(xfer(id, id, 1, { ref = id, request = id }))
        collector:add(ready(id, id + 1))
        collector:add(ended(id, id + 1))
      end
    end
    local live, awaited = collector.collected.live, collector.collected.awaited
    local n = 0
    for _ in pairs(live.items) do n = n + 1 end
    equal({ live.count, awaited.count, n <= 2048 }, { 5, 5, true })
    local t = json.decode(written(function(write) collector:print(write, { json = true }) end))
    equal({ t.tasks.count, t.tasks.open, t.requests.count, t.requests.open, t.tasks.at_once },
      { 5000, 5, 4995, 5, 5 })
  end)

  it("a collector counts a real run, at the level that costs least", function()
    local core = debug.getregistry()["septet.core"]
    local sink, level = core.trace_sink, nil
    local _ <close> = setmetatable({}, { __close = function() core.trace_sink = sink end })
    core.trace_sink = function(fn, asked)
      level = asked
      return sink(fn, asked)
    end
    local collector = summary.start()
    equal(level, 1)
    local session <close> = http.session()
    task.gather(task.map(function(path) return session:get(origin.url .. path).status end,
      { "/bytes/7", "/status/404", "/bytes/9" }))
    pcall(session.get, session, origin.refused)
    local t
    origin.eventually(function()
      t = collector.collected.totals
      return t.requests.count == 4 and t.tasks.count >= 3
    end)
    t = json.decode(written(function(write) collector:print(write, { json = true }) end))
    equal({ t.requests.count, t.requests.ok, t.requests.codes, t.requests.statuses },
      { 4, 2, { connect = 1 }, { ["200"] = 2, ["404"] = 1 } })
    equal(t.requests.received >= 16, true)
    equal(t.waits[1].total > 0, true)
    collector:add(spawn(1, 0)) -- after its end: without effect
  end)
end)

-- Returns the findings of events: { kind = finding }.
local function found(events)
  local list = findings.of(model_of(events))
  local by_kind, last = {}, 0
  local ranks = { error = 1, warning = 2, note = 3 }
  for _, finding in ipairs(list) do
    equal(ranks[finding.severity] >= last, true)
    last = ranks[finding.severity]
    equal({ type(finding.text), math.type(finding.count) }, { "string", "integer" })
    by_kind[finding.kind] = finding
  end
  local streamed = json.decode(collected(events, { json = true })).findings
  for i, finding in ipairs(list) do equal(streamed[i].text, finding.text) end
  equal(#streamed, #list)
  return by_kind
end

describe("findings", function()
  it("a run without a fault has none", function()
    equal(found { spawn(1, 0), wait(1, 0, "http", 1), run(1, 0, 0), xfer(1, 0, 1), ready(1, 1),
      run(1, 1, 0, "end"), ended(1, 1) }, {})
    equal(found {}, {})
  end)

  it("the longest turn is named with its place, and the number of others", function()
    local events = { spawn(1, 0), wait(1, 0.0625, "sleep"), run(1, 0, 0.0625), ready(1, 1),
      run(1, 1, 0.5, "end"),
      { kind = "hog", task = 1, time = 1.5, duration = 0.5, at = "/x/y/crawl.lua:44" },
      ended(1, 1.5) }
    local hog = found(events).hog
    equal(hog.text, "#1 crawl.lua:14 ran for 500 ms without waiting, at crawl.lua:44, while "
      .. "everything else stood still; so did 1 other turn of more than 50.0 ms")
    equal({ hog.count, hog.task.id, hog.at, hog.severity },
      { 2, 1, "/x/y/crawl.lua:44", "warning" })
  end)

  it("tasks that wait for each other are a deadlock", function()
    local cycle = found { spawn(1, 0), spawn(2, 0), spawn(3, 0), wait(1, 0, "join #2 x", 2),
      run(1, 0, 0), wait(2, 1, "join #3 x", 3), run(2, 1, 0), wait(3, 2, "join #1 x", 1),
      run(3, 2, 0) }.deadlock
    equal(cycle.text, "tasks wait for each other: #3 crawl.lua:14 → #1 crawl.lua:14 → "
      .. "#2 crawl.lua:14 → #3 crawl.lua:14")
    equal(found({ spawn(1, 0), spawn(2, 0), wait(1, 0, "join", 2), run(1, 0, 0) }).deadlock, nil)
  end)

  it("failures that nothing awaited, and of main tasks, are errors", function()
    local by_kind = found { spawn(1, 0), spawn(2, 0),
      { kind = "end", task = 2, time = 1, outcome = "error", error = "HttpError", code = "dns" },
      { kind = "unhandled", task = 2, time = 1, main = false },
      { kind = "end", task = 1, time = 2, outcome = "error", error = "error" },
      { kind = "unhandled", task = 1, time = 2, main = true } }
    equal(by_kind.unhandled.text, "nothing awaited the failure of #2 crawl.lua:14 (HttpError)")
    equal(by_kind.failed.text, "#1 crawl.lua:14 failed: error")
    local events = { spawn(1, 0) }
    for id = 2, 4 do
      table.move({ spawn(id, 0, 1),
        { kind = "end", task = id, time = 1, outcome = "error", error = "error" },
        { kind = "unhandled", task = id, time = 1, main = false } }, 1, 3, #events + 1, events)
    end
    equal(found(events).unhandled.text, "nothing awaited the failure of #2 crawl.lua:14 (error), "
      .. "and 2 more failed tasks")
  end)

  it("a main task that was cancelled did not fail", function()
    local failed = found { spawn(1, 0), { kind = "end", task = 1, time = 2, outcome = "cancelled" },
      { kind = "unhandled", task = 1, time = 2, main = true } }.failed
    equal({ failed.text, failed.severity }, { "#1 crawl.lua:14 was cancelled", "error" })
  end)

  it("a task that ignores its cancellation is named", function()
    local stuck = found { spawn(1, 0), { kind = "name", task = 1, time = 0, name = "page" },
      { kind = "stuck", task = 1, time = 1 }, { kind = "stuck", task = 1, time = 2 } }.stuck
    equal(stuck.text, "#1 page ignores its cancellation, and 1 more such report")
  end)

  it("failures, statuses, retries, the queue and unverified certificates are counted", function()
    local events = { spawn(1, 0) }
    for i = 1, 30 do
      events[#events + 1] = xfer(1, i, 1, { request = i, ref = i, queue = 0.5, status = 503 })
      events[#events + 1] = xfer(1, i, 1, { request = i, ref = 100 + i, resend = 1,
        code = i <= 3 and "timeout", phase = i <= 3 and "wait", insecure = i == 30 })
    end
    local by_kind = found(events)
    equal(by_kind.failures.text, "3 of 30 requests failed: timeout (3)")
    equal(by_kind.failures.severity, "warning")
    equal(by_kind.statuses, nil) -- of the last attempts
    equal(by_kind.retries.text, "30 requests took 30 retries")
    equal(by_kind.queue.text, "requests spent 25.0% of their time in the queue, up to 500 ms: the "
      .. "limits of their sessions were reached")
    equal(by_kind.insecure.text, "the certificate of 1 response was not verified")
  end)

  it("a request fails or is refused once, by its last attempt", function()
    local events = { spawn(1, 0) }
    local function attempt(request, resend, fields)
      fields.request, fields.resend, fields.ref = request, resend, #events
      events[#events + 1] = xfer(1, #events, 1, fields)
    end
    attempt(1, 0, { status = 302 })
    attempt(1, 1, { status = 503 })
    attempt(1, 2, { status = 404 })
    attempt(2, 0, { code = "connect", phase = "connect", status = 0 })
    attempt(2, 1, { code = "timeout", phase = "wait", status = 0 })
    attempt(3, 0, { code = "connect", phase = "connect", status = 0 })
    attempt(3, 1, {})
    attempt(4, 0, { status = 302, code = "redirect", phase = "receive" })
    attempt(5, 0, { status = 503 })
    attempt(5, 1, { code = "cancelled", status = 0 })
    local by_kind = found(events)
    equal({ by_kind.failures.text, by_kind.failures.count },
      { "2 of 5 requests failed: redirect (1), timeout (1)", 2 })
    equal({ by_kind.statuses.text, by_kind.statuses.severity },
      { "1 request was answered by a status of 400 or more: 404 (1)", "note" })
  end)

  it("the last of many failed attempts is what counts", function()
    local t = totals.new()
    for request = 1, 25000 do
      t:request({ request = request, code = "connect", phase = "connect", total = 1 }, 0)
      t:request({ request = request, resend = 1, status = 200, total = 1 }, 0)
    end
    t:finish()
    equal({ t.whole.count, t.whole.failures, t.whole.codes, t.requests.retried },
      { 25000, 0, {}, 25000 })
  end)

  it("connections that are not reused are told from many at once", function()
    local slow, burst = { spawn(1, 0) }, { spawn(1, 0) }
    for i = 1, 100 do
      slow[#slow + 1] = xfer(1, i, 1, { reused = false, ref = i })
      burst[#burst + 1] = xfer(1, 0, 1, { reused = false, ref = i })
    end
    equal(found(slow).churn.text, "100 connections were opened for 100 requests to "
      .. "example.com:443: they are not reused")
    equal(found(slow).churn.host, "example.com:443")
    equal(found(burst).churn, nil)
    table.remove(slow)
    equal(found(slow).churn, nil) -- of few requests, each may have a session of its own
  end)
end)

describe("words", function()
  it("durations have three digits and the unit that suits them", function()
    for seconds, text in pairs { [0] = "0 s", [4e-10] = "0 s", [1e-9] = "1 ns",
      [9.994e-7] = "999 ns", [9.996e-7] = "1.00 µs", [1.234e-5] = "12.3 µs",
      [9.9951e-4] = "1.00 ms", [0.1] = "100 ms",
      [0.9996] = "1.00 s", [9.996] = "10.0 s", [59.94] = "59.9 s", [59.96] = "1 min 0 s",
      [125.4] = "2 min 5 s", [3599.6] = "1 h 0 min", [36000] = "10 h 0 min",
      [1e9] = "277 777 h" } do
      equal(words.duration(seconds), text)
    end
  end)

  it("sizes, counts and shares are rounded to what can be read", function()
    for bytes, text in pairs { [0] = "0 B", [999] = "999 B", [1000] = "1.00 kB",
      [999600] = "1.00 MB", [123456789] = "123 MB", [math.maxinteger] = "9.22 EB" } do
      equal(words.size(bytes), text)
    end
    equal({ words.count(0), words.count(1234), words.count(1234567), words.count(999) },
      { "0", "1 234", "1 234 567", "999" })
    equal({ words.percent(0, 0), words.percent(1, 10000), words.percent(1, 8),
      words.percent(9999, 10000), words.percent(3, 3) },
      { "0%", "<0.1%", "12.5%", ">99.9%", "100%" })
    equal({ words.number(1, "task"), words.number(0, "task") }, { "1 task", "0 tasks" })
  end)

  it("a long text loses its middle, whole characters of it", function()
    equal(words.cut("short", 5), "short")
    equal(words.cut("0123456789", 7), "012…789")
    equal(words.cut(("é"):rep(10), 6), "éé…ééé")
    equal(words.cut(("\xff"):rep(10), 5), "\xff\xff…\xff\xff")
  end)
end)
