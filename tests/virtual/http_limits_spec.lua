-- SPDX-License-Identifier: MIT
-- septet.http: limits of time that the clock reaches where the test moves it, after what has to
-- come before. No machine is slow enough to reach them by itself.
local fs, http, net = require "septet.fs", require "septet.http", require "septet.net"
local pack, task, testing = require "pack", require "septet.task", require "septet.testing"

local HEAD = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

-- What was written is read: each sleep is a lap of the loop.
local function let_through()
  for _ = 1, 3 do task.sleep(0.001) end
end

-- Serves each connection by one of some functions, which get it, the headers of its request and its
-- number; the last one serves all further ones. They return true if it ends. Returns what ends the
-- server, and its URL.
local function serve(...)
  local parts, n = { ... }, 0
  local server = net.listen()
  local serving = task.spawn(server.serve, server, function(c)
    n = n + 1
    local headers = {}
    repeat
      local line = c:read_line():gsub("\r$", "")
      local name, value = line:match "^([^:]+): (.*)"
      if name then headers[name:lower()] = value end
    until line == ""
    if not parts[math.min(n, #parts)](c, headers, n) then c:read_all() end
  end)
  return setmetatable({}, { __close = function()
    serving:cancel()
    task.wait { serving }
    server:close()
  end }), ("http://127.0.0.1:%d/"):format(server.port)
end

local function no_content(c)
  c:write "HTTP/1.1 204 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
  return true
end

-- fn(...) must fail by a limit, once the clock has moved on by so many seconds.
local function times_out(reason, seconds, fn, ...)
  local t = task.spawn(pcall, fn, ...)
  testing.advance(seconds)
  local ok, err = t:await()
  equal({ ok, err.kind, err.code, err.reason }, { false, "HttpError", "timeout", reason })
  return err
end

describe("the events of a URL", function()
  it("are lost by a silent connection, but not by one with comments", function()
    local _ <close>, url = serve(function(c)
      c:write(HEAD .. "data: a\n\n")
    end, function(c)
      c:write(HEAD)
      for _ = 1, 6 do
        c:write ":\n"
        let_through()
        testing.advance(3)
      end
      c:write "data: b\n\n"
      return true
    end, no_content)
    local session <close> = http.session()
    local events <close> = session:events(url, { retry = 0.001, timeout = { idle = 10 } })
    equal(events().data, "a")
    local second = task.spawn(events)
    testing.advance(10)
    equal(second:await().data, "b")
    equal(events(), nil)
  end)

  it("have a limit on the time of all connections together", function()
    local _ <close>, url = serve(function(c) c:write(HEAD .. "data: a\n\n") end)
    local session <close> = http.session()
    for _, limit in ipairs { 20, { total = 20 } } do
      local events <close> = session:events(url, { timeout = limit })
      equal(events().data, "a")
      times_out("total", 20, events)
    end
  end)
end)

describe("a body", function()
  local DRIPS <const> = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"

  it("fault.24 that drips is within the idle timeout", function()
    local _ <close>, url = serve(function(c)
      c:write(DRIPS)
      for i = 1, 6 do
        c:write(tostring(i))
        let_through()
        testing.advance(3)
      end
    end)
    equal(http.get(url, { timeout = { idle = 10 } }).body, "123456")
  end)

  it("H-10 that is packed, and drips, is within the idle timeout", function()
    local _ <close>, url = serve(function(c)
      local write, finish = pack.gzip()
      c:write "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"
      for _ = 1, 6 do
        c:write(write "x")
        let_through()
        testing.advance(3)
      end
      c:write(finish())
      return true
    end)
    equal(http.get(url, { timeout = { idle = 10 } }).body, "xxxxxx")
  end)

  it("fault.24 that drips is ended by the total timeout", function()
    local _ <close>, url = serve(function(c)
      c:write(DRIPS)
      for i = 1, 5 do
        c:write(tostring(i))
        let_through()
        testing.advance(5)
      end
    end)
    raises_error({ code = "timeout", reason = "total", phase = "receive" }, http.get, url,
      { timeout = { total = 20, idle = 10 } })
  end)
end)

describe("http.12 the limit on the whole time", function()
  -- The phase in which a request ends, once a server has called `reached`.
  local function phase_of(options, part)
    local reached = gate()
    local _ <close>, url = serve(function(c)
      part(c)
      reached.open()
    end)
    local session <close> = http.session()
    options.timeout = { total = 10 }
    local t = task.spawn(pcall, session.request, session, options.body and "POST" or "GET", url,
      options)
    reached.wait()
    let_through()
    testing.advance(10)
    local ok, err = t:await()
    equal({ ok, err.kind, err.code, err.reason }, { false, "HttpError", "timeout", "total" })
    return err.phase
  end

  it("names the phase that it ends", function()
    equal(phase_of({}, function() end), "wait")
    equal(phase_of({ body = "x" }, function(c) c:read(1) end), "wait")
    equal(phase_of({}, function(c)
      c:write "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789"
    end), "receive")
  end)
end)

describe("a streamed response", function()
  it("has a limit on the whole time that includes the body", function()
    local _ <close>, url = serve(function(c)
      c:write "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n012"
    end)
    local session <close> = http.session()
    local r <close> = session:stream("GET", url, { timeout = 20 })
    equal(r:read(3), "012")
    equal(times_out("total", 20, r.read, r).phase, "receive")
  end)

  it("http.25 is not idle while its reader is slow, also if it is packed", function()
    local plain, write, finish = {}, pack.gzip()
    for i = 1, 300000 do plain[i] = ("%d "):format(i) end
    plain = table.concat(plain)
    local packed = write(plain) .. finish()
    for _, case in ipairs { { plain, "" }, { packed, "Content-Encoding: gzip\r\n" } } do
      local body, head = table.unpack(case)
      local _ <close>, url = serve(function(c)
        c:write(("HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n"):format(head, #body))
        c:write(body)
      end)
      local session <close> = http.session { timeout = { idle = 10 } }
      local r <close> = session:stream("GET", url)
      equal(r:read(1), "1")
      let_through()
      testing.advance(16)
      equal(r:read() == plain:sub(2), true)
    end
  end)
end)

describe("a save", function()
  it("is retried until its total time has ended", function()
    local folder <close> = fs.temp_dir()
    local path, asked = folder.path .. "/file", 0
    local _ <close>, url = serve(function(c, headers)
      local from = tonumber((headers.range or "bytes=0-"):match "%d+")
      asked = asked + 1
      c:write(("HTTP/1.1 %s\r\nETag: \"a\"\r\nContent-Range: bytes %d-99/100\r\n" ..
        "Content-Length: %d\r\n\r\nx"):format(from == 0 and "200 OK" or "206 Partial Content", from,
        100 - from))
    end)
    local saving = task.spawn(pcall, http.save, url, path,
      { retries = { attempts = 1000, backoff = 0 }, timeout = { total = 30, idle = 5 } })
    for i = 1, 3 do
      while asked < i do task.sleep(0.001) end
      testing.advance(5)
    end
    testing.advance(30)
    local ok, err = saving:await()
    equal({ ok, err.kind, err.code }, { false, "HttpError", "timeout" })
  end)
end)

describe("a server", function()
  it("closes a connection that is idle after a request", function()
    local server <close> = testing.serve(function() return "x" end, { timeout = 10 })
    local conn <close> = net.connect { host = "127.0.0.1", port = server.port }
    conn:write "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
    equal(conn:read_line(), "HTTP/1.1 200 OK\r")
    local rest = task.spawn(conn.read_all, conn)
    testing.advance(10)
    equal(rest:await():sub(-5), "\r\n\r\nx")
  end)
end)

describe("a rate", function()
  it("is not used up by a request that gives up", function()
    local server <close> = testing.serve(function() return 204 end)
    local session <close> = http.session { rate = "1/30s" }
    session:get(server.url)
    raises_error({ code = "timeout", reason = "total", phase = "queue" }, session.get, session,
      server.url, { timeout = 0.01 })
    task.move_on_after(0.01, function()
      task.group(function(g)
        for _ = 1, 50 do g:spawn(session.get, session, server.url) end
      end)
    end)
    equal(session:get(server.url, { timeout = 50 }).status, 204)
  end)
end)
