--- HTTP requests over libcurl, from tasks: a session is a pool of connections with its limits, its headers and
--- its trace hooks.
---@class septet.http
local http = {}

local core = require "septet.core"
local args = require "septet.args"
local encode = require "septet.encode"
local rate = require "septet.rate"
local retry = require "septet.retry"

local core_http, setmetatable = core.http, setmetatable
local TIMEOUTS = { connect = 10, first_byte = 30, idle = 30 } -- seconds
local MAX_BODY = 64 * 1024 * 1024                             -- bytes, after decoding
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
---@field attempts integer how often it was tried, with the one that gave this
local Response = {}

-- Fields that are made when somebody asks for them.
local lazy = {
  headers = function(self) return parse_headers(self.head:lines()) end,
  times = function(self) return self.head:times() end,
  reason = function(self) return self.head:lines():match("^%S+ %d+ ?([^\r\n]*)") or "" end,
  version = function(self) return self.head:version() end,
  method = function(self) return self.head:method() end,
  history = function() return {} end,
  attempts = function() return 1 end,
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
    message = ("%s %s: status %d"):format(self.method, self.url, self.status), attempts = self.attempts }, 0)
end

--- The value of its body, as `json.decode` gives it, whatever its Content-Type; raises JsonError.
---@return any
function Response:json()
  return require "septet.json".decode(self.body)
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

local timeout_options = {
  total = "seconds", connect = "seconds", first_byte = "seconds", idle = "seconds", queue = "seconds",
}

-- Time limits by name: those of `base`, and over them what an option `timeout` says, a number for the total.
local function timeouts(base, option)
  if option == nil then return base end
  option = type(option) == "table" and option or { total = option }
  args.options(option, timeout_options, "timeout")
  local merged = {}
  for name in pairs(timeout_options) do
    merged[name] = option[name]
    if merged[name] == nil then merged[name] = base[name] end
  end
  return merged
end

local function new_limits(times, max_body)
  return core.http_limits(times.connect, times.first_byte, times.idle, times.queue, max_body)
end

-- How many redirects are followed: 0 for an option of false.
local function max_redirects(option, otherwise, what)
  if option == nil then return otherwise end
  if option == false then return 0 end
  if math.type(option) ~= "integer" or option < 0 then
    args.usage("bad option 'redirects' to '%s' (a whole number or false expected, got %s)", what, tostring(option))
  end
  return option
end

local function origin(url)
  return (url:match("^(%a[%w+.-]*://[^/?#]*)") or ""):lower()
end

-- Where `url` points from the session's base.
local function resolve(session, url)
  if not session.base_url or url:match("^%a[%w+.-]*://") then return url end
  local joined, why
  if url:match("^[/\\][/\\]") or url:match("^%a[%w+.-]*:") then
    why = "no_scheme" -- it would lead to another host, with the session's credentials
  else
    joined, why = core.http_join(session.base_url, url)
  end
  if not joined then
    local shown = url:find("@", 1, true) and "..." or url -- what stands before it may be a password
    error(core.error { kind = "HttpError", code = "url", reason = why, phase = "queue", url = shown, attempts = 1,
      message = ("bad URL '%s': %s"):format(shown, why) }, 0)
  end
  return joined
end

local session_options = {
  base_url = "string", limit = "count", limit_per_host = "count", rate = "any", timeout = "timeout", max_body = "bytes",
  redirects = "any", retries = "any", headers = "table", auth = "table", trace = "table", cookies = "boolean",
  proxy = "any", resolve = "table", tls = "table",
}

local tls_options = {
  ca_file = "string", cert_file = "string", key_file = "string", min_version = "string", insecure = "boolean",
}

-- A file that cannot be read is told now, and not with each request.
local function check_tls(tls)
  args.options(tls, tls_options, "tls")
  for _, name in ipairs { "ca_file", "cert_file", "key_file" } do
    local file, why
    if tls[name] then file, why = io.open(tls[name]) end
    if why then args.usage("bad option '%s' to 'tls' (%s)", name, why) end
    if file then file:close() end
  end
  if tls.key_file and not tls.cert_file then args.usage("bad option 'key_file' to 'tls' (without a 'cert_file')") end
  if tls.min_version and tls.min_version ~= "1.2" and tls.min_version ~= "1.3" then
    args.usage("bad option 'min_version' to 'tls' (\"1.2\" or \"1.3\" expected, got '%s')", tls.min_version)
  end
  return tls
