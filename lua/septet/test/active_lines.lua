-- SPDX-License-Identifier: MIT
-- The lines of a Lua file that can run. Lua tells them of functions that exist only, so they are
-- read from the bytecode of the whole file, in the form of Lua 5.4.
local active_lines = {}

local ABSOLUTE <const> = -0x80 -- instead of a difference: the line is in a list of its own

-- Lines that only close what others have begun. Lua has an instruction there, which is not always
-- reached.
local function is_only_end(text)
  text = text:gsub("%-%-.*", ""):gsub("end", ""):gsub("else", "")
  return not text:find "[^%s%(%){}%],;]"
end

local reader_meta = {}
reader_meta.__index = reader_meta

function reader_meta:byte()
  local value = self.text:byte(self.at)
  self.at = self.at + 1
  return value
end

-- Reads a number of seven bits a byte, the last of which has its highest bit set.
function reader_meta:size()
  local value = 0
  while true do
    local byte = self:byte()
    value = value << 7 | byte & 0x7F
    if byte & 0x80 ~= 0 then return value end
  end
end

function reader_meta:skip(n) self.at = self.at + n end

function reader_meta:skip_text()
  local size = self:size()
  if size > 0 then self:skip(size - 1) end
end

-- Reads the constants. Their sizes depend on their types.
local function skip_constants(r)
  for _ = 1, r:size() do
    local kind = r:byte()
    if kind == 0x13 or kind == 0x03 then -- a float or an integer
      r:skip(8)
    elseif kind == 0x04 or kind == 0x14 then
      r:skip_text()
    end
  end
end

local function skip_debug(r)
  for _ = 1, r:size() do -- local variables
    r:skip_text()
    r:size()
    r:size()
  end
  for _ = 1, r:size() do r:skip_text() end -- upvalues
end

-- Reads the differences of the lines of the instructions, and adds the lines to `set`.
local function read_lines(r, first, is_vararg, set)
  local n, from = r:size(), r.at
  r:skip(n)
  local absolute = {}
  for _ = 1, r:size() do
    local pc = r:size()
    absolute[pc] = r:size()
  end
  local line = first
  for pc = 0, n - 1 do
    local change = string.unpack("b", r.text, from + pc)
    line = change == ABSOLUTE and absolute[pc] or line + change
    if not (is_vararg and pc == 0) then set[line] = true end
  end
end

local function read_function(r, set)
  r:skip_text() -- the name of the file
  local first = r:size()
  r:size() -- its last line
  r:byte() -- number of parameters
  local is_vararg = r:byte() ~= 0
  r:byte() -- size of its stack
  r:skip(4 * r:size())
  skip_constants(r)
  r:skip(3 * r:size()) -- upvalues
  for _ = 1, r:size() do read_function(r, set) end
  read_lines(r, first, is_vararg, set)
  skip_debug(r)
end

local HEAD <const> = 4 + 2 + 6 + 3 + 8 + 8 + 1 -- bytes before the first function

--- Returns the set of the lines that can run in a file; nil if it cannot be compiled.
---@param path string
---@return table<integer, true>|nil
function active_lines.of(path)
  local chunk = loadfile(path, "t")
  if not chunk then return nil end
  local set, lines, n = {}, {}, 0
  local r = setmetatable({ text = string.dump(chunk), at = HEAD + 1 }, reader_meta)
  read_function(r, set)
  for text in io.lines(path) do
    n = n + 1
    lines[n] = text
  end
  for line in pairs(set) do
    if not lines[line] or is_only_end(lines[line]) then set[line] = nil end
  end
  return set
end

return active_lines
