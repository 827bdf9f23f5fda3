-- SPDX-License-Identifier: MIT
-- The command `septet` as specs run it: processes of its own, beside the one of the spec.
local files = require "files"

local command = { path = assert(os.getenv "SEPTET", "SEPTET is not the path of the command") }

local function own_words()
  local first = -1
  while arg[first - 1] do
    first = first - 1
  end
  return "'" .. table.concat(arg, "' '", first, -1) .. "'"
end

--- The command and the options that run this spec, for a shell.
command.words = own_words()

--- Runs a shell's command. Returns what it prints, on both outputs, and its exit status.
function command.shell_and_slow_turns(line)
  local pipe = assert(io.popen(line .. " 2>&1"))
  local printed = pipe:read "a"
  local _, how, status = pipe:close()
  equal(how, "exit")
  return printed, status
end

--- The same, without the warnings of slow turns.
function command.shell(line)
  local printed, status = command.shell_and_slow_turns(line)
  return without_slow(printed), status
end

local PRELUDE = [[
io.stdout:setvbuf "no"
local task, sync = require "septet.task", require "septet.sync"
local start = task.now()
local function say(...) print(("%g s:"):format(task.now() - start), ...) end
]]

--- Runs a script with the options of this spec. Its first line has the modules task and sync, and
--- the function say(...), which prints the seconds that have passed before its arguments. Returns
--- what the script prints, where its name is "s.lua", and the exit status.
function command.run(script)
  local file <close> = files.with((PRELUDE:gsub("\n", " ")) .. script)
  local printed, status = command.shell(("%s '%s'"):format(command.words, file.path))
  return (printed:gsub(file.path:gsub("%p", "%%%0"), "s.lua")), status
end

return command
