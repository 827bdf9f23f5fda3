-- SPDX-License-Identifier: MIT
-- Random programs on queues in memory, compared with the model.
describe("a queue in memory", function()
  require "jobs_program".specs "memory"
end)
