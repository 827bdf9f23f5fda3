-- SPDX-License-Identifier: MIT
-- Planted: an option that task.wait does not have, and a value that it does not take.
local task = require "septet.task"
local t = task.spawn(print)
task.wait({ t }, { timeot = 1 }) -- 5:20 unknown-option
task.wait({ t }, { return_when = "FIRST" }) -- 6:34 wrong-option
