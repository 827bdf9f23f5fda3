-- SPDX-License-Identifier: MIT
-- Reads keys from the bytes that a terminal sends.
local keys = {}

local CONTROL = { [1] = "home", [2] = "left", [4] = "end_of_input", [5] = "end", [6] = "right",
  [7] = "abort", [8] = "backspace", [9] = "tab", [10] = "enter", [11] = "kill_right",
  [12] = "clear", [13] = "enter", [14] = "down", [16] = "up", [18] = "search", [20] = "transpose",
  [21] = "kill_left", [23] = "kill_word", [25] = "yank", [31] = "undo", [127] = "backspace" }

local SEQUENCE = { A = "up", B = "down", C = "right", D = "left", H = "home", F = "end",
  ["1~"] = "home", ["7~"] = "home", ["4~"] = "end", ["8~"] = "end", ["3~"] = "delete",
  ["1;5C"] = "word_right", ["1;5D"] = "word_left", ["1;3C"] = "word_right",
  ["1;3D"] = "word_left", ["200~"] = "paste" }

local END_OF_PASTE <const> = "\27[201~"

local META = { b = "word_left", f = "word_right", d = "kill_word_right", ["\127"] = "kill_word",
  ["\8"] = "kill_word" }

-- Returns the key of an escape sequence at `at`, and the position behind it; nil if it is not
-- whole. What is not known is the key "". An Esc before what belongs to no sequence is a key alone.
local function escape_key(bytes, at)
  local lead = bytes:sub(at + 1, at + 1)
  if lead == "" then return nil end
  if lead ~= "[" and lead ~= "O" then
    return META[lead] or "", META[lead] and at + 2 or at + 1
  end
  local behind = bytes:match("^%[%[[\x40-\x7E]()", at + 1) -- a function key of Linux' console
  if behind then return "", behind end
  local body, last
  body, last, behind = bytes:match("^([\x20-\x3F]*)([\x40-\x7E])()", at + 2)
  if body == "" and last == "[" and lead == "[" then return nil end
  if body then return SEQUENCE[body .. last] or "", behind end
  if bytes:find("^[\x20-\x3F]*$", at + 2) then return nil end
  return "", at + 2
end

-- Returns the character at `at` and the position behind it; nil if it is not whole. A byte that is
-- no UTF-8 is a character of its own.
local function character(bytes, at)
  local lead = bytes:byte(at)
  local length = lead < 0xC2 and 1 or lead < 0xE0 and 2 or lead < 0xF0 and 3 or lead < 0xF5 and 4
    or 1
  local text = bytes:sub(at, at + length - 1)
  if length > 1 and utf8.len(text) ~= 1 then
    local is_begun = #text < length and not text:find("[^\x80-\xBF]", 2)
    if is_begun then return nil end
    text = text:sub(1, 1)
  end
  return text, at + #text
end

--- Returns the name of the key at a position, or nil and a character, and the position behind it.
--- Returns nothing if the bytes end within it.
---@param bytes string
---@param at integer
---@return string|nil name "" for a key without a meaning
---@return string|nil character
---@return integer|nil next
function keys.read(bytes, at)
  local byte = bytes:byte(at)
  if byte == 27 then
    local name, behind = escape_key(bytes, at)
    if name then return name, nil, behind end
    return
  elseif byte < 32 or byte == 127 then
    return CONTROL[byte] or "", nil, at + 1
  end
  local text, behind = character(bytes, at)
  if text then return nil, text, behind end
end

--- Returns a text that was pasted, and the position behind it, if it is whole. Its line ends are
--- "\n", and it has no other control characters than these and tabs.
---@param bytes string
---@param at integer the position behind the key "paste"
---@return string|nil text
---@return integer|nil next
function keys.pasted(bytes, at)
  local first, last = bytes:find(END_OF_PASTE, at, true)
  if not first then return nil end
  local text = bytes:sub(at, first - 1):gsub("\r\n?", "\n"):gsub("[^\t\n\x20-\x7E\x80-\xFF]", "")
  return text, last + 1
end

return keys
