-- SPDX-License-Identifier: MIT
---@meta _

-- Objects of septet.net, whose methods are C functions.

--- A connection. One task at a time may read, and one may write; a second one raises Usage. Each
--- call that waits raises IoError, with the code "timeout" past the connection's `timeout`. A
--- cancelled or late read loses no bytes. Of a cancelled or late write, the rest of a piece of 128
--- KiB is still written, and the next call waits for that first.
---@class septet.Connection: septet.Reader
---@field peer string|nil "127.0.0.1:80", "[::1]:80", or the path of the server's unix socket
---@field local_address string|nil
local Connection = {}

--- Writes strings and numbers, and waits until the kernel has them all. Raises IoError, with the
--- code "EPIPE" or "ECONNRESET" if the peer is gone.
---@async
---@param ... string|number
---@return septet.Connection
function Connection:write(...) end

--- Waits until all is written, and ends that direction: the peer reads the end. Reading goes on.
---@async
---@return septet.Connection
function Connection:shutdown() end

--- Sets the seconds that each later read and write may take; nil for no limit.
---@param seconds number|nil
function Connection:set_timeout(seconds) end

--- Closes the connection at once. Over TCP the peer gets a RST.
function Connection:reset() end

--- Waits for the next line. Raises IoError, also for a line over `max_line`, which `read` can still
--- take.
---@async
---@return string|nil line without its "\n"; nil at the end
function Connection:read_line() end

--- Iterates over all lines. Each step waits.
---@return fun(): string|nil
function Connection:lines() end

--- Waits until bytes are available and returns them.
---@async
---@param n integer maximum number of bytes
---@return string|nil bytes nil at the end
function Connection:read(n) end

--- Waits for n bytes and returns them. Raises IoError, with the code "ended" if the end comes
--- within them.
---@async
---@param n integer
---@return string|nil bytes nil at the end
function Connection:read_exactly(n) end

--- Waits for the end and returns all bytes until then. Raises IoError, with the code "too_big" for
--- more than `max` bytes, which stay.
---@async
---@param max integer|nil bytes; 64 MiB
---@return string bytes "" at the end
function Connection:read_all(max) end

--- Closes both directions at once. A waiting task raises IoError with the code "closed"; later
--- calls raise Usage. Does nothing if closed. Also called by `<close>`.
function Connection:close() end

--- Accepts connections. One task at a time may wait for them.
---@class septet.Server
---@field host string|nil address, such as "127.0.0.1"; nil for a path
---@field port integer|nil
---@field path string|nil
local Server = {}

--- Waits for a connection. Raises IoError, with the code "closed" if another task closes the
--- server.
---@async
---@return septet.Connection
function Server:accept() end

--- Iterates over connections until the server is closed: `for c in server:connections() do`.
---@return fun(): septet.Connection|nil
function Server:connections() end

--- Accepts connections until the server is closed, and calls fn(connection) for each in a task of
--- its own, which closes it. Then waits for those tasks. An error of fn is a warning.
---@async
---@param fn async fun(connection: septet.Connection)
function Server:serve(fn) end

--- Stops listening. Connections stay open. Does nothing if closed. Also called by `<close>`.
function Server:close() end
