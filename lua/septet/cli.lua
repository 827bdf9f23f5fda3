-- SPDX-License-Identifier: MIT
--- The command line of a script: options with values, and the words that are left.
---@class septet.cli
local cli = {}

local core = require "septet.core"
local args = require "septet.internal.args"

-- What a kind of option takes: a function that returns the value of a text, or nil and what was
-- expected.
local KINDS = {
  string = function(text) return text end,
  number = function(text)
    local value = tonumber(text)
    if value and value == value then return value end
    return nil, "a number"
  end,
  integer = function(text)
    local value = math.tointeger(tonumber(text))
    if value then return value end
    return nil, "a whole number"
  end,
  count = function(text)
    local value = math.tointeger(tonumber(text))
    if value and value >= 0 then return value end
    return nil, "a whole number, not negative,"
  end,
}

--- Raises Usage for what is wrong on a command line: without the place in the script, since the
--- mistake is not there.
---@param format string as of string.format
---@param ... any
function cli.fail(format, ...)
  args.string(format, 1, "fail")
  error(core.error { kind = "Usage", message = core.escape(format:format(...)) }, 0)
end

local function check_table(value, position)
  if type(value) == "table" then return end
  args.usage("bad argument #%d to 'parse' (table expected, got %s)", position, type(value))
end

-- Returns the kinds of the options by their names on the command line, their fields, and a table
-- with the defaults.
local function read_spec(spec)
  local kinds, fields, defaults = { ["--help"] = "flag" }, { ["--help"] = "help" }, {}
  for field, kind in pairs(spec) do
    if type(field) ~= "string" then
      args.usage("bad argument #2 to 'parse' (names of options expected, got a %s)", type(field))
    end
    if type(kind) == "table" then kind, defaults[field] = kind[1], kind[2] end
    if kind ~= "flag" and not KINDS[kind] then
      args.usage("bad option '%s' of 'parse' ('flag', 'string', 'number', 'integer' or "
        .. "'count' expected, got '%s')", field, tostring(kind))
    end
    local name = "--" .. field:gsub("_", "-")
    kinds[name], fields[name] = kind, field
  end
  return kinds, fields, defaults
end

--- Reads the words of a command line: `--name value` or `--name=value`, in any place before a word
--- `--`. Raises Usage for what is not in the spec.
---@param words string[]
---@param spec table<string, string|table> `name = kind`, or `name = { kind, default }`; kinds are
---"flag", "string", "number", "integer" and "count"; the "_" of a name is a "-" there
---@return table<string, any> options flags that are given are true
---@return string[] rest the words that are no options
function cli.parse(words, spec)
  check_table(words, 1)
  check_table(spec, 2)
  local kinds, fields, options = read_spec(spec)
  local rest, i, is_over = {}, 1, false
  while i <= #words do
    local word = words[i]
    local name, text = word:match "^(%-%-[^=]+)=(.*)$"
    name = name or word
    local kind = kinds[name]
    if is_over or word == "-" or word:sub(1, 1) ~= "-" then
      rest[#rest + 1] = word
    elseif word == "--" then
      is_over = true
    elseif not kind then
      cli.fail("unknown option '%s'%s", name, args.hint(name, kinds))
    elseif kind == "flag" then
      if text then cli.fail("%s takes no value, got '%s'", name, text) end
      options[fields[name]] = true
    else
      if not text then
        i = i + 1
        text = words[i] or cli.fail("%s needs a value", name)
      end
      local value, expected = KINDS[kind](text)
      if value == nil then cli.fail("%s: %s expected, got '%s'", name, expected, text) end
      options[fields[name]] = value
    end
    i = i + 1
  end
  return options, rest
end

-- Errors that are no fault of the script: what the user asked for cannot be had.
local USERS <const> = { "Usage", "IoError", "JobsError" }

--- Calls main(). If it raises what is wrong with the command line, or with a file or a queue that
--- it names, prints that in one line to standard error, and exits with status 2. Raises other
--- errors again.
---@async
---@param name string of the script, for that line
---@param main async fun()
function cli.run(name, main)
  args.string(name, 1, "run")
  args.callable(main, 2, "run")
  if core.hides_library "io" or core.hides_library "os" then
    args.usage "there is no command line here: 'io' and 'os' are hidden"
  end
  local ok, err, traceback = core.try(main)
  if ok then return end
  for _, kind in ipairs(USERS) do
    if core.is(err, kind) then
      io.stderr:write(name, ": ", core.words(err), "\n")
      os.exit(2)
    end
  end
  core.raise(err, traceback)
end

return args.module(cli, "septet.cli")
