-- SPDX-License-Identifier: MIT
-- The files of `septet watch`: tells when the contents of one of them have changed. Each folder is
-- watched as a whole, so that a file may be replaced, removed and made again.
local core = require "septet.core"
local fs = require "septet.fs"
local hash = require "septet.hash"
local split = require("septet.fs.watch").split

local SMALL <const> = 1024 * 1024 -- bytes of a file that is compared by its contents

---@class septet.WatchFiles
---@field group table of tasks, one for each folder
---@field marks table<string, string> what was last seen of a file: "" if there is none
---@field folders table<string, boolean> those that are watched
---@field patterns { folder: string, pattern: string|nil }[] of --also
---@field on_event fun(path: string) called for a file that may have changed
local Files = {}
Files.__index = Files

local function unless_failing(fn, ...)
  local ok, result = pcall(fn, ...)
  if ok then return result end
  if not core.is(result, "IoError") then error(result, 0) end
end

-- Returns what a change of a file would change; "" for a file that is not there.
---@async
local function mark_of(path)
  local info = unless_failing(fs.stat, path)
  if not info or info.type ~= "file" then return "" end
  if info.size <= SMALL then return unless_failing(hash.file, path) or "" end
  return ("%d %s %d"):format(info.size, info.mtime, info.inode)
end

local function join(folder, name)
  return folder == "." and name or folder:sub(-1) == "/" and folder .. name or folder .. "/" .. name
end

-- Returns a path as it is compared: "./x.lua" and "x.lua" are the same file.
local function plain(path)
  path = path:gsub("/%./", "/"):gsub("//+", "/")
  while path:sub(1, 2) == "./" and #path > 2 do path = path:sub(3) end
  return path
end

local function matches(self, path)
  for _, also in ipairs(self.patterns) do
    if also.pattern and path:find(also.pattern)
      or not also.pattern and path:sub(1, #also.folder + 1) == also.folder .. "/" then
      return true
    end
  end
end

-- Returns the nearest folder of a path that exists.
---@async
local function existing_folder(path)
  local folder = split(path)
  folder = folder == "/" and folder or folder:gsub("/+$", "")
  while not (unless_failing(fs.stat, folder) or {}).inode do
    if folder == "." or folder == "/" then break end
    folder = split(folder)
    folder = folder == "/" and folder or folder:gsub("/+$", "")
  end
  return folder
end

-- Watches a folder until it is removed.
---@async
local function follow(self, folder, recursive)
  local key = folder .. (recursive and "/**" or "")
  if self.folders[key] then return end
  local events = unless_failing(fs.watch, folder, { recursive = recursive })
  if not events or self.folders[key] then return end
  self.folders[key] = true
  self.group:spawn(function()
    local watch <close> = events
    for event in watch do
      local path = event.name and join(folder, event.name)
      if not path then
        for known in pairs(self.marks) do self.on_event(known) end
      elseif self.marks[path] or matches(self, path) then
        self.on_event(path)
      else -- a folder of what is watched may have come
        for known in pairs(self.marks) do
          if known:sub(1, #path + 1) == path .. "/" then self.on_event(known) end
        end
      end
    end
    self.folders[key] = nil
    for known in pairs(self.marks) do self.on_event(known) end
  end)
end

--- Watches a file, which need not exist. Returns its path as changes name it.
---@async
---@param path string
---@param mark string|nil digest of the contents that the script has seen
---@return string
function Files:add(path, mark)
  path = plain(path)
  if self.marks[path] then return path end
  local now = mark_of(path)
  self.marks[path] = mark and #mark == #now and mark or now
  follow(self, existing_folder(path))
  if (unless_failing(fs.stat, path, { links = true }) or {}).type == "link" then
    local events = unless_failing(fs.watch, path)
    self.group:spawn(function()
      local watch <close> = events
      for _ in watch do self.on_event(path) end
    end)
  end
  self.on_event(path) -- it may have changed before it was watched
  return path
end

-- Returns a pattern of Lua for one of a shell.
local function lua_pattern(text)
  local signs = { ["*"] = "[^/]*", ["?"] = "[^/]", ["**"] = ".*" }
  return "^" .. text:gsub("%*%*?", function(sign) return "\0" .. #sign end)
    :gsub("[%^%$%(%)%%%.%[%]%+%-]", "%%%0"):gsub("%?", "[^/]")
    :gsub("\0(%d)", function(count) return signs[("*"):rep(tonumber(count))] end) .. "$"
end

--- Watches a file, a folder, or the files that match a pattern.
---@async
---@param path string
function Files:add_also(path)
  path = plain(path)
  local folder, pattern = path:gsub("/+$", ""), nil
  if path:find "[*?]" then
    folder = split(path:match "^[^*?]*" .. "x"):gsub("/+$", "")
    pattern = lua_pattern(path)
  elseif (unless_failing(fs.stat, path) or {}).type ~= "directory" then
    return self:add(path)
  end
  table.insert(self.patterns, { folder = folder, pattern = pattern })
  follow(self, folder, true)
  unless_failing(function()
    for found, entry in fs.walk(folder, { errors = "skip" }) do
      found = plain(found)
      if entry.type ~= "directory" and matches(self, found) then
        self.marks[found] = mark_of(found)
      end
    end
  end)
end

--- Returns the files with contents that differ from what was last seen, and remembers them.
--- Watches again what was lost with its folder.
---@async
---@param paths table<string, boolean>
---@return string[] changed, sorted
---@return string[] removed
function Files:look(paths)
  local changed, removed = {}, {}
  for path in pairs(paths) do
    local before, now = self.marks[path], mark_of(path)
    if before ~= now then
      self.marks[path] = now
      table.insert(now == "" and removed or changed, path)
    end
    follow(self, existing_folder(path))
  end
  table.sort(changed)
  table.sort(removed)
  return changed, removed
end

local files = {}

--- Returns a set of files without any.
function files.new(group, on_event)
  return setmetatable({ group = group, marks = {}, folders = {}, patterns = {},
    on_event = on_event }, Files)
end

return files
