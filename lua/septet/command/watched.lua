-- SPDX-License-Identifier: MIT
-- Tells `septet watch` which Lua files a script loads, also those that it looks for in vain. Runs
-- in the process of the script, and is loaded only there.
local hash = require "septet.hash"

local watched = {}

local LARGEST <const> = 1024 * 1024 -- bytes of a file that is compared by its contents

-- Returns the digest of a file, so that a change after its load is seen, however soon; or "".
local function mark_of(path)
  local file <close> = io.open(path, "rb")
  local text = file and file:read(LARGEST + 1)
  if not text or #text > LARGEST then return "" end
  local ok, digest = pcall(hash.sha256, text)
  return ok and digest or ""
end

-- Appends paths and marks to the file that the other process reads, each ended by a NUL.
local function report(log, paths)
  local file <close> = io.open(log, "ab")
  for _, path in ipairs(file and paths or {}) do
    file:write(path, "\0", mark_of(path), "\0")
  end
end

-- Returns the files that are looked for in vain, of which the last may appear.
local function missing(name, path)
  local list = {}
  local file = name:gsub("%.", "/"):gsub("%%", "%%%%")
  for template in path:gmatch "[^;]+" do
    if template:sub(1, 1) ~= "/" then list[#list + 1] = (template:gsub("%?", file)) end
  end
  return list
end

-- A function of package.searchers that finds nothing itself.
local function searcher(log, package)
  local searchpath = package.searchpath
  return function(name)
    local path = package.path
    if type(path) ~= "string" then return nil end
    local found = searchpath(name, path)
    report(log, found and { found } or missing(name, path))
  end
end

--- Reports from now on what is loaded.
---@param log string path of a file that exists
---@param globals table those of the script
function watched.begin(log, globals)
  table.insert(globals.package.searchers, 2, searcher(log, globals.package))
  for _, name in ipairs { "dofile", "loadfile" } do
    local load = globals[name]
    globals[name] = function(path, ...)
      if type(path) == "string" then report(log, { path }) end
      return load(path, ...)
    end
  end
end

return watched
