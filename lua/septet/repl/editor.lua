-- SPDX-License-Identifier: MIT
-- The line that is typed: its keys, and the lines before it.
local editor = {}

local columns_of = require("septet.pretty.width").of
local keys = require "septet.repl.keys"
local line_of = require("septet.repl.line").new

local Editor = {}
local editor_meta = { __index = Editor }

--- Returns an editor. `complete(text)` returns the words that may go on, and how many bytes of the
--- text before the cursor they replace.
function editor.new(screen, reader, history, complete)
  return setmetatable({ screen = screen, reader = reader, history = history, complete = complete,
    pending = "", pasted = "", prompt = "", killed = "" }, editor_meta):clear()
end

--- Empties the line.
function Editor:clear()
  self.line, self.recalled, self.search, self.inserts = line_of(), nil, nil, false
  return self
end

function Editor:text()
  return self.line:text()
end

-- Sets the line found by a search, with the cursor where the pattern begins.
local function set_found(line, search, title)
  local place = search:place()
  line:set(title .. search.found:sub(1, place - 1))
  local cursor = line.cursor
  line:insert(search.found:sub(place))
  line.cursor = cursor
end

function Editor:draw()
  local prompt, line = self.prompt, self.line
  if self.search then
    prompt, line = "", line_of()
    set_found(line, self.search, self.search:title())
  end
  self.screen:draw(prompt, line.characters, line.cursor)
end

--- Draws the line again if something was printed, or the width has changed.
function Editor:refresh()
  if self.active and self.screen:is_stale() then self:draw() end
end

-- Recalls an earlier line, or a later one.
local function recall(self, step)
  local at = (self.recalled or #self.history.lines + 1) + step
  if at < 1 or at > #self.history.lines + 1 then return end
  if not self.recalled then self.typed = self:text() end
  self.recalled = at
  self.line:set(self.history.lines[at] or self.typed)
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
  local before = self.line:text(1, self.line.cursor)
  if before:find "^%s*$" then return self.line:insert "  " end
  local words, length = self.complete(before)
  if #words == 0 then return end
  local prefix = common_prefix(words)
  if #prefix > length then
    self.line:insert(prefix:sub(length + 1))
  elseif #words > 1 then
    list(self, words)
  end
end

-- Removes what stands between the cursor and a position, to be inserted again.
local function kill(self, at)
  local line = self.line
  local text = line:cut(math.min(at, line.cursor), math.max(at, line.cursor))
  if text ~= "" then self.killed = text end
end

local moves = {
  home = function(self) self.line.cursor = 1 end,
  ["end"] = function(self) self.line.cursor = #self.line.characters + 1 end,
  left = function(self) self.line.cursor = self.line:left() end,
  right = function(self) self.line.cursor = self.line:right() end,
  word_left = function(self) self.line.cursor = self.line:word_left() end,
  word_right = function(self) self.line.cursor = self.line:word_right() end,
  undo = function(self) self.line:undo() end,
  search = function(self)
    self.search = require("septet.repl.search").new(self.history.lines, self:text())
  end,
  clear = function(self)
    self.screen:erase()
    self.screen:put "\27[H\27[2J"
  end,
}

local changes = {
  tab = complete,
  backspace = function(self) self.line:cut(self.line:left(), self.line.cursor) end,
  delete = function(self) self.line:cut(self.line.cursor, self.line:right()) end,
  kill_left = function(self) kill(self, 1) end,
  kill_right = function(self) kill(self, #self.line.characters + 1) end,
  kill_word = function(self) kill(self, self.line:word_left()) end,
  kill_word_right = function(self) kill(self, self.line:word_right()) end,
  yank = function(self) self.line:insert(self.killed) end,
  transpose = function(self) self.line:transpose() end,
  up = function(self) recall(self, -1) end,
  down = function(self) recall(self, 1) end,
}

-- Does what a key does. What is inserted by several keys in a row is one change.
local function act(self, name, character)
  local inserts = character ~= nil
  if (inserts or changes[name]) and not (inserts and self.inserts) then self.line:remember() end
  self.inserts = inserts
  if inserts then
    self.line:insert(character)
  elseif changes[name] then
    changes[name](self)
  elseif moves[name] then
    moves[name](self)
  end
end

-- Ends the search. The line is the one found, or as it was.
local function leave_search(self, takes)
  local search = self.search
  self.search = nil
  if search.pattern ~= "" then self.last_pattern = search.pattern end
  if not takes or search.found == search.typed then return end
  self.line:remember()
  set_found(self.line, search, "")
  self.inserts = false
end

-- Does what a key does in a search. Returns true if that is all it does.
local function act_in_search(self, name, character)
  local search = self.search
  if character then
    search:add(character)
  elseif name == "backspace" then
    search:remove()
  elseif name == "search" then
    search:next(self.last_pattern)
  else
    leave_search(self, name ~= "abort")
    return name == "abort" or name == ""
  end
  return true
end

-- Inserts what was pasted, up to the end of its first line. Returns "line" if that is not its end.
local function insert_pasted(self)
  local text, behind = self.pasted:match "^([^\n]*)\n()"
  self.line:remember()
  self.line:insert(text or self.pasted)
  self.pasted, self.inserts = text and self.pasted:sub(behind) or "", false
  return text and "line"
end

-- Handles what is pasted. Returns "line" or nil, and the position behind it; none if it is not
-- whole.
local function handle_paste(self, at)
  local text, behind = keys.pasted(self.pending, at)
  if not text then return end
  if self.search then leave_search(self, true) end
  self.pasted = text
  return insert_pasted(self), behind
end

-- Handles a key. Returns "line", "end" or nil, and the position in `pending` behind it; none if it
-- is not whole.
local function handle_key(self, at)
  local name, character, behind = keys.read(self.pending, at)
  if not behind then return end
  if name == "paste" then return handle_paste(self, behind) end
  if self.search and act_in_search(self, name, character) then return nil, behind end
  if name == "enter" then return "line", behind end
  if name == "end_of_input" then
    if #self.line.characters == 0 then return "end", behind end
    name = "delete"
  end
  act(self, name, character)
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
  -- An Esc leaves the search at once, as each key that begins with it does.
  if self.search and self.pending:byte() == 27 then leave_search(self, true) end
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
    if result == "line" then self.line.cursor = #self.line.characters + 1 end
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
