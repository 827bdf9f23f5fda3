-- SPDX-License-Identifier: MIT
-- Does one kind of work N times, so that instructions.py can count its instructions or its bytes.
--
--     septet bench/instructions.lua WORK N [URL [TASKS [CA_FILE]]]
--
-- What is named "bytes: …" prints the resident bytes of the process when all N are there.
local task = require "septet.task"
local work, n, url, tasks, ca_file = ...
n, tasks = math.tointeger(n), math.tointeger(tasks or 64)

local LIST = 1000 -- items of a list that is mapped
local shared = dofile(arg[0]:gsub("[^/]*$", "peers/works.lua"))(n, url, tasks, ca_file)

local function nothing() end

-- Resident bytes of the process now.
local function resident()
  local file <close> = assert(io.open("/proc/self/status"))
  return tonumber(file:read("a"):match("VmRSS:%s*(%d+)")) * 1024
end

local works = {
  ["spawn + await"] = shared.spawn_await, ["spawn + gather"] = shared.spawn_gather,
  GET = shared.get, ["GET h2"] = shared.get_h2, stream = shared.stream,
}

-- --- tasks ---

works["map + await"] = function()
  local urls = {}
  for i = 1, LIST do urls[i] = "https://example.com/" .. i end
  for _ = 1, n // LIST do
    for _, t in ipairs(task.map(nothing, urls)) do t:await() end
  end
end

works["a task that waits once"] = function()
  local list = {}
  for _ = 1, n // LIST do
    for i = 1, LIST do list[i] = task.spawn(function() task.sleep(0) end) end
    task.gather(list)
  end
end

works["sleep(0)"] = function() shared.give_way(tasks) end

works["sleep(0) alone"] = function()
  for _ = 1, n do task.sleep(0) end
end

-- Without the check of what comes, which is more than a hundredth of it.
works["hand-off"] = function()
  local channel = require "septet.sync".channel(1)
  task.group(function(g)
    g:spawn(function() for i = 1, n do channel:send(i) end end)
    for _ = 1, n do channel:recv() end
  end)
end

works["timeout"] = function()
  for _ = 1, n do task.timeout(1, nothing) end
end

works["try"] = function()
  for _ = 1, n do task.try(nothing) end
end

-- --- a million sleeps ---

-- Calls spawn() for each and `seen` once all are asleep, and awaits them.
local function sleepers(spawn, seen)
  local list = {}
  for i = 1, n do list[i] = spawn() end
  task.sleep(0)
  if seen then return seen() end
  for i = 1, n do list[i]:await() end
end

local function one_operation() return task.spawn(task.sleep, 100) end

local function a_function() return task.spawn(function() task.sleep(100) end) end

-- Says how much there is and ends at once: that many tasks would take long to unwind.
local function say_resident()
  print(resident())
  io.stdout:flush()
  os.exit(0, false)
end

works["sleeps"] = function() sleepers(one_operation) end
works["sleeps in functions"] = function() sleepers(a_function) end
works["bytes: sleeps"] = function() sleepers(one_operation, say_resident) end
works["bytes: sleeps in functions"] = function() sleepers(a_function, say_resident) end

-- --- JSON ---

local OBJECT <const> = { id = 1, name = "a small object", tags = { "a", "b" }, done = false }

works["JSON encoded"] = function()
  local json = require "septet.json"
  for _ = 1, n do json.encode(OBJECT) end
end

works["JSON decoded"] = function()
  local json = require "septet.json"
  local text = json.encode(OBJECT)
  for _ = 1, n do json.decode(text) end
end

-- --- requests ---

works["bytes: session:get"] = function()
  local session <close> = shared.new_session()
  sleepers(function() return task.spawn(session.get, session, url) end, say_resident)
end

works["bytes: session:get in functions"] = function()
  local session <close> = shared.new_session()
  sleepers(function()
    return task.spawn(function() return session:get(url) end)
  end, say_resident)
end

works["save"] = function()
  local path <const> = os.tmpname()
  shared.save(path)
  os.remove(path)
end

works[work]()
