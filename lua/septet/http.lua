--- HTTP requests over libcurl, from tasks: a session is a pool of connections with its limits, its headers and
--- its trace hooks.
---@class septet.http
local http = {}

local core = require "septet.core"
local args = require "septet.args"

local core_http, setmetatable = core.http, setmetatable
local CONNECT, FIRST_BYTE, IDLE = 10, 30, 30 -- seconds
local MAX_BODY = 64 * 1024 * 1024            -- bytes, after decoding
local MAX_REDIRECTS = 10
local USER_AGENT = "septet/" .. core.versions():match("^Septet ([^,]+)")

--- The headers of a response, by name whatever the case; several of one name are joined by ", ".
---@class septet.Headers
local Headers = {}
local LINES = {} -- the key of the lines: no header has it

--- Every value of a header, in order.
---@param name string
---@return string[]
function Headers:all(name)
  local values = {}
  for _, pair in ipairs(rawget(self, LINES)) do
    if pair[1]:lower() == name:lower() then values[#values + 1] = pair[2] end
  end
  return values
end

--- Iterates over name and value as they came.
function Headers:each()
  local i, lines = 0, rawget(self, LINES)
  return function()
    i = i + 1
    if lines[i] then return lines[i][1], lines[i][2] end
  end
end

local headers_meta = {
  __name = "septet.http.Headers",
  __index = function(self, name)
    if Headers[name] then return Headers[name] end
    local values = Headers.all(self, tostring(name))
    return #values > 0 and table.concat(values, ", ") or nil
  end,
  __pairs = function(self) return Headers.each(self) end,
}

local function parse_headers(raw)
  local lines = {}
  for line in raw:gmatch("[^\r\n]+") do
    local name, value = line:match("^([^:%s]+):[ \t]*(.-)[ \t]*$")
    if name then lines[#lines + 1] = { name, value } end
  end
  return setmetatable({ [LINES] = lines }, headers_meta)
end

--- What a request gave.
---@class septet.Response
---@field status integer
---@field reason string the words beside the status, "" if there were none
---@field body string
---@field headers septet.Headers
---@field url string of the last hop
---@field method string of the last hop
---@field version string "1.0", "1.1" or "2"
---@field times table<string, number> seconds by phase: queue dns tcp tls send wait receive total
---@field history septet.Response[] the redirects that led here, first one first
local Response = {}

-- Fields that are made when somebody asks for them.
local lazy = {
  headers = function(self) return parse_headers(self.head:lines()) end,
  times = function(self) return self.head:times() end,
  reason = function(self) return self.head:lines():match("^%S+ %d+ ?([^\r\n]*)") or "" end,
  version = function(self) return self.head:version() end,
  method = function(self) return self.head:method() end,
  history = function() return {} end,
}

local response_meta = {
  __name = "septet.http.Response",
  __index = function(self, key)
    local make = lazy[key]
    if not make then return Response[key] end
    local value = make(self)
    rawset(self, key, value)
    return value
  end,
}

--- Raises HttpError{code = "status"} for a status of 400 or more, else returns the response.
---@return septet.Response
function Response:raise_for_status()
  if self.status < 400 then return self end
  error(core.error { kind = "HttpError", code = "status", status = self.status, url = self.url, method = self.method,
    message = ("%s %s: status %d"):format(self.method, self.url, self.status), attempts = 1 }, 0)
end

---@class septet.Session
local Session = {}
local session_meta = { __name = "septet.http.Session", __index = Session }

-- A list {name, value, ...} of headers from tables of names to values; later ones replace earlier ones of
-- the same name, and false removes one.
local function header_list(what, ...)
  local order, by_name = {}, {}
  for i = 1, select("#", ...) do
    local names = {}
    for name, value in pairs((select(i, ...)) or {}) do
      if type(name) ~= "string" then
        args.usage("bad header name in '%s' (string expected, got %s)", what, type(name))
      end
      if type(value) ~= "string" and type(value) ~= "number" and value ~= false then
        args.usage("bad header '%s' in '%s' (string expected, got %s)", name, what, type(value))
      end
      names[#names + 1] = name
    end
    table.sort(names)
    for _, name in ipairs(names) do
      local key, value = name:lower(), (select(i, ...))[name]
      if not by_name[key] then order[#order + 1] = key end
      by_name[key] = { name, value }
    end
  end
  local list = {}
  for _, key in ipairs(order) do
    local name, value = by_name[key][1], by_name[key][2]
    if value ~= false then
      list[#list + 1] = name
      list[#list + 1] = tostring(value)
    end
  end
  return list
end

-- Checked header lines; raises Usage at the script's line.
local function checked_headers(list)
  local ok, headers = pcall(core.http_headers, list)
  if ok then return headers end
  if core.is(headers, "Usage") then args.usage("%s", headers.message) end
  error(headers, 0)
end

local session_options = {
  limit = "count", limit_per_host = "count", timeout = "seconds", headers = "table", trace = "table",
}

local trace_hooks = { request_start = "any", request_end = "any", request_exception = "any" }

--- What a session may be told.
---@class septet.SessionOptions
---@field limit integer|nil requests at once; 64
---@field limit_per_host integer|nil requests at once to one scheme, host and port; 8
---@field timeout number|nil seconds for a whole request, redirects and the wait for a place included; none
---@field headers table<string, string>|nil sent with each request
---@field trace septet.TraceHooks|nil

--- What is told of each request. They may not wait; what they raise is warned of and leaves the request alone,
--- but for request_start, which runs in the task that asks, may change ev.headers, and may refuse by raising.
---@class septet.TraceHooks
---@field request_start fun(ctx: table, ev: septet.TraceEvent)|nil
---@field request_end fun(ctx: table, ev: septet.TraceEvent)|nil
---@field request_exception fun(ctx: table, ev: septet.TraceEvent)|nil

---@class septet.TraceEvent
---@field time number seconds, as task.now() counts
---@field request integer the request's number
---@field method string
---@field url string
---@field headers table|nil of request_start: what will be sent, to be changed in place
---@field status integer|nil of request_end
---@field exception any of request_exception; nil where the task was cancelled
---@field cancelled boolean|nil of request_exception

--- Makes a session: a pool of connections with limits of its own.
---@param options septet.SessionOptions|nil
---@return septet.Session
function http.session(options)
  options = args.options(options, session_options, "session")
  for name, hook in pairs(args.options(options.trace, trace_hooks, "trace")) do
    if type(hook) ~= "function" then
      args.usage("bad trace hook '%s' (function expected, got %s)", name, type(hook))
    end
  end
  local defaults = { ["User-Agent"] = USER_AGENT, ["Accept-Encoding"] = core.http_encodings() }
  local list = header_list("session", defaults, options.headers)
  local own = {} -- a copy: the script may change its table
  for name, value in pairs(options.headers or {}) do own[name] = value end
  return setmetatable({
    core = core.http_session(options.limit or 64, options.limit_per_host or 8, CONNECT, FIRST_BYTE, IDLE, MAX_BODY),
    headers = checked_headers(list),
    list = list,
    own_headers = own,
    defaults = defaults,
    timeout = options.timeout,
    trace = options.trace,
    plain = not (options.timeout or options.trace), -- a request without options is a bare attempt
  }, session_meta)
end

--- Drops the connections; requests in flight fail with the code "closed". Also what `<close>` does.
function Session:close()
  self.closed = true
  self.core:close()
end
session_meta.__close = Session.close

-- A URL without what may be a password.
local function public_url(url)
  return (url:gsub("^(%a[%w+.-]*://)[^/?#]*@", "%1"))
end

-- A traced request: tells the hooks its end, once, and is told it by the host or by `request`.
local Traced = {}
Traced.__index = Traced

function Traced:fire(hook, event)
  local fn = self.hooks[hook]
  if not fn then return end
  event.method, event.url, event.request = self.method, public_url(self.url), self.id
  local ok, err = pcall(fn, self.ctx, event)
  if not ok then core.warn(("trace hook '%s' failed: %s"):format(hook, tostring(err))) end
end

-- The end of one attempt. One that redirects is not the end of the request.
function Traced:ended(time, status, err, cancelled, redirects)
  if self.told or redirects then return end
  self.told = true
  if err or cancelled then
    self:fire("request_exception", { time = time, exception = err, cancelled = cancelled })
  else
    self:fire("request_end", { time = time, status = status })
  end
end

local next_request = 0

-- Tells request_start, in the caller's task; it may change the headers, and abort by raising.
local function start_trace(hooks, method, url, list)
  next_request = next_request + 1
  local traced = setmetatable({ hooks = hooks, ctx = {}, method = method, url = url, id = next_request }, Traced)
  if not hooks.request_start then return traced, list end
  local headers = {}
  for i = 1, #list, 2 do headers[list[i]] = list[i + 1] end
  core.hook(hooks.request_start, traced.ctx, { time = core.now(), method = method, url = url, headers = headers,
    request = next_request })
  return traced, header_list("request_start", headers)
end

-- The method of the next hop: a GET after 303, and after a POST that was moved.
local function next_method(method, status)
  if status == 303 and method ~= "HEAD" then return "GET" end
  if (status == 301 or status == 302) and method == "POST" then return "GET" end
  return method
end

local function origin(url)
  return url:match("^(%a[%w+.-]*://[^/?#]*)"):lower()
end

local secrets = { authorization = true, cookie = true, ["proxy-authorization"] = true }

-- Turns a hop's headers into those for which keep(name in lower case) holds.
local function keep_headers(hop, keep)
  local kept = {}
  for i = 1, #hop.list, 2 do
    if keep(hop.list[i]:lower()) then
      kept[#kept + 1], kept[#kept + 2] = hop.list[i], hop.list[i + 1]
    end
  end
  hop.list = kept
  hop.headers = core.http_headers(kept)
end

local function is_public(name)
  return not secrets[name]
end

local function is_not_of_a_body(name)
  return name:sub(1, 8) ~= "content-"
end

local function redirect_error(hop, why, reason)
  return core.error { kind = "HttpError", code = "redirect", reason = reason, phase = "receive", url = hop.url,
    method = hop.method, attempts = 1, message = ("%s %s: %s"):format(hop.method, hop.url, why) }
end

-- Turns a hop to where its response says. Raises HttpError{code="redirect"} where that is refused.
local function turn(hop, response, hops)
  local target = response.redirect_url
  if hops > MAX_REDIRECTS then
    error(redirect_error(hop, ("more than %d redirects"):format(MAX_REDIRECTS), "limit"), 0)
  end
  if not target:match("^[Hh][Tt][Tt][Pp][Ss]?://") then
    error(redirect_error(hop, ("redirected to '%s'"):format(public_url(target)), "denied"), 0)
  end
  if hop.url:match("^[Hh][Tt][Tt][Pp][Ss]:") and not target:match("^[Hh][Tt][Tt][Pp][Ss]:") then
    error(redirect_error(hop, "redirected from https to http", "denied"), 0)
  end
  if origin(target) ~= origin(hop.url) then
    keep_headers(hop, is_public)
  end
  local method = next_method(hop.method, response.status)
  if method ~= hop.method then
    hop.body = nil
    keep_headers(hop, is_not_of_a_body)
  end
  hop.method, hop.url = method, target
end

local function attempt(session, hop)
  local deadline = hop.deadline
  local response = core_http(session.core, hop.method, hop.url, hop.headers, hop.body,
    deadline and math.max(0, deadline - core.now()), hop.traced)
  response.url = hop.url
  return setmetatable(response, response_meta)
end

-- Follows the redirects of a response; `hop` is what the next attempt asks for.
local function follow(session, hop, response)
  local history = {}
  while response.redirect_url do
    history[#history + 1] = response
    turn(hop, response, #history)
    response = attempt(session, hop)
  end
  response.history = history
  return response
end

local function perform(session, hop)
  if hop.list ~= session.list then hop.headers = checked_headers(hop.list) end
  local response = attempt(session, hop)
  if not response.redirect_url then return response end
  return follow(session, hop, response)
end

-- The same with hooks: what ends a request without the host having seen its end (a refused redirect, a task
-- that was cancelled before it could start) is told here.
local function perform_traced(session, hop)
  local traced = hop.traced
  local ok, result = pcall(perform, session, hop)
  if not ok then
    local cancelled = core.is(result, "Cancelled")
    traced:ended(core.now(), nil, not cancelled and result or nil, cancelled)
    error(result, 0)
  end
  return result
end

local request_options = { headers = "table", body = "string", timeout = "seconds" }

-- Every verb ends here.
local function request(session, method, url, options)
  if not options and session.plain then
    local response = setmetatable(core_http(session.core, method, url, session.headers), response_meta)
    response.url = url
    if not rawget(response, "redirect_url") then return response end
    return follow(session, { method = method, url = url, headers = session.headers, list = session.list }, response)
  end
  local hop = { method = method, url = url, headers = session.headers, list = session.list }
  local timeout, hooks = session.timeout, session.trace
  if options then
    args.options(options, request_options, method:lower())
    hop.body = options.body
    timeout = options.timeout or timeout
    if options.headers then
      hop.list = header_list(method:lower(), session.defaults, session.own_headers, options.headers)
    end
  end
  if hooks then hop.traced, hop.list = start_trace(hooks, method, url, hop.list) end
  if timeout then hop.deadline = core.now() + timeout end
  if hooks then return perform_traced(session, hop) end
  return perform(session, hop)
end

--- Does a request and waits for the whole response; follows up to 10 redirects. Raises HttpError; a status is
--- never an error by itself.
---@async
---@param method string
---@param url string absolute, http or https
---@param options {headers: table|nil, body: string|nil, timeout: number|nil}|nil in headers, false removes one
---@return septet.Response
function Session:request(method, url, options)
  args.string(method, 1, "request")
  args.string(url, 2, "request")
  return request(self, method, url, options)
end

for _, method in ipairs { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" } do
  local verb = method:lower()
  Session[verb] = function(self, url, options)
    if getmetatable(self) ~= session_meta then
      args.usage("'%s' is a method: call it as session:%s(url)", verb, verb)
    end
    args.string(url, 1, verb)
    return request(self, method, url, options)
  end
  http[verb] = function(url, options)
    if url == http then args.usage("'%s' is a function: call it as http.%s(url)", verb, verb) end
    args.string(url, 1, verb)
    return request(http.default(), method, url, options)
  end
end

local default_session

--- The session of http.get and the like, with every default: made at its first use, and anew once closed.
---@return septet.Session
function http.default()
  if not default_session or default_session.closed then default_session = http.session() end
  return default_session
end

return http
