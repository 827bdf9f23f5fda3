-- SPDX-License-Identifier: MIT
-- The script of frame.c: 1 000 tasks, of which 100 compute and 100 have requests in flight.
--
-- `url` is the folder with the bodies. Counts `requests`, and in `mib` what they received.
-- luacheck: globals url requests mib
local task, http = require "septet.task", require "septet.http"

local COMPUTING, FETCHING, MOVING = 100, 100, 799
local SLICE = 50e-6
local BODIES = { "body", "body", "body", "big", "text.gz" }

math.randomseed(1)
requests, mib = 0, 0
local received = 0

local function compute()
  while true do
    local deadline = os.clock() + SLICE
    while os.clock() < deadline do
    end
    task.sleep(0.01 + 0.02 * math.random())
  end
end

local function move(i)
  local x = i
  while true do
    local step = { x = x, by = math.random() }
    x = step.x + step.by
    task.sleep(0.016)
  end
end

local function fetch(session)
  while true do
    local response = session:get(url .. BODIES[math.random(#BODIES)])
    assert(response.status == 200)
    requests = requests + 1
    received = received + #response.body
    mib = received // (1 << 20)
  end
end

local session <close> = http.session { limit = FETCHING, limit_per_host = FETCHING }
task.group(function(g)
  for _ = 1, COMPUTING do
    g:spawn(compute)
  end
  for _ = 1, FETCHING do
    g:spawn(fetch, session)
  end
  for i = 1, MOVING do
    g:spawn(move, i)
  end
end)
