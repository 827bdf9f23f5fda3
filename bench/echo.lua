-- SPDX-License-Identifier: MIT
-- echo.lua N: a TCP echo server. Prints its port, and ends when N connections have ended.
local net = require "septet.net"

local left = tonumber(arg[1])
local server = net.listen()
print(server.port)
io.stdout:flush()

server:serve(function(c)
  for bytes in function() return c:read(65536) end do
    c:write(bytes)
  end
  left = left - 1
  if left == 0 then server:close() end
end)
