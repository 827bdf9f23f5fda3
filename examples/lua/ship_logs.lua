-- SPDX-License-Identifier: MIT
-- Ships the lines of a log as they are written: ship_logs.lua FILE URL
-- Follows the file through rotations. Sends batches of up to 500 lines, or what came in a second.
local task, http, sync = require "septet.task", require "septet.http", require "septet.sync"
local fs, json = require "septet.fs", require "septet.json"

local MOST, LONGEST = 500, 1 -- lines, seconds
local path, address = table.unpack(arg)
local session <close> = http.session { retries = 10, timeout = 30 }
local lines = sync.channel(2 * MOST)

task.background(function()
  for line in fs.tail(path, { from = "start" }) do lines:send(line) end
end)

while true do
  local batch = { (lines:recv()) }
  task.move_on_after(LONGEST, function()
    while #batch < MOST do batch[#batch + 1] = lines:recv() end
  end)
  session:post(address, { json = { lines = json.array(batch) } }):raise_for_status()
end
