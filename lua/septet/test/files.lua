-- SPDX-License-Identifier: MIT
-- The files of tests: those that are named, and those in folders that are named.
local files = {}

local fs = require "septet.fs"

local FOLDERS <const> = { "tests", "spec", "test" }
local HEAD <const> = 512 -- bytes of a file in which it says how it runs

local function is_folder(path)
  local ok, info = pcall(fs.stat, path)
  return ok and info.type == "directory"
end

local function is_wanted(_, entry)
  if entry.name:sub(1, 1) == "." then return false end
  return entry.type == "directory" or entry.name:find "_spec%.lua$" ~= nil
    or entry.name:find "_test%.lua$" ~= nil
end

--- Returns the folders in which tests are looked for if none are named.
---@async
---@return string[]
function files.folders()
  local list = {}
  for _, name in ipairs(FOLDERS) do
    if is_folder(name) then list[#list + 1] = name end
  end
  return #list > 0 and list or { "." }
end

--- Returns the paths of the files of tests, sorted in each folder. Raises IoError for a path that
--- cannot be read.
---@async
---@param paths string[] files and folders; empty: the usual folders
---@return string[]
function files.find(paths)
  local list, seen = {}, {}
  local function add(path)
    path = path:gsub("^%./", "")
    if not seen[path] then list[#list + 1] = path end
    seen[path] = true
  end
  for _, path in ipairs(#paths > 0 and paths or files.folders()) do
    if fs.stat(path).type == "directory" then
      for found, entry in fs.walk(path:gsub("(.)/+$", "%1"), { sort = true, filter = is_wanted }) do
        if entry.type ~= "directory" then add(found) end
      end
    else
      add(path)
    end
  end
  return list
end

--- Returns true if a file says that it runs on the real clock.
---@param path string
---@return boolean
function files.is_real_time(path)
  local file = io.open(path)
  if not file then return false end
  local head = file:read(HEAD) or ""
  file:close()
  for line in head:gmatch "[^\n]+" do
    if line:find "^%-%- test: real%-time%s*$" then return true end
  end
  return false
end

return files
