-- SPDX-License-Identifier: MIT
-- TLS: trusted peers, client certificates, and what is refused before a byte of a request is sent.
-- peers: tls
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"

local URL, DIR = os.getenv "SEPTET_TLS_ORIGIN", os.getenv "SEPTET_TLS"
local PORT = URL:match ":(%d+)$"

local function refused(expected, session, url)
  local mark = origin.mark()
  expected.kind, expected.code = "HttpError", "tls"
  raises_error(expected, session.get, session, url or URL .. "/bytes/1")
  equal(#origin.requests(mark), 0)
end

describe("a certificate", function()
  it("a certificate of a trusted CA is good", function()
    local session <close> = http.session { tls = { ca_file = DIR .. "/ca.pem" } }
    local mark = origin.mark()
    local r = session:get(URL .. "/bytes/3")
    equal({ r.status, r.body }, { 200, "012" })
    equal(r.times.tls > 0, true)
    equal(session:get(URL .. "/bytes/3").times.tls, nil)
    equal(origin.connections(origin.requests(mark, "/bytes/3")), 1)
  end)

  it("a certificate of another CA is refused", function()
    local system <close> = http.session()
    refused({ reason = "unknown_ca", phase = "tls" }, system)
    local untrusting <close> = http.session { tls = { ca_file = DIR .. "/other.pem" } }
    refused({ reason = "unknown_ca" }, untrusting)
  end)

  it("a certificate of another host is refused", function()
    local session <close> = http.session { tls = { ca_file = DIR .. "/ca.pem" },
      resolve = { ["other.invalid:" .. PORT] = "127.0.0.1" } }
    refused({ reason = "host" }, session, "https://other.invalid:" .. PORT .. "/bytes/1")
    equal(session:get("https://localhost:" .. PORT .. "/bytes/1").status, 200)
  end)

  it("no certificate is checked if the script says so", function()
    local hooked, traced, lines = {}, {}, {}
    local trace = require "septet.trace"
    trace.lines { write = function(_, line) lines[#lines + 1] = line:match "h1 new insecure" end }
    trace.subscribe(function(e)
      if e.kind == "xfer" then traced[#traced + 1] = e.insecure or false end
    end)
    local session <close> = http.session { tls = { insecure = true }, trace = {
      request_start = function(_, ev) hooked[#hooked + 1] = ev.insecure end,
      request_end = function(_, ev) hooked[#hooked + 1] = ev.insecure end,
    } }
    local r = session:get(URL .. "/bytes/1")
    equal({ r.status, r.insecure, hooked }, { 200, true, { true, true } })
    equal(session:get(URL .. "/bytes/1", { tls = { ca_file = DIR .. "/ca.pem" } }).insecure, false)
    equal(session:get(origin.url .. "/bytes/1").insecure, false)
    origin.eventually(function() return #traced == 3 end)
    equal({ traced, #hooked, #lines }, { { true, false, false }, 4, 1 })
    local next_one <close> = http.session() -- the handle that was used is at rest
    refused({ reason = "unknown_ca" }, next_one)
  end)
end)

describe("a TLS session", function()
  local function resumed(mark)
    local list = {}
    for i, event in ipairs(origin.since(mark, "open")) do list[i] = event.resumed end
    return list
  end

  it("http.36 a TLS session is resumed on the second connection of its session", function()
    local session <close> = http.session { tls = { ca_file = DIR .. "/ca.pem" } }
    local other <close> = http.session { tls = { ca_file = DIR .. "/ca.pem" } }
    local mark = origin.mark()
    for _, one in ipairs { session, session, other } do
      local r = one:get(URL .. "/close")
      equal({ r.status, r.reused, r.times.tls > 0 }, { 200, false, true })
    end
    equal(resumed(mark), { false, true, false })
  end)

  it("a TLS session is kept if its handle has other work between", function()
    local session <close> = http.session { tls = { ca_file = DIR .. "/ca.pem" } }
    local mark = origin.mark()
    for _, url in ipairs {
      URL .. "/close", origin.url .. "/close", URL .. "/close", origin.url .. "/close",
    } do
      equal(session:get(url).status, 200)
    end
    local opened = origin.since(mark, "open")
    equal({ #opened, opened[1].resumed, opened[3].resumed }, { 4, false, true })
  end)

  it("a TLS session is used with and without a cookie jar", function()
    local session <close> = http.session { cookies = true, tls = { ca_file = DIR .. "/ca.pem" } }
    local mark = origin.mark()
    session:get(URL .. "/close")
    session:get(URL .. "/close")
    equal(session:get(URL .. "/close", { cookies = false }).status, 200)
    equal(session:get(URL .. "/close", { cookies = false }).status, 200)
    equal(resumed(mark), { false, true, false, true })
  end)
end)

describe("a client", function()
  it("a client sends its certificate if it has one", function()
    local session <close> = http.session {
      tls = { ca_file = DIR .. "/ca.pem", cert_file = DIR .. "/client.pem" },
    }
    local mark = origin.mark()
    equal(session:get(URL .. "/bytes/1").status, 200)
    equal(origin.since(mark, "open")[1].client, "the client")
    local stranger <close> = http.session {
      tls = {
        ca_file = DIR .. "/ca.pem", cert_file = DIR .. "/client.crt",
        key_file = DIR .. "/client.key", min_version = "1.3",
      },
    }
    mark = origin.mark()
    equal(stranger:get(URL .. "/bytes/1").status, 200)
    equal({ origin.since(mark, "open")[1].client, origin.since(mark, "open")[1].tls },
      { "the client", "TLSv1.3" })
  end)

  it("a client certificate with bad files is an error", function()
    misuse("bad option 'ca_file' to 'tls' %(.*No such file", function()
      http.session { tls = { ca_file = "/no" } }
    end)
    misuse("without a 'cert_file'", function()
      http.session { tls = { key_file = DIR .. "/client.key" } }
    end)
    misuse("bad option 'min_version'", function()
      http.session { tls = { min_version = "1.1" } }
    end)
    misuse("unknown option 'cafile'", function() http.session { tls = { cafile = "x" } } end)
    local no_ca <close> = http.session { tls = { ca_file = DIR .. "/client.key" } }
    refused({ reason = "ca" }, no_ca)
    local no_key <close> = http.session {
      tls = {
        ca_file = DIR .. "/ca.pem", cert_file = DIR .. "/client.crt",
        key_file = DIR .. "/server.key",
      },
    }
    refused({ reason = "client_certificate" }, no_key)
  end)
end)

describe("a tunnel through a proxy", function()
  it("a tunnel returns the server's response, and not the proxy's", function()
    local session <close> = http.session { proxy = origin.url, tls = { ca_file = DIR .. "/ca.pem" },
      timeout = { first_byte = 1 } }
    local mark = origin.mark()
    local r = session:get(URL .. "/status/404")
    equal({ r.status, r.headers["x-proxy"] }, { 404 })
    equal(origin.requests(mark)[1].method, "CONNECT")
    equal(session:get(URL .. "/redirect/1").status, 200)
    equal(#session:get(URL .. "/drip?bytes=12&interval=0.1",
      { headers = { Connection = "close" } }).body, 12)
    session:close()
  end)
end)

describe("a handle that was used", function()
  local TRUST = { ca_file = DIR .. "/ca.pem" }
  local SHOWN = { ca_file = DIR .. "/ca.pem", cert_file = DIR .. "/client.pem" }

  -- What is done with a session whose options of TLS may be others than those of the request
  -- before: the name, and what the request's connection then has.
  local kinds = {
    { tls = TRUST, with = { "TLSv1.3" } },
    { tls = SHOWN, with = { "TLSv1.3", "the client" } },
    { tls = TRUST, post = true, with = { "TLSv1.3" } },
    { tls = SHOWN, post = true, with = { "TLSv1.3", "the client" } },
    { tls = { insecure = true }, with = { "TLSv1.3" } },
    { tls = TRUST, cancelled = true },
    { tls = SHOWN, cancelled = true },
    { refused = true },
    { tls = { ca_file = DIR .. "/other.pem" }, refused = true },
    { tls = SHOWN, plain = true },
  }

  local function run(kind, session, options)
    local mark = origin.mark()
    if kind.refused then return refused({ reason = "unknown_ca" }, session) end
    if kind.plain then return equal(session:get(origin.url .. "/close", options).status, 200) end
    if kind.cancelled then
      local slow = task.spawn(session.get, session, URL .. "/delay/10", options)
      origin.eventually(function() return #origin.requests(mark) == 1 end)
      return slow:cancel()
    end
    equal(session[kind.post and "post" or "get"](session, URL .. "/close", options).status, 200)
    local opened = origin.since(mark, "open")[1]
    equal({ opened.tls, opened.client }, kind.with)
  end

  it("a request has no option of TLS of one before it", function()
    local shared <close> = http.session()
    local random = 1
    for _, kind in ipairs(kinds) do kind.session = http.session { tls = kind.tls } end
    for i = 1, 120 do
      random = random * 16807 % 2147483647
      local kind = kinds[random % #kinds + 1]
      local own = kind.tls and not kind.refused and i % 3 == 0
      run(kind, own and shared or kind.session, own and { tls = kind.tls } or nil)
    end
    for _, kind in ipairs(kinds) do kind.session:close() end
  end)
end)
