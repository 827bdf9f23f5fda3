-- SPDX-License-Identifier: MIT
-- Probes URLs every few seconds and prints a table: probe.lua SECONDS ROUNDS URL...
local task, http, stats = require "septet.task", require "septet.http", require "septet.stats"

local session <close> = http.session { timeout = 5, redirects = 0 }
local period, rounds = tonumber(arg[1]), tonumber(arg[2])
local targets = table.move(arg, 3, #arg, 1, {})
local seen = {}
for _, address in ipairs(targets) do seen[address] = { times = stats.histogram(), failed = 0 } end

local function probe(address)
  local began = task.now()
  local ok, response = task.pcall(session.get, session, address)
  local row = seen[address]
  row.last = ok and response.status or response.code
  if not ok or response.status >= 400 then row.failed = row.failed + 1 end
  row.times:record(task.now() - began)
end

for _ in task.every(period) do
  task.gather(task.map(probe, targets))
  rounds = rounds - 1
  if rounds <= 0 then break end
end

print(("%-40s %8s %7s %9s %9s"):format("URL", "last", "failed", "median", "p99"))
for _, address in ipairs(targets) do
  local row = seen[address]
  print(("%-40s %8s %7d %7.1fms %7.1fms"):format(address, row.last, row.failed,
    row.times:percentile(50) * 1e3, row.times:percentile(99) * 1e3))
end
