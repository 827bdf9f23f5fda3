-- SPDX-License-Identifier: MIT
-- spec.lua FILE: runs a file of specs. `it(name, fn)` runs fn in a task of its own, with a limit on
-- its time, and takes a census behind it: no task may be left, and no failure that no task saw.
-- Prints a line a spec, and the count that closes every run. It fails where a spec does, where the
-- file holds none, and where the file ends, by an error or by os.exit, before its last line.
local task = require "septet.task"

local LIMIT = tonumber(os.getenv "SPEC_LIMIT" or "120") -- seconds; a spec that needs them hangs
local HERE = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = HERE .. "/?.lua;" .. package.path
local compare = require "compare"

local passed, failed = 0, 0
local prefix = {}
local running = nil -- the spec's title
local exit = os.exit

function os.exit() -- luacheck: ignore
  error("a spec must not end the run", 2)
end

local function count(tree)
  local n = 0
  for _, t in ipairs(tree) do n = n + 1 + count(t.children) end
  return n
end

-- Returns a list of the failures that no task sees from here on. A spec that wants them sets
-- task.on_unhandled itself.
local function watch_unhandled()
  local lost = {}
  task.on_unhandled = function(t, err, traceback)
    lost[#lost + 1] = ("%s: %s\n%s"):format(t.name, tostring(err), traceback or "")
  end
  return lost
end

local function census(before, lost)
  collectgarbage()
  task.checkpoint() -- unseen failures are reported once a lap
  task.checkpoint()
  local left = count(task.tree()) - before
  if left ~= 0 then error(("census: %d tasks left behind"):format(left), 0) end
  if #lost > 0 then error("census: nobody saw the failure of " .. lost[1], 0) end
end

local function limited(fn)
  local t = task.spawn(fn)
  local done = task.wait({ t }, { timeout = LIMIT })
  if #done == 0 then
    local where = t:traceback()
    t:cancel "too slow"
    task.wait({ t }, { timeout = 5 })
    error("did not end in time\n" .. where, 0)
  end
  local ok, err = t:result()
  if not ok then error(("%s\n%s"):format(tostring(err), t:traceback()), 0) end
end

function _G.describe(name, fn)
  prefix[#prefix + 1] = name
  fn()
  prefix[#prefix] = nil
end

-- The title of a spec, behind the subjects that it stands under.
local function title_of(name)
  local words = {}
  for i, subject in ipairs(prefix) do
    words[i] = subject .. (subject:find "[:,]$" and " " or ": ")
  end
  return table.concat(words) .. name
end

function _G.it(name, fn)
  local title = title_of(name)
  if running then error(("spec '%s' stands inside '%s'"):format(title, running), 2) end
  running = title
  local before, lost = count(task.tree()), watch_unhandled()
  local ok, err = pcall(function()
    limited(fn)
    census(before, lost)
  end)
  task.on_unhandled = nil
  running = nil
  if ok then
    passed = passed + 1
    print("ok " .. title)
  else
    failed = failed + 1
    print("not ok " .. title)
    print("  " .. tostring(err):gsub("\n", "\n  "))
  end
end

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

local path = ...
if not path then
  io.stderr:write("usage: spec.lua FILE\n")
  exit(2)
end
local ok, err = xpcall(assert(loadfile(path)), function(e)
  return debug.traceback(tostring(e), 2)
end, path)
if not ok then
  failed = failed + 1
  print("not ok " .. path .. " ended early")
  print("  " .. err:gsub("\n", "\n  "))
end
print(("%d passed, %d failed"):format(passed, failed))
if failed > 0 or passed == 0 then exit(false) end
-- A run that passed ends by itself: the host is closed, and takes its own census.
