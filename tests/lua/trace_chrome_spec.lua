-- SPDX-License-Identifier: MIT
-- septet.trace.chrome: a model as Chrome Trace Events.
local private = debug.getregistry()["septet.require"] -- of private modules
local chrome, model = private "septet.trace.chrome", private "septet.trace.model"
local json, perfetto = require "septet.json", require "perfetto"

local function export(m)
  local pieces = {}
  chrome(m, function(text) pieces[#pieces + 1] = text end)
  return table.concat(pieces)
end

local function export_events(events, meta)
  local m = model.new(meta)
  for _, e in ipairs(events) do m:add(e) end
  return export(m:finish())
end

-- Returns a function that draws numbers from 0 to n - 1.
local function drawer(seed)
  return function(n)
    seed = (seed * 6364136223846793005 + 1442695040888963407) & math.maxinteger
    return (seed >> 33) % n
  end
end

-- Returns the events of n tasks, each with one request, in the order of a host's records.
local function requests(n)
  local draw, events = drawer(16), {}
  local function add(key, e)
    e.key, e.index = key, #events
    events[#events + 1] = e
  end
  add(99, { kind = "spawn", time = 99, task = 1, parent = 0 })
  for i = 2, n + 1 do
    local at = 100 + i * 1e-4 + draw(1000) / 1e9
    local woken = at + 0.03 + draw(1000000) / 1e9
    add(at, { kind = "spawn", time = at, task = i, parent = 1, defined = "a.lua:3" })
    add(at + 2e-6, { kind = "wait", time = at + 2e-6, task = i, ref = i,
      what = "http GET https://example.com/" .. i })
    add(at + 5e-6, { kind = "run", time = at + 1e-6, task = i, left = "wait",
      duration = 4e-6 + draw(99) / 1e9 })
    add(woken, { kind = "ready", time = woken, task = i, by = draw(3) })
    add(woken, { kind = "xfer", time = at + 1.5e-6, task = i, ref = i, method = "GET",
      url = "https://example.com/" .. i, status = 200, bytes = draw(10000), protocol = 11,
      reused = draw(2) == 0, queue = 1e-6, dns = 2e-6, tcp = 1e-4, wait = 0.02, receive = 0.005,
      total = (woken - at) // 1e-6 / 1e6 })
    local ran = woken + 1e-5
    add(ran + 1e-5, { kind = "run", time = ran, task = i, duration = 1e-5, left = "end" })
    add(ran + 1e-5, { kind = "end", time = ran + 1e-5, task = i, outcome = "ok" })
  end
  table.sort(events, function(a, b)
    if a.key ~= b.key then return a.key < b.key end
    return a.index < b.index
  end)
  return events
end

describe("chrome", function()
  it("10 000 requests keep the rules of Perfetto and Chrome", function()
    local counts, cats = perfetto.check(json.decode(export_events(requests(10000))))
    equal({ cats.task, cats.http, cats.run, counts.s == counts.f, counts.s > 10000 },
      { 10001, 10000, 20000, true, true })
  end)

  it("times are exact for a program that computes with doubles", function()
    local draw = drawer(5)
    for _, length in ipairs { 1e-3, 10, 1000, 1e4, 1e6, 5e9 } do
      local events, time = { { kind = "spawn", time = 7, task = 1 } }, 7
      for _ = 1, 300 do -- each begins where the last one ended
        events[#events + 1] = { kind = "span_begin", time = time, task = 1, ref = 1, name = "s" }
        time = time + draw(1000000007) / 1000000007 * length / 150
        events[#events + 1] = { kind = "span_end", time = time, task = 1, ref = 1 }
      end
      events[#events + 1] = { kind = "end", time = time, task = 1 }
      local _, cats = perfetto.check(json.decode(export_events(events)))
      equal(cats, { task = 1, span = 300 })
    end
  end)

  it("names of others stay data", function()
    local bad = 'a"b\\c\n\27[2J\0\xFF\u{9b}<\u{202e}'
    local text = export_events({
      { kind = "spawn", time = 1, task = 1, defined = bad },
      { kind = "name", time = 1, task = 1, name = bad },
      { kind = "wait", time = 1, task = 1, what = bad, at = bad },
      { kind = "span_begin", time = 1, task = 1, ref = 1, name = bad },
      { kind = "mark", time = 1, task = 1, name = bad, value = 0 / 0 },
      { kind = "count", time = 1, task = 1, name = bad, value = math.huge },
      { kind = "xfer", time = 1, task = 1, ref = 1, method = bad, url = bad, total = 1 },
    }, { script = bad, version = bad })
    equal(text:find "[\0-\9\11-\31\127]", nil)
    equal(text:find("\u{9b}", 1, true), nil)
    local trace = json.decode((text:gsub('"value":null', '"value":0')))
    perfetto.check(trace)
    equal(trace.otherData.script, (bad:gsub("\xFF", "\u{FFFD}")))
  end)

  it("a trace without events is closed", function()
    local text = export(model.new():finish())
    equal(#json.decode(text).traceEvents, 3)
    equal(text:sub(-4), "\n]}\n")
  end)

  it("spans, marks, counters and samples are drawn", function()
    local trace = json.decode(export_events({
      { kind = "spawn", time = 10, task = 1, defined = "x.lua:1" },
      { kind = "span_begin", time = 11, task = 1, ref = 1, name = "outer", at = "x.lua:2" },
      { kind = "span_begin", time = 12, task = 1, ref = 2, name = "inner" },
      { kind = "wait", time = 12.5, task = 1, what = "sleep 1 s" },
      { kind = "ready", time = 13.5, task = 1, by = 0 },
      { kind = "run", time = 13.75, task = 1, duration = 2, left = "end" },
      { kind = "span_end", time = 14, task = 1, ref = 2, failed = true },
      { kind = "span_end", time = 15, task = 1, ref = 1 },
      { kind = "wait", time = 15.25, task = 1, what = "join #2" },
      { kind = "ready", time = 15.75, task = 1, by = 0 },
      { kind = "mark", time = 15, task = 1, name = "done", value = 3 },
      { kind = "count", time = 15, task = 1, name = "pages", value = 2.5 },
      { kind = "cancel", time = 15, task = 1, by = 0, source = "deadline" },
      { kind = "sample", time = 15, task = 0, live = 1, ready = 0, in_flight = 2, queued = 3,
        memory = 4096, idle = 1 },
      { kind = "sample", time = 16, task = 0, live = 1, idle = 1.25 },
      { kind = "end", time = 16, task = 1, outcome = "cancelled" },
    }))
    perfetto.check(trace)
    local seen = {}
    for _, e in ipairs(trace.traceEvents) do
      if e.ph ~= "M" then
        seen[#seen + 1] = ("%s %s %g %g"):format(e.ph, e.name, e.ts, e.dur or 0)
      end
    end
    table.sort(seen)
    equal(seen, {
      "C loop 6e+06 0", "C memory 5e+06 0", "C pages 5e+06 0", "C tasks 5e+06 0", "C tasks 6e+06 0",
      "X #1 x.lua:1 3.75e+06 2e+06", "X inner 2e+06 2e+06", "X join #2 5.25e+06 500000",
      "X outer 1e+06 4e+06",
      "X ready 3.5e+06 250000", "X sleep 1 s 2.5e+06 1e+06", "X x.lua:1 0 6e+06",
      "i cancel 5e+06 0", "i done 5e+06 0" })
  end)
end)
