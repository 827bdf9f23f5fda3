--- HTTP requests from tasks, over libcurl. A session is a pool of connections with its own limits,
--- headers and trace hooks.
---@class septet.http
local http = {}

local core = require "septet.core"
local addresses = require "septet.http.addresses"
local args = require "septet.internal.args"
local auth = require "septet.http.auth"
local encode = require "septet.http.encode"
local failure = require "septet.http.failure"
local headers = require "septet.http.headers"
local hooks = require "septet.http.hooks"
local limits = require "septet.http.limits"
local profile = require "septet.http.profile"
local rate = require "septet.http.rate"
local redirect = require "septet.http.redirect"
local response_meta = require "septet.http.response"
local retry = require "septet.http.retry"
local stream_meta = require "septet.http.stream"
local upload = require "septet.http.upload"
local url = require "septet.http.url"

local core_http, core_stream, setmetatable = core.http, core.http_stream, setmetatable
local TIMEOUTS = { connect = 10, first_byte = 30, idle = 30 } -- seconds
local MAX_REDIRECTS = 10
local USER_AGENT = "septet/" .. core.versions():match("^Septet ([^,]+)")

---@class septet.Session
local Session = {}
local session_meta = { __name = "septet.http.Session", __metatable = false, __index = Session }

local session_options = {
  base_url = "string", limit = "count", limit_per_host = "count", rate = "any", timeout = "timeout",
  max_body = "bytes", redirects = "any", retries = "any", headers = "table", auth = "any",
  trace = "table", cookies = "boolean", proxy = "any", unix_socket = "any", resolve = "table",
  tls = "table", http2 = "any", allow = "any", deny = "any",
  resolver = "string", redirect_headers = "table",
}

--- Options of http.session(). The words after the last semicolon are the default.
---@class septet.SessionOptions
---@field base_url string|nil URL that URLs without a scheme are resolved against; none
---@field limit integer|nil maximum number of requests in flight; 64
---@field limit_per_host integer|nil maximum number of them to one scheme, host and port; 8
--- Maximum number of starts in any window of time, as "10/s"; none.
---@field rate string|{[1]: string, per: "host"|"session"|(fun(url: string): any)|nil}|nil
---@field timeout number|septet.Timeouts|nil a number is the total
---@field max_body integer|nil bytes of a body after decoding; 64 MiB, none if streamed or saved
---@field redirects integer|false|nil maximum number that is followed; 10
---@field retries integer|septet.Retries|false|nil maximum number of retries of a request; 0
---@field headers table<string, string>|nil sent with each request
---@field auth septet.Auth|nil sent with each request
---@field cookies boolean|nil keeps the cookies of responses and sends them back; false
---@field proxy string|nil a URL: http, socks4, socks4a, socks5, socks5h; or "environment"; none
---@field unix_socket string|nil path to connect to in place of the URL's host
---@field resolve table<string, string>|nil addresses to use, by "host:port"
---@field resolver string|nil "system", or servers as "127.0.0.1:53,[::1]:53"; those of the system
---@field tls septet.Tls|nil
---@field http2 boolean|"force"|nil HTTP/2 over TLS if the server offers it; false
---@field allow string|string[]|nil rules for the only targets of connections; everywhere
---@field deny string|string[]|nil rules for denied targets, allowed or not, as "private"; nowhere
---@field redirect_headers string[]|nil names of further headers that are sent to another origin
---@field trace septet.TraceHooks|nil

--- Retry policy. A request is retried after a failure to connect, after one before any byte of the
--- response, and after some statuses. The delay is a random time up to `backoff` * 2 ^ (attempts so
--- far - 1), or as long as Retry-After says.
---@class septet.Retries
---@field attempts integer|nil number of attempts, including the first; 3
---@field backoff number|nil seconds; 0.25
---@field max_backoff number|nil seconds; 10
---@field max_wait number|nil longest Retry-After, in seconds, that is waited for; 60
---@field methods string[]|nil the idempotent ones: GET HEAD PUT DELETE OPTIONS TRACE
---@field statuses integer[]|nil 408 429 502 503 504
---@field budget number|nil retries for each request to an origin, after the first ten; 0.1

