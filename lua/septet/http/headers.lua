-- SPDX-License-Identifier: MIT
-- Header lines of requests, made from tables of scripts.
local core = require "septet.core"
local args = require "septet.internal.args"

local headers = {}

-- Returns a list {name, value, ...} of headers from tables of names to values. Later tables replace
-- earlier headers of the same name, and false removes one. The first table holds defaults. A Range
-- counts encoded bytes, so it replaces a default Accept-Encoding by `identity`. The list's
-- `automatic` is the default Accept-Encoding, if it is in use.
function headers.list(what, ...)
  local order, by_name = {}, {}
  for i = 1, select("#", ...) do
    local names = {}
    for name, value in pairs((select(i, ...)) or {}) do
      if type(name) ~= "string" then
        args.usage("bad header name in '%s' (string expected, got %s)", what, type(name))
      end
      if type(value) ~= "string" and type(value) ~= "number" and value ~= false then
        args.usage("bad header '%s' in '%s' (string expected, got %s)", name, what, type(value))
      end
      if value == false and name:lower() == "host" and not by_name.host then
        args.usage("bad header '%s' in '%s' (each request has one: it cannot be removed)", name,
          what)
      end
      names[#names + 1] = name
    end
    table.sort(names)
    for _, name in ipairs(names) do
      local key, value = name:lower(), (select(i, ...))[name]
      if not by_name[key] then order[#order + 1] = key end
      by_name[key] = { name, value, is_default = i == 1 }
    end
  end
  local list, encoding, range = {}, by_name["accept-encoding"], by_name.range
  if encoding and encoding.is_default then
    if range and range[2] ~= false then encoding[2] = "identity" end
    list.automatic = encoding[2]
  end
  for _, key in ipairs(order) do
    local name, value = by_name[key][1], by_name[key][2]
    if value ~= false then
      list[#list + 1] = name
      list[#list + 1] = tostring(value)
    end
  end
  return list
end

--- Returns the value in a list for a name in lower case, or nil.
function headers.value(list, wanted)
  for i = 1, #list, 2 do
    if list[i]:lower() == wanted then return list[i + 1] end
  end
end

--- Returns the value in a table of headers for a name in lower case, or nil. Raises Usage for
--- several values, or false.
---@param given table<string, string|number|false>|nil
---@param wanted string
---@param what string
---@return string|nil
function headers.own(given, wanted, what)
  local found
  for name, value in pairs(given or {}) do
    if type(name) == "string" and name:lower() == wanted then
      if found ~= nil or value == false then
        args.usage("bad header '%s' in '%s' (one value that fits the body expected)", name,
          what)
      end
      found = tostring(value)
    end
  end
  return found
end

--- Returns the names of an option `redirect_headers` as a set, in lower case. Host is rejected, as
--- each URL has its own.
---@param names string[]|nil
---@param what string
---@return table<string, boolean>
function headers.named(names, what)
  local set = {}
  if names then args.list_option(names, "redirect_headers", what) end
  for _, name in ipairs(names or {}) do
    if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+.^_`|~-]+$"
      or name:lower() == "host" then
      args.usage("bad option 'redirect_headers' to '%s' (a list of names of headers, without Host, "
        .. "expected)", what)
    end
    set[name:lower()] = true
  end
  return set
end

-- Returns checked header lines. Raises Usage at the script's line.
function headers.checked(list)
  local ok, lines = pcall(core.http_headers, list)
  if ok then return lines end
  if core.is(lines, "Usage") then args.usage("%s", lines.message) end
  error(lines, 0)
end

return headers
