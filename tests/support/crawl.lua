-- SPDX-License-Identifier: MIT
--- scripts/crawl.lua as a process beside the spec.
local crawl = {}

local command = require "command"
local fs, json, process = require "septet.fs", require "septet.json", require "septet.process"

local SCRIPT = SUPPORT .. "/../../scripts/crawl.lua"

--- Returns the words of its command line, for septet.process. `how` has options of the process.
---@param words string[]
---@param how table|nil
---@return table
function crawl.words(words, how)
  local line = { command.path, SCRIPT, table.unpack(words) }
  for name, value in pairs(how or {}) do line[name] = value end
  return line
end

--- Returns the rows of its output by their URLs. A URL that is there twice is an error.
---@param text string
---@return table<string, table>
function crawl.rows(text)
  local rows = {}
  for line in text:gmatch "[^\n]+" do
    local row = json.decode(line)
    equal(rows[row.url], nil, row.url .. " is there twice")
    rows[row.url] = row
  end
  return rows
end

--- Runs it to its end. Returns its rows by URL, its exit status and its standard error.
---@async
---@param ... string
---@return table<string, table>
---@return integer
---@return string
function crawl.run(...)
  local result = process.run(crawl.words { ... })
  if result.code == nil or result.code > 1 then
    error(("status %s\n%s"):format(result.code or result.signal, result.stderr))
  end
  return crawl.rows(result.stdout), result.code, result.stderr
end

--- The places of queues that several processes can open: functions that return the URL of a queue,
--- and an object to close.
crawl.places = {}

function crawl.places.redis()
  local server = require "redis".start { appendonly = "yes", appendfsync = "no" }
  return server:url "crawl", server
end

function crawl.places.file()
  local folder = fs.temp_dir()
  return folder.path .. "/crawl.db", folder
end

return crawl
