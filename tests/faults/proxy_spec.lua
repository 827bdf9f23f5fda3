-- SPDX-License-Identifier: MIT
-- Proxies: what goes through them, what they refuse, and that no request bypasses them.
-- peers: tls faulty tinyproxy socks nginx
local http = require "septet.http"
local faulty, origin = require "faulty", require "origin"

local URL, TLS_URL = origin.url, os.getenv "SEPTET_TLS_ORIGIN"
local TRUST = { ca_file = os.getenv "SEPTET_TLS" .. "/ca.pem" }
local TINYPROXY, TINYPROXY_AUTH = os.getenv "SEPTET_TINYPROXY", os.getenv "SEPTET_TINYPROXY_AUTH"
local SOCKS, SOCKS_AUTH = os.getenv "SEPTET_SOCKS", os.getenv "SEPTET_SOCKS_AUTH"

local count = 0

-- Returns a path that no other spec requests.
local function own_path()
  count = count + 1
  return "/bytes/16?proxy=" .. count
end

local function session_by(proxy, options)
  options = options or {}
  options.proxy, options.tls = proxy, TRUST
  return http.session(options)
end

local function connects(mark, target)
  local found = {}
  for _, request in ipairs(origin.requests(mark, target)) do found[request.connection] = true end
  return found
end

