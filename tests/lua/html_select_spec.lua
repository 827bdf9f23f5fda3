-- SPDX-License-Identifier: MIT
-- CSS selectors on pages: each form with what it must not match, and random ones against a second
-- implementation, which goes from left to right over sets.
local html = require "septet.html"

local doc = html.parse [[<!DOCTYPE html><body id=body>
<div id=a class="one two" lang=en-GB data-x="Foo bar"><p id=p1>A<p id=p2 class=two>B<span
id=s1></span></div>
<div id=b class="two" lang=en DATA-Y=1><p id=p3><b id=b1>C</b><i id=i1></i><b id=b2>Hello <u
id=u1>wor</u>ld</b></p>
<ul id=l><li id=l1><li id=l2 class=odd><li id=l3><li id=l4 class=odd><li id=l5 class=odd></ul></div>
<form id=f><fieldset id=fs disabled><legend id=lg><input id=c1 type=CHECKBOX checked></legend>
<input id=c2><select id=se><option id=o1 selected></select></fieldset><input id=c3 disabled>
<button id=c4></button></form><a id=h href=x></a><a id=nh></a><svg id=svg viewBox=1>
<foreignObject id=fo>
</foreignObject></svg><em id=e1><!-- c --></em><em id=e2> </em></body>]]

local function ids(selector, from)
  local found = {}
  for i, element in ipairs((from or doc):select(selector)) do
    found[i] = element:attr "id" or element.tag
  end
  return table.concat(found, " ")
end

local EXPECTED = {
  { "p", "p1 p2 p3" }, { "P", "p1 p2 p3" }, { "q", "" },
  { "ul *", "l1 l2 l3 l4 l5" }, { "html", "html" },
  { "#p2", "p2" }, { "#P2", "" }, { "p#p2.two", "p2" }, { "p#p2.one", "" },
  { ".two", "a p2 b" }, { ".TWO", "" }, { ".one.two", "a" }, { "div.two", "a b" }, { ".tw", "" },
  { "[data-x]", "a" }, { "[DATA-Y]", "b" }, { "[data-z]", "" },
  { "[data-x='Foo bar']", "a" }, { "[data-x='foo bar']", "" }, { "[data-x='foo bar' i]", "a" },
  { "[data-x='Foo bar' s]", "a" }, { "[ data-x = \"Foo bar\" ]", "a" },
  { "[data-x~=bar]", "a" }, { "[data-x~=ba]", "" }, { "[data-x~='Foo bar']", "" },
  { "[lang|=en]", "a b" }, { "[lang|=e]", "" }, { "[data-x^=Foo]", "a" }, { "[data-x^=bar]", "" },
  { "[data-x$=bar]", "a" }, { "[data-x$=Foo]", "" }, { "[data-x*='o b']", "a" },
  { "[data-x*='O B' i]", "a" }, { "[data-x*=x]", "" }, { "[data-x^='']", "" },
  { "[data-x*='']", "" }, { "[data-x$='']", "" }, { "[data-x~='']", "" },
  { "[type=checkbox]", "c1" }, { "[type=checkbox s]", "" }, { "[id=A]", "" },
  { "body p", "p1 p2 p3" }, { "body > p", "" }, { "div > p", "p1 p2 p3" }, { "div>p>b", "b1 b2" },
  { "b + i", "i1" }, { "i + i", "" }, { "b ~ b", "b2" }, { "i ~ b", "b2" }, { "b2 ~ i", "" },
  { "div p + ul li", "l1 l2 l3 l4 l5" }, { "div + div > p b", "b1 b2" }, { "#a b", "" },
  { "p, li", "p1 p2 p3 l1 l2 l3 l4 l5" }, { "li,p", "p1 p2 p3 l1 l2 l3 l4 l5" },
  { "p:not(.two)", "p1 p3" }, { "p:not(.two, #p3)", "p1" }, { "p:not(div > p)", "" },
  { "p:not(:not(.two))", "p2" }, { ":is(b, i)", "b1 i1 b2" }, { "p :where(b, u)", "b1 b2 u1" },
  { ":is(div ul, p) > :is(li, b)", "b1 b2 l1 l2 l3 l4 l5" }, { ":IS(u)", "u1" },
  { "p:has(b)", "p3" }, { "p:has(> u)", "" }, { "b:has(> u)", "b2" }, { "b:has(+ i)", "b1" },
  { "b:has(~ b)", "b1" }, { "p:has(u, span)", "p2 p3" }, { "div:not(:has(ul))", "a" },
  { "div:has(p + p)", "a" }, { "div:has(> p > b ~ b u)", "b" }, { "p:has(:has(u))", "p3" },
  { "li:first-child", "l1" }, { "li:last-child", "l5" }, { "b:first-of-type", "b1" },
  { "b:last-of-type", "b2" }, { "i:only-of-type", "i1" }, { "b:only-of-type", "" },
  { "span:only-child", "s1" }, { "u:only-child", "u1" }, { "b:only-child", "" },
  { "li:nth-child(2)", "l2" }, { "li:nth-child(odd)", "l1 l3 l5" },
  { "li:nth-child(even)", "l2 l4" }, { "li:nth-child(2n+1)", "l1 l3 l5" },
  { "li:nth-child( 2N + 1 )", "l1 l3 l5" }, { "li:nth-child(-n+2)", "l1 l2" },
  { "li:nth-child(n+4)", "l4 l5" }, { "li:nth-child(n)", "l1 l2 l3 l4 l5" },
  { "li:nth-child(+3n-1)", "l2 l5" }, { "li:nth-child(-2n)", "" }, { "li:nth-child(0)", "" },
  { "li:nth-child(-1)", "" }, { "li:nth-child(3n)", "l3" }, { "li:nth-child(99999999999)", "" },
  { "li:nth-last-child(2)", "l4" }, { "li:nth-last-child(2n)", "l2 l4" },
  { "li:nth-last-child(-n+2)", "l4 l5" }, { "b:nth-of-type(2)", "b2" },
  { "b:nth-child(2)", "" }, { "b:nth-last-of-type(2)", "b1" },
  { "li:nth-child(2 of .odd)", "l4" }, { "li:nth-child(even of .odd)", "l4" },
  { "li:nth-last-child(1 of .odd)", "l5" }, { "li:nth-last-child(1 of :not(.odd))", "l3" },
  { "em:empty", "e1" }, { "p:empty", "" }, { ":root", "html" }, { "body:root", "" },
  { "u:contains(wor)", "u1" }, { "b:contains('Hello world')", "b2" }, { "b:contains('hello')", "" },
  { "i:contains('')", "i1" }, { "b:contains(lolo)", "" },
  { ":link", "h" }, { "a:any-link", "h" }, { "a:not(:link)", "nh" },
  { ":checked", "c1 o1" }, { ":disabled", "fs c2 se c3" }, { ":enabled", "c1 o1 c4" },
  { "foreignObject", "fo" }, { "foreignobject", "" }, { "[viewBox]", "svg" }, { "[viewbox]", "" },
  { "#\\61 , .\\74wo", "a p2 b" }, { "#\\6c\\35", "l5" }, { "\\70", "p1 p2 p3" },
  { "/* c */p/* d */.two/**/", "p2" }, { "p/**/ /**/b", "b1 b2" }, { "  p\n,\tli  ", nil },
  { "a" .. ":not(b)" .. "[href]", "h" }, { "*", nil },
}

