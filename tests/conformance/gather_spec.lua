-- SPDX-License-Identifier: MIT
-- task.gather and task.race: the order of results, the first error, cancellation and limits.
-- check: allow wrong-arguments
local task = require "septet.task"
local helpers = require "helpers"

local never, after = helpers.never, helpers.after
local failing, new_log = helpers.failing, helpers.new_log
local tidy, unhandled = helpers.tidy, helpers.unhandled

local function statuses(tasks)
  local list = {}
  for i, t in ipairs(tasks) do list[i] = t:status() end
  return list
end

it("gather.order: results come in the list's order, whatever the order of the ends", function()
  local log = new_log()
  local function member(seconds)
    return function()
      task.sleep(seconds)
      log("ended " .. seconds)
      return seconds * 10
    end
  end
  local results = task.gather { member(3), member(1), member(2) }
  log "returned"
  equal(results, { n = 3, 30, 10, 20 })
  equal(log.list, { "1 ended 1", "2 ended 2", "3 ended 3", "3 returned" })
end)

it("gather.empty: an empty list gives no results at once", function()
  local log = new_log()
  for _, options in ipairs { {}, { settled = true }, { limit = 1 } } do
    equal(task.gather({}, options), { n = 0 })
  end
  log "returned"
  equal(log.list, { "0 returned" })
  local t = task.spawn(function() task.gather {} end)
  t:cancel()
  task.wait { t }
  equal(t:status(), "cancelled") -- there is nothing to wait for, and it is a place to be cancelled
end)

it("gather.duplicates: a member that is listed twice runs once and fills both places", function()
  local runs = 0
  local function counted()
    runs = runs + 1
    task.sleep(1)
    return {}
  end
  local t = task.spawn(after(2, "t"))
  for _, options in ipairs { {}, { limit = 1 } } do
    runs = 0
    local results = task.gather({ counted, t, counted, t }, options)
    equal(runs, 1)
    equal(rawequal(results[1], results[3]), true)
    equal({ results[2], results[4], results.n }, { "t", "t", 4 })
  end
  local both = task.gather({ counted, counted }, { settled = true })
  equal(rawequal(both[1].value, both[2].value), true)
end)

it("gather.mixed_tasks_fns: tasks and functions may be mixed", function()
  local log = new_log()
  local ended, live = task.spawn(after(0, "ended")), task.background(after(2, "live"))
  ended:await()
  local results = task.gather { after(1, "function"), live, ended, after(0, "last") }
  log "returned"
  equal(results, { n = 4, "function", "live", "ended", "last" })
  equal(log.list, { "2 returned" })
  equal(task.gather { ended, ended, live }, { n = 3, "ended", "ended", "live" })
end)

it("gather.nil_results: a nil result keeps its place; n counts it", function()
  local list = { after(1), after(2, nil, "second"), after(1, "first", "second"), after(0, false),
    after(1, nil) }
  equal(task.gather(list), { n = 5, nil, nil, "first", false, nil })
  equal(task.gather({ after(0), after(0) }, { settled = true }),
    { n = 2, { status = "done" }, { status = "done" } })
end)

it("gather.first_error_cancels_joins: the first error is raised after all cleanup", function()
  local lost, log, thrown = unhandled(), new_log(), {}
  local given = { task.spawn(tidy, log, "task", 3), task.spawn(after(9)), task.spawn(after(0.5)) }
  local swallowed
  local ok, err = pcall(task.gather, {
    function() tidy(log, "function", 1) end,
    given[1],
    failing(1, thrown),
    given[2],
    function() -- a member that swallows its cancellation is waited for, too
      swallowed = select(2, pcall(never))
      task.shield(task.sleep, 2)
      log "swallowed"
      return "unused"
    end,
    given[3],
  })
  log "raised"
  equal({ ok, rawequal(err, thrown) }, { false, true })
  equal(log.list, { "2 function cancel", "3 swallowed", "4 task cancel", "4 raised" })
  equal(statuses(given), { "cancelled", "cancelled", "done" })
  equal(swallowed.kind, "Cancelled")
  task.checkpoint() -- the gatherer itself was not cancelled
  equal(lost, {})
end)

