-- SPDX-License-Identifier: MIT
-- Planted: what stops all tasks.
local task = require "septet.task"
os.execute "sleep 1" -- 4:1 blocks
local out = io.popen "date" -- 5:13 blocks
local line = io.read() -- 6:14 blocks
local socket = require "socket" -- 7:16 blocks
local until_when = os.time() + 1
while os.time() < until_when do end -- 9:1 blocks
task.sleep(1)
return out, line, socket
