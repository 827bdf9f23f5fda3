-- SPDX-License-Identifier: MIT
-- Lua's own features in tasks: closing variables, where a wait is refused, and what errors carry.
local private = debug.getregistry()["septet.require"] -- of private modules
local task, sync = require "septet.task", require "septet.sync"
local probe = private "septet.internal.probe"
local settle = require("septet.testing").wait_all_blocked
local command, helpers = require "command", require "helpers"

local closer, never = helpers.closer, helpers.never
local slow, stopwatch = helpers.slow, helpers.stopwatch

it("lua.break_upvalue_closes: the probe is right about break, and our loops are sound", function()
  local ok, closed = pcall(load([[
    local closed = false
    local guard = setmetatable({}, { __close = function() closed = true end })
    local fns = {}
    for i in function(_, i) if i < 3 then return i + 1 end end, nil, 0, guard do
      fns[i] = function() return i end
      if i == 2 then break end
    end
    return closed and fns[1]() == 1 and fns[2]() == 2
  ]]))
  equal(probe.closes_loops(), ok and closed)

  local printed = command.shell(("'%s' -v -v -e ''"):format(command.path))
  equal(printed:find("generic for: " .. (probe.closes_loops() and "closed" or "not closed"),
    1, true) ~= nil, true, printed)

  -- Such loops over what is ours are sound with every Lua; where it cannot close them, the block
  -- around does.
  local log = {}
  task.shield(function()
    local fns = {}
    for i in task.generator(function(emit)
      local _ <close> = closer(function()
        task.sleep(1)
        log[#log + 1] = "closed"
      end)
      for i = 1, 3 do emit(i) end
    end) do
      fns[i] = function() return i end
      if i == 2 then break end
    end
    log[#log + 1] = fns[1]() + fns[2]()
    for t in task.as_completed { function() return "first" end, never } do
      fns[1] = function() return t:await() end
      break
    end
    log[#log + 1] = fns[1]()
  end)
  equal(log, probe.closes_loops() and { "closed", 3, "first" } or { 3, "first", "closed" })
end)

it("lua.root_close_awaits: closing variables of a task's function may wait at any end", function()
  local function run(log, leave)
    local _ <close> = closer(function(_, err)
      log[#log + 1] = err and (err.kind or err) or "no error"
      task.cleanup(nil, slow)
      log[#log + 1] = "closed"
    end)
    return leave()
  end
  local elapsed, log = stopwatch(), {}
  equal({ task.spawn(run, log, function() return 1, nil, 3 end):await() }, { 1, nil, 3 })
  equal(log, { "no error", "closed" })
  equal(elapsed(), 0.0005)

  log = {}
  raises("^boom$", function() task.spawn(run, log, function() error("boom", 0) end):await() end)
  equal(log, { "boom", "closed" })
  equal(elapsed(), 0.001)

  log = {}
  local t = task.spawn(run, log, never)
  settle()
  t:cancel()
  raises_error({ kind = "TaskCancelled" }, t.await, t)
  equal(log, { "Cancelled", "closed" })
  equal(elapsed(), 0.0015)

  log = {}
  raises("^boom$", coroutine.wrap(run), log, function() error("boom", 0) end)
  equal(log, { "boom", "closed" })
end)

it("lua.close_error_replaces: an error in a closing variable replaces the one before", function()
  local seen, replacement
  local function body(first)
    local _ <close> = closer(function(_, err) seen.outer = err end)
    local _ <close> = closer(function(_, err)
      seen.inner = err or "none"
      slow()
      error(replacement)
    end)
    if first then error(first, 0) end
    return "lost"
  end
  for _, first in ipairs { false, "first" } do
    seen, replacement = {}, {}
    local t = task.spawn(body, first)
    equal(rawequal(raises(nil, t.await, t), replacement), true)
    equal(t:status(), "failed")
    equal(seen.inner, first or "none")
    equal(rawequal(seen.outer, replacement), true)
  end

  local t = task.spawn(function() -- also in place of Cancelled, and then the task has failed
    local _ <close> = closer(function() error("in the closer", 0) end)
    never()
  end)
  settle()
  t:cancel()
  raises("^in the closer$", t.await, t)
  equal(t:status(), "failed")

  -- A group that closes keeps the error it replaces.
  local err = raises_error({ kind = "ErrorGroup" }, function()
    local g <close> = task.group()
    g:spawn(error, "child", 0)
    task.sleep(1) -- raises Cancelled, when the child has failed
    error("body", 0)
  end)
  equal(err.errors, { "child" })
  err = raises_error({ kind = "ErrorGroup" }, function()
    local g <close> = task.group()
    g:spawn(function()
      local _ <close> = closer(function() error("child", 0) end)
      never()
    end)
    settle()
    error("body", 0)
  end)
  equal(err.errors, { "body", "child" })
end)

it("lua.vararg_through_close: any number of values passes closing variables that wait", function()
  local function through(...)
    local _ <close> = closer(slow)
    return ...
  end
  local function deep(...)
    local _ <close> = closer(slow)
    return through(...)
  end
  local function many_values(n)
    local _ <close> = closer(slow)
    return table.unpack({}, 1, n)
  end
  for _, via in ipairs { through, deep } do
    for _, call in ipairs {
      function(...) return via(...) end,
      function(...) return task.spawn(via, ...):await() end,
      function(...) return select(2, pcall(via, ...)) end,
      function(...) return coroutine.wrap(via)(...) end,
      function(...) return task.timeout(9, via, ...) end,
    } do
      equal(table.pack(call()), { n = 0 })
      equal(table.pack(call(nil)), { n = 1 })
      equal(table.pack(call(1, nil, 3, nil)), { 1, nil, 3, nil, n = 4 })
    end
  end
  equal(select("#", task.spawn(many_values, 200):await()), 200)
  equal({ (task.spawn(through, 1, 2):await()) }, { 1 })
end)

it("lua.no_wait_in_sort_gsub_require_gc_msgh: C functions that cannot wait are named", function()
  local event, semaphore, lock = sync.event(), sync.semaphore(1), sync.lock()
  local full, empty = sync.channel(1), sync.channel(1)
  full:send "kept"
  local target = task.spawn(never)
  local waits = {
    function() task.sleep(1) end,
    function() task.sleep(0) end,
    function() task.checkpoint() end,
    function() target:await() end,
    function() task.wait { target } end,
    function() task.gather { target } end,
    function() task.as_completed { target }() end,
    function() task.group(never) end,
    function() task.timeout(1, never) end,
    function() task.shield(never) end,
    function() event:wait() end,
    function() semaphore:acquire() end,
    function() lock:acquire() end,
    function() full:send "lost" end,
    function() full:recv() end,
    function() empty:recv() end,
    function() semaphore:with(never) end,
    function() coroutine.wrap(task.sleep)(1) end,
  }
  local places = {
    ["called from 'table.sort'"] = function(wait) table.sort({ 2, 1 }, wait) end,
    ["called from 'string.gsub'"] = function(wait) return (("a"):gsub(".", wait)) end,
    ["called from 'require'"] = function(wait)
      package.preload["conformance.waits"] = wait
      require "conformance.waits"
    end,
    ["called from 'tostring'"] = function(wait)
      return (tostring(setmetatable({}, { __tostring = wait })))
    end,
    ["called from a finalizer"] = function(wait)
      setmetatable({}, { __gc = wait })
      collectgarbage()
    end,
    ["called from a message handler"] = function(wait) xpcall(error, wait) end,
  }
  for place, call in pairs(places) do
    for i, wait in ipairs(waits) do
      local refusal
      local ok, err = pcall(call, function()
        refusal = refusal or select(2, pcall(wait))
        error "out of here"
      end)
      package.loaded["conformance.waits"] = nil
      equal(task.is(refusal, "Usage"), true, ("%s, wait %d: %s, %s"):format(place, i, ok, err))
      equal(refusal.message:find("cannot wait here: " .. place, 1, true) ~= nil,
        true, refusal.message)
    end
  end

  -- Nothing was armed, taken or left open.
  equal({ semaphore:value(), lock:locked(), #full, #empty, task.scope() }, { 1, false, 1, 0 })
  equal({ full:recv() }, { "kept" })
  event:set()
  empty:send(1)
  equal(#empty, 1)
  equal(target:cancel(), true)
  task.wait { target }
  equal(slow "goes on", "goes on")

  misuse("called from 'table.sort'", function()
    table.sort({ 2, 1 }, function() task.sleep(1) end)
  end)
  package.preload["conformance.waits"] = function() return slow "loaded" end
  equal(task.require "conformance.waits", "loaded")
  package.preload["conformance.waits"], package.loaded["conformance.waits"] = nil, nil
end)

it("lua.traceback_across_await: tracebacks have the whole stack, across waits", function()
  local file = debug.getinfo(1, "S").short_src
  local at = {}
  local function has(text, level)
    local place = ("%s:%d: in "):format(file, at[level])
    if not text:find(place, 1, true) then error(("no %s in\n%s"):format(place, text), 2) end
  end
  local function inner(fail)
    slow()
    at.inner = line() + 1
    if fail then error(fail) else never() end
  end
  local function outer(fail)
    slow()
    local ok, err
    at.outer = line() + 1
    ok, err = inner(fail)
    return ok, err
  end

  local t = task.spawn(outer, "boom")
  raises("boom", t.await, t)
  has(t:traceback(), "inner")
  has(t:traceback(), "outer")

  t = task.spawn(outer) -- one that waits
  task.sleep(2)
  settle()
  has(t:traceback(), "inner")
  has(t:traceback(), "outer")
  local waiter = task.spawn(function()
    at.waiter = line() + 1
    t:await()
  end)
  settle()
  has(waiter:traceback(), "waiter")
  has(waiter:traceback(), "outer") -- and where what it awaits is
  waiter:cancel()
  t:cancel()
  task.wait { t, waiter }

  local err = raises_error({ kind = "Timeout" }, task.timeout, 5, outer) -- where it was stuck
  has(err.traceback, "inner")
  has(err.traceback, "outer")

  local ok, _, where = task.try(outer, "boom")
  equal(ok, false)
  has(where, "inner")
  has(where, "outer")
end)

it("lua.spawn_site: tracebacks end with the place where the task was spawned", function()
  local file, me = debug.getinfo(1, "S").short_src, task.current().id
  local function fails()
    slow()
    error "boom"
  end
  local function site(at)
    return ("spawned at %s:%d by #%d"):format(file, at, me)
  end
  local function has(text, words)
    if not text:find(words, 1, true) then error(("no %s in\n%s"):format(words, text), 2) end
  end
  local t = task.spawn(fails)
  local at = line() - 1
  has(t:traceback(), site(at)) -- before it ran
  settle()
  has(t:traceback(), site(at))
  raises("boom", t.await, t)
  has(t:traceback(), site(at))

  local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
    g:spawn(fails)
    at = line() - 1
  end)
  has(tostring(err), site(at))
  local list = task.map(fails, { 1 })
  at = line() - 1
  raises("boom", list[1].await, list[1])
  has(list[1]:traceback(), site(at))
end)

it("lua.error_nil_false: any value arrives as it was raised; nil becomes an object", function()
  local values = { [false] = false, text = "text", number = 42, table = {}, fn = print }
  for _, value in pairs(values) do
    local t = task.spawn(error, value, 0)
    for _, fn in ipairs {
      function() t:await() end,
      function() task.gather { t } end,
      function() task.spawn(t.await, t):await() end,
      function() task.timeout(1, error, value, 0) end,
      function() task.shield(error, value, 0) end,
      coroutine.wrap(function() t:await() end),
    } do
      local got = table.pack(pcall(fn))
      equal(got.n, 2)
      if value == "text" or value == 42 then -- wrap adds its place to a string
        equal(tostring(got[2]):find(value .. "$") ~= nil, true)
      else
        equal(rawequal(got[2], value), true)
      end
    end
    equal(t:status(), "failed")
    equal({ t:result() }, { false, value })
    local err = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(error, value, 0)
    end)
    equal({ #err, err.errors[1] }, { 1, value })
  end

  local t = task.spawn(error)
  local err = raises_error({ kind = "error", message = "nil error" }, t.await, t)
  equal(rawequal(raises(nil, t.await, t), err), true)
  equal({ select(2, t:result()) }, { err })
  equal(tostring(err), "nil error")
  raises_error({ kind = "error", message = "nil error" }, task.gather, { error })
  err = raises_error({ kind = "ErrorGroup" }, task.group, error)
  equal(err.errors[1] ~= nil, true)
  err = raises_error({ kind = "ErrorGroup" }, task.group, function(g) g:spawn(error) end)
  equal(err.errors[1].message, "nil error")
  local settled = task.gather({ error }, { settled = true })
  equal({ settled[1].status, settled[1].error.message }, { "failed", "nil error" })
end)
