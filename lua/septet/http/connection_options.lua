-- SPDX-License-Identifier: MIT
-- Connection options of a session or request: TLS, proxy, Unix socket, digest credentials, cookies,
-- and how its exchanges differ from others.
local args = require "septet.internal.args"
local auth = require "septet.http.auth"
local core = require "septet.core"

local connection_options = {}

---@class septet.Tls
---@field ca_file string|nil PEM: trusted certificates; the system's
---@field cert_file string|nil PEM: the client's certificate; none
---@field key_file string|nil PEM: its key, if that is in a file of its own; in `cert_file`
---@field min_version "1.2"|"1.3"|nil lowest version of TLS; "1.2"
---@field insecure boolean|nil true: certificates are not checked; false

local tls_options = {
  ca_file = "string", cert_file = "string", key_file = "string", min_version = "string",
  insecure = "boolean",
}

-- Raises Usage unless the host lets scripts use what an option names.
local function permits(what, subject, option)
  if core.permits(what, subject) then return end
  args.usage("bad option '%s' ('%s': denied by the host)", option, subject)
end

-- Checks TLS options. An unreadable file raises Usage here, and not with each request.
local function check_tls(tls)
  args.options(tls, tls_options, "tls")
  for _, name in ipairs { "ca_file", "cert_file", "key_file" } do
    local file, why
    if tls[name] then
      if tls[name]:find "\0" then
        args.usage("bad option '%s' to 'tls' (a NUL in the path)", name)
      end
      permits("read", tls[name], "tls")
      file, why = io.open(tls[name])
    end
    if why then
      local path = tls[name]
      if why:sub(1, #path) == path then why = why:sub(#path + 3) end
      args.usage("bad option '%s' to 'tls' (%s: %s)", name, path, why)
    end
    if file then file:close() end
  end
  if tls.key_file and not tls.cert_file then
    args.usage("bad option 'key_file' to 'tls' (without a 'cert_file')")
  end
  if tls.min_version and tls.min_version ~= "1.2" and tls.min_version ~= "1.3" then
    args.usage("bad option 'min_version' to 'tls' (\"1.2\" or \"1.3\" expected, got '%s')",
      tls.min_version)
  end
  return tls
end

local PROXY_VARIABLES = { "http_proxy", "https_proxy", "all_proxy", "no_proxy" }

local PROXIES = { http = true, socks4 = true, socks4a = true, socks5 = true, socks5h = true }

-- Returns the text after a proxy's scheme, with its host in its one form. Returns nil for what
-- libcurl might not parse, because its message would quote the password.
local function proxy_authority(text)
  local user, authority = text:match "^(.*@)(.*)$"
  if user and (user:find "[@/?#\\%s%c%[%]].*@" or user:lower():find "%%[01]%x"
    or user:lower():find "%%7f") then
    return nil
  end
  local host, port = core.http_authority(authority or text)
  return host and (user or "") .. host .. (math.type(port) and ":" .. port or "")
end

-- Returns a proxy's URL, or true for the environment's. Messages do not quote it, as it may contain
-- a password.
local function check_proxy(proxy, what)
  if not proxy then return nil end
  if proxy == "environment" then
    for _, name in ipairs(PROXY_VARIABLES) do permits("env", name, "proxy") end
    return true
  end
  local scheme, authority
  if type(proxy) == "string" then scheme, authority = proxy:match "^(%w+)://([^/]*)/?$" end
  scheme = scheme and scheme:lower()
  authority = PROXIES[scheme] and proxy_authority(authority)
  if not authority then
    args.usage("bad option 'proxy' to '%s' (a URL, as http://host:port or socks5h://host:port, "
      .. "with what is special in a user's name or password percent-encoded, expected)", what)
  end
  return scheme .. "://" .. authority
end

-- Checks the option `http2`. Versions of libcurl that lose data by HTTP/2 require "force".
local function check_http2(http2, what)
  if http2 == "force" then return true end
  if type(http2) ~= "boolean" then
    args.usage("bad option 'http2' to '%s' (a boolean or \"force\" expected, got %s)", what,
      tostring(http2))
  end
  local refusal = http2 and core.http2_refusal()
  if refusal then
    args.usage("bad option 'http2' to '%s' (%s, %s; http2 = \"force\" asks for it all the same)",
      what, refusal, core.versions():match("libcurl %S+"))
  end
  return http2
end

-- Longest path that fits into a socket address.
local PATH_MAX = 107

local function check_unix_socket(path, what)
  if not path then return nil end
  if type(path) ~= "string" or path == "" or #path > PATH_MAX or path:find "\0" then
    args.usage("bad option 'unix_socket' to '%s' (a path of at most %d bytes expected)", what,
      PATH_MAX)
  end
  permits("write", path, "unix_socket")
  return path
end

-- Returns true if a request, or a session if there is no base, goes without cookies.
local function check_cookies(wanted, base, what)
  if wanted and base and base.no_cookies ~= false then
    args.usage("bad option 'cookies' to '%s' (the session keeps no cookies)", what)
  end
  return not wanted
end

-- The connection options, each with the function that checks its value and sets what the core
-- takes.
local appliers = {
  { "proxy", function(made, value, _, what) made.proxy = check_proxy(value, what) end },
  { "http2", function(made, value, _, what) made.http2 = check_http2(value, what) end },
  { "unix_socket", function(made, value, _, what)
    made.unix_socket = check_unix_socket(value, what)
  end },
  { "cookies", function(made, value, base, what)
    made.no_cookies = check_cookies(value, base, what)
  end },
  { "decode", function(made, value) made.raw = not value end },
  { "resend", function(made, value) made.once = not value end },
  { "fresh", function(made, value) made.fresh = value end },
  { "auth", function(made, value) made.user, made.password = auth.signer(value) end },
  { "tls", function(made, value)
    local tls = check_tls(value)
    made.ca_file, made.cert_file, made.key_file = tls.ca_file, tls.cert_file, tls.key_file
    made.insecure, made.tls13 = tls.insecure, tls.min_version == "1.3"
  end },
}

--- Checks connection options and returns them, over those of `base`, as the core takes them.
---@param options septet.SessionOptions|septet.RequestOptions
---@param base table|nil
---@param what string
---@return table
function connection_options.new(options, base, what)
  local made = {}
  for name, value in pairs(base or {}) do made[name] = value end
  for _, option in ipairs(appliers) do
    local value = options[option[1]]
    if value ~= nil then option[2](made, value, base, what) end
  end
  return made
end

--- Returns true if `options` has a connection option.
function connection_options.has_any(options)
  for _, option in ipairs(appliers) do
    if options[option[1]] ~= nil then return true end
  end
  return false
end

-- Returns a copy without credentials and client certificate, for origins that the script did not
-- name.
local function without_credentials(made)
  local other = {}
  for name, value in pairs(made) do other[name] = value end
  other.user, other.password, other.cert_file, other.key_file = nil, nil, nil, nil
  return other
end

-- Returns the options of requests as the core takes them.
local function new_core_options(made, times, max_body)
  local options = { max_body = max_body }
  for name, value in pairs(times) do options[name] = value end
  for name, value in pairs(made) do options[name] = value end
  return core.http_options(options)
end

--- Returns the options of requests as the core takes them, and those for other origins, without
--- credentials.
---@param made table connection options
---@param times table<string, number> timeouts
---@param max_body integer|nil
---@return userdata core_options
---@return userdata without_credentials
function connection_options.for_core(made, times, max_body)
  local options = new_core_options(made, times, max_body)
  if not (made.user or made.cert_file) then return options, options end
  return options, new_core_options(without_credentials(made), times, max_body)
end

return connection_options
