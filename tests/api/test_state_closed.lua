-- SPDX-License-Identifier: MIT
-- The scripts of test_state_closed.c, by name. None ends by itself; each sets `ready` when the
-- state may be closed.
-- check: globals origin, fifo, fake
-- check: allow cannot-wait, global-in-function
local scripts = {}

local hooks = { request_end = function() end, request_exception = function() end }

local function soon_ready(task)
  task.spawn(function()
    task.sleep(0.02)
    ready = 1
  end)
end

function scripts.tasks()
  local task, sync = require "septet.task", require "septet.sync"
  local guard = setmetatable({}, {
    __close = function()
      error "unwound"
    end,
  })
  for i = 1, 100 do
    task.spawn(function()
      local _ <close> = guard
      task.sleep(1000)
    end)
  end
  local channel, event = sync.channel(), sync.event()
  local lock, semaphore = sync.lock(), sync.semaphore(1)
  task.spawn(lock.with, lock, task.sleep, 1000)
  task.spawn(semaphore.with, semaphore, task.sleep, 1000)
  local joined = task.spawn(channel.recv, channel)
  task.spawn(joined.await, joined)
  task.sleep(0)
  task.spawn(lock.with, lock, print)
  task.spawn(semaphore.with, semaphore, print)
  task.spawn(event.wait, event)
  task.spawn(task.shield, coroutine.wrap(task.sleep), 1000)
  task.spawn(task.timeout, 100, task.sleep, 1000)
  task.spawn(task.gather, { function() task.sleep(1000) end, function() event:wait() end })
  task.spawn(task.race, { function() task.sleep(1000) end, function() event:wait() end })
  task.sleep(0)
  ready = 1
  task.group(function(g)
    g:spawn(task.sleep, 1000)
  end)
end

function scripts.never_ran()
  require "septet.task".sleep(0)
  ready = 1
  require "septet.task".sleep(1000)
end

function scripts.requests()
  local task, http = require "septet.task", require "septet.http"
  soon_ready(task)
  kept = http.session()
  kept:get(origin .. "/bytes/10")
  local limited = http.session { limit = 1, trace = hooks }
  for i = 1, 3 do
    task.spawn(kept.get, kept, origin .. "/stall")
    task.spawn(limited.get, limited, origin .. "/stall", {
      proxy = false,
      headers = { X = "y" },
    })
    task.spawn(http.post, origin .. "/stall", { body = ("x"):rep(1000) })
    task.spawn(http.get, "http://no-such-host.invalid/")
  end
  http.get(origin .. "/stall?after=10&length=100")
end

function scripts.streams()
  local task, http = require "septet.task", require "septet.http"
  soon_ready(task)
  local session = http.session { trace = hooks }
  for i = 1, 3 do
    task.spawn(function()
      local stream <close> = session:stream("GET", origin .. "/stall?after=10&length=100")
      stream:read(10)
      stream:read(10)
    end)
    task.spawn(function()
      local stream <close> = session:stream("GET", origin .. "/stall?after=10&length=100")
      local _ = stream.body
    end)
    task.spawn(function()
      http.post(origin .. "/stall", {
        body = function()
          task.sleep(1000)
        end,
      })
    end)
    task.spawn(function()
      http.post(origin .. "/stall", {
        body = function()
          return ("x"):rep(100000)
        end,
      })
    end)
  end
  unread = session:stream("GET", origin .. "/bytes/100000")
  task.sleep(1000)
end

function scripts.files()
  local task, io = require "septet.task", require "septet.io"
  local path = os.tmpname()
  local writer, reader = io.create(path), io.open "/dev/zero"
  os.remove(path)
  task.spawn(function()
    while true do
      writer:write(("x"):rep(100000))
      reader:read(1000)
    end
  end)
  task.spawn(function()
    while true do
      local other <close> = io.open "/dev/zero"
      other:read(10)
    end
  end)
  fifo_reader = io.open(fifo)
  task.spawn(fifo_reader.read_line, fifo_reader)
  task.sleep(0.01)
  ready = 1
  task.sleep(1000)
end

function scripts.folders()
  local task, fs = require "septet.task", require "septet.fs"
  local root = fifo:match "(.*)/"
  local function again(fn)
    task.spawn(function()
      while true do fn() end
    end)
  end
  again(function()
    for _ in fs.walk(root, { stat = true }) do end
  end)
  again(function() fs.stat(root) end)
  task.spawn(function()
    for _ in fs.watch(root) do end
  end)
  task.spawn(function()
    for _ in fs.tail(root .. "/none") do end
  end)
  task.sleep(0.01)
  ready = 1
  for _ = 1, 8 do -- a path is being added at nearly any time
    again(function() fs.watch(root):close() end)
  end
  task.sleep(1000)
end

function scripts.sockets()
  local task, net = require "septet.task", require "septet.net"
  server = net.listen()
  client = net.connect { host = server.host, port = server.port }
  peer = server:accept()
  task.spawn(client.read, client, 1)
  task.spawn(client.write, client, ("x"):rep(20000000))
  task.spawn(server.serve, server, print)
  task.spawn(net.connect, { host = "silent.invalid", port = 1, resolver = "127.0.0.1:1" })
  task.spawn(function()
    local other <close> = net.connect { host = "localhost", port = server.port }
    other:read_line()
  end)
  task.sleep(0.02)
  ready = 1
  task.sleep(1000)
end

function scripts.finalizers()
  local task, http = require "septet.task", require "septet.http"
  local current, session, channel = task.current(), http.session(), require "septet.sync".channel()
  local waiting = task.spawn(channel.recv, channel)
  local requesting = task.spawn(session.get, session, origin .. "/stall")
  local faking = task.spawn(fake, "large")
  keep = setmetatable({}, {
    __gc = function()
      assert(not pcall(task.sleep, 1))
      assert(not pcall(session.get, session, origin))
      assert(not pcall(waiting.await, waiting))
      for _, t in ipairs { waiting, requesting, faking, current } do
        t:cancel()
        assert(t:status() and t.name and tostring(t))
      end
      session:close()
      channel:close()
      assert(#task.tree() and task.now() > 0)
      finalized()
    end,
  })
  task.sleep(0.01)
  ready = 1
  task.sleep(1000)
end

function scripts.fakes()
  local task = require "septet.task"
  for _, name in ipairs { "small", "closing", "large", "done", "done_large" } do
    task.spawn(fake, name)
    task.spawn(function()
      coroutine.wrap(fake)("in_coroutine_" .. name)
    end)
  end
  require "septet.trace".subscribe(function() end)
  task.sleep(0)
  ready = 1
  task.sleep(1000)
end

return scripts
