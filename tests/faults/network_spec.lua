-- SPDX-License-Identifier: MIT
-- Addresses that do not answer or that refuse, several addresses of one name, and the sockets of a
-- child process.
-- peers: tls blackhole faulty
-- check: allow blocks
local task, http = require "septet.task", require "septet.http"
local faulty, origin = require "faulty", require "origin"

local URL, PORT = origin.url, origin.port
local BLACKHOLE = assert(os.getenv "SEPTET_BLACKHOLE")
local NOBODY = "127.0.0.3" -- nothing listens there

-- Checks that another request goes on while fn runs.
local function beside(fn)
  local other = task.spawn(http.get, URL .. "/delay/0.05")
  fn()
  equal(other:await().status, 200)
end

-- Returns a session that knows these addresses of `name`, and the origin's URL with that name.
local function session_at(addresses, options)
  options = options or {}
  options.resolve = { ["spec.invalid:" .. PORT] = addresses }
  return http.session(options), "http://spec.invalid:" .. PORT
end

describe("an address", function()
  it("fault.6 an address that refuses is an error at once, and is tried anew", function()
    local session <close> = http.session()
    for _ = 1, 3 do
      beside(function()
        raises_error({ kind = "HttpError", code = "connect", reason = "refused",
          phase = "connect" }, session.get, session, ("http://%s:%d/"):format(NOBODY, PORT))
      end)
    end
    equal(session:get(URL .. "/bytes/1").status, 200)
  end)

  it("fault.7 http.11 a silent address runs into the connect timeout", function()
    local session <close> = http.session { timeout = { connect = 0.1 } }
    local t0 = task.now()
    with_ticker(raises_error,
      { kind = "HttpError", code = "timeout", reason = "connect", phase = "connect" }, session.get,
      session, ("http://%s:%d/bytes/1"):format(BLACKHOLE, PORT))
    equal(task.now() - t0 >= 0.1, true)
    equal(session:get(URL .. "/bytes/1").status, 200)
  end)

  it("fault.7 a silent address is given up at once by a cancellation", function()
    local session <close> = http.session { timeout = { connect = 3600 } }
    local t = task.spawn(session.get, session, ("http://%s:%d/bytes/1"):format(BLACKHOLE, PORT))
    turns(5)
    t:cancel()
    raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(session:get(URL .. "/bytes/1").status, 200)
  end)

  it("fault.7 a silent address runs into the total timeout", function()
    local session <close> = http.session { timeout = 0.2 }
    raises_error({ code = "timeout", reason = "total", phase = "connect" }, session.get, session,
      ("http://%s:%d/bytes/1"):format(BLACKHOLE, PORT))
  end)

  it("fault.7 a silent address does not delay requests to another", function()
    local session <close> = http.session {
      timeout = { connect = 3600 }, limit = 100, limit_per_host = 50,
    }
    local stuck = {}
    for i = 1, 50 do
      stuck[i] = task.spawn(session.get, session, ("http://%s:%d/bytes/1"):format(BLACKHOLE, PORT))
    end
    for _ = 1, 20 do equal(session:get(URL .. "/bytes/1").status, 200) end
    for _, t in ipairs(stuck) do
      equal(t:status(), "suspended")
      t:cancel()
    end
    task.wait(stuck)
  end)

  it("http.38 a URL may have an address of IPv6", function()
    local session <close> = http.session()
    local mark = faulty.mark()
    for _, address in ipairs { "[::1]", "[0:0:0:0:0:0:0:1]", "[0000::0001]" } do
      equal(session:get(("http://%s:%d/"):format(address, faulty.port.ipv6)).body, "ok")
    end
    local hosts = {}
    for i, seen in ipairs(faulty.logged(mark, "ipv6")) do hosts[i] = seen.host end
    equal(hosts,
      { "[::1]:" .. faulty.port.ipv6, "[::1]:" .. faulty.port.ipv6, "[::1]:" .. faulty.port.ipv6 })
    raises_error({ code = "connect", reason = "refused" }, session.get, session, "http://[::1]:1/")
    raises_error({ code = "url", reason = "host" }, session.get, session, "http://[::1/")
    raises_error({ code = "url" }, session.get, session, "http://[::zz]/")
  end)

  it("http.38 a URL with a user is refused, and its password not quoted", function()
    local session <close> = http.session()
    local mark = origin.mark()
    for _, userinfo in ipairs { "user:hunter2@", "hunter2@", ":hunter2@" } do
      local err = raises_error({ code = "url", reason = "userinfo" }, session.get, session,
        URL:gsub("//", "//" .. userinfo) .. "/bytes/1")
      equal(tostring(err):find("hunter2", 1, true), nil)
    end
    equal(#origin.requests(mark, "/bytes/1"), 0)
  end)
end)

describe("a name of several addresses", function()
  local function reaches(addresses, options)
    local session, url = session_at(addresses, options)
    local _ <close> = session
    beside(function() equal(session:get(url .. "/bytes/16").body, "0123456789abcdef") end)
    return session:get(url .. "/bytes/3")
  end

  it("http.9 a name is reached at its second address, if the first refuses", function()
    reaches(NOBODY .. ",127.0.0.1")
    reaches(("127.0.0.4,%s,127.0.0.1"):format(NOBODY))
  end)

  it("http.9 a name is given up if all its addresses refuse", function()
    local session, url = session_at(NOBODY .. ",127.0.0.4")
    local _ <close> = session
    raises_error({ kind = "HttpError", code = "connect", reason = "refused" }, session.get, session,
      url)
  end)

  it("http.10 a name is reached at its second address, if the first is silent", function()
    -- The first address gets half of the time. The rest is more than a machine stands still.
    reaches(BLACKHOLE .. ",127.0.0.1", { timeout = { connect = 6 } })
  end)

  it("fault.9 a name is reached by IPv4, if IPv6 is silent", function()
    -- The other address is tried at the same time, so that the test takes less time than one
    -- address may take.
    reaches("[::1],127.0.0.1", { timeout = { connect = 3600 } })
    reaches("127.0.0.1,[::1]", { timeout = { connect = 3600 } })
  end)

  it("fault.9 a name is reached by IPv4 also for https, if IPv6 is silent", function()
    local tls_url = os.getenv "SEPTET_TLS_ORIGIN"
    local port = tls_url:match ":(%d+)$"
    local session <close> = http.session { resolve = { ["localhost:" .. port] = "[::1],127.0.0.1" },
      timeout = { connect = 3600 }, tls = { ca_file = os.getenv "SEPTET_TLS" .. "/ca.pem" } }
    local list = {}
    for i = 1, 8 do
      list[i] = function() return session:get("https://localhost:" .. port .. "/bytes/3").body end
    end
    for _, body in ipairs(task.gather(list)) do equal(body, "012") end
    equal(session:get(URL .. "/bytes/1").status, 200)
  end)

  it("fault.9 a name runs into the timeout, if both families are silent", function()
    local session, url = session_at("[::1]," .. BLACKHOLE, { timeout = { connect = 0.3 } })
    local _ <close> = session
    local t0 = task.now()
    raises_error({ kind = "HttpError", code = "timeout", reason = "connect", phase = "connect" },
      session.get, session, url)
    equal(task.now() - t0 >= 0.3, true)
  end)

  it("a name with an invalid address is refused", function()
    misuse("an address expected for 'a:1'", function()
      http.session { resolve = { ["a:1"] = "127.0.0.1, ::1" } }
    end)
    misuse("an address expected for 'a:1'", function()
      http.session { resolve = { ["a:1"] = "host" } }
    end)
  end)
end)

describe("a child of this process", function()
  -- The inodes of all sockets of the network.
  local function network()
    local inodes = {}
    for _, kind in ipairs { "tcp", "tcp6", "udp", "udp6" } do
      for line in io.lines("/proc/net/" .. kind) do
        inodes[line:match "^%s*%d+: %S+ %S+ %x+ %S+ %S+ %S+%s+%d+%s+%d+%s+(%d+)" or ""] = true
      end
    end
    return inodes
  end

  -- Returns the network sockets that a command has open, without the pairs by which libcurl wakes
  -- itself.
  local function connections_of(command)
    local listing <close> = io.popen(command)
    local inodes, n = network(), 0
    for line in listing:lines() do
      if inodes[line:match "socket:%[(%d+)%]" or "none"] then n = n + 1 end
    end
    return n
  end

  local INHERITED = "ls -l /proc/self/fd"
  local OWN = ("ls -l /proc/%d/fd"):format(io.open "/proc/self/stat":read "n")

  it("http.48 a child process gets none of the connections, active or idle", function()
    equal(connections_of(INHERITED), 0)
    local session <close> = http.session { timeout = { connect = 3600 },
      tls = { ca_file = os.getenv "SEPTET_TLS" .. "/ca.pem" } }
    session:get(URL .. "/bytes/1")
    session:get(os.getenv "SEPTET_TLS_ORIGIN" .. "/bytes/1")
    local mark = origin.mark()
    local busy = {
      task.spawn(session.get, session, URL .. "/stall?spec=child"),
      task.spawn(session.get, session, ("http://%s:%d/"):format(BLACKHOLE, PORT)),
    }
    origin.eventually(function() return origin.requests(mark, "/stall?spec=child")[1] end)
    equal(connections_of(OWN) >= 4, true)
    equal(connections_of(INHERITED), 0)
    for _, t in ipairs(busy) do t:cancel() end
    task.wait(busy)
  end)
end)
