-- SPDX-License-Identifier: MIT
---@meta _

-- The objects under septet.hash, whose methods are C functions.

--- A digest or an HMAC of what was added so far.
---@class septet.RawHash
local RawHash = {}

--- Adds the bytes from `first` to `last`.
---@param bytes string
---@param first integer
---@param last integer
function RawHash:update(bytes, first, last) end

--- Returns the bytes of the result for all that was added so far.
---@return string
function RawHash:finish() end
