-- SPDX-License-Identifier: MIT
-- The line that is typed: its keys, and the lines before it.
local editor = {}

local columns_of = require("septet.pretty.width").of
local keys = require "septet.repl.keys"

local Editor = {}
local editor_meta = { __index = Editor }

--- Returns an editor. `complete(text)` returns the words that may go on, and how many bytes of the
--- text before the cursor they replace.
function editor.new(screen, reader, history, complete)
  return setmetatable({ screen = screen, reader = reader, history = history, complete = complete,
    pending = "", pasted = "", prompt = "", killed = {} }, editor_meta):clear()
end

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

--- Empties the line.
function Editor:clear()
  self.line, self.cursor, self.recalled = {}, 1, nil
  return self
end

function Editor:text()
  return table.concat(self.line)
end

function Editor:set(text)
  self.line = split(text)
  self.cursor = #self.line + 1
end

function Editor:draw()
  self.screen:draw(self.prompt, self.line, self.cursor)
end

--- Draws the line again if something was printed, or the width has changed.
function Editor:refresh()
  if self.active and self.screen:is_stale() then self:draw() end
end

local function insert(self, text)
  for _, character in ipairs(split(text)) do
    table.insert(self.line, self.cursor, character)
    self.cursor = self.cursor + 1
  end
end

-- Removes the characters from `first` to before `last`, and keeps them to be inserted again.
local function cut(self, first, last, keep)
  if keep then self.killed = table.move(self.line, first, last - 1, 1, {}) end
  table.move(self.line, last, #self.line + last - first, first)
  self.cursor = first
end

-- Returns the position one character, with what combines with it, to the left or to the right.
local function left(self, at)
  if at > 1 then at = at - 1 end
  while at > 1 and columns_of(self.line[at]) == 0 do at = at - 1 end
  return at
end

local function right(self, at)
  if at <= #self.line then at = at + 1 end
  while at <= #self.line and columns_of(self.line[at]) == 0 do at = at + 1 end
  return at
end

local function is_word(character) return character and character:find "[%w_\x80-\xFF]" ~= nil end

local function word_left(self)
  local at = self.cursor
  while at > 1 and not is_word(self.line[at - 1]) do at = at - 1 end
  while at > 1 and is_word(self.line[at - 1]) do at = at - 1 end
  return at
end

local function word_right(self)
  local at = self.cursor
  while at <= #self.line and not is_word(self.line[at]) do at = at + 1 end
  while at <= #self.line and is_word(self.line[at]) do at = at + 1 end
  return at
end

-- Recalls an earlier line, or a later one.
local function recall(self, step)
  local at = (self.recalled or #self.history.lines + 1) + step
  if at < 1 or at > #self.history.lines + 1 then return end
  if not self.recalled then self.typed = self:text() end
  self.recalled = at
  self:set(self.history.lines[at] or self.typed)
end

local function common_prefix(words)
  local prefix = words[1]
  for _, word in ipairs(words) do
    local n = 0
    while n < #prefix and prefix:byte(n + 1) == word:byte(n + 1) do n = n + 1 end
    prefix = prefix:sub(1, n)
  end
  return prefix
end

-- Prints the words in columns above the line.
local function list(self, words)
  local widest = 0
  for _, word in ipairs(words) do widest = math.max(widest, columns_of(word)) end
  local each = math.max(1, self.screen:columns() // (widest + 2))
  local lines = {}
  for i = 1, math.min(#words, 200) do
    local gap = i % each == 0 and "\r\n" or (" "):rep(widest + 2 - columns_of(words[i]))
    lines[#lines + 1] = words[i] .. gap
  end
  self.screen:erase()
  self.screen:put(table.concat(lines):gsub("%s+$", "") .. "\r\n")
end

local function complete(self)
  local before = table.concat(self.line, "", 1, self.cursor - 1)
  if before:find "^%s*$" then return insert(self, "  ") end
  local words, length = self.complete(before)
  if #words == 0 then return end
  local prefix = common_prefix(words)
  if #prefix > length then
    insert(self, prefix:sub(length + 1))
  elseif #words > 1 then
    list(self, words)
  end
end

local actions = {
  tab = complete,
  home = function(self) self.cursor = 1 end,
  ["end"] = function(self) self.cursor = #self.line + 1 end,
  left = function(self) self.cursor = left(self, self.cursor) end,
  right = function(self) self.cursor = right(self, self.cursor) end,
  word_left = function(self) self.cursor = word_left(self) end,
  word_right = function(self) self.cursor = word_right(self) end,
  backspace = function(self) cut(self, left(self, self.cursor), self.cursor) end,
  delete = function(self) cut(self, self.cursor, right(self, self.cursor)) end,
  kill_left = function(self) cut(self, 1, self.cursor, true) end,
  kill_right = function(self) cut(self, self.cursor, #self.line + 1, true) end,
  kill_word = function(self) cut(self, word_left(self), self.cursor, true) end,
  yank = function(self) insert(self, table.concat(self.killed)) end,
  up = function(self) recall(self, -1) end,
  down = function(self) recall(self, 1) end,
  clear = function(self)
    self.screen:erase()
    self.screen:put "\27[H\27[2J"
  end,
}

-- Inserts what was pasted, up to the end of its first line. Returns "line" if that is not its end.
local function insert_pasted(self)
  local text, behind = self.pasted:match "^([^\n]*)\n()"
  insert(self, text or self.pasted)
  self.pasted = text and self.pasted:sub(behind) or ""
  return text and "line"
end

-- Handles a key. Returns "line", "end" or nil, and the position in `pending` behind it; none if it
-- is not whole.
local function handle_key(self, at)
  local name, character, behind = keys.read(self.pending, at)
  if not behind then return end
  if character then
    table.insert(self.line, self.cursor, character)
    self.cursor = self.cursor + 1
  elseif name == "enter" then
    return "line", behind
  elseif name == "end_of_input" then
    if #self.line == 0 then return "end", behind end
    actions.delete(self)
  elseif name == "paste" then
    local text
    text, behind = keys.pasted(self.pending, behind)
    if not text then return end
    self.pasted = text
    return insert_pasted(self), behind
  elseif actions[name] then
    actions[name](self)
  end
  return nil, behind
end

-- Handles what was pasted and the keys of `pending`, up to the end of a line. Returns "line" or
-- "end", or nil for more.
local function handle(self)
  local at, result = 1, nil
  if self.pasted ~= "" then result = insert_pasted(self) end
  while at <= #self.pending and not result do
    local behind
    result, behind = handle_key(self, at)
    if not behind then break end
    at = behind
  end
  self.pending = self.pending:sub(at)
  return result
end

--- Reads keys until the line has ended. Returns "line", or "end" if the input has. If the call is
--- cancelled, what came with the unfinished line is dropped.
---@async
function Editor:read()
  if self.is_reading then self.pending, self.pasted = "", "" end
  self.active, self.is_reading = true, true
  while true do
    local result = handle(self)
    if result == "line" then self.cursor = #self.line + 1 end
    self:draw()
    local bytes = not result and self.reader:read(65536)
    if not bytes then
      self.is_reading = false
      return result or "end"
    end
    self.pending = self.pending .. bytes
  end
end

--- Ends the line on the screen.
function Editor:leave()
  self.active = false
  self:draw()
  self.screen:finish()
end

return editor
