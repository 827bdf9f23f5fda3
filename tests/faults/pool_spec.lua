-- SPDX-License-Identifier: MIT
-- Pools of connections: how many are made at once, how many are kept, and that other tasks run
-- meanwhile.
-- check: allow blocks
local task, http, sync = require "septet.task", require "septet.http", require "septet.sync"
local testing = require "septet.testing"
local origin = require "origin"

local MANY = 1000
local MINUTE <const> = 60 -- seconds: a limit that no test here reaches

-- Returns a session whose limits of time are not reached where the machine is slow.
local function patient(options)
  options.timeout = { connect = MINUTE, first_byte = MINUTE, idle = MINUTE }
  return http.session(options)
end

-- Returns URLs of so many names of the origin, each a host of its own, and a session that knows
-- them.
local function hosts(n, options, path)
  local urls = {}
  options.resolve = {}
  for i = 1, n do
    local name = ("h%d.test:%d"):format(i, origin.port)
    options.resolve[name] = "127.0.0.1"
    urls[i] = ("http://%s%s"):format(name, path)
  end
  return urls, patient(options)
end

it("http.8 idle connections are kept up to the session's number, and no more", function()
  local KEPT = 256
  local urls, session = hosts(KEPT + 50, { limit = 2 }, "/bytes/1")
  local first <close> = session
  for i = 1, KEPT do
    equal(first:get(urls[i]).status, 200)
    equal(first:stats().connections, i)
  end
  for i = 1, KEPT do first:get(urls[i]) end
  equal(first:stats().connections_made, KEPT)
  equal(first:stats().connections_reused, KEPT)
  for i = KEPT + 1, KEPT + 50 do
    first:get(urls[i])
    equal(first:stats().connections <= KEPT, true, first:stats().connections)
  end
  equal(first:stats().connections >= KEPT - 1, true, first:stats().connections)
  first:get(urls[KEPT + 50])
  equal(first:stats().connections_reused, KEPT + 1, "the last one used is not the one that goes")
end)

-- Checks that all requests are at the origin at once.
local function all_wait_at_the_origin(session, urls)
  local mark = origin.mark()
  local list = task.map(function(url) session:get(url) end, urls)
  origin.await_requests(mark, "/stall", #urls)
  equal(session:stats().active, #urls)
  equal(session:stats().connections, #urls)
  for _, t in ipairs(list) do t:cancel() end
  task.wait(list)
  equal(session:stats().connections, 0)
end

local function all_get(session, urls)
  local function get(url) return session:get(url).status end
  for _, status in ipairs(task.gather(task.map(get, urls))) do equal(status, 200) end
end

local function all_succeed(session, urls)
  all_get(session, urls)
  equal(session:stats().connections_made + session:stats().connections_reused, #urls)
  equal(session:stats().failed, 0)
end

it("http.18 a thousand requests to one host at once", function()
  local session <close> = patient { limit = MANY, limit_per_host = MANY }
  local urls, stalls = {}, {}
  for i = 1, MANY do urls[i], stalls[i] = origin.url .. "/bytes/1", origin.url .. "/stall" end
  all_succeed(session, urls)
  all_wait_at_the_origin(session, stalls)
  equal(session:get(urls[1]).status, 200)
end)

it("http.18 idle connections are reused, in whatever multi they are", function()
  local N = 200
  local session <close> = patient { limit = N, limit_per_host = N }
  for _, key in ipairs { "pool-first", "pool-again" } do -- all are at the origin at once
    local urls = {}
    for i = 1, N do urls[i] = ("%s/hold/%s?n=%d"):format(origin.url, key, N) end
    all_get(session, urls)
  end
  for _ = 1, N do equal(session:get(origin.url .. "/bytes/1").status, 200) end
  equal(session:stats().connections_made, N)
  equal(session:stats().connections_reused, 2 * N)
end)

it("http.18 a request to each of a thousand hosts at once", function()
  local urls, session = hosts(MANY, { limit = MANY }, "/bytes/1")
  local all <close> = session
  all_succeed(all, urls)
  for i, url in ipairs(urls) do urls[i] = url:gsub("/bytes/1$", "/stall") end
  all_wait_at_the_origin(all, urls)
  equal(all:get(origin.url .. "/bytes/1").status, 200)
end)

it("http.18 connections that the server closed are closed here, in any multi", function()
  local N <const>, waiting, all_here, end_them = 200, 0, sync.event(), sync.event()

  -- Answers as if the connection stayed, and ends it when told.
  local function answer()
    waiting = waiting + 1
    if waiting == N then all_here:set() end
    all_here:wait()
    local pieces = { "x" }
    return { headers = { ["Content-Length"] = 1, Connection = "keep-alive" }, close = true,
      body = function()
        if #pieces == 0 then end_them:wait() end
        return table.remove(pieces)
      end }
  end

  local server <close> = testing.serve(function(request)
    return request.path == "/all" and answer() or "x"
  end, { timeout = MINUTE })
  local session <close> = patient { limit = N, limit_per_host = N }
  local urls = {}
  for i = 1, N do urls[i] = server.url .. "/all" end
  all_get(session, urls)
  equal(session:stats().connections, N)
  equal(session:stats().connections_dropped, 0)
  end_them:set()
  origin.eventually(function() return session:stats().connections_dropped == N end)
  origin.eventually(function()
    session:get(server.url .. "/")
    return session:stats().connections == 1
  end)
  equal(session:stats().connections_dropped, N)
end)

it("http.46 tasks that are always ready do not delay requests", function()
  local session <close> = http.session()
  local done, passes = false, 0
  local busy = task.spawn(function()
    while not done do
      task.sleep(0)
      passes = passes + 1
    end
  end)
  for i = 1, 20 do equal(#session:get(origin.url .. "/bytes/" .. i * 1000).body, i * 1000) end
  done = true
  busy:await()
  equal(passes > 0, true)
end)

-- Computes for so many seconds, so that no other task runs.
local function hog(seconds)
  -- The clock counts this process alone.
  local until_ns = os.clock() + seconds
  while os.clock() < until_ns do end
end

it("http.47 a script that runs for long is no reason for a request to time out", function()
  local limit = 3 -- seconds; the server answers in less, even where the machine stands still
  local session <close> = http.session { timeout = { first_byte = limit, idle = limit } }
  session:get(origin.url .. "/bytes/1")
  local mark = origin.mark()
  local head = task.spawn(session.get, session, origin.url .. "/delay/0.1?bytes=5")
  local body = task.spawn(session.get, session, origin.url .. "/drip?bytes=4&interval=0.05")
  local whole = task.spawn(session.get, session, origin.url .. "/delay/0.1?bytes=6",
    { timeout = limit })
  local stalled = task.spawn(session.get, session, origin.url .. "/stall")
  origin.await_requests(mark, "/stall", 1)
  local sent = task.spawn(session.post, session, origin.url .. "/echo",
    { body = ("x"):rep(8000000) })
  task.sleep(0.02)
  hog(limit + 0.2)
  equal(#head:await().body, 5)
  equal(#body:await().body, 4)
  equal(#whole:await().body, 6)
  equal(sent:await().status, 200)
  raises_error({ code = "timeout", reason = "first_byte" }, stalled.await, stalled)
end)

it("http.47 after a script that ran for long each timer fires once, in order", function()
  local fired = {}
  local list = {}
  for i = 1, 10 do
    list[i] = task.spawn(function()
      task.sleep(0.03 * i)
      fired[#fired + 1] = i
    end)
  end
  turns(1)
  hog(0.4)
  equal(#fired, 0)
  task.wait(list)
  equal(fired, { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 })
end)
