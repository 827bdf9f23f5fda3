-- SPDX-License-Identifier: MIT
-- Streamed responses: their body is read in pieces.
local args = require "septet.internal.args"
local core = require "septet.core"
local event_stream = require "septet.http.event_stream"
local failure = require "septet.http.failure"
local response = require "septet.http.response"
local upload = require "septet.http.upload"

local stream = {}

local MAX_LINE = 1024 * 1024 -- bytes
local PIECE = 16 * 1024      -- bytes that an event stream's parser uses at once

--- Bytes of an event, unless the script sets another maximum.
stream.MAX_EVENT = 1024 * 1024

--- A response with its body still to come. It ends with the scope that requested it, or when it is
--- closed. One task at a time may read it. Its fields are those of a Response. `body` waits for the
--- rest; `times` is complete and `trailers` is filled at the end.
---@class septet.StreamedResponse: septet.Response
local Stream = {}

-- Runs a waiting method of the core's stream. If the upload's iterator has failed, raises its
-- error.
local function wait_for(self, method, n)
  if not self.upload then return method(self.stream, n) end
  local ok, result, more = core.try(method, self.stream, n)
  if ok then return result, more end
  upload.raise_failure(self.upload)
  core.raise(result, more)
end

-- Waits for the rest of the body and returns it without taking it: the caller may still reject it.
local function peek(self)
  return wait_for(self, self.stream.peek)
end

local function check_count(n, least, what)
  if math.type(n) == "integer" and n >= least then return end
  args.usage("bad argument #1 to '%s' (a whole number of bytes expected, got %s)", what,
    tostring(n))
end

--- Waits for bytes of the body and returns up to `n` of them, or nil at the end. Without `n`, waits
--- for the end and returns the rest. Raises HttpError if the body breaks off. A read that raises
--- takes nothing: the next one begins at the same byte.
---@async
---@param n integer|nil bytes
---@return string|nil
function Stream:read(n)
  if n == nil then
    local rest = peek(self)
    self.stream:take()
    return rest
  end
  check_count(n, 1, "read")
  return wait_for(self, self.stream.read, n)
end

--- Iterates over the body as it arrives; each step waits. Pieces have any length, or with `n` at
--- most `n` bytes.
---@async
---@param n integer|nil bytes
---@return fun(): string|nil
function Stream:chunks(n)
  if n ~= nil then check_count(n, 1, "chunks") end
  return function() return wait_for(self, self.stream.read, n) end
end

local function too_long(self, what, max)
  return failure.new(self, "body_too_large", what, "receive",
    ("%s is longer than %d bytes"):format(what == "line" and "a line" or "an event", max), self)
end

--- Iterates over the lines of the body, without their ends (LF or CRLF); each step waits. Raises
--- HttpError for a line longer than `max` bytes, which `read` can still take.
---@async
---@param max integer|nil bytes; 1 MiB
---@return fun(): string|nil
function Stream:lines(max)
  max = max or MAX_LINE
  check_count(max, 0, "lines")
  return function()
    local line, is_long = wait_for(self, self.stream.read_line, max)
    if is_long then error(too_long(self, "line", max), 0) end
    return line
  end
end

--- Returns the next event of a streamed response, or nil at the end of its body.
---@async
---@param self septet.StreamedResponse
---@param parser septet.EventParser
---@return septet.StreamEvent|nil
function stream.next_event(self, parser)
  while true do
    local event, is_too_big = parser:next()
    if event then return event end
    if is_too_big then error(too_long(self, "event", parser.max), 0) end
    if event == false then
      core.checkpoint()
    else
      local piece = wait_for(self, self.stream.read, PIECE)
      if not piece then return nil end
      parser:feed(piece)
    end
  end
end

--- Iterates over the events of a body that is an event stream (text/event-stream), whatever its
--- Content-Type; each step waits. An event without its blank line at the end is dropped. Raises
--- HttpError for an event longer than `max` bytes.
---@async
---@param max integer|nil bytes; 1 MiB
---@return fun(): septet.StreamEvent|nil
function Stream:events(max)
  max = max or stream.MAX_EVENT
  check_count(max, 1, "events")
  local parser = event_stream.new(max)
  return function() return stream.next_event(self, parser) end
end

-- Returns a Response method that first waits for the body. It takes the body only if it succeeds.
local function made_of_body(name)
  return function(self, ...)
    local method = response.meta.__index(self, name)
    if rawget(self, "body") then return method(self, ...) end
    rawset(self, "body", peek(self))
    local ok, result, traceback = core.try(method, self, ...)
    if not ok then
      rawset(self, "body", nil)
      core.raise(result, traceback)
    end
    self.stream:take()
    return result
  end
end

--- Like Response:text(), but waits for the body. If it raises, the body can still be read.
---@async
---@param charset string|nil
---@param fallback string|nil charset to use if the other one is unknown
---@return string
Stream.text = made_of_body "text"

--- Like Response:json(), but waits for the body. If it raises, the body can still be read.
---@async
---@return any
Stream.json = made_of_body "json"

--- Ends the request and drops what was not read. Does nothing if it has ended. Also called by
--- `<close>`.
function Stream:close()
  local head = self.stream:head()
  if head then self.head = head end -- with the trailers and the times so far
  self.stream:close()
  if self.upload then self.upload.task:cancel() end
end

local lazy = {
  body = function(self)
    local rest = peek(self)
    rawset(self, "body", rest)
    self.stream:take()
    return rest
  end,
  times = function(self) return (self.stream:head() or self.head):times() end,
  trailers = function(self)
    return response.parse_headers((self.stream:head() or self.head):trailers())
  end,
}

--- The metatable of streamed responses.
stream.meta = {
  __name = "septet.http.StreamedResponse",
  __metatable = false,
  __close = Stream.close,
  __index = function(self, key)
    if Stream[key] then return Stream[key] end
    if not lazy[key] then return response.meta.__index(self, key) end
    return lazy[key](self)
  end,
}

response.family[stream.meta] = true
args.methods(Stream, "response", { [stream.meta] = true })
return stream
