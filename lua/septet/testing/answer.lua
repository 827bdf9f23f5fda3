-- SPDX-License-Identifier: MIT
-- Responses of a server for tests: what a handler returned, checked and written.
local args = require "septet.internal.args"
local core = require "septet.core"
local events = require "septet.testing.events"

local answer = {}

local WHAT = "testing.serve" -- for messages

local REASONS = {
  [100] = "Continue", [102] = "Processing", [103] = "Early Hints", [200] = "OK",
  [201] = "Created", [202] = "Accepted", [204] = "No Content", [206] = "Partial Content",
  [301] = "Moved Permanently", [302] = "Found", [303] = "See Other", [304] = "Not Modified",
  [307] = "Temporary Redirect", [308] = "Permanent Redirect", [400] = "Bad Request",
  [401] = "Unauthorized", [403] = "Forbidden", [404] = "Not Found", [405] = "Method Not Allowed",
  [408] = "Request Timeout", [409] = "Conflict", [410] = "Gone", [412] = "Precondition Failed",
  [413] = "Content Too Large", [414] = "URI Too Long", [416] = "Range Not Satisfiable",
  [417] = "Expectation Failed", [429] = "Too Many Requests",
  [431] = "Request Header Fields Too Large", [500] = "Internal Server Error",
  [502] = "Bad Gateway", [503] = "Service Unavailable", [504] = "Gateway Timeout",
  [505] = "HTTP Version Not Supported",
}

--- What a handler returns: nothing for 204, a status, a text, or this table.
---@class septet.Answer
---@field status integer|nil of the response; 200
---@field reason string|nil reason phrase; that of the status
---@field headers table<string, string|number|string[]|false>|nil false for no Date; none
---@field body string|(fun(): string|nil)|nil a function is called for pieces, and may wait, until
---it returns nil; none
---@field json any in place of `body`; none
--- In place of `body`: called for events, texts or {data, type, id, retry, comment}, or a list
--- of them; none
---@field events table|(fun(): septet.StreamEvent|string|nil)|nil
---@field trailers table<string, string>|nil after a body in chunks; none
---@field redirect string|nil the Location, with the status 302; none
---@field delay number|nil seconds before the response; 0
---@field close boolean|nil closes the connection behind the response, or without one if that is
---all; false, and true behind `raw`
---@field reset boolean|nil closes it by a RST; false
---@field raw string|(string|number)[]|nil bytes in place of a response, with numbers of seconds to
---wait; none

local fields = {
  status = "any", reason = "string", headers = "table", body = "any", json = "any",
  events = "any", trailers = "table", redirect = "string", delay = "seconds", close = "boolean",
  reset = "boolean", raw = "any",
}

local function check_status(status)
  if math.type(status) == "integer" and status >= 200 and status <= 999 then return status end
  args.usage("bad status in '%s' (a whole number from 200 to 999 expected, got %s)", WHAT,
    tostring(status))
end

local function check_raw(raw)
  if type(raw) == "string" then return { raw } end
  if type(raw) ~= "table" then
    args.usage("bad 'raw' in '%s' (a string or a list expected, got %s)", WHAT, type(raw))
  end
  for _, step in ipairs(raw) do
    if type(step) ~= "string" and not (type(step) == "number" and step >= 0) then
      args.usage("bad item of 'raw' in '%s' (a string, or seconds, expected, got %s)", WHAT,
        type(step))
    end
  end
  return raw
end

-- --- heads ---

local DAYS = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
  "Dec" }

local function date()
  local now = os.date "!*t"
  return ("%s, %02d %s %04d %02d:%02d:%02d GMT"):format(DAYS[now.wday], now.day,
    MONTHS[now.month], now.year, now.hour, now.min, now.sec)
end

