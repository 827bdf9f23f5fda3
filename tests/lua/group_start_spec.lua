-- SPDX-License-Identifier: MIT
-- group:start: a task that is being started keeps the group open that it will move to.
local task = require "septet.task"
local helpers = require "helpers"

local never = helpers.never

-- Each form of block: opens one, calls fn(handle) in it.
local forms = {
  ["group(fn)"] = function(fn) task.group(fn) end,
  ["a group that is a variable"] = function(fn)
    local g <close> = task.group()
    fn(g)
  end,
  ["timeout"] = function(fn)
    task.timeout(100, function() fn(task.scope()) end)
  end,
  ["shield"] = function(fn)
    task.shield(function() fn(task.scope()) end)
  end,
}

-- Tasks that may start a task in a block whose body is over. Each calls fn(handle, ...) protected.
local starters = {
  ["a task of a group around it"] = function(around, fn, ...)
    return around:spawn(pcall, fn, ...)
  end,
  ["a background task"] = function(_, fn, ...) return task.background(pcall, fn, ...) end,
  ["a task of its own"] = function(_, fn, handle, ...)
    return handle:spawn(pcall, fn, handle, ...)
  end,
  ["a task of a task of a group around it"] = function(around, fn, ...)
    local given = table.pack(...)
    return around:spawn(function() return task.spawn(pcall, fn, table.unpack(given)):await() end)
  end,
}

-- Runs a block of a form, in whose body `starter` begins to start fn(started, hold, live); the body
-- ends meanwhile. `check` is called while the start is in flight. Returns the starter.
local function in_flight(form, starter, fn, check)
  local t, handle, over = nil, nil, false
  local hold, live = gate(), gate()
  task.group(function(around)
    local owner = around:spawn(function()
      forms[form](function(h)
        handle = h
        t = starters[starter](around, h.start, h, fn, hold, live)
        turns(6)
      end)
      over = true
    end)
    turns(20)
    equal({ over, owner:status(), t:status() }, { false, "suspended", "suspended" })
    equal(handle.is_open, true)
    check { hold = hold, live = live, starter = t, handle = handle, is_over = function()
      return over
    end }
    task.wait { owner, t }
    equal(over, true)
    equal(handle.is_open, false)
  end)
  return t
end

local function starts(started, hold, live)
  hold.wait()
  started("a", nil)
  live.wait()
end

describe("starts in flight", function()
  for form in pairs(forms) do
    for starter in pairs(starters) do
      -- What is no group cancels its tasks at its end, a starter of its own among them.
      local joins = form:find "group" ~= nil
      if joins or starter ~= "a task of its own" then
        it(("X-4: a start keeps its block open: %s, by %s"):format(form, starter), function()
          local t = in_flight(form, starter, starts, function(now)
            now.hold.open()
            turns(8)
            if joins then equal(now.is_over(), false) end
            now.live.open()
          end)
          if starter == "a task of its own" then task.wait { t } end
          equal(table.pack(t:await()), { n = 3, true, "a" })
        end)

        it(("X-4: a start raises what its task raises: %s, by %s"):format(form, starter), function()
          local t = in_flight(form, starter, function(_, hold)
            hold.wait()
            error("lost", 0)
          end, function(now)
            now.hold.open()
          end)
          equal({ t:await() }, { false, "lost" })
        end)
      end
    end

    it("X-4: a start keeps its block open while its starter is cancelled: " .. form, function()
      local t = in_flight(form, "a background task", starts, function(now)
        now.starter:cancel "enough"
      end)
      local ok, err = t:await()
      equal({ ok, err.kind, err.reason }, { false, "Cancelled", "enough" })
    end)

    it("X-4: a start keeps its block open until its task ends: " .. form, function()
      local function starter(_, hold)
        hold.wait()
      end
      local t = in_flight(form, "a background task", starter, function(now)
        now.hold.open()
      end)
      local ok, err = t:await()
      equal({ ok, tostring(err):find("ended without calling started", 1, true) ~= nil },
        { false, true })
    end)

    it("X-4: a block takes tasks while a start is in flight: " .. form, function()
      local ran = false
      in_flight(form, "a background task", starts, function(now)
        now.handle:spawn(function() ran = true end)
        turns(4)
        now.hold.open()
        now.live.open()
      end)
      equal(ran, true)
    end)
  end

  it("X-4: several starts in flight keep a block open", function()
    local holds, started = {}, 0
    local over = false
    local t = task.spawn(function()
      task.group(function(g)
        for i = 1, 3 do
          holds[i] = gate()
          task.background(g.start, g, function(done)
            holds[i].wait()
            started = started + 1
            done()
          end)
        end
        turns(4)
      end)
      over = true
    end)
    turns(12)
    for i = 1, 3 do
      equal({ over, started }, { false, i - 1 })
      holds[i].open()
      turns(8)
    end
    t:await()
    equal({ over, started }, { true, 3 })
  end)

  it("X-4: the failure of a task after it has started is the group's", function()
    local hold = gate()
    local t = task.spawn(task.group, function(g)
      task.background(g.start, g, function(started)
        hold.wait()
        started()
        turns(2)
        error("lost", 0)
      end)
      turns(4)
    end)
    turns(12)
    hold.open()
    local err = raises_error({ kind = "ErrorGroup" }, t.await, t)
    equal(err.errors, { "lost" })
  end)

  it("X-4: a group that is cancelled waits for the start in flight", function()
    local hold, status = gate(), nil
    local t = task.spawn(task.group, function(g)
      task.background(g.start, g, function(started)
        local own = task.current()
        hold.wait()
        started()
        pcall(never)
        status = own:status()
      end)
      turns(4)
      g:cancel()
      never()
    end)
    turns(12)
    equal(t:status(), "suspended")
    hold.open()
    t:await()
    equal(status, "running")
  end)

  it("X-4: a start after the group has ended is refused", function()
    local handle
    task.group(function(g) handle = g end)
    misuse("the group is closed", function() handle:start(never) end)
    equal(task.scope(), nil)
  end)
end)
