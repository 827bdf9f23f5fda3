-- SPDX-License-Identifier: MIT
--- HTTP requests from tasks, over libcurl. A session is a pool of connections with its own limits,
--- headers and trace hooks.
---@class septet.http
local http = {}

local args = require "septet.internal.args"
local request = require "septet.http.request"
local retry = require "septet.http.retry"
local session = require "septet.http.session"

--- Creates a session: a pool of connections with its own limits.
---@param options septet.SessionOptions|nil
---@return septet.Session
http.session = session.new

local default_session

--- Returns the session of http.get() and the like, with all defaults. It is created on first use,
--- and again once it was closed.
---@return septet.Session
function http.default()
  if not default_session or default_session.closed then default_session = session.new() end
  return default_session
end

--- Like session:save(), but uses the default session.
---@async
---@param target string
---@param path string
---@param options septet.SaveOptions|nil
---@return septet.Saved
function http.save(target, path, options)
  return http.default():save(target, path, options)
end

for _, method in ipairs(retry.FUNCTIONS) do
  local verb = method:lower()
  http[verb] = function(target, options)
    if target == http then args.usage("'%s' is a function: call it as http.%s(url)", verb, verb) end
    args.string(target, 1, verb)
    return request.run(http.default(), method, target, options)
  end
end

return args.module(http, "septet.http")
