-- SPDX-License-Identifier: MIT
--- Amounts and times as a line of progress shows them, and its width on a terminal.
local readable = {}

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

-- Ranges of characters that take two columns, and none, in ascending order.
local WIDE <const> = { 0x1100, 0x115F, 0x231A, 0x231B, 0x23E9, 0x23EC, 0x2E80, 0x303E, 0x3041,
  0x33FF, 0x3400, 0x4DBF, 0x4E00, 0x9FFF, 0xA000, 0xA4CF, 0xA960, 0xA97F, 0xAC00, 0xD7A3, 0xF900,
  0xFAFF, 0xFE30, 0xFE6F, 0xFF00, 0xFF60, 0xFFE0, 0xFFE6, 0x1F300, 0x1F64F, 0x1F680, 0x1F6FF,
  0x1F900, 0x1F9FF, 0x20000, 0x3FFFD }
local NONE <const> = { 0x0300, 0x036F, 0x0483, 0x0489, 0x0591, 0x05BD, 0x0610, 0x061A, 0x064B,
  0x065F, 0x0E31, 0x0E31, 0x0E34, 0x0E3A, 0x1AB0, 0x1AFF, 0x1DC0, 0x1DFF, 0x200B, 0x200F, 0x20D0,
  0x20FF, 0xFE00, 0xFE0F, 0xFE20, 0xFE2F, 0xE0100, 0xE01EF }

local function is_in(ranges, code)
  for i = 1, #ranges, 2 do
    if code < ranges[i] then return false end
    if code <= ranges[i + 1] then return true end
  end
  return false
end

local function columns_of(code)
  if code < 0x300 then return 1 end
  return is_in(NONE, code) and 0 or is_in(WIDE, code) and 2 or 1
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
    used = used + columns_of(code)
    if used > columns then return text:sub(1, at - 1) end
  end
  return text
end

return readable