it("each form matches what it should, and nothing else", function()
  for _, pair in ipairs(EXPECTED) do
    if pair[2] then equal(ids(pair[1]), pair[2], pair[1]) else doc:select(pair[1]) end
  end
end)

it("what is no selector is refused where it goes wrong", function()
  for selector, expected in pairs {
    [""] = { 1, "a selector expected at the end" }, ["  "] = { 3, "expected at the end" },
    ["p,"] = { 3, "at the end" }, [",p"] = { 1, "a selector expected" },
    ["p >"] = { 4, "at the end" },
    ["> p"] = { 1, "a selector" }, ["p > > b"] = { 5, "a selector" }, ["p..a"] = { 3, "a name" },
    ["#"] = { 2, "a name" }, ["."] = { 2, "a name" }, [".1a"] = { 2, "a name" },
    ["p$"] = { 2, "a selector" }, ["p b)"] = { 4, "a selector" }, ["p{}"] = { 2, "a selector" },
    ["[a"] = { 3, "']' or an operator such as '=' expected at the end" }, ["[]"] = { 2, "a name" },
    ["[a=]"] = { 4, "a name" }, ["[a!=b]"] = { 3, "an operator" }, ["[a~b]"] = { 4, "'='" },
    ["[a='b]"] = { 4, "a string without an end" }, ["[a=b x]"] = { 6, "the flag 'i' or 's'" },
    ["[a=b i"] = { 7, "']' expected at the end" }, ["[a=1b]"] = { 4, "a name" },
    ["p:foo"] = { 2, "unknown pseudo%-class ':foo'" }, ["p:eq(1)"] = { 2, "':eq'" },
    ["p::before"] = { 2, "pseudo%-elements" }, [":not()"] = { 6, "a selector" },
    [":not(p"] = { 7, "'%)' expected at the end" }, [":not"] = { 1, "':not' takes an argument" },
    [":root(x)"] = { 1, "':root' takes no argument" }, [":nth-child()"] = { 12, "'odd', 'even'" },
    [":nth-child(2x)"] = { 13, "'%)'" }, [":nth-child(n+)"] = { 14, "a number" },
    [":nth-child(1 from p)"] = { 14, "'%)' expected, got 'from'" },
    [":nth-of-type(1 of p)"] = { 16, "'%)' expected, got 'of'" },
    ["svg|a"] = { 4, "namespaces" }, [":"] = { 2, "a name" }, ["\0"] = { 1, "a selector" },
    [("a "):rep(65)] = { 129, "more than 64 parts" },
    [(":not("):rep(17) .. "a" .. (")"):rep(17)] = { 81, "nested too deeply" },
    [("a"):rep(65537)] = { 65537, "longer than 65536 bytes" },
  } do
    local what = selector:sub(1, 40)
    local err = raises_error({ kind = "HtmlError", code = "selector", position = expected[1],
      selector = selector }, doc.select, doc, selector)
    if not err.message:find(expected[2]) then error(what .. ": " .. err.message, 0) end
  end
end)

