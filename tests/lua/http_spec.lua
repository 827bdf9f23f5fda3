-- SPDX-License-Identifier: MIT
-- septet.http: sessions, methods, headers, what a response holds, connections and their limits, and
-- redirects. What goes wrong on the way is in tests/faults/http_spec.lua.
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"

local URL, echo = origin.url, origin.echo

describe("a response", function()
  it("a response has a status, a reason, a body, a URL, a method and a version", function()
    local session <close> = http.session()
    local r = session:get(URL .. "/bytes/20")
    equal(r.status, 200)
    equal(math.type(r.status), "integer")
    equal(r.reason, "OK")
    equal(r.body, "0123456789abcdef0123")
    equal(r.url, URL .. "/bytes/20")
    equal(r.method, "GET")
    equal(r.version, "1.1")
    equal(r.history, {})
    equal(r.nothing, nil)
  end)

  it("a response may have any status, which is no error by itself", function()
    local session <close> = http.session()
    for _, status in ipairs { 200, 201, 204, 304, 400, 404, 418, 500, 503, 599, 999 } do
      equal(session:get(URL .. "/status/" .. status).status, status)
    end
    equal(session:get(URL .. "/status/404").reason, "Not Found")
    equal(session:get(URL .. "/status/103").status, 200) -- what came before it is no answer
  end)

  it("a response raises an error for its status if the script asks", function()
    local session <close> = http.session()
    local r = session:get(URL .. "/status/503")
    local err = raises_error({
      kind = "HttpError", code = "status", status = 503, url = r.url, method = "GET",
    },
      r.raise_for_status, r)
    equal(tostring(err):find "503" ~= nil, true)
    local fine = session:get(URL .. "/status/399")
    equal(rawequal(fine:raise_for_status(), fine), true)
  end)

  it("a response has a body of any size, and of none", function()
    local session <close> = http.session()
    for _, n in ipairs { 0, 1, 16383, 16384, 16385, 1000000 } do
      local body = session:get(URL .. "/bytes/" .. n).body
      equal(#body, n)
      equal(body == origin.pattern(n), true)
    end
    equal(session:get(URL .. "/status/204").body, "")
  end)

  it("a response has its body, however it is framed", function()
    local session <close> = http.session()
    equal(session:get(URL .. "/chunked?chunks=5&size=1000").body == origin.pattern(5000), true)
    equal(session:get(URL .. "/chunked?chunks=0").body, "")
    equal(session:get(URL .. "/close-delimited?bytes=5000").body == origin.pattern(5000), true)
    equal(session:get(URL .. "/close?bytes=50").body, origin.pattern(50))
    equal(session:get(URL .. "/drip?bytes=5&interval=0.001").body, "01234")
  end)

  it("a response has its body decoded", function()
    local session <close> = http.session()
    local r = session:get(URL .. "/gzip?bytes=100000")
    equal(r.body == origin.pattern(100000), true)
    equal(echo(session, "GET").headers["accept-encoding"]:find "gzip" ~= nil, true)
  end)

  it("a response finds headers in any case", function()
    local session <close> = http.session()
    local h = session:get(URL .. "/headers?X-One=1&x-two=a%20b").headers
    equal(h["x-one"], "1")
    equal(h["X-ONE"], "1")
    equal(h["X-Two"], "a b")
    equal(h["X-Three"], nil)
    equal(h[7], nil)
    equal(h["Content-Length"], "2")
  end)

  it("a response keeps every value of a header, in order", function()
    local session <close> = http.session()
    local h = session:get(URL .. "/headers?Set-Cookie=a%3D1&X=y&set-cookie=b%3D2").headers
    equal(h:all "Set-Cookie", { "a=1", "b=2" })
    equal(h:all "X", { "y" })
    equal(h:all "None", {})
    equal(h["set-cookie"], "a=1, b=2")
    local seen = {}
    for name, value in pairs(h) do seen[#seen + 1] = name .. "=" .. value end
    equal(seen, { "Set-Cookie=a=1", "X=y", "set-cookie=b=2", "Content-Length=2" })
    local each = {}
    for name in h:each() do each[#each + 1] = name end
    equal(each, { "Set-Cookie", "X", "set-cookie", "Content-Length" })
  end)

  it("a response finds headers of every name, and without a value", function()
    local session <close> = http.session()
    local h = session:get(URL .. "/headers?Lines=5&X-Empty=").headers
    equal(h.lines, "5")
    equal(h["x-empty"], "")
  end)

  it("a response has the duration of each phase", function()
    local session <close> = http.session()
    local first = session:get(URL .. "/delay/0.02").times
    for _, phase in ipairs { "queue", "tcp", "wait", "receive", "total" } do
      equal(math.type(first[phase]), "float", phase)
      equal(first[phase] >= 0, true, phase)
    end
    equal(first.wait >= 0.02, true)
    local sum = 0
    for phase, seconds in pairs(first) do
      if phase ~= "total" then sum = sum + seconds end
    end
    equal(math.abs(sum - first.total) < 1e-6, true,
      ("sum %.9f total %.9f"):format(sum, first.total))
    local second = session:get(URL .. "/bytes/1").times
    equal({ second.dns, second.tcp, second.tls }, {}) -- the connection was there
  end)

  it("any number of tasks may read a response", function()
    local session <close> = http.session()
    local r = session:get(URL .. "/headers?X=1")
    local results = task.gather { function() return r.headers.X end, function()
      return r.reason
    end }
    equal(results, { n = 2, "1", "OK" })
  end)
end)

describe("a verb", function()
  it("a method is sent as it is called", function()
    local session <close> = http.session()
    for _, verb in ipairs { "get", "post", "put", "patch", "delete", "options" } do
      local r = session[verb](session, URL .. "/echo?a=1")
      equal(r.method, verb:upper())
      local said = origin.decode(r.body)
      equal(said.method, verb:upper())
      equal(said.query, "a=1")
      equal(said.body, "")
    end
  end)

  it("a script may use other methods", function()
    local session <close> = http.session()
    equal(echo(session, "PROPFIND").method, "PROPFIND")
    equal(echo(session, "x-Odd!").method, "x-Odd!")
  end)

  it("HEAD returns headers and no body", function()
    local session <close> = http.session()
    local r = session:head(URL .. "/bytes/1000")
    equal(r.status, 200)
    equal(r.body, "")
    equal(r.headers["content-length"], "1000")
    equal(session:get(URL .. "/bytes/3").body, "012") -- the connection is in step
  end)

  it("a method sends a body, of text and of bytes, small and large", function()
    local session <close> = http.session()
    for _, verb in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      local said = echo(session, verb, { body = "a=1&b=2" })
      equal({ said.method, said.body, said.headers["content-length"] }, { verb, "a=1&b=2", "7" })
    end
    equal(echo(session, "POST", { body = "" }).headers["content-length"], "0")
    equal(echo(session, "POST", { body = "a\0b\r\n\r\n" }).body, "a\0b\r\n\r\n")
    for _, n in ipairs { 1, 1025, 65537, 3000000 } do
      equal(origin.decode(session:post(URL .. "/echo", { body = ("x"):rep(n) }).body).body_size, n)
    end
  end)

  it("a body adds no headers but those that it needs", function()
    local session <close> = http.session()
    local headers = echo(session, "POST", { body = ("x"):rep(5000) }).headers
    equal(headers["content-type"], nil)
    equal(headers.expect, nil)
    equal(headers["transfer-encoding"], nil)
  end)

  it("the module has the methods of the default session", function()
    equal(http.get(URL .. "/bytes/3").body, "012")
    equal(http.head(URL .. "/bytes/3").body, "")
    equal(origin.decode(http.post(URL .. "/echo", { body = "b" }).body).body, "b")
    equal(rawequal(http.default(), http.default()), true)
  end)
end)

describe("headers", function()
  it("the session's headers go with each request, which may replace them in any case", function()
    local session <close> = http.session {
      headers = { ["X-One"] = "session", ["X-Two"] = "session", ["X-Num"] = 7 },
    }
    local headers = echo(session, "GET",
      { headers = { ["x-one"] = "request", ["X-Three"] = "request" } }).headers
    equal(headers["x-one"], "request")
    equal(headers["x-two"], "session")
    equal(headers["x-three"], "request")
    equal(headers["x-num"], "7")
    equal(echo(session, "GET").headers["x-one"], "session")
    equal(echo(session, "GET").headers["x-three"], nil)
  end)

  it("false removes a header", function()
    local session <close> = http.session { headers = { ["X-One"] = "session" } }
    equal(echo(session, "GET", { headers = { ["X-One"] = false } }).headers["x-one"], nil)
    equal(echo(session, "GET", { headers = { ["user-agent"] = false } }).headers["user-agent"], nil)
    local none <close> = http.session { headers = { ["User-Agent"] = false } }
    equal(echo(none, "GET").headers["user-agent"], nil)
  end)

  it("the User-Agent names the program, unless the script sets it", function()
    local session <close> = http.session()
    equal(echo(session, "GET").headers["user-agent"]:find "^septet/%d+%.%d+%.%d+$" ~= nil, true)
    local other <close> = http.session { headers = { ["user-agent"] = "mine" } }
    equal(echo(other, "GET").headers["user-agent"], "mine")
  end)

  it("a header may be empty, long, and not in ASCII", function()
    local session <close> = http.session()
    local headers = echo(session, "GET", { headers = {
      ["X-Empty"] = "", ["X-Blank"] = "  ", ["X-Long"] = ("v"):rep(8000), ["X-Byte"] = "\xe9",
    } }).headers
    equal(headers["x-empty"], "")
    equal(headers["x-blank"], "")
    equal(#headers["x-long"], 8000)
    equal(headers["x-byte"], "é") -- the origin reads latin-1 and writes UTF-8
  end)

  it("a script may set Host", function()
    local session <close> = http.session()
    equal(echo(session, "GET").headers.host, origin.authority)
    equal(echo(session, "GET", { headers = { Host = "example.test" } }).headers.host,
      "example.test")
  end)

  it("a session copies its table of headers", function()
    local given = { ["X-One"] = "before" }
    local session <close> = http.session { headers = given }
    equal(echo(session, "GET").headers["x-one"], "before")
    given["X-One"] = "after"
    equal(echo(session, "GET").headers["x-one"], "before")
    equal(echo(session, "GET", { headers = { ["X-Two"] = "2" } }).headers["x-one"], "before")
  end)
end)

describe("a session", function()
  it("a session keeps its connection", function()
    local session <close> = http.session()
    local mark = origin.mark()
    for _ = 1, 20 do session:get(URL .. "/bytes/1?spec=keep") end
    local requests = origin.requests(mark, "/bytes/1?spec=keep")
    equal(#requests, 20)
    equal(origin.connections(requests), 1)
  end)

  it("sessions do not share connections", function()
    local a <close> = http.session()
    local b <close> = http.session()
    local mark = origin.mark()
    for _ = 1, 3 do
      a:get(URL .. "/bytes/1?spec=own")
      b:get(URL .. "/bytes/1?spec=own")
    end
    equal(origin.connections(origin.requests(mark, "/bytes/1?spec=own")), 2)
  end)

  it("a session drops its connections when it is closed", function()
    local mark = origin.mark()
    do
      local session <close> = http.session()
      session:get(URL .. "/bytes/1?spec=drop")
    end
    equal(origin.closed(mark, origin.requests(mark, "/bytes/1?spec=drop")[1].connection).by,
      "client")
  end)

  it("a session drops its connections when the collector takes it", function()
    local mark = origin.mark()
    http.session():get(URL .. "/bytes/1?spec=collect")
    collectgarbage()
    collectgarbage()
    equal(origin.closed(mark, origin.requests(mark, "/bytes/1?spec=collect")[1].connection).by,
      "client")
  end)

  it("a collected session ends none of its requests", { leaks = true }, function()
    local t = task.spawn(function() return http.session():get(URL .. "/delay/0.02").body end)
    turns(2)
    collectgarbage()
    collectgarbage()
    equal(t:await(), "01")
  end)

  it("a closed session takes no request", function()
    local session = http.session()
    session:get(URL .. "/bytes/1")
    session:close()
    session:close()
    misuse("the session is closed", function() session:get(URL .. "/bytes/1") end)
  end)

  it("closing a session fails the requests in flight, and the queued ones too", function()
    local session = http.session { limit = 1 }
    local tasks = {}
    for i = 1, 3 do tasks[i] = task.spawn(session.get, session, URL .. "/stall?spec=close") end
    local mark = origin.mark()
    origin.eventually(function() return origin.requests(mark, "/stall?spec=close")[1] end)
    session:close()
    for i = 1, 3 do
      raises_error({ kind = "HttpError", code = "closed" }, tasks[i].await, tasks[i])
    end
  end)

  it("the task of a request may close its session", function()
    local session = http.session()
    local t = task.spawn(function()
      local s <close> = session
      s:get(URL .. "/bytes/1")
      error("out", 0)
    end)
    raises("out", t.await, t)
    misuse("the session is closed", function() session:get(URL .. "/bytes/1") end)
  end)

  it("a session takes limits, a timeout and headers, and no other option", function()
    misuse("unknown option 'limti' to 'session', did you mean 'limit'%?", function()
      http.session({ limti = 3 })
    end)
    misuse("did you mean 'limit_per_host'%?", function() http.session({ limit_per_hosts = 3 }) end)
    local words = "bad option 'limit' to 'session' "
      .. "%(a whole number from 1 to 1000000 expected, got 0%)"
    misuse(words, function()
      http.session({ limit = 0 })
    end)
    misuse("bad option 'limit'", function() http.session({ limit = 1.5 }) end)
    misuse("bad option 'limit'", function() http.session({ limit = "8" }) end)
    misuse("bad option 'limit_per_host'", function() http.session({ limit_per_host = -1 }) end)
    misuse("bad option 'timeout'", function() http.session({ timeout = -1 }) end)
    misuse("bad option 'timeout'", function() http.session({ timeout = 0 / 0 }) end)
    misuse("bad option 'headers'", function() http.session({ headers = "X: y" }) end)
    misuse("bad option 'trace'", function() http.session({ trace = print }) end)
    misuse("bad options to 'session'", function() http.session(7) end)
    misuse("unknown option 'request_edn' to 'trace', did you mean 'request_end'%?", function()
      http.session({ trace = { request_edn = print } })
    end)
    misuse("bad trace hook 'request_end' %(function expected, got string%)", function()
      http.session({ trace = { request_end = "print" } })
    end)
  end)

  it("many sessions in turn do not grow the process", function()
    local function resident() -- bytes; a sanitizer keeps what is freed, and looks for leaks itself
      local maps, file <close> = io.open "/proc/self/maps", io.open "/proc/self/statm"
      local sanitized = maps and maps:read("a"):find("libasan", 1, true)
      if maps then maps:close() end
      return file and not sanitized and select(2, file:read("n", "n")) * 4096 or 0
    end
    local function many(n)
      for _ = 1, n do http.session():close() end
      collectgarbage()
      collectgarbage()
    end
    many(2000)
    local before = resident()
    many(4000)
    local more = resident() - before
    equal(more < 4e6, true, "bytes more than before: " .. more)
  end)
end)

describe("a dot for a colon", function()
  it("the error of a dot names the colon, and that of a colon the dot", function()
    local session <close> = http.session()
    raises("'get' is a method: call it as session:get", session.get, "http://127.0.0.1:1/")
    raises("'get' is a function: call it as http.get", http.get, http, "http://127.0.0.1:1/")
  end)
end)
