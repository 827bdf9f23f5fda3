-- SPDX-License-Identifier: MIT
-- Septet's side of peers.py: `septet septet.lua WORK N [URL TASKS [CA_FILE]]` does the work N
-- times, and prints the work, N, the CPU and the time in seconds, and the peak of the resident
-- bytes.
local task = require "septet.task"

local LIST = 1000 -- tasks that are waited for together
local work, n, url, tasks, ca_file = ...
n, tasks = math.tointeger(n), math.tointeger(tasks or 64)

local function nothing() end

local works = {}

function works.start() end

function works.spawn_await()
  for _ = 1, n do task.spawn(nothing):await() end
end

function works.spawn_gather()
  local list = {}
  for _ = 1, n // LIST do
    for i = 1, LIST do list[i] = task.spawn(nothing) end
    task.gather(list)
  end
end

-- Runs fn in `count` tasks and waits for all.
local function together(count, fn)
  task.group(function(g)
    for _ = 1, count do g:spawn(fn) end
  end)
end

local function take_turns(count)
  together(count, function()
    for _ = 1, n // count do task.sleep(0) end
  end)
end

function works.yield_2() take_turns(2) end
function works.yield_50() take_turns(50) end

function works.hand_off()
  local channel = require "septet.sync".channel(1)
  local sent = task.spawn(function()
    for i = 1, n do channel:send(i) end
  end)
  local sum = 0
  for _ = 1, n do sum = sum + channel:recv() end
  sent:await()
  assert(sum == n * (n + 1) // 2, "an item was lost")
end

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

local function new_session()
  return require "septet.http".session {
    limit = tasks, limit_per_host = tasks, http2 = work == "get_h2" and "force",
    tls = ca_file and { ca_file = ca_file } or nil,
  }
end

function works.get()
  local session <close> = new_session()
  together(tasks, function()
    for _ = 1, n // tasks do
      local response = session:get(url)
      assert(response.status == 200 and #response.body == 1024, "not as expected")
    end
  end)
end

works.get_h1, works.get_h2 = works.get, works.get

-- `n` MB of a body.
function works.stream()
  local session <close> = new_session()
  local got = 0
  local response <close> = session:stream("GET", url)
  for chunk in response:chunks() do got = got + #chunk end
  assert(got == n << 20, "a part of the body is missing")
end

function works.save()
  local session <close> = new_session()
  local path = assert(os.getenv("SAVED"), "SAVED names no file")
  session:save(url, path)
end

local function peak()
  local file <close> = io.open("/proc/self/status")
  return tonumber(file:read("a"):match("VmHWM:%s*(%d+)")) * 1024
end

local c0, t0 = os.clock(), task.now()
works[work]()
print(work, n, os.clock() - c0, task.now() - t0, peak())
