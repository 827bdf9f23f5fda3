-- SPDX-License-Identifier: MIT
-- Reads docs/api.md: the text, the example and the tables of each entry. An entry is a heading with
-- names in backquotes, or a row of a table with the members of a class.
local pages = {}

-- Returns the cells of a row of a table. `\|` is a bar within a cell.
local function cells(line)
  local found = {}
  line = line:gsub("\\|", "\1")
  for cell in line:match "^|(.*)|%s*$":gmatch "[^|]+" do
    found[#found + 1] = cell:match "^%s*(.-)%s*$":gsub("\1", "|")
  end
  return found
end

-- Splits a page into sections: { level, title, line, blocks }. A block has a kind ("text", "code"
-- or "table") and its lines.
local function sections(path)
  local all, section, block, fence, number = {}, nil, nil, nil, 0
  local function open(kind, language)
    block = { kind = kind, language = language, line = number }
    section.blocks[#section.blocks + 1] = block
  end
  for line in io.lines(path) do
    number = number + 1
    local level, title = line:match "^(#+) (.+)$"
    if level and not fence then
      section, block = { level = #level, title = title, line = number, blocks = {} }, nil
      all[#all + 1] = section
    elseif fence then
      if line == "```" then fence, block = nil, nil else block[#block + 1] = line end
    elseif line:find "^```" then
      fence = true
      open("code", line:sub(4))
    elseif line == "" then
      block = nil
    else
      local kind = line:find "^|" and "table" or "text"
      if not block or block.kind ~= kind then open(kind) end
      block[#block + 1] = kind == "table" and cells(line) or line
    end
  end
  return all
end

--- Returns the class of which a table lists the members, or true for the options of a function.
local function listed(block)
  local head = block.kind == "table" and block[1][1]
  return head == "option" or head and head:match "^`(septet%.[%w_]+)`$"
end

-- Returns a table that is not such a list as Markdown, without its head.
local function table_text(block)
  local lines = {}
  for i = 3, #block do lines[#lines + 1] = "| " .. table.concat(block[i], " | ") .. " |" end
  return table.concat(lines, "\n")
end

local function paragraphs(section)
  local parts = {}
  for _, block in ipairs(section.blocks) do
    if block.kind == "text" and not block[1]:find "^Type: `" then
      parts[#parts + 1] = table.concat(block, "\n")
    end
    if block.kind == "table" and not listed(block) then parts[#parts + 1] = table_text(block) end
  end
  return table.concat(parts, "\n\n")
end

-- Returns the first example of a section, and what it prints.
local function example(section)
  for i, block in ipairs(section.blocks) do
    if block.kind == "code" and block.language == "lua" then
      local after = section.blocks[i + 1]
      local printed = after and after.kind == "code" and after.language == "text" and after
      return table.concat(block, "\n"), printed and table.concat(printed, "\n") or nil
    end
  end
end

local NAME = "^`([%a_][%w_]*[.:][%w_]+)[(`]"

-- Returns the rows of a table by the names in their first cells, and the names in order.
local function rows(block, found)
  for i = 3, #block do
    local row = { line = block.line + i - 1 }
    for n, title in ipairs(block[1]) do row[title] = block[i][n] end
    for text in block[i][1]:gmatch "`([^`]+)`" do
      local name = text:match "^[%w_]+[.:]([%w_]+)" or text:match "^[%w_]+"
      if name then
        found[name] = found[name] or row
        found[#found + 1] = name
      end
    end
  end
  return found
end

local function options_of(section)
  local found = {}
  for _, block in ipairs(section.blocks) do
    if listed(block) == true then rows(block, found) end
  end
  return found
end

local function add_classes(classes, section)
  for _, block in ipairs(section.blocks) do
    local class = listed(block)
    if type(class) == "string" then
      classes[class] = classes[class] or { section = section }
      rows(block, classes[class])
    end
  end
end

-- Adds the codes of errors: the table behind "The codes of `HttpError`" has a row for each, with
-- its reasons.
local function add_codes(codes, section)
  local kind
  for _, block in ipairs(section.blocks) do
    if block.kind == "text" then kind = block[1]:match "^The codes of `(%w+)`" end
    for i = 3, kind and block.kind == "table" and #block or 0 do
      for code in block[i][1]:gmatch "`([%w_]+)`" do
        codes[#codes + 1] = { kind = kind, code = code, text = block[i][2] }
      end
    end
  end
end

-- A module has a chapter, which may go on under further headings of the second level.
local function begins_chapter(section)
  local title = section.title
  return section.level == 2
    and (title == "septet" or title:find "^septet%." or title == "luv" or title == "Errors")
end

--- Reads a page. Returns
---   entries   by the names in the headings: text, example, output, fields (the rows of options)
---   classes   by the class whose members a table lists: its rows
---   codes     a list of the codes of errors
---   sections  all of them
function pages.read(path)
  local page = { entries = {}, classes = {}, codes = {}, sections = sections(path) }
  local previous
  for _, section in ipairs(page.sections) do
    section.chapter = previous and not begins_chapter(section) and previous.chapter or {}
    table.insert(section.chapter, section)
    previous = section
    for title in section.title:gmatch "`[^`]+`" do
      local name = title:match(NAME)
      if name then
        local code, printed = example(section)
        page.entries[name] = { section = section, line = section.line, text = paragraphs(section),
          example = code, output = printed, fields = options_of(section) }
      end
    end
    add_classes(page.classes, section)
    add_codes(page.codes, section)
  end
  return page
end

pages.listed, pages.text = listed, paragraphs
return pages
