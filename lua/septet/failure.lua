-- Failures of a request that the host knows nothing of, because they happen between two attempts.
local core = require "septet.core"
local url = require "septet.url"

--- An HttpError for what an attempt asked for.
---@param attempt table
---@param code string
---@param reason string|nil
---@param phase string
---@param why string
---@return table
return function(attempt, code, reason, phase, why)
  local shown, method = url.public(attempt.url), url.public(attempt.method)
  return core.error { kind = "HttpError", code = code, reason = reason, phase = phase, url = shown, method = method,
    attempts = attempt.attempts or 1, message = ("%s %s: %s"):format(method, shown, core.escape(why)) }
end
