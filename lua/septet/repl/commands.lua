-- SPDX-License-Identifier: MIT
-- The commands of the prompt, which begin with a colon.
local commands = {}

local evaluate = require "septet.repl.evaluate"
local words = require "septet.pretty.words"

local HELP = [[
A line is Lua: an expression is shown, and _ is the value shown last. It is a
task and may wait; the tasks that it spawns go on while you type.
  :tree          the tasks, and what they wait for
  :trace on|off  a line for each spawn, wait, end and request
  :time CODE     how long an expression or statements take
  :doc NAME      the entry of the API, as :doc gather; :doc lists the modules
  :quit          ends, as Ctrl-D does
Tab completes, Up recalls lines, Ctrl-R searches them, and Ctrl-_ undoes.
Ctrl-C drops what is typed, or ends what runs; twice, it leaves.
The modules are there without require: task, http, json, fs, sync, ... and
septet.io for io.]]

local function add_tasks(lines, tree, indent)
  for _, t in ipairs(tree) do
    local waits = t.waits_for ~= "" and ", waits for " .. t.waits_for or ""
    lines[#lines + 1] = ("%s#%d '%s' %s%s"):format(indent, t.id, words.safe(t.name), t.status,
      words.safe(waits))
    add_tasks(lines, t.children, indent .. "  ")
  end
end

local all = {}

function all.help(self) self.print(HELP) end

function all.tree(self)
  local lines = {}
  for _, t in ipairs(require("septet.task").tree()) do
    if t.name == "prompt" then
      for _, child in ipairs(t.children) do
        if not child.name:find "^prompt" then add_tasks(lines, { child }, "") end
      end
    elseif not t.name:find "^prompt" then
      add_tasks(lines, { t }, "")
    end
  end
  self.print(#lines > 0 and table.concat(lines, "\n") or "no tasks")
end

function all.trace(self, argument)
  if argument == "on" then
    local out = { write = function(_, ...)
      local text = table.concat { ... }
      -- The tasks of the prompt would print a line for each key.
      text = text:gsub("[^\n]*\n", function(line)
        return line:find "^%s*%+?[%d.]+%s+#%d+ prompt" and "" or line
      end)
      if text ~= "" then self.note(text) end
    end }
    self.stop_trace = self.stop_trace or require("septet.trace").lines(out)
  elseif argument == "off" then
    if self.stop_trace then self.stop_trace() end
    self.stop_trace = nil
  else
    self.print(self.stop_trace and "the trace is on" or "the trace is off")
  end
end

function all.time(self, argument)
  local fn, problem, is_unfinished = evaluate.compile(self.globals, argument)
  if is_unfinished then return ":time " .. argument end
  if argument == "" then problem = "an expression or statements are expected, as in :time f()" end
  if not fn or argument == "" then return self.print_error(problem) end
  local now = require("septet.task").now
  self.number, self.text = self.number + 1, argument
  evaluate.run(self, function()
    local began = now()
    local results = table.pack(fn())
    self.print("took " .. words.duration(now() - began))
    return table.unpack(results, 1, results.n)
  end)
end

function all.doc(self, name)
  local ok, index = pcall(require, "septet.doc.index")
  if not ok then return self.print_error "the documentation is not part of this build" end
  local render = require "septet.doc.render"
  local function print_text(text) self.print((text:gsub("\n+$", ""))) end
  if name == "" then
    return print_text(render.list(index.modules(), "The modules; :doc NAME shows one:",
      self.width()))
  end
  local entry = index.find(name)
  local found = entry and { entry.name } or index.ending(name)
  if #found == 1 then return print_text(render.entry(index.find(found[1]), self.width())) end
  name = words.safe(name)
  if #found == 0 then
    return self.print_error(("no entry '%s'%s"):format(name, index.hint(name)))
  end
  print_text(render.list(found, ("%d entries are called '%s':"):format(#found, name), self.width()))
end

function all.quit(self) self.leaves = true end

--- Runs a command. Returns false if the line is none; or true, and what is typed so far if it is
--- unfinished.
---@async
function commands.run(self, line)
  local name, argument = line:match "^%s*:(%a+)%s*(.-)%s*$"
  if not name then return false end
  if all[name] then return true, all[name](self, argument) end
  self.print_error(("no command ':%s' (try :help)"):format(name))
  return true
end

return commands