-- Returns the timeouts, the body limit and the profile of requests as the core takes them.
local function new_terms(times, max_body, connection)
  local terms = { max_body = max_body }
  for name, value in pairs(times) do terms[name] = value end
  for name, value in pairs(connection) do terms[name] = value end
  return core.http_options(terms)
end

-- Sets the terms for the target's own origin, and those for other origins, without credentials.
local function set_terms(target, times, max_body, connection)
  target.terms = new_terms(times, max_body, connection)
  local private = connection.user or connection.cert_file
  local stripped = private and profile.without_credentials(connection)
  target.without_credentials = stripped and new_terms(times, max_body, stripped) or target.terms
end

--- Creates a session: a pool of connections with its own limits.
---@param options septet.SessionOptions|nil
---@return septet.Session
function http.session(options)
  options = args.options(options, session_options, "session")
  local defaults = { ["User-Agent"] = USER_AGENT, ["Accept-Encoding"] = core.http_encodings() }
  local own = {} -- a copy, as the script may change its table
  own.Authorization = auth.header(options.auth, "session") or nil
  for name, value in pairs(options.headers or {}) do own[name] = value end
  local list = headers.list("session", defaults, own)
  local times, max_body = limits.times(TIMEOUTS, options.timeout), options.max_body
  local connection = profile.new(options, nil, "session")
  local pool, bad_rule = core.http_session {
    limit = options.limit or 64, limit_per_host = options.limit_per_host or 8,
    cookies = options.cookies,
    resolve = addresses.given(options.resolve), resolver = addresses.resolver(options.resolver),
    allow = addresses.rules(options.allow, "allow"), deny = addresses.rules(options.deny, "deny"),
  }
  if not pool then
    args.usage("bad rule '%s' for 'session' (a host, address, range or port expected)", bad_rule)
  end
  local session = setmetatable({
    core = pool,
    times = times,
    max_body = max_body,
    profile = connection,
    headers = headers.checked(list),
    list = list,
    own_headers = own,
    defaults = defaults,
    base_url = options.base_url,
    redirects = limits.redirects(options.redirects, MAX_REDIRECTS, "session"),
    redirect_headers = headers.named(options.redirect_headers, "session"),
    retries = retry.policy(options.retries, "session"),
    budget = retry.new_budget(),
    pace = rate.pacer(options.rate, url.origin),
    trace = hooks.check(options.trace),
    redirected = 0,
  }, session_meta)
  set_terms(session, times, max_body, connection)
  -- A request without options is usually a single attempt.
  session.plain = not (session.trace or session.base_url or session.pace or session.retries)
    and session.redirects > 0
  return session
end

--- Closes the connections. Requests in flight raise HttpError with the code "closed"; later ones
--- raise Usage. Does nothing if closed. Also called by `<close>`.
function Session:close()
  self.closed = true
  self.core:close()
end
session_meta.__close = Session.close

--- Counters of a session. Requests are counted as they are sent: each redirect that was followed
--- and each retry is one.
---@class septet.SessionStats
---@field active integer requests in flight now
---@field queued integer requests queued now
---@field connections integer open now, used or idle
---@field requests integer requests started
---@field failed integer requests without a response
---@field cancelled integer requests cancelled
---@field redirects integer redirects followed
---@field retries integer
---@field connections_made integer
---@field connections_reused integer requests that found a connection open
---@field connections_dropped integer idle connections that the peer closed
---@field bytes_received integer of bodies, after decoding
---@field bytes_sent integer of bodies

--- Returns the session's counters: the current ones, and the totals since it was created.
---@return septet.SessionStats
function Session:stats()
  local stats = self.core:stats()
  stats.redirects, stats.retries = self.redirected, self.budget.spent
  return stats
end

-- Waits for the attempt's turn under the rate, but no longer than the total timeout allows.
local function throttle(session, attempt)
  local left = attempt.deadline and math.max(0, attempt.deadline - core.now())
  if session.pace(attempt.url, left) then return end
  error(failure(attempt, "timeout", "total", "queue", "the rate left no time for it"), 0)
end

