-- SPDX-License-Identifier: MIT
-- Scripts of test_permit.c, with the functions of permit_fixture.h.
-- check: globals origin
local task, http = require "septet.task", require "septet.http"
local asked, assert_asked, deny, socket = _G.asked, _G.assert_asked, _G.deny, _G.socket

local scripts = {}
local port = origin:match ":(%d+)$"
local address, named = "127.0.0.1:" .. port, "http://name.test:" .. port
local here = "connect " .. address
local RESOLVE = { ["name.test:" .. port] = "127.0.0.1", ["other.test:" .. port] = "127.0.0.1" }

local function assert_denied(what, fn, ...)
  local ok, e = pcall(fn, ...)
  assert(not ok and task.is(e, "HttpError"), tostring(e))
  assert(e.code == "denied" and e.reason == "permit", tostring(e))
  assert(tostring(e):find(what .. " is denied by the embedder", 1, true), tostring(e))
  return e
end

local function open(proxy)
  return http.session { resolve = RESOLVE, proxy = proxy }
end

function scripts.a_connection_is_asked_about_by_name_and_by_address()
  local session <close> = open()
  assert(session:get(origin .. "/bytes/1").status == 200)
  assert_asked(here, here)
  assert(session:get(named .. "/bytes/1").status == 200)
  assert_asked("connect name.test:" .. port, here)
  assert(session:get(named .. "/bytes/1").status == 200) -- on the open connection
  assert_asked("connect name.test:" .. port, here)
  assert(session:stream("GET", named .. "/bytes/1").body == "0")
  assert_asked("connect name.test:" .. port, here)
end

function scripts.a_name_that_is_denied_is_not_looked_up()
  local session <close> = http.session { resolver = "127.0.0.1:1" }
  asked()
  deny "connect refused.test:80"
  local e = assert_denied("host 'refused.test'", session.get, session, "http://REFUSED.test/")
  assert(e.phase == "queue", e.phase)
  assert_asked "connect refused.test:80"
  deny "connect [::1]:9"
  assert_denied("host '[::1]'", session.get, session, "http://[0:0::1]:9/")
  assert_asked "connect [::1]:9"
end

function scripts.an_address_that_is_denied_gets_no_connection()
  local session <close> = open()
  deny(here)
  assert_denied("address '127.0.0.1'", session.get, session, named .. "/bytes/1")
  assert_asked("connect name.test:" .. port, here)
  assert(session:stats().connections_made == 0)
end

function scripts.an_open_connection_is_denied()
  local session <close> = open()
  assert(session:get(named .. "/bytes/1").status == 200)
  deny(here)
  assert_denied("address '127.0.0.1'", session.get, session, named .. "/bytes/1")
  assert_asked("connect name.test:" .. port, here, "connect name.test:" .. port, here)
  deny ""
  assert(session:get(named .. "/bytes/1").status == 200)
end

function scripts.a_redirect_is_asked_about()
  local session <close> = open()
  local target = "http://other.test:" .. port .. "/bytes/1"
  local url = named .. "/redirect-to?url=" .. target
  assert(session:get(url).url == target)
  assert_asked("connect name.test:" .. port, here, "connect other.test:" .. port, here)
  deny("connect other.test:" .. port)
  assert_denied("host 'other.test'", session.get, session, url)
  assert_asked("connect name.test:" .. port, here, "connect other.test:" .. port)
end

function scripts.a_proxy_is_asked_about_as_the_connection_it_is()
  local session <close> = open("http://user:p@" .. address)
  assert(session:get "http://name.test/bytes/1")
  assert_asked("connect name.test:80", here, here)
  deny(here)
  assert_denied("proxy '" .. address .. "'", session.get, session, "http://name.test/bytes/1")
  assert_asked("connect name.test:80", here)
  deny "connect name.test:80"
  assert_denied("host 'name.test'", session.get, session, "http://name.test/bytes/1")
  assert_asked "connect name.test:80"
  deny "connect 127.0.0.1:1080"
  assert_denied("proxy '127.0.0.1'", session.get, session, "http://name.test/",
    { proxy = "socks5h://127.0.0.1" })
  assert_asked("connect name.test:80", "connect 127.0.0.1:1080")
end

function scripts.a_proxy_of_the_environment_is_asked_about_by_its_address()
  local session <close> = open "environment"
  asked()
  assert(session:get "http://name.test/bytes/1")
  assert_asked("connect name.test:80", here)
  deny(here)
  assert_denied("address '127.0.0.1'", session.get, session, "http://name.test/bytes/1")
end

function scripts.a_unix_socket_is_asked_about_by_its_path()
  local session <close> = http.session { unix_socket = socket }
  assert(session:get "http://name.test/bytes/1".status == 200)
  assert_asked("write " .. socket, "connect unix:" .. socket)
  assert(session:get "http://name.test/bytes/1".status == 200)
  assert_asked("connect unix:" .. socket)
  deny("connect unix:" .. socket)
  assert_denied("unix socket '" .. socket .. "'", session.get, session, "http://name.test/")
end

function scripts.a_dns_server_is_asked_about()
  local _ <close> = http.session { resolver = "127.0.0.1:1,[::1],127.0.0.2" }
  assert_asked("connect 127.0.0.1:1", "connect [::1]:53", "connect 127.0.0.2:53")
  deny "connect [::1]:53"
  assert_denied("DNS server '[::1]'", http.session, { resolver = "127.0.0.1:1,[::1],127.0.0.2" })
  local _ <close> = http.session { resolver = "system" }
end

return scripts
