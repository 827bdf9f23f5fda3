-- SPDX-License-Identifier: MIT
-- What a test prints: its beginning and its end are kept, and texts of any bytes are made such that
-- a report can hold them.
local printed = {}

local terminal = require "septet.trace.terminal"

local FIRST <const> = 8 * 1024  -- bytes that are kept of the beginning
local LAST <const> = 24 * 1024  -- and of the end

---@class septet.test.Printed
---@field first string
---@field last string at most twice as much as is kept
---@field size integer of all that was printed
local Printed = {}
Printed.__index = Printed

--- Returns an empty record.
---@return septet.test.Printed
function printed.new() return setmetatable({ first = "", last = "", size = 0 }, Printed) end

function Printed:clear() self.first, self.last, self.size = "", "", 0 end

--- Adds a piece.
---@param text string
function Printed:add(text)
  self.size = self.size + #text
  local room = FIRST - #self.first
  self.first = self.first .. text:sub(1, room)
  if #text <= room then return end
  self.last = self.last .. text:sub(room + 1)
  if #self.last > 2 * LAST then self.last = self.last:sub(-LAST) end
end

--- Returns what was printed. If something is left out of the middle, says how much. Lines are whole
--- unless one is longer than what is kept.
---@return string
function Printed:text()
  local first, last = self.first, self.last
  if #first + #last == self.size and #last <= LAST then return first .. last end
  first = first:match "^.*\n" or first
  last = last:sub(-LAST)
  last = last:match "^[^\n]*\n(.+)$" or last
  local left_out = self.size - #first - #last
  if first:sub(-1) ~= "\n" then first = first .. "\n" end
  return ("%s… %d bytes left out …\n%s"):format(first, left_out, last)
end

--- Returns a text with its lines, and with other control characters and bytes that are no UTF-8
--- as \xNN, so that it can neither move the cursor nor paint.
---@param text string
---@return string
function printed.lines(text)
  return (text:gsub("[^\n\t]+", terminal.escape))
end

return printed
