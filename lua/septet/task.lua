--- Tasks: spawning, waiting for one or many, groups. What waits is marked `async`; everything else returns
--- at once and never lets another task run.
---@class septet.task
local task = {}

local core = require "septet.core"
local args = require "septet.args"

local is, pcall, error = core.is, pcall, error
local new_scope, join, close = core.scope, core.scope_join, core.scope_close

---@class septet.Task
---@field name string settable; "file:line#id" until it is set
---@field id integer
local Task = {} -- luacheck: ignore

--- Waits for the task to end. Only observes: cancelling the waiter leaves the task running.
---@async
---@return any ... what its function returned; raises its error, or TaskCancelled
function Task:await() end -- luacheck: ignore

--- Asks the task to end: its wait, or its next one, raises Cancelled.
---@param reason string|nil
---@return boolean first false if it was asked before or has ended
function Task:cancel(reason) end -- luacheck: ignore

--- "pending" (never ran), "running", "suspended", "done", "failed" or "cancelled".
---@return string
function Task:status() end -- luacheck: ignore

--- True and the values, or false and the error; raises Usage before the task has ended.
---@return boolean ok, any ...
function Task:result() end -- luacheck: ignore

--- Starts a task that will call fn(...). It belongs to the innermost scope open here and first runs after the
--- running task waits.
---@param fn function
---@param ... any
---@return septet.Task
task.spawn = core.spawn

--- The same, but it belongs to the whole run: cancelled when the last main task has ended.
---@param fn function
---@param ... any
---@return septet.Task
task.background = core.background

--- Waits; never returns early. sleep(0) lets the others run.
---@async
---@param seconds number
task.sleep = core.sleep

--- Lets the others run, and raises Cancelled if the task was cancelled.
---@async
task.checkpoint = core.checkpoint

--- Seconds on the host's clock, which never goes backwards; only differences mean something.
---@return number seconds
task.now = core.now

--- The running task; nil outside of tasks.
---@return septet.Task|nil
task.current = core.current

--- The live tasks as a tree: a list of {id=, name=, status=, waits_for=, children=}.
---@return table
task.tree = core.tree

--- Is the value an error of Septet's, of that kind ("HttpError", "Cancelled", ...; nil: any)?
---@param value any
---@param kind string|nil
---@return boolean
task.is = core.is

--- Is the value the Cancelled that unwinds a cancelled task?
---@param value any
---@return boolean
function task.is_cancelled(value)
  return is(value, "Cancelled")
end

--- Set it to be told of failures that nobody awaited: on_unhandled(task, error, traceback). Without it they
--- go to the host, which counts them as the run's failure.
---@type fun(t: septet.Task, error: any, traceback: string|nil)|nil
task.on_unhandled = nil

local function is_task(value)
  return type(value) == "userdata" and debug.getmetatable(value) == core.task_meta
end

--- Spawns fn(item) for each item of a list.
---@param fn function
---@param list any[]
---@return septet.Task[] in the list's order
function task.map(fn, list)
  args.callable(fn, 1, "map")
  args.list(list, 2, "map")
  local tasks = {}
  for i = 1, #list do
    tasks[i] = core.spawn(fn, list[i])
  end
  return tasks
end

-- Closes a scope whose body gave `ok, ...`: cancels what is left of it, waits for that, and says whether
-- the scope absorbed the Cancelled that unwound the body.
local function leave(scope)
  core.scope_leave(scope)
  join(scope)
  return close(scope)
end

-- Runs fn(...) out of reach of cancellation from outside.
local function shielded(fn, ...)
  local scope = new_scope(false, true)
  local ok, err = pcall(fn, ...)
  leave(scope)
  if not ok then error(err, 0) end
end

