-- SPDX-License-Identifier: MIT
-- Planted: an argument too few.
local task = require "septet.task"
task.sleep() -- 4:1 wrong-arguments
task.sleep(...)
