-- SPDX-License-Identifier: MIT
--- For tests of scripts: a clock that they control, order among their tasks, and a server. Run
--- those that control the clock with `septet --virtual-time`.
---@class septet.testing
local testing = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local sync = require "septet.sync"

--- Waits until no other task can run before the clock moves or an outside event arrives.
---@async
testing.wait_all_blocked = core.wait_idle

--- Advances the clock from deadline to deadline. All tasks that a deadline makes ready run before
--- the next one. On return, every other task waits.
---@async
---@param seconds number
function testing.advance(seconds)
  args.seconds(seconds, 1, "advance")
  local left
  repeat left = core.clock_advance(seconds or 0, left) until left == 0
  core.wait_idle()
end

--- Advances the clock as if the running task had computed that long. Nothing else runs.
---@param seconds number
function testing.busy(seconds)
  args.seconds(seconds, 1, "busy")
  core.clock_jump(seconds or 0)
end

--- Sets the wall clock forward, or back by a negative number, as an administrator does.
--- `task.now` and all waits go on unchanged.
---@param seconds number
function testing.step_wall_clock(seconds)
  if type(seconds) ~= "number" or seconds ~= seconds then
    args.usage("bad argument #1 to 'step_wall_clock' (seconds expected, got %s)",
      type(seconds) == "number" and "nan" or type(seconds))
  end
  core.wall_step(seconds)
end

--- Sets whether the clock jumps by itself when no task can run (the default), or only by `advance`.
---@param on boolean
---@return boolean before
function testing.autojump(on)
  return not core.clock_manual(not on)
end

--- Returns a function that orders steps of several tasks: called with n, it waits for turn n. A
--- turn ends when its task waits. Each number, from 1, is used once.
---@return fun(n: integer)
function testing.sequencer()
  local turns, taken = {}, {}
  local function turn(n)
    turns[n] = turns[n] or sync.event()
    return turns[n]
  end
  turn(1):set()
  ---@async
  return function(n)
    if math.type(n) ~= "integer" or n < 1 then
      args.usage("bad turn of a sequencer (a whole number from 1 expected)")
    elseif taken[n] then
      args.usage("turn %d of the sequencer was taken before", n)
    end
    taken[n] = true
    turn(n):wait()
    if n > 1 then core.wait_idle() end
    turn(n + 1):set()
  end
end

--- Serves HTTP/1.1 on a free port of 127.0.0.1: calls the handler for each request and sends what
--- it returns. For tests and small tools. It is not meant for the internet. Raises IoError.
---@param handler fun(request: septet.ServedRequest): septet.Answer|string|integer|nil
---@param options septet.ServeOptions|nil
---@return septet.TestServer
function testing.serve(handler, options)
  return require "septet.testing.server".new(handler, options)
end

return args.module(testing, "septet.testing")
