-- SPDX-License-Identifier: MIT
--- Tasks: spawning, waiting for one or several, groups. Functions that may wait are marked `async`.
--- All others return at once and never let another task run.
---@class septet.task
local task = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local blocks = require "septet.task.blocks"
local combinators = require "septet.task.combinators"
local generator = require "septet.task.generator"
local group = require "septet.task.group"
local loader = require "septet.task.loader"
local locals = require "septet.task.locals"
local thread = require "septet.task.thread"

---@class septet.GatherOptions
---@field limit integer|nil number of functions that run at once; all
---@field settled boolean|nil true: raises no member's error, and each result has a `status` and a
---`value` or an `error`; false

---@class septet.WaitOptions
---@field timeout number|nil seconds after which it returns in any case; no limit
---@field return_when "ALL_COMPLETED"|"FIRST_COMPLETED"|"FIRST_EXCEPTION"|nil when; "ALL_COMPLETED"

---@class septet.AsCompletedOptions
---@field timeout number|nil seconds for the whole loop, after which a step raises Timeout; no limit

task.timeout = blocks.timeout
task.move_on_after = blocks.move_on_after
task.shield = blocks.shield
task.cleanup = blocks.cleanup
task.gather = combinators.gather
task.race = combinators.race
task.wait = combinators.wait
task.as_completed = combinators.as_completed
task.map = combinators.map
task.group = group.group
task.pool = group.pool
task.generator = generator.new
task.require = loader.require
task.var = locals.var
task.thread = thread.thread

--- Spawns a task that calls fn(...). It belongs to the innermost block that is open here, or else
--- to the running task. It first runs once the running task waits.
---@param fn function
---@param ... any
---@return septet.Task
task.spawn = core.spawn

--- Like spawn(), but the task belongs to the whole run. It continues when its spawner ends, and is
--- cancelled when the last main task has ended. If it fails, that is reported at once.
---@param fn function
---@param ... any
---@return septet.Task
task.background = core.background

--- Waits for at least `seconds`. sleep(0) lets other tasks run.
---@async
---@param seconds number
task.sleep = core.sleep

--- Waits until `now()` has reached an instant; never returns early. If it has passed, only lets
--- other tasks run.
---@async
---@param instant number on the scale of `now()`
task.sleep_until = core.sleep_until

--- Iterates over instants that are a period apart, starting a period from now. Each step waits for
--- the next instant. The time that the loop's body takes does not shift them; missed instants are
--- skipped.
---@async
---@param seconds number more than 0
---@return fun(): integer n number of periods that have passed
function task.every(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds or seconds <= 0 then
    args.usage("bad argument #1 to 'every' (seconds, more than 0, expected, got %s)",
      type(seconds) == "number" and tostring(seconds) or type(seconds))
  end
  local start, n = core.now(), 0
  return function()
    local passed = (core.now() - start) / seconds
    -- An instant that is now, up to rounding, is not missed.
    n = math.max(n + 1, math.ceil(passed - 1e-6))
    core.sleep_until(start + n * seconds)
    return n
  end
end

--- Creates a future: values that arrive once, from a task or a callback of libuv.
---@return septet.Future
task.future = core.future

--- Lets other tasks run once. Raises Cancelled if the task was cancelled.
---@async
task.checkpoint = core.checkpoint

--- Returns the time in seconds on the host's clock, which never goes backwards. Only differences
--- are meaningful.
---@return number seconds
task.now = core.now

--- Returns the running task, or nil outside of tasks.
---@return septet.Task|nil
task.current = core.current

--- A task in the tree of tasks.
---@class septet.TreeNode
---@field id integer
---@field name string
---@field status string as of task:status()
---@field waits_for string "" if it does not wait
---@field spawned_at string|nil "file:line"; nil: the host spawned it
---@field children septet.TreeNode[]

--- Returns the live tasks as a tree, with the main tasks first.
---@return septet.TreeNode[]
task.tree = core.tree

--- Returns true if the value is a Septet error of the given kind ("HttpError", "Cancelled", ...),
--- or of any kind if `kind` is nil.
---@param value any
---@param kind string|nil
---@return boolean
task.is = core.is

--- Returns true if the value is the Cancelled that unwinds a cancelled task.
---@param value any
---@return boolean
function task.is_cancelled(value)
  return core.is(value, "Cancelled")
end

-- Returns true if the error unwinds a function, which must not handle it.
local function unwinds(err)
  return core.is(err, "Cancelled") or core.is(err, "GeneratorClosed")
end

local function after_pcall(ok, ...)
  if ok then return true, ... end
  local err, traceback = ...
  if unwinds(err) then core.raise(err, traceback) end
  return false, err
end

--- Like pcall(), but lets Cancelled and GeneratorClosed pass. For code that handles errors and
--- tries again.
---@async
---@param fn function
---@param ... any
---@return boolean ok
---@return any ... what fn returned, or its error
function task.pcall(fn, ...)
  return after_pcall(core.try_unwinding(fn, ...))
end

local function after_try(ok, ...)
  if ok then return true, ... end
  local err, traceback = ...
  if unwinds(err) then core.raise(err, traceback) end
  return false, err, core.traceback(traceback)
end

--- Like task.pcall(), but also returns the traceback of the error.
---@async
---@param fn function
---@param ... any
---@return boolean ok
---@return any ... what fn returned, or its error and the traceback
function task.try(fn, ...)
  return after_try(core.try(fn, ...))
end

--- Returns the innermost block (group, timeout, shield, ...) open in the running task, or nil if
--- there is none.
---@return septet.Group|nil
task.scope = core.current_scope

--- Returns the instant, on the scale of `now()`, of the deadline in force. It is math.huge if there
--- is none, and -math.huge once the task is cancelled.
---@return number
task.deadline = core.deadline

--- Called as on_unhandled(task, error, traceback) for each failure that no task observed. Runs
--- outside of tasks and must not wait. If nil, the host reports these failures and counts them as
--- the run's.
---@type fun(t: septet.Task, error: any, traceback: string|nil)|nil
task.on_unhandled = nil

setmetatable(args.functions(task), {
  __index = function(_, key)
    if key ~= "on_unhandled" then return args.no_field("septet.task", key, task) end
  end,
  __newindex = function(self, name, value)
    if name ~= "on_unhandled" then
      args.usage("septet.task has no variable '%s' to set; only 'on_unhandled'", tostring(name))
    elseif type(value) ~= "function" and value ~= nil then
      args.usage("bad value for task.on_unhandled (function expected, got %s)", type(value))
    end
    rawset(self, name, value)
  end,
})

return task
