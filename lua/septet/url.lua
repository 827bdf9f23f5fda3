-- URLs as scripts write them. What they are is decided in C, for all (http/url.h).
local core = require "septet.core"

local url = {}

--- Returns scheme, host and port in the one form of each, as "http://host", without a port that is the scheme's own; ""
--- for what is no URL.
---@param text string
---@return string
function url.origin(text)
  return core.http_origin(text) or ""
end

--- The URL as an error may show it: without what may be a password, and escaped.
---@param text string
---@return string
url.public = core.http_public

--- Resolves a script's URL against a session's base, which it may not leave for another host. Raises HttpError.
---@param base string|nil
---@param text string
---@return string
function url.join(base, text)
  if not base then return text end
  local joined, why = core.http_resolve(base, text, true)
  if not joined then
    local shown = url.public(text)
    error(core.error { kind = "HttpError", code = "url", reason = why, phase = "queue", url = shown, attempts = 1,
      message = ("bad URL '%s': %s"):format(shown, why) }, 0)
  end
  return joined
end

return url
