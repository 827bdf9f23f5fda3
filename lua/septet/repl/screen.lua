-- SPDX-License-Identifier: MIT
-- The terminal of the prompt: draws the line that is typed, and takes it away while others print.
-- It breaks the lines itself, so that it knows the row of the cursor in any terminal.
local screen = {}

local columns_of = require("septet.pretty.width").of
local core = require "septet.core"

local Screen = {}
local screen_meta = { __index = Screen }

local write_file = getmetatable(io.stdout).__index.write

--- Returns the screen of a terminal. `term` has the functions of the program.
function screen.new(term)
  local dumb = os.getenv "TERM"
  local no_colour = os.getenv "NO_COLOR"
  dumb = dumb == nil or dumb == "" or dumb == "dumb"
  return setmetatable({ term = term, dumb = dumb, row = 0, at = 0, first = 1, open_line = false,
    colour = not dumb and (no_colour == nil or no_colour == "") }, screen_meta)
end

--- Returns the columns and the rows of the terminal.
function Screen:size()
  local columns, rows = core.terminal_size(1)
  return math.max(columns or 80, 8), math.max(rows or 24, 2)
end

function Screen:columns()
  return (self:size())
end

--- Writes to the terminal as it is. A script may have closed standard output.
function Screen:put(text)
  local out = io.type(io.stdout) == "file" and io.stdout or io.stderr
  if io.type(out) == "file" and write_file(out, text) then out:flush() end
end

-- Returns the text of a character as it is shown, and its columns.
local function shown(character)
  if character:find "^[\x80-\xFF]" and not utf8.len(character) then return "\u{FFFD}", 1 end
  if character == "\t" then return "  ", 2 end
  return character, columns_of(character)
end

-- Appends a character to the rows, on a new row if it does not fit.
local function append(rows, widths, text, width, most)
  local last = #rows
  if widths[last] + width > most then
    last = last + 1
    rows[last], widths[last] = {}, 0
  end
  local row = rows[last]
  row[#row + 1] = text
  widths[last] = widths[last] + width
end

-- Breaks the prompt and the characters behind it into rows. Returns their texts and widths, and the
-- row and the column of the cursor.
local function break_rows(prompt, characters, cursor, most)
  local rows, widths = { { prompt } }, { columns_of(prompt) }
  local row, at
  for i = 1, #characters + 1 do
    local text, width = " ", 1
    if i <= #characters then text, width = shown(characters[i]) end
    if i <= #characters or widths[#rows] >= most then
      append(rows, widths, i <= #characters and text or "", i <= #characters and width or 1, most)
      if i > #characters then widths[#rows] = 0 end
    end
    if i == cursor then
      row, at = #rows, i <= #characters and widths[#rows] - width or widths[#rows]
    end
  end
  return rows, widths, row, at
end

-- Returns the rows from the first one that is shown, so that the one with the cursor is among them.
function Screen:window(rows, widths, row, height)
  self.first = math.max(math.min(self.first, row, #rows - height + 1), row - height + 1, 1)
  local last = math.min(#rows, self.first + height - 1)
  local lines = {}
  for i = self.first, last do lines[#lines + 1] = table.concat(rows[i]) end
  return lines, table.move(widths, self.first, last, 1, {}), row - self.first + 1
end

--- Draws the prompt and the characters behind it, with the cursor before the one at `cursor`. Of a
--- line that is taller than the terminal, it draws the part around the cursor.
function Screen:draw(prompt, characters, cursor)
  local most, height = self:size()
  local rows, widths, row, at = break_rows(prompt, characters, cursor, most)
  local lines
  self:erase()
  lines, widths, row = self:window(rows, widths, row, height)
  local back = #lines - row
  self.term.show "\r\27[J" -- first: what is printed from here on erases it
  self:put((self.open_line and "\r\n" or "") .. table.concat(lines, "\r\n")
    .. (back > 0 and ("\27[%dA"):format(back) or "") .. "\r"
    .. (at > 0 and ("\27[%dC"):format(at) or ""))
  self.open_line = false
  self.widths, self.row, self.at, self.drawn_for, self.height = widths, row, at, most, height
  self.term.update(self:sequence())
end

-- Returns what erases the line. A terminal that became narrower may have broken its rows anew.
function Screen:sequence()
  local most, up = self:columns(), 0
  for i = 1, self.row - 1 do
    up = up + (most < self.drawn_for and math.max(1, math.ceil(self.widths[i] / most)) or 1)
  end
  if most < self.drawn_for then up = up + self.at // most end
  return (up > 0 and ("\27[%dA"):format(up) or "") .. "\r\27[J"
end

--- Erases the line if it is shown.
function Screen:erase()
  if not self.term.is_shown() then return end
  self.term.show(self:sequence())
  self.term.hide()
end

--- Returns true if the line has to be drawn anew: something was printed, or the size changed.
function Screen:is_stale()
  local columns, rows = self:size()
  return not self.term.is_shown() or columns ~= self.drawn_for or rows ~= self.height
end

--- Leaves the line as it is shown, and goes on below it.
function Screen:finish()
  local below = #self.widths - self.row
  self.term.show ""
  self:put((below > 0 and ("\27[%dB"):format(below) or "") .. "\r\n")
end

--- Has what scripts print appear above the line.
function Screen:watch(globals)
  local hide, print_all = self.term.hide, print
  local function note(text)
    text = tostring(text)
    if text ~= "" then self.open_line = text:sub(-1) ~= "\n" end
  end
  globals.print = function(...)
    hide()
    print_all(...)
    self.open_line = false
  end
  local write_out = io.write
  globals.io.write = function(...)
    hide()
    if select("#", ...) > 0 then note((select(-1, ...))) end
    return write_out(...)
  end
  getmetatable(io.stdout).__index.write = function(file, ...)
    if file == io.stdout or file == io.stderr then
      hide()
      if select("#", ...) > 0 then note((select(-1, ...))) end
    end
    return write_file(file, ...)
  end
end

return screen
