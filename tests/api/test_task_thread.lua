-- SPDX-License-Identifier: MIT
-- Scripts of test_task_thread.c.
-- check: allow blocks
local task = require "septet.task"

local scripts = {}

function scripts.it_is_denied()
  local ok, err = pcall(task.thread, function() end)
  assert(not ok and task.is(err, "IoError") and err.code == "denied", tostring(err))
  assert(err.path == "task.thread")
end

function scripts.it_runs()
  assert(task.thread(function(n) return n + 1 end, 1) == 2)
end

function scripts.it_only_computes()
  local names, in_os, in_debug, bytecode, failed = task.thread(function()
    local function list(t)
      local found = {}
      for name in pairs(t) do found[#found + 1] = name end
      table.sort(found)
      return table.concat(found, " ")
    end
    local failures = {}
    for name, fn in pairs { dofile = dofile, dump = string.dump, print = print, exit = os.exit } do
      if pcall(fn, print) then failures[#failures + 1] = name end
    end
    local _, refusal = load("\27Lua", "x", "b")
    return list(_G), list(os), list(debug), refusal, #failures
  end)
  assert(names == "_G _VERSION assert collectgarbage coroutine debug dofile error getmetatable "
    .. "ipairs load loadfile math next os pairs pcall print rawequal rawget rawlen rawset select "
    .. "setmetatable string table tonumber tostring type utf8 warn xpcall", names)
  assert(in_os == "clock date difftime execute exit setlocale time", in_os)
  assert(in_debug == "getinfo sethook traceback", in_debug)
  assert(bytecode:find "attempt to load a binary chunk", bytecode)
  assert(failed == 0)
end

function scripts.its_memory_is_limited()
  for _, options in ipairs { {}, { memory = 1 << 40 }, { memory = 8 * 1024 * 1024 } } do
    local ok, err = pcall(task.thread, options, function() return #("x"):rep(100000000) end)
    assert(not ok and task.is(err, "ThreadError") and err.code == "memory", tostring(err))
    assert(err.memory == 8 * 1024 * 1024)
  end
end

function scripts.it_does_not_print()
  local ok, message = pcall(task.thread, function() print "x" end)
  assert(not ok and message:find "there is no 'print' in a thread", message)
end

function scripts.many_run()
  local list = {}
  for i = 1, 200 do list[i] = i end
  local results = task.gather(task.map(function(i)
    return task.thread(function(n)
      local t = {}
      for k = 1, 200 do t[k] = { k * n, tostring(k) } end
      return t
    end, i)
  end, list))
  for i, t in ipairs(results) do assert(#t == 200 and t[7][1] == 7 * i and t[7][2] == "7") end
end

local function spin()
  while true do end
end

function scripts.some_spin()
  for _ = 1, 3 do task.spawn(task.thread, spin) end
  task.sleep(0.02)
  _G.ready = 1 -- luacheck: ignore
  task.sleep(1e6)
end

function scripts.many_wait()
  for _ = 1, 100 do task.spawn(task.thread, spin) end
  task.sleep(1e6)
end

return scripts
