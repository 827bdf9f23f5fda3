-- SPDX-License-Identifier: MIT
-- `septet help COMMAND`: prints what a command does. Without a command, the program prints its own
-- help.
local args = require "septet.internal.args"
local program = require "septet.command.program"
local words = require "septet.command.words"

local command = {}

local DONE = 0

-- Prints the whole table of the command line, for programs.
local function print_table()
  local json = require "septet.json"
  local all = program.table()
  all.path = nil
  for _, row in ipairs(all.commands) do
    local description = words.of(row.name)
    row.options = {}
    for i, option in ipairs(words.options(description)) do
      row.options[i] = { name = option.form, kind = option.kind, help = option.help }
    end
  end
  io.stdout:write(json.encode(all), "\n")
  return DONE
end

--- Runs the command with the words behind its name. Returns its exit status.
function command.run(...)
  local options, plain = words.parse("help", { ... })
  if not options then return plain end
  if options.json then return print_table() end
  local name = plain[1] or "help"
  if #plain > 1 then return select(2, words.refuse("help", "one command at a time")) end
  if not program.command(name) then
    local known = { options = true }
    for _, row in ipairs(program.table().commands) do known[row.name] = true end
    return select(2, words.refuse("help", "unknown command '%s'%s", name, args.hint(name, known)))
  end
  io.stdout:write(words.help(name))
  return DONE
end

return command