-- The tasks of a list without duplicates; functions are given to `spawn` if there is one.
local function distinct(list, what, spawn)
  for i = 1, #list do
    local item = list[i]
    if item == core.current() then
      args.usage("bad argument #1 to '%s' (item %d: a task cannot wait for itself)", what, i)
    elseif not is_task(item) then
      if not spawn then
        args.usage("bad argument #1 to '%s' (item %d: task expected, got %s)", what, i, type(item))
      elseif type(item) ~= "function" then
        args.usage("bad argument #1 to '%s' (item %d: task or function expected, got %s)", what, i, type(item))
      end
    end
  end
  local tasks, seen = {}, {}
  for i = 1, #list do
    local item = list[i]
    if not seen[item] then
      local t = is_task(item) and item or spawn(item)
      seen[item] = t
      tasks[#tasks + 1] = t
    end
  end
  return tasks, seen
end

-- Waits for the members of a gather; on the first that is not done, or on cancellation from outside, cancels
-- the others and waits for them too. Returns the error to raise, and whether there is one.
local function await_members(tasks, set, scope)
  local ok, err = pcall(set.wait, set, "not_done")
  local failed = nil
  for i in set.take, set do
    if ok and not failed and tasks[i]:status() ~= "done" then failed = tasks[i] end
  end
  if ok and not failed then return nil, false end
  for _, t in ipairs(tasks) do
    if t ~= failed then
      core.late(t)
      t:cancel("gather")
    end
  end
  shielded(function()
    set:wait("all")
    join(scope)
  end)
  if ok then
    err = select(2, pcall(failed.await, failed))
  end
  return err, true
end

--- Runs functions and tasks at once and waits for all. The first failure cancels the others, waits for them,
--- and is raised as it is; later ones go to on_unhandled.
---@async
---@param list (function|septet.Task)[]
---@return table results in the list's order, the first value of each; `n` is their number
function task.gather(list, options)
  args.list(list, 1, "gather")
  args.options(options, {}, "gather")
  local scope = new_scope(false, false)
  local ok, set, tasks, member_of = pcall(function()
    local members, by_item = distinct(list, "gather", function(fn) return scope:spawn(fn) end)
    return core.completions(members), members, by_item
  end)
  if not ok then
    leave(scope)
    error(set, 0)
  end
  local waited, err, failed = pcall(await_members, tasks, set, scope)
  set:close()
  leave(scope)
  if failed or not waited then error(err, 0) end
  local results = { n = #list }
  for i = 1, #list do
    local _, value = member_of[list[i]]:result()
    results[i] = value
  end
  return results
end

local until_of = { ALL_COMPLETED = "all", FIRST_COMPLETED = "first", FIRST_EXCEPTION = "failure" }

-- Runs wait(...) with a time limit. Returns false when the limit ended it.
local function limited(seconds, wait, ...)
  if not seconds then return true, wait(...) end
  local scope = new_scope(false, false, seconds)
  local ok, value = pcall(wait, ...)
  local absorbed = leave(scope)
  if ok then return true, value end
  if not (absorbed and is(value, "Cancelled")) then error(value, 0) end
  return false
end

--- Waits for tasks, neither raising their errors nor cancelling any.
---@async
---@param tasks septet.Task[]
---@param options {timeout: number|nil, return_when: "ALL_COMPLETED"|"FIRST_COMPLETED"|"FIRST_EXCEPTION"|nil}|nil
---@return septet.Task[] done in the order they ended
---@return septet.Task[] pending in the list's order
function task.wait(tasks, options)
  args.list(tasks, 1, "wait")
  options = args.options(options, { timeout = "seconds", return_when = "string" }, "wait")
  local mode = until_of[options.return_when or "ALL_COMPLETED"]
  if not mode then
    args.usage("bad option 'return_when' to 'wait' (unknown value '%s')", options.return_when)
  end
  tasks = distinct(tasks, "wait")
  local set = core.completions(tasks)
  limited(options.timeout, set.wait, set, mode)
  local done, pending, ended = {}, {}, {}
  for i in set.take, set do
    done[#done + 1] = tasks[i]
    ended[i] = true
  end
  set:close()
  for i, t in ipairs(tasks) do
    if not ended[i] then pending[#pending + 1] = t end
  end
  return done, pending
end

-- Is a generic for of this Lua sound when it breaks out of a loop with a closing value? 5.4.4's is not.
local function probe()
  local closed = false
  local guard = setmetatable({}, { __close = function() closed = true end })
  local ok, after = pcall(function()
    for k in next, { 1 }, nil, guard do
      local _ = function() return k end
      break
    end
    return closed
  end)
  return ok and after
end
local sound_for

--- Iterates over tasks in the order they end, those that have ended first. Functions are spawned; leaving the
--- loop early cancels these (at once where the Lua linked closes loops soundly, else when the scope around
--- ends) and leaves tasks alone.
---@async
---@param list (function|septet.Task)[]
---@param options {timeout: number|nil}|nil raises Timeout from the loop's header
---@return fun(): septet.Task|nil
function task.as_completed(list, options)
  args.list(list, 1, "as_completed")
  options = args.options(options, { timeout = "seconds" }, "as_completed")
  local owned = {}
  local tasks = distinct(list, "as_completed", function(fn)
    local t = core.spawn(fn)
    owned[#owned + 1] = t
    return t
  end)
  local set = core.completions(tasks)
  local deadline = options.timeout and core.now() + options.timeout

  local function next_ended()
    local in_time, i = limited(deadline and math.max(0, deadline - core.now()), set.wait, set, "next")
    if not in_time then
      error(core.error { kind = "Timeout", message = ("as_completed: timed out after %g s"):format(options.timeout),
        seconds = options.timeout }, 0)
    end
    if i then return tasks[i] end
    set:close()
  end

  if sound_for == nil then sound_for = probe() end
  if not sound_for then return next_ended end
  return next_ended, nil, nil, setmetatable({}, { __close = function()
    for _, t in ipairs(owned) do t:cancel("as_completed") end
    if #owned > 0 then shielded(set.wait, set, "all") end
    set:close()
  end })
end

-- The errors of a group's tasks that nobody has seen, appended in the order they came, and whose they are.
local function collect(scope, errors, tasks)
  for t in core.scope_failed, scope do
    local _, err = t:result()
    errors[#errors + 1] = err
    tasks[#errors] = t
  end
end

local function indented(value)
  local ok, text = pcall(tostring, value)
  if not ok then text = ("a %s without words"):format(type(value)) end
  return (text:gsub("\n", "\n    "))
end

local function error_group(errors, tasks)
  local lines = { ("%d error%s in a task group"):format(#errors, #errors == 1 and "" or "s") }
  for i, err in ipairs(errors) do
    local t = tasks[i]
    lines[#lines + 1] = ("  %d. %s"):format(i, indented(err))
    if t then
      lines[#lines + 1] = ("    in task '%s', %s"):format(t.name, indented(t:traceback()))
    end
  end
  return core.error { kind = "ErrorGroup", message = table.concat(lines, "\n"), errors = errors }
end

-- Ends a group whose body gave `ok, ...`: waits for its tasks and gives the body's values, or raises.
local function finish(scope, ok, ...)
  local errors, tasks = {}, {}
  if not ok then
    collect(scope, errors, tasks)
    local err = ...
    if err == nil then err = core.error { kind = "error", message = "nil error" } end
    if not is(err, "Cancelled") then errors[#errors + 1] = err end
    core.scope_fail(scope)
  end
  join(scope)
  collect(scope, errors, tasks)
  local absorbed, _, child_cancelled, had_tasks = close(scope)
  if #errors > 0 then error(error_group(errors, tasks), 0) end
  if not ok then
    if absorbed then return end
    error((...), 0)
  end
  if (child_cancelled and not absorbed) or not had_tasks then core.checkpoint() end
  return ...
end

---@class septet.Group
local Group = {} -- luacheck: ignore

--- Starts a task of the group.
---@param fn function
---@param ... any
---@return septet.Task
function Group:spawn(fn, ...) end -- luacheck: ignore

--- Cancels the group's body and tasks; the group then returns normally.
---@param reason string|nil
---@return boolean first
function Group:cancel(reason) end -- luacheck: ignore

core.scope_meta.__close = function(scope, err)
  if err ~= nil then
    finish(scope, false, err)
  else
    finish(scope, true)
  end
end

--- Runs fn(group, ...) and waits for every task spawned in the group: none outlives it. A failure cancels the
--- others; all errors are raised together as an ErrorGroup. Without a function it returns a group to be held
--- in a `local g <close>`.
---@async
---@param fn fun(g: septet.Group, ...)|nil
---@param ... any
---@return any ... what fn returned
function task.group(fn, ...)
  if fn == nil then return new_scope(true) end
  args.callable(fn, 1, "group")
  local scope = new_scope(true)
  return finish(scope, pcall(fn, scope, ...))
end

return task
