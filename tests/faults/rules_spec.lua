-- SPDX-License-Identifier: MIT
-- Rules of a session: a rule that can match nothing is a Usage error, and an accepted rule matches
-- every spelling of a URL.
local http = require "septet.http"
local origin = require "origin"

local PORT = origin.port

-- Returns a session in which evil.test, and names below it, lead to the origin.
local function new_session(options)
  options.resolve = { ["evil.test:" .. PORT] = "127.0.0.1", ["a.evil.test:" .. PORT] = "127.0.0.1",
    ["xn--bcher-kva.test:" .. PORT] = "127.0.0.1" }
  options.resolver = "127.0.0.1:1"
  return http.session(options)
end

local function url_of(host)
  return ("http://%s:%d/bytes/1"):format(host, PORT)
end

local function denies(rule, host, reason)
  local s <close> = new_session { deny = rule }
  local mark = origin.mark()
  raises_error({ kind = "HttpError", code = "denied", reason = reason }, s.get, s, url_of(host))
  equal(#origin.since(mark, "open"), 0, rule)
end

local NAMES = {
  "evil.test", "EVIL.test", "evil.test.", "Evil.Test.", "%65vil.test", "evil%2etest",
  "\u{ff45}vil.test", "evil\u{3002}test",
}

describe("H-8: a rule holds", function()
  it("a rule matches a name in each spelling of it and of the rule", function()
    for _, rule in ipairs(NAMES) do
      for _, host in ipairs(NAMES) do
        denies(rule, host, "host")
        denies(rule .. ":" .. PORT, host, "host")
        denies("*." .. rule, "a." .. host, "host")
        local s <close> = new_session { allow = rule }
        equal(s:get(url_of(host)).status, 200)
      end
    end
  end)

  it("a rule matches a name beyond ASCII", function()
    for _, rule in ipairs {
      "b\u{fc}cher.test", "B\u{dc}CHER.test.", "xn--bcher-kva.test", "XN--BCHER-KVA.test.",
    } do
      for _, host in ipairs { "b\u{fc}cher.test", "xn--bcher-kva.test", "b%C3%BCcher.test" } do
        denies(rule, host, "host")
        denies("*.test", host, "host")
      end
    end
  end)

  it("the words of rules may be in any case", function()
    for _, rule in ipairs {
      "private", "Private", "PRIVATE", "pRiVaTe", "private.", "PRIVATE.", "%70rivate", "p%52ivate.",
      "private\u{3002}", "\u{ff50}\u{ff52}ivate",
    } do
      denies(rule, "127.0.0.1", "address")
      denies(rule .. ":" .. PORT, "127.0.0.1", "address")
      denies({ "x", rule }, "127.0.0.1", "address")
      local s <close> = http.session { allow = rule }
      equal(s:get(origin.url .. "/bytes/1").status, 200)
      local elsewhere <close> = http.session { deny = rule .. ":1" }
      equal(elsewhere:get(origin.url .. "/bytes/1").status, 200)
    end
  end)

  it("a rule matches the addresses of names, and mapped ones", function()
    for _, rule in ipairs {
      "127.1", "127.0.0.0/8", "::ffff:127.0.0.1", "::ffff:0:0/96", "::/0", "0.0.0.0/0",
    } do
      denies(rule, "127.0.0.1", "address")
      denies(rule, "evil.test", "address")
    end
  end)

  it("a rule for a name does not match the address of the name", function()
    local s <close> = http.session { deny = "localhost" }
    equal(s:get(origin.url .. "/bytes/1").status, 200)
  end)
end)

describe("H-8: what is no rule is Usage", function()
  it("an invalid rule in a text is Usage", function()
    for _, rule in ipairs {
      "", " ", ".", "..", "*", "*.", "*.*", "*.1", "*.127.0.0.1", "*.[::1]", "*.::1", "a.*", "*a",
      "a*", " evil.test", "evil.test ", "evil .test", "evil.test\n", "evil\0.test", "\0",
      "127.0.0.1\0x", "evil..test", ".evil.test", "evil.test..", "evil.test:", "evil.test:0",
      "evil.test:65536", "evil.test:x", "evil.test:80:80", ":", ":0", "evil.test:+80", ":80 ",
      "http://evil.test", "http://evil.test/", "//evil.test", "evil.test/", "evil.test/path",
      "evil.test/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0/8", "10/8", "10.0.0.0/-1", "10.0.0.0/8:80",
      "10.0.0.0/8 ", "::/129", "[::]/0", "0x7f.0.0.0/8", "1.2.3.4.5", "256.1.1.1", "1.2.3.08",
      "foo.1", "[::1", "::1]", "[::1]x", "[::1]:", "[::1]:0", "[fe80::1%25lo]", "fe80::1%lo",
      "u@evil.test", "u:p@evil.test", "private:0", "private:", "private:x", "private/8",
      "private..", ".private", "[private]", "private.:0", "private./8", "evil.test?", "evil.test#x",
      "evil\\test", "evil|test", "evil;test", "evil,test", "evil.test,other.test", "%", "a%2",
      ("a"):rep(256), "*." .. ("a"):rep(254), "1.1.1.1-1.1.1.9", "!evil.test", "re:evil"
    } do
      misuse("'session'", function() http.session { deny = rule } end)
      misuse("'session'", function() http.session { deny = { "a.test", rule } } end)
      misuse("'session'", function() http.session { allow = rule } end)
    end
  end)

  it("an invalid rule in a list is Usage", function()
    for _, list in ipairs {
      { hosts = "127.0.0.1" }, { "x", nil, "127.0.0.1" }, { "x", deny = "y" }, { [0] = "x" },
      { [2] = "x" }, { [1.5] = "x" }, { "x", [-1] = "y" }, { "x", [true] = "y" }, { { "x" } },
      { 1 }, { "x", false }, { "x", 5 }, 5, true, print, { nil, "x" },
    } do
      misuse("bad option 'deny' to 'session'", function() http.session { deny = list } end)
      misuse("bad option 'allow' to 'session'", function() http.session { allow = list } end)
    end
  end)

  it("a list with a metatable is read by its __index", function()
    for _, list in ipairs { setmetatable({}, { __index = { "private" } }),
      setmetatable({}, { __index = function(_, i) return i == 1 and "private" or nil end }) } do
      denies(list, "127.0.0.1", "address")
    end
  end)
end)

-- Both of IANA's registries of special-purpose addresses: one address of each block, and for some
-- the addresses just outside.
describe("H-22: deny = \"private\"", function()
  it("knows the special-purpose addresses of IPv4", function()
    for _, address in ipairs {
      "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.1.1", "172.16.0.1",
      "192.0.0.1", "192.0.0.8", "192.0.0.9", "192.0.0.10", "192.0.0.170", "192.0.2.1",
      "192.31.196.1", "192.52.193.1", "192.88.99.2", "192.168.0.1", "192.175.48.1", "198.18.0.1",
      "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    } do
      for _, host in ipairs {
        address, "[::ffff:" .. address .. "]", "[64:ff9b::" .. address .. "]",
      } do
        denies("private", host, "address")
      end
    end
  end)

  it("knows the special-purpose addresses of IPv6", function()
    for _, address in ipairs {
      "::", "::1", "::2", "::ffff:0:8.8.8.8", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1",
      "2001:1::1", "2001:1::2", "2001:1::3", "2001:2::1", "2001:3::1", "2001:4:112::1",
      "2001:10::1", "2001:20::1", "2001:30::1", "2001:1ff:ffff::1", "2001:db8::1", "2002::1",
      "2002:808:808::1", "2620:4f:8000::1", "3fff::1", "3fff:fff:ffff::1", "5f00::1", "fc00::1",
      "fd00::1", "fe80::1", "fec0::1", "ff02::1"
    } do
      denies("private", "[" .. address .. "]", "address")
      denies("PRIVATE:" .. PORT, "[" .. address .. "]", "address")
    end
  end)
end)
