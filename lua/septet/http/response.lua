-- SPDX-License-Identifier: MIT
-- Responses: the head, parsed when it is read, and the body.
local args = require "septet.internal.args"
local core = require "septet.core"
local failure = require "septet.http.failure"
local links = require "septet.http.links"
local text = require "septet.internal.text"
local url = require "septet.http.url"

local response = {}

local SHOWN = 200 -- bytes of the body in the message of raise_for_status()

--- Headers of a response, by name in any case. Several of one name are joined by ", ".
---@class septet.Headers
local Headers = {}
local function LINES() end -- the key of the header lines: no header has it, no script changes it

--- Returns all values of a header, in order.
---@param name string
---@return string[]
function Headers:all(name)
  local values = {}
  for _, pair in ipairs(rawget(self, LINES)) do
    if pair[1]:lower() == name:lower() then values[#values + 1] = pair[2] end
  end
  return values
end

--- Iterates over names and values as they were received.
function Headers:each()
  local i, lines = 0, rawget(self, LINES)
  return function()
    i = i + 1
    if lines[i] then return lines[i][1], lines[i][2] end
  end
end

local headers_meta = {
  __name = "septet.http.Headers",
  __metatable = false,
  __index = function(self, name)
    local text_name = tostring(name)
    local values = Headers.all(self, text_name)
    if #values > 0 then return table.concat(values, ", ") end
    local dashed = text_name:gsub("_", "-")
    if dashed ~= text_name and #Headers.all(self, dashed) > 0 then
      args.usage("there is no header '%s', did you mean ['%s']?", text_name, dashed:lower())
    end
    return Headers[name]
  end,
  __pairs = function(self) return Headers.each(self) end,
}

-- Returns a line from `first` on, without trailing blanks. A pattern would search for the end after
-- each blank.
local function cut(line, first)
  local last = #line
  while last >= first and (line:byte(last) == 32 or line:byte(last) == 9) do last = last - 1 end
  return line:sub(first, last)
end

--- Parses the status line and the header lines of a head.
---@param raw string
---@return septet.Headers
function response.parse_headers(raw)
  local lines = {}
  for line in raw:gmatch("[^\r\n]+") do
    local name, first = line:match("^([^:%s]+):[ \t]*()")
    if name then lines[#lines + 1] = { name, cut(line, first) } end
  end
  return setmetatable({ [LINES] = lines }, headers_meta)
end

--- A response to a request.
---@class septet.Response
---@field status integer
---@field ok boolean true if its status is below 400
---@field reason string reason phrase; "" if there is none
---@field body string
---@field headers septet.Headers
---@field url string of the last attempt
---@field method string of the last attempt
---@field version string "1.0", "1.1" or "2"
---@field times table<string, number> seconds by phase: queue dns tcp tls send wait receive total
---@field reused boolean true if its connection was open already
---@field insecure boolean true if it came over TLS and the certificate was not checked
---@field peer {address: string, port: integer}|nil the server or a proxy; nil on a unix socket
---@field history septet.Response[] responses that redirected here, first one first
---@field attempts integer number of attempts, including the one that gave this
local Response = { attempts = 1 }

-- Fields that are made on first access.
local lazy = {
  headers = function(self) return response.parse_headers(self.head:lines()) end,
  times = function(self) return self.head:times() end,
  reason = function(self) return self.head:lines():match("^%S+ %d+ ?([^\r\n]*)") or "" end,
  version = function(self) return self.head:version() end,
  method = function(self) return self.head:method() end,
  reused = function(self) return (self.head:connection()) end,
  insecure = function(self) return (select(2, self.head:connection())) end,
  peer = function(self)
    local address, port = select(3, self.head:connection())
    return address and { address = address, port = port }
  end,
  history = function() return {} end,
  ok = function(self) return self.status < 400 end,
}

-- Fields that may be absent without being an error, and internal ones.
local internal = { redirect_url = true, upload = true, stream = true, head = true, body = true,
  history = true, trailers = true, status = true, url = true }

-- Returns the set of field names that a script may read.
local function names()
  local all = { status = true, body = true, url = true, read = true, chunks = true, lines = true,
    events = true, close = true }
  for name in pairs(lazy) do all[name] = true end
  for name in pairs(Response) do all[name] = true end
  return all
end

--- The metatable of responses.
response.meta = {
  __name = "septet.http.Response",
  __metatable = false,
  __index = function(self, key)
    local make = lazy[key]
    if not make then
      local value = Response[key]
      if value == nil and not internal[key] then args.no_field("response", key, names(), true) end
      return value
    end
    local value = make(self)
    rawset(self, key, value)
    return value
  end,
}

--- The metatables of all objects that have the methods of a response.
response.family = { [response.meta] = true }

--- Returns the response, or raises HttpError{code = "status"} if its status is 400 or more.
---@return septet.Response
function Response:raise_for_status()
  if self.status < 400 then return self end
  local shown, body = url.public(self.url), rawget(self, "body")
  local start = type(body) == "string" and body ~= "" and ": " .. core.escape(body:sub(1, SHOWN))
    or ""
  local reason = self.reason ~= "" and " " .. core.escape(self.reason) or ""
  error(core.error { kind = "HttpError", code = "status", status = self.status, url = shown,
    method = self.method,
    message = ("%s %s: status %d%s%s"):format(self.method, shown, self.status, reason, start),
    attempts = self.attempts, response = self }, 0)
end

--- Returns the body as UTF-8. Its charset is that of the byte order mark, or else `charset`, or
--- else that of the Content-Type, or else UTF-8. Invalid characters become U+FFFD. If the charset
--- is unknown, uses `fallback` or raises HttpError{code = "decode"}.
---@param charset string|nil
---@param fallback string|nil charset to use if the other one is unknown
---@return string
function Response:text(charset, fallback)
  if charset ~= nil then args.string(charset, 1, "text") end
  if fallback ~= nil then args.string(fallback, 2, "text") end
  charset = charset or text.charset(self.headers["content-type"])
  local decoded = text.decode(self.body, charset) or fallback and text.decode(self.body, fallback)
  if decoded then return decoded end
  error(failure.new(self, "decode", "charset", "receive",
    ("the charset '%s' is not known"):format(charset)), 0)
end

--- Returns the value of the JSON body, like json.decode(), whatever its Content-Type. Raises
--- JsonError.
---@return any
function Response:json()
  return require "septet.json".decode(self.body)
end

--- Returns the links of the Link header (RFC 8288): a list, with the first of each relation also by
--- its name. Malformed ones are skipped.
---@return septet.Link[]|table<string, septet.Link>
function Response:links()
  return links.of(self.headers:all "link", self.url)
end

args.methods(Headers, "headers", { [headers_meta] = true })
args.methods(Response, "response", response.family)
return response
