-- SPDX-License-Identifier: MIT
-- A server of lines, for telnet or nc: line_server.lua PORT
-- Each line that a client sends goes to all others. A client that does not read is dropped.
local net, sync, task = require "septet.net", require "septet.sync", require "septet.task"

local server <close> = net.listen { host = "127.0.0.1", port = tonumber(arg[1]), timeout = 300 }
print("listening on port " .. server.port)
local outboxes = {}

local function send_to_others(own, text)
  for peer, outbox in pairs(outboxes) do
    if outbox ~= own and not outbox:try_send(text) then
      outboxes[peer] = nil
      outbox:close()
    end
  end
end

server:serve(function(client)
  local outbox = sync.channel(100)
  outboxes[client.peer] = outbox
  task.race {
    function()
      for line in client:lines() do send_to_others(outbox, client.peer .. " " .. line .. "\n") end
    end,
    function()
      for text in outbox:iter() do client:write(text) end
    end,
  }
  outboxes[client.peer] = nil
end)
