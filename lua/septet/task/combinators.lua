-- SPDX-License-Identifier: MIT
-- Combinators: they run functions or tasks concurrently, and wait for several. Exported by
-- `septet.task`.
local combinators = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local blocks = require "septet.task.blocks"
local closers = require "septet.task.closers"
local probe = require "septet.internal.probe"

-- Local for speed: measured by bench/models.lua.
local is, try, raise, outcome = core.is, core.try, core.raise, core.outcome
local join, run_block, spawn_for = core.scope_join, core.run_block, core.spawn_for
local leave, shielded, completions_of = blocks.leave, blocks.shield, core.completions

local function is_task(value)
  return type(value) == "userdata" and debug.getmetatable(value) == core.task_meta
end

--- Spawns fn(item) for each item of a list. A string is the name of its task, shortened; a number
--- is part of its name.
---@param fn function
---@param list any[]
---@return septet.Task[] in the list's order
function combinators.map(fn, list)
  args.callable(fn, 1, "map")
  args.list(list, 2, "map")
  local tasks = {}
  for i = 1, #list do
    local item = list[i]
    tasks[i] = spawn_for(item, fn, item)
  end
  return tasks
end

-- Raises Usage for the first item of a list that has no task, or that is the running task.
local function check_items(list, what, spawn)
  local current = core.current()
  for i = 1, #list do
    local item = list[i]
    if item == current then
      args.usage("bad argument #1 to '%s' (item %d: a task cannot wait for itself)", what, i)
    elseif not is_task(item) then
      if not spawn then
        args.usage("bad argument #1 to '%s' (item %d: task expected, got %s)", what, i, type(item))
      elseif not args.is_callable(item) then
        args.usage("bad argument #1 to '%s' (item %d: task or function expected, got %s)", what, i,
          type(item))
      end
    end
  end
end

