-- SPDX-License-Identifier: MIT
-- Sequences of trace hooks: which are called for a request, in which order, whatever comes of it.
-- peers: blackhole dns
local task, http, trace = require "septet.task", require "septet.http", require "septet.trace"
local origin, saves, watch = require "origin", require "saves", require "watch"

local URL = origin.url
local BLACKHOLE, DNS = assert(os.getenv "SEPTET_BLACKHOLE"), assert(os.getenv "SEPTET_DNS")

local NAMES, all, judged, recorder = watch.NAMES, watch.all, watch.judged, watch.recorder
local sequence, spelt, named = watch.sequence, watch.spelt, watch.named

local function get(path, more)
  return function(session, options)
    for name, value in pairs(more or {}) do options[name] = value end
    session:get(path:find "^/" and URL .. path or path, options)
  end
end

local n = 0
local function at(labels, path)
  n = n + 1
  return ("http://s%d.%s.test:%d%s"):format(n, labels, origin.port, path or "/bytes/3")
end

local function at_origin(path, act)
  local mark = origin.mark()
  return function(t, session)
    origin.eventually(function() return origin.requests(mark, path)[1] end)
    act(t, session)
  end
end

local function cancel(t) t:cancel() end

describe("sequences of hooks:", function()
  it("new", function()
    local events = sequence("start create try created sent head body end", {}, get "/bytes/3")
    local tried, head, sent = named(events, "connection_attempt"),
      named(events, "response_headers"), named(events, "request_headers_sent")
    equal({ tried.address, tried.port }, { "127.0.0.1", origin.port })
    equal({ head.status, head.headers["content-length"] }, { 200, "3" })
    equal(sent.headers["User-Agent"]:find "septet" ~= nil, true)
    equal(sent.resend, 0)
  end)

  it("new, after a lookup", function()
    local url = at "a-127-0-0-1"
    local events = sequence("start create miss resolve resolved try created sent head body end",
      { resolver = DNS }, get(url))
    for _, name in ipairs { "dns_cache_miss", "dns_resolvehost_start", "dns_resolvehost_end" } do
      equal(named(events, name).host, url:match "//([^:]+)")
    end
  end)

  it("a lookup's time is that of its answer", function()
    local events = sequence("start create miss resolve resolved try created sent head body end",
      { resolver = DNS }, get(at "a-127-0-0-1.late-30"))
    local start, finish = named(events, "dns_resolvehost_start"),
      named(events, "dns_resolvehost_end")
    equal(finish.time - start.time >= 0.025, true)
  end)

  it("warm DNS, and a lookup that is joined", function()
    local url = at "a-127-0-0-1"
    sequence("start create miss resolve resolved try created sent head body end",
      { resolver = DNS }, get(url))
    sequence("start create hit try created sent head body end", { resolver = DNS }, get(url))
    local late = at "a-127-0-0-1.late-30"
    sequence("start create hit try created sent head body end", { resolver = DNS },
      function(session, options)
        local first = task.spawn(session.get, session, late)
        task.checkpoint()
        session:get(late, options)
        task.wait { first }
      end)
  end)

  it("a lookup that libcurl makes", function()
    local url = ("http://nothing.invalid:%d/"):format(origin.port)
    sequence("start create miss resolve resolved! created! exception", { resolver = "system" },
      function(session, options) pcall(session.get, session, url, options) end)
  end)

  it("a given address, and a name that means its address, need no lookup", function()
    sequence("start create try created sent head body end",
      { resolve = { ["given.test:" .. origin.port] = "127.0.0.1" }, resolver = DNS },
      get(("http://given.test:%d/bytes/3"):format(origin.port)))
    local events = sequence(
      "start create try try created sent head body end", { resolver = DNS },
      get(("http://localhost:%d/bytes/3"):format(origin.port)))
    equal(named(events, "connection_attempt").address, "::1")
  end)

  it("reused", function()
    sequence("start reuse sent head body end", {}, function(session, options)
      session:get(URL .. "/bytes/1")
      session:get(URL .. "/bytes/3", options)
    end)
    sequence("start reuse sent head body end", { resolver = DNS }, function(session, options)
      local url = at "a-127-0-0-1"
      session:get(url)
      session:get(url, options)
    end)
  end)

  it("queued", function()
    sequence("start queue queued reuse sent head body end", { limit_per_host = 1 },
      function(session, options)
        local first = task.spawn(session.get, session, URL .. "/bytes/1")
        task.checkpoint()
        session:get(URL .. "/bytes/3", options)
        task.wait { first }
      end)
  end)

  it("not queued, as there is room for it beside a full host", function()
    sequence("start create try try created sent head body end", { limit_per_host = 1, limit = 3 },
      function(session, options)
        local others = {}
        for i = 1, 4 do others[i] = task.spawn(session.get, session, URL .. "/bytes/1") end
        task.checkpoint()
        session:get(("http://localhost:%d/bytes/3"):format(origin.port), options)
        task.wait(others)
      end)
  end)

  it("redirect", function()
    local events = sequence([[start create try created sent head redirect
      reuse sent head redirect reuse sent head body end]], {}, get "/redirect/2")
    local redirect, finish = named(events, "request_redirect"), named(events, "request_end")
    equal({ redirect.status, redirect.location, redirect.resend, redirect.url },
      { 302, "/redirect/1", 0, URL .. "/redirect/2" })
    equal({ finish.status, finish.url }, { 200, URL .. "/redirect/2" })
    equal(events[#events - 2].ev.url, URL .. "/redirect/0")
    equal(events[#events - 2].ev.resend, 2)
  end)

  it("a redirect that is not followed is an end", function()
    sequence("start create try created sent head end", { redirects = false }, get "/redirect/2")
  end)

  it("too many redirects", function()
    sequence([[start create try created sent head redirect
      reuse sent head redirect exception]], { redirects = 1 }, get "/redirect/3")
  end)

  it("refused", function()
    local events = sequence("start create try created! exception", {}, get(origin.refused))
    equal(events[#events].ev.exception.code, "connect")
  end)

  it("unresolvable", function()
    local url = at "nx"
    local events = sequence("start create miss resolve resolved created! exception",
      { resolver = DNS }, get(url))
    equal(events[#events].ev.exception.reason, "not_found")
    sequence("start create hit created! exception", { resolver = DNS }, get(url))
  end)

  it("refused before it is queued: a bad URL, a denied host", function()
    sequence("start exception", {}, get "ftp://127.0.0.1/")
    sequence("start exception", { deny = "127.0.0.1" }, get("http://127.0.0.1:1/"))
  end)

  it("truncated", function()
    sequence("start create try created sent head body exception", {}, get "/truncate")
    sequence("start create try created sent exception", {}, get "/empty")
  end)

  it("cancelled before the headers", function()
    local events = sequence("start create try created sent exception", {}, get "/stall?seq=a",
      at_origin("/stall?seq=a", cancel))
    equal({ events[#events].ev.cancelled, events[#events].ev.exception }, { true })
    sequence("start create try created! exception", {},
      get(("http://%s:%d/"):format(BLACKHOLE, origin.port)), function(t, session)
      origin.eventually(function() return session:stats().connections == 1 end)
      t:cancel()
    end)
    sequence("start create miss resolve resolved! created! exception", { resolver = DNS },
      get(at "silent"), function(t) turns(3) t:cancel() end)
    local mark = origin.mark()
    local function other_is_there() -- the only one in the queue is no longer the other
      return origin.requests(mark, "/stall?seq=c")[1]
    end
    sequence("start queue queued! exception", { limit = 1 }, function(session, options)
      local other = task.spawn(session.get, session, URL .. "/stall?seq=c")
      origin.eventually(other_is_there)
      local ok, err = pcall(session.get, session, URL .. "/bytes/3", options)
      other:cancel()
      if not ok then error(err, 0) end
    end, function(t, session)
      origin.eventually(other_is_there)
      origin.eventually(function() return session:stats().queued == 1 end)
      t:cancel()
    end)
    sequence("start exception", {}, function(session, options)
      task.current():cancel()
      session:get(URL .. "/bytes/3", options)
    end)
  end)

  it("cancelled after the headers", function()
    sequence("start create try created sent head body exception", {},
      get "/stall?after=10&length=100&seq=b",
      function(t, session)
        origin.eventually(function() return session:stats().bytes_received == 10 end)
        t:cancel()
      end)
    local events = sequence("start create try created sent head body exception", {},
      function(session, options)
        local r <close> = session:stream("GET", URL .. "/stall?after=10&length=100", options)
        r:read(1)
        task.current():cancel()
        r:read()
      end)
    equal(events[#events].ev.cancelled, true)
  end)

  it("timed out", function()
    local events = sequence("start create try created sent exception", {},
      get("/stall", { timeout = { first_byte = 0.05 } }))
    equal(events[#events].ev.exception.code, "timeout")
    sequence("start create miss resolve resolved! created! exception", { resolver = DNS },
      get(at "silent", { timeout = 0.05 }))
  end)

  it("retried", function()
    local retries = { attempts = 3, backoff = 0.001 }
    local url = origin.raw { "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "keep", "next",
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "keep" }
    sequence("start create try created sent head reuse sent head body end",
      { retries = retries }, get(url))
    local events = sequence([[start create try created! create try created! create try created!
      exception]], { retries = retries }, get(origin.refused))
    equal(events[#events].ev.exception.attempts, 3)
    equal(events[#events - 1].ev.resend, 2)
  end)

  it("sent once more on a new connection, as the old one was gone", function()
    local answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    local url = origin.raw { answer, "keep", "next", "fin" }
    sequence("start reuse sent create try created sent exception", {}, function(session, options)
      session:get(url)
      session:get(url, options)
    end)
  end)

  it("streamed", function()
    sequence("start create try created sent head body end", {}, function(session, options)
      local r <close> = session:stream("GET", URL .. "/bytes/100000", options)
      equal(#r.body, 100000)
    end)
    local events = sequence("start create try created sent head body end", {},
      function(session, options)
        local r <close> = session:stream("GET", URL .. "/stall?after=10&length=100", options)
        r:read(1)
      end)
    equal(events[#events].ev.incomplete, true)
    sequence([[start create try created sent head redirect reuse sent head body end]], {},
      function(session, options)
        local r <close> = session:stream("GET", URL .. "/redirect/1", options)
        equal(#r.body, 2)
      end)
  end)

  it("saved", function()
    local file <close> = saves.temporary()
    sequence("start create try created sent head body end", {}, function(session, options)
      session:save(URL .. "/bytes/1000", file.path, options)
    end)
  end)

  it("a body that is sent", function()
    local bodies = { "hello", ("x"):rep(200000), (origin.pieces(120000)) }
    for i, body in ipairs(bodies) do
      local events = sequence("start create try created sent upload head body end", {},
        function(session, options)
          options.body = body
          session:post(URL .. "/mirror", options)
        end)
      local sent, received = {}, {}
      for _, event in ipairs(events) do
        local list = event.name == "request_chunk_sent" and sent
          or event.name == "response_chunk_received" and received
        if list then list[#list + 1] = event.ev.chunk end
      end
      local whole = i < 3 and body or ("x"):rep(120000)
      equal(table.concat(sent) == whole, true, "what was sent")
      equal(table.concat(received) == whole, true, "what was received")
    end
  end)

  it("chunks are decoded", function()
    local events = sequence("start create try created sent head body end", {}, get "/gzip")
    local size = 0
    for _, event in ipairs(events) do
      if event.name == "response_chunk_received" then size = size + #event.ev.chunk end
    end
    equal(size, 1024)
  end)
end)

-- --- random requests ---

local PATHS = { "/bytes/10", "/redirect/2", "/redirect/12", "/truncate", "/empty", "/status/404",
  "/garbage", "/gzip", "/chunked", "/stall", "/stall?after=10&length=100",
  "/reset?after=5&length=9",
  "/fail/1?key=random-%d", "/fail/9?key=random-%d", "http://127.0.0.1:1/", "http://%d.nx.test/",
  "http://%d.a-127-0-0-1.test:PORT/bytes/5", "http://localhost:PORT/bytes/5" }

-- Makes a request of a seeded kind, which may be cancelled or closed.
local function random_request(session, random, i)
  local path = PATHS[random(#PATHS)]:gsub("%%d", i):gsub("PORT", origin.port)
  local url = path:find "^/" and URL .. path or path
  local options = { timeout = { first_byte = 0.05, idle = 0.05 },
    retries = random(2) == 1 and { attempts = 2, backoff = 0.001 } or nil }
  local streams, reads = random(4) == 1, random(2) == 1
  local t = task.spawn(function()
    if not streams then return session:get(url, options) end
    local r <close> = session:stream("GET", url, options)
    if reads then r:read(4) end
  end)
  if random(4) == 1 then
    local turns_left = random(6)
    task.spawn(function()
      for _ = 1, turns_left do task.checkpoint() end
      t:cancel()
    end)
  end
  return t
end

it("random requests: each start has its end, each request one end, and times do not go back",
  function()
    for seed = 1, 3 do
      math.randomseed(seed)
      local hooks, by_request, order = recorder()
      local remove = trace.hooks(hooks)
      local session <close> = http.session { limit = 6, limit_per_host = 4, resolver = DNS }
      local tasks = {}
      for i = 1, 60 do tasks[i] = random_request(session, math.random, seed * 100 + i) end
      task.wait(tasks)
      for _, t in ipairs(tasks) do t:result() end
      turns(3)
      remove()
      equal(#order > 0, true)
      for _, request in ipairs(order) do
        judged(by_request[request])
      end
    end
  end)

-- --- hooks that misbehave ---

describe("hooks that misbehave:", function()
  it("one that raises at any event does not change the request", function()
    for _, name in ipairs(NAMES) do
      if name ~= "request_start" then
        local calls = 0
        local session <close> = http.session { limit = 1, resolver = DNS, trace = {
          [name] = function()
            calls = calls + 1
            error "a hook of this spec fails"
          end } }
        local url = at("a-127-0-0-1", "/redirect/1")
        local first, second = task.spawn(session.get, session, url),
          task.spawn(session.get, session, url)
        equal({ first:await().status, second:await().status }, { 200, 200 }, name)
        pcall(session.get, session, origin.refused)
        session:post(URL .. "/mirror", { body = "x" })
        local other <close> = http.session { resolver = DNS, trace = { [name] = function()
          calls = calls + 1
          error "a hook of this spec fails"
        end } }
        other:get(url)
        equal(calls > 0, true, name)
      end
    end
  end)

  it("one that waits is refused at any event", function()
    local refusals = {}
    local session <close> = http.session { resolver = DNS, limit = 1, trace = all(function(name)
      local ok, err = pcall(task.sleep, 0.001)
      if ok or not task.is(err, "Usage") then error(err or "waited") end
      refusals[name] = true
    end) }
    local url = at("a-127-0-0-1", "/redirect/1")
    task.gather { function() session:get(url) end, function() session:get(url) end }
    pcall(session.get, session, origin.refused)
    for _, name in ipairs { "request_start", "connection_queued_start", "connection_create_end",
      "dns_resolvehost_end", "response_headers", "request_redirect", "request_end",
      "request_exception" } do
      equal(refusals[name], true, name)
    end
  end)

  it("one that closes the session, or cancels the task, at any event", function()
    for _, name in ipairs(NAMES) do
      for _, how in ipairs { "close", "cancel" } do
        local hooks, by_request, order = recorder()
        local session, t
        local note = hooks[name]
        hooks[name] = function(ctx, ev)
          note(ctx, ev)
          if how == "close" then session:close() else t:cancel() end
        end
        session = http.session { trace = hooks }
        t = task.spawn(session.get, session, URL .. "/redirect/1")
        task.wait { t }
        t:result()
        turns(3)
        session:close()
        for _, request in ipairs(order) do judged(by_request[request]) end
      end
    end
  end)

  it("one that closes the stream that it is told of", function()
    local hooks, by_request, order = recorder()
    local stream
    local note = hooks.response_chunk_received
    hooks.response_chunk_received = function(ctx, ev)
      note(ctx, ev)
      if stream then stream:close() end
    end
    local session <close> = http.session { trace = hooks }
    stream = session:stream("GET", URL .. "/drip?bytes=20&interval=0.005")
    pcall(stream.read, stream)
    turns(3)
    judged(by_request[order[1]])
  end)
end)

-- --- the host's hooks ---

describe("hooks of the host:", function()
  it("they see the requests of every session, before the session's hooks", function()
    local seen = {}
    local remove = trace.hooks { request_end = function(_, ev)
      seen[#seen + 1] = "host " .. ev.status
    end }
    local plain <close> = http.session()
    local traced <close> = http.session { trace = { request_end = function(_, ev)
      seen[#seen + 1] = "session " .. ev.status
    end } }
    plain:get(URL .. "/bytes/1")
    traced:get(URL .. "/status/404", { trace = { request_end = function()
      seen[#seen + 1] = "request"
    end } })
    http.get(URL .. "/bytes/1")
    equal(seen, { "host 200", "host 404", "session 404", "request", "host 200" })
    remove()
    remove()
    plain:get(URL .. "/bytes/1")
    equal(#seen, 5)
  end)

  it("they may be removed in the middle of a request, and added", function()
    local seen, remove = {}, nil
    remove = trace.hooks(all(function(name)
      seen[#seen + 1] = name
      if name == "request_headers_sent" then remove() end
    end))
    local session <close> = http.session()
    session:get(URL .. "/bytes/1")
    equal(table.concat(seen, " "), spelt "start create try created sent")
    local later = {}
    local t = task.spawn(session.get, session, URL .. "/stall?after=1&length=2")
    turns(2)
    remove = trace.hooks(all(function(name) later[#later + 1] = name end))
    t:cancel()
    task.wait { t }
    equal(later, {})
    remove()
  end)

  it("they may change headers, and refuse a request", function()
    local refuse = false
    local remove = trace.hooks { request_start = function(_, ev)
      if refuse then error("not today", 0) end
      ev.headers["X-Host"] = "h"
    end }
    local session <close> = http.session()
    equal(origin.echo(session, "GET").headers["x-host"], "h")
    refuse = true
    local ok, err = pcall(session.get, session, URL .. "/bytes/1")
    equal({ ok, err }, { false, "not today" })
    remove()
  end)

  it("they see tasks", function()
    local seen = {}
    local hooks = {}
    for name in ([[task_spawn task_step task_park task_wake task_done task_cancel]])
      :gmatch "%S+" do
      hooks[name] = function(ctx, ev)
        ctx.task = ctx.task or ev.task
        equal(ctx.task, ev.task)
        seen[ev.task] = (seen[ev.task] or "") .. name:sub(6) .. " "
      end
    end
    local remove = trace.hooks(hooks)
    local t = task.spawn(task.sleep, 0.001)
    local u = task.spawn(task.sleep, 1000)
    t:await()
    u:cancel()
    task.wait { u }
    u:result()
    origin.eventually(function() return (seen[u.id] or ""):find "done" end)
    remove()
    equal(seen[t.id], "spawn park step wake step done ")
    equal(seen[u.id], "spawn park step cancel wake step done ")
    local before = seen[t.id]
    task.spawn(task.sleep, 0):await()
    turns(2)
    equal(seen[t.id], before)
  end)

  it("they are checked", function()
    misuse("bad argument #1 to 'hooks'", function() trace.hooks() end)
    misuse("unknown option 'task_spwan' to 'trace', did you mean 'task_spawn'%?", function()
      trace.hooks { task_spwan = print }
    end)
    misuse("bad trace hook 'task_hog' %(function expected, got string%)", function()
      trace.hooks { task_hog = "x" }
    end)
  end)
end)
