-- SPDX-License-Identifier: MIT
-- Encodes tables of a script as text: query strings, forms, multipart bodies.
local core = require "septet.core"
local args = require "septet.internal.args"

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

-- Quotes a name for Content-Disposition. Quotes and line ends are percent-encoded, as in browsers.
local function quoted(text)
  return '"' .. text:gsub('[\r\n"]', { ["\r"] = "%0D", ["\n"] = "%0A", ['"'] = "%22" }) .. '"'
end

local part_options = { name = "string", data = "string", filename = "string", type = "string" }

local function part_text(part, i)
  if type(part) ~= "table" then
    args.usage("bad part %d of 'multipart' (table expected, got %s)", i, type(part))
  end
  args.options(part, part_options, "multipart")
  if not (part.name and part.data) then
    args.usage("bad part %d of 'multipart' (it needs a 'name' and 'data')", i)
  end
  local lines = { "Content-Disposition: form-data; name=" .. quoted(part.name) }
  if part.filename then lines[1] = lines[1] .. "; filename=" .. quoted(part.filename) end
  local kind = part.type or part.filename and "application/octet-stream"
  if kind then
    if kind:find("[\r\n]") then
      args.usage("bad part %d of 'multipart' (a line's end in its type)", i)
    end
    lines[2] = "Content-Type: " .. kind
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. part.data
end

local function occurs(boundary, texts)
  for _, text in ipairs(texts) do
    if text:find(boundary, 1, true) then return true end
  end
  return false
end

-- Returns a boundary that occurs in none of the parts.
local function new_boundary(texts)
  local boundary
  repeat
    boundary = ("septet-%016x%016x"):format(math.random(0), math.random(0))
  until not occurs(boundary, texts)
  return boundary
end

-- Returns the boundary in a Content-Type, or nil if there is none. Raises Usage if the type cannot
-- have one, or a receiver could not read it (RFC 2046, 5.1.1).
local function named_boundary(kind)
  local subtype, rest =
    kind:match "^%s*[Mm][Uu][Ll][Tt][Ii][Pp][Aa][Rr][Tt]/([%w!#$&^_.+-]+)%s*(.*)$"
  if not subtype or not (rest == "" or rest:find "^;") then
    args.usage "bad header 'Content-Type' (a multipart/... type expected for a body by 'multipart')"
  end
  local found
  while rest ~= "" do
    local name, value, behind = rest:match '^;%s*([%w!#$&^_.+-]+)="([^"\\]*)"%s*(.*)$'
    if not name then
      name, value, behind = rest:match "^;%s*([%w!#$&^_.+-]+)=([^%s;\"]*)%s*(.*)$"
    end
    if not name and rest:find "^;%s*$" then return found end
    if not name then
      args.usage("bad header 'Content-Type' (parameters, as '; name=value', expected)")
    end
    if name:lower() == "boundary" then
      if found or not value:find "^[%w'()+_,./:=? -]+$" or #value > 70 or value:find " $" then
        args.usage("bad header 'Content-Type' (one boundary of 1 to 70 letters, digits and "
          .. "\"'()+_,-./:=?\" expected)")
      end
      found = value
    end
    rest = behind
  end
  return found
end

--- Returns a multipart body and its Content-Type: multipart/form-data, or the request's own type.
--- The boundary is the one of that type, or else a new one.
---@param parts {name: string, data: string, filename: string|nil, type: string|nil}[]
---@param own string|nil the request's own Content-Type
---@return string body
---@return string content_type
function encode.multipart(parts, own)
  local texts = {}
  args.list_option(parts, "multipart", "request")
  for i, part in ipairs(parts) do texts[i] = part_text(part, i) end
  local boundary = own and named_boundary(own)
  if boundary and occurs("--" .. boundary, texts) then
    args.usage("bad header 'Content-Type' (its boundary occurs in a part)")
  end
  local kind = own or "multipart/form-data"
  if not boundary then
    boundary = new_boundary(texts)
    kind = kind:gsub("[%s;]*$", "") .. "; boundary=" .. boundary
  end
  local out = {}
  for i, text in ipairs(texts) do out[i] = "--" .. boundary .. "\r\n" .. text .. "\r\n" end
  return table.concat(out) .. "--" .. boundary .. "--\r\n", kind
end

return encode
