-- SPDX-License-Identifier: MIT
-- `septet trace FILE --to FORMAT [-o OUT]`: writes a recording in another format.
local words_of = require "septet.command.words"
local export = require "septet.trace.export"
local terminal = require "septet.trace.terminal"

local command = {}

local DONE, FAILED, USAGE = 0, 1, 2

local function complain(status, format, ...)
  io.stderr:write("septet: ", terminal.escape(format:format(...)), "\n")
  return nil, status
end

local function bad_usage(format, ...)
  return words_of.refuse("trace", format, ...)
end

-- Returns the options of the words, or nil and a status.
local function parse(words)
  local options = { filter = {}, limit = 0 }
  local i = 1
  local function value_of(name, given)
    if given ~= "" then return given end
    i = i + 1
    return words[i] or bad_usage("missing argument of '%s'", name)
  end
  while i <= #words do
    local word = words[i]
    local name, value = word:match "^(%-%-[%w-]+)=(.+)$"
    name = name or word
    if name == "--help" then
      options.help = true
    elseif name == "--to" then
      options.to = value_of(name, value or "")
      if not options.to then return nil, USAGE end
    elseif name:match "^%-o" and not name:match "^%-%-" then
      options.out = value_of("-o", name:sub(3))
      if not options.out then return nil, USAGE end
    elseif word == "--json" then
      options.json = true
    elseif name == "--trace-filter" and value then
      table.insert(options.filter, value)
    elseif name == "--trace-limit" and value and value:match "^%d+$" then
      options.limit = math.tointeger(tonumber(value)) or 0
    elseif name:match "^%-." then
      return bad_usage("unrecognized option '%s'", word)
    elseif options.file then
      return bad_usage("a second file, '%s'", word)
    else
      options.file = word
    end
    i = i + 1
  end
  if not options.file and not options.help then return bad_usage "the recording is missing" end
  return options
end

-- Returns the exporter of a user: what the Lua file returns.
local function load_exporter(path)
  local chunk, problem = loadfile(path)
  if not chunk then return complain(FAILED, "%s", problem) end
  local exporter = chunk(path)
  if type(exporter) == "function" then return exporter end
  return complain(FAILED, "'%s' returns no function", path)
end

local function find_exporter(options)
  local name = options.to or options.out and export.format_of(options.out) or "lines"
  local exporter = export.find(name)
  if exporter then return exporter end
  if name:match "%.lua$" then return load_exporter(name) end
  return bad_usage("unknown format '%s' (one of %s, or a file .lua)", name,
    table.concat(export.names, ", "))
end

-- Writes to standard output.
local function print_output(exporter, options)
  local write = export.writer(io.stdout, "to standard output")
  return export.with_failures(function()
    return export.run(exporter, options.file, write, options)
  end)
end

--- Runs the command with the words behind its name. Returns its exit status.
function command.run(...)
  local options, status = parse { ... }
  if not options then return status end
  if options.help then
    io.stdout:write(words_of.help "trace")
    return DONE
  end
  local exporter, failed = find_exporter(options)
  if not exporter then return failed end
  local ok, note
  if options.out then
    ok, note = export.to_file(exporter, options.file, options.out, options)
  else
    ok, note = print_output(exporter, options)
  end
  if note then io.stderr:write("septet: ", terminal.escape(note), "\n") end
  return ok and DONE or FAILED
end

return command
