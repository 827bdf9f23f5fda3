-- SPDX-License-Identifier: MIT
-- How many columns of a terminal a text takes.
local width = {}

-- Ranges in ascending order: characters of two columns, those of East Asia and pictures; and of
-- none, which change the one before them.
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

--- Returns the number of columns of a character.
---@param code integer
---@return integer
function width.of_code(code)
  if code < 0x300 then return 1 end
  return is_in(NONE, code) and 0 or is_in(WIDE, code) and 2 or 1
end

--- Returns the number of columns. Bytes that are not UTF-8 count as one each.
---@param text string
---@return integer
function width.of(text)
  if not text:find "[\x80-\xFF]" then return #text end
  if not utf8.len(text) then return #text end
  local columns = 0
  for _, code in utf8.codes(text) do
    columns = columns + width.of_code(code)
  end
  return columns
end

return width
