-- SPDX-License-Identifier: MIT
-- The scripts of test_host.c, by name.
-- check: allow global-in-function
local task = require "septet.task"
local scripts = {}

local function on_close()
  closed = 1
end

function scripts.background()
  task.background(function()
    local _ <close> = setmetatable({}, { __close = on_close })
    task.sleep(1000)
  end)
  task.sleep(0.001)
end

return scripts
