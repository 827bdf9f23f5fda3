-- SPDX-License-Identifier: MIT
-- septet.pretty: values in words; the same value gives the same words, and none breaks it.
local pretty, task, sync = require "septet.pretty", require "septet.task", require "septet.sync"
local http, json = require "septet.http", require "septet.json"
local origin = require "origin"

local format = pretty.format

local function shows(cases, options)
  for _, case in ipairs(cases) do equal(format(case[1], options), case[2]) end
end

local function contains(text, words)
  if not text:find(words, 1, true) then error(("no %q in %q"):format(words, text), 2) end
end

describe("single values", function()
  it("numbers: a float is told from an integer, and is the same number when read", function()
    shows {
      { 1, "1" }, { 1.0, "1.0" }, { -0.0, "-0.0" }, { 0.1 + 0.2, "0.30000000000000004" },
      { 0.1, "0.1" }, { 1e100, "1e+100" }, { 2^53, "9007199254740992.0" },
      { math.mininteger, "-9223372036854775808" }, { math.huge, "math.huge" },
      { -math.huge, "-math.huge" },
    }
    equal(format(0 / 0):find "nan" ~= nil, true)
  end)

  it("strings: quotes, control characters and invalid UTF-8 are escaped", function()
    shows {
      { "", '""' }, { 'a"b\\', '"a\\"b\\\\"' }, { "a\n\t\r\0\27", '"a\\n\\t\\r\\x00\\x1B"' },
      { "é漢🙂", '"é漢🙂"' }, { "\xff\xc3é", '"\\xFF\\xC3é"' },
      { "\u{85}\u{202E}x\u{FEFF}", '"\\u{85}\\u{202E}x\\u{FEFF}"' }, { "it's", '"it\'s"' },
    }
    for _, text in ipairs { "\0\1\2\127\128\255", "a\u{202E}b", "\\\"\n", "é\xE2\x80" } do
      equal(load("return " .. format(text))(), text)
    end
  end)

  it("a long string is cut between characters, and says how long it is", function()
    equal(format(("x"):rep(2000), { text = 3 }), '"xxx"… (2000 bytes)')
    equal(format("aé漢", { text = 2 }), '"a"… (6 bytes)')
    equal(format("aé漢", { text = 5 }), '"aé"… (6 bytes)')
    equal(format("\x80\x80\x80\x80\x80\x80", { text = 5 }),
      '"\\x80\\x80\\x80\\x80\\x80"… (6 bytes)')
  end)

  it("functions: those of Lua and ours by name, the script's by place", function()
    local here = debug.getinfo(1, "S").source:sub(2)
    shows {
      { print, "function: print" }, { string.format, "function: string.format" },
      { json.decode, "function: json.decode" }, { task.spawn, "function: task.spawn" },
      { function() end, ("function: %s:%d"):format(here, line()) },
      { load "return 1", 'function: [string "return 1"]:0' },
    }
  end)

  it("other values", function()
    shows {
      { nil, "nil" }, { true, "true" }, { false, "false" }, { json.null, "json.null" },
      { coroutine.create(print), "coroutine (suspended)" },
    }
    contains(format(io.stdout), "file (")
  end)
end)

