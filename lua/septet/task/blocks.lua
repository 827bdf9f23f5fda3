-- SPDX-License-Identifier: MIT
--- Blocks: functions that run in a scope of their own, with a deadline or shielded from
--- cancellation. Exported by `septet.task`.
---
--- To keep the results of a call, Lua needs a table. Here and in the modules beside, they are
--- passed on instead: in after_call(object, call()), the results are the last arguments. A function
--- that continues so is named after_<what>: what has returned the results.
local blocks = {}

local core = require "septet.core"
local args = require "septet.internal.args"

-- Local for speed: measured by bench/models.lua.
local is, try, raise = core.is, core.try, core.raise
local join, close, run_block = core.scope_join, core.scope_close, core.run_block
local takes = core.takes

-- Raises Usage unless `seconds` and `fn` can be the first arguments of the block `what`.
local function check(seconds, fn, what)
  args.seconds(seconds, 1, what)
  args.callable(fn, 2, what)
end

-- Ends the blocks that a scope's body left open. Returns the body's results, or false and what its
-- error became.
local function after_left_open(scope, ok, ...)
  local err = nil
  if not ok then err = ... end
  local became = core.unwind(scope, true, err)
  if rawequal(became, err) then return ok, ... end
  return false, became
end

-- Ends what a scope's body left open: blocks, then generators. Returns the body's results, or false
-- and the error of closing them.
local function close_generators(scope, ...)
  local closers, left = core.scope_closers(scope)
  if left then return close_generators(scope, after_left_open(scope, ...)) end
  if not closers then return ... end
  local closed, err, traceback = try(closers.close, closers)
  if closed then return ... end
  return false, err, traceback
end
blocks.close_generators = close_generators

-- Ends a block after its body returned `ok, ...`, in the form of core.try(). No task of the block
-- is alive when this returns. Returns true if the scope absorbed the Cancelled that unwound the
-- body, then the body's results.
local function after_body(scope, ok, ...)
  core.scope_leave(scope)
  join(scope)
  local absorbed = close(scope)
  return absorbed and not ok and is((...), "Cancelled"), ok, ...
end

local function leave(scope, ...)
  return after_body(scope, close_generators(scope, ...))
end
blocks.leave = leave

-- Returns a block's values, or nothing if the block itself was cancelled; else raises its error.
local function after_leave(absorbed, ok, ...)
  if ok then return ... end
  if not absorbed then raise(...) end
end

local function leave_block(scope, _, ...)
  return after_leave(leave(scope, ...))
end

-- Like after_leave(), but returns true before the values, and false if the block itself was
-- cancelled.
local function after_move_on(absorbed, ok, ...)
  if ok then return true, ... end
  if not absorbed then raise(...) end
  return false
end

local function leave_move_on(scope, _, ...)
  return after_move_on(leave(scope, ...))
end

-- Like after_leave(), but raises Timeout if the deadline of `scope` ended the block.
local function after_timeout(seconds, scope, absorbed, ok, ...)
  if absorbed and scope.expired then
    local _, stuck = ...
    raise(core.error { kind = "Timeout", message = ("timed out after %g s"):format(seconds),
      seconds = seconds, traceback = core.traceback(stuck) }, stuck)
  end
  return after_leave(absorbed, ok, ...)
end

local function leave_timeout(scope, seconds, ...)
  return after_timeout(seconds, scope, leave(scope, ...))
end

--- Calls fn(...) with a timeout. When it passes, fn's current or next wait raises Cancelled. Once
--- fn has unwound, timeout() raises Timeout. Tasks spawned in fn end with it.
---@async
---@param seconds number|nil nil for no timeout
---@param fn function
---@param ... any
---@return any ... what fn returned
function blocks.timeout(seconds, fn, ...)
  if not takes(seconds, fn) then check(seconds, fn, "timeout") end
  return run_block(false, false, seconds, leave_timeout, false, fn, ...)
end

--- Like timeout(), but returns false if fn is late, instead of raising Timeout.
---@async
---@param seconds number|nil nil for no timeout
---@param fn function
---@param ... any
---@return boolean in_time
---@return any ... what fn returned
function blocks.move_on_after(seconds, fn, ...)
  if not takes(seconds, fn) then check(seconds, fn, "move_on_after") end
  return run_block(false, false, seconds, leave_move_on, true, fn, ...)
end

--- Calls fn(...) shielded from cancellation and deadlines from outside. They take effect at the
--- next wait after it.
---@async
---@param fn function
---@param ... any
---@return any ... what fn returned
function blocks.shield(fn, ...)
  args.callable(fn, 1, "shield")
  return run_block(false, true, nil, leave_block, false, fn, ...)
end

--- Calls fn(...) in a shield with a timeout. For clean-up that has to wait.
---@async
---@param seconds number|nil nil for no timeout
---@param fn function
---@param ... any
---@return boolean in_time
---@return any ... what fn returned
function blocks.cleanup(seconds, fn, ...)
  if not takes(seconds, fn) then check(seconds, fn, "cleanup") end
  return run_block(false, true, seconds, leave_move_on, true, fn, ...)
end

return blocks
