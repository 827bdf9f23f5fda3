-- SPDX-License-Identifier: MIT
-- Measures what a GET costs as a Septet script: the Septet side of http.py and many_tasks.py.
--
--     septet bench/fetch.lua URL N TASKS [CONNECTIONS]
--
-- TASKS tasks make N GETs over one session with CONNECTIONS connections, by default TASKS. Prints a
-- line like that of curl_kept.
local task, http = require "septet.task", require "septet.http"

local url, n, tasks = arg[1], math.tointeger(arg[2]), math.tointeger(arg[3])
local connections = math.tointeger(arg[4] or tasks)
if not (url and n and tasks and connections and n > 0 and tasks > 0) then
  error("usage: fetch.lua URL N TASKS [CONNECTIONS]", 0)
end

local t0 = task.now()
local session <close> = http.session { limit = connections, limit_per_host = connections }
local taken, received, body_len = 0, 0, nil

local function fetch_until_none_is_left()
  while taken < n do
    taken = taken + 1
    local response = session:get(url)
    local len = #response.body
    body_len = body_len or len
    if response.status ~= 200 then
      error(url .. ": the status is not 200", 0)
    elseif len ~= body_len then
      error(url .. ": bodies of different lengths", 0)
    end
    received = received + len
  end
end

task.group(function(g)
  for _ = 1, tasks do
    g:spawn(fetch_until_none_is_left)
  end
end)

print(string.format("%d requests, %d bytes, %.3f us of CPU each, %.3f s",
  n, received, os.clock() / n * 1e6, task.now() - t0))
