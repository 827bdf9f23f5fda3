-- SPDX-License-Identifier: MIT
-- Reads docs/api.md: the text, the example and the tables of each entry. An entry is a heading with
-- names in backquotes, or a row of a table whose first cell is a name.
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

-- Returns true if a table has the options of a function or the fields of an object.
local function is_list(block)
  return block.kind == "table" and (block[1][1] == "option" or block[1][1] == "field")
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
    if block.kind == "text" then parts[#parts + 1] = table.concat(block, "\n") end
    if block.kind == "table" and not is_list(block) then parts[#parts + 1] = table_text(block) end
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

-- Returns the rows of tables whose first column is `option` or `field`, by their names, in order.
local function rows(section)
  local found = {}
  for _, block in ipairs(section.blocks) do
    if is_list(block) then
      for i = 3, #block do
        local row = { line = block.line + i - 1 }
        for n, title in ipairs(block[1]) do row[title] = block[i][n] end
        for name in block[i][1]:gmatch "`([%w_]+)`" do
          found[name] = row
          found[#found + 1] = name
        end
      end
    end
  end
  return found
end

local function add_rows(entries, section)
  for _, block in ipairs(section.blocks) do
    for i = 3, block.kind == "table" and #block or 0 do
      for name in block[i][1]:gmatch "`([%a_][%w_]*[.:][%w_]+)[^`]*`" do
        entries[name] = entries[name] or { section = section, line = block.line + i - 1,
          text = block[i][#block[i]], fields = {}, row = true }
      end
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

--- Returns the entries of a page by their names, its sections, and the codes of errors.
function pages.read(path)
  local entries, all = {}, sections(path)
  for _, section in ipairs(all) do
    for title in section.title:gmatch "`[^`]+`" do
      local name = title:match(NAME)
      if name then
        local code, printed = example(section)
        entries[name] = { section = section, line = section.line, text = paragraphs(section),
          example = code, output = printed, fields = rows(section) }
      end
    end
  end
  local codes = {}
  for _, section in ipairs(all) do
    add_rows(entries, section)
    add_codes(codes, section)
  end
  return entries, all, codes
end

pages.example = example
return pages
