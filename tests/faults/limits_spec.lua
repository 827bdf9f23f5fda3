-- SPDX-License-Identifier: MIT
-- Limits of a request: how long its phases last, and how large its body is.
local task, http = require "septet.task", require "septet.http"
local origin, process = require "origin", require "process"

local URL = origin.url
local OK, CHUNKED = "HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n\r\n"

-- Returns a session with short timeouts.
local function new_session(options)
  options = options or {}
  options.timeout = options.timeout or { first_byte = 5, idle = 5 }
  return http.session(options)
end

it("fault.24 a body that drips too slowly is ended by the idle timeout", function()
  local session <close> = new_session { timeout = { idle = 0.2 } }
  with_ticker(raises_error,
    { kind = "HttpError", code = "timeout", reason = "idle", phase = "receive" }, session.get,
    session, URL .. "/stall?after=1&length=3")
end)

it("fault.25 a body without end stops at the limit", function()
  local endless = origin.raw { OK .. "\r\n", { ("x"):rep(1000), 100000 }, "fin" }
  local chunked = origin.raw {
    OK .. CHUNKED, { "3e8\r\n" .. ("x"):rep(1000) .. "\r\n", 100000 }, "fin",
  }
  for _, url in ipairs { endless, chunked } do
    local session <close> = new_session { max_body = 1000000 }
    raises_error({ kind = "HttpError", code = "body_too_large", phase = "receive" }, session.get,
      session, url)
    local stream <close> = session:stream("GET", url)
    local n = 0
    raises_error({ code = "body_too_large" }, function()
      for piece in stream:chunks() do n = n + #piece end
    end)
    equal(n <= 1000000 and n > 1000000 - 65536, true)
  end
end)

it("fault.26 a bomb stops at the limit, and takes little memory", function()
  local session <close> = new_session { max_body = 4 * 1024 * 1024 }
  local url = URL .. "/gzip?bytes=50000000"
  collectgarbage()
  local before = process.resident()
  raises_error({ kind = "HttpError", code = "body_too_large" }, session.get, session, url)
  local stream <close> = session:stream("GET", url)
  raises_error({ code = "body_too_large" }, function()
    for _ in stream:chunks() do end -- luacheck: ignore
  end)
  -- Kilobytes: 4 MB of body, and what libcurl holds.
  equal(process.resident() - before < 28 * 1024, true)
end)

it("fault.11 a server that never answers ends by the limit on the first byte", function()
  local session <close> = new_session { timeout = { first_byte = 0.1 } }
  local t0 = task.now()
  with_ticker(raises_error, {
    kind = "HttpError", code = "timeout", reason = "first_byte", phase = "wait",
  }, session.get, session, URL .. "/stall")
  equal(task.now() - t0 >= 0.1, true)
end)

describe("http.12 each limit", function()
  it("each timeout names its phase", function()
    local session <close> = new_session { limit = 1, timeout = {} }
    local function limited(expected, path, timeout)
      expected.kind, expected.code = "HttpError", "timeout"
      raises_error(expected, session.get, session, URL .. path, { timeout = timeout })
    end
    limited({ reason = "first_byte", phase = "wait" }, "/stall", { first_byte = 0.05 })
    limited({ reason = "idle", phase = "receive" }, "/stall?after=1&length=2", { idle = 0.05 })
    local blocker = task.spawn(session.get, session, URL .. "/stall")
    task.sleep(0.01)
    limited({ reason = "queue", phase = "queue" }, "/bytes/1", { queue = 0.05 })
    limited({ reason = "total", phase = "queue" }, "/bytes/1", { total = 0.05 })
    blocker:cancel()
    task.wait { blocker }
    raises_error({ code = "timeout", reason = "idle", phase = "send" }, session.post, session,
      URL .. "/stall-upload", { body = ("x"):rep(20000000), timeout = { idle = 0.1 } })
  end)
end)

it("http.22 a timeout is reported also for the last request", function()
  for _ = 1, 3 do
    local session <close> = new_session { timeout = { first_byte = 0.03 } }
    raises_error({ code = "timeout" }, session.get, session, URL .. "/stall")
  end
end)
