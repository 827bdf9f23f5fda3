-- SPDX-License-Identifier: MIT
-- Does one kind of work N times, so that instructions.py can count its instructions.
--
--     septet bench/instructions.lua WORK N [URL]
local http, sync, task = require "septet.http", require "septet.sync", require "septet.task"
local work, n, url = ...
n = tonumber(n)

local function nothing() end

local works = {}

works["spawn + await"] = function()
  for _ = 1, n do task.spawn(nothing):await() end
end

works["map + await"] = function()
  local urls = {}
  for i = 1, 1000 do urls[i] = "https://example.com/" .. i end
  for _ = 1, n // 1000 do
    for _, t in ipairs(task.map(nothing, urls)) do t:await() end
  end
end

works["sleep(0)"] = function()
  local each = n // 16
  task.group(function(g)
    for _ = 1, 16 do
      g:spawn(function() for _ = 1, each do task.sleep(0) end end)
    end
  end)
end

works["hand-off"] = function()
  local channel = sync.channel(1)
  task.group(function(g)
    g:spawn(function() for i = 1, n do channel:send(i) end end)
    for _ = 1, n do channel:recv() end
  end)
end

works["GET"] = function()
  local session <close> = http.session { limit = 16, limit_per_host = 16 }
  local each = n // 16
  task.group(function(g)
    for _ = 1, 16 do
      g:spawn(function()
        for _ = 1, each do assert(session:get(url).status == 200) end
      end)
    end
  end)
end

works[work]()
