-- SPDX-License-Identifier: MIT
-- Redirects: their targets, what is sent along, and what ends them.
local private = debug.getregistry()["septet.require"] -- of private modules
local http = require "septet.http"
local origin = require "origin"

local URL, echo = origin.url, origin.echo

describe("http.31 a redirect", function()
  it("a redirect is followed, and is in the history", function()
    local session <close> = http.session()
    local r = session:get(URL .. "/redirect/3")
    equal(r.status, 200)
    equal(r.url, URL .. "/redirect/0")
    equal(#r.history, 3)
    for i, earlier in ipairs(r.history) do
      equal({ earlier.status, earlier.url }, { 302, URL .. "/redirect/" .. (4 - i) })
      equal(earlier.headers.location, "/redirect/" .. (3 - i))
    end
  end)

  it("fault.28 a redirect is followed ten times and no more", function()
    local session <close> = http.session()
    equal(session:get(URL .. "/redirect/10").status, 200)
    local mark = origin.mark()
    raises_error({ kind = "HttpError", code = "redirect", reason = "limit" }, session.get, session,
      URL .. "/redirect/11")
    equal(#origin.requests(mark, "/redirect/1"), 1)
    equal(#origin.requests(mark, "/redirect/0"), 0)
    raises_error({ code = "redirect", reason = "limit" }, session.get, session,
      URL .. "/redirect-to?url=/redirect/20")
  end)

  it("a Location may be relative, absolute, and have a query", function()
    local session <close> = http.session()
    equal(session:get(URL .. "/redirect-to?url=/bytes/3").body, "012")
    equal(session:get(URL .. "/redirect-to?url=bytes/4").body, "0123")
    equal(session:get(URL .. "/redirect-to?url=" .. URL .. "/bytes/5").body, "01234")
    equal(session:get(URL .. "/redirect-to?url=//" .. origin.authority .. "/bytes/6").body,
      "012345")
    equal(origin.decode(session:get(URL .. "/redirect-to?url=/echo%3Fa%3D1").body).query, "a=1")
  end)

  it("a POST becomes a GET without a body at 301, 302 and 303", function()
    local session <close> = http.session()
    for _, status in ipairs { 301, 302, 303 } do
      local r = session:post(("%s/redirect-to?url=/echo&status=%d"):format(URL, status),
        { body = "secret" })
      local echoed = origin.decode(r.body)
      equal({ echoed.method, echoed.body, r.method }, { "GET", "", "GET" })
      equal(echoed.headers["content-length"], nil)
    end
  end)

  it("fault.31 http.30 a 307 or 308 keeps method and body", function()
    local session <close> = http.session()
    for _, status in ipairs { 307, 308 } do
      for _, method in ipairs { "POST", "PUT", "DELETE" } do
        local r = session:request(method,
          ("%s/redirect-to?url=/echo&status=%d"):format(URL, status), { body = "kept" })
        local echoed = origin.decode(r.body)
        equal({ echoed.method, echoed.body, r.method }, { method, "kept", method })
      end
    end
  end)

  it("methods other than POST stay at 301 and 302, and HEAD at 303", function()
    local session <close> = http.session()
    for _, status in ipairs { 301, 302 } do
      equal(session:put(("%s/redirect-to?url=/echo&status=%d"):format(URL, status),
        { body = "x" }).method, "PUT")
    end
    local r = session:head(URL .. "/redirect-to?url=/bytes/9&status=303")
    equal({ r.method, r.status, r.body, r.headers["content-length"] }, { "HEAD", 200, "", "9" })
  end)

  it("a redirect within an origin keeps the headers", function()
    local session <close> = http.session()
    local echoed = origin.decode(session:get(URL .. "/redirect-to?url=/echo",
      { headers = { Authorization = "secret", Cookie = "c=1", ["X-One"] = "1" } }).body)
    equal({ echoed.headers.authorization, echoed.headers.cookie, echoed.headers["x-one"] },
      { "secret", "c=1", "1" })
  end)

  it("fault.30 http.32 a redirect to another origin drops the secrets", function()
    local session <close> = http.session {
      headers = { authorization = "secret", ["User-Agent"] = "mine" },
    }
    local there = ("http://localhost:%d/echo"):format(origin.port)
    local r = session:get(URL .. "/redirect-to?url=" .. there, {
      headers = {
        COOKIE = "c=1", ["Proxy-Authorization"] = "p", ["X-Api-Key"] = "k", ["X-Auth-Token"] = "t",
      },
    })
    local echoed = origin.decode(r.body)
    equal(r.url, there)
    for _, name in ipairs {
      "authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token",
    } do
      equal({ name, echoed.headers[name] }, { name })
    end
    equal(echoed.headers["user-agent"], "mine")
    equal(echoed.headers.host, "localhost:" .. origin.port)
    equal(echo(session, "GET").headers.authorization, "secret") -- the next one has them again
  end)

  it("a redirect back to the first origin does not restore the secrets", function()
    local session <close> = http.session()
    local home = URL .. "/echo"
    local there = ("http://localhost:%d/redirect-to?url=%s"):format(origin.port, home)
    local r = session:get(URL .. "/redirect-to?url=" .. there,
      { headers = { Authorization = "secret" } })
    equal(r.url, home)
    equal(origin.decode(r.body).headers.authorization, nil)
  end)

  it("a redirect to another scheme is denied", function()
    local session <close> = http.session()
    for _, target in ipairs { "file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/" } do
      raises_error({ kind = "HttpError", code = "redirect", reason = "denied" }, session.get,
        session, URL .. "/redirect-to?url=" .. target)
    end
  end)

  it("a redirect without a Location is a response", function()
    local session <close> = http.session()
    for _, status in ipairs { 301, 302, 303, 307, 308 } do
      local r = session:get(URL .. "/status/" .. status)
      equal({ r.status, #r.history }, { status, 0 })
    end
    local not_modified = session:get(URL .. "/redirect-to?url=/bytes/1&status=304")
    equal(not_modified.status, 304)
    equal(session:get(URL .. "/redirect-to?url=/bytes/1&status=201").status, 201)
  end)

  it("redirects count against the total timeout", function()
    local session <close> = http.session()
    raises_error({ kind = "HttpError", code = "timeout" }, session.get, session,
      URL .. "/redirect-to?url=/stall", { timeout = 0.1 })
  end)
end)

describe("http.31", function()
  it("every method is redirected at every status", function()
    local session <close> = http.session()
    local becomes = { [301] = { POST = "GET" }, [302] = { POST = "GET" },
      [303] = { POST = "GET", PUT = "GET", DELETE = "GET", PATCH = "GET" }, [307] = {}, [308] = {} }
    for status, changed in pairs(becomes) do
      for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE" } do
        local body = method ~= "GET" and "b" or nil
        local echoed = origin.decode(session:request(method,
          ("%s/redirect-to?url=/echo&status=%d"):format(URL, status), { body = body }).body)
        local expected = changed[method] or method
        equal({ echoed.method, echoed.body }, { expected, expected == method and body or "" },
          method .. " " .. status)
      end
    end
  end)

  it("fault.28 a loop of redirects ends", function()
    local session <close> = http.session()
    local key = "loop" .. origin.port
    local loop = URL .. "/raw/" .. key
    local head = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /raw/" .. key .. "\r\n\r\n"
    session:post(URL .. "/script/" .. key, { body = "send " .. origin.hex(head) .. "\nkeep" })
    raises_error({ code = "redirect", reason = "limit" }, session.get, session, loop)
    local mark = origin.mark()
    raises_error({ code = "redirect", reason = "limit" }, session.get, session, loop,
      { redirects = 3 })
    equal(#origin.requests(mark, "/raw/" .. key), 4)
  end)

  it("a fragment is the URL's own, and is not sent", function()
    local session <close> = http.session()
    local mark = origin.mark()
    local r = session:get(URL .. "/redirect-to?url=/bytes/1%23part")
    equal({ r.status, r.url:match "^[^#]*" }, { 200, URL .. "/bytes/1" })
    equal(origin.requests(mark)[2].path, "/bytes/1")
  end)

  it("a redirect from https to http is refused", function()
    local Attempt = private "septet.http.attempt"
    local attempt = setmetatable({ method = "GET", url = "https://a.invalid/", redirects = 10 },
      Attempt)
    raises_error({ kind = "HttpError", code = "redirect", reason = "denied" }, attempt.redirect,
      attempt, { redirect_url = "http://a.invalid/", status = 302 }, 1)
  end)
end)

it("fault.31 http.30 a generated body is not sent to the target of a redirect", function()
  local session <close> = http.session()
  local made = false
  raises_error({ kind = "HttpError", code = "redirect", reason = "not_rewindable" }, session.put,
    session, URL .. "/redirect-to?url=/echo&status=307", { body = function()
      if made then return nil end
      made = true
      return "x"
    end })
end)

it("http.32 headers that are not known to be harmless are not sent to another origin", function()
  local session <close> = http.session { headers = { ["X-Secret"] = "s", Pragma = "p" } }
  local there = ("http://localhost:%d/echo"):format(origin.port)
  local echoed = origin.decode(session:get(URL .. "/redirect-to?url=" .. there).body)
  equal({ echoed.headers["x-secret"], echoed.headers.pragma }, { nil, "p" })
end)
