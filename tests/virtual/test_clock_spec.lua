-- SPDX-License-Identifier: MIT
-- The virtual clock that septet test gives to tests.
local fs = require "septet.fs"
local task = require "septet.task"

local function whole_seconds()
  local start = task.now()
  equal(start % 1, 0.0)
  for i = 1, 10 do
    task.sleep(1)
    equal(task.now() - start, i + 0.0)
  end
end

describe("a test begins at a whole second", function()
  it("if it is the first", whole_seconds)
  it("and may do real work", function() equal(fs.stat(".").type, "directory") end)
  it("if real work was done before", whole_seconds)
end)
