-- SPDX-License-Identifier: MIT
-- Runs before each file of specs: functions for them, and modules of this folder.
local task = require "septet.task"

local HERE = (...):match "^(.*)/[^/]*$" or "."
package.path = HERE .. "/?.lua;" .. package.path
local compare = require "compare"

--- The folder of the modules that specs share.
_G.SUPPORT = HERE

--- How the specs run: "plain"; "shuffle", in an order drawn by lot; "hostile", with a collection at
--- each wait.
_G.MODE = os.getenv "SPEC_MODE" or "plain"

--- A spec that states an order of running, which a shuffled run does not keep.
function _G.in_order(name, fn)
  if MODE ~= "shuffle" then it(name, fn) end
end

--- n, or much less where a collection at each wait makes n too long.
function _G.many(n)
  return MODE == "hostile" and n // 50 or n
end

--- Checks that two values are the same, tables field by field. The error names the fields that
--- differ.
function _G.equal(got, expected, what)
  local difference = compare.difference(got, expected)
  if difference then error((what and what .. ": " or "") .. difference, 2) end
end

--- fn(...) must raise; returns what it raised, and checks that its words contain `pattern` if
--- given.
function _G.raises(pattern, fn, ...)
  local result = table.pack(pcall(fn, ...))
  if result[1] then error("expected an error", 2) end
  local err = result[2]
  if pattern and not tostring(err):find(pattern) then
    error(("expected an error like %q, got %q"):format(pattern, tostring(err)), 2)
  end
  return err
end

--- Checks the fields of an error of ours: raises_error({kind = "HttpError", code = "dns"}, fn,
--- ...). Returns it.
function _G.raises_error(fields, fn, ...)
  local result = table.pack(pcall(fn, ...))
  if result[1] then error("expected an error", 2) end
  local err = result[2]
  if not task.is(err) then
    error(("expected an error of ours, got %s"):format(compare.show(err)), 2)
  end
  for name, value in pairs(fields) do
    if not compare.same(err[name], value) then
      local there = compare.show(err[name])
      error(("expected %s %s, got %s: %s"):format(name, compare.show(value), there, tostring(err)),
        2)
    end
  end
  return err
end

--- What a run of the command printed, without its warnings of slow turns: on a busy machine any
--- turn may be one.
function _G.without_slow(printed)
  local words = "septet: warning: task '[^']*' ran for [%d.]+ s without waiting, at [^\n]*\n"
  return (printed:gsub(words, ""))
end

--- Runs fn(...) while another task takes turn after turn; returns how many it took, then what fn
--- gave. Fails where the other one was held up all the time.
function _G.with_ticker(fn, ...)
  local turns = 0
  local ticker = task.spawn(function()
    while true do
      task.checkpoint()
      turns = turns + 1
    end
  end)
  local result = table.pack(pcall(fn, ...))
  ticker:cancel()
  pcall(ticker.await, ticker)
  if not result[1] then error(result[2], 0) end
  if turns == 0 then error("nothing else ran meanwhile", 2) end
  return turns, table.unpack(result, 2, result.n)
end

--- Calls fn, which misuses something on its only line (or, where it has several, on its second):
--- Usage must be raised, say `pattern`, and begin with that file and line. Returns the error.
function _G.misuse(pattern, fn)
  local ok, err = pcall(fn)
  if ok then error("expected an error", 2) end
  if not task.is(err, "Usage") then error("expected Usage, got " .. tostring(err), 2) end
  if not err.message:find(pattern) then
    error(("expected an error like %q, got %q"):format(pattern, err.message), 2)
  end
  local where = debug.getinfo(fn, "S")
  local at = where.linedefined + (where.lastlinedefined > where.linedefined and 1 or 0)
  local place = ("%s:%d: "):format(where.short_src, at)
  if err.message:sub(1, #place) ~= place then
    error(("expected the error at %s, got %q"):format(place, err.message), 2)
  end
  return err
end

--- The line of the script where this is called.
function _G.line()
  return debug.getinfo(2, "l").currentline
end

--- Gives way n times: a task that takes more turns than another, started together with it, ends
--- after it.
function _G.turns(n)
  for _ = 1, n do task.checkpoint() end
end

--- Something to wait for: gate:wait() returns once gate:open() has been called.
function _G.gate()
  local closed = task.spawn(task.sleep, math.huge)
  return {
    wait = function() task.wait { closed } end,
    open = function() closed:cancel() end,
  }
end