end

local PROXIES = { http = true, socks4 = true, socks4a = true, socks5 = true, socks5h = true }

-- A proxy's URL; true for the environment's.
local function check_proxy(proxy)
  if not proxy or proxy == "environment" then return proxy and true or nil end
  local scheme = type(proxy) == "string" and proxy:match("^(%w+)://[^/%c ]+/?$")
  if not (scheme and PROXIES[scheme]) then
    args.usage("bad option 'proxy' to 'session' (a URL, as http://host:port or socks5h://host:port, expected)")
  end
  return proxy
end

-- As libcurl takes them.
local function check_resolve(addresses)
  if not addresses then return nil end
  local list = {}
  for name, address in pairs(addresses) do
    if type(name) ~= "string" or not name:match("^[^%c%s,:]+:%d+$") then
      args.usage("bad option 'resolve' to 'session' (a key as \"host:port\" expected, got '%s')", tostring(name))
    end
    if type(address) ~= "string" or not address:match("^[%x.:%[%]]+$") then
      args.usage("bad option 'resolve' to 'session' (no address for '%s')", name)
    end
    list[#list + 1] = name .. ":" .. address
  end
  return list
end

local trace_hooks = { request_start = "any", request_end = "any", request_exception = "any" }

--- What a session may be told.
---@class septet.SessionOptions
---@field base_url string|nil what a URL without a scheme is relative to
---@field limit integer|nil requests at once; 64
---@field limit_per_host integer|nil requests at once to one scheme, host and port; 8
---@field rate string|{[1]: string, per: "host"|"session"|nil}|nil starts at most: "10/s", "5/15s"; none
---@field timeout number|septet.Timeouts|nil a number is the total
---@field max_body integer|nil bytes of a body, after decoding; 64 MiB
---@field redirects integer|false|nil how many are followed; 10
---@field retries integer|septet.Retries|false|nil how often a request is tried again; 0
---@field headers table<string, string>|nil sent with each request
---@field auth septet.Auth|nil sent with each request
---@field cookies boolean|nil those of responses are kept, and sent back; false
---@field proxy string|nil a URL: http, socks4, socks4a, socks5, socks5h; or "environment"; none
---@field resolve table<string, string>|nil "host:port" to the address that is taken for it
---@field tls septet.Tls|nil
---@field trace septet.TraceHooks|nil

--- Time limits in seconds.
---@class septet.Timeouts
---@field total number|nil for a whole request, with redirects, retries and the wait for a place; none
---@field queue number|nil for the wait for a place; none
---@field connect number|nil for name, connection and TLS; 10
---@field first_byte number|nil from the request to the first byte of the response; 30
---@field idle number|nil between two bytes; 30

--- When a request is tried again: after a failure to connect, or one before any byte of an answer, and after some
--- statuses. It waits a random time up to `backoff` * 2 ^ (attempts so far - 1), or as long as Retry-After says.
---@class septet.Retries
---@field attempts integer|nil with the first; 3
---@field backoff number|nil seconds; 0.25
---@field max_backoff number|nil seconds; 10
---@field max_wait number|nil seconds of a Retry-After beyond which to give up; 60
---@field methods string[]|nil the idempotent ones: GET HEAD PUT DELETE OPTIONS TRACE
---@field statuses integer[]|nil 408 429 502 503 504
---@field budget number|nil retries for each request to an origin, after the first ten; 0.1

---@class septet.Tls
---@field ca_file string|nil PEM: who is trusted, in place of the system's
---@field cert_file string|nil PEM: the client's certificate
---@field key_file string|nil PEM: its key, where that is in a file of its own
---@field min_version "1.2"|"1.3"|nil
---@field insecure boolean|nil certificates are not checked

---@class septet.Auth
---@field user string|nil
---@field password string|nil
---@field bearer string|nil

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
  local own = {} -- a copy: the script may change its table
  if options.auth then own.Authorization = encode.authorization(options.auth, "session") end
  for name, value in pairs(options.headers or {}) do own[name] = value end
  local list = header_list("session", defaults, own)
  local times, max_body = timeouts(TIMEOUTS, options.timeout), options.max_body or MAX_BODY
  local tls = check_tls(options.tls or {})
  local session = setmetatable({
    core = core.http_session(options.limit or 64, options.limit_per_host or 8, check_proxy(options.proxy),
      options.cookies, check_resolve(options.resolve), tls.ca_file, tls.cert_file, tls.key_file, tls.insecure,
      tls.min_version == "1.3"),
    limits = new_limits(times, max_body),
    times = times,
    max_body = max_body,
    headers = checked_headers(list),
    list = list,
    own_headers = own,
    defaults = defaults,
    base_url = options.base_url,
    redirects = max_redirects(options.redirects, MAX_REDIRECTS, "session"),
    retries = retry.policy(options.retries, "session"),
    pace = rate.pacer(options.rate, origin),
    trace = options.trace,
  }, session_meta)
  -- A request without options is a bare attempt.
  session.plain = not (times.total or session.trace or session.base_url or session.retries or session.pace)
  return session
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

-- What a request to another origin goes without: secrets, by their usual names, and the name of the first host.
local private = { authorization = true, cookie = true, ["proxy-authorization"] = true, host = true }
local private_words = { "api%-?key", "token", "secret", "password", "credential", "^x%-auth" }

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
  for _, word in ipairs(private_words) do
    if name:find(word) then return false end
  end
  return not private[name]
end

local function is_not_of_a_body(name)
  return name:sub(1, 8) ~= "content-"
end

-- What the host knows nothing of, because it happens between two attempts.
local function http_error(hop, code, reason, phase, why)
  local url = public_url(hop.url)
  return core.error { kind = "HttpError", code = code, reason = reason, phase = phase, url = url, method = hop.method,
    attempts = hop.attempts or 1, message = ("%s %s: %s"):format(hop.method, url, why) }
end

local function redirect_error(hop, why, reason)
  return http_error(hop, "redirect", reason, "receive", why)
end

-- Turns a hop to where its response says. Raises HttpError{code="redirect"} where that is refused.
local function turn(hop, response, hops)
  local target = response.redirect_url
  if hops > hop.redirects then
    error(redirect_error(hop, ("more than %d redirects"):format(hop.redirects), "limit"), 0)
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

-- Waits for the turn of a rate, but no longer than the request may take.
local function pace(session, hop)
  local left = hop.deadline and math.max(0, hop.deadline - core.now())
  if session.pace(hop.url, left) then return end
  error(http_error(hop, "timeout", "total", "queue", "the rate left no time for it"), 0)
end

local function attempt(session, hop)
  local deadline = hop.deadline
  if session.pace then pace(session, hop) end
  local response = core_http(session.core, hop.limits, hop.method, hop.url, hop.headers, hop.body,
    deadline and math.max(0, deadline - core.now()), not hop.policy and hop.traced or nil)
  response.url = hop.url
  return setmetatable(response, response_meta)
end

-- The same, tried again as the hop's policy has it. What the last attempt gave is what counts.
local function persist(session, hop)
  local policy, key = hop.policy, origin(hop.url)
  session.budget = session.budget or retry.new_budget()
  session.budget.earn(key, policy)
  for attempts = 1, math.huge do
    local ok, result = pcall(attempt, session, hop)
    local err = not ok and result or nil
    if err and not core.is(err, "HttpError") then error(err, 0) end
    result.attempts, hop.attempts = attempts, attempts
    local delay = retry.wants(policy, hop.method, ok and result or nil, err)
      and retry.delay(policy, attempts, ok and result or nil)
    local in_time = delay and not (hop.deadline and core.now() + delay >= hop.deadline)
    if not in_time or not session.budget.spend(key) then
      if err then error(err, 0) end
      return result
    end
    core.sleep(delay)
  end
end

local function get_hop(session, hop)
  return (hop.policy and persist or attempt)(session, hop)
end

-- Follows the redirects of a response; `hop` is what the next attempt asks for.
local function follow(session, hop, response)
  local history = {}
  while response.redirect_url and hop.redirects > 0 do
    history[#history + 1] = response
    turn(hop, response, #history)
    response = get_hop(session, hop)
  end
  response.history = history
  return response
end

local function perform(session, hop)
  if hop.list ~= session.list then hop.headers = checked_headers(hop.list) end
  local response = get_hop(session, hop)
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
  traced:ended(core.now(), result.status) -- the host has told it, unless more attempts could have followed
  return result
end

local request_options = {
  headers = "table", params = "table", body = "string", form = "table", json = "any", multipart = "table",
  auth = "table", timeout = "timeout", max_body = "bytes", redirects = "any", retries = "any",
}

local bodies = {
  body = function(value) return value end,
  form = function(value) return encode.form(value), "application/x-www-form-urlencoded" end,
  json = function(value) return require "septet.json".encode(value), "application/json" end,
  multipart = encode.multipart,
}

-- The body that the options ask for, and its type.
local function make_body(options, what)
  local given, value
  for name in pairs(bodies) do
    if options[name] ~= nil then
      if given then args.usage("bad options to '%s' (both '%s' and '%s' are its body)", what, given, name) end
      given, value = name, options[name]
    end
  end
  if given then return bodies[given](value) end
end

-- What a request is to do where its options differ from its session's.
local function override(session, hop, options, what)
  args.options(options, request_options, what)
  local made = {}
  hop.body, made["Content-Type"] = make_body(options, what)
  if options.auth then made.Authorization = encode.authorization(options.auth, what) end
  if options.headers or next(made) then
    hop.list = header_list(what, session.defaults, session.own_headers, made, options.headers)
  end
  if options.params then hop.url = encode.query(hop.url, options.params) end
  local times = timeouts(session.times, options.timeout)
  if type(options.timeout) == "table" or options.max_body then
    hop.limits = new_limits(times, options.max_body or session.max_body)
  end
  hop.redirects = max_redirects(options.redirects, session.redirects, what)
  if options.retries ~= nil then hop.policy = retry.policy(options.retries, what) end
  return times.total
end

-- Every verb ends here.
local function request(session, method, url, options)
  if not options and session.plain then
    local response = setmetatable(core_http(session.core, session.limits, method, url, session.headers), response_meta)
    response.url = url
    if not rawget(response, "redirect_url") then return response end
    return follow(session, { method = method, url = url, headers = session.headers, list = session.list,
      limits = session.limits, redirects = session.redirects }, response)
  end
  local hop = { method = method, url = resolve(session, url), headers = session.headers, list = session.list,
    limits = session.limits, redirects = session.redirects, policy = session.retries }
  local total, hooks = session.times.total, session.trace
  if options then total = override(session, hop, options, method:lower()) end
  if hooks then hop.traced, hop.list = start_trace(hooks, method, hop.url, hop.list) end
  if total then hop.deadline = core.now() + total end
  if hooks then return perform_traced(session, hop) end
  return perform(session, hop)
end

--- What a request may be told, over what its session was.
---@class septet.RequestOptions
---@field headers table<string, string|false>|nil false removes one
---@field params table|nil for the query: names to values or lists of values, or a list of {name, value}
---@field body string|nil sent as it is
---@field form table|nil as params, sent as a form
---@field json any sent as JSON
---@field multipart {name: string, data: string, filename: string|nil, type: string|nil}[]|nil sent as form data
---@field auth septet.Auth|nil
---@field timeout number|septet.Timeouts|nil
---@field max_body integer|nil
---@field redirects integer|false|nil
---@field retries integer|septet.Retries|false|nil

--- Does a request and waits for the whole response. Raises HttpError; a status is never an error by itself.
---@async
---@param method string
---@param url string http or https; absolute, unless the session has a base
---@param options septet.RequestOptions|nil
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
