-- SPDX-License-Identifier: MIT
-- Coroutines of a script inside a task.
local task = require "septet.task"
local settle = require("septet.testing").wait_all_blocked
local helpers = require "helpers"

local closer, never = helpers.closer, helpers.never
local slow, stopwatch = helpers.slow, helpers.stopwatch

it("lua.coroutine_in_task: a wait in a script's coroutine suspends the task", function()
  local seen, other = {}, 0
  local ticker = task.spawn(function()
    for _ = 1, 4 do
      task.sleep(1)
      other = other + 1
    end
  end)
  local co = coroutine.create(function(a, b)
    slow()
    local c, d = coroutine.yield(slow(b, a))
    slow()
    return c, d, "end"
  end)
  seen[1] = { coroutine.resume(co, 1, 2) }
  seen[2] = coroutine.status(co)
  seen[3] = { coroutine.resume(co, nil, 4) }
  seen[4] = coroutine.status(co)
  equal(seen, { { true, 2, 1 }, "suspended", { true, nil, 4, "end" }, "dead" })
  ticker:await()
  equal(other, 4)

  local generators, got = {}, {}
  for name = 1, 2 do -- two that take turns, each waiting in between
    generators[name] = coroutine.wrap(function()
      for i = 1, 3 do coroutine.yield(slow(name * 10 + i)) end
    end)
  end
  for _ = 1, 3 do
    for name = 1, 2 do got[#got + 1] = generators[name]() end
  end
  equal(got, { 11, 21, 12, 22, 13, 23 })

  local handed = coroutine.wrap(function() -- begun in one task, continued in another
    coroutine.yield(slow "begun")
    return slow(task.current())
  end)
  equal(handed(), "begun")
  local t = task.spawn(handed)
  equal(t:await(), t)
end)

it("lua.nested_60: a wait sixty coroutines deep suspends the task", function()
  local function nest(n, wrap)
    if n == 0 then return slow("bottom", nil, n) end
    if wrap then return coroutine.wrap(nest)(n - 1, wrap) end
    return select(2, coroutine.resume(coroutine.create(nest), n - 1, wrap))
  end
  local elapsed = stopwatch()
  for _, wrap in ipairs { true, false } do
    equal(table.pack(nest(60, wrap)), { "bottom", nil, 0, n = 3 })
  end
  equal(elapsed(), 0.001)

  local t = task.spawn(nest, 60, true)
  settle()
  t:cancel()
  raises_error({ kind = "TaskCancelled" }, t.await, t)
end)

it("lua.cancel_inside: Cancelled is raised at the wait, and unwinds from there", function()
  local log = {}
  local function body()
    local _ <close> = closer(function(_, err)
      task.cleanup(nil, slow)
      log[#log + 1] = "inner " .. err.kind
    end)
    never()
  end
  local t = task.spawn(function()
    local _ <close> = closer(function(_, err) log[#log + 1] = "outer " .. err.kind end)
    coroutine.wrap(body)()
  end)
  settle()
  t:cancel()
  raises_error({ kind = "TaskCancelled" }, t.await, t)
  equal(log, { "inner Cancelled", "outer Cancelled" })

  log = {}
  local co
  t = task.spawn(function() -- resume gives it as any error; the next wait raises again
    co = coroutine.create(never)
    local ok, err = coroutine.resume(co)
    log = { ok, err.kind, coroutine.status(co), (pcall(task.sleep, 1)) }
    coroutine.wrap(slow)()
  end)
  settle()
  t:cancel()
  raises_error({ kind = "TaskCancelled" }, t.await, t)
  equal(log, { false, "Cancelled", "dead", false })

  t = task.spawn(function() -- a deadline that ends a wait in a coroutine leaves that one usable
    local reader = coroutine.wrap(function()
      log = { pcall(task.sleep, 5) }
      coroutine.yield "still here"
      return slow "and waiting"
    end)
    return { task.move_on_after(1, reader) }, reader()
  end)
  equal({ t:await() }, { { true, "still here" }, "and waiting" })
  equal(log[2].kind, "Cancelled")
end)

it("lua.wrap_error_closes: an error unwinds a wrapped coroutine before wrap raises it", function()
  local log = {}
  local thrown = {}
  local function body(err)
    local _ <close> = closer(function() log[#log + 1] = slow "closed" end)
    slow()
    error(err, 0)
  end
  local wrapped = coroutine.wrap(body)
  equal(rawequal(raises(nil, wrapped, thrown), thrown), true)
  log[#log + 1] = "after"
  raises("cannot resume dead coroutine", wrapped)
  raises("boom$", coroutine.wrap(body), "boom")
  equal(log, { "closed", "after", "closed" })

  raises_error({ kind = "ErrorGroup" }, coroutine.wrap(function() -- a closing group is joined
    local g <close> = task.group()
    g:spawn(function()
      local _ <close> = closer(function() log[#log + 1] = "child" end)
      never()
    end)
    settle()
    error "boom"
  end))
  equal(log[#log], "child")
end)

it("lua.bare_yield: coroutine.yield outside of a script's coroutine is refused", function()
  local words = "^attempt to yield from outside a coroutine$" -- as stock Lua
  raises(words, function() coroutine.yield() end)
  local t = task.spawn(function()
    local refused = select(2, pcall(coroutine.yield, 1, 2))
    local isyieldable = coroutine.isyieldable()
    return refused, isyieldable, slow "intact"
  end)
  equal({ t:await() }, { "attempt to yield from outside a coroutine", false, "intact" })
  t = task.spawn(coroutine.yield)
  raises(words, t.await, t)
end)

it("lua.foreign_resume: a coroutine that waits cannot be resumed, and takes no harm", function()
  for _, wait in ipairs { slow, function(...) return coroutine.wrap(slow)(...) end } do
    local thread
    local t = task.spawn(function()
      thread = coroutine.running()
      return wait "intact"
    end)
    settle()
    equal({ coroutine.resume(thread, "junk") },
      { false, "cannot resume a coroutine that waits in a task" })
    equal(coroutine.status(thread), "suspended")
    equal({ t:await() }, { "intact" })
    equal({ coroutine.resume(thread) }, { false, "cannot resume dead coroutine" })
  end

  local inner, wrapped -- the script's own, while its task waits in it
  local t = task.spawn(function()
    inner = coroutine.create(slow)
    return select(2, coroutine.resume(inner, "inner"))
  end)
  local u = task.spawn(function()
    wrapped = coroutine.wrap(slow)
    return wrapped "wrapped"
  end)
  settle()
  equal({ coroutine.resume(inner) }, { false, "cannot resume a coroutine that waits in a task" })
  raises("cannot resume a coroutine that waits in a task", wrapped)
  equal({ t:await(), (u:await()) }, { "inner", "wrapped" })

  local before
  t = task.spawn(function() before = coroutine.running() end)
  t:await()
  task.spawn(function() equal(rawequal(coroutine.running(), before), false) end):await()
end)

it("lua.foreign_close: a coroutine that waits cannot be closed", function()
  local thread, inner
  local t = task.spawn(function()
    thread = coroutine.running()
    inner = coroutine.create(slow)
    return select(2, coroutine.resume(inner, "intact"))
  end)
  settle()
  misuse("cannot close a coroutine that waits in a task: cancel the task", function()
    coroutine.close(thread)
  end)
  misuse("cannot close a coroutine that waits in a task: cancel the task", function()
    coroutine.close(inner)
  end)
  equal({ t:await() }, { "intact" })
  equal(coroutine.close(inner), true)

  local idle = coroutine.create(function() -- one that yielded is the script's to close
    slow()
    coroutine.yield()
  end)
  coroutine.resume(idle)
  equal(coroutine.close(idle), true)
end)
