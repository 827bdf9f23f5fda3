-- SPDX-License-Identifier: MIT
-- The files that are checked: those that are named, and those in folders that are named.
local files = {}

local fs = require "septet.fs"

local function is_folder(path)
  local ok, info = pcall(fs.stat, path)
  return ok and info.type == "directory"
end

-- Returns a function that is false for hidden entries, other files than Lua's, and what is skipped.
local function filter_of(skipped)
  return function(path, entry)
    if entry.name:sub(1, 1) == "." or skipped[path] then return false end
    return entry.type == "directory" or entry.name:find "%.lua$" ~= nil
  end
end

local function add_folder(list, root, skipped)
  for path, entry in fs.walk(root, { sort = true, filter = filter_of(skipped) }) do
    if entry.type ~= "directory" then list[#list + 1] = path end
  end
end

--- Returns the paths of the files, each folder replaced by the files *.lua in it, sorted. A path
--- that occurs twice is returned once.
---@async
---@param paths string[]
---@param skip string[] folders and files that are left out
---@return string[]
function files.find(paths, skip)
  local skipped, list, seen, result = {}, {}, {}, {}
  for _, path in ipairs(skip) do skipped[path:gsub("(.)/+$", "%1")] = true end
  for _, path in ipairs(paths) do
    local plain = path:gsub("(.)/+$", "%1")
    if path ~= "-" and is_folder(plain) then
      add_folder(list, plain, skipped)
    else
      list[#list + 1] = path
    end
  end
  for _, path in ipairs(list) do
    if not seen[path] then
      seen[path] = true
      result[#result + 1] = path
    end
  end
  return result
end

--- Returns the text of a file, or of standard input for "-". Raises IoError.
---@async
---@param path string
---@return string
function files.read(path)
  if path == "-" then return io.read "a" end
  return fs.read(path)
end

return files
