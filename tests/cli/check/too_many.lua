-- SPDX-License-Identifier: MIT
-- Planted: an argument too many.
local task = require "septet.task"
task.sleep(1, 2) -- 4:15 wrong-arguments
task.sleep(1, nil)
