-- SPDX-License-Identifier: MIT
-- Frames of events between the text that a test prints: the process that runs a file writes both to
-- its standard output, and the one that reads tells them apart by a token that no test knows. A
-- frame is NUL, the token, the length of the event as JSON, ":", and that JSON.
local frames = {}

local json = require "septet.json"

-- Returns a text with \xNN in the place of bytes that are no UTF-8, which JSON cannot hold.
local function clean_text(text)
  local pieces, from = {}, 1
  local length, bad = utf8.len(text)
  while not length do
    pieces[#pieces + 1] = text:sub(from, bad - 1)
    pieces[#pieces + 1] = ("\\x%02x"):format(text:byte(bad))
    from = bad + 1
    length, bad = utf8.len(text, from)
  end
  return #pieces == 0 and text or table.concat(pieces) .. text:sub(from)
end

-- Returns an event, or a part of it, with its texts made clean.
local function clean(value)
  if type(value) == "string" then return clean_text(value) end
  if type(value) ~= "table" then return value end
  local copy = {}
  for key, part in pairs(value) do copy[clean(key)] = clean(part) end
  return copy
end

--- Returns an event as a frame.
---@param token string
---@param event table
---@return string
function frames.encode(token, event)
  local text = json.encode(clean(event))
  return ("\0%s%d:%s"):format(token, #text, text)
end

-- Returns the number of bytes at the end of `text` that may be the beginning of a frame.
local function open_end(text, mark)
  for n = math.min(#mark - 1, #text), 1, -1 do
    if text:sub(-n) == mark:sub(1, n) then return n end
  end
  return 0
end

--- Returns a function that is fed with pieces of what was written, and calls `on_text` and
--- `on_event` in their order. Called without a piece, it passes on what is left.
---@param token string
---@param on_text fun(text: string)
---@param on_event fun(event: table)
---@return fun(piece: string|nil)
function frames.decoder(token, on_text, on_event)
  local mark, kept = "\0" .. token, ""
  local function text(bytes)
    if bytes ~= "" then on_text(bytes) end
  end
  return function(piece)
    if not piece then
      text(kept)
      kept = ""
      return
    end
    kept = kept .. piece
    while true do
      local from, to = kept:find(mark, 1, true)
      if not from then
        local open = open_end(kept, mark)
        text(kept:sub(1, #kept - open))
        kept = kept:sub(#kept - open + 1)
        return
      end
      text(kept:sub(1, from - 1))
      kept = kept:sub(from)
      local _, colon, size = kept:find("^(%d+):", to - from + 2)
      if not colon or #kept < colon + tonumber(size) then return end
      local rest = colon + tonumber(size)
      on_event(json.decode(kept:sub(colon + 1, rest)))
      kept = kept:sub(rest + 1)
    end
  end
end

return frames
