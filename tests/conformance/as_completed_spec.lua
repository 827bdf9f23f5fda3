-- SPDX-License-Identifier: MIT
-- task.as_completed: the order of the tasks, its timeout, and what leaving its loop ends.
-- check: allow wrong-arguments
local private = debug.getregistry()["septet.require"] -- of private modules
local task = require "septet.task"
local sound = private("septet.internal.probe").closes_loops()
local helpers = require "helpers"

local never, after = helpers.never, helpers.after
local new_log, tidy = helpers.new_log, helpers.tidy

-- A function that never ends by itself, and takes a second to end when it is cancelled.
local function owned(log)
  return function() tidy(log, "owned", 1) end
end

it("asc.originals: as_completed gives the tasks that were listed", function()
  local quick, failed, gone = task.spawn(after(1)), task.spawn(error, "x", 0), task.spawn(never)
  local function fn() return task.current() end
  task.spawn(function()
    task.sleep(2)
    gone:cancel()
  end)
  local seen = {}
  for t in task.as_completed { gone, fn, quick, failed } do seen[#seen + 1] = t end
  equal(#seen, 4)
  for i, t in ipairs { quick, gone } do equal(rawequal(seen[i + 2], t), true) end
  local own = seen[1] == failed and seen[2] or seen[1]
  equal(rawequal(own:await(), own), true) -- that of a function is a task like any
  equal({ failed:result() }, { false, "x" }) -- nothing was raised on the way
  equal(gone:status(), "cancelled")
end)

it("asc.order: as_completed gives tasks in the order they end", function()
  local log = new_log()
  local list = { after(3, "c"), task.spawn(after(1, "a")), after(2, "b") }
  for t in task.as_completed(list) do log(t:await()) end
  log "end"
  equal(log.list, { "1 a", "2 b", "3 c", "3 end" })

  log = new_log() -- those that end while the body waits are kept in their order
  for t in task.as_completed { after(4, "d"), after(3, "c"), after(2, "b"), after(1, "a") } do
    log(t:await())
    task.sleep(1.5)
  end
  equal(log.list, { "1 a", "2.5 b", "4 c", "5.5 d" })
end)

it("asc.already_done: tasks that ended before come first, in the list's order", function()
  local a, b, c, d = task.spawn(after(2, "a")), task.spawn(after(1, "b")),
    task.spawn(after(3, "c")), after(0, "d")
  task.wait { a, b }
  local log = new_log()
  for t in task.as_completed { c, a, d, b } do log(t:await()) end
  equal(log.list, { "0 a", "0 b", "0 d", "1 c" }) -- a and b in the list's order
end)

it("asc.timeout: a timeout raises from the loop's header, and the tasks go on", function()
  local log = new_log()
  local quick, slow, stuck = task.spawn(after(1, "quick")), task.spawn(after(4, "slow")),
    task.spawn(never)
  local err = raises_error({ kind = "Timeout", seconds = 3 }, function()
    for t in task.as_completed({ stuck, slow, quick }, { timeout = 3 }) do log(t:await()) end
  end)
  log "raised"
  equal(tostring(err):find("3 s", 1, true) ~= nil, true)
  equal({ quick:status(), slow:status(), stuck:status() }, { "done", "suspended", "suspended" })
  equal({ slow:await(), task.deadline() }, { "slow", math.huge })
  equal(log.list, { "1 quick", "3 raised" })

  log = new_log() -- the body's time counts, and is not cut short
  raises_error({ kind = "Timeout" }, function()
    for t in task.as_completed({ stuck, after(2, "late, but there"), quick }, { timeout = 1 }) do
      log(t:await())
      equal(task.deadline(), math.huge)
      task.sleep(5)
    end
  end)
  equal(log.list, { "0 quick", "5 late, but there" })

  local seen = 0
  raises_error({ kind = "Timeout", seconds = 0 }, function()
    for _ in task.as_completed({ quick, stuck }, { timeout = 0 }) do seen = seen + 1 end
  end)
  equal(seen, 1)

  log = new_log()
  -- what it spawned itself ends, as when the loop is left
  local block = table.pack(pcall(task.shield, function()
    for _ in task.as_completed({ owned(log) }, { timeout = 2 }) do never() end
  end))
  equal({ block[1], block[2].kind }, { false, "Timeout" })
  equal(log.list, { "3 owned cancel" })
  stuck:cancel()
end)

it("asc.unused_timeout: a timeout that is not needed leaves nothing behind", function()
  for _, seconds in ipairs { 10, math.huge } do
    local log = new_log()
    for t in task.as_completed({ after(1, "a"), task.spawn(after(2, "b")) },
      { timeout = seconds }) do
      log(t:await())
      equal(task.deadline(), math.huge)
    end
    log "end"
    equal(task.deadline(), math.huge)
    task.sleep(20) -- past the limit
    log "later"
    equal(log.list, { "1 a", "2 b", "2 end", "22 later" })
  end
end)

it("asc.break_foreign: leaving the loop leaves listed tasks running", function()
  local function broken(list)
    for t in task.as_completed(list) do
      if t then break end
    end
  end
  local function returned(list)
    for t in task.as_completed(list) do return t end
  end
  local function raised(list)
    for t in task.as_completed(list) do error(t, 0) end
  end
  for _, leave in ipairs { broken, returned, raised } do
    local quick, slow = task.spawn(after(1)), task.spawn(after(2, "slow"))
    pcall(leave, { slow, quick })
    equal(slow:status(), "suspended")
    equal(slow:await(), "slow")
  end
end)

it("asc.break_owned: leaving the loop cancels and joins the tasks that it spawned", function()
  local log = new_log()
  local function loop()
    for t in task.as_completed { owned(log), after(1, "quick") } do
      log(t:await())
      if t then break end
    end
    log "behind the loop"
  end
  -- The statement behind the loop comes first where Lua has no sound closing of loops: then the
  -- block ends them.
  local expected = sound
      and { "1 quick", "2 owned cancel", "2 behind the loop", "2 behind the block" }
    or { "1 quick", "1 behind the loop", "2 owned cancel", "2 behind the block" }
  for _, block in ipairs {
    task.shield,
    task.group,
    function(fn) task.move_on_after(9, fn) end,
    function(fn) task.spawn(fn):await() end,
  } do
    log = new_log()
    block(loop)
    log "behind the block"
    equal(log.list, expected)
  end
end)

it("asc.error_in_body: an error in the loop's body ends its tasks, and passes unchanged", function()
  local log, thrown, foreign
  local function loop()
    for t in task.as_completed { owned(log), after(1, "quick"), foreign } do
      log(t:await())
      error(thrown, 0)
    end
  end
  for _, block in ipairs { task.shield, function(fn) task.timeout(9, fn) end } do
    log, thrown, foreign = new_log(), {}, task.spawn(after(5, "foreign"))
    local ok, err = pcall(block, loop)
    log "caught"
    equal({ ok, rawequal(err, thrown) }, { false, true })
    equal(log.list, { "1 quick", "2 owned cancel", "2 caught" })
    equal(foreign:await(), "foreign")
  end
end)

it("asc.empty: an empty list is an empty loop", function()
  local log = new_log()
  for _, options in ipairs { {}, { timeout = 1 }, { timeout = 0 } } do
    for _ in task.as_completed({}, options) do error "there is nothing to see" end
  end
  log "end"
  equal(log.list, { "0 end" })
end)

it("asc.duplicates: a task that is listed twice comes once", function()
  local runs, seen = 0, {}
  local function fn()
    runs = runs + 1
    task.sleep(1)
    return "fn"
  end
  local t = task.spawn(after(2, "t"))
  for each in task.as_completed { fn, t, fn, t, t } do seen[#seen + 1] = each:await() end
  equal(seen, { "fn", "t" })
  equal(runs, 1)
end)

it("asc.cancel_in_header: a cancellation in the header ends the loop's own tasks", function()
  for _, options in ipairs { {}, { timeout = 9 } } do
    local log, foreign = new_log(), task.spawn(after(5, "foreign"))
    local t = task.spawn(function()
      for _ in task.as_completed({ foreign, owned(log) }, options) do error "nothing ends here" end
    end)
    task.sleep(1)
    t:cancel "outside"
    raises_error({ kind = "TaskCancelled", reason = "outside" }, t.await, t)
    log(t:status())
    equal(foreign:await(), "foreign")
    equal(log.list, { "2 owned cancel", "2 cancelled" })
  end
end)
