-- SPDX-License-Identifier: MIT
--- What a script says of a process, checked, in the form that septet.core takes.
local command = {}

local args = require "septet.internal.args"

--- Returns the list of strings in a table of options, and the options. Raises Usage for an unknown
--- option, and for what is no command.
---@param options table
---@param spec table<string, string> name to kind of check
---@param what string the function's name, for messages
---@return string[] argv
---@return table named
function command.split(options, spec, what)
  if type(options) ~= "table" then
    args.usage("bad argument #1 to '%s' (table expected, got %s)", what, type(options))
  end
  local argv, named, n = {}, {}, #options
  for key, value in pairs(options) do
    if math.type(key) ~= "integer" or key < 1 or key > n then named[key] = value end
  end
  args.options(named, spec, what)
  for i = 1, n do
    local value = options[i]
    if type(value) ~= "string" and type(value) ~= "number" then
      args.usage("bad argument %d of the command to '%s' (string expected, got %s)", i, what,
        type(value))
    end
    argv[i] = tostring(value)
  end
  if n == 0 then args.usage("no command to '%s': %s { \"program\", \"argument\" }", what, what) end
  return argv, named
end

-- Returns the changes of the environment as a sorted list of "NAME=value", and "NAME" to remove it.
local function changes(env, what)
  local list = {}
  for name, value in pairs(env) do
    if type(name) ~= "string" or name == "" or name:find "[=\0]" then
      args.usage("bad name in the option 'env' to '%s' (a name without '=' expected, got %s)", what,
        type(name) == "string" and ("'%s'"):format(name) or type(name))
    end
    local kind = type(value)
    if kind ~= "string" and kind ~= "number" and value ~= false then
      args.usage("bad value of '%s' in the option 'env' to '%s' (string expected, got %s)", name,
        what, kind)
    end
    list[#list + 1] = value == false and name or ("%s=%s"):format(name, value)
  end
  table.sort(list)
  return list
end

-- Returns what an output is, and the path of its file.
local function output(value, also)
  if value == nil or value == "pipe" then return "pipe" end
  if value == "inherit" or value == "null" or value == also then return value end
  return "file", value
end

--- Returns one of the words for a standard input. Raises Usage for another.
function command.one_of(word, name, what)
  if word ~= "pipe" and word ~= "inherit" and word ~= "null" then
    args.usage("bad option '%s' to '%s' ('pipe', 'inherit' or 'null' expected, got '%s')", name,
      what, word)
  end
  return word
end

--- Returns the table for core.process_spawn(), without its `stdin`.
---@param argv string[]
---@param named table
---@param what string
---@return table
function command.spec(argv, named, what)
  local spec = { argv = argv, command = argv[1], cwd = named.cwd, clear_env = named.clear_env,
    group = named.group, grace = named.grace or 5, background = named.background,
    env = named.env and changes(named.env, what) }
  if named.shell then
    if #argv > 1 then
      args.usage("too many arguments of the command to '%s': 'shell' takes one string", what)
    end
    spec.argv = { "/bin/sh", "-c", argv[1] }
  end
  spec.stdout, spec.stdout_file = output(named.stdout)
  spec.stderr, spec.stderr_file = output(named.stderr, "stdout")
  return spec
end

return command
