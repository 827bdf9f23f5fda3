-- SPDX-License-Identifier: MIT
--- Queues of jobs that survive a crash: in a file, on a Redis server, or in memory for tests.
---@class septet.jobs
local jobs = {}

local args = require "septet.internal.args"
local queue = require "septet.jobs.queue"

local MAX_PATIENCE <const> = 1e9 -- seconds, which are 31 years

---@class septet.QueueOptions
---@field patience number|nil seconds for which it rides out a fault of the engine; 60
---@field sync string|nil for a file, "normal" lets a power cut take the last puts; "full"

local open_options = { patience = "seconds", sync = "string" }

--- Opens a queue: a path of a file, which is made if it does not exist, `redis://host:port/db`,
--- `unix:///path`, or `memory:`. Raises JobsError.
---@async
---@param url string
---@param options septet.QueueOptions|nil
---@return septet.Queue
function jobs.open(url, options)
  args.string(url, 1, "open")
  options = args.options(options, open_options, "open")
  local sync = options.sync or "full"
  if sync ~= "full" and sync ~= "normal" then
    args.usage("bad option 'sync' to 'open' ('full' or 'normal' expected, got '%s')", sync)
  end
  return queue.open(url, { patience = math.min(options.patience or 60, MAX_PATIENCE),
    sync = sync })
end

return args.module(jobs, "septet.jobs")
