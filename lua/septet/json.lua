-- SPDX-License-Identifier: MIT
--- JSON: text to Lua values and back. Integers of up to 64 bits stay integers. Nothing here waits.
---@class septet.json
local json = {}

local core = require "septet.core"
local args = require "septet.internal.args"

local metatable_of = debug.getmetatable -- ignores __metatable

local DEPTH = 128 -- default nesting of arrays and objects
local MAX_INDENT = 31
local MAX_MEMORY = 512 * 1024 * 1024

local decode_options = { depth = "count", max_memory = "size" }
local encode_options = { indent = "count", depth = "count" }

local function at_most(options, name, limit, what)
  if (options[name] or 0) > limit then
    args.usage("bad option '%s' to '%s' (at most %d expected, got %d)", name, what, limit,
      options[name])
  end
end

--- JSON's null, also inside of tables, for `decode` and `encode`. Lua takes it for true; compare
--- with it.
---@type userdata
json.null = core.json_null

--- Marks a table as an array, so that `encode` takes it for one even if it is empty. `decode` marks
--- arrays, too.
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

--- Returns true if the table is marked as an array.
---@param value any
---@return boolean
function json.is_array(value)
  return type(value) == "table" and metatable_of(value) == core.json_array
end

---@class septet.DecodeOptions
---@field depth integer|nil nesting of arrays and objects, at most 2047; 128
---@field max_memory integer|nil bytes that decoding may take, estimated beforehand; 512 MiB

--- Returns the value of a JSON text in UTF-8. Raises JsonError with `line`, `column` and
--- `position`: how far the text was read, in bytes from 1. An integer that does not fit in 64 bits
--- is an error.
---@param text string
---@param options septet.DecodeOptions|nil
---@return any
function json.decode(text, options)
  args.string(text, 1, "decode")
  options = args.options(options, decode_options, "decode")
  at_most(options, "depth", core.json_depth_max, "decode")
  return core.json_decode(text, options.depth or DEPTH, options.max_memory or MAX_MEMORY)
end

---@class septet.EncodeOptions
---@field indent integer|nil blanks for each level, at most 31; 0: all is on one line
---@field depth integer|nil nesting of arrays and objects, at most 2047; 128

--- Returns the JSON text of a value. Keys of objects are sorted, so the same value gives the same
--- text. A table is an array if its keys are 1 to n or json.array() marked it, else an object.
--- Raises Usage, naming the place, for what JSON cannot express: functions, NaN, strings that are
--- not UTF-8, tables with other keys or gaps.
---@param value any
---@param options septet.EncodeOptions|nil
---@return string
function json.encode(value, options)
  options = args.options(options, encode_options, "encode")
  at_most(options, "indent", MAX_INDENT, "encode")
  at_most(options, "depth", core.json_depth_max, "encode")
  return core.json_encode(value, options.depth or DEPTH, options.indent or 0)
end

return args.module(json, "septet.json")
