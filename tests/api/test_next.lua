-- SPDX-License-Identifier: MIT
-- The scripts of test_next.c, by name.
-- check: globals origin
-- check: allow global-in-function
local scripts = {}

function scripts.thousand_requests()
  local task, http = require "septet.task", require "septet.http"
  local session <close> = http.session { limit_per_host = 16 }
  n = 0
  task.group(function(g)
    for _ = 1, 16 do
      g:spawn(function()
        while n < 1000 do
          n = n + 1
          local response = session:get(origin .. "/bytes/100")
          assert(response.status == 200 and #response.body == 100)
        end
      end)
    end
  end)
end

return scripts
