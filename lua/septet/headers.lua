-- The header lines of requests, from tables of scripts.
local core = require "septet.core"
local args = require "septet.args"

local headers = {}

-- A list {name, value, ...} of headers from tables of names to values; later ones replace earlier ones of
-- the same name, and false removes one.
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
      names[#names + 1] = name
    end
    table.sort(names)
    for _, name in ipairs(names) do
      local key, value = name:lower(), (select(i, ...))[name]
      if not by_name[key] then order[#order + 1] = key end
      by_name[key] = { name, value }
    end
  end
  local list = {}
  for _, key in ipairs(order) do
    local name, value = by_name[key][1], by_name[key][2]
    if value ~= false then
      list[#list + 1] = name
      list[#list + 1] = tostring(value)
    end
  end
  return list
end

--- The names of an option `redirect_headers`, in lower case, as a set. The Host is that of each URL.
---@param names string[]|nil
---@param what string
---@return table<string, boolean>
function headers.named(names, what)
  local set, count = {}, 0
  for _ in pairs(names or {}) do count = count + 1 end
  for i = 1, count do
    local name = names[i]
    if type(name) ~= "string" or not name:find "^[%w!#$%%&'*+.^_`|~-]+$" or name:lower() == "host" then
      args.usage("bad option 'redirect_headers' to '%s' (a list of names of headers, without Host, expected)", what)
    end
    set[name:lower()] = true
  end
  return set
end

-- Checked header lines; raises Usage at the script's line.
function headers.checked(list)
  local ok, lines = pcall(core.http_headers, list)
  if ok then return lines end
  if core.is(lines, "Usage") then args.usage("%s", lines.message) end
  error(lines, 0)
end

return headers
