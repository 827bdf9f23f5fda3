-- SPDX-License-Identifier: MIT
-- septet.http: digest authentication, by the session and by a request.
local http = require "septet.http"
local origin = require "origin"

local URL = origin.url

describe("a digest", function()
  local ALGORITHMS = { "MD5", "SHA-256" }

  local function target(algorithm, more)
    return URL .. "/digest?algorithm=" .. algorithm .. (more or "")
  end
  local known = { user = "lion", password = "Circle of Life", digest = true }

  it("a digest answers the server's challenge, and gives the whole response", function()
    for _, algorithm in ipairs(ALGORITHMS) do
      local session <close> = http.session { auth = known }
      local mark = origin.mark()
      local r = session:get(target(algorithm))
      equal({ r.status, origin.decode(r.body).method, r.headers["x-challenge"], r.reason },
        { 200, "GET", nil, "OK" })
      equal(#r.headers:all "content-type", 1)
      local requests = origin.requests(mark)
      equal({ #requests, requests[1].headers.authorization }, { 2, nil })
      equal(requests[2].headers.authorization:match "algorithm=([%w-]+)", algorithm)
      equal(requests[2].headers.authorization:find(known.password, 1, true), nil)
      equal(session:head(target(algorithm)).status, 200)
    end
  end)

  it("http.30 a digest sends the body after the server asked for it", function()
    for _, more in ipairs { "", "&close=1" } do
      local session <close> = http.session { auth = known }
      local mark, body = origin.mark(), ("0123456789"):rep(20000)
      for _, method in ipairs { "POST", "PUT" } do
        local r = session:request(method, target("MD5", more), { body = body })
        equal({ r.status, origin.decode(r.body).body == body }, { 200, true })
      end
      local sizes = {}
      for i, request in ipairs(origin.requests(mark)) do sizes[i] = request.body_size end
      equal(sizes, { 0, #body, 0, #body })
    end
  end)

  it("http.30 a digest sends the body again after a stale challenge, if it can", function()
    local session <close> = http.session { auth = known }
    local function pieces(n)
      return function()
        n = n - 1
        return n >= 0 and ("x"):rep(1024) or nil
      end
    end
    local mark = origin.mark()
    for _, body in ipairs { ("x"):rep(2048), pieces(2) } do
      equal(origin.decode(session:post(target("MD5", "&stale="), { body = body }).body).body_size,
        2048)
    end
    local sizes = {}
    for i, request in ipairs(origin.requests(mark)) do sizes[i] = request.body_size end
    equal(sizes, { 0, 2048, 2048, 0, 2048, 2048 })
    raises_error({ code = "protocol", reason = "rewind" },
      session.post, session, target("MD5", "&stale="),
      { body = pieces(1024) })
  end)

  it("a wrong digest gives a 401 like any other", function()
    local session <close> = http.session { auth = { user = "lion", digest = true } }
    local r = session:get(target "MD5")
    equal({ r.status, r.body, r.headers["x-challenge"] }, { 401, "who are you?\n", "1" })
    raises_error({ code = "status", status = 401 }, r.raise_for_status, r)
    equal(session:post(target "MD5", { body = "x" }).status, 401)
    r = session:get(URL .. "/status/401", { auth = known }) -- a 401 without a challenge
    equal({ r.status, r.body }, { 401, "status 401\n" })
    equal(session:get(URL .. "/bytes/2", { auth = known }).body, "01")
  end)

  it("both exchanges of a digest count in the times, and in one record of the trace", function()
    local ended, xfers = 0, {}
    require "septet.trace".subscribe(function(e)
      if e.kind == "xfer" then xfers[#xfers + 1] = e end
    end)
    local session <close> = http.session { auth = known, trace = { request_end = function()
      ended = ended + 1
    end } }
    for _, more in ipairs { "", "", "&close=1", "&close=1" } do
      local times, sum = session:get(target("MD5", more)).times, 0
      for name, seconds in pairs(times) do
        equal(seconds >= 0, true, name)
        sum = sum + (name ~= "total" and seconds or 0)
      end
      equal(math.abs(sum - times.total) < 1e-6, true)
    end
    origin.eventually(function() return #xfers >= 4 end)
    equal({ ended, #xfers, xfers[1].status, xfers[1].reused, xfers[2].reused },
      { 4, 4, 200, false, true })
  end)

  it("a digest has the limits of any exchange", function()
    local session <close> = http.session { auth = known, timeout = { first_byte = 0.02 } }
    raises_error({ reason = "first_byte", phase = "wait" },
      session.post, session, URL .. "/stall", { body = "x" })
    raises_error({ reason = "idle", phase = "receive" },
      session.get, session, URL .. "/stall?after=1",
      { timeout = { idle = 0.02, first_byte = 60 } })
  end)

  it("a digest works for the head of a stream, and for a body of an iterator", function()
    local session <close> = http.session { auth = known }
    do
      local r <close> = session:stream("GET", target "MD5")
      equal({ r.status, r.headers["x-challenge"], origin.decode(r:read()).method },
        { 200, nil, "GET" })
    end
    local left = 3
    local function body()
      left = left - 1
      return left >= 0 and ("x"):rep(1000) or nil
    end
    equal(origin.decode(session:post(target "MD5", { body = body }).body).body_size, 3000)
    local bodies = {
      ["/digest"] = "who are you?\n", ["/status/401"] = "status 401\n",
      ["/redirect-to?status=401"] = "",
    }
    for path, expected in pairs(bodies) do
      local r <close> = session:stream("GET", URL .. path,
        { auth = { user = "nobody", digest = true } })
      equal({ r.status, r:read() }, { 401, expected })
    end
  end)

  it("a digest is not given to another origin", function()
    local other = "other.invalid:" .. origin.port
    local session <close> = http.session { auth = known, resolve = { [other] = "127.0.0.1" } }
    local anybody <close> = http.session { resolve = { [other] = "127.0.0.1" } }
    local elsewhere = ("http://%s/digest?algorithm=MD5"):format(other)
    local there = URL .. "/redirect-to?url=" .. elsewhere
    local back = ("http://%s/redirect-to?url=%s"):format(other, target "MD5")
    local mark = origin.mark()
    local r = session:get(there)
    equal({ r.status, r.url, #origin.requests(mark) }, { 401, elsewhere, 2 })
    r = anybody:get(there, { auth = known, timeout = { idle = 60 } })
    equal({ r.status, #origin.requests(mark) }, { 401, 4 })
    equal(session:get(back).status, 401)
    equal(session:get(URL .. "/redirect-to?url=/digest").status, 200)
  end)

  it("a digest without a user, or with a control character, is refused", function()
    misuse("either 'user' or 'bearer' expected", function()
      http.session { auth = { digest = true } }
    end)
    misuse("has no 'password' and no 'digest'", function()
      http.session { auth = { bearer = "t", digest = true } }
    end)
    misuse("control character", function()
      http.session { auth = { user = "a\r\nb", digest = true } }
    end)
    misuse("NUL", function()
      http.session { auth = { user = "a", password = "\0", digest = true } }
    end)
    misuse("did you mean 'digest'", function()
      http.session { auth = { user = "a", digets = true } }
    end)
    misuse("a table or false expected, got string", function() http.session { auth = "a:b" } end)
  end)
end)
