-- SPDX-License-Identifier: MIT
-- septet.url: URLs taken apart, put together and resolved, in the one form of the client.
-- check: allow unknown-name
local http, url, task = require "septet.http", require "septet.url", require "septet.task"
local origin = require "origin"
local ticker = require "ticker"
local refused = require("helpers").refused

local function misused(words, fn, ...)
  local given = table.pack(...)
  misuse(words, function() fn(table.unpack(given, 1, given.n)) end)
end

-- RFC 3986, 5.4. An http URL has a path, so "http://g" is "http://g/".
local EXAMPLES = {
  { "g:h", "g:h" }, { "g", "http://a/b/c/g" }, { "./g", "http://a/b/c/g" },
  { "g/", "http://a/b/c/g/" }, { "/g", "http://a/g" }, { "//g", "http://g/" },
  { "?y", "http://a/b/c/d;p?y" }, { "g?y", "http://a/b/c/g?y" },
  { "#s", "http://a/b/c/d;p?q#s" }, { "g#s", "http://a/b/c/g#s" },
  { "g?y#s", "http://a/b/c/g?y#s" }, { ";x", "http://a/b/c/;x" }, { "g;x", "http://a/b/c/g;x" },
  { "g;x?y#s", "http://a/b/c/g;x?y#s" }, { "", "http://a/b/c/d;p?q" }, { ".", "http://a/b/c/" },
  { "./", "http://a/b/c/" }, { "..", "http://a/b/" }, { "../", "http://a/b/" },
  { "../g", "http://a/b/g" }, { "../..", "http://a/" }, { "../../", "http://a/" },
  { "../../g", "http://a/g" },
  { "../../../g", "http://a/g" }, { "../../../../g", "http://a/g" }, { "/./g", "http://a/g" },
  { "/../g", "http://a/g" }, { "g.", "http://a/b/c/g." }, { ".g", "http://a/b/c/.g" },
  { "g..", "http://a/b/c/g.." }, { "..g", "http://a/b/c/..g" }, { "./../g", "http://a/b/g" },
  { "./g/.", "http://a/b/c/g/" }, { "g/./h", "http://a/b/c/g/h" }, { "g/../h", "http://a/b/c/h" },
  { "g;x=1/./y", "http://a/b/c/g;x=1/y" }, { "g;x=1/../y", "http://a/b/c/y" },
  { "g?y/./x", "http://a/b/c/g?y/./x" }, { "g?y/../x", "http://a/b/c/g?y/../x" },
  { "g#s/./x", "http://a/b/c/g#s/./x" }, { "g#s/../x", "http://a/b/c/g#s/../x" },
  { "http:g", "http:g" },
}

local function fields(u)
  return { u.scheme or false, u.user or false, u.password or false, u.host or false,
    u.port or false, u.path, u.query or false, u.fragment or false }
end

