-- SPDX-License-Identifier: MIT
-- The prompt: reads lines and runs each as a task. Without a terminal, it reads them from standard
-- input, without a prompt.
local session = {}

local core = require "septet.core"
local evaluate = require "septet.repl.evaluate"
local hidden = require "septet.trace.hidden"
local modules = require "septet.repl.modules"

local GLOBALS = 2 -- LUA_RIDX_GLOBALS
local FIRST, NEXT = "> ", ">> "

local LOCAL_HINT = "note: a local is gone after its line; without 'local', the name stays"

local function new(term)
  local self = { term = term, globals = debug.getregistry()[GLOBALS], number = 0,
    is_terminal = term.is_terminal, colour = false, hinted = false }
  modules.install(self.globals)
  return self
end

-- Adds a line to what was typed so far, and runs it if it is whole. Returns what is typed so far if
-- it is not, or nil.
local function take(self, typed, line)
  local text = typed and typed .. "\n" .. line or line
  if text:find "^%s*:%a" then
    self.term.raw(false)
    local is_command, more = require("septet.repl.commands").run(self, text)
    if is_command then return more end
  end
  if not text:find "%S" then return nil end
  local fn, problem, is_unfinished = evaluate.compile(self.globals, text)
  if is_unfinished then return text end
  self.number, self.text = self.number + 1, text
  if not fn then
    self.print_error(problem)
    return nil
  end
  self.term.raw(false) -- for what reads standard input itself
  evaluate.run(self, fn)
  if not self.hinted and text:find "^%s*local%s+[%a_]" and self.is_terminal then
    self.hinted = true
    self.print(LOCAL_HINT)
  end
  return nil
end

-- --- without a terminal ---

local function run_lines(self)
  self.width = function() return 80 end
  self.print = function(text) io.stdout:write(text, "\n") end
  self.print_error = function(text)
    io.stdout:flush()
    io.stderr:write("septet: ", text, "\n")
  end
  self.note = function(text) io.stderr:write(text) end
  local typed, is_first = nil, true
  for line in core.io_stdin(1 << 24):lines() do
    if is_first then line = line:gsub("^\u{FEFF}", ""):gsub("^#!.*", "") end
    typed, is_first = take(self, typed, line), false
    if self.leaves then return 0 end
  end
  if typed then
    self.print_error((select(2, evaluate.compile(self.globals, typed:gsub("^%s*:time", "")))))
  end
  return 0
end

-- --- on a terminal ---

-- The task that reads a line. An interrupt ends it.
local function reading(self)
  core.foreground(true)
  local ok, result
  if self.term.leaves() then
    ok, result = true, "interrupt"
  else
    ok, result = core.try(self.editor.read, self.editor)
  end
  self.editor.active = false
  core.foreground(false)
  if not ok and not core.is(result, "Cancelled") then core.raise(result) end
  return ok and result or "interrupt"
end

-- Spawns a task of the prompt itself.
local function own(spawn, name, ...)
  local t = spawn(...)
  t.name = "prompt: " .. name
  hidden.add(t)
  return t
end

-- Reads a line. Returns "line", "end" or "interrupt".
local function read_line(self, prompt)
  local editor = self.editor
  editor.prompt = prompt
  self.term.raw(true)
  local ok, result, traceback = core.try(function()
    local t = own(core.spawn, "typing", reading, self)
    return t:await()
  end)
  editor:leave()
  if ok then return result end
  if core.is(result, "Cancelled") then core.raise(result, traceback) end
  evaluate.print_error(self, result, traceback) -- a slice of it was too long
  return "failed"
end

-- Draws the line again while it is typed, after others have printed or the width has changed.
local function watch(self)
  while true do
    local continued = self.term.changed()
    if self.editor.active then
      if continued then self.term.show "" end -- the cursor is where others have left it
      if not self.term.is_shown() and not self.screen.open_line then self.screen:put "\r\27[J" end
      self.editor:refresh()
    end
  end
end

local function prepare(self)
  local screen = require("septet.repl.screen").new(self.term)
  local history = require("septet.repl.history").new(self.term.keeps_history)
  self.screen, self.history, self.colour = screen, history, screen.colour
  local editor = require(screen.dumb and "septet.repl.plain" or "septet.repl.editor")
  if screen.dumb then self.term.raw = function() end end
  self.editor = editor.new(screen, core.io_stdin(1 << 24), history,
    function(text) return require("septet.repl.complete").words(self.globals, text) end)
  self.width = function() return screen:columns() end
  self.print = function(text) screen:put(text .. "\n") end
  self.print_error = self.print
  self.note = function(text)
    self.term.hide()
    screen:put(text)
  end
  screen:watch(self.globals)
  core.foreground(false)
  own(core.background, "screen", watch, self)
  -- Nothing but a key may resume what runs. That is no deadlock.
  own(core.background, "keys", core.sleep, math.huge)
  if self.term.shows_banner then
    self.print("Septet " .. self.term.version .. "; :help helps, Ctrl-D leaves")
  end
end

local function run_prompt(self)
  prepare(self)
  local typed, interrupted, editor = nil, false, self.editor
  while not self.leaves and not self.term.leaves() do
    editor:clear()
    local result = read_line(self, typed and NEXT or FIRST)
    local text = editor:text()
    if result == "end" or self.term.leaves() then break end
    if result == "interrupt" then
      local is_empty = text == "" and not typed
      if is_empty and interrupted then break end
      interrupted, typed = is_empty, nil
      if is_empty then self.print "(Ctrl-C once more, or Ctrl-D, leaves)" end
    elseif result == "line" then
      interrupted = false
      self.history:add(text)
      typed = take(self, typed, text)
    end
  end
  return 0
end

--- Runs the prompt to its end. Returns the exit status.
---@async
function session.run(term)
  local self = new(term)
  if not term.is_terminal then return run_lines(self) end
  term.foreground = core.foreground
  hidden.add(core.current())
  local _ <close> = term -- signals act as in a script while tasks end
  return run_prompt(self)
end

return session
