-- SPDX-License-Identifier: MIT
-- A script for a stock lua5.4 with the package lua-septet: it computes by itself, and runs tasks
-- where it waits for more than one thing.
local septet, task, http = require "septet", require "septet.task", require "septet.http"

local base = os.getenv "SEPTET_ORIGIN" or "http://127.0.0.1:8080"
local urls = {}
for i = 1, 10 do urls[i] = base .. "/bytes/" .. i * 100 end

--- Fetches all pages at once, and returns their sizes.
local function sizes()
  local session <close> = http.session { limit = 4, timeout = 10 }
  return table.unpack(task.gather(task.map(function(url) return #session:get(url).body end, urls)))
end

local total = 0
for _, size in ipairs { septet.run(sizes) } do total = total + size end
print(total .. " bytes")
assert(total == 5500)