it("gather.late_errors_reported: later errors of members are reported as unhandled", function()
  local function late(seconds, err)
    return function()
      pcall(never)
      task.cleanup(nil, task.sleep, seconds)
      error(err, 0)
    end
  end
  for _, options in ipairs { {}, { limit = 3 } } do
    local lost = unhandled()
    raises("^first$", task.gather,
      { late(2, "third"), failing(1, "first"), late(1, "second") }, options)
    turns(2)
    equal(lost, { "second", "third" })
  end

  local order = {} -- both in one batch
  local function at_once(name)
    return function()
      task.sleep(1)
      order[#order + 1] = name
      error(name, 0)
    end
  end
  local lost = unhandled()
  local _, err = pcall(task.gather, { at_once "a", at_once "b" })
  turns(2)
  equal({ err, lost }, { order[1], { order[2] } })

  lost = unhandled()
  local foreign = task.spawn(late(1, "foreign"))
  raises("^first$", task.gather, { foreign, failing(1, "first") })
  turns(2)
  equal(lost, {}) -- its owner lives: it may yet ask
  equal({ foreign:result() }, { false, "foreign" })
end)

it("gather.member_cancelled: a cancelled member has failed with TaskCancelled", function()
  local log = new_log()
  local victim = task.spawn(never)
  task.spawn(function()
    task.sleep(1)
    victim:cancel "not you"
  end)
  local members = { function() tidy(log, "other", 1) end, victim }
  local err = raises_error({ kind = "TaskCancelled", reason = "not you" }, task.gather, members)
  log "raised"
  equal(rawequal(err.task, victim), true)
  equal(log.list, { "2 other cancel", "2 raised" })
  task.checkpoint()

  -- it was cancelled before
  err = raises_error({ kind = "TaskCancelled" }, task.gather, { never, victim })
  equal(rawequal(err.task, victim), true)

  for _, options in ipairs { {}, { limit = 2 } } do
    raises_error({ kind = "TaskCancelled", reason = "enough" }, task.gather, {
      never,
      function()
        task.current():cancel "enough"
        task.checkpoint()
      end,
    }, options)
  end
end)

it("gather.settled: with settled each place has a status, and a value or an error", function()
  local lost, log, thrown = unhandled(), new_log(), {}
  local victim, failed = task.spawn(never), task.spawn(failing(0, "before"))
  task.spawn(function()
    task.sleep(2)
    victim:cancel "reason"
  end)
  for _, options in ipairs { { settled = true }, { settled = true, limit = 6 } } do
    local results = task.gather({
      after(3, "value", "dropped"),
      failing(1, thrown),
      failing(1, false),
      failing(1),
      victim,
      failed,
    }, options)
    log "returned"
    equal(results[1], { status = "done", value = "value" })
    equal(results[2].status, "failed")
    equal(rawequal(results[2].error, thrown), true)
    equal(results[3], { status = "failed", error = false })
    equal(results[4].status, "failed")
    equal(tostring(results[4].error), "nil error")
    equal(results[5].status, "cancelled")
    equal({ results[5].error.kind, results[5].error.reason }, { "TaskCancelled", "reason" })
    equal(rawequal(results[5].error.task, victim), true)
    equal(results[6], { status = "failed", error = "before" })
    equal({ #results, results.n }, { 6, 6 })
  end
  equal(log.list, { "3 returned", "6 returned" })
  turns(2)
  equal(lost, {})
end)

-- Cancels a gather of members of each kind at 1 s. Says what happened when.
local function cancelled_gather(options)
  local log = new_log()
  local given, background = task.spawn(tidy, log, "task", 2), task.background(never)
  local raised
  local t = task.spawn(function()
    local results
    local member = function() tidy(log, "function", 1) end
    results, raised = pcall(task.gather, { member, given, background, after(0.5) }, options)
    log(results and "returned" or raised.kind .. " " .. raised.reason)
    task.sleep(1) -- it is cancelled for good
  end)
  task.sleep(1)
  t:cancel "outside"
  task.wait { t }
  equal(t:status(), "cancelled")
  equal(statuses { given, background }, { "cancelled", "cancelled" })
  return log.list
end

it("gather.cancel_outer: a cancelled gather cancels and joins its members, then raises", function()
  local expected = { "2 function cancel", "3 task cancel", "3 Cancelled outside" }
  equal(cancelled_gather {}, expected)
  equal(cancelled_gather { limit = 2 }, expected)

  local log = new_log() -- the same by a deadline, which is the caller's to turn into what it likes
  local members = { function() tidy(log, "function", 1) end, never }
  raises_error({ kind = "Timeout", seconds = 2 }, task.timeout, 2, task.gather, members)
  equal(#log.list, 1)
  equal(log.list[1]:gsub("deadline$", "cancel"), "3 function cancel") -- the order of turns decides
end)

it("gather.cancel_outer_settled: a cancelled gather with settled does the same", function()
  local expected = { "2 function cancel", "3 task cancel", "3 Cancelled outside" }
  equal(cancelled_gather { settled = true }, expected)
  equal(cancelled_gather { settled = true, limit = 2 }, expected)
end)

in_order("gather.cancel_after_all_done: gather returns if all members ended first", function()
  for _, options in ipairs { {}, { settled = true } } do
    local log = new_log()
    local members = { task.spawn(after(1, "a")), task.spawn(after(1, "b")) }
    local t = task.spawn(function()
      local results = task.gather(members, options)
      log("got " .. results.n)
      log(select(2, pcall(task.checkpoint)).kind)
    end)
    task.spawn(function()
      task.sleep(1) -- behind the members, before the gatherer
      equal(statuses(members), { "done", "done" })
      equal(t:cancel(), true)
    end):await()
    t:await()
    equal(log.list, { "1 got 2", "1 Cancelled" })
  end
end)

it("gather.limit: no more than `limit` functions run at once", function()
  local log, running, most = new_log(), 0, 0
  local function job(name, seconds)
    return function()
      running = running + 1
      most = math.max(most, running)
      task.sleep(seconds)
      running = running - 1
      log(name)
      return name
    end
  end
  local free = task.spawn(after(7, "task")) -- a task runs already, and does not count
  local results = task.gather({ job("a", 4), free, job("b", 1), job("c", 2), job("d", 3) },
    { limit = 2 })
  log "returned"
  equal(results, { n = 5, "a", "task", "b", "c", "d" })
  equal(log.list, { "1 b", "3 c", "4 a", "6 d", "7 returned" })
  equal(most, 2)

  log = new_log() -- one after the other, and no more once one fails
  raises("^boom$", task.gather, { job("a", 1), failing(1, "boom"), job("b", 1) }, { limit = 1 })
  log "raised"
  equal(log.list, { "1 a", "2 raised" })

  log = new_log()
  results = task.gather({ job("a", 1), failing(1, "boom"), job("b", 1) },
    { limit = 1, settled = true })
  log "returned"
  equal(log.list, { "1 a", "3 b", "3 returned" })
  equal({ results[1].value, results[2].error, results[3].value }, { "a", "boom", "b" })

  log = new_log()
  raises_error({ kind = "Timeout" }, task.timeout, 1.5,
    task.gather, { job("a", 1), job("b", 1), job("c", 1) },
    { limit = 1 })
  log "raised"
  equal(log.list, { "1 a", "1.5 raised" })
end)

it("gather.bad_item_no_leak: a bad item in the list is refused before any spawn", function()
  local started = false
  local function member() started = true end
  local live = #task.tree()
  for _, options in ipairs { {}, { limit = 1 }, { settled = true } } do
    local words = "bad argument #1 to 'gather' %(item 3: task or function expected, got number%)"
    misuse(words, function()
      task.gather({ member, member, 7 }, options)
    end)
  end
  misuse("item 2: task or function expected, got table", function() task.gather({ member, {} }) end)
  misuse("item 2: a task cannot wait for itself", function()
    task.gather({ member, task.current() })
  end)
  misuse("list expected, got function", function() task.gather(member) end)
  misuse("unknown option 'limti' to 'gather', did you mean 'limit'%?", function()
    task.gather({ member }, { limti = 1 })
  end)
  for _, bad in ipairs { 0, -1, 1.5, "2", math.huge } do
    misuse("bad option 'limit' to 'gather'", function()
      task.gather({ member }, { limit = bad })
    end)
  end
  misuse("bad option 'settled' to 'gather'", function()
    task.gather({ member }, { settled = 1 })
  end)
  turns(3)
  equal({ started, #task.tree() }, { false, live })
end)

it("race.first_wins: race returns the values of the first function to end", function()
  local log = new_log()
  local values = table.pack(task.race {
    never, after(2, "slow"), after(1, "a", nil, "c", nil), after(3),
  })
  log "returned"
  equal(values, { n = 4, "a", nil, "c", nil })
  equal(log.list, { "1 returned" })
  equal(select("#", task.race { after(0) }), 0)

  local started = false
  local function member() started = true end
  misuse("bad argument #1 to 'race' %(a list of functions expected, got an empty one%)",
    function() task.race({}) end)
  misuse("item 2: function expected, got task: race cancels the losers", function()
    task.race({ member, task.current() })
  end)
  misuse("item 2: task or function expected, got boolean", function()
    task.race({ member, true })
  end)
  turns(2)
  equal(started, false)
end)

it("race.losers_joined: race returns after the others are cancelled and cleaned up", function()
  local lost, log = unhandled(), new_log()
  local loser, swallower
  local value = task.race {
    function() tidy(log, "loser", 1) end,
    after(1, "won"),
    function()
      loser = task.current()
      never()
    end,
    function()
      swallower = task.current()
      pcall(never)
      task.shield(task.sleep, 3)
      log "swallowed"
      return "too late"
    end,
    function()
      pcall(never)
      task.shield(task.sleep, 2)
      error("late", 0)
    end,
  }
  log "returned"
  equal(value, "won")
  equal(log.list, { "2 loser cancel", "4 swallowed", "4 returned" })
  equal(statuses { loser, swallower }, { "cancelled", "done" })
  turns(2)
  equal(lost, { "late" })
end)

it("race.error_wins: if the first function to end fails, race raises its error", function()
  local log, thrown = new_log(), {}
  local ok, err = pcall(task.race, { after(2, "unused"), failing(1, thrown), function()
    tidy(log, "loser", 2)
  end })
  log "raised"
  equal({ ok, rawequal(err, thrown) }, { false, true })
  equal(log.list, { "3 loser cancel", "3 raised" })
  equal(tostring(raises(nil, task.race, { failing(0), never })), "nil error")

  raises_error({ kind = "TaskCancelled", reason = "gave up" }, task.race, {
    never,
    function()
      task.current():cancel "gave up"
      task.checkpoint()
    end,
  })
  task.checkpoint()
end)

it("race.outer_cancel: a cancelled race cancels and joins its functions, then raises", function()
  local log = new_log()
  local t = task.spawn(function()
    local _, err = pcall(task.race,
      { function() tidy(log, "a", 1) end, function() tidy(log, "b", 2) end, never })
    log(err.kind .. " " .. err.reason)
    task.checkpoint()
  end)
  task.sleep(1)
  t:cancel "outside"
  task.wait { t }
  equal(t:status(), "cancelled")
  equal(log.list, { "2 a cancel", "3 b cancel", "3 Cancelled outside" })

  local started, far = false, false
  t = task.spawn(function()
    task.race { function()
      started = true
      task.checkpoint()
      far = true
    end }
  end)
  t:cancel()
  task.wait { t }
  equal({ t:status(), started, far }, { "cancelled", true, false })
end)
