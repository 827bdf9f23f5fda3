-- SPDX-License-Identifier: MIT
-- Finalizers that close a connection or a response while it is read, and those that have an object
-- whose own finalizer has run already.
local hash, html, http = require "septet.hash", require "septet.html", require "septet.http"
local net, task = require "septet.net", require "septet.task"
local command, origin = require "command", require "origin"

local BYTES = 1024 * 1024

-- Reads until a finalizer, which the collector runs while bytes become a string, has closed `r`.
local function read_until_closed(r)
  local closed = false
  setmetatable({}, { __gc = function()
    closed = true
    r:close()
  end })
  local ok, err = pcall(function()
    repeat until closed or not r:read(60000)
  end)
  r:close()
  return closed and (ok or err.kind)
end

local function each_closed(open)
  collectgarbage("incremental", 1, 10000)
  local closed = 0
  for _ = 1, 30 do
    local r, behind = open()
    if read_until_closed(r) then closed = closed + 1 end
    if behind then behind:await() end
  end
  collectgarbage("incremental", 200, 100)
  equal(closed > 20, true, closed)
end

describe("a finalizer that closes what is being read", function()
  it("a connection", function()
    local server <close> = net.listen {}
    each_closed(function()
      local writer = task.spawn(function()
        local c <close> = server:accept()
        pcall(c.write, c, ("x"):rep(BYTES))
      end)
      return net.connect { host = "127.0.0.1", port = server.port }, writer
    end)
  end)

  it("a streamed response", function()
    local session <close> = http.session()
    each_closed(function() return session:stream("GET", origin.url .. "/bytes/" .. BYTES) end)
  end)
end)

describe("a finalizer that uses what is gone", function()
  it("a hash raises Usage", function()
    local said
    local function drop()
      local object = setmetatable({}, { __gc = function(self)
        local _, err = pcall(self.hash.update, self.hash, "x")
        said = tostring(err)
      end })
      object.hash = hash.new "sha256"
    end
    drop()
    collectgarbage()
    collectgarbage()
    equal(said:find("the hash is gone", 1, true) ~= nil, true, said)
  end)

  it("a selector raises Usage at the end of the program", function()
    local printed, status = command.run [[
local html = require "septet.html"
local doc = html.parse "<p>x"
kept = setmetatable({}, { __gc = function() print(select(2, pcall(doc.first, doc, "p"))) end })
doc:first "p"]]
    equal(printed:find("the selector is gone", 1, true) ~= nil, true, printed)
    equal(status, 0)
    equal(html.parse "<p>x":first "p".tag, "p")
  end)
end)
