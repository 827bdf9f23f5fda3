-- SPDX-License-Identifier: MIT
-- The parser of event streams (text/event-stream), by the rules of the WHATWG. It takes bytes in
-- pieces of any size, and uses each byte once.
local core = require "septet.core"

local event_stream = {}

local BOM = "\xEF\xBB\xBF"
local CR, LF, SPACE = 13, 10, 32

-- What a caller lets the parser do before other tasks get a turn: an event counts as 32 lines.
local SHARE, EVENT = 4096, 32

--- An event of an event stream.
---@class septet.StreamEvent
---@field type string "message" unless the event names another
---@field data string its lines, joined by LF
---@field id string|nil the latest id of the stream
---@field retry number|nil the latest delay before a reconnect that the server asked for, in seconds

---@class septet.EventParser
---@field id string|nil the latest id, to resume the stream after the events that were returned
---@field retry number|nil seconds
---@field max integer bytes of an event
---@field chunk string
---@field at integer position of the next byte in `chunk`
---@field held string[] pieces of a line without its end
---@field held_size integer
---@field data string[] lines of the event
---@field data_size integer bytes of `data`, with a line end each
---@field type string|nil
---@field next_id string|nil the latest id, which takes effect with its event
---@field after_cr boolean|nil true: an LF is the rest of the last line's end
---@field begun boolean|nil true after the first line
---@field work integer lines, and events as EVENT lines, since the last turn of other tasks
---@field too_big boolean|nil
local Parser = {}
local parser_meta = { __index = Parser, __metatable = false }

--- Returns a parser for a new stream.
---@param max integer bytes of an event; the parser keeps at most about as many
---@param id string|nil the id before the first event
---@return septet.EventParser
function event_stream.new(max, id)
  return setmetatable({ max = max, id = id, next_id = id, chunk = "", at = 1, held = {},
    held_size = 0, data = {}, data_size = 0, work = 0 }, parser_meta)
end

--- Gives the parser its next bytes. It must have used those before.
---@param chunk string
function Parser:feed(chunk)
  self.chunk, self.at = chunk, 1
end

-- Returns valid UTF-8.
local function decoded(text)
  return utf8.len(text) and text or core.text_decode(text)
end

-- Ends an event. Returns it, or nil if it has no data.
local function dispatch(self)
  local data, kind = self.data, self.type
  self.id, self.type = self.next_id, nil
  if #data == 0 then return nil end
  self.data, self.data_size = {}, 0
  self.work = self.work + EVENT
  local text = data[2] and table.concat(data, "\n") or data[1]
  return { type = kind and kind ~= "" and decoded(kind) or "message", data = decoded(text),
    id = self.id, retry = self.retry }
end

local fields = {
  data = function(self, value)
    self.data[#self.data + 1] = value
    self.data_size = self.data_size + #value + 1
  end,
  event = function(self, value) self.type = value end,
  id = function(self, value)
    if not value:find("\0", 1, true) then self.next_id = decoded(value) end
  end,
  retry = function(self, value)
    if value:find "^%d+$" then self.retry = tonumber(value) / 1000 end
  end,
}

-- Uses a whole line. Returns the event that it ends.
local function use_line(self, line)
  if not self.begun then
    self.begun = true
    if line:sub(1, #BOM) == BOM then line = line:sub(#BOM + 1) end
  end
  if line == "" then return dispatch(self) end
  local colon = line:find(":", 1, true)
  local field = fields[colon and line:sub(1, colon - 1) or line]
  if not field then return nil end
  if not colon then
    field(self, "")
  else
    field(self, line:sub(line:byte(colon + 1) == SPACE and colon + 2 or colon + 1))
  end
end

-- Takes the bytes up to a line end, or without one the rest, of the chunk. Returns the line if it
-- is complete, or nil and true if the event is too big.
local function take(self, stop)
  local piece = self.chunk:sub(self.at, stop and stop - 1)
  local size = self.held_size + #piece
  if self.data_size + size > self.max then
    self.too_big = true
    return nil, true
  end
  local held = self.held
  if stop and not held[1] then return piece end
  if piece ~= "" then held[#held + 1] = piece end
  self.held_size = size
  if not stop then return nil end
  self.held, self.held_size = {}, 0
  return table.concat(held)
end

-- Moves behind a line end at `stop`. Its LF may only come with the next chunk.
local function pass_line_end(self, stop)
  local at = stop + 1
  if self.chunk:byte(stop) == CR then
    local after = self.chunk:byte(at)
    if after == LF then at = at + 1 end
    self.after_cr = not after
  end
  self.at = at
end

--- Returns the next event. Returns false if there may be more after other tasks got a turn, nil if
--- the parser needs more bytes, and nil and true if an event is larger than the maximum.
---@return septet.StreamEvent|false|nil
---@return boolean|nil is_too_big
function Parser:next()
  if self.too_big then return nil, true end
  local chunk = self.chunk
  if self.after_cr and self.at <= #chunk then
    if chunk:byte(self.at) == LF then self.at = self.at + 1 end
    self.after_cr = false
  end
  while self.at <= #chunk do
    if self.work >= SHARE then
      self.work = 0
      return false
    end
    self.work = self.work + 1
    local stop = chunk:find("[\r\n]", self.at)
    local line, is_too_big = take(self, stop)
    if is_too_big then return nil, true end
    if not stop then
      self.at = #chunk + 1
      return nil
    end
    pass_line_end(self, stop)
    local event = use_line(self, line)
    if event then return event end
  end
  return nil
end

return event_stream
