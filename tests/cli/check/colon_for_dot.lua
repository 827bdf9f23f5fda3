-- SPDX-License-Identifier: MIT
-- Planted: a function of a module that is called with a colon.
local task = require "septet.task"
task:sleep(1) -- 4:6 dot-or-colon