-- Makes a request by `proxy` that must succeed, and returns the origin's record of it.
local function passes(proxy, base)
  local session <close> = session_by(proxy)
  local mark, path = origin.mark(), own_path()
  local r = session:get((base or URL) .. path)
  equal({ r.status, r.body }, { 200, "0123456789abcdef" })
  local seen = origin.requests(mark, path)
  equal(#seen, 1)
  return seen[1], r
end

-- Makes a request by `proxy` that must fail as expected, and must not reach the origin.
local function refused(proxy, expected, base, options)
  local session <close> = session_by(proxy, options)
  local mark, path = origin.mark(), own_path()
  expected.kind = "HttpError"
  local err = raises_error(expected, session.get, session, (base or URL) .. path)
  equal(#origin.requests(mark, path), 0, "requests that went past the proxy")
  equal(tostring(err):find("hunter2", 1, true), nil)
  equal(session:get(URL .. "/bytes/1", { proxy = false }).status, 200)
  return err
end

local function proxy_url(name)
  return faulty.url(name, "http")
end

describe("an HTTP proxy", function()
  it("http.37 an HTTP proxy forwards http, and adds its Via", function()
    local seen = passes("http://" .. TINYPROXY)
    equal(seen.headers.via ~= nil and seen.headers.via:find("tinyproxy", 1, true) ~= nil, true)
    equal(seen.headers.host, origin.authority)
  end)

  it("http.37 an HTTP proxy tunnels https by CONNECT, end to end", function()
    local seen = passes("http://" .. TINYPROXY, TLS_URL)
    equal({ seen.headers.via, seen.headers["proxy-connection"] }, {})
  end)

  it("http.37 a tunnel is kept for the next request", function()
    local session <close> = session_by("http://" .. TINYPROXY)
    local mark = origin.mark()
    for _ = 1, 3 do equal(session:get(TLS_URL .. "/bytes/3?proxy=tunnel").body, "012") end
    local seen = connects(mark, "/bytes/3?proxy=tunnel")
    equal(next(seen, (next(seen))), nil)
  end)

  it("http.37 a proxy that challenges gets the credentials, and the origin does not", function()
    for _, base in ipairs { URL, TLS_URL } do
      local seen = passes("http://user:secret@" .. TINYPROXY_AUTH, base)
      equal(seen.headers["proxy-authorization"], nil)
      equal(seen.headers.authorization, nil)
    end
  end)

  it("http.37 fault.37 a rejected proxy password is a 407 for http, an error for https", function()
    for _, userinfo in ipairs { "", "user:hunter2@", "other@" } do
      -- To a wrong proof, some versions respond with 401.
      local proxy = "http://" .. userinfo .. TINYPROXY_AUTH
      local err = refused(proxy, { code = "connect" }, TLS_URL)
      equal(err.reason, err.text:find("401", 1, true) and "proxy" or "proxy_auth")
      local session <close> = session_by(proxy)
      local mark, path = origin.mark(), own_path()
      local status = session:get(URL .. path).status
      equal(status == 407 or status == 401 and userinfo ~= "", true, status)
      equal(#origin.requests(mark, path), 0)
    end
  end)

  it("http.37 a proxy gets its own headers, and the origin its own", function()
    local session <close> = session_by(proxy_url("proxy_tunnels"):gsub("//", "//user:secret@"),
      { headers = { ["X-Api-Key"] = "k", Cookie = "a=b" }, auth = { bearer = "t0ken" } })
    local mark, path = faulty.mark(), own_path()
    local log = origin.mark()
    equal(session:get(TLS_URL .. path).status, 200)
    local lines = table.concat(faulty.logged(mark, "proxy_tunnels")[1].headers, "\n"):lower()
    equal(lines:find("proxy-authorization: basic", 1, true) ~= nil, true)
    for _, word in ipairs { "x%-api%-key", "cookie", "t0ken", "\nauthorization" } do
      equal(lines:find(word), nil, word)
    end
    local seen = origin.requests(log, path)[1].headers
    equal({ seen["x-api-key"], seen.cookie, seen.authorization }, { "k", "a=b", "Bearer t0ken" })
    equal({ seen["proxy-authorization"], seen["proxy-connection"] }, {})
  end)

  it("http.37 a proxy looks up the names", function()
    local session <close> = session_by("http://" .. TINYPROXY)
    equal(session:get(("http://localhost:%d/bytes/2"):format(origin.port)).body, "01")
  end)

  it("http.37 a proxy forwards the bodies of requests", function()
    local session <close> = session_by("http://" .. TINYPROXY)
    local body = origin.pattern(300000)
    for _, base in ipairs { URL, TLS_URL } do
      equal(origin.decode(session:post(base .. "/echo", { body = body }).body).body_size, #body)
    end
  end)
end)

describe("a failing proxy is never bypassed:", function()
  it("fault.37 a proxy with a closed port is not bypassed", function()
    for _, base in ipairs { URL, TLS_URL } do
      refused("http://127.0.0.1:1", { code = "connect", reason = "refused", phase = "connect" },
        base)
      refused("socks5h://127.0.0.1:1", { code = "connect", reason = "refused" }, base)
    end
  end)

  it("fault.37 a proxy with an unknown name is not bypassed", function()
    refused("http://proxy.invalid:3128", { code = "dns", reason = "proxy" })
  end)

  it("fault.37 a proxy that responds to CONNECT with 502 is not bypassed", function()
    local err = refused(proxy_url "proxy_502", { code = "connect", reason = "proxy" }, TLS_URL)
    equal(err.text:find("502", 1, true) ~= nil, true)
    refused("http://" .. TINYPROXY, { code = "connect", reason = "proxy" }, "https://127.0.0.1:1")
  end)

  it("fault.37 a proxy that responds to CONNECT with 407 is not bypassed", function()
    refused(proxy_url "proxy_407", { code = "connect", reason = "proxy_auth" }, TLS_URL)
    refused(proxy_url("proxy_407"):gsub("//", "//user:hunter2@"),
      { code = "connect", reason = "proxy_auth" }, TLS_URL)
  end)

  it("fault.37 a proxy that resets is not bypassed", function()
    refused(proxy_url "proxy_resets", { code = "reset", reason = "receive" })
    refused(proxy_url "proxy_resets", {}, TLS_URL)
  end)

  it("fault.37 a proxy that drops the tunnel in the handshake is not bypassed", function()
    refused(proxy_url "proxy_drops_handshake", { code = "tls", reason = "handshake" }, TLS_URL)
  end)

  it("fault.37 a proxy that drops the tunnel in the body is not bypassed", function()
    local session <close> = session_by(proxy_url "proxy_drops_body")
    local mark = origin.mark()
    local err = raises_error({ kind = "HttpError", phase = "receive" }, session.get, session,
      TLS_URL .. "/bytes/1000000?proxy=dropped")
    equal(err.code == "partial" or err.code == "reset", true, tostring(err))
    -- The request went through the tunnel once.
    equal(#origin.requests(mark, "/bytes/1000000?proxy=dropped"), 1)
  end)
end)

describe("a SOCKS proxy", function()
  it("http.37 a SOCKS proxy carries http and https", function()
    for _, base in ipairs { URL, TLS_URL } do
      passes("socks5://" .. SOCKS, base)
      passes("socks5h://" .. SOCKS, base)
      passes("socks5h://user:secret@" .. SOCKS_AUTH, base)
    end
  end)

  it("fault.38 http.37 a SOCKS proxy refuses bad credentials", function()
    for _, base in ipairs { URL, TLS_URL } do
      refused("socks5h://user:hunter2@" .. SOCKS_AUTH, { code = "connect", reason = "proxy_auth" },
        base)
      refused("socks5h://" .. SOCKS_AUTH, { code = "connect", reason = "proxy_auth" }, base)
    end
  end)

  it("fault.38 a SOCKS proxy looks up the name, with socks5h and socks4a", function()
    local session <close> = session_by(faulty.url("socks_anywhere", "socks5h"))
    local mark = faulty.mark()
    equal(session:get(("http://only.the.proxy.knows.invalid:%d/bytes/2"):format(origin.port)).body,
      "01")
    local seen = faulty.logged(mark, "socks_anywhere")[1]
    equal({ seen.kind, seen.host }, { "name", "only.the.proxy.knows.invalid" })
  end)

  it("fault.38 a SOCKS proxy gets an address, with socks5", function()
    local session <close> = session_by(faulty.url("socks_anywhere", "socks5"),
      { resolve = { ["here.invalid:" .. origin.port] = "127.0.0.1" } })
    local mark = faulty.mark()
    equal(session:get(("http://here.invalid:%d/bytes/2"):format(origin.port)).body, "01")
    local seen = faulty.logged(mark, "socks_anywhere")[1]
    equal({ seen.kind, seen.host }, { "ipv4", "127.0.0.1" })
    refused(faulty.url("socks_anywhere", "socks5"), {}, "http://unknown.invalid:" .. origin.port)
    mark = faulty.mark()
    equal(session:get(("http://[::1]:%d/bytes/2"):format(origin.port)).body, "01")
    seen = faulty.logged(mark, "socks_anywhere")[1]
    equal({ seen.kind, seen.host }, { "ipv6", "::1" })
  end)

  it("fault.38 a SOCKS proxy that cannot reach the host is an error", function()
    refused(faulty.url("socks_unreachable", "socks5h"), { code = "connect", reason = "proxy" })
    refused("socks5h://" .. SOCKS, { code = "connect", reason = "proxy" }, "http://127.0.0.1:1")
  end)
end)

describe("a proxy in the options", function()
  it("http.37 the proxy of a request is used for that request", function()
    local session <close> = session_by(nil)
    local mark, path = faulty.mark(), own_path()
    equal(session:get(URL .. path).status, 200)
    equal(session:get(URL .. path, { proxy = proxy_url "proxy_502" }).status, 502)
    equal(session:get(URL .. path).status, 200)
    equal(#faulty.since(mark, "proxy_502"), 1)
  end)

  it("http.37 an invalid proxy URL is refused, and not quoted", function()
    for _, proxy in ipairs {
      "user:hunter2@host:1", "ftp://user:hunter2@host:1", "http://user:hunter2@host:1/path",
      "http://user:hunter2 @host:1",
    } do
      local err = raises_error({ kind = "Usage" }, http.session, { proxy = proxy })
      equal(tostring(err):find("hunter2", 1, true), nil)
    end
  end)
end)

describe("nginx", function()
  it("http.37 nginx is reached by a proxy", function()
    local session <close> = session_by("http://" .. TINYPROXY)
    equal(session:get(os.getenv "SEPTET_NGINX" .. "/small.txt").body, "0123456789abcdef")
    equal(session:get(os.getenv "SEPTET_NGINX_TLS" .. "/small.txt").body, "0123456789abcdef")
  end)
end)
