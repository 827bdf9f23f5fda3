-- SPDX-License-Identifier: MIT
-- Planted: a module that there is not.
local http = require "septet.htp" -- 3:22 unknown-name
local own = require "septet.own"
local private = require "septet.http.retry"
return http, own, private
