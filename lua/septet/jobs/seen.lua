-- SPDX-License-Identifier: MIT
-- The steps of jobs as records of the trace: what --summary counts and --trace shows. Each call
-- costs little, as most runs have no reader.
local core = require "septet.core"

local seen = {}

local record = core.trace_job

-- By number, as in SPT_JOB_STEP_MAP of src/core/trace.h.
local PUT <const>, TAKEN <const>, RECOVERED <const>, BURIED <const> = 0, 1, 8, 9
local ENDS <const> = { done = 2, dropped = 3, retry = 4, dead = 5, back = 6, lost = 7 }

--- Records a put of jobs.
---@param queue string as messages show it
---@param count integer
---@param new integer how many of them were not known before
---@param key string|nil of a single one
function seen.put(queue, count, new, key) record(PUT, queue, key, new, count) end

--- Records that a job was taken.
---@param queue string
---@param key string
---@param attempt integer
---@param waited number seconds since it was put
function seen.taken(queue, key, attempt, waited) record(TAKEN, queue, key, attempt, waited) end

--- Records the end of an attempt: `how` is that of a driver's end, or "lost".
---@param queue string
---@param how string
---@param key string
---@param attempt integer
---@param ran number seconds
function seen.ended(queue, how, key, attempt, ran) record(ENDS[how], queue, key, attempt, ran) end

--- Records the jobs that a take has found without their workers.
---@param queue string
---@param lost table[] { key, attempt, died }
function seen.lost(queue, lost)
  for _, gone in ipairs(lost) do
    record(gone.died and BURIED or RECOVERED, queue, gone.key, gone.attempt, 0)
  end
end

return seen
