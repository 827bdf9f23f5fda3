-- SPDX-License-Identifier: MIT
-- The parser of event streams: the rules of the WHATWG, and bytes in pieces of any size.
local private = debug.getregistry()["septet.require"] -- of private modules
local task = require "septet.task"
local event_stream = private "septet.http.event_stream"

local MAX = 1024 * 1024

-- Feeds pieces to a parser. Returns the events as { type, data, id, retry }, the parser, and true
-- if one was too big.
local function parse(pieces, max)
  local parser = event_stream.new(max or MAX)
  local found = {}
  for _, piece in ipairs(pieces) do
    parser:feed(piece)
    while true do
      local event, is_too_big = parser:next()
      if is_too_big then return found, parser, true end
      if event then
        found[#found + 1] = { event.type, event.data, event.id or "-", event.retry or "-" }
      elseif event == nil then
        break
      end
    end
  end
  return found, parser, false
end

-- Each stream with the events that it has, as { type, data, id, retry }; "-" stands for none.
local CASES = {
  { "the three messages of the standard",
    "data: YHOO\ndata: +2\ndata: 10\n\n",
    { "message", "YHOO\n+2\n10", "-", "-" } },
  { "comments, ids and an empty id",
    ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
    { "message", "first event", "1", "-" }, { "message", "second event", "", "-" },
    { "message", " third event", "", "-" } },
  { "data without a value, and none at the end",
    "data\n\ndata\ndata\n\ndata:",
    { "message", "", "-", "-" }, { "message", "\n", "-", "-" } },
  { "only one space is removed, and it may be missing",
    "data:test\n\ndata: test\n\ndata:\ttab\n\n",
    { "message", "test", "-", "-" }, { "message", "test", "-", "-" },
    { "message", "\ttab", "-", "-" } },
  { "a type holds for one event",
    "event: add\ndata: 1\n\ndata: 2\n\nevent: x\nevent\ndata: 3\n\nevent: lost\n\ndata: 4\n\n",
    { "add", "1", "-", "-" }, { "message", "2", "-", "-" }, { "message", "3", "-", "-" },
    { "message", "4", "-", "-" } },
  { "the last type of an event counts",
    "event: a\nevent: b\ndata: 1\n\n", { "b", "1", "-", "-" } },
  { "an id is kept, and takes effect at the blank line",
    "id: 7\n\ndata: a\n\nid: 8\ndata: b\n\ndata: c\n\nid: 9\n",
    { "message", "a", "7", "-" }, { "message", "b", "8", "-" }, { "message", "c", "8", "-" } },
  { "an id with a NUL is ignored",
    "id: 1\ndata: a\n\nid: 2\0\ndata: b\n\n",
    { "message", "a", "1", "-" }, { "message", "b", "1", "-" } },
  { "a NUL in data is kept",
    "data: a\0b\n\n", { "message", "a\0b", "-", "-" } },
  { "retry has digits only",
    "retry: 1500\ndata: a\n\nretry: -1\nretry: 1.5\nretry: 2x\nretry:\nretry: ٣\ndata: b\n\n",
    { "message", "a", "-", 1.5 }, { "message", "b", "-", 1.5 } },
  { "retry alone is no event",
    "retry: 10\n\n\n\ndata: a\n\n", { "message", "a", "-", 0.01 } },
  { "unknown and misspelt fields are ignored",
    "Data: x\ndata : x\n data: x\nfoo: x\nfoo\n\0data: x\ndata: a\n\n",
    { "message", "a", "-", "-" } },
  { "lines end with LF, CRLF or CR",
    "data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\r\ndata: e\n\n",
    { "message", "a\nb\nc", "-", "-" }, { "message", "d", "-", "-" },
    { "message", "e", "-", "-" } },
  { "a CR at the end of all ends a line",
    "data: a\r\r", { "message", "a", "-", "-" } },
  { "one byte order mark at the beginning is removed",
    "\u{FEFF}data: a\n\n\u{FEFF}data: b\n\ndata: \u{FEFF}c\n\n",
    { "message", "a", "-", "-" }, { "message", "\u{FEFF}c", "-", "-" } },
  { "two byte order marks: the second belongs to the name",
    "\u{FEFF}\u{FEFF}data: a\n\ndata: b\n\n", { "message", "b", "-", "-" } },
  { "half a byte order mark is no mark",
    "\xEF\xBBdata: a\n\ndata: b\n\n", { "message", "b", "-", "-" } },
  { "a byte order mark before a blank line",
    "\u{FEFF}\ndata: a\n\n", { "message", "a", "-", "-" } },
  { "an event without its blank line is dropped",
    "data: a\n\ndata: b\n", { "message", "a", "-", "-" } },
  { "a blank line without its end is none",
    "data: a\n\ndata: b\n\ndata: c\nid: 3", { "message", "a", "-", "-" },
    { "message", "b", "-", "-" } },
  { "bytes that are not UTF-8 become U+FFFD",
    "event: \xFF\nid: \xC3\ndata: a\xE2\x82\ndata: b\n\n",
    { "\u{FFFD}", "a\u{FFFD}\nb", "\u{FFFD}", "-" } },
  { "colons belong to the value",
    "data: a:b\ndata::c\n\n:data: d\n\n", { "message", "a:b\n:c", "-", "-" } },
  { "nothing at all", "" },
  { "nothing but line ends", "\n\r\r\n\n\n" },
}

describe("an event stream", function()
  for _, case in ipairs(CASES) do
    it(case[1], function()
      local expected = table.move(case, 3, #case, 1, {})
      equal(parse { case[2] }, expected, "whole")
      local bytes = {}
      for i = 1, #case[2] do bytes[i] = case[2]:sub(i, i) end
      equal(parse(bytes), expected, "byte by byte")
      for i = 0, #case[2] do
        equal(parse { case[2]:sub(1, i), case[2]:sub(i + 1) }, expected, "cut at " .. i)
        equal(parse { case[2]:sub(1, i), "", case[2]:sub(i + 1) }, expected, "nothing at " .. i)
      end
    end)
  end

  it("all of them in one stream, cut at any three places, give the same events", function()
    local parts = {}
    for _, case in ipairs(CASES) do parts[#parts + 1] = case[2] .. "\n\n" end
    local all = table.concat(parts)
    local expected = parse { all }
    equal(#expected > 25, true)
    for _ = 1, many(2000) do
      local cuts = { math.random(0, #all), math.random(0, #all), math.random(0, #all) }
      table.sort(cuts)
      local pieces = { all:sub(1, cuts[1]), all:sub(cuts[1] + 1, cuts[2]),
        all:sub(cuts[2] + 1, cuts[3]), all:sub(cuts[3] + 1) }
      equal(parse(pieces), expected, table.concat(cuts, " "))
    end
  end)

  it("the id of an event that was not ended is not the stream's", function()
    local _, parser = parse { "id: 1\ndata: a\n\nid: 2\ndata: b\n" }
    equal(parser.id, "1")
    local _, after = parse { "id: 1\ndata: a\n\nid: 2\n\n" }
    equal(after.id, "2")
  end)
end)

describe("a large event", function()
  it("is refused once it exceeds the maximum, in whatever lines it comes", function()
    local line = "data: " .. ("x"):rep(99) .. "\n" -- 100 bytes of data with the line end
    for i, pieces in ipairs { { line:rep(11) .. "\n" }, { line:rep(11), "\n" },
      { "data: " .. ("x"):rep(1024) .. "\n\n" }, { "data: ", ("x"):rep(1024) },
      { ("data\n"):rep(1030) }, { ": " .. ("c"):rep(1100) }, { ("f"):rep(1100) },
      { "data: a\n\nid: " .. ("1"):rep(1100) } } do
      local found, parser, is_too_big = parse(pieces, 1024)
      equal({ is_too_big, #found }, { true, i == 8 and 1 or 0 }, i)
      equal({ parser:next() }, { nil, true })
    end
    equal(select(3, parse({ ("x\n"):rep(2000) }, 1024)), false)
    equal(select(3, parse({ line:rep(10) .. "\n" }, 1024)), false)
    equal(select(3, parse({ "data: " .. ("x"):rep(1000) .. "\n\n" }, 1024)), false)
  end)

  it("keeps little more memory than its maximum, however much comes", function()
    local parser, piece = event_stream.new(MAX), ("data: " .. ("x"):rep(1018)):rep(64)
    collectgarbage()
    local before, refused = collectgarbage "count", false
    for _ = 1, many(16384) do -- 1 GB
      parser:feed(piece)
      refused = select(2, parser:next()) or refused
    end
    collectgarbage()
    equal(refused, MODE ~= "hostile")
    equal(collectgarbage "count" - before < 4 * 1024, true)
  end)

  it("that comes byte by byte takes time in proportion to its size", function()
    -- With a copy of what is there for each byte, this would copy 100 GB.
    local size = many(500000)
    local parser = event_stream.new(MAX)
    for i = 1, size do
      parser:feed(i <= 6 and ("data: "):sub(i, i) or "x")
      equal(parser:next() or parser:next(), nil)
    end
    parser:feed "\n\n"
    equal(#(parser:next() or parser:next()).data, size - 6)
  end)
end)

describe("a parser", function()
  it("lets other tasks run between many events, or many lines without one", function()
    for _, text in ipairs { ("data: x\n\n"):rep(1000), ("\n"):rep(10000), (":\n"):rep(5000) } do
      local parser, shares = event_stream.new(MAX), 0
      parser:feed(text)
      while true do
        local event = parser:next()
        if event == nil then break end
        if event == false then
          shares = shares + 1
          task.checkpoint()
        end
      end
      equal(shares > 0, true)
    end
  end)
end)
