-- SPDX-License-Identifier: MIT
-- The scripts of test_hogs.c: code that computes without end. Each is a function of a table.
-- check: allow blocks, global-in-function
local task = require "septet.task"

local function spin() while true do end end

local function closing(fn) return setmetatable({}, { __close = fn }) end

local before = coroutine.create(spin)
local before_wrapped = coroutine.wrap(spin)

-- luacheck: globals ticks
local hogs = {
  loop = spin,
  recursion = function() -- without a stack: a tail call
    local function f() return f() end
    f()
  end,
  pcall_loop = function() while true do pcall(spin) end end,
  pcall_nested = function()
    local function f() pcall(f) while true do pcall(spin) end end
    f()
  end,
  task_pcall = function() while true do task.pcall(spin) end end,
  coroutine_before = function() coroutine.resume(before) spin() end,
  coroutine_before_wrapped = function() pcall(before_wrapped) spin() end,
  coroutine_after = function() while true do coroutine.resume(coroutine.create(spin)) end end,
  coroutine_in_coroutine = function()
    coroutine.wrap(function() coroutine.wrap(function() pcall(spin) spin() end)() end)()
  end,
  many_coroutines = function()
    while true do coroutine.wrap(function() for _ = 1, 40 do end end)() end
  end,
  a_coroutine_that_yields = function()
    local co = coroutine.wrap(function() while true do coroutine.yield() end end)
    while true do co() end
  end,
  iterator = function() for _ in coroutine.wrap(spin) do end end,
  close = function()
    local _ <close> = closing(spin)
  end,
  close_after_the_limit = function()
    local _ <close> = closing(function() pcall(spin) spin() end)
    spin()
  end,
  close_of_a_coroutine = function()
    local co = coroutine.create(function()
      local _ <close> = closing(spin)
      coroutine.yield()
    end)
    coroutine.resume(co)
    coroutine.close(co)
    spin()
  end,
  handler = function() xpcall(error, spin) spin() end,
  handler_after_the_limit = function() while true do xpcall(spin, spin) end end,
  handler_in_a_handler = function()
    local function handler() xpcall(error, spin) pcall(spin) spin() end
    while true do xpcall(error, handler) end
  end,
  handler_in_a_coroutine = function()
    while true do pcall(coroutine.wrap(function() xpcall(error, spin) spin() end)) end
  end,
  handler_that_fails = function()
    local function handler() spin() error "again" end
    while true do xpcall(error, handler) end
  end,
  gsub = function() while true do pcall(string.gsub, "x", ".", spin) end end,
  sort = function() while true do pcall(table.sort, { 1, 2, 3 }, spin) end end,
  index = function() return setmetatable({}, { __index = spin }).x end,
  concat = function() return setmetatable({}, { __concat = spin }) .. "x" end,
  tostring = function()
    while true do pcall(tostring, setmetatable({}, { __tostring = spin })) end
  end,
  load = function() while true do pcall(load, spin) end end,
  require = function()
    package.preload.spins = spin
    while true do pcall(require, "spins") end
  end,
  group = function() task.group(function(g) g:spawn(task.sleep, 1000) spin() end) end,
  group_closing = function()
    local g <close> = task.group()
    g:spawn(task.sleep, 1000)
    while true do pcall(spin) end
  end,
  timeout = function() task.timeout(1000, spin) end,
  shield = function() task.shield(function() while true do pcall(spin) end end) end,
  generator = function() for _ in task.generator(function() spin() end) do end end,
  after_a_wait = function() task.sleep(0) spin() end,
  child = function() task.spawn(spin):await() end,
}

-- What goes on while they are ended.
function hogs.neighbour()
  for i = 1, 100 do
    task.sleep(0)
    ticks = i
  end
end

return hogs
