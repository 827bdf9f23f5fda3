-- SPDX-License-Identifier: MIT
-- Hashes all the files of a folder in three stages: pipeline.lua FOLDER
-- Each stage waits while the next one is behind, so memory does not grow with the folder.
local task, sync = require "septet.task", require "septet.sync"
local fs, hash = require "septet.fs", require "septet.hash"

local paths, results = sync.channel(64), sync.channel(64)

task.group(function(group)
  group:spawn(function()
    for path, entry in fs.walk(arg[1]) do
      if entry.type == "file" then paths:send(path) end
    end
    paths:close()
  end)
  group:spawn(function()
    task.group(function(hashers)
      for _ = 1, 4 do
        hashers:spawn(function()
          for path in paths:iter() do results:send { path, hash.file(path) } end
        end)
      end
    end)
    results:close()
  end)
  for result in results:iter() do print(result[2] .. "  " .. result[1]) end
end)
