-- SPDX-License-Identifier: MIT
-- The script of fuzz_reply: one request in the mode that the input names, to a peer on one of two
-- ports.
local http, task = require "septet.http", require "septet.task"
local planted = ...

local MAX_BODY = 65536

local defaults = { timeout = { total = 0.3, connect = 0.1, first_byte = 0.03, idle = 0.02 },
  max_body = MAX_BODY, allow = "127.0.0.1", tls = { insecure = true } }

local function session(more)
  local options = {}
  for name, value in pairs(defaults) do options[name] = value end
  for name, value in pairs(more or {}) do options[name] = value end
  return http.session(options)
end

local function read_all(s, url)
  local response <close> = s:stream("GET", url)
  local size = 0
  for piece in response:chunks(1024) do
    size = size + #piece
    if size > MAX_BODY then break end
  end
  return response
end

local function check(response)
  local status = planted and response.status % 256 or response.status
  assert(math.type(status) == "integer" and status >= 200 and status <= 999,
    "a status that is none")
  for name, value in pairs(response.headers) do
    assert(not (name .. value):find "[\r\n\0]", "a line break in a header")
  end
  if rawget(response, "body") then
    assert(#response.body <= MAX_BODY, "the body is over its limit")
  end
end

local modes = {
  [0] = function(url)
    local s <close> = session()
    return s:get(url)
  end,
  function(url)
    local s <close> = session()
    return read_all(s, url)
  end,
  function(_, secure)
    local s <close> = session { http2 = "force" }
    return s:get(secure)
  end,
  function(url)
    local s <close> = session { proxy = url, allow = nil }
    return s:get "http://peer.invalid/"
  end,
  function(url)
    local s <close> = session { proxy = url, allow = nil }
    return s:get "https://peer.invalid/"
  end,
  function(url)
    local s <close> = session { proxy = url:gsub("^http", "socks5h"), allow = nil }
    return s:get "http://peer.invalid/"
  end,
  function(url)
    local s <close> = session { cookies = true, retries = 1 }
    return s:post(url, { body = "x" })
  end,
  function(url)
    local s <close> = session()
    return s:post(url, { headers = { Expect = "100-continue" }, body = ("x"):rep(100000) })
  end,
}

return function(how)
  local mode, plain, secure = how:match "(%d+) (%d+) (%d+)"
  local ok, result = pcall(modes[tonumber(mode)], ("http://127.0.0.1:%s/"):format(plain),
    ("https://127.0.0.1:%s/"):format(secure))
  if ok then return check(result) end
  assert(task.is(result, "HttpError"), result)
end
