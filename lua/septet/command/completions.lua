-- SPDX-License-Identifier: MIT
-- `septet completions SHELL`: prints the script that completes the command's words in a shell.
local program = require "septet.command.program"
local words = require "septet.command.words"

local command = {}

local DONE = 0

---@class septet.CompletedOption: septet.CommandOption
---@field many boolean|nil

---@class septet.CompletedPlace
---@field name string of a command; "" for the program itself
---@field help string|nil
---@field options septet.CompletedOption[]
---@field words string[][] words that have a meaning in themselves, and their help
---@field takes string[] kinds of the words that are no options
---@field first boolean|nil the words behind the first that is no option belong to a script

local LONGEST <const> = 60 -- characters of a help, as shells show it beside a word

-- Returns a help in short.
local function shortened(help)
  if #help <= LONGEST then return help end
  return help:sub(1, LONGEST):match "^(.*)%s" .. "..."
end

-- Appends options to a list, each name once: a value that only one of the forms has is optional.
local function add_options(list, more)
  local seen = {}
  for _, option in ipairs(list) do seen[option.name] = option end
  for _, option in ipairs(more) do
    local same = seen[option.name]
    if same then
      if same.takes == "none" and option.takes == "equals" then
        same.takes, same.kind, same.argument = "optional", option.kind, option.argument
      end
    elseif option.name ~= "-" and option.name ~= "--" then
      option.help = shortened(option.help)
      list[#list + 1] = option
      seen[option.name] = option
    end
  end
end

local function program_options(rows)
  local list = {}
  for _, row in ipairs(rows) do
    local option = words.option(row.name, row.kind)
    option.help = row.help
    option.many = option.name == "-e" or option.name == "-l" or nil
    list[#list + 1] = option
  end
  return list
end

--- Returns what can be completed: first the words of the program, then those of each command.
---@return septet.CompletedPlace[]
function command.places()
  local all = program.table()
  local itself = { name = "", options = {}, words = {}, takes = { "lua" }, first = true }
  add_options(itself.options, program_options(all.options))
  local places = { itself }
  for _, row in ipairs(all.commands) do
    local description = words.of(row.name)
    local place = { name = row.name, help = row.help, options = {}, words = {},
      takes = description.takes or {}, first = description.first }
    for _, word in ipairs(description.words or {}) do
      place.words[#place.words + 1] = { word[1]:match "^%S+", shortened(word[2]) }
    end
    add_options(place.options, words.options(description))
    if description.passes then add_options(place.options, program_options(all.options)) end
    places[#places + 1] = place
    itself.words[#itself.words + 1] = { row.name, row.help }
  end
  return places
end

--- Returns the parts of a kind: a set of kinds, such as { file = true }, the words that are
--- allowed, and the patterns of files.
---@param kind string|nil
---@return table<string, boolean>
---@return string[]
---@return string[]
function command.parts(kind)
  local kinds, allowed, patterns = {}, {}, {}
  if not kind then return kinds, allowed, patterns end
  if kind:find("*", 1, true) then
    for pattern in kind:gmatch "%S+" do patterns[#patterns + 1] = pattern end
    return kinds, allowed, patterns
  end
  local names = { file = true, folder = true, pid = true, command = true, module = true,
    name = true, text = true, number = true, seconds = true, url = true }
  for word in kind:gmatch "[^|]+" do
    if word == "lua" then
      patterns[#patterns + 1] = "*.lua"
    elseif names[word] then
      kinds[word] = true
    else
      allowed[#allowed + 1] = word
    end
  end
  return kinds, allowed, patterns
end

--- Runs the command with the words behind its name. Returns its exit status.
function command.run(...)
  local options, plain = words.parse("completions", { ... })
  if not options then return plain end
  local shell = plain[1]
  if #plain ~= 1 or not (shell == "bash" or shell == "zsh" or shell == "fish") then
    return select(2, words.refuse("completions", shell
      and "one of bash, zsh and fish is expected, not '%s'" or "the shell is missing",
      plain[2] or shell))
  end
  io.stdout:write(require("septet.command.completions_" .. shell).script(command.places(), command))
  return DONE
end

return command
