-- SPDX-License-Identifier: MIT
-- Options on where a session's hosts lead: given addresses, DNS servers, and allow and deny rules.
local args = require "septet.internal.args"
local core = require "septet.core"

local addresses = {}

-- Returns the host and the port of a key of 'resolve'.
local function given_name(name)
  local host, port
  if type(name) == "string" then host, port = core.http_authority(name) end
  if not host or not port or host:find("[", 1, true) then
    args.usage("bad option 'resolve' to 'session' (a key as \"host:port\" expected, got '%s')",
      tostring(name))
  end
  return host, port
end

--- Returns given addresses as libcurl takes them. Each name is listed with and without a final dot.
---@param names table<string, string>|nil
---@return string[]|nil
function addresses.given(names)
  if not names then return nil end
  local list = {}
  for name, address in pairs(names) do
    local host, port = given_name(name)
    if type(address) ~= "string" or not address:match("^[%x.:%[%],]+$") then
      args.usage("bad option 'resolve' to 'session' (an address expected for '%s')", name)
    end
    host = host:gsub("%.$", "")
    list[#list + 1] = ("%s:%d:%s"):format(host, port, address)
    if not host:find "^[%d.]+$" then list[#list + 1] = ("%s.:%d:%s"):format(host, port, address) end
  end
  return list
end

-- Returns a server's address in its one form, with its port, or nil if the text is none.
local function server_of(text)
  local host, port = core.http_authority(text)
  local is_address = host and (host:find "^%[[^%%]*%]$" or host:find "^%d+%.%d+%.%d+%.%d+$")
  if not is_address or text:find ":$" then return nil end
  return port and ("%s:%d"):format(host, port) or host
end

--- Returns DNS servers in the form that the resolver takes.
---@param resolver string|nil
---@return string|nil
function addresses.resolver(resolver)
  if resolver == nil or resolver == "system" then return resolver end
  local list = {}
  for text in (resolver .. ","):gmatch("([^,]*),") do
    local server = server_of(text)
    if not server then
      args.usage("bad option 'resolver' to 'session' (\"system\", or servers as 127.0.0.1:53 or "
        .. "[::1]:53, expected)")
    end
    list[#list + 1] = server
  end
  return table.concat(list, ",")
end

-- Returns a copy of a list. Raises Usage if it has holes or other keys.
local function items_of(rules, name)
  local list = {}
  for i, rule in ipairs(rules) do list[i] = rule end
  for key in pairs(rules) do
    if list[key] == nil then
      args.usage(
        "bad option '%s' to 'session' (a list without holes expected, got the key '%s')", name,
        tostring(key))
    end
  end
  return list
end

--- Returns a list of rules; a single rule becomes a list.
---@param rules string|string[]|nil
---@param name "allow"|"deny"
---@return string[]|nil
function addresses.rules(rules, name)
  if rules == nil then return nil end
  local list = items_of(type(rules) == "table" and rules or { rules }, name)
  for _, rule in ipairs(list) do
    if type(rule) ~= "string" then
      args.usage("bad option '%s' to 'session' (strings expected)", name)
    end
    if rule:find("\0", 1, true) then
      args.usage("bad option '%s' to 'session' (a NUL in a rule)", name)
    end
  end
  if name == "allow" and #list == 0 then
    args.usage("bad option 'allow' to 'session' (at least one rule expected)")
  end
  return list
end

return addresses
