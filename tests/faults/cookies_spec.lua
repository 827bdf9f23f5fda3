-- SPDX-License-Identifier: MIT
-- Cookies: which ones a jar accepts, and which ones it sends to each host, beside a script's own.
local http = require "septet.http"
local origin = require "origin"

local URL, PORT = origin.url, origin.port

-- Returns a session with a jar. All its names lead to the origin.
local function new_session(names, more)
  local options = { cookies = true, resolve = {} }
  for _, name in ipairs(names or {}) do
    options.resolve[("%s:%d"):format(name, PORT)] = "127.0.0.1"
  end
  for name, value in pairs(more or {}) do options[name] = value end
  return http.session(options)
end

local function escaped(text)
  return (text:gsub("[^%w]", function(c) return ("%%%02X"):format(c:byte()) end))
end

-- Has `host` (127.0.0.1 for nil) set cookies, at a path.
local function set(session, lines, path, host)
  local head = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
  for _, line in ipairs(type(lines) == "table" and lines or { lines }) do
    head = head .. "Set-Cookie: " .. line .. "\r\n"
  end
  local target = origin.raw { head .. "\r\n", "keep" }
  if host then target = target:gsub("127%.0%.0%.1", host) end
  if path then target = target:gsub("/raw/", path:gsub("[^/]*$", "") .. "../raw/") end
  return session:get(target).status
end

