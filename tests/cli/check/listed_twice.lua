-- SPDX-License-Identifier: MIT
-- Planted: a task that a list has twice, where it runs once.
local task = require "septet.task"
local t, u = task.spawn(print), print
task.gather { t, t, u, u } -- 5:18 wrong-arguments
task.wait({ t, t }, { return_when = "first_completed" }) -- 6:16 wrong-arguments 6:37 wrong-option
