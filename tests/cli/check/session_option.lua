-- SPDX-License-Identifier: MIT
-- Planted: an option that a session does not have.
local http = require "septet.http"
local s <close> = http.session {
  limt = 4, -- 5:3 unknown-option
  tls = { cafile = "x" }, -- 6:11 unknown-option
}