-- Sends an attempt. With a retry policy it is streamed, as its head decides whether it is retried.
local function send(session, attempt, body)
  local left, stays =
    attempt.deadline and math.max(0, attempt.deadline - core.now()), attempt.redirects == 0
  if attempt.streams or attempt.policy then
    return core_stream(session.core, attempt.terms, attempt.headers, attempt.method, attempt.url,
      body, left, nil, stays, not attempt.streams)
  end
  return core_http(session.core, attempt.terms, attempt.headers, attempt.method, attempt.url, body,
    left, attempt.traced, stays)
end

local function run_attempt(session, attempt)
  if session.pace then throttle(session, attempt) end
  local response
  if type(attempt.body) == "function" then
    local with = attempt.streams and upload.start_body or upload.with_body
    response = with(attempt.body, function(body) return send(session, attempt, body) end)
  else
    response = send(session, attempt, attempt.body)
  end
  if not response.url then response.url = attempt.url end
  return setmetatable(response, attempt.streams and stream_meta or response_meta)
end

-- Reads the body of a streamed response, which then is a whole one. Returns like core.try().
local function gather(response)
  local stream = response.stream
  local ok, body, traceback = core.try(stream.peek, stream)
  response.body, response.head, response.stream = body, stream:head(), nil
  stream:close()
  return ok, ok and response or body, traceback
end

-- Runs the attempt, and retries it as its policy allows. Returns or raises the last outcome. The
-- bodies of earlier responses are not read.
local function with_retries(session, attempt)
  local policy = attempt.policy
  session.budget.earn(attempt.url, policy)
  local ok, result, traceback = core.try(run_attempt, session, attempt)
  for attempts = 1, math.huge do
    local err = not ok and result or nil
    if err and not core.is(err, "HttpError") then core.raise(err, traceback) end
    attempt.attempts = attempts
    if attempts > 1 then result.attempts = attempts end
    local delay = retry.wants(policy, attempt.method, ok and result or nil, err)
      and retry.delay(policy, attempts, ok and result or nil)
    local in_time = delay and not (attempt.deadline and core.now() + delay >= attempt.deadline)
    if not in_time or not session.budget.spend(attempt.url) then
      if ok and not attempt.streams then ok, result, traceback = gather(result) end
      if ok then return result end
      if attempts > 1 and core.is(result, "HttpError") then result.attempts = attempts end
      core.raise(result, traceback)
    end
    local unread = ok and result.stream:pass_over()
    core.sleep(delay)
    if unread then result.stream:peek() end -- so that the connection can be used again
    ok, result, traceback = core.try(run_attempt, session, attempt)
  end
end

local function get_attempt(session, attempt)
  return (attempt.policy and with_retries or run_attempt)(session, attempt)
end

