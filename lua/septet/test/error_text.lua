-- SPDX-License-Identifier: MIT
-- Error values in words. An error may be any value, and its metatable may fail itself.
local error_text = {}

local core = require "septet.core"
local pretty = require "septet.pretty"

--- Returns an error value in words. Never fails.
---@param value any
---@return string
function error_text.of(value)
  local kind = type(value)
  if kind == "string" then return value end
  local meta = debug.getmetatable(value)
  local has_text = core.is(value) or type(meta) == "table" and rawget(meta, "__tostring") ~= nil
  if has_text or kind ~= "table" and kind ~= "userdata" then
    local ok, text = pcall(tostring, value)
    if ok then return text end
  end
  local ok, text = pcall(pretty.format, value)
  return ok and text or "a value of type " .. kind
end

return error_text
