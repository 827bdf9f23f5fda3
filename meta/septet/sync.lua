-- SPDX-License-Identifier: MIT
---@meta _

-- Objects of septet.sync, whose methods are C functions.

---@class septet.Event
local Event = {}

--- Sets the event and resumes all waiters in FIFO order. Later waits return at once. Does nothing
--- if the event is set.
function Event:set() end

--- Returns true if the event is set.
---@return boolean
function Event:is_set() end

--- Waits until the event is set.
---@async
function Event:wait() end

---@class septet.Semaphore
local Semaphore = {}

--- Waits for a permit.
---@async
function Semaphore:acquire() end

--- Takes a permit if one is free; never waits.
---@return boolean acquired
function Semaphore:try_acquire() end

--- Gives a permit back; any task may do so. Raises Usage if no permit is taken.
function Semaphore:release() end

--- Returns the number of free permits.
---@return integer
function Semaphore:value() end

--- Waits for a permit, calls fn(...), and gives the permit back even if fn raises.
---@async
---@param fn function
---@param ... any
---@return any ... what fn returned
function Semaphore:with(fn, ...) end

---@class septet.Lock
local Lock = {}

--- Waits until the running task owns the lock. Raises Usage if it owns it already.
---@async
function Lock:acquire() end

--- Takes the lock if no other task owns it; never waits. Raises Usage if the running task owns it.
---@return boolean acquired
function Lock:try_acquire() end

--- Releases the lock. Raises Usage unless the running task owns it.
function Lock:release() end

--- Returns true if a task owns the lock.
---@return boolean
function Lock:locked() end

--- Waits for the lock, calls fn(...), and releases the lock even if fn raises.
---@async
---@param fn function
---@param ... any
---@return any ... what fn returned
function Lock:with(fn, ...) end

---@class septet.Sender
local Sender = {}

--- Like Channel:send(), but also raises ChannelClosed if this sender is closed.
---@async
---@param value any
function Sender:send(value) end

--- Like Channel:try_send(), but also raises ChannelClosed if this sender is closed.
---@param value any
---@return boolean sent
function Sender:try_send(value) end

--- Closes the sender. Closing the last sender closes the channel. Does nothing if closed. Also
--- called by `<close>`.
function Sender:close() end

---@class septet.Channel
---@operator len: integer
local Channel = {}

--- Waits until a receiver or the buffer takes the value. If the wait is cancelled, nothing was
--- sent. Raises ChannelClosed.
---@async
---@param value any not nil
function Channel:send(value) end

--- Sends the value if a receiver waits or the buffer has room; never waits. Raises ChannelClosed.
---@param value any not nil
---@return boolean sent
function Channel:try_send(value) end

--- Waits for the next item and takes it. If the wait is cancelled, no item was taken. Raises
--- Timeout if no item comes within `timeout`, and has then taken none.
---@async
---@param timeout number|nil seconds; 0: does not wait; nil: no limit
---@return any item nil after the last
---@return "closed"|nil why
function Channel:recv(timeout) end

--- Takes the next item if there is one; never waits.
---@return any item
---@return "empty"|"closed"|nil why it is nil
function Channel:try_recv() end

--- Closes the channel for sending; buffered items can still be received. Waiting senders get
--- ChannelClosed. Does nothing if closed. Also called by `<close>`.
function Channel:close() end

--- Iterates over all items: `for item in channel:iter() do`. Each step waits.
---@return fun(): any
function Channel:iter() end

--- Returns a sender for one of several producers. Closing the last sender closes the channel.
--- Raises ChannelClosed.
---@return septet.Sender
function Channel:sender() end
