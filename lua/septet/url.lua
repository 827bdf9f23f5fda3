-- SPDX-License-Identifier: MIT
--- URLs: taken apart, put together, and resolved as the HTTP client does it.
---@class septet.url
local url = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local encode = require "septet.http.encode"
local slices = require "septet.internal.slices"

local MAX = 1024 * 1024 -- bytes of a URL
local SLICE = 256 * 1024 -- bytes
local PAIRS = 1000 -- pairs of a query that are handled between two pauses

local WORDS = {
  no_scheme = "it has no scheme", userinfo = "more than one '@' before the host",
  host = "no host, or none that can be one", port = "a bad port",
  characters = "a control character, a blank at an end, or a backslash",
  percent = "a percent sign without two hexadecimal digits",
  length = ("longer than %d bytes"):format(MAX), path = "a segment that is a dot",
}

local function fail(text, code, position, what)
  if code == "memory" then error("not enough memory", 0) end
  local shown = core.http_public(text)
  error(core.error { kind = "UrlError", code = code, position = position, url = shown,
    message = ("bad %s '%s': %s at byte %d"):format(what or "URL", shown, WORDS[code], position) },
    0)
end

local function check(text, position, what)
  args.string(text, position, what)
  if #text > MAX then fail(text:sub(1, 80), "length", MAX + 1) end
end

-- --- parsing ---

--- A URL in parts. Its parts may be changed; tostring() builds the URL anew.
---@class septet.Url
---@field scheme string|nil in lower case; nil for a relative reference
---@field user string|nil decoded
---@field password string|nil decoded
---@field host string|nil in normal form, without brackets
---@field port integer|nil the scheme's own if none is given
---@field path string|string[] encoded; a list for `url.build` has segments that are not encoded
---@field query string|table|nil encoded, without "?"
---@field fragment string|nil encoded, without "#"
local Url = {}

local FIELDS = { scheme = "string", user = "string", password = "string", host = "string",
  port = "count", path = "any", query = "any", fragment = "string" }

local url_meta

--- Returns the parameters of the query, like `url.query`.
---@return septet.Query
function Url:params()
  local query = rawget(self, "query")
  return type(query) == "table" and query or url.query(query or "")
end

--- Takes a URL or a reference apart, as the client reads it. Raises UrlError.
---@param text string
---@return septet.Url
function url.parse(text)
  check(text, 1, "parse")
  local whole, scheme, user, password, host, port, path, query, fragment = core.url_parse(text)
  if not whole then fail(text, scheme, password) end
  return setmetatable({ scheme = scheme, user = user, password = password, host = host, port = port,
    path = path, query = query, fragment = fragment }, url_meta)
end

--- Returns the URL to which a reference leads from a base (RFC 3986, 5), in normal form. Raises
--- UrlError.
---@param base string absolute URL of any scheme
---@param reference string
---@return string
function url.resolve(base, reference)
  check(base, 1, "resolve")
  check(reference, 2, "resolve")
  local whole, code, which, position = core.url_resolve(base, reference)
  if whole then return whole end
  fail(which == 1 and base or reference, code, position, which == 1 and "base" or "URL")
end

-- --- building ---

-- Encodes the bytes of a set, which would begin the next part or end the text.
local function guarded(text, set)
  return (text:gsub(set, core.url_encode))
end

local function path_of(fields, has_host)
  local path = fields.path or ""
  if type(path) == "table" then
    local fault = args.list_fault(path)
    if fault then args.usage("bad field 'path' of 'build' (%s)", fault) end
    local parts = {}
    for i, segment in ipairs(path) do
      args.string(segment, i, "path")
      if segment == "." or segment == ".." then fail(segment, "path", 1, "segment") end
      parts[i] = core.url_encode(segment)
    end
    path = (fields.scheme and "/" or "") .. table.concat(parts, "/")
  elseif type(path) ~= "string" then
    args.usage("bad field 'path' of 'build' (string or list expected, got %s)", type(path))
  end
  path = guarded(path, "[?#%c\\ ]")
  if has_host then return (path == "" or path:sub(1, 1) == "/") and path or "/" .. path end
  if path:sub(1, 2) == "//" then return "/." .. path end
  if not fields.scheme and path:find "^%a[%w+.-]*:" then return "./" .. path end
  return path
end

