-- SPDX-License-Identifier: MIT
-- Sends requests at a fixed rate, whatever the server's speed: load_test.lua URL RATE SECONDS
-- Latency counts from the instant at which a request was due, so a server that stalls is seen to.
local task, http, stats = require "septet.task", require "septet.http", require "septet.stats"

local address, rate, seconds = arg[1], tonumber(arg[2]), tonumber(arg[3])
local session <close> = http.session { limit = 1000, limit_per_host = 1000, timeout = 30 }
local latency, failed = stats.histogram(), 0

local function shoot(due)
  local ok, response = task.pcall(session.get, session, address)
  if not ok or response.status >= 400 then failed = failed + 1 end
  latency:record(task.now() - due)
end

local began = task.now()
task.group(function(group)
  for i = 0, rate * seconds - 1 do
    local due = began + i / rate
    task.sleep_until(due)
    group:spawn(shoot, due)
  end
end)

print(("%d requests, %d failed, %.1f/s"):format(latency:count(), failed,
  latency:count() / (task.now() - began)))
for _, p in ipairs { 50, 90, 99, 100 } do
  print(("p%-4g %8.1f ms"):format(p, latency:percentile(p) * 1e3))
end
os.exit(failed == 0)
