-- SPDX-License-Identifier: MIT
-- process.lua TOTAL AT_ONCE [MIB]: runs "true" TOTAL times, AT_ONCE at a time, as spawn.c does.
-- With MIB, a script that has so much memory, which prints how long a ticker waited at most.
local process, task = require "septet.process", require "septet.task"

local total, at_once = tonumber(arg[1]), tonumber(arg[2])
local mib = tonumber(arg[3] or 0)
local held = {}
for i = 1, mib do held[i] = ("%d"):format(i % 10):rep(1024 * 1024) end

local started = 0
local function work()
  while started < total do
    started = started + 1
    if process.run({ "true" }).code ~= 0 then error "the child failed" end
  end
end

local longest, last = 0, nil
local ticker = mib > 0 and task.spawn(function()
  while true do
    last = task.now()
    task.sleep(0.001)
    longest = math.max(longest, task.now() - last - 0.001)
  end
end)

local began = task.now()
local workers = {}
for i = 1, at_once do workers[i] = task.spawn(work) end
task.gather(workers)
local seconds = task.now() - began
if ticker then ticker:cancel() end
print(("%d processes %.6f s"):format(started, seconds))
if ticker then print(("%d MiB, longest wait of a ticker %.3f ms"):format(#held, longest * 1e3)) end