-- Encodes all but what a user or a name of a host may have (RFC 3986, 3.2).
local function authority_part(text)
  return guarded(text, "[^%w%-._~!$&'()*+,;=]")
end

local function host_of(host)
  if host:find(":", 1, true) then return "[" .. host:gsub("%%", "%%25") .. "]" end
  local place = host:find "[/?#@\\%[%]%c]"
  if place then fail(host, "host", place, "host") end
  return authority_part(host)
end

local function authority_of(fields)
  local host = fields.host
  if not host then
    if fields.user or fields.password or fields.port then
      args.usage "bad fields of 'build' ('host' expected beside 'user', 'password' and 'port')"
    end
    return ""
  end
  local user, password = fields.user and authority_part(fields.user) or "", fields.password
  if password then user = user .. ":" .. guarded(password, "[^%w%-._~!$&'()*+,;=:]") end
  if fields.user or password then user = user .. "@" end
  return "//" .. user .. host_of(host) .. (fields.port and ":" .. fields.port or "")
end

--- Returns the URL with these parts, in normal form. Raises UrlError.
---@param fields septet.Url|table
---@return string
function url.build(fields)
  if type(fields) ~= "table" then
    args.usage("bad argument #1 to 'build' (table expected, got %s)", type(fields))
  end
  args.options(fields, FIELDS, "build")
  local scheme, query = fields.scheme, fields.query
  if scheme and not scheme:find "^%a[%w+.-]*$" then
    args.usage("bad field 'scheme' of 'build' (a name expected, got '%s')", scheme)
  end
  if type(query) == "table" then query = url.query(query) end
  if query ~= nil and type(query) ~= "string" then
    args.usage("bad field 'query' of 'build' (string or table expected, got %s)", type(query))
  end
  local text = (scheme and scheme .. ":" or "") .. authority_of(fields)
    .. path_of(fields, fields.host ~= nil) .. (query and "?" .. guarded(query, "[#%c ]") or "")
    .. (fields.fragment and "#" .. guarded(fields.fragment, "[%c ]") or "")
  check(text, 1, "build")
  local whole, code, _, position = core.url_parse(text)
  if not whole then fail(text, code, position) end
  return whole
end

url_meta = {
  __name = "septet.Url",
  __metatable = false,
  __tostring = function(self) return url.build(self) end,
  __index = function(_, key)
    if Url[key] then return Url[key] end
    if FIELDS[key] then return nil end
    return args.no_field("url", key, FIELDS)
  end,
}

args.methods(Url, "url", { [url_meta] = true })

-- --- queries ---

--- The parameters of a query: a list of {name, value} in their order.
---@class septet.Query
local Query = {}

--- Returns the first value of a name, or nil.
---@param name string
---@return string|nil
function Query:get(name)
  for _, pair in ipairs(self) do
    if pair[1] == name then return pair[2] end
  end
end

