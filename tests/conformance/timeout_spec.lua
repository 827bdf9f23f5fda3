-- SPDX-License-Identifier: MIT
-- Deadlines: when they pass, and what a block with one returns or raises.
local task = require "septet.task"
local sync = require "septet.sync"
local busy = require("septet.testing").busy
local helpers = require "helpers"

local recorder, stopwatch, never = helpers.recorder, helpers.stopwatch, helpers.never

-- Waits that do not end by themselves, by name.
local function endless_waits()
  local foreign = task.background(never)
  local lock, semaphore = sync.lock(), sync.semaphore(1)
  semaphore:acquire()
  task.spawn(lock.with, lock, never)
  turns(2)
  return {
    sleep = never,
    await = function() foreign:await() end,
    wait = function() task.wait { foreign } end,
    gather = function() task.gather { never, never } end,
    race = function() task.race { never } end,
    as_completed = function() for t in task.as_completed { never } do t:await() end end,
    group = function() task.group(function(g) g:spawn(never) end) end,
    start = function() task.group(function(g) g:start(never) end) end,
    generator = function() for _ in task.generator(never) do never() end end,
    event = function() sync.event():wait() end,
    semaphore = function() semaphore:acquire() end,
    lock = function() lock:acquire() end,
    recv = function() sync.channel():recv() end,
    send = function() sync.channel():send "x" end,
    shield = function()
      task.shield(task.sleep, 1)
      never()
    end,
    own_coroutine = function() coroutine.wrap(never)() end,
    checkpoints = function() while true do busy(0.25) task.checkpoint() end end,
  }, foreign
end

it("timeout.raises: a late block unwinds, and raises Timeout with its place", function()
  local waits, foreign = endless_waits()
  for name, wait in pairs(waits) do
    local elapsed = stopwatch()
    local inside
    local function stuck_here()
      wait()
      error("too far: " .. name)
    end
    local err = raises_error({ kind = "Timeout", seconds = 1.5 }, task.timeout, 1.5, function()
      local _ <close> = setmetatable({}, { __close = function(_, e) inside = e end })
      stuck_here()
    end)
    equal({ name, elapsed() }, { name, 1.5 })
    equal(tostring(err), "timed out after 1.5 s")
    equal(err.traceback:find "'stuck_here'" ~= nil, true, err.traceback)
    equal({ inside.kind, inside.source }, { "Cancelled", "deadline" })
    task.checkpoint() -- it was the block's alone
  end
  equal(foreign:cancel(), true)
end)

it("timeout.move_on: move_on_after returns false for a late block", function()
  local waits, foreign = endless_waits()
  for name, wait in pairs(waits) do
    local elapsed = stopwatch()
    local result = table.pack(task.move_on_after(1.5, function()
      wait()
      return "too far"
    end))
    equal({ name, elapsed(), result }, { name, 1.5, { n = 1, false } })
    task.checkpoint()
  end
  foreign:cancel()
end)

it("timeout.values: a block in time returns its values, behind true for move_on_after", function()
  local elapsed = stopwatch()
  local function fn(...)
    task.sleep(1)
    return ...
  end
  equal(table.pack(task.timeout(2, fn, 1, nil, 3, nil)), { n = 4, 1, nil, 3, nil })
  equal(table.pack(task.move_on_after(2, fn, 1, nil, 3, nil)), { n = 5, true, 1, nil, 3, nil })
  equal(table.pack(task.timeout(2, fn)), { n = 0 })
  equal(table.pack(task.move_on_after(2, fn)), { n = 1, true })
  equal(table.pack(task.move_on_after(2, fn, false)), { n = 2, true, false })
  equal(elapsed(), 5)
  task.sleep(2) -- their deadlines went with them
end)

it("timeout.zero_no_checkpoint: with 0 seconds a block that never waits succeeds", function()
  local elapsed = stopwatch()
  equal(task.timeout(0, function(value)
    busy(1)
    return value
  end, "value"), "value")
  equal(elapsed(), 1)
  equal({ task.move_on_after(0, function() return "value" end) }, { true, "value" })
  raises("^own$", task.timeout, 0, error, "own", 0)
end)

