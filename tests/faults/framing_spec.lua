-- SPDX-License-Identifier: MIT
-- Responses on the wire: header blocks and bodies in every shape, good and bad. A body is whole or
-- an error.
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"

local URL = origin.url
local OK, CHUNKED = "HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n\r\n"

-- Returns a session with short timeouts.
local function new_session(options)
  options = options or {}
  options.timeout = options.timeout or { first_byte = 5, idle = 5 }
  return http.session(options)
end

-- Checks that the request fails as expected, and that the session's next one succeeds, on another
-- connection.
local function fails(expected, url, options)
  local session <close> = new_session(options)
  expected.kind = "HttpError"
  local mark = origin.mark()
  local err = raises_error(expected, session.get, session, url)
  local path = url:match "^http://[^/]+(.*)$"
  local bad = origin.requests(mark, path)[1]
  equal(session:get(URL .. "/bytes/3?" .. path:gsub("%W", "")).body, "012")
  local good = origin.since(mark, "request")
  equal(bad == nil or good[#good].connection ~= bad.connection, true,
    "the connection was used again")
  return err
end

local function get(url, options)
  local session <close> = new_session(options)
  return session:get(url)
end

describe("http.1 a response", function()
  it("a response may be small, empty, or without a body by status or method", function()
    local session <close> = new_session()
    equal(session:get(URL .. "/bytes/5").body, "01234")
    equal(session:get(URL .. "/bytes/0").body, "")
    for _, status in ipairs { 204, 304 } do
      local r = session:get(URL .. "/status/" .. status)
      equal({ r.status, r.body }, { status, "" })
    end
    local head = session:head(URL .. "/bytes/1000")
    equal({ head.status, head.body, head.headers["content-length"] }, { 200, "", "1000" })
    equal(session:get(URL .. "/bytes/2").body, "01")
  end)
end)

describe("http.2 a body", function()
  it("a body may be split at every byte", function()
    local whole = OK .. "Content-Length: 4\r\nX-One: a\r\n\r\nbody"
    for at = 1, #whole - 1 do
      local r = get(origin.raw { whole:sub(1, at), 0.001, whole:sub(at + 1), "keep" })
      equal({ r.status, r.headers["x-one"], r.body }, { 200, "a", "body" })
    end
  end)

  it("a chunked body with extensions and trailers may be split at every byte", function()
    local whole = OK .. CHUNKED .. "3;a=b\r\nabc\r\nA;c=\"d\"\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n"
    for at = 40, #whole - 1 do
      local r = get(origin.raw { whole:sub(1, at), 0.001, whole:sub(at + 1), "keep" })
      equal({ r.body, r.headers["x-t"] }, { "abc0123456789" })
    end
  end)
end)

it("http.3 a body without a length ends with its connection", function()
  equal(get(URL .. "/close-delimited?bytes=1000").body, origin.pattern(1000))
  equal(get(origin.raw { "HTTP/1.0 200 OK\r\n\r\nold", "fin" }).body, "old")
end)

describe("fault.16 http.3 a body shorter than its length", function()
  it("a body shorter than its length is partial", function()
    local err = fails({ code = "partial", reason = "truncated", phase = "receive" },
      URL .. "/truncate?length=1000&sent=500")
    -- The bytes that remain, or are missing.
    equal(tostring(err):find("500 bytes", 1, true) ~= nil, true, tostring(err))
    fails({ code = "partial" }, URL .. "/truncate?length=1000&sent=0")
    fails({ code = "partial" }, URL .. "/truncate?length=1000&sent=999")
  end)

  it("a chunked body that is cut short is partial", function()
    local head = OK .. CHUNKED
    fails({ code = "partial" }, origin.raw { head .. "5\r\nabc", "fin" })
    fails({ code = "partial" }, origin.raw { head .. "3\r\nabc\r\n", "fin" })
  end)
end)

describe("fault.17 chunks", function()
  local head = OK .. CHUNKED

  it("chunks without a valid size are a protocol error", function()
    local wrong = { code = "protocol", reason = "chunk", phase = "receive" }
    for _, size in ipairs { "xyz", "fffffffffffffffff", "-3", " 3", "" } do
      fails(wrong, origin.raw { head .. size .. "\r\nabc\r\n0\r\n\r\n", "keep" })
    end
    -- The chunk is longer than its size says.
    fails(wrong, origin.raw { head .. "3\r\nabcd\r\n0\r\n\r\n", "keep" })
    -- libcurl reads these as the last chunk, with a line that is no trailer.
    for _, size in ipairs { "0_2e", "0x3" } do
      fails({ code = "protocol" },
        origin.raw { head .. size .. "\r\n" .. ("x"):rep(46) .. "\r\n0\r\n\r\n", "fin" })
    end
  end)

  it("a chunk extension of a megabyte does no harm", function()
    local url = origin.raw { head .. "3;", { "x", 1000000 }, "\r\nabc\r\n0\r\n\r\n", "keep" }
    -- While it arrives, libcurl reports no bytes.
    equal(get(url, { timeout = { idle = 60 } }).body, "abc")
  end)

  it("endless trailers are too large", function()
    fails({ code = "headers_too_large" },
      origin.raw { head .. "3\r\nabc\r\n0\r\n", { "X-T: 1\r\n", 100000 }, "fin" })
  end)

  it("chunks without a last one are partial", function()
    fails({ code = "partial" }, origin.raw { head .. "3\r\nabc\r\n", "fin" })
  end)
end)

describe("fault.18 http.34 lengths that contradict", function()
  local wrong = { code = "protocol", reason = "length", phase = "receive" }

  it("contradicting lengths are refused", function()
    for _, lines in ipairs {
      "Content-Length: 3\r\nContent-Length: 5", "Content-Length: 5\r\nContent-Length: 3",
      "Content-Length: 3, 5",
    } do
      fails(wrong, origin.raw { OK .. lines .. "\r\n\r\nabcde", "keep" })
    end
    equal(get(origin.raw {
      OK .. "Content-Length: 3\r\nContent-Length: 3, 3\r\n\r\nabc", "keep",
    }).body, "abc")
  end)

  it("invalid lengths are refused", function()
    for _, length in ipairs { "", "x", "3x", "-3", "+3", "0x3", "99999999999999999999" } do
      local url = origin.raw { OK .. "Content-Length: " .. length .. "\r\n\r\nabc", "fin" }
      raises_error({ kind = "HttpError", code = "protocol" }, get, url)
    end
  end)

  it("a length and chunks: the chunks count, and the connection is not used again", function()
    local session <close> = new_session()
    local length, chunks = "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n"
    for _, lines in ipairs { length .. chunks, chunks .. length } do
      local url = origin.raw { OK .. lines .. "\r\n5\r\nabcde\r\n0\r\n\r\n", "keep" }
      local mark = origin.mark()
      equal(session:get(url).body, "abcde")
      equal(origin.closed(mark, origin.requests(mark, url:sub(#URL + 1))[1].connection).by,
        "client")
    end
  end)
end)

describe("fault.19 a head that is odd", function()
  it("a header block may have bare line ends", function()
    local r = get(origin.raw { "HTTP/1.1 200 OK\nContent-Length: 2\nX-A: b\n\nab", "keep" })
    equal({ r.status, r.headers["x-a"], r.body }, { 200, "b", "ab" })
  end)

  it("a header block with a NUL is refused, and not cut short", function()
    fails({ code = "protocol" },
      origin.raw { OK .. "X-A: b\0c\r\nContent-Length: 2\r\n\r\nab", "keep" })
  end)

  it("a CR inside a header stands for a space", function()
    local r = get(origin.raw { OK .. "X-A: b\rc\r\nContent-Length: 2\r\n\r\nab", "keep" })
    equal({ r.headers["x-a"], r.headers["content-length"], r.body }, { "b c", "2", "ab" })
  end)

  it("a header line without a colon is refused", function()
    fails({ code = "protocol" }, origin.raw { OK .. "X-A\r\nContent-Length: 2\r\n\r\nab", "keep" })
  end)

  it("a header with an invalid name is ignored", function()
    for _, line in ipairs { "X-A : b", ": b" } do
      local r = get(origin.raw { OK .. line .. "\r\nContent-Length: 2\r\n\r\nab", "keep" })
      equal({ r.headers["x-a"], r.body }, { nil, "ab" })
    end
  end)

  it("http.34 a folded header is joined", function()
    local r = get(origin.raw {
      OK .. "X-A: b\r\n  c\r\n\td\r\nContent-Length: 2\r\n\r\nab", "keep",
    })
    equal({ r.headers["x-a"], r.body }, { "b c d", "ab" })
  end)

  it("http.34 a leading folded line is refused each time, on a fresh or a used handle", function()
    for _, line in ipairs { " X-A: b", "\tX-A: b", " X-A : ", "  : b" } do
      local url = origin.raw { OK .. line .. "\r\nContent-Length: 2\r\n\r\nab", "keep" }
      for _ = 1, 3 do
        get(URL .. "/headers?X-Long=" .. ("x"):rep(100))
        fails({ code = "protocol", reason = "header" }, url)
      end
    end
    fails({ code = "protocol" },
      origin.raw { OK .. " folded\r\nContent-Length: 2\r\n\r\nab", "keep" })
    local early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    fails({ code = "protocol", reason = "header" },
      origin.raw { early .. OK .. " X: y\r\n\r\n", "fin" })
  end)

  it("a header block that ends with its connection is no response", function()
    local head = OK .. "X-A: b\r\nX-B: c\r\n"
    for n = #OK, #head do
      fails({ code = "partial", reason = "head" }, origin.raw { head:sub(1, n), "fin" })
    end
    for n = 5, #OK - 1 do -- no whole line has come, which is as if nothing had
      fails({ code = "reset", reason = "empty" }, origin.raw { OK:sub(1, n), "fin" })
    end
    fails({ code = "reset", reason = "empty" },
      origin.raw { "HTTP/1.1 103 Early Hints\r\n\r\n", "fin" })
    raises_error({ code = "partial" }, function()
      local session <close> = new_session()
      session:stream("GET", origin.raw { head, "fin" })
    end)
  end)
end)

describe("fault.20 http.34 a head without end", function()
  it("an endless header line is too large", function()
    fails({ code = "headers_too_large" },
      origin.raw { OK .. "X-A: ", { "x", 1048600 }, "\r\n\r\n", "fin" })
  end)

  it("an endless number of header lines is too large", function()
    fails({ code = "headers_too_large" },
      origin.raw { OK, { "X-A: b\r\n", 100000 }, "\r\n", "fin" })
  end)
end)

describe("fault.21 http.35 heads before the final one", function()
  it("interim responses are skipped", function()
    local early = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    local r = get(origin.raw { early .. OK .. "Content-Length: 2\r\n\r\nab", "keep" })
    equal({ r.status, r.headers.link, r.body }, { 200, nil, "ab" })
  end)

  it("endless interim responses are too many", function()
    fails({ code = "headers_too_large" },
      origin.raw { { "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n", 10000 }, "fin" })
  end)

  it("a timeout ends the wait after an interim response", function()
    with_ticker(fails, { code = "timeout", reason = "first_byte", phase = "wait" },
      origin.raw { "HTTP/1.1 103 Early Hints\r\n\r\n", "stall" },
      { timeout = { first_byte = 0.2 } })
  end)

  it("interim responses do not extend the first_byte timeout", function()
    local steps = {}
    for i = 1, 400 do steps[i] = i % 2 == 0 and 0.02 or "HTTP/1.1 102 Processing\r\n\r\n" end
    with_ticker(fails, { code = "timeout", reason = "first_byte", phase = "wait" },
      origin.raw(steps), { timeout = { first_byte = 0.2, idle = 0.1 } })
  end)

  it("interim responses end neither the sending of a body nor its timeout", function()
    local session <close> = new_session { timeout = { idle = 0.3 } }
    local n = 0
    local r = session:post(URL .. "/echo",
      { headers = { Expect = "100-continue" }, body = function()
      n = n + 1
      task.sleep(0.05)
      return n <= 12 and ("x"):rep(1000) or nil
    end })
    equal(origin.decode(r.body).body_size, 12000)
  end)

  it("a switch of protocols is refused", function()
    fails({ code = "protocol" }, URL .. "/status/101")
  end)
end)

it("fault.22 bodies that may not be are discarded, and are not the next response", function()
  local evil = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
  local function passes_over(method, response)
    local session <close> = new_session()
    equal(session:request(method, origin.raw { response, "keep" }).body, "")
    equal(http.get(URL .. "/bytes/1").status, 200) -- the origin has sent all of it by now
    equal(session:get(URL .. "/bytes/3").body, "012")
  end
  passes_over("GET", "HTTP/1.1 204 No Content\r\n\r\n" .. evil)
  passes_over("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n" .. evil)
  passes_over("HEAD", evil)
end)

describe("fault.23 http.35 what is no HTTP/1", function()
  it("what is no HTTP/1 is refused", function()
    fails({ code = "protocol", reason = "status_line" }, URL .. "/garbage")
    fails({ code = "protocol" }, origin.raw { "hello\r\n", "fin" })
    fails({ code = "protocol" }, origin.raw { "<html>HTTP/0.9</html>", "fin" })
    for _, line in ipairs {
      "HTTP/1.1 99999 x", "HTTP/1.1 2000 OK", "HTTP/1.1 20 OK", "HTTP/1.1 abc", "HTTP/1.1 000 x",
      "HTTP/1.1", "HTTP/9.9 200 OK", "HTTP/1.1200 OK", "ICY 200 OK", "http/1.1 200 OK",
    } do
      local url = origin.raw { line .. "\r\nContent-Length: 0\r\n\r\n", "fin" }
      fails({ code = "protocol", reason = "status_line" }, url)
    end
  end)

  it("HTTP/1.0 is accepted", function()
    local r = get(origin.raw { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab", "keep" })
    equal({ r.version, r.body }, { "1.0", "ab" })
  end)
end)

describe("fault.27 a packed body", function()
  -- The first 1024 bytes of the pattern; gzip, deflate and zstd end with a sum of them.
  local packed = {
    gzip =
      "1f8b08000000000002033330343236313533b7b04c4c4a4e494d3318e58ff247f923860f00b428ffe700040000",
    deflate = "78da3330343236313533b7b04c4c4a4e494d3318e58ff247f923860f0037901890",
    br = "1bff03f8e5c131d4660d3f1a8c01540d482c6a1e593d7b0f",
    zstd = "28b52ffd0458bd000080303132333435363738396162636465660100da4f3597d04cb2fa",
  }
  for coding, hex in pairs(packed) do
    packed[coding] = hex:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)
  end

  local function url(coding, bytes)
    local head = ("Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n"):format(coding, #bytes)
    return origin.raw { OK .. head .. bytes, "keep" }
  end

  local wrong = { code = "decode", reason = "content_encoding", phase = "receive" }

  for _, coding in ipairs { "gzip", "deflate", "br", "zstd" } do
    local whole = packed[coding]

    it("by " .. coding .. " is cut short at any byte: no whole body", function()
      local session <close> = new_session()
      equal(session:get(url(coding, whole)).body, origin.pattern(1024))
      for n = 1, #whole - 1 do
        raises_error(wrong, session.get, session, url(coding, whole:sub(1, n)))
      end
      local stream <close> = session:stream("GET", url(coding, whole:sub(1, -2)))
      raises_error(wrong, stream.read, stream)
    end)

    it("by " .. coding .. " is followed by junk", function()
      fails(wrong, url(coding, whole .. "junk, and more of it"))
    end)

    it("by " .. coding .. " is none of it", function()
      fails(wrong, url(coding, "\xff\xfeThis is not packed at all, and long enough to see."))
    end)

    if coding ~= "br" then
      it("by " .. coding .. " has another sum", function()
        fails(wrong, url(coding, whole:sub(1, -2) .. string.char(whole:byte(-1) ~ 0x55)))
      end)
    end
  end

  it("a body in an unknown coding, or in two, is refused", function()
    for _, coding in ipairs { "rot13", "gzip, gzip", ("gzip, "):rep(20) .. "gzip" } do
      fails(wrong, url(coding, packed.gzip))
    end
  end)

  it("a body in the identity coding is itself", function()
    equal(get(url("identity", "ab")).body, "ab")
    equal(get(url("gzip", "")).body, "")
  end)
end)

describe("http.4 fault.10 a server that closes before any byte", function()
  it("a server that closes before any byte of a new connection is an error", function()
    fails({ code = "reset", reason = "empty", phase = "wait" }, URL .. "/empty")
    fails({ code = "reset", reason = "receive", phase = "wait" }, URL .. "/reset")
  end)

  it("http.5 a server that resets in the middle of a body is an error", function()
    fails({ code = "reset", reason = "receive", phase = "receive" },
      URL .. "/reset?after=100&length=1000")
  end)

  it("fault.10 such a request is retried if that is harmless and the script allows it", function()
    local session <close> = new_session { retries = { backoff = 0.001 } }
    equal(session:get(URL .. "/fail/2?key=framing-get&how=reset").attempts, 3)
    raises_error({ code = "reset", attempts = 1 }, session.post, session,
      URL .. "/fail/2?key=framing-post&how=reset", { body = "x" })
  end)
end)

describe("http.21", function()
  local body = ("x"):rep(3000)
  local head = OK .. "Content-Length: 3000\r\n\r\n"

  it("bytes that were sent before a reset, or before a close, are read", function()
    local session <close> = new_session()
    local url = origin.raw { head .. body, 0.02, "rst" }
    equal(session:get(url).body, body)
    equal(session:get(origin.raw { head .. body, "fin" }).body, body)
    local mark = origin.mark()
    local stream <close> = session:stream("GET", url)
    origin.closed(mark, origin.requests(mark, url:sub(#URL + 1))[1].connection)
    equal(stream.body, body)
    local cut <close> = session:stream("GET", origin.raw { head .. body:sub(2), "rst" })
    local got = ""
    raises_error({ code = "reset", phase = "receive" }, function()
      for piece in cut:chunks() do got = got .. piece end
    end)
    equal(got, body:sub(2))
  end)

  it("a server that shuts its sending side has ended", function()
    fails({ code = "partial" }, origin.raw { head .. body:sub(2), "eof", "stall" })
    fails({ code = "reset", reason = "empty" }, origin.raw { "eof", "stall" })
    equal(get(origin.raw { "HTTP/1.0 200 OK\r\n\r\nold", "eof", "stall" }).body, "old")
    local session <close> = new_session()
    local url, mark = origin.raw { head .. body, "eof", "stall" }, origin.mark()
    equal(session:get(url).body, body)
    equal(origin.closed(mark, origin.requests(mark, url:sub(#URL + 1))[1].connection).by, "client")
    equal(session:get(URL .. "/bytes/3").body, "012")
  end)
end)
