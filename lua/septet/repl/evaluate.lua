-- SPDX-License-Identifier: MIT
-- Compiles what is typed, runs it as a task in the foreground, and shows what it gives.
local evaluate = {}

local core = require "septet.core"
local hidden = require "septet.trace.hidden"

local NAME = "=prompt"
local LONGEST_ERROR = 4000

local try, foreground = core.try, core.foreground

-- Returns true if a text that fails with this message can become right by lines that follow it.
local function is_unfinished(text, message)
  if message:sub(-5) ~= "<eof>" or message:find "%(limit is %d+%)" then return false end
  local _, before_next = load(text .. "\n", NAME, "t", {})
  return before_next ~= nil and before_next:sub(-5) == "<eof>" -- not so in a quoted string
end

-- Returns the message that tells more: that of statements, unless these end at the first word.
local function clearer(text, of_expression, of_statements)
  local word = of_statements:match "near '(.*)'$"
  local is_first = word and text:match "^%s*(.*)":sub(1, #word) == word
  return is_first and of_expression or of_statements
end

--- Returns the function of a text: of an expression, or of statements. If there is none, returns
--- nil, a message, and true if more is needed.
---@param globals table
---@param text string
---@return function|nil fn
---@return string|nil message
---@return boolean|nil is_unfinished
function evaluate.compile(globals, text)
  text = text:gsub("^%s*=", "return ", 1)
  local expression = "return " .. text
  local fn, of_expression = load(expression, NAME, "t", globals)
  if fn then return fn end
  local of_statements
  fn, of_statements = load(text, NAME, "t", globals)
  if fn then return fn end
  if is_unfinished(text, of_statements) then return nil, of_statements, true end
  if is_unfinished(expression, of_expression) then return nil, of_expression, true end
  return nil, clearer(text, of_expression, of_statements)
end

local function show(self, value)
  return require("septet.pretty").format(value, { width = self.width(), colour = self.colour })
end

-- Loaded later, as the prompt opens without it.
local function safe(text) return require("septet.pretty.words").safe(text) end

-- Returns the lines of a traceback above the typed one. None of them tell more than the message if
-- the error is of the line itself.
local function places(traceback)
  local lines, tells = {}, false
  for line in (traceback or ""):gmatch "[^\n]+" do
    if line:find "prompt:%d+: in main chunk" or line:find "in function <prompt:" then break end
    if line:find "\t[^%[][^\n]-:%d+: in " then tells = true end
    lines[#lines + 1] = line
  end
  return tells and "\n" .. safe(table.concat(lines, "\n")) or ""
end

local function error_text(self, err, traceback)
  if core.is(err, "Cancelled") and err.source == "shutdown" then
    return err.reason == "interrupted" and "interrupted" or nil -- os.exit says nothing
  end
  if type(err) == "string" then
    if #err > LONGEST_ERROR then err = err:sub(1, LONGEST_ERROR) .. "…" end
    return safe(err) .. places(core.traceback(traceback))
  end
  local text = require("septet.pretty").format(err, { width = self.width() })
  return text .. places(core.traceback(traceback))
end

local function print_error(self, err, traceback)
  local text = error_text(self, err, traceback)
  if not text then return end
  if self.colour then text = ("\27[31m%s\27[0m"):format(text) end
  self.print_error(text)
end

-- Returns true if the text calls `write` of a file, which gives the file for a further call.
local function is_write(text)
  return text:find "^%s*[%a_][%w_.]*[.:]write%s*[%(\"'%[]" ~= nil
end

-- Shows the values of a line.
local function print_values(self, results)
  if results.n > 0 then rawset(self.globals, "_", results[1]) end
  if results.n == 1 and io.type(results[1]) and is_write(self.text) then return end
  for i = 1, results.n do self.print(show(self, results[i])) end
end

-- Runs the function, and shows its values or its error. Returns true if it succeeded.
local function run(self, fn)
  local results = table.pack(try(fn))
  if not results[1] then
    print_error(self, results[2], results[3])
    return false
  end
  local values = table.pack(table.unpack(results, 2, results.n))
  local ok, err, traceback = try(print_values, self, values)
  if not ok then print_error(self, err, traceback) end
  return ok
end

-- The task of a line. The tasks that it spawned go on after it, and are its own.
local function line_task(self, fn, done)
  local scope = core.scope(false, false)
  if self.is_terminal then foreground(true) end
  if not self.term.leaves() then try(run, self, fn) end
  if self.is_terminal then foreground(false) end
  done:set()
  core.scope_join(scope)
  core.scope_close(scope)
end

-- Lets the prompt go on if the task of a line ends in the middle of it, as a slice that is too long
-- ends it.
local function watch(t, done)
  local ok, err, traceback = try(t.await, t)
  if not ok and not done:is_done() then done:set(err, traceback) end
end

--- Runs a function in the foreground.
---@async
function evaluate.run(self, fn)
  local done = core.future()
  local t = core.spawn(line_task, self, fn, done)
  t.name = ("line %d"):format(self.number)
  local watcher = core.spawn(watch, t, done)
  watcher.name = ("prompt: line %d"):format(self.number)
  hidden.add(watcher)
  local err, traceback = done:await()
  if err ~= nil then print_error(self, err, traceback) end
end

evaluate.print_error = print_error
return evaluate
