-- SPDX-License-Identifier: MIT
---@meta _

-- What queues on Redis are made of: objects whose methods are C functions.

---@class septet.RedisConnection: userdata
local RedisConnection = {}

--- Sends a command. Returns its reply: a string, an integer, false for nil, a list, or { error =
--- words }. Returns nil, a code and words if the connection broke.
---@async
---@param ... string|integer
---@return any
---@return string|nil code
---@return string|nil words
function RedisConnection:command(...) end

--- Sends several commands, each a list of its arguments, without waiting for the replies of the
--- earlier ones. Returns the list of their replies, or nil, a code and words.
---@async
---@param list (string|integer)[][]
---@param work number|nil seconds that the server may need for them
---@return any[]|nil
---@return string|nil code
---@return string|nil words
function RedisConnection:commands(list, work) end

--- Closes the connection. Tasks that wait for a reply get none.
function RedisConnection:close() end
