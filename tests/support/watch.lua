-- SPDX-License-Identifier: MIT
-- Trace hooks that record, and what their events must be: for specs of sequences.
local task, http = require "septet.task", require "septet.http"

local watch = {}

--- The names of all hooks of requests.
watch.NAMES = {}
for name in ([[request_start connection_queued_start connection_queued_end connection_create_start
  connection_create_end connection_reuseconn connection_attempt dns_resolvehost_start
  dns_resolvehost_end dns_cache_hit dns_cache_miss request_headers_sent request_chunk_sent
  response_headers response_chunk_received request_redirect request_end request_exception]])
  :gmatch "%S+" do
  watch.NAMES[#watch.NAMES + 1] = name
end

-- The ends by their starts.
local ENDS = { connection_queued_start = "connection_queued_end",
  connection_create_start = "connection_create_end",
  dns_resolvehost_start = "dns_resolvehost_end" }

--- Returns hooks for all events, which call act(name, ctx, ev).
function watch.all(act)
  local hooks = {}
  for _, name in ipairs(watch.NAMES) do
    hooks[name] = function(ctx, ev) act(name, ctx, ev) end
  end
  return hooks
end

--- Checks the events of one request: each start is closed, there is one end, times do not go back.
--- Returns their names, without further pieces of a body: their number is the network's choice.
function watch.judged(events)
  local open, names, last, ends = {}, {}, nil, 0
  for i, event in ipairs(events) do
    local name, ev = event.name, event.ev
    equal(ev.time >= events[math.max(1, i - 1)].ev.time, true, name .. ": time goes back")
    equal(rawequal(event.ctx, events[1].ctx), true, name .. ": another ctx")
    equal(ends, 0, name .. " after the end")
    if ENDS[name] then
      equal(open[ENDS[name]], nil, name .. " twice")
      open[ENDS[name]] = true
    elseif name:find "_end$" and name ~= "request_end" then
      equal(open[name], true, name .. " without its start")
      open[name] = nil
    end
    if name == "request_end" or name == "request_exception" then
      ends = ends + 1
      equal(next(open), nil, tostring(next(open)) .. " is missing")
      equal(ev.lost, nil)
    end
    equal(name == "request_start", i == 1, name)
    if name ~= last or not name:find "chunk" then
      names[#names + 1] = ev.failed and name .. "!" or name
    end
    last = name
  end
  equal(ends, 1, "an end")
  return table.concat(names, " ")
end

--- Returns hooks that record, the events by request, and the requests in their order.
function watch.recorder()
  local by_request, order = {}, {}
  return watch.all(function(name, ctx, ev)
    if not by_request[ev.request] then
      by_request[ev.request] = {}
      order[#order + 1] = ev.request
    end
    table.insert(by_request[ev.request], { name = name, ctx = ctx, ev = ev })
  end), by_request, order
end

-- The words of sequences: the hooks that are common are short.
local WORDS = { start = "request_start", created = "connection_create_end",
  create = "connection_create_start", try = "connection_attempt", reuse = "connection_reuseconn",
  queue = "connection_queued_start", queued = "connection_queued_end", miss = "dns_cache_miss",
  hit = "dns_cache_hit", resolve = "dns_resolvehost_start", resolved = "dns_resolvehost_end",
  sent = "request_headers_sent", upload = "request_chunk_sent", head = "response_headers",
  body = "response_chunk_received", redirect = "request_redirect", ["end"] = "request_end",
  exception = "request_exception" }

--- Returns the names for which the words stand.
function watch.spelt(words)
  return (words:gsub("%s+", " "):gsub("%a+", WORDS))
end

--- Runs act(session, options) in a task, with options that trace, and expects a sequence of events
--- of the last request. meanwhile(t, session) may disturb it. Returns the events and the task.
function watch.sequence(words, session_options, act, meanwhile)
  local hooks, by_request, order = watch.recorder()
  local session <close> = http.session(session_options)
  local t = task.spawn(act, session, { trace = hooks })
  if meanwhile then meanwhile(t, session) end
  task.wait { t }
  t:result() -- seen: its failure is told by its events
  local events = by_request[order[#order]]
  equal(watch.judged(events), watch.spelt(words))
  session:close()
  turns(3)
  equal(watch.judged(events), watch.spelt(words), "later events")
  return events, t
end

--- Returns the first event of a name.
function watch.named(events, name)
  for _, event in ipairs(events) do
    if event.name == name then return event.ev end
  end
end

return watch
