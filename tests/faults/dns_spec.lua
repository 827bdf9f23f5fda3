-- SPDX-License-Identifier: MIT
-- Names: the faults of a DNS server, each of which affects its own request alone.
-- peers: dns
local task, http = require "septet.task", require "septet.http"
local origin, process = require "origin", require "process"

local DNS = os.getenv "SEPTET_DNS"

local n = 0

-- Returns a fresh name whose labels say how the server answers.
local function name(what)
  n = n + 1
  return ("n%d.%s.test"):format(n, what)
end

local function url(host, path)
  return ("http://%s:%d%s"):format(host, origin.port, path or "/bytes/1")
end

local function questions(host, kind)
  local file <close> = assert(io.open(os.getenv "SEPTET_DNS_LOG"))
  local found = 0
  for line in file:lines() do
    local event = origin.decode(line)
    if event.name:lower():gsub("%.$", "") == host and (not kind or event.type == kind) then
      found = found + 1
    end
  end
  return found
end

local function new_session(options)
  options = options or {}
  options.resolver = DNS
  return http.session(options)
end

it("fault.1 a name that does not exist is an error of its own", function()
  local session <close> = new_session()
  local host = name "nx"
  raises_error({ kind = "HttpError", code = "dns", reason = "not_found", phase = "dns" },
    session.get, session, url(host))
  raises_error({ code = "dns", reason = "not_found" }, session.get, session, url(name "empty"))
  raises_error({ code = "dns", reason = "server" }, session.get, session, url(name "servfail"))
  raises_error({ code = "dns", reason = "server" }, session.get, session, url(name "refused"))
  local _, err = pcall(session.get, session, url(host))
  equal(tostring(err):find(("cannot resolve '%s'"):format(host), 1, true) ~= nil, true,
    tostring(err))
end)

it("fault.2 a server that never answers: the request's timeout ends it, others go on", function()
  local session <close> = new_session()
  local t0 = task.now()
  with_ticker(raises_error,
    { kind = "HttpError", code = "timeout", reason = "total", phase = "dns" }, session.get, session,
    url(name "silent"), { timeout = 0.3 })
  equal(task.now() - t0 >= 0.3, true, "not early")
  raises_error({ code = "timeout", reason = "connect", phase = "dns" }, session.get, session,
    url(name "silent"), { timeout = { connect = 0.05 } })
  equal(session:get(url(name "a-127-0-0-1")).status, 200)
end)

it("fault.3 http.13 a lookup that is cancelled ends at once, and leaves no thread", function()
  local session <close> = new_session { limit = 100, limit_per_host = 100 }
  local before = process.threads()
  for passes = 0, 5 do
    local tasks = {}
    for i = 1, 20 do tasks[i] = task.spawn(session.get, session, url(name "silent")) end
    for _ = 1, passes do task.checkpoint() end
    with_ticker(function()
      for _, t in ipairs(tasks) do t:cancel() end
      for _, t in ipairs(tasks) do raises_error({ kind = "TaskCancelled" }, t.await, t) end
      task.sleep(0.005) -- the ticker's turn
    end)
  end
  equal(process.threads(), before)
  equal(session:get(url(name "a-127-0-0-1")).status, 200)
end)

it("fault.4 five hundred dead names at once need no thread, and fail each", function()
  local session <close> = new_session { limit = 500 }
  local before, most = process.threads(), 0
  local tasks = {}
  for i = 1, 500 do
    tasks[i] = task.spawn(session.get, session, url(name "silent"), { timeout = 0.2 })
  end
  with_ticker(function()
    for _, t in ipairs(tasks) do
      raises_error({ kind = "HttpError", code = "timeout" }, t.await, t)
      most = math.max(most, process.threads())
    end
  end)
  equal(most, before)
end)

it("fault.5 a name that leads elsewhere each time is judged each time", function()
  local session <close> = new_session { deny = "127.0.0.2" }
  -- The first answer is 127.0.0.1, the second 127.0.0.2; no answer is kept.
  local host = name "rebind.ttl-0"
  equal(session:get(url(host, "/close")).status, 200)
  local mark = origin.mark()
  origin.eventually(function()
    local ok, err = pcall(session.get, session, url(host, "/close"))
    return not ok and err.code == "denied" and err.reason == "address"
  end)
  for _, event in ipairs(origin.since(mark, "request")) do equal(event.path, "/close") end
end)

