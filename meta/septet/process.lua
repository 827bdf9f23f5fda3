-- SPDX-License-Identifier: MIT
---@meta _

-- Objects behind septet.process, whose methods are C functions.

---@class septet.ProcessHandle
local ProcessHandle = {}

--- Waits for the end of the process.
---@async
---@return integer|nil code exit code; nil if a signal ended it
---@return string|nil signal
function ProcessHandle:wait() end

--- Closes its pipes that were not handed out, ends it, and waits for that if the running code can.
--- Drops its output meanwhile, which is that of the readers that were handed out.
---@async
---@param stdout septet.Reader|nil
---@param stderr septet.Reader|nil
function ProcessHandle:finish(stdout, stderr) end

--- Sends a signal to the process, or to its group. Returns false if it has ended.
---@param signal string|integer
---@return boolean sent
function ProcessHandle:kill(signal) end

--- Returns a writer (0) or a reader (1, 2) of a pipe, once; nil if there is none.
---@param fd integer
---@param max_line integer bytes
---@return septet.StreamWriter|septet.Reader|nil
function ProcessHandle:stream(fd, max_line) end

--- Writes the input, reads both outputs, and waits for the end.
---@async
---@param input string|nil
---@param max_output integer most bytes of each output
---@param seconds number|nil
---@return string|nil why "timeout", "max_output"
---@return string|nil stdout
---@return string|nil stderr
---@return boolean incomplete an output had not ended
---@return integer|nil code
---@return string|nil signal
function ProcessHandle:collect(input, max_output, seconds) end
