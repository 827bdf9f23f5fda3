-- SPDX-License-Identifier: MIT
-- Bodies that are read or sent piece by piece, while one side stalls, ends or gives up.
local task, http = require "septet.task", require "septet.http"
local core = debug.getregistry()["septet.core"]
local origin, process = require "origin", require "process"

local URL = origin.url
local OK = "HTTP/1.1 200 OK\r\n"

-- Reads all of a stream, with a pause at every `step` bytes. Returns the number of bytes and their
-- digest.
local function read_with_pauses(stream, step)
  local pieces, n, mark = {}, 0, 0
  for piece in stream:chunks() do
    pieces[#pieces + 1], n = piece, n + #piece
    if n - mark >= step then
      mark = n
      task.sleep(0.02)
    end
  end
  return n, core.digest("sha256", table.concat(pieces))
end

describe("http.25 a reader that stalls", function()
  it("a stalled reader holds the server up, and misses nothing", function()
    local session <close> = http.session()
    local expected = core.digest("sha256", origin.pattern(6000000))
    local stream <close> = session:stream("GET", URL .. "/bytes/6000000")
    with_ticker(function()
      local n, digest = read_with_pauses(stream, 1000000)
      equal({ n, digest }, { 6000000, expected })
    end)
  end)

  it("other requests go on beside a stalled reader", function()
    local session <close> = http.session()
    local stalled = {}
    for i = 1, 5 do
      stalled[i] = session:stream("GET", URL .. "/bytes/2000000")
      equal(#stalled[i]:read(1), 1)
    end
    for _ = 1, 20 do equal(session:get(URL .. "/bytes/3").body, "012") end
    for i = 1, 5 do
      equal(#stalled[i]:read(), 1999999)
      stalled[i]:close()
    end
  end)
end)

describe("http.26 the same through a decoder", function()
  it("a stalled reader of gzip holds the server up, and misses nothing", function()
    local session <close> = http.session()
    local plain = ("0123456789abcdef"):rep(6000000 // 16)
    local stream <close> = session:stream("GET", URL .. "/gzip?bytes=6000000")
    local n, digest = read_with_pauses(stream, 1000000)
    equal({ n, digest }, { 6000000, core.digest("sha256", plain) })
  end)

  it("a bomb stops at the limit, read or gathered, at little cost", function()
    local session <close> = http.session { max_body = 1000000 }
    collectgarbage()
    local before = process.resident()
    for _ = 1, 3 do
      raises_error({ kind = "HttpError", code = "body_too_large" }, session.get, session,
        URL .. "/gzip?bytes=30000000")
      local stream <close> = session:stream("GET", URL .. "/gzip?bytes=30000000")
      local n = 0
      raises_error({ code = "body_too_large" }, function()
        for piece in stream:chunks() do
          n = n + #piece
          task.sleep(0)
        end
      end)
      equal(n <= 1000000, true)
    end
    equal(process.resident() - before < 40 * 1024, true) -- kilobytes
  end)
end)

describe("http.27 a server that ends while the reader has paused", function()
  local body = origin.pattern(700000)

  local function paused(url)
    local session <close> = http.session()
    local stream <close> = session:stream("GET", url)
    local first = stream:read(1)
    task.sleep(0.05)
    local ok, rest = pcall(stream.read, stream)
    return ok, ok and first .. rest or rest
  end

  it("a paused reader gets all bytes of a server that has ended", function()
    equal({ paused(URL .. "/close-delimited?bytes=700000") }, { true, body })
    equal({ paused(URL .. "/close?bytes=700000") }, { true, body })
    equal({ paused(origin.raw { OK .. "Content-Length: 700000\r\n\r\n" .. body, "fin" }) },
      { true, body })
  end)

  it("a body that is cut short is an error after the received bytes", function()
    local session <close> = http.session()
    local stream <close> = session:stream("GET", URL .. "/truncate?length=800000&sent=700000")
    local n = 0
    task.sleep(0.05)
    raises_error({ kind = "HttpError", code = "partial" }, function()
      for piece in stream:chunks() do n = n + #piece end
    end)
    equal(n, 700000)
  end)

  it("a server that resets is an error after the received bytes", function()
    local session <close> = http.session()
    local stream <close> = session:stream("GET", URL .. "/reset?after=700000&length=800000")
    equal(#stream:read(1), 1)
    task.sleep(0.05)
    raises_error({ kind = "HttpError", code = "reset", phase = "receive" }, stream.read, stream)
  end)
end)

describe("http.28", function()
  it("a read may resume, and be cancelled in the same pass", function()
    local session <close> = http.session()
    for passes = 0, 6 do
      local t = task.spawn(function()
        local stream <close> = session:stream("GET", URL .. "/bytes/3000000")
        stream:read(1)
        task.sleep(0.01)
        stream:read(300000) -- from here on the sender goes on
        stream:read()
      end)
      task.sleep(0.012)
      for _ = 1, passes do task.checkpoint() end
      t:cancel()
      task.wait { t }
      equal(session:get(URL .. "/bytes/1").status, 200)
    end
  end)

  it("a stream may be closed while it resumes", function()
    local session <close> = http.session()
    for _ = 1, 10 do
      local stream = session:stream("GET", URL .. "/bytes/3000000")
      stream:read(1)
      task.sleep(0.005)
      stream:read(300000)
      stream:close()
    end
    equal(session:get(URL .. "/bytes/1").status, 200)
  end)

  it("a body function may raise before there is a connection, or a response", function()
    local session <close> = http.session()
    local go = false
    local t = task.spawn(session.post, session, URL .. "/mirror", { body = function()
      if go then return nil end
      task.sleep(0.03)
      go = true
      return "late"
    end })
    equal(t:await().body, "late")
  end)
end)

describe("http.29 a body that is made", function()
  it("a body function may be slow", function()
    local session <close> = http.session { timeout = { idle = 0.2, first_byte = 5 } }
    local n = 0
    local r = session:post(URL .. "/mirror", { body = function()
      n = n + 1
      if n > 4 then return nil end
      task.sleep(0.3)
      return tostring(n)
    end })
    equal(r.body, "1234")
  end)

  it("a body function is no longer called once the response has arrived", function()
    local session <close> = http.session()
    for _, status in ipairs { 401, 413 } do
      local made = 0
      local r = session:post(("%s/early/%d?read=10"):format(URL, status), { body = function()
        made = made + 1
        task.sleep(0.002)
        return ("x"):rep(1000)
      end })
      equal(r.status, status)
      local then_made = made
      task.sleep(0.02)
      equal(made, then_made)
    end
    equal(session:get(URL .. "/bytes/1").status, 200)
  end)

  it("a body is sent at once, and waits for a 100 if a script asks for it", function()
    local session <close> = http.session()
    equal(origin.echo(session, "POST", { body = ("x"):rep(2000000) }).headers.expect, nil)
    local echoed = origin.echo(session, "POST",
      { body = ("x"):rep(2000000), headers = { Expect = "100-continue" } })
    equal({ echoed.headers.expect, echoed.body_size }, { "100-continue", 2000000 })
    -- No 100 ever comes, so the body is sent after a second.
    echoed = origin.decode(session:post(URL .. "/mirror",
      { body = "[1]", headers = { Expect = "100-continue" } }).body)
    equal(echoed, { 1 })
  end)

  it("a body is not sent if the server refuses the expectation", function()
    local session <close> = http.session()
    local r = session:post(URL .. "/early/417",
      { body = ("x"):rep(2000000), headers = { Expect = "100-continue" } })
    equal(r.status, 417)
  end)
end)
