--- For the tests of scripts: time that moves when they say so, and order among their tasks. Run them with
--- `septet --virtual-time`.
---@class septet.testing
local testing = {}

local core = require "septet.core"
local args = require "septet.args"
local sync = require "septet.sync"

--- Waits until no other task can run before the clock moves or something happens in the world.
---@async
testing.wait_all_blocked = core.quiet

--- Moves the clock on, from deadline to deadline: what falls due runs, and what that begins, before the next one.
--- When it returns every other task waits.
---@async
---@param seconds number
function testing.advance(seconds)
  args.seconds(seconds, 1, "advance")
  local left
  repeat left = core.clock_advance(seconds or 0, left) until left == 0
  core.quiet()
end

--- Moves the clock on as if the running task had computed for so long: nothing else runs.
---@param seconds number
function testing.busy(seconds)
  args.seconds(seconds, 1, "busy")
  core.clock_jump(seconds or 0)
end

--- Says whether the clock jumps by itself when no task can run, as it does at first, or only by `advance`.
---@param on boolean
---@return boolean before
function testing.autojump(on)
  return not core.clock_manual(not on)
end

--- Puts steps of several tasks in order: the function it returns, called with n, waits until it is the turn of n.
--- A turn ends when its task waits; each number is used once, from 1.
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
    if n > 1 then core.quiet() end
    turn(n + 1):set()
  end
end

return args.module(testing, "septet.testing")
