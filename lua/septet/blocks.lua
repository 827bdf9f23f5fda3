--- Blocks: functions that run in a scope of their own, with a deadline or out of reach of cancellation from
--- outside. `septet.task` gives them out.
local blocks = {}

local core = require "septet.core"
local args = require "septet.args"

local is, try, raise = core.is, core.try, core.raise
local new_scope, join, close = core.scope, core.scope_join, core.scope_close

-- Ends the blocks that the body of a scope left open. Returns what the body gave, or what its error has become.
local function end_left(scope, ok, ...)
  local err = nil
  if not ok then err = ... end
  local became = core.unwind(scope, true, err)
  if rawequal(became, err) then return ok, ... end
  return false, became
end

-- Ends what the body of a scope left open: blocks, then generators. Returns what the body gave, or their error.
local function close_generators(scope, ...)
  local closers, left = core.scope_closers(scope)
  if left then return close_generators(scope, end_left(scope, ...)) end
  if not closers then return ... end
  local closed, err, traceback = try(closers.close, closers)
  if closed then return ... end
  return false, err, traceback
end
blocks.close_generators = close_generators

-- Ends a block whose body gave `ok, ...`, as core.try has it: no task of it lives when this returns. Returns whether
-- the scope absorbed the Cancelled that unwound the body, and what the body gave.
local function ended(scope, ok, ...)
  core.scope_leave(scope)
  join(scope)
  local absorbed = close(scope)
  return absorbed and not ok and is((...), "Cancelled"), ok, ...
end

local function leave(scope, ...)
  return ended(scope, close_generators(scope, ...))
end
blocks.leave = leave

-- The values of a block, nothing where it was cancelled itself, or its error.
local function values(absorbed, ok, ...)
  if ok then return ... end
  if not absorbed then raise(...) end
end

-- The same behind a word on whether it ran to its end.
local function moved_on(absorbed, ok, ...)
  if ok then return true, ... end
  if not absorbed then raise(...) end
  return false
end

-- The same, with a Timeout where the deadline of `scope` ended the block.
local function in_time(seconds, scope, absorbed, ok, ...)
  if absorbed and scope.expired then
    local _, stuck = ...
    raise(core.error { kind = "Timeout", message = ("timed out after %g s"):format(seconds), seconds = seconds,
      traceback = core.traceback(stuck) }, stuck)
  end
  return values(absorbed, ok, ...)
end

--- Calls fn(...), for at most so many seconds: then its wait, or its next one, raises Cancelled, and when it has
--- unwound this raises Timeout. Tasks spawned in fn end with it.
---@async
---@param seconds number|nil none for no limit
---@param fn function
---@param ... any
---@return any ... what fn returned
function blocks.timeout(seconds, fn, ...)
  args.seconds(seconds, 1, "timeout")
  args.callable(fn, 2, "timeout")
  local scope = new_scope(false, false, seconds)
  return in_time(seconds, scope, leave(scope, try(fn, ...)))
end

--- As timeout, but being late is no error.
---@async
---@param seconds number|nil none for no limit
---@param fn function
---@param ... any
---@return boolean in_time
---@return any ... what fn returned
function blocks.move_on_after(seconds, fn, ...)
  args.seconds(seconds, 1, "move_on_after")
  args.callable(fn, 2, "move_on_after")
  local scope = new_scope(false, false, seconds)
  return moved_on(leave(scope, try(fn, ...)))
end

--- Calls fn(...) out of reach of cancellation and deadlines from outside; they are felt at the next wait after it.
---@async
---@param fn function
---@param ... any
---@return any ... what fn returned
function blocks.shield(fn, ...)
  args.callable(fn, 1, "shield")
  local scope = new_scope(false, true)
  return values(leave(scope, try(fn, ...)))
end

--- Calls fn(...) out of reach of cancellation, for at most so many seconds: for what must be done on the way out
--- and has to wait for it.
---@async
---@param seconds number|nil none for no limit
---@param fn function
---@param ... any
---@return boolean in_time
---@return any ... what fn returned
function blocks.cleanup(seconds, fn, ...)
  args.seconds(seconds, 1, "cleanup")
  args.callable(fn, 2, "cleanup")
  local scope = new_scope(false, true, seconds)
  return moved_on(leave(scope, try(fn, ...)))
end

return blocks
