-- SPDX-License-Identifier: MIT
-- URLs as scripts write them. They are parsed in C, in one place (http/url.h).
local core = require "septet.core"

local url = {}

--- Returns the origin of a URL in normal form, as "http://host", without the scheme's default port.
--- Returns "" if the target is no URL.
---@param target string
---@return string
function url.origin(target)
  return core.http_origin(target) or ""
end

--- Returns the URL as an error may show it: escaped, and without what may be a password.
---@param target string
---@return string
url.public = core.http_public

--- Resolves a script's URL against a session's base, which must not change its host. Raises
--- HttpError.
---@param base string|nil
---@param target string
---@return string
function url.join(base, target)
  if not base then return target end
  local joined, why = core.http_resolve(base, target, true)
  if not joined then
    local shown = url.public(target)
    error(core.error { kind = "HttpError", code = "url", reason = why, phase = "queue", url = shown,
      attempts = 1, message = ("bad URL '%s': %s"):format(shown, why) }, 0)
  end
  return joined
end

return url
