-- SPDX-License-Identifier: MIT
-- Trace events of a request, whatever its outcome: one start, then one end or one exception, and a
-- record of each attempt.
-- peers: blackhole dns
local task, http, trace = require "septet.task", require "septet.http", require "septet.trace"
local origin = require "origin"

local BLACKHOLE, DNS = assert(os.getenv "SEPTET_BLACKHOLE"), assert(os.getenv "SEPTET_DNS")

local records = {} -- of all tasks; there is no way to end a subscription
trace.subscribe(function(event) records[#records + 1] = event end)

-- Returns the records of a task's attempts after its end event: statuses, or codes of failures.
local function attempts_of(t)
  local words, ended
  origin.eventually(function()
    words, ended = {}, false
    for _, event in ipairs(records) do
      if event.task == t.id and event.kind == "xfer" then
        words[#words + 1] = event.code or tostring(event.status)
      end
      ended = ended or event.task == t.id and event.kind == "end"
    end
    return ended
  end)
  return table.concat(words, " ")
end

-- Returns the events of hooks as words, and checks that they fit together.
local function words_of(events)
  local words = {}
  for i, event in ipairs(events) do
    local first = events[1]
    local word = event.hook
    if event.cancelled then
      equal(event.exception, nil)
      word = "cancelled"
    elseif event.exception then
      local err = event.exception
      word = err.reason and err.code .. "/" .. err.reason or err.code or err.kind
    elseif event.status then
      word = tostring(event.status)
    end
    equal(event.ctx == first.ctx, true, "another ctx")
    equal({ event.request, event.method, event.url }, { first.request, first.method, first.url })
    equal(i == 1 or event.time >= events[i - 1].time, true, "times go backwards")
    words[i] = word
  end
  return table.concat(words, " ")
end

-- Runs act(session, options) in a task, with tracing options, and compares the events with the
-- expected ones. meanwhile(session, task, events) may disturb it. No event may follow.
local function traces(expected, attempts, session_options, act, meanwhile)
  local events = {}
  local function note(hook)
    return function(ctx, event)
      event.ctx, event.hook = ctx, hook
      events[#events + 1] = event
    end
  end
  local hooks = {
    request_start = note "start", request_end = note "end", request_exception = note "exception",
  }
  local session <close> = http.session(session_options)
  local t = task.spawn(act, session, hooks)
  if meanwhile then
    origin.eventually(function() return #events > 0 end)
    meanwhile(session, t)
  end
  task.wait { t }
  local ok, err = t:result()
  local responds = expected:find " %d+$" ~= nil
  equal(ok or responds and task.is(err, "Cancelled"), responds, tostring(err))
  equal(attempts_of(t), attempts, "attempts")
  equal(words_of(events), expected)
  session:close()
  turns(3)
  equal(words_of(events), expected, "later events")
  return t
end

-- A GET that may fail.
local function get(path, options)
  return function(session, hooks)
    local given = { trace = hooks }
    for name, value in pairs(options or {}) do given[name] = value end
    session:get(path:match "^/" and origin.url .. path or path, given)
  end
end

local function at(name, path)
  return ("http://%s:%d%s"):format(name, origin.port, path or "/bytes/1")
end

local function when_at_origin(path, act)
  local mark = origin.mark()
  return function(session, t)
    origin.eventually(function() return origin.requests(mark, path)[1] end)
    act(session, t)
  end
end

local function cancel(_, t) t:cancel() end
local function close(session) session:close() end

describe("http.42 hooks and records:", function()
  it("a response of each status has its events", function()
    traces("start 200", "200", {}, get "/bytes/5")
    traces("start 500", "500", {}, get "/status/500")
    traces("start 204", "204", {}, get "/status/204")
  end)

  it("redirects have their events, followed or not", function()
    traces("start 200", "302 302 200", {}, get "/redirect/2")
    traces("start 302", "302", { redirects = false }, get "/redirect/2")
    traces("start redirect/limit", "302 302", { redirects = 1 }, get "/redirect/3")
    traces("start redirect/denied", "302", {}, get "/redirect-to?url=ftp%3A%2F%2F127.0.0.1%2F")
  end)

  it("a redirect to a closed port has its events", function()
    traces("start connect/refused", "302 connect", {},
      get "/redirect-to?url=http%3A%2F%2F127.0.0.1%3A1%2F")
  end)

  it("retries have their events, successful or not", function()
    local retries = { attempts = 3, backoff = 0.001 }
    traces("start 200", "503 503 200", { retries = retries }, get "/fail/2?key=trace-a")
    traces("start 503", "503 503 503", { retries = retries }, get "/fail/9?key=trace-b")
    traces("start reset/receive", "reset reset reset", { retries = retries },
      get "/fail/9?key=trace-c&how=reset")
    traces("start connect/refused", "connect connect connect", { retries = retries },
      get(origin.refused))
  end)

  it("a retry that is cancelled in its delay has its events", function()
    traces("start cancelled", "503",
      { retries = { attempts = 3, backoff = 1000, max_backoff = 1000 } }, get "/fail/1?key=trace-d",
      when_at_origin("/fail/1?key=trace-d", function(session, t)
        origin.eventually(function() return session:stats().active == 0 end)
        t:cancel()
      end))
  end)

  it("failed connections and lookups, and denials, have their events", function()
    traces("start connect/refused", "connect", {}, get(origin.refused))
    traces("start dns/not_found", "dns", { resolver = DNS }, get(at "trace.nx.test"))
    traces("start url/scheme", "url", {}, get "ftp://127.0.0.1/")
    traces("start denied/address", "denied", { deny = "127.0.0.1" }, get "/bytes/1")
  end)

  it("requests that are cancelled in each phase have their events", function()
    local session <close> = http.session { limit = 1 }
    local holder = task.spawn(session.get, session, origin.url .. "/stall")
    traces("start cancelled", "cancelled", {}, function(_, hooks)
      session:get(origin.url .. "/bytes/1", { trace = hooks })
    end, function(_, t)
      origin.eventually(function() return session:stats().queued == 1 end)
      t:cancel()
    end)
    holder:cancel()
    task.wait { holder }
    traces("start cancelled", "cancelled", { resolver = DNS }, get(at "trace.silent.test"), cancel)
    traces("start cancelled", "cancelled", {}, get(at(BLACKHOLE)), function(s, t)
      origin.eventually(function() return s:stats().connections == 1 end)
      t:cancel()
    end)
    traces("start cancelled", "cancelled", {}, get "/stall?trace=w",
      when_at_origin("/stall?trace=w", cancel))
    traces("start cancelled", "cancelled", {}, get "/stall?after=10&length=100&trace=r",
      when_at_origin("/stall?after=10&length=100&trace=r", cancel))
  end)

  it("a request that is cancelled before its start has its events", function()
    traces("start cancelled", "", {}, function(session, hooks)
      task.current():cancel()
      session:get(origin.url .. "/bytes/1", { trace = hooks })
    end)
  end)

  it("requests of a closed session have their events", function()
    traces("start closed", "closed", {}, get "/stall?trace=c",
      when_at_origin("/stall?trace=c", close))
    traces("start closed", "closed", { resolver = DNS }, get(at "trace2.silent.test"), close)
    traces("start Usage", "", {}, function(session, hooks)
      session:close()
      session:get(origin.url .. "/bytes/1", { trace = hooks })
    end)
  end)

  it("each timeout has its events", function()
    traces("start timeout/total", "timeout", { timeout = 0.05 }, get "/stall")
    traces("start timeout/first_byte", "timeout", { timeout = { first_byte = 0.05 } }, get "/stall")
    traces("start timeout/idle", "timeout", { timeout = { idle = 0.05 } },
      get "/stall?after=10&length=100")
    traces("start timeout/connect", "timeout", { timeout = { connect = 0.05 } }, get(at(BLACKHOLE)))
    traces("start timeout/connect", "timeout", { timeout = { connect = 0.05 }, resolver = DNS },
      get(at "trace3.silent.test"))
    local session <close> = http.session { limit = 1 }
    local holder = task.spawn(session.get, session, origin.url .. "/stall")
    origin.eventually(function() return session:stats().active == 1 end)
    traces("start timeout/queue", "timeout", {}, function(_, hooks)
      session:get(origin.url .. "/bytes/1", { trace = hooks, timeout = { queue = 0.05 } })
    end)
    holder:cancel()
    task.wait { holder }
  end)

  it("a timeout of a block has its events", function()
    traces("start cancelled", "cancelled", {}, function(session, hooks)
      task.timeout(0.05, function() session:get(origin.url .. "/stall", { trace = hooks }) end)
    end)
  end)

  it("broken responses have their events", function()
    traces("start partial/truncated", "partial", {}, get "/truncate")
    traces("start reset/empty", "reset", {}, get "/empty")
    traces("start reset/receive", "reset", {}, get "/reset?after=10&length=100")
    traces("start protocol/status_line", "protocol", {}, get "/garbage")
    traces("start body_too_large", "body_too_large", { max_body = 10 }, get "/bytes/11")
  end)

  -- Who closes a stream has what he wanted of it: that is no exception.
  it("a stream that is read, closed early, or left has its events", function()
    traces("start 200", "200", {}, function(session, hooks)
      local response <close> = session:stream("GET", origin.url .. "/bytes/100000",
        { trace = hooks })
      equal(#response.body, 100000)
    end)
    traces("start 200", "200", {}, function(session, hooks)
      session:stream("GET", origin.url .. "/stall?after=10&length=100", { trace = hooks }):close()
    end)
    traces("start 200", "200", {}, function(session, hooks)
      session:stream("GET", origin.url .. "/stall?after=10&length=100", { trace = hooks })
    end)
    traces("start 200", "302 200", {}, function(session, hooks)
      local response <close> = session:stream("GET", origin.url .. "/redirect/1", { trace = hooks })
      equal(#response.body > 0, true)
    end)
  end)

  it("a stream that is cancelled before its header block has its events", function()
    traces("start cancelled", "cancelled", {}, function(session, hooks)
      session:stream("GET", origin.url .. "/stall?trace=h", { trace = hooks })
    end, when_at_origin("/stall?trace=h", cancel))
  end)

  it("a stream that breaks, or whose reader is cancelled, has its events", function()
    traces("start partial/truncated", "partial", {}, function(session, hooks)
      local response <close> = session:stream("GET", origin.url .. "/truncate", { trace = hooks })
      return response.body
    end)
    traces("start closed", "closed", {}, function(session, hooks)
      local response <close> = session:stream("GET", origin.url .. "/stall?after=10&length=100",
        { trace = hooks })
      session:close()
      return response.body
    end)
    local has_head = false
    traces("start cancelled", "cancelled", {}, function(session, hooks)
      local response <close> = session:stream("GET", origin.url .. "/stall?after=10&length=100",
        { trace = hooks })
      has_head = true
      return response.body
    end, function(_, t)
      origin.eventually(function() return has_head end)
      t:cancel()
    end)
  end)

  it("an upload that fails, or is refused, has its events", function()
    local function fails() error("the source is dry", 0) end
    traces("start upload", "upload", {}, function(session, hooks)
      session:post(origin.url .. "/echo", { body = fails, trace = hooks })
    end)
    traces("start 413", "413", {}, function(session, hooks)
      local n = 0
      session:post(origin.url .. "/early/413", { trace = hooks, body = function()
        n = n + 1
        return n < 10 and ("x"):rep(1000) or nil
      end })
    end)
  end)

  it("a request_start that raises has its events", function()
    local session <close> = http.session { trace = { request_start = function()
      error("no", 0)
    end } }
    local events = {}
    pcall(session.get, session, origin.url .. "/bytes/1", { trace = {
      request_start = function() events[#events + 1] = "start" end,
      request_exception = function() events[#events + 1] = "exception" end } })
    equal(events, {}, "hooks without the start event get no end event")
  end)
end)
