-- SPDX-License-Identifier: MIT
-- The clocks of a queue, in seconds: `wall` for delays, and `steady` for leases, which no change of
-- the system's time moves. Processes of one machine agree on both.
local core = require "septet.core"

return { wall = core.wall, steady = core.now }
