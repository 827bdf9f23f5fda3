-- SPDX-License-Identifier: MIT
-- Scripts of test_permit_net.c, with the functions of permit_fixture.h.
local task, net = require "septet.task", require "septet.net"
local asked, assert_asked, deny, DNS = _G.asked, _G.assert_asked, _G.deny, _G.DNS

local scripts = {}

local function assert_denied(reason, fn, ...)
  local ok, e = pcall(fn, ...)
  assert(not ok and task.is(e, "IoError"), tostring(e))
  assert(e.code == "denied" and e.reason == reason, tostring(e))
  return e
end

-- Returns a server on a free port, about which nothing has been asked.
local function listen()
  local server = net.listen()
  asked()
  return server, server.port
end

function scripts.a_connection_is_asked_about_by_name_and_by_each_address()
  local server <close>, port = listen()
  net.connect { host = "LOCALHOST", port = port }:close()
  assert_asked("connect localhost:" .. port, "connect [::1]:" .. port, "connect 127.0.0.1:" .. port)
  net.connect { host = "127.0.0.1", port = port }:close()
  assert_asked("connect 127.0.0.1:" .. port, "connect 127.0.0.1:" .. port)
  net.connect { host = "a-127-0-0-1.test", port = port, resolver = DNS }:close()
  assert_asked("connect " .. DNS, "connect a-127-0-0-1.test:" .. port, "connect 127.0.0.1:" .. port)
  server:close()
end

function scripts.a_name_that_is_denied_is_not_looked_up()
  deny "connect name.test:1"
  for _, host in ipairs { "name.test", "NAME.test", "n%61me.test" } do
    local e = assert_denied("permit", net.connect, { host = host, port = 1, resolver = DNS })
    assert(tostring(e):find("denied by the embedder", 1, true))
    assert_asked("connect " .. DNS, "connect name.test:1")
  end
end

function scripts.an_address_is_denied_in_all_its_forms()
  deny "connect 127.0.0.1:1"
  for _, host in ipairs { "127.0.0.1", "127.1", "0x7f.1", "2130706433", "0177.0.0.1" } do
    assert_denied("permit", net.connect, { host = host, port = 1 })
    assert_asked "connect 127.0.0.1:1"
  end
  for _, host in ipairs { "::ffff:127.0.0.1", "[::ffff:7f00:1]", "0.0.0.0", "0",
    "aaaa---ffff-7f00-1.test", "a-0-0-0-0.test" } do
    assert_denied("permit", net.connect, { host = host, port = 1, resolver = DNS })
    assert(asked():find "\nconnect 127%.0%.0%.1:1$")
  end
  deny "connect [::1]:1"
  assert_denied("permit", net.connect, { host = "::", port = 1 })
  assert_asked("connect [::]:1", "connect [::1]:1")
  for _, host in ipairs { "::1", "[::1]", "0:0::0001" } do
    assert_denied("permit", net.connect, { host = host, port = 1 })
    assert_asked "connect [::1]:1"
  end
end

function scripts.a_name_that_leads_to_a_denied_address_gets_no_connection()
  local server <close>, port = listen()
  deny("connect 127.0.0.1:" .. port)
  for _, name in ipairs { "a-127-0-0-1.test", "cname.a-127-0-0-1.test" } do
    assert_denied("permit", net.connect, { host = name, port = port, resolver = DNS })
  end
  local t = task.spawn(server.accept, server)
  task.sleep(0.01)
  assert(t:status() == "suspended") -- no connection has arrived
  t:cancel()
end

function scripts.a_name_goes_on_with_an_address_that_is_permitted()
  local server <close> = net.listen { host = "127.0.0.3" }
  deny("connect 127.0.0.1:" .. server.port)
  local c <close> = net.connect { host = "a-127-0-0-1.a-127-0-0-3.test", port = server.port,
    resolver = DNS }
  assert(c.peer == "127.0.0.3:" .. server.port)
end

