-- SPDX-License-Identifier: MIT
-- Processes that work on a Redis server, and are killed at random, as it is.
local fs, sync, task = require "septet.fs", require "septet.sync", require "septet.task"
local crashes, redis = require "crashes", require "redis"

local SERVER_EVERY = 2 -- seconds

it("law_4_at_least_once: four processes and their server are killed again and again", function()
  local server <close> = redis.start { appendonly = "yes", appendfsync = "always" }
  local crash <close> = crashes.new(server:url "crash", crashes.JOBS)
  local over, deaths = sync.event(), 0
  local killer = task.spawn(function()
    while not fs.exists(crash.log) or fs.stat(crash.log).size == 0 do task.sleep(0.01) end
    repeat -- while jobs are at work
      server:kill()
      server:restart()
      deaths = deaths + 1
      task.move_on_after(SERVER_EVERY, over.wait, over)
    until over:is_set()
  end)
  crash:torment()
  over:set()
  killer:await()
  equal(deaths > 0, true)
  print(("%d kills of the server"):format(deaths))
  crash:check()
end)
