-- URLs as scripts write them.
local core = require "septet.core"

local url = {}

--- Scheme, host and port, as written but in lower case.
---@param text string
---@return string
function url.origin(text)
  return (text:match("^(%a[%w+.-]*://[^/?#]*)") or ""):lower()
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

--- The URL without what may be a password.
---@param text string
---@return string
function url.public(text)
  return (text:gsub("^(%a[%w+.-]*://)[^/?#]*@", "%1"))
end

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
