-- SPDX-License-Identifier: MIT
-- The contract of an engine, kept by queues on a Redis server.
before_all(require "jobs_engines".start)
require "jobs_contract" "redis"

describe("the end", function()
  it("stops the server", function() require "jobs_engines".stop() end)
end)
