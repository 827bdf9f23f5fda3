-- SPDX-License-Identifier: MIT
-- Tables and lines of text for a terminal of 80 columns.
local layout = {}

local words = require "septet.trace.words"

local WIDTH <const> = 80

layout.width = WIDTH

local function pad(text, width, left)
  local space = (" "):rep(width - words.width(text))
  return left and text .. space or space .. text
end

--- Writes rows of cells in columns. The first is aligned to the left, and so is the last if
-- `last_left`; the others to the right.
function layout.table(write, rows, last_left)
  local widths, n = {}, 0
  for _, row in ipairs(rows) do
    n = math.max(n, #row)
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, words.width(cell)) end
  end
  for _, row in ipairs(rows) do
    local cells = {}
    for i, cell in ipairs(row) do
      cells[i] = pad(cell, widths[i], i == 1 or last_left and i == n)
    end
    write(("  %s\n"):format(table.concat(cells, "  "):gsub(" +$", "")))
  end
end

--- Writes pieces one after the other, in lines of at most WIDTH columns.
function layout.flow(write, first, pieces, indent, separator)
  local line, empty = first, true
  for i, piece in ipairs(pieces) do
    if i < #pieces then piece = piece .. separator:gsub(" +$", "") end
    local gap = separator:match " *$"
    if empty then
      line, empty = line .. piece, false
    elseif words.width(line) + #gap + words.width(piece) > WIDTH then
      write(line .. "\n")
      line = indent .. piece
    else
      line = line .. gap .. piece
    end
  end
  write(line .. "\n")
end

--- Writes a sentence in lines of at most WIDTH columns.
function layout.words(write, first, text, indent)
  local pieces = {}
  for word in text:gmatch "%S+" do pieces[#pieces + 1] = word end
  layout.flow(write, first, pieces, indent, " ")
end

return layout
