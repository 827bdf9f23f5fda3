-- SPDX-License-Identifier: MIT
-- A bit of all that a host does, for the tests that take its memory away.
-- check: globals origin
local task, http = require "septet.task", require "septet.http"
local origin = assert(origin)

local function work(n)
  task.sleep(n / 1000)
  return { n }
end

local t = task.spawn(work, 1)
t.name = "one"
t:await()
task.gather(task.map(work, { 1, 2, 0 }))
pcall(task.group, function(g)
  g:spawn(work, 2)
  g:spawn(error, "x")
end)
for ended in task.as_completed(task.map(work, { 1, 0 })) do
  ended:await()
end
coroutine.wrap(function()
  task.sleep(0)
end)()
local s <close> = http.session { trace = { request_end = function() end } }
assert(#s:get(origin .. "/bytes/1000").body == 1000)
local page = s:post(origin .. "/echo", { body = "b", headers = { X = "y" } })
assert(page.headers["content-type"] and page.times.total)
