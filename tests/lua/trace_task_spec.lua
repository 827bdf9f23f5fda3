-- SPDX-License-Identifier: MIT
-- What a reader of the trace needs to send it: a task without records, and to be called in time.
local task, trace, sync = require "septet.task", require "septet.trace", require "septet.sync"
local core = debug.getregistry()["septet.require"] "septet.core" -- for what no public module has

-- Calls fn(cursor) in a sink, once.
local function in_sink(fn)
  local sink
  sink = function()
    core.trace_unsink(sink)
    fn()
  end
  core.trace_sink(sink, 1)
end

describe("trace_task", function()
  it("a sink may spawn a task, which leaves no trace", function()
    local events, done, id = {}, sync.event(), nil
    local unsubscribe = trace.subscribe(function(event) events[#events + 1] = event end)
    in_sink(function()
      id = core.trace_task(function(words)
        task.sleep(0.001)
        trace.span("hidden", task.sleep, 0)
        done:set()
        equal(words, "words")
      end, "words").id
    end)
    done:wait()
    task.sleep(0.001)
    unsubscribe()
    equal(#events > 0, true)
    for _, event in ipairs(events) do equal(event.kind ~= "sample" and event.task == id, false) end
  end)

  it("as many live tasks as its number are in a sample, too", function()
    local seen, tasks, done = {}, {}, sync.event()
    local unsubscribe = trace.subscribe(function(event) seen[event.live or 0] = true end)
    local id = core.trace_task(done.wait, done).id
    while #trace.ps { json = true } < id do tasks[#tasks + 1] = task.spawn(done.wait, done) end
    task.sleep(0.02)
    task.sleep(0.02)
    local sampled = seen[id]
    done:set()
    unsubscribe()
    equal(sampled, true)
  end)

  it("its requests leave none, either", function()
    local origin, events, done = require "origin", {}, sync.event()
    local unsubscribe = trace.subscribe(function(event) events[event.kind] = true end)
    in_sink(function()
      core.trace_task(function()
        require "septet.http".get(origin.url .. "/bytes/5")
        done:set()
      end)
    end)
    done:wait()
    task.sleep(0.001)
    unsubscribe()
    equal({ events.xfer, events.wait }, { nil, true })
  end)

  it("it does not keep the run alive, and is cancelled with it", function()
    local mains, virtual, pid = core.trace_host()
    equal({ mains >= 1, virtual, math.type(pid) }, { true, false, "integer" })
    local t = core.trace_task(task.sleep, math.huge)
    turns(1)
    equal(t:status(), "suspended")
    t:cancel()
    turns(2)
    equal(t:status(), "cancelled")
  end)

  it("misuse is refused", function()
    raises("function expected", core.trace_task)
    raises("function expected", core.trace_task, 1)
    raises("seconds expected", core.trace_wake, "x")
  end)
end)

describe("trace_wake", function()
  it("sinks are called in time, although nothing happens", function()
    local called = sync.event()
    local armed, sink = false, nil
    sink = function()
      if armed then
        core.trace_unsink(sink)
        called:set()
      elseif core.trace_host() > 0 then
        armed = true
        core.trace_wake(0.01)
      end
    end
    core.trace_sink(sink, 1)
    task.timeout(20, called.wait, called) -- without a call, this would take too long
  end)
end)
