-- SPDX-License-Identifier: MIT
-- Writes the data of septet.doc.index: what the prompt, `septet doc` and `septet check` know of the
-- API. Signatures and options are in one module, and texts in another one, which is larger.
local model = require "model"
local names = require "names"
local types = require "types"

local index = {}

-- Returns the default that the words behind the last semicolon say, and the words before it.
local function default_of(text)
  local meaning, default = text:match "^(.*);%s*([^;]+)$"
  if not default then return nil, text end
  return default, meaning
end

-- Returns the fields of a class, in order, without those of its parents.
local function fields_of(class)
  local found = {}
  for _, field in ipairs(class.fields) do
    if model.is_public(field) then
      local default, meaning = default_of(field.text)
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
  local function look(name)
    local class = api.classes[name]
    if class and #class.members == 0 and #class.fields > 0 then found = found or class end
  end
  for _, param in ipairs(member.params) do types.each_name(types.parse(param.type), look) end
  local called = #member.params == 0 and member.type and types.parse(member.type)
  for _, param in ipairs(called and called.parameters or {}) do
    if param.type then types.each_name(param.type, look) end
  end
  return found
end

-- Lays what a page says of options over what the annotations do.
local function merge(fields, said)
  for _, field in ipairs(fields) do
    local row = said[field.name]
    if row then
      field.text = row.meaning or field.text
      if row.default and row.default ~= "" then field.default = row.default end
    end
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

--- Returns the list of entries, and by name their text, example and output.
function index.entries(api, page, codes)
  local list, texts = {}, {}
  local function add(entry, text)
    if texts[entry.name] then return end
    list[#list + 1], texts[entry.name], list[entry.name] = entry, text, entry
  end
  local function add_member(class, member)
    local name = names.of(class.name, member)
    local said = page[name] or { fields = {} }
    local options = not member.is_value and option_class(api, member)
    local laid = options
    while laid do -- a page may say what the fields of a parent mean
      merge(list[laid.name].fields, said.fields)
      laid = api.classes[laid.parents[1]]
    end
    add({ name = name, class = class.name, async = member.async or nil,
      kind = member.is_value and "field" or names.is_module(class.name) and "function" or "method",
      signature = name .. names.type_of(member), options = options and options.name or nil },
      { said.text and said.text ~= "" and said.text or member.text, said.example, said.output })
  end
  for _, name in ipairs(api.order) do
    if api.classes[name].public then add(class_entry(api.classes[name])) end
  end
  for _, name in ipairs(api.order) do
    local class = api.classes[name]
    for _, member in ipairs(class.public and class.members or {}) do
      if model.is_public(member) then add_member(class, member) end
    end
    for _, field in ipairs(class.public and names.is_object(class) and class.fields or {}) do
      if model.is_public(field) then
        local called = field.type:find "^fun%(" ~= nil
        add_member(class, { name = field.name, is_value = not called or nil, params = {},
          returns = {}, type = field.type, text = field.text })
      end
    end
  end
  for _, code in ipairs(codes) do add(code_entry(code)) end
  table.sort(list, function(a, b) return a.name < b.name end)
  return list, texts
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
function index.write(folder, api, page, codes)
  local list, texts = index.entries(api, page, codes)
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
