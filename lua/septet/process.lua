-- SPDX-License-Identifier: MIT
--- Processes: programs that run beside the script. Each belongs to a scope and ends with it. No
--- shell takes part unless it is asked for.
---@class septet.process
local process = {}

local core = require "septet.core"
local args = require "septet.internal.args"
local command = require "septet.process.command"
local task = require "septet.task"

local MAX_OUTPUT = 16 * 1024 * 1024 -- bytes
local MAX_LINE = 1024 * 1024 -- bytes
local PIECE = 64 * 1024 -- bytes of a piece of a reader that feeds a process

---@class septet.ProcessOptions
---@field [integer] string|number the program and its arguments
---@field cwd string|nil folder in which the program starts; the host's
---@field env table<string, string|number|false>|nil variables to set, or with false to remove; none
---@field clear_env boolean|nil true: the environment holds nothing but `env`; false
---@field shell boolean|nil true: the one string is a command line for /bin/sh; false
---@field group boolean|nil true: signals reach also the processes that it starts, which end with
---it; false
---@field grace number|nil seconds between SIGTERM and SIGKILL; 5

---@class septet.RunOptions: septet.ProcessOptions
---@field stdin string|septet.Reader|function|nil what the program reads, or "inherit"; nothing
---@field stdout string|nil "pipe", "inherit", "null" or the path of a file; "pipe"
---@field stderr string|nil like `stdout`, or "stdout"; "pipe"
---@field timeout number|nil seconds for the whole run; no limit
---@field max_output integer|nil most bytes of each output; 16 MiB
---@field check boolean|nil true: raises ProcessError for an exit code other than 0; false

---@class septet.SpawnOptions: septet.ProcessOptions
---@field background boolean|nil true: it belongs to no scope, and ends with the host; false
---@field stdin string|nil "pipe", "inherit" or "null"; "pipe"
---@field stdout string|nil "pipe", "inherit", "null" or the path of a file; "pipe"
---@field stderr string|nil like `stdout`, or "stdout"; "pipe"
---@field max_line integer|nil longest line of `stdout` and `stderr` in bytes; 1 MiB

---@class septet.Process
---@field pid integer
---@field command string the program, as the script named it
---@field stdin septet.StreamWriter|nil
---@field stdout septet.Reader|nil
---@field stderr septet.Reader|nil
local Process = {}

local process_meta = { __name = "septet.process.Process", __metatable = false }

-- What a process has besides its methods. Its pipes are made when a script first asks for them.
local FIELDS = { pid = true, command = true, stdin = true, stdout = true, stderr = true }
local PIPES = { stdin = 0, stdout = 1, stderr = 2 }

local INTERNAL = {} -- key of a process's handle and limits

local function known_names()
  local names = {}
  for name in pairs(Process) do names[name] = true end
  for name in pairs(FIELDS) do names[name] = true end
  return names
end

function process_meta.__index(self, key)
  local method = Process[key]
  if method then return method end
  local fd = PIPES[key]
  if not fd then return args.no_field("process", key, known_names()) end
  local internal = rawget(self, INTERNAL)
  local pipe = internal.handle:stream(fd, internal.max_line)
  if pipe then rawset(self, key, pipe) end
  return pipe
end

function process_meta.__tostring(self)
  return ("process %d '%s'"):format(self.pid, core.escape(self.command))
end

--- Waits until the process has ended. Its pipes may still have bytes to read. Cancelling the wait
--- leaves the process as it is.
---@async
---@return integer|nil code exit code; nil if a signal ended it
---@return string|nil signal "KILL"
function Process:wait()
  return rawget(self, INTERNAL).handle:wait()
end

--- Sends a signal to the process, or to its group if it has `group`.
---@param signal string|integer|nil "TERM"
---@return boolean sent false if it has ended
function Process:kill(signal)
  return rawget(self, INTERNAL).handle:kill(signal == nil and "TERM" or signal)
end

--- Closes its pipes and ends it: by SIGTERM, and by SIGKILL if it lives after the grace. Waits for
--- the end, also if the task is cancelled. A `<close>` variable does the same.
---@async
function Process:close()
  local stdin, stdout = rawget(self, "stdin"), rawget(self, "stdout")
  local stderr = rawget(self, "stderr")
  if stdin then stdin:close() end
  rawget(self, INTERNAL).handle:finish(stdout, stderr)
  if stdout then stdout:close() end
  if stderr then stderr:close() end
end

process_meta.__close = Process.close

args.methods(Process, "process", { [process_meta] = true })

local function fail(code, message, fields)
  fields.kind, fields.code, fields.message = "ProcessError", code, message
  error(core.error(fields), 0)
end

local spawn_options = { cwd = "string", env = "table", clear_env = "boolean", shell = "boolean",
  group = "boolean", grace = "seconds", background = "boolean", stdin = "string",
  stdout = "string", stderr = "string", max_line = "size" }

