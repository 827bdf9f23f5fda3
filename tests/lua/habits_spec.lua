-- SPDX-License-Identifier: MIT
-- What users of other clients expect.
-- peers: faulty
local http, json = require "septet.http", require "septet.json"
local command, faulty, origin = require "command", require "faulty", require "origin"

local URL, echo = origin.url, origin.echo
local WIDE = "http://b\u{fc}cher.example:" .. origin.port -- bücher
local NARROW = "xn--bcher-kva.example:" .. origin.port

-- What another run of the command prints.
local function run(environment, script)
  return (command.shell(("env %s '%s' -e '%s'"):format(environment, command.path, script)))
end

describe("a Location", function()
  it("a Location may be relative in every way", function()
    local session <close> = http.session()
    for target, path in pairs {
      ["bytes/1"] = "/bytes/1", ["/bytes/1"] = "/bytes/1", ["./bytes/1"] = "/bytes/1",
      ["../bytes/1"] = "/bytes/1",
      ["%3Fa=b"] = "/redirect-to?a=b", ["//" .. origin.authority .. "/bytes/1"] = "/bytes/1",
      ["bytes/../bytes/1"] = "/bytes/1", ["/bytes/1%23part"] = "/bytes/1",
    } do
      local r = session:get(URL .. "/redirect-to?url=" .. target,
        { redirects = 1 + (target:find "a=b" and -1 or 0) })
      local got = target:find "a=b" and URL .. "/redirect-to?a=b" or r.url:match "^[^#]*"
      equal(got, URL .. path, target)
    end
  end)

  it("a POST answered by 303 is followed by GET, without the body and its headers", function()
    local session <close> = http.session()
    local said = session:post(URL .. "/redirect-to?url=/echo&status=303",
      { json = { a = 1 } }):json()
    equal({ said.method, said.body, said.headers["content-type"], said.headers["content-length"] },
      { "GET", "" })
  end)
end)

it("cookies that a redirect sets are sent to its target, and later", function()
  local session <close> = http.session { cookies = true }
  local login = URL .. "/redirect-to?url=/echo&Set-Cookie=session%3Dabc&Set-Cookie=theme%3Ddark"
  equal(session:post(login, { form = { user = "lion" } }):json().headers.cookie,
    "session=abc; theme=dark")
  equal(echo(session, "GET").headers.cookie, "session=abc; theme=dark")
end)

it("a Retry-After may be a date, in each of the three forms", function()
  for i, form in ipairs { "!%a, %d %b %Y %H:%M:%S GMT", "!%A, %d-%b-%y %H:%M:%S GMT",
    "!%a %b %e %H:%M:%S %Y" } do
    local session <close> = http.session { retries = { attempts = 2, backoff = 0 } }
    local function attempts(name, seconds)
      local date = os.date(form, os.time() + seconds):gsub(" ", "%%20")
      return session:get(("%s/fail/1?key=habits-%s-%d&retry-after=%s"):format(URL,
        name, i, date)).attempts
    end
    -- one that is far off is not waited for
    equal({ attempts("past", -10), attempts("far", 7200) }, { 2, 1 }, form)
  end
end)

describe("a body that is packed", function()
  local encodings = echo(http.default(), "GET").headers["accept-encoding"]

  it("a request asks for packed bodies", function()
    equal({ encodings:find "gzip" ~= nil, encodings:find "br" ~= nil }, { true, true })
  end)

  it("a body packed by gzip is unpacked", function()
    equal(http.get(URL .. "/gzip?bytes=1000").body, origin.pattern(1000))
  end)

  it("a body packed by Brotli is unpacked", function()
    -- "hello, brotli" as `brotli` packs it: too short to gain, so it is stored.
    local packed = "\x0b\x06\x80hello, brotli\x03"
    equal(http.post(URL .. "/mirror?Content-Encoding=br", { body = packed }).body, "hello, brotli")
  end)
end)

it("a host may be an IPv6 literal, and so may that of its redirects", function()
  local session <close> = http.session()
  local r = session:get(("http://[::1]:%d/"):format(faulty.port.ipv6))
  equal({ r.status, r.body, r.peer.address }, { 200, "ok", "::1" })
  r = session:get(("%s/redirect-to?url=http://[::1]:%d/"):format(URL, faulty.port.ipv6))
  equal({ r.status, r.peer.address }, { 200, "::1" })
end)

