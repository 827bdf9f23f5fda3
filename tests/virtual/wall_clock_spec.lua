-- SPDX-License-Identifier: MIT
-- The wall clock that belongs to a virtual clock.
local task, testing = require "septet.task", require "septet.testing"
local core = debug.getregistry()["septet.core"]

local HOUR = 3600

describe("the wall clock of a virtual clock", function()
  it("begins with the year 2000 and goes on with the virtual clock", function()
    local offset = core.wall() - task.now()
    equal(os.date("!%Y", math.floor(core.wall())), "2000")
    task.sleep(20)
    equal(core.wall() - task.now(), offset)
  end)

  it("is set forward and back, which moves no deadline", function()
    local offset = core.wall() - task.now()
    for _, step in ipairs { HOUR, -2 * HOUR, 0.25, HOUR - 0.25 } do
      local before, began = core.wall(), task.now()
      testing.step_wall_clock(step)
      equal(core.wall() - before, step)
      equal(task.now(), began)
      task.sleep(1)
      equal(task.now() - began, 1.0)
      equal(core.wall() - before, step + 1)
    end
    equal(core.wall() - task.now(), offset)
  end)

  it("stays between 1970 and 2099", function()
    local before = core.wall()
    for _, step in ipairs { -1e10, 1e10, math.huge, -math.huge, 1e300 } do
      raises_error({ kind = "Usage" }, testing.step_wall_clock, step)
    end
    for _, step in ipairs { 0 / 0, "1", {}, false } do
      raises("bad argument #1 to 'step_wall_clock' %(seconds expected, got", function()
        testing.step_wall_clock(step)
      end)
    end
    raises("bad argument #1", testing.step_wall_clock)
    misuse("the clock would leave the years 1970 to 2099", function()
      testing.step_wall_clock(-1e10)
    end)
    equal(core.wall(), before)
  end)
end)
