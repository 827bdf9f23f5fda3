-- SPDX-License-Identifier: MIT
---@meta _

-- What queues in a file are made of: functions of C, and objects whose methods are C functions.

---@class septet.SqliteParts
---@field open async fun(...: any): septet.SqliteHandle|nil, string|nil, string|nil

---@class septet.SqliteProgram: userdata

---@class septet.SqliteHandle: userdata
local SqliteHandle = {}

--- Adds a statement with so many values, and returns its number. The flags are words: "begins
--- rows".
---@param sql string
---@param values integer
---@param flags string
---@return integer
function SqliteHandle:statement(sql, values, flags) end

--- Runs statements, each a number and its values, in one transaction, behind those of the program.
--- Returns the number of rows that each has changed, and a list of values for each with rows.
--- Returns nil, a word and a description if it failed.
---@async
---@param list any[] false stands for NULL
---@param count integer values of the list
---@param flags integer 1: a power cut may undo it; 2: it may be left out if the wait is cancelled
---@param program septet.SqliteProgram|nil
---@return integer[]|nil
---@return any ...
function SqliteHandle:run(list, count, flags, program) end

--- Returns a program without a statement.
---@return septet.SqliteProgram
function SqliteHandle:program() end

--- Adds statements to a program.
---@param list any[]
---@param count integer
---@param flags integer
---@param program septet.SqliteProgram
function SqliteHandle:add(list, count, flags, program) end

--- Returns the number of requests that are not answered.
---@return integer
function SqliteHandle:waiting() end

--- Closes the database once all requests are done.
---@async
function SqliteHandle:close() end
