-- SPDX-License-Identifier: MIT
--- Amounts and times as a line of progress shows them, and its width on a terminal.
local readable = {}

local width = require "septet.pretty.width"

--- Returns a number without a fraction, unless it is less than one.
---@param n number
---@return string
function readable.count(n)
  if n ~= n or n >= 1e15 then return ("%.3g"):format(n) end
  if n > 0 and n < 0.95 then return ("%.1f"):format(n) end
  return ("%.0f"):format(n)
end

--- Returns a size with its unit.
---@param bytes number
---@return string
function readable.size(bytes)
  if bytes < 1000 then return ("%.0f B"):format(bytes) end
  local value = bytes
  for _, unit in ipairs { "kB", "MB", "GB", "TB", "PB" } do
    value = value / 1000
    if value < 999.5 or unit == "PB" then
      return (value < 9.95 and "%.1f %s" or "%.0f %s"):format(value, unit)
    end
  end
end

--- Returns a time as minutes and seconds, or hours, minutes and seconds.
---@param seconds number
---@return string
function readable.time(seconds)
  if seconds ~= seconds or seconds > 8.64e7 then return "days" end
  local whole = math.ceil(seconds)
  if whole < 3600 then return ("%d:%02d"):format(whole // 60, whole % 60) end
  return ("%d:%02d:%02d"):format(whole // 3600, whole // 60 % 60, whole % 60)
end

--- Returns as much of a text as fits in so many columns.
---@param text string
---@param columns integer
---@return string
function readable.cut(text, columns)
  if #text <= columns then return text end
  if not utf8.len(text) then return text:sub(1, columns) end
  local used = 0
  for at, code in utf8.codes(text) do
    used = used + width.of_code(code)
    if used > columns then return text:sub(1, at - 1) end
  end
  return text
end

return readable
