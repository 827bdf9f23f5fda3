-- SPDX-License-Identifier: MIT
-- septet.http: request bodies that an iterator makes.
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"

local URL = origin.url
local MB = 1024 * 1024

-- The pieces of an iterator.
local function pieces_of(...)
  local pieces, i = { ... }, 0
  return function()
    i = i + 1
    return pieces[i]
  end
end

describe("a body that an iterator makes", function()
  it("an iterator's body is sent as it is made, in chunks", function()
    local session <close> = http.session()
    local echo = origin.echo(session, "POST", { body = pieces_of("one ", "", "two ", "three") })
    equal({ echo.body, echo.headers["transfer-encoding"],
      echo.headers["content-length"], echo.headers.expect },
      { "one two three", "chunked", nil, nil })
    equal(origin.echo(session, "PUT", { body = pieces_of "x" }).method, "PUT")
    equal(origin.echo(session, "PATCH", { body = pieces_of() }).body_size, 0)
  end)

  it("an iterator may wait longer than a server may be silent", function()
    local session <close> = http.session { timeout = { idle = 0.2, first_byte = 5 } }
    local i = 0
    local echo = origin.echo(session, "POST", { body = function()
      i = i + 1
      if i > 3 then return nil end
      task.sleep(0.3)
      return "x"
    end })
    equal(echo.body, "xxx")
  end)

  it("an iterator waits for a server that is slow", function()
    local session <close> = http.session()
    local made = 0
    local t = task.spawn(session.post, session, URL .. "/stall-upload", { body = function()
      made = made + 1
      return ("x"):rep(65536)
    end })
    local last
    repeat
      last = made
      task.sleep(0.05)
    until made == last
    equal(made * 65536 < 64 * MB, true) -- the sockets' buffers, and ours
    t:cancel()
    task.wait { t }
  end)

  it("an iterator that fails fails the request, with its own error", function()
    local session <close> = http.session()
    local mine = { "mine" }
    local _, err = pcall(session.post, session, URL .. "/echo", { body = function()
      error(mine)
    end })
    equal(rawequal(err, mine), true)
    misuse("bad piece of 'body' %(string expected, got number%)", function()
      session:post(URL .. "/echo", { body = pieces_of(1) })
    end)
    local n = 0
    _, err = pcall(session.post, session, URL .. "/echo", { body = function()
      n = n + 1
      if n == 3 then error(mine) end
      return "x"
    end })
    equal(rawequal(err, mine), true)
    equal(session:get(URL .. "/bytes/1").status, 200)
  end)

  it("an iterator is not called any more after the request is over", function()
    local session <close> = http.session()
    local closed = false
    local t = task.spawn(session.post, session, URL .. "/echo", { body = function()
      local _ <close> = setmetatable({}, { __close = function() closed = true end })
      task.sleep(math.huge)
    end })
    task.sleep(0.02)
    t:cancel()
    raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(closed, true)
    raises_error({ kind = "HttpError", code = "connect" }, session.post, session, origin.refused,
      { body = function() task.sleep(math.huge) end })
  end)

  it("an iterator runs once: no retries, no redirect that keeps the method", function()
    local session <close> = http.session { retries = { methods = { "POST" }, backoff = 0.001 } }
    equal(session:post(URL .. "/fail/1?key=upload-once", { body = pieces_of "x" }).status, 503)
    raises_error({ kind = "HttpError", code = "redirect", reason = "not_rewindable" },
      session.post, session,
      URL .. "/redirect-to?url=/echo&status=307", { body = pieces_of "x" })
    equal(session:post(URL .. "/redirect-to?url=/bytes/1&status=303",
      { body = pieces_of "x" }).status, 200)
  end)

  it("an iterator may make the body of a streamed request", function()
    local session <close> = http.session()
    local n = 0
    local r <close> = session:stream("POST", URL .. "/mirror", { body = function()
      n = n + 1
      return n <= 40 and ("y"):rep(50000) or nil
    end })
    local size = 0
    for piece in r:chunks() do size = size + #piece end
    equal(size, 2000000)
    local mine = { "mine" }
    local _, err = pcall(session.stream, session, "POST", URL .. "/echo", { body = function()
      error(mine)
    end })
    equal(rawequal(err, mine), true)
  end)

  it("an iterator's body is sent anew if a kept connection proves to be dead", function()
    local session <close> = http.session()
    for _ = 1, 5 do
      session:get(URL .. "/idle-close")
      equal(origin.echo(session, "PUT", { body = pieces_of("a", "b") }).body, "ab")
    end
  end)
end)