--- Starts a program, and returns once it runs. It belongs to the innermost block that is open here,
--- or else to the running task, and is ended with it. Raises ProcessError.
---@async
---@param options septet.SpawnOptions
---@return septet.Process
function process.spawn(options)
  local argv, named = command.split(options, spawn_options, "spawn")
  local spec = command.spec(argv, named, "spawn")
  spec.stdin = command.one_of(named.stdin or "pipe", "stdin", "spawn")
  local handle, pid = core.process_spawn(spec)
  return setmetatable({ pid = pid, command = spec.command,
    [INTERNAL] = { handle = handle, max_line = named.max_line or MAX_LINE } }, process_meta)
end

local run_options = { cwd = "string", env = "table", clear_env = "boolean", shell = "boolean",
  group = "boolean", grace = "seconds", stdin = "any", stdout = "string", stderr = "string",
  timeout = "seconds", max_output = "bytes", check = "boolean" }

-- Returns a function that returns the pieces of what a script gave as `stdin`.
local function pieces_of(source)
  if args.is_callable(source) then return source end
  local found, read = pcall(function() return source.read end)
  if type(source) == "string" or not found or not args.is_callable(read) then return nil end
  return function() return source:read(PIECE) end
end

local function write_pieces(writer, next_piece)
  for piece in next_piece do
    if type(piece) ~= "string" then
      args.usage("bad piece of 'stdin' to 'run' (string expected, got %s)", type(piece))
    end
    local ok, err = task.pcall(writer.write, writer, piece)
    if not ok then return err.code ~= "EPIPE" and error(err, 0) end
  end
end

-- Writes the pieces to the process until it reads no more. If that fails, ends the process, because
-- what it has read is not all, and keeps the error.
local function feed(handle, writer, next_piece, failure)
  local ok, err, traceback = task.try(write_pieces, writer, next_piece)
  writer:close()
  if ok then return end
  handle:kill "KILL"
  failure.err, failure.traceback = err, traceback
end

-- Writes what `next_piece` returns, beside handle:collect(). Returns the same. If the feeder itself
-- fails, for want of memory, the group ends the wait.
local function feed_and_collect(handle, next_piece, max_output, timeout)
  local failure = {}
  local results = task.group(function(g)
    local feeder = g:spawn(feed, handle, handle:stream(0, 1), next_piece, failure)
    local collected = table.pack(handle:collect(nil, max_output, timeout))
    feeder:cancel()
    return collected
  end)
  if failure.err ~= nil then core.raise(failure.err, failure.traceback) end
  return table.unpack(results, 1, results.n)
end

-- Raises ProcessError if the process failed `check`.
local function check_code(result, argv)
  if result.code == 0 then return end
  local how = result.signal and ("was ended by SIG%s"):format(result.signal)
    or ("ended with exit code %d"):format(result.code)
  local last = (result.stderr or ""):match "([^\n]+)%s*$"
  fail("exit", ("'%s' %s%s"):format(argv[1], how, last and ": " .. last:sub(1, 200) or ""), {
    command = argv[1], status = result.code, signal = result.signal, stdout = result.stdout,
    stderr = result.stderr })
end

local function after_collect(argv, named, why, stdout, stderr, incomplete, code, signal)
  local fields = { command = argv[1], stdout = stdout, stderr = stderr }
  if why == "timeout" then
    fail(why, ("'%s' timed out after %g s"):format(argv[1], named.timeout), fields)
  elseif why == "max_output" then
    fail(why, ("the output of '%s' is longer than %d bytes"):format(argv[1], named.max_output),
      fields)
  end
  local result = { code = code, signal = signal, stdout = stdout, stderr = stderr,
    incomplete = incomplete or nil }
  if named.check then check_code(result, argv) end
  return result
end

-- Runs a program. Its process ends with this function, however that ends.
local function run(spec, argv, named, next_piece)
  local handle = core.process_spawn(spec)
  local _ <close> = setmetatable({}, { __close = function() handle:finish() end })
  if next_piece then
    return after_collect(argv, named,
      feed_and_collect(handle, next_piece, named.max_output, named.timeout))
  end
  local input = spec.stdin == "pipe" and named.stdin or nil
  return after_collect(argv, named, handle:collect(input, named.max_output, named.timeout))
end

---@class septet.ProcessResult
---@field code integer|nil exit code; nil if a signal ended the process
---@field signal string|nil name of the signal that ended it: "KILL"
---@field stdout string|nil
---@field stderr string|nil
---@field incomplete boolean|nil true: another process still held the output

--- Runs a program and waits for its end. Raises ProcessError if it cannot be started, if it takes
--- longer than `timeout`, if it writes more than `max_output`, and with `check` if its exit code is
--- not 0. The process has ended when this returns or raises.
---@async
---@param options septet.RunOptions
---@return septet.ProcessResult
function process.run(options)
  local argv, given = command.split(options, run_options, "run")
  local named = setmetatable({ max_output = given.max_output or MAX_OUTPUT }, { __index = given })
  local spec = command.spec(argv, named, "run")
  local source = named.stdin
  local next_piece = source ~= nil and pieces_of(source) or nil
  if source ~= nil and not next_piece and type(source) ~= "string" then
    args.usage("bad option 'stdin' to 'run' (string, reader or function expected, got %s)",
      type(source))
  end
  spec.stdin = source == nil and "null" or source == "inherit" and source or "pipe"
  return run(spec, argv, named, next_piece)
end

return args.module(process, "septet.process")
