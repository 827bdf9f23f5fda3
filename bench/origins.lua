-- SPDX-License-Identifier: MIT
-- Measures what one GET to each of many origins costs: the Septet side of many_origins.py.
--
--     septet bench/origins.lua < LINES
--
-- Each line is a URL. The server of a line that begins with "silent " never responds, and its
-- request is in flight all the time. The others get one request each, all at once. Prints their CPU
-- and their latencies.
local task, http = require "septet.task", require "septet.http"

local urls, silent = {}, {}
for line in io.lines() do
  local marked = line:match("^silent (.+)")
  table.insert(marked and silent or urls, marked or line)
end

local all = #urls + #silent
local session <close> = http.session {
  limit = all, limit_per_host = all, timeout = { first_byte = 600 },
  headers = { Connection = "close" },
}
local latencies, connected = {}, 0

local function fetch(url)
  local t0 = task.now()
  local response = session:get(url)
  if response.status ~= 200 then error(url .. ": the status is not 200", 0) end
  latencies[#latencies + 1] = task.now() - t0
  if not response.reused then connected = connected + 1 end
end

local function ask_in_background(url)
  task.pcall(session.get, session, url) -- it ends when the session closes
end

for _, url in ipairs(silent) do task.background(ask_in_background, url) end
while session:stats().connections < #silent do task.sleep(0.01) end

local t0, cpu0 = task.now(), os.clock()
task.group(function(g)
  for _, url in ipairs(urls) do g:spawn(fetch, url) end
end)
local cpu, wall = os.clock() - cpu0, task.now() - t0

table.sort(latencies)
local function within(percent) return latencies[math.ceil(#latencies * percent / 100)] * 1e3 end
print(string.format("%d requests, %d connections, %.3f us of CPU each, %.3f s, ms: %.3f %.3f %.3f",
  #latencies, connected, cpu / #latencies * 1e6, wall, within(50), within(99), within(100)))
