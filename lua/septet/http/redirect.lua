-- SPDX-License-Identifier: MIT
-- Redirects: where they may lead, and which parts of a request are sent there.
local redirect = {}

local core = require "septet.core"
local failure = require "septet.http.failure"
local url = require "septet.http.url"

-- Returns the next method: GET after 303, unless it is HEAD, and for a POST after 301 or 302.
local function next_method(method, status)
  if status == 303 and method ~= "HEAD" then return "GET" end
  if (status == 301 or status == 302) and method == "POST" then return "GET" end
  return method
end

-- Headers that may go to another origin: they say what is wanted, and do not identify the sender.
local public = {
  accept = true, ["user-agent"] = true, range = true, ["cache-control"] = true, pragma = true,
  te = true, prefer = true,
  priority = true, dnt = true, date = true, connection = true, ["save-data"] = true,
  ["sec-gpc"] = true,
  ["upgrade-insecure-requests"] = true, traceparent = true, tracestate = true,
  ["x-request-id"] = true,
  ["x-correlation-id"] = true,
}
local public_beginnings = { "^accept%-", "^content%-", "^if%-" }

--- Returns true if a header may go to another origin.
---@param name string in lower case
---@return boolean
function redirect.is_public(name)
  for _, beginning in ipairs(public_beginnings) do
    if name:find(beginning) then return true end
  end
  return public[name] or false
end

--- Returns true if a header describes the body.
---@param name string in lower case
---@return boolean
function redirect.is_of_body(name)
  return name:sub(1, 8) == "content-"
end

local function redirect_error(attempt, result, why, reason)
  return failure.new(attempt, "redirect", reason, "receive", why, result)
end

-- Returns the target of a Location. The old fragment is kept unless there is a new one (RFC 9110,
-- 10.2.2).
local function resolve(attempt, result)
  local location = result.redirect_url
  local target, why = core.http_resolve(attempt.url, location)
  if not target then
    local shown = url.public(location)
    if why == "scheme" then
      error(redirect_error(attempt, result, ("redirected to '%s'"):format(shown), "denied"), 0)
    end
    error(redirect_error(attempt, result,
      ("redirected to '%s', an invalid URL: %s"):format(shown, why), "location"), 0)
  end
  return target:find("#", 1, true) and target or target .. (attempt.url:match "#.*" or "")
end

--- Returns the URL of the next attempt. Raises HttpError{code="redirect"} if that is refused.
---@param attempt septet.Attempt
---@param result septet.Response
---@param number integer number of redirects, including this one
---@return string
function redirect.target(attempt, result, number)
  if number > attempt.redirects then
    error(redirect_error(attempt, result, ("more than %d redirects"):format(attempt.redirects),
      "limit"), 0)
  end
  local target = resolve(attempt, result)
  if attempt.url:match("^[Hh][Tt][Tt][Pp][Ss]:") and not target:match("^https:") then
    error(redirect_error(attempt, result, "redirected from https to http", "denied"), 0)
  end
  return target
end

--- Returns the method of the next attempt. Raises HttpError{code="redirect"} if that needs the body
--- of an iterator a second time.
---@param attempt septet.Attempt
---@param result septet.Response
---@return string
function redirect.method(attempt, result)
  local method = next_method(attempt.method, result.status)
  if method == attempt.method and type(attempt.body) == "table" then
    error(redirect_error(attempt, result, "the body cannot be made a second time",
      "not_rewindable"), 0)
  end
  return method
end

return redirect
