-- SPDX-License-Identifier: MIT
-- Scripts of test_permit_process.c, with the functions of permit_fixture.h.
local process, task = require "septet.process", require "septet.task"
local asked, assert_asked, allow = _G.asked, _G.assert_asked, _G.allow

local scripts = {}

local function assert_denied(options, path)
  for _, start in ipairs { process.run, process.spawn } do
    local ok, err = pcall(start, options)
    assert(not ok and task.is(err, "IoError") and err.code == "denied", tostring(err))
    assert(err.path == path, tostring(err.path))
  end
end

function scripts.all_is_denied()
  assert_denied({ "true" }, "true")
  assert_denied({ "/bin/true", group = true }, "/bin/true")
  assert_denied({ "true", shell = true }, "/bin/sh")
  assert_denied({ "true", stdin = "inherit", stdout = "null", stderr = "null" }, "true")
end

function scripts.it_is_asked_about_the_command()
  allow "run true"
  assert(process.run({ "true" }).code == 0)
  assert_asked "run true"
  process.spawn({ "true" }):wait()
  assert_asked "run true"
  assert_denied({ "false" }, "false")
  assert_asked "run false\nrun false"
  assert_denied({ "/bin/true" }, "/bin/true")
  assert_denied({ "true", shell = true }, "/bin/sh")
  asked()
end

function scripts.it_is_asked_about_files_and_standard_input()
  allow "run true"
  assert_denied({ "true", stdin = "inherit" }, "/dev/stdin")
  assert_asked "run true\nread /dev/stdin\nrun true\nread /dev/stdin"
  assert_denied({ "true", stdout = "/tmp/septet-denied" }, "/tmp/septet-denied")
  assert_denied({ "true", stderr = "/tmp/septet-denied" }, "/tmp/septet-denied")
  assert_asked(("run true\nwrite /tmp/septet-denied"):rep(4, "\n"))
  allow "write /tmp/septet-denied"
  assert_denied({ "true", stdout = "/tmp/septet-denied" }, "true")
end

function scripts.the_folder_belongs_to_a_relative_path()
  allow "run bin/true"
  assert_denied({ "bin/true", cwd = "/usr" }, "/usr/bin/true")
  assert_asked(("run /usr/bin/true"):rep(2, "\n"))
  allow "run /usr/bin/true"
  assert(process.run({ "bin/true", cwd = "/usr" }).code == 0)
  assert(process.run({ "/usr/bin/true", cwd = "/tmp" }).code == 0)
  assert_asked(("run /usr/bin/true"):rep(2, "\n"))
end

function scripts.no_way_leads_past_it()
  allow "run true"
  local marker = "/tmp/septet-denied-marker"
  -- the PATH that the program gets is not the one in which it is looked for
  assert(process.run({ "true", env = { PATH = "." }, cwd = "/tmp" }).code == 0)
  assert(process.run({ "true", clear_env = true }).code == 0)
  -- a table that changes between the check and the use
  local reads = 0
  local changing = setmetatable({}, {
    __len = function() return 1 end,
    __index = function(_, key)
      reads = reads + 1
      if key == 1 then return reads == 1 and "true" or "touch" end
      if key == 2 then return marker end
    end,
  })
  pcall(process.run, changing)
  for word in asked():gmatch "run ([^\n]*)" do assert(word == "true", word) end
  assert_denied({ "touch", marker }, "touch")
  assert_denied({ "true; touch " .. marker, shell = true }, "/bin/sh")
  assert_denied({ "true ", marker }, "true ")
  assert_denied({ "./true", cwd = "/bin" }, "/bin/./true")
  assert(not pcall(process.run, { "true\0/../touch", marker }))
  assert(not pcall(require, "septet.core"))
  assert(not pcall(require, "septet.process.command"))
  allow "run /bin/sh"
  assert_denied({ "sh", "-c", "touch " .. marker }, "sh")
  assert(process.run({ "exit 3", shell = true }).code == 3)
end

function scripts.a_program_that_reads_nothing()
  local p <close> = process.spawn { "exec 0<&-; echo ready; exec sleep 60", shell = true }
  assert(p.stdout:read_line() == "ready")
  local ok, err = pcall(function() for _ = 1, 100 do p.stdin:write(("x"):rep(65536)) end end)
  assert(not ok and err.code == "EPIPE")
  assert(process.run({ "true", stdin = ("x"):rep(1000000) }).code == 0)
end

function scripts.processes_in_the_background()
  local p = process.spawn { "sleep", "60", background = true }
  _G.pid = p.pid
end

return scripts
