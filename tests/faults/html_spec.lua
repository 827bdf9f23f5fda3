-- SPDX-License-Identifier: MIT
-- Pages that are large, or made to take the time or the memory of a parser: each is parsed beside
-- the loop, or refused by a limit, and a wait for it can be left at any time.
local html, task = require "septet.html", require "septet.task"
local command = require "command"
local ticker = require "ticker"

local MIB = 1024 * 1024

-- Returns an ordinary page of about so many bytes.
local function page_of(bytes)
  local out, n = { "<!DOCTYPE html><title>t</title><body>" }, 0
  for i = 1, math.huge do
    out[i + 1] = ("<div class='item c%d' id=i%d><h2><a href='/p/%d?a=1&amp;b=2'>Item %d</a></h2>"
      .. "<p>Some <b>bold</b> text &eacute; and more of it<ul><li>one<li>two</ul></div>\n")
      :format(i % 7, i, i, i)
    n = n + #out[i + 1]
    if n >= bytes then return table.concat(out), i end
    if i % 1000 == 0 then task.checkpoint() end
  end
end

-- A page that takes gumbo a time that grows with the square of its length.
local function slow_page(n)
  return ("<div>"):rep(n)
end

local SLOW = { max_depth = 1000000, max_time = 1000 }

it("a page of 10 MB is parsed, searched and written while other tasks run", function()
  local source, items = page_of(10 * MIB)
  -- A collection at each wait blocks the loop by itself.
  local waits = MODE == "hostile" and function(fn) return fn() end or ticker.waits
  local doc = waits(function() return html.parse(source, SLOW) end)
  equal(#waits(function() return doc:select "div.item > h2 a[href]" end), items)
  equal(#ticker.pieces(100, function() return doc:links "http://h/" end), items)
  equal(#waits(function() return doc:select "div:nth-child(2n) li:last-child" end), items // 2)
  equal(#ticker.pieces(100, function() return doc:select "*" end) > 8 * items, true)
  equal(#ticker.pieces(10, function() return doc:first "body".children end), items)
  local text = waits(function() return doc:text() .. doc:raw_text() end)
  equal(text:find("Some bold text é and more of it", 1, true) ~= nil, true)
  local markup = waits(function() return doc:html() end)
  equal(#html.parse(markup, SLOW):select "div", items)
end)

it("a page that nests more deeply than max_depth is refused at once", function()
  local deep = { code = "too_deep", kind = "HtmlError" }
  for _, tag in ipairs { "div", "b", "ul><li", "table><tr><td", "svg><g", "template", "x-y" } do
    -- all the page would take more memory
    raises_error(deep, html.parse, ("<" .. tag .. ">"):rep(1000000), { max_memory = 20 * MIB,
      max_time = SLOW.max_time })
  end
  raises_error(deep, html.parse, ("<div>"):rep(1001))
  equal(#html.parse(("<div>"):rep(900)):select "div", 900)
  local doc = html.parse(("<div>"):rep(20000), { max_depth = 30000 })
  local innermost = doc:first "div:not(:has(div))"
  equal(innermost:closest ":not(div)".tag, "body")
  equal(#doc:html() > 20000 * 11, true)
  equal(doc:text(), "")
  equal(#doc:select "div div div", 19998)
end)

it("a tag with more attributes than max_attributes is refused", function()
  local names = {}
  for i = 1, 100000 do names[i] = "a" .. i end
  local list = table.concat(names, " ")
  for _, source in ipairs { "<div " .. list .. ">", "<body>" .. ("<body " .. list .. ">"),
    "x</p " .. list .. ">", "<svg " .. list .. "/>" } do
    raises_error({ code = "too_many_attributes", kind = "HtmlError" }, html.parse, source)
  end
  equal(html.parse("<p " .. table.concat(names, " ", 1, 900) .. ">"):first "p":attr "a900", "")
  equal(#html.parse(("<p a=1 b=2>"):rep(10000)):select "[a][b]", 10000)
  equal(#html.parse(("<p " .. ("a=1 "):rep(100000) .. ">")):first "p":html(), 13)
end)

it("what would take too much memory or time is refused", function()
  raises_error({ code = "too_big", url = "http://h/" }, html.parse, "12345",
    { max = 4, url = "http://h/" })
  raises_error({ code = "too_big" }, html.parse, ("<p>x"):rep(100000), { max_memory = 4 * MIB })
  -- each paragraph has all open tags again, with their attributes
  local again = "<p>"
  for i = 1, 9 do again = ("%s<b a%d=%s>"):format(again, i, ("x"):rep(10000)) end
  raises_error({ code = "too_big" }, html.parse, again .. ("</p><p>x"):rep(100000),
    { max_memory = 64 * MIB })
  raises_error({ code = "too_slow" }, html.parse, slow_page(100000),
    { max_depth = 1000000, max_time = 0.1 })
  equal(#html.parse(("<p>x"):rep(3000), { max_time = math.huge }):select "p", 3000)
end)

it("a page that is cut anywhere is a page", function()
  local source = "<!DOCTYPE html><title>&amp;</title><p a='&lt;' b=\"c\" d=e>x<!-- y --><svg>"
    .. "<![CDATA[z]]></svg><script>a<b></script><table><tr><td><select><option>\u{10FFFF}"
  for n = 0, #source do
    local doc = html.parse(source:sub(1, n))
    equal(html.parse(doc:html()):raw_text(), doc:raw_text(), n)
  end
end)

it("a wait for a page can be left, and its thread then stops", function()
  local source = slow_page(many(300000) + 30000)
  for _ = 1, 3 do
    local tasks = task.map(function() html.parse(source, SLOW) end, { 1, 2, 3, 4, 5, 6 })
    task.sleep(0.02)
    for _, t in ipairs(tasks) do t:cancel() end
    task.wait(tasks)
    for _, t in ipairs(tasks) do equal(t:status(), "cancelled") end
  end
  equal(html.parse(("<p>x"):rep(3000)):first "p":text(), "x") -- there are threads for it
  raises_error({ kind = "Timeout" }, task.timeout, 0.05, html.parse, source, SLOW)
end)

it("a search can be left, and its thread then stops", function()
  local doc = html.parse(("<p>x"):rep(100000))
  for _ = 1, 6 do
    raises_error({ kind = "Timeout" }, task.timeout, 0.02, function()
      return doc:select "a ~ p, b ~ p, i ~ p"
    end)
  end
  equal(#doc:select "p:nth-child(10n)", 10000)
end)

it("a host can end while a page is parsed", function()
  local printed, status = command.run [[
local html = require "septet.html"
for _ = 1, 6 do
  task.background(html.parse, ("<div>"):rep(300000), { max_depth = 1000000, max_time = 1000 })
end
task.sleep(0.05)
print "done"]]
  equal({ printed, status }, { "done\n", 0 })
end)

it("a selector of many parts takes no time that grows with their power, and so ends", function()
  local doc = html.parse(("<div>"):rep(300) .. "<b>")
  equal(#doc:select(("div "):rep(60) .. "i"), 0)
  equal(#doc:select("i " .. ("div "):rep(60) .. "b"), 0)
  equal(#doc:select("i > " .. ("div "):rep(60) .. "> b"), 0)
  equal(#doc:select("b:not(" .. ("div "):rep(60) .. "b)"), 0)
  equal(#doc:select "div:has(div:has(div:has(b)))" > 0, true)
end)

it("a dropped page is collected in time", function()
  local source = page_of(MIB)
  for _ = 1, 3 do collectgarbage() end
  local before, most = collectgarbage "count", 0
  for _ = 1, 60 do -- some 3 MiB each
    html.parse(source)
    most = math.max(most, collectgarbage "count")
  end
  if most > 2 * before + 100 * 1024 then
    error(("%.0f KiB of pages are kept, with %.0f before"):format(most, before), 0)
  end
end)

it("a search in a page that makes it slow can be left, and its thread then stops", function()
  local n = 200000
  local items, comments = ("<i></i>"):rep(n), ("<!---->"):rep(n)
  for selector, page in pairs {
    ["a + div i"] = "<p></p>" .. comments .. "<div>" .. items .. "</div>",
    ["input:disabled"] = "<fieldset disabled>" .. items .. "<legend>" .. ("<input>"):rep(n),
    ["div:empty ~ i"] = "<div>" .. comments .. "</div>" .. items,
    [("[a*='%sb' i]"):format(("a"):rep(60000))] = ("<p a='%s'>"):format(("a"):rep(32 * MIB)),
  } do
    local doc = html.parse(page)
    for _ = 1, 5 do
      raises_error({ kind = "Timeout" }, task.timeout, 0.01, doc.select, doc, selector)
    end
    equal(#doc:select "body", 1)
    equal(#html.parse(("<p>x"):rep(3000)):select "p", 3000) -- there are threads for it
  end
end)

it("a page with many attributes for its html and body tags is refused", function()
  for _, tag in ipairs { "html", "body" } do
    local out = {}
    for i = 1, 1500 do out[i] = ("<%s a%d><i></i>"):format(tag, i) end
    raises_error({ code = "too_many_attributes" }, html.parse, table.concat(out))
    equal(html.parse(table.concat(out, "", 1, 900)):first(tag):attr "a900", "")
  end
end)
