-- SPDX-License-Identifier: MIT
-- fill.lua ROOT OUT [check]: writes the types of the annotations into docs/api.md of the tree ROOT:
-- behind each heading of a function the line "Type: `…`", and in tables with a column `type` the
-- types of the options or members that they list. OUT/sources lists the sources.
--
-- With the word `check`, it writes nothing, and prints what the page lacks:
--
--   a type that is not that of the annotations, as nobody ran this program
--   a public name without an entry, or without an example in its chapter
--   an entry of a name that does not exist
--   an option that the page lists and the annotations do not, or the other way round
local index = require "index"
local model = require "model"
local names = require "names"
local pages = require "pages"
local sources = require "sources"
local types = require "types"

local root, out, mode = ...
local path = root .. "/docs/api.md"
local api = sources.read(root, out)
local short = dofile(root .. "/lua/septet/doc/short.lua")

-- The members by their names, and by their class.
local by_name, by_class = {}, {}
index.each_member(api, function(class, member)
  local entry = { class = class, member = member, type = names.type_of(member):gsub("^: ", "") }
  by_name[names.of(class.name, member)] = entry
  by_class[class.name] = by_class[class.name] or {}
  by_class[class.name][member.name] = entry
end)
for _, name in ipairs(api.order) do
  local class = api.classes[name]
  by_class[name] = by_class[name] or {}
  for _, field in ipairs(class.public and class.fields or {}) do
    if model.is_public(field) and not by_class[name][field.name] then
      by_class[name][field.name] = { type = field.type }
    end
  end
end

local function find(name)
  for _, reading in ipairs(names.readings(short, name)) do
    if by_name[reading] then return by_name[reading], reading end
  end
end

-- Returns the fields of a class and its parents, by name.
local function options_of(class)
  local found = {}
  for _, parent in ipairs(class.parents) do
    for name, field in pairs(options_of(api.classes[parent])) do found[name] = field end
  end
  for _, field in ipairs(class.fields) do
    if model.is_public(field) then
      found[field.name] = { type = types.without_nil(field.type), of = class.name }
    end
  end
  return found
end

-- Returns the members and fields of a class and its parents, by name.
local function members_of(class)
  local found = {}
  for _, parent in ipairs(api.classes[class] and api.classes[class].parents or {}) do
    for name, entry in pairs(members_of(parent)) do found[name] = entry end
  end
  for name, entry in pairs(by_class[class] or {}) do found[name] = entry end
  return found
end

local faults = {}
local function fault(line, format, ...)
  faults[#faults + 1] = ("%s:%d: %s"):format(path, line, format:format(...))
end

-- --- the types ---

-- Returns the types of the names in the first cell of a row: one, if all have the same.
local function types_of_row(known, row, line, what)
  local found, differ = {}, false
  for text in row[1]:gmatch "`([^`]+)`" do
    local name = text:match "^[%w_]+[.:]([%w_]+)" or text:match "^[%w_]+"
    local entry = name and known[name]
    if name and not entry then fault(line, "%s has no '%s'", what, name) end
    if entry then found[#found + 1] = "`" .. entry.type .. "`" end
    differ = differ or #found > 0 and found[#found] ~= found[1]
  end
  return differ and table.concat(found, ", ") or found[1]
end

local function fill_table(lines, block, known, what)
  local column
  for i, title in ipairs(block[1]) do if title == "type" then column = i end end
  if not column then return fault(block.line, "the table has no column 'type'") end
  for i = 3, #block do
    local row, line = block[i], block.line + i - 1
    local cell = types_of_row(known, row, line, what) or row[column]
    if row[column] ~= cell then
      fault(line, "the type of %s is %s, and not %s", row[1], cell, row[column])
    end
    row[column] = cell
    for n, value in ipairs(row) do row[n] = value:gsub("|", "\\|") end
    lines[line] = "| " .. table.concat(row, " | ") .. " |"
  end
end

local function fill_heading(lines, section, entry)
  local first = section.blocks[1]
  local text = ("Type: `%s`"):format(entry.type)
  if first and first.kind == "text" and first[1]:find "^Type: `" then
    if first[1] ~= text then fault(first.line, "'%s' expected", text) end
    lines[first.line] = text
  else
    fault(section.line, "'%s' is missing", text)
    lines[section.line] = lines[section.line] .. "\n\n" .. text
  end
end

-- --- what is there ---

local described, options_listed = {}, {}

local function note_options(block, option_class)
  local listed = options_listed[option_class.name] or {}
  options_listed[option_class.name] = listed
  for i = 3, #block do
    for name in block[i][1]:gmatch "`([%w_]+)" do listed[name] = true end
  end
end

local function note_members(block, class, section)
  for i = 3, #block do
    for text in block[i][1]:gmatch "`([^`]+)`" do
      local name = text:match "^[%w_]+[.:]([%w_]+)" or text:match "^[%w_]+"
      local entry = name and by_class[class] and by_class[class][name]
      if entry then entry.section = section end
    end
  end
end

local function each_block(lines, section, entry)
  local option_class = entry and index.option_class(api, entry.member)
  for _, block in ipairs(section.blocks) do
    local listed = pages.listed(block)
    if listed == true and option_class then
      note_options(block, option_class)
      fill_table(lines, block, options_of(option_class), option_class.name)
    elseif listed == true then
      fault(block.line, "options of no function")
    elseif listed then
      if not by_class[listed] then fault(block.line, "there is no class '%s'", listed) end
      note_members(block, listed, section)
      fill_table(lines, block, members_of(listed), listed)
    end
  end
end

local function fill(lines, page)
  for _, section in ipairs(page.sections) do
    local first
    for title in section.title:gmatch "`([^`]+)`" do
      local name = title:match "^[%a_][%w_]*[.:][%w_]+"
      local entry = name and find(name)
      if name and not entry then fault(section.line, "there is no '%s'", name) end
      if entry then
        entry.section, first = section, first or entry
        described[#described + 1] = entry
      end
    end
    if first then fill_heading(lines, section, first) end
    each_block(lines, section, first)
  end
end

-- --- what is missing ---

-- Returns true for a class that is described where what takes it or returns it is.
local function check_names()
  local list = {}
  for name in pairs(by_name) do list[#list + 1] = name end
  table.sort(list)
  for _, name in ipairs(list) do
    local entry = by_name[name]
    local inherited = entry.class.parents[1] and api.classes[entry.class.parents[1]]
    if inherited and by_class[inherited.name][entry.member.name] then
      entry.section = entry.section or by_class[inherited.name][entry.member.name].section
    end
    if not entry.section then
      fault(1, "'%s' has no entry", name)
    elseif not entry.member.is_value and not pages.call(entry.section, entry.member.name,
        entry.class.name == names.GLOBALS) then
      fault(entry.section.line, "'%s' has no example", name)
    end
  end
end

local function check_options()
  local list = {}
  for name in pairs(options_listed) do list[#list + 1] = name end
  table.sort(list)
  for _, name in ipairs(list) do
    for option, field in pairs(options_of(api.classes[name])) do
      if field.of == name and not options_listed[name][option] then
        fault(1, "the option '%s' of '%s' is not in its table", option, name)
      end
    end
  end
end

local function read_lines()
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

local lines, page = read_lines(), pages.read(path)
fill(lines, page)
if mode == "check" then
  check_names()
  check_options()
  io.stderr:write(table.concat(faults, "\n"), #faults > 0 and "\n" or "")
  os.exit(#faults == 0)
end
local file = assert(io.open(path, "w"))
file:write(table.concat(lines, "\n"), "\n")
assert(file:close())
