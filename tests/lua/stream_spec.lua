-- SPDX-License-Identifier: MIT
-- septet.http: bodies that are read as they come.
-- check: allow dropped-result
local task, http = require "septet.task", require "septet.http"
local testing = require "septet.testing"
local origin, process = require "origin", require "process"

local URL = origin.url

-- n bytes of a stream, in however many pieces they come.
local function take(r, n)
  local text = ""
  while #text < n do text = text .. r:read(n - #text) end
  return text
end

describe("a streamed response", function()
  it("a streamed response has its head before its body", function()
    local session <close> = http.session()
    local r <close> = session:stream("GET", URL .. "/stall?after=3&length=100")
    equal({ r.status, r.reason, r.headers["content-length"], r.version, r.method },
      { 200, "OK", "100", "1.1", "GET" })
    equal(take(r, 2), "01")
    equal(r:read(10), "2")
  end)

  it("a streamed response gives its body in pieces, in bytes, or as a whole", function()
    local session <close> = http.session()
    local r <close> = session:stream("GET", URL .. "/bytes/1000000")
    local pieces = {}
    for piece in r:chunks() do pieces[#pieces + 1] = piece end
    equal(table.concat(pieces), origin.pattern(1000000))
    equal(r:read(1), nil)
    equal(r:read(), "")
    equal(r.times.total > 0, true)
    local s <close> = session:stream("GET", URL .. "/bytes/100")
    for piece in s:chunks(7) do equal(#piece <= 7, true) end
    local t <close> = session:stream("GET", URL .. "/bytes/100")
    equal(take(t, 3), "012")
    equal(t:read(), origin.pattern(100):sub(4))
    local u <close> = session:stream("GET", URL .. "/bytes/5")
    equal({ u.body, u.body, u:read() }, { "01234", "01234", "" })
  end)

  it("a streamed response gives bytes when they arrive, not at the end", function()
    local session <close> = http.session()
    local go_on, n = gate(), 0
    local server <close> = testing.serve(function()
      return { body = function()
        n = n + 1
        if n == 2 then go_on:wait() end
        return ({ "01", "23" })[n]
      end }
    end)
    local r <close> = session:stream("GET", server.url)
    equal(take(r, 2), "01")
    go_on:open()
    equal(r:read(), "23")
  end)

  it("a streamed response is decoded", function()
    local session <close> = http.session()
    local r <close> = session:stream("GET", URL .. "/gzip?bytes=300000")
    equal(r:read(), (("0123456789abcdef"):rep(300000 // 16 + 1)):sub(1, 300000))
    local chunked <close> = session:stream("GET", URL .. "/chunked?chunks=5&size=100")
    equal(chunked.body, origin.pattern(500))
  end)

  it("a streamed response may be empty", function()
    local session <close> = http.session()
    for _, route in ipairs { "/bytes/0", "/status/204", "/status/304" } do
      local r <close> = session:stream("GET", URL .. route)
      equal({ r:read(1), r:read() }, { nil, "" })
    end
    local r <close> = session:stream("HEAD", URL .. "/bytes/10")
    equal({ r.status, r.body }, { 200, "" })
  end)

  it("a streamed response follows redirects, and drops their bodies", function()
    local session <close> = http.session()
    local r <close> = session:stream("GET", URL .. "/redirect/2")
    equal({ r.url, #r.history, r.body }, { URL .. "/redirect/0", 2, "01" })
    local first <close> = session:stream("GET", URL .. "/redirect/2", { redirects = false })
    equal({ first.status, #first.history, first.body }, { 302, 0, "" })
  end)

  it("a streamed response is tried again as the policy says", function()
    local session <close> = http.session { retries = { backoff = 0.001 } }
    local r <close> = session:stream("GET", URL .. "/fail/2?key=stream-retry")
    equal({ r.status, r.attempts, r.body }, { 200, 3, "01" })
  end)

  it("a streamed response has the other methods of a response", function()
    local session <close> = http.session()
    local r <close> = session:stream("POST", URL .. "/echo", { json = { a = 1 } })
    equal(r:json().body, '{"a":1}')
    local missing <close> = session:stream("GET", URL .. "/status/404")
    raises_error({ kind = "HttpError", code = "status" }, missing.raise_for_status, missing)
  end)
end)

describe("lines", function()
  local function lines_of(...)
    local body = table.concat({ ... })
    local session <close> = http.session()
    local r <close> = session:stream("POST", URL .. "/mirror", { body = body })
    local lines = {}
    for line in r:lines() do lines[#lines + 1] = line end
    return lines
  end

  it("lines are without their ends, and the last may have none", function()
    equal(lines_of "", {})
    equal(lines_of "a", { "a" })
    equal(lines_of "a\n", { "a" })
    equal(lines_of "a\r\n\r\n\nb\rc\n", { "a", "", "", "b\rc" })
    equal(lines_of("\n", ("x"):rep(100000), "\n", ("y"):rep(70000)),
      { "", ("x"):rep(100000), ("y"):rep(70000) })
  end)

  it("lines that are too long are refused", function()
    local session <close> = http.session()
    local r <close> = session:stream("POST", URL .. "/mirror", { body = "ab\nabc\nabcdef\n" })
    local next_line = r:lines(3)
    equal({ next_line(), next_line() }, { "ab", "abc" })
    local err = raises_error({ kind = "HttpError", code = "body_too_large", reason = "line" },
      next_line)
    equal(tostring(err):find("longer than 3 bytes", 1, true) ~= nil, true)
    local endless <close> = session:stream("GET", URL .. "/bytes/10000000")
    raises_error({ code = "body_too_large" }, endless:lines(100000))
  end)
end)

describe("a reader that is slow", function()
  it("a slow reader holds the sender up, and little memory", function()
    local session <close> = http.session()
    local before = process.resident()
    local r <close> = session:stream("GET", URL .. "/bytes/100000000")
    for _ = 1, 20 do
      task.sleep(0.005)
      equal(#r:read(1), 1)
    end
    equal(process.resident() - before < 20 * 1024, true) -- kilobytes; the body has 100 MB
    local n = 20
    for piece in r:chunks() do n = n + #piece end
    equal(n, 100000000)
  end)

  it("a slow reader lets other requests go on", function()
    local session <close> = http.session()
    local r <close> = session:stream("GET", URL .. "/bytes/3000000")
    for _ = 1, 20 do equal(session:get(URL .. "/bytes/3").body, "012") end
    equal(#r:read(), 3000000)
  end)

  it("a slow reader loses nothing of what the server sent before it ended", function()
    local session <close> = http.session()
    local mark = origin.mark()
    local r <close> = session:stream("GET", URL .. "/close-delimited?bytes=700000&spec=ended")
    origin.closed(mark, origin.eventually(function()
      return origin.requests(mark, "/close-delimited?bytes=700000&spec=ended")[1]
    end).connection)
    equal(r:read(), origin.pattern(700000))
  end)

  it("a slow reader gets the error of a broken body when it gets there", function()
    local session <close> = http.session()
    local r <close> = session:stream("GET", URL .. "/truncate?length=1000&sent=500")
    equal(take(r, 500), origin.pattern(500))
    raises_error({ kind = "HttpError", code = "partial", phase = "receive" }, r.read, r, 1)
    raises_error({ code = "partial" }, r.read, r)
  end)
end)

describe("a limit", function()
  it("a limit on the body's size is one on what the script reads", function()
    local session <close> = http.session { max_body = 1000 }
    local r <close> = session:stream("GET", URL .. "/bytes/1001")
    raises_error({ kind = "HttpError", code = "body_too_large" }, r.read, r)
    local exact <close> = session:stream("GET", URL .. "/bytes/1000")
    equal(#exact.body, 1000)
    local more <close> = session:stream("GET", URL .. "/bytes/2000", { max_body = 2000 })
    equal(#more.body, 2000)
  end)

  it("a limit on silence includes the body", function()
    local session <close> = http.session { timeout = { idle = 0.05 } }
    local r <close> = session:stream("GET", URL .. "/stall?after=3&length=9")
    raises_error({ kind = "HttpError", code = "timeout", reason = "idle" }, r.read, r)
  end)
end)

describe("ends of a stream", function()
  -- The connection of a request for `target` is closed by the client.
  local function closes(target, fn)
    local mark = origin.mark()
    fn(URL .. target)
    local request = origin.eventually(function() return origin.requests(mark, target)[1] end)
    equal(origin.closed(mark, request.connection).by, "client")
  end

  it("a stream ends when it is closed, and may be closed again", function()
    local session <close> = http.session()
    closes("/stall?after=3&length=9&spec=closed", function(url)
      local r = session:stream("GET", url)
      r:close()
      r:close()
      raises_error({ kind = "HttpError", code = "closed" }, r.read, r)
    end)
  end)

  it("a stream ends with the scope that opened it", function()
    local session <close> = http.session()
    closes("/stall?after=3&length=9&spec=scope", function(url)
      local kept
      task.group(function()
        kept = session:stream("GET", url)
        equal(take(kept, 3), "012")
      end)
      raises_error({ code = "closed" }, kept.read, kept)
    end)
  end)

  it("a stream ends with the task that opened it, and its reader gets an error", function()
    local session <close> = http.session()
    local kept
    local owner = task.spawn(function()
      kept = session:stream("GET", URL .. "/stall?after=3&length=9")
      task.sleep(math.huge)
    end)
    origin.eventually(function() return kept end)
    equal(take(kept, 3), "012")
    local reader = task.spawn(kept.read, kept, 1)
    task.checkpoint()
    owner:cancel()
    raises_error({ code = "closed" }, reader.await, reader)
    task.wait { owner }
  end)

  it("a stream does not end with a read that is cancelled", function()
    local session <close> = http.session()
    local cancelled, made = gate(), 0
    local server <close> = testing.serve(function()
      return { body = function()
        cancelled.wait()
        made = made + 1
        return ("012"):sub(made, made)
      end, headers = { ["Content-Length"] = "3" } }
    end)
    local r <close> = session:stream("GET", server.url)
    local got = task.move_on_after(0.001, function() return r:read(1) end)
    equal(got, false)
    cancelled.open()
    equal(r:read(), "012")
  end)

  it("a stream ends with its session", function()
    local session = http.session()
    local r <close> = session:stream("GET", URL .. "/stall?after=3&length=9")
    equal(#r:read(1), 1)
    session:close()
    raises_error({ kind = "HttpError", code = "closed" }, r.read, r)
  end)

  it("a stream that ends frees its place", function()
    local session <close> = http.session { limit = 1 }
    for _ = 1, 3 do
      local r = session:stream("GET", URL .. "/stall?after=3&length=9")
      r:close()
    end
    equal(session:get(URL .. "/bytes/1").status, 200)
  end)

  it("a stream ends when the collector takes it", function()
    local session <close> = http.session()
    task.group(function()
      for _ = 1, 10 do session:stream("GET", URL .. "/bytes/10"):read(1) end
      collectgarbage()
      for _ = 1, 5 do session:stream("GET", URL .. "/stall?after=1&length=3") end
      collectgarbage()
      task.checkpoint()
    end)
  end)

  it("a stream ends when its opening is cancelled", function()
    local session <close> = http.session()
    closes("/stall?spec=opening", function(url)
      local mark = origin.mark()
      local t = task.spawn(session.stream, session, "GET", url)
      origin.eventually(function() return origin.requests(mark, "/stall?spec=opening")[1] end)
      t:cancel()
      raises_error({ kind = "TaskCancelled" }, t.await, t)
    end)
  end)
end)

it("a stream has one reader at a time", function()
  local session <close> = http.session()
  local r <close> = session:stream("GET", URL .. "/stall?after=1&length=3")
  equal(r:read(1), "0")
  local t = task.spawn(r.read, r, 1)
  task.checkpoint()
  misuse("another task reads the response", function() r:read(1) end)
  t:cancel()
  task.wait { t }
  misuse("bad argument #1 to 'read' %(a whole number of bytes expected, got 0%)", function()
    r:read(0)
  end)
end)

describe("hooks of a stream", function()
  local function hooked(fn)
    local events = {}
    local function hook(name)
      return function(_, ev)
        events[#events + 1] = name .. (ev.exception and " " .. ev.exception.code or "")
      end
    end
    local session <close> = http.session { trace = { request_start = hook "start",
      request_end = hook "end",
      request_exception = hook "exception" } }
    fn(session)
    task.checkpoint()
    return events
  end

  it("hooks see the end of a stream when the body has ended", function()
    equal(hooked(function(session)
      local r <close> = session:stream("GET", URL .. "/redirect/1")
      equal(r.body, "01")
    end), { "start", "end" })
  end)

  it("hooks see the failure of the body", function()
    equal(hooked(function(session)
      local r <close> = session:stream("GET", URL .. "/truncate")
      pcall(r.read, r)
    end), { "start", "exception partial" })
  end)

  it("hooks see the end of a stream that is closed", function()
    equal(hooked(function(session)
      session:stream("GET", URL .. "/stall?after=1&length=2"):close()
    end), { "start", "end" })
  end)
end)
