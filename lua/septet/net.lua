-- SPDX-License-Identifier: MIT
--- Connections over TCP and unix sockets, and servers that accept them.
---@class septet.net
local net = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local addresses = require "septet.http.addresses"
local serve = require "septet.net.serve"

local MAX_LINE = 1024 * 1024 -- bytes
local BACKLOG = 511          -- connections; more than the kernel's limit is cut to that
local MAX_CONNECTIONS = 1000000

local Server = core.net_server_methods -- its other methods are in C

-- Raises Usage unless the options name a host and a port, or a path.
local function check_target(options, what)
  local host, port, path = options.host, options.port, options.path
  if path and (host or port) then
    args.usage("bad options to '%s' (either 'path', or 'host' and 'port')", what)
  end
  for name, text in pairs { host = host, path = path } do
    if text:find("\0", 1, true) then
      args.usage("bad option '%s' to '%s' (a NUL in it)", name, what)
    end
  end
end

local function check_port(port, least, what)
  if math.type(port) ~= "integer" or port < least or port > 65535 then
    args.usage("bad option 'port' to '%s' (a whole number from %d to 65535 expected, got %s)", what,
      least, type(port) == "number" and tostring(port) or type(port))
  end
end

-- Returns the rules of `allow` and `deny` as the core takes them, or nil.
local function policy_of(options)
  if not options.allow and not options.deny then return nil end
  local policy, bad = core.net_policy(addresses.rules(options.allow, "allow"),
    addresses.rules(options.deny, "deny"))
  if not policy then args.usage("bad rule '%s' to 'connect'", bad) end
  return policy
end

---@class septet.ConnectOptions
---@field host string|nil a name or an address; none
---@field port integer|nil of `host`; none
---@field path string|nil of a unix socket, in place of `host` and `port`; none
---@field timeout number|nil seconds for connecting, and for each later read and write; 10 for
---connecting, then none
---@field allow string|string[]|nil rules for the only targets, as of a session; everywhere
---@field deny string|string[]|nil rules for denied targets, allowed or not; nowhere
---@field resolver string|nil DNS servers, as of a session; the system's
---@field max_line integer|nil longest line in bytes; 1 MiB

local connect_options = { host = "string", port = "any", path = "string", timeout = "seconds",
  allow = "any", deny = "any", resolver = "string", max_line = "size" }

--- Waits until a connection is open. Raises IoError.
---@async
---@param options septet.ConnectOptions
---@return septet.Connection
function net.connect(options)
  options = args.options(options, connect_options, "connect")
  check_target(options, "connect")
  local path = options.path
  if not path then
    if not options.host then args.usage "bad options to 'connect' ('host' or 'path' expected)" end
    check_port(options.port, 1, "connect")
  elseif options.allow or options.deny or options.resolver then
    args.usage "bad options to 'connect' ('allow', 'deny' and 'resolver' are for a 'host')"
  end
  return core.net_connect(options.host, options.port, path, options.timeout,
    options.max_line or MAX_LINE, policy_of(options), addresses.resolver(options.resolver))
end

---@class septet.ListenOptions
---@field host string|nil an address, or "localhost"; "127.0.0.1"
---@field port integer|nil 0 stands for a free one; 0
---@field path string|nil of a unix socket, in place of `host` and `port`; none
---@field backlog integer|nil connections that the kernel queues; 511
---@field max_connections integer|nil connections that are open at once; 1000000
---@field timeout number|nil seconds for each read and write of its connections; no limit
---@field max_line integer|nil longest line of its connections in bytes; 1 MiB

local listen_options = { host = "string", port = "any", path = "string", backlog = "count",
  max_connections = "count", timeout = "seconds", max_line = "size" }

--- Returns a server, which listens. Raises IoError.
---@param options septet.ListenOptions|nil
---@return septet.Server
function net.listen(options)
  options = args.options(options, listen_options, "listen")
  check_target(options, "listen")
  local path, host, port = options.path, nil, nil
  if not path then
    host, port = options.host or "127.0.0.1", options.port or 0
    check_port(port, 0, "listen")
  end
  return core.net_listen(host, port, path, options.backlog or BACKLOG,
    options.max_connections or MAX_CONNECTIONS, options.timeout, options.max_line or MAX_LINE)
end

Server.serve = args.method(serve, "serve", "server", { [core.net_server_meta] = true })

return args.module(net, "septet.net")
