-- SPDX-License-Identifier: MIT
-- An error that has no words, or whose words fail, is reported all the same.
-- check: allow cannot-wait
local task = require "septet.task"

local strange = {
  raises = setmetatable({}, { __tostring = function() error "boom" end }),
  waits = setmetatable({}, { __tostring = function()
    task.sleep(1)
    return "late"
  end }),
  ["returns nil"] = setmetatable({}, { __tostring = function() return nil end }),
  ["returns a table"] = setmetatable({}, { __tostring = function() return {} end }),
  ["is no function"] = setmetatable({}, { __tostring = 7 }),
  ["raises itself"] = setmetatable({}, { __tostring = function(self) error(self) end }),
  none = {},
}

for how, err in pairs(strange) do
  it(("T-R: an error whose __tostring %s is in an ErrorGroup"):format(how), function()
    local function raising_frame() error(err) end
    local group = raises_error({ kind = "ErrorGroup" }, task.group, function(g)
      g:spawn(raising_frame)
    end)
    equal(tostring(group):find "words_spec.lua:%d+: in " ~= nil, true, how)
    equal(rawequal(group.errors[1], err), true)
  end)

  it(("X-8: an error whose __tostring %s reaches on_unhandled as it is"):format(how), function()
    local report
    task.on_unhandled = function(t, got, traceback) report = { t, got, traceback } end
    task.timeout(1, function()
      task.spawn(function() error(err) end)
      turns(3)
    end)
    turns(3)
    equal({ rawequal(report[2], err), report[3]:find "words_spec.lua:%d+: in " ~= nil },
      { true, true })
  end)
end

it("T-R: a name that is no string is refused as what it is", function()
  local t = task.spawn(function() end)
  misuse("bad value for a task's name %(string expected, got number%)", function() t.name = 42 end)
  misuse("bad value for a task's name %(string expected, got nil%)", function() t.name = nil end)
  t:await()
end)

it("T-R: an __index that waits under ipairs is reported with the name of ipairs", function()
  local list = setmetatable({}, { __index = function() task.sleep(0) end })
  local err = raises_error({ kind = "Usage" }, function()
    for _ in ipairs(list) do error "not reached" end
  end)
  equal(err.message:find("called from 'ipairs'", 1, true) ~= nil, true, err.message)
end)
