-- SPDX-License-Identifier: MIT
-- Sessions: a pool of connections with its own limits, headers and trace hooks.
local core = require "septet.core"
local addresses = require "septet.http.addresses"
local args = require "septet.internal.args"
local auth = require "septet.http.auth"
local connection_options = require "septet.http.connection_options"
local cookies = require "septet.http.cookies"
local headers = require "septet.http.headers"
local hooks = require "septet.http.hooks"
local limits = require "septet.http.limits"
local rate = require "septet.http.rate"
local request = require "septet.http.request"
local response = require "septet.http.response"
local retry = require "septet.http.retry"
local url = require "septet.http.url"

local session = {}

local run = request.run -- local for speed: measured by bench/http.py

local TIMEOUTS = { connect = 10, first_byte = 30, idle = 30 } -- seconds
local MAX_REDIRECTS = 10
local USER_AGENT = "septet/" .. core.versions():match("^Septet ([^,]+)")

--- Connections with limits and settings of their own.
---@class septet.Session
---@field private handle userdata the session in C, which has the connections
---@field private times table<string, number> timeouts
---@field private max_body integer|nil
---@field private connection table connection options, as the core takes them
---@field private headers userdata the checked header lines of `list`
---@field private list string[] headers of requests without options: {name, value, ...}
---@field private own_headers table<string, string|string[]|false> those of the session's options
---@field private defaults table<string, string>
---@field private base_url string|nil
---@field private redirects integer maximum number that is followed
---@field private redirect_headers table<string, boolean>
---@field private retries septet.RetryPolicy|nil
---@field private budget septet.RetryBudget
---@field private pace (fun(url: string, left: number|nil): boolean)|nil
---@field private trace septet.TraceHooks|nil
---@field private redirected integer redirects followed
---@field private core_options userdata timeouts, body limit and connection options of requests
---@field private without_credentials userdata the same for other origins
---@field private closed boolean|nil
---@field private unwatched boolean|nil true if hooks of the host are not called for its requests
local Session = {}
local session_meta = { __name = "septet.http.Session", __metatable = false, __index = Session }

local session_options = {
  base_url = "string", limit = "count", limit_per_host = "count", rate = "any", timeout = "timeout",
  max_body = "bytes", redirects = "any", retries = "any", headers = "table", auth = "any",
  trace = "table", cookies = "boolean", proxy = "any", unix_socket = "any", resolve = "table",
  tls = "table", http2 = "any", allow = "any", deny = "any",
  resolver = "string", redirect_headers = "table", decode = "boolean", resend = "boolean",
  fresh = "boolean",
}

--- Options of http.session(). The words after the last semicolon are the default.
---@class septet.SessionOptions
---@field base_url string|nil URL that URLs without a scheme are resolved against; none
---@field limit integer|nil maximum number of requests in flight; 64
---@field limit_per_host integer|nil maximum number of them to one scheme, host and port; 8
--- Maximum number of starts in any window of time, as "10/s"; none
---@field rate string|{[1]: string, per: "host"|"session"|(fun(url: string): any)|nil}|nil
---@field timeout number|septet.Timeouts|nil seconds for a whole request, or a limit for each phase;
---those of septet.Timeouts
---@field max_body integer|nil bytes of a body after decoding; 64 MiB, none if streamed or saved
---@field redirects integer|false|nil maximum number that is followed; 10
---@field retries integer|septet.Retries|false|nil maximum number of retries of a request; 0
---@field headers table<string, string|string[]>|nil sent with each request; none
---@field auth septet.Auth|nil sent with each request; none
---@field cookies boolean|nil keeps the cookies of responses and sends them back; false
---@field decode boolean|nil false: bodies as they came, whatever their content coding; true
---@field resend boolean|nil false: no request is sent again once the server may have seen it; true
---@field fresh boolean|nil true: each request has a connection of its own; false
---@field proxy string|nil a URL: http, socks4, socks4a, socks5, socks5h; or "environment"; none
---@field unix_socket string|nil path to connect to in place of the URL's host; none
---@field resolve table<string, string>|nil addresses to use, by "host:port"; none
---@field resolver string|nil "system", or servers as "127.0.0.1:53,[::1]:53"; those of the system
---@field tls septet.Tls|nil which certificates are used and checked; the defaults of septet.Tls
---@field http2 boolean|"force"|nil HTTP/2 over TLS if the server offers it; false
---@field allow string|string[]|nil rules for the only targets of connections; everywhere
---@field deny string|string[]|nil rules for denied targets, allowed or not, as "private"; nowhere
---@field redirect_headers string[]|nil names of further headers that are sent to another origin;
---none
---@field trace septet.TraceHooks|nil called for each request; none

-- Makes what only the collector frees. They come after the handle, which is refused to a finalizer
-- that runs while the state is closed: Lua never finalizes what that makes.
local function add_core_objects(self)
  self.headers = headers.checked(self.list)
  self.core_options, self.without_credentials =
    connection_options.for_core(self.connection, self.times, self.max_body)
end

