-- SPDX-License-Identifier: MIT
-- Calls a function for each connection of a server, each in a task of its own.
local core = require "septet.core"
local args = require "septet.internal.args"
local task = require "septet.task"

-- Warns of a function that failed. That a peer leaves is not the function's fault.
local function note(server_name, err)
  if core.is(err, "IoError") and (err.code == "ECONNRESET" or err.code == "EPIPE") then return end
  core.warn(("a connection of '%s' failed: %s"):format(server_name, core.words(err)))
end

---@async
local function handle(server_name, connection, fn)
  local c <close> = connection
  local ok, err, traceback = core.try(fn, c)
  if ok then return end
  if core.is(err, "Cancelled") then core.raise(err, traceback) end
  note(server_name, err)
end

--- Accepts connections until the server is closed, and calls fn(connection) for each in a task of
--- its own, which closes it. Then waits for those tasks.
---@async
---@param server septet.Server
---@param fn async fun(connection: septet.Connection)
local function serve(server, fn)
  args.callable(fn, 1, "serve")
  local name = server.path or ("%s:%d"):format(server.host, server.port)
  task.group(function(group)
    for connection in server:connections() do
      core.scope_spawn_shown(group, nil, fn, handle, name, connection, fn)
    end
  end)
end

return serve
