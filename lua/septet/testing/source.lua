-- SPDX-License-Identifier: MIT
-- What a server receives over a connection: heads by the parser in C, and bodies. All limits and
-- all that is refused end in a RequestError, with the status to answer.
local core = require "septet.core"
local link = require "septet.testing.link"

local source = {}

local SIZE_LINE = 1024       -- bytes of the line before a chunk
local EXTENSIONS = 16 * 1024 -- bytes of those lines in one body, beyond 64 of each

-- The status for each word of the parser; 400 for all others.
local STATUSES = { too_big = 431, version = 505 }

local function gone()
  link.refuse("closed", nil, "the client closed the connection within a request")
end

--- Bytes that were received, and their reader.
---@class septet.Source
---@field reader septet.ServerLink
---@field chunk string
---@field at integer position of the next byte in `chunk`
local Source = {}
local source_meta = { __index = Source, __metatable = false }

---@param reader septet.ServerLink
---@return septet.Source
function source.new(reader)
  return setmetatable({ reader = reader, chunk = "", at = 1 }, source_meta)
end

--- Waits until there is a byte. Returns false at the end.
---@async
---@return boolean
function Source:fill()
  while self.at > #self.chunk do
    local chunk = self.reader:read()
    if not chunk then return false end
    self.chunk, self.at = chunk, 1
  end
  return true
end

--- Returns the next head, or with `trailers` the header lines after a chunked body. Returns nil if
--- the client has gone before its first byte.
---@async
---@param trailers boolean|nil
---@return septet.RequestHead|nil
function Source:head(trailers)
  local head, begun = core.http_request_head(trailers), trailers
  while true do
    if not self:fill() then
      if begun then gone() end
      return nil
    end
    begun = true
    local at, done = head:feed(self.chunk, self.at)
    if not at then
      -- No line has ended: the URL is too long.
      local status = done == "too_big" and head:lines() == "" and not trailers and 414
      link.refuse(done, status or STATUSES[done] or 400, "bad request: " .. done)
    end
    self.at = at
    if done then return head end
  end
end

-- Returns the next line without its CRLF.
local function read_line(self, max)
  local pieces, size = {}, 0
  while true do
    if not self:fill() then gone() end
    local lf = self.chunk:find("\n", self.at, true)
    local piece = self.chunk:sub(self.at, math.min(lf or #self.chunk, self.at + max))
    self.at, size = self.at + #piece, size + #piece
    pieces[#pieces + 1] = piece
    local ended = lf and self.at == lf + 1
    if size > max or ended then
      local line = ended and size <= max and table.concat(pieces):match "^([^\r\n]*)\r\n$"
      return line or link.refuse("chunk", 400, "bad request: a chunk without CRLF")
    end
  end
end

--- The body of a request.
---@class septet.RequestBody
---@field private source septet.Source
---@field private chunked boolean
---@field private left integer bytes of the body, or of the chunk
---@field private max integer bytes
---@field private extensions integer bytes of chunks' lines so far
---@field private announce fun()|nil tells the client to send the body
---@field size integer bytes so far
---@field done boolean|nil true after its last byte
---@field trailers string|nil lines after a chunked body
local Body = {}
local body_meta = { __index = Body, __metatable = false }

--- Returns the body that a head announces.
---@param from septet.Source
---@param head septet.RequestHead
---@param max integer bytes
---@param announce fun()|nil called before the first byte is read
---@return septet.RequestBody
function source.body(from, head, max, announce)
  local chunked, length = head:framing()
  local left = not chunked and length or 0
  return setmetatable({ source = from, chunked = chunked, left = left, max = max, size = 0,
    extensions = 0, announce = announce, done = not chunked and left == 0 }, body_meta)
end

local function too_large()
  link.refuse("body_too_large", 413, "the body of the request is too large")
end

-- Begins the next chunk, or ends the body.
local function begin_chunk(self)
  local line = read_line(self.source, SIZE_LINE)
  local digits, extension = line:match "^(%x+)(.*)$"
  self.extensions = self.extensions + math.max(0, #line - 64)
  if not digits or #digits > 15 or self.extensions > EXTENSIONS
    or extension ~= "" and not extension:find "^[ \t]*;[^%z\1-\8\10-\31\127]*$" then
    link.refuse("chunk", 400, "bad request: a chunk without a size")
  end
  self.left = tonumber(digits, 16)
  if self.size + self.left > self.max then too_large() end
  if self.left > 0 then return end
  local head = self.source:head(true)
  local _, length = head:framing()
  if length then link.refuse("length", 400, "bad request: a length after the body") end
  self.trailers, self.done = head:lines(), true
end

--- Waits for bytes of the body and returns up to `n` of them, or nil at the end. Raises
--- RequestError.
---@async
---@param n integer|nil
---@return string|nil
function Body:read(n)
  if self.done then return nil end
  if not self.chunked and self.left > self.max then too_large() end
  if self.announce then
    self.announce()
    self.announce = nil
  end
  if self.left == 0 then begin_chunk(self) end
  if self.done then return nil end
  local from = self.source
  if not from:fill() then gone() end
  local piece = from.chunk:sub(from.at, from.at + math.min(n or math.huge, self.left) - 1)
  from.at, self.left, self.size = from.at + #piece, self.left - #piece, self.size + #piece
  if self.left == 0 then
    if not self.chunked then
      self.done = true
    elseif read_line(from, 2) ~= "" then
      link.refuse("chunk", 400, "bad request: a chunk is longer than its size")
    end
  end
  return piece
end

return source
