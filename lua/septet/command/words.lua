-- SPDX-License-Identifier: MIT
-- Descriptions of what the commands take: modules septet.command.words.NAME. The words of the
-- command line, its help, the completions and the check of the man page are made from them.
--
-- A description is a table with the fields
--   usage    what follows the command's name, one form a line: "[options] [PATH...]"
--   text     what it does
--   options  a list of { "--filter=PATTERN", "its help" }. The forms are "--json", "--jobs=N",
--            "--coverage[=FILE]", "-o FILE" and "--to FORMAT"; the last two take the next word, and
--            with two dashes also "--to=FORMAT". Fields: `kind` of the value, as below, and `many`
--            if it may be given several times
--   words    a list of { "verb", "its help" }: words that have a meaning in themselves
--   takes    kinds of the words that are no options, the last of which is also that of all others
--   first    true: words from the first that is no option on are not options
--   passes   true: options of the program are allowed before the first word, and passed on
--   notes    what --help says at the end
--
-- A kind is "text" (the default), "number", "seconds", "file", "folder", "lua" for Lua files,
-- "command", "pid", "url", "module" of Septet, "name" of the API, patterns of files such as
-- "*.trc *.lua", or words such as "bash|zsh".
local terminal = require "septet.trace.terminal"
local program = require "septet.command.program"

local words = {}

local WIDTH <const> = 80
local COLUMN <const> = 24 -- where the help of an option begins, as in --help of the program

--- Returns the description of a command.
---@param name string
function words.of(name) return require("septet.command.words." .. name) end

---@class septet.CommandOption
---@field name string with its dashes
---@field argument string|nil what its value is called
---@field takes "none"|"next"|"equals"|"optional" where its value stands
---@field kind string|nil of its value
---@field many boolean|nil
---@field help string

--- Returns the parts of an option from the form in which it is described.
---@param form string
---@param kind string|nil
---@return septet.CommandOption
function words.option(form, kind)
  local name, bracket, mark, argument = form:match "^(%-[^%[= ]*)(%[?)([= ]?)([^%]]*)%]?$"
  local takes = bracket == "[" and "optional" or mark == "=" and "equals"
    or mark == " " and "next" or "none"
  return { name = name, takes = takes, argument = argument ~= "" and argument or nil,
    kind = takes ~= "none" and (kind or "text") or nil }
end

local always = { { "--help", "print this and end" } }

