-- SPDX-License-Identifier: MIT
-- Which tests of a file run, and in which order.
local choice = {}

-- Returns the set of wanted tags, or nil for any, and that of unwanted ones.
local function read_tags(lists)
  local wanted, unwanted
  for _, list in ipairs(lists or {}) do
    for tag in list:gmatch "[^,%s]+" do
      local name = tag:match "^%-(.+)$"
      if name then
        unwanted = unwanted or {}
        unwanted[name] = true
      else
        wanted = wanted or {}
        wanted[tag] = true
      end
    end
  end
  return wanted, unwanted or {}
end

local function has_one(tags, set)
  for tag in pairs(set) do
    if tags[tag] then return true end
  end
  return false
end

local function matches_one(title, patterns)
  for _, pattern in ipairs(patterns or {}) do
    if title:find(pattern) then return true end
  end
  return false
end

-- Puts a list into an order that the generator draws.
local function shuffle(list)
  for i = #list, 2, -1 do
    local j = math.random(i)
    list[i], list[j] = list[j], list[i]
  end
end

--- Returns the tests that the options choose, in the order in which they run. With a seed, it is
--- drawn in each group, so that a group's tests stay together.
---@param root septet.test.Group
---@param options { filter: string[]|nil, exclude: string[]|nil, tags: string[]|nil,
---  shuffle: integer|nil }
---@return septet.test.Case[]
function choice.of(root, options)
  local wanted, unwanted = read_tags(options.tags)
  local list = {}
  local function is_chosen(case)
    return (not options.filter or matches_one(case.title, options.filter))
      and not matches_one(case.title, options.exclude)
      and (not wanted or has_one(case.tags, wanted)) and not has_one(case.tags, unwanted)
  end
  local function add(group)
    local children = table.move(group.children, 1, #group.children, 1, {})
    if options.shuffle then shuffle(children) end
    for _, child in ipairs(children) do
      if child.children then
        add(child)
      elseif is_chosen(child) then
        list[#list + 1] = child
      end
    end
  end
  if options.shuffle then math.randomseed(options.shuffle) end
  add(root)
  return list
end

return choice
