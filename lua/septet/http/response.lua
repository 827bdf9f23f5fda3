-- SPDX-License-Identifier: MIT
-- Responses: the head, parsed when it is read, and the body.
local args = require "septet.internal.args"
local core = require "septet.core"
local failure = require "septet.http.failure"
local links = require "septet.http.links"
local response_headers = require "septet.http.response_headers"
local text = require "septet.internal.text"
local url = require "septet.http.url"

local response = {}

local SHOWN = 200 -- bytes of the body in the message of raise_for_status()

response.parse_headers = response_headers.parse

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
---@field retry_after number|nil seconds that its Retry-After asks for; nil if it has none
---@field reused boolean true if its connection was open already
---@field insecure boolean true if it came over TLS and the certificate was not checked
---@field peer {address: string, port: integer}|nil the server or a proxy; nil on a unix socket
---@field history septet.Response[] responses that redirected here, first one first
---@field attempts integer number of attempts, including the one that gave this
---@field trailers septet.Headers header lines that came behind the body
local Response = { attempts = 1 }

-- Fields that are made on first access.
local lazy = {
  headers = function(self) return response.parse_headers(self.head:lines()) end,
  times = function(self) return self.head:times() end,
  trailers = function(self) return response.parse_headers(self.head:trailers()) end,
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
  retry_after = function(self)
    return require "septet.http.retry".after(self.headers:all "retry-after")
  end,
}

-- Fields that may be absent without being an error, and internal ones.
local internal = { redirect_url = true, upload = true, stream = true, head = true, body = true,
  history = true, raw = true, status = true, url = true }

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
    attempts = self.attempts, headers = self.head and response_headers.hidden(self.headers),
    response = self }, 0)
end

-- Raises HttpError if the body is packed, as it was to be left as it came.
local function check_decoded(self)
  local coding = self.raw and self.headers["content-encoding"]
  if not coding or coding == "" or coding:lower() == "identity" then return end
  error(failure.new(self, "decode", "content_encoding", "receive",
    ("the body is packed with '%s', and was left so by decode = false"):format(coding), self), 0)
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
  check_decoded(self)
  charset = charset or text.charset(self.headers["content-type"])
  local decoded = text.decode(self.body, charset) or fallback and text.decode(self.body, fallback)
  if decoded then return decoded end
  error(failure.new(self, "decode", "charset", "receive",
    ("the charset '%s' is not known"):format(charset), self), 0)
end

--- Returns the value of the JSON body, like json.decode(), whatever its Content-Type. Raises
--- JsonError.
---@return any
function Response:json()
  check_decoded(self)
  return require "septet.json".decode(self.body)
end

--- Returns the links of the Link header (RFC 8288): a list, with the first of each relation also by
--- its name. Malformed ones are skipped.
---@return septet.Link[]|table<string, septet.Link>
function Response:links()
  return links.of(self.headers:all "link", self.url)
end

--- Returns the page in the body, parsed like by `html.parse`, whatever its Content-Type. Raises
--- HtmlError.
---@async
---@param options septet.HtmlOptions|nil
---@return septet.Document
function Response:html(options)
  return require "septet.html".parse(self, options)
end

args.methods(Response, "response", response.family)
return response