--- Returns the options of a description, and those of every command.
---@return septet.CommandOption[]
function words.options(description)
  local list = {}
  for _, rows in ipairs { description.options or {}, always } do
    for _, row in ipairs(rows) do
      local option = words.option(row[1], row.kind)
      option.help, option.many, option.form = row[2], row.many, row[1]
      list[#list + 1] = option
    end
  end
  return list
end

-- --- help ---

-- Appends a text to `lines`, broken at spaces, each line after the first behind `indent` spaces.
local function wrap(lines, line, text, indent)
  for word in text:gmatch "%S+" do
    if utf8.len(line) + 1 + utf8.len(word) > WIDTH and line:find "%S" then
      lines[#lines + 1] = line
      line = (" "):rep(indent)
    end
    line = (line == "" or line:match " %s$") and line .. word or line .. " " .. word
  end
  lines[#lines + 1] = line
end

local function add_row(lines, left, help)
  left = "  " .. left
  if #left > COLUMN - 2 then
    lines[#lines + 1] = left
    left = ""
  end
  wrap(lines, left .. (" "):rep(COLUMN - #left), help, COLUMN)
end

-- Appends a text, line by line.
local function add_text(lines, text)
  for line in text:gsub("\n*$", "\n"):gmatch "(.-)\n" do lines[#lines + 1] = line end
end

--- Returns the usage of a command.
function words.usage(name)
  local lines = {}
  for form in words.of(name).usage:gmatch "[^\n]+" do
    lines[#lines + 1] = (#lines == 0 and "usage: " or "       ") .. "septet " .. name .. " " .. form
  end
  return table.concat(lines, "\n") .. "\n"
end

--- Returns what --help of a command prints.
function words.help(name)
  local description, lines = words.of(name), {}
  add_text(lines, words.usage(name))
  add_text(lines, description.text)
  lines[#lines + 1] = ""
  if description.words then
    for _, row in ipairs(description.words) do add_row(lines, row[1], row[2]) end
    lines[#lines + 1] = ""
  end
  for _, option in ipairs(words.options(description)) do
    add_row(lines, option.form, option.help)
  end
  if description.notes then
    lines[#lines + 1] = ""
    add_text(lines, description.notes)
  end
  return table.concat(lines, "\n") .. "\n"
end

-- --- parsing ---

--- Prints what is wrong with the words of a command. Returns nil and the status of a wrong usage.
function words.refuse(name, format, ...)
  io.stderr:write("septet: ", terminal.escape(format:format(...)), "\n", words.usage(name),
    "try 'septet ", name, " --help'\n")
  return nil, 2
end

local kinds = {
  number = function(value) return value:find "^%d+$" and math.tointeger(tonumber(value)) end,
  seconds = function(value)
    local seconds = value:find "^%d*%.?%d+$" and tonumber(value)
    return seconds and seconds > 0 and seconds
  end,
}

local expected = { number = "a whole number from 0", seconds = "a number of seconds" }

-- Returns the value as its kind has it; or nil, and what was expected.
local function check(kind, value)
  if kinds[kind] then
    local converted = kinds[kind](value)
    return converted or nil, expected[kind]
  end
  if kind:find "^[%w|-]+$" and kind:find "|" then
    for word in kind:gmatch "[^|]+" do
      if word == value or word == "url" or word == "lua" then return value end
    end
    return nil, "one of " .. kind:gsub("|", ", ")
  end
  if value == "" then return nil, "a value" end
  return value
end

-- Returns the hint at the option that was meant, or "".
local function hint(word, known)
  local args = require "septet.internal.args"
  local names = {}
  for name in pairs(known) do
    if name ~= "--" then names[name:gsub("^%-+", "")] = name end
  end
  local text = args.hint(word:gsub("^%-+", ""):gsub("=.*", ""), names)
  return (text:gsub("'(.-)'", function(name) return "'" .. names[name] .. "'" end))
end

local function option_key(option)
  return (option.name:gsub("^%-+", ""):gsub("%-", "_"))
end

-- Reads the option at words[i]. Returns the index of its last word; or nil and a status.
local function read_option(name, known, given, i, options)
  local word = given[i]
  local key, value = word:match "^(%-%-[^=]+)=(.*)$"
  local option = known[key or word]
  if not option and word:find "^%-%w." then -- -oOUT
    option, value = known[word:sub(1, 2)], word:sub(3)
    if option and option.takes ~= "next" then option = nil end
  end
  if not option or value and option.takes == "none" then
    return words.refuse(name, "unrecognized option '%s'%s", word, hint(word, known))
  end
  if not value and option.takes == "next" then
    i = i + 1
    value = given[i]
    if not value then return words.refuse(name, "missing argument of '%s'", word) end
  end
  local result = true
  if value then
    local wanted
    result, wanted = check(option.kind, value)
    if result == nil then return words.refuse(name, "%s is expected in '%s'", wanted, word) end
  elseif option.takes == "equals" then
    return words.refuse(name, "'%s' needs a value: %s", word, option.form)
  end
  local field = option_key(option)
  if option.many then
    options[field] = options[field] or {}
    table.insert(options[field], result)
  else
    options[field] = result
  end
  return i
end

-- Returns the options by their names, and those of the program if a description passes them on.
local function known_options(description)
  local known = {}
  for _, option in ipairs(words.options(description)) do known[option.name] = option end
  if not description.passes then return known, {} end
  local passed = {}
  for _, row in ipairs(program.table().options) do
    local option = words.option(row.name, row.kind)
    if not known[option.name] and #option.name > 1 and option.name ~= "--" then
      passed[option.name] = option
    end
  end
  return known, passed
end

-- Moves an option of the program to `list`. Returns the index of its last word; or nil if it is
-- none.
local function pass_option(passed, given, i, list)
  local word = given[i]
  local option = passed[word:match "^(%-%-[^=]+)" or word:sub(1, 2)]
  if not option then return nil end
  list[#list + 1] = word
  if option.takes == "next" and #word == 2 and given[i + 1] then
    list[#list + 1] = given[i + 1]
    return i + 1
  end
  return i
end

--- Reads the words of a command by its description. Returns the options by their names, such as
--- `trace_limit` for --trace-limit, and a list of the other words. If the description passes the
--- options of the program on, `options.passed` is a list of them. Returns nil and an exit status if
--- there is nothing to do: help was printed, or the words are wrong.
---@param name string of the command
---@param given string[]
---@return table|nil options
---@return any words, or the status
function words.parse(name, given)
  local description = words.of(name)
  local known, passed = known_options(description)
  local options, plain, i = { passed = description.passes and {} or nil }, {}, 1
  while i <= #given do
    local word = given[i]
    if word == "--" then
      table.move(given, i + 1, #given, #plain + 1, plain)
      break
    elseif word == "--help" or word == "-h" and not known["-h"] then
      io.stdout:write(words.help(name))
      return nil, 0
    elseif word == "-" or word:sub(1, 1) ~= "-" then
      plain[#plain + 1] = word
      if description.first then
        table.move(given, i + 1, #given, #plain + 1, plain)
        break
      end
    else
      local last, status = pass_option(passed, given, i, options.passed), nil
      if not last then last, status = read_option(name, known, given, i, options) end
      if not last then return nil, status end
      i = last
    end
    i = i + 1
  end
  return options, plain
end

return words
