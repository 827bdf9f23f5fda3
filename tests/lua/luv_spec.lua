-- SPDX-License-Identifier: MIT
-- The door to libuv: luv has the loop of the host, and futures wait for its callbacks.
local task, sync = require "septet.task", require "septet.sync"
local uv = require "luv"
local files, ticker = require "files", require "ticker"

-- Calls fn(callback) and waits for the callback, which gets an error or nil, then values.
local function await(fn, ...)
  local f = task.future()
  local values = table.pack(...)
  values[values.n + 1] = function(err, ...)
    if err then f:fail(err) else f:set(...) end
  end
  assert(fn(table.unpack(values, 1, values.n + 1)))
  return f:await()
end

-- Closes a handle, and waits until libuv has.
local function close(handle)
  local f = task.future()
  handle:close(function() f:set() end)
  f:await()
end

-- Waits for a timer of luv.
local function nap(ms)
  local f, timer = task.future(), uv.new_timer()
  timer:start(ms, 0, function() f:set(ms) end)
  local value = f:await()
  close(timer)
  return value
end

local function handles()
  local n = 0
  uv.walk(function(handle)
    if not handle:is_closing() then n = n + 1 end
  end)
  return n
end

describe("luv", function()
  it("a timer sets a future while other tasks run", function()
    equal(ticker.waits(function() return nap(100) end), 100)
  end)

  it("many waits go on at once", function()
    local began, tasks = task.now(), task.map(nap, { 30, 20, 10, 30, 20, 10 })
    equal(table.concat(task.gather(tasks), " "), "30 20 10 30 20 10")
    assert(task.now() - began >= 0.029)
  end)

  it("files are read and written in the thread pool", function()
    local file <close> = files.temporary()
    local path = file.path
    local fd = await(uv.fs_open, path, "w+", 420)
    equal(await(uv.fs_write, fd, "hello", 0), 5)
    equal(await(uv.fs_read, fd, 10, 0), "hello")
    await(uv.fs_close, fd)
    equal(await(uv.fs_stat, path).size, 5)
    raises("ENOENT", await, uv.fs_stat, path .. ".missing")
    await(uv.fs_unlink, path)
  end)

  it("a pipe carries bytes both ways", function()
    local file <close> = files.temporary()
    local path, server, got = file.path, uv.new_pipe(false), task.future()
    server:bind(path)
    server:listen(8, function(err)
      assert(not err, err)
      local peer = uv.new_pipe(false)
      server:accept(peer)
      peer:read_start(function(_, bytes)
        if bytes then peer:write(bytes:upper()) else peer:close() end
      end)
    end)
    local client = uv.new_pipe(false)
    await(client.connect, client, path)
    client:read_start(function(_, bytes) if bytes then got:set(bytes) end end)
    client:write "ping"
    equal(got:await(), "PING")
    close(client)
    close(server)
  end)

  it("a server on TCP spawns a task of a group for each connection", function()
    local server = uv.new_tcp()
    server:bind("127.0.0.1", 0)
    local port, served = server:getsockname().port, 0
    local answers = task.group(function(g)
      server:listen(16, function()
        local peer = uv.new_tcp()
        server:accept(peer)
        g:spawn(function()
          local line = task.future()
          peer:read_start(function(_, bytes) if not line:is_done() then line:set(bytes) end end)
          peer:write("echo " .. line:await())
          served = served + 1
          peer:shutdown(function() peer:close() end)
        end)
      end)
      return task.gather(task.map(function(i)
        local client, answer = uv.new_tcp(), task.future()
        await(client.connect, client, "127.0.0.1", port)
        client:read_start(function(_, bytes)
          if not answer:is_done() then answer:set(bytes) end
        end)
        client:write(tostring(i))
        local text = answer:await()
        close(client)
        return text
      end, { 1, 2, 3, 4, 5, 6, 7, 8 }))
    end)
    close(server)
    equal(answers[8], "echo 8")
    equal(served, 8)
  end)

  it("names are looked up, and threads of the pool compute", function()
    local list = await(uv.getaddrinfo, "localhost", nil, { socktype = "stream" })
    assert(#list > 0 and list[1].addr)
    local f = task.future()
    local work = uv.new_work(function(n)
      local sum = 0
      for i = 1, n do sum = sum + i end
      return sum
    end, function(sum) f:set(sum) end)
    work:queue(1000)
    equal(f:await(), 500500)
  end)

  it("a directory is scanned", function()
    local f = task.future()
    uv.fs_scandir(".", function(err, request) f:set(err, request) end)
    local err, request = f:await()
    equal(err, nil)
    assert(uv.fs_scandir_next(request) ~= 1)
  end)

  it("async handles wake from a thread", function()
    local f = task.future()
    local async
    async = uv.new_async(function(text)
      f:set(text)
      async:close()
    end)
    local thread = uv.new_thread(function(a) a:send "from a thread" end, async)
    equal(f:await(), "from a thread")
    thread:join()
  end)

  it("callbacks reach channels and events, and spawn tasks", function()
    local ch, event, timer = sync.channel(1), sync.event(), uv.new_timer()
    local spawned, order = nil, {}
    timer:start(1, 0, function()
      ch:try_send "sent"
      event:set()
      spawned = { task.spawn(function() return "spawned" end),
        task.background(function() return "background" end),
        table.unpack(task.map(function(i) return i end, { "x" })) }
      order[#order + 1] = "callback"
    end)
    event:wait()
    order[#order + 1] = "task"
    equal(ch:recv(), "sent")
    equal({ spawned[1]:await(), spawned[2]:await(), spawned[3]:await() },
      { "spawned", "background", "x" })
    equal(order, { "callback", "task" })
    close(timer)
  end)

  it("a callback cannot wait", function()
    local f, timer = task.future(), uv.new_timer()
    timer:start(0, 0, function() f:set(select(2, pcall(task.sleep, 1)), task.current()) end)
    local err, current = f:await()
    equal(task.is(err, "Usage"), true)
    assert(tostring(err):find "cannot wait here: not inside a task", tostring(err))
    equal(current, nil)
    close(timer)
  end)

  it("an error in a callback is told, with its traceback, and the loop goes on", function()
    local told, timer = task.future(), uv.new_timer()
    task.on_unhandled = function(t, err, traceback) told:set(t.name, err, traceback) end
    local function culprit() error { mine = true } end
    timer:start(0, 0, function() culprit() end)
    local name, err, traceback = told:await()
    equal({ name, err.mine }, { "callback of luv", true })
    assert(traceback:find "in upvalue 'culprit'", traceback)
    close(timer)
    equal(nap(1), 1)
  end)

  it("the loop is the host's to run", function()
    for _, name in ipairs { "run", "stop", "loop_close" } do
      local err = raises_error({ kind = "Usage" }, uv[name])
      assert(err.message:find "luv cannot run, stop or close the loop", err.message)
    end
    raises("luv_spec.lua:%d+: bad argument #1 to 'timer_start'", function() uv.timer_start(nil) end)
  end)

  it("walk meets the handles of luv and no other", function()
    local before, timer = handles(), uv.new_timer()
    equal(handles(), before + 1)
    close(timer)
    equal(handles(), before)
  end)

  it("a deadline ends a wait for a callback", function()
    local f, timer = task.future(), uv.new_timer()
    timer:start(60000, 0, function() f:set() end)
    raises_error({ kind = "Timeout" }, task.timeout, 0.02, f.await, f)
    close(timer)
  end)
end)
