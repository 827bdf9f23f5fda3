-- SPDX-License-Identifier: MIT
-- Options of requests: their checks, and the body that they ask for.
local args = require "septet.internal.args"
local encode = require "septet.http.encode"
local headers = require "septet.http.headers"
local multipart = require "septet.http.multipart"
local source = require "septet.http.source"

local options = {}

--- Options of a request, over those of its session.
---@class septet.RequestOptions
---@field headers table<string, string|string[]|false>|nil false removes a header; those of the
---session
---@field params table|nil query: names to values or lists of values, or a list of {name, value};
---none
--- A string is sent as it is. A function is called for pieces, in a task of its own, until it
--- returns nil. A reader is read so: one of septet.io, a streamed response; none
---@field body string|(fun(): string|nil)|septet.Reader|septet.StreamedResponse|nil
---@field length integer|nil bytes of a `body` that is made as it is sent; sent in chunks
---@field form table|nil like `params`, sent as a form; none
---@field json any sent as JSON; none
---@field multipart septet.Part[]|nil sent as form data; none
---@field auth septet.Auth|false|nil false: no credentials, even if the session has some; the
---session's
---@field timeout number|septet.Timeouts|nil seconds, or a limit for each phase; the session's
---@field max_body integer|nil bytes of a body after decoding; the session's
---@field redirects integer|false|nil maximum number that is followed; the session's
---@field retries integer|septet.Retries|false|nil maximum number of retries; the session's
---@field proxy string|false|nil a URL, or false for none; the session's
---@field unix_socket string|false|nil a path, or false for none; the session's
---@field tls septet.Tls|nil which certificates are used and checked; the session's
---@field http2 boolean|"force"|nil HTTP/2 over TLS if the server offers it; the session's
---@field cookies boolean|nil false: the session's are neither sent nor kept; the session's
---@field decode boolean|nil false: the body as it came, whatever its content coding; the session's
---@field resend boolean|nil false: never sent again once the server may have seen any of it; the
---session's
---@field fresh boolean|nil true: on a connection of its own; the session's
---@field redirect_headers string[]|nil names of further headers that are sent to another origin;
---the session's
---@field trace septet.TraceHooks|nil called after those of the session; none

--- The name of each option, and the kind of its check: see args.options().
options.checks = {
  headers = "table", params = "table", body = "body", form = "table", json = "any",
  multipart = "table", auth = "any", timeout = "timeout", max_body = "bytes", redirects = "any",
  retries = "any", proxy = "any", unix_socket = "any", tls = "table", http2 = "any",
  cookies = "boolean", trace = "table", redirect_headers = "table", length = "bytes",
  decode = "boolean", resend = "boolean", fresh = "boolean",
}

local bodies = {
  body = function(value, request)
    if type(value) == "string" then return value end
    return source.new(value, request.length)
  end,
  form = function(value) return encode.form(value), "application/x-www-form-urlencoded" end,
  json = function(value) return require "septet.json".encode(value), "application/json" end,
  multipart = function(value, request, what)
    return multipart.encode(value, headers.own(request.headers, "content-type", what))
  end,
}

--- Returns the body that the options of a request ask for, and its Content-Type.
---@param request septet.RequestOptions
---@param what string the function's name, for messages
---@return string|septet.BodySource|nil body
---@return string|nil content_type
function options.body(request, what)
  local given, value
  for name in pairs(bodies) do
    if request[name] ~= nil then
      if given then
        args.usage("bad options to '%s' (both '%s' and '%s' are its body)", what, given, name)
      end
      given, value = name, request[name]
    end
  end
  if request.length and (given ~= "body" or type(value) == "string") then
    args.usage("bad option 'length' to '%s' (only for a 'body' that is made as it is sent)", what)
  end
  if given then return bodies[given](value, request, what) end
end

return options
