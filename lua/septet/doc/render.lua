-- SPDX-License-Identifier: MIT
-- Entries of the API as text for a terminal of so many columns.
local index = require "septet.doc.index"

local render = {}

local NARROW <const> = 60 -- columns: on fewer, names and their meanings are on lines of their own

-- Returns Markdown without its links and stars.
local function plain(text)
  return (text:gsub("%[([^%]]+)%]%([^)]*%)", "%1"):gsub("%*%*(.-)%*%*", "%1"))
end

-- Appends a text to `lines`, broken at blanks. The first line begins with `first`, and the others
-- with `indent` blanks.
local function wrap(lines, text, width, first, indent)
  local line, glue = first, ""
  for word in text:gmatch "%S+" do
    local longer = line .. glue .. word
    if glue ~= "" and (utf8.len(longer) or #longer) > width then
      lines[#lines + 1] = line
      longer = (" "):rep(indent) .. word
    end
    line, glue = longer, " "
  end
  lines[#lines + 1] = line
end

-- Appends a row of a table: the first cell, and the others below it.
local function add_row(lines, row, width)
  local cells = {}
  for cell in row:match "^|%s*(.-)%s*|$":gmatch "[^|]+" do
    cells[#cells + 1] = cell:match "^%s*(.-)%s*$"
  end
  wrap(lines, table.remove(cells, 1) or "", width, "  ", 4)
  for _, cell in ipairs(cells) do
    if cell ~= "" then wrap(lines, cell, width, "      ", 6) end
  end
end

-- Appends a paragraph, a list or a table of Markdown.
local function add_part(lines, part, width)
  if part:find "^|" then
    for row in part:gmatch "[^\n]+" do add_row(lines, row, width) end
  elseif part:find "^%- " then
    for item in ("\n" .. part):gsub("\n%- ", "\0"):gmatch "[^%z]+" do
      wrap(lines, item, width, "- ", 2)
    end
  else
    wrap(lines, part, width, "", 0)
  end
  lines[#lines + 1] = ""
end

local function add_text(lines, text, width)
  for part in (plain(text) .. "\n\n"):gmatch "(.-)\n\n+" do
    if part ~= "" then add_part(lines, part, width) end
  end
end

local function add_fields(lines, title, fields, width)
  if not fields or #fields == 0 then return end
  lines[#lines + 1] = title
  for _, field in ipairs(fields) do
    local head = ("%s: %s"):format(field.name, field.type)
    local default = field.default and field.default:gsub("`", "") or ""
    if default ~= "" then head = head .. "; default: " .. default end
    wrap(lines, head, width, "  ", 4)
    if field.text ~= "" then wrap(lines, plain(field.text), width, "      ", 6) end
  end
  lines[#lines + 1] = ""
end

local function add_code(lines, title, text)
  if not text then return end
  lines[#lines + 1] = title
  for line in (text .. "\n"):gmatch "(.-)\n" do
    lines[#lines + 1] = line == "" and "" or "    " .. line
  end
  lines[#lines + 1] = ""
end

-- Returns the kinds of errors that the text of an entry names.
local function raised(entry)
  local found, seen = {}, {}
  for word in entry.text:gmatch "%u%w+" do
    local kind = not seen[word] and index.find("septet." .. word)
    if kind and kind.kind == "error" then found[#found + 1] = word end
    seen[word] = true
  end
  return found
end

-- Returns the first sentence of a text.
local function first_sentence(text)
  text = plain(text):gsub("\n", " ")
  return text:match "^(.-%.)%s" or text
end

-- Appends a name and the first sentence of its entry.
local function add_line(lines, name, width)
  local text = first_sentence(index.find(name).text)
  if width < NARROW then
    lines[#lines + 1] = "  " .. name
    wrap(lines, text, width, "    ", 4)
  else
    wrap(lines, text, width, ("  %-27s "):format(name), 30)
  end
end

--- Returns a list of entries, each with its first sentence.
---@param names string[]
---@param title string
---@param width integer columns
---@return string
function render.list(names, title, width)
  local lines = {}
  wrap(lines, title, width, "", 0)
  for _, name in ipairs(names) do add_line(lines, name, width) end
  return table.concat(lines, "\n") .. "\n"
end

local TITLES = { module = "Functions:", class = "Fields:", error = "Fields:" }

-- Appends the members of a module or a class.
local function add_members(lines, entry, width)
  local members = index.members(entry.name)
  if #members == 0 then return end
  lines[#lines + 1] = entry.kind == "module" and TITLES.module or "Members:"
  for _, name in ipairs(members) do add_line(lines, name, width) end
  lines[#lines + 1] = ""
end

--- Returns the text of an entry.
---@param entry table from septet.doc.index
---@param width integer columns
---@return string
function render.entry(entry, width)
  local lines = {}
  wrap(lines, entry.signature, width, "", 4)
  if entry.async then wrap(lines, "waits: other tasks run meanwhile", width, "", 2) end
  lines[#lines + 1] = ""
  add_text(lines, entry.text, width)
  local members = index.members(entry.name)
  if #members == 0 or entry.kind == "error" then
    add_fields(lines, TITLES[entry.kind] or "Options:", entry.fields, width)
  end
  add_members(lines, entry, width)
  local errors = entry.kind ~= "error" and entry.kind ~= "code" and raised(entry) or {}
  if #errors > 0 then
    wrap(lines, "Errors: " .. table.concat(errors, ", "), width, "", 8)
    lines[#lines + 1] = ""
  end
  add_code(lines, "Example:", entry.example)
  add_code(lines, "It prints:", entry.output)
  lines[#lines] = nil
  return table.concat(lines, "\n") .. "\n"
end

return render
