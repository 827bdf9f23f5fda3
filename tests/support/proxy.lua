-- SPDX-License-Identifier: MIT
--- A proxy in front of a unix socket that cuts a connection at a chosen byte, or changes what the
--- server says.
local proxy = {}

local net = require "septet.net"
local task = require "septet.task"

local PIECE = 65536 -- bytes

---@class Proxy
---@field path string
---@field connections integer number of those made so far
---@field passed table<string, integer> bytes of the last connection, "up" and "down"
---@field limit table|nil { direction, bytes }: the next connection that passes so many is cut
---@field edit function|nil returns what is passed on of a piece: fn(direction, bytes)
---@field admit function|nil is called for a new connection, which is refused if it returns false
local Proxy = {}
Proxy.__index = Proxy

-- Passes bytes on until the end, or the limit.
local function pump(self, direction, from, to, cut)
  while true do
    local bytes = from:read(PIECE)
    if not bytes then return end
    local limit, passed = self.limit, self.passed[direction]
    self.passed[direction] = passed + #bytes
    if self.edit then bytes = self.edit(direction, bytes) end
    if limit and limit[1] == direction and passed + #bytes >= limit[2] then
      self.limit = nil
      if limit[2] > passed then to:write(bytes:sub(1, limit[2] - passed)) end
      cut()
      return
    end
    to:write(bytes)
  end
end

local function serve_one(self, client)
  self.connections = self.connections + 1
  self.passed = { up = 0, down = 0 }
  if self.admit and self.admit() == false then return client:close() end
  local ok, server = pcall(net.connect, { path = self.target })
  if not ok then return end
  local function cut()
    client:close()
    server:close()
  end
  local up = task.spawn(function()
    pcall(pump, self, "up", client, server, cut)
    cut()
  end)
  pcall(pump, self, "down", server, client, cut)
  cut()
  task.wait { up }
end

--- Starts a proxy at `path` in front of the socket `target`.
---@async
function proxy.start(path, target)
  local self = setmetatable({ path = path, target = target, connections = 0, passed = {} }, Proxy)
  self.server = net.listen { path = path }
  self.task = task.spawn(function() self.server:serve(function(c) serve_one(self, c) end) end)
  return self
end

---@async
function Proxy:close()
  self.task:cancel()
  task.wait { self.task }
  self.server:close()
end
Proxy.__close = Proxy.close

return proxy
