-- SPDX-License-Identifier: MIT
-- Processes that work on a file, and are killed at random.
local fs, task = require "septet.fs", require "septet.task"
local crashes = require "crashes"

local TIMES = math.max(20, crashes.JOBS // 100)

it("law_3_each_key_has_one_result: one process is killed at random instants, from its start on",
  function()
    local folder <close> = fs.temp_dir()
    local crash <close> = crashes.new(folder.path .. "/one.db", 20 * TIMES)
    for _ = 1, TIMES do
      crash:start()
      task.sleep(math.random() * 0.1)
      if not crash:kill(1) then crash:finish() end
    end
    crash:start()
    crash:finish()
    crash:check()
  end)

it("law_2_no_crash_leaves_half: four processes, of which a random one is killed again and again",
  function()
    local folder <close> = fs.temp_dir()
    local crash <close> = crashes.new(folder.path .. "/four.db", crashes.JOBS)
    crash:torment()
    crash:check()
  end)
