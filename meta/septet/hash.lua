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

-- Functions and methods that are made in loops: lua/septet/hash.lua.

---@class septet.Hash
local Hash = {}

--- Returns the result in hexadecimal for all bytes so far. More may be added afterwards.
---@return string
function Hash:hex() end

--- Returns the result as bytes for all bytes so far. More may be added afterwards.
---@return string
function Hash:raw() end

--- Returns the result in base64 for all bytes so far. More may be added afterwards.
---@return string
function Hash:base64() end

--- Returns the result in base64 for URLs for all bytes so far. More may be added afterwards.
---@return string
function Hash:base64url() end

---@class septet.hash
local hash = {}

--- Returns the digest MD5 of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.md5(bytes, form) end

--- Returns the digest SHA-1 of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.sha1(bytes, form) end

--- Returns the digest SHA-224 of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.sha224(bytes, form) end

--- Returns the digest SHA-256 of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.sha256(bytes, form) end

--- Returns the digest SHA-384 of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.sha384(bytes, form) end

--- Returns the digest SHA-512 of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.sha512(bytes, form) end

--- Returns the digest SHA-512/256 of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.sha512_256(bytes, form) end

--- Returns the digest SHA3-256 of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.sha3_256(bytes, form) end

--- Returns the digest SHA3-384 of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.sha3_384(bytes, form) end

--- Returns the digest SHA3-512 of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.sha3_512(bytes, form) end

--- Returns the digest BLAKE2b, of 64 bytes, of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.blake2b(bytes, form) end

--- Returns the digest BLAKE2s, of 32 bytes, of a text.
---@param bytes string
---@param form septet.HashForm|nil "hex" by default
---@return string
function hash.blake2s(bytes, form) end
