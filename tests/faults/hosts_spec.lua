-- SPDX-License-Identifier: MIT
-- Hosts: a request goes to the host that the rules have judged. What is no host in a URL is none in
-- rules, given addresses and proxies. No name is looked up here, and all connections go to
-- 127.0.0.1.
local http = require "septet.http"
local origin = require "origin"

local PORT, SAVED = origin.port, os.tmpname()
local GOOD, EVIL = "good.test:" .. PORT, "evil.test:" .. PORT

local function new_session(options)
  options.resolve = { [GOOD] = "127.0.0.1", [EVIL] = "127.0.0.1" }
  options.headers = { Authorization = "Bearer SECRET" }
  options.resolver = "127.0.0.1:1"
  return http.session(options)
end

local ways = {
  get = function(s, url) return s:get(url) end,
  post = function(s, url) return s:post(url, { body = "x" }) end,
  stream = function(s, url) return s:stream("GET", url) end,
  save = function(s, url) return s:save(url, SAVED) end,
  hook = function(s, url) return s:get(url, { trace = { request_start = function() end } }) end,
  options = function(s, url) return s:get(url, { timeout = 5 }) end,
  retries = function(s, url) return s:get(url, { retries = 2 }) end,
}

-- URLs that some parser may take for one of evil.test.
local function tricky()
  local list = {}
  for _, between in ipairs {
    "\\@", "\\/@", "/\\@", "@", ":x@", "\\", "#\\@", "?\\@", "%5c@", "%40", "%00@", "\\\\", ";@",
    "\t@", "/@", "//@",
  } do
    list[#list + 1] = "http://" .. GOOD .. between .. EVIL .. "/secret"
    list[#list + 1] = "http://good.test" .. between .. EVIL .. "/secret"
  end
  for _, start in ipairs {
    "http:\\\\", "http:/\\", "http:\\/", "http:///", "http:/", "http:", "//", "\\\\",
  } do
    list[#list + 1] = start .. EVIL .. "/secret"
  end
  return list
end

describe("H-5: a request goes to the host that the rules have judged", function()
  local rule_sets = {
    { allow = "good.test" }, { allow = GOOD }, { deny = "evil.test" }, { deny = EVIL },
    { allow = "good.test", deny = "192.0.2.0/24" }, { allow = "*.test", deny = "evil.test" },
  }
  for i, rules in ipairs(rule_sets) do
    for way, get in pairs(ways) do
      it(("a request goes to the judged host by %s, with the rules %d"):format(way, i), function()
        local s <close> = new_session(rules)
        local allowed, mark = 0, origin.mark()
        for _, url in ipairs(tricky()) do
          pcall(get, s, url)
          pcall(get, s, "http://" .. GOOD .. "/known") -- its origin is known to the next one
        end
        for _, seen in ipairs(origin.requests(mark)) do
          equal(seen.headers.host, GOOD)
          allowed = allowed + (seen.path == "/known" and 1 or 0)
        end
        equal(allowed, #tricky())
      end)
    end
  end

  it("a redirect goes to the judged host", function()
    for _, rules in ipairs(rule_sets) do
      local s <close> = new_session(rules)
      local mark = origin.mark()
      for _, url in ipairs(tricky()) do
        local escaped = url:gsub("[^%w]", function(c) return ("%%%02x"):format(c:byte()) end)
        pcall(s.get, s, "http://" .. GOOD .. "/redirect-to?url=" .. escaped)
      end
      local seen = origin.requests(mark)
      equal(#seen >= #tricky(), true)
      for _, request in ipairs(seen) do equal(request.headers.host, GOOD) end
    end
  end)
end)

-- Texts that are no hosts.
local NO_HOSTS = {
  "1.2.3.4.5", "256.256.256.256", "0x100.2.3.4", "foo.0x4", "1.2.3.08", "4294967296", "a.1", "1..1",
  "a\127b", "a|b", "a%7fb", "a%7cb", "a%00b", "a%20b", "a;b", "a,b", "a..b", ".a", "a..", "[::%31]",
  "[::1%25lo]", "[::1", "[1.2.3.4]", "[::zz]", "a%", "b\xfccher", "a\u{ff0f}b", "a{b", "a^b", "a`b",
  "a\"b", "a<b", "a!b", "a*b", "a+b",
}

describe("X-14: what is no host", function()
  it("an invalid host is refused in a URL", function()
    local s <close> = new_session {}
    for _, host in ipairs(NO_HOSTS) do
      for _, more in ipairs { "/", ":80/", "?q", "#f", "" } do
        local err = raises_error({ kind = "HttpError", code = "url", phase = "queue" }, s.get, s,
          "http://" .. host .. more)
        equal(err.reason, host:find "\127" and "characters" or "host", host)
      end
    end
  end)

  it("an invalid host is refused in a redirect", function()
    local s <close> = new_session {}
    for _, host in ipairs(NO_HOSTS) do
      local escaped = ("http://" .. host .. "/"):gsub("[^%w]", function(c)
        return ("%%%02x"):format(c:byte())
      end)
      raises_error({ kind = "HttpError", code = "redirect", reason = "location" }, s.get, s,
        origin.url .. "/redirect-to?url=" .. escaped)
    end
  end)

  it("an invalid host is refused in a rule", function()
    for _, host in ipairs(NO_HOSTS) do
      for _, form in ipairs { "%s", "%s:80", "*.%s" } do
        local rule = form:gsub("%%s", function() return host end)
        misuse("'session'", function() http.session { deny = rule } end)
        misuse("'session'", function() http.session { allow = { "a.test", rule } } end)
      end
    end
  end)

  it("an invalid host is refused in 'resolve'", function()
    for _, host in ipairs(NO_HOSTS) do
      misuse("bad option 'resolve'", function()
        http.session { resolve = { [host .. ":80"] = "127.0.0.1" } }
      end)
    end
  end)
end)

it("X-14: what is no address is none in 'resolver'", function()
  for _, host in ipairs(NO_HOSTS) do
    misuse("bad option 'resolver'", function() http.session { resolver = host } end)
    misuse("bad option 'resolver'", function()
      http.session { resolver = "127.0.0.1:53," .. host .. ":53" }
    end)
  end
  for _, text in ipairs {
    "999.1.1.1", "1.2.3.4:0", "1.2.3.4:65536", "1.2.3.4:", "[::1]:99999", "[fe80::1%25lo]",
    "a.test", ",", "", "System",
  } do
    misuse("bad option 'resolver'", function() http.session { resolver = text } end)
  end
end)

it("X-14: what is no host is none in 'proxy'", function()
  for _, host in ipairs(NO_HOSTS) do
    for _, form in ipairs { "http://%s", "http://%s:80", "socks5h://u:p@%s:1" } do
      local proxy = form:gsub("%%s", function() return host end)
      misuse("bad option 'proxy'", function() http.session { proxy = proxy } end)
      misuse("bad option 'proxy'", function() http.get(origin.url, { proxy = proxy }) end)
    end
  end
end)

-- Spellings of 127.0.0.1.
local SPELLINGS = {
  "127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1",
  "017700000001", "0177.0.0.1", "127.000.000.001", "%31%32%37.0.0.1", "127%2e0.0.1",
  "\u{ff11}\u{ff12}\u{ff17}.0.0.1", "127\u{3002}0.0.1", "2130706433.", "0x7f.0.0x0.1",
}

it("X-14: the domain of a cookie is read as the host of a URL is", function()
  local site = "http://a.b\u{fc}cher.test:" .. PORT
  for _, domain in ipairs {
    "b\u{fc}cher.test", "B\u{dc}CHER.test", "xn--bcher-kva.test", "XN--BCHER-KVA.test",
    ".b\u{fc}cher.test",
  } do
    local s <close> = http.session {
      cookies = true,
      resolve = {
        ["a.b\u{fc}cher.test:" .. PORT] = "127.0.0.1",
        ["c.b\u{fc}cher.test:" .. PORT] = "127.0.0.1",
      },
    }
    local set = ("c=1; Path=/; Domain=" .. domain):gsub("[^%w]", function(c)
      return ("%%%02x"):format(c:byte())
    end)
    s:get(site .. "/redirect-to?url=/bytes/1&Set-Cookie=" .. set)
    equal(s:get(("http://c.xn--bcher-kva.test:%d/echo"):format(PORT)):json().headers.cookie, "c=1",
      domain)
  end
  for _, domain in ipairs { "test.", "bcher.test", "b%c3%bccher.test", "1.2.3.4.5", "a|b", "[" } do
    local s <close> = http.session {
      cookies = true, resolve = { ["a.b\u{fc}cher.test:" .. PORT] = "127.0.0.1" },
    }
    local set = ("c=1; Path=/; Domain=" .. domain):gsub("[^%w]", function(c)
      return ("%%%02x"):format(c:byte())
    end)
    equal(s:get(site .. "/redirect-to?url=/echo&Set-Cookie=" .. set):json().headers.cookie, nil,
      domain)
  end
end)

it("H-15: a Location that is no URL is an error only if it is followed", function()
  local s <close> = new_session { redirects = false }
  for _, location in ipairs { "http://a|b/", "http://u:p@h/", "http:/x", "/a%09b", "/\\x" } do
    local escaped = location:gsub("[^%w]", function(c) return ("%%%02x"):format(c:byte()) end)
    local r = s:get(origin.url .. "/redirect-to?url=" .. escaped)
    equal({ r.status, r.headers.location }, { 302, location })
  end
end)

describe("X-14 H-15: an address is one, however it is written", function()
  it("an address in a URL is one in every spelling", function()
    local s <close> = http.session { resolver = "127.0.0.1:1" }
    for _, host in ipairs(SPELLINGS) do
      local r = s:get(("http://%s:%d/echo"):format(host, PORT))
      equal({ r.url, r:json().headers.host }, { origin.url .. "/echo", origin.authority })
    end
    equal(s:stats().connections_made, 1)
  end)

  it("an address in a URL and a rule is one in every spelling", function()
    for _, rule in ipairs(SPELLINGS) do
      local denied <close> = http.session { deny = rule, resolver = "127.0.0.1:1" }
      local allowed <close> = http.session { allow = rule .. ":" .. PORT, resolver = "127.0.0.1:1" }
      for _, host in ipairs(SPELLINGS) do
        local url = ("http://%s:%d/bytes/1"):format(host, PORT)
        raises_error({ kind = "HttpError", code = "denied", reason = "address" }, denied.get,
          denied, url)
        equal(allowed:get(url).status, 200)
      end
    end
  end)
end)

it("X-14: a proxy's address is one, however it is written", function()
  for _, host in ipairs(SPELLINGS) do
    local s <close> = http.session {
      proxy = ("http://%s:%d"):format(host, PORT), resolver = "127.0.0.1:1",
    }
    equal(s:get("http://nowhere.invalid/echo").peer.address, "127.0.0.1")
  end
end)

it("X-14: a name in 'resolve' is that of a URL, however either is written", function()
  local spellings = {
    "b\u{fc}cher.test", "B\u{dc}CHER.test", "xn--bcher-kva.TEST", "b%c3%bccher.test",
    "b\u{fc}cher.test.", "XN--bcher-kva.test.",
  }
  for _, given in ipairs(spellings) do
    local s <close> = http.session {
      resolve = { [given .. ":" .. PORT] = "127.0.0.1" }, resolver = "127.0.0.1:1",
    }
    for _, host in ipairs(spellings) do
      equal(s:get(("http://%s:%d/bytes/1"):format(host, PORT)).status, 200)
    end
  end
end)
after_all(function() os.remove(SAVED) end)
