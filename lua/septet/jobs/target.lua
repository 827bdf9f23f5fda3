-- SPDX-License-Identifier: MIT
-- Where a queue lies: the text that a script gives, taken apart.
local core = require "septet.core"
local args = require "septet.internal.args"
local failure = require "septet.jobs.failure"
local url = require "septet.url"

local target = {}

local PORT = 6379

local function bad(shown, why, reason) failure.raise("url", shown, why, reason) end

-- Returns the fields of a query string, of which only the named ones may occur, once.
local function fields_of(parsed, shown, known)
  local fields = {}
  if parsed.fragment then bad(shown, "the URL has a fragment") end
  for _, pair in ipairs(parsed:params()) do
    local name, value = pair[1], pair[2]
    if not known[name] then
      bad(shown, ("unknown parameter '%s' in the URL%s"):format(name, args.hint(name, known)))
    end
    if fields[name] then bad(shown, ("the parameter '%s' occurs twice"):format(name)) end
    fields[name] = value
  end
  return fields
end

-- Returns a text, or nil for an empty one.
local function some(text) return text ~= "" and text or nil end

local function number_of(text, shown)
  if text == nil or text == "" then return 0 end
  local n = text:match "^%d+$" and math.tointeger(tonumber(text))
  if not n or n > 65535 then bad(shown, ("'%s' is no number of a database"):format(text)) end
  return n
end

local function name_of(text, shown)
  local name = text or "jobs"
  if name == "" or #name > 200 or name:find "[%c{}]" then
    bad(shown, "a queue's name has 1 to 200 bytes, and no braces or control characters")
  end
  return name
end

local function redis(text, shown)
  local ok, parsed = core.try(url.parse, text)
  if not ok then bad(shown, "this is no URL", tostring(parsed)) end
  if not some(parsed.host) then bad(shown, "the URL has no host") end
  local fields = fields_of(parsed, shown, { queue = true })
  return { engine = "redis", shown = shown, host = parsed.host, port = parsed.port or PORT,
    tls = parsed.scheme == "rediss", user = some(parsed.user), password = some(parsed.password),
    db = number_of(parsed.path:match "^/?(.*)$", shown), queue = name_of(fields.queue, shown) }
end

local function unix(text, shown)
  local ok, parsed = core.try(url.parse, text)
  if not ok then bad(shown, "this is no URL", tostring(parsed)) end
  if parsed.host and parsed.host ~= "" then
    bad(shown, "a unix socket's path begins behind 'unix://', so the URL has three slashes")
  end
  local fields = fields_of(parsed, shown,
    { queue = true, db = true, user = true, password = true })
  local path = url.decode(parsed.path)
  if path == "" or path == "/" then bad(shown, "the URL has no path of a socket") end
  return { engine = "redis", shown = shown, path = path, user = some(fields.user),
    password = some(fields.password), db = number_of(fields.db, shown),
    queue = name_of(fields.queue, shown) }
end

-- Returns a URL as messages may show it: without a password, be it in the query.
local function shown_of(text)
  local shown = core.http_public(text):gsub("([?&;][^=&;]*=)[^&;]*", function(name)
    local plain = name:match "^.(.*)="
    return plain ~= "queue" and plain ~= "db" and name .. "REDACTED" or nil
  end)
  return core.escape(shown)
end

--- Returns { engine, shown, ... } for the URL, or the path, of a queue. Raises JobsError "url".
---@param text string
---@return table
function target.parse(text)
  local scheme = text:match "^(%a[%w+.-]*):"
  scheme = scheme and scheme:lower()
  local shown = scheme and shown_of(text) or core.escape(core.http_public(text))
  if text == "" then bad(shown, "the path is empty") end
  if text:find("\0", 1, true) then bad(shown, "a NUL in the path") end
  if scheme == "memory" then
    return { engine = "memory", shown = shown, name = some(text:sub(#"memory:" + 1)) }
  end
  if scheme == "redis" or scheme == "rediss" then return redis(text, shown) end
  if scheme == "unix" then return unix(text, shown) end
  if scheme and text:find("^://", #scheme + 1) then
    bad(shown, ("unknown scheme '%s' (a path of a file, redis, rediss, unix or memory)")
      :format(scheme))
  end
  return { engine = "sqlite", shown = shown, path = text }
end

return target
