-- SPDX-License-Identifier: MIT
-- septet jobs with queues on a Redis server.
require "jobs_command".on "redis"

describe("the end", function()
  it("stops the server", function() require "jobs_engines".stop() end)
end)
