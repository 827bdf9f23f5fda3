-- SPDX-License-Identifier: MIT
-- What scripts do to themselves: depth without end, errors of every kind, cycles of waits, clean-up
-- that waits, text that is no text. Each ends in an error that says so, and other tasks go on.
local task, http, json = require "septet.task", require "septet.http", require "septet.json"
local sync = require "septet.sync"
local origin = require "origin"

local URL = origin.url

-- Checks that fn(...) raises, and that another task runs meanwhile and afterwards.
local function fails(pattern, fn, ...)
  local other = task.spawn(function()
    task.sleep(0)
    return "went on"
  end)
  local err = raises(pattern, fn, ...)
  equal(other:await(), "went on")
  return err
end

describe("depth", function()
  it("fault.50 a recursion without end is a stack overflow", function()
    local function down(n)
      return 1 + down(n + 1)
    end
    fails("stack overflow", down, 1)
  end)

  it("fault.50 an __index that recurses is an error", function()
    local t = setmetatable({}, {})
    getmetatable(t).__index = function(self, key)
      return self[key .. "x"]
    end
    fails("overflow", function()
      return t.a
    end)
    local loop = setmetatable({}, {})
    getmetatable(loop).__index = loop
    fails("'__index' chain too long", function()
      return loop.a
    end)
  end)

  it("fault.50 ten thousand calls of pcall inside one another are an error", function()
    local deepest = 0
    local function nest(n)
      deepest = n
      local ok, err = pcall(nest, n + 1)
      if not ok then
        error(err, 0)
      end
    end
    fails("overflow", nest, 1)
    assert(deepest > 100)
  end)

  it("fault.50 ten thousand coroutines inside one another are an error", function()
    local function nest(n)
      local ok, err = coroutine.resume(coroutine.create(nest), n + 1)
      if not ok then
        error(err, 0)
      end
    end
    fails("overflow", nest, 1)
    local function wrap(n)
      return coroutine.wrap(wrap)(n + 1)
    end
    fails("overflow", wrap, 1)
  end)

  it("fault.50 tasks that wait at any depth of pcall and coroutines are resumed there", function()
    local function nest(n)
      if n == 0 then
        task.sleep(0)
        return "bottom"
      end
      local _, value = pcall(nest, n - 1)
      return value
    end
    equal(nest(150), "bottom")
    local function wrapped(n)
      if n == 0 then
        task.sleep(0)
        return "bottom"
      end
      return coroutine.wrap(wrapped)(n - 1)
    end
    equal(wrapped(50), "bottom")
  end)

  it("fault.50 a chain of __close that raise ends, and keeps the last error", function()
    local function chain(n)
      local _ <close> = setmetatable({}, {
        __close = function()
          error("close " .. n, 0)
        end,
      })
      if n < 100 then
        chain(n + 1)
      else
        error "the bottom"
      end
    end
    equal(fails("^close 1$", chain, 1), "close 1")
  end)

  it("fault.50 closing a chain of coroutines, each of which closes the next, ends", function()
    local last
    for _ = 1, 150 do
      local inner = last
      last = coroutine.create(function()
        local _ <close> = setmetatable({}, {
          __close = function()
            if inner then
              coroutine.close(inner)
            end
          end,
        })
        coroutine.yield()
      end)
      coroutine.resume(last)
    end
    pcall(coroutine.close, last)
    equal(task.spawn(task.sleep, 0):await(), nil)
  end)

  it("fault.50 JSON of a million levels is an error in both directions", function()
    local deep = {}
    for _ = 1, 1000000 do
      deep = { deep }
    end
    fails("nested too deeply", json.encode, deep)
    fails("nested too deeply", json.decode, ("["):rep(1000000) .. ("]"):rep(1000000))
  end)

  it("fault.50 groups and tasks nest by the hundred", function()
    local function nest(n)
      if n == 0 then
        return "bottom"
      end
      local value
      task.group(function(g)
        g:spawn(function()
          value = nest(n - 1)
        end)
      end)
      return value
    end
    equal(nest(many(500)), "bottom")
  end)
end)

