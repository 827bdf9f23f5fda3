-- SPDX-License-Identifier: MIT
-- Planted: what Lua does not compile.
local x = = 1 -- 3:11 error
