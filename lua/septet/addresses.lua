-- Where the names of a session lead: addresses that are given, servers that are asked, and rules for both.
local args = require "septet.args"
local url = require "septet.url"

local addresses = {}

--- Names with addresses that are given, as libcurl takes them.
---@param names table<string, string>|nil
---@return string[]|nil
function addresses.given(names)
  if not names then return nil end
  local list = {}
  for name, address in pairs(names) do
    if type(name) ~= "string" or not name:match("^[^%c%s,:]+:%d+$") then
      args.usage("bad option 'resolve' to 'session' (a key as \"host:port\" expected, got '%s')", tostring(name))
    end
    if type(address) ~= "string" or not address:match("^[%x.:%[%],]+$") then
      args.usage("bad option 'resolve' to 'session' (no address for '%s')", name)
    end
    list[#list + 1] = url.ascii(name) .. ":" .. address
  end
  return list
end

--- DNS servers, as the resolver takes them.
---@param resolver string|nil
---@return string|nil
function addresses.resolver(resolver)
  if resolver == nil or resolver == "system" then return resolver end
  for server in (resolver .. ","):gmatch("([^,]*),") do
    local host = server:match("^%[([%x:]+)%]$") or server:match("^%[([%x:]+)%]:%d+$")
      or server:match("^(%d+%.%d+%.%d+%.%d+)$") or server:match("^(%d+%.%d+%.%d+%.%d+):%d+$")
    if not host then
      args.usage("bad option 'resolver' to 'session' (\"system\", or servers as 127.0.0.1:53 or [::1]:53, expected)")
    end
  end
  return resolver
end

--- A list of rules, of which a single one is one, too.
---@param rules string|string[]|nil
---@param name "allow"|"deny"
---@return string[]|nil
function addresses.rules(rules, name)
  if rules == nil then return nil end
  if type(rules) == "string" then rules = { rules } end
  local list = {}
  for i, rule in ipairs(type(rules) == "table" and rules or { false }) do
    if type(rule) ~= "string" then args.usage("bad option '%s' to 'session' (strings expected)", name) end
    list[i] = url.ascii(rule)
  end
  if name == "allow" and #list == 0 then args.usage("bad option 'allow' to 'session' (at least one rule expected)") end
  return list
end

return addresses
