-- SPDX-License-Identifier: MIT
-- Requests, as the handlers of a server for tests see them.
local args = require "septet.internal.args"
local link = require "septet.testing.link"
local response = require "septet.http.response"
local source = require "septet.testing.source"
local url = require "septet.url"

local request = {}

--- A request that a server has received.
---@class septet.ServedRequest
---@field method string
---@field target string as it was sent: usually path and query
---@field path string without the query, not decoded
---@field query septet.Query the parameters of the query
---@field version string "1.0" or "1.1"
---@field headers septet.Headers
---@field body string waits for it, unless it was received before the handler was called
---@field trailers septet.Headers those after a chunked body, once it was read
---@field connection integer number of its connection, from 1
---@field peer string|nil "address:port" of the client
---@field status integer|nil of its response, once that was sent
local Request = {}

local lazy = {
  query = function(self) return url.query(self.target:match "%?([^#]*)" or "") end,
  body = function(self)
    local pieces = {}
    for piece in self:chunks() do pieces[#pieces + 1] = piece end
    return table.concat(pieces)
  end,
  trailers = function(self) return response.parse_headers(self.content.trailers or "") end,
}

-- Fields that may be absent.
local optional = { status = true, peer = true, content = true, writer = true, keep = true }

local request_meta = {
  __name = "septet.testing.Request",
  __metatable = false,
  __index = function(self, key)
    if Request[key] then return Request[key] end
    if not lazy[key] then
      if optional[key] then return nil end
      return args.no_field("request", key, Request, true)
    end
    local value = lazy[key](self)
    rawset(self, key, value)
    return value
  end,
}

-- Returns the path of a target in any of its four forms (RFC 9112, 3.2).
local function path_of(target)
  local path = target:match "^%a[%w+.-]*://[^/?#]*([^?#]*)"
  if path then return path == "" and "/" or path end
  return target:match "^[^?#]*"
end

-- Checks what the parser leaves to a server (RFC 9112, 3.2; RFC 9110, 7.2).
local function check(self)
  local hosts = self.headers:all "host"
  if #hosts > 1 or #hosts == 0 and self.version ~= "1.0"
    or hosts[1] and hosts[1]:find "[^%w%-._~!$&'()*+,;=:%%%[%]]" then
    link.refuse("host", 400, "bad request: one valid Host expected")
  end
  local expected = self.headers.expect
  if expected and expected:lower() ~= "100-continue" then
    link.refuse("expect", 417, "an expectation that is not known")
  end
end

-- Returns true if the connection stays open after the request, as far as the client is concerned.
local function keeps(self)
  local words = (self.headers.connection or ""):lower()
  for word in words:gmatch "[^,%s]+" do
    if word == "close" then return false end
    if word == "keep-alive" then return true end
  end
  return self.version ~= "1.0"
end

--- Returns the request that begins with a head. Raises RequestError.
---@param from septet.Source
---@param head septet.RequestHead
---@param max_body integer bytes
---@param writer septet.ServerLink
---@return septet.ServedRequest
function request.new(from, head, max_body, writer)
  local lines = head:lines()
  local method, target, minor = lines:match "^(%S+) (%S+) HTTP/1%.(%d)"
  local self = setmetatable({ method = method, target = target, path = path_of(target),
    version = minor == "0" and "1.0" or "1.1", headers = response.parse_headers(lines),
    writer = writer, peer = writer.peer }, request_meta)
  check(self)
  self.keep = keeps(self)
  local announces = self.headers.expect and self.version ~= "1.0"
  self.content = source.body(from, head, max_body, announces and function()
    writer:write "HTTP/1.1 100 Continue\r\n\r\n"
  end or nil)
  return self
end

--- Returns true if the client waits for 100 Continue before it sends the body.
function request.waits(self)
  return self.headers.expect ~= nil and self.version ~= "1.0" and not self.content.done
end

--- Waits for bytes of the body and returns up to `n` of them, or nil at the end. Raises
--- RequestError.
---@async
---@param n integer|nil bytes
---@return string|nil
function Request:read(n)
  if n ~= nil and (math.type(n) ~= "integer" or n < 1) then
    args.usage("bad argument #1 to 'read' (a whole number of bytes expected, got %s)", tostring(n))
  end
  return self.content:read(n)
end

--- Iterates over the body as it arrives; each step waits.
---@async
---@return fun(): string|nil
function Request:chunks()
  return function() return self.content:read() end
end

--- Returns the value of the JSON body. Raises JsonError.
---@async
---@return any
function Request:json()
  return require "septet.json".decode(self.body)
end

--- Sends an interim response, such as 103, before the one that the handler returns.
---@async
---@param status integer from 100 to 199, without 101
---@param headers table|nil
function Request:inform(status, headers)
  if math.type(status) ~= "integer" or status < 100 or status > 199 or status == 101 then
    args.usage("bad argument #1 to 'inform' (100 to 199, without 101, expected, got %s)",
      tostring(status))
  end
  if self.version == "1.0" then return end -- it knows none
  self.writer:write(require "septet.testing.answer".head(status, nil, headers))
end

args.methods(Request, "request", { [request_meta] = true })
return request
