-- SPDX-License-Identifier: MIT
-- What is wrong with the options of `septet test`, found before anything runs.
local usage = {}

local core = require "septet.core"
local fs = require "septet.fs"
local pattern = require "septet.test.pattern"

-- Options that do not go together.
local APART <const> = {
  { "watch", "in_process" }, { "watch", "list" }, { "list", "tap" }, { "list", "junit" },
  { "list", "coverage" }, { "list", "repeat" },
}

local function word(name) return "--" .. name:gsub("_", "-") end

local function together(options)
  for _, pair in ipairs(APART) do
    if options[pair[1]] and options[pair[2]] then
      return ("'%s' does not go with '%s'"):format(word(pair[1]), word(pair[2]))
    end
  end
end

local function patterns(options)
  for _, name in ipairs { "filter", "exclude" } do
    for _, text in ipairs(options[name] or {}) do
      local problem = pattern.problem(text)
      if problem then
        return ("'--%s=%s' is no pattern of Lua: %s"):format(name, text, problem)
      end
    end
  end
end

local function counts(options)
  for _, name in ipairs { "jobs", "repeat" } do
    if options[name] == 0 then
      return ("a whole number from 1 is expected in '--%s=0'"):format(name)
    end
  end
end

-- Returns why a file cannot be written, or nil. Leaves no new file behind.
---@async
local function cannot_write(path)
  local found, info = pcall(fs.stat, path)
  if not found and not core.is(info, "IoError") then error(info, 0) end
  if found and info.type == "directory" then return path .. ": it is a folder" end
  if found and info.type ~= "file" then return nil end -- a pipe would tell its reader of the end
  local file, problem = io.open(path, "a")
  if not file then return problem end
  file:close()
  if not found then os.remove(path) end
end

---@async
local function written_files(options)
  for _, name in ipairs { "junit", "coverage" } do
    local path = options[name]
    local problem = type(path) == "string" and cannot_write(path)
    if problem then return ("cannot write the file of '--%s': %s"):format(name, problem) end
  end
end

---@async
local function file_in_process(paths)
  if #paths ~= 1 then return ("'--in-process' runs one file, not %d"):format(#paths) end
  local found, info = pcall(fs.stat, paths[1])
  if not found then return info.message or tostring(info) end
  return info.type == "directory"
    and ("'--in-process' runs a file, and '%s' is a folder"):format(paths[1]) or nil
end

--- Returns what is wrong with the options, or nil.
---@async
---@param options table
---@param paths string[]
---@return string|nil
function usage.problem(options, paths)
  return together(options) or patterns(options) or counts(options)
    or options.in_process and file_in_process(paths) or written_files(options)
end

return usage
