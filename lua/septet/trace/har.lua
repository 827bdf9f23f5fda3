-- SPDX-License-Identifier: MIT
-- HAR 1.2: an entry for each attempt of a request. Browsers' developer tools and many others read
-- it. What HAR has no field for is in fields that begin with "_":
--
--   _task, _request, _attempt   the task, the number of its request, and which attempt of it
--   _error, _phase              code of the failure and the phase it fell into; _error may be null
--   _open                       the attempt had not ended when the trace did
--   _at                         the line that awaited it
--
-- Headers are there from level 3 on, bodies only if they were recorded.
local base64 = require "septet.core".base64
local quote = require "septet.trace.json_text".string
local url_parts = require "septet.trace.url_parts"

local har = {}

local HIDDEN = "REDACTED"

-- Headers that log somebody in, or say that somebody is.
local SECRET = {}
for _, name in ipairs { "authorization", "proxy-authorization", "cookie", "set-cookie", "cookie2",
  "set-cookie2", "x-api-key", "x-auth-token", "x-csrf-token", "x-amz-security-token",
  "www-authenticate", "proxy-authenticate", "authentication-info",
  "proxy-authentication-info" } do
  SECRET[name] = true
end

-- Headers with values that are URLs.
local URLS = { location = true, ["content-location"] = true, referer = true }

local VERSIONS = { [10] = "HTTP/1.0", [11] = "HTTP/1.1", [20] = "HTTP/2", [30] = "HTTP/3" }

-- --- numbers and times ---

