-- SPDX-License-Identifier: MIT
-- septet.testing.serve: the server against our client, and against bytes that are no request.
local task, http, testing = require "septet.task", require "septet.http", require "septet.testing"
local net = require "septet.net"
local compare, files = require "compare", require "files"
local ticker = require "ticker"

-- Sends pieces over a connection of its own (numbers are seconds to wait, "eof" ends the sending),
-- and returns all that comes back.
local function talk(server, ...)
  local c <close> = net.connect { host = "127.0.0.1", port = server.port, timeout = 20 }
  for _, piece in ipairs { ... } do
    if type(piece) == "number" then
      task.sleep(piece)
    elseif piece == "eof" then
      c:shutdown()
    elseif not pcall(c.write, c, piece) then
      break
    end
  end
  local got = {}
  while true do
    local ok, piece = pcall(c.read, c, 65536)
    if not ok or not piece then break end
    got[#got + 1] = piece
  end
  return table.concat(got)
end

-- The statuses of the responses in what came back.
local function statuses(got)
  local found = {}
  for status in got:gmatch "HTTP/1%.1 (%d%d%d)" do found[#found + 1] = tonumber(status) end
  return found
end

local function without_date(text)
  return (text:gsub("Date: [^\r]*\r\n", ""))
end

local HOST = " HTTP/1.1\r\nHost: a\r\n"
local CLOSE = "Connection: close\r\n"

describe("a request", function()
  it("is what the client sent", function()
    local server <close> = testing.serve(function(r)
      return { json = { r.method, r.target, r.path, r.query:get "a", r.query:all "b", r.version,
        r.headers["x-a"], r.headers:all "X-B", r.body, r.connection } }
    end)
    local session <close> = http.session()
    local r = session:post(server.url .. "/p%20q?a=1&b=2&b=%33+4", { body = "text",
      headers = { ["X-A"] = "v", ["X-B"] = "w" } })
    equal(r:json(), { "POST", "/p%20q?a=1&b=2&b=%33+4", "/p%20q", "1", { "2", "3 4" }, "1.1", "v",
      { "w" }, "text", 1 })
    equal({ r.headers["content-type"], r.headers.date ~= nil }, { "application/json", true })
    local seen = server.requests[1]
    equal({ #server.requests, seen.path, seen.body, seen.status, seen.peer ~= nil },
      { 1, "/p%20q", "text", 200, true })
  end)

  it("has a path in each form of its target", function()
    local paths = {}
    local server <close> = testing.serve(function(r) paths[#paths + 1] = { r.path, r.target } end)
    for _, target in ipairs { "/", "/a?b#c", "*", "http://x/y?z", "http://x", "http://x?q",
      "a:1" } do
      talk(server, "GET " .. target .. HOST .. CLOSE .. "\r\n")
    end
    equal(paths, { { "/", "/" }, { "/a", "/a?b#c" }, { "*", "*" }, { "/y", "http://x/y?z" },
      { "/", "http://x" }, { "/", "http://x?q" }, { "a:1", "a:1" } })
  end)

  it("may have a body in chunks, cut anywhere, with extensions and trailers", function()
    local server <close> = testing.serve(function(r)
      return r.body .. "|" .. (r.trailers["x-sum"] or "-")
    end)
    local text = "POST /" .. HOST .. "Transfer-Encoding: chunked\r\n" .. CLOSE .. "\r\n"
      .. "3\r\nabc\r\n00A;a=b; c=\"d\"\r\n0123456789\r\n0\r\nX-Sum: 9\r\n\r\n"
    for cut = 1, #text, many(6) + 1 do
      local got = talk(server, text:sub(1, cut), 0, text:sub(cut + 1))
      equal(got:match "\r\n\r\n(.*)$", "abc0123456789|9")
    end
    local session <close> = http.session()
    local n = 0
    local r = session:post(server.url, { body = function()
      n = n + 1
      return n <= 50 and ("x"):rep(10000) or nil
    end })
    equal(#r.body, 500000 + 2)
  end)

  it("whose bytes come one by one is whole in the end", function()
    local server <close> = testing.serve(function(r) return r.body end)
    local c <close> = net.connect { host = "127.0.0.1", port = server.port }
    local text = "PUT /" .. HOST .. "Content-Length: 3\r\n" .. CLOSE .. "\r\nabc"
    for i = 1, #text do
      c:write(text:sub(i, i))
      task.checkpoint()
    end
    equal(c:read_line(), "HTTP/1.1 200 OK\r")
  end)

  it("gets 100 Continue if it waits for that, once its body is read", function()
    local server <close> = testing.serve(function(r)
      if r.path == "/no" then return { status = 403 } end
      return r.body
    end)
    local head = "PUT %s" .. HOST .. "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n"
    local got = talk(server, head:format "/yes", 0.01, "abc", "eof")
    equal({ statuses(got), got:sub(1, 25), got:sub(-3) },
      { { 100, 200 }, "HTTP/1.1 100 Continue\r\n\r\n", "abc" })
    local refused = talk(server, head:format "/no")
    equal({ statuses(refused), refused:find("Connection: close", 1, true) ~= nil },
      { { 403 }, true })
    equal(statuses(talk(server, "GET /" .. HOST .. "Expect: x\r\n\r\n")), { 417 })
  end)

  it("can be read as it comes", function()
    local pieces = {}
    local server <close> = testing.serve(function(r)
      for piece in r:chunks() do pieces[#pieces + 1] = piece end
      return r:read(1) == nil and "end" or "more"
    end, { streams = true })
    local head = "PUT /" .. HOST .. "Content-Length: 6\r\n" .. CLOSE .. "\r\n"
    local got = talk(server, head .. "ab", 0.02, "cd", 0.02, "ef")
    equal({ table.concat(pieces), #pieces > 1, got:sub(-3) }, { "abcdef", true, "end" })
    local early <close> = testing.serve(function() return "no thanks" end, { streams = true })
    local session <close> = http.session()
    equal(session:post(early.url, { body = ("x"):rep(900000) }).body, "no thanks")
  end)

  it("follows another one on the connection, also before that is answered", function()
    local server <close> = testing.serve(function(r)
      if r.path == "/slow" then task.sleep(0.02) end
      return r.path .. r.body .. "\n"
    end)
    local got = talk(server, "POST /slow" .. HOST .. "Content-Length: 2\r\n\r\nhiGET /b" .. HOST
      .. "\r\n\r\nGET /c" .. HOST .. CLOSE .. "\r\nGET /d" .. HOST .. "\r\n")
    local bodies = {}
    for body in got:gmatch "\r\n\r\n(/%a+)\n" do bodies[#bodies + 1] = body end
    equal({ statuses(got), bodies, server.connections }, { { 200, 200, 200 },
      { "/slowhi", "/b", "/c" }, 1 })
    local session <close> = http.session()
    for _ = 1, 10 do session:get(server.url) end
    equal(session:stats().connections_made, 1)
  end)

  it("of HTTP/1.0 ends the connection unless it asks not to", function()
    local server <close> = testing.serve(function(r)
      return r.path == "/pieces" and { body = task.generator(function(emit) emit "ab" end) } or "ab"
    end)
    local got = talk(server, "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n")
    equal({ statuses(got), got:find("Connection: close", 1, true) ~= nil }, { { 200 }, true })
    local kept = "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"
    equal(statuses(talk(server, kept:rep(2), "eof")),
      { 200, 200 })
    local pieces = talk(server, "GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    equal({ pieces:sub(-6), pieces:find("hunked", 1, true) }, { "\r\n\r\nab", nil })
  end)
end)

describe("a response", function()
  -- What the handler returns, and the bytes that are sent: without the Date.
  local cases = {
    { nil, "HTTP/1.1 204 No Content\r\n\r\n" },
    { 404, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n" },
    { "hi", "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
      .. "Content-Length: 2\r\n\r\nhi" },
    { { status = 299, reason = "Odd", headers = { B = { "1", 2 }, a = "x" }, body = "b" },
      "HTTP/1.1 299 Odd\r\nB: 1\r\nB: 2\r\na: x\r\nContent-Length: 1\r\n\r\nb" },
    { { json = { a = 1 } },
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}" },
    { { json = false, headers = { ["content-type"] = "x/y" } },
      "HTTP/1.1 200 OK\r\ncontent-type: x/y\r\nContent-Length: 5\r\n\r\nfalse" },
    { { redirect = "/next" },
      "HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n" },
    { { redirect = "/next", status = 308 },
      "HTTP/1.1 308 Permanent Redirect\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n" },
    { { status = 304, body = "dropped" }, "HTTP/1.1 304 Not Modified\r\n\r\n" },
    { { events = { "a\nb", { type = "t", id = 1, retry = 0.5, data = "", comment = "c" } } },
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
      .. "11\r\ndata: a\ndata: b\n\n\r\n26\r\n: c\nevent: t\nid: 1\nretry: 500\ndata: \n\n\r\n"
      .. "0\r\n\r\n" },
    { { raw = "whatever\r\n" }, "whatever\r\n" },
    { { raw = { "a", 0.001, "b" }, close = true }, "ab" },
    { { close = true }, "" },
    { { close = true, body = "x" },
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx" },
    { { headers = { Connection = "close" } },
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" },
    { { headers = { ["Content-Length"] = 3 }, body = "abc" },
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc" },
  }

  it("is what the handler returned", function()
    for i, case in ipairs(cases) do
      local server <close> = testing.serve(function() return case[1] end)
      equal(without_date(talk(server, "GET /" .. HOST .. "\r\n", "eof")), case[2], i)
    end
  end)

  it("may have a body in pieces, whose end, length and trailers the client sees", function()
    local server <close> = testing.serve(function(r)
      local n = 0
      return { body = function()
        n = n + 1
        task.sleep(0.001)
        return ({ "a", "", "bc" })[n]
      end, headers = r.path == "/length" and { ["content-length"] = "3" } or nil,
        trailers = r.path == "/trailers" and { ["X-T"] = "v" } or nil }
    end)
    local function body(path)
      return talk(server, "GET " .. path .. HOST .. "\r\n", "eof"):match "\r\n\r\n(.*)$"
    end
    equal({ body "/", body "/length", body "/trailers" }, { "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc",
      "1\r\na\r\n2\r\nbc\r\n0\r\nX-T: v\r\n\r\n" })
    local session <close> = http.session()
    equal({ session:get(server.url).body, session:get(server.url .. "/length").body },
      { "abc", "abc" })
    equal(session:stats().connections_made, 1)
  end)

  it("to HEAD has the headers alone", function()
    local called = false
    local server <close> = testing.serve(function(r)
      return r.path == "/s" and "text" or { body = function() called = true end }
    end)
    local session <close> = http.session()
    local r = session:head(server.url .. "/s")
    equal({ r.body, r.headers["content-length"] }, { "", "4" })
    equal({ session:head(server.url).headers["transfer-encoding"], called }, { "chunked", false })
    equal(session:stats().connections_made, 1)
  end)

  it("may come after interim ones", function()
    local server <close> = testing.serve(function(r)
      r:inform(103, { Link = "</a>" })
      return "done"
    end)
    local got = talk(server, "GET /" .. HOST .. CLOSE .. "\r\n")
    equal({ statuses(got), got:find("103 Early Hints\r\nLink: </a>\r\n\r\n", 1, true) ~= nil },
      { { 103, 200 }, true })
    equal(statuses(talk(server, "GET / HTTP/1.0\r\n\r\n")), { 200 })
    local session <close> = http.session()
    equal(session:get(server.url).body, "done")
  end)

  it("may come late, never, or with a reset", function()
    local server <close> = testing.serve(function(r)
      if r.path == "/late" then return { delay = 0.03, body = "late" } end
      if r.path == "/half" then
        return { raw = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc" }
      end
      if r.path == "/keep" then
        return { raw = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", close = false }
      end
      return { close = r.path == "/close", reset = r.path == "/reset" }
    end)
    local session <close> = http.session()
    local before = task.now()
    equal({ session:get(server.url .. "/late").body, task.now() - before >= 0.03 },
      { "late", true })
    raises_error({ code = "partial" }, session.get, session, server.url .. "/half")
    raises_error({ code = "reset" }, session.post, session, server.url .. "/close")
    raises_error({ code = "reset" }, session.post, session, server.url .. "/reset")
    local made = session:stats().connections_made
    session:get(server.url .. "/keep")
    session:get(server.url .. "/keep")
    equal(session:stats().connections_made, made + 1)
  end)

  it("ends with its client, and closes what makes its body", function()
    local closed = 0
    local server <close> = testing.serve(function()
      return { events = task.generator(function(emit)
        local _ <close> = setmetatable({}, { __close = function() closed = closed + 1 end })
        while true do
          emit(("x"):rep(1000))
          task.sleep(0.001)
        end
      end) }
    end)
    local session <close> = http.session()
    do
      local r <close> = session:stream("GET", server.url)
      equal(#r:events()().data, 1000)
    end
    while closed == 0 do task.sleep(0.001) end
    equal({ #server.errors, closed }, { 0, 1 })
  end)
end)

describe("what is no request", function()
  -- What is sent, and the status of the answer; nil: the connection just ends.
  local function post(...) return "POST /" .. HOST .. table.concat({ ... }, "\r\n") end
  local TE = "Transfer-Encoding: chunked"
  local refused = {
    { "\1\2\3\r\n", 400 }, { "GET\r\n", 400 }, { "GET /\r\n", 400 }, { "GET / HTTP/1.1\n\n", 400 },
    { "GET  /" .. HOST, 400 }, { "GET / HTTP/2.0\r\n", 505 }, { "PRI * HTTP/2.0\r\n\r\n", 505 },
    { "get /\tx HTTP/1.1\r\n", 400 }, { "GET / HTTP/1.1\r\n\r\n", 400 },
    { "GET /" .. HOST .. "Host: b\r\n\r\n", 400 }, { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
    { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 }, { "GET / HTTP/1.1\r\nHost: u@b\r\n\r\n", 400 },
    { "GET /" .. HOST .. "A : b\r\n", 400 }, { "GET /" .. HOST .. "A\r\n", 400 },
    { "GET /" .. HOST .. " A: b\r\n", 400 }, { "GET /" .. HOST .. "A: b\n\r\n", 400 },
    { "GET /" .. HOST .. "A: b\rc\r\n", 400 }, { "GET /" .. HOST .. "A: \0\r\n", 400 },
    { "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 400 },
    { post("Content-Length: 3", TE, "", ""), 400 }, { post(TE, "Content-Length: 3", "", ""), 400 },
    { post("Content-Length: 3", "Content-Length: 4", "", ""), 400 },
    { post("Content-Length: -3", ""), 400 }, { post("Content-Length: 3x", ""), 400 },
    { post("Content-Length: 0x3", ""), 400 }, { post("Content-Length:", ""), 400 },
    { post("Content-Length : 3", ""), 400 }, { post("Content-Length: 3", " 4", ""), 400 },
    { post("Content-Length: 99999999999", "", ""), 413 },
    { post("Content-Length: 99999999999999999999", ""), 400 },
    { post("Transfer-Encoding: gzip, chunked", "", ""), 400 },
    { post("Transfer-Encoding: chunked, gzip", "", ""), 400 },
    { post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", "", ""), 400 },
    { post("Transfer-Encoding: xchunked", "", ""), 400 },
    { post("Transfer-Encoding:\11chunked", "x:y", "", ""), 400 },
    { post("Transfer-Encoding : chunked", ""), 400 },
    { post("Transfer-Encoding: chunked\11\11x", "", ""), 400 },
    { "POST / HTTP/1.0\r\n" .. TE .. "\r\n\r\n", 400 },
    { post(TE, "", "x", ""), 400 }, { post(TE, "", "", "abc"), 400 },
    { post(TE, "", " 3", ""), 400 },
    { post(TE, "", "3 ", ""), 400 }, { post(TE, "", "+3", ""), 400 },
    { post(TE, "", "-1", ""), 400 },
    { post(TE, "", "0x3", ""), 400 }, { post(TE, "", "3\nabc", ""), 400 },
    { post(TE, "", "3", "abcd", "0", "", ""), 400 }, { post(TE, "", "3", "abc", "z", ""), 400 },
    { post(TE, "", "3;a\0", ""), 400 }, { post(TE, "", "3 x", ""), 400 },
    { post(TE, "", "3;a\rb", ""), 400 }, { post(TE, "", "3\r\r", ""), 400 },
    { post(TE, "", ("0"):rep(16) .. "3", ""), 400 }, { post(TE, "", ("f"):rep(16), ""), 400 },
    { post(TE, "", "3;" .. ("x"):rep(2000), ""), 400 }, { post(TE, "", ("0"):rep(5000)), 400 },
    { post(TE, "", "ffffffff", ""), 413 }, { post(TE, "", "0", "A : b", ""), 400 },
    { post(TE, "", "0", "Content-Length: 3", "", ""), 400 },
    { post(TE, "", "0", "Transfer-Encoding: chunked", "", ""), 400 },
    { post(TE, "", "0", "A: b\n", ""), 400 }, { post(TE, "", "1", "a\n0", "", ""), 400 },
    { post(TE, "", ("1;" .. ("x"):rep(1000) .. "\r\na\r\n"):rep(20), ""), 400 },
    { "GET /" .. ("a"):rep(70000) .. HOST, 414 },
    { "GET /" .. HOST .. ("A: b\r\n"):rep(600), 431 },
    { "GET /" .. HOST .. "A: " .. ("b"):rep(70000), 431 },
    { ("\r\n"):rep(600), 414 }, { ("x"):rep(100000), 414 },
    { "", nil }, { "GET", nil }, { "GET /" .. HOST, nil }, { "\r\n", nil },
    { post("Content-Length: 3", "", "ab"), nil }, { post(TE, "", "3", "ab"), nil },
    { post(TE, "", "3", "abc", "0", ""), nil }, { post(TE, ""), nil },
  }

  it("is refused, and ends the connection, without reaching the handler", function()
    local called = 0
    local server <close> = testing.serve(function() called = called + 1 end)
    for i, case in ipairs(refused) do
      local got =
        talk(server, case[1], case[2] == nil and "eof" or "", "GET /evil" .. HOST .. "\r\n")
      equal(statuses(got), { case[2] }, i .. ": " .. compare.show(case[1]:sub(1, 80)))
      if case[2] then equal(got:find("Connection: close", 1, true) ~= nil, true) end
    end
    equal(called, 0)
    equal(#refused >= 60, true)
    equal(#server.errors >= 60, true, #server.errors)
    for _, err in ipairs(server.errors) do equal(err.kind, "RequestError") end
  end)

  it("that ends a pipeline is refused after what came before it is answered", function()
    local server <close> = testing.serve(function(r) return r.path end)
    local good = "GET /ok" .. HOST .. "\r\n"
    for i, case in ipairs(refused) do
      if case[2] == 400 then
        equal(statuses(talk(server, good .. case[1])), { 200, 400 }, i)
      end
    end
  end)

  it("that comes too slowly gets 408, and a connection without one is closed", function()
    local server <close> = testing.serve(function(r) return r.body end, { timeout = 0.05 })
    equal(statuses(talk(server, "GET /")), { 408 })
    equal(statuses(talk(server, "GET /" .. HOST, 0.02, "A: b\r\n", 0.02, "A: b\r\n", 0.02,
      "A: b\r\n", 0.02, "\r\n")), { 408 })
    equal(talk(server), "")
    equal(statuses(talk(server, "POST /" .. HOST .. "Content-Length: 9\r\n\r\nabc")), { 408 })
  end)

  it("of more than max_body is refused, whether it says so or not", function()
    local server <close> = testing.serve(function(r) return #r.body .. "" end, { max_body = 1000 })
    local session <close> = http.session()
    local function pieces(n)
      return function()
        n = n - 1
        return n >= 0 and ("x"):rep(100) or nil
      end
    end
    equal({ session:post(server.url, { body = ("x"):rep(1000) }).body,
      session:post(server.url, { body = pieces(10) }).body }, { "1000", "1000" })
    equal({ session:post(server.url, { body = ("x"):rep(1001) }).status,
      session:post(server.url, { body = pieces(11) }).status,
      session:post(server.url, { body = ("x"):rep(500000) }).status }, { 413, 413, 413 })
  end)
end)

describe("a handler", function()
  it("that raises is a 500, and fails the run unless on_error takes it", function()
    local lost = {}
    local before = task.on_unhandled
    task.on_unhandled = function(t, err) lost[#lost + 1] = { t.name, tostring(err) } end
    local server <close> = testing.serve(function() error("oops", 0) end)
    local session <close> = http.session()
    local r = session:get(server.url .. "/a?b")
    turns(3)
    task.on_unhandled = before
    equal({ r.status, r.body, lost, server.errors },
      { 500, "the handler failed: oops\n", { { "handler of GET /a", "oops" } }, { "oops" } })

    local seen = {}
    local quiet <close> = testing.serve(function() error { code = 7 } end,
      { on_error = function(err, request, traceback)
        seen[#seen + 1] = { err.code, request.path, traceback ~= nil }
      end })
    equal(session:get(quiet.url .. "/x").status, 500)
    turns(3)
    equal(seen, { { 7, "/x", true } })
  end)

  it("that returns nonsense is told so", function()
    local answer
    local errors = {}
    local server <close> = testing.serve(function() return answer end,
      { on_error = function(err) errors[#errors + 1] = tostring(err) end })
    local session <close> = http.session()
    for i, case in ipairs {
      { true, "a table, a string, a status or nil expected, got boolean" },
      { { statsu = 200 }, "unknown option 'statsu' to 'testing.serve', did you mean 'status'" },
      { { status = 99 }, "bad status" }, { 100, "bad status" }, { 1.5, "bad status" },
      { { body = {} }, "bad 'body'" }, { { body = "a", json = 1 }, "several bodies" },
      { { headers = { a = "b\nc" } }, "header 'a'" },
      { { headers = { ["a b"] = "" } }, "not a token" },
      { { headers = { ["Transfer-Encoding"] = "x" } }, "the body decides this header" },
      { { headers = { ["Content-Length"] = "x" } }, "bad header 'Content%-Length'" },
      { { headers = { ["Content-Length"] = 5 }, body = "abc" }, "not as long" },
      { { redirect = "/\n" }, "header 'Location'" }, { { reason = "a\rb" }, "bad 'reason'" },
      { { raw = 1 }, "bad 'raw'" }, { { raw = { {} } }, "bad item of 'raw'" },
      { { delay = -1 }, "bad option 'delay'" }, { { events = 1 }, "bad 'events'" },
    } do
      answer = case[1]
      equal(session:get(server.url).status, 500, i)
      turns(3)
      equal({ #errors, errors[i]:find(case[2]) ~= nil }, { i, true }, i .. " " .. errors[i])
    end
  end)

  it("that fails within a body breaks the body off", function()
    local errors = {}
    local server <close> = testing.serve(function(r)
      local n = 0
      return { body = function()
        n = n + 1
        if n == 3 and r.path == "/raise" then error("late", 0) end
        if n == 3 and r.path == "/type" then return 7 end
        return n < 3 and "abc" or nil
      end, headers = { ["Content-Length"] = r.path == "/short" and 7 or r.path == "/long" and 5
        or nil } }
    end, { on_error = function(err) errors[#errors + 1] = tostring(err) end })
    local session <close> = http.session()
    for _, path in ipairs { "/raise", "/type", "/short", "/long" } do
      raises_error({ kind = "HttpError" }, session.get, session, server.url .. path)
    end
    turns(3)
    equal({ #errors, errors[1], errors[3]:find "less than its Content%-Length" ~= nil },
      { 4, "late", true })
  end)

  it("may wait while others are answered", function()
    local held = gate()
    local server <close> = testing.serve(function(r)
      if r.path == "/held" then held:wait() else task.sleep(0.001) end
      return r.path
    end)
    local session <close> = http.session()
    local t = task.spawn(session.get, session, server.url .. "/held")
    server:wait(1)
    for _ = 1, 30 do equal(session:get(server.url .. "/other").body, "/other") end
    equal(t:status(), "suspended")
    held:open()
    equal(t:await().body, "/held")
  end)

  it("that reads a large body and sends one lets others run", function()
    local server <close> = testing.serve(function(r) return r.body end)
    local session <close> = http.session()
    local body = ("x"):rep(8 * 1024 * 1024)
    for _ = 1, many(10) + 1 do
      equal(#ticker.laps(30, function()
        return session:post(server.url, { body = body }).body
      end), #body)
    end
  end)
end)

describe("a server", function()
  it("ends with its block, with its handlers and its port", function()
    local port, cancelled
    local session <close> = http.session()
    task.group(function(g)
      local server = testing.serve(function()
        local _ <close> = setmetatable({}, { __close = function() cancelled = true end })
        task.sleep(math.huge)
      end)
      port = server.port
      g:spawn(function()
        raises_error({ kind = "HttpError" }, session.post, session, server.url)
      end)
      server:wait(1)
      server:close()
    end)
    equal(cancelled, true)
    raises_error({ kind = "IoError", code = "ECONNREFUSED" }, net.connect,
      { host = "127.0.0.1", port = port })
    local again <close> = testing.serve(function() end, { port = port })
    equal(again.port, port)
    task.spawn(function() port = testing.serve(function() end).port end):await()
    raises_error({ code = "ECONNREFUSED" }, net.connect, { host = "127.0.0.1", port = port })
    again:close()
    again:close()
  end)

  it("listens on 127.0.0.1 unless it is told otherwise, or on a unix socket", function()
    local server <close> = testing.serve(function() end)
    equal({ server.host, server.url }, { "127.0.0.1", "http://127.0.0.1:" .. server.port })
    equal(tostring(server), "server " .. server.url)
    local file <close> = files.temporary()
    local unix <close> = testing.serve(function(r) return r.headers.host end, { path = file.path })
    local session <close> = http.session { unix_socket = file.path }
    equal({ session:get(unix.url .. "/a").body, unix.port, unix.path },
      { "localhost", nil, file.path })
    equal(tostring(unix), ("server '%s'"):format(file.path))
  end)

  it("keeps the latest requests, and says when they come", function()
    local server <close> = testing.serve(function(r) return r.path end, { keep = 3 })
    local session <close> = http.session()
    local t = task.spawn(function() return server:wait(4).path end)
    for i = 1, 5 do session:get(server.url .. "/" .. i) end
    equal({ #server.requests, server.requests[1].path, t:await(), server:wait(5).path },
      { 3, "/3", "/4", "/5" })
  end)

  it("limits the connections that are open", function()
    local server <close> = testing.serve(function(r) return r.path end, { max_connections = 1 })
    local one <close> = net.connect { host = "127.0.0.1", port = server.port }
    one:write("GET /1" .. HOST .. "\r\n")
    equal(one:read_line(), "HTTP/1.1 200 OK\r")
    local two <close> = net.connect { host = "127.0.0.1", port = server.port }
    two:write("GET /2" .. HOST .. "\r\n")
    equal((task.move_on_after(0.05, two.read_line, two)), false)
    one:close()
    equal(two:read_line(), "HTTP/1.1 200 OK\r")
  end)

  it("survives clients that go at each instant", function()
    local server <close> = testing.serve(function(r)
      turns(2)
      return { body = task.generator(function(emit)
        for _ = 1, 5 do emit(("x"):rep(#r.body)) end
      end) }
    end)
    local session <close> = http.session()
    for n = 0, many(100) do
      local t = task.spawn(session.post, session, server.url, { body = ("x"):rep(n * 1000) })
      turns(n)
      t:cancel()
      task.wait { t }
    end
    local text = "POST /" .. HOST .. "Content-Length: 5\r\n\r\nabcde"
    for n = 0, #text do
      local c <close> = net.connect { host = "127.0.0.1", port = server.port }
      c:write(text:sub(1, n))
      if n % 2 == 0 then c:reset() end
    end
    equal(#session:post(server.url, { body = "ab" }).body, 10)
    equal(server.errors, {})
  end)

  it("tells misuse at the script's line", function()
    misuse("bad argument #1 to 'serve'", function() testing.serve(1) end)
    misuse("unknown option 'prot'", function() testing.serve(print, { prot = 1 }) end)
    misuse("bad option 'on_error'", function() testing.serve(print, { on_error = 1 }) end)
    local server <close> = testing.serve(print)
    misuse("bad argument #1 to 'wait'", function() server:wait(0) end)
    misuse("call it as server:close", function() server.close() end)
  end)
end)