describe("parse", function()
  it("parse takes a URL apart, as the client reads it", function()
    for text, parts in pairs {
      ["http://u:p%40@EXAMPLE.com:80/a b/../c?x=1&y#f g"] =
        { "http", "u", "p@", "example.com", 80, "/c", "x=1&y", "f%20g" },
      ["https://h"] = { "https", false, false, "h", 443, "/", false, false },
      ["http://[0:0::1]:8080/?"] = { "http", false, false, "::1", 8080, "/", "", false },
      ["http://[fe80::1%25lo]/#"] = { "http", false, false, "fe80::1%lo", 80, "/", false, "" },
      ["http://0x7f.1/"] = { "http", false, false, "127.0.0.1", 80, "/", false, false },
      ["http://bücher.example/ü"] =
        { "http", false, false, "xn--bcher-kva.example", 80, "/%C3%BC", false, false },
      ["redis://:pw@Host:6379/0"] = { "redis", "", "pw", "host", 6379, "/0", false, false },
      ["postgres://u@h/db?a=b"] = { "postgres", "u", false, "h", false, "/db", "a=b", false },
      ["file:///etc/passwd"] = { "file", false, false, "", false, "/etc/passwd", false, false },
      ["mailto:a@b.c?subject=x"] =
        { "mailto", false, false, false, false, "a@b.c", "subject=x", false },
      ["WSS://h/x"] = { "wss", false, false, "h", 443, "/x", false, false },
      ["/a/../b?c#d"] = { false, false, false, false, false, "/b", "c", "d" },
      ["../a"] = { false, false, false, false, false, "../a", false, false },
      ["//h/x"] = { false, false, false, "h", false, "/x", false, false },
      [""] = { false, false, false, false, false, "", false, false },
    } do
      equal(fields(url.parse(text)), parts, text)
    end
  end)

  it("a parsed URL is built again with what was changed", function()
    local u = url.parse "http://u@h:81/a?b=1&c=2#d"
    equal(tostring(u), "http://u@h:81/a?b=1&c=2#d")
    u.user, u.port, u.path, u.query = nil, nil, { "x y", "z" }, { { "k", "1 2" }, { "k", 3 } }
    equal({ tostring(u), u.host }, { "http://h/x%20y/z?k=1%202&k=3#d", "h" })
    refused("Usage", "url has no field 'hostname', did you mean 'host'?", function()
      return u.hostname
    end)
  end)

  it("parse says what is wrong, and where", function()
    for text, wrong in pairs {
      ["http://"] = { "host", 8 }, ["http:///x"] = { "host", 8 }, ["http://a b/"] = { "host", 8 },
      ["http://a:99999/"] = { "port", 8 }, ["http://a:x/"] = { "port", 8 },
      ["foo://h:x"] = { "port", 7 }, ["http://a@b@c/"] = { "userinfo", 8 },
      ["http://h\\@evil/"] = { "characters", 9 }, ["http://h/\n"] = { "characters", 10 },
      ["http://h/\0"] = { "characters", 10 }, [" http://h/"] = { "characters", 1 },
      ["http://[::1"] = { "host", 8 }, ["http://1.2.3.4.5/"] = { "host", 8 },
      ["http://\xff\xfe/"] = { "host", 8 }, ["x" .. ("y"):rep(1 << 20)] = { "length", 1048577 },
    } do
      local err = refused("UrlError", "bad URL", url.parse, text)
      equal({ err.code, err.position }, wrong, text:sub(1, 40))
    end
    equal(refused("UrlError", "bad base", url.resolve, "/a", "b").code, "no_scheme")
    equal(refused("UrlError", "bad URL", url.resolve, "http://a", "http://").code, "host")
  end)

  it("an error shows no password", function()
    local err = refused("UrlError", "bad URL", url.parse, "http://me:secret@h:x/?token=secret")
    equal({ err.message:find "secret", err.url:find "secret" }, {})
  end)
end)

