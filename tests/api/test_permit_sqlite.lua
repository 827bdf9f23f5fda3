-- SPDX-License-Identifier: MIT
-- Scripts of test_permit_sqlite.c, with the functions of permit_fixture.h.
local jobs = require "septet.jobs"
local fs = require "septet.fs"
local asked, assert_asked, deny, folder = _G.asked, _G.assert_asked, _G.deny, _G.folder

local scripts = {}

local function refused(...)
  local ok, err = pcall(...)
  assert(not ok, "it was permitted")
  assert(err.kind == "IoError" and err.code == "denied", tostring(err))
end

function scripts.asks_for_both()
  local path = folder .. "/queue.db"
  local q <close> = jobs.open(path)
  q:put { key = "a" }
  assert_asked("read " .. path, "write " .. path)
end

function scripts.is_refused()
  for _, what in ipairs { "read", "write" } do
    local path = folder .. "/" .. what
    deny(what .. " " .. path)
    refused(jobs.open, path)
    deny ""
    asked()
    assert(not fs.exists(path))
  end
end

function scripts.is_refused_without_a_permit()
  refused(jobs.open, folder .. "/queue.db")
end

return scripts
