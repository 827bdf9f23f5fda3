-- SPDX-License-Identifier: MIT
-- Collects what a file of tests declares: the functions `describe`, `it` and their like, which the
-- file calls as it is loaded. Runs no test.
local suite = {}

local args = require "septet.internal.args"
local place = require "septet.test.place"

---@class septet.test.Case
---@field title string with the subjects that it stands under
---@field fn function|nil nil: it is pending
---@field place string "file:line" of its declaration
---@field group septet.test.Group
---@field timeout number|nil
---@field tags table<string, boolean>
---@field real_time boolean|nil
---@field leaks boolean|nil true: it may leave things behind

---@class septet.test.Group
---@field parent septet.test.Group|nil
---@field title string
---@field tags table<string, boolean>
---@field children (septet.test.Case|septet.test.Group)[] in the order of their declaration
---@field before_each function[]
---@field after_each function[]
---@field before_all function[]
---@field after_all function[]

local HOOKS <const> = { before_each = "before_each", after_each = "after_each",
  before_all = "before_all", after_all = "after_all", setup = "before_all",
  teardown = "after_all" }

local OPTIONS <const> = { timeout = "number", tags = "table", real_time = "boolean",
  leaks = "boolean" }

local function group_of(parent, title)
  return { parent = parent, title = title, tags = {}, children = {}, before_each = {},
    after_each = {}, before_all = {}, after_all = {} }
end

-- Of what `pending` raises inside a test, to skip the rest of it.
local skip_meta = { __name = "septet.test.Skip", __tostring = function() return "skipped" end }

--- Returns true for what `pending` raises.
---@param err any
---@return boolean
function suite.is_skip(err) return debug.getmetatable(err) == skip_meta end

local function check_title(title, name)
  if type(title) ~= "string" then
    args.usage("bad argument #1 to '%s' (string expected, got %s)", name, type(title))
  end
end

-- Returns the options and the function behind a title.
local function split(name, options, fn)
  if type(options) == "function" and fn == nil then options, fn = nil, options end
  if options ~= nil and type(options) ~= "table" then
    args.usage("bad argument #2 to '%s' (table or function expected, got %s)", name, type(options))
  end
  for key, value in pairs(options or {}) do
    if not OPTIONS[key] then
      args.usage("unknown option '%s' of '%s'%s", tostring(key), name,
        args.hint(tostring(key), OPTIONS))
    elseif type(value) ~= OPTIONS[key] then
      args.usage("bad option '%s' of '%s' (%s expected, got %s)", key, name, OPTIONS[key],
        type(value))
    end
  end
  return options or {}, fn
end

-- Adds the tags of a list, and those in a title, as in "#slow".
local function add_tags(set, list, title)
  for _, tag in ipairs(list or {}) do set[tag] = true end
  for tag in title:gmatch "#([%w_%-]+)" do set[tag] = true end
end

-- Returns a title behind the subjects of its groups. A subject that ends with a mark needs no ":".
local function full_title(group, title)
  local words = title
  while group.parent do
    words = group.title .. (group.title:find "[:,]$" and " " or ": ") .. words
    group = group.parent
  end
  return words
end

local function option_of(group, options, name)
  if options[name] ~= nil then return options[name] end
  while group do
    if group.options and group.options[name] ~= nil then return group.options[name] end
    group = group.parent
  end
end

-- Returns the functions that a file calls, which add to `collected`.
local function functions_of(collected)
  local names, group = {}, collected.root
  local function check_open(name)
    if collected.closed then
      args.usage("'%s' is called inside a test, where it is too late", name)
    end
  end
  function names.describe(title, options, fn)
    check_open "describe"
    check_title(title, "describe")
    options, fn = split("describe", options, fn)
    if type(fn) ~= "function" then
      args.usage("bad argument #2 to 'describe' (function expected, got %s)", type(fn))
    end
    local outer = group
    group = group_of(outer, title)
    group.options = options
    table.insert(outer.children, group)
    for tag in pairs(outer.tags) do group.tags[tag] = true end
    add_tags(group.tags, options.tags, title)
    fn()
    group = outer
  end
  local function add(name, title, options, fn)
    check_open(name)
    check_title(title, name)
    options, fn = split(name, options, fn)
    local case = { title = full_title(group, title), fn = fn, place = place.of_script(),
      group = group, tags = {}, n = #collected.cases + 1 }
    for key in pairs(OPTIONS) do
      if key ~= "tags" then case[key] = option_of(group, options, key) end
    end
    for tag in pairs(group.tags) do case.tags[tag] = true end
    add_tags(case.tags, options.tags, title)
    collected.cases[case.n] = case
    table.insert(group.children, case)
    return case
  end
  function names.it(title, options, fn)
    local case = add("it", title, options, fn)
    if not case.fn then case.reason = "not written yet" end
  end
  function names.pending(title, options, fn)
    if collected.closed then
      error(setmetatable({ reason = title or "pending" }, skip_meta), 0)
    end
    local case = add("pending", title, options, fn)
    case.fn, case.reason = nil, "pending"
  end
  for name, list in pairs(HOOKS) do
    names[name] = function(fn)
      check_open(name)
      if type(fn) ~= "function" then
        args.usage("bad argument #1 to '%s' (function expected, got %s)", name, type(fn))
      end
      table.insert(group[list], fn)
    end
  end
  return names
end

--- Returns an empty collection with the functions that add to it.
---@return { cases: septet.test.Case[], root: septet.test.Group,
---  functions: table<string, function> }
function suite.new()
  local collected = { cases = {}, root = group_of(nil, "") }
  collected.functions = functions_of(collected)
  return collected
end

return suite
