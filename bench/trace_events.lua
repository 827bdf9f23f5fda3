-- SPDX-License-Identifier: MIT
-- Makes the events of a large trace, the same ones for the same seed: tasks that take turns at 48
-- places, each with a request and a wait for another thing. Returns a function.
local HOSTS = 12
local PLACES = 48
local SPANS = 7 -- of a task: itself, three turns, two waits, a request

-- A generator of its own: that of math.random may change with the version of Lua.
local function new_random(seed)
  local state = seed & 0x7fffffff
  return function()
    state = (state * 1103515245 + 12345) & 0x7fffffff
    return (state >> 8) / 0x800000
  end
end

local function request_events(add, random, id, start, ref)
  local total = 0.01 * (1 - random()) ^ -0.7 -- a long tail
  local e = { kind = "xfer", task = id, time = start, ref = ref, request = ref, resend = 0,
    method = "GET", at = "crawl.lua:41", total = total, queue = total * 0.1 * random(),
    protocol = random() < 0.5 and 20 or 11, reused = random() < 0.8, status = 200, sent = 0,
    url = ("https://host%d.example/page/%d?n=%d"):format(random() * HOSTS // 1, id % 700, id),
    bytes = random() * 50000 // 1 | 0, insecure = false, peer = "192.0.2.1:443" }
  if not e.reused then
    e.dns, e.tcp, e.tls = total * 0.05, total * 0.1, total * 0.15
  end
  e.send, e.receive = total * 0.01, total * (0.05 + 0.1 * random())
  local others = e.queue + (e.dns or 0) + (e.tcp or 0) + (e.tls or 0) + e.send + e.receive
  e.wait = (total - others) * 0.99
  local luck = random()
  if luck < 0.01 then
    e.status, e.code, e.phase = 0, luck < 0.004 and "timeout" or "connect", "connect"
  elseif luck < 0.03 then
    e.status = luck < 0.02 and 503 or 404
  end
  local finish = start + total
  e.time = start
  add(finish, e)
  return finish, e
end

local waits = { { "sleep 0.01 s", 0.01 }, { "semaphore", 0.004 }, { "recv channel", 0.007 },
  { "file write", 0.002 }, { "lock", 0.001 } }

local function task_events(add, random, id, start)
  local function turn(at, left)
    local duration = 2e-5 + 2e-4 * random()
    add(at + duration, { kind = "run", task = id, time = at, duration = duration, left = left })
    return at + duration
  end
  local function wait(from, till, what, ref)
    add(from, { kind = "wait", task = id, what = what, ref = ref, at = "crawl.lua:41" })
    add(till, { kind = "ready", task = id, by = 0, cancelled = false })
  end
  add(start, { kind = "spawn", task = id, parent = 1, defined = "crawl.lua:38",
    at = "crawl.lua:52" })
  local at = turn(start + 1e-5, "wait")
  local finish, request = request_events(add, random, id, at, id)
  wait(at, finish, ("http GET %s"):format(request.url), id)
  at = turn(finish + 1e-5, "wait")
  local other = waits[random() * #waits // 1 + 1]
  finish = at + other[2] * (0.5 + random())
  wait(at, finish, other[1])
  at = turn(finish + 1e-5, "end")
  local failed = request.code ~= nil
  add(at, { kind = "end", task = id, outcome = failed and "error" or "ok",
    error = failed and "HttpError" or nil, code = request.code })
  return at
end

--- Returns at least `spans` spans' worth of events, by time.
---@param spans integer
---@param seed integer
return function(spans, seed)
  local random, events, places = new_random(seed), {}, {}
  local function add(time, event)
    event.time = event.time or time
    events[#events + 1] = { time, #events, event }
  end
  add(0, { kind = "clock", task = 0, unix = 1766426787.5, unix_ns = 1766426787500000000 })
  add(0, { kind = "spawn", task = 1, parent = 0, defined = "crawl.lua:1" })
  add(0, { kind = "name", task = 1, name = "main" })
  for place = 1, PLACES do places[place] = 0.001 * place end
  local last = 0
  for id = 2, spans // SPANS + 2 do
    local first = 1
    for place = 2, PLACES do
      if places[place] < places[first] then first = place end
    end
    places[first] = task_events(add, random, id, places[first] + 1e-4 * random()) + 1e-6
    last = math.max(last, places[first])
  end
  add(0.0005, { kind = "wait", task = 1, what = "scope", at = "crawl.lua:52" })
  add(last, { kind = "ready", task = 1, by = 2, cancelled = false })
  add(last, { kind = "run", task = 1, time = last, duration = 2e-5, left = "end" })
  add(last + 2e-5, { kind = "end", task = 1, outcome = "ok" })
  table.sort(events, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[2] < b[2]
  end)
  for i, e in ipairs(events) do events[i] = e[3] end
  return events
end
