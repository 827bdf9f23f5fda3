-- SPDX-License-Identifier: MIT
-- Parts of the URLs that a trace has, and what to hide of them.
local url_parts = {}

local DEFAULT_PORTS = { http = 80, https = 443 }

-- Parameters that prove the right to fetch a URL, as OpenTelemetry lists them.
local SECRET = {}
for _, name in ipairs { "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token",
  "AWSAccessKeyId", "Signature", "sig", "X-Goog-Signature" } do
  SECRET[name] = true
end

local function hide(name, value)
  if SECRET[name] and value ~= "" then return name .. "=REDACTED" end
end

--- Returns a URL without a password, and without signatures in its query.
---@param url string
---@return string
function url_parts.public(url)
  local scheme, authority, rest = url:match "^(%a[%w+.-]*://)([^/?#]*)(.*)$"
  if scheme and authority:find("@", 1, true) then
    url = scheme .. "REDACTED:REDACTED@" .. authority:match "[^@]*$" .. rest
  end
  local before, query, fragment = url:match "^([^?#]*%?)([^#]*)(.*)$"
  if not query then return url end
  return before .. query:gsub("([^&=]+)=([^&]*)", hide) .. fragment
end

local function port_of(digits)
  return digits and #digits <= 5 and math.tointeger(tonumber(digits)) or nil
end

--- Returns the host, without brackets, and the port of a URL; nil for what is no URL.
---@param url string
---@return string|nil host
---@return integer|nil port
function url_parts.server(url)
  local scheme, authority = url:match "^(%a[%w+.-]*)://([^/?#]*)"
  if not scheme then return nil end
  authority = authority:match "[^@]*$"
  local host, port = authority:match "^(.-):(%d+)$"
  host = host or authority:match "^(.-):?$"
  return host:match "^%[(.*)%]$" or host, port_of(port) or DEFAULT_PORTS[scheme:lower()]
end

--- Returns "host:port" of a URL, with brackets around an IPv6 address; "?" if it has none.
---@param url string|nil
---@return string
function url_parts.host(url)
  local scheme, authority = (url or ""):match "^(%a[%w+.-]*)://([^/?#]+)"
  if not scheme then return "?" end
  local host = authority:match "[^@]*$"
  if host:find ":%d+$" then return host end
  return ("%s:%s"):format(host, DEFAULT_PORTS[scheme:lower()] or "?")
end

--- Returns the address and the port of a peer, as "127.0.0.1:80" or "[::1]:80"; nil for a path.
---@param peer string|nil
---@return string|nil address
---@return integer|nil port
function url_parts.address(peer)
  if not peer then return nil end
  local address, port = peer:match "^(.*):(%d+)$"
  address = address or peer
  address = address:match "^%[(.*)%]$" or address
  if address:find "^%d+%.%d+%.%d+%.%d+$" or address:find "^[%x:.]*:[%x:.]*$" then
    return address, port_of(port)
  end
end

local function decode(text)
  text = text:gsub("+", " ")
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- Returns the parameters of a URL's query, decoded, as a list of { name, value }.
---@param url string
---@return string[][]
function url_parts.query(url)
  local list = {}
  for part in (url:match "^[^?#]*%?([^#]*)" or ""):gmatch "[^&]+" do
    local name, value = part:match "^([^=]*)=?(.*)$"
    list[#list + 1] = { decode(name), decode(value) }
  end
  return list
end

return url_parts
