-- SPDX-License-Identifier: MIT
-- `septet doc [NAME]`: prints the entry of the API, or the modules.
local core = require "septet.core"
local index = require "septet.doc.index"
local terminal = require "septet.trace.terminal"
local words = require "septet.command.words"

local command = {}

local DONE, FAILED = 0, 1
local NARROWEST, WIDEST <const> = 20, 100

-- Returns the columns to use: those of the terminal, or 80.
local function width()
  local columns = core.terminal_size(1) or tonumber(os.getenv "COLUMNS") or 80
  return math.max(NARROWEST, math.min(columns, WIDEST)) // 1
end

-- Returns an entry as a table for JSON.
local function for_json(entry)
  return { name = entry.name, kind = entry.kind, signature = entry.signature, waits = entry.async,
    text = entry.text, options = entry.options, fields = entry.fields, example = entry.example,
    output = entry.output }
end

local function print_json(value)
  io.stdout:write(require "septet.json".encode(value), "\n")
  return DONE
end

local function print_list(names, title)
  io.stdout:write(require "septet.doc.render".list(names, title, width()))
  return DONE
end

-- Prints the entries with one of the names, in one line each if they are several.
local function show(found, as_json, word)
  if as_json then
    local list = {}
    for i, name in ipairs(found) do list[i] = for_json(index.find(name)) end
    return print_json(#list == 1 and list[1] or list)
  end
  if #found > 1 then
    return print_list(found, ("%d entries are called '%s':"):format(#found, word))
  end
  io.stdout:write(require "septet.doc.render".entry(index.find(found[1]), width()))
  return DONE
end

--- Runs the command with the words behind its name. Returns its exit status.
function command.run(...)
  local options, plain = words.parse("doc", { ... })
  if not options then return plain end
  if #plain > 1 then return select(2, words.refuse("doc", "one name at a time")) end
  local name = plain[1]
  if options.names then
    if name or options.json then return select(2, words.refuse("doc", "'--names' stands alone")) end
    io.stdout:write(table.concat(index.names(), "\n"), "\n")
    return DONE
  end
  if not name then
    if options.json then return print_json(index.names()) end
    return print_list(index.modules(), "The modules; septet doc NAME shows one, and what it has:")
  end
  local entry = index.find(name)
  local found = entry and { entry.name } or index.ending(name)
  if #found > 0 then return show(found, options.json, name) end
  io.stderr:write(("septet: no entry '%s'%s\n"):format(terminal.escape(name), index.hint(name)))
  return FAILED
end

return command
