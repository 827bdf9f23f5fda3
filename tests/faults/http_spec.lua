-- SPDX-License-Identifier: MIT
-- What can go wrong with a request, on the network and by cancelling it. The waiting task gets a
-- typed error, and all others go on. The session works afterwards, and nothing is left open.
-- check: allow blocks
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"
local URL = origin.url

-- Returns the number of open descriptors of the process, or nil if it is not known.
local function descriptors()
  local stat = io.open "/proc/self/stat"
  if not stat then return nil end
  local pid = stat:read "n"
  stat:close()
  local ls <close> = io.popen(("ls /proc/%d/fd"):format(pid))
  local n = 0
  for _ in ls:lines() do n = n + 1 end
  return n
end

http.get(URL .. "/bytes/1") -- what the library opens once, it has opened
local at_start = descriptors()

local function nothing_open()
  collectgarbage()
  collectgarbage()
  -- A descriptor that is closed in one turn of the loop is gone in one of the next.
  origin.eventually(function() return descriptors() == at_start end)
end

local function works(session)
  for _ = 1, 3 do
    local r = session:get(URL .. "/bytes/16")
    equal({ r.status, r.body }, { 200, "0123456789abcdef" })
  end
end

-- Checks that a request fails as expected, during another one that must succeed.
local function fails(expected, method, url, options)
  local session <close> = http.session()
  local other = task.spawn(session.get, session, URL .. "/delay/0.02")
  task.checkpoint()
  expected.kind = "HttpError"
  local err = raises_error(expected, session.request, session, method, url, options)
  equal({ err.url, err.method, err.attempts }, { url, method, 1 })
  equal(type(err.phase), "string")
  equal(tostring(err):find(method, 1, true) ~= nil and tostring(err):find(url, 1, true) ~= nil,
    true)
  equal(other:await().status, 200)
  works(session)
  return err
end

describe("a request fails:", function()
  local RESET = { code = "reset", reason = "receive", phase = "receive" }
  local TRUNCATED = { code = "partial", reason = "truncated", phase = "receive" }

  it("a request to a closed port fails", function()
    fails({ code = "connect", reason = "refused", phase = "connect" }, "GET", origin.refused)
  end)

  it("a request to an unknown host fails", function()
    fails({ code = "dns", reason = "not_found", phase = "dns" }, "GET", "http://x.invalid/")
  end)

  it("a request fails if the origin resets before any byte", function()
    fails({ code = "reset", reason = "receive", phase = "wait" }, "GET", URL .. "/reset")
  end)

  it("a request fails if the origin resets in the middle of the body", function()
    fails(RESET, "GET", URL .. "/reset?after=100&length=1000")
  end)

  it("a request fails if the origin resets after the headers", function()
    fails(RESET, "GET", URL .. "/reset?after=0&length=1000")
  end)

  it("a request fails if the body is cut short", function()
    fails(TRUNCATED, "GET", URL .. "/truncate?length=1000&sent=500")
  end)

  it("a request fails if the body is cut short before its first byte", function()
    fails(TRUNCATED, "GET", URL .. "/truncate?length=1000&sent=0")
  end)

  it("a request fails if the origin closes without a response", function()
    fails({ code = "reset", reason = "empty", phase = "wait" }, "GET", URL .. "/empty")
  end)

  it("a request fails if the response is no HTTP", function()
    fails({ code = "protocol", reason = "status_line" }, "GET", URL .. "/garbage")
  end)

  it("a request fails if the origin switches protocols without an Upgrade", function()
    fails({ code = "protocol" }, "GET", URL .. "/status/101")
  end)

  it("a request fails if the body is larger than allowed", function()
    fails({ code = "body_too_large", phase = "receive" }, "GET",
      ("%s/bytes/%d"):format(URL, 64 * 1024 * 1024 + 1))
  end)

  it("a POST fails in the same ways", function()
    local body = { body = ("x"):rep(10000) }
    fails({ code = "connect", reason = "refused" }, "POST", origin.refused, body)
    fails({ code = "reset" }, "POST", URL .. "/reset", body)
    fails({ code = "partial" }, "POST", URL .. "/truncate", body)
    fails({ code = "reset", reason = "empty" }, "POST", URL .. "/empty", body)
  end)

  it("an uncaught error ends its task alone, with the script's line in the traceback", function()
    local session <close> = http.session()
    local function fetch()
      return session:get(origin.refused).status
    end
    local here = debug.getinfo(fetch, "S").linedefined + 1
    local t = task.spawn(fetch)
    local err = raises_error({ code = "connect" }, t.await, t)
    equal(err.traceback:find(("http_spec.lua:%d:"):format(here), 1, true) ~= nil, true,
      err.traceback)
    works(session)
  end)
end)