it("a search is in what it is called on", function()
  local b = doc:first "#b"
  equal(ids("p", b), "p3")
  equal(ids("body p", b), "p3") -- what is around it counts
  equal(ids(":scope > p", b), "p3")
  equal(ids(":scope", b), "")
  equal(ids(":scope > body"), "body")
  equal(b:first "none", nil)
  equal(b:first "li":attr "id", "l1")
  equal({ b:matches "div", b:matches "p", b:matches ":scope" }, { true, false, true })
  local u = doc:first "u"
  equal(u:closest "p":attr "id", "p3")
  equal(u:closest "u" == u, true)
  equal(u:closest "form", nil)
end)

it("in quirks mode classes and ids match in any case", function()
  local quirky = html.parse "<p id=Q class=C>"
  equal({ #quirky:select "#q.c", #html.parse "<!DOCTYPE html><p id=Q class=C>":select "#q.c" },
    { 1, 0 })
end)

-- --- at random ---

-- Writes a random page of so many elements.
local function random_page(n)
  local tags, out, open = { "a", "b", "i", "u", "s" }, { "<!DOCTYPE html><body>" }, {}
  for _ = 1, n do
    while #open > 0 and math.random(3) == 1 do out[#out + 1] = "</" .. table.remove(open) .. ">" end
    local tag = "x-" .. tags[math.random(#tags)]
    out[#out + 1] = ("<%s class='%s' n=%d>"):format(tag,
      ({ "", "k", "m", "k m" })[math.random(4)], math.random(3))
    open[#open + 1] = tag
  end
  return html.parse(table.concat(out))
end

local SIMPLE = { "x-a", "x-b", "x-i", "*", ".k", ".m", "[n='1']", "x-u.k", ":first-child",
  ":nth-child(2n)", ":last-of-type", ":not(.k)", ":only-child", ":empty" }
local COMBINATORS = { " ", " > ", " + ", " ~ " }

local function related(element, combinator)
  if combinator == " > " then return { element.parent } end
  if combinator == " + " then return { element.previous } end
  local list = {}
  local at = combinator == " " and element.parent or combinator == " ~ " and element.previous
  while at do
    list[#list + 1] = at
    at = combinator == " " and at.parent or combinator == " ~ " and at.previous or nil
  end
  return list
end

-- Returns the places of the elements that match parts, found by sets from left to right.
local function reference(all, place, parts, combinators)
  local set
  for i, part in ipairs(parts) do
    local next_set = {}
    for n, element in ipairs(all) do
      local fits = element:matches(part)
      if fits and i > 1 then
        fits = false
        for _, other in ipairs(related(element, combinators[i - 1])) do
          fits = fits or set[place(other)]
        end
      end
      if fits then next_set[n] = true end
    end
    set = next_set
  end
  return set
end

it("random selectors match what a second implementation finds", function()
  math.randomseed(17)
  for _ = 1, many(60) > 0 and many(60) or 1 do
    local page = random_page(30)
    local all = page:select "*"
    local function place(element)
      for n, other in ipairs(all) do
        if other == element then return n end
      end
    end
    for _ = 1, 6 do
      local parts, combinators = { SIMPLE[math.random(#SIMPLE)] }, {}
      local text = parts[1]
      for i = 1, math.random(0, 3) do
        combinators[i], parts[i + 1] = COMBINATORS[math.random(4)], SIMPLE[math.random(#SIMPLE)]
        text = text .. combinators[i] .. parts[i + 1]
      end
      local set, found = reference(all, place, parts, combinators), {}
      for _, element in ipairs(page:select(text)) do found[place(element)] = true end
      equal(found, set, text)
    end
  end
end)

it("the laws of sets hold", function()
  math.randomseed(4)
  for _ = 1, 20 do
    local page = random_page(60)
    local function n(selector) return #page:select(selector) end
    local a, b = SIMPLE[math.random(#SIMPLE)], SIMPLE[math.random(#SIMPLE)]
    equal(n(a .. "," .. b), n(a) + n(b) - n((":is(%s):is(%s)"):format(a, b)), a .. b)
    equal(n(a) + n((":not(%s)"):format(a)), n "*", a)
    equal(n((":is(%s) :is(%s)"):format(a, b)), n(a .. " " .. b))
    equal(n((":has(> %s)"):format(a)), n((":not(:not(:has(> %s)))"):format(a)))
    for k = 1, 4 do
      equal(n((":nth-child(%dn)"):format(k)), n((":nth-child(%dn+%d)"):format(k, k)))
    end
    equal(n ":nth-child(3n)" + n ":nth-child(3n+1)" + n ":nth-child(3n+2)", n "*")
    equal(n ":nth-last-of-type(2n)" + n ":nth-last-of-type(odd)", n "*")
  end
end)