-- Returns milliseconds with the digits that they need; from -1 for a phase that did not take place.
local function ms(us)
  if us < 0 then return "-1" end
  local text = ("%d.%03d"):format(us // 1000, us % 1000):gsub("0+$", "")
  return (text:gsub("%.$", ""))
end

-- Returns a date of the Gregorian calendar by the days since 1970-01-01.
local function date(days)
  local shifted = days + 719468 -- from 0000-03-01
  local era = shifted // 146097
  local day_of_era = shifted % 146097
  local year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524
    - day_of_era // 146096) // 365
  local day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
  local month = (5 * day_of_year + 2) // 153 -- from March
  local day = day_of_year - (153 * month + 2) // 5 + 1
  month = month < 10 and month + 3 or month - 9
  return year_of_era + era * 400 + (month <= 2 and 1 or 0), month, day
end

local function iso(unix_ns)
  local total_ms = unix_ns // 1000000
  local seconds = total_ms // 1000
  local year, month, day = date(seconds // 86400)
  return ("%04d-%02d-%02dT%02d:%02d:%02d.%03dZ"):format(year, month, day, seconds // 3600 % 24,
    seconds // 60 % 60, seconds % 60, total_ms % 1000)
end

-- HAR's fields by the names of phases. HAR counts the handshake as a part of `connect`, too.
local FIELD = { queue = "blocked", stall = "blocked", dns = "dns", tcp = "connect",
  tls = "connect", send = "send", wait = "wait", recv = "receive" }

-- Returns the timings in whole microseconds, and their sum. Each phase ends at a rounded instant,
-- so that none of the time is lost by rounding.
local function timings_of(request)
  local us = { blocked = -1, dns = -1, connect = -1, ssl = -1, send = 0, wait = 0, receive = 0 }
  local at, from = 0, 0
  for _, phase in ipairs(request.phases or {}) do
    at = at + math.floor(phase.duration * 1e9 + 0.5)
    local till = (at + 500) // 1000
    local field = FIELD[phase.name] or "blocked"
    us[field] = math.max(0, us[field]) + till - from
    if phase.name == "tls" then us.ssl = till - from end
    from = till
  end
  return us, from
end

-- --- headers ---

-- Parses the lines of a head. Returns a list of { name, value }, the line before them, and whether
-- a value is not what was sent: the trace has no secrets, either.
local function parse_head(text, sanitize)
  local list, first, hidden = {}, nil, false
  for line in text:gmatch "[^\r\n]+" do
    local name, value = line:match "^(:?[^%s:]+):%s*(.-)%s*$"
    if name then
      list[#list + 1] = { name, value }
    elseif list[1] and line:find "^[ \t]" then -- a folded one
      list[#list][2] = list[#list][2] .. " " .. line:match "^%s*(.-)%s*$"
    else
      first = first or line
    end
  end
  for _, header in ipairs(list) do
    local name = header[1]:lower()
    local shown = SECRET[name] and HIDDEN or URLS[name] and url_parts.public(header[2])
    hidden = hidden or header[2] == HIDDEN or shown and shown ~= header[2]
    if sanitize and shown then header[2] = shown end
  end
  return list, first, hidden
end

local function head_of(request, which, sanitize)
  local text = request.head and request.head[which]
  local head = { list = {}, size = -1, known = text ~= nil }
  if not text then return head end
  local hidden
  head.list, head.first, hidden = parse_head(text, sanitize)
  local whole = head.first and not hidden and (request.protocol or 0) < 20
  if whole then head.size = #text:match "^(.-)[\r\n]*$" + 4 end -- with the empty line at the end
  return head
end

local function value_of(head, name)
  for _, header in ipairs(head.list) do
    if header[1]:lower() == name then return header[2] end
  end
end

local function pairs_json(list)
  local words = {}
  for i, pair in ipairs(list) do
    words[i] = ('{"name":%s,"value":%s}'):format(quote(pair[1]), quote(pair[2]))
  end
  return "[" .. table.concat(words, ",") .. "]"
end

-- Returns the cookies of a request, or those that a response sets, without their attributes.
local function cookies(head, name)
  local list = {}
  for _, header in ipairs(head.list) do
    if header[1]:lower() == name then
      local all = name == "cookie" and header[2] or header[2]:match "^[^;]*"
      for part in all:gmatch "[^;]+" do
        local key, value = part:match "^%s*([^=]-)%s*=%s*(.-)%s*$"
        if key then list[#list + 1] = { key, value } end
      end
    end
  end
  return pairs_json(list)
end

-- --- bodies ---

-- Returns the fields of a recorded body, each with a comma before it; "" if none was recorded.
local function body_fields(request, which, encoding)
  local body = request.body and request.body[which]
  if not body or not body.text then return "" end
  local cut = body.cut and ',"_cut":true' or ""
  if utf8.len(body.text) then return (',"text":%s%s'):format(quote(body.text), cut) end
  return (',"text":"%s","%s":"base64"%s'):format(base64(body.text), encoding, cut)
end

-- --- entries ---

local function request_json(request, head)
  local target = url_parts.public(request.url or ""):match "^[^#]*"
  local version = VERSIONS[request.protocol] or "unknown"
  local body = body_fields(request, "request", "_encoding")
  local post = ""
  if body ~= "" then
    post = (',"postData":{"mimeType":%s%s}'):format(quote(value_of(head, "content-type") or ""),
      body)
  end
  return ('{"method":%s,"url":%s,"httpVersion":"%s","cookies":%s,"headers":%s,"queryString":%s%s,'
    .. '"headersSize":%d,"bodySize":%d}'):format(quote(request.method), quote(target), version,
    cookies(head, "cookie"), pairs_json(head.list), pairs_json(url_parts.query(target)), post,
    head.size, request.sent or -1)
end

-- Returns the size of a body as it was transferred, or -1 if only its decoded size is known.
local function transferred(request, head)
  if request.status == 0 or request.status == 304 then return 0 end
  if not head.known or value_of(head, "content-encoding") then return -1 end
  return request.bytes
end

local function response_json(request, head, next_url)
  local location = value_of(head, "location")
  local redirects = request.status >= 300 and request.status < 400
  local target = redirects and url_parts.public(location or next_url or "") or ""
  local words = (head.first or ""):match "^HTTP/%S+ %d+ (.*)$" or ""
  local version = request.status > 0 and VERSIONS[request.protocol] or "unknown"
  return ('{"status":%d,"statusText":%s,"httpVersion":"%s","cookies":%s,"headers":%s,'
    .. '"content":{"size":%d,"mimeType":%s%s},"redirectURL":%s,"headersSize":%d,"bodySize":%d}'
    ):format(request.status, quote(words), version, cookies(head, "set-cookie"),
    pairs_json(head.list), request.bytes, quote(value_of(head, "content-type") or ""),
    body_fields(request, "response", "encoding"), quote(target), head.size,
    transferred(request, head))
end

local function timings_json(us)
  return ('{"blocked":%s,"dns":%s,"connect":%s,"ssl":%s,"send":%s,"wait":%s,"receive":%s}'):format(
    ms(us.blocked), ms(us.dns), ms(us.connect), ms(us.ssl), ms(us.send), ms(us.wait),
    ms(us.receive))
end

-- Returns the fields of HAR's and ours that not every entry has.
local function further_fields(request)
  local words = {}
  local function add(name, value)
    if value then words[#words + 1] = (',"%s":%s'):format(name, value) end
  end
  local address = url_parts.address(request.peer)
  add("serverIPAddress", address and quote(address))
  add("connection", request.connection and quote(tostring(request.connection)))
  local task = request.task
  add("_task", task and quote(("%s #%d"):format(task.name, task.id)))
  add("_request", (request.request or 0) > 0 and ("%d"):format(request.request))
  add("_attempt", ("%d"):format((request.resend or 0) + 1))
  add("_error", request.code and quote(request.code) or "null")
  add("_phase", request.phase and quote(request.phase))
  add("_open", request.open and "true")
  add("_at", request.at and quote(request.at))
  return table.concat(words)
end

local function entry_json(model, request, next_url, sanitize)
  local us, total = timings_of(request)
  local sent, received = head_of(request, "request", sanitize),
    head_of(request, "response", sanitize)
  return ('{"startedDateTime":"%s","time":%s,"request":%s,"response":%s,"cache":{},"timings":%s%s}'
    ):format(iso(model.unix(request.start)), ms(total), request_json(request, sent),
    response_json(request, received, next_url), timings_json(us), further_fields(request))
end

-- Returns the URL of the attempt after each attempt of the same request, by the attempt.
local function following(requests)
  local earlier, next_url = {}, {}
  for _, request in ipairs(requests) do
    if (request.request or 0) > 0 then
      local before = earlier[request.request]
      if before then next_url[before] = request.url end
      earlier[request.request] = request
    end
  end
  return next_url
end

--- Options of the HAR exporter.
---@class septet.HarOptions
---@field sanitize boolean|nil false: headers and cookies as the trace has them; true

--- Writes the requests of a model as HAR 1.2.
---@param model table
---@param write fun(text: string)
---@param options septet.HarOptions|nil
function har.export(model, write, options)
  local sanitize = not options or options.sanitize ~= false
  write(('{"log":{"version":"1.2","creator":{"name":"septet","version":%s},"pages":[],"entries":['
    ):format(quote(model.meta.version or "")))
  local next_url = following(model.requests)
  for i, request in ipairs(model.requests) do
    write((i > 1 and ",\n" or "\n") .. entry_json(model, request, next_url[request], sanitize))
  end
  write "\n]"
  if model.lost > 0 then write((',"_lost":%d'):format(model.lost)) end
  write "}}\n"
end

return setmetatable(har, { __call = function(_, ...) return har.export(...) end })