it("timeout.zero_sleep0: with 0 seconds the first wait raises, even sleep(0)", function()
  local elapsed = stopwatch()
  local ended = task.spawn(function() end)
  ended:await()
  local channel, semaphore = sync.channel(1), sync.semaphore(1)
  channel:send "kept"
  for name, wait in pairs {
    sleep_0 = function() task.sleep(0) end,
    sleep = function() task.sleep(1) end,
    checkpoint = task.checkpoint,
    await_ended = function() ended:await() end,
    wait_none = function() task.wait {} end,
    empty_group = function() task.group(function() end) end,
    recv = function() channel:recv() end,
    acquire = function() semaphore:acquire() end,
  } do
    local log, note = recorder()
    local function body()
      note "before"
      wait()
      note "after"
    end
    raises_error({ kind = "Timeout", seconds = 0 }, task.timeout, 0, body)
    equal({ task.move_on_after(0, body) }, { false })
    equal({ name, log }, { name, { "before", "before" } })
  end
  equal({ #channel, semaphore:value(), elapsed() }, { 1, 1, 0 })
end)

it("timeout.past_deadline: a block inside one that is late ends at its first wait", function()
  local elapsed = stopwatch()
  local log, note = recorder()
  raises_error({ kind = "Timeout", seconds = 1 }, task.timeout, 1, function()
    busy(2)
    note(task.timeout(5, function() return "did not wait" end))
    note(task.timeout(0, function() return "nor did this" end))
    task.timeout(5, function()
      equal(task.deadline(), -math.huge)
      note "inside"
      task.sleep(1)
      note "too far"
    end)
    note "too far"
  end)
  equal(log, { "did not wait", "nor did this", "inside" })
  equal(elapsed(), 2)
end)

it("timeout.nil: nil and math.huge are no limit", function()
  local elapsed = stopwatch()
  for _, none in ipairs { { nil }, { math.huge } } do
    equal({ task.timeout(none[1], function(...)
      equal(task.deadline(), math.huge)
      equal(task.scope().deadline, math.huge)
      task.sleep(10)
      return ...
    end, "value") }, { "value" })
    equal({ task.move_on_after(none[1], function() return "value" end) }, { true, "value" })
    raises_error({ kind = "Timeout", seconds = 1 }, task.timeout, 1, task.timeout, none[1], never)
  end
  equal(elapsed(), 22)
end)

it("timeout.negative_nan: negative seconds and NaN are refused at the caller's line", function()
  local function never_called() error "called" end
  misuse("bad argument #1 to 'timeout' %(seconds.*got %-1%)", function()
    task.timeout(-1, never_called)
  end)
  misuse("got %-inf", function() task.timeout(-math.huge, never_called) end)
  misuse("got %-1e%-300", function() task.move_on_after(-1e-300, never_called) end)
  misuse("got %-?nan", function() task.timeout(0 / 0, never_called) end)
  misuse("got %-?nan", function() task.move_on_after(0 / 0, never_called) end)
  misuse("bad argument #1 to 'cleanup'", function() task.cleanup(-1, never_called) end)
  misuse("got string", function() task.timeout("1", never_called) end)
  misuse("bad argument #2 to 'timeout' %(function expected, got nil%)", function()
    task.timeout(1)
  end)
  equal(task.scope(), nil)
  equal(task.timeout(-0.0, function() return "zero" end), "zero")
end)

it("timeout.extend: a deadline can be moved until it has passed", function()
  local elapsed = stopwatch()
  local t0 = task.now()
  local scope
  raises_error({ kind = "Timeout" }, task.timeout, 1, function()
    scope = task.scope()
    equal({ scope.deadline - t0 < 1 + 1e-6, scope.expired }, { true, false })
    task.sleep(0.5)
    equal(scope:extend(1), true)
    equal(math.abs(task.deadline() - t0 - 2) < 1e-6, true)
    task.timeout(10, function() equal(scope:extend(0.5), true) end) -- from a block inside
    task.spawn(function() -- and by another task
      task.sleep(1)
      equal(scope:extend(0.5), true)
    end)
    never()
  end)
  equal(elapsed(), 3)
  equal({ scope.expired, scope:extend(1) }, { true, false })

  task.timeout(1, function()
    scope = task.scope()
    busy(1)
    -- it is past, and no wait has raised it
    equal({ scope:extend(5), scope.expired }, { false, false })
  end)
  task.timeout(1, function()
    task.scope():extend(math.huge)
    task.sleep(5)
  end)
  equal(elapsed(), 9)
  task.timeout(nil, function()
    misuse("cannot extend: the block has no deadline", function() task.scope():extend(1) end)
  end)
  misuse("seconds cannot be negative", function() scope:extend(-1) end)
end)

it("timeout.busy_loop: a deadline passed in a computation raises at the next wait", function()
  local elapsed = stopwatch()
  local log, note = recorder()
  local ended = task.spawn(function() end)
  ended:await()
  local event = sync.event()
  event:set()
  for i, wait in ipairs { task.checkpoint, function() ended:await() end,
    function() event:wait() end, never } do
    raises_error({ kind = "Timeout", seconds = 1 }, task.timeout, 1, function()
      busy(2)
      note(i) -- no later than a wait can raise it
      wait()
      note "too far"
    end)
    equal(elapsed(), 2 * i)
  end
  equal(log, { 1, 2, 3, 4 })
  equal(task.timeout(1, function()
    busy(2)
    return "never waited"
  end), "never waited")
  raises_error({ kind = "Timeout", seconds = 1 }, task.timeout, 1, task.timeout, 2, function()
    busy(4)
    task.checkpoint()
  end)
  -- Somebody else's computation.
  task.spawn(function()
    task.sleep(0.5)
    busy(2)
  end)
  raises_error({ kind = "Timeout", seconds = 1 }, task.timeout, 1, never)
  equal(elapsed(), 16.5)
end)
