-- SPDX-License-Identifier: MIT
-- Measures requests while many names are looked up that the DNS server never answers: the Septet
-- side of dead_names.py.
--
--     septet bench/names.lua PORT DNS DEAD SECONDS
--
-- Requests DEAD such names. Meanwhile, for SECONDS, 32 tasks get http://127.0.0.1:PORT/body, and
-- one task gets a new name that the server answers every 50 ms. Prints the figures of these tasks.
local task, http = require "septet.task", require "septet.http"

local port, dns, dead, seconds = arg[1], arg[2], math.tointeger(arg[3]), tonumber(arg[4])
if not (port and dns and dead and seconds) then
  error("usage: names.lua PORT DNS DEAD SECONDS", 0)
end

local TASKS, PAUSE = 32, 0.05

local function threads()
  for line in io.lines("/proc/self/status") do
    local n = line:match("^Threads:%s*(%d+)")
    if n then return math.tointeger(n) end
  end
end

local session <close> = http.session {
  limit = dead + 2 * TASKS, limit_per_host = TASKS, resolver = dns, timeout = { connect = seconds },
}
local got, latencies, failed = 0, {}, 0

local function get(url)
  local response = session:get(url)
  if response.status ~= 200 then error(url .. ": the status is not 200", 0) end
end

local function get_until(instant)
  local url = ("http://127.0.0.1:%s/body"):format(port)
  while task.now() < instant do
    get(url)
    got = got + 1
  end
end

local function get_names_until(instant)
  while task.now() < instant do
    local t0 = task.now()
    get(("http://n%d.good.test:%s/body"):format(#latencies, port))
    latencies[#latencies + 1] = task.now() - t0
    task.sleep(PAUSE)
  end
end

local function ask_dead(i)
  local ok, err = task.pcall(session.get, session, ("http://n%d.dead.test:%s/"):format(i, port))
  if ok or not (err.code == "dns" or err.code == "timeout") then
    error("a dead name answered", 0)
  end
  failed = failed + 1
end

get(("http://127.0.0.1:%s/body"):format(port)) -- what is made at the first request is there
local before, most = threads(), 0
local cpu0 = os.clock()
task.group(function(g)
  local instant = task.now() + seconds
  for i = 1, dead do g:spawn(ask_dead, i) end
  for _ = 1, TASKS do g:spawn(get_until, instant) end
  g:spawn(get_names_until, instant)
  while task.now() < instant do
    most = math.max(most, threads())
    task.sleep(0.1)
  end
end)
local cpu = os.clock() - cpu0

table.sort(latencies)
print(string.format("%d requests, %.3f us of CPU each, %d names, %.3f ms the middle one, "
  .. "%.3f ms the slowest, %d dead, threads: %d %d %d",
  got, cpu / got * 1e6, #latencies, latencies[(#latencies + 1) // 2] * 1e3,
  latencies[#latencies] * 1e3, failed, before, most, threads()))
