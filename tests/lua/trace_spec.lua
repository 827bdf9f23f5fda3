-- SPDX-License-Identifier: MIT
-- septet.trace: what tasks and requests did, as events and as lines.
-- check: allow cannot-wait
local task, http, trace = require "septet.task", require "septet.http", require "septet.trace"
local origin = require "origin"

-- Every event from here on; there is no way to end a subscription, so one serves the whole file.
local events = {}
trace.subscribe(function(event) events[#events + 1] = event end)

-- Returns the events of a task after that of its end; kinds() returns their kinds, in words.
local function events_of(t)
  local found
  origin.eventually(function()
    found = {}
    for _, event in ipairs(events) do
      if event.task == t.id then found[#found + 1] = event end
    end
    return #found > 0 and found[#found].kind == "end"
  end)
  return found
end

local function first(list, kind)
  for _, event in ipairs(list) do
    if event.kind == kind then return event end
  end
end

local function kinds(list)
  local words = {}
  for i, event in ipairs(list) do words[i] = event.kind end
  return table.concat(words, " ")
end

describe("subscribe", function()
  it("the trace has a task's whole life", function()
    local t = task.spawn(function() task.sleep(0.001) end)
    local spawned_at = line() - 1
    t:await()
    local list = events_of(t)
    equal(kinds(list), "spawn wait run ready run end")
    local file = debug.getinfo(1, "S").short_src
    equal(list[1].parent, task.current().id)
    equal(list[1].defined, ("%s:%d"):format(file, spawned_at))
    equal(list[1].at, ("%s:%d"):format(file, spawned_at))
    equal(list[2].what, "sleep 0.001 s")
    equal(list[2].at, ("%s:%d"):format(file, spawned_at))
    equal(list[3].left, "wait")
    equal(list[3].duration >= 0, true)
    equal(list[4].cancelled, false)
    equal(list[5].left, "end")
    equal(list[6].outcome, "ok")
  end)

  it("the trace says how a task ended, and which task cancelled it", function()
    local failed = task.spawn(error, "x", 0)
    pcall(failed.await, failed)
    equal(first(events_of(failed), "end").outcome, "error")
    local t = task.spawn(task.sleep, math.huge)
    turns(1)
    t:cancel "enough"
    task.wait { t }
    local list = events_of(t)
    equal(first(list, "cancel").by, task.current().id)
    equal(first(list, "cancel").source, "cancel")
    equal(first(list, "ready").cancelled, true)
    equal(first(list, "end").outcome, "cancelled")
  end)

  it("the trace says whose end woke a task", function()
    local first_done, last = task.spawn(task.sleep, 0.001), task.spawn(task.sleep, 0.002)
    local waiter = task.spawn(function()
      last:await()
      task.gather { task.spawn(turns, 2) }
      task.group(function(g) g:spawn(turns, 2) end)
    end)
    waiter:await()
    first_done:await()
    local wakers = {}
    for _, event in ipairs(events_of(waiter)) do
      if event.kind == "ready" then wakers[#wakers + 1] = event.by - last.id end
    end
    equal(wakers, { 0, 2, 3 })
  end)

  it("the trace has a name that was given", function()
    local t = task.spawn(function() end)
    t.name = "a name"
    t:await()
    equal(first(events_of(t), "name").name, "a name")
  end)

  it("the trace has a failure that nothing awaited, and no other", function()
    local before = task.on_unhandled
    local _ <close> = setmetatable({}, { __close = function() task.on_unhandled = before end })
    task.on_unhandled = function() end
    local awaited = task.spawn(error, "x", 0)
    pcall(awaited.await, awaited)
    local unseen = task.background(error, "x", 0)
    local found
    origin.eventually(function()
      for _, event in ipairs(events) do
        if event.kind == "unhandled" and event.task == unseen.id then found = event end
        equal(event.kind == "unhandled" and event.task == awaited.id, false)
      end
      return found
    end)
    equal(found.main, false)
  end)

  it("times of the trace never go backwards within a kind of edge", function()
    local t = task.spawn(function() turns(20) end)
    t:await()
    local last = 0
    for _, event in ipairs(events_of(t)) do
      if event.kind == "run" then
        equal(event.time >= last, true)
        last = event.time
      end
    end
    equal(last <= task.now(), true)
  end)

  it("the trace has a request, its phases, and the line of its script", function()
    local session <close> = http.session()
    local here
    local t = task.spawn(function()
      here = line() + 1
      local _ = session:get(origin.url .. "/delay/0.01?bytes=7").status
    end)
    t:await()
    local list = events_of(t)
    local xfer = first(list, "xfer")
    equal({ xfer.method, xfer.url, xfer.status, xfer.bytes, xfer.reused, xfer.protocol },
      { "GET", origin.url .. "/delay/0.01?bytes=7", 200, 7, false, 11 })
    equal(xfer.at:match ":(%d+)$", tostring(here))
    equal(xfer.total >= 0.01, true)
    equal(xfer.wait >= 0.01, true)
    equal(xfer.code, nil)
    local wait = first(list, "wait")
    equal(wait.what, "http GET " .. origin.url .. "/delay/0.01?bytes=7")
    equal(wait.ref, xfer.ref)
  end)

  it("the trace has a request that failed, and one that was cancelled", function()
    local session <close> = http.session()
    local failed = task.spawn(session.get, session, origin.refused)
    pcall(failed.await, failed)
    local xfer = first(events_of(failed), "xfer")
    equal({ xfer.code, xfer.phase, xfer.status }, { "connect", "connect", 0 })
    local cancelled = task.spawn(session.get, session, origin.url .. "/stall?spec=trace")
    local mark = origin.mark()
    origin.eventually(function() return origin.requests(mark, "/stall?spec=trace")[1] end)
    cancelled:cancel()
    task.wait { cancelled }
    xfer = first(events_of(cancelled), "xfer")
    equal({ xfer.code, xfer.phase }, { "cancelled", "wait" })
    equal({ xfer.wait >= 0, xfer.receive }, { true, nil })
    local refused = task.spawn(session.get, session, "nothing")
    pcall(refused.await, refused)
    xfer = first(events_of(refused), "xfer")
    equal({ xfer.code, xfer.phase }, { "url", "queue" })
  end)

  it("the trace has no status if only interim ones came", function()
    local session <close> = http.session()
    local url = origin.raw { "HTTP/1.1 103 Early Hints\r\n\r\n", "stall" }
    local cancelled = task.spawn(session.get, session, url)
    local late = task.spawn(session.get, session, url, { timeout = { first_byte = 0.1 } })
    pcall(late.await, late)
    cancelled:cancel()
    task.wait { cancelled }
    for _, t in ipairs { cancelled, late } do
      local xfer = first(events_of(t), "xfer")
      equal({ xfer.phase, xfer.status, xfer.protocol }, { "wait", 0, 0 })
    end
  end)

  it("the trace counts records that were overwritten before they were read", function()
    local before = #events
    local t = task.spawn(function()
      for _ = 1, 100000 do task.spawn(function() end) end -- in one turn: more than the ring holds
    end)
    t:await()
    origin.eventually(function()
      for i = before + 1, #events do
        if events[i].kind == "lost" then return events[i].count > 0 end
      end
    end)
  end)

  it("subscribe refuses what cannot be called", function()
    misuse("bad argument #1 to 'subscribe' %(function expected, got nil%)", function()
      trace.subscribe()
    end)
    misuse("function expected, got string", function() trace.subscribe("x") end)
  end)

  it("a subscriber cannot wait; one that raises ends, while the others go on", function()
    local calls, refused = 0, nil
    trace.subscribe(function()
      calls = calls + 1
      refused = refused or select(2, pcall(task.sleep, 0))
      error "a subscriber of this spec fails"
    end)
    origin.eventually(function() return calls > 0 end)
    task.sleep(0.002) -- another turn of the loop
    equal(calls, 1)
    equal(task.is(refused, "Usage"), true)
    local t = task.spawn(function() end)
    t:await()
    equal(first(events_of(t), "end").outcome, "ok")
  end)
end)

describe("lines", function()
  it("lines writes a line for each thing that happens", function()
    local out = {}
    trace.lines { write = function(_, text) out[#out + 1] = text end }
    local session <close> = http.session()
    local t = task.spawn(function()
      task.sleep(0.001)
      session:get(origin.url .. "/bytes/7")
      pcall(session.get, session, origin.refused)
    end)
    t.name = "worker"
    local victim = task.spawn(task.sleep, math.huge)
    turns(1)
    victim:cancel()
    t:await()
    events_of(t)
    task.sleep(0.002) -- later records come at the next turn of the loop
    local text = table.concat(out)
    for _, pattern in ipairs {
      "spawn  %S+trace_spec.lua:%d+ by #" .. task.current().id,
      "#" .. t.id .. " worker +wait +sleep 0.001 s +%S+trace_spec.lua:%d+\n",
      "#" .. t.id .. " worker +wait +GET " .. origin.url .. "/bytes/7",
      "200 +GET " .. origin.url .. "/bytes/7 +7 B h1 new |.+ = %d+%.%d ms\n",
      "error +GET " .. origin.refused .. ": connect in connect after %d+%.%d ms\n",
      "cancel +cancel by #" .. task.current().id,
      "#" .. t.id .. " worker +end +ok +%(%d+ waits, busy %d+%.%d+ ms, sched %d+%.%d+ ms%)\n",
      "#" .. victim.id .. " %S+ +end +cancelled",
    } do
      equal(text:find((pattern:gsub("%-", "%%-"))) ~= nil, true, pattern)
    end
    for _, one in ipairs(out) do
      equal(one:find "^ *%+%d+%.%d " ~= nil and one:sub(-1) == "\n"
        and not one:sub(1, -2):find "\n", true, one)
    end
  end)

  it("lines shows the names of tasks that were there before", function()
    local out = {}
    local t = task.spawn(function()
      task.spawn(function()
        task.sleep(0.001)
        trace.mark "of a child"
      end):await()
    end)
    t.name = "older"
    turns(3)
    local stop = trace.lines({ write = function(_, text) out[#out + 1] = text end },
      { filter = { "mark", "end" } })
    t:await()
    events_of(t)
    task.sleep(0.002) -- later records come at the next turn of the loop
    stop()
    local text = table.concat(out)
    equal({ text:find "#%d+ %S+spec.lua:%d+ +mark +of a child" ~= nil,
      text:find "#%d+ older +end +ok" ~= nil }, { true, true })
  end)

  it("lines writes a wait for whose operation no memory was left", function()
    local decode, out = debug.getregistry()["septet.modules"]["septet.trace.decode"], {}
    local block = decode.block
    local _ <close> = setmetatable({}, { __close = function() decode.block = block end })
    decode.block = function(bytes, at, fn)
      return block(bytes, at, function(event)
        event.what = nil
        fn(event)
      end)
    end
    trace.lines { write = function(_, text) out[#out + 1] = text end }
    local t = task.spawn(function() task.sleep(0.001) end)
    t:await()
    events_of(t)
    task.sleep(0.002) -- later records come at the next turn of the loop
    local pattern = "#" .. t.id .. " %S+ +wait +%? +%S+trace_spec.lua:%d+\n"
    equal(table.concat(out):find(pattern) ~= nil, true)
  end)
end)

describe("what scripts add", function()
  it("spans nest, and end with the error that passes through them", function()
    local t = task.spawn(function()
      local a, b = trace.span("outer", function(x)
        trace.span("inner", task.sleep, 0.001)
        return x, 2
      end, 1)
      equal({ a, b }, { 1, 2 })
      local thrown = {}
      local ok, err = pcall(trace.span, "failing", function() error(thrown) end)
      equal({ ok, rawequal(err, thrown) }, { false, true })
      trace.mark "a mark"
      trace.mark("a value", 1.5)
      trace.count("items", 7)
    end)
    t:await()
    local open, seen = {}, {}
    for _, event in ipairs(events_of(t)) do
      if event.kind == "span_begin" then
        open[event.ref] = event.name
        equal(event.at:find "trace_spec.lua:%d+$" ~= nil, true)
      elseif event.kind == "span_end" then
        seen[#seen + 1] = ("%s %s"):format(open[event.ref], event.failed)
      elseif event.kind == "mark" or event.kind == "count" then
        seen[#seen + 1] = ("%s %s"):format(event.name, event.value)
      end
    end
    equal(seen, { "inner false", "outer false", "failing true", "a mark nil", "a value 1.5",
      "items 7.0" })
  end)

  it("a failure's event has the kind and the code of its error", function()
    local session <close> = http.session()
    local failed = task.spawn(session.get, session, origin.refused)
    pcall(failed.await, failed)
    local ended = first(events_of(failed), "end")
    equal({ ended.outcome, ended.error, ended.code }, { "error", "HttpError", "connect" })
    failed = task.spawn(error, "a string")
    pcall(failed.await, failed)
    ended = first(events_of(failed), "end")
    equal({ ended.outcome, ended.error, ended.code }, { "error", "error", nil })
  end)
end)

describe("subscriptions", function()
  it("an ended subscription gets nothing more, not even of the same turn", function()
    local seen, stop = 0, nil
    stop = trace.subscribe(function()
      seen = seen + 1
      stop()
      stop()
    end)
    origin.eventually(function() return seen > 0 end)
    task.sleep(0.002)
    equal(seen, 1)
  end)

  it("the level is the highest that a subscriber needs", function()
    local core = debug.getregistry()["septet.core"]
    local before = core.trace_level()
    local stop = trace.subscribe(function() end, { level = 3 })
    equal(core.trace_level(), 3)
    stop()
    equal(core.trace_level(), before)
    misuse("level", function() trace.subscribe(function() end, { level = 4 }) end)
  end)
end)

describe("recordings", function()
  it("a recording has what happened while it was open", function()
    local decode = debug.getregistry()["septet.modules"]["septet.trace.decode"]
    local path = os.tmpname()
    local _ <close> = setmetatable({}, { __close = function() os.remove(path) end })
    local recording = trace.record(path, { level = 2 })
    local t = task.spawn(task.sleep, 0.001)
    t:await()
    for _ = 1, 12000 do task.spawn(function() end):await() end -- more than the ring holds
    recording:close()
    recording:close()
    local file <close> = assert(io.open(path, "rb"))
    local bytes = file:read "a"
    local meta, at = decode.head(bytes)
    equal({ meta.version ~= nil, tonumber(meta.pid) ~= nil }, { true, true })
    local ends, seen, lost = 0, {}, 0
    while at <= #bytes do
      at = assert(decode.block(bytes, at, function(event)
        if event.kind == "end" then ends = ends + 1 end
        if event.kind == "lost" then lost = lost + event.count end
        if event.task == t.id then seen[#seen + 1] = event end
      end))
    end
    equal({ ends, lost }, { 12001, 0 })
    equal(kinds(seen), "spawn wait run ready run end")
    equal(first(seen, "wait").what, "sleep 0.001 s")
  end)

  it("a file that cannot be opened raises IoError", function()
    raises_error({ kind = "IoError" }, trace.record, "/nowhere/run.trc")
  end)
end)
