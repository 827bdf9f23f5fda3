-- SPDX-License-Identifier: MIT
-- An HTTP/1.1 server for tests and small tools. It belongs to the block that made it. It has none
-- of what a server on the internet needs: TLS, limits for each client, logs, reloads.
local args = require "septet.internal.args"
local blocks = require "septet.task.blocks"
local closers = require "septet.task.closers"
local connection = require "septet.testing.connection"
local core = require "septet.core"
local net = require "septet.net"
local sync = require "septet.sync"

local server = {}

local MAX_BODY = 16 * 1024 * 1024 -- bytes
local TIMEOUT = 30                -- seconds
local KEPT = 1000                 -- requests in the log
local CLEAN_UP = 5                -- seconds for handlers that are cancelled

--- Options of testing.serve(). The words after the last semicolon are the default.
---@class septet.ServeOptions
---@field host string|nil address to listen on; "127.0.0.1"
---@field port integer|nil to listen on; a free one
---@field path string|nil path of a unix socket, in place of host and port; none
---@field max_body integer|nil bytes of a request's body; 16 MiB
---@field max_connections integer|nil connections that are open at once; no limit
--- Seconds for a head, for each wait within a body, for a client that reads nothing, and between
--- two requests; 30
---@field timeout number|nil
---@field streams boolean|nil true: the handler is called before the body is received; false
---@field on_error (fun(err: any, request: septet.ServedRequest, traceback: string|nil))|nil called
---for a failure of the handler; none
---@field keep integer|nil number of the latest requests that `requests` has; 1000

local serve_options = { host = "string", port = "any", path = "string", max_body = "bytes",
  max_connections = "count", timeout = "seconds", streams = "boolean", on_error = "any",
  keep = "bytes" }

--- A server for tests.
---@class septet.TestServer
---@field url string "http://127.0.0.1:PORT", without a slash at its end
---@field host string|nil
---@field port integer|nil
---@field path string|nil of its unix socket
---@field requests septet.ServedRequest[] those received, oldest first
---@field errors any[] failures of the handler, and requests that were refused, as RequestError
---@field connections integer number of connections so far
---@field private count integer number of requests so far
---@field private listener septet.Server
---@field private task septet.Task
---@field private handler fun(request: septet.ServedRequest): any
local Server = {}
local server_meta = { __name = "septet.testing.Server", __metatable = false, __index = Server }

--- Creates a server.
---@param handler fun(request: septet.ServedRequest): any
---@param options septet.ServeOptions|nil
---@return septet.TestServer
function server.new(handler, options)
  args.callable(handler, 1, "serve")
  options = args.options(options, serve_options, "serve")
  if options.on_error ~= nil and not args.is_callable(options.on_error) then
    args.usage("bad option 'on_error' to 'serve' (function expected, got %s)",
      type(options.on_error))
  end
  local timeout = options.timeout or TIMEOUT
  local listener = net.listen { host = options.host, port = options.port, path = options.path,
    max_connections = options.max_connections, timeout = timeout }
  local host, port = listener.host, listener.port
  local shown = host and host:find(":", 1, true) and "[" .. host .. "]" or host
  local self = setmetatable({
    url = port and ("http://%s:%d"):format(shown, port) or "http://localhost",
    host = host, port = port, path = options.path, requests = {}, errors = {}, connections = 0,
    count = 0, handler = handler, listener = listener, timeout = timeout,
    max_body = options.max_body or MAX_BODY, streams = options.streams,
    on_error = options.on_error, keep = options.keep or KEPT, changed = sync.event(),
  }, server_meta)
  self.task = core.background(function()
    core.clock_aside(true) -- a virtual clock need not wait for clients of other programs
    listener:serve(function(accepted) connection.run(self, accepted) end)
  end)
  self.task.name = "server " .. self.url
  closers.add(self)
  return self
end

-- --- what its connections tell it ---

--- Counts a connection and returns its number.
---@private
---@return integer
function Server:connected()
  self.connections = self.connections + 1
  return self.connections
end

--- Notes a request.
---@private
function Server:received(request)
  self.count = self.count + 1
  self.requests[#self.requests + 1] = request
  if #self.requests > self.keep then table.remove(self.requests, 1) end
  self.changed:set()
  self.changed = sync.event()
end

--- Notes a request that was refused.
---@private
function Server:refused(err)
  self.errors[#self.errors + 1] = err
end

--- Reports a failure of the handler.
---@private
function Server:failed(request, err, traceback)
  self.errors[#self.errors + 1] = err
  local name = ("handler of %s %s"):format(request.method, request.path)
  local t
  if self.on_error then
    t = core.background(self.on_error, err, request, core.traceback(traceback))
  else
    t = core.background(core.raise, err, traceback)
  end
  t.name = name
end

-- --- methods ---

--- Waits until the server has received `n` requests in all, and returns the latest of these.
---@async
---@param n integer
---@return septet.ServedRequest
function Server:wait(n)
  if math.type(n) ~= "integer" or n < 1 then
    args.usage("bad argument #1 to 'wait' (a whole number from 1 expected, got %s)", tostring(n))
  end
  while self.count < n do self.changed:wait() end
  return self.requests[#self.requests - (self.count - n)]
end

--- Stops listening, and cancels the handlers that run. Does nothing if it is closed. Also called at
--- the end of a `<close>` variable and of the block that made it.
---@async
function Server:close()
  if self.closing then return end
  self.closing = true
  closers.remove(self)
  self.listener:close()
  self.task:cancel "the server is closed"
  blocks.cleanup(CLEAN_UP, pcall, self.task.await, self.task)
end
server_meta.__close = Server.close

function server_meta:__tostring()
  return ("server %s"):format(self.path and ("'%s'"):format(core.escape(self.path)) or self.url)
end

args.methods(Server, "server", { [server_meta] = true })
args.fields(Server, "server", "url host port path requests errors connections",
  "streams on_error closing before after")
return server
