-- SPDX-License-Identifier: MIT
-- Iterators that wait, what closes them, and generators.
local private = debug.getregistry()["septet.require"] -- of private modules
local task = require "septet.task"
local sync = require "septet.sync"
local sound = private("septet.internal.probe").closes_loops()
local helpers = require "helpers"

local closer, new_log = helpers.closer, helpers.new_log

local function clean_up(log)
  task.cleanup(nil, task.sleep, 2)
  log "closed"
end

-- 1, 2, 3, a second apart; closing takes two more. By hand, with a closing value:
local function by_hand(log)
  local i = 0
  return function()
    i = i + 1
    if i > 3 then return nil end
    task.sleep(1)
    return i
  end, nil, nil, closer(function() clean_up(log) end)
end

-- ... and as a generator.
local function generated(log)
  return task.generator(function(emit)
    local _ <close> = closer(function() clean_up(log) end)
    for i = 1, 3 do
      task.sleep(1)
      emit(i)
    end
  end)
end

-- Runs leave(iterator, log) as a task, once over each kind of iterator. What it logs must be `now`;
-- a generator is closed later, `at_end` of the task, where Lua has no sound closing of loops.
local function leaves(leave, now, at_end)
  for _, iterator in ipairs { by_hand, generated } do
    local log = new_log()
    local t = task.spawn(leave, iterator, log)
    task.wait { t }
    equal(log.list, (iterator == by_hand or sound) and now or at_end,
      iterator == by_hand and "by hand" or "generator")
  end
end

it("iter.await_inside: the iterator of a generic for may wait while other tasks run", function()
  local other = 0
  local ticker = task.spawn(function()
    for _ = 1, 6 do
      task.sleep(0.9)
      other = other + 1
    end
  end)
  local log = new_log()
  local callable = setmetatable({}, { __call = function(_, n, i)
    if i < n then
      task.sleep(i)
      return i + 1
    end
  end })
  for i in callable, 4, 0 do log(i) end
  log "end"
  equal(log.list, { "0 1", "1 2", "3 3", "6 4", "6 end" })
  equal(other, 6)
  ticker:await()

  log = new_log()
  for i in pairs(setmetatable({}, { __pairs = function()
    task.sleep(1)
    return callable, 2, 0
  end })) do
    for j in callable, 2, 0 do log(i * 10 + j) end
  end
  equal(log.list, { "1 11", "2 12", "3 21", "4 22" })

  leaves(function(iterator, seen)
    for i in iterator(seen) do seen(i) end
    seen "after"
  end, {
    "1 1", "2 2", "3 3", "5 closed", "5 after",
  }, {
    "1 1", "2 2", "3 3", "5 closed", "5 after",
  })
end)

it("iter.break_closes: break closes the closing value, which may wait", function()
  leaves(function(iterator, log)
    for i in iterator(log) do
      log(i)
      if i == 2 then break end
    end
    log "after"
  end, { "1 1", "2 2", "4 closed", "4 after" }, { "1 1", "2 2", "2 after", "4 closed" })

  leaves(function(iterator, log) -- out of the inner of two
    for i in iterator(log) do
      for j in iterator(log) do
        log(i * 10 + j)
        break
      end
      if i == 2 then break end
    end
    log "after"
  end, { "2 11", "4 closed", "6 21", "8 closed", "10 closed", "10 after" },
    { "2 11", "4 21", "4 after", "6 closed", "8 closed", "10 closed" })
end)

it("iter.error_closes: an error in the body closes the closing value, and goes on", function()
  leaves(function(iterator, log)
    local err = raises("boom", function()
      for i in iterator(log) do
        log(i)
        if i == 2 then error("boom", 0) end
      end
    end)
    log("after " .. err)
  end, { "1 1", "2 2", "4 closed", "4 after boom" }, { "1 1", "2 2", "2 after boom", "4 closed" })
end)

it("iter.return_closes: return closes the closing value, and its values pass", function()
  leaves(function(iterator, log)
    local function second()
      for i in iterator(log) do
        log(i)
        if i == 2 then return i, nil, "x", nil end
      end
    end
    local got = table.pack(second())
    equal(got, { 2, nil, "x", nil, n = 4 })
    log "after"
  end, { "1 1", "2 2", "4 closed", "4 after" }, { "1 1", "2 2", "2 after", "4 closed" })
end)

it("iter.goto_closes: goto closes the closing value", function()
  leaves(function(iterator, log)
    for i in iterator(log) do
      log(i)
      if i == 2 then goto out end
    end
    ::out::
    log "after"
  end, { "1 1", "2 2", "4 closed", "4 after" }, { "1 1", "2 2", "2 after", "4 closed" })
end)

