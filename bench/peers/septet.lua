-- SPDX-License-Identifier: MIT
-- Septet's side of peers.py: `septet septet.lua WORK N [URL TASKS [CA_FILE]]` does the work N
-- times, and prints the work, N, the CPU and the time in seconds, and the peak of the resident
-- bytes.
local task = require "septet.task"

local work, n, url, tasks, ca_file = ...
n, tasks = math.tointeger(n), math.tointeger(tasks or 64)
local works = dofile(arg[0]:gsub("[^/]*$", "works.lua"))(n, url, tasks, ca_file)

function works.yield_2() works.give_way(2) end
function works.yield_50() works.give_way(50) end

function works.sleeps()
  local list = {}
  for i = 1, n do list[i] = task.spawn(task.sleep, 1) end
  task.gather(list)
end

function works.sleeps_in_functions()
  local list = {}
  for i = 1, n do list[i] = task.spawn(function() task.sleep(1) end) end
  task.gather(list)
end

works.get_h1 = works.get

local function peak()
  local file <close> = io.open("/proc/self/status")
  return tonumber(file:read("a"):match("VmHWM:%s*(%d+)")) * 1024
end

local c0, t0 = os.clock(), task.now()
works[work](work == "save" and assert(os.getenv("SAVED"), "SAVED names no file") or nil)
print(work, n, os.clock() - c0, task.now() - t0, peak())
