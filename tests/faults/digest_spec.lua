-- SPDX-License-Identifier: MIT
-- Digest authentication: the server checks every proof, and the client does not retry for ever.
local http, task = require "septet.http", require "septet.task"
local origin = require "origin"

local URL = origin.url
local KNOWN = { user = "lion", password = "Circle of Life", digest = true }
local ALGORITHMS = {
  "", "MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess", "sha-256",
}

local serial = 0

-- The URL of a server with these parameters, of its own.
local function prover(params)
  serial = serial + 1
  local parts = {}
  for name, value in pairs(params) do
    parts[#parts + 1] = name .. "=" .. value:gsub("[^%w]", function(c)
      return ("%%%02X"):format(c:byte())
    end)
  end
  table.sort(parts)
  return ("%s/prove/k%d?%s"):format(URL, serial, table.concat(parts, "&"))
end

local function requests_of(url, mark)
  return origin.requests(mark, url:sub(#URL + 1))
end

local ways = {
  request = function(session, method, url, body)
    return session:request(method, url, { body = body })
  end,
  stream = function(session, method, url, body)
    local r <close> = session:stream(method, url, { body = body })
    return { status = r.status, body = r:read() }
  end,
}

-- Where the origin reads and sends each byte by itself, a long body takes seconds.
local long = os.getenv "SEPTET_ORIGIN_ONE_BYTE" and 3000 or 100000

local bodies = {
  GET = { false }, HEAD = { false }, DELETE = { false }, PUT = { "", "text", ("x"):rep(long) },
  POST = { "", "text" }, MERGE = { "text" },
}

describe("H-14: each proof is right", function()
  for _, algorithm in ipairs(ALGORITHMS) do
    for _, qop in ipairs { "none", "auth", "auth-int", "auth-int, auth" } do
      it(("the proof is right with algorithm '%s' and qop '%s'"):format(algorithm, qop), function()
        local params = {
          algorithm = algorithm ~= "" and algorithm or nil, qop = qop ~= "none" and qop or nil,
        }
        if algorithm == "sha-256" then params.algorithm = "SHA-256" end
        for name, send in pairs(ways) do
          for method, list in pairs(bodies) do
            for _, body in ipairs(list) do
              params.fresh = method == "GET" and "1" or nil
              local session <close> = http.session { auth = KNOWN }
              local url, what = prover(params), ("%s by %s"):format(method, name)
              for _ = 1, 2 do
                local r = send(session, method, url, body or nil)
                equal({ what, r.status }, { what, 200 })
                if method ~= "HEAD" then
                  equal(origin.decode(r.body).body_size, body and #body or 0)
                end
              end
            end
          end
        end
      end)
    end
  end

  it("the proof is right with odd realms, opaque, a hashed user, and URLs as sent", function()
    for _, more in ipairs {
      { realm = 'he"re' }, { realm = "a\\b" }, { realm = "a, qop=x" }, { realm = "" },
      { opaque = "o=p" }, { userhash = "1" }, { before = 'Basic realm="x"' },
      { before = "Negotiate abc==|Basic realm=x, foo" },
      { before = 'Digest realm="r", nonce="n", algorithm=XX' },
      { before = 'Digest nonce="n"|Digest realm="r"' },
      { before = 'Digest realm="r", nonce="n", qop="auth-conf"' },
      { before = '"Digest realm=x", ,, = "' },
    } do
      more.qop = "auth"
      local session <close> = http.session { auth = KNOWN }
      local url = prover(more)
      for _, tail in ipairs { "", "&q=%20%2F", "&a=b?c", "#part" } do
        equal({ more.before or more.realm, session:get(url .. tail).status },
          { more.before or more.realm, 200 })
      end
      equal(session:get((url:gsub("/prove/", "/x/../prove/"))).status, 200)
    end
  end)

  it("the proof counts the uses of a nonce, also by several tasks", function()
    local session <close> = http.session { auth = KNOWN, limit_per_host = 1 }
    local url = prover { qop = "auth" }
    for _ = 1, 5 do equal(session:get(url).status, 200) end
    task.gather(task.map(function() equal(session:get(url).status, 200) end, { 1, 2, 3, 4 }))
    local mark = origin.mark()
    session:get(url)
    equal(requests_of(url, mark)[2].headers.authorization:match "nc=(%x+)", "0000000a")
  end)
end)

describe("H-14: a server that always challenges", function()
  local STALE = 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth", stale=true\r\n'

  local function always(head)
    return origin.raw { "HTTP/1.1 401 No\r\nContent-Length: 4\r\n" .. head .. "\r\nbody", "keep" }
  end

  it("if each nonce is stale, the server gets one more proof, and its 401 is returned", function()
    for name, send in pairs(ways) do
      for _, body in ipairs { false, "text" } do
        local session <close> = http.session { auth = KNOWN }
        local url, mark = always(STALE), origin.mark()
        local r = send(session, body and "POST" or "GET", url, body or nil)
        equal({ name, r.status, r.body, #requests_of(url, mark) }, { name, 401, "body", 3 })
      end
    end
  end)

  it("if a nonce is stale now and then, the server gets a proof within four requests", function()
    for n = 0, 3 do
      for _, fresh in ipairs { true, false } do
        local session <close> = http.session { auth = KNOWN }
        local url, mark = prover {
          qop = "auth", stale = tostring(n), fresh = fresh and "1" or nil,
        }, origin.mark()
        equal(session:get(url).status, n <= 1 and 200 or 401)
        equal(#requests_of(url, mark), math.min(n + 2, 3))
      end
    end
  end)

  it("a server that refuses the proof gets two requests", function()
    local session <close> = http.session {
      auth = { user = "lion", password = "wrong", digest = true },
    }
    local url, mark = prover { qop = "auth", fresh = "1" }, origin.mark()
    equal(session:get(url).status, 401)
    equal(#requests_of(url, mark), 2)
  end)

  it("a challenge without a known algorithm gets no proof", function()
    for _, challenge in ipairs {
      'Digest realm="r", nonce="n", qop="auth-conf"',
      'Digest realm="r", nonce="n", algorithm=SHA-1', 'Digest realm="r", nonce="n", algorithm=',
      'Digest nonce="n"', 'Digest realm="r"', "Digest", 'Basic realm="r"',
      'Digest realm="r", nonce="n", qop=""', "Digestx realm=r, nonce=n", "",
    } do
      local session <close> = http.session { auth = KNOWN }
      local url, mark = always("WWW-Authenticate: " .. challenge .. "\r\n"), origin.mark()
      equal({ challenge, session:get(url).status }, { challenge, 401 })
      equal(#requests_of(url, mark), 1)
    end
    local session <close> = http.session { auth = KNOWN }
    local url, mark, made = prover { qop = "auth-int" }, origin.mark(), false
    equal(session:post(url, { body = function()
      if not made then
        made = true
        return "x"
      end
    end }).status, 401) -- its bytes are not known beforehand
    equal(#requests_of(url, mark), 1)
  end)

  it("the body of a challenge is not read", function()
    local challenge = 'WWW-Authenticate: Digest realm="here", nonce="n", qop="auth"\r\n'
    for _, rest in ipairs {
      "Content-Length: 4\r\nContent-Encoding: gzip\r\n\r\nbody", "Content-Length: 9\r\n\r\nbody",
      "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
      "Content-Length: 200000\r\n\r\n" .. ("x"):rep(200000), "\r\nno length",
    } do
      for name, send in pairs(ways) do
        local session <close> = http.session { auth = KNOWN, max_body = 100 }
        local url, mark = origin.raw { "HTTP/1.1 401 No\r\n" .. challenge .. rest }, origin.mark()
        pcall(send, session, "GET", url)
        equal({ name, rest:sub(1, 40), #requests_of(url, mark) }, { name, rest:sub(1, 40), 2 })
      end
    end
    local session <close> = http.session { auth = KNOWN }
    equal(session:get(prover { qop = "auth", size = "1000000" }).status, 200)
    local stalled = origin.raw {
      "HTTP/1.1 401 No\r\n" .. challenge .. "Content-Length: 9\r\n\r\nbody", "stall",
    }
    raises_error({ kind = "HttpError", code = "timeout", reason = "total" }, session.get, session,
      stalled, { timeout = 1 })
    equal(#requests_of(stalled, 0), 2)
  end)
end)

it("H-14: a cancelled request and a closed session leave nothing behind", function()
  local session = http.session { auth = KNOWN }
  local challenge = 'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="r", nonce="n"\r\n'
    .. "Content-Length: 100\r\n\r\nx"
  local url = origin.raw { challenge, "stall" }
  local mark = origin.mark()
  local t = task.spawn(session.get, session, url)
  origin.eventually(function() return #requests_of(url, mark) == 1 end)
  t:cancel()
  task.wait { t }
  equal(session:stats().active, 0)
  local other = task.spawn(pcall, session.get, session, url)
  origin.eventually(function() return #requests_of(url, mark) == 2 end)
  session:close()
  local ok, err = other:await()
  equal({ ok, err.code }, { false, "closed" })
end)
