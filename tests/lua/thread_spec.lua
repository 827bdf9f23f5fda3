-- SPDX-License-Identifier: MIT
-- task.thread: a function in a state of its own, what is copied, and how it ends.
-- check: allow blocks, global-in-function, wrong-arguments
local task, http = require "septet.task", require "septet.http"
local command, files = require "command", require "files"
local process, ticker = require "process", require "ticker"

local thread = task.thread

-- Never ends by itself.
local function spin()
  while true do end
end

-- Checks that a text contains another.
local function contains(text, words)
  equal({ tostring(text):find(words, 1, true) ~= nil }, { true },
    ("%q in %q"):format(words, tostring(text)))
end

-- Likewise, that fn raises Usage for the line that calls it.
local function refused(words, fn)
  misuse((words:gsub("%p", "%%%0")), fn)
end

-- Checks that fn raises a ThreadError, and returns it.
local function fails(code, words, fn, ...)
  local ok, err = pcall(thread, fn, ...)
  equal({ ok, task.is(err, "ThreadError") }, { false, true }, tostring(err))
  equal({ err.code, err.message }, { code, words })
  return err
end

describe("values", function()
  it("arguments and results are copied", function()
    local given = { 1, 2.5, "x\0y", true, false, [true] = 1, [0.5] = { {} }, s = "" }
    local results = table.pack(thread(function(...)
      local values = table.pack(...)
      values[1][1] = "changed"
      return values.n, ...
    end, given, nil, "", math.mininteger, math.huge, nil))
    given[1] = "changed"
    equal(results, table.pack(6, given, nil, "", math.mininteger, math.huge, nil))
    equal(rawequal(results[2], given), false)
    equal({ thread(function() return math.type(1), 1, 1.0 end) }, { "integer", 1, 1.0 })
    equal(math.type(thread(function() return 1.0 end)), "float")
    local nan = thread(function() return 0 / 0 end)
    equal(nan ~= nan, true)
  end)

  it("a table that occurs twice, or in itself, is one table in the copy", function()
    local shared, circle = {}, {}
    circle.itself = circle
    local a, b, c = thread(function(a, b, c)
      assert(rawequal(a, b) and rawequal(c.itself, c))
      return a, b, c
    end, shared, shared, circle)
    equal({ rawequal(a, b), rawequal(c.itself, c) }, { true, true })
  end)

  it("many values and large ones pass", function()
    local list = {}
    for i = 1, 100000 do list[i] = i end
    local text = ("x"):rep(10000000)
    local n, length, back = thread(function(l, t) return #l, #t, t end, list, text)
    equal({ n, length, back == text }, { 100000, 10000000, true })
    equal(select("#", thread(function() return table.unpack({}, 1, 5000) end)), 5000)
  end)

  it("what cannot be copied is refused before anything starts", function()
    local began = {}
    local function fn() began[1] = true end
    local deep = {}
    for _ = 1, 1001 do deep = { deep } end
    for words, value in pairs {
      ["is a function"] = print, ["is a userdata"] = io.stdout,
      ["is a coroutine"] = coroutine.create(print),
      ["has a function at '.a[2].b'"] = { a = { 1, { b = print } } },
      ["has a userdata at '[...]'"] = { [1.5] = io.stdout },
      ["is a table with a metatable"] = setmetatable({}, {}),
      ["has a table with a metatable at '.headers'"] = { headers = setmetatable({}, {}) },
      ["has a function"] = { [print] = 1 },
    } do
      if words == "has a function" then words = "is a function" end
      refused("argument 2 of a thread's function " .. words .. ", which cannot be copied",
        function() thread(function() end, 1, value) end)
    end
    refused("nested too deeply", function() thread(function() end, deep) end)
    refused("'began'", function() thread(fn) end)
    equal(began, {})
  end)

  it("a function in C, or with variables of the code around it, is refused", function()
    refused("bad argument #1 to 'thread' (a function in Lua expected, got one in C)",
      function() thread(print) end)
    refused("(a function in Lua expected, got nil)", function() thread() end)
    refused("(a function in Lua expected, got string)", function() thread "x" end)
    refused("its function uses 'http' of the code around it",
      function() thread(function() return http.get end) end)
    local a, b = 1, 2
    local stripped = load(string.dump(function() return a + b end, true))
    refused("variables of the code around it", function() thread(stripped) end)
    refused("unknown option 'memry' to 'thread', did you mean 'memory'?",
      function() thread({ memry = 1 }, function() end) end)
    refused("bad option 'memory'", function() thread({ memory = 0 }, function() end) end)
  end)

  it("a result that cannot be copied is an error", function()
    fails("result", "result 2 of a thread's function is a function, which cannot be copied",
      function() return 1, print end)
    fails("result", "result 1 of a thread's function has a userdata at '.out', which cannot be "
      .. "copied", function() return { out = io.stdout } end)
  end)
end)

describe("the state", function()
  it("has Lua's libraries, and globals of its own", function()
    _G.outside = 1 -- luacheck: ignore
    local names, outside = thread(function()
      local found = {}
      for name in pairs(_G) do found[#found + 1] = name end
      table.sort(found)
      inside = 1 -- luacheck: ignore
      return table.concat(found, " "), outside -- luacheck: ignore
    end)
    _G.outside = nil -- luacheck: ignore
    equal(names, "_G _VERSION assert collectgarbage coroutine debug dofile error getmetatable io "
      .. "ipairs load loadfile math next os package pairs pcall print rawequal rawget rawlen "
      .. "rawset require select setmetatable string table tonumber tostring type utf8 warn xpcall")
    equal({ outside, inside }, {}) -- luacheck: ignore
  end)

  it("refuses what is the process', with words", function()
    for name, words in pairs {
      ["os.exit"] = "return, or raise an error", ["os.execute"] = "use septet.process in a task",
      ["io.popen"] = "use septet.process in a task",
      ["os.setlocale"] = "the locale is the process'",
      ["debug.sethook"] = "the hook is what ends it", ["package.loadlib"] = "no modules in C",
    } do
      local ok, message = pcall(thread, function(whole)
        local library, field = whole:match "(.*)%.(.*)"
        _G[library][field]("x")
      end, name)
      equal(ok, false)
      contains(message, ("there is no '%s' in a thread: "):format(name))
      contains(message, words)
    end
    local _, message = pcall(thread, function() setmetatable({}, { __gc = print }) end)
    contains(message, "there are no finalizers in a thread: use __close")
  end)

  it("requires modules in Lua, and says why there are no others", function()
    local loaded = thread(function()
      local helper = require "compare"
      return type(helper)
    end)
    equal(loaded ~= nil, true)
    local _, message = pcall(thread, function() require "septet.task" end)
    contains(message, "no module of Septet: they belong to tasks, and a thread has none")
    _, message = pcall(thread, function() require "nothing.such" end)
    contains(message, "no module in C: a thread has none")
  end)

  it("draws random numbers of its own", function()
    local seen = {}
    for _ = 1, 20 do seen[thread(function() return math.random(math.maxinteger) end)] = true end
    local n = 0
    for _ in pairs(seen) do n = n + 1 end
    equal(n, 20)
  end)

  it("coroutines work as Lua's do", function()
    equal({ thread(function()
      local out = {}
      for i in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do
        out[#out + 1] = i
      end
      local dead = coroutine.wrap(function() end)
      dead()
      local closed = false
      local failing = coroutine.wrap(function()
        local _ <close> = setmetatable({}, { __close = function() closed = true end })
        error({ 1 })
      end)
      local co = coroutine.create(function() coroutine.yield() end)
      coroutine.resume(co)
      local self
      self = coroutine.wrap(function() return pcall(self) end)
      local _, running = self()
      local _, failed = pcall(failing)
      return table.concat(out, ","), select(2, pcall(dead)):match "cannot.*", failed[1], closed,
        coroutine.close(co), coroutine.status(co), running:match "cannot.*",
        select(2, pcall(coroutine.wrap(function() error("x", 0) end)))
    end) }, { "1,2,3", "cannot resume dead coroutine", 1, true, true, "dead",
      "cannot resume non-suspended coroutine", thread(function()
        return select(2, pcall(coroutine.wrap(function() error("x", 0) end)))
      end) })
    equal({ thread(function()
      local function handle(e) return "handled: " .. e end
      return xpcall(function(...) coroutine.yield(...) end, handle, 1)
    end) }, { false, "handled: attempt to yield from outside a coroutine" })
    equal({ thread(function()
      local co = coroutine.wrap(function()
        return xpcall(function(a) return coroutine.yield(a), a end, print, 7)
      end)
      return co(), co(8)
    end) }, { 7, true, 8, 7 })
  end)
end)

describe("errors", function()
  it("those of the function are raised where the script waits, with both stacks", function()
    local ok, err, traceback = task.try(thread, function()
      local function inner() error "inside" end
      inner()
    end)
    equal(ok, false)
    contains(err, "thread_spec.lua:")
    contains(err, ": inside")
    contains(traceback, "in local 'inner'")
    contains(traceback, "thread awaited at:")
  end)

  it("errors that are no strings are copied", function()
    for _, err in ipairs { { code = 5, list = { 1 } }, 7, false } do
      local ok, got = pcall(thread, function(e) error(e) end, err)
      equal({ ok, got }, { false, err })
    end
    equal({ pcall(thread, function() error(nil) end) }, { false })
  end)

  it("an error that cannot be copied is known by its text", function()
    fails("error", "the function of a thread failed: words", function()
      error(setmetatable({}, { __tostring = function() return "words" end }))
    end)
    fails("error", "the function of a thread failed: an error without a text", function()
      error(setmetatable({}, { __tostring = function() error "again" end }))
    end)
    contains(select(2, pcall(thread, function() error(print) end)).message, "function: ")
  end)

  it("a yield, a recursion without an end and an error in a handler are errors", function()
    local function message(fn) return tostring(select(2, pcall(thread, fn))) end
    contains(message(function() coroutine.yield() end), "attempt to yield from outside a coroutine")
    contains(message(function() local function f() return 1 + f() end f() end), "stack overflow")
    contains(message(function()
      ("x"):gsub(".", function() string.gsub("x", ".", error) end)
    end), "x")
    contains(message(function()
      local t = setmetatable({}, {})
      getmetatable(t).__index = function(_, k) return t[k] end
      return t.x
    end), "overflow")
  end)

  it("a limit of memory is kept", function()
    local err = fails("memory", "a thread needed more than its 1000000 bytes of memory", {
      memory = 1000000 }, function() return ("x"):rep(2000000) end)
    equal(err.memory, 1000000)
    equal({ thread({ memory = 1000000 }, function()
      return (pcall(string.rep, "x", 2000000)), #("x"):rep(200000)
    end) }, { false, 200000 })
    for memory = 1, 60000, 997 do -- wherever it ends: no state at all, half of the libraries
      local ok, e = pcall(thread, { memory = memory }, function() return {} end)
      equal(ok or task.is(e, "ThreadError") and e.code == "memory", true, tostring(e))
    end
  end)
end)

describe("the end", function()
  -- Functions that would run for ever, each where another way to be ended is needed.
  local endless = {
    ["a loop"] = spin,
    ["a loop over pcall"] = function()
      while true do pcall(function() while true do end end) end
    end,
    ["a message handler"] = function()
      local function loop() while true do end end
      while true do xpcall(loop, loop) end
    end,
    ["a variable that is closed"] = function()
      local function loop() while true do end end
      local _ <close> = setmetatable({}, { __close = loop })
      loop()
    end,
    ["a wrapped coroutine"] = function()
      local function loop() while true do end end
      while true do
        pcall(coroutine.wrap(function()
          local _ <close> = setmetatable({}, { __close = loop })
          loop()
        end))
      end
    end,
    ["a coroutine that is closed"] = function()
      local function loop() while true do end end
      while true do
        local co = coroutine.create(function()
          local _ <close> = setmetatable({}, { __close = loop })
          loop()
        end)
        coroutine.resume(co)
        pcall(coroutine.close, co)
      end
    end,
    ["a comparison of a sort"] = function()
      table.sort({ 3, 2, 1, 4 }, function() while true do end end)
    end,
    ["a recursion"] = function()
      local function f() pcall(f) while true do end end
      f()
    end,
    ["an error with a text that does not end"] = function()
      error(setmetatable({}, { __tostring = function() while true do end end }))
    end,
  }

  for name, fn in pairs(endless) do
    it("a waiter leaves at once, and " .. name .. " ends", function()
      local ok, err = pcall(task.timeout, 0.02, thread, fn)
      equal({ ok, task.is(err, "Timeout") }, { false, true })
      local n = 0 -- the pool is free again: as many as it has threads run
      for _, t in ipairs(task.map(function() return thread(function() return 1 end) end,
        { 1, 2, 3, 4, 5, 6, 7, 8 })) do n = n + t:await() end
      equal(n, 8)
    end)
  end

  it("a cancelled task never starts one", function()
    local t = task.spawn(function()
      pcall(task.sleep, 1e6)
      thread(function() io.open("/nonexistent/never", "w") end)
    end)
    task.checkpoint()
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
  end)

  it("many that wait are ended with those that run", function()
    local group = {}
    for i = 1, 50 do group[i] = task.spawn(thread, function() while true do end end) end
    task.sleep(0.01)
    for _, t in ipairs(group) do t:cancel() end
    task.wait(group)
    for _, t in ipairs(group) do equal(t:status(), "cancelled") end
    equal(thread(function() return "free" end), "free")
  end)
end)

describe("beside", function()
  it("the loop is not blocked", function()
    equal(ticker.waits(function()
      return thread(function()
        local until_then = os.clock() + 0.1
        local n = 0
        while os.clock() < until_then do n = n + 1 end
        return n > 0
      end)
    end), true)
  end)

  it("files are read while as many threads run as may", function()
    local spinning = {}
    for i = 1, 8 do spinning[i] = task.spawn(thread, function() while true do end end) end
    task.sleep(0.01)
    local text = require "septet.fs".read(arg[0])
    for _, t in ipairs(spinning) do t:cancel() end
    task.wait(spinning)
    equal(#text > 0, true)
  end)

  it("a thousand at once take their turns", function()
    local threads = process.threads()
    local list = {}
    for i = 1, 1000 do list[i] = i end
    local sum = 0
    for _, result in ipairs(task.gather(task.map(function(n)
      return thread(function(m) return m * 2 end, n)
    end, list))) do sum = sum + result end
    equal(sum, 1001000)
    equal(process.threads() - threads <= 4, true)
  end)

  it("a pool of one thread runs one at a time, then files", function()
    local file <close> = files.with [[
local task, fs = require "septet.task", require "septet.fs"
local sums = task.gather(task.map(function(n)
  return task.thread(function(m) return m * 2 end, n)
end, { 1, 2, 3 }))
print(sums[1], sums[2], sums[3], #fs.read(arg[0]) > 0)
print(pcall(task.timeout, 0.01, task.thread, function() while true do end end))
print(task.thread(function() return "free" end))]]
    for _, size in ipairs { "1", "0", "x" } do
      local printed, status = command.shell(("UV_THREADPOOL_SIZE=%s %s '%s'"):format(size,
        command.words, file.path))
      equal({ printed, status }, { "2\t4\t6\ttrue\nfalse\ttimed out after 0.01 s\n"
        .. "free\n", 0 })
    end
  end)

  it("a trace says which function a task waits for", function()
    local t = task.spawn(thread, function() while true do end end)
    task.sleep(0.01)
    contains(t:waits_for(), "thread ")
    contains(t:waits_for(), "thread_spec.lua:")
    t:cancel()
    task.wait { t }
  end)
end)
