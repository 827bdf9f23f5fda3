-- SPDX-License-Identifier: MIT
---@meta septet.trace

-- The objects of septet.trace that are written in C. Its functions are in lua/septet/trace.lua.

--- A recording of the trace.
---@class septet.Recording
local Recording = {}

--- Writes the rest and closes the file. Raises IoError if a write has failed.
function Recording:close() end
