-- SPDX-License-Identifier: MIT
-- Clocks: waits that are computed from instants. The specs run on the real clock; where one moves
-- at every reading, core.now is replaced for the time of the spec.
local task, http = require "septet.task", require "septet.http"
local core = debug.getregistry()["septet.core"]

-- Calls fn while each reading of the clock is `step` seconds later than the one before, and sleeps
-- take no time. Returns the sleeps that were asked for.
local function with_moving_clock(step, fn)
  local now, sleep, sleep_until, moved, asked = core.now, core.sleep, core.sleep_until, 0, {}
  local function reading()
    moved = moved + step
    return now() + moved
  end
  core.now = reading
  core.sleep = function(seconds)
    asked[#asked + 1] = seconds
    moved = moved + math.max(seconds, 0)
    sleep(seconds < 0 and seconds or 0)
  end
  core.sleep_until = function(instant)
    moved = moved + math.max(0, instant - now() - moved)
    sleep(0)
  end
  local ok, err = pcall(fn)
  core.now, core.sleep, core.sleep_until = now, sleep, sleep_until
  if not ok then error(err, 0) end
  return asked
end

local STEPS = { 1e-9, 1e-6, 1e-4, 0.3e-3, 0.9e-3, 1e-3, 0.01, 1, 100 }

describe("a clock that moves at every reading", function()
  local options = { { "1000/s" }, { "1000/s", per = "host" }, { "1/s" }, { "3/2s" }, { "60/m" } }

  it("X-9: a rate never computes a negative wait", function()
    for _, step in ipairs(STEPS) do
      for _, rate in ipairs(options) do
        for _, timeout in ipairs { 0, 5 } do
          local session <close> = http.session { rate = rate, deny = "private",
            timeout = timeout > 0 and 1e6 or nil }
          for _, seconds in ipairs(with_moving_clock(step, function()
            for _ = 1, 20 do
              raises_error({ kind = "HttpError", code = "denied" },
                session.get, session, "http://127.0.0.1/")
            end
          end)) do
            if seconds < 0 then error("a sleep of " .. seconds) end
          end
        end
      end
    end
  end)

  it("X-9: a request whose limit has passed times out, without a negative number", function()
    for _, step in ipairs(STEPS) do
      for _, options_of in ipairs { {}, { retries = 2 }, { rate = "1000/s" } } do
        options_of.timeout, options_of.deny = 0.5, "private"
        local session <close> = http.session(options_of)
        with_moving_clock(step, function()
          for _ = 1, 5 do
            local err = raises_error({ kind = "HttpError" },
              session.get, session, "http://127.0.0.1/", {})
            equal(err.code == "denied" or err.code == "timeout", true, err.code)
          end
        end)
      end
    end
  end)

  it("X-9: as_completed, wait and timeouts end", function()
    for _, step in ipairs(STEPS) do
      with_moving_clock(step, function()
        local t = task.spawn(function() end)
        local ok, err = pcall(function()
          for _ in task.as_completed({ t, function() task.checkpoint() end },
            { timeout = 0.0005 }) do
            task.checkpoint()
          end
        end)
        equal(ok or task.is(err, "Timeout"), true, tostring(err))
        task.wait({ t }, { timeout = 0 })
      end)
    end
  end)

  it("X-9: every skips missed instants, and never sleeps for a negative time", function()
    for _, step in ipairs(STEPS) do
      with_moving_clock(step, function()
        local last, times = 0, 0
        for n in task.every(0.001) do
          equal(n > last, true)
          last, times = n, times + 1
          if times == 20 then break end
        end
      end)
    end
  end)
end)

describe("sleep_until", function()
  it("X-9: sleep_until is never early, by the clock that scripts read", function()
    for i = 1, 50 do
      local instant = task.now() + i / 30000
      task.sleep_until(instant)
      equal(task.now() >= instant, true)
    end
  end)

  it("X-9: sleep_until takes instants that have passed, and lets other tasks run", function()
    for _, instant in ipairs { 0, -1, -math.huge, task.now(), task.now() - 1 } do
      local ran = false
      local t = task.spawn(function() ran = true end)
      task.sleep_until(instant)
      equal(ran, true)
      t:await()
    end
  end)

  it("X-9: sleep_until an infinite instant waits for ever, and can be cancelled", function()
    local t = task.spawn(task.sleep_until, math.huge)
    task.checkpoint()
    equal(t:waits_for(), "sleep for ever")
    t:cancel()
    raises_error({ kind = "TaskCancelled" }, t.await, t)
    equal(task.move_on_after(0.001, task.sleep_until, task.now() + 1000), false)
  end)

  it("X-9: sleep_until refuses values that are not instants", function()
    misuse("bad argument #1 to 'sleep_until' %(instant expected, got string%)", function()
      task.sleep_until "1"
    end)
    misuse("bad argument #1 to 'sleep_until' %(instant expected, got no value%)", function()
      task.sleep_until()
    end)
    misuse("an instant cannot be NaN", function() task.sleep_until(0 / 0) end)
  end)
end)

describe("every", function()
  it("X-9: every gives instants a period apart, however long the body takes", function()
    local start, seen = task.now(), {}
    for n in task.every(0.01) do
      equal(task.now() - start >= n * 0.01, true)
      seen[#seen + 1] = n
      if #seen == 3 then break end
    end
    equal(seen[1] >= 1 and seen[3] >= 3, true)
  end)

  it("X-9: every refuses values that are not periods", function()
    misuse("seconds, more than 0, expected, got 0", function() task.every(0) end)
    misuse("expected, got %-1", function() task.every(-1) end)
    misuse("expected, got .*nan", function() task.every(0 / 0) end)
    misuse("expected, got string", function() task.every "1" end)
    misuse("expected, got nil", function() task.every() end)
  end)

  it("X-9: every can be cancelled", function()
    equal(task.move_on_after(0.001, function()
      for _ in task.every(1000) do error "early" end
    end), false)
  end)
end)
