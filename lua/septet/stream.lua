-- Responses whose body is read piece by piece.
local args = require "septet.args"
local core = require "septet.core"
local response_meta = require "septet.response"
local url = require "septet.url"

local MAX_LINE = 1024 * 1024 -- bytes

--- A response whose body is still to come. It ends with the scope that asked for it, or when it is closed; one task
--- at a time may read it. Fields are those of a Response; `body` reads the rest, and `times` are whole at the end.
---@class septet.StreamedResponse: septet.Response
local Stream = {}

-- What the upload's own iterator raised is the error.
local function read_core(self, n)
  local upload = self.upload
  if not upload then return self.stream:read(n) end
  local ok, result = pcall(self.stream.read, self.stream, n)
  if ok then return result end
  error(upload.failure and upload.failure[1] or result, 0)
end

-- What was read and not handed out comes first.
local function next_piece(self, n)
  local rest = self.rest
  if not rest then return read_core(self, n) end
  self.rest = n and #rest > n and rest:sub(n + 1) or nil
  return n and rest:sub(1, n) or rest
end

local function read_rest(self)
  local pieces = {}
  for piece in Stream.chunks(self) do pieces[#pieces + 1] = piece end
  return table.concat(pieces)
end

--- Waits for bytes of the body and returns up to `n` of them, nil at its end; without `n`, waits for the end and
--- returns all the rest. Raises HttpError where the body does not reach its end.
---@async
---@param n integer|nil bytes
---@return string|nil
function Stream:read(n)
  if n == nil then return read_rest(self) end
  if math.type(n) ~= "integer" or n < 1 then
    args.usage("bad argument #1 to 'read' (a whole number of bytes expected, got %s)", tostring(n))
  end
  return next_piece(self, n)
end

--- Iterates over the body as it comes, in pieces of any length; the iterator waits. With `n`, in pieces of at most so
--- many bytes.
---@async
---@param n integer|nil bytes
---@return fun(): string|nil
function Stream:chunks(n)
  return function() return next_piece(self, n) end
end

local function too_long(self, max)
  local shown = url.public(self.url)
  return core.error { kind = "HttpError", code = "body_too_large", reason = "line", phase = "receive", url = shown,
    method = self.method, attempts = self.attempts,
    message = ("%s %s: a line is longer than %d bytes"):format(self.method, shown, max) }
end

--- Iterates over the lines of the body, without their ends (LF or CRLF); the iterator waits. Raises HttpError for a
--- line that is longer than `max` bytes.
---@async
---@param max integer|nil bytes; 1 MiB
---@return fun(): string|nil
function Stream:lines(max)
  max = max or MAX_LINE
  local text, at = "", 1 -- what is there, and where the next line begins in it
  local function more()
    local pieces, size = { text:sub(at) }, #text - at + 1
    text, at = "", 1
    for piece in Stream.chunks(self) do
      pieces[#pieces + 1], size = piece, size + #piece
      if size > max or piece:find("\n", 1, true) then break end
    end
    text = table.concat(pieces)
    return text ~= ""
  end
  return function()
    local finish = text:find("\n", at, true)
    if not finish then
      if not more() then return nil end
      finish = text:find("\n", 1, true) or #text + 1
    end
    if finish - at > max then error(too_long(self, max), 0) end
    local last = finish > at and text:byte(finish - 1) == 13 and finish - 2 or finish - 1
    local line = text:sub(at, last)
    at = finish + 1
    return line
  end
end

--- Ends the request where it is not over, and drops what was not read. Also what `<close>` does.
function Stream:close()
  self.stream:close()
  if self.upload then self.upload.task:cancel() end
end

local lazy = {
  body = function(self) return read_rest(self) end,
  times = function(self) return (self.stream:head() or self.head):times() end,
}

return {
  __name = "septet.http.StreamedResponse",
  __metatable = false,
  __close = Stream.close,
  __index = function(self, key)
    if Stream[key] then return Stream[key] end
    if not lazy[key] then return response_meta.__index(self, key) end
    local value = lazy[key](self)
    if key == "body" then rawset(self, key, value) end
    return value
  end,
}
