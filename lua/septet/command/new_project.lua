-- SPDX-License-Identifier: MIT
-- `septet init FOLDER`: writes the first files of a project.
local core = require "septet.core"
local fs = require "septet.fs"
local files = require "septet.command.new_project_files"
local terminal = require "septet.trace.terminal"
local words = require "septet.command.words"

local command = {}

local DONE, FAILED = 0, 1

-- Returns true if there is anything at a path, also a link that leads nowhere.
---@async
local function is_taken(path)
  local ok, err = pcall(fs.stat, path, { links = true })
  if not ok and not (core.is(err, "IoError") and err.code == "ENOENT") then error(err, 0) end
  return ok
end

-- Writes the files that are not there. Returns their names, and those of the files that are.
---@async
local function write_files(folder)
  local written, left = {}, {}
  fs.mkdir(folder, { parents = true })
  for _, file in ipairs(files.list()) do
    local path = folder .. "/" .. file.name
    if is_taken(path) then
      left[#left + 1] = file.name
    else
      fs.write(path, file.text, { sync = false })
      written[#written + 1] = file.name
    end
  end
  return written, left
end

-- Returns a folder as a shell reads it; `cd -` and `cd -x` mean something else.
local function quoted(folder)
  if folder:sub(1, 1) == "-" then folder = "./" .. folder end
  return folder:find "^[%w/._-]+$" and folder or "'" .. folder:gsub("'", "'\\''") .. "'"
end

local function report(folder, written, left)
  local shown = terminal.escape(folder)
  if #written > 0 then
    io.stdout:write("wrote ", table.concat(written, ", "),
      folder == "." and "" or " in " .. shown, "\n")
  end
  if #left > 0 then
    io.stdout:write("left as they are: ", table.concat(left, ", "), "\n")
  end
  local enter = folder == "." and "" or "cd " .. terminal.escape(quoted(folder)) .. " && "
  io.stdout:write("\n", enter, "septet main.lua         # run it\n",
    enter, "septet test             # run the test\n",
    enter, "septet watch main.lua   # run it again after each change\n")
end

--- Runs the command with the words behind its name. Returns its exit status.
---@async
function command.run(...)
  local options, plain = words.parse("init", { ... })
  if not options then return plain end
  if #plain > 1 then
    return select(2, words.refuse("init", "one folder is expected, not also '%s'", plain[2]))
  end
  local folder = plain[1] or "."
  if folder == "" then return select(2, words.refuse("init", "the folder has no name")) end
  local ok, written, left = pcall(write_files, folder)
  if not ok then
    if not core.is(written, "IoError") then error(written, 0) end
    io.stderr:write("septet: ", terminal.escape(written.message), "\n")
    return FAILED
  end
  report(folder, written, left)
  return DONE
end

return command
