-- SPDX-License-Identifier: MIT
-- r:links(): the Link header of responses (RFC 8288).
local http, url = require "septet.http", require "septet.url"
local origin = require "origin"
local links = debug.getregistry()["septet.require"] "septet.http.links"

local PAGE = "https://api.test/items?page=2#top"

local function parsed(...) return links.of({ ... }, PAGE) end

it("links are found by their relation and in their order", function()
  local got = parsed('<?page=3>; rel="next", </items?page=9>; rel=last; title="the end"',
    "<../up>;rel=\"Up\tprev  first\"")
  equal({ got.next.url, got.last.url, got.up.url, got.prev == got.up, got.first == got.up, #got },
    { "https://api.test/items?page=3", "https://api.test/items?page=9", "https://api.test/up", true,
      true, 3 })
  equal({ got[1].target, got[2].title, got[3].rel, got[3].rels },
    { "?page=3", "the end", "up\tprev  first", { "up", "prev", "first" } })
end)

it("parameters are quoted, extended, unknown, empty or missing", function()
  local got = parsed([[<a>; rel=x; title="a \"b\", <c>; d\\"; TYPE=text/html ; media = "all";]]
    .. [[hreflang=de; ext; ext2=" "; ; "odd; title="second"]])[1]
  equal({ got.title, got.type, got.media, got.hreflang, got.params.ext, got.params.ext2 },
    { 'a "b", <c>; d\\', "text/html", "all", "de", "", " " })
  got = parsed("<a>;title*=UTF-8'de'%c3%bc%E2%82%AC;title=plain", "<b>;title*=iso-8859-1''%FC",
    "<c>;title*=broken;title=plain", "<d>;title*=UTF-8''%zz;title=plain", "<e>")
  equal({ got[1].title, got[2].title, got[3].title, got[4].title, got[5].title, got[5].rel,
    got[5].rels }, { "ü€", "ü", "plain", "plain", nil, nil, {} })
end)

it("a relation is that of the page, and the first one counts", function()
  local got = parsed('<a>;rel=next;anchor="#part"', "<b>;rel=next;anchor=/other",
    '<c>;rel=next;anchor=""', "<d>;rel=next", "<http://[>;rel=last", "<e>;rel=last;rel=next")
  equal({ got.next.target, got.last.target, got[1].anchor, got[5].url, got[6].rel },
    { "c", "e", "https://api.test/items?page=2#part", nil, "last" })
end)

it("what is malformed is skipped", function()
  for line, expected in pairs {
    [""] = {}, [","] = {}, ["<"] = {}, ["<>"] = { "" }, ["garbage"] = {}, ["<a"] = {},
    ["x, <a>; rel=b"] = { "a" }, ["<a> junk <b>"] = { "a", "b" }, ["<a>;;;,,<b>;="] = { "a", "b" },
    ['<a>;rel="<b>, '] = { "a" }, ["<a>;rel=\"x\\"] = { "a" }, ["<a>,<b>"] = { "a", "b" },
    ["<a\0b>"] = { "a\0b" }, ["<\xff>;rel=\xfe"] = { "\xff" },
  } do
    local targets = {}
    for i, link in ipairs(parsed(line)) do targets[i] = link.target end
    equal(targets, expected, line)
  end
end)

it("hostile headers take no more than linear time", function()
  for _, piece in ipairs { "<", "<a>;", "<a>;x=\"", ",", ", ", "<a>", "<a>;x= ", ";;",
    "<a>;rel=\"\\" } do
    parsed(piece:rep(50000))
  end
  equal(#parsed(("<a>;rel=next,"):rep(20000)), 20000)
end)

it("links of a response begin at its own URL", function()
  local target = origin.url .. "/headers?" .. url.query { { "Link", "<b?c>; rel=next" },
    { "Link", '<//other.test/>;rel="canonical"' } }
  local r = http.get(target)
  equal({ r:links().next.url, r:links().canonical.url, #r:links() },
    { origin.url .. "/b?c", "http://other.test/", 2 })
  equal(#http.get(origin.url .. "/bytes/1"):links(), 0)
  local session <close> = http.session()
  local stream <close> = session:stream("GET", target)
  equal({ stream:links().next.url, #stream:read() }, { origin.url .. "/b?c", 2 })
  misuse("links.*is a method", function() r.links() end)
end)
