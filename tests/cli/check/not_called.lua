-- SPDX-License-Identifier: MIT
-- Planted: functions in the place of their results.
local task = require "septet.task"
local began = task.now()
local t = task.spawn(print)
if t.status == "done" then print "done" end -- 6:6 not-called
print(task.now - began) -- 7:12 not-called
local ready = task.future()
while not ready.is_done do task.sleep(1) end -- 9:17 not-called
