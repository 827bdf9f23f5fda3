-- SPDX-License-Identifier: MIT
-- Rules of a session hold for names and for their addresses, for redirects, and for connections
-- that are already open.
local http = require "septet.http"
local origin = require "origin"

local URL = origin.url

local function denied(expected, session, url)
  local mark = origin.mark()
  expected.kind, expected.code = "HttpError", "denied"
  local err = raises_error(expected, session.get, session, url)
  equal(#origin.since(mark, "open"), 0) -- no socket was opened
  return err
end

describe("a rule", function()
  it("a rule denies a name, an address, a port", function()
    local function one(rule, reason, url)
      local session <close> = http.session {
        deny = rule, resolve = { ["a.invalid:" .. origin.port] = "127.0.0.1" },
      }
      local err = denied({
        reason = reason, phase = reason == "address" and not url:find "127" and "dns" or "queue",
      }, session, url)
      equal(tostring(err):find(("by the rule '%s'"):format(rule), 1, true) ~= nil, true,
        tostring(err))
    end
    local named = ("http://a.invalid:%d/bytes/1"):format(origin.port)
    one("a.invalid", "host", named)
    one("*.invalid", "host", named)
    one(":" .. origin.port, "port", named)
    one("127.0.0.0/8", "address", named)
    one("private", "address", named)
    one("127.0.0.1", "address", URL .. "/bytes/1")
    one("127.0.0.1:" .. origin.port, "address", URL .. "/bytes/1")
  end)

  it("a rule that denies one of a name's addresses leaves the others", function()
    for _, addresses in ipairs {
      "127.0.0.2,127.0.0.1", "127.0.0.1,127.0.0.2", "[::1],127.0.0.1",
    } do
      local session <close> = http.session { deny = { "127.0.0.2", "::1" },
        resolve = { ["a.invalid:" .. origin.port] = addresses } }
      local r = session:get(("http://a.invalid:%d/bytes/1"):format(origin.port))
      equal({ r.status, r.peer.address }, { 200, "127.0.0.1" })
    end
  end)

  it("a rule allows a host, and then no other", function()
    local session <close> = http.session { allow = "127.0.0.1" }
    equal(session:get(URL .. "/bytes/1").status, 200)
    denied({ reason = "address" }, session, "http://[::1]:1/")
    local named <close> = http.session { allow = { "a.invalid", "b.invalid" },
      resolve = { ["a.invalid:" .. origin.port] = "127.0.0.1" } }
    equal(named:get(("http://a.invalid:%d/bytes/1"):format(origin.port)).status, 200)
    local err = denied({ reason = "host", phase = "queue" }, named, "http://c.invalid/")
    equal(tostring(err):find("not among what is allowed", 1, true) ~= nil, true)
    denied({ reason = "address" }, named, URL)
  end)

  it("an invalid rule is refused", function()
    misuse("bad rule '10.0.0.0/33' for 'session'", function()
      http.session { deny = "10.0.0.0/33" }
    end)
    misuse("bad rule 'http://a/' for 'session'", function()
      http.session { allow = { "a", "http://a/" } }
    end)
    misuse("bad option 'deny' to 'session' %(strings expected%)", function()
      http.session { deny = { 1 } }
    end)
    misuse("bad option 'allow' to 'session' %(at least one rule expected%)", function()
      http.session { allow = {} }
    end)
    misuse("unknown option 'deny' to 'get'", function() http.get(URL, { deny = "private" }) end)
  end)
end)

describe("fault.29 a redirect", function()
  it("a redirect to another protocol is refused", function()
    local session <close> = http.session()
    local gopher = "gopher://127.0.0.1:" .. origin.port .. "/1"
    for _, target in ipairs { "file:///etc/passwd", gopher, "ftp://127.0.0.1/" } do
      raises_error({ kind = "HttpError", code = "redirect", reason = "denied" }, session.get,
        session, URL .. "/redirect-to?url=" .. target)
    end
  end)

  it("a redirect to a denied address opens no socket, in every spelling", function()
    -- The rule allows the origin by its name, and not by its address or another spelling of it.
    local session <close> = http.session { allow = "a.invalid",
      resolve = { ["a.invalid:" .. origin.port] = "127.0.0.1" } }
    local from = ("http://a.invalid:%d"):format(origin.port)
    equal(session:get(from .. "/bytes/1").status, 200)
    local targets = {
      "169.254.169.254", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "0177.0.0.1", "127.1",
      "localhost", "[::1]", "[64:ff9b::7f00:1]", "0",
    }
    for _, target in ipairs(targets) do
      local mark = origin.mark()
      raises_error({ kind = "HttpError", code = "denied" }, session.get, session,
        ("%s/redirect-to?url=http://%s:%d/"):format(from, target, origin.port))
      equal(#origin.since(mark, "open"), 0)
    end
  end)

  it("a redirect is judged by the session's rule \"private\"", function()
    local session <close> = http.session { deny = "private" }
    for _, target in ipairs {
      "169.254.169.254", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "[fe80::1]", "10.1",
    } do
      denied({}, session, ("http://%s:%d/"):format(target, origin.port))
    end
    denied({ reason = "address" }, session, ("http://localhost:%d/"):format(origin.port))
  end)
end)

it("a stream is judged by the session's rules", function()
  local session <close> = http.session { deny = "private" }
  raises_error({ kind = "HttpError", code = "denied" }, session.stream, session, "GET",
    URL .. "/bytes/1")
end)