describe("tables", function()
  it("the list part first, then numbers, names and the rest, always in the same order", function()
    local t = { "a", "b", z = 1, a = 2, [10] = 3, [-1] = 4, [1.5] = 5, [true] = 6, [false] = 7 }
    equal(format(t, { width = 200 }), '{ "a", "b", [-1] = 4, [1.5] = 5, [10] = 3, a = 2, z = 1, '
      .. "[true] = 6, [false] = 7 }")
    equal(format { ["a b"] = 1, ["end"] = 2, ["é"] = 3, _x1 = 4 },
      '{ _x1 = 4, ["a b"] = 1, ["end"] = 2, ["é"] = 3 }')
    equal(format { [{}] = 1, [print] = 2 }, "{ [function: print] = 2, [{…}] = 1 }")
    equal(format { nil, 2 }, "{ [2] = 2 }")
  end)

  it("empty ones, and those of one line", function()
    shows { { {}, "{}" }, { { {} }, "{ {} }" }, { { { 1 }, { 2 } }, "{ { 1 }, { 2 } }" },
      { json.array {}, "json.array {}" }, { json.array { 1 }, "{ 1 }" } }
  end)

  it("what does not fit on a line is on several", function()
    equal(format({ name = "a", list = { 1, 2 }, deep = { x = { y = "long enough" } } },
      { width = 24 }), [[
{
  deep = {
    x = {
      y = "long enough"
    }
  },
  list = { 1, 2 },
  name = "a"
}]])
    equal(format({ 1, 22, 333, 4444, 5, 6, 7, 8 }, { width = 14 }), [[
{
  1, 22, 333,
  4444, 5, 6,
  7, 8
}]])
  end)

  it("no line of a table of short values is wider than asked for", function()
    local t = { list = {}, wide = { "漢字", "é", "🙂", "漢字", "é", "🙂" } }
    for i = 1, 100 do t.list[i] = i end
    for _, width in ipairs { 20, 40, 80 } do
      for text in format(t, { width = width }):gmatch "[^\n]+" do
        equal(require "utf8".len(text) <= width, true, text)
      end
    end
  end)

  it("depth and number of items: what is cut is named", function()
    equal(format({ { { 1 } } }, { depth = 2 }), "{ { {…} } }")
    equal(format({ { { 1 } } }, { depth = 3 }), "{ { { 1 } } }")
    equal(format({ 1, 2, 3, a = 1, b = 2 }, { items = 4 }), "{ 1, 2, 3, a = 1, … 1 more }")
    equal(format({ {} }, { depth = 1 }), "{ {} }")
    local deep = {}
    for _ = 1, 10000 do deep = { deep } end
    contains(format(deep, { depth = 1000000 }), "{…}")
  end)

  it("a table in itself, and one that occurs twice, by numbers", function()
    local t = { name = "t" }
    t.self = t
    equal(format(t), '<1> { name = "t", self = <table 1> }')
    local shared = { 1 }
    equal(format { shared, shared, { shared } },
      "{ <1> { 1 }, <table 1>, { <table 1> } }")
    local a, b = {}, {}
    a.b, b.a = b, a
    equal(format { a, b }, "{ <1> { b = <2> { a = <table 1> } }, <table 2> }")
  end)

  it("colours are added where they are asked for, and change nothing else", function()
    local t = { 1, "x", a = { true, print, {} }, long = ("y"):rep(90) }
    local coloured = format(t, { colour = true })
    contains(coloured, "\27[36m1\27[0m")
    equal(coloured:gsub("\27%[%d+m", ""), format(t))
  end)
end)

describe("metatables", function()
  it("__tostring, __name and __pairs are used", function()
    equal(format { setmetatable({ 1 }, { __tostring = function() return "T!" end }) }, "{ T! }")
    equal(format(setmetatable({ a = 1 }, { __name = "Point" })), "Point { a = 1 }")
    local proxy = setmetatable({}, { __pairs = function()
      return next, { "x", b = 2 }
    end })
    equal(format(proxy), '{ "x", b = 2 }')
  end)

  it("those that fail are named, and the table is shown as it is", function()
    local meta = { __index = error, __len = error, __eq = error, __lt = error, __concat = error,
      __call = error, __metatable = false, __name = {}, __close = error, __mode = "k" }
    equal(format(setmetatable({ 1, a = 2 }, meta)), "{ 1, a = 2 }")
    local function fails() error("no\27", 0) end
    equal(format(setmetatable({ 1 }, { __tostring = fails })),
      "(__tostring failed: no\\x1B) { 1 }")
    equal(format(setmetatable({ 1 }, { __pairs = fails })), "(__pairs failed: no\\x1B) { 1 }")
    contains(format(setmetatable({ 1 }, { __tostring = function() return {} end })),
      "must return a string")
    contains(format(setmetatable({ 1 }, { __tostring = function()
      error(setmetatable({}, { __tostring = fails }))
    end })), "__tostring failed: table")
  end)

  it("a __pairs without an end is cut", function()
    local endless = setmetatable({}, { __pairs = function()
      return function(_, k) return (k or 0) + 1, true end
    end })
    contains(format(endless, { items = 2 }), "{ true, true, … ")
    local named = setmetatable({}, { __pairs = function()
      return function(_, k) return (k or "") .. "a", true end
    end })
    contains(format(named, { items = 2 }), "{ a = true, aa = true, … ")
  end)

  it("a text of several lines is indented, and does not move the cursor", function()
    local two = setmetatable({}, { __tostring = function() return "a\nb\27[2J" end })
    equal(format { x = two }, "{\n  x = a\n  b\\x1B[2J\n}")
  end)
end)