describe("a hundred failures at once", function()
  it("a hundred failures at once reach their own tasks", function()
    local session <close> = http.session { limit = 200, limit_per_host = 200 }
    local kinds = {
      { "/reset", "reset" }, { "/truncate", "partial" }, { "/empty", "reset" },
      { "/garbage", "protocol" }, { "/bytes/9", nil },
    }
    local tasks = {}
    for i = 1, 100 do
      local kind = kinds[i % #kinds + 1]
      tasks[i] = { task.spawn(session.get, session, URL .. kind[1]), kind[2] }
    end
    for _, pair in ipairs(tasks) do
      local ok, result = pcall(pair[1].await, pair[1])
      equal(ok, pair[2] == nil)
      equal(ok and result.status or result.code, pair[2] or 200)
    end
    works(session)
  end)
end)

describe("a time limit", function()
  -- Checks that the request runs into its own timeout while a ticker ticks.
  local function times_out(expected, session, url, options)
    local t0 = task.now()
    expected.kind, expected.code = "HttpError", "timeout"
    local _, err = with_ticker(raises_error, expected, session.request, session,
      options.body and "POST" or "GET", url, options)
    equal(task.now() - t0 >= options.timeout, true, "not early")
    equal(tostring(err):find(("(%s) while "):format(err.reason), 1, true) ~= nil, true,
      tostring(err))
    works(session)
  end

  -- The phases in which they end are tested where the clock is moved: virtual/http_limits_spec.lua.

  it("a timeout ends a request that is never answered", function()
    local session <close> = http.session()
    times_out({ reason = "total" }, session, URL .. "/stall", { timeout = 0.05 })
  end)

  it("a timeout ends a request in the middle of the body", function()
    local session <close> = http.session()
    times_out({ reason = "total" }, session, URL .. "/stall?after=10&length=100",
      { timeout = 0.05 })
  end)

  it("a timeout ends a request while the body drips", function()
    local session <close> = http.session()
    times_out({ reason = "total" }, session, URL .. "/drip?bytes=1000&interval=0.01",
      { timeout = 0.05 })
  end)

  it("a timeout ends a request after its own body is sent", function()
    local session <close> = http.session()
    times_out({ reason = "total" }, session, URL .. "/stall", { timeout = 0.05, body = "x" })
  end)

  it("a timeout ends a queued request", function()
    local session <close> = http.session { limit = 1 }
    local blocker = task.spawn(session.get, session, URL .. "/stall")
    turns(2)
    local t0 = task.now()
    with_ticker(raises_error,
      { kind = "HttpError", code = "timeout", reason = "total", phase = "queue" }, session.get,
      session, URL .. "/bytes/1", { timeout = 0.03 })
    equal(task.now() - t0 >= 0.03, true)
    blocker:cancel()
    task.wait { blocker }
    works(session)
  end)

  it("a timeout of zero has passed at once", function()
    local session <close> = http.session()
    raises_error({ kind = "HttpError", code = "timeout" }, session.get, session, URL .. "/stall",
      { timeout = 0 })
    works(session)
  end)

  it("a session's timeout holds for each request without its own", function()
    local session <close> = http.session { timeout = 0.05 }
    raises_error({ code = "timeout" }, session.get, session, URL .. "/stall")
    equal(session:get(URL .. "/delay/0.1", { timeout = 1000 }).status, 200)
    equal(session:get(URL .. "/bytes/1", { timeout = math.huge }).status, 200)
  end)

  it("a timeout ends a hundred requests that are never answered", function()
    local session <close> = http.session { limit = 100, limit_per_host = 100 }
    local tasks = {}
    for i = 1, 100 do
      tasks[i] = task.spawn(session.get, session, URL .. "/stall", { timeout = 0.1 })
    end
    for _, t in ipairs(tasks) do raises_error({ code = "timeout" }, t.await, t) end
    works(session)
  end)
end)

describe("a connection that was kept", function()
  it("an idle connection that the origin closed is replaced", function()
    for _, route in ipairs { "/idle-close", "/idle-reset", "/close" } do
      local session <close> = http.session()
      for _ = 1, 10 do equal(session:get(URL .. route).body, "01") end
    end
  end)

  it("an idle connection that the origin closed after a while is replaced", function()
    local session <close> = http.session()
    local mark = origin.mark()
    equal(session:get(URL .. "/idle-close?after=0.01&spec=while").body, "01")
    origin.closed(mark, origin.requests(mark, "/idle-close?after=0.01&spec=while")[1].connection)
    works(session)
  end)

  it("a connection is not used again after a failure", function()
    local session <close> = http.session()
    local mark = origin.mark()
    pcall(session.get, session, URL .. "/truncate?spec=again")
    session:get(URL .. "/bytes/1?spec=again")
    equal(origin.connections({ origin.requests(mark, "/truncate?spec=again")[1],
      origin.requests(mark, "/bytes/1?spec=again")[1] }), 2)
  end)
end)

describe("cancelling a request", function()
  -- Starts a request, calls `there` to wait for its phase, and cancels it while a ticker ticks.
  local function cancels(session, url, there, options)
    local t = task.spawn(session.request, session, options and options.body and "POST" or "GET",
      url, options)
    with_ticker(function()
      there()
      t:cancel "not any more"
      local err = raises_error({ kind = "TaskCancelled", reason = "not any more" }, t.await, t)
      equal(rawequal(err.task, t), true)
      task.sleep(0.005) -- the ticker's turn
    end)
    equal(t:status(), "cancelled")
    works(session)
  end

  -- Waits until the origin has the request.
  local function at_origin(target)
    local mark = origin.mark()
    return function()
      origin.eventually(function() return origin.requests(mark, target)[1] end)
    end
  end

  it("a queued request may be cancelled", function()
    local session <close> = http.session { limit = 1 }
    local blocker = task.spawn(session.get, session, URL .. "/stall")
    turns(2)
    local queued = task.spawn(session.get, session, URL .. "/bytes/1?spec=queued")
    turns(2)
    local mark = origin.mark()
    with_ticker(function()
      queued:cancel()
      raises_error({ kind = "TaskCancelled" }, queued.await, queued)
      task.sleep(0.005)
    end)
    equal(blocker:status(), "suspended")
    blocker:cancel()
    task.wait { blocker }
    works(session)
    equal(#origin.requests(mark, "/bytes/1?spec=queued"), 0) -- it never left
  end)

  it("a request may be cancelled before the loop has seen it", function()
    local session <close> = http.session()
    cancels(session, URL .. "/stall", function() task.checkpoint() end)
  end)

  it("a connecting request may be cancelled", function()
    local session <close> = http.session()
    cancels(session, URL .. "/stall", function() turns(2) end)
  end)

  it("a request that waits for its response may be cancelled", function()
    local session <close> = http.session()
    cancels(session, URL .. "/stall?spec=waiting", at_origin "/stall?spec=waiting")
  end)

  it("a request that receives its body may be cancelled", function()
    local session <close> = http.session()
    cancels(session, URL .. "/stall?after=10&length=100", at_origin "/stall?after=10&length=100")
    cancels(session, URL .. "/drip?bytes=100&interval=0.01",
      at_origin "/drip?bytes=100&interval=0.01")
  end)

  it("a request that sends its body may be cancelled", function()
    local session <close> = http.session()
    cancels(session, URL .. "/echo", function() turns(3) end, { body = ("x"):rep(20000000) })
  end)

  it("a request that follows redirects may be cancelled", function()
    local session <close> = http.session()
    cancels(session, URL .. "/redirect-to?url=/stall%3Fspec%3Dredirected",
      at_origin "/stall?spec=redirected")
  end)

  it("requests may be cancelled during their lookups, after each number of passes", function()
    local session <close> = http.session { limit = 100, limit_per_host = 100 }
    for passes = 0, 9 do
      local tasks = {}
      for i = 1, 5 do
        local url = ("http://spec-%d-%d.invalid/"):format(passes, i)
        tasks[i] = task.spawn(session.get, session, url)
      end
      with_ticker(function()
        turns(passes)
        for _, t in ipairs(tasks) do t:cancel() end
        for _, t in ipairs(tasks) do
          local err = raises(nil, t.await, t)
          equal(err.kind == "TaskCancelled" or err.kind == "HttpError" and err.code == "dns", true,
            tostring(err))
        end
        task.sleep(0.005)
      end)
    end
    works(session)
  end)

  it("a cancelled request gives its slot to the next one at once", function()
    local session <close> = http.session { limit = 1 }
    local stuck = task.spawn(session.get, session, URL .. "/stall")
    local next_one = task.spawn(session.get, session, URL .. "/bytes/2")
    turns(3)
    stuck:cancel()
    equal(next_one:await().body, "01")
    task.wait { stuck }
  end)

  it("a failure in a group cancels the requests of its siblings", function()
    local session <close> = http.session()
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      for _ = 1, 5 do g:spawn(session.get, session, URL .. "/stall") end
      g:spawn(session.get, session, URL .. "/empty")
    end)
    equal(#err.errors, 1)
    equal(err.errors[1].code, "reset")
    works(session)
  end)

  it("a failure in a gather cancels the others, and raises the HttpError", function()
    local session <close> = http.session()
    local list = { function() session:get(origin.refused) end }
    for i = 2, 6 do
      list[i] = function() session:get(URL .. "/stall") end
    end
    raises_error({ kind = "HttpError", code = "connect" }, task.gather, list)
    works(session)
  end)

  it("a timeout of task.wait cancels no request", function()
    local session <close> = http.session()
    local t = task.spawn(session.get, session, URL .. "/delay/0.05")
    local done, pending = task.wait({ t }, { timeout = 0.005 })
    equal({ #done, #pending }, { 0, 1 })
    equal(t:await().status, 200)
  end)
end)

describe("http.1000_parallel_cancel http.cancel_then_reuse_session: 1000 cancellations", function()
  it("a session works after a thousand cancellations", function()
    math.randomseed(20240607)
    local session <close> = http.session {
      limit = 100, limit_per_host = 60, headers = { ["X-One"] = "1" },
    }
    local targets = {
      URL .. "/bytes/10", URL .. "/bytes/100000", URL .. "/delay/0.01",
      URL .. "/stall", URL .. "/stall?after=5&length=50",
      URL .. "/drip?bytes=20&interval=0.002", URL .. "/truncate", URL .. "/reset",
      URL .. "/reset?after=5&length=50", URL .. "/empty", URL .. "/redirect/3",
      URL .. "/gzip?bytes=50000", URL .. "/chunked", URL .. "/close", URL .. "/garbage",
      origin.refused, ("http://localhost:%d/bytes/10"):format(origin.port),
    }
    local codes = { reset = true, partial = true, protocol = true, connect = true }
    local outcomes = { done = 0, failed = 0, cancelled = 0 }
    local function one(i)
      local target = targets[math.random(#targets)]
      local t = task.spawn(session.get, session, target)
      if math.random(2) == 1 then
        turns(math.random(0, 20))
      else
        task.sleep(math.random() * 0.02)
      end
      t:cancel()
      local ok, err = pcall(t.await, t)
      outcomes[t:status()] = outcomes[t:status()] + 1
      local expected = task.is(err, "HttpError") and codes[err.code] == true
      equal(ok or task.is(err, "TaskCancelled") or expected, true,
        ("request %d to %s: %s"):format(i, target, tostring(err)))
    end
    with_ticker(function()
      local numbers = {}
      for i = 1, 1000 do numbers[i] = i end
      for _, t in ipairs(task.map(one, numbers)) do t:await() end
    end)
    equal(outcomes.done + outcomes.failed + outcomes.cancelled, 1000)
    equal(outcomes.cancelled > 100, true)
    works(session)
    local list = {}
    for i = 1, 50 do
      list[i] = function() return session:get(URL .. "/bytes/16").body end
    end
    local results = task.gather(list)
    for i = 1, 50 do equal(results[i], "0123456789abcdef") end
  end)
end)

describe("what is left", function()
  it("every descriptor is closed", function()
    if at_start then nothing_open() end
  end)

  it("http.closesocket_lifetime: no socket outlives a session closed under any request", function()
    local session = http.session { limit = 3 }
    local tasks = {}
    local paths = {
      "/stall", "/stall?after=1&length=9", "/drip?bytes=100&interval=0.01", "/bytes/1", "/bytes/2",
    }
    for i, path in ipairs(paths) do
      tasks[i] = task.spawn(session.get, session, URL .. path)
    end
    turns(5)
    session:close()
    local closed = { kind = "HttpError", code = "closed" }
    for _, t in ipairs(tasks) do raises_error(closed, t.await, t) end
    if at_start then nothing_open() end
  end)
end)
