-- SPDX-License-Identifier: MIT
-- The files of a new project.
local json = require "septet.json"
local program = require "septet.command.program"

local files = {}

local main = [==[
-- Fetches pages at the same time and prints their sizes:
--
--   septet main.lua https://example.com https://example.org
--
-- Without URLs, it fetches from a server of its own, so that it runs offline.
local sizes = require "sizes"
local testing = require "septet.testing"

local urls = { ... }
local server <close> = testing.serve(function(request)
  return { delay = 0.1, body = ("x"):rep(#request.path * 100) }
end)
if #urls == 0 then
  urls = { server.url .. "/one", server.url .. "/three", server.url .. "/fifteen" }
end

for i, size in ipairs(sizes.of(urls)) do
  print(size, urls[i])
end
]==]

local module = [==[
-- The sizes of pages, which are fetched at the same time.
local http = require "septet.http"
local task = require "septet.task"

local sizes = {}

-- Returns the size of a page. Raises HttpError for a status such as 404.
local function size_of(url)
  return #http.get(url):raise_for_status().body
end

-- Returns the sizes of pages, in the order of their URLs.
function sizes.of(urls)
  return task.gather(task.map(size_of, urls))
end

return sizes
]==]

local test = [==[
-- Run it: septet test
local sizes = require "sizes"
local testing = require "septet.testing"

describe("sizes", function()
  it("come in the order of the URLs, also if the last page is there first", function()
    local server <close> = testing.serve(function(request)
      if request.path == "/long" then return { delay = 1, body = "a long one" } end
      return { body = "short" }
    end)
    local found = sizes.of { server.url .. "/long", server.url .. "/short" }
    expect(found[1]).equal(#"a long one")
    expect(found[2]).equal(#"short")
  end)

  it("of a page that is not there are an error", function()
    local server <close> = testing.serve(function() return { status = 404 } end)
    local ok, err = pcall(sizes.of, { server.url })
    expect(ok).falsy()
    expect(err.code).equal "status"
  end)
end)
]==]

--- Returns the folder of the definitions for editors: that beside the installed command, or that of
--- the build tree.
local function definitions()
  local command = program.table().path
  local folder = command:match "^(.*)/[^/]*$" or "."
  for _, place in ipairs { folder .. "/../share/septet/library", folder .. "/library" } do
    local dir = io.open(place .. "/septet.lua") or io.open(place)
    if dir then
      dir:close()
      return (place:gsub("/[^/]+/%.%./", "/"))
    end
  end
  return ((folder .. "/../share/septet/library"):gsub("/[^/]+/%.%./", "/"))
end

--- Returns the files, in the order in which they are written.
---@return { name: string, text: string }[]
function files.list()
  return {
    { name = ".luarc.json", text = json.encode({
      ["runtime.version"] = "Lua 5.4",
      ["workspace.library"] = json.array { definitions() },
    }, { indent = 2 }) .. "\n" },
    { name = "main.lua", text = main },
    { name = "sizes.lua", text = module },
    { name = "sizes_test.lua", text = test },
  }
end

return files