function scripts.a_server_is_asked_about_by_its_address()
  local server <close>, port = listen()
  server:close()
  asked()
  deny("listen 127.0.0.1:" .. port)
  for _, host in ipairs { "127.0.0.1", "localhost", "LocalHost", "a.localhost" } do
    local e = assert_denied(nil, net.listen, { host = host, port = port })
    assert(tostring(e):find("denied by the host", 1, true))
    assert_asked("listen 127.0.0.1:" .. port)
  end
  for host, subject in pairs { ["::1"] = "[::1]", ["[::1]"] = "[::1]", ["0:0::1"] = "[::1]",
    ["::ffff:127.0.0.1"] = "127.0.0.1",
    ["0.0.0.0"] = "0.0.0.0", ["::"] = "[::]", ["127.0.0.2"] = "127.0.0.2" } do
    deny(("listen %s:%d"):format(subject, port))
    assert_denied(nil, net.listen, { host = host, port = port })
    assert_asked(("listen %s:%d"):format(subject, port))
  end
  deny "listen 127.0.0.1:0"
  assert_denied(nil, net.listen)
end

function scripts.a_unix_socket_is_asked_about_by_its_path()
  local path = ("/tmp/septet-permit-%d"):format(math.random(1 << 40))
  deny("listen unix:" .. path)
  assert(assert_denied(nil, net.listen, { path = path }).path == path)
  assert_asked("listen unix:" .. path)
  for _, subject in ipairs { "write " .. path, "connect unix:" .. path } do
    deny(subject)
    local ok, e = pcall(net.connect, { path = path })
    assert(not ok and e.code == "denied" and e.path == path, tostring(e))
  end
  assert_asked("write " .. path, "write " .. path, "connect unix:" .. path)
  deny "nothing"
  local _ <close> = net.listen { path = path }
  net.connect { path = path }:close()
end

function scripts.a_dns_server_is_asked_about()
  deny("connect " .. DNS)
  assert_denied("permit", net.connect, { host = "a-127-0-0-1.test", port = 1, resolver = DNS })
  assert_asked("connect " .. DNS)
end

function scripts.a_redis_server_is_asked_about_as_any_other()
  local jobs = require "septet.jobs"
  local function refused(url, words)
    local ok, e = pcall(jobs.open, url)
    assert(not ok and task.is(e, "JobsError") and e.code == "unreachable", tostring(e))
    assert(tostring(e):find(words, 1, true), tostring(e))
  end
  deny "connect name.test:1"
  refused("redis://NAME.test:1/", "denied by the embedder")
  assert_asked "connect name.test:1"
  deny "connect 127.0.0.1:1"
  for _, host in ipairs { "127.0.0.1", "127.1", "0" } do
    refused(("redis://%s:1/"):format(host), "denied by the embedder")
    assert(asked():find "connect 127%.0%.0%.1:1$")
  end
  local path = "/tmp/septet-none"
  deny("write " .. path)
  refused("unix://" .. path, "denied by the embedder")
  assert_asked("write " .. path)
  deny("connect unix:" .. path)
  refused("unix://" .. path, "denied by the embedder")
  assert_asked("write " .. path, "connect unix:" .. path)
  deny "nothing"
  refused("unix://" .. path, "no such file")
  local server <close>, port = listen()
  local t = task.spawn(server.accept, server)
  task.spawn(function() t:await():close() end)
  refused(("redis://localhost:%d/"):format(port), "closed")
  assert(asked():find("connect localhost:" .. port, 1, true))
end

function scripts.the_standard_profile_connects_and_does_nothing_else()
  local function refused(fn, ...)
    local ok, e = pcall(fn, ...)
    assert(not ok and task.is(e, "IoError") and e.code == "denied", tostring(e))
  end
  for _, options in ipairs { {}, { port = 1 }, { host = "::1" }, { host = "0.0.0.0" },
    { path = "/tmp/septet-x" } } do
    refused(net.listen, options)
  end
  refused(net.connect, { path = "/tmp/septet-x" })
  local ok, e = pcall(net.connect, { host = "127.0.0.1", port = 1 })
  assert(not ok and e.code == "ECONNREFUSED", tostring(e))
end

return scripts
