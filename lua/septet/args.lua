-- Checks of arguments for the modules in Lua: each raises Usage at the script's line.
local core = require "septet.core"

local args = {}

-- Raises Usage at the innermost line that is the script's: our own modules are not where the mistake is.
local function usage(format, ...)
  local level = 2
  local where = debug.getinfo(level, "Sl")
  while where and (where.currentline <= 0 or where.source:sub(1, 9) == "=[septet.") do
    level = level + 1
    where = debug.getinfo(level, "Sl")
  end
  local place = where and ("%s:%d: "):format(core.escape(where.short_src), where.currentline) or ""
  error(core.error { kind = "Usage", message = place .. core.escape(format:format(...)) }, 0)
end
args.usage = usage

-- How many single-letter edits lie between two words.
local function distance(a, b)
  local row = {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local diagonal = row[0]
    row[0] = i
    for j = 1, #b do
      local above = row[j]
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(row[j] + 1, row[j - 1] + 1, diagonal + cost)
      diagonal = above
    end
  end
  return row[#b]
end

local function nearest(word, spec)
  local best, best_distance = nil, 4
  local names = {}
  for name in pairs(spec) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local d = distance(word, name)
    if d < best_distance then best, best_distance = name, d end
  end
  return best
end

local checks = {
  seconds = function(v)
    return type(v) == "number" and v >= 0, "seconds, not negative"
  end,
  timeout = function(v)
    return type(v) == "table" or type(v) == "number" and v >= 0, "seconds, or a table of them,"
  end,
  count = function(v)
    return math.type(v) == "integer" and v >= 1 and v <= 1000000, "a whole number from 1 to 1000000"
  end,
  size = function(v)
    return math.type(v) == "integer" and v >= 1, "a whole number of bytes, at least 1"
  end,
  bytes = function(v)
    return math.type(v) == "integer" and v >= 0, "a whole number of bytes"
  end,
  body = function(v) return type(v) == "string" or type(v) == "function", "a string or a function" end,
  boolean = function(v) return type(v) == "boolean", "a boolean" end,
  string = function(v) return type(v) == "string", "a string" end,
  secret = function(v) return type(v) == "string", "a string" end, -- the message says nothing of its value
  table = function(v) return type(v) == "table", "a table" end,
  any = function() return true end,
}

--- Checks an option table: unknown names and wrong values raise Usage.
---@param options table|nil
---@param spec table<string, string> name to kind of check
---@param what string the function's name, for messages
---@return table options never nil
function args.options(options, spec, what)
  if options == nil then return {} end
  if type(options) ~= "table" then
    usage("bad options to '%s' (table expected, got %s)", what, type(options))
  end
  for name, value in pairs(options) do
    local kind = spec[name]
    if not kind then
      local near = type(name) == "string" and nearest(name, spec)
      usage("unknown option '%s' to '%s'%s", tostring(name), what,
        near and (", did you mean '%s'?"):format(near) or "")
    end
    local ok, expected = checks[kind](value)
    if not ok then
      usage("bad option '%s' to '%s' (%s expected, got %s)", name, what, expected,
        type(value) == "number" and kind ~= "secret" and tostring(value) or type(value))
    end
  end
  return options
end

--- Checks that a value can be called.
function args.callable(value, position, what)
  local mt = debug.getmetatable(value) -- whatever its __metatable shows
  if type(value) == "function" or type(mt) == "table" and mt.__call then return end
  usage("bad argument #%d to '%s' (function expected, got %s)", position, what, type(value))
end

--- Checks that a value is nil or a number of seconds.
function args.seconds(value, position, what)
  if value == nil or type(value) == "number" and value >= 0 then return end
  usage("bad argument #%d to '%s' (seconds, not negative, expected, got %s)", position, what,
    type(value) == "number" and tostring(value) or type(value))
end

--- Checks that a value is a table.
function args.list(value, position, what)
  if type(value) ~= "table" then
    usage("bad argument #%d to '%s' (list expected, got %s)", position, what, type(value))
  end
end

--- Checks that a value is a string.
function args.string(value, position, what)
  if type(value) ~= "string" then
    usage("bad argument #%d to '%s' (string expected, got %s)", position, what, type(value))
  end
end

return args
