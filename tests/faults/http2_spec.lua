-- SPDX-License-Identifier: MIT
-- HTTP/2: multiplexing, the faults of servers, and the state of a connection after them. It is
-- forced here also with versions of libcurl that are not fit for it.
-- peers: nginx h2 tls tinyproxy
local task, http = require "septet.task", require "septet.http"
local core = debug.getregistry()["septet.core"]
local origin = require "origin"

local NGINX, DIR, PORT = os.getenv "SEPTET_NGINX_TLS", os.getenv "SEPTET_TLS", os.getenv "SEPTET_H2"
local REFUSED = core.http2_refusal()
local HTTP2 = REFUSED and "force" or true
local MAJOR, MINOR = core.versions():match "libcurl (%d+)%.(%d+)"
local VERSION = MAJOR * 100 + MINOR

local function spawn_gets(session, url, n)
  local tasks = {}
  for i = 1, n do tasks[i] = task.spawn(session.get, session, url .. i) end
  return tasks
end

local function cancel_all(tasks)
  for _, t in ipairs(tasks) do t:cancel() end
  for _, t in ipairs(tasks) do raises_error({ kind = "TaskCancelled" }, t.await, t) end
end

-- Returns a session, the URL of a scenario of h2.py, and its log from here on.
local function scenario(name, options)
  local host = name .. ".invalid"
  options = options or {}
  options.http2, options.tls = HTTP2, { insecure = true } -- the certificate is for localhost
  options.resolve = { [host .. ":" .. PORT] = "127.0.0.1" }
  local function events(kind)
    local file <close> = assert(io.open(os.getenv "SEPTET_H2_LOG"))
    local found = {}
    for line in file:lines() do
      local event = origin.decode(line)
      if event.scenario == name and event.event == kind then found[#found + 1] = event end
    end
    return found
  end
  return http.session(options), ("https://%s:%s/"):format(host, PORT), events
end

it("http.41 is refused where libcurl loses data by it, unless it is forced", function()
  local ok, err = pcall(http.session, { http2 = true })
  equal(ok, REFUSED == nil)
  if ok then err:close() end
  if REFUSED then
    equal(core.is(err, "Usage"), true)
    equal(err.message:find("libcurl %d+%.%d+%.%d+; http2 = \"force\"") ~= nil, true, err.message)
  end
  http.session({ http2 = "force" }):close()
  misuse("bad option 'http2' to 'session' %(a boolean or \"force\" expected, got 2%)", function()
    http.session { http2 = 2 }
  end)
end)

describe("http.41 with nginx", function()
  local function session_with(options)
    options.http2, options.tls = HTTP2, { ca_file = DIR .. "/ca.pem" }
    return http.session(options)
  end

  it("a request uses HTTP/2, and HTTP/1.1 without the option", function()
    local session <close> = session_with {}
    local r = session:get(NGINX .. "/small.txt")
    equal({ r.status, r.version, r.body, r.reason }, { 200, "2", "0123456789abcdef", "" })
    equal(session:get(NGINX .. "/small.txt", { http2 = false }).version, "1.1")
    equal(session:get(os.getenv "SEPTET_NGINX" .. "/small.txt").version, "1.1")
    local moved = session:get(NGINX .. "/moved")
    equal({ moved.version, moved.body, moved.reused }, { "2", "0123456789abcdef", true })
  end)

  it("a handle does without HTTP/2 after a request with it, and the other way round", function()
    local with <close> = session_with {}
    local without <close> = http.session { tls = { ca_file = DIR .. "/ca.pem" } }
    local url = NGINX .. "/small.txt"
    for i = 1, 12 do
      equal(with:get(url).version, "2")
      if i % 3 ~= 0 then equal(without:get(url).version, "1.1") end
      if i % 4 == 0 then equal(with:get(url, { resend = false }).version, "2") end
      if i % 4 == 1 then
        local r <close> = with:stream("GET", url)
        equal(r:text(), "0123456789abcdef")
      end
    end
  end)

  it("a proxy's tunnel carries HTTP/2", function()
    local session <close> = session_with { proxy = "http://" .. os.getenv "SEPTET_TINYPROXY" }
    equal(session:get(NGINX .. "/small.txt").version, "2")
    equal(session:get(NGINX .. "/small.txt").reused, true)
  end)

  it("a server without HTTP/2 gets HTTP/1.1, on several connections at once", function()
    local session <close> = session_with { limit_per_host = 8 }
    local mark = origin.mark()
    for _, t in ipairs(spawn_gets(session, os.getenv "SEPTET_TLS_ORIGIN" .. "/bytes/", 20)) do
      equal(t:await().version, "1.1")
    end
    equal(#origin.since(mark, "open") <= 8, true)
  end)

  it("many requests share one connection", function()
    local session <close> = session_with { limit = 40, limit_per_host = 40 }
    equal(session:get(NGINX .. "/small.txt").version, "2")
    local urls = {}
    for i = 1, 40 do urls[i] = NGINX .. "/small.txt?" .. i end
    local reused = 0
    for _, r in ipairs(task.gather(task.map(function(url) return session:get(url) end, urls))) do
      equal({ r.status, r.version }, { 200, "2" })
      reused = reused + (r.times.tls and 0 or 1)
    end
    equal(reused, 40)
  end)

  it("bodies go both ways", function()
    local session <close> = session_with {}
    equal(#session:get(NGINX .. "/large.txt").body, 1024 * 1024)
    local echo = origin.decode(session:post(NGINX .. "/upstream/echo",
      { body = ("x"):rep(300000) }).body)
    equal(echo.body_size, 300000)
    local i = 0
    echo = origin.decode(session:post(NGINX .. "/upstream/echo", { body = function()
      i = i + 1
      return i <= 10 and ("y"):rep(10000) or nil
    end }).body)
    equal(echo.body_size, 100000)
    local stream <close> = session:stream("GET", NGINX .. "/large.txt")
    local n = 0
    for piece in stream:chunks() do n = n + #piece end
    equal(n, 1024 * 1024)
  end)

  it("a slow reader does not delay others of its connection, and may close", function()
    local session <close> = session_with {}
    equal(session:get(NGINX .. "/small.txt").version, "2")
    for _ = 1, 5 do
      local stream <close> = session:stream("GET", NGINX .. "/large.txt")
      equal(stream.version, VERSION >= 804 and "2" or "1.1") -- a pause would hold the whole of it
      local some = stream:read()
      equal(#some > 0, true)
      local r = session:get(NGINX .. "/small.txt")
      equal({ r.body, r.version, r.reused }, { "0123456789abcdef", "2", true })
    end
    equal(#session:get(NGINX .. "/large.txt").body, 1024 * 1024)
  end)
end)

describe("http.41", function()
  it("a hundred streams are open on one connection", function()
    local session, url, events = scenario("together", { limit = 100, limit_per_host = 100 })
    local _ <close> = session
    local urls = {}
    for i = 1, 100 do urls[i] = url .. i end
    for _, r in ipairs(task.gather(task.map(function(u) return session:get(u) end, urls))) do
      equal({ r.status, r.body, r.version }, { 200, "hello", "2" })
    end
    equal({ #events "open", #events "request" }, { 1, 100 })
  end)

  it("a limit counts requests, not connections", function()
    local session, url, events = scenario("mute", { limit_per_host = 3 })
    local _ <close> = session
    local tasks = spawn_gets(session, url, 10)
    origin.eventually(function() return #events "request" == 3 end)
    equal({ session:stats().active, session:stats().queued }, { 3, 7 })
    cancel_all(tasks)
  end)

  it("requests that a leaving server has not processed go elsewhere", function()
    local session, url, events = scenario "leaving"
    local _ <close> = session
    local done = 0
    for _, t in ipairs(spawn_gets(session, url, 8)) do
      local ok, result = pcall(t.await, t)
      done = done + (ok and result.body == "hello" and 1 or 0)
      -- A request that was in flight when the server left may fail.
      equal(ok or result.code == "reset" or result.code == "protocol", true, tostring(result))
    end
    equal(done >= 1, true)
    equal(session:get(url).body, "hello")
    equal(#events "open" >= 2, true)
  end)

  it("a request refused unprocessed is sent again, with its body", function()
    local session, url, events = scenario "refusing"
    local _ <close> = session
    equal(session:post(url, { body = "x" }).body, "hello")
    equal(#events "request", 2)
  end)

  it("H-2: a request refused unprocessed on a used connection is sent again", function()
    for _, method in ipairs { "GET", "POST" } do
      local session, url, events = scenario "refusing-later"
      local _ <close> = session
      local before = #events "request"
      equal(session:get(url).body, "hello")
      equal(session:request(method, url, { body = method == "POST" and "x" or nil }).body, "hello")
      equal(#events "request" - before, 3)
    end
  end)

  it("M4: with resend = false, any request refused unprocessed is sent again", function()
    for _, method in ipairs { "GET", "PUT", "POST" } do
      local session, url, events = scenario("refusing-later", { resend = false })
      local _ <close> = session
      local before = #events "request"
      equal(session:get(url).body, "hello")
      equal(session:request(method, url, { body = method ~= "GET" and "x" or nil }).body, "hello")
      equal(#events "request" - before, 3)
    end
  end)

  it("M4: with resend = false, no request of a broken connection is repeated", function()
    for _, method in ipairs { "GET", "PUT" } do
      local session, url, events = scenario("dying", { resend = false })
      local _ <close> = session
      local before = #events "request"
      equal(session:get(url).body, "hello")
      raises_error({ kind = "HttpError", code = "reset" }, session.request, session, method, url)
      equal(#events "request" - before, 2)
    end
  end)

  it("M4: a fresh request has a connection of HTTP/1.1, which nothing shares", function()
    local session <close> = http.session { http2 = HTTP2, tls = { ca_file = DIR .. "/ca.pem" } }
    equal(session:get(NGINX .. "/small.txt").version, "2")
    local tasks = spawn_gets(session, NGINX .. "/small.txt?", 3)
    local fresh = session:get(NGINX .. "/small.txt", { fresh = true })
    equal({ fresh.version, fresh.reused, fresh.body }, { "1.1", false, "0123456789abcdef" })
    for _, t in ipairs(tasks) do equal({ t:await().version, t:await().reused }, { "2", true }) end
    -- libcurl 8.14 waits for the server's part of the end of TLS before it closes
    origin.eventually(function() return session:stats().connections == 1 end)
  end)

  it("M6: trailers of a stream of HTTP/2 are apart from its head", function()
    local session, url = scenario "trailing"
    local _ <close> = session
    for _ = 1, 3 do
      local r = session:get(url)
      equal({ r.version, r.body, r.trailers["x-sum"], r.headers["x-sum"] },
        { "2", "hello", "abc", nil })
    end
  end)

  it("M2: a body with a length goes over HTTP/2, and one of another length does not", function()
    local session, url = scenario "ok"
    local _ <close> = session
    local function made(n)
      return function()
        n = n - 1
        return n >= 0 and ("x"):rep(1000) or nil
      end
    end
    equal(session:post(url, { body = made(20), length = 20000 }).body, "hello")
    for reason, n in pairs { short = 19, long = 21 } do
      raises_error({ code = "upload", reason = reason }, session.post, session, url,
        { body = made(n), length = 20000 })
    end
    equal(session:get(url).body, "hello")
  end)

  it("H-2: a request whose expectation is refused is repeated without it", function()
    local body = ("x"):rep(10000)
    for name, status in pairs { doubting = 200, ["doubting-all"] = 417 } do
      local session, url, events = scenario(name)
      local _ <close> = session
      local r = session:post(url, { body = body, headers = { Expect = "100-continue" } })
      equal({ r.status, r.body, #events "request" }, { status, "hello", 2 }, name)
      equal(session:get(url).status, status)
      equal(#events "request", 3)
    end
  end)

  it("a request that is always refused is an error after a few times", function()
    local session, url, events = scenario "declining"
    local _ <close> = session
    raises_error({ kind = "HttpError", code = "reset" }, session.get, session, url)
    equal(#events "request" <= 10, true)
  end)

  for _, name in ipairs { "departing", "closing" } do
    it("a server that goes between two requests is not noticed: " .. name, function()
      local session, url, events = scenario(name)
      local _ <close> = session
      for _ = 1, 5 do equal(session:get(url).body, "hello") end
      equal(#events "open", 5)
    end)
  end

  it("the end of a request that connects does not end those that wait for it", function()
    for passes = 0, 20 do
      local session, url = scenario "ok"
      local _ <close> = session
      local first, others = task.spawn(session.get, session, url), spawn_gets(session, url, 5)
      for _ = 1, passes do task.sleep(passes <= 10 and 0 or 0.0005) end
      first:cancel()
      task.wait { first }
      for _, t in ipairs(others) do equal(t:await().body, "hello") end
    end
  end)
end)

describe("fault.34", function()
  for _, name in ipairs { "resetting", "midway" } do
    it("a body that breaks off is an error, twenty times: " .. name, function()
      local session, url = scenario(name)
      local _ <close> = session
      for _ = 1, 20 do
        local err = raises_error({ kind = "HttpError" }, session.get, session, url)
        equal({ err.code, err.phase },
          name == "midway" and { "partial", "receive" } or { "protocol", err.phase })
      end
    end)
  end

  it("H-2: a connection that breaks early is an error, or a GET is repeated", function()
    for i, method in ipairs { "GET", "POST" } do
      local session, url, events = scenario "dying"
      local _ <close> = session
      local before = #events "request"
      equal(session:get(url).body, "hello")
      local ok, result = pcall(session.request, session, method, url,
        { body = i == 2 and "x" or nil })
      equal(i == 1 or not ok, true)
      if not ok then
        -- From 8.7 on, libcurl starts to send it once more, and Septet prevents that: the count of
        -- sent bytes restarts.
        local again = VERSION >= 807
        equal({ result.code, result.reason, result.phase },
          { "reset", again and "receive" or "empty", again and "send" or "wait" })
      else -- libcurl's own doing, since it knows HTTP/2 connections as ones that were used before
        equal({ result.body, VERSION >= 807 }, { "hello", true })
      end
      equal(#events "request" - before, ok and 3 or 2)
    end
  end)

  it("each request on a broken connection ends in its way, and the next one succeeds", function()
    local session, url = scenario("crashing", { limit_per_host = 20 })
    local _ <close> = session
    equal(session:get(url).body, "hello")
    for _, t in ipairs(spawn_gets(session, url, 20)) do
      local ok, result = pcall(t.await, t)
      equal(ok and result.body or result.code, ok and "hello" or "reset")
    end
    equal(session:get(url).body, "hello")
  end)

  it("a body that is shorter than its length is an error", function()
    local session, url = scenario "short"
    local _ <close> = session
    for _ = 1, 5 do
      local err = raises_error({ kind = "HttpError" }, session.get, session, url)
      equal(({ protocol = true, partial = true })[err.code], true, err.code)
    end
  end)
end)

describe("fault.35", function()
  it("a stream that is cancelled leaves its connection to the others", function()
    local session, url, events = scenario "stalling"
    local _ <close> = session
    for i = 1, 5 do
      local t = task.spawn(session.get, session, url)
      origin.eventually(function() return #events "request" == i end)
      cancel_all { t }
    end
    equal(session:post(url, { body = "x" }).body, "hello")
    equal(#events "open", 1)
    equal(#events "reset", 5) -- the server got each before the next request
  end)

  it("five hundred cancelled streams leave their connection to the others", function()
    local session, url, events = scenario("many", { limit = 500, limit_per_host = 500 })
    local _ <close> = session
    local tasks = spawn_gets(session, url, 500)
    -- libcurl opens a hundred streams of a connection at once. The others use other connections, or
    -- wait.
    origin.eventually(function() return #events "request" >= 100 end)
    cancel_all(tasks)
    for _ = 1, 5 do equal(session:post(url, { body = "x" }).body, "hello") end
    equal({ session:stats().active, session:stats().queued }, { 0, 0 })
  end)
end)

describe("fault.36", function()
  it("a window that never opens ends by a limit", function()
    local session, url = scenario("closed", { timeout = { idle = 0.2, first_byte = 0.2 } })
    local _ <close> = session
    with_ticker(function()
      local err = raises_error({ kind = "HttpError", code = "timeout" }, session.post, session, url,
        { body = ("x"):rep(200000) })
      equal(err.reason == "idle" or err.reason == "first_byte", true, err.reason)
    end)
    equal(session:get(url).body, "hello")
  end)

  it("settings without end end by a limit", function()
    local session, url = scenario("flooding", { timeout = { first_byte = 0.2 } })
    local _ <close> = session
    with_ticker(function()
      local err = raises_error({ kind = "HttpError" }, session.get, session, url)
      equal(err.code == "timeout" and err.reason == "first_byte" or err.code == "protocol", true,
        err.code)
    end)
  end)
end)
