-- SPDX-License-Identifier: MIT
-- Errors of queues.
local core = require "septet.core"

local failure = {}

--- The error of a job of which the worker died, or the lease ended.
failure.LOST = "the worker was lost"

--- Returns a JobsError.
---@param code string
---@param queue string the queue's URL, without a password
---@param why string
---@param reason string|nil what the engine or the system said
---@return table
function failure.new(code, queue, why, reason)
  return core.error { kind = "JobsError", code = code, reason = reason, queue = queue,
    message = ("queue '%s': %s%s"):format(queue, core.escape(why),
      reason and (": " .. core.escape(reason)) or "") }
end

--- Raises a JobsError.
---@param code string
---@param queue string
---@param why string
---@param reason string|nil
function failure.raise(code, queue, why, reason)
  error(failure.new(code, queue, why, reason), 0)
end

return failure
