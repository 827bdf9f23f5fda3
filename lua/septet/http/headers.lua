-- SPDX-License-Identifier: MIT
-- Header lines of requests, made from tables of scripts.
local core = require "septet.core"
local args = require "septet.internal.args"

local headers = {}

-- Raises Usage unless a value can be sent: text, a number, a list of these, or false.
local function check_value(name, value, what)
  if value == false then return end
  local fault
  if type(value) == "table" then
    fault = args.list_fault(value) or #value == 0 and "a list without a value"
    for i, item in ipairs(value) do
      if type(item) ~= "string" and type(item) ~= "number" then
        fault = fault or ("item %d: string expected, got %s"):format(i, type(item))
      end
    end
  elseif type(value) ~= "string" and type(value) ~= "number" then
    fault = "string expected, got " .. type(value)
  end
  if fault then args.usage("bad header '%s' in '%s' (%s)", name, what, fault) end
end

-- Returns the names of a table of headers, in order. Raises Usage for what cannot be sent.
local function names_of(given, what, has_host)
  local names = {}
  for name, value in pairs(given) do
    if type(name) ~= "string" then
      args.usage("bad header name in '%s' (string expected, got %s)", what, type(name))
    end
    check_value(name, value, what)
    if value == false and name:lower() == "host" and not has_host then
      args.usage("bad header '%s' in '%s' (each request has one: it cannot be removed)", name, what)
    end
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

-- Appends the lines of a header: one for each item of a list. Cookies are on one line, as servers
-- read but one (RFC 6265, 5.4).
local function append(list, name, value)
  local items = type(value) == "table" and value or { value }
  if name:lower() == "cookie" then items = { table.concat(items, "; ") } end
  for _, item in ipairs(items) do
    list[#list + 1] = name
    list[#list + 1] = tostring(item)
  end
end

-- Returns a list {name, value, ...} of headers from tables of names to values. Later tables replace
-- earlier headers of the same name, and false removes one. The first table holds defaults. A Range
-- counts encoded bytes, so it replaces a default Accept-Encoding by `identity`. The list's
-- `automatic` is the default Accept-Encoding, if it is in use.
function headers.list(what, ...)
  local order, by_name = {}, {}
  for i = 1, select("#", ...) do
    local given = (select(i, ...)) or {}
    for _, name in ipairs(names_of(given, what, by_name.host)) do
      local key, value = name:lower(), given[name]
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
    if value ~= false then append(list, name, value) end
  end
  return list
end

--- Returns a copy of a header's value, as the script may change its list.
function headers.copy(value)
  if type(value) ~= "table" then return value end
  local copy = {}
  for i, item in pairs(value) do copy[i] = item end
  return copy
end

--- Returns a list {name, value, ...} as a table of names to values, or to lists of several.
---@param list string[]
---@return table<string, string|string[]>
function headers.by_name(list)
  local values = {}
  for i = 1, #list, 2 do
    local name, value = list[i], list[i + 1]
    local before = values[name]
    if type(before) == "table" then
      before[#before + 1] = value
    else
      values[name] = before and { before, value } or value
    end
  end
  return values
end

--- Returns the value in a list for a name in lower case, or nil if there is none, or several.
function headers.value(list, wanted)
  local found, n = nil, 0
  for i = 1, #list, 2 do
    if list[i]:lower() == wanted then found, n = list[i + 1], n + 1 end
  end
  return n == 1 and found or nil
end

--- Returns the value in a table of headers for a name in lower case, or nil. Raises Usage for
--- several values, or false.
---@param given table<string, string|string[]|number|false>|nil
---@param wanted string
---@param what string
---@return string|nil
function headers.own(given, wanted, what)
  local found
  for name, value in pairs(given or {}) do
    if type(name) == "string" and name:lower() == wanted then
      if found ~= nil or value == false or type(value) == "table" then
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