-- Follows the redirects of a response. `attempt` describes the next attempt.
local function follow(session, attempt, response)
  local history = {}
  while response.redirect_url and attempt.redirects > 0 do
    history[#history + 1] = response
    if attempt.streams then response:close() end
    redirect(attempt, response, #history)
    session.redirected = session.redirected + 1
    response = get_attempt(session, attempt)
  end
  response.history = history
  return response
end

local function perform(session, attempt)
  if attempt.list ~= session.list then attempt.headers = headers.checked(attempt.list) end
  local response = get_attempt(session, attempt)
  if not rawget(response, "redirect_url") then return response end
  return follow(session, attempt, response)
end

-- Like perform(), but reports the end to the hooks. The core does not see every end: it misses a
-- refused redirect, and a task cancelled before it could start.
local function perform_traced(session, attempt)
  local traced = attempt.traced
  local ok, result, traceback = core.try(perform, session, attempt)
  if not ok then
    local cancelled = core.is(result, "Cancelled")
    traced:ended(core.now(), nil, not cancelled and result or nil, cancelled)
    core.raise(result, traceback)
  end
  if attempt.streams then
    result.stream:trace(traced) -- which reports the end later
  else
    -- The core has reported it already, unless more attempts could have followed.
    traced:ended(core.now(), result.status)
  end
  return result
end

local request_options = {
  headers = "table", params = "table", body = "body", form = "table", json = "any",
  multipart = "table", auth = "any", timeout = "timeout", max_body = "bytes", redirects = "any",
  retries = "any", proxy = "any", unix_socket = "any", tls = "table", http2 = "any",
  cookies = "boolean", trace = "table", redirect_headers = "table",
}

local bodies = {
  body = function(value) return value end,
  form = function(value) return encode.form(value), "application/x-www-form-urlencoded" end,
  json = function(value) return require "septet.json".encode(value), "application/json" end,
  multipart = encode.multipart, -- make_body also passes the Content-Type
}

-- Returns the body that the options ask for, and its Content-Type.
local function make_body(options, what)
  local given, value
  for name in pairs(bodies) do
    if options[name] ~= nil then
      if given then
        args.usage("bad options to '%s' (both '%s' and '%s' are its body)", what, given, name)
      end
      given, value = name, options[name]
    end
  end
  if given == "multipart" then
    return encode.multipart(value, headers.own(options.headers, "content-type", what))
  end
  if given then return bodies[given](value) end
end

-- Applies the options of a request to its attempt. Returns the total timeout in seconds, or nil.
local function override(session, attempt, options, what)
  args.options(options, request_options, what)
  local made = {}
  local agreed = {} -- headers that the body determines, whatever `headers` says
  attempt.body, made["Content-Type"] = make_body(options, what)
  if options.multipart then
    agreed["Content-Type"], attempt.multipart = made["Content-Type"], made["Content-Type"]
  end
  made.Authorization = auth.header(options.auth, what)
  if options.headers or next(made) then
    attempt.list =
      headers.list(what, session.defaults, session.own_headers, made, options.headers, agreed)
  end
  if options.params then attempt.url = encode.query(attempt.url, options.params) end
  local times = limits.times(session.times, options.timeout)
  if type(options.timeout) == "table" or options.max_body or profile.differs(options) then
    local connection = profile.new(options, session.profile, what)
    attempt.insecure = connection.insecure
    set_terms(attempt, times, options.max_body or session.max_body, connection)
  end
  attempt.redirects = limits.redirects(options.redirects, session.redirects, what)
  if options.redirect_headers then
    attempt.redirect_headers = headers.named(options.redirect_headers, what)
  end
  if options.retries ~= nil then attempt.policy = retry.policy(options.retries, what) end
  if type(attempt.body) == "function" then attempt.policy = nil end -- it cannot be made again
  return times.total
end

local function new_attempt(session, method, target, streams, deadline)
  return { method = method, url = target, headers = session.headers, list = session.list,
    terms = session.terms, without_credentials = session.without_credentials,
    redirects = session.redirects, redirect_headers = session.redirect_headers,
    policy = session.retries, streams = streams,
    insecure = session.profile.insecure, deadline = deadline }
end

-- Performs a request without options on a session without retries: usually a single attempt.
-- Thousands of coroutines may wait in here. With few locals, their stacks need not grow.
local function perform_plain(session, method, target)
  local total, response = session.times.total
  local deadline = total and core.now() + total
  if total then
    response = core_http(session.core, session.terms, session.headers, method, target, nil, total)
  else
    response = core_http(session.core, session.terms, session.headers, method, target)
  end
  if not response.url then response.url = target end
  setmetatable(response, response_meta)
  if not rawget(response, "redirect_url") then return response end
  return follow(session, new_attempt(session, method, target, false, deadline), response)
end

-- Performs a request of any method.
local function request(session, method, target, options, streams)
  if not options and session.plain and not streams then
    return perform_plain(session, method, target)
  end
  local attempt = new_attempt(session, method, url.join(session.base_url, target), streams)
  local total, own_trace = session.times.total, nil
  if options then
    total = override(session, attempt, options, method:lower())
    own_trace = hooks.check(options.trace)
  end
  local traced = session.trace or own_trace
  if traced then hooks.start(attempt, session.trace, own_trace) end
  if total then attempt.deadline = core.now() + total end
  return (traced and perform_traced or perform)(session, attempt)
end

--- Options of a request, over those of its session.
---@class septet.RequestOptions
---@field headers table<string, string|false>|nil false removes a header
---@field params table|nil query: names to values or lists of values, or a list of {name, value}
--- A string is sent as it is. A function is called for pieces, in a task of its own, until it
--- returns nil.
---@field body string|(fun(): string|nil)|nil
---@field form table|nil like `params`, sent as a form
---@field json any sent as JSON
--- Sent as form data.
---@field multipart {name: string, data: string, filename: string|nil, type: string|nil}[]|nil
---@field auth septet.Auth|false|nil false: no credentials, even if the session has some
---@field timeout number|septet.Timeouts|nil
---@field max_body integer|nil
---@field redirects integer|false|nil
---@field retries integer|septet.Retries|false|nil
---@field proxy string|false|nil
---@field unix_socket string|false|nil
---@field tls septet.Tls|nil
---@field http2 boolean|"force"|nil
---@field cookies boolean|nil false: the session's are neither sent nor kept
---@field redirect_headers string[]|nil in place of the session's
---@field trace septet.TraceHooks|nil called after those of the session

--- Performs a request and waits for the whole response. A status is never an error by itself.
--- Raises HttpError.
---@async
---@param method string
---@param target string http or https URL; absolute, unless the session has a base_url
---@param options septet.RequestOptions|nil
---@return septet.Response
function Session:request(method, target, options)
  args.string(method, 1, "request")
  args.string(target, 2, "request")
  return request(self, retry.method(method), target, options)
end

--- Performs a request and waits for the head of the response. The body is then read as it arrives,
--- with at most 256 KiB buffered for a slow reader. `max_body` applies only if the session or the
--- request sets it. Raises HttpError.
---@async
---@param method string
---@param target string http or https URL; absolute, unless the session has a base_url
---@param options septet.RequestOptions|nil
---@return septet.StreamedResponse
function Session:stream(method, target, options)
  args.string(method, 1, "stream")
  args.string(target, 2, "stream")
  return request(self, retry.method(method), target, options, true)
end

--- Options of a save: those of a request without a body, and its own.
---@class septet.SaveOptions: septet.RequestOptions
---@field resume boolean|nil keeps what an earlier save received if the body is the same; false
---@field sha256 string|nil expected digest of the file, in hexadecimal; at most one of these four
---@field sha512 string|nil
---@field sha1 string|nil
---@field md5 string|nil

--- Result of a save. If a digest was expected, it is also there, under its name.
---@class septet.Saved
---@field status integer
---@field url string of the last attempt
---@field headers septet.Headers
---@field path string
---@field bytes integer size of the whole file
---@field resumed integer number of them that an earlier save had received
---@field attempts integer number of attempts made

--- Saves a URL's body to a file and waits until the disk holds it. Until then `path` is unchanged.
--- On failure, the bytes received stay in `path` .. ".part", unless they are of no use. Raises
--- IoError and HttpError, the latter also for a status other than 200 and for a wrong digest.
---@async
---@param target string http or https URL; absolute, unless the session has a base_url
---@param path string
---@param options septet.SaveOptions|nil
---@return septet.Saved
function Session:save(target, path, options)
  args.string(target, 1, "save")
  args.string(path, 2, "save")
  return require "septet.http.save"(self, target, path, options, request_options)
end

--- Like session:save(), but uses the default session.
---@async
---@param target string
---@param path string
---@param options septet.SaveOptions|nil
---@return septet.Saved
function http.save(target, path, options)
  return http.default():save(target, path, options)
end

for _, method in ipairs { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS" } do
  local verb = method:lower()
  Session[verb] = function(self, target, options)
    args.string(target, 1, verb)
    return request(self, method, target, options)
  end
  http[verb] = function(target, options)
    if target == http then args.usage("'%s' is a function: call it as http.%s(url)", verb, verb) end
    args.string(target, 1, verb)
    return request(http.default(), method, target, options)
  end
end

local default_session

--- Returns the session of http.get() and the like, with all defaults. It is created on first use,
--- and again once it was closed.
---@return septet.Session
function http.default()
  if not default_session or default_session.closed then default_session = http.session() end
  return default_session
end

args.methods(Session, "session", { [session_meta] = true })
return args.module(http, "septet.http")