--- Creates a session: a pool of connections with its own limits.
---@param options septet.SessionOptions|nil
---@return septet.Session
function session.new(options)
  options = args.options(options, session_options, "session")
  local defaults = { ["User-Agent"] = USER_AGENT, ["Accept-Encoding"] = core.http_encodings() }
  local own = {} -- a copy, as the script may change its table
  own.Authorization = auth.header(options.auth, "session") or nil
  for name, value in pairs(options.headers or {}) do own[name] = headers.copy(value) end
  local list = headers.list("session", defaults, own)
  local times, max_body = limits.timeouts(TIMEOUTS, options.timeout or {}), options.max_body
  local connection = connection_options.new(options, nil, "session")
  local self = {
    times = times,
    max_body = max_body,
    connection = connection,
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
  }
  local handle, bad_rule = core.http_session {
    limit = options.limit or 64, limit_per_host = options.limit_per_host or 8,
    cookies = options.cookies,
    resolve = addresses.given(options.resolve), resolver = addresses.resolver(options.resolver),
    allow = addresses.rules(options.allow, "allow"), deny = addresses.rules(options.deny, "deny"),
  }
  if not handle then
    args.usage("bad rule '%s' for 'session' (a host, address, range or port expected)", bad_rule)
  end
  self.handle = handle
  local fine, problem = pcall(add_core_objects, self)
  if not fine then
    handle:close()
    error(problem, 0)
  end
  setmetatable(self, session_meta)
  -- What a verb does by itself follows redirects, and neither retries nor waits for a rate.
  if not (self.trace or self.base_url or self.pace or self.retries or connection.raw)
    and self.redirects > 0 then
    handle:set_plain(self, self.core_options, self.headers, times.total)
  end
  return self
end

--- Closes the connections. Requests in flight raise HttpError with the code "closed"; later ones
--- raise Usage. Does nothing if closed. Also called by `<close>`.
function Session:close()
  self.closed = true
  self.handle:close()
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
  local stats = self.handle:stats()
  stats.redirects, stats.retries = self.redirected, self.budget.spent
  return stats
end
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
  return run(self, retry.method(method), target, options)
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
  return run(self, retry.method(method), target, options, true)
end

--- Options of a save: those of a request without a body, and its own.
---@class septet.SaveOptions: septet.RequestOptions
---@field resume boolean|nil keeps what an earlier save received if the body is the same; false
---@field sha256 string|nil expected digest of the file, in hexadecimal, at most one of these four;
---none
---@field sha512 string|nil likewise; none
---@field sha1 string|nil likewise; none
---@field md5 string|nil likewise; none

--- Result of a save. If a digest was expected, it is also there, under its name.
---@class septet.Saved
---@field status integer
---@field url string of the last attempt
---@field headers septet.Headers
---@field path string
---@field bytes integer size of the whole file
---@field trailers septet.Headers
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
  return require "septet.http.save".run(self, target, path, options)
end
--- Iterates over the events of a URL (text/event-stream). Each step waits. Connects again when the
--- connection is lost, and asks for the events after the last one. Raises HttpError for a response
--- that is no event stream.
---@async
---@param target string http or https URL; absolute, unless the session has a base_url
---@param options septet.EventsOptions|nil
---@return septet.Events
function Session:events(target, options)
  args.string(target, 1, "events")
  return require "septet.http.events".new(self, target, options)
end
--- Lists the cookies of a session that keeps them, or those that it sends to a URL.
---@param target string|nil
---@return septet.Cookie[]
function Session:cookies(target)
  return cookies.list(self, target)
end
--- Sets a cookie, or removes the one that an expired one replaces. Raises Usage for what a host may
--- not set.
---@param cookie septet.Cookie
function Session:set_cookie(cookie)
  cookies.set(self, cookie)
end

---@class septet.CookieFilter
---@field name string|nil with this name; any
---@field domain string|nil of this domain; any
---@field path string|nil of this path; any

--- Removes cookies: all, or those with this name, domain and path.
---@param filter septet.CookieFilter|nil
---@return integer removed their number
function Session:clear_cookies(filter)
  return cookies.clear(self, filter)
end
--- Writes the cookies to a file in Netscape's format, which only its owner can read. The file is
--- the old one or the whole new one at any time. Raises IoError.
---@async
---@param path string
---@return integer written their number
function Session:save_cookies(path)
  args.string(path, 1, "save_cookies")
  return cookies.save(self, path)
end
--- Adds the cookies of a file in Netscape's format. Refuses lines that are no cookie, or not one
--- that a host may set. Raises IoError, and then has set none.
---@async
---@param path string
---@return integer loaded the number of cookies that have not expired
---@return {line: integer, reason: string}[] refused at most 100 of them
function Session:load_cookies(path)
  args.string(path, 1, "load_cookies")
  return cookies.load(self, path)
end
for _, method in ipairs(retry.FUNCTIONS) do
  local verb = method:lower()
  Session[verb] = function(self, target, options)
    args.string(target, 1, verb)
    return run(self, method, target, options)
  end
end

args.methods(Session, "session", { [session_meta] = true })
core.http_sessions(session_meta, response.meta, request.follow)
for _, method in ipairs(retry.FUNCTIONS) do
  local verb = method:lower()
  Session[verb] = core.http_verb(method, Session[verb])
end

return session
