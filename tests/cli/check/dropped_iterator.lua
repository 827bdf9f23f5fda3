-- SPDX-License-Identifier: MIT
-- Planted: iterators without a loop.
local task = require "septet.task"
task.as_completed { print } -- 4:1 dropped-result
task.every(1) -- 5:1 dropped-result
task.generator(function(emit) emit(1) end) -- 6:1 dropped-result
