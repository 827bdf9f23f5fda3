-- SPDX-License-Identifier: MIT
-- Random programs on queues in memory, compared with the model.
local engines, program = require "jobs_engines", require "jobs_program"

local SEEDS <const> = 2000

describe("a queue in memory", function()
  it("answers as the model does, whatever the program", function()
    local place <close> = engines.place "memory"
    program.check(place, 1, many(SEEDS))
  end)
end)
