-- Redirects: where they may lead, and which parts of a request are sent there.
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

-- Removes an attempt's headers for which keep(name in lower case) is false.
local function keep_headers(attempt, keep)
  local kept = {}
  for i = 1, #attempt.list, 2 do
    if keep(attempt.list[i]:lower()) then
      kept[#kept + 1], kept[#kept + 2] = attempt.list[i], attempt.list[i + 1]
    end
  end
  attempt.list = kept
  attempt.headers = core.http_headers(kept)
end

local function is_public(name)
  for _, beginning in ipairs(public_beginnings) do
    if name:find(beginning) then return true end
  end
  return public[name] or false
end

local function is_not_of_a_body(name)
  return name:sub(1, 8) ~= "content-"
end

local function redirect_error(attempt, why, reason)
  return failure(attempt, "redirect", reason, "receive", why)
end

-- Returns the target of a Location. The old fragment is kept unless there is a new one (RFC 9110,
-- 10.2.2).
local function resolve(attempt, location)
  local target, why = core.http_resolve(attempt.url, location)
  if not target then
    local shown = url.public(location)
    if why == "scheme" then
      error(redirect_error(attempt, ("redirected to '%s'"):format(shown), "denied"), 0)
    end
    error(redirect_error(attempt,
      ("redirected to '%s', which is no URL: %s"):format(shown, why), "location"), 0)
  end
  return target:find("#", 1, true) and target or target .. (attempt.url:match "#.*" or "")
end

--- Changes an attempt to follow its redirect. Raises HttpError{code="redirect"} if that is refused.
---@param attempt table
---@param response septet.Response
---@param attempts integer number of redirects, including this one
return function(attempt, response, attempts)
  if attempts > attempt.redirects then
    error(redirect_error(attempt, ("more than %d redirects"):format(attempt.redirects), "limit"), 0)
  end
  local target = resolve(attempt, response.redirect_url)
  if attempt.url:match("^[Hh][Tt][Tt][Pp][Ss]:") and not target:match("^https:") then
    error(redirect_error(attempt, "redirected from https to http", "denied"), 0)
  end
  if url.origin(target) ~= url.origin(attempt.url) then
    local named = attempt.redirect_headers
    keep_headers(attempt, function(name) return named[name] or is_public(name) end)
    attempt.terms = attempt.without_credentials
  end
  local method = next_method(attempt.method, response.status)
  if method == attempt.method and type(attempt.body) == "function" then
    error(redirect_error(attempt, "the body cannot be made a second time", "not_rewindable"), 0)
  end
  if method ~= attempt.method then
    attempt.body = nil
    keep_headers(attempt, is_not_of_a_body)
  end
  attempt.method, attempt.url = method, target
end
