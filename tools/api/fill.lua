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
local by_name, by_class, clashes = {}, {}, {}
index.each_member(api, function(class, member)
  local entry = { class = class, member = member, type = names.type_of(member):gsub("^: ", "") }
  local name = names.of(class.name, member)
  if by_name[name] then clashes[#clashes + 1] = name end
  by_name[name] = entry
  by_class[class.name] = by_class[class.name] or {}
  by_class[class.name][member.name] = entry
end)
for _, name in ipairs(api.order) do
  local class = api.classes[name]
  by_class[name] = by_class[name] or {}
  for _, field in ipairs(class.public and class.fields or {}) do
    if model.is_public(field) and not by_class[name][field.name] then
      by_class[name][field.name] = { type = field.type, field = field }
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
      found[field.name] = { type = types.without_nil(field.type), field = field }
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

-- Returns the entries of the names in the first cell of a row.
local function entries_of_row(known, row, line, what)
  local found = {}
  for text in row[1]:gmatch "`([^`]+)`" do
    local name = text:match "^[%w_]+[.:]([%w_]+)" or text:match "^[%w_]+"
    if name and not known[name] then fault(line, "%s has no '%s'", what, name) end
    found[#found + 1] = name and known[name]
  end
  return found
end

-- What the cells of these columns have to say of an entry.
local columns = {}

function columns.type(entry) return "`" .. entry.type .. "`" end

function columns.default(entry)
  if not entry.field then return "" end
  local default = index.default_of(entry.field)
  if default then return (default:gsub('^".*"$', "`%0`")) end
  local _, optional = types.without_nil(entry.field.type)
  return optional and "" or "required"
end

-- Returns a cell for several entries: one value, if all have the same.
local function cell_of(column, entries)
  local found, differ = {}, false
  for i, entry in ipairs(entries) do
    found[i] = column(entry)
    differ = differ or found[i] ~= found[1]
  end
  return differ and table.concat(found, ", ") or found[1]
end

local function fill_table(lines, block, known, what)
  if block[1][2] ~= "type" then return fault(block.line, "the table has no column 'type'") end
  for i = 3, #block do
    local row, line = block[i], block.line + i - 1
    local entries = entries_of_row(known, row, line, what)
    for n, title in ipairs(block[1]) do
      local cell = #entries > 0 and columns[title] and cell_of(columns[title], entries) or row[n]
      if row[n] ~= cell then
        fault(line, "the %s of %s is %s, and not %s", title, row[1], cell, row[n])
      end
      row[n] = cell:gsub("|", "\\|")
    end
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

local options_listed = {}

-- Notes the rows of a table for a class and its parents.
local function note_options(block, class)
  local listed = options_listed[class.name] or {}
  options_listed[class.name] = listed
  listed.has_defaults = listed.has_defaults or block[1][3] == "default"
  for i = 3, #block do
    for name in block[i][1]:gmatch "`([%w_]+)" do listed[name] = true end
  end
  for _, parent in ipairs(class.parents) do note_options(block, api.classes[parent]) end
end

local function note_members(block, class, section)
  for i = 3, #block do
    for text in block[i][1]:gmatch "`([^`]+)`" do
      local name = text:match "^[%w_]+[.:]([%w_]+)" or text:match "^[%w_]+"
      local entry = name and by_class[class] and by_class[class][name]
      if entry then
        entry.section, entry.line = section, block.line + i - 1
        entry.said = table.concat(block[i], " ", 2)
      end
    end
  end
end

-- Returns the anchor of a heading, as it is made on the web.
local function anchor_of(title)
  return (title:lower():gsub("[^%w_ %-]", ""):gsub(" ", "-"))
end

-- Faults a function that takes options if its entry neither lists them nor links to an entry that
-- does.
local function check_option_list(section, class, sections)
  local function lists(other)
    for _, block in ipairs(other.blocks) do
      local listed = pages.listed(block)
      if listed == class.name or listed == true and other.entry
        and index.option_class(api, other.entry.member) == class then return true end
    end
  end
  if lists(section) then return end
  for _, block in ipairs(section.blocks) do
    for anchor in table.concat(block, "\n"):gmatch "%]%(#([%w_-]+)%)" do
      if sections[anchor] and lists(sections[anchor]) then return end
    end
  end
  fault(section.line, "the options %s are neither listed nor linked to", class.name)
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
      if api.classes[listed] then note_options(block, api.classes[listed]) end
      fill_table(lines, block, members_of(listed), listed)
    end
  end
end

-- Finds the members that headings name. Returns the sections by their anchors.
local function describe(page)
  local sections = {}
  for _, section in ipairs(page.sections) do
    sections[anchor_of(section.title)] = section
    for title in section.title:gmatch "`([^`]+)`" do
      local name = title:match "^[%a_][%w_]*[.:][%w_]+"
      local entry = name and find(name)
      if name and not entry then fault(section.line, "there is no '%s'", name) end
      if entry then
        entry.section, section.entry = section, section.entry or entry
        entry.line, entry.said = section.line, pages.text(section)
      end
    end
  end
  return sections
end

local function fill(lines, page)
  local sections = describe(page)
  for _, section in ipairs(page.sections) do
    local entry = section.entry
    if entry then fill_heading(lines, section, entry) end
    each_block(lines, section, entry)
    local class = entry and index.option_class(api, entry.member)
    if class then check_option_list(section, class, sections) end
  end
end

-- --- what is missing ---

-- Returns true for a class that is described where what takes it or returns it is.
-- Faults an entry that says the wrong thing of whether its function waits.
local function check_waits(name, entry)
  local said = entry.said or "**waits**"
  if entry.member.async and not said:lower():find "%*%*wait" then
    fault(entry.line, "'%s' waits, and its entry does not say so", name)
  elseif not entry.member.async and said:find "^%S* ?%*%*Waits" then
    fault(entry.line, "'%s' does not wait, and its entry says so", name)
  end
end

local function check_names(examples)
  for _, name in ipairs(clashes) do fault(1, "two classes have a '%s'", name) end
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
    elseif not entry.member.is_value and not examples[entry.section.chapter][name] then
      fault(entry.section.line, "'%s' has no example", name)
    else
      check_waits(name, entry)
    end
  end
end

-- Faults a field of options without a default, as the words behind the last semicolon.
local function check_default(class, field)
  if options_listed[class.name].has_defaults and columns.default { field = field } == "" then
    faults[#faults + 1] = ("%s:%d: the default of '%s' of '%s' is not said"):format(field.path,
      field.line, field.name, class.name)
  end
end

-- The fields of each public class without methods are in a table, its own or that of a function
-- which takes it.
local function check_fields()
  for _, name in ipairs(api.order) do
    local class = api.classes[name]
    local listed = options_listed[name]
    local is_record = class.public and #class.members == 0 and not model.is_error(class)
      and not names.is_module(name)
    for _, field in ipairs(is_record and class.fields or {}) do
      if listed and listed[field.name] then
        check_default(class, field)
      elseif model.is_public(field) and not field.name:find "^%[" then
        fault(1, "the field '%s' of '%s' is in no table", field.name, name)
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
local _, _, examples = index.entries(api, page, short, root)
fill(lines, page)
if mode == "check" then
  check_names(examples)
  check_fields()
  io.stderr:write(table.concat(faults, "\n"), #faults > 0 and "\n" or "")
  os.exit(#faults == 0)
end
local file = assert(io.open(path, "w"))
file:write(table.concat(lines, "\n"), "\n")
assert(file:close())
