-- SPDX-License-Identifier: MIT
-- Connection options of a session or request: TLS, proxy, Unix socket, digest credentials, cookies.
local args = require "septet.internal.args"
local auth = require "septet.http.auth"
local core = require "septet.core"

local profile = {}

---@class septet.Tls
---@field ca_file string|nil PEM: trusted certificates, in place of the system's
---@field cert_file string|nil PEM: the client's certificate
---@field key_file string|nil PEM: its key, if that is in a file of its own
---@field min_version "1.2"|"1.3"|nil
---@field insecure boolean|nil true: certificates are not checked

local tls_options = {
  ca_file = "string", cert_file = "string", key_file = "string", min_version = "string",
  insecure = "boolean",
}

-- Checks TLS options. An unreadable file raises Usage here, and not with each request.
local function check_tls(tls)
  args.options(tls, tls_options, "tls")
  for _, name in ipairs { "ca_file", "cert_file", "key_file" } do
    local file, why
    if tls[name] then
      if tls[name]:find "\0" then
        args.usage("bad option '%s' to 'tls' (a NUL in the path)", name)
      end
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
  if proxy == "environment" then return true end
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
  return path
end

-- Returns true if a request, or a session if there is no base, goes without cookies.
local function check_cookies(wanted, base, what)
  if wanted and base and base.no_cookies ~= false then
    args.usage("bad option 'cookies' to '%s' (the session keeps no cookies)", what)
  end
  return not wanted
end

--- Checks connection options and returns them, over those of `base`, as the core takes them.
---@param options septet.SessionOptions|septet.RequestOptions
---@param base table|nil
---@param what string
---@return table
function profile.new(options, base, what)
  local made = {}
  for name, value in pairs(base or {}) do made[name] = value end
  if options.proxy ~= nil then made.proxy = check_proxy(options.proxy, what) end
  if options.http2 ~= nil then made.http2 = check_http2(options.http2, what) end
  if options.unix_socket ~= nil then
    made.unix_socket = check_unix_socket(options.unix_socket, what)
  end
  if options.cookies ~= nil then made.no_cookies = check_cookies(options.cookies, base, what) end
  if options.auth ~= nil then made.user, made.password = auth.signer(options.auth) end
  if options.tls then
    local tls = check_tls(options.tls)
    made.ca_file, made.cert_file, made.key_file = tls.ca_file, tls.cert_file, tls.key_file
    made.insecure, made.tls13 = tls.insecure, tls.min_version == "1.3"
  end
  return made
end

-- Returns a copy without credentials and client certificate, for origins that the script did not
-- name.
local function without_credentials(made)
  local other = {}
  for name, value in pairs(made) do other[name] = value end
  other.user, other.password, other.cert_file, other.key_file = nil, nil, nil, nil
  return other
end

-- Returns the timeouts, the body limit and the profile of requests as the core takes them.
local function new_terms(made, times, max_body)
  local terms = { max_body = max_body }
  for name, value in pairs(times) do terms[name] = value end
  for name, value in pairs(made) do terms[name] = value end
  return core.http_options(terms)
end

--- Returns the terms of requests, and those for other origins, without credentials.
---@param made table connection options
---@param times table<string, number> timeouts
---@param max_body integer|nil
---@return userdata terms
---@return userdata without_credentials
function profile.terms(made, times, max_body)
  local terms = new_terms(made, times, max_body)
  if not (made.user or made.cert_file) then return terms, terms end
  return terms, new_terms(without_credentials(made), times, max_body)
end

local names = { "proxy", "unix_socket", "tls", "http2", "auth", "cookies" }

--- Returns true if `options` has a connection option.
function profile.differs(options)
  for _, name in ipairs(names) do
    if options[name] ~= nil then return true end
  end
  return false
end

return profile
