-- SPDX-License-Identifier: MIT
-- Coroutines of a script: a task may wait inside them at any depth.
local task = require "septet.task"
local helpers = require "helpers"

local never, closer, slow = helpers.never, helpers.closer, helpers.slow

describe("a wait passes", function()
  it("a wait passes through coroutine.wrap, and only the script's own yields are seen", function()
    local seen = {}
    local iterator = coroutine.wrap(function(a)
      local b = coroutine.yield(slow(a + 1))
      task.checkpoint()
      local c, d = coroutine.yield(slow(b * 2, "two"))
      return slow(c, d)
    end)
    seen[1] = { iterator(1) }
    seen[2] = { iterator(10) }
    seen[3] = { iterator("c", "d") }
    equal(seen, { { 2 }, { 20, "two" }, { "c", "d" } })
  end)

  it("a wait passes through coroutine.resume, with its values and its errors", function()
    local co = coroutine.create(function(...)
      slow()
      local x = coroutine.yield(...)
      slow()
      error({ x })
    end)
    equal({ coroutine.resume(co, 1, nil, 3) }, { true, 1, nil, 3 })
    equal(coroutine.status(co), "suspended")
    equal({ coroutine.resume(co, "e") }, { false, { "e" } })
    equal(coroutine.status(co), "dead")
    equal({ coroutine.resume(co) }, { false, "cannot resume dead coroutine" })
  end)

  it("a wait passes through sixty nested coroutines", function()
    local function nest(n)
      if n == 0 then return slow "bottom" end
      return coroutine.wrap(nest)(n - 1)
    end
    equal(nest(60), "bottom")
  end)

  it("a wait passes through nested generators, each with its own yields", function()
    local function range(n)
      return coroutine.wrap(function()
        for i = 1, n do
          task.checkpoint()
          coroutine.yield(i)
        end
      end)
    end
    local function pairs_of(n)
      return coroutine.wrap(function()
        for i in range(n) do
          for j in range(i) do
            slow()
            coroutine.yield(i * 10 + j)
          end
        end
      end)
    end
    local got = {}
    for x in pairs_of(3) do got[#got + 1] = x end
    equal(got, { 11, 21, 22, 31, 32, 33 })
  end)

  it("waits pass through coroutines while other tasks do the same", function()
    local function count(tag, n, into)
      local it = coroutine.wrap(function()
        for i = 1, n do
          task.checkpoint()
          coroutine.yield(tag .. i)
        end
      end)
      for x in it do into[#into + 1] = x end
    end
    local a, b = {}, {}
    local ta, tb = task.spawn(count, "a", 50, a), task.spawn(count, "b", 50, b)
    task.wait { ta, tb }
    equal(#a, 50)
    equal(#b, 50)
    equal(a[50], "a50")
    equal(b[50], "b50")
  end)

  it("a wait passes through the iterator of a generic for, and its closing value", function()
    local order = {}
    local function ticks(n)
      return function(_, i)
        if i < n then return slow(i + 1) end
      end, nil, 0, closer(function()
        slow()
        order[#order + 1] = "closed"
      end)
    end
    for i in ticks(3) do order[#order + 1] = i end
    order[#order + 1] = "after"
    equal(order, { 1, 2, 3, "closed", "after" })
  end)

  it("a wait passes through every metamethod", function()
    local t = setmetatable({}, {
      __index = function(_, k) return slow("i" .. k) end,
      __newindex = function(self, k, v) rawset(self, k, slow(v)) end,
      __call = function(_, x) return slow(x) end,
      __add = function() return slow "add" end,
      __concat = function() return slow "concat" end,
      __len = function() return slow(42) end,
      __unm = function() return slow "unm" end,
      __eq = function() return slow(true) end,
      __lt = function() return slow(true) end,
      __le = function() return slow(false) end,
      __band = function() return slow "band" end,
      __idiv = function() return slow "idiv" end,
    })
    local other = setmetatable({}, getmetatable(t))
    equal(t.x, "ix")
    t.y = 5
    equal(rawget(t, "y"), 5)
    equal(t(7), 7)
    equal(t + 1, "add")
    equal(t .. "s", "concat")
    equal(#t, 42)
    equal(-t, "unm")
    equal(t == other, true)
    equal(t < other, true)
    equal(t <= other, false)
    equal(t & 1, "band")
    equal(t // 1, "idiv")
  end)

  it("a wait passes through __pairs", function()
    local t = setmetatable({}, { __pairs = function() return next, slow { a = 1 } end })
    for k, v in pairs(t) do equal({ k, v }, { "a", 1 }) end
  end)

  it("a wait passes through pcall and xpcall, with values and errors", function()
    equal({ pcall(slow, 1, nil, 3) }, { true, 1, nil, 3 })
    local thrown = {}
    local ok, err = pcall(function()
      slow()
      error(thrown)
    end)
    equal(ok, false)
    equal(rawequal(err, thrown), true)
    equal({ xpcall(slow, debug.traceback, "a", "b") }, { true, "a", "b" })
    local _, text = xpcall(function()
      slow()
      error("deep", 0)
    end, function(e) return "handled " .. e end)
    equal(text, "handled deep")
  end)

  it("a wait passes through <close> on each way out of a block", function()
    local order = {}
    local function note(word)
      return closer(function()
        slow()
        order[#order + 1] = word
      end)
    end
    do
      local _ <close> = note "end"
    end
    for _ = 1, 2 do
      local _ <close> = note "break"
      break
    end
    local function returns()
      local _ <close> = note "return"
      return 1, 2, 3
    end
    equal({ returns() }, { 1, 2, 3 })
    pcall(function()
      local _ <close> = note "error"
      error "x"
    end)
    equal(order, { "end", "break", "return", "error" })
  end)

  it("a wait passes through <close> at the root of a task that fails", function()
    local order = {}
    local t = task.spawn(function()
      local _ <close> = closer(function()
        slow()
        order[#order + 1] = "closed"
      end)
      error("boom", 0)
    end)
    raises("boom", t.await, t)
    equal(order, { "closed" })
  end)

  it("a wait passes through <close> at the root of a cancelled task, in a shielded join", function()
    local order = {}
    local t = task.spawn(function()
      local _ <close> = closer(function()
        local ok, err = pcall(slow)
        order[#order + 1] = ok
        order[#order + 1] = err and err.kind
      end)
      never()
    end)
    turns(1)
    t:cancel()
    task.wait { t }
    equal(order, { false, "Cancelled" })
  end)

  it("a wait passes through a __close that replaces the error", function()
    local t = task.spawn(function()
      local _ <close> = closer(function()
        slow()
        error("replaced", 0)
      end)
      error("first", 0)
    end)
    raises("^replaced$", t.await, t)
  end)
end)

describe("cancelling", function()
  it("a cancellation raises inside the coroutine that waits, and unwinds it", function()
    local order = {}
    local t = task.spawn(function()
      local co = coroutine.wrap(function()
        local _ <close> = closer(function() order[#order + 1] = "inner" end)
        never()
      end)
      local _ <close> = closer(function() order[#order + 1] = "outer" end)
      co()
    end)
    turns(1)
    t:cancel()
    task.wait { t }
    equal(order, { "inner", "outer" })
    equal(t:status(), "cancelled")
  end)

  it("a cancellation returns its error from the script's own resume", function()
    local status, kind
    local t = task.spawn(function()
      local co = coroutine.create(never)
      local ok, err = coroutine.resume(co)
      status, kind = { ok, coroutine.status(co) }, err.kind
    end)
    turns(1)
    t:cancel()
    t:await()
    equal(status, { false, "dead" })
    equal(kind, "Cancelled")
  end)

  it("a cancellation unwinds sixty nested coroutines", function()
    local function nest(n)
      if n == 0 then never() end
      return coroutine.wrap(nest)(n - 1)
    end
    local t = task.spawn(nest, 60)
    turns(1)
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
  end)
end)

describe("an error", function()
  it("an error out of a wrapped coroutine closes its variables", function()
    local order = {}
    local f = coroutine.wrap(function()
      local _ <close> = closer(function() order[#order + 1] = "closed" end)
      slow()
      error("e", 0)
    end)
    raises("e", f)
    equal(order, { "closed" })
  end)

  it("an error that is a table keeps its identity through wrap and resume", function()
    local thrown = {}
    local _, err = pcall(coroutine.wrap(function()
      slow()
      error(thrown)
    end))
    equal(rawequal(err, thrown), true)
    local _, again = coroutine.resume(coroutine.create(function() error(thrown) end))
    equal(rawequal(again, thrown), true)
  end)
end)

describe("the library", function()
  it("the coroutine library behaves as Lua's own without waits", function()
    equal(coroutine.wrap(function(...) return ... end)(1, 2), 1)
    local co = coroutine.create(function(...)
      local got = { ... }
      while true do got = { coroutine.yield(table.unpack(got)) } end
    end)
    for i = 1, 100 do equal({ coroutine.resume(co, i, i) }, { true, i, i }) end
    equal(coroutine.close(co), true)
    equal(coroutine.status(co), "dead")
    raises("cannot resume dead coroutine", coroutine.wrap(function() end) and (function()
      local f = coroutine.wrap(function() end)
      f()
      f()
    end))
    raises("function expected", coroutine.create, 1)
    raises("function expected", coroutine.wrap, 1)
    raises("thread expected", coroutine.resume, 1)
    equal(coroutine.resume(coroutine.running()), false)
  end)

  it("wrap gives its errors the position that Lua gives them", function()
    local f = coroutine.wrap(function() error "plain" end)
    raises("coroutine_spec.lua:%d+: .*coroutine_spec.lua:%d+: plain", function()
      local x = f()
      return x
    end)
  end)

  it("a million plain resumes need no wait", function()
    local f = coroutine.wrap(function()
      for i = 1, 1e5 do coroutine.yield(i) end
    end)
    local sum = 0
    for _ = 1, 1e5 do sum = sum + f() end
    equal(sum, 5000050000)
  end)

  it("coroutine.isyieldable says where a coroutine may wait", function()
    equal(coroutine.wrap(function() return coroutine.isyieldable() end)(), true)
    local inside
    table.sort({ 1, 2 }, function(a, b)
      inside = coroutine.isyieldable()
      return a < b
    end)
    equal(inside, false)
  end)
end)

describe("a wrapped coroutine that is unwound", function()
  it("the closing variables of a wrapped coroutine may wait when an error unwinds it", function()
    local closed
    local err = raises("boom", coroutine.wrap(function()
      local _ <close> = closer(function() closed = slow "closed" end)
      error "boom"
    end))
    equal(type(err), "string")
    equal(closed, "closed")
  end)

  it("a cancellation that unwinds a wrapped coroutine joins its open group", function()
    local child
    local t = task.spawn(coroutine.wrap(function()
      local g <close> = task.group()
      child = g:spawn(never)
      never()
    end))
    task.checkpoint()
    t:cancel()
    task.wait { t }
    equal(t:status(), "cancelled")
    equal(child:status(), "cancelled")
  end)
end)

describe("a stack", function()
  it("a stack overflow is an error of that task alone", function()
    local function forever(n)
      return 1 + forever(n + 1)
    end
    local t = task.spawn(forever, 1)
    local ok, err = pcall(t.await, t)
    equal(ok, false)
    equal(tostring(err):find "stack overflow" ~= nil, true)
    equal(task.spawn(slow, "fine"):await(), "fine")
  end)

  it("too many nested resumes are an error of that task alone", function()
    local function nest(n)
      return coroutine.wrap(nest)(n + 1)
    end
    local t = task.spawn(nest, 1)
    local ok = pcall(t.await, t)
    equal(ok, false)
    equal(task.spawn(slow, "fine"):await(), "fine")
  end)

  it("nested waits near the limit are an error of that task alone", function()
    local function nest(n)
      if n == 0 then return slow "bottom" end
      return coroutine.wrap(nest)(n - 1)
    end
    for depth = 150, 220, 5 do
      local t = task.spawn(nest, depth)
      pcall(t.await, t)
      equal(t:status() == "done" or t:status() == "failed", true)
    end
    equal(task.spawn(slow, "fine"):await(), "fine")
  end)
end)
