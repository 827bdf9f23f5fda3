-- SPDX-License-Identifier: MIT
-- Random programs on queues in files, compared with the model.
local engines, program = require "jobs_engines", require "jobs_program"

local SEEDS <const> = 200

describe("a queue in a file", function()
  it("answers as the model does, whatever the program", function()
    local place <close> = engines.place "sqlite"
    program.check(place, 1, many(SEEDS))
  end)
end)