-- Returns the distinct tasks of a list, and the task of each item. Functions are passed to `spawn`,
-- if given, which returns their task, or false if it has none yet. An item without a task stands
-- for itself.
local function tasks_of(list, what, spawn)
  check_items(list, what, spawn)
  local tasks, each, by_item = {}, {}, {}
  for i = 1, #list do
    local item = list[i]
    local t = by_item[item]
    if t == nil then
      t = is_task(item) and item or spawn(item)
      by_item[item] = t
      if t then tasks[#tasks + 1] = t end
    end
    each[i] = t or item
  end
  return tasks, each
end

-- Returns a completion set over the distinct tasks of a list, these tasks, and the task of each
-- item.
local function completions(list, what, spawn)
  local set, tasks = completions_of(list)
  if set then return set, tasks, tasks end
  local distinct, each = tasks_of(list, what, spawn)
  set, tasks = completions_of(distinct)
  return set, tasks, each
end

-- Cancels what a failed or cancelled combinator still runs, except `failed`, and waits for it.
-- Failures from here on are reported, but do not change the run's result.
local function cancel_and_join(tasks, set, scope, failed)
  for _, t in ipairs(tasks) do
    if t ~= failed then
      core.late(t)
      t:cancel()
    end
  end
  scope:cancel()
  shielded(function()
    set:wait("over")
    join(scope)
  end)
end

-- Returns the error that awaiting a failed or cancelled task raises.
local function failure(t)
  return select(2, pcall(outcome, t))
end

-- Waits for the members of a gather. If one fails or the waiter is cancelled, cancels the others.
-- Returns true if all are done. Otherwise returns false and the failed member, or false, nil and
-- the error of the wait with its traceback.
local function await_members(tasks, set, scope)
  local ok, err, traceback = try(set.wait, set, "not_done")
  local failed = ok and tasks[set:not_done()]
  if ok and not failed then return true end
  if failed then core.seen(failed) end -- before its owner can end and report it
  cancel_and_join(tasks, set, scope, failed)
  return false, failed, err, traceback
end

local function await_settled(tasks, set, scope)
  local ok, err, traceback = try(set.wait, set, "all")
  if not ok then cancel_and_join(tasks, set, scope) end
  return ok, nil, err, traceback
end

-- Waits for the task to end without observing its outcome.
local function wait_for(t)
  completions_of({ t }):wait "all"
end

-- Spawns up to `limit` workers in `scope`. They run the functions, each in a task of its own, which
-- is stored in `by_fn`. Returns the workers.
local function run_limited(scope, fns, limit, settled, by_fn)
  local at, workers = 0, {}
  local function worker()
    while at < #fns do
      at = at + 1
      local fn = fns[at]
      local t = scope:spawn(fn)
      by_fn[fn] = t
      local ok, err, traceback = try(settled and wait_for or t.await, t)
      local cancelled = not ok and is(err, "Cancelled")
      if cancelled then core.late(t) end
      if cancelled or not (ok or settled) then raise(err, traceback) end
    end
  end
  for i = 1, math.min(limit, #fns) do workers[i] = scope:spawn(worker) end
  return workers
end

-- Like completions(), but for a gather. If there is a limit, the fourth result maps each function
-- to its task once that is spawned.
local function members(scope, list, options)
  if not options.limit then
    return completions(list, "gather", function(fn) return scope:spawn(fn) end)
  end
  local fns, by_fn = {}, {}
  local tasks, each = tasks_of(list, "gather", function(fn)
    fns[#fns + 1] = fn
    return false
  end)
  for _, t in ipairs(run_limited(scope, fns, options.limit, options.settled, by_fn)) do
    tasks[#tasks + 1] = t
  end
  return completions_of(tasks), tasks, each, by_fn
end

local function settled_results(tasks)
  local results = {}
  for i, t in ipairs(tasks) do
    local status = t:status()
    results[i] = status == "done" and { status = status, value = select(2, t:result()) }
      or { status = status, error = failure(t) }
  end
  return results
end

local gather_options = { limit = "count", settled = "boolean" }
local wait_options = { timeout = "seconds", return_when = "string" }
local completed_options = { timeout = "seconds" }

-- Gathers in a scope of its own, which it leaves.
local function gather_in(scope, list, options)
  local ok, set, tasks, each, by_fn = try(members, scope, list, options)
  if not ok then
    leave(scope)
    raise(set, tasks)
  end
  local await_all = options.settled and await_settled or await_members
  local waited, all, failed, err, traceback = try(await_all, tasks, set, scope)
  set:close()
  leave(scope)
  if not waited then raise(all, failed) end
  if failed then outcome(failed) end
  if not all then raise(err, traceback) end
  for i = 1, by_fn and #each or 0 do each[i] = by_fn[each[i]] or each[i] end
  local n = #each
  local results = options.settled and settled_results(each) or set:results(each)
  results.n = n
  return results
end

--- Runs functions and tasks concurrently and waits for all. The first failure cancels the others
--- and is raised unchanged once they have ended. Later failures go to on_unhandled. Cancelling the
--- waiter cancels all.
---@async
---@param list (function|septet.Task)[]
---@param options septet.GatherOptions|nil
---@return table results in the list's order, the first value of each; `n` is their number
function combinators.gather(list, options)
  args.list(list, 1, "gather", gather_options)
  options = args.options(options, gather_options, "gather")
  return run_block(false, false, nil, nil, nil, gather_in, list, options)
end

local function race_in(scope, fns)
  local ok, set, tasks = try(completions, fns, "race", function(fn) return scope:spawn(fn) end)
  if not ok then
    leave(scope)
    raise(set, tasks)
  end
  local waited, err, traceback = try(set.wait, set, "first")
  local first = tasks[set:take()]
  -- The others may have raised its failure again: it is observed before they are reported.
  if waited then try(core.seen, first) end
  cancel_and_join(tasks, set, scope, first)
  set:close()
  leave(scope)
  if not waited then raise(err, traceback) end
  return outcome(first)
end

--- Runs functions concurrently until the first one ends, then cancels the others and waits for
--- them.
---@async
---@param fns function[] at least one
---@return any ... what the first returned; raises its error
function combinators.race(fns)
  args.list(fns, 1, "race")
  if #fns == 0 then
    args.usage("bad argument #1 to 'race' (a list of functions expected, got an empty one)")
  end
  for i = 1, #fns do
    if is_task(fns[i]) then
      args.usage(
        "bad argument #1 to 'race' (item %d: function expected, got task: race cancels the losers)",
        i)
    end
  end
  return run_block(false, false, nil, nil, nil, race_in, fns)
end

local until_of = { ALL_COMPLETED = "all", FIRST_COMPLETED = "first", FIRST_EXCEPTION = "failure" }


--- Waits for tasks. Neither raises their errors nor cancels any.
---@async
---@param tasks septet.Task[]
---@param options septet.WaitOptions|nil
---@return septet.Task[] done in the order they ended
---@return septet.Task[] pending in the list's order
function combinators.wait(tasks, options)
  args.list(tasks, 1, "wait", wait_options)
  options = args.options(options, wait_options, "wait")
  local mode = until_of[options.return_when or "ALL_COMPLETED"]
  if not mode then
    args.usage(
      "bad option 'return_when' to 'wait' ('ALL_COMPLETED', 'FIRST_COMPLETED' or "
      .. "'FIRST_EXCEPTION' expected, got '%s')", options.return_when)
  end
  local set = completions(tasks, "wait")
  if options.timeout then
    blocks.move_on_after(options.timeout, set.wait, set, mode)
  else
    set:wait(mode)
  end
  local done, pending = set:split()
  set:close()
  return done, pending
end

--- Iterates over tasks in the order they end, starting with those that have ended. Each step waits.
--- Functions are spawned. Leaving the loop early cancels these and leaves tasks alone. If the
--- linked Lua does not close loops soundly, they are cancelled when the scope around the loop ends.
---@async
---@param list (function|septet.Task)[]
---@param options septet.AsCompletedOptions|nil
---@return fun(): septet.Task|nil
function combinators.as_completed(list, options)
  args.list(list, 1, "as_completed", completed_options)
  options = args.options(options, completed_options, "as_completed")
  local owned = {}
  local set, tasks = completions(list, "as_completed", function(fn)
    local t = core.spawn(fn)
    owned[#owned + 1] = t
    return t
  end)
  local deadline, handed, loop = options.timeout and core.now() + options.timeout, 0, {}

  local function next_in_time()
    local left = math.max(0, deadline - core.now())
    local in_time, i = blocks.move_on_after(left, set.wait, set, "next")
    if not in_time then i = set:take() end -- a task may have ended nevertheless
    if not in_time and not i and handed < #tasks then
      error(core.error { kind = "Timeout",
        message = ("as_completed: timed out after %g s"):format(options.timeout),
        seconds = options.timeout }, 0)
    end
    return i
  end

  local function next_ended()
    local i
    if deadline then i = next_in_time() else i = set:wait "next" end
    if not i then
      set:close()
      closers.remove(loop)
      return nil
    end
    handed = handed + 1
    return tasks[i]
  end

  function loop.close()
    closers.remove(loop)
    for _, t in ipairs(owned) do t:cancel("as_completed") end
    set:close()
    if #owned == 0 then return end
    local rest = completions(owned, "as_completed")
    shielded(rest.wait, rest, "over")
    rest:close()
  end

  if #owned > 0 then closers.add(loop) end
  if probe.closes_loops() then
    return next_ended, nil, nil, setmetatable(loop, { __close = loop.close })
  end
  return next_ended
end

return combinators
