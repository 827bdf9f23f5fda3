-- SPDX-License-Identifier: MIT
-- The cookies of a session, for scripts: a list of them, changes, and files in Netscape's format.
local args = require "septet.internal.args"
local core = require "septet.core"

local cookies = {}

local FILE_MAX <const> = 16 * 1024 * 1024 -- bytes of a file that is loaded
local LINE_MAX <const> = 16 * 1024        -- bytes of a line
local REFUSED_MAX <const> = 100           -- refused lines that are reported
local AT_ONCE <const> = 20                -- lines between two pauses
local OWNER_ONLY <const> = 384            -- the mode 0600, as cookies log somebody in

--- A cookie of a session.
---@class septet.Cookie
---@field name string
---@field value string
---@field domain string|nil a host; nil: that of `url`
---@field url string|nil for set_cookie(): only the host of this URL gets it
---@field path string|nil what is below it gets the cookie; "/"
---@field expires number|nil Unix time; nil: when the session closes
---@field host_only boolean|nil true: not sent to hosts below the domain
---@field secure boolean|nil true: sent over https and to loopback only
---@field http_only boolean|nil kept for other programs that read the file

local cookie_options = {
  name = "string", value = "secret", domain = "string", url = "string", path = "string",
  expires = "any", host_only = "boolean", secure = "boolean", http_only = "boolean",
}
local filter_options = { name = "string", domain = "string", path = "string" }

-- Returns the session in C. Raises Usage if it keeps no cookies.
local function jar_of(session, what)
  if session.connection.no_cookies == false then return session.handle end
  args.usage("'%s' of a session that keeps no cookies (http.session { cookies = true } expected)",
    what)
end

-- Returns the URL in normal form. Raises Usage if it is none.
local function normal_url(url, what)
  local normal = core.http_origin(url) and core.http_resolve(nil, url)
  if not normal then args.usage("bad URL '%s' to '%s'", url, what) end
  return normal
end

-- Returns the host of a domain as it is kept: in lower case, without a dot before it.
local function kept_domain(domain)
  return domain:lower():gsub("^%.", ""):gsub("^%[(.*)%]$", "%1")
end

--- Lists the cookies of a session, or those that it sends to a URL.
---@param session septet.Session
---@param url string|nil
---@return septet.Cookie[]
function cookies.list(session, url)
  local jar = jar_of(session, "cookies")
  if url ~= nil then args.string(url, 1, "cookies") end
  return jar:cookies(url and normal_url(url, "cookies"))
end

-- Sets a cookie. Returns what is wrong with it, or nil.
local function put(jar, cookie, domain)
  if domain:find(":", 1, true) and not domain:find "^%[" then domain = "[" .. domain .. "]" end
  return jar:put_cookie(cookie.name, cookie.value, domain, cookie.path or "/", cookie.expires,
    cookie.host_only, cookie.secure, cookie.http_only)
end

--- Sets a cookie. One that has expired removes that with its name, domain and path.
---@param session septet.Session
---@param cookie septet.Cookie
function cookies.set(session, cookie)
  local jar = jar_of(session, "set_cookie")
  if type(cookie) ~= "table" then
    args.usage("bad argument #1 to 'set_cookie' (table expected, got %s)", type(cookie))
  end
  args.options(cookie, cookie_options, "set_cookie")
  local given = {}
  for name, value in pairs(cookie) do given[name] = value end
  if not (given.name and given.value) or (given.domain == nil) == (given.url == nil) then
    args.usage "bad cookie to 'set_cookie' (a 'name', a 'value' and a 'domain' or a 'url' expected)"
  end
  local expires = given.expires
  if expires ~= nil and (type(expires) ~= "number" or expires ~= expires) then
    args.usage("bad option 'expires' to 'set_cookie' (Unix time expected, got %s)",
      type(expires) == "number" and "nan" or type(expires))
  end
  local domain = given.domain
  if given.url then
    domain = normal_url(given.url, "set_cookie"):match "^%a+://([^/?#]*)"
    domain = domain:gsub(":%d+$", "")
    if given.host_only == false then
      args.usage "bad option 'host_only' to 'set_cookie' (a 'domain' is needed for hosts below it)"
    end
    given.host_only = true
  end
  local fault = put(jar, given, domain)
  if fault then args.usage("bad cookie '%s' to 'set_cookie' (%s)", given.name, fault) end
