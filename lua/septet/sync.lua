--- Events, semaphores, locks and channels that tasks share. Waiters are served in FIFO order. A
--- released permit or lock and a sent value are handed directly to the longest waiter. They belong
--- to it from then on, even if it is cancelled before it runs.
---@class septet.sync
local sync = {}

local core = require "septet.core"
local args = require "septet.internal.args"

---@class septet.Event
local Event = {} -- luacheck: ignore

--- Sets the event and resumes all waiters in FIFO order. Later waits return at once. Does nothing
--- if the event is set.
function Event:set() end -- luacheck: ignore

--- Returns true if the event is set.
---@return boolean
function Event:is_set() end -- luacheck: ignore

--- Waits until the event is set.
---@async
function Event:wait() end -- luacheck: ignore

--- Creates an event. It is set once and stays set.
---@return septet.Event
sync.event = core.event

---@class septet.Semaphore
local Semaphore = {} -- luacheck: ignore

--- Waits for a permit.
---@async
function Semaphore:acquire() end -- luacheck: ignore

--- Takes a permit if one is free; never waits.
---@return boolean acquired
function Semaphore:try_acquire() end -- luacheck: ignore

--- Gives a permit back; any task may do so. Raises Usage if no permit is taken.
function Semaphore:release() end -- luacheck: ignore

--- Returns the number of free permits.
---@return integer
function Semaphore:value() end -- luacheck: ignore

--- Waits for a permit, calls fn(...), and gives the permit back even if fn raises.
---@async
---@param fn function
---@param ... any
---@return any ... what fn returned
function Semaphore:with(fn, ...) end -- luacheck: ignore

--- Creates a semaphore with `n` permits, all free.
---@param n integer at least 1
---@return septet.Semaphore
sync.semaphore = core.semaphore

---@class septet.Lock
local Lock = {} -- luacheck: ignore

--- Waits until the running task owns the lock. Raises Usage if it owns it already.
---@async
function Lock:acquire() end -- luacheck: ignore

--- Takes the lock if no other task owns it; never waits. Raises Usage if the running task owns it.
---@return boolean acquired
function Lock:try_acquire() end -- luacheck: ignore

--- Releases the lock. Raises Usage unless the running task owns it.
function Lock:release() end -- luacheck: ignore

--- Returns true if a task owns the lock.
---@return boolean
function Lock:locked() end -- luacheck: ignore

--- Waits for the lock, calls fn(...), and releases the lock even if fn raises.
---@async
---@param fn function
---@param ... any
---@return any ... what fn returned
function Lock:with(fn, ...) end -- luacheck: ignore

--- Creates a lock, which one task owns at a time. A lock belongs to the task, not to a coroutine.
---@return septet.Lock
sync.lock = core.lock

---@class septet.Sender
local Sender = {} -- luacheck: ignore

--- Like Channel:send(), but also raises ChannelClosed if this sender is closed.
---@async
---@param value any
function Sender:send(value) end -- luacheck: ignore

--- Like Channel:try_send(), but also raises ChannelClosed if this sender is closed.
---@param value any
---@return boolean sent
function Sender:try_send(value) end -- luacheck: ignore

--- Closes the sender. Closing the last sender closes the channel. Does nothing if closed. Also
--- called by `<close>`.
function Sender:close() end -- luacheck: ignore

---@class septet.Channel
---@operator len: integer
local Channel = {} -- luacheck: ignore

--- Waits until a receiver or the buffer takes the value. If the wait is cancelled, nothing was
--- sent. Raises ChannelClosed.
---@async
---@param value any not nil
function Channel:send(value) end -- luacheck: ignore

--- Sends the value if a receiver waits or the buffer has room; never waits. Raises ChannelClosed.
---@param value any not nil
---@return boolean sent
function Channel:try_send(value) end -- luacheck: ignore

--- Waits for the next item and takes it. If the wait is cancelled, no item was taken.
---@async
---@return any item nil after the last
---@return "closed"|nil why
function Channel:recv() end -- luacheck: ignore

--- Takes the next item if there is one; never waits.
---@return any item
---@return "empty"|"closed"|nil why it is nil
function Channel:try_recv() end -- luacheck: ignore

--- Closes the channel for sending; buffered items can still be received. Waiting senders get
--- ChannelClosed. Does nothing if closed. Also called by `<close>`.
function Channel:close() end -- luacheck: ignore

--- Iterates over all items: `for item in channel:iter() do`. Each step waits.
---@return fun(): any
function Channel:iter() end -- luacheck: ignore

--- Returns a sender for one of several producers. Closing the last sender closes the channel.
--- Raises ChannelClosed.
---@return septet.Sender
function Channel:sender() end -- luacheck: ignore

--- Creates a channel, which passes values from task to task in order. `#channel` is the number of
--- buffered items.
---@param capacity number|nil number of items it buffers: 0 by default, math.huge for no limit
---@return septet.Channel
sync.channel = core.channel

return args.module(sync, "septet.sync")
