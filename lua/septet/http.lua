-- SPDX-License-Identifier: MIT
--- HTTP requests from tasks, over libcurl. A session is a pool of connections with its own limits,
--- headers and trace hooks.
---@class septet.http
local http = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local retry = require "septet.http.retry"
local session = require "septet.http.session"

--- Creates a session: a pool of connections with its own limits.
---@param options septet.SessionOptions|nil
---@return septet.Session
http.session = session.new

local defaults = {} -- default sessions by the number of their script, 0 for the host's

local function forget_unloaded()
  for id in pairs(defaults) do
    if id ~= 0 and not core.script_exists(id) then defaults[id] = nil end
  end
end

--- Returns the session of http.get() and the like, with all defaults. It is created on first use,
--- and again once it was closed. Each script of the embedder's (septet_script_new) has its own.
---@return septet.Session
function http.default()
  local id = core.script_id()
  local default = defaults[id]
  if not default or default.closed then
    forget_unloaded()
    default = session.new()
    default.handle:set_shared()
    defaults[id] = default
  end
  return default
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
    local default = http.default()
    return default[verb](default, target, options)
  end
end

args.module(http, "septet.http")
for _, method in ipairs(retry.FUNCTIONS) do
  local verb = method:lower()
  -- a script may replace http.default
  http[verb] = core.http_verb(method, http[verb], function() return http.default() end)
end
return http
