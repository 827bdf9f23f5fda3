-- SPDX-License-Identifier: MIT
-- Requests in every phase: two of the first three are queued, and some of the next connect.
-- check: globals udp, origin, full, tcp, folder
-- check: allow global-in-function
local task, http = require "septet.task", require "septet.http"
local here = "http://127.0.0.1:"

local function soon(fn, ...)
  task.spawn(pcall, fn, ...)
end

local s = http.session { limit = 100, limit_per_host = 20 }
local narrow = http.session { limit = 1 }
local lost = http.session { resolver = "127.0.0.1:" .. udp }
for _ = 1, 3 do
  soon(narrow.get, narrow, origin .. "/stall")
end
for i = 1, 3 do
  soon(lost.get, lost, "http://h" .. i .. ".test/")
end
for _ = 1, 6 do
  soon(s.get, s, here .. full .. "/")
end
soon(s.get, s, "https://127.0.0.1:" .. tcp .. "/")
soon(s.put, s, here .. tcp .. "/", { body = ("x"):rep(8 << 20) })
soon(s.post, s, here .. tcp .. "/", {
  body = function()
    task.sleep(1000)
  end,
})
soon(s.get, s, origin .. "/stall")
soon(s.get, s, origin .. "/stall?after=10&length=100")
soon(s.get, s, origin .. "/bytes/10")
soon(function()
  local r <close> = s:stream("GET", origin .. "/bytes/10000000")
  r:read(10)
  paused = 1
  task.sleep(1000)
end)
soon(s.save, s, origin .. "/stall?after=10&length=100", folder .. "/saved")
task.sleep(1000)
