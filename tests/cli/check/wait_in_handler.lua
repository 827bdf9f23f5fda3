-- SPDX-License-Identifier: MIT
-- Planted: what handles an error, reads a chunk, or is a hook, and waits.
local task, http = require "septet.task", require "septet.http"
xpcall(error, function(e) task.sleep(1) return e end) -- 4:27 cannot-wait
load(function() task.sleep(1) end) -- 5:17 cannot-wait
debug.sethook(function() task.checkpoint() end, "l") -- 6:26 cannot-wait
task.on_unhandled = function() task.sleep(1) end -- 7:32 cannot-wait
local hooks = {}
local s <close> = http.session { trace = { request_end = function()
  task.sleep(1) -- 10:3 cannot-wait
end } }
print(hooks)
xpcall(task.sleep, print, 1)
