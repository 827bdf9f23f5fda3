-- SPDX-License-Identifier: MIT
-- The common cases against nginx, which shares no code with the origin of the other specs.
-- peers: nginx
local task, http = require "septet.task", require "septet.http"
local origin = require "origin"

local URL, TLS_URL = os.getenv "SEPTET_NGINX", os.getenv "SEPTET_NGINX_TLS"
local TRUST = { ca_file = os.getenv "SEPTET_TLS" .. "/ca.pem" }
local LOG = os.getenv "SEPTET_NGINX_LOG"
local SMALL, LARGE = "0123456789abcdef", ("0123456789abcdef"):rep(65536)

-- Waits for n lines of nginx's log for a path with its query, and returns them.
local function logged(target, n)
  return origin.eventually(function()
    local found = {}
    for line in io.lines(LOG) do
      local connection, seen, status, reused = line:match '^(%d+) "%u+ (%S+) %S+" (%d+) .- (%S+)$'
      if seen == target then
        found[#found + 1] = { connection = connection, status = status, resumed = reused == "r" }
      end
    end
    return #found == n and found
  end)
end

for scheme, base in pairs { http = URL, https = TLS_URL } do
  describe("nginx, by " .. scheme .. ",", function()
    it("a connection is kept, and replaced after fifty requests", function()
      local session <close> = http.session { tls = TRUST }
      local target = "/small.txt?keep=" .. scheme
      for _ = 1, 60 do equal(session:get(base .. target).body, SMALL) end
      local connections, n = {}, 0
      for _, line in ipairs(logged(target, 60)) do
        n = n + (connections[line.connection] and 0 or 1)
        connections[line.connection] = true
      end
      equal(n, 2)
    end)

    it("a compressed body is decoded", function()
      local session <close> = http.session { tls = TRUST }
      local r = session:get(base .. "/large.txt")
      equal({ r.status, r.headers["content-encoding"], r.body == LARGE }, { 200, "gzip", true })
      r = session:get(base .. "/large.txt", { headers = { ["Accept-Encoding"] = false } })
      equal({ r.headers["content-encoding"], r.body == LARGE }, { nil, true })
    end)

    it("a range is served", function()
      local session <close> = http.session { tls = TRUST }
      local function range(value)
        return session:get(base .. "/large.txt",
          { headers = { Range = value, ["Accept-Encoding"] = false } })
      end
      local r = range "bytes=3-6"
      equal({ r.status, r.body, r.headers["content-range"] }, { 206, "3456", "bytes 3-6/1048576" })
      equal(range("bytes=-2").body, "ef")
      equal(range("bytes=2000000-").status, 416)
    end)

    it("an unchanged file is a 304", function()
      local session <close> = http.session { tls = TRUST }
      local etag = session:get(base .. "/small.txt").headers.etag
      local r = session:get(base .. "/small.txt", { headers = { ["If-None-Match"] = etag } })
      equal({ r.status, r.body }, { 304, "" })
      equal(session:get(base .. "/small.txt").body, SMALL)
    end)

    it("every kind of status is a response, also without a body", function()
      local session <close> = http.session { tls = TRUST }
      equal({ session:get(base .. "/204").status, session:get(base .. "/204").body }, { 204, "" })
      equal(session:get(base .. "/nothing").status, 404)
      equal(session:delete(base .. "/small.txt").status, 405)
      local r = session:head(base .. "/large.txt", { headers = { ["Accept-Encoding"] = false } })
      equal({ r.status, r.headers["content-length"], r.body }, { 200, "1048576", "" })
      equal(session:get(base .. "/small.txt").body, SMALL)
    end)

    it("redirects are followed", function()
      local session <close> = http.session { tls = TRUST }
      local r = session:get(base .. "/moved")
      equal({ r.status, r.body, #r.history, r.history[1].status }, { 200, SMALL, 1, 301 })
    end)

    it("bodies are accepted, and one that is too large is refused", function()
      local session <close> = http.session { tls = TRUST }
      local seen = origin.decode(session:post(base .. "/upstream/echo",
        { body = origin.pattern(500000) }).body)
      equal({ seen.method, seen.body_size }, { "POST", 500000 })
      local ok, result = pcall(session.post, session, base .. "/upstream/echo",
        { body = ("x"):rep(4000000) })
      equal(ok and result.status or result.code, ok and 413 or "reset")
      equal(session:get(base .. "/small.txt").body, SMALL)
    end)

    it("a hundred requests are served at once", function()
      local session <close> = http.session { limit = 100, limit_per_host = 20, tls = TRUST }
      local paths = {}
      for i = 1, 100 do paths[i] = i % 3 == 0 and "/large.txt" or "/small.txt" end
      local tasks = task.map(function(path) return session:get(base .. path).body end, paths)
      for i, t in ipairs(tasks) do equal(t:await() == (i % 3 == 0 and LARGE or SMALL), true) end
    end)

    it("a body is streamed", function()
      local session <close> = http.session { tls = TRUST }
      local r <close> = session:stream("GET", base .. "/large.txt")
      local n = 0
      for piece in r:chunks() do n = n + #piece end
      equal(n, #LARGE)
    end)
  end)
end

describe("nginx, by https,", function()
  it("http.36 a second connection resumes the TLS session", function()
    local session <close> = http.session { tls = TRUST }
    for _ = 1, 3 do
      equal(session:get(TLS_URL .. "/small.txt?resume",
        { headers = { Connection = "close" } }).body, SMALL)
    end
    local seen = logged("/small.txt?resume", 3)
    equal({ seen[1].resumed, seen[2].resumed, seen[3].resumed }, { false, true, true })
  end)
end)

describe("nginx, by HTTP/2,", function()
  it("HTTP/2 is used as far as libcurl permits", function()
    local session <close> = http.session { tls = TRUST, http2 = "force", limit_per_host = 8 }
    local r = session:get(TLS_URL .. "/small.txt")
    equal({ r.status, r.version, r.body }, { 200, "2", SMALL })
    local list = {}
    for i = 1, 8 do
      list[i] = function() return session:get(TLS_URL .. "/large.txt").body == LARGE end
    end
    for _, whole in ipairs(task.gather(list)) do equal(whole, true) end
    equal(session:head(TLS_URL .. "/small.txt").body, "")
  end)
end)
