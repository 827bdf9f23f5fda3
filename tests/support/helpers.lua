-- SPDX-License-Identifier: MIT
-- What specs of tasks use again and again: functions to spawn, records of what happened, and
-- values that run a function when they are closed.
local task, testing = require "septet.task", require "septet.testing"

local helpers = {}

--- Waits without an end: only a cancellation ends it.
function helpers.never()
  task.sleep(math.huge)
end

--- Raises a value as it is.
function helpers.fail(err)
  error(err, 0)
end

--- Raises a value after so many seconds.
function helpers.fail_after(seconds, err)
  task.sleep(seconds)
  error(err, 0)
end

--- Returns its arguments, after a wait.
function helpers.slow(...)
  task.sleep(0.0005)
  return ...
end

--- Returns a function that raises a value after so many seconds.
function helpers.failing(seconds, err)
  return function() helpers.fail_after(seconds, err) end
end

--- Returns a function that returns these values after so many seconds.
function helpers.after(seconds, ...)
  local values = table.pack(...)
  return function()
    task.sleep(seconds)
    return table.unpack(values, 1, values.n)
  end
end

--- Returns a function that returns these values after so many turns.
function helpers.after_turns(n, ...)
  local values = table.pack(...)
  return function()
    turns(n)
    return table.unpack(values, 1, values.n)
  end
end

--- Waits without an end. Once it is cancelled, it cleans up for so many seconds, logs its name with
--- the source of the cancellation, and raises `err` if there is one.
function helpers.tidy(log, name, seconds, err)
  local _, cancelled = pcall(helpers.never)
  task.cleanup(nil, task.sleep, seconds)
  log(("%s %s"):format(name, cancelled.source))
  error(err or cancelled, 0)
end

--- Returns a task of fn(...) that waits.
function helpers.waiting(fn, ...)
  local t = task.spawn(fn, ...)
  testing.wait_all_blocked()
  equal(t:status(), "suspended")
  return t
end

--- Returns a task of fn(...) that is cancelled at its first wait.
function helpers.cancelled(fn, ...)
  local t = helpers.waiting(fn, ...)
  equal(t:cancel "enough", true)
  return t
end

--- Returns a task of fn(...) that was cancelled after so many seconds, and has ended.
function helpers.cancelled_after(seconds, fn, ...)
  local t = task.spawn(fn, ...)
  task.sleep(seconds)
  t:cancel "outside"
  task.wait { t }
  return t
end

--- Like helpers.cancelled_after(), but counts turns.
function helpers.cancelled_after_turns(n, fn, ...)
  local t = task.spawn(fn, ...)
  turns(n)
  t:cancel "outside"
  task.wait { t }
  return t
end

--- Returns the ErrorGroup that task.group(fn) raises.
function helpers.grouped(fn)
  return raises_error({ kind = "ErrorGroup" }, task.group, fn)
end

--- Awaits a list of tasks, each of which ends well.
function helpers.await_all(tasks)
  for _, t in ipairs(tasks) do
    t:await()
  end
end

--- Awaits tasks, however they end.
function helpers.join(...)
  for _, t in ipairs { ... } do
    pcall(t.await, t)
  end
end

--- Returns a task that receives until a channel ends, and returns the list of what came.
function helpers.collector(channel)
  return task.spawn(function()
    local got = {}
    for value in channel:iter() do
      got[#got + 1] = value
    end
    return got
  end)
end

--- Returns a task that sends values through a channel.
function helpers.sending(channel, ...)
  return task.spawn(function(...)
    for _, value in ipairs { ... } do
      channel:send(value)
    end
  end, ...)
end

--- Cancels tasks whose ends the spec does not check, and awaits them.
function helpers.dismiss(...)
  for _, t in ipairs { ... } do
    t:cancel()
    pcall(t.await, t)
  end
end

--- Returns a value that calls fn(value, err) when it is closed.
function helpers.closer(fn)
  return setmetatable({}, { __close = fn })
end

--- Returns a list, and a function that appends to it. Of several values it appends a table.
function helpers.recorder()
  local list = {}
  return list, function(...)
    local n = select("#", ...)
    if n == 1 then
      list[#list + 1] = ...
    else
      list[#list + 1] = { ... }
    end
  end
end

--- Returns an object that appends a word to `log.list` when it is called, behind the seconds that
--- have passed since now.
function helpers.new_log()
  local start = task.now()
  return setmetatable({ list = {} }, {
    __call = function(self, word)
      self.list[#self.list + 1] = ("%g %s"):format(task.now() - start, word)
    end,
  })
end

--- Returns a function that returns how many seconds have passed since now, to the microsecond.
function helpers.stopwatch()
  local start = task.now()
  return function()
    return math.floor((task.now() - start) * 1e6 + 0.5) / 1e6
  end
end

--- Returns a list to which every error is appended that is reported as unhandled, until the spec
--- ends.
function helpers.unhandled()
  local list = {}
  task.on_unhandled = function(_, err)
    list[#list + 1] = err
  end
  return list
end

--- Checks that fn(...) raises an error of this kind whose message has these words. Returns it.
function helpers.refused(kind, words, fn, ...)
  local err = raises_error({ kind = kind }, fn, ...)
  equal(err.message:find(words, 1, true) ~= nil, true, err.message)
  return err
end

--- Checks that a task has ended cancelled.
function helpers.ended_cancelled(t)
  raises_error({ kind = "TaskCancelled" }, t.await, t)
end

--- Checks that a pattern occurs in a text.
function helpers.has(text, pattern)
  if not text:find(pattern) then error(("no %q in:\n%s"):format(pattern, text), 2) end
end

--- Returns how often a pattern occurs in a text.
function helpers.count(text, pattern)
  return select(2, text:gsub(pattern, ""))
end

return helpers
