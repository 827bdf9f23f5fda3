-- SPDX-License-Identifier: MIT
-- Planted: errors that were to be in a result, which is dropped.
local task = require "septet.task"
task.gather({ print }, { settled = true }) -- 4:1 dropped-result
task.try(print) -- 5:1 dropped-result
task.pcall(print)
