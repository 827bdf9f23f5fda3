-- SPDX-License-Identifier: MIT
-- septet.http: options that change what goes over the wire, and what is known of a response that
-- failed.
-- check: allow blocks
local task, http, sio = require "septet.task", require "septet.http", require "septet.io"
local files, origin, pack, saves = require "files", require "origin", require "pack",
  require "saves"

local URL, echo = origin.url, origin.echo
local OK = "HTTP/1.1 200 OK\r\n"
local TEXT = "hello, hello"
local GZIP = pack.member(TEXT)

-- Returns a URL whose response has these header lines and this body.
local function answer(lines, body)
  return origin.raw { OK .. lines .. ("Content-Length: %d\r\n\r\n"):format(#body) .. body, "keep" }
end

-- Each way to a body, by its name.
local ways = {
  get = function(session, url, options) return session:get(url, options).body end,
  stream = function(session, url, options)
    local r <close> = session:stream("GET", url, options)
    return r:read()
  end,
  retried = function(session, url, options)
    local with = { retries = 1 }
    for name, value in pairs(options or {}) do with[name] = value end
    return session:get(url, with).body
  end,
  save = function(session, url, options)
    local f <close> = files.temporary()
    local saved = session:save(url, f.path, options)
    equal(saved.bytes, #files.contents(f.path))
    return files.contents(f.path)
  end,
}

local function each_way(fn)
  for name, way in pairs(ways) do fn(way, name) end
end

-- Returns a function that returns the pieces, and then nil.
local function pieces_of(...)
  local pieces, i = { ... }, 0
  return function()
    i = i + 1
    return pieces[i]
  end
end

describe("M1: decode = false", function()
  it("gives the body as it came, by every way, of a request and of a session", function()
    local plain <close> = http.session()
    local raw <close> = http.session { decode = false }
    each_way(function(way, name)
      for _, coding in ipairs { "gzip", "aws-chunked", "x-unknown", "gzip, br", "gzip, gzip",
        "identity", "" } do
        local url = answer("Content-Encoding: " .. coding .. "\r\n", GZIP)
        equal({ name, coding, way(plain, url, { decode = false }) }, { name, coding, GZIP })
        equal({ name, coding, way(raw, url) }, { name, coding, GZIP })
      end
      local url = answer("Content-Encoding: gzip\r\n", GZIP)
      equal({ way(raw, url, { decode = true }), way(plain, url) }, { TEXT, TEXT }, name)
    end)
    equal(raw:get(answer("Content-Encoding: gzip\r\n", GZIP)).headers["content-encoding"], "gzip")
  end)

  it("still needs the transfer codings undone", function()
    local url = origin.raw { OK .. "Transfer-Encoding: xyz, chunked\r\n\r\n0\r\n\r\n", "fin" }
    equal(http.get(url, { decode = false }).body, "") -- no byte of it is packed
    url = origin.raw { OK .. "Transfer-Encoding: xyz\r\n\r\nabc", "fin" }
    raises_error({ code = "protocol" }, http.get, url, { decode = false })
  end)

  it("text() and json() refuse what is packed, and the bytes stay readable", function()
    local packed = pack.member('{"a":1}')
    for _, method in ipairs { "text", "json" } do
      local url = answer("Content-Encoding: gzip\r\n", packed)
      local r = http.get(url, { decode = false })
      local err = raises_error({ code = "decode", reason = "content_encoding", status = 200 },
        r[method], r)
      equal(err.headers["content-encoding"], "gzip")
      local s <close> = http.default():stream("GET", url, { decode = false })
      raises_error({ code = "decode" }, s[method], s)
      equal(s:read(), packed)
      for _, same in ipairs { "identity", "" } do
        r = http.get(answer("Content-Encoding: " .. same .. "\r\n", '{"a":1}'), { decode = false })
        equal(r:json().a, 1)
      end
    end
    equal(http.get(answer("", '{"a":1}'), { decode = false }):json().a, 1)
  end)

  it("max_body counts the bytes as they came", function()
    local big = pack.member(("x"):rep(100000))
    local url = answer("Content-Encoding: gzip\r\n", big)
    equal(#http.get(url, { decode = false, max_body = #big }).body, #big)
    raises_error({ code = "body_too_large", status = 200 }, http.get, url,
      { decode = false, max_body = #big - 1 })
    raises_error({ code = "body_too_large" }, http.get, url, { max_body = 99999 })
  end)

  it("holds for redirects", function()
    local url = answer("Content-Encoding: gzip\r\n", GZIP)
    local to = ("%s/redirect-to?url=%s"):format(URL, url:sub(#URL + 1))
    equal(http.get(to, { decode = false }).body, GZIP)
  end)

  it("a save digests the bytes as they came, and resumes a packed body", function()
    local f <close> = files.temporary()
    local core = debug.getregistry()["septet.core"]
    local half, etag = #GZIP // 2, 'Content-Encoding: gzip\r\nETag: "a"\r\n'
    local head = OK .. etag .. ("Content-Length: %d\r\n\r\n"):format(#GZIP)
    local url = origin.raw { head .. GZIP:sub(1, half), "fin" }
    local options = { resume = true, decode = false, sha256 = core.digest("sha256", GZIP) }
    raises_error({ code = "partial" }, http.save, url, f.path, options)
    local rest = ("HTTP/1.1 206 Partial Content\r\nETag: \"a\"\r\nContent-Range: bytes %d-%d/%d\r\n"
      .. "Content-Length: %d\r\n\r\n"):format(half, #GZIP - 1, #GZIP, #GZIP - half)
    origin.raw({ rest .. GZIP:sub(half + 1), "keep" }, url)
    local saved = http.save(url, f.path, options)
    equal({ saved.resumed, saved.bytes, files.contents(f.path) }, { half, #GZIP, GZIP })
  end)

  it("a part that is packed is not continued by a save that unpacks", function()
    local f <close> = files.temporary()
    local half, lines = #GZIP // 2, 'Content-Encoding: gzip\r\nETag: "a"\r\n'
    local head = OK .. lines .. ("Content-Length: %d\r\n\r\n"):format(#GZIP)
    local url = origin.raw { head .. GZIP:sub(1, half), "fin" }
    raises_error({ code = "partial" }, http.save, url, f.path, { resume = true, decode = false })
    origin.raw({ head .. GZIP, "keep" }, url)
    local saved = http.save(url, f.path, { resume = true })
    equal({ saved.resumed, files.contents(f.path) }, { 0, TEXT })
  end)

  it("a 206 with another coding is not put behind the part", function()
    local f <close> = files.temporary()
    local half = #GZIP // 2
    local head = OK .. 'Content-Encoding: gzip\r\nETag: "a"\r\n'
      .. ("Content-Length: %d\r\n\r\n"):format(#GZIP)
    local url = origin.raw { head .. GZIP:sub(1, half), "fin" }
    raises_error({ code = "partial" }, http.save, url, f.path, { resume = true, decode = false })
    origin.raw({ ("HTTP/1.1 206 Partial Content\r\nETag: \"a\"\r\nContent-Encoding: br\r\n"
      .. "Content-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n\r\n"):format(half, #GZIP - 1,
      #GZIP, #GZIP - half) .. GZIP:sub(half + 1), "keep", "next", head .. GZIP, "keep" }, url)
    local saved = http.save(url, f.path, { resume = true, decode = false })
    equal({ saved.resumed, files.contents(f.path) }, { 0, GZIP })
  end)
end)

describe("M2: length", function()
  it("a body with a length is sent with Content-Length, in no chunks", function()
    local session <close> = http.session()
    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE" } do
      for _, case in ipairs { { 3, "a", "b", "c" }, { 3, "abc" }, { 0 }, { 0, "" },
        { 1, "", "x", "" } } do
        local got = echo(session, method, { length = case[1],
          body = pieces_of(table.unpack(case, 2)) })
        equal({ got.body, got.headers["content-length"], got.headers["transfer-encoding"] },
          { table.concat(case, "", 2), tostring(case[1]), nil })
      end
    end
    local size = 3000000
    local got = session:post(URL .. "/mirror", { length = size, body = origin.pieces(size) })
    equal(#got.body, size)
    local r <close> = session:stream("PUT", URL .. "/mirror",
      { length = size, body = origin.pieces(size) })
    equal(#r:read(), size)
  end)

  it("fewer or more bytes end the request with the code 'upload', and none is whole", function()
    local session <close> = http.session()
    for _, case in ipairs { { 3, "short", "ab" }, { 3, "short" }, { 3, "long", "abcd" },
      { 3, "long", "abc", "d" }, { 3, "long", "ab", "cd" }, { 0, "long", "a" },
      { 100000, "short", ("x"):rep(99999) }, { 100000, "long", ("x"):rep(100000), "x" } } do
      local mark = origin.mark()
      for name, call in pairs {
        post = function(o) return session:post(URL .. "/echo?length", o) end,
        stream = function(o)
          local r <close> = session:stream("POST", URL .. "/echo?length", o)
          return r:read()
        end,
        digest = function(o)
          o.auth = { user = "u", password = "p", digest = true }
          return session:put(URL .. "/echo?length", o)
        end,
      } do
        local err = raises_error({ kind = "HttpError", code = "upload", reason = case[2] }, call,
          { length = case[1], body = pieces_of(table.unpack(case, 3)) })
        equal({ name, err.phase, err.message:find(tostring(case[1]), 1, true) ~= nil },
          { name, "send", true })
      end
      for _, request in ipairs(origin.requests(mark, "/echo?length")) do
        equal(request.body_size or 0, 0) -- the probe of digest
      end
      equal(session:get(URL .. "/bytes/1").status, 200)
    end
  end)

  it("an early answer is the response, however much was to follow", function()
    local session <close> = http.session()
    local r = session:post(URL .. "/early/413?read=100000",
      { length = 1 << 40, body = function() return ("x"):rep(65536) end })
    equal({ r.status, r.body }, { 413, "enough\n" })
  end)

  it("redirects and retries cannot make the body again", function()
    local session <close> = http.session { retries = { methods = { "PUT" }, backoff = 0 } }
    local err = raises_error({ code = "redirect", reason = "not_rewindable", status = 307 },
      session.put, session, URL .. "/redirect-to?url=/echo&status=307",
      { length = 1, body = pieces_of "x" })
    equal(err.headers.location, "/echo")
    equal(session:put(origin.failing(1), { length = 1, body = pieces_of "x" }).status, 503)
    equal(session:post(URL .. "/redirect-to?url=/echo&status=303",
      { length = 1, body = pieces_of "x" }):json().method, "GET")
  end)

  it("Expect: 100-continue sends the length, and the body once it may", function()
    local session <close> = http.session { headers = { Expect = "100-continue" } }
    local got = echo(session, "PUT", { length = 4, body = pieces_of("ab", "cd") })
    equal({ got.body, got.headers["content-length"] }, { "abcd", "4" })
  end)

  it("a kept connection that is dead gets the same length anew", function()
    local session <close> = http.session()
    for _ = 1, 3 do
      session:get(URL .. "/idle-close")
      local got = echo(session, "PUT", { body = pieces_of("a", "b"), length = 2 })
      equal({ got.body, got.headers["content-length"] }, { "ab", "2" })
    end
  end)

  it("a length beside anything else is Usage", function()
    for _, options in ipairs { { length = 1 }, { length = 1, body = "x" }, { length = 0, json = 1 },
      { length = 1, form = { a = 1 } }, { length = 1, multipart = { { name = "a", data = "b" } } },
      { length = -1, body = print }, { length = 1.5, body = print }, { length = "1", body = print },
      { body = {} }, { body = 5 }, { body = io.stdout }, { body = http } } do
      raises_error({ kind = "Usage" }, http.post, URL .. "/echo", options)
    end
    local f <close> = files.temporary()
    raises_error({ kind = "Usage" }, http.save, URL, f.path, { length = 1 })
  end)
end)

describe("M2: a reader as a body", function()
  it("a reader of a file is sent with the length of the file", { leaks = true }, function()
    local session <close> = http.session()
    for _, text in ipairs { "", "x", ("line\n"):rep(100000) } do
      local f <close> = files.with(text)
      local got = session:put(URL .. "/mirror", { body = sio.open(f.path) })
      equal({ got.status, got.body == text }, { 200, true })
      local seen = echo(session, "PUT", { body = sio.open(f.path) }).headers
      equal({ seen["content-length"], seen["transfer-encoding"] }, { tostring(#text), nil })
    end
  end)

  it("a reader is sent from where it stands, and keeps what is behind 'length'", function()
    local session <close> = http.session()
    local f <close> = files.with "head\nabcdefgh"
    local reader <close> = sio.open(f.path)
    equal(reader:read_line(), "head")
    equal(echo(session, "PUT", { body = reader, length = 3 }).body, "abc")
    equal(echo(session, "PUT", { body = reader, length = 3 }).body, "def")
    raises_error({ code = "upload", reason = "short" }, session.put, session, URL .. "/echo",
      { body = reader, length = 3 })
    local rest <close> = sio.open(f.path)
    rest:read(5)
    local got = echo(session, "PUT", { body = rest })
    equal({ got.body, got.headers["content-length"] }, { "abcdefgh", "8" })
    equal(rest:read(1), nil)
    reader:close()
    raises_error({ kind = "Usage" }, session.put, session, URL .. "/echo", { body = reader })
  end)

  it("a file of the system that says it is empty is sent in chunks", { leaks = true }, function()
    local got = echo(http.default(), "PUT", { body = sio.open "/proc/self/status" })
    equal(got.headers["transfer-encoding"], "chunked")
    equal(got.body:find "^Name:" ~= nil, true)
  end)

  it("a FIFO is sent in chunks, as it is written", { leaks = true }, function()
    local fifo <close> = files.fifo()
    local writer = assert(io.popen(("(printf ab; sleep 0.05; printf cd) > '%s'"):format(fifo.path)))
    local got = echo(http.default(), "POST", { body = sio.open(fifo.path) })
    writer:close()
    equal({ got.body, got.headers["transfer-encoding"] }, { "abcd", "chunked" })
  end)

  it("a streamed response is a body: it is passed on as it comes", function()
    local session <close> = http.session()
    local r <close> = session:stream("GET", URL .. "/bytes/200000")
    equal(#session:post(URL .. "/mirror", { body = r }).body, 200000)
    local known <close> = session:stream("GET", URL .. "/bytes/1000")
    equal(echo(session, "POST", { body = known, length = 1000 }).headers["content-length"], "1000")
    local cut <close> = session:stream("GET", URL .. "/truncate?length=1000&sent=500")
    raises_error({ code = "partial", status = 200 }, session.post, session, URL .. "/echo",
      { body = cut })
  end)

  it("a large file is uploaded without being held", { leaks = true }, function()
    local f <close> = files.temporary()
    local size = 64 * 1024 * 1024
    assert(os.execute(("truncate -s %d '%s'"):format(size, f.path)))
    collectgarbage()
    local before, most = collectgarbage "count", 0
    local watch = task.background(function()
      while true do
        task.sleep(0.005)
        most = math.max(most, collectgarbage "count")
      end
    end)
    local r = http.put(URL .. "/sink", { body = sio.open(f.path), timeout = 60 })
    watch:cancel()
    equal(r.status < 500, true)
    equal(most - before < 16 * 1024, true, most - before)
  end)
end)

describe("what is not offered", function()
  it("HTTP/2 without TLS, WebSocket and an upgrade are refused", function()
    for _, value in ipairs { "prior", "h2c", "2" } do
      misuse("bad option 'http2'", function() http.session { http2 = value } end)
    end
    for _, url in ipairs { "ws://127.0.0.1/", "wss://127.0.0.1/" } do
      raises_error({ code = "url", reason = "scheme" }, http.get, url)
    end
    raises_error({ code = "protocol", reason = "upgrade" }, http.get, URL .. "/status/101",
      { headers = { Upgrade = "websocket" } })
  end)

  it("a script that asks conditionally gets the 304", function()
    local url = origin.raw { OK .. 'ETag: "a"\r\nContent-Length: 1\r\n\r\nx', "keep", "next",
      'HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n', "keep" }
    local first = http.get(url)
    local again = http.get(url, { headers = { ["If-None-Match"] = first.headers.etag } })
    equal({ again.status, again.body, again.ok }, { 304, "", true })
  end)
end)

describe("M4: resend = false", function()
  local serial = 0

  -- Returns how often a request reaches a server that goes away without an answer.
  local function count(session, method, query, options)
    serial = serial + 1
    local target = ("/vanish/%s&serial=once%d"):format(query, serial)
    equal(session:get(URL .. "/bytes/2").status, 200)
    local mark = origin.mark()
    local err = raises_error({ kind = "HttpError", code = "reset" }, session.request, session,
      method, URL .. target, options)
    return #origin.requests(mark, target), err
  end

  it("no method is on the wire a second time, and by default GET is", function()
    local plain <close> = http.session()
    local once <close> = http.session { resend = false }
    for _, query in ipairs { "fin?read=0", "rst?read=0", "fin?x", "rst?x" } do
      for _, method in ipairs { "GET", "PUT", "DELETE", "OPTIONS", "HEAD" } do
        equal((count(plain, method, query, { resend = false })), 1, method .. query)
        equal((count(once, method, query)), 1, method .. query)
      end
      equal((count(plain, "GET", query)) > 1, true)
      equal((count(once, "GET", query, { resend = true })) > 1, true)
    end
    local r = raises_error({ code = "reset" }, function()
      plain:get(URL .. "/bytes/1")
      plain:stream("GET", URL .. "/vanish/fin?streamed", { resend = false })
    end)
    equal(r.attempts, 1)
  end)

  it("a connection that was closed before the first byte is replaced", function()
    local session <close> = http.session { resend = false }
    for _ = 1, 5 do
      local mark = origin.mark()
      session:get(URL .. "/idle-close")
      origin.closed(mark, origin.requests(mark, "/idle-close")[1].connection)
      equal(session:put(URL .. "/echo", { body = "x" }).status, 200)
    end
  end)

  it("retries are for what was not sent", function()
    local session <close> = http.session { retries = { attempts = 3, backoff = 0 } }
    equal({ session:get(origin.failing(1), { resend = false }).status,
      session:get(origin.failing(1)).status }, { 503, 200 })
    equal((count(session, "GET", "fin?x", { resend = false })), 1)
    local err = raises_error({ code = "connect" }, session.get, session, origin.refused,
      { resend = false })
    equal(err.attempts, 3)
  end)

  it("a 417 is the end", function()
    raises_error({ code = "protocol", reason = "rewind", status = 417 }, http.put,
      URL .. "/refuse?length=2", { body = "x", resend = false,
        headers = { Expect = "100-continue" } })
    equal(http.put(URL .. "/refuse?length=2", { body = "x",
      headers = { Expect = "100-continue" } }).status, 200)
  end)

  it("redirects are followed, and challenges answered: each is another request", function()
    equal(http.get(URL .. "/redirect/2", { resend = false }).status, 200)
  end)

  it("a save requests nothing again", function()
    local f <close> = saves.temporary()
    saves.serve(f, { cut = 400, etag = '"a"' })
    local mark = origin.mark()
    raises_error({ code = "partial" }, http.save, f.url, f.path,
      { resume = true, resend = false, retries = { attempts = 5, backoff = 0 } })
    equal(#origin.requests(mark, f.url:sub(#URL + 1)), 1)
  end)
end)

describe("M4: fresh = true", function()
  it("a fresh request has a connection of its own, and leaves none", function()
    local session <close> = http.session()
    local mark = origin.mark()
    for _ = 1, 3 do equal(session:get(URL .. "/bytes/1").status, 200) end
    equal(session:stats().connections, 1)
    for i = 1, 3 do
      local r = session:get(URL .. "/bytes/1", { fresh = true })
      equal({ r.reused, session:stats().connections }, { false, 1 }, i)
      equal(session:get(URL .. "/bytes/1").reused, true)
    end
    equal(origin.connections(origin.requests(mark)), 4)
    local stats = session:stats()
    equal({ stats.connections_made, stats.connections_dropped }, { 4, 0 })
    local s <close> = session:stream("GET", URL .. "/bytes/100000", { fresh = true })
    equal({ #s:read(), s.reused }, { 100000, false })
    equal(session:stats().connections, 1)
    local f <close> = files.temporary()
    equal(session:save(URL .. "/bytes/1000", f.path, { fresh = true }).bytes, 1000)
    equal(session:stats().connections, 1)
  end)

  it("a fresh session keeps no connection, also over redirects", function()
    local session <close> = http.session { fresh = true }
    local mark = origin.mark()
    equal(session:get(URL .. "/redirect/2").status, 200)
    equal({ origin.connections(origin.requests(mark)), session:stats().connections }, { 3, 0 })
    equal(session:get(URL .. "/bytes/1", { fresh = false }).status, 200)
    equal({ session:stats().connections, session:get(URL .. "/bytes/1").reused }, { 1, false })
  end)

  it("limits count fresh requests, and those that wait for them", function()
    local session <close> = http.session { limit_per_host = 2 }
    local mark = origin.mark()
    local most = 0
    task.gather(task.map(function(i)
      local r = session:get(URL .. "/delay/0.02", { fresh = i % 2 == 0 })
      most = math.max(most, session:stats().active)
      return r.status
    end, { 1, 2, 3, 4, 5, 6, 7, 8 }))
    equal({ most <= 2, session:stats().connections <= 2 }, { true, true })
    equal(#origin.requests(mark, "/delay/0.02"), 8)
  end)

  it("a cancelled fresh request leaves the pool as it was", function()
    local session <close> = http.session()
    session:get(URL .. "/bytes/1")
    equal(task.move_on_after(0.02, session.get, session, URL .. "/delay/5", { fresh = true }),
      false)
    equal(session:get(URL .. "/bytes/1").reused, true)
    equal(session:stats().connections, 1)
  end)
end)

describe("M6: trailers", function()
  local function chunked(trailers, head)
    return origin.raw { OK .. (head or "") .. "Transfer-Encoding: chunked\r\nX-Head: 1\r\n\r\n",
      "2\r\nok\r\n0\r\n" .. trailers .. "\r\n", "keep" }
  end

  it("are there at the end of the body, apart from the head", function()
    local url = chunked "X-Sum: abc\r\nX-Sum: def \r\nX-Head: 2\r\nSet-Cookie: a=b\r\n"
    for _, options in ipairs { {}, { retries = 1 }, { decode = false } } do
      local r = http.get(url, options)
      equal({ r.body, r.trailers["x-sum"], r.headers["x-sum"], r.headers["x-head"],
        r.trailers["x-head"], r.trailers:all "X-Sum" },
        { "ok", "abc, def", nil, "1", "2", { "abc", "def" } })
    end
    local f <close> = files.temporary()
    equal(http.save(url, f.path).trailers["x-sum"], "abc, def")
    local none = http.get(URL .. "/bytes/1").trailers
    equal({ none["x-sum"], next(none:all "x-sum") }, { nil, nil })
  end)

  it("of a stream are empty until the end, and stay when it is closed", function()
    local url = origin.raw { OK .. "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 0.05,
      "0\r\nX-Sum: abc\r\n\r\n", "keep" }
    local r <close> = http.default():stream("GET", url)
    equal({ r:read(1), r.trailers["x-sum"] }, { "o", nil })
    equal({ r:read(), r.trailers["x-sum"] }, { "k", "abc" })
    r:close()
    equal({ r.trailers["x-sum"], r.headers["x-sum"] }, { "abc", nil })
  end)

  it("change nothing of the response: framing, cookies, status", function()
    local session <close> = http.session { cookies = true }
    local url = chunked("Content-Length: 99\r\nContent-Encoding: gzip\r\nSet-Cookie: a=b\r\n"
      .. "Location: /bytes/1\r\nTransfer-Encoding: gzip\r\nConnection: close\r\n")
    local r = session:get(url)
    equal({ r.status, r.body, r.trailers["set-cookie"] }, { 200, "ok", "a=b" })
    equal(echo(session, "GET").headers.cookie, nil)
  end)

  it("are not those of an earlier response", function()
    local session <close> = http.session()
    local url = chunked "X-Sum: abc\r\n"
    equal(session:get(url).trailers["x-sum"], "abc")
    equal(session:get(URL .. "/chunked").trailers["x-sum"], nil)
    equal(session:get(URL .. "/bytes/1").trailers["x-sum"], nil)
  end)

  it("have limits, and what is no header is refused", function()
    raises_error({ code = "headers_too_large", status = 200 }, http.get,
      chunked(("X-A: 1\r\n"):rep(600)))
    raises_error({ code = "protocol" }, http.get, chunked "X-A: a\0b\r\n")
    for _, cut in ipairs { "X-A: 1", "X-A: 1\r\n" } do
      local url = origin.raw { OK .. "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n" .. cut,
        "fin" }
      raises_error({ code = "partial", status = 200 }, http.get, url)
    end
    raises_error({ kind = "HttpError", status = 200 }, http.get, chunked "no colon\r\n")
  end)
end)

describe("M7: lists as values of headers", function()
  -- The origin joins the values of lines of one name by ", ".
  it("each item is a line, of a request, a session and a hook", function()
    local url = origin.raw { OK .. "Content-Length: 0\r\n\r\n", "keep" }
    local mark = origin.mark()
    local session <close> = http.session { headers = { ["X-A"] = { "1", 2 }, ["X-B"] = "b" } }
    session:get(url)
    session:get(url, { headers = { ["x-a"] = { "3", "4", "5" } } })
    session:get(url, { headers = { ["X-A"] = false } })
    session:get(url, { trace = { request_start = function(_, ev)
      equal({ ev.headers["X-A"], ev.headers["X-B"] }, { { "1", "2" }, "b" })
      ev.headers["X-B"] = { "c", "d" }
    end, request_headers_sent = function(_, ev)
      equal({ ev.headers["X-A"], ev.headers["X-B"] }, { { "1", "2" }, { "c", "d" } })
    end } })
    local seen = {}
    for i, request in ipairs(origin.requests(mark, url:sub(#URL + 1))) do
      seen[i] = { request.headers["x-a"] or false, request.headers["x-b"] }
    end
    equal(seen, { { "1, 2", "b" }, { "3, 4, 5", "b" }, { false, "b" }, { "1, 2", "c, d" } })
  end)

  it("two lines are two lines on the wire", function()
    local server = assert(io.popen [[python3 -c '
import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
c = s.accept()[0]
head = b""
while b"\r\n\r\n" not in head: head += c.recv(65536)
c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
for line in head.split(b"\r\n"): print(line.decode(), flush=True)
']])
    local port = server:read "n"
    http.get(("http://127.0.0.1:%d/"):format(port), { headers = { ["X-A"] = { "1", "2" },
      Cookie = { "a=1", "b=2" } } })
    local lines = {}
    for line in server:lines() do
      if line:find "^X%-A" or line:find "^Cookie" then lines[#lines + 1] = line end
    end
    server:close()
    table.sort(lines)
    equal(lines, { "Cookie: a=1; b=2", "X-A: 1", "X-A: 2" })
  end)

  it("a session keeps the list that it was given", function()
    local list = { "1", "2" }
    local session <close> = http.session { headers = { ["X-A"] = list } }
    list[1], list[3] = "9", "9"
    equal(echo(session, "GET", { headers = { ["X-B"] = "b" } }).headers["x-a"], "1, 2")
  end)

  it("what is no list of values is Usage", function()
    for _, bad in ipairs { {}, { {} }, { "a", nil, "b" }, { a = "b" }, { true }, { "a\nb" },
      { "a", print } } do
      raises_error({ kind = "Usage" }, http.get, URL, { headers = { ["X-A"] = bad } })
      raises_error({ kind = "Usage" }, http.session, { headers = { ["X-A"] = bad } })
    end
    raises_error({ kind = "Usage" }, http.get, URL, { headers = { Host = { "a", "b" } } })
    raises_error({ kind = "Usage" }, http.post, URL, { multipart = { { name = "a", data = "b" } },
      headers = { ["Content-Type"] = { "multipart/a", "multipart/b" } } })
    raises_error({ kind = "Usage" }, http.post, URL, { multipart = { { name = "a", data = "b" } },
      trace = { request_start = function(_, ev)
        ev.headers["Content-Type"] = { ev.headers["Content-Type"], "multipart/b" }
      end } })
  end)
end)

describe("M8: parts of a multipart body that are made", function()
  -- Returns the parts of a body as { head, data } and the headers that came with it.
  local function sent(parts, headers)
    local got = echo(http.default(), "POST", { multipart = parts, headers = headers })
    local boundary = got.headers["content-type"]:match 'boundary="?([^";]+)'
    local list, at = {}, 1
    while true do
      local from, to = got.body:find("--" .. boundary .. "\r\n", at, true)
      if not from then break end
      local next_one = got.body:find("\r\n--" .. boundary, to, true)
      local head, data = got.body:sub(to + 1, next_one - 1):match "^(.-)\r\n\r\n(.*)$"
      list[#list + 1] = { head:match 'name="([^"]*)"', data }
      at = next_one + 2
    end
    return list, got.headers
  end

  it("functions and readers are data, beside text", { leaks = true }, function()
    local f <close> = files.with "from a file"
    local list, headers = sent {
      { name = "a", data = "text" }, { name = "b", data = pieces_of("x", "", "y") },
      { name = "c", data = sio.open(f.path), filename = "f.txt" },
      { name = "d", data = pieces_of() },
    }
    equal(list, { { "a", "text" }, { "b", "xy" }, { "c", "from a file" }, { "d", "" } })
    equal({ headers["transfer-encoding"], headers["content-length"] }, { "chunked", nil })
  end)

  it("the total has a length if all parts have one", { leaks = true }, function()
    local f <close> = files.with "from a file"
    local list, headers = sent {
      { name = "a", data = "text" }, { name = "b", data = pieces_of("x", "y"), length = 2 },
      { name = "c", data = sio.open(f.path) }, { name = "d", data = sio.open(f.path), length = 4 },
    }
    equal(list, { { "a", "text" }, { "b", "xy" }, { "c", "from a file" }, { "d", "from" } })
    equal({ headers["transfer-encoding"], tonumber(headers["content-length"]) > 100 },
      { nil, true })
  end)

  it("a part with another length than its own fails the request", function()
    for reason, made in pairs { short = pieces_of "a", long = pieces_of "abc" } do
      local err = raises_error({ kind = "HttpError", code = "upload", reason = reason }, http.post,
        URL .. "/echo", { multipart = { { name = "a", data = "x" },
          { name = "b", data = made, length = 2 } } })
      equal(err.message:find("part 2", 1, true) ~= nil, true, err.message)
    end
  end)

  it("an error of a part is the request's, and such a request is not tried again", function()
    local mine = { "mine" }
    local _, err = pcall(http.post, URL .. "/echo",
      { multipart = { { name = "a", data = function() error(mine) end } } })
    equal(rawequal(err, mine), true)
    misuse("bad piece", function()
      http.post(URL .. "/echo", { multipart = { { name = "a", data = pieces_of(5) } } })
    end)
    equal(http.put(origin.failing(1), { retries = 2,
      multipart = { { name = "a", data = pieces_of "x" } } }).status, 503)
    equal(http.put(origin.failing(1), { retries = 2,
      multipart = { { name = "a", data = "x" } } }).status, 200)
    raises_error({ code = "redirect", reason = "not_rewindable" }, http.post,
      URL .. "/redirect-to?url=/echo&status=307",
      { multipart = { { name = "a", data = pieces_of "x" } } })
  end)

  it("a named boundary that occurs in a made part fails the request", function()
    local headers = { ["Content-Type"] = "multipart/mixed; boundary=b" }
    for _, pieces in ipairs { { "\r\n--b" }, { "x\n", "--b" }, { "x\n-", "-", "b--" },
      { "--b" } } do
      raises_error({ code = "upload", reason = "boundary" }, http.post, URL .. "/echo",
        { headers = headers,
          multipart = { { name = "a", data = pieces_of(table.unpack(pieces)) } } })
    end
    local list = sent({ { name = "a", data = pieces_of("x--", "b", "\r\n-", "b") } }, headers)
    equal(list[1][2], "x--b\r\n-b")
  end)

  it("what is no data is Usage", function()
    for _, part in ipairs { { name = "a", data = {} }, { name = "a", data = 5 },
      { name = "a", data = "x", length = 1 }, { name = "a", data = print, length = -1 },
      { name = "a", data = io.stdin }, { name = "a" } } do
      raises_error({ kind = "Usage" }, http.post, URL, { multipart = { part } })
    end
  end)
end)

describe("M9: an error behind a head has its status and headers", function()
  local cases = {
    body_too_large = function()
      return origin.raw { OK .. "X-A: 1\r\nContent-Length: 100\r\n\r\n" .. ("x"):rep(100), "keep" },
        { max_body = 10 }
    end,
    decode = function()
      return answer("X-A: 1\r\nContent-Encoding: gzip\r\n", "no gzip"), {}
    end,
    partial = function()
      return origin.raw { OK .. "X-A: 1\r\nContent-Length: 100\r\n\r\nx", "fin" }, {}
    end,
    reset = function()
      return origin.raw { OK .. "X-A: 1\r\nContent-Length: 100\r\n\r\nx", 0.02, "rst" }, {}
    end,
    timeout = function()
      return origin.raw { OK .. "X-A: 1\r\nContent-Length: 100\r\n\r\nx", "stall" },
        { timeout = { idle = 0.05 } }
    end,
  }

  it("by every way in", function()
    local session <close> = http.session()
    for code, make in pairs(cases) do
      each_way(function(way, name)
        local url, options = make()
        local err = raises_error({ kind = "HttpError", code = code }, way, session, url, options)
        equal({ name, code, err.status, err.headers and err.headers["x-a"] },
          { name, code, 200, "1" })
      end)
    end
  end)

  it("without a head there is neither", function()
    for _, url in ipairs { origin.refused, URL .. "/empty", origin.raw { "HTTP/1.1 200 O", "fin" },
      origin.raw { OK .. "X-A: 1\r\n", "fin" }, "http://a b/", "ftp://x/",
      origin.raw { "HTTP/1.1 103 Early\r\nX-A: 1\r\n\r\n", "fin" } } do
      local err = raises_error({ kind = "HttpError" }, http.get, url)
      equal({ err.status, err.headers }, { nil, nil }, url .. tostring(err))
    end
  end)

  it("of redirects, digests of files, charsets, lines and statuses", function()
    local err = raises_error({ code = "redirect", status = 302 }, http.get, URL .. "/redirect/3",
      { redirects = 2 })
    equal(err.headers.location, "/redirect/0")
    err = raises_error({ code = "redirect", reason = "denied", status = 302 }, http.get,
      URL .. "/redirect-to?url=ftp:x")
    equal(err.headers.location, "ftp:x")
    local f <close> = files.temporary()
    for code, call in pairs {
      digest = function() http.save(answer("X-A: 1\r\n", "x"), f.path, { md5 = ("0"):rep(32) }) end,
      decode = function()
        http.get(answer("X-A: 1\r\nContent-Type: text/plain; charset=none\r\n", "x")):text()
      end,
      body_too_large = function()
        local s <close> = http.default():stream("GET", answer("X-A: 1\r\n", "abc"))
        s:lines(1)()
      end,
    } do
      err = raises_error({ kind = "HttpError", code = code, status = 200 }, call)
      equal(err.headers["x-a"], "1", code)
    end
    local missing = origin.raw { "HTTP/1.1 404 No\r\nX-A: 1\r\nContent-Length: 0\r\n\r\n", "keep" }
    for _, call in ipairs { function() http.get(missing):raise_for_status() end,
      function() http.save(missing, f.path) end } do
      err = raises_error({ kind = "HttpError", code = "status", status = 404 }, call)
      equal({ err.headers["x-a"], pairs(err.headers) ~= nil }, { "1", true })
    end
  end)

  it("hooks get them, and a closed stream keeps them", function()
    local seen
    local url, options = cases.partial()
    options.trace = { request_exception = function(_, ev) seen = ev.exception end }
    raises_error({ code = "partial" }, http.get, url, options)
    equal({ seen.status, seen.headers["x-a"] }, { 200, "1" })
    local s <close> = http.default():stream("GET", answer("X-A: 1\r\n", "abc"))
    s:close()
    local err = raises_error({ code = "closed", status = 200 }, s.read, s)
    equal(err.headers["x-a"], "1")
  end)
end)
