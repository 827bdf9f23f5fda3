-- SPDX-License-Identifier: MIT
-- Waits and resumes that are refused, by the name of the function that is in the way.
local task = require "septet.task"
local helpers = require "helpers"

local never, closer, slow = helpers.never, helpers.closer, helpers.slow

describe("a coroutine that waits", function()
  -- A coroutine in the middle of a wait, and the task that runs it.
  local function waiting()
    local co
    local t = task.spawn(function()
      co = coroutine.create(function()
        never()
      end)
      coroutine.resume(co)
    end)
    turns(1)
    return co, t
  end

  it("a coroutine that waits cannot be resumed from elsewhere, and takes no harm", function()
    local co, t = waiting()
    local ok, err = coroutine.resume(co)
    equal(ok, false)
    equal(tostring(err):find "cannot resume a coroutine that waits in a task" ~= nil, true)
    equal(t:status(), "suspended")
    t:cancel()
    task.wait { t }
    equal(coroutine.status(co), "dead")
  end)

  it("a coroutine that waits cannot be closed from elsewhere", function()
    local co, t = waiting()
    misuse("cannot close a coroutine that waits in a task", function() coroutine.close(co) end)
    equal(t:status(), "suspended")
    t:cancel()
    task.wait { t }
    equal(coroutine.close(co), false)
  end)

  it("a wrapped coroutine that waits cannot be called from elsewhere", function()
    local f
    local t = task.spawn(function()
      f = coroutine.wrap(never)
      f()
    end)
    turns(1)
    raises("cannot resume a coroutine that waits in a task", f)
    t:cancel()
    task.wait { t }
  end)
end)

describe("a task's own coroutine", function()
  it("a yield from a task's own coroutine is refused, as no resume would get it", function()
    raises("^attempt to yield from outside a coroutine$", function() coroutine.yield() end)
    raises("^attempt to yield from outside a coroutine$", function() coroutine.yield(1, 2) end)
    local t = task.spawn(function()
      local ok, err = pcall(coroutine.yield, "x")
      return ok, err, slow "goes on"
    end)
    equal({ t:await() }, { false, "attempt to yield from outside a coroutine", "goes on" })
  end)

  it("a task's own coroutine cannot be resumed or closed by another task", function()
    local thread
    local t = task.spawn(function()
      thread = coroutine.running()
      return slow "intact"
    end)
    turns(1)
    local ok, err = coroutine.resume(thread)
    equal(ok, false)
    equal(tostring(err):find "waits in a task" ~= nil, true)
    misuse("cannot close a coroutine that waits", function() coroutine.close(thread) end)
    equal(t:await(), "intact")
  end)

  it("a coroutine that a script has seen is not used for another task", function()
    local threads = {}
    for i = 1, 5 do
      task.spawn(function() threads[i] = coroutine.running() end):await()
    end
    for i = 1, 5 do
      equal(coroutine.status(threads[i]), "dead")
      for j = 1, i - 1 do equal(rawequal(threads[i], threads[j]), false) end
      equal(coroutine.resume(threads[i]), false)
    end
  end)

  it("a task's own coroutine is running in the task, and is its main coroutine", function()
    local thread, main = coroutine.running()
    equal(type(thread), "thread")
    equal(main, true)
    equal(coroutine.status(thread), "running")
    coroutine.wrap(function()
      equal(coroutine.status(thread), "normal")
    end)()
  end)
end)

describe("functions that cannot wait", function()
  -- Calls fn, which reaches `wait` through C. The error of `wait` must match; the task goes on.
  local function refused(pattern, fn)
    local t = task.spawn(function()
      local refusal
      local function wait()
        local ok, err = pcall(task.sleep, 0.001)
        equal(ok, false)
        refusal = refusal or err
      end
      pcall(fn, wait)
      return refusal, slow "goes on"
    end)
    local refusal, after = t:await()
    equal(after, "goes on")
    equal(task.is(refusal, "Usage"), true, tostring(refusal))
    equal(refusal.message:find(pattern) ~= nil, true, refusal.message)
  end

  it("a wait inside table.sort is refused", function()
    refused("cannot wait here: called from 'table.sort'", function(wait)
      table.sort({ 3, 1, 2 }, function(a, b)
        wait()
        return a < b
      end)
    end)
  end)

  it("a wait inside string.gsub is refused", function()
    refused("called from 'string.gsub'", function(wait) return (("abc"):gsub(".", wait)) end)
  end)

  it("a wait inside require is refused", function()
    refused("called from 'require'", function(wait)
      package.preload["spec.waits"] = function() wait() end
      require "spec.waits"
      package.loaded["spec.waits"] = nil
    end)
  end)

  it("a wait inside tostring is refused", function()
    refused("called from 'tostring'", function(wait)
      return tostring(setmetatable({}, { __tostring = function()
        wait()
        return ""
      end })) .. ""
    end)
  end)

  it("a wait inside string.format is refused", function()
    refused("called from 'string.format'", function(wait)
      return ("%s"):format(setmetatable({}, { __tostring = function()
        wait()
        return ""
      end })) .. ""
    end)
  end)

  it("a wait inside table.concat, through __index, is refused", function()
    refused("called from 'table.concat'", function(wait)
      return table.concat(setmetatable({}, { __index = function()
        wait()
        return ""
      end }), "", 1, 1) .. ""
    end)
  end)

  it("a wait inside load is refused", function()
    refused("called from 'load'", function(wait)
      return load(function() wait() end)
    end)
  end)

  it("a wait inside the message handler of xpcall is refused", function()
    refused("cannot wait here", function(wait)
      return xpcall(error, function() wait() end)
    end)
  end)

  it("a wait inside coroutine.close is refused, as its closers cannot be suspended", function()
    refused("cannot wait here", function(wait)
      local co = coroutine.create(function()
        local _ <close> = closer(wait)
        coroutine.yield()
      end)
      coroutine.resume(co)
      return coroutine.close(co)
    end)
  end)

  it("a wait inside a finalizer is refused", function()
    refused("called from a finalizer", function(wait)
      setmetatable({}, { __gc = wait })
      collectgarbage()
      collectgarbage()
    end)
  end)

  it("a wait inside a hook is refused", function()
    refused("called from a hook", function(wait)
      debug.sethook(function()
        debug.sethook()
        wait()
      end, "l")
      local x = 1
      return x
    end)
  end)

  it("a wait inside table.sort is refused in a coroutine as well", function()
    refused("called from 'table.sort'", function(wait)
      table.sort({ 2, 1 }, function(a, b)
        coroutine.wrap(wait)()
        return a < b
      end)
    end)
  end)

  it("a wait inside table.sort is refused at the line of the script", function()
    misuse("called from 'table.sort'", function()
      table.sort({ 2, 1 }, function() task.sleep(0) end)
    end)
    local t = task.spawn(never)
    misuse("called from 'table.sort'", function()
      table.sort({ 2, 1 }, function() t:await() end)
    end)
    misuse("called from 'table.sort'", function()
      table.sort({ 2, 1 }, function() task.checkpoint() end)
    end)
  end)

  it("a refused wait starts nothing: the task's next wait is its own", function()
    local t = task.spawn(function()
      pcall(table.sort, { 3, 2, 1 }, function() task.sleep(1000) end)
      pcall(string.gsub, "a", ".", function() task.spawn(never):await() end)
      return slow(1)
    end)
    equal(t:await(), 1)
  end)
end)