describe("resolve", function()
  it("resolve has the results of RFC 3986, 5.4", function()
    for _, example in ipairs(EXAMPLES) do
      equal(url.resolve("http://a/b/c/d;p?q", example[1]), example[2], example[1])
    end
    equal(#EXAMPLES, 23 + 19)
  end)

  it("resolve knows any scheme", function()
    for _, case in ipairs {
      { "ftp://h/a/b", "../c", "ftp://h/c" }, { "s3://bucket/a/b", "c", "s3://bucket/a/c" },
      { "file:///a/b", "c", "file:///a/c" }, { "foo://h", "x", "foo://h/x" },
      { "http://u:p@h/a", "b", "http://u:p@h/b" }, { "https://h/", "//o/x", "https://o/x" },
      { "http://h/", "mailto:a@b", "mailto:a@b" }, { "http://h/", "javascript:x(1)",
        "javascript:x(1)" }, { "urn:a", "#f", "urn:a#f" },
      { "foo:/a/b", "..//x", "foo:/.//x" }, { "http://h/a?b#c", "", "http://h/a?b" },
    } do
      equal(url.resolve(case[1], case[2]), case[3], case[2])
    end
  end)

  it("resolve leads where the client goes", function()
    local base = origin.url .. "/a/b/"
    local session <close> = http.session { base_url = base }
    for _, reference in ipairs { "c", "../d", "/e?x=1", "./f/../g", "h i" } do
      equal(session:get(reference, { redirects = 0 }).url, url.resolve(base, reference), reference)
    end
  end)

  it("what is resolved resolves to itself", function()
    local random, pieces = math.random, { "a", "..", ".", "/", "?", "#", ":", "%2e", "é", "%", "x:",
      "//", "@", "[", ";", "&", "=", " b" }
    for _ = 1, many(2000) do
      local parts = {}
      for i = 1, random(8) do parts[i] = pieces[random(#pieces)] end
      local reference = table.concat(parts)
      for _, base in ipairs { "http://a/b/c?d", "foo:/a/b", "urn:x", "file:///a" } do
        local ok, whole = pcall(url.resolve, base, reference)
        if ok then
          equal(url.resolve("http://other/", whole), whole, reference)
          equal(url.resolve(base, whole), whole, reference)
          equal(url.normalize(tostring(url.parse(whole))), url.normalize(whole), reference)
          equal(url.normalize(url.normalize(whole)), url.normalize(whole), reference)
        else
          equal(task.is(whole, "UrlError"), true, tostring(whole))
        end
      end
    end
  end)
end)

describe("build", function()
  it("build encodes what would begin another part", function()
    for _, case in ipairs {
      { { scheme = "https", host = "h", path = { "a/b", "?" }, query = { q = "a&b#c" } },
        "https://h/a%2Fb/%3F?q=a%26b%23c" },
      { { scheme = "http", host = "::1", port = 81, path = "/x?y#z" },
        "http://[::1]:81/x%3Fy%23z" },
      { { scheme = "http", host = "fe80::1%lo" }, "http://[fe80::1%25lo]/" },
      { { scheme = "http", host = "h", user = "a:b@c", password = "/" },
        "http://a%3Ab%40c:%2F@h/" },
      { { path = "a:b" }, "./a:b" }, { { path = "//x" }, "/.//x" }, { { query = "" }, "?" },
      { { scheme = "http", host = "h", path = "x", query = "a#b", fragment = "c\n" },
        "http://h/x?a%23b#c%0A" },
      { { scheme = "mailto", path = "a@b" }, "mailto:a@b" },
      { { path = { "a", "b" }, query = { x = { 1, 2 } } }, "a/b?x=1&x=2" },
    } do
      equal(url.build(case[1]), case[2])
    end
  end)

  it("build refuses what it cannot express", function()
    misused("unknown option 'hots' to 'build', did you mean 'host'?", url.build, { hots = "a" })
    misused("'host' expected beside", url.build, { scheme = "http", port = 80 })
    misused("bad field 'scheme'", url.build, { scheme = "1:", host = "h" })
    misused("bad field 'path'", url.build, { path = 1 })
    misused("bad field 'path' of 'build' %(item 2: nil", url.build, { path = { "a", n = 2 } })
    misused("table expected", url.build, "http://h")
    for _, host in ipairs { "a/b", "a@b", "a?b", "a#b", "a\\b", "[a]", "" } do
      local err = refused("UrlError", "bad ", url.build, { scheme = "http", host = host })
      equal(err.code == "host" or host, "host" == err.code)
    end
    refused("UrlError", "segment", url.build, { scheme = "http", host = "h", path = { ".." } })
  end)
end)

describe("queries", function()
  it("query keeps the order and the repeated names", function()
    local q = url.query "b=1&a=2+3&b=%C3%A9&&c&d=%zz&=e&f=g=h"
    equal(q, { { "b", "1" }, { "a", "2 3" }, { "b", "é" }, { "c", "" }, { "d", "%zz" }, { "", "e" },
      { "f", "g=h" } })
    equal({ q:get "b", q:all "b", q:get "x" }, { "1", { "1", "é" } })
    q:set("b", "9")
    q:set("c", nil)
    q:set("new", true)
    equal(tostring(q), "b=9&a=2%203&d=%25zz&=e&f=g%3Dh&new=true")
    equal(url.query("a=b+c", { plus = false })[1][2], "b+c")
  end)

  it("query is what the client makes of params", function()
    local params = { { "z", "1 2" }, { "a", { 1, true } }, { "ü", "+&=#" } }
    equal(http.get(origin.url .. "/echo", { params = params }).url:match "?(.*)", url.query(params))
    equal(url.query({ a = "1 2" }, { plus = true }), "a=1+2")
    equal(url.query {}, "")
    misused("string or table expected", url.query, 1)
    misused("got function", url.query, { a = print })
    misused("unknown option 'pluss'", url.query, "a", { pluss = true })
  end)

  it("decode returns what was encoded", function()
    for _ = 1, many(300) do
      local bytes = {}
      for i = 1, math.random(0, 30) do bytes[i] = string.char(math.random(0, 255)) end
      local text = table.concat(bytes)
      equal(url.decode(url.encode(text)), text)
      equal(url.decode(url.encode(text, { plus = true }), { plus = true }), text)
      equal(url.decode "a+b", "a+b")
      equal(url.query(url.query { [text] = text })[1], { text, text })
    end
    local large = ("%é "):rep(200000)
    equal(url.decode(url.encode(large)) == large, true)
  end)

  it("decode says where a text is encoded wrongly", function()
    for text, position in pairs { ["ab%"] = 3, ["%4"] = 1, ["%41%4g"] = 4,
      [("a"):rep(300000) .. "%x"] = 300001 } do
      local err = refused("UrlError", "percent sign", url.decode, text)
      equal({ err.code, err.position }, { "percent", position })
    end
    misused("string expected, got nil", url.decode)
  end)

  it("large texts leave the loop free", function()
    local large = ("a b%é"):rep(1 << 20)
    local encoded = ticker.turns(20, function() return url.encode(large) end)
    equal(#ticker.turns(20, function() return url.decode(encoded) end), #large)
    ticker.turns(20, function() url.query(("a=1&"):rep(200000)) end)
    ticker.turns(20, function() url.normalize("http://h/?" .. ("z&b=1&a&"):rep(100000)) end)
  end)
end)

describe("comparing", function()
  it("normalize finds what leads to the same page", function()
    for text, normal in pairs {
      ["HTTP://Ex.com:80/%7ea/./b/%2f?b=1&a=2&&a=1&c#x"] = "http://ex.com/~a/b/%2F?a=2&a=1&b=1&c",
      ["http://h"] = "http://h/", ["http://h/?"] = "http://h/", ["http://h/%2%35"] =
        "http://h/%2525", ["http://h/a%2Eb"] = "http://h/a.b", ["https://h:443/#"] = "https://h/",
      ["http://h/a?q=%c3%a9"] = "http://h/a?q=%C3%A9", ["http://h/a?q=é"] = "http://h/a?q=%C3%A9",
    } do
      equal(url.normalize(text), normal, text)
    end
  end)

  it("an origin is scheme, host and port", function()
    equal({ url.origin "http://u@A:80/x", url.origin "http://[::1]:81", url.origin "ws://h:80",
      url.origin "foo://h:80/" }, { "http://a", "http://[::1]:81", "ws://h", "foo://h:80" })
    equal({ url.origin "mailto:a", url.origin "/x", url.origin "file:///x" }, {})
    equal({ url.same_origin("http://a", "http://A:80/x"), url.same_origin("http://a", "https://a"),
      url.same_origin("/a", "/a") }, { true, false, false })
    local ok, err = pcall(url.same_origin, "http://a", nil) -- as url of a link that is no URL
    equal({ ok, err.kind, err.message:match "bad.*" },
      { false, "Usage", "bad argument #2 to 'same_origin' (string expected, got nil)" })
  end)
end)
