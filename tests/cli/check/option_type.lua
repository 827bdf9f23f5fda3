-- SPDX-License-Identifier: MIT
-- Planted: options of a wrong type.
local http, task = require "septet.http", require "septet.task"
local s <close> = http.session {
  limit = "4", -- 5:11 wrong-option
  cookies = 1, -- 6:13 wrong-option
  timeout = { connect = "3 s" }, -- 7:25 wrong-option
}
task.gather({ print }, { limit = 1.5 }) -- 9:34 wrong-option
