-- SPDX-License-Identifier: MIT
-- Requests that are sent again if a connection ends without a response, and those that must not be.
-- check: allow blocks
local http = require "septet.http"
local origin = require "origin"

local URL = origin.url
local ONCE = { "POST", "PATCH", "MERGE", "post" }
local AGAIN = { "GET", "PUT", "DELETE", "OPTIONS", "TRACE" }
local SIZE = 300000 -- bytes: more than the sockets of both sides hold at once

local pieces = origin.pieces

local bodies = {
  none = function() return nil end,
  text = function() return "amount=5" end,
  long = function() return ("x"):rep(SIZE) end,
  made = function() return pieces(10) end,
  made_long = function() return pieces(SIZE) end,
}

-- The moments at which the server closes, as arguments of /vanish.
local moments = { head = "?read=0", body = "?read=5", all = "" }

local serial = 0

-- Sends a request by a session whose connection was used before. Returns how often it reached the
-- server, and its outcome.
local function count(session, method, path, query, options)
  serial = serial + 1
  local target = ("%s%s%sserial=%d"):format(path, query, query == "" and "?" or "&", serial)
  equal(session:get(URL .. "/bytes/2").status, 200)
  local mark = origin.mark()
  local ok, err = pcall(session.request, session, method, URL .. target, options)
  equal(ok, false)
  return #origin.requests(mark, target), err
end

-- Starts a server that responds to one request, accepts another, and ends. Returns a pipe of the
-- requests, and its URL.
local MORTAL = [[
import socket, struct, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
sock = listener.accept()[0]
print(sock.recv(65536).split()[0].decode(), flush=True)
sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
print(sock.recv(65536).split()[0].decode(), flush=True)
listener.close()
if sys.argv[1] == "rst":
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
sock.close()
]]

local function mortal(ending)
  local server = assert(io.popen(("python3 -c '%s' %s"):format(MORTAL, ending)))
  return server, ("http://127.0.0.1:%d/"):format(server:read "n", server:read "l")
end

local function for_all(fn)
  for _, ending in ipairs { "fin", "rst" } do
    for moment, query in pairs(moments) do
      for kind, body in pairs(bodies) do
        if moment ~= "body" or kind ~= "none" then fn("/vanish/" .. ending, query, body, kind) end
      end
    end
  end
end

