-- Failures of a request that the host knows nothing of, because they happen between two attempts.
local core = require "septet.core"
local url = require "septet.url"

--- An HttpError for what a hop asked for.
---@param hop table
---@param code string
---@param reason string|nil
---@param phase string
---@param why string
---@return table
return function(hop, code, reason, phase, why)
  local shown, method = url.public(hop.url), url.public(hop.method)
  return core.error { kind = "HttpError", code = code, reason = reason, phase = phase, url = shown, method = method,
    attempts = hop.attempts or 1, message = ("%s %s: %s"):format(method, shown, core.escape(why)) }
end
