-- SPDX-License-Identifier: MIT
-- Planted: a method that is called with a dot.
local task = require "septet.task"
local t = task.spawn(print)
t.await() -- 5:3 dot-or-colon
task.timeout(1, t.await, t)
