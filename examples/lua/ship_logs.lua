-- SPDX-License-Identifier: MIT
-- Ships the lines of a log as they are written: ship_logs.lua FILE URL
-- Follows the file through rotations. Sends batches of up to 500 lines, or what came in a second.
-- At Ctrl-C, it sends what it has read: a batch that was on its way is then sent again.
local task, http = require "septet.task", require "septet.http"
local fs, json = require "septet.fs", require "septet.json"

local MOST, LONGEST = 500, 1 -- lines, seconds
local path, address = table.unpack(arg)
local session <close> = http.session {
  timeout = 30, retries = { attempts = 10, methods = { "POST" } },
}
local lines <close> = fs.tail(path, { from = "start" })
local batch = {}

local function send()
  if #batch == 0 then return end
  session:post(address, { json = { lines = json.array(batch) } }):raise_for_status()
  batch = {}
end

local _ <close> = setmetatable({}, { __close = function() task.cleanup(10, send) end })
while true do
  task.move_on_after(LONGEST, function() -- a step that is cut off loses no line
    while #batch < MOST do batch[#batch + 1] = lines() end
  end)
  send()
end
