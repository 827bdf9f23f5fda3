-- URLs as scripts write them.
local core = require "septet.core"

local url = {}

local PORTS = { http = "80", https = "443" }

--- Scheme, host and port in lower case, without a port that is the scheme's own.
---@param text string
---@return string
function url.origin(text)
  local scheme, authority = text:lower():match "^(%a[%w+.-]*)://([^/?#\\]*)"
  if not scheme then return "" end
  local host, port = authority:match "^(.*):(%d*)$"
  if host and (port == "" or port == PORTS[scheme]) then authority = host end
  return scheme .. "://" .. authority
end

--- A URL, a host, or a rule for hosts, with a name that is not in ASCII as it goes over the wire; what is no name is as
--- it was.
---@param text string
---@return string
function url.ascii(text)
  local head, name, rest = text:match("^(%a[%w+.-]*://)([^/?#\\:]*)(.*)$")
  if not head then head, name, rest = text:match("^(%*?%.?)([^:]*)(.*)$") end
  local ascii = name:find("[\128-\255]") and core.http_ascii(name)
  return ascii and head .. ascii .. rest or text
end

--- The URL as an error may show it: without what may be a password, and escaped.
---@param text string
---@return string
url.public = core.http_public

--- Where `text` points from a base, which it may not leave for another host. Raises HttpError.
---@param base string|nil
---@param text string
---@return string
function url.join(base, text)
  if not base or text:match("^%a[%w+.-]*://") then return text end
  local joined, why
  if text:match("^[/\\][/\\]") or text:match("^%a[%w+.-]*:") then
    why = "no_scheme" -- it would lead to another host, with the session's credentials
  else
    joined, why = core.http_join(base, text)
  end
  if not joined then
    local shown = text:find("@", 1, true) and "..." or text -- what stands before it may be a password
    error(core.error { kind = "HttpError", code = "url", reason = why, phase = "queue", url = shown, attempts = 1,
      message = ("bad URL '%s': %s"):format(shown, why) }, 0)
  end
  return joined
end

return url
