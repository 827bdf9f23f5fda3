-- SPDX-License-Identifier: MIT
-- What the program says of its own command line, to the commands that it runs: the options before a
-- script, the commands, the environment and the statuses. The table is in C, in
-- src/cli/option_table.c.
local program = {}

local push

--- Keeps the function that returns the table. The program calls this before it runs a command.
function program.receive(fn) push = fn end

---@class septet.ProgramRow
---@field name string as it is typed, with its value: "-e STAT", "--trace=FILE", "--otlp[=URL]"
---@field arguments string|nil of a command
---@field kind string|nil of the value: "text", "number", "*.har *.html" or "json|none"
---@field help string one line

---@class septet.ProgramTable
---@field options septet.ProgramRow[]
---@field commands septet.ProgramRow[]
---@field environment septet.ProgramRow[]
---@field statuses septet.ProgramRow[]
---@field path string
---@field pid integer

--- Returns the table. Its lists are new in each call. `path` is that of the program's file.
---@return septet.ProgramTable
function program.table() return push() end

--- Returns the row of a command, or nil.
---@param name string
---@return septet.ProgramRow|nil
function program.command(name)
  for _, row in ipairs(push().commands) do
    if row.name == name then return row end
  end
end

return program