describe("a host that is not in ASCII", function()
  local there = { [NARROW] = "127.0.0.1" }

  it("a host that is not in ASCII is requested by its name in ASCII", function()
    local session <close> = http.session { resolve = there }
    for _, host in ipairs { "b\u{fc}cher", "B\u{dc}CHER", "bu\u{308}cher", "xn--bcher-kva" } do
      local said = session:get(("http://%s.example:%d/echo"):format(host, origin.port)):json()
      equal(said.headers.host, NARROW, host)
    end
    equal(session:stats().connections_made, 1) -- all of these are one origin
    local wide <close> = http.session { resolve = { [WIDE:sub(8)] = "127.0.0.1" } }
    equal(wide:get(WIDE .. "/bytes/1").body, "0")
  end)

  it("a host that is not in ASCII does not depend on the locale", function()
    for _, locale in ipairs { "LC_ALL=C", "LC_ALL=C.UTF-8", "-u LC_ALL LANG=", "LC_ALL=POSIX" } do
      equal(run(locale, ([[
        os.setlocale ""
        local s <close> = require "septet.http".session { resolve = { ["%s"] = "127.0.0.1" } }
        print(s:get("%s/bytes/3").body)
      ]]):format(NARROW, WIDE)), "012\n", locale)
    end
  end)

  it("a redirect between both forms of a host stays on the same origin", function()
    local session <close> = http.session { resolve = there }
    local auth = { headers = { Authorization = "secret" } }
    local function secret(url) return session:get(url, auth):json().headers.authorization end
    equal(secret(WIDE .. "/redirect-to?url=/echo"), "secret")
    equal(secret(("http://%s/redirect-to?url=%s/echo"):format(NARROW, WIDE)), "secret")
    equal(secret(URL .. "/redirect-to?url=" .. WIDE .. "/echo"), nil)
    equal(session:get(URL .. "/redirect-to?url=" .. WIDE .. "/bytes/1").url,
      "http://" .. NARROW .. "/bytes/1")
  end)

  it("rules judge a host in either form", function()
    for _, rule in ipairs { "b\u{fc}cher.example", "*.b\u{fc}cher.example", "xn--bcher-kva.example",
      "b\u{fc}cher.example:" .. origin.port } do
      local name = rule:find("*", 1, true) and "http://www.b\u{fc}cher.example:" .. origin.port
        or WIDE
      local session <close> = http.session { resolve = there, deny = rule }
      raises_error({ kind = "HttpError", code = "denied" },
        session.get, session, name .. "/bytes/1")
    end
    -- Wide digits and dots are those of an address.
    local session <close> = http.session { deny = "private" }
    raises_error({ code = "denied" }, session.get, session,
      ("http://\u{ff11}\u{ff12}\u{ff17}\u{3002}0.0.1:%d/bytes/1"):format(origin.port))
  end)

  it("a host that is no name, or that changes the URL's meaning, is refused", function()
    local session <close> = http.session()
    local mark = origin.mark()
    for _, host in ipairs { "b\xfccher.example", "a\u{ff0f}b.example", "a\u{ff20}127.0.0.1",
      "a\u{ff1a}80",
      "a\u{2028}b", "\u{ad}", ("\u{fc}"):rep(64) .. ".example", ("\u{fc}."):rep(2000) } do
      local url = ("http://%s/"):format(host)
      raises_error({ kind = "HttpError", code = "url", reason = "host" }, session.get, session, url)
    end
    raises_error({ code = "url", reason = "userinfo" },
      session.get, session, "http://\u{fc}@127.0.0.1/")
    raises_error({ code = "url" }, session.get, session, "http://127.0.0.1:8\u{ff10}/")
    equal(#origin.requests(mark), 0)
  end)
end)

it("Expect: 100-continue is never sent unasked", function()
  local session <close> = http.session()
  local large, sent = ("x"):rep(2000000), false
  equal(session:post(URL .. "/echo", { body = large }):json().headers.expect, nil)
  equal(session:put(URL .. "/echo", { body = large }):json().headers.expect, nil)
  local said = session:post(URL .. "/echo", { body = function()
    sent = not sent
    return sent and large or nil
  end }):json()
  equal({ said.headers.expect, said.body_size }, { nil, 2000000 })
end)

it("an integer of a JSON body is an integer in a URL", function()
  local session <close> = http.session()
  local text = '{"id":9007199254740993,"page":2,"many":[1,20000000000]}'
  local said = session:post(URL .. "/mirror", { body = text }):json()
  equal(session:get(URL .. "/bytes/" .. said.page).body, "01")
  local asked = session:get(URL .. "/echo?id=" .. said.id,
    { params = { page = said.page, n = said.many } }):json()
  equal(asked.query, "id=9007199254740993&n=1&n=20000000000&page=2")
  equal(json.encode(said.many), "[1,20000000000]")
end)
