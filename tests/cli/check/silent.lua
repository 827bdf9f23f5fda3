-- SPDX-License-Identifier: MIT
-- Nothing is wrong here, although it may look so.
local task, http, sync = require "septet.task", require "septet.http", require "septet.sync"

local session <close> = http.session { headers = { ["X-Any"] = "1" }, timeout = { total = 3 } }
local function fetch(url) return session:get(url, { retries = { attempts = 2 } }) end

task.group(function(g)
  for i = 1, 3 do g:spawn(task.sleep, i) end
  g:map(fetch, { "http://127.0.0.1/" })
end)
task.map(fetch, {})
task.spawn(fetch("http://127.0.0.1/").raise_for_status)
for n in task.every(1) do if n > 2 then break end end
local names = { "b", "a" }
table.sort(names, function(a, b) return a < b end)
pcall(task.sleep, 0)
local object = setmetatable({}, { __index = function() task.sleep(0) end, __close = task.sleep })
print(object.x, task.current == nil, task.thread and "threads" or "none", _VERSION, arg[0])
local unpack = table.unpack or unpack
if jit then jit.off() end
if type(love) == "table" or package.loaders then love.quit(unpack {}) end
local later
later = task.future()
later.anything()
for k, v in pairs(_G) do print(k, v) end
while not later:is_done() do task.sleep(1) end
_ENV.made = 1
print(made)
http.helper = function() end
http.helper()
local queue = sync.queue and sync.queue(1)
if coroutine._yield or DEBUG ~= false then print(DEBUG, queue, coroutine._yield()) end
local ok, err = pcall(function() session:get("http://127.0.0.1/") end)
return ok, err, string.format("%d", 1), session.get(session, "http://127.0.0.1/")
