-- SPDX-License-Identifier: MIT
--- A Redis server of the test's own, on a unix socket in a folder of its own. Nothing is left of
--- it.
local redis = {}

local fs = require "septet.fs"
local net = require "septet.net"
local process = require "septet.process"

local core = debug.getregistry()["septet.core"]

---@class Server
---@field folder string
---@field path string of its socket
local Server = {}
Server.__index = Server

local function command_line(self)
  -- the server ends with this process, however that ends
  local line = { "setpriv", "--pdeathsig", "KILL", "redis-server", "--port", "0",
    "--bind", "127.0.0.1", "--unixsocket", self.path, "--dir", self.folder,
    "--save", "", "--loglevel", "notice" }
  for name, value in pairs(self.options) do
    line[#line + 1], line[#line + 2] = "--" .. name, tostring(value)
  end
  return line
end

-- Starts it, and returns once it takes connections, or has ended.
local function start(self)
  local line = command_line(self)
  line.stdin, line.stderr, line.background, line.grace = "null", "stdout", true, 5
  os.remove(self.path)
  self.process = process.spawn(line)
  local said = {}
  for text in self.process.stdout:lines() do
    said[#said + 1] = text
    if text:find("ready to accept connections", 1, true) or
      text:find("Ready to accept connections", 1, true) then return self end
  end
  error("redis-server did not start:\n" .. table.concat(said, "\n"))
end

--- Returns a port that nothing listens on.
function redis.free_port()
  local probe <close> = net.listen()
  return probe.port
end

--- Starts a server. `options` are those of its configuration; without `port` it has a unix socket
--- alone.
---@async
---@param options table<string, string|integer>|nil
---@return Server
function redis.start(options)
  local folder = fs.temp_dir()
  local self = setmetatable({ folder = tostring(folder.path or folder), temporary = folder,
    options = options or {} }, Server)
  self.path = self.folder .. "/s"
  return start(self)
end

--- Returns the URL of a queue on it.
function Server:url(queue, password)
  return ("unix://%s?queue=%s%s"):format(self.path, queue or "jobs",
    password and "&password=" .. password or "")
end

--- Runs commands, each a list, and returns their replies.
---@async
function Server:commands(list)
  local conn <close> = assert(core.redis_connect(nil, nil, self.path, 5, 30, 1 << 28))
  return assert(conn:commands(list))
end

--- Runs one command, and returns its reply. Fails if that is an error.
---@async
function Server:command(...)
  local reply = self:commands({ { ... } })[1]
  if type(reply) == "table" and reply.error then error(reply.error, 2) end
  return reply
end

--- Ends it as a crash does. Returns once it is gone.
---@async
function Server:kill()
  self.process:kill "KILL"
  self.process:close()
end

--- Ends it in good order.
---@async
function Server:stop()
  self.process:kill "TERM"
  self.process:close()
end

--- Starts it again on what it has in its folder.
---@async
function Server:restart() return start(self) end

--- Stops its execution, and lets it go on.
function Server:freeze() self.process:kill "STOP" end
function Server:thaw() self.process:kill "CONT" end

---@async
function Server:close()
  self.process:kill "KILL"
  self.process:close()
  self.temporary:close()
end
Server.__close = Server.close

return redis
