-- SPDX-License-Identifier: MIT
-- A chat on server-sent events: chat.lua URL NAME
-- Prints what others say, and posts each line of standard input. Lost connections come back, and
-- nothing is missed.
local task, http, sio = require "septet.task", require "septet.http", require "septet.io"
local json = require "septet.json"

local address, name = table.unpack(arg)
local session <close> = http.session()

task.race {
  function()
    for event in session:events(address) do
      local said = json.decode(event.data)
      print(said.name .. ": " .. said.text)
    end
  end,
  function()
    for line in sio.stdin():lines() do
      session:post(address, { json = { name = name, text = line } }):raise_for_status()
    end
  end,
}
