-- SPDX-License-Identifier: MIT
-- Mirrors the files of a list: mirror.lua URL FOLDER
-- The list is JSON: [{"name": "a.tar", "sha256": "…"}, …]. A file that is there and has its digest
-- is left alone. A transfer that was cut off goes on where it stopped.
local task, http, url = require "septet.task", require "septet.http", require "septet.url"
local fs, hash = require "septet.fs", require "septet.hash"

local list, folder = table.unpack(arg)
local session <close> = http.session { limit = 4, retries = 3 }

local function mirror(entry)
  local path = folder .. "/" .. entry.name
  if fs.exists(path) and hash.file(path) == entry.sha256 then return "kept" end
  session:save(url.resolve(list, entry.name), path, { resume = true, sha256 = entry.sha256 })
  return "fetched"
end

fs.mkdir(folder, { parents = true })
local entries = session:get(list):raise_for_status():json()
for i, result in ipairs(task.gather(task.map(mirror, entries))) do
  print(result, entries[i].name)
end
