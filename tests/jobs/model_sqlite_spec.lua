-- SPDX-License-Identifier: MIT
-- Random programs on queues in files, compared with the model.
describe("a queue in a file", function()
  require "jobs_program".specs "sqlite"
end)
