-- SPDX-License-Identifier: MIT
-- Waits of each kind leave the loop free. Most end by what another task does after some laps of the
-- loop: were the loop blocked, the wait would never end. What computes or moves much has a test in
-- the spec of its module.
-- check: allow blocks
local task, sync, http = require "septet.task", require "septet.sync", require "septet.http"
local fs, net, process = require "septet.fs", require "septet.net", require "septet.process"
local csv, robots, testing = require "septet.csv", require "septet.robots", require "septet.testing"
local sio = require "septet.io"
local files, ticker = require "files", require "ticker"
local laps = ticker.some_laps

local SHORT = 0.08 -- seconds

local started = {} -- tasks

local function later(fn, ...)
  local t = ticker.later(fn, ...)
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
    equal(f:await(), 7)
  end,
  ["a value of a channel, with a timeout"] = function()
    local ch = sync.channel(1)
    later(ch.send, ch, 7)
    equal(ch:recv(60), 7)
    equal(task.is(select(2, ticker.waits(function() return pcall(ch.recv, ch, SHORT) end)),
      "Timeout"), true)
  end,
  ["room in a pool"] = function()
    task.pool(1, function(pool) pool:map(laps, { 1, 2, 3 }) end)
  end,
  ["the end of a program"] = function()
    local p <close> = process.spawn(shell("read line; exit 3"))
    later(p.stdin.close, p.stdin)
    equal(p:wait(), 3)
  end,
  ["the output of a program"] = function()
    for _, read in ipairs {
      function(r) return r:read_line() end, function(r) return r:read(9) end,
      function(r) return r:read_exactly(2) end, function(r) return r:read_all() end,
      function(r) for line in r:lines() do return line end end,
    } do
      local p <close> = process.spawn(shell("read line; echo a"))
      later(p.stdin.close, p.stdin)
      equal(read(p.stdout):sub(1, 1), "a")
    end
  end,
  ["a program that reads late"] = function()
    local p <close> = process.spawn { "cat" }
    local reader = later(function() equal(#p.stdout:read_all(), 1000000) end)
    p.stdin:write(("x"):rep(1000000))
    p.stdin:close()
    reader:await()
  end,
  ["a program that takes its input from a function"] = function()
    local left = 3
    local r = process.run { "cat", stdin = function()
      laps()
      left = left - 1
      return left >= 0 and "x" or nil
    end }
    equal(r.stdout, "xxx")
  end,
  ["a program that is ended"] = function()
    ticker.waits(function()
      local p = process.spawn(shell("trap '' TERM; echo; while :; do sleep 0.01; done",
        { grace = SHORT }))
      p.stdout:read_line()
      p:close()
    end)
    local stuck = { "sleep", "60", timeout = SHORT }
    equal(select(2, ticker.waits(function() return pcall(process.run, stuck) end)).code, "timeout")
  end,
  ["a connection, by each of a server's ways"] = function()
    local server <close> = net.listen {}
    local to = { host = server.host, port = server.port }
    later(function() net.connect(to):close() end)
    for c in server:connections() do
      c:close()
      break
    end
    later(function()
      net.connect(to):close()
      later(server.close, server)
    end)
    server:serve(laps)
  end,
  ["the bytes of a peer"] = function()
    for _, read in ipairs {
      function(c) return c:read_line() end, function(c) return c:read(9) end,
      function(c) return c:read_exactly(2) end,
      function(c) for line in c:lines() do return line end end,
    } do
      pair(function(client, peer)
        later(client.write, client, "a\n")
        equal(read(peer):sub(1, 1), "a")
      end)
    end
    pair(function(client, peer)
      later(client.shutdown, client)
      equal(peer:read_all(), "")
    end)
  end,
  ["a peer that reads late, or never"] = function()
    local large = ("x"):rep(1000):rep(20000)
    pair(function(client, peer)
      local reader = later(function() equal(#peer:read_all(1 << 30), #large) end)
      client:write(large)
      client:shutdown()
      reader:await()
    end)
    equal(ticker.waits(function()
      local err
      pair(function(client)
        client:set_timeout(SHORT)
        err = select(2, pcall(client.write, client, large))
      end)
      return err.code
    end), "timeout")
  end,
  ["a change of a file, and a line at its end"] = function()
    local folder <close> = fs.temp_dir()
    local path = folder.path .. "/f"
    local events <close> = fs.watch(folder.path)
    later(fs.write, path, "", { atomic = false })
    equal(events().path, path)
    local lines <close> = fs.tail(path)
    later(fs.append, path, "a\n")
    equal(lines(), "a")
  end,
  ["the response to an upload, made or read from a file"] = function()
    local server <close> = testing.serve(function(request)
      laps()
      return tostring(#request.body)
    end)
    local session <close> = http.session { base_url = server.url }
    local file <close> = files.with(("x"):rep(3000000))
    local function made()
      local left = 3
      return function()
        laps()
        left = left - 1
        return left >= 0 and ("x"):rep(1000) or nil
      end
    end
    local reader <close> = sio.open(file.path)
    for _, case in ipairs {
      { { body = made() }, "3000" }, { { body = made(), length = 3000 }, "3000" },
      { { body = reader }, "3000000" },
      { { body = ("x"):rep(3000000) }, "3000000" },
    } do
      equal(session:post("/", case[1]).body, case[2])
    end
    equal(session:post("/", { multipart = { { name = "a", data = made(), length = 3000 } } })
      .status, 200)
  end,
  ["the events of a server, and its return"] = function()
    local calls = 0
    local server <close> = testing.serve(function()
      calls = calls + 1
      laps()
      if calls == 1 then return 503 end
      return { events = function()
        laps()
        return { data = "x" }
      end }
    end)
    local session <close> = http.session()
    local events <close> = session:events(server.url, { retry = 0.01 })
    equal(events().data, "x")
    local stream <close> = session:stream("GET", server.url)
    for event in stream:events() do
      equal(event.data, "x")
      break
    end
  end,
  ["a request, and the end of a server"] = function()
    local server = testing.serve(function() task.cleanup(60, laps) end)
    local session <close> = http.session()
    later(pcall, session.get, session, server.url)
    server:wait(1)
    server:close()
  end,
  ["a site's robots.txt"] = function()
    local server <close> = testing.serve(function()
      laps()
      return { body = "User-agent: *\nDisallow: /x" }
    end)
    local session <close> = http.session()
    local rules = robots.fetch(session, server.url)
    equal(rules:allows("me", "/x"), false)
  end,
  ["rows of CSV that come late, or leave late"] = function()
    local n = 0
    local function source()
      n = n + 1
      laps()
      return n <= 2 and "a,b\n" or nil
    end
    local rows = {}
    for row in csv.reader(source) do rows[#rows + 1] = row end
    equal(#rows, 2)
    csv.writer(laps):row { 1, 2 }
  end,
}

describe("a bystander", function()
  local function compute()
    for _ = 1, 100000 do end
  end

  for title, block in pairs {
    computes = compute, ["waits in C"] = function() os.execute "sleep 0.01" end,
  } do
    it("is held up by a task that blocks the loop once, or again and again, where it " .. title,
      function()
        local function again()
          for _ = 1, 5 do
            block()
            task.checkpoint()
          end
        end
        for _, fn in ipairs { block, again } do
          raises("the loop was blocked: a bystander took %d turns of 10", ticker.turns, 10, fn)
          raises("the loop was blocked: a bystander took %d laps of 10", ticker.laps, 10, fn)
          raises("the loop was blocked: a bystander took %d laps of 10", ticker.waits, fn)
        end
      end)
  end

  it("takes a turn in each pause of a computation", function()
    equal(ticker.turns(100, function()
      for _ = 1, 100 do
        compute()
        task.checkpoint()
      end
      return "done"
    end), "done")
  end)

  it("does not mind a machine that stands still in a wait", function()
    local calls = 0
    equal({ ticker.waits(function()
      calls = calls + 1
      if calls == 1 then os.execute "sleep 0.1" else task.sleep(0.05) end
      return calls, nil
    end) }, { 2 })
    raises("a failure", ticker.waits, function() error "a failure" end)
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
