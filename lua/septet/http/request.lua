-- SPDX-License-Identifier: MIT
-- Requests: redirects and trace hooks around the attempts of a request.
local core = require "septet.core"
local Attempt = require "septet.http.attempt"
local hooks = require "septet.http.hooks"
local url = require "septet.http.url"

local request = {}

-- Follows the redirects of a response that `attempt` led to.
local function follow(attempt, result)
  local session, history = attempt.session, {}
  while result.redirect_url and attempt.redirects > 0 do
    history[#history + 1] = result
    if attempt.streams then result:close() end
    attempt:follows(result)
    attempt:redirect(result, #history)
    session.redirected = session.redirected + 1
    result = attempt:run()
  end
  result.history = history
  return result
end

local function perform(attempt)
  attempt:check_headers()
  local result = attempt:run()
  if not rawget(result, "redirect_url") then return result end
  return follow(attempt, result)
end

-- Like perform(), but reports the end to the hooks, unless the core has reported it. It misses a
-- refused redirect, and a task cancelled before it could start, and may find no memory.
local function perform_traced(attempt)
  local traced = attempt.traced
  local ok, result, traceback = core.try(perform, attempt)
  if not ok then
    traced:fail(result)
    core.raise(result, traceback)
  end
  if not attempt.streams then traced:finish(result.status) end
  return result
end

--- Follows the redirects of a request that a session's verb has made by itself.
---@async
---@param session septet.Session
---@param method string
---@param target string
---@param deadline number|nil instant of the total timeout
---@param result septet.Response
---@return septet.Response
function request.follow(session, method, target, deadline, result)
  return follow(Attempt.new(session, method, target, false, deadline), result)
end

--- Performs a request of any method.
---@async
---@param session septet.Session
---@param method string
---@param target string
---@param options septet.RequestOptions|nil
---@param streams boolean|nil true: returns once the head has arrived
---@return septet.Response|septet.StreamedResponse
function request.run(session, method, target, options, streams)
  local attempt = Attempt.new(session, method, url.join(session.base_url, target), streams)
  local total, own_trace = session.times.total, nil
  if options then
    total = attempt:override(options, method:lower())
    own_trace = hooks.check(options.trace)
  end
  local traced = session.trace or own_trace or not session.unwatched and hooks.host[1]
  if traced then hooks.start(attempt, session.trace, own_trace) end
  attempt:limit(total)
  return (traced and perform_traced or perform)(attempt)
end

return request