end

--- Removes cookies: all, or those with this name, domain and path.
---@param session septet.Session
---@param filter {name: string|nil, domain: string|nil, path: string|nil}|nil
---@return integer removed their number
function cookies.clear(session, filter)
  local jar = jar_of(session, "clear_cookies")
  filter = args.options(filter, filter_options, "clear_cookies")
  return jar:clear_cookies(filter.name, filter.domain and kept_domain(filter.domain), filter.path)
end

-- --- files ---

local HEADER <const> = "# Netscape HTTP Cookie File\n# Cookies of a session of Septet.\n\n"

local function flag(value) return value and "TRUE" or "FALSE" end

-- Returns the line of a cookie.
local function line_of(cookie)
  local domain = (cookie.host_only and "" or ".") .. cookie.domain
  return table.concat({ cookie.http_only and "#HttpOnly_" .. domain or domain,
    flag(not cookie.host_only), cookie.path, flag(cookie.secure),
    ("%d"):format(cookie.expires or 0), cookie.name, cookie.value }, "\t") .. "\n"
end

--- Writes the cookies to a file that only its owner can read, which replaces an old one at once.
--- Leaves out those that the format cannot hold, with a tab in the name or the path. Raises
--- IoError.
---@async
---@param session septet.Session
---@param path string
---@return integer written the number of cookies
function cookies.save(session, path)
  local lines = { HEADER }
  for i, cookie in ipairs(jar_of(session, "save_cookies"):cookies()) do
    if i % AT_ONCE == 0 then core.pause() end
    if not (cookie.name .. cookie.path):find("\t", 1, true) then
      lines[#lines + 1] = line_of(cookie)
    end
  end
  core.fs_write(path, table.concat(lines), "atomic", true, OWNER_ONLY)
  return #lines - 1
end

local FLAGS <const> = { TRUE = true, FALSE = false }

-- Calls fn(line, number) for each line. Pauses between them.
local function each_line(text, fn)
  local at, number = 1, 0
  while at <= #text do
    local stop = text:find("\n", at, true) or #text + 1
    number = number + 1
    if number % AT_ONCE == 0 then core.pause() end
    fn(text:sub(at, stop - 1), number)
    at = stop + 1
  end
end

-- Returns the cookie of a line, or nil and what is wrong with it. Returns nil alone for a line
-- without one. The value is the rest of the line, with its tabs.
local function read_line(line)
  if #line > LINE_MAX then return nil, ("longer than %d bytes"):format(LINE_MAX) end
  if line:sub(-1) == "\r" then line = line:sub(1, -2) end
  local rest, n = line:gsub("^#HttpOnly_", "")
  if rest:find "^%s*$" or n == 0 and rest:find "^#" then return nil end
  if rest:find("\0", 1, true) then return nil, "a NUL" end
  local domain, below, path, secure, expires, name, value =
    rest:match "^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t?(.*)$"
  if not domain then return nil, "fewer than six tabs" end
  if FLAGS[below] == nil or FLAGS[secure] == nil then return nil, "a flag is not TRUE or FALSE" end
  local at = expires:find "^%d+$" and tonumber(expires)
  if not at then return nil, "the expiry is not a number" end
  return { name = name, value = value, domain = domain, path = path, secure = FLAGS[secure],
    host_only = not FLAGS[below], http_only = n > 0, expires = at > 0 and at or nil }
end

--- Adds the cookies of a file in Netscape's format, as curl and browsers' extensions write it.
--- Lines that are no cookie, or not one that a host may set, are refused and reported; the others
--- are set. Raises IoError, and then has set none.
---@async
---@param session septet.Session
---@param path string
---@return integer loaded the number of cookies that have not expired
---@return {line: integer, reason: string}[] refused at most 100 of them
function cookies.load(session, path)
  local jar = jar_of(session, "load_cookies")
  local text = core.fs_read(path, FILE_MAX)
  local loaded, now, refused = 0, os.time(), {}
  each_line(text, function(line, number)
    local cookie, fault = read_line(line)
    if cookie then fault = put(jar, cookie, cookie.domain) end
    if fault and #refused < REFUSED_MAX then
      refused[#refused + 1] = { line = number, reason = fault }
    elseif cookie and not fault and (not cookie.expires or cookie.expires > now) then
      loaded = loaded + 1
    end
  end)
  return loaded, refused
end

return cookies