describe("http.13", function()
  it("a thousand requests to one cold name make one query", function()
    local session <close> = new_session { limit = 1000, limit_per_host = 1000 }
    local host, before = name "a-127-0-0-1.late-50", process.threads()
    local urls = {}
    for i = 1, 1000 do urls[i] = url(host) end
    for _, r in ipairs(task.gather(task.map(function(u) return session:get(u) end, urls))) do
      equal(r.status, 200)
    end
    equal({ questions(host, "A"), questions(host, "AAAA") }, { 1, 1 })
    equal(process.threads(), before)
  end)

  it("an answer is kept for its time to live, by all sessions", function()
    local host = name "a-127-0-0-1.ttl-100"
    for _ = 1, 3 do
      local session <close> = new_session()
      equal(session:get(url(host, "/close")).status, 200)
      equal(session:get(url(host, "/close")).status, 200)
    end
    equal(questions(host, "A"), 1)
  end)

  it("an expired entry is looked up again, and the new addresses are used", function()
    local session <close> = new_session()
    local host = name "rebind.ttl-0"
    local peers = {}
    origin.eventually(function()
      local ok, r = pcall(session.get, session, url(host, "/close"), { timeout = { connect = 1 } })
      peers[ok and r.peer.address or "none"] = true
      return not ok -- no server listens at 127.0.0.2 and beyond
    end)
    equal(peers["127.0.0.1"], true)
  end)

  it("both families are queried, and the one that has addresses is enough", function()
    local session <close> = new_session()
    equal(session:get(url(name "a-127-0-0-1.only6-servfail")).status, 200)
    equal(session:get(url(name "cname.a-127-0-0-1")).status, 200)
    equal(session:get(url(name "a-127-0-0-1.tc")).status, 200)
  end)

  -- With so many at a time, names of one slot are often under way together.
  it("more names may be looked up than libcurl gets at a time", function()
    local session <close> = new_session { limit = 128 }
    local urls = {}
    for i = 1, 600 do urls[i] = url(name "a-127-0-0-1.ttl-100", "/close") end
    for _ = 1, 2 do
      for _, r in ipairs(task.gather(task.map(function(u) return session:get(u) end, urls))) do
        equal(r.status, 200)
      end
    end
  end)
end)

describe("a session's resolver", function()
  it("a resolver may be the system's, and knows localhost either way", function()
    for _, resolver in ipairs { "system", DNS } do
      local session <close> = http.session { resolver = resolver }
      equal(session:get(url "localhost").status, 200)
    end
    local session <close> = http.session { resolver = "127.0.0.1:1" }
    raises_error({ code = "dns", reason = "refused" }, session.get, session,
      url(name "a-127-0-0-1"))
  end)

  it("a resolver gets no query for an address, nor for a name in 'resolve'", function()
    local session <close> = http.session { resolver = "127.0.0.1:1",
      resolve = { ["given.test:" .. origin.port] = "127.0.0.1" } }
    equal(session:get(origin.url .. "/bytes/1").status, 200)
    equal(session:get(url "given.test").status, 200)
  end)

  it("a bad resolver is refused", function()
    for _, bad in ipairs { "", "dns.test", "127.0.0.1:x", "127.0.0.1,,", "::1" } do
      misuse("bad option 'resolver' to 'session' %(\"system\", or servers", function()
        http.session { resolver = bad }
      end)
    end
  end)

  it("a response has the time of its lookup", function()
    local session <close> = new_session()
    local r = session:get(url(name "a-127-0-0-1.late-30"))
    equal(r.times.dns >= 0.03, true)
    equal(r.times.queue < r.times.dns, true)
  end)

  it("a lookup ends with its session", function()
    local session = new_session()
    local t = task.spawn(session.get, session, url(name "silent"))
    task.sleep(0.01)
    session:close()
    raises_error({ kind = "HttpError", code = "closed", phase = "dns" }, t.await, t)
  end)
end)
