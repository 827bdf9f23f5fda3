-- SPDX-License-Identifier: MIT
-- Planted: functions that a module and a library of Lua do not have.
local task = require "septet.task"
task.spwan(print) -- 4:6 unknown-name
print(string.fromat("%d", 1)) -- 5:14 unknown-name
task.create_task(print) -- 6:6 unknown-name
