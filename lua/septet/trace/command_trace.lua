-- SPDX-License-Identifier: MIT
-- `septet trace FILE --to FORMAT [-o OUT]`: writes a recording in another format.
local words_of = require "septet.command.words"
local export = require "septet.trace.export"
local terminal = require "septet.trace.terminal"

local command = {}

local DONE, FAILED = 0, 1

local function complain(status, format, ...)
  io.stderr:write("septet: ", terminal.escape(format:format(...)), "\n")
  return nil, status
end

local function bad_usage(format, ...)
  return words_of.refuse("trace", format, ...)
end

-- Returns the options of the words, with the `file`; or nil and a status.
local function parse(words)
  local options, plain = words_of.parse("trace", words)
  if not options then return nil, plain end
  if #plain == 0 then return bad_usage "the recording is missing" end
  if #plain > 1 then return bad_usage("a second file, '%s'", plain[2]) end
  options.file = plain[1]
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
  local name = options.to or options.o and export.format_of(options.o) or "lines"
  local exporter = export.find(name)
  if exporter then return exporter end
  if name:match "%.lua$" then return load_exporter(name) end
  return bad_usage("unknown format '%s' (one of %s, or a file .lua)", name,
    table.concat(export.names, ", "))
end

-- Writes to standard output.
local function print_output(exporter, file, settings)
  local write = export.writer(io.stdout, "to standard output")
  return export.with_failures(function()
    return export.run(exporter, file, write, settings)
  end)
end

--- Runs the command with the words behind its name. Returns its exit status.
function command.run(...)
  local options, status = parse { ... }
  if not options then return status end
  local settings = { filter = options.trace_filter or {}, limit = options.trace_limit or 0,
    json = options.json }
  local exporter, failed = find_exporter(options)
  if not exporter then return failed end
  local ok, note
  if options.o then
    ok, note = export.to_file(exporter, options.file, options.o, settings)
  else
    ok, note = print_output(exporter, options.file, settings)
  end
  if note then io.stderr:write("septet: ", terminal.escape(note), "\n") end
  return ok and DONE or FAILED
end

return command
