--- JSON: text to Lua values and back. Integers stay integers, up to 64 bits; nothing here waits.
---@class septet.json
local json = {}

local core = require "septet.core"
local args = require "septet.args"

local metatable_of = debug.getmetatable -- whatever its __metatable shows

local DEPTH = 128 -- of arrays and objects in one another, unless a script says otherwise
local MAX_INDENT = 31
local MAX_MEMORY = 512 * 1024 * 1024

local decode_options = { depth = "count", max_memory = "size" }
local encode_options = { indent = "count", depth = "count" }

local function at_most(options, name, limit, what)
  if (options[name] or 0) > limit then
    args.usage("bad option '%s' to '%s' (at most %d expected, got %d)", name, what, limit, options[name])
  end
end

--- JSON's null: what `decode` gives for it, inside of tables, too, and `encode` takes. It is not false to Lua;
--- compare with it.
json.null = core.json_null

--- Marks a table as an array, so that it is one to `encode` even while it is empty. What `decode` makes of an array
--- is marked so.
---@generic T: table
---@param list T a table without a metatable
---@return T the same
function json.array(list)
  if type(list) ~= "table" then
    args.usage("bad argument #1 to 'array' (list expected, got %s)", type(list))
  end
  local meta = metatable_of(list)
  if meta == core.json_array then return list end
  if meta ~= nil then
    args.usage("bad argument #1 to 'array' (a table with a metatable of its own)")
  end
  return setmetatable(list, core.json_array)
end

--- Is the table marked as an array?
---@param value any
---@return boolean
function json.is_array(value)
  return type(value) == "table" and metatable_of(value) == core.json_array
end

--- The value of a JSON text in UTF-8. Raises JsonError, with the `line`, the `column` and the `position` to which the
--- text was read, in bytes from 1; a number that 64 bits cannot hold is an error, too.
---@param text string
---@param options {depth: integer|nil, max_memory: integer|nil}|nil `depth`: how deep arrays and objects may nest, 128
--- by default and 2047 at most. `max_memory`: bytes that decoding may take, estimated before it begins; 512 MiB by
--- default
---@return any
function json.decode(text, options)
  args.string(text, 1, "decode")
  options = args.options(options, decode_options, "decode")
  at_most(options, "depth", core.json_depth_max, "decode")
  return core.json_decode(text, options.depth or DEPTH, options.max_memory or MAX_MEMORY)
end

--- The JSON text of a value, with the keys of objects sorted: the same value gives the same text. A table is an
--- array where its keys are 1 to n, or `json.array` marked it, else an object. Raises Usage, naming the place, for what
--- JSON has no words for: functions, NaN, strings that are not UTF-8, tables with other keys or with gaps.
---@param value any
---@param options {indent: integer|nil, depth: integer|nil}|nil `indent`: spaces a level, up to 31, and a line for each
--- item; without, everything is on one line. `depth`: as for `decode`
---@return string
function json.encode(value, options)
  options = args.options(options, encode_options, "encode")
  at_most(options, "indent", MAX_INDENT, "encode")
  at_most(options, "depth", core.json_depth_max, "encode")
  return core.json_encode(value, options.depth or DEPTH, options.indent or 0)
end

return args.module(json, "septet.json")
