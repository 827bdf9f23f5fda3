-- SPDX-License-Identifier: MIT
-- Runs a command for each line of standard input, several at once: farm.lua N COMMAND [ARG...]
-- "{}" in an argument stands for the line. The output of each appears as a whole.
local task, process, sio = require "septet.task", require "septet.process", require "septet.io"

local failed = 0

local function run(line)
  local command = { timeout = 60, stderr = "inherit" }
  for i = 2, #arg do command[i - 1] = arg[i]:gsub("{}", (line:gsub("%%", "%%%%"))) end
  local ok, result = task.pcall(process.run, command)
  if ok then io.write(result.stdout) end
  if not ok or result.code ~= 0 then
    failed = failed + 1
    io.stderr:write(("%s: %s\n"):format(line, ok and "status " .. result.code or result.message))
  end
end

task.pool(tonumber(arg[1]), function(pool)
  for line in sio.stdin():lines() do pool:spawn(run, line) end
end)
os.exit(failed == 0)
