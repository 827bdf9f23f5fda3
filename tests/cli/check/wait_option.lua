-- SPDX-License-Identifier: MIT
-- Planted: an option that task.wait does not have.
local task = require "septet.task"
local t = task.spawn(print)
task.wait({ t }, { timeot = 1 }) -- 5:20 unknown-option
