-- SPDX-License-Identifier: MIT
-- Planted: the result of a function is spawned, and not the function.
local task = require "septet.task"
local function work(n) print(n) end
task.spawn(work(1)) -- 5:12 not-called
task.spawn(work, 1)
