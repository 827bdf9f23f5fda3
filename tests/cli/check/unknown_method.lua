-- SPDX-License-Identifier: MIT
-- Planted: methods and fields that an object does not have.
local http = require "septet.http"
local session <close> = http.session()
local r = session:get "http://127.0.0.1/"
print(r.staus, r.status_code) -- 6:9 unknown-name 6:18 unknown-name
print(session:fetch "http://127.0.0.1/") -- 7:15 unknown-name
