-- SPDX-License-Identifier: MIT
-- Planted: groups that are not <close>.
local task = require "septet.task"
local g = task.group() -- 4:7 close-missing
g:spawn(print)
local pool = task.pool(4) -- 6:7 close-missing
pool:spawn(print)
task.group() -- 8:1 close-missing
