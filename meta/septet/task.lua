-- SPDX-License-Identifier: MIT
---@meta _

-- Objects of septet.task, whose methods are C functions.

---@class septet.Task
---@field name string settable; "file:line#id" until it is set
---@field id integer from 1; never reused in this host
local Task = {}

--- Waits for the task to end. Cancelling the waiter does not cancel the task.
---@async
---@return any ... what its function returned; raises its error, or TaskCancelled
function Task:await() end

--- Requests cancellation: the task's current or next wait raises Cancelled.
---@param reason string|nil
---@return boolean first false if it was cancelled before or has ended
function Task:cancel(reason) end

--- Returns "pending" (never ran), "running", "suspended", "done", "failed" or "cancelled".
---@return string
function Task:status() end

--- Returns true and the task's values, or false and its error. Raises Usage if it has not ended.
---@return boolean ok, any ...
function Task:result() end

--- Returns where the task failed, or where it is now: its stack, the line that spawned it, and the
--- stacks of the tasks it waits for.
---@return string
function Task:traceback() end

--- Returns what the task waits for, or "" if it does not wait.
---@return string
function Task:waits_for() end

---@class septet.Group
---@field deadline number instant on the scale of task.now(); math.huge for none
---@field expired boolean true if its deadline has passed and cancelled it
---@field is_open boolean true if tasks can be spawned in it
local Group = {}

--- Spawns a task of the group. Raises Usage if the group is closed.
---@param fn function
---@param ... any
---@return septet.Task
function Group:spawn(fn, ...) end

--- Cancels the group's body and tasks; the group then returns normally. For a `<close>` variable it
--- cancels only the tasks: the end of a block cannot absorb what unwinds it.
---@param reason string|nil
---@return boolean first
function Group:cancel(reason) end

--- Returns true if the group or a scope around it is cancelled.
---@return boolean
function Group:is_cancelled() end

--- Moves the deadline later by `seconds`. Returns false if it is too late for that.
---@param seconds number
---@return boolean in_time
function Group:extend(seconds) end

--- Values that arrive once, for any number of tasks.
---@class septet.Future
local Future = {}

--- Completes the future with values. Raises Usage if it is done. May be called anywhere, also in a
--- callback of luv.
---@param ... any
function Future:set(...) end

--- Completes the future with an error, which await() raises. Raises Usage if it is done.
---@param error any
function Future:fail(error) end

--- Waits until the future is done, and returns its values or raises its error.
---@async
---@return any ...
function Future:await() end

--- Returns true once the future was set or has failed.
---@return boolean
function Future:is_done() end

--- Several tasks that a combinator waits for.
---@class septet.Completions
local Completions = {}

--- Waits for tasks of the set. "next" returns the index of the next ended task, or nil after the
--- last. The others return nothing, and end when all tasks have ended. "first" waits for an end,
--- "failure" for an error, "not_done" for an error or a cancellation, and "all" for all. "over" is
--- for cancelled tasks: it waits for all except those that wait for it.
---@async
---@param until_ "next"|"first"|"failure"|"not_done"|"all"|"over"
---@return integer|nil
function Completions:wait(until_) end

--- Like wait("next"), but never waits. Returns nil if no further task has ended.
---@return integer|nil
function Completions:take() end

--- Returns the index of the first task that failed or was cancelled and was not handed out, or nil.
---@return integer|nil
function Completions:not_done() end

--- Replaces each task of an array, which must be done, by its first result. Returns the array. It
--- may be that of the set, and so ends the set.
---@param tasks septet.Task[]
---@return any[]
function Completions:results(tasks) end

--- Returns the tasks that have ended and were not handed out, in the order of their ends, and the
--- live ones.
---@return septet.Task[] ended
---@return septet.Task[] live
function Completions:split() end

--- Ends the subscriptions.
function Completions:close() end

--- A module that is being loaded by a task.
---@class septet.Load
local Load = {}

--- Wakes all the tasks that wait for the load.
function Load:finish() end

--- Waits for the end of the load. Returns false as soon as the loading task waits for the running
--- one, directly or through others.
---@async
---@return boolean
function Load:wait() end

--- Returns the ids of the tasks through which the loading task waits for the running one.
---@return integer[]
function Load:path() end
