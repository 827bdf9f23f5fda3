-- SPDX-License-Identifier: MIT
-- Credentials of the option `auth`: the Authorization header, and what answers a digest challenge.
local args = require "septet.internal.args"
local base64 = require "septet.core".base64

local auth = {}

---@class septet.Auth
---@field user string|nil for Basic; none
---@field password string|nil for Basic; none
---@field digest boolean|nil answers the server's challenge, so no password is sent; false
---@field bearer string|nil a token, in place of user and password; none

local options = { user = "secret", password = "secret", digest = "boolean", bearer = "secret" }

local function refuse(what, why)
  args.usage("bad option 'auth' to '%s' (%s)", what, why)
end

local function check(given, what)
  if type(given) ~= "table" then
    refuse(what, ("a table or false expected, got %s"):format(type(given)))
  end
  args.options(given, options, what)
  if (given.user == nil) == (given.bearer == nil) then
    refuse(what, "either 'user' or 'bearer' expected")
  end
  if given.bearer then
    if given.digest or given.password then
      refuse(what, "a 'bearer' has no 'password' and no 'digest'")
    end
    return
  end
  if given.user:find ":" then refuse(what, "a colon in the user's name") end
  if given.user:find "%c" then refuse(what, "a control character in the user's name") end
  if given.password and given.password:find "\0" then refuse(what, "a NUL in the password") end
end

--- Checks the option and returns the value of Authorization, false for no header, or nil if the
--- option is nil.
---@param given septet.Auth|false|nil
---@param what string
---@return string|false|nil
function auth.header(given, what)
  if not given then return given end
  check(given, what)
  if given.bearer then return "Bearer " .. given.bearer end
  if given.digest then return false end
  return "Basic " .. base64(given.user .. ":" .. (given.password or ""))
end

--- Returns user and password for a digest challenge, or nothing. The option was checked before.
---@param given septet.Auth|false|nil
---@return string|nil user
---@return string|nil password
function auth.signer(given)
  if given and given.digest then return given.user, given.password or "" end
end

return auth
