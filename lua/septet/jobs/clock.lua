-- SPDX-License-Identifier: MIT
-- The clocks of a queue, in seconds: `wall` for delays, and `steady` for leases, which no change of
-- the system's time moves. On a virtual clock, both go with it.
local core = require "septet.core"

local _, is_virtual = core.trace_host()
local start = os.time() - core.now()

local function virtual_wall() return start + core.now() end

return { wall = is_virtual and virtual_wall or core.wall, steady = core.now }
