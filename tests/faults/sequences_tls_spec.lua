-- SPDX-License-Identifier: MIT
-- Sequences of trace hooks over TLS, through proxies and over HTTP/2.
-- peers: tls tinyproxy nginx
local task, http = require "septet.task", require "septet.http"
local core = debug.getregistry()["septet.core"]
local origin, watch = require "origin", require "watch"

local URL, TLS_URL, NGINX = origin.url, os.getenv "SEPTET_TLS_ORIGIN", os.getenv "SEPTET_NGINX_TLS"
local TRUST = { ca_file = os.getenv "SEPTET_TLS" .. "/ca.pem" }
local TINYPROXY = os.getenv "SEPTET_TINYPROXY"
local HTTP2 = core.http2_refusal() and "force" or true

local sequence, named = watch.sequence, watch.named

describe("sequences of hooks:", function()
  it("over TLS: the connection is there once its handshake is over", function()
    local events = sequence("start create try created sent head body end", { tls = TRUST },
      function(session, options) session:get(TLS_URL .. "/bytes/3", options) end)
    local tried, made = named(events, "connection_attempt"), named(events, "connection_create_end")
    equal(made.time > tried.time, true)
  end)

  it("a certificate that is not trusted", function()
    local events = sequence("start create try created! exception", {}, function(session, options)
      session:get(TLS_URL .. "/bytes/3", options)
    end)
    equal(events[#events].ev.exception.code, "tls")
  end)

  it("through a proxy, and through its tunnel, of which nothing is shown", function()
    local proxy = "http://" .. TINYPROXY
    for _, base in ipairs { URL, TLS_URL } do
      local events = sequence("start create try created sent head body end",
        { proxy = proxy, tls = TRUST },
        function(session, options) session:get(base .. "/bytes/3", options) end)
      equal(named(events, "connection_attempt").port, math.tointeger(TINYPROXY:match ":(%d+)$"))
      equal(named(events, "response_headers").status, 200)
    end
  end)

  it("a proxy's name is looked up by libcurl", function()
    local proxy = "http://localhost:" .. TINYPROXY:match ":(%d+)$"
    local hooks, by_request, order = watch.recorder()
    local session <close> = http.session { proxy = proxy, trace = hooks }
    session:get(URL .. "/bytes/3")
    watch.judged(by_request[order[1]])
    local event = named(by_request[order[1]], "dns_resolvehost_start")
      or named(by_request[order[1]], "dns_cache_hit")
    equal(event.host, "localhost")
  end)

  it("over HTTP/2, many requests share a connection", function()
    local hooks, by_request, order = watch.recorder()
    local session <close> = http.session { http2 = HTTP2, tls = TRUST, trace = hooks }
    local function get() return session:get(NGINX .. "/").version end
    equal(get(), "2")
    task.gather(task.map(get, { 1, 2, 3 }))
    local first = watch.judged(by_request[order[1]])
    equal(first:gsub(" connection_attempt", ""),
      watch.spelt "start create created sent head body end")
    for i = 2, 4 do
      equal(watch.judged(by_request[order[i]]), watch.spelt "start reuse sent head body end")
    end
  end)

  it("over HTTP/2, a body that is sent", function()
    local hooks, by_request, order = watch.recorder()
    local session <close> = http.session { http2 = HTTP2, tls = TRUST, trace = hooks }
    session:post(NGINX .. "/upstream/echo", { body = "hello" })
    watch.judged(by_request[order[1]])
    equal(named(by_request[order[1]], "request_chunk_sent").chunk, "hello")
  end)
end)
