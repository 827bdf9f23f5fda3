#!/usr/bin/env septet
-- SPDX-License-Identifier: MIT
-- Seven ways to fetch the same URLs: septet scripts/models/http.lua URL...
-- With --trace=run.html before the file's name, a picture of them: each is a span of the trace.
local http, task, trace = require "septet.http", require "septet.task", require "septet.trace"

local urls = { ... }
if #urls == 0 then
  error("usage: septet scripts/models/http.lua URL...", 0)
end

local hooks = {
  request_start = function(ctx, ev)
    ctx.start = ev.time
  end,
  request_end = function(ctx, ev)
    print(("> [%d] Completed %s [ %.5f s ]"):format(ev.status, ev.url, ev.time - ctx.start))
  end,
}

-- 1: an iterator that fetches the next page when it is asked for it
local function pages(session)
  local i = 0
  return function()
    i = i + 1
    return urls[i] and trace.span("page " .. i, session.get, session, urls[i])
  end
end

local function async_iterator(session)
  for page in pages(session) do
    assert(page.status)
  end
end

-- 2: one after the other
local function sequential(_, fetch)
  for _, url in ipairs(urls) do
    fetch(url)
  end
end

-- 3: all at once, the results in order
local function gather(_, fetch)
  local statuses = task.gather(task.map(fetch, urls))
  assert(statuses.n == #urls)
end

-- 4: all at once, until a condition holds; it never raises what they raise
local function wait(_, fetch)
  local done, pending = task.wait(task.map(fetch, urls))
  assert(#done == #urls and #pending == 0)
end

-- 5: all at once, each as soon as it is done
local function as_completed(_, fetch)
  for t in task.as_completed(task.map(fetch, urls)) do
    t:await()
  end
end

-- 6: all at once, awaited in the order of the list
local function list_of_tasks(_, fetch)
  for _, t in ipairs(task.map(fetch, urls)) do
    t:await()
  end
end

-- 7: all at once, and none outlives the group
local function task_group(_, fetch)
  task.group(function(g)
    for _, url in ipairs(urls) do
      g:spawn(fetch, url)
    end
  end)
end

local function run(name, model)
  local session <close> = http.session { trace = hooks }
  local function fetch(url)
    return session:get(url).status
  end
  local start = task.now()
  trace.span(name, model, session, fetch)
  print(("\n%s : [%.6f sec]\n"):format(name, task.now() - start))
end

run("Async iterator", async_iterator)
run("Sequential", sequential)
run("gather", gather)
run("wait", wait)
run("as_completed", as_completed)
run("List of tasks", list_of_tasks)
run("Task group", task_group)