describe("fault.51 errors", function()
  local thrower = setmetatable({}, {
    __tostring = function()
      error "in __tostring"
    end,
  })
  local values = { ["a table"] = {}, ["false"] = false, ["a function"] = print,
    ["a thread"] = coroutine.create(print), ["a userdata"] = io.stdout, ["a number"] = 7,
    ["a value that cannot be shown"] = thrower }

  for name, value in pairs(values) do
    it(("fault.51 %s is raised as it is, once"):format(name), function()
      local t = task.spawn(error, value)
      local first, second = select(2, pcall(t.await, t)), select(2, pcall(t.await, t))
      assert(rawequal(first, value) and rawequal(second, value))
      local err = raises(nil, task.group, function(g)
        g:spawn(error, value)
      end)
      assert(#err.errors == 1 and rawequal(err.errors[1], value))
    end)
  end

  it("fault.51 nil is replaced by an error object", function()
    local err = raises("nil error", function()
      task.spawn(error, nil):await()
    end)
    assert(task.is(err))
  end)

  it("fault.51 an error in __close takes the place of the one before", function()
    local t = task.spawn(function()
      local _ <close> = setmetatable({}, {
        __close = function(_, err)
          error { cause = err }
        end,
      })
      error("the first", 0)
    end)
    equal(raises(nil, t.await, t).cause, "the first")
  end)

  it("fault.51 an error in a finalizer reaches no task", function()
    local ran = false
    setmetatable({}, {
      __gc = function()
        ran = true
        error "in a finalizer"
      end,
    })
    collectgarbage()
    collectgarbage()
    assert(ran)
    equal(task.spawn(task.sleep, 0):await(), nil)
  end)

  it("fault.51 an error in a message handler is Lua's own", function()
    local ok, err = xpcall(error, function()
      error "again"
    end, "x")
    assert(not ok and err ~= nil)
  end)
end)

describe("clean-up", function()
  it("fault.52 a __close that waits completes after a cancellation", function()
    local closed = false
    local t = task.spawn(function()
      local _ <close> = setmetatable({}, {
        __close = function()
          task.cleanup(10, function()
            task.sleep(0.01)
            closed = true
          end)
        end,
      })
      task.sleep(math.huge)
    end)
    task.sleep(0)
    t:cancel()
    raises_error({ kind = "TaskCancelled" }, t.await, t)
    assert(closed)
  end)

  it("fault.52 a clean-up that overruns its time ends with it", function()
    local ended
    local t = task.spawn(function()
      local _ <close> = setmetatable({}, {
        __close = function()
          ended = { task.cleanup(0.01, task.sleep, math.huge) }
        end,
      })
      task.sleep(math.huge)
    end)
    task.sleep(0)
    t:cancel()
    raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(ended, { false })
  end)
end)

describe("waits", function()
  it("fault.53 a task that is awaited twice gives the same results to both", function()
    local t = task.spawn(function()
      task.sleep(0)
      return 1, 2
    end)
    local a, b = task.spawn(t.await, t), task.spawn(t.await, t)
    equal({ a:await() }, { 1, 2 })
    equal({ b:await() }, { 1, 2 })
    equal({ t:await() }, { 1, 2 })
  end)

  it("fault.53 a task that awaits itself is told so", function()
    local t
    t = task.spawn(function()
      return pcall(t.await, t)
    end)
    local ok, err = t:await()
    assert(not ok and task.is(err, "Usage"))
  end)

  it("fault.53 tasks that await one another can be cancelled", function()
    local a, b
    a = task.spawn(function()
      b:await()
    end)
    b = task.spawn(function()
      a:await()
    end)
    task.sleep(0)
    assert(a:waits_for():find("#" .. b.id, 1, true))
    a:cancel()
    raises_error({ kind = "TaskCancelled" }, a.await, a)
    raises(nil, b.await, b)
  end)

  it("fault.53 a lock that its owner acquires again is told so", function()
    local lock = sync.lock()
    lock:acquire()
    raises_error({ kind = "Usage" }, lock.acquire, lock)
    lock:release()
  end)
end)

describe("text of Lua", function()
  it("fault.55 what does not compile says where", function()
    local cases = {
      ["x ="] = ":1: unexpected symbol near <eof>",
      ["\n\nlocal local"] = ":3:",
      ["x = '\0"] = ":1: unfinished string",
      ["goto nowhere"] = "no visible label 'nowhere'",
      ["break"] = ":1: break outside",
    }
    for source, pattern in pairs(cases) do
      local fn, err = load(source, "=t")
      assert(not fn and err:find(pattern, 1, true), err)
    end
    local many_locals = {}
    for n = 1, 300 do
      many_locals[n] = "local a" .. n
    end
    local fn, err = load(table.concat(many_locals, "\n"), "=t")
    assert(not fn and err:find "t:20%d: too many local variables", err)
  end)

  it("fault.55 a line of ten megabytes is read", function()
    local fn = assert(load("return '" .. ("x"):rep(10 * 1024 * 1024) .. "'"))
    equal(#fn(), 10 * 1024 * 1024)
  end)
end)

describe("fault.56 text that is no text", function()
  local broken = { overlong = "\xC0\xAF", surrogate = "\xED\xA0\x80", cut = "\xE2\x82",
    lone = "\x80", beyond = "\xF4\x90\x80\x80" }

  for name, bytes in pairs(broken) do
    it(("bytes of an %s sequence come back, or are refused"):format(name), function()
      local session <close> = http.session()
      local ok, r = pcall(session.get, session, URL .. "/mirror?x=" .. bytes)
      assert(ok and r.status == 200 or not ok and task.is(r, "HttpError"))
      ok, r = pcall(session.post, session, URL .. "/mirror", { body = bytes })
      assert(ok and r.body == bytes)
      ok, r = pcall(session.get, session, URL .. "/bytes/1", { headers = { ["X-T"] = bytes } })
      assert(ok and r.status == 200 or not ok and task.is(r))
      ok, r = pcall(session.get, session, "http://" .. bytes .. ".test/")
      assert(not ok and task.is(r, "HttpError"))
      raises_error({ kind = "JsonError" }, json.decode, '"' .. bytes .. '"')
      local t = task.spawn(error, bytes)
      t.name = bytes
      raises(nil, t.await, t)
      assert(utf8.len(task.current():traceback()))
    end)
  end
end)
