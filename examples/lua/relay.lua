-- SPDX-License-Identifier: MIT
-- Passes webhooks on: relay.lua PORT URL DEAD_LETTERS
-- Accepts POST requests, answers at once, and delivers each body to URL, with retries. What cannot
-- be delivered is appended to the file of dead letters.
local task, http, sync = require "septet.task", require "septet.http", require "septet.sync"
local fs, json, testing = require "septet.fs", require "septet.json", require "septet.testing"

local port, target, dead_letters = tonumber(arg[1]), arg[2], arg[3]
local session <close> = http.session {
  timeout = 10, retries = { attempts = 5, methods = { "POST" } },
}
local queue = sync.channel(1000)

local function deliver(hook)
  local ok, response = task.pcall(session.post, session, target,
    { body = hook.body, headers = { ["Content-Type"] = hook.type } })
  if ok and response.status < 400 then return end
  hook.error = ok and "status " .. response.status or response.message
  fs.append(dead_letters, json.encode(hook) .. "\n")
end

local server <close> = testing.serve(function(request)
  if request.method ~= "POST" then return { status = 405 } end
  local accepted = queue:try_send { body = request.body, type = request.headers["content-type"] }
  return { status = accepted and 202 or 503 }
end, { port = port })
print("listening on " .. server.url)
task.group(function(group)
  for _ = 1, 8 do
    group:spawn(function()
      for hook in queue:iter() do deliver(hook) end
    end)
  end
end)