-- Returns headers as a list {name, value, ...}, sorted by name. Raises Usage for one that cannot be
-- sent.
local function header_list(given)
  local names, list = {}, {}
  for name in pairs(given or {}) do
    if type(name) ~= "string" then
      args.usage("bad header name in '%s' (string expected, got %s)", WHAT, type(name))
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local values = given[name]
    for _, value in ipairs(type(values) == "table" and values or { values }) do
      if value ~= false then
        if type(value) ~= "string" and type(value) ~= "number" then
          args.usage("bad header '%s' in '%s' (string expected, got %s)", name, WHAT, type(value))
        end
        list[#list + 1], list[#list + 2] = name, tostring(value)
      end
    end
  end
  core.http_headers(list)
  return list
end

local function head_text(status, reason, list)
  reason = reason or REASONS[status] or ""
  local lines = { ("HTTP/1.1 %d %s"):format(status, reason) }
  for i = 1, #list, 2 do lines[#lines + 1] = list[i] .. ": " .. list[i + 1] end
  lines[#lines + 1] = "\r\n"
  return table.concat(lines, "\r\n")
end

--- Returns the head of a response without a body.
---@param status integer
---@param reason string|nil
---@param headers table|nil
---@return string
function answer.head(status, reason, headers)
  return head_text(status, reason, header_list(headers))
end

-- --- what a handler returned ---

--- A response that can be written.
---@class septet.CheckedAnswer
---@field status integer|nil nil: there is none, only a fault
---@field reason string|nil
---@field list string[] headers: {name, value, ...}
---@field has table<string, string> the same by name in lower case
---@field length integer|nil Content-Length that the handler gave for a body in pieces
---@field body any string or callable
---@field closes any what has the body's method `close`
---@field trailers string|nil
---@field delay number|nil
---@field raw (string|number)[]|nil
---@field close boolean|nil
---@field reset boolean|nil
---@field begun boolean|nil true once something may have been sent

local function take_length(headers)
  local length
  local rest = {}
  for name, value in pairs(headers or {}) do
    if type(name) == "string" and name:lower() == "content-length" then
      length = math.tointeger(tonumber(value))
      if not length or length < 0 then
        args.usage("bad header '%s' in '%s' (a whole number expected)", name, WHAT)
      end
    else
      rest[name] = value
    end
  end
  return rest, length
end

-- Returns the body that an answer has, its Content-Type, and what is to be closed after it.
local function body_of(given)
  local bodies = 0
  for _, name in ipairs { "body", "json", "events" } do
    bodies = bodies + (given[name] ~= nil and 1 or 0)
  end
  if bodies > 1 then args.usage("several bodies in '%s' (one expected)", WHAT) end
  if given.json ~= nil then
    return require "septet.json".encode(given.json), "application/json"
  elseif given.events ~= nil then
    local body, closes = events.body(given.events, WHAT)
    return body, "text/event-stream", closes
  end
  local body = given.body
  if type(body) == "string" or type(body) == "number" then return tostring(body) end
  if body == nil then return "" end
  if not args.is_callable(body) then
    args.usage("bad 'body' in '%s' (a string or a function expected, got %s)", WHAT, type(body))
  end
  return body, nil, type(body) ~= "function" and body or nil
end

--- Returns what a handler returned, checked. Raises Usage.
---@param given any
---@return septet.CheckedAnswer
function answer.check(given)
  if given == nil then given = { status = 204 } end
  if type(given) == "number" then given = { status = given } end
  if type(given) == "string" then
    given = { body = given, headers = { ["Content-Type"] = "text/plain; charset=utf-8" } }
  end
  if type(given) ~= "table" then
    args.usage("bad response in '%s' (a table, a string, a status or nil expected, got %s)", WHAT,
      type(given))
  end
  args.options(given, fields, WHAT)
  local made = { delay = given.delay, close = given.close, reset = given.reset,
    raw = given.raw ~= nil and check_raw(given.raw) or nil }
  local fault = made.close or made.reset
  local is_response = given.status ~= nil or given.body ~= nil or given.json ~= nil
    or given.events ~= nil or given.headers or given.redirect
  if made.raw or fault and not is_response then return made end
  made.status = check_status(given.status or given.redirect and 302 or 200)
  made.reason = given.reason
  if made.reason and made.reason:find "%c" then
    args.usage("bad 'reason' in '%s' (a control character in it)", WHAT)
  end
  local headers, kind
  headers, made.length = take_length(given.headers)
  made.body, kind, made.closes = body_of(given)
  made.list, made.has = header_list(headers), {}
  for i = 1, #made.list, 2 do made.has[made.list[i]:lower()] = made.list[i + 1] end
  local function default(name, value)
    if made.has[name:lower()] or headers[name] == false then return end
    made.list[#made.list + 1], made.list[#made.list + 2] = name, value
  end
  if kind then default("Content-Type", kind) end
  if given.redirect then
    core.http_headers { "Location", given.redirect }
    default("Location", given.redirect)
  end
  default("Date", date())
  if given.trailers then
    made.trailers = head_text(200, "", header_list(given.trailers)):match "\r\n(.*)$"
  end
  return made
end

-- --- writing ---

-- Writes a body in pieces, in chunks if `chunked`. Raises Usage if it is not as long as announced.
local function write_pieces(writer, made, chunked)
  local sent = 0
  local _ <close> = setmetatable({}, { __close = function()
    if made.closes and made.closes.close then made.closes:close() end
  end })
  while true do
    local piece = made.body()
    if piece == nil then break end
    if type(piece) ~= "string" then
      args.usage("bad piece of a body in '%s' (a string expected, got %s)", WHAT, type(piece))
    end
    sent = sent + #piece
    if made.length and sent > made.length then break end
    if piece ~= "" and chunked then
      writer:write(("%x\r\n"):format(#piece), piece, "\r\n")
    elseif piece ~= "" then
      writer:write(piece)
    end
  end
  if made.length and sent ~= made.length then
    args.usage("a body in '%s' has %s than its Content-Length", WHAT,
      sent > made.length and "more" or "less")
  end
  if chunked then writer:write("0\r\n", made.trailers or "\r\n") end
end

local function has_word(text, wanted)
  for word in (text or ""):lower():gmatch "[^,%s]+" do
    if word == wanted then return true end
  end
  return false
end

--- Writes the response to a request. Returns true if the connection can be used again.
---@async
---@param writer septet.ServerLink
---@param request {method: string, version: string} what of the request decides the framing
---@param made septet.CheckedAnswer
---@param keep boolean whether the client and the server keep the connection
---@return boolean
function answer.write(writer, request, made, keep)
  local list = table.move(made.list, 1, #made.list, 1, {})
  local function add(name, value)
    list[#list + 1], list[#list + 2] = name, tostring(value)
  end
  local empty = made.status == 204 or made.status == 304
  local in_pieces = type(made.body) ~= "string"
  local chunked = in_pieces and not made.length and request.version ~= "1.0"
  keep = keep and not made.close and not has_word(made.has.connection, "close")
    and (not in_pieces or chunked or made.length ~= nil or empty)
  if not empty and chunked then
    add("Transfer-Encoding", "chunked")
  elseif not empty and (made.length or not in_pieces) then
    if not in_pieces and made.length and made.length ~= #made.body and request.method ~= "HEAD" then
      args.usage("a body in '%s' is not as long as its Content-Length", WHAT)
    end
    add("Content-Length", made.length or #made.body)
  end
  if not made.has.connection then
    if not keep then add("Connection", "close") end
    if keep and request.version == "1.0" then add("Connection", "keep-alive") end
  end
  local head = head_text(made.status, made.reason, list)
  made.begun = true
  if empty or request.method == "HEAD" then
    writer:write(head)
  elseif in_pieces then
    writer:write(head)
    write_pieces(writer, made, chunked)
  else
    writer:write(head, made.body)
  end
  return keep
end

return answer