it("iter.cancel_closes: a cancellation of the loop closes the closing value", function()
  for _, seconds in ipairs { 1.5, 2.5 } do -- in the loop's body; in the iterator
    for _, iterator in ipairs { by_hand, generated } do
      local log = new_log()
      local t = task.spawn(function()
        local ok, err = pcall(function()
          for i in iterator(log) do
            log(i)
            if i == 1 then task.sleep(1) end
          end
        end)
        log(ok or err.kind)
        error(err, 0)
      end)
      task.sleep(seconds)
      t:cancel()
      task.wait { t }
      local expected = seconds == 1.5 and { "1 1", "3.5 closed", "3.5 Cancelled" }
        or { "1 1", "4.5 closed", "4.5 Cancelled" }
      if iterator == generated and not sound and seconds == 1.5 then
        expected = { "1 1", "1.5 Cancelled", "3.5 closed" }
      end
      equal(log.list, expected,
        ("%s, at %g"):format(iterator == by_hand and "by hand" or "generator", seconds))
      equal(t:status(), "cancelled")
    end
  end

  -- A wait of the closer that nothing shields is refused, and the closer goes on from there.
  local log = new_log()
  local t = task.spawn(function()
    for _ in task.sleep, math.huge, nil, closer(function()
      log(raises_error({ kind = "Cancelled" }, task.sleep, 1).kind)
    end) do end
  end)
  task.sleep(1)
  t:cancel()
  task.wait { t }
  equal(log.list, { "1 Cancelled" })
  equal(t:status(), "cancelled")
end)

it("gen.close_awaits: close raises GeneratorClosed at the emit, and cleanup may wait", function()
  local log = new_log()
  local ticker = task.spawn(function()
    task.sleep(1.5)
    log "meanwhile"
  end)
  local function body(emit)
    local _ <close> = closer(function()
      task.sleep(1)
      log "closed"
    end)
    log(raises_error({ kind = "GeneratorClosed" }, emit, 1).kind)
    log(raises_error({ kind = "GeneratorClosed" }, emit, 2).kind) -- nor can it go on
    error("in the body", 0)
  end
  local g = task.generator(body)
  equal({ g() }, { 1 })
  task.sleep(1)
  equal(raises(nil, g.close, g), "in the body")
  log "after"
  equal(log.list,
    { "1 GeneratorClosed", "1 GeneratorClosed", "1.5 meanwhile", "2 closed", "2 after" })
  ticker:await()

  log = new_log()
  do
    local held <close> = task.generator(function(emit)
      local _ <close> = closer(function()
        task.sleep(1)
        log "closed"
      end)
      emit(1)
    end)
    equal(held(), 1)
    log "held"
  end
  log "after"
  equal(log.list, { "0 held", "1 closed", "1 after" })
end)

it("gen.closed_twice: closing a generator again, or before its start, does nothing", function()
  local closings = 0
  local function body(emit)
    local _ <close> = closer(function()
      task.sleep(1)
      closings = closings + 1
    end)
    emit(1)
  end

  local suspended = task.generator(body)
  suspended()
  for _ = 1, 3 do suspended:close() end
  equal(closings, 1)
  equal(select("#", suspended()), 0)

  local ended = task.generator(body)
  for _ in ended do end
  equal(closings, 2)
  for _ = 1, 2 do ended:close() end
  equal(closings, 2)
  equal(select("#", ended()), 0)

  local fresh = task.generator(function() closings = "its body ran" end)
  for _ = 1, 2 do fresh:close() end
  equal(select("#", fresh()), 0)
  equal(closings, 2)

  local start = task.now()
  local twice = task.spawn(function()
    local g <close> = task.generator(body) -- luacheck: ignore
    g()
    g:close()
  end)
  twice:await()
  equal(closings, 3)
  equal(task.now() - start, 1)
end)

it("gen.error_in_close: an error in a closing variable is raised by close", function()
  local function broken()
    return task.generator(function(emit)
      local _ <close> = closer(function()
        task.sleep(1)
        error("in the closer", 0)
      end)
      emit(1)
    end)
  end

  local g = broken()
  g()
  equal(raises(nil, g.close, g), "in the closer")
  g:close() -- it is closed all the same

  equal(raises(nil, function() -- its own end
    for _ in broken() do end
  end), "in the closer")

  -- A loop that is left early raises it, in place of its own error; without sound loops, the block
  -- around does.
  local function in_block(leave)
    local of_loop
    local of_block = raises(nil, task.shield, function()
      local ok, err = pcall(leave)
      of_loop = not ok and err
      if not ok then error(err, 0) end
    end)
    return of_loop, of_block
  end
  equal({ in_block(function()
    for _ in broken() do break end
  end) }, { sound and "in the closer", "in the closer" })
  equal({ in_block(function()
    for _ in broken() do error("in the loop", 0) end
  end) }, { sound and "in the closer" or "in the loop", "in the closer" })
end)

