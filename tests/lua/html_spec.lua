-- SPDX-License-Identifier: MIT
-- septet.html: pages parsed as browsers do, and what can be read from them.
-- check: allow cannot-wait
local html, http, task = require "septet.html", require "septet.http", require "septet.task"
local origin = require "origin"

local PAGE = [[<!DOCTYPE html>
<html><head><title> The
 title </title><base href="/sub/"></head>
<body><h1 id="top">One &amp; two</h1><p class="a b">First <b>bold</b>  text<br>next line</p>
<p hidden>not shown</p><script>not("shown")</script><!-- a comment -->
<ul><li>x<li>y</ul><table><tr><th>A<th>B<tr><td>1<td>2</table>
<a href="page?q=1#f" rel="nofollow external"> A  <i>link</i> </a><a name="none">no link</a>
<a href="mailto:me@example.com">mail</a> <a href="http://[">bad</a></body></html>]]

-- What becomes of a body, as a parser of the standard has it.
local function body_of(source)
  return html.parse("<!DOCTYPE html><body>" .. source):first "body":inner_html()
end

describe("parse", function()
  it("a page is a tree of elements and texts", function()
    local doc = html.parse(PAGE)
    local p = doc:first "p"
    equal(p.tag, "p")
    equal(p:attr "class", "a b")
    equal(p:attr "none", nil)
    equal(doc:first "[hidden]":attr "hidden", "")
    equal(p.attributes, { class = "a b" })
    equal(p.parent.tag, "body")
    equal(p.previous:attr "id", "top")
    equal(p.next:attr "hidden", "")
    equal(doc.root.parent, nil)
    equal(doc.root.tag, "html")
    equal(#doc:first "ul".children, 2)
    local nodes = p.nodes
    equal({ nodes[1], nodes[2].tag, nodes[3], nodes[4].tag, nodes[5] },
      { "First ", "b", "  text", "br", "next line" })
    equal(doc.title, "The title")
    equal(tostring(doc:first "h1"), '<h1 id="top">')
    equal(html.parse "".title, "")
  end)

  it("two objects for one element are equal", function()
    local doc, other = html.parse(PAGE), html.parse(PAGE)
    equal(doc:first "p" == doc:select "p"[1], true)
    equal(doc:first "p" == doc:select "p"[2], false)
    equal(doc:first "p" == other:first "p", false)
  end)

  it("an element keeps its page", function()
    local p = html.parse(PAGE):first "p"
    collectgarbage()
    collectgarbage()
    equal(p:first "b":text(), "bold")
  end)

  it("tags that are left out, nested wrongly or never closed are what browsers make of them",
    function()
      for source, result in pairs {
        ["<p>a<p>b"] = "<p>a</p><p>b</p>",
        ["<b>1<i>2</b>3</i>"] = "<b>1<i>2</i></b><i>3</i>",
        ["<b><p>x</b>y</p>"] = "<b></b><p><b>x</b>y</p>",
        ["<table><b>x<tr><td>y"] = "<b>x</b><table><tbody><tr><td>y</td></tr></tbody></table>",
        ["<ul><li>a<li>b</ul>c"] = "<ul><li>a</li><li>b</li></ul>c",
        ["<select><option>a<option>b</select>"] =
          "<select><option>a</option><option>b</option></select>",
        ["</p>x</br>"] = "<p></p>x<br>",
        ["<a href=1>x<a href=2>y"] = '<a href="1">x</a><a href="2">y</a>',
        ["<div a=1 A=2 b>"] = '<div a="1" b=""></div>',
        ["<x-y Z=1/>t"] = '<x-y z="1/">t</x-y>',
        ["a<!-- b"] = "a<!-- b-->",
        ["a<!--> b -->"] = "a<!----> b --&gt;",
        ["<?php x ?>y"] = "<!--?php x ?-->y",
        ["a < b & c"] = "a &lt; b &amp; c",
        ["<textarea><b>&lt;</textarea>"] = "<textarea>&lt;b&gt;&lt;</textarea>",
        ["<script>a<b && '</b>'</script>c"] = "<script>a<b && '</b>'</script>c",
        ["<script><!-- <script> </script> --></script>c"] =
          "<script><!-- <script> </script> --></script>c",
        ["<plaintext></p>"] = "<plaintext></p></plaintext>",
        ["<image src=x>"] = '<img src="x">',
        ["<pre>\n\nx</pre>"] = "<pre>\n\nx</pre>",
        ["<"] = "&lt;", ["</"] = "&lt;/", ["<a"] = "", ["<a b='"] = "", ["&"] = "&amp;",
      } do
        equal(body_of(source), result, source)
      end
    end)

  it("SVG and MathML are in their own name spaces", function()
    equal(body_of "<svg viewbox=1><foreignobject><p>x</p></foreignobject><a xlink:href=y /></svg>z",
      '<svg viewBox="1"><foreignObject><p>x</p></foreignObject><a xlink:href="y"></a></svg>z')
    equal(body_of "<math><mi>x</mi><![CDATA[<y>]]></math>",
      "<math><mi>x</mi>&lt;y&gt;</math>")
    equal(body_of "<svg><p>x", "<svg></svg><p>x</p>")
  end)

  it("a frameset takes the place of the body", function()
    local doc = html.parse "<!DOCTYPE html><frameset cols=1><frame src=/f></frameset>"
    equal(doc:html(), '<!DOCTYPE html><html><head></head><frameset cols="1"><frame src="/f">'
      .. "</frameset></html>")
    equal(doc:links "http://h/"[1].url, "http://h/f")
  end)

  it("what a template holds is found only from within it", function()
    local doc = html.parse "<template><p>in</p></template><p>out</p>"
    equal(#doc:select "p", 1)
    equal(doc:text(), "out")
    equal(doc:raw_text(), "out")
    local template = doc:first "template"
    equal(template:first "p":text(), "in")
    equal(template:html(), "<template><p>in</p></template>")
  end)

  it("characters that are none become U+FFFD", function()
    local text = html.parse("<p>&#xD800;&#0;&#x110000;&#99999999999;&#xFFFFFFFFF;&#x000000041;"
      .. "&#128;"):first "p":text()
    equal(text, "\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}\u{FFFD}A€")
    equal(html.parse "<p>&#0000000065;&#00000;":first "p":text(), "A\u{FFFD}")
    equal(html.parse "<p>a\0b<i\0 c\0=d\0>":first "p":inner_html(),
      "ab<i\u{FFFD} c\u{FFFD}=\"d\u{FFFD}\"></i\u{FFFD}>")
    equal(html.parse "\xED\xA0\x80":raw_text(), "í\u{A0}€")
    equal(html.parse("\xED\xA0\x80", { charset = "utf-8" }):raw_text(), ("\u{FFFD}"):rep(3))
  end)

  it("a response is parsed with its URL and its charset, and so does r:html()", function()
    local url = origin.raw { "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=koi8-r\r\n"
      .. "Content-Length: 19\r\n\r\n<title>\xC1\xC2<a href=x>" }
    local doc = http.get(url):html()
    equal(doc.title, "аб<a href=x>")
    equal(doc.url, url)
    url = origin.raw { "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n<a href=x>y\n" }
    doc = html.parse(http.get(url), { url = "http://other/z/" })
    equal(doc:links()[1].url, "http://other/z/x")
  end)

  it("misuse is told", function()
    misuse("bad argument #1 to 'parse' %(string or response expected, got nil%)",
      function() html.parse() end)
    misuse("unknown option 'base' to 'parse'", function() html.parse("", { base = "x" }) end)
    misuse("the charset 'x%-none' is not known",
      function() html.parse("", { charset = "x-none" }) end)
    local doc = html.parse "<p>"
    misuse("element has no field 'textContent', did you mean 'raw_text'",
      function() return doc:first "p".textContent end)
    misuse("document has no field 'querySelector', did you mean 'first'",
      function() doc:querySelector "p" end)
    misuse("bad argument #1 to 'select'", function() doc:select(nil) end)
    misuse("call it as element:text", function() doc:first "p".text() end)
    misuse("septet.html has no field 'soup', did you mean 'parse'", function() html.soup "" end)
  end)
end)

describe("text", function()
  local function shown(source) return html.parse(source):text() end

  it("text is what a reader sees", function()
    equal(html.parse(PAGE):text(), "One & two\n\nFirst bold text\nnext line\n\nx\ny\nA\tB\n1\t2\n"
      .. "A link no link mail bad")
  end)

  it("blanks are one, blocks are lines, paragraphs are apart", function()
    equal(shown " a \n b ", "a b")
    equal(shown "a<b> b</b> <i> c</i>", "a b c")
    equal(shown "a<div>b<div>c</div></div>d", "a\nb\nc\nd")
    equal(shown "a<p>b</p>c", "a\n\nb\n\nc")
    equal(shown "<p>a<p>b", "a\n\nb")
    equal(shown "a<br><br>b<br>", "a\n\nb")
    equal(shown "<br> a", "a")
    equal(shown "a<pre> b\n  c </pre>d", "a\n b\n  c \nd")
    equal(shown "<table><tr><td><p>a</p><td><td>b</table>", "a\t\tb")
    equal(shown "a\u{A0} b", "a\u{A0} b")
    equal(shown "<div></div><p></p>", "")
  end)

  it("what is not shown has its text when it is asked itself", function()
    local doc = html.parse "<title>t</title><style>s</style><div hidden>h <b>i</b></div>"
    equal(doc:text(), "")
    equal(doc:first "title":text(), "t")
    equal(doc:first "style":text(), "s")
    equal(doc:first "div":text(), "h i")
    equal(doc:first "b":text(), "i")
  end)

  it("raw text is all there is", function()
    equal(html.parse("<p> a <script>b</script>\n c"):first "p":raw_text(), " a b\n c")
  end)
end)

describe("HTML", function()
  it("what is written is parsed as the same", function()
    for _, source in ipairs { PAGE, "a&lt;b>c&nbsp;d\"e", "<p title='a\"b&amp;<c>'>x",
      "<pre>\n\na</pre>", "<textarea>\n\n&lt;</textarea>", "<style>a>b</style><xmp><b></xmp>",
      "<svg><style>a&gt;b</style><path d=1 /></svg>", "<!DOCTYPE html><!-- a --><p>b<!--c-->" } do
      local once = html.parse(source):html()
      equal(html.parse(once):html(), once)
    end
  end)

  it("escape and unescape are inverse", function()
    equal(html.escape "<a href=\"x\">'&'", "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;")
    equal(html.unescape "&lt;&eacute;&#x41;&#66;&nosuch;&amp&ampx&notit;&notin;<b>\0&nbsp;\r\n",
      "<éAB&nosuch;&&x¬it;∉<b>\0\u{A0}\r\n")
    for _, text in ipairs { "", "a", "&amp;amp;", "<>&\"'", "\r\n&", "\n&", "é&\0&" } do
      equal(html.unescape(html.escape(text)), text)
    end
    equal(html.unescape(("&amp;"):rep(100000)), ("&"):rep(100000))
    misuse("bad argument #1 to 'escape'", function() html.escape(1) end)
  end)
end)

describe("links", function()
  it("links are resolved against the base of the page", function()
    local doc = html.parse(PAGE, { url = "http://example.com/dir/index.html" })
    equal(doc.base, "http://example.com/sub/")
    local links = doc:links()
    for _, link in ipairs(links) do link.element = link.element.tag end
    equal(links, {
      { url = "http://example.com/sub/page?q=1#f", href = "page?q=1#f", text = "A link",
        rel = "nofollow external", nofollow = true, tag = "a", element = "a" },
      { url = "mailto:me@example.com", href = "mailto:me@example.com", text = "mail", rel = "",
        nofollow = false, tag = "a", element = "a" },
      { href = "http://[", text = "bad", rel = "", nofollow = false, tag = "a", element = "a" },
    })
    equal(doc:links "http://other/"[1].url, "http://other/page?q=1#f")
    equal(doc:resolve "../x", "http://example.com/x")
  end)

  it("areas, frames and what a page links to are links too", function()
    local doc = html.parse([[<link rel=Stylesheet href=" s.css
"><map><area href=a alt=Area></map><iframe src=f></iframe><a href>self</a>]],
      { url = "http://h/d/" })
    local found = {}
    for i, link in ipairs(doc:links()) do found[i] = { link.tag, link.url, link.text, link.rel } end
    equal(found, { { "link", "http://h/d/s.css", "", "Stylesheet" },
      { "area", "http://h/d/a", "Area", "" }, { "iframe", "http://h/d/f", "", "" },
      { "a", "http://h/d/", "self", "" } })
  end)

  it("without a URL only what is absolute is resolved", function()
    local links = html.parse "<a href=x>1</a><a href=http://h>2</a>":links()
    equal({ links[1].url, links[2].url }, { nil, "http://h/" })
    equal(html.parse "<base href=http://b/c/><a href=x>":links()[1].url, "http://b/c/x")
    equal(html.parse("<base href=d/><a href=x>", { url = "http://h" }):links()[1].url,
      "http://h/d/x")
  end)
end)

describe("what a page says of itself to crawlers:", function()
  it("the URL that it names as its own", function()
    for source, expected in pairs {
      ["<link rel=canonical href=/a>"] = "http://h/a",
      ["<base href=/b/><link rel='x CANONICAL' href=' c '>"] = "http://h/b/c",
      ["<body><link rel=canonical href=//other/>"] = "http://other/",
      ["<link rel=canonical href=/1><link rel=canonical href=/2>"] = "http://h/1",
      ["<link rel=canonical><link rel=canonicals href=/x>"] = "",
      ["<link rel=canonical href='http://['>"] = "",
    } do
      equal(html.parse(source, { url = "http://h/d/" }).canonical or "", expected)
    end
    equal(html.parse "<link rel=canonical href=/a>".canonical, nil)
  end)

  it("whether its links are to be followed", function()
    for source, expected in pairs {
      [""] = false,
      ["<meta name=robots content=nofollow>"] = true,
      ["<meta name=ROBOTS content='noindex, NoFollow'>"] = true,
      ["<meta name=robots content=none>"] = true,
      ["<meta name=robots content=noindex><meta name=robots content=nofollow>"] = true,
      ["<meta name=robots content='noindex,follow'>"] = false,
      ["<meta name=robots content='nofollowed nones'>"] = false,
      ["<meta name=robots>"] = false,
      ["<meta name=description content=nofollow>"] = false,
    } do
      equal(html.parse(source).nofollow, expected, source)
    end
  end)
end)

it("a page of a few bytes needs no wait, and can be read anywhere", function()
  local list = { 3, 1, 2 }
  table.sort(list, function(a, b) -- a C function, in which nothing can wait
    local doc = html.parse(("<p>%d<p>%d"):format(a, b)):select "p"
    return tonumber(doc[1]:text()) < tonumber(doc[2]:text())
  end)
  equal(list, { 1, 2, 3 })
  misuse("sort", function()
    table.sort(list, function() html.parse(("<p>x"):rep(100000)) end)
  end)
end)

it("many tasks parse and search at once", function()
  local source = "<ul>" .. ("<li>x"):rep(many(20000)) .. "</ul>"
  local counts = task.gather(task.map(function(n)
    return #html.parse(source .. ("<b>"):rep(n)):select "li:not(b)"
  end, { 1, 2, 3, 4, 5, 6, 7, 8 }))
  for _, n in ipairs(counts) do equal(n, many(20000)) end
end)
