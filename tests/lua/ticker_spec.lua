-- SPDX-License-Identifier: MIT
-- Waits of each kind leave the loop free: a ticker ticks beside them. What computes or moves much
-- has such a test in the spec of its module.
local task, sync, http = require "septet.task", require "septet.sync", require "septet.http"
local fs, net, process = require "septet.fs", require "septet.net", require "septet.process"
local csv, robots, testing = require "septet.csv", require "septet.robots", require "septet.testing"
local sio = require "septet.io"
local files, ticker = require "files", require "ticker"

local LATE = 0.08 -- seconds

local started = {} -- tasks

-- Calls fn once some time has passed.
local function later(fn, ...)
  local t = task.background(function(...)
    task.sleep(LATE)
    fn(...)
  end, ...)
  started[#started + 1] = t
  return t
end

-- Calls fn(client, peer) with both sides of a connection.
local function pair(fn)
  local server <close> = net.listen {}
  local client <close> = net.connect { host = server.host, port = server.port }
  local peer <close> = server:accept()
  fn(client, peer)
end

local function shell(script, options)
  options = options or {}
  options[1], options.shell = script, true
  return options
end

local WAITS = {
  ["a future"] = function()
    local f = task.future()
    later(f.set, f, 7)
    equal(ticker.beats(function() return f:await() end), 7)
  end,
  ["a value of a channel, with a timeout"] = function()
    local ch = sync.channel(1)
    later(ch.send, ch, 7)
    equal(ticker.beats(function() return ch:recv(5) end), 7)
    equal(task.is(select(2, ticker.beats(function() return pcall(ch.recv, ch, LATE) end)),
      "Timeout"), true)
  end,
  ["room in a pool"] = function()
    ticker.beats(function()
      task.pool(1, function(pool) pool:map(task.sleep, { LATE / 2, LATE / 2, LATE / 2 }) end)
    end)
  end,
  ["the end of a program"] = function()
    local p <close> = process.spawn(shell("sleep 0.08; exit 3"))
    equal(ticker.beats(function() return p:wait() end), 3)
  end,
  ["the output of a program"] = function()
    for _, read in ipairs {
      function(r) return r:read_line() end, function(r) return r:read(9) end,
      function(r) return r:read_exactly(2) end, function(r) return r:read_all() end,
      function(r) for line in r:lines() do return line end end,
    } do
      local p <close> = process.spawn(shell("sleep 0.08; echo a"))
      equal(ticker.beats(function() return read(p.stdout) end):sub(1, 1), "a")
    end
  end,
  ["a program that reads late"] = function()
    local p <close> = process.spawn(shell("sleep 0.08; exec cat >/dev/null"))
    ticker.beats(function() p.stdin:write(("x"):rep(1000000)) end)
  end,
  ["a program that takes its input from a function"] = function()
    local left = 3
    local r = ticker.beats(function()
      return process.run { "cat", stdin = function()
        task.sleep(LATE / 2)
        left = left - 1
        return left >= 0 and "x" or nil
      end }
    end)
    equal(r.stdout, "xxx")
  end,
  ["a program that is ended"] = function()
    local p = process.spawn(shell("trap '' TERM; echo; while :; do sleep 0.01; done",
      { grace = LATE }))
    p.stdout:read_line()
    ticker.beats(function() p:close() end)
    local stuck = { "sleep", "60", timeout = LATE }
    equal(select(2, ticker.beats(function() return pcall(process.run, stuck) end)).code, "timeout")
  end,
  ["a connection, by each of a server's ways"] = function()
    local server <close> = net.listen {}
    local to = { host = server.host, port = server.port }
    later(function() net.connect(to):close() end)
    ticker.beats(function() for c in server:connections() do return c:close() end end)
    later(function()
      net.connect(to):close()
      later(server.close, server)
    end)
    ticker.beats(function() server:serve(function() task.sleep(LATE / 2) end) end)
  end,
  ["the bytes of a peer"] = function()
    for _, read in ipairs {
      function(c) return c:read_line() end, function(c) return c:read(9) end,
      function(c) return c:read_exactly(2) end,
      function(c) for line in c:lines() do return line end end,
    } do
      pair(function(client, peer)
        later(client.write, client, "a\n")
        equal(ticker.beats(function() return read(peer) end):sub(1, 1), "a")
      end)
    end
    pair(function(client, peer)
      later(client.shutdown, client)
      equal(ticker.beats(function() return peer:read_all() end), "")
    end)
  end,
  ["a peer that reads late, or never"] = function()
    local large = ("x"):rep(1000):rep(20000)
    pair(function(client, peer)
      local reader = later(function() equal(#peer:read_all(1 << 30), #large) end)
      ticker.beats(function()
        client:write(large)
        client:shutdown()
      end)
      reader:await()
    end)
    pair(function(client)
      client:set_timeout(LATE)
      local err = ticker.beats(function() return select(2, pcall(client.write, client, large)) end)
      equal(err.code, "timeout")
    end)
  end,
  ["a change of a file, and a line at its end"] = function()
    local folder <close> = fs.temp_dir()
    local path = folder.path .. "/f"
    local events <close> = fs.watch(folder.path)
    later(fs.write, path, "", { atomic = false })
    equal(ticker.beats(events).path, path)
    local lines <close> = fs.tail(path)
    later(fs.append, path, "a\n")
    equal(ticker.beats(lines), "a")
  end,
  ["the response to an upload, made or read from a file"] = function()
    local server <close> = testing.serve(function(request)
      task.sleep(LATE / 2)
      return tostring(#request.body)
    end)
    local session <close> = http.session { base_url = server.url }
    local file <close> = files.with(("x"):rep(3000000))
    local function made()
      local left = 3
      return function()
        task.sleep(LATE / 2)
        left = left - 1
        return left >= 0 and ("x"):rep(1000) or nil
      end
    end
    for _, case in ipairs {
      { { body = made() }, "3000" }, { { body = made(), length = 3000 }, "3000" },
      { { body = sio.open(file.path) }, "3000000" },
      { { body = ("x"):rep(3000000) }, "3000000" },
    } do
      equal(ticker.beats(function() return session:post("/", case[1]).body end), case[2])
    end
    equal(ticker.beats(function()
      return session:post("/", { multipart = { { name = "a", data = made(), length = 3000 } } })
    end).status, 200)
  end,
  ["the events of a server, and its return"] = function()
    local calls = 0
    local server <close> = testing.serve(function()
      calls = calls + 1
      if calls == 1 then return { delay = LATE, status = 503 } end
      return { events = function()
        task.sleep(LATE)
        return { data = "x" }
      end }
    end)
    local session <close> = http.session()
    local events <close> = session:events(server.url, { retry = 0.01 })
    equal(ticker.beats(function() return events() end).data, "x")
    local stream <close> = session:stream("GET", server.url)
    ticker.beats(function() for event in stream:events() do return event end end)
  end,
  ["a request, and the end of a server"] = function()
    local server = testing.serve(function() task.cleanup(LATE, task.sleep, 60) end)
    local session <close> = http.session()
    local client = later(pcall, session.get, session, server.url)
    ticker.beats(function() server:wait(1) end)
    ticker.beats(function() server:close() end)
    client:cancel()
  end,
  ["a site's robots.txt"] = function()
    local server <close> = testing.serve(function()
      return { delay = LATE, body = "User-agent: *\nDisallow: /x" }
    end)
    local session <close> = http.session()
    local rules = ticker.beats(function() return robots.fetch(session, server.url) end)
    equal(rules:allows("me", "/x"), false)
  end,
  ["rows of CSV that come late, or leave late"] = function()
    local n = 0
    local function source()
      n = n + 1
      task.sleep(LATE / 2)
      return n <= 2 and "a,b\n" or nil
    end
    equal(#ticker.beats(function()
      local rows = {}
      for row in csv.reader(source) do rows[#rows + 1] = row end
      return rows
    end), 2)
    ticker.beats(function() csv.writer(function() task.sleep(LATE) end):row { 1, 2 } end)
  end,
}

describe("a ticker", function()
  local function compute(seconds)
    local n, cpu = 0, os.clock()
    while os.clock() - cpu < seconds do n = n + 1 end
  end

  for title, block in pairs {
    computes = function() compute(0.1) end, ["waits in C"] = function() os.execute "sleep 0.1" end,
  } do
    it("tells of a loop that is blocked once, and again and again, where it " .. title, function()
      raises("the loop was blocked for", ticker.beats, block)
      raises("the loop was blocked for", ticker.beats, function()
        for _ = 1, 5 do
          block()
          task.sleep(0.02)
        end
      end)
    end)
  end

  it("lets a task compute for less than it would miss", function()
    ticker.beats(function()
      for _ = 1, 20 do
        compute(0.015)
        task.sleep(0)
      end
    end)
  end)
end)

describe("the loop is free in a wait for", function()
  local titles = {}
  for title in pairs(WAITS) do titles[#titles + 1] = title end
  table.sort(titles)
  for _, title in ipairs(titles) do
    it(title, function()
      WAITS[title]()
      while #started > 0 do task.wait { table.remove(started) } end
    end)
  end
end)
