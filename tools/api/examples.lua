-- SPDX-License-Identifier: MIT
-- Finds which functions and methods the blocks of docs/api.md use. The modules of `septet check`
-- infer what each object is. So an example of `reader:read` is none of `stream:read`.
local examples = {}

-- Returns a function that loads modules below `root`/lua, each once. Their `require` is that
-- function, too, as neither the build nor the command's scripts find them.
local function loader(root, loaded)
  local environment = {}
  local function load_module(name)
    if not loaded[name] then
      local path = ("%s/lua/%s.lua"):format(root, (name:gsub("%.", "/")))
      loaded[name] = assert(loadfile(path, "t", environment))(name)
    end
    return loaded[name]
  end
  environment.require = load_module
  setmetatable(environment, { __index = _G })
  return load_module
end

-- Returns the index that `septet check` reads, made of a list of entries.
local function index_of(list)
  local by_name, all = {}, {}
  for i, entry in ipairs(list) do by_name[entry.name], all[i] = entry, entry.name end
  return {
    names = function() return all end,
    find = function(name) return by_name[name] end,
  }
end

-- Returns the text of a block in the frame that a comment before it puts around it.
local function framed(block, before)
  local text = table.concat(block, "\n")
  if not (before and before.kind == "text" and before[1]:find "^<!%-%- frame:") then return text end
  local lines = table.pack(table.unpack(before, 2, #before - 1))
  for i, line in ipairs(lines) do if line == "..." then lines[i] = text end end
  return table.concat(lines, "\n")
end

-- Functions that call another one, which is an argument of theirs, with those behind it.
local CALL_ANOTHER = { pcall = 1, ["task.pcall"] = 1, ["task.try"] = 1, ["task.spawn"] = 1,
  ["task.background"] = 1, ["task.timeout"] = 2 }

-- Notes the types of a tree, also of the parameters of functions that another one calls.
local function prepare(types, tree, root)
  types.prepare(root)
  tree.walk(root, { Call = function(node)
    local callee = types.of(node.callee)
    local at = callee and CALL_ANOTHER[callee.lua or callee.member and callee.member.name]
    if at and node.arguments[at] then
      types.prepare { tag = "Call", callee = node.arguments[at],
        arguments = table.pack(table.unpack(node.arguments, at + 1)) }
    end
  end })
end

-- Returns the methods that only one class has, by their last name.
local function unique_methods(list)
  local found = {}
  for _, entry in ipairs(list) do
    local last = entry.kind == "method" and entry.name:match "[%w_]+$"
    if last then found[last] = found[last] == nil and entry.name end
  end
  return found
end

-- Returns the member of what `expect` returns that a node is, or nil.
local function expected(node)
  local object = node.object
  while object.tag == "Index" do object = object.object end
  local is_one = object.tag == "Call" and object.callee.tag == "Name"
    and object.callee.name == "expect" and node.key.tag == "String"
  return is_one and "expect." .. node.key.value or nil
end

-- Returns true if a type has members.
local function is_object(found) return found and (found.class or found.module) end

-- Calls fn(name) for each member of the API that a script uses, and for each global that it calls.
-- `unique` has the methods that no object need be known for.
local function each_use(load_module, script, unique, fn)
  local types, tree = load_module "septet.check.types", load_module "septet.check.tree"
  local root = load_module "septet.check.parser".parse(script)
  if not root or not load_module "septet.check.scopes".resolve(root) then return end
  prepare(types, tree, root)
  tree.walk(root, {
    Index = function(node)
      local found = types.of(node)
      local name = found and found.member and found.member.name or expected(node)
      if name then fn(name) end
    end,
    Call = function(node) if node.callee.tag == "Name" then fn(node.callee.name) end end,
    Invoke = function(node)
      local member = types.called(node)
      local name = member and member.name
        or not is_object(types.of(node.object)) and unique[node.name]
      if name then fn(name) end
    end,
  })
end

--- Returns the examples of a page: by chapter and by name, { code, printed }, the first one.
--- `list` has the entries of the index.
function examples.read(root, page, list)
  local load_module = loader(root, { ["septet.doc.index"] = index_of(list) })
  local found, unique = {}, unique_methods(list)
  for _, section in ipairs(page.sections) do
    local of_chapter = found[section.chapter] or {}
    found[section.chapter] = of_chapter
    for i, block in ipairs(section.blocks) do
      if block.kind == "code" and block.language == "lua" then
        local after = section.blocks[i + 1]
        local printed = after and after.kind == "code" and after.language == "text" and after
        local example = { table.concat(block, "\n"), printed and table.concat(printed, "\n") }
        each_use(load_module, framed(block, section.blocks[i - 1]), unique, function(name)
          of_chapter[name] = of_chapter[name] or example
        end)
      end
    end
  end
  return found
end

return examples
