-- SPDX-License-Identifier: MIT
-- septet.http: trace hooks, which requests they see and what they may do.
-- check: allow cannot-wait
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"

local URL, echo = origin.url, origin.echo

describe("trace hooks", function()
  -- A session whose hooks log their arguments.
  local function traced(options)
    local events = {}
    local function note(name)
      return function(ctx, ev)
        events[#events + 1] = { hook = name, ctx = ctx, ev = ev }
      end
    end
    options = options or {}
    options.trace = { request_start = note "start", request_end = note "end",
      request_exception = note "exception" }
    return http.session(options), events
  end

  local function names(events)
    local list = {}
    for i, event in ipairs(events) do list[i] = event.hook end
    return table.concat(list, " ")
  end

  it("hooks see start and end, with one context for each request", function()
    local session <close>, events = traced()
    session:get(URL .. "/bytes/1")
    session:post(URL .. "/status/500", { body = "x" })
    equal(names(events), "start end start end")
    local first, last = events[1], events[2]
    equal(rawequal(first.ctx, last.ctx), true)
    equal(rawequal(first.ctx, events[3].ctx), false)
    equal({ first.ev.method, first.ev.url, first.ev.request },
      { "GET", URL .. "/bytes/1", last.ev.request })
    equal({ last.ev.method, last.ev.url, last.ev.status }, { "GET", URL .. "/bytes/1", 200 })
    equal({ events[4].ev.method, events[4].ev.status }, { "POST", 500 })
    equal(first.ev.request ~= events[3].ev.request, true)
    equal(first.ev.time <= last.ev.time, true)
    equal(last.ev.time <= task.now(), true)
  end)

  it("hooks see the end before the waiting task goes on", function()
    local session <close>, events = traced()
    local t = task.spawn(function()
      session:get(URL .. "/bytes/1")
      return names(events)
    end)
    equal(t:await(), "start end")
  end)

  it("hooks measure from the start to the end of the body", function()
    local session <close>, events = traced()
    session:get(URL .. "/drip?bytes=3&interval=0.01")
    equal(events[2].ev.time - events[1].ev.time >= 0.03, true)
  end)

  it("requests share a context that the script has written to, each in its own copy", function()
    local elapsed = {}
    local session <close> = http.session { trace = {
      request_start = function(ctx, ev) ctx.t0 = ev.time end,
      request_end = function(ctx, ev) elapsed[#elapsed + 1] = ev.time - ctx.t0 end,
    } }
    local list = {}
    for i = 1, 20 do
      list[i] = function() session:get(URL .. "/delay/0.01") end
    end
    task.gather(list)
    equal(#elapsed, 20)
    for _, seconds in ipairs(elapsed) do equal(seconds >= 0.01, true) end
  end)

  it("a session may have any of the three hooks alone", function()
    for _, name in ipairs { "request_start", "request_end", "request_exception" } do
      local calls = 0
      local session <close> = http.session { trace = { [name] = function() calls = calls + 1 end } }
      session:get(URL .. "/bytes/1")
      pcall(session.get, session, origin.refused)
      equal(calls, name == "request_start" and 2 or 1, name)
    end
    local session <close> = http.session { trace = {} }
    equal(session:get(URL .. "/bytes/1").status, 200)
  end)

  it("hooks see a failure once", function()
    local session <close>, events = traced()
    local err = raises_error({ code = "connect" }, session.get, session, origin.refused)
    equal(names(events), "start exception")
    local ev = events[2].ev
    equal(rawequal(events[1].ctx, events[2].ctx), true)
    equal({ ev.exception.kind, ev.exception.code, ev.exception.phase },
      { "HttpError", err.code, err.phase })
    equal(ev.cancelled, false)
    equal(ev.status, nil)
    equal(ev.url, origin.refused)
  end)

  it("hooks see every kind of failure exactly once", function()
    local session <close>, events = traced()
    for _, url in ipairs { origin.refused, URL .. "/reset", URL .. "/reset?after=10&length=100",
      URL .. "/truncate",
      URL .. "/empty", URL .. "/garbage", "nothing", "ftp://127.0.0.1/", URL .. "/a\tb" } do
      local n = #events
      equal(pcall(session.get, session, url), false, url)
      task.checkpoint()
      task.checkpoint()
      equal(#events, n + 2, url)
      equal({ events[n + 1].hook, events[n + 2].hook }, { "start", "exception" }, url)
    end
    local n = #events
    pcall(session.get, session, URL .. "/stall", { timeout = 0.02 })
    equal(#events, n + 2)
    equal(events[n + 2].ev.exception.code, "timeout")
  end)

  it("hooks are safe if a request fails at once and the collector runs", function()
    local session <close>, events = traced()
    for _ = 1, 20 do
      pcall(session.get, session, "nothing")
      collectgarbage()
      collectgarbage()
    end
    task.checkpoint()
    equal(#events, 40)
  end)

  it("hooks see a cancellation once, wherever the request was", function()
    for _, at in ipairs { "queue", "connect", "wait", "receive" } do
      local session <close>, events = traced { limit = 1 }
      local blocker = at == "queue" and task.spawn(session.get, session, URL .. "/stall")
      turns(2)
      local before = #events
      local target = (at == "receive" and "/stall?after=10&length=100&spec=" or "/stall?spec=")
        .. at
      local mark = origin.mark()
      local t = task.spawn(session.get, session, URL .. target)
      turns(2)
      if at == "wait" or at == "receive" then
        origin.eventually(function() return origin.requests(mark, target)[1] end)
      end
      t:cancel()
      raises_error({ kind = "TaskCancelled" }, t.await, t)
      equal(#events, before + 2, at)
      equal(events[before + 1].hook, "start", at)
      equal(events[before + 2].hook, "exception", at)
      equal(events[before + 2].ev.cancelled, true)
      equal(events[before + 2].ev.exception, nil)
      if blocker then
        blocker:cancel()
        task.wait { blocker }
        equal(#events, before + 3)
      end
    end
  end)

  it("hooks see a cancellation that came before the request", function()
    local session <close>, events = traced()
    local t = task.spawn(function()
      task.current():cancel()
      session:get(URL .. "/bytes/1")
    end)
    raises_error({ kind = "TaskCancelled" }, t.await, t)
    turns(2)
    equal(names(events), "start exception")
    equal(events[2].ev.cancelled, true)
  end)

  it("hooks see the end of requests whose session is closed", function()
    local session, events = traced { limit = 1 }
    local a = task.spawn(session.get, session, URL .. "/stall")
    local b = task.spawn(session.get, session, URL .. "/stall")
    turns(2)
    session:close()
    pcall(a.await, a)
    pcall(b.await, b)
    turns(2)
    equal(names(events), "start start exception exception")
    equal(events[3].ev.exception.code, "closed")
  end)

  it("hooks see a redirected request once, at its last end", function()
    local session <close>, events = traced()
    session:get(URL .. "/redirect/3")
    equal(names(events), "start end")
    equal(events[2].ev.status, 200)
    pcall(session.get, session, URL .. "/redirect/11")
    turns(2)
    equal(names(events), "start end start exception")
    equal(events[4].ev.exception.code, "redirect")
    session:get(URL .. "/status/302")
    equal(names(events), "start end start exception start end")
    equal(events[6].ev.status, 302)
  end)

  it("the start hook may edit the headers", function()
    local session <close> = http.session { headers = { ["X-Session"] = "s", ["X-Gone"] = "g" },
      trace = {
      request_start = function(_, ev)
        ev.headers["X-Added"] = "added"
        ev.headers["X-Gone"] = nil
        ev.headers["X-Session"] = ev.headers["X-Session"] .. "+"
      end,
    } }
    local headers = echo(session, "GET", { headers = { ["X-Request"] = "r" } }).headers
    equal({ headers["x-added"], headers["x-session"], headers["x-request"] },
      { "added", "s+", "r" })
    equal(headers["x-gone"], nil)
  end)

  it("the start hook may raise, and nothing is sent", function()
    local thrown, events = {}, 0
    local session <close> = http.session { trace = {
      request_start = function() error(thrown) end,
      request_end = function() events = events + 1 end,
      request_exception = function() events = events + 1 end,
    } }
    local mark = origin.mark()
    local ok, err = pcall(session.get, session, URL .. "/bytes/1?spec=abort")
    equal(ok, false)
    equal(rawequal(err, thrown), true)
    equal(#origin.requests(mark, "/bytes/1?spec=abort"), 0)
    equal(events, 0)
  end)

  it("a bad header from a hook is refused before anything is sent", function()
    local session <close> = http.session { trace = {
      request_start = function(_, ev) ev.headers["X-Bad"] = "a\r\nEvil: 1" end,
    } }
    local mark = origin.mark()
    raises_error({ kind = "Usage" }, session.get, session, URL .. "/bytes/1?spec=bad")
    equal(#origin.requests(mark, "/bytes/1?spec=bad"), 0)
  end)

  it("a hook that fails after the start does not change the request", function()
    local session <close> = http.session { trace = {
      request_end = function() error "a hook of this spec fails" end,
      request_exception = function() error({}) end,
    } }
    equal(session:get(URL .. "/bytes/3").body, "012")
    raises_error({ code = "connect" }, session.get, session, origin.refused)
    equal(session:get(URL .. "/bytes/3").body, "012")
  end)

  it("hooks cannot wait", function()
    local refusals = {}
    local function hook()
      refusals[#refusals + 1] = select(2, pcall(task.sleep, 0.001)) or "waited"
    end
    local session <close> = http.session {
      trace = { request_end = hook, request_exception = hook },
    }
    session:get(URL .. "/bytes/1")
    pcall(session.get, session, origin.refused)
    equal(#refusals, 2)
    for _, err in ipairs(refusals) do
      equal(task.is(err, "Usage"), true)
      equal(err.message:find "cannot wait here" ~= nil, true)
    end
  end)

  it("hooks may not spawn, and may cancel and close the session", function()
    local session, t
    session = http.session { trace = { request_end = function()
      t:cancel()
      session:close()
    end } }
    local other
    t = task.spawn(function() session:get(URL .. "/stall") end)
    other = task.spawn(function() return session:get(URL .. "/bytes/1").status end)
    equal(other:await(), 200)
    pcall(t.await, t)
    equal(t:status() == "cancelled" or t:status() == "failed", true)
  end)
end)