it("gen.abandoned_iterator: dropped generators close at their block's end, last first", function()
  local log
  local function numbers(name)
    return task.generator(function(emit)
      local _ <close> = closer(function()
        task.sleep(1)
        log("closed " .. name)
      end)
      for i = 1, 3 do emit(i) end
    end)
  end
  local function abandon()
    numbers "a"()
    local b = numbers "b"
    b()
    b()
    numbers "never begun" -- luacheck: ignore
    collectgarbage()
    log "left"
  end
  local expected = { "0 left", "1 closed b", "2 closed a", "2 after" }

  for name, block in pairs {
    group = task.group, shield = task.shield,
    timeout = function(fn) task.timeout(9, fn) end,
    move_on_after = function(fn) task.move_on_after(9, fn) end,
    task = function(fn) task.spawn(fn):await() end,
    -- the innermost counts
    shield_in_group = function(fn) task.group(function() task.shield(fn) end) end,
  } do
    log = new_log()
    block(abandon)
    log "after"
    equal(log.list, expected, name)
  end

  log = new_log()
  do
    local _ <close> = task.group()
    abandon()
  end
  log "after"
  equal(log.list, expected, "group as a block")

  -- It belongs to the block that made it, wherever it is used.
  log = new_log()
  task.shield(function()
    local g = numbers "outer"
    task.shield(g)
    log "inner block ended"
  end)
  equal(log.list, { "0 inner block ended", "1 closed outer" })

  -- A block that is cancelled closes it too; a wait of the closer is refused there.
  log = new_log()
  equal(task.move_on_after(1, function()
    local g = task.generator(function(emit)
      local _ <close> = closer(function() log(select(2, pcall(task.sleep, 1)).kind) end)
      emit(1)
    end)
    g()
    task.sleep(2)
  end), false)
  log "after"
  equal(log.list, { "1 Cancelled", "1 after" })
end)

it("gen.yield_across_scope: emitting out of an open group, timeout or shield is refused", function()
  local refusal = "cannot yield across an open"
  local open = {
    group = task.group, shield = task.shield,
    timeout = function(fn) return task.timeout(9, fn) end,
    move_on_after = function(fn) return select(2, task.move_on_after(9, fn)) end,
    cleanup = function(fn) return select(2, task.cleanup(9, fn)) end,
    block = function(fn)
      local _ <close> = task.group()
      return fn()
    end,
  }
  for name, block in pairs(open) do
    for _, by_emit in ipairs { true, false } do
      local body = function(emit)
        emit "before"
        local refused = block(function()
          task.sleep(1) -- waiting is no yielding
          return select(2, pcall(by_emit and emit or coroutine.yield, "inside"))
        end)
        equal(task.is(refused, "Usage"), true, name)
        equal(refused.message:find(refusal) ~= nil, true, refused.message)
        emit "after"
      end
      local got = {}
      local values = by_emit and task.generator(body) or coroutine.wrap(function()
        body(coroutine.yield)
      end)
      for value in values do got[#got + 1] = value end
      equal(got, { "before", "after" }, name)
    end
  end

  misuse(refusal, function()
    for _ in task.generator(function(emit) task.shield(function() emit(1) end) end) do end
  end)

  -- What the consumer has open is its own affair.
  local g = task.generator(function(emit)
    for i = 1, 3 do
      task.shield(task.sleep, 1)
      emit(i)
    end
  end)
  equal({ g(), task.shield(g), task.timeout(9, g) }, { 1, 2, 3 })
  equal(task.timeout(9, function()
    local sum = 0
    local function count(emit)
      for i = 1, 3 do emit(i) end
    end
    for i in task.generator(count) do sum = sum + task.shield(math.abs, i) end
    return sum
  end), 6)

  -- A channel is the way out.
  local ch, got = sync.channel(), {}
  task.group(function(group)
    group:spawn(function()
      local _ <close> = ch
      task.timeout(9, function() for i = 1, 3 do ch:send(i) end end)
    end)
    for i in ch:iter() do got[#got + 1] = i end
  end)
  equal(got, { 1, 2, 3 })
end)
