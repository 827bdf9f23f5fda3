-- SPDX-License-Identifier: MIT
-- The scripts of test_clock.c that move the clock across several deadlines; each counts to 3.
-- check: allow global-in-function
local task, testing = require "septet.task", require "septet.testing"
local scripts = {}

-- Counts at each of the next three seconds.
local function count()
  n = 0
  task.spawn(function()
    for _ = 1, 3 do
      task.sleep(1)
      n = n + 1
    end
  end)
end

function scripts.advance_to_the_last()
  count()
  testing.advance(3)
end

function scripts.advance_beyond()
  count()
  testing.advance(9)
end

function scripts.busy_three_times()
  count()
  testing.wait_all_blocked()
  for _ = 1, 3 do
    testing.busy(1)
    testing.wait_all_blocked()
  end
end

function scripts.busy_once()
  n = 0
  for i = 1, 3 do
    task.spawn(function()
      task.sleep(i)
      n = n + 1
    end)
  end
  task.sleep(0)
  testing.busy(5)
  testing.wait_all_blocked()
end

return scripts
