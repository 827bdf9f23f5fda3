-- SPDX-License-Identifier: MIT
-- Blocks that are left open: by a coroutine that dies, by the function of a block, by a task.
-- check: allow close-missing
local task = require "septet.task"
local helpers = require "helpers"

local never = helpers.never

local function overflow()
  return 1 + overflow()
end

-- How a coroutine may die, in a block that it opened; what pcall gives for the same function is
-- what resume is to give.
local deaths = {
  ["an error that is a string"] = function() error "die" end,
  ["an error without a place"] = function() error("die", 0) end,
  ["an error that is a table"] = function() error { "die" } end,
  ["an error that is false"] = function() error(false) end,
  ["an error after a wait"] = function()
    task.sleep(0)
    error "die"
  end,
  ["a mistake"] = function() return nil + 1 end,
  ["a deadline"] = function() task.timeout(0, never) end,
  ["a deadline around a raised error"] = function()
    pcall(task.timeout, 0, never)
    error "die"
  end,
  ["a closing variable that fails"] = function()
    local _ <close> = setmetatable({}, { __close = function() error "closer" end })
    error "die"
  end,
  ["an error in a coroutine of its own"] = function()
    coroutine.wrap(function() error "inner" end)()
  end,
}

-- Opens a block that stays open, in the ways that a script has.
local children = {}

