-- SPDX-License-Identifier: MIT
-- The characters of the line that is typed, the cursor among them, and the changes to be undone.
local line = {}

local columns_of = require("septet.pretty.width").of
local keys = require "septet.repl.keys"

local MOST_CHANGES = 100

local Line = {}
local line_meta = { __index = Line }

-- Returns the characters of a text. Of the control characters, only tabs are among them.
local function split(text)
  local characters, at = {}, 1
  while at <= #text do
    local name, character, behind = keys.read(text, at)
    if not behind then behind, character = at + 1, text:sub(at, at) end
    if name == "tab" then character = "\t" end
    if character then characters[#characters + 1] = character end
    at = behind
  end
  return characters
end

--- Returns an empty line.
function line.new()
  return setmetatable({ characters = {}, cursor = 1, changes = {} }, line_meta)
end

--- Returns the text, or that from one character to before another.
function Line:text(first, last)
  return table.concat(self.characters, "", first or 1, (last or #self.characters + 1) - 1)
end

--- Replaces the text. The cursor is behind it.
function Line:set(text)
  self.characters = split(text)
  self.cursor = #self.characters + 1
end

--- Inserts a text at the cursor.
function Line:insert(text)
  local new, at = split(text), self.cursor
  table.move(self.characters, at, #self.characters, at + #new)
  table.move(new, 1, #new, at, self.characters)
  self.cursor = at + #new
end

--- Removes the characters from one to before another, and returns them.
function Line:cut(first, last)
  local text, count = self:text(first, last), #self.characters
  table.move(self.characters, last, count + last - first, first)
  self.cursor = first
  return text
end

--- Exchanges the characters around the cursor, or the last two at the end.
function Line:transpose()
  local at = math.min(self.cursor, #self.characters)
  if at < 2 then return end
  local characters = self.characters
  characters[at - 1], characters[at] = characters[at], characters[at - 1]
  self.cursor = at + 1
end

--- Keeps the text and the cursor, to be brought back.
function Line:remember()
  local changes, text = self.changes, self:text()
  if #changes > 0 and changes[#changes].text == text then return end
  if #changes == MOST_CHANGES then table.remove(changes, 1) end
  changes[#changes + 1] = { text = text, cursor = self.cursor }
end

--- Brings back what was before the last change.
function Line:undo()
  local text, change = self:text(), table.remove(self.changes)
  while change and change.text == text do change = table.remove(self.changes) end
  if not change then return end
  self:set(change.text)
  self.cursor = change.cursor
end

--- Returns the position one character, with what combines with it, to the left of the cursor.
function Line:left()
  local at = self.cursor
  if at > 1 then at = at - 1 end
  while at > 1 and columns_of(self.characters[at]) == 0 do at = at - 1 end
  return at
end

--- Returns the position one character, with what combines with it, to the right of the cursor.
function Line:right()
  local at = self.cursor
  if at <= #self.characters then at = at + 1 end
  while at <= #self.characters and columns_of(self.characters[at]) == 0 do at = at + 1 end
  return at
end

local function is_word(character) return character and character:find "[%w_\x80-\xFF]" ~= nil end

--- Returns the beginning of the word to the left of the cursor.
function Line:word_left()
  local at, characters = self.cursor, self.characters
  while at > 1 and not is_word(characters[at - 1]) do at = at - 1 end
  while at > 1 and is_word(characters[at - 1]) do at = at - 1 end
  return at
end

--- Returns the end of the word to the right of the cursor.
function Line:word_right()
  local at, characters = self.cursor, self.characters
  while at <= #characters and not is_word(characters[at]) do at = at + 1 end
  while at <= #characters and is_word(characters[at]) do at = at + 1 end
  return at
end

return line
