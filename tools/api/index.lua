-- SPDX-License-Identifier: MIT
-- Writes the data of septet.doc.index: what the prompt, `septet doc` and `septet check` know of the
-- API. Signatures and options are in one module, and texts in another one, which is larger.
local examples = require "examples"
local model = require "model"
local names = require "names"
local types = require "types"

local index = {}

--- Returns the default that the words behind the last semicolon say, and the words before it. A
--- field that may not be nil has none.
function index.default_of(field)
  local _, optional = types.without_nil(field.type)
  if not (optional or field.optional or field.type == "any") then return nil, field.text end
  local meaning, default = field.text:match "^(.*);%s*([^;]+)$"
  if not default then return nil, field.text end
  return default, meaning
end

-- Returns the fields of a class, in order, without those of its parents.
local function fields_of(class)
  local found = {}
  for _, field in ipairs(class.fields) do
    if model.is_public(field) then
      local default, meaning = index.default_of(field)
      local text, optional = types.without_nil(field.type)
      found[#found + 1] = { name = field.name, type = text, default = default, text = meaning,
        optional = optional or field.optional or nil }
    end
  end
  return found
end

-- Returns the class of a function's table of options, or nil.
local function option_class(api, member)
  local found
  local function look(node)
    local class = node.kind == "name" and api.classes[node.name]
    if class and #class.members == 0 and #class.fields > 0 then found = found or class end
    for _, part in ipairs(node) do look(part) end
  end
  for _, param in ipairs(member.params) do look((types.parse(param.type))) end
  return found
end

index.option_class = option_class

-- Lays what a page says of options over what the annotations do.
local function merge(fields, said)
  for _, field in ipairs(fields) do
    local row = said[field.name]
    if row then field.text = row.meaning or field.text end
  end
end

-- Returns the entry of a class or a module itself.
local function class_entry(class)
  local kind = names.is_module(class.name) and "module" or model.is_error(class) and "error"
    or "class"
  return { name = class.name, kind = kind, signature = class.name,
    parents = #class.parents > 0 and class.parents or nil,
    fields = kind ~= "module" and fields_of(class) or nil }, { class.text }
end

-- Returns the entry of a code of an error, as "HttpError.timeout", with its reasons.
local function code_entry(code)
  local reasons = {}
  for reason in code.text:gmatch "`([%l_%d]+)`" do reasons[reason] = true end
  return { name = code.kind .. "." .. code.code, kind = "code", class = "septet." .. code.kind,
    signature = ('%s with the code "%s"'):format(code.kind, code.code),
    reasons = next(reasons) and reasons or nil }, { code.text }
end

-- Returns what a page says of each name: of a heading, or of a row of a table.
local function said_by(page, short, known)
  local said = {}
  for name, entry in pairs(page.entries) do
    for _, reading in ipairs(names.readings(short, name)) do
      if known[reading] then
        said[reading] = entry
        break
      end
    end
  end
  return said
end

-- Returns the text of a name, its example and what that prints.
local function text_of(member, said, row)
  local text = said and said.text or row and row.meaning
  return { text and text ~= "" and text or member.text, said and said.example,
    said and said.output }
end

local Entries = {}
Entries.__index = Entries

function Entries:add(entry, text)
  if self.texts[entry.name] then return end
  self.list[#self.list + 1], self.list[entry.name] = entry, entry
  self.texts[entry.name] = text
end

--- Calls fn(class, member) for each member of a public class that has a name of its own.
function index.each_member(api, fn)
  for _, name in ipairs(api.order) do
    local class = api.classes[name]
    for _, member in ipairs(class.public and class.members or {}) do
      if model.is_public(member) then fn(class, member) end
    end
    for _, field in ipairs(class.public and names.is_object(class) and class.fields or {}) do
      if model.is_public(field) and not names.is_module(name) then
        fn(class, { name = field.name, is_value = true, params = {}, returns = {},
          type = field.type, text = field.text })
      end
    end
  end
end

function Entries:add_member(class, member, said, page)
  local name = names.of(class.name, member)
  local options = not member.is_value and option_class(self.api, member)
  local laid = options
  while laid and said do -- a page may say what the fields of a parent mean
    merge(self.list[laid.name].fields, said.fields)
    laid = self.api.classes[laid.parents[1]]
  end
  local row = page.classes[class.name] and page.classes[class.name][member.name]
  self:add({ name = name, class = class.name, async = member.async or nil,
    kind = member.is_value and "field" or names.mark(class.name) == "." and "function" or "method",
    signature = name .. names.type_of(member), options = options and options.name or nil },
    text_of(member, said, row))
  self.sections[name] = said and said.section or row and page.classes[class.name].section
end

-- Gives functions without an example below their heading the first one of their chapter.
function Entries:add_examples(page, root)
  self.examples = examples.read(root, page, self.list)
  for name, section in pairs(self.sections) do
    local entry, text = self.list[name], self.texts[name]
    local found = self.examples[section.chapter][name]
    if found and not text[2] and entry.kind ~= "field" then
      text[2], text[3] = found[1], found[2]
    end
  end
end

--- Returns the list of entries, by name their text, example and output, and the examples of each
--- chapter.
function index.entries(api, page, short, root)
  local self = setmetatable({ api = api, list = {}, texts = {}, sections = {} }, Entries)
  local known = {}
  for _, name in ipairs(api.order) do
    local class = api.classes[name]
    if class.public then
      local entry, text = class_entry(class)
      self:add(entry, text)
      merge(entry.fields or {}, page.classes[name] or {})
    end
  end
  index.each_member(api, function(class, member) known[names.of(class.name, member)] = true end)
  local said = said_by(page, short, known)
  index.each_member(api, function(class, member)
    self:add_member(class, member, said[names.of(class.name, member)], page)
  end)
  for _, code in ipairs(page.codes) do self:add(code_entry(code)) end
  table.sort(self.list, function(a, b) return a.name < b.name end)
  self:add_examples(page, root)
  return self.list, self.texts, self.examples
end

-- Returns a value as Lua's text.
local function written(value)
  if type(value) ~= "table" then return (("%q"):format(value):gsub("\\\n", "\\n")) end
  local parts = {}
  for i = 1, #value do parts[i] = written(value[i]) end
  local keys = {}
  for key in pairs(value) do if type(key) == "string" then keys[#keys + 1] = key end end
  table.sort(keys)
  for _, key in ipairs(keys) do parts[#parts + 1] = key .. "=" .. written(value[key]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

--- Writes both modules to a folder.
function index.write(folder, api, page, short, root)
  local list, texts = index.entries(api, page, short, root)
  local out = assert(io.open(folder .. "/entries.lua", "w"))
  out:write "-- SPDX-License-Identifier: MIT\n-- Made by tools/api.\nreturn {\n"
  for _, entry in ipairs(list) do out:write(written(entry), ",\n") end
  out:write "}\n"
  assert(out:close())
  out = assert(io.open(folder .. "/texts.lua", "w"))
  out:write "-- SPDX-License-Identifier: MIT\n-- Made by tools/api.\nreturn {\n"
  for _, entry in ipairs(list) do
    local text = texts[entry.name]
    out:write(("[%q]={%s,%s,%s},\n"):format(entry.name, written(text[1]), written(text[2]),
      written(text[3])))
  end
  out:write "}\n"
  assert(out:close())
end

return index
