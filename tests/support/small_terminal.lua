-- SPDX-License-Identifier: MIT
-- A terminal of a few rows, for tests of what the prompt draws. It knows the sequences that the
-- prompt uses, and refuses others.
local width_of = debug.getregistry()["septet.require"] "septet.pretty.width".of

local small_terminal = {}

local Terminal = {}
local terminal_meta = { __index = Terminal }

--- Returns an empty terminal.
function small_terminal.new(columns, rows)
  local self = setmetatable({ columns = columns, height = rows, row = 1, column = 0, cells = {} },
    terminal_meta)
  for i = 1, rows do self.cells[i] = {} end
  return self
end

local function line_feed(self)
  if self.row < self.height then
    self.row = self.row + 1
    return
  end
  table.remove(self.cells, 1)
  self.cells[self.height] = {}
end

local function put(self, character)
  local width = width_of(character)
  if self.column + width > self.columns then -- the terminal would break the row by itself
    error(("a row is wider than %d columns"):format(self.columns))
  end
  self.cells[self.row][self.column] = character
  for i = 1, width - 1 do self.cells[self.row][self.column + i] = "" end
  self.column = self.column + width
end

local function erase_below(self)
  for i = self.column, self.columns do self.cells[self.row][i] = nil end
  for i = self.row + 1, self.height do self.cells[i] = {} end
end

local SEQUENCES = {
  A = function(self, n) self.row = math.max(1, self.row - n) end,
  B = function(self, n) self.row = math.min(self.height, self.row + n) end,
  C = function(self, n) self.column = math.min(self.columns - 1, self.column + n) end,
  H = function(self) self.row, self.column = 1, 0 end,
  J = erase_below,
}

--- Shows what a program writes.
function Terminal:write(bytes)
  local at = 1
  while at <= #bytes do
    local number, last, behind = bytes:match("^\27%[(%d*)(%a)()", at)
    if behind then
      assert(SEQUENCES[last], last)(self, tonumber(number) or 1)
    else
      local character = bytes:match("^" .. utf8.charpattern, at)
      behind = at + #character
      if character == "\r" then
        self.column = 0
      elseif character == "\n" then
        line_feed(self)
      else
        assert(character >= " ", "a control character")
        put(self, character)
      end
    end
    at = behind
  end
end

--- Returns the rows, without blanks at their ends, and without empty rows at the end.
function Terminal:rows()
  local rows = {}
  for i = 1, self.height do
    local row = {}
    for j = 0, self.columns do row[#row + 1] = self.cells[i][j] or " " end
    rows[i] = table.concat(row):gsub(" +$", "")
  end
  while rows[#rows] == "" do rows[#rows] = nil end
  return rows
end

return small_terminal
