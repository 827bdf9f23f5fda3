-- SPDX-License-Identifier: MIT
-- Encodes tables of a script as text: query strings and forms.
local args = require "septet.internal.args"
local core = require "septet.core"

local encode = {}

-- Percent-encodes all but unreserved characters (RFC 3986, 2.3).
local percent = core.url_encode

-- Like percent(), but encodes a space as a plus, as forms do.
local function plus(text)
  return (percent(text):gsub("%%20", "+"))
end

local scalars = { string = true, number = true, boolean = true }

local function scalar(value, name, what)
  local kind, shown = type(value), nil
  if kind == "number" and (value ~= value or value == math.huge or value == -math.huge) then
    shown = tostring(value)
  elseif not scalars[kind] then
    shown = kind
  end
  if shown then
    args.usage("bad value of '%s' in '%s' (string, number or boolean expected, got %s)",
      tostring(name), what, shown)
  end
  return tostring(value)
end

-- Returns the values of a field. Raises Usage if there are none, as the field would be lost.
local function values_of(value, name, what)
  if type(value) ~= "table" then return { value } end
  local fault = args.list_fault(value)
    or #value == 0 and "value or list of values expected, got an empty table"
  if fault then args.usage("bad value of '%s' in '%s' (%s)", tostring(name), what, fault) end
  return value
end

local function is_pair(item)
  if type(item) ~= "table" or item[2] == nil then return false end
  for key in pairs(item) do
    if key ~= 1 and key ~= 2 and not (key == "n" and item.n == 2) then return false end
  end
  return true
end

--- Returns fields as a list of {name, value}: a list of pairs in its order, other fields by name. A
--- field with several values occurs once for each. Raises Usage for anything that would be lost.
---@param fields table
---@param what string
---@return string[][]
function encode.pairs(fields, what)
  local list = {}
  local function add(name, value)
    for _, item in ipairs(values_of(value, name, what)) do
      list[#list + 1] = { scalar(name, name, what), scalar(item, name, what) }
    end
  end
  if type(fields[1]) == "table" then
    local fault = args.list_fault(fields)
    if fault then args.usage("bad option '%s' (%s)", what, fault) end
    for i, pair in ipairs(fields) do
      if not is_pair(pair) then
        args.usage("bad item %d of '%s' (a pair of name and value expected)", i, what)
      end
      add(pair[1], pair[2])
    end
    return list
  end
  if fields[1] ~= nil then
    args.usage("bad item 1 of '%s' (a pair of name and value expected)", what)
  end
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names, function(a, b) return tostring(a) < tostring(b) end)
  for _, name in ipairs(names) do add(name, fields[name]) end
  return list
end

local function joined(fields, what, escape)
  local parts = {}
  for i, pair in ipairs(encode.pairs(fields, what)) do
    parts[i] = escape(pair[1]) .. "=" .. escape(pair[2])
  end
  return table.concat(parts, "&")
end

--- Returns the URL with parameters added to its query.
---@param url string
---@param params table names to values or lists of values, or a list of {name, value}
---@return string
function encode.query(url, params)
  local query = joined(params, "params", percent)
  if query == "" then return url end
  local before, fragment = url:match("^([^#]*)(.*)$")
  local separator = not before:find("?", 1, true) and "?" or before:find("[?&]$") and "" or "&"
  return before .. separator .. query .. fragment
end

--- Returns the body of a form, as application/x-www-form-urlencoded.
---@param fields table like `params` of encode.query()
---@return string
function encode.form(fields)
  return joined(fields, "form", plus)
end

return encode
