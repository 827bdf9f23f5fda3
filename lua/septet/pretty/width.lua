-- SPDX-License-Identifier: MIT
-- How many columns of a terminal a text takes.
local width = {}

-- Ranges of characters that take two columns: those of East Asia, and pictures.
local WIDE = { 0x1100, 0x115F, 0x2E80, 0x303E, 0x3041, 0x33FF, 0x3400, 0x4DBF, 0x4E00, 0x9FFF,
  0xA000, 0xA4CF, 0xAC00, 0xD7A3, 0xF900, 0xFAFF, 0xFE30, 0xFE6F, 0xFF00, 0xFF60, 0xFFE0, 0xFFE6,
  0x1F300, 0x1F64F, 0x1F680, 0x1F6FF, 0x1F900, 0x1F9FF, 0x20000, 0x3FFFD }

-- Ranges of characters that take none: they change the one before them.
local NONE = { 0x0300, 0x036F, 0x200B, 0x200F, 0x20D0, 0x20FF, 0xFE00, 0xFE0F }

local function is_in(ranges, code)
  for i = 1, #ranges, 2 do
    if code < ranges[i] then return false end
    if code <= ranges[i + 1] then return true end
  end
  return false
end

--- Returns the number of columns. Bytes that are not UTF-8 count as one each.
---@param text string
---@return integer
function width.of(text)
  if not text:find "[\x80-\xFF]" then return #text end
  if not utf8.len(text) then return #text end
  local columns = 0
  for _, code in utf8.codes(text) do
    columns = columns + (code < 0x300 and 1 or is_in(NONE, code) and 0 or is_in(WIDE, code) and 2
      or 1)
  end
  return columns
end

return width
