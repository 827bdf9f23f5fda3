-- SPDX-License-Identifier: MIT
-- Measures what a task costs: asleep among 100 000, spawned and joined a million times, yielding.
--
--     septet bench/tasks.lua [--check]
--
-- Measures plain coroutines in the same run. Under `lua5.4` it measures them alone, so that Lua's
-- own coroutine functions can be compared with those that Septet gives to scripts.
local found, task = pcall(require, "septet.task")

local SLEEPERS, SLEEP_S = 100000, 1
local MARKS = { 100000, 500000, 1000000 } -- spawn-and-joins so far, when memory is read
local STEPS, REPEATS = 200000, 5

-- What `--check` holds to.
local MAX_SLEEPERS_CPU_S = 1
local MAX_GROWTH_MB = 1 -- from the first mark to the last: 1.2 bytes a task

local function say(format, ...)
  print(string.format(format, ...))
end

-- A field of /proc/self/status in MB, 0 where there is none.
local function memory_mb(field)
  local file = io.open("/proc/self/status")
  if not file then
    return 0
  end
  local kb = file:read("a"):match(field .. ":%s*(%d+)")
  file:close()
  return (tonumber(kb) or 0) / 1024
end

-- Lua's heap in MB, after everything unreachable is gone.
local function heap_mb()
  collectgarbage()
  collectgarbage()
  return collectgarbage("count") / 1024
end

-- The median CPU of one of the `STEPS` steps that `body` takes, in ns.
local function ns_per_step(body)
  local all = {}
  for i = 1, REPEATS do
    collectgarbage()
    local c0 = os.clock()
    body(STEPS)
    all[i] = (os.clock() - c0) / STEPS * 1e9
  end
  table.sort(all)
  return all[(REPEATS + 1) // 2]
end

local function nothing() end

-- --- plain coroutines ---

local function create_and_resume(steps)
  for _ = 1, steps do
    coroutine.resume(coroutine.create(nothing))
  end
end

local function resume_and_yield(steps)
  local co = coroutine.create(function()
    while true do
      coroutine.yield()
    end
  end)
  for _ = 1, steps do
    coroutine.resume(co)
  end
end

-- --- tasks ---

local function spawn_and_join(steps)
  for _ = 1, steps do
    task.spawn(nothing):await()
  end
end

local function sleep_0(steps)
  for _ = 1, steps do
    task.sleep(0)
  end
end

-- Returns the CPU in s. All are asleep at once, or it is an error.
local function many_sleepers()
  local asleep, most, tasks = 0, 0, {}
  local heap0, c0, t0 = heap_mb(), os.clock(), task.now()
  local function sleeper()
    asleep = asleep + 1
    most = math.max(most, asleep)
    task.sleep(SLEEP_S)
    asleep = asleep - 1
  end
  for i = 1, SLEEPERS do
    tasks[i] = task.spawn(sleeper)
  end
  task.sleep(0)
  local heap = collectgarbage("count") / 1024
  for i = 1, SLEEPERS do
    tasks[i]:await()
  end
  local cpu = os.clock() - c0
  assert(most == SLEEPERS, "the sleepers were not asleep at once")
  say("%d tasks asleep at once: %.3f s of CPU, %.2f s in all, %.0f MB of Lua heap (%.0f B each), "
    .. "peak RSS %.0f MB",
    SLEEPERS, cpu, task.now() - t0, heap, (heap - heap0) * 2 ^ 20 / SLEEPERS, memory_mb("VmHWM"))
  return cpu
end

-- Returns how much the Lua heap and the resident set grew from the first mark to the last, in MB.
local function million_joins()
  local heaps, rss, done = {}, {}, 0
  for i, mark in ipairs(MARKS) do
    spawn_and_join(mark - done)
    done = mark
    heaps[i], rss[i] = heap_mb(), memory_mb("VmRSS")
    say("after %7d spawn-and-joins: %.3f MB of Lua heap, RSS %.2f MB", mark, heaps[i], rss[i])
  end
  return heaps[#heaps] - heaps[1], rss[#rss] - rss[1]
end

local function say_coroutines()
  say("coroutine.create + resume %8.0f ns", ns_per_step(create_and_resume))
  say("resume + yield            %8.0f ns", ns_per_step(resume_and_yield))
end

if not found then
  say_coroutines()
  return
end

-- Memory first: the sleepers leave a large heap behind, in which growth would not show.
local heap_growth, rss_growth = million_joins()
say("spawn + join              %8.0f ns", ns_per_step(spawn_and_join))
say("sleep(0)                  %8.0f ns", ns_per_step(sleep_0))
say_coroutines()
local cpu = many_sleepers()

if arg[1] == "--check" then
  local where = "%s: %.3f is more than %.3f"
  assert(cpu <= MAX_SLEEPERS_CPU_S,
    where:format("CPU of the sleepers in s", cpu, MAX_SLEEPERS_CPU_S))
  assert(heap_growth <= MAX_GROWTH_MB,
    where:format("growth of the Lua heap in MB", heap_growth, MAX_GROWTH_MB))
  assert(rss_growth <= MAX_GROWTH_MB,
    where:format("growth of the resident set in MB", rss_growth, MAX_GROWTH_MB))
end
