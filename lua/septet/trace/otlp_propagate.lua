-- SPDX-License-Identifier: MIT
-- The header `traceparent` of requests to some hosts. Others must not learn of the trace: a
-- redirect to another origin takes the header away.
local core = require "septet.core"
local hooks = require "septet.trace.hooks"
local url_parts = require "septet.trace.url_parts"

local function has_header(headers, name)
  for given in pairs(headers) do
    if given:lower() == name then return true end
  end
  return false
end

-- Returns true if a host is one of the names, or below one that begins with a dot.
local function is_one_of(names, host)
  if names[host] then return true end
  for at in host:gmatch "()%." do
    if names[host:sub(at)] then return true end
  end
  return false
end

--- Adds the header to requests from now on. Returns a function that ends that.
---@param hosts string[]
---@param traceparent fun(task: integer): string returns the value for the requests of a task
---@return fun()
return function(hosts, traceparent)
  local names = {}
  for _, host in ipairs(hosts) do names[tostring(host):lower()] = true end
  return hooks.add { request_start = function(_, ev)
    local host, current = url_parts.server(ev.url), core.current()
    if not host or not current or not is_one_of(names, host:lower()) then return end
    if has_header(ev.headers, "traceparent") then return end
    ev.headers.traceparent = traceparent(current.id)
  end }
end
