-- SPDX-License-Identifier: MIT
-- What scripts expect of a queue, on a Redis server.
require "jobs_queue" "redis"

describe("the end", function()
  it("stops the server", function() require "jobs_engines".stop() end)
end)
