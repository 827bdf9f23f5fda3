-- SPDX-License-Identifier: MIT
-- The verbs of a session: a plain request is made without Lua, and is like any other.
local private = debug.getregistry()["septet.require"] -- of private modules
local core, hooks = private "septet.core", private "septet.http.hooks"
local task, http, net = require "septet.task", require "septet.http", require "septet.net"

local VERBS = { "get", "head", "post", "put", "patch", "delete", "options" }

local answers = {
  ["/ok"] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n\r\nhello",
  ["/missing"] = "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
  ["/empty"] = "HTTP/1.1 204 No Content\r\n\r\n",
  ["/cookie"] = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 0\r\n\r\n",
  ["/there"] = "HTTP/1.1 302 Found\r\nLocation: ok\r\nContent-Length: 1\r\n\r\nx",
  ["/twice"] = "HTTP/1.1 301 Moved\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n",
  ["/see"] = "HTTP/1.1 303 See Other\r\nLocation: /missing#x\r\nContent-Length: 0\r\n\r\n",
  ["/loop"] = "HTTP/1.1 307 Again\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n",
  ["/bad"] = "HTTP/1.1 abc\r\n\r\n",
  ["/packed"] = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
}

-- Runs fn(url, wire) with a server. `wire` is the list of the bytes of each request.
local function with_server(fn)
  local wire = {}
  local server <close> = net.listen()
  local serving = task.spawn(server.serve, server, function(c)
    while true do
      local lines, length = {}, 0
      repeat
        local line = c:read_line()
        if not line then return end
        lines[#lines + 1] = line
        length = tonumber(line:match "^[Cc]ontent%-[Ll]ength: (%d+)") or length
      until line == "" or line == "\r"
      lines[#lines + 1] = c:read_exactly(length)
      wire[#wire + 1] = table.concat(lines, "\n")
      local answer = answers[lines[1]:match "^%S+ ([^ ?]*)"]
      if not answer then return end
      if lines[1]:find "^HEAD" then answer = answer:match "^.-\r\n\r\n" end
      c:write(answer)
    end
  end)
  fn(("http://127.0.0.1:%d"):format(server.port), wire)
  serving:cancel()
end

local function one_of(list)
  return list[math.random(list.n or #list)]
end

-- Every other session has only options that leave its requests plain.
local function random_session_options(url)
  local options, some = {}, math.random(2) == 1
  for name, values in pairs {
    headers = table.pack(nil, nil, { ["X-B"] = "2" }), timeout = table.pack(nil, nil, 20),
    redirects = table.pack(nil, nil, 1), cookies = table.pack(nil, true),
    max_body = table.pack(nil, nil, 3), deny = table.pack(nil, nil, nil, nil, "127.0.0.1"),
    auth = table.pack(nil, nil, { user = "u", password = "p" }),
  } do
    options[name] = one_of(values)
  end
  for name, values in pairs(some and {
    redirects = table.pack(nil, 1, 0, false), retries = table.pack(nil, 1),
    base_url = table.pack(nil, nil, nil, url .. "/a/"), decode = table.pack(nil, nil, nil, false),
    rate = table.pack(nil, nil, nil, "1000/s"),
  } or {}) do
    options[name] = one_of(values)
  end
  return options
end

local function random_target(url)
  local paths = {}
  for path in pairs(answers) do paths[#paths + 1] = path end
  table.sort(paths)
  local path = one_of(paths)
  return one_of(table.pack(url .. path, url .. path, url .. path, url .. path .. "?q=1#f",
    url:gsub("http", "HTTP") .. path, url .. "/x/.." .. path, url .. path .. " y", url .. "/gone",
    path, "127.0.0.1" .. path, "ftp://127.0.0.1/", url .. path .. "\0", "http://u@127.0.0.1/", "",
    nil, 1, {}))
end

local function random_options()
  if math.random(2) == 1 then return nil end
  return one_of(table.pack(nil, {}, { headers = { ["X-C"] = 3 } },
    { params = { a = 1 } }, { body = "abc" }, { json = { 1 } }, { timeout = 20 }, { timout = 1 },
    { redirects = 0 }, { retries = 1 }, { max_body = -1 },
    { trace = { request_end = function() end } }, "x", false))
end

-- What a script sees of a response, or of an error.
local function seen(ok, r)
  if not ok then
    return { type(r), r.kind, r.code, r.reason, r.phase, r.url, r.message, r.status, r.attempts }
  end
  local names = {}
  for name, value in r.headers:each() do names[#names + 1] = name .. ": " .. value end
  local history = {}
  for i, earlier in ipairs(r.history) do
    history[i] = { earlier.status, earlier.url, earlier.redirect_url, earlier.method }
  end
  return { r.status, r.ok, r.reason, r.body, r.url, r.method, r.version, r.attempts, r.raw,
    r.redirect_url, names, history, r.trailers:all "x", r.insecure }
end

-- Calls a verb, always on this line, with a session of its own. Returns what is seen of the end,
-- and the bytes of the requests.
local function perform(wire, options, verb, ...)
  for i = #wire, 1, -1 do wire[i] = nil end
  local session <close> = http.session(options)
  local result = seen(pcall(session[verb], session, ...))
  return { result, table.move(wire, 1, #wire, 1, {}) }
end

-- Like perform(), but the request goes through Lua.
local function perform_in_lua(...)
  local watcher = hooks.check {}
  hooks.add_to_host(watcher)
  local outcome = perform(...)
  hooks.remove_from_host(watcher)
  return outcome
end

describe("a verb", function()
  it("gives the same by itself and through Lua, on the wire and to the script", function()
    math.randomseed(12)
    local plain = 0
    with_server(function(url, wire)
      for i = 1, 400 do
        local options, verb = random_session_options(url), one_of(VERBS)
        local given = table.pack(random_target(url), random_options(),
          table.unpack(one_of { {}, {}, {}, { "surplus" } }))
        local session <close> = http.session(options)
        if core.http_is_plain(session, table.unpack(given, 1, given.n)) then plain = plain + 1 end
        local by_itself = perform(wire, options, verb, table.unpack(given, 1, given.n))
        local in_lua = perform_in_lua(wire, options, verb, table.unpack(given, 1, given.n))
        equal(by_itself, in_lua, ("case %d: %s %s"):format(i, verb, tostring(given[1])))
      end
    end)
    equal(plain > 50, true, "only " .. plain .. " plain requests")
  end)

  it("makes a request by itself only if nothing in Lua has a part in it", function()
    local function is_plain(options, ...)
      local session <close> = http.session(options)
      return core.http_is_plain(session, ...)
    end
    local url = "http://127.0.0.1/"
    for _, options in ipairs { {}, { timeout = 3 }, { headers = { A = "1" } }, { redirects = 1 },
      { cookies = true }, { max_body = 3 }, { auth = { bearer = "x" } }, { fresh = true } } do
      equal(is_plain(options, url), true)
      equal(is_plain(options, url, nil), true)
      equal(is_plain(options, url, {}), false)
      equal(is_plain(options, url, nil, nil), false)
      equal(is_plain(options, 1), false)
      equal(is_plain(options), false)
      equal(is_plain(options, "http://a/\0"), false)
    end
    for _, options in ipairs { { redirects = 0 }, { retries = 1 }, { rate = "1/s" },
      { base_url = url }, { decode = false }, { trace = {} } } do
      equal(is_plain(options, url), false)
    end
    local session <close> = http.session()
    equal(core.http_is_plain(setmetatable({ handle = session.handle }, {}), url), false)
    local watcher = hooks.check {}
    hooks.add_to_host(watcher)
    equal(core.http_is_plain(session, url), false)
    hooks.remove_from_host(watcher)
    equal(core.http_is_plain(session, url), true)
    session:close()
    equal(core.http_is_plain(session, url), false)
  end)

  it("does not trust the fields of a session that a script has changed",
    { leaks = true }, function()
    local session, other = http.session(), http.session()
    for _, handle in ipairs { 1, "x", {}, io.stdout, print } do
      session.handle = handle
      equal(core.http_is_plain(session, "http://127.0.0.1/"), false)
    end
    session.handle = nil
    equal(core.http_is_plain(session, "http://127.0.0.1/"), false)
    session.handle = other.handle
    other:close()
    equal(core.http_is_plain(session, "http://127.0.0.1/"), false)
  end)

  it("can be cancelled, and be run by the tasks of map", function()
    with_server(function(url)
      local session <close> = http.session()
      local t = task.spawn(session.get, session, url .. "/ok")
      t:cancel()
      raises_error({ kind = "TaskCancelled" }, t.await, t)
      local function get(path) return session:get(url .. path) end
      local statuses = {}
      for i, r in ipairs(task.gather(task.map(get, { "/ok", "/there", "/missing" }))) do
        statuses[i] = r.status
      end
      equal(statuses, { 200, 200, 404 })
    end)
  end)
end)

-- Runs fn(session, url), where each function that runs is a task's own: it needs no coroutine while
-- the request waits.
local function with_session(options, fn)
  with_server(function(url, wire)
    local session <close> = http.session(options)
    fn(session, url, wire)
  end)
end

describe("a task that is one request", function()
  it("has the response that any other task has, of each verb", function()
    with_session({}, function(session, url)
      for _, verb in ipairs(VERBS) do
        for path in pairs(answers) do
          local expected = seen(pcall(session[verb], session, url .. path))
          local t = task.spawn(session[verb], session, url .. path)
          equal(seen(pcall(t.await, t)), expected, verb .. " " .. path)
        end
      end
    end)
  end)

  it("follows redirects, in the same task and before the session's timeout", function()
    with_session({ timeout = 20 }, function(session, url)
      local t = task.spawn(session.get, session, url .. "/twice")
      local r = t:await()
      equal({ r.status, r.url, #r.history, session:stats().redirects }, { 200, url .. "/ok", 2, 2 })
      equal(t:status(), "done")
    end)
  end)

  it("raises what any other task raises", function()
    with_session({ deny = "10.0.0.0/8" }, function(session, url)
      for _, target in ipairs { url .. "/bad", url .. "/gone", "http://10.0.0.1/", "ftp://x/", "x",
        "http://127.0.0.1:1/", "http://a/\0", 7, false } do
        local expected = seen(pcall(session.get, session, target))
        local t = task.spawn(session.get, session, target)
        local got = seen(pcall(t.await, t))
        expected[7], got[7] = tostring(expected[7]):gsub("^%S+:%d+: ", ""), tostring(got[7])
        equal(got, expected)
        equal(t:status(), "failed")
      end
      local t = task.spawn(session.get, session, url .. "/ok", { timout = 1 })
      raises_error({ kind = "Usage" }, t.await, t)
    end)
  end)

  it("can be cancelled before it starts, in the queue and in flight", function()
    with_session({ limit = 1 }, function(session, url)
      local tasks = {}
      for i = 1, 4 do tasks[i] = task.spawn(session.get, session, url .. "/ok") end
      tasks[1]:cancel()
      task.checkpoint()
      for _, t in ipairs(tasks) do t:cancel() end
      for _, t in ipairs(tasks) do
        raises_error({ kind = "TaskCancelled" }, t.await, t)
        equal(t:status(), "cancelled")
      end
      equal(session:get(url .. "/ok").status, 200)
      local ok, err = pcall(task.timeout, 0.001, function()
        task.gather { task.spawn(session.get, session, "http://127.0.0.1:1/") }
        task.sleep(1)
      end)
      equal({ ok, err.kind == "Timeout" or err.kind == "HttpError" }, { false, true })
    end)
  end)

  it("keeps its session and its URL until it ends, whatever the script does", function()
    with_session({ limit = 2 }, function(_, url)
      local tasks = {}
      for i = 1, 20 do
        local session = http.session { headers = { ["X-I"] = tostring(i) } }
        tasks[i] = task.spawn(session.get, session, url .. "/there?" .. i)
        task.checkpoint()
        if i % 2 == 0 then
          session.handle, session.headers, session.core_options = nil, nil, nil
          session.without_credentials = nil
        end
      end
      for i, t in ipairs(tasks) do
        collectgarbage()
        local ok, r = pcall(t.await, t)
        if i % 2 == 1 then equal({ ok, r.status }, { true, 200 }) end
      end
    end)
  end)

  it("ends with its session", function()
    with_session({}, function(session, url)
      local t = task.spawn(session.get, session, url .. "/ok")
      task.checkpoint()
      session:close()
      raises_error({ kind = "HttpError", code = "closed" }, t.await, t)
      t = task.spawn(session.get, session, url .. "/ok")
      raises_error({ kind = "Usage" }, t.await, t)
    end)
  end)

  it("says what it waits for", function()
    with_session({}, function(session)
      local server <close> = net.listen()
      local t = task.spawn(session.get, session, ("http://127.0.0.1:%d/x"):format(server.port))
      task.sleep(0.01)
      equal(t:status(), "suspended")
      equal(t:traceback():find "in %?" ~= nil, true)
      t:cancel()
    end)
  end)

  it("may be one of the default session, as in map", function()
    with_server(function(url)
      local responses = task.gather(task.map(http.get, { url .. "/ok", url .. "/there?1" }))
      equal({ responses[1].url, responses[2].url, #responses[2].history },
        { url .. "/ok", url .. "/ok", 1 })
      for _, target in ipairs { "x", url .. "/bad", 7, {} } do
        local expected = seen(pcall(http.get, target))
        local t = task.spawn(http.get, target)
        local got = seen(pcall(t.await, t))
        expected[7], got[7] = tostring(expected[7]):gsub("^%S+:%d+: ", ""), tostring(got[7])
        equal(got, expected)
      end
      equal(http.get(url .. "/missing", { timeout = 9 }).status, 404)
      misuse("too many arguments", function() http.get(url, nil, 1) end)
      misuse("call it as http.get", function() http:get(url) end)
      misuse("bad argument #1 to 'get'", function() http.get(nil) end)
    end)
  end)

  it("of many, each has its own response", function()
    with_session({ limit = 8 }, function(session, url, wire)
      local tasks = {}
      for i = 1, 500 do tasks[i] = task.spawn(session.get, session, url .. "/ok?" .. i) end
      for i, r in ipairs(task.gather(tasks)) do
        equal({ r.body, r.url }, { "hello", url .. "/ok?" .. i })
      end
      equal(#wire, 500)
    end)
  end)
end)
