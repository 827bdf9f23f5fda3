-- SPDX-License-Identifier: MIT
-- `septet check PATH...`: reads the words, and prints what was found.
local command = {}

local args = require "septet.internal.args"
local core = require "septet.core"
local files = require "septet.check.files"
local json_text = require "septet.trace.json_text"
local run_of = require "septet.check.run"
local terminal = require "septet.trace.terminal"
local words = require "septet.command.words"

local CLEAN, FOUND, USAGE = 0, 1, 2

-- Returns the set of the names in lists such as "a,b".
local function set_of(lists)
  local set = {}
  for _, list in ipairs(lists or {}) do
    for name in list:gmatch "[^,%s]+" do set[name] = true end
  end
  return set
end

-- Returns the set of the rules to ask; or nil and a status.
local function choose(options)
  local known, chosen = {}, {}
  local only, except = set_of(options.only), set_of(options.except)
  for _, name in ipairs(run_of.rules()) do
    known[name] = true
    chosen[name] = (not options.only or only[name]) and not except[name] or nil
  end
  for _, given in ipairs { only, except } do
    for name in pairs(given) do
      if not known[name] then
        return words.refuse("check", "unknown rule '%s'%s", name, args.hint(name, known))
      end
    end
  end
  return chosen
end

-- Reads the files into the run. Returns false if one cannot be read.
local function read_all(run, paths)
  local all = true
  for _, path in ipairs(paths) do
    local ok, text = pcall(files.read, path)
    if ok then
      run:add(path == "-" and "stdin" or path, text)
    elseif core.is(text, "IoError") then
      io.stderr:write("septet: ", terminal.escape(text.message), "\n")
      all = false
    else
      error(text, 0)
    end
  end
  return all
end

local function line_of(finding)
  return ("%s:%d:%d: %s: %s%s\n"):format(terminal.escape(finding.file), finding.line,
    finding.column, finding.rule and "warning" or "error", terminal.escape(finding.message),
    finding.rule and " [" .. finding.rule .. "]" or "")
end

local function json_of(finding)
  return json_text.object { n = 12, "file", finding.file, "line", finding.line,
    "column", finding.column, "kind", finding.rule and "warning" or "error",
    "rule", finding.rule, "message", finding.message } .. "\n"
end

--- Runs the command with the words behind its name. Returns its exit status.
---@async
function command.run(...)
  local options, paths = words.parse("check", { ... })
  if not options then return paths end
  local chosen, status = choose(options)
  if not chosen then return status end
  if options.rules then
    io.stdout:write(table.concat(run_of.rules(), "\n"), "\n")
    return CLEAN
  end
  if #paths == 0 then return select(2, words.refuse("check", "a file or folder is missing")) end
  local run = run_of.new(chosen, set_of(options.globals))
  local ok, list = pcall(files.find, paths, options.skip or {})
  if not ok then
    io.stderr:write("septet: ", terminal.escape(tostring(list.message or list)), "\n")
    return USAGE
  end
  local all_read = read_all(run, list)
  local findings = run:finish()
  local format = options.json and json_of or line_of
  for _, finding in ipairs(findings) do io.stdout:write(format(finding)) end
  if not all_read then return USAGE end
  return #findings > 0 and FOUND or CLEAN
end

return command
