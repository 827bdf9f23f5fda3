-- SPDX-License-Identifier: MIT
-- Argument checks for the Lua modules. They raise Usage at the script's line.
local core = require "septet.core"
local readable = require "septet.internal.readable"
local other = require "septet.internal.names"

local args = {}

-- Returns a value as messages may show it: an unexpected URL may contain a password.
local function public(value)
  return type(value) == "string" and core.http_public(core.escape(value)) or value
end

-- Raises Usage at the innermost line of the script, because the mistake is not in our modules.
local function usage(format, ...)
  local values = table.pack(...)
  for i = 1, values.n do values[i] = public(values[i]) end
  local level = 2
  local where = debug.getinfo(level, "Sl")
  while where and (where.currentline <= 0 or where.source:sub(1, 9) == "=[septet.") do
    level = level + 1
    where = debug.getinfo(level, "Sl")
  end
  local place = where and ("%s:%d: "):format(core.escape(where.short_src), where.currentline) or ""
  error(core.error { kind = "Usage",
    message = place .. core.escape(format:format(table.unpack(values, 1, values.n))) }, 0)
end
args.usage = usage

-- Returns the number of single-letter edits between two words. Two swapped letters are one edit.
local function distance(a, b)
  local before, row = {}, {}
  for j = 0, #b do row[j] = j end
  for i = 1, #a do
    local next_row = { [0] = i }
    for j = 1, #b do
      local x, y = a:byte(i), b:byte(j)
      local best = math.min(row[j] + 1, next_row[j - 1] + 1, row[j - 1] + (x == y and 0 or 1))
      if i > 1 and j > 1 and x == b:byte(j - 1) and y == a:byte(i - 1) then
        best = math.min(best, before[j - 2] + 1)
      end
      next_row[j] = best
    end
    before, row = row, next_row
  end
  return row[#b]
end

local function nearest(word, spec, edits)
  edits = edits or math.min(3, (#word + 1) // 2) -- of short words, fewer
  local best, best_distance, names = nil, edits + 1, {}
  for name in pairs(spec) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    if math.abs(#word - #name) < best_distance then -- a larger difference means more edits
      local d = distance(word, name)
      if d < best_distance then best, best_distance = name, d end
    end
  end
  return best
end

--- Returns a hint at the known word that resembles an unknown one most, or "".
---@param word string
---@param known table<string, any>
---@param edits integer|nil how many letters may differ; by default half of them, and 3 at most
---@return string
function args.hint(word, known, edits)
  local near = nearest(word, known, edits)
  return near and (", did you mean '%s'?"):format(near) or ""
end

-- Raises Usage for a surplus argument that is not nil, as it would have no effect. A generic `for`
-- passes its state and the last value to any iterator; these are not surplus.
local function check_surplus(name, most, self, n, ...)
  for i = most + 1, n do
    if (select(i, ...)) ~= nil and debug.getinfo(2, "n").namewhat ~= "for iterator" then
      usage("too many arguments to '%s' (at most %d expected, got %d)", name, most - self, n - self)
    end
  end
end

-- Returns the function wrapped to raise Usage for surplus arguments.
local function strict(fn, name, module)
  local info = debug.getinfo(fn, "u")
  local most = info.nparams
  if info.isvararg then return fn end
  return function(...)
    local n = select("#", ...)
    if n > most then
      if rawequal((...), module) then usage("'%s' is a function: call it with a dot", name) end
      check_surplus(name, most, 0, n, ...)
    end
    return fn(...)
  end
end

--- Returns the method wrapped to raise Usage for surplus arguments, and for an object without one
--- of the metatables.
function args.method(fn, name, what, metas)
  local info = debug.getinfo(fn, "u")
  local most = info.isvararg and math.huge or info.nparams
  return function(self, ...)
    if not metas[debug.getmetatable(self)] then
      usage("bad argument #1 to '%s' (%s expected, got %s): '%s' is a method: "
        .. "call it as %s:%s(...), with a colon", name, what,
        self == nil and "no value" or type(self), name, what, name)
    end
    local n = 1 + select("#", ...)
    if n > most then check_surplus(name, most, 1, n, self, ...) end
    return fn(self, ...)
  end
end

--- Wraps the functions of a module to raise Usage for surplus arguments.
---@generic T: table
---@param module T
---@return T the same
function args.functions(module)
  for name, fn in pairs(module) do
    if type(fn) == "function" and name:sub(1, 2) ~= "__" then
      module[name] = strict(fn, name, module)
    end
  end
  return module
end

--- Raises Usage for an unknown field, naming the one that may be meant. Returns nil if the key is
--- not a name, or is one that Lua or a library may look for.
---@param what string
---@param key any
---@param fields table<string, any> known fields
---@param lenient boolean|nil true: returns nil for a field that resembles none of them
function args.no_field(what, key, fields, lenient)
  if type(key) ~= "string" or key:sub(1, 1) == "_" then return nil end
  local near = other.fields[what] and other.fields[what][key] or nearest(key, fields)
  if lenient and not near then return nil end
  usage("%s has no field '%s'%s", what, key, near and (", did you mean '%s'?"):format(near) or "")
end

--- Makes the objects of a table of methods, which is their `__index`, raise Usage if a field is
--- read that they do not have and that resembles one of theirs.
---@param methods table<string, function>
---@param what string kind of the objects, for messages
---@param fields string names of their fields
---@param internal string|nil names of fields that may be nil
function args.fields(methods, what, fields, internal)
  local absent, known = {}, {}
  for name in (fields .. " " .. (internal or "")):gmatch "%S+" do absent[name] = true end
  for name in fields:gmatch "%S+" do known[name] = true end
  for name in pairs(methods) do known[name] = true end
  setmetatable(methods, { __index = function(_, key)
    if not absent[key] then return args.no_field(what, key, known, true) end
  end })
end

--- Makes a module raise Usage if an unknown field is read.
---@generic T: table
---@param module T
---@param name string
---@return T the same
function args.module(module, name)
  return setmetatable(args.functions(module), {
    __index = function(_, key) return args.no_field(name, key, module) end,
  })
end

--- Wraps methods to raise Usage for surplus arguments, and if they are called with a dot.
---@param methods table<string, function>
---@param what string kind of their object, for messages
---@param metas table<table, boolean> metatables of their objects
function args.methods(methods, what, metas)
  for name, fn in pairs(methods) do
    if type(fn) == "function" and name:sub(1, 2) ~= "__" then
      methods[name] = args.method(fn, name, what, metas)
    end
  end
end

local checks = {
  seconds = function(v)
    return type(v) == "number" and v >= 0, "seconds, not negative,"
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
  mode = function(v)
    return math.type(v) == "integer" and v >= 0 and v <= 0xFFF,
      "permissions from 0 to 0xFFF, such as 0x1A4 for rw-r--r--,"
  end,
  body = function(v)
    return type(v) == "string" or type(v) == "function" or readable.check(v),
      "a string, a function or a reader"
  end,
  boolean = function(v) return type(v) == "boolean", "a boolean" end,
  string = function(v) return type(v) == "string", "a string" end,
  secret = function(v) return type(v) == "string", "a string" end, -- messages do not show its value
  table = function(v) return type(v) == "table", "a table" end,
  any = function() return true end,
}

-- Returns a hint for an unknown option, or "" if there is none.
local function option_hint(name, spec)
  local hint = other.options[name]
  if hint and spec[hint[2]] then return (", did you mean %s?"):format(hint[1]) end
  local near = type(name) == "string" and nearest(name, spec)
  if near then return (", did you mean '%s'?"):format(near) end
  local names = {}
  for known in pairs(spec) do names[#names + 1] = known end
  table.sort(names)
  return #names > 0 and (" (one of %s expected)"):format(table.concat(names, ", ")) or ""
end

--- Checks an option table. Raises Usage for unknown names and wrong values.
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
      usage("unknown option '%s' to '%s'%s", tostring(name), what, option_hint(name, spec))
    end
    local ok, expected = checks[kind](value)
    if not ok then
      usage("bad option '%s' to '%s' (%s expected, got %s)", name, what, expected,
        type(value) == "number" and kind ~= "secret" and tostring(value) or type(value))
    end
  end
  return options
end

--- Returns true if a value can be called.
function args.is_callable(value)
  if type(value) == "function" then return true end
  local mt = debug.getmetatable(value) -- ignores __metatable
  return type(mt) == "table" and mt.__call ~= nil
end

--- Raises Usage unless a value can be called.
function args.callable(value, position, what)
  if args.is_callable(value) then return end
  usage("bad argument #%d to '%s' (function expected, got %s)", position, what, type(value))
end

--- Raises Usage unless a value is a whole number from 1 to a million.
function args.count(value, position, what)
  local ok, expected = checks.count(value)
  if ok then return end
  usage("bad argument #%d to '%s' (%s expected, got %s)", position, what, expected,
    type(value) == "number" and tostring(value) or type(value))
end

--- Raises Usage unless a value is nil or a number of seconds.
function args.seconds(value, position, what)
  if value == nil or type(value) == "number" and value >= 0 then return end
  usage("bad argument #%d to '%s' (seconds, not negative, expected, got %s)", position, what,
    type(value) == "number" and tostring(value) or type(value))
end

local function shown(key)
  local kind = type(key)
  if kind == "number" or kind == "boolean" then return ("[%s]"):format(tostring(key)) end
  return kind == "string" and ("'%s'"):format(key) or ("a %s"):format(kind)
end

--- Returns in words what keeps a table from being a list, and the key. Returns nil if its keys are
--- 1 to n, perhaps with the `n` of table.pack().
---@param list table
---@return string|nil
---@return any key
function args.list_fault(list)
  local count = #list
  for key in pairs(list) do
    if key ~= "n" and (math.type(key) ~= "integer" or key < 1 or key > count) then
      return ("list expected, got a table with the key %s"):format(shown(key)), key
    end
  end
  local packed = list.n
  if packed ~= nil and (math.type(packed) ~= "integer" or packed < count) then
    return "list expected, got a table with the key 'n'", "n"
  end
  for i = 1, packed or count do
    if list[i] == nil then return ("item %d: nil in a list"):format(i), i end
  end
end

--- Raises Usage unless a value is a list. For a key that is one of `options`, the message says so.
---@param value any
---@param position integer
---@param what string
---@param options table<string, string>|nil
function args.list(value, position, what, options)
  if core.is_plain_list(value) then return end
  if type(value) ~= "table" then
    usage("bad argument #%d to '%s' (list expected, got %s)", position, what, type(value))
  end
  local fault, key = args.list_fault(value)
  if fault and options and options[key] then
    usage(
      "bad argument #%d to '%s' ('%s' in the list is an option: %s(list, { %s = ... }) expected)",
      position, what, key, what, key)
  end
  if fault then usage("bad argument #%d to '%s' (%s)", position, what, fault) end
end

--- Raises Usage unless the value of an option is a list.
---@param value any
---@param name string
---@param what string
function args.list_option(value, name, what)
  local fault = type(value) == "table" and args.list_fault(value)
  if type(value) ~= "table" then fault = ("list expected, got %s"):format(type(value)) end
  if fault then usage("bad option '%s' to '%s' (%s)", name, what, fault) end
end

--- Raises Usage unless a value is a string.
function args.string(value, position, what)
  if type(value) ~= "string" then
    usage("bad argument #%d to '%s' (string expected, got %s)", position, what, type(value))
  end
end

return args
