-- SPDX-License-Identifier: MIT
-- Fetches numbered items as lines of JSON: backfill.lua URL LAST QUEUE > items.jsonl
-- It may be killed at any time, and goes on when it is started again. QUEUE is a file, or on Redis.
local http, jobs, json = require "septet.http", require "septet.jobs", require "septet.json"
local progress = require "septet.progress"

local BATCH = 100 -- items of a job
local address, last, q <close> = arg[1], tonumber(arg[2]), jobs.open(arg[3])
local session <close> = http.session { limit_per_host = 16, rate = "500/s" }

local list = {}
for first = 1, last, BATCH do list[#list + 1] = { key = ("%d"):format(first) } end
q:put_many(list)

local bar <close> = progress.new { total = last, label = "items" }
bar:add(q:stats().done * BATCH)
q:run({ workers = 16, attempts = 10 }, function(job)
  local items, first = {}, tonumber(job.key)
  for id = first, math.min(first + BATCH - 1, last) do
    local response = session:get(address .. "/" .. id)
    if response.status ~= 404 then items[#items + 1] = response:raise_for_status():json() end
  end
  bar:add(BATCH)
  return json.array(items)
end)

for _, items in q:results() do
  for _, item in ipairs(items) do print(json.encode(item)) end
end
os.exit(q:stats().dead == 0)