describe("objects", function()
  it("those of tasks and of sync by their state", function()
    local lock, event, channel = sync.lock(), sync.event(), sync.channel(2)
    shows { { lock, "lock (free)" }, { event, "event (not set)" }, { channel, "channel (0 items)" },
      { sync.semaphore(2), "semaphore (2 free)" }, { task.future(), "future (pending)" } }
    lock:acquire()
    event:set()
    channel:send(1)
    shows { { lock, "lock (held)" }, { event, "event (set)" }, { channel, "channel (1 item)" } }
    lock:release()
  end)

  it("a task with its state, what it waits for, and where it failed", function()
    local t = task.spawn(task.sleep, 60)
    t.name = "sleeper"
    equal(format(t), "task 'sleeper' (pending)")
    task.checkpoint()
    equal(format(t), "task 'sleeper' (suspended, waits for sleep 60 s)")
    t:cancel()
    task.wait { t }
    equal(format(t), "task 'sleeper' (cancelled)")
    local failing = task.spawn(function() error "x" end)
    failing.name = "failing"
    task.wait { failing }
    local here = debug.getinfo(1, "S").short_src
    equal(format(failing), ("task 'failing' (failed at %s:%d)"):format(here, line() - 4))
    equal(select(2, failing:result()):find "x" ~= nil, true)
  end)

  it("a response with status, size, type and time", function()
    local response = http.get(origin.url .. "/bytes/3")
    local text = format { r = response }
    contains(text, "response 200 OK, 3 bytes, ")
    contains(text, " ms, GET http://")
    contains(format(http.get(origin.url .. "/status/404")), "response 404")
    contains(format(response.headers), "headers {")
  end)

  it("an error with its kind, message and fields", function()
    local err = raises_error({ kind = "HttpError" }, http.get, "http://127.0.0.1:1/")
    local text = format(err)
    contains(text, "HttpError: GET http://127.0.0.1:1/: ")
    contains(text, '\n  code = "connect",\n')
    contains(text, '\n  reason = "refused",\n')
    local usage = raises_error({ kind = "Usage" }, task.sleep, "x")
    equal(format(usage), "Usage: " .. usage.message)
  end)

  it("a group of errors as a tree, with the tasks and the places", function()
    local place
    local group = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(function()
        place = ("%s:%d"):format(debug.getinfo(1, "S").short_src, line() + 1)
        error({ why = "a" })
      end).name = "one"
      g:spawn(function() error({ why = "b" }) end).name = "two"
      task.group(function(h) h:spawn(error, { why = "c" }).name = "three" end)
    end)
    local lines = {}
    for text in format(group, { width = 300 }):gmatch "[^\n]+" do lines[#lines + 1] = text end
    equal(lines[1], ("ErrorGroup of %d errors"):format(#group))
    equal(lines[2], ("  1 in task 'one' at %s: { why = \"a\" }"):format(place))
    local all = table.concat(lines, "\n")
    contains(all, "in task 'two'")
    group.errors[1] = group
    contains(format(group), "…")
  end)

  it("an object of ours that was tampered with", function()
    local err = raises_error({ kind = "HttpError" }, http.get, "http://127.0.0.1:1/")
    for _, key in ipairs { "kind", "message", "code" } do
      rawset(err, key, {})
      equal(type(format(err)), "string")
    end
    local response = http.get(origin.url .. "/bytes/3")
    for _, key in ipairs { "status", "url", "head", "headers", "times", "body" } do
      rawset(response, key, false)
      equal(type(format(response)), "string")
    end
  end)
end)

describe("the functions", function()
  it("options are checked", function()
    misuse("unknown option 'color' to 'format', did you mean 'colour'", function()
      format({}, { color = true })
    end)
    misuse("bad option 'depth' to 'format'", function() format({}, { depth = 0 }) end)
  end)

  it("a very large value ends soon enough, and says what it left out", function()
    local t = {}
    for i = 1, 100 do
      t[i] = {}
      for j = 1, 100 do
        t[i][j] = {}
        for k = 1, 100 do t[i][j][k] = k end
      end
    end
    contains(format(t), "…")
  end)
end)
