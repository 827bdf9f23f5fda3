-- SPDX-License-Identifier: MIT
-- `septet watch SCRIPT`: runs a script again after each change. The script runs in a process of its
-- own, which reports the Lua files that it loads into a file in a temporary folder.
local core = require "septet.core"
local fs = require "septet.fs"
local process = require "septet.process"
local program = require "septet.command.program"
local task = require "septet.task"
local terminal = require "septet.trace.terminal"
local watch_changes = require "septet.command.watch_changes"
local watch_files = require "septet.command.watch_files"
local words = require "septet.command.words"

local command = {}

local FAILED = 1

local function say(format, ...)
  io.stderr:write("septet: ", terminal.escape(format:format(...)), "\n")
end

-- Returns the words of the script's process.
local function command_line(options, plain)
  local line = { program.table().path }
  table.move(options.passed, 1, #options.passed, 2, line)
  line[#line + 1] = "--"
  return table.move(plain, 1, #plain, #line + 1, line)
end

-- Reads the paths that the process reports, for as long as the watch goes on.
---@async
local function read_reports(log, files, changes)
  local from = 1
  local watch <close> = fs.watch(log)
  repeat
    local text = fs.read(log)
    changes.reading = true
    for path, mark, next in text:gmatch("([^\0]*)\0([^\0]*)\0()", from) do
      files:add(path, mark)
      from = next
    end
    changes.reading = false
  until not watch()
end

-- Waits for a change of contents. Returns the files.
---@async
local function await_change(script, files, changes)
  while true do
    local changed, removed = changes:await(files)
    for _, path in ipairs(removed) do
      if path == script then say("'%s' was removed", path) end
    end
    if #changed > 0 then return changed end
  end
end

-- Says how a script ended.
local function report_end(script, code, signal)
  if signal then
    say("'%s' was ended by SIG%s; waiting for a change", script, signal)
  elseif code == 0 then
    say("'%s' ended; waiting for a change", script)
  else
    say("'%s' ended with status %d; waiting for a change", script, code)
  end
end

-- Runs the script until a change.
---@async
local function run_once(line, script, options, changes, files)
  local command_options = table.move(line, 1, #line, 1, { stdin = "inherit", stdout = "inherit",
    stderr = "inherit", grace = options.grace or 5, background = true,
    env = { SEPTET_WATCH_LOG = options.log, SEPTET_WATCH_PID = program.table().pid } })
  task.group(function(group)
    -- Cancelled during its start, a process would be killed.
    local child <close> = task.shield(process.spawn, command_options)
    local over = false
    local _ <close> = setmetatable({}, { __close = function() over = true end })
    local reporter = group:spawn(function()
      local code, signal = child:wait()
      if signal == "INT" then task.sleep(0.2) end -- Ctrl-C is about to cancel this task, too
      if not over then report_end(script, code, signal) end
    end)
    local changed = await_change(script, files, changes)
    -- Before the process has ended: one that computes ends late, or is killed.
    say("%s: running '%s' again", watch_changes.describe(changed), script)
    reporter:cancel()
  end)
end

-- Watches and runs the script until the command is ended.
---@async
local function watch(line, script, options)
  local folder <close> = fs.temp_dir()
  options.log = folder.path .. "/loaded"
  fs.write(options.log, "", { sync = false })
  local changes = watch_changes.new()
  task.group(function(group)
    local files = watch_files.new(group, function(path) changes:note(path) end)
    files:add(script)
    for _, path in ipairs(options.also or {}) do files:add_also(path) end
    group:spawn(read_reports, options.log, files, changes)
    while true do run_once(line, script, options, changes, files) end
  end)
end

--- Runs the command with the words behind its name. Returns its exit status.
---@async
function command.run(...)
  local options, plain = words.parse("watch", { ... })
  if not options then return plain end
  local script = plain[1]
  if not script or script == "-" then
    return select(2, words.refuse("watch", script and "a script from stdin cannot be watched"
      or "the script is missing"))
  end
  local ok, err = pcall(watch, command_line(options, plain), script, options)
  if not ok then
    if not core.is(err, "IoError") and not core.is(err, "ProcessError") then error(err, 0) end
    say("%s", err.message)
  end
  return FAILED
end

return command