local function child(g)
  children[#children + 1] = g:spawn(never)
  task.sleep(0)
end

local openings = {
  ["a group"] = function(die)
    local g <close> = task.group()
    child(g)
    die()
  end,
  ["a group without <close>"] = function(die)
    child(task.group())
    die()
  end,
  ["two groups"] = function(die)
    local g <close> = task.group()
    child(g)
    local h <close> = task.group()
    child(h)
    child(g)
    die()
  end,
  ["a group, and one without <close> inside it"] = function(die)
    local g <close> = task.group()
    child(g)
    child(task.group())
    die()
  end,
  ["a group without <close> in a timeout"] = function(die)
    task.timeout(100, function()
      child(task.group())
      die()
    end)
  end,
  ["a group in a shield in a group"] = function(die)
    local g <close> = task.group()
    child(g)
    task.shield(function()
      local h <close> = task.group()
      child(h)
      die()
    end)
  end,
  ["a generator in a group"] = function(die)
    local g <close> = task.group()
    child(g)
    local closed = false
    local next_value = task.generator(function(emit)
      local _ <close> = setmetatable({}, { __close = function() closed = true end })
      emit(1)
    end)
    next_value()
    children[#children + 1] = { status = function() return closed and "cancelled" or "open" end }
    die()
  end,
}

-- What a script may do next: nothing of it may show a trace of the coroutine.
local function goes_on(scope)
  equal(task.scope(), scope)
  for _, t in ipairs(children) do equal(t:status(), "cancelled") end
  children = {}
  equal(task.deadline(), math.huge)
  task.sleep(0)
  equal({ task.move_on_after(0, never) }, { false })
  equal({ task.timeout(100, function() return 1 end) }, { 1 })
  equal(task.gather({ function() return 2 end })[1], 2)
  local t
  task.group(function(g) t = g:spawn(function() return 3 end) end)
  equal({ t:result() }, { true, 3 })
  do
    local g <close> = task.group()
    equal(task.scope(), g)
  end
  equal(task.scope(), scope)
  equal(task.spawn(function() return 4 end):await(), 4)
  local co = coroutine.wrap(function() coroutine.yield(5) end)
  equal(co(), 5)
end

-- Blocks that may be around the resume, of which none may notice.
local around = {
  ["nothing"] = function(fn) fn() end,
  ["a shield"] = task.shield,
  ["a timeout"] = function(fn) task.timeout(nil, fn) end,
  ["move_on_after"] = function(fn) equal({ task.move_on_after(nil, fn) }, { true }) end,
  ["a group"] = function(fn) task.group(function() fn() end) end,
  ["a task"] = function(fn) task.spawn(fn):await() end,
  ["a coroutine"] = function(fn) coroutine.wrap(fn)() end,
}

-- What two errors have in common that came of the same cause: kind and words, without what
-- addresses differ in.
local function words(err)
  return (type(err) == "table" and tostring(err.kind) or type(err))
    .. (tostring(err):gsub("0x%x+", ""):gsub("\n%s*in t[^\n]*, stack traceback.*", ""))
end

describe("coroutines that die", function()
  for how, die in pairs(deaths) do
    local blocks = how == "an error that is a string" and around
      or { around["a group"], around["a coroutine"] }
    for what, open in pairs(openings) do
      it(("T-A: %s in %s leaves nothing behind"):format(how, what), function()
        for _, block in pairs(blocks) do
          block(function()
            local scope = task.scope()
            local co = coroutine.create(open)
            equal(coroutine.resume(co, die), false)
            goes_on(scope)
            equal(debug.traceback(co):find("left_open_spec", 1, true) ~= nil, true)
            equal(coroutine.status(co), "dead")
            coroutine.close(co)
            goes_on(scope)
          end)
        end
      end)

      it(("T-A: %s in %s leaves nothing behind, by wrap"):format(how, what), function()
        for _, block in pairs(blocks) do
          block(function()
            local scope = task.scope()
            equal(pcall(coroutine.wrap(open), die), false)
            goes_on(scope)
          end)
        end
      end)
    end

    -- which Lua does not run in a coroutine that died
    if how ~= "a closing variable that fails" then
      it(("T-A: %s gives by resume what it gives by pcall"):format(how), function()
        for _, what in ipairs { "a group", "two groups", "a generator in a group" } do
          local _, expected = pcall(openings[what], die)
          local _, got = coroutine.resume(coroutine.create(openings[what]), die)
          equal(words(got), words(expected), what)
          children = {}
        end
      end)
    end
  end
end)

describe("coroutines", function()
  local function producer()
    local g <close> = task.group()
    child(g)
    never()
  end

  it("T-A: a coroutine that a deadline ends behaves like a function", function()
    equal({ task.timeout(0.01, function()
      local ok, err = coroutine.resume(coroutine.create(producer))
      return ok, err.kind, err.source
    end) }, { false, "Cancelled", "deadline" })
    goes_on(nil)
    raises_error({ kind = "Timeout" }, task.timeout, 0.01, function()
      error(select(2, coroutine.resume(coroutine.create(producer))), 0)
    end)
    goes_on(nil)
    equal({ task.move_on_after(0.01, function()
      error(select(2, coroutine.resume(coroutine.create(producer))), 0)
    end) }, { false })
    goes_on(nil)
  end)

  it("T-A: a coroutine that is cancelled with its task behaves like a function", function()
    local seen
    local t = task.spawn(function()
      seen = table.pack(coroutine.resume(coroutine.create(producer)))
      equal(task.scope(), nil)
      task.shield(function() goes_on(task.scope()) end)
      task.sleep(0)
    end)
    turns(3)
    t:cancel "enough"
    raises_error({ kind = "TaskCancelled", reason = "enough" }, t.await, t)
    equal({ seen.n, seen[1], seen[2].kind, seen[2].reason }, { 2, false, "Cancelled", "enough" })
  end)

  it("T-A: a coroutine that a child's failure ends raises the ErrorGroup", function()
    for _, opens in ipairs { true, false } do
      local co = coroutine.create(function()
        local g = task.group()
        local _ <close> = opens and g or nil
        g:spawn(error, "lost", 0)
        child(g)
        never()
      end)
      local ok, err = coroutine.resume(co)
      equal({ ok, err.kind, #err, err.errors[1] }, { false, "ErrorGroup", 1, "lost" })
      goes_on(nil)
    end
  end)

  it("T-A: a coroutine that dies in another task leaves nothing behind in either", function()
    local co = coroutine.create(function()
      coroutine.yield()
      producer()
    end)
    coroutine.resume(co)
    local t = task.spawn(function()
      local ok, err = coroutine.resume(co)
      task.shield(function() goes_on(task.scope()) end)
      return ok, err
    end)
    turns(3)
    t:cancel()
    task.wait { t }
    equal(select(2, t:result()), false)
    goes_on(nil)
  end)

  it("T-A: a coroutine that dies inside another one leaves that one as it was", function()
    coroutine.wrap(function()
      local g <close> = task.group()
      equal(coroutine.resume(coroutine.create(openings["two groups"]), error), false)
      goes_on(g)
    end)()
    goes_on(nil)
  end)

  it("T-A: a dead coroutine's tasks are joined while other tasks run", function()
    local done, ended = gate(), false
    local t = task.spawn(function()
      return coroutine.resume(coroutine.create(function()
        local g <close> = task.group()
        g:spawn(function()
          pcall(never)
          task.shield(done.wait)
          ended = true
        end)
        task.sleep(0)
        error "die"
      end))
    end)
    turns(4)
    equal(t:status(), "suspended")
    done.open()
    equal({ t:await() == false, ended }, { true, true })
  end)

  it("T-A: a coroutine that dies of nil, as if without an error, leaves nothing behind", function()
    for _, what in ipairs { "a group", "a group without <close>", "two groups" } do
      local ok, err = coroutine.resume(coroutine.create(openings[what]), error)
      equal({ ok, err.kind }, { false, "ErrorGroup" })
      goes_on(nil)
    end
  end)

  it("T-A: a coroutine that dies of a stack overflow leaves nothing behind", function()
    equal(coroutine.resume(coroutine.create(openings["two groups"]), overflow), false)
    goes_on(nil)
  end)

  it("T-A: coroutines nest as deep as before", function()
    local depth = 0
    local function go()
      depth = depth + 1
      local ok, err = coroutine.resume(coroutine.create(go))
      if not ok then error(err, 0) end
    end
    pcall(go)
    equal(depth > 180, true, depth)
  end)
end)

describe("blocks", function()
  it("T-A: a block ends what its function left open", function()
    for name, block in pairs {
      timeout = function(fn) return task.timeout(100, fn) end,
      move_on_after = function(fn) return select(2, task.move_on_after(100, fn)) end,
      shield = task.shield,
      group = function(fn) return task.group(fn) end,
      cleanup = function(fn) return select(2, task.cleanup(100, fn)) end,
    } do
      local got = block(function()
        child(task.group())
        child(task.group())
        return name
      end)
      equal(got, name)
      goes_on(nil)
      local _, err = pcall(block, function()
        child(task.group())
        error("die", 0)
      end)
      equal(name == "group" and err.errors[1] or err, "die")
      goes_on(nil)
    end
  end)
end)

describe("tasks", function()
  it("T-A: a task that leaves a group open returns its values, and cancels the tasks", function()
    local t = task.spawn(function()
      child(task.group())
      return "value"
    end)
    equal(t:await(), "value")
    goes_on(nil)
  end)

  it("T-A: a task that leaves a group open fails with its own error", function()
    local thrown = {}
    local t = task.spawn(function()
      child(task.group())
      error(thrown)
    end)
    local ok, err = pcall(t.await, t)
    equal({ ok, rawequal(err, thrown) }, { false, true })
    goes_on(nil)
  end)

  it("T-A: a task that such a group ends fails with the ErrorGroup", function()
    local t = task.spawn(function()
      local g = task.group()
      child(g)
      g:spawn(error, "lost", 0)
      never()
    end)
    local err = raises_error({ kind = "ErrorGroup" }, t.await, t)
    equal(err.errors, { "lost" })
    equal(t:status(), "failed")
    goes_on(nil)
  end)

  it("T-A: a task that is cancelled with a group left open is cancelled", function()
    local t = task.spawn(function()
      child(task.group())
      never()
    end)
    turns(3)
    t:cancel "enough"
    raises_error({ kind = "TaskCancelled", reason = "enough" }, t.await, t)
    equal(t:status(), "cancelled")
    goes_on(nil)
  end)
end)
