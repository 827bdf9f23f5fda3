-- SPDX-License-Identifier: MIT
-- What scripts expect of a queue, on a Redis server.
before_all(require "jobs_engines".start)
require "jobs_queue" "redis"

describe("the end", function()
  it("stops the server", function() require "jobs_engines".stop() end)
end)
