-- SPDX-License-Identifier: MIT
--- A line of progress on standard error: how much is done, how much failed, the rate and the time
--- that is left. On a terminal it is one line, drawn again at most 10 times a second. Elsewhere it
--- is a plain line every 10 seconds.
---@class septet.progress
local progress = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local stats = require "septet.stats"
local readable = require "septet.progress.readable"

local CLEAR <const> = "\r\27[K" -- the line, on a terminal
local GAP <const> = 0.1         -- seconds between two drawings, at least
local PLAIN_GAP <const> = 10    -- seconds between two plain lines
local WINDOW <const> = 30       -- seconds of the rate

---@class septet.Progress
---@field done number how much is done, with what failed
---@field failed number
---@field total number|nil
local Progress = {}
local meta = { __name = "septet.progress", __metatable = "septet.progress" }
meta.__index = function(_, key)
  if key == "total" then return nil end
  return Progress[key] or args.no_field("progress", key, Progress)
end

local function check_amount(n, what)
  if n == nil then return 1 end
  if type(n) == "number" and n >= 0 and n < math.huge then return n end
  args.usage("bad argument #1 to '%s' (a number, not negative, expected, got %s)", what,
    type(n) == "number" and tostring(n) or type(n))
end

--- Returns the line as it would be drawn now, without regard to the width of the terminal.
---@return string
function Progress:line()
  local amount = self.bytes and readable.size or readable.count
  local rate = self.rate:per_second()
  local parts = { ("%s%s done"):format(amount(self.done),
    self.total and " of " .. amount(self.total) or "") }
  if self.failed > 0 or not self.bytes then
    parts[#parts + 1] = ("%s failed"):format(readable.count(self.failed))
  end
  parts[#parts + 1] = ("%s a second"):format(amount(rate))
  if self.is_over then
    parts[#parts + 1] = readable.time(core.now() - self.began)
  elseif self.total and rate > 0 then
    parts[#parts + 1] = readable.time(math.max(self.total - self.done, 0) / rate) .. " left"
  end
  return (self.label and self.label .. ": " or "") .. table.concat(parts, ", ")
end

local function erase(self)
  if not self.is_drawn then return end
  self.is_drawn = false
  self.out(CLEAR)
end

local function draw(self)
  self.drawn_at = core.now()
  local columns = self.columns()
  if columns then
    self.is_drawn = true
    self.out(CLEAR .. readable.cut(self:line(), columns - 1) .. "\r") -- for what comes unasked
  else
    self.out(self:line() .. "\n")
  end
end

-- Draws at the next instant at which that is due, in a task that ends with it. A task that went on
-- ticking would hide a deadlock.
local function draw_soon(self)
  if self.is_over or self.scheduled then return end
  local due = self.drawn_at + (self.columns() and GAP or PLAIN_GAP)
  if core.now() >= due then return draw(self) end
  if not core.current() then return end -- a hook: the next change draws
  self.scheduled = core.background(function()
    core.sleep_until(due)
    self.scheduled = false
    if not self.is_over then draw(self) end
  end)
end

--- Counts n more that are done.
---@param n number|nil 1 by default
function Progress:add(n)
  n = check_amount(n, "add")
  self.done = self.done + n
  self.rate:add(n)
  draw_soon(self)
end

--- Counts n more that have failed, and are done.
---@param n number|nil 1 by default
function Progress:fail(n)
  n = check_amount(n, "fail")
  self.failed = self.failed + n
  self:add(n)
end

--- Sets how much there is to do, once that is known; nil if it is not.
---@param total number|nil
function Progress:set_total(total)
  rawset(self, "total", total ~= nil and check_amount(total, "set_total") or nil)
  draw_soon(self)
end

--- Erases the line, if standard output is on the terminal, too, so that other output can take its
--- place. It is drawn again soon.
function Progress:clear()
  if not self.shares then return end
  erase(self)
  self.drawn_at = core.now() -- the other output comes first
  draw_soon(self)
end

--- Prints above the line, as print() does.
---@param ... any
function Progress:print(...)
  if self.shares then erase(self) end
  print(...)
  if not core.hides_library "io" then io.stdout:flush() end
  draw_soon(self)
end

--- Ends the line: it stays as it is at last, with the time that it all took, or is erased if
--- `keep` is false. Later changes draw nothing. `local bar <close>` calls it.
function Progress:finish()
  if self.is_over then return end
  rawset(self, "is_over", true)
  if self.scheduled then self.scheduled:cancel() end
  erase(self)
  if self.keep then self.out(self:line() .. "\n") end
end

args.methods(Progress, "progress", { [meta] = true })
meta.__close = function(self) self:finish() end

local function to_stderr(text)
  io.stderr:write(text)
end

-- Returns the columns of the terminal; nil if there is none.
local function columns() return (core.terminal_size(2)) end
local function plain() return nil end

local options_spec = { total = "any", label = "string", bytes = "boolean", keep = "boolean",
  out = "any" }

---@class septet.ProgressOptions
---@field total number|nil how much there is to do; not known
---@field label string|nil what it is about; none
---@field bytes boolean|nil true: amounts are sizes; false
---@field keep boolean|nil false: the line is erased at the end; true
---@field out (fun(text: string))|nil gets plain lines in place of standard error; none

--- Begins a line of progress.
---@param options septet.ProgressOptions|nil
---@return septet.Progress
function progress.new(options)
  options = args.options(options, options_spec, "new")
  if options.out ~= nil then args.callable(options.out, 1, "new") end
  if not options.out and core.hides_library "io" then
    args.usage "there is no standard error here: option 'out' expected"
  end
  local self = setmetatable({
    done = 0, failed = 0, label = options.label and core.escape(options.label) or false,
    total = options.total ~= nil and check_amount(options.total, "new") or nil,
    bytes = options.bytes or false, keep = options.keep ~= false, rate = stats.rate(WINDOW),
    began = core.now(), drawn_at = core.now(), is_drawn = false, is_over = false,
    scheduled = false, out = options.out or to_stderr,
    columns = options.out and plain or columns,
    shares = not options.out and core.terminal_size(1) ~= nil,
  }, meta)
  if self.columns() then draw(self) end
  return self
end

return args.module(progress, "septet.progress")
