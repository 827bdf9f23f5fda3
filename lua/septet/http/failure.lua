-- SPDX-License-Identifier: MIT
-- Failures of a request between two attempts, which the core does not see.
local failure = {}

local core = require "septet.core"
local response_headers = require "septet.http.response_headers"
local url = require "septet.http.url"

--- Returns an HttpError for an attempt.
---@param attempt septet.Attempt|septet.Response
---@param code string
---@param reason string|nil
---@param phase string
---@param why string
---@param response septet.Response|nil the response that it is about, if there is one
---@return table
function failure.new(attempt, code, reason, phase, why, response)
  local shown, method = url.public(attempt.url), url.public(attempt.method)
  local status, headers
  if response then
    status = response.status
    headers = response.headers and response_headers.hidden(response.headers)
  end
  return core.error { kind = "HttpError", code = code, reason = reason, phase = phase, url = shown,
    method = method, attempts = attempt.attempts or 1,
    status = status, headers = headers,
    message = ("%s %s: %s"):format(method, shown, core.escape(why)) }
end

return failure
