-- SPDX-License-Identifier: MIT
-- Scripts of test_permit_session.c, with the functions of permit_fixture.h.
-- check: globals origin
local task, http, sio = require "septet.task", require "septet.http", require "septet.io"
local asked, assert_asked, deny = _G.asked, _G.assert_asked, _G.deny

local scripts = {}
local here = origin:match "//(.+)$"

local function assert_denied(kind, fn, ...)
  local ok, e = pcall(fn, ...)
  assert(not ok and task.is(e, kind), tostring(e))
  assert(tostring(e):find("denied", 1, true), tostring(e))
end

function scripts.files_of_cookies_are_asked_about()
  local session <close> = http.session { cookies = true }
  local path = os.tmpname()
  asked()
  assert(session:save_cookies(path) == 0)
  assert_asked("write " .. path)
  assert(session:load_cookies(path) == 0)
  assert_asked("read " .. path)
  deny("write " .. path)
  assert_denied("IoError", session.save_cookies, session, path)
  deny("read " .. path)
  assert_denied("IoError", session.load_cookies, session, path)
  deny ""
  os.remove(path)
end

function scripts.a_reader_needs_a_permission_to_be_opened_and_an_upload_no_other()
  local path = os.tmpname()
  asked()
  local reader <close> = sio.open(path)
  assert_asked("read " .. path)
  assert(http.put(origin .. "/echo", { body = reader }).status == 200)
  assert_asked("connect " .. here, "connect " .. here)
  deny("read " .. path)
  assert_denied("IoError", function() http.put(origin, { body = sio.open(path) }) end)
  deny ""
  os.remove(path)
end

function scripts.fresh_and_repeated_requests_are_asked_about_each()
  local session <close> = http.session { fresh = true, resend = false, decode = false }
  for _ = 1, 2 do
    assert(session:get(origin .. "/bytes/1").status == 200)
    assert_asked("connect " .. here, "connect " .. here)
  end
  deny("connect " .. here)
  assert_denied("HttpError", session.get, session, origin .. "/bytes/1")
  assert(session:stats().connections_made == 2)
end

return scripts
