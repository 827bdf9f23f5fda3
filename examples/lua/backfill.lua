-- SPDX-License-Identifier: MIT
-- Fetches numbered items and can be stopped at any time: backfill.lua URL LAST FOLDER
-- After each batch a checkpoint is written; the next run goes on behind it.
local task, http, fs = require "septet.task", require "septet.http", require "septet.fs"
local progress = require "septet.progress"

local BATCH = 100
local address, last, folder = arg[1], tonumber(arg[2]), arg[3]
local checkpoint = folder .. "/checkpoint"
local session <close> = http.session { limit_per_host = 16, retries = 3, rate = "500/s" }

local function fetch(id)
  local response = session:get(address .. "/" .. id)
  if response.status == 404 then return "null" end
  return response:raise_for_status().body
end

fs.mkdir(folder, { parents = true })
local done = fs.exists(checkpoint) and tonumber(fs.read(checkpoint)) or 0
local bar <close> = progress.new { total = last, label = "items" }
bar:add(done)
while done < last do
  local ids = {}
  for id = done + 1, math.min(done + BATCH, last) do ids[#ids + 1] = id end
  local items = task.gather(task.map(fetch, ids))
  fs.write(("%s/%08d.jsonl"):format(folder, ids[1]), table.concat(items, "\n") .. "\n")
  done = ids[#ids]
  fs.write(checkpoint, tostring(done))
  bar:add(#ids)
end
