-- SPDX-License-Identifier: MIT
-- Failures of a request between two attempts, which the core does not see.
local failure = {}

local core = require "septet.core"
local url = require "septet.http.url"

--- Returns an HttpError for an attempt.
---@param attempt table
---@param code string
---@param reason string|nil
---@param phase string
---@param why string
---@return table
function failure.new(attempt, code, reason, phase, why)
  local shown, method = url.public(attempt.url), url.public(attempt.method)
  return core.error { kind = "HttpError", code = code, reason = reason, phase = phase, url = shown,
    method = method, attempts = attempt.attempts or 1,
    message = ("%s %s: %s"):format(method, shown, core.escape(why)) }
end

return failure
