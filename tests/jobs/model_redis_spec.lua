-- SPDX-License-Identifier: MIT
-- Random programs on queues of a Redis server, compared with the model.
describe("a queue on Redis", function()
  before_all(require "jobs_engines".start)
  require "jobs_program".specs "redis"

  it("the server is stopped", function() require "jobs_engines".stop() end)
end)