--- Returns all values of a name, in their order.
---@param name string
---@return string[]
function Query:all(name)
  local values = {}
  for _, pair in ipairs(self) do
    if pair[1] == name then values[#values + 1] = pair[2] end
  end
  return values
end

--- Sets the value of a name in the place of the first one. Removes all of them for nil.
---@param name string
---@param value string|number|boolean|nil
function Query:set(name, value)
  local kept, is_set = {}, value == nil
  for i, pair in ipairs(self) do
    if pair[1] ~= name then
      kept[#kept + 1] = pair
    elseif not is_set then
      kept[#kept + 1], is_set = { name, value }, true
    end
    self[i] = nil
  end
  for i, pair in ipairs(kept) do self[i] = pair end
  if not is_set then self[#kept + 1] = { name, value } end
end

local query_meta = {
  __name = "septet.Query",
  __metatable = false,
  __tostring = function(self) return url.query(self) end,
  __index = Query,
}
args.methods(Query, "query", { [query_meta] = true })
args.fields(Query, "query", "")

local function decoded_query(text, plus)
  local pairs = setmetatable({}, query_meta)
  for piece in text:gmatch "[^&]+" do
    local name, value = piece:match "^([^=]*)=?(.*)$"
    pairs[#pairs + 1] = { (core.url_decode(name, plus)), (core.url_decode(value, plus)) }
    if #pairs % PAIRS == 0 then core.pause() end
  end
  return pairs
end

local query_options = { plus = "boolean" }

local function encoded_with_plus(text)
  return (core.url_encode(text):gsub("%%20", "+"))
end

---@class septet.QueryOptions
---@field plus boolean|nil a plus is a blank; true in what `url.query` reads, else false

--- Returns the parameters of a query, decoded; or the query of parameters, encoded. What is encoded
--- wrongly stays. A plus is a blank when it is decoded, and a blank is written as "%20".
---@param value string|table names to values or lists of values, or a list of {name, value}
---@param options septet.QueryOptions|nil
---@return septet.Query|string # parameters of a text, or the text of a table
function url.query(value, options)
  options = args.options(options, query_options, "query")
  if type(value) == "string" then return decoded_query(value, options.plus ~= false) end
  if type(value) ~= "table" then
    args.usage("bad argument #1 to 'query' (string or table expected, got %s)", type(value))
  end
  local parts = {}
  for i, pair in ipairs(encode.pairs(value, "query")) do
    parts[i] = url.encode(pair[1], options) .. "=" .. url.encode(pair[2], options)
    if i % PAIRS == 0 then core.pause() end
  end
  return table.concat(parts, "&")
end

--- Returns a text for use inside a part: all but letters, digits and "-._~" is percent-encoded.
---@param text string
---@param options septet.QueryOptions|nil
---@return string
function url.encode(text, options)
  args.string(text, 1, "encode")
  options = args.options(options, query_options, "encode")
  return slices.map(text, options.plus and encoded_with_plus or core.url_encode)
end

--- Returns a text without percent-encoding. Raises UrlError for a percent sign without two digits.
---@param text string
---@param options septet.QueryOptions|nil
---@return string
function url.decode(text, options)
  args.string(text, 1, "decode")
  options = args.options(options, query_options, "decode")
  local out, first = {}, 1
  while first <= #text do
    local last = math.min(first + SLICE, #text)
    if last < #text then
      local percent = text:find("%", last - 1, true) -- no cut inside of a code
      if percent and percent <= last then last = percent - 1 end
      core.pause()
    end
    local decoded, bad = core.url_decode(text:sub(first, last), options.plus)
    if bad then fail(text:sub(1, 80), "percent", first + bad - 1, "text") end
    out[#out + 1], first = decoded, last + 1
  end
  return core.join(out)
end

-- --- comparing ---

local function name_of(piece) return piece:match "^[^=]*" end

--- Returns the form of a URL by which duplicates are found: its normal form without the fragment,
--- with percent-encoding only where it is needed, and the parameters sorted by name.
---@param text string
---@return string
function url.normalize(text)
  check(text, 1, "normalize")
  local whole, code, _, position, _, _, path, query, fragment = core.url_parse(text)
  if not whole then fail(text, code, position) end
  local rest = #path + (query and #query + 1 or 0) + (fragment and #fragment + 1 or 0)
  local head = core.url_normalize(whole:sub(1, #whole - rest)) .. core.url_normalize(path)
  local pieces = {}
  for piece in core.url_normalize(query or ""):gmatch "[^&]+" do
    pieces[#pieces + 1] = { name_of(piece), piece }
    if #pieces % PAIRS == 0 then core.pause() end
  end
  local sorted = slices.sorted(pieces, function(a, b) return a[1] < b[1] end)
  for i, piece in ipairs(sorted) do
    sorted[i] = piece[2]
    if i % PAIRS == 0 then core.pause() end
  end
  return head .. (#sorted > 0 and "?" .. table.concat(sorted, "&") or "")
end

--- Returns scheme, host and port of a URL, as "http://host:8080"; without the port if that is the
--- scheme's own. Returns nil for a URL without a host.
---@param text string
---@return string|nil
function url.origin(text)
  check(text, 1, "origin")
  local u = url.parse(text)
  if not u.scheme or not u.host or u.host == "" then return nil end
  return url.build({ scheme = u.scheme, host = u.host, port = u.port }):match "^[^/]*//[^/]*"
end

--- Returns true if two URLs have scheme, host and port in common.
---@param a string
---@param b string
---@return boolean
function url.same_origin(a, b)
  check(a, 1, "same_origin")
  check(b, 2, "same_origin")
  local origin = url.origin(a)
  return origin ~= nil and origin == url.origin(b)
end

return args.module(url, "septet.url")
