-- SPDX-License-Identifier: MIT
-- What stops all tasks: Lua's functions and other libraries that wait for something else, and loops
-- that wait by going round. Scripts that use nothing of Septet have no tasks.
local rule = { name = "blocks" }

local tree = require "septet.check.tree"
local types = require "septet.check.types"

-- Lua's functions that stand still for as long as others please: see docs/blocking.md.
local FUNCTIONS <const> = {
  ["os.execute"] = "septet.process", ["io.popen"] = "septet.process",
  ["io.read"] = "io.stdin() of septet.io",
}

-- Modules that wait for the network or the clock by themselves.
local MODULES <const> = {
  socket = "septet.net", ["socket.http"] = "septet.http", ["ssl.https"] = "septet.http",
  ssl = "septet.net", cqueues = "septet.task", posix = "septet.process",
}

-- What a loop may read of a clock while it goes round.
local CLOCKS <const> = { ["os.clock"] = true, ["os.time"] = true }

-- Returns true if a condition can change only by what others do, or by the time.
local function only_looks(condition)
  local looks = true
  local function call(node)
    local member = types.called(node)
    local is_clock = CLOCKS[types.called_of_lua(node)] or member and member.name == "task.now"
    looks = looks and is_clock or false
  end
  tree.walk(condition, { Call = call, Invoke = call })
  return looks
end

-- Returns true if a file uses a module of Septet.
local function uses_septet(root)
  local found = false
  tree.walk(root, { Call = function(node)
    local known = not found and types.of(node)
    found = found or known and known.module ~= nil
  end })
  return found
end

--- Reports them.
function rule.check(file, report)
  if not uses_septet(file.tree) then return end
  local function loop(node)
    if #node.body.statements == 0 and only_looks(node.condition) then
      report(node.at, "this loop stops all tasks until it ends: use task.sleep, or wait for an "
        .. "event")
    end
  end
  tree.walk(file.tree, {
    While = loop,
    Repeat = loop,
    Call = function(node)
      local called = types.called_of_lua(node)
      if FUNCTIONS[called] then
        report(node.at, "'%s' stops all tasks until it returns: use %s", called, FUNCTIONS[called])
      elseif called == "require" and node.arguments[1] then
        local name = tree.bare(node.arguments[1]).value
        if MODULES[name] then
          report(node.at, "the module '%s' stops all tasks while it waits: use %s", name,
            MODULES[name])
        end
      end
    end,
  })
end

return rule