-- The Cookie line that a host gets at a path, which may be any.
local function sent(session, path, host, options)
  local mark = origin.mark()
  local target = ("http://%s:%d%s"):format(host or "127.0.0.1", PORT, path or "/echo")
  pcall(session.get, session, target, options)
  local requests = origin.requests(mark)
  return requests[#requests].headers.cookie
end

describe("H-16: one Cookie line, in which each name stands once", function()
  -- The origin joins two lines by ", ".
  local function lines_of(session, options)
    return origin.decode(session:get(URL .. "/echo", options).body).headers.cookie
  end

  it("the Cookie has names of the jar, the request, the session, both, or neither", function()
    for _, case in ipairs {
      { jar = "a=1", expected = "a=1" },
      { request = "b=2", expected = "b=2" },
      { jar = "a=1", request = "b=2", expected = "b=2; a=1" },
      { jar = "a=1", session = "b=2", expected = "b=2; a=1" },
      { jar = "a=1", request = "a=2", expected = "a=2" },
      { jar = "a=1", session = "a=2", expected = "a=2" },
      { jar = "a=1", request = "x=y; a = 2;z=", expected = "x=y; a = 2;z=" },
      { jar = "a=1", session = "b=2", request = "c=3", expected = "c=3; a=1" },
      { jar = "aa=1", request = "a=2", expected = "a=2; aa=1" },
      { session = "b=2", expected = "b=2" },
      { jar = "a=1", request = "", expected = "a=1" },
      {},
    } do
      local session <close> = new_session(nil, { headers = { COOKIE = case.session } })
      if case.jar then set(session, case.jar .. "; Path=/") end
      equal(lines_of(session, { headers = { cookie = case.request } }), case.expected)
      if case.jar and not case.session then
        equal(lines_of(session, { headers = { Cookie = false } }), case.jar)
      end
      equal(lines_of(session, { cookies = false, headers = { cookie = case.request } }) or "",
        case.request or case.session or "")
    end
  end)

  it("the target of a redirect gets the cookie that the redirect set", function()
    local session <close> = new_session()
    local target = URL .. "/redirect-to?url=/echo&Set-Cookie=" .. escaped "a=1; Path=/"
    equal(origin.decode(session:get(target).body).headers.cookie, "a=1")
    equal(origin.decode(session:get(target, { headers = { Cookie = "b=2" } }).body).headers.cookie,
      "b=2; a=1")
  end)

  it("a request after a challenge gets the cookie that the challenge set", function()
    local session <close> = new_session(nil, { auth = { user = "u", digest = true } })
    local challenge = 'WWW-Authenticate: Digest realm="r", nonce="n"\r\nSet-Cookie: c=1; Path=/\r\n'
    local head = "HTTP/1.1 401 No\r\nContent-Length: 0\r\n"
    local url, mark = origin.raw { head .. challenge .. "\r\n", "keep" }, origin.mark()
    session:get(url, { headers = { Cookie = "b=2" } })
    local requests = origin.requests(mark, url:sub(#URL + 1))
    equal({ requests[1].headers.cookie, requests[2].headers.cookie }, { "b=2", "b=2; c=1" })
    equal(requests[2].headers.authorization:match "^Digest", "Digest")
  end)

  it("a stream and a POST have one Cookie line", function()
    local session <close> = new_session()
    set(session, "a=1; Path=/")
    local r <close> = session:stream("POST", URL .. "/echo",
      { body = "b", headers = { Cookie = "b=2" } })
    equal(origin.decode(r:read()).headers.cookie, "b=2; a=1")
  end)
end)

-- Each row has a Set-Cookie, its path and its host, and then pairs of a request's place and the
-- Cookie that it sends.
local function check(rows, names)
  for _, row in ipairs(rows) do
    local session <close> = new_session(names)
    set(session, row.set, row.at, row.by)
    for i = 1, #row, 2 do
      local path, host = row[i], row.by
      if type(path) == "table" then path, host = path[1], path[2] end
      local shown = type(row.set) == "table" and table.concat(row.set, " | ") or row.set
      equal({ shown, sent(session, path, host) or "none" }, { shown, row[i + 1] or "none" })
    end
  end
end

describe("X-15: a jar reads a Set-Cookie as RFC 6265 does", function()
  it("a jar reads the name and the value of a cookie", function()
    check {
      { set = "a=1; Path=/", "/echo", "a=1" }, { set = "a=; Path=/", "/echo", "a=" },
      { set = " a\t=\t1 ;Path=/", "/echo", "a=1" }, { set = "a=b=c; Path=/", "/echo", "a=b=c" },
      { set = 'a="b c"; Path=/', "/echo", 'a="b c"' },
      { set = "a=x\ty; Path=/", "/echo", "a=x\ty" }, { set = "a", "/echo" },
      { set = "=1; Path=/", "/echo" }, { set = "; a=1", "/echo" }, { set = "", "/echo" },
      { set = "a=1\1; Path=/", "/echo" }, { set = "a=1,b=2; Path=/", "/echo", "a=1,b=2" },
      { set = "a=1; a=2; Path=/", "/echo", "a=1" },
      { set = "a=1; path=/; foo; bar=baz; =", "/echo", "a=1" },
      { set = { "a=1; Path=/", "a=2; Path=/" }, "/echo", "a=2" },
      { set = { "a=1; Path=/", "A=2; Path=/" }, "/echo", "a=1; A=2" },
      { set = "a=" .. ("x"):rep(4000) .. "; Path=/", "/echo", "a=" .. ("x"):rep(4000) },
      { set = "a=" .. ("x"):rep(5000) .. "; Path=/", "/echo" },
    }
  end)

  it("a jar reads the path of a cookie", function()
    check {
      { set = "a=1; Path=/x/", "/x/", "a=1", "/x/y", "a=1", "/x", nil, "/xy", nil, "/", nil },
      {
        set = "a=1; Path=/x", "/x", "a=1", "/x/", "a=1", "/x/y", "a=1", "/x?q", "a=1", "/xy", nil,
        "/", nil,
      },
      { set = "a=1; Path=/", "/", "a=1", "/x", "a=1" },
      { set = "a=1; Path=x", "/raw/k", "a=1", "/x", nil }, { set = "a=1; Path=", "/raw/k", "a=1" },
      { set = "a=1", "/raw/k", "a=1", "/raw", "a=1", "/x", nil },
      { set = "a=1; Path=/x; Path=/y", "/y", "a=1", "/x", nil },
      { set = "a=1; Path=/y; Path", "/raw/k", "a=1" }, { set = "a=1; PATH = /x", "/x", "a=1" },
    }
  end)

  it("a jar reads the end of a cookie", function()
    local past, future = "Thursday, 01 January 1970 00:00:00 GMT", "Fri, 31 Dec 2100 23:59:59 GMT"
    local function after(attributes, kept)
      local session <close> = new_session()
      set(session, "a=1; Path=/")
      set(session, "a=2; Path=/; " .. attributes)
      equal({ attributes, sent(session) }, { attributes, kept and "a=2" or nil })
    end
    for _, date in ipairs {
      past, "Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01-Jan-70 00:00:01 GMT", "1 Jan 1970 0:0:0",
      "Thu Jan  1 00:00:00 1970", "01-January-1999 10:00:00", "00:00:00 1 jan 2001",
      "1 1 jan 00:00:00 2001",
    } do
      after("Expires=" .. date, false)
    end
    for _, date in ipairs {
      future, "31-Dec-2100 23:59:59", "Friday, 31-Dec-69 23:59:59 GMT", "garbage", "",
      "32 Jan 1999 00:00:00", "1 Jan 1999 24:00:00", "1 Jan 1999", "1 Foo 1999 00:00:00",
      "1 Jan 1600 00:00:00",
    } do
      after("Expires=" .. date, true)
    end
    for age, kept in pairs {
      ["0"] = false, ["-1"] = false, ["1000"] = true, abc = true, [""] = true, ["1x"] = true,
      ["-"] = true, ["99999999999999999999"] = true, ["-99999999999999999999"] = false,
    } do
      after("Max-Age=" .. age, kept)
    end
    after("Max-Age=1000; Expires=" .. past, true)
    after("Expires=" .. future .. "; Max-Age=0", false)
    after("Max-Age=0; Max-Age=1000", true)
  end)

  it("a jar reads the domain of a cookie", function()
    local names = {
      "a.example.com", "example.com", "b.example.com", "co.uk", "x.co.uk", "ample.com", "com",
    }
    check({
      {
        set = "a=1; Path=/", by = "a.example.com", { "/", "a.example.com" }, "a=1",
        { "/", "example.com" }, nil,
      },
      {
        set = "a=1; Path=/; Domain=example.com", by = "a.example.com", { "/", "example.com" },
        "a=1", { "/", "b.example.com" }, "a=1", { "/", "ample.com" }, nil,
      },
      {
        set = "a=1; Path=/; Domain=.EXAMPLE.com", by = "a.example.com", { "/", "b.example.com" },
        "a=1",
      },
      { set = "a=1; Path=/; Domain=example.com", by = "ample.com", { "/", "example.com" }, nil },
      { set = "a=1; Path=/; Domain=ample.com", by = "example.com", { "/", "ample.com" }, nil },
      {
        set = "a=1; Path=/; Domain=b.example.com", by = "example.com", { "/", "b.example.com" },
        nil,
      },
      { set = "a=1; Path=/; Domain=com", by = "example.com", { "/", "example.com" }, nil },
      { set = "a=1; Path=/; Domain=co.uk", by = "x.co.uk", { "/", "x.co.uk" }, nil },
      { set = "a=1; Path=/; Domain=bad.test; Domain=example.com", by = "a.example.com",
        { "/", "b.example.com" }, "a=1" },
      {
        set = "a=1; Path=/; Domain=example.com; Domain=bad.test", by = "a.example.com",
        { "/", "a.example.com" }, nil,
      },
      { set = "a=1; Path=/; Domain=", by = "a.example.com", { "/", "a.example.com" }, "a=1",
        { "/", "example.com" }, nil },
      { set = "a=1; Path=/; Domain=127.0.0.1", { "/", "127.0.0.1" }, "a=1" },
      { set = "a=1; Path=/; Domain=0.0.1", { "/", "127.0.0.1" }, nil },
    }, names)
  end)

  it("a jar reads Secure and the prefixes of names", function()
    local names = { "a.test" }
    for _, secure in ipairs { "Secure", "Secure=1", "secure=", "SECURE=false", "Secure; Secure" } do
      check({
        { set = "a=1; Path=/; " .. secure, by = "a.test", { "/", "a.test" }, nil },
        { set = "a=1; Path=/; " .. secure, "/", "a=1" }, -- loopback is secure
        { set = "__Secure-a=1; Path=/; " .. secure, "/", "__Secure-a=1" },
        { set = "__Host-a=1; Path=/; " .. secure, "/", "__Host-a=1" },
      }, names)
    end
    check {
      { set = "__Secure-a=1; Path=/", "/" }, { set = "__Host-a=1; Path=/", "/" },
      { set = "__Host-a=1; Secure; Path=/echo", "/echo" },
      { set = "__HOST-a=1; Secure; Path=/; Domain=127.0.0.1", "/" },
    }
  end)

  it("a jar sends cookies by the length of their paths, then by age, each name once", function()
    local session <close> = new_session()
    set(session,
      { "b=1; Path=/", "c=1; Path=/echo", "a=1; Path=/", "d=1; Path=/echo/x", "b=2; Path=/echo" })
    equal(sent(session, "/echo"), "c=1; b=2; a=1")
    equal(sent(session, "/"), "b=1; a=1")
    set(session, "b=3; Path=/") -- keeps its age
    equal(sent(session, "/"), "b=3; a=1")
  end)

  it("a jar reads a response with more than fifty cookies", function()
    local session, lines, expected = new_session(), {}, {}
    local _ <close> = session
    for i = 1, 140 do
      lines[i] = ("n%d=%d; Path=/"):format(i, i)
      expected[i] = ("n%d=%d"):format(i, i)
    end
    set(session, lines)
    equal(sent(session), table.concat(expected, "; "))
  end)

  it("a jar keeps a limited number of cookies, and drops the longest unused", function()
    local session <close> = new_session { "other.test" }
    set(session, "first=1; Path=/x")
    set(session, "other=1; Path=/", nil, "other.test")
    for round = 1, 4 do
      local lines = {}
      for i = 1, 100 do lines[i] = ("n%d=1; Path=/y%d"):format(i, round) end
      set(session, lines)
    end
    equal({ sent(session, "/x") or "none", sent(session, "/y1") or "none" }, { "none", "none" })
    equal(select(2, sent(session, "/y4"):gsub("=", "")), 100)
    equal(sent(session, "/", "other.test"), "other=1")
    local many <close> = new_session()
    for _ = 1, 30 do
      set(many, {
        "a=" .. ("x"):rep(4000) .. "; Path=/", "b=" .. ("x"):rep(4000) .. "; Path=/",
        "c=" .. ("x"):rep(4000) .. "; Path=/",
      })
    end
    equal(#sent(many) <= 8190, true)
  end)
end)
