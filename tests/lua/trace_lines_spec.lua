-- SPDX-License-Identifier: MIT
-- septet.trace.lines: filters, limits, and text that is safe to print.
local private = debug.getregistry()["septet.require"] -- of private modules
local lines, terminal = private "septet.trace.lines", private "septet.trace.terminal"

local function lines_of(events, options)
  local out = {}
  local add, done = lines.new(function(text) out[#out + 1] = text end, options or {})
  for _, e in ipairs(events) do add(e) end
  done()
  return out
end

local function two_tasks()
  return {
    { kind = "spawn", time = 5, task = 1, parent = 0, defined = "a/crawl.lua:1" },
    { kind = "name", time = 5, task = 1, name = "main" },
    { kind = "spawn", time = 5.0004, task = 2, parent = 1, defined = "a/crawl.lua:14" },
    { kind = "wait", time = 5.0005, task = 2, what = "http GET http://a.com/1",
      at = "a/crawl.lua:9" },
    { kind = "xfer", time = 5.001, task = 2, method = "GET", url = "http://a.com/1", status = 200,
      bytes = 14213, protocol = 20, reused = false, total = 0.1, wait = 0.071, receive = 0.0098 },
    { kind = "span_begin", time = 5.2, task = 2, ref = 3, name = "parse", at = "a/crawl.lua:10" },
    { kind = "span_end", time = 5.25, task = 2, ref = 3, failed = true },
    { kind = "mark", time = 5.25, task = 2, name = "page", value = 7 },
    { kind = "end", time = 5.3, task = 2, outcome = "ok" },
    { kind = "lost", time = 5.3, task = 0, count = 3 },
    { kind = "end", time = 5.4, task = 1, outcome = "error" },
  }
end

-- Returns the verbs of lines.
local function verbs(list)
  local found = {}
  for i, line in ipairs(list) do
    found[i] = line:sub(35):match "%S+"
  end
  return table.concat(found, " ")
end

describe("lines", function()
  it("each event has a line", function()
    equal((table.concat(lines_of(two_tasks())):gsub(" +", " ")), [[
 +0.0 #1 crawl.lua:1 spawn a/crawl.lua:1
 +0.4 #2 crawl.lua:14 spawn a/crawl.lua:14 by #1
 +0.5 #2 crawl.lua:14 wait GET http://a.com/1 a/crawl.lua:9
 +101.0 #2 crawl.lua:14 200 GET http://a.com/1 14.2 kB h2 new | wait 71.0 recv 9.8 = 100.0 ms
 +250.0 #2 crawl.lua:14 span parse: 50.0 ms, failed a/crawl.lua:10
 +250.0 #2 crawl.lua:14 mark page 7
 +300.0 #2 crawl.lua:14 end ok (1 wait, busy 0.00 ms, sched 0.00 ms)
 +300.0 lost 3 records were overwritten before they were read
 +400.0 #1 main end error (0 waits, busy 0.00 ms, sched 0.00 ms)
]])
  end)

  it("a filter selects by task, by name, by URL and by kind", function()
    local function filtered(...) return verbs(lines_of(two_tasks(), { filter = { ... } })) end
    equal(filtered("#1"), "spawn lost end")
    equal(filtered("#2"), "spawn wait 200 span mark end lost")
    equal(filtered("lua:14"), "spawn wait 200 span mark end lost")
    equal(filtered("a.com"), "wait 200 lost")
    equal(filtered("request", "mark"), "200 mark")
    equal(filtered("#1", "#2", "spawn"), "spawn spawn")
    equal(filtered("a.com", "wait"), "wait")
    equal(filtered("nothing"), "lost")
    equal(filtered("%d", "."), "spawn spawn wait 200 span mark end lost")
  end)

  it("lines over the limit are counted, and said at the next second or at the end", function()
    local events = {}
    for i = 0, 24 do
      events[#events + 1] = { kind = "mark", time = 3 + i / 10, task = 0, name = tostring(i) }
    end
    events[#events + 1] = { kind = "hog", time = 5.5, task = 0, duration = 1 }
    local list = lines_of(events, { limit = 4 })
    local text = table.concat(list)
    equal(#list, 16)
    local said = "… 6 lines suppressed %(limit 4/s; %-%-trace%-limit=0 for all%)"
    equal(select(2, text:gsub(said, "")), 2)
    equal(list[#list], "… 1 line suppressed (limit 4/s; --trace-limit=0 for all)\n")
    equal(list[#list - 1]:find "hog" ~= nil, true)
  end)

  it("text of others cannot move the cursor", function()
    equal(terminal.escape "abc ~é€", "abc ~é€")
    equal(terminal.escape "a\27[2J\n\r\t\0\127", "a\\x1b[2J\\n\\r\\t\\x00\\x7f")
    equal(terminal.escape "\xFFx\xC3\u{9b}é\xE2\x82", "\\xffx\\xc3\\xc2\\x9bé\\xe2\\x82")
    local core = debug.getregistry()["septet.core"]
    for first = 0, 255 do -- as the host escapes its own messages
      local s = "a" .. string.char(first) .. "\x80" .. string.char(255 - first) .. "é"
      equal(terminal.escape(s), core.escape(s))
    end
  end)
end)
