-- SPDX-License-Identifier: MIT
-- What the trace sees of runs, on each engine.
local seen = require "jobs_seen"

before_all(require "jobs_engines".start)
for _, engine in ipairs { "memory", "sqlite", "redis" } do seen.on(engine) end

describe("the end", function()
  it("stops the server", function() require "jobs_engines".stop() end)
end)
