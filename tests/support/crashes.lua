-- SPDX-License-Identifier: MIT
--- Processes that work on one queue and are killed at random, and what must be true afterwards.
local crashes = {}

local fs, jobs, process = require "septet.fs", require "septet.jobs", require "septet.process"
local task = require "septet.task"
local command = require "command"

local HERE = debug.getinfo(1, "S").source:match "^@(.*)/" or "."

--- The number of jobs: a tenth of what `./dev test slow jobs` takes.
crashes.JOBS = tonumber(os.getenv "SEPTET_CRASH_JOBS" or "2000")
crashes.WORKERS = 8 -- of a process
crashes.KILL_EVERY = 0.2 -- seconds

--- What happens to a queue. `folder` has the log of the runs.
---@class Crash
local Crash = {}
Crash.__index = Crash

--- Begins on the queue at a URL. It has `n` jobs in the end: of each four, three are put by the
--- first.
---@async
function crashes.new(url, n)
  local folder = fs.temp_dir()
  local seed = tonumber(os.getenv "SEPTET_CRASH_SEED") or os.time()
  math.randomseed(seed)
  return setmetatable({ url = url, n = n, folder = folder, log = folder.path .. "/runs",
    kills = 0, seed = seed, processes = {} }, Crash)
end

--- Starts a process that puts the jobs, and then works until none is left.
---@async
function Crash:start()
  local p = process.spawn { command.path, HERE .. "/crash_worker.lua", self.url, self.log,
    tostring(self.n), tostring(crashes.WORKERS), stdin = "null", stdout = "null",
    stderr = "inherit", background = true, grace = 0 }
  self.processes[#self.processes + 1] = { process = p, ended = task.background(p.wait, p) }
end

--- Kills the i-th process. Returns false if it has ended by itself.
---@async
function Crash:kill(i)
  local one = self.processes[i]
  one.process:kill "KILL"
  local code, signal = one.ended:await()
  if not signal then
    equal(code, 0, self:words())
    return false
  end
  self.kills = self.kills + 1
  table.remove(self.processes, i).process:close()
  return true
end

--- Waits for the processes that are left, each of which ends by itself.
---@async
function Crash:finish()
  for _, one in ipairs(self.processes) do
    equal(one.ended:await(), 0, self:words())
    one.process:close()
  end
  self.processes = {}
end

function Crash:words()
  return ("%d jobs, %d kills, SEPTET_CRASH_SEED=%d"):format(self.n, self.kills, self.seed)
end

--- Kills a random one of four processes every now and then, until one ends by itself.
---@async
function Crash:torment()
  for _ = 1, 4 do self:start() end
  repeat
    local waits = {}
    for i, one in ipairs(self.processes) do waits[i] = one.ended end
    local done = task.wait(waits, { timeout = crashes.KILL_EVERY, return_when = "FIRST_COMPLETED" })
    if #done == 0 then
      if not self:kill(math.random(#self.processes)) then break end
      self:start()
    end
  until #done > 0
  self:finish()
end

--- Checks that each key has exactly one result, that nothing is left or dead, and that no more ran
--- than the kills account for.
---@async
function Crash:check()
  local q <close> = jobs.open(self.url)
  local seen, n = {}, 0
  for key, result in q:results() do
    equal({ seen[key], result.key }, { nil, key }, self:words())
    seen[key], n = true, n + 1
  end
  equal(n, self.n, self:words())
  local stats = q:stats()
  equal({ stats.pending, stats.waiting, stats.delayed, stats.leased, stats.done, stats.dead },
    { 0, 0, 0, 0, self.n, 0 }, self:words())
  equal(q:check(), {}, self:words())
  local runs = 0
  for _ in io.lines(self.log) do runs = runs + 1 end
  local most = self.n + self.kills * crashes.WORKERS
  if runs < self.n or runs > most then
    error(("%d runs, at most %d expected: %s"):format(runs, most, self:words()), 2)
  end
  print(("%s, %d runs"):format(self:words(), runs))
end

---@async
function Crash:close()
  for _, one in ipairs(self.processes) do
    one.process:kill "KILL"
    one.process:close()
  end
  self.folder:close()
end
Crash.__close = Crash.close

return crashes