describe("H-2: a request that is not idempotent", function()
  for _, method in ipairs(ONCE) do
    it("a server that closes without a response gets the request once: " .. method, function()
      local session <close> = http.session()
      for_all(function(path, query, body, kind)
        local n, err = count(session, method, path, query, { body = body() })
        local what = ("%s%s with body '%s': %s"):format(path, query, kind, tostring(err))
        equal({ n, err.code }, { 1, "reset" }, what)
        equal(err.reason == "empty" or err.reason == "receive" or err.reason == "send", true, what)
        equal(err.phase == "wait" or err.phase == "send", true, what)
      end)
    end)
  end

  it("a POST is not sent twice by a stream, nor if its headers or options mention that", function()
    local session <close> = http.session { headers = { Connection = "keep-alive" } }
    for _, options in ipairs {
      { retries = false }, { retries = 3 }, { headers = { Connection = "close" } },
      { cookies = false }, { timeout = { total = 30 } }, { auth = { user = "u", password = "p" } },
    } do
      options.body = "amount=5"
      equal((count(session, "POST", "/vanish/fin", "", options)), 1)
    end
    session:get(URL .. "/bytes/2")
    local mark = origin.mark()
    raises_error({ kind = "HttpError", code = "reset" }, session.stream, session, "POST",
      URL .. "/vanish/rst?of=stream", { body = "amount=5" })
    equal(#origin.requests(mark, "/vanish/rst?of=stream"), 1)
  end)

  it("a POST is sent again by retries that name the method", function()
    local session <close> = http.session {
      retries = { attempts = 3, backoff = 0, methods = { "POST" } },
    }
    for _, ending in ipairs { "fin", "rst" } do
      local n, err = count(session, "POST", "/vanish/" .. ending, "", { body = "amount=5" })
      equal({ n, err.attempts, err.code }, { 3, 3, "reset" })
    end
  end)

  it("if the server is gone for good, a POST is a reset, not a refused connection", function()
    for _, ending in ipairs { "fin", "rst" } do
      local server <close>, url = mortal(ending)
      local session <close> = http.session()
      equal(session:get(url).body, "ok")
      local err = raises_error({ kind = "HttpError", code = "reset" }, session.post, session, url,
        { body = "x" })
      equal({ err.code, server:read "a" }, { "reset", "GET\nPOST\n" })
      raises_error({ code = "connect", reason = "refused" }, session.post, session, url,
        { body = "x" })
    end
  end)

  it("a POST uses a new connection if the old one was closed before its first byte", function()
    local session <close> = http.session()
    for _, how in ipairs { "close", "reset" } do
      for _, method in ipairs(ONCE) do
        local url = ("%s/idle-%s?method=%s"):format(URL, how, method)
        local mark = origin.mark()
        session:get(url)
        origin.closed(mark, origin.requests(mark, url:sub(#URL + 1))[1].connection)
        equal(session:request(method, URL .. "/mirror", { body = "again" }).body, "again")
      end
    end
  end)

  it("a POST after a challenge is an exchange of its own", function()
    local session <close> = http.session {
      auth = { user = "lion", password = "Circle of Life", digest = true },
    }
    for _, query in ipairs { "", "?close=1", "?stale=1", "?stale=1&close=1" } do
      for _, method in ipairs(ONCE) do
        equal(session:request(method, URL .. "/digest" .. query, { body = "b" }).status, 200)
      end
    end
  end)

  it("a POST after a challenge is not sent twice", function()
    local session <close> = http.session {
      auth = { user = "lion", password = "Circle of Life", digest = true },
    }
    equal((count(session, "POST", "/vanish/fin", "", { body = "b" })), 1)
  end)
end)

describe("H-2: one that is idempotent", function()
  for _, method in ipairs(AGAIN) do
    it("an idempotent request may be sent again, and is a reset in the end: " .. method, function()
      local session <close> = http.session()
      for_all(function(path, query, body, kind)
        if method == "GET" and kind ~= "none" then return end
        local n, err = count(session, method, path, query, { body = body() })
        local what = ("%s%s with body '%s': %s"):format(path, query, kind, tostring(err))
        equal({ n >= 1, err.code }, { true, "reset" }, what)
      end)
    end)
  end

  it("a body function is not called again for a repeated request", function()
    for _, method in ipairs { "PUT", "DELETE" } do
      local session <close> = http.session { retries = { attempts = 5, backoff = 0.001 } }
      local calls = 0
      local times, err = count(session, method, "/vanish/fin", "", { body = function()
        calls = calls + 1
        return calls == 1 and "amount=5" or nil
      end })
      equal({ method, times, calls, err.code, err.attempts }, { method, 2, 2, "reset", 1 })
    end
  end)

  it("an idempotent request succeeds if its connection is stale", function()
    local session <close> = http.session()
    for _ = 1, 10 do
      for _, how in ipairs { "close", "reset" } do
        session:get(("%s/idle-%s"):format(URL, how))
        equal(session:get(URL .. "/bytes/1").status, 200)
      end
    end
  end)
end)

it("H-22: a server that goes amid a function body is a reset, on any connection", function()
    for _, ending in ipairs { "fin", "rst" } do
      for _, method in ipairs { "PUT", "POST" } do
        local url = URL .. "/vanish/" .. ending .. "?read=100000"
        local fresh <close> = http.session()
        raises_error({ kind = "HttpError", code = "reset" }, fresh.request, fresh, method, url,
          { body = pieces(2000000) })
        local kept <close> = http.session()
        kept:get(URL .. "/bytes/1")
        raises_error({ kind = "HttpError", code = "reset" }, kept.request, kept, method, url,
          { body = pieces(2000000) })
      end
    end
  end)
