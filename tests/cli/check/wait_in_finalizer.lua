-- SPDX-License-Identifier: MIT
-- Planted: a finalizer and a __tostring that wait.
local task = require "septet.task"
local mt = { __gc = function() task.sleep(1) end } -- 4:32 cannot-wait
function mt.__tostring(self) task.checkpoint() return self.name end -- 5:30 cannot-wait
return setmetatable({}, mt)
