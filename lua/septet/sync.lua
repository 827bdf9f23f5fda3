--- What tasks share: events, permits, locks, channels. All are first come first served and hand over directly: what is
--- released or sent belongs to who has waited longest, before that one runs and whatever cancels it then.
---@class septet.sync
local sync = {}

local core = require "septet.core"
local args = require "septet.args"

---@class septet.Event
local Event = {} -- luacheck: ignore

--- Lets all go on that wait, in the order they came, and all that will. Harmless when it is set.
function Event:set() end -- luacheck: ignore

---@return boolean
function Event:is_set() end -- luacheck: ignore

--- Waits until the event is set.
---@async
function Event:wait() end -- luacheck: ignore

--- Something that happens once.
---@return septet.Event
sync.event = core.event

---@class septet.Semaphore
local Semaphore = {} -- luacheck: ignore

--- Waits for a permit.
---@async
function Semaphore:acquire() end -- luacheck: ignore

--- Takes a permit if one is free.
---@return boolean acquired
function Semaphore:try_acquire() end -- luacheck: ignore

--- Gives a permit back, whoever acquired it; raises Usage when none is out.
function Semaphore:release() end -- luacheck: ignore

--- The number of free permits.
---@return integer
function Semaphore:value() end -- luacheck: ignore

--- Waits for a permit, calls fn(...), and gives the permit back whatever happens.
---@async
---@param fn function
---@param ... any
---@return any ... what fn returned
function Semaphore:with(fn, ...) end -- luacheck: ignore

--- A number of permits, all free.
---@param n integer at least 1
---@return septet.Semaphore
sync.semaphore = core.semaphore

---@class septet.Lock
local Lock = {} -- luacheck: ignore

--- Waits until the running task has the lock; raises Usage if it has it already.
---@async
function Lock:acquire() end -- luacheck: ignore

--- Takes the lock if no other task has it; raises Usage if the running task has it already.
---@return boolean acquired
function Lock:try_acquire() end -- luacheck: ignore

--- Gives the lock back; raises Usage unless the running task has it.
function Lock:release() end -- luacheck: ignore

--- Does a task have the lock?
---@return boolean
function Lock:locked() end -- luacheck: ignore

--- Waits for the lock, calls fn(...), and gives the lock back whatever happens.
---@async
---@param fn function
---@param ... any
---@return any ... what fn returned
function Lock:with(fn, ...) end -- luacheck: ignore

--- Something that one task has at a time.
---@return septet.Lock
sync.lock = core.lock

---@class septet.Sender
local Sender = {} -- luacheck: ignore

--- As the channel's; raises ChannelClosed also when the sender is closed.
---@async
---@param value any
function Sender:send(value) end -- luacheck: ignore

--- As the channel's.
---@param value any
---@return boolean sent
function Sender:try_send(value) end -- luacheck: ignore

--- Ends sending through it. The last sender to be closed closes the channel. Harmless when closed.
function Sender:close() end -- luacheck: ignore

---@class septet.Channel
---@operator len: integer
local Channel = {} -- luacheck: ignore

--- Waits until a receiver or the buffer has the value; raises ChannelClosed. Cancelled, it has sent nothing.
---@async
---@param value any not nil
function Channel:send(value) end -- luacheck: ignore

--- Sends if a receiver waits or the buffer has room; raises ChannelClosed.
---@param value any not nil
---@return boolean sent
function Channel:try_send(value) end -- luacheck: ignore

--- Waits for the next item. Cancelled, it has taken none.
---@async
---@return any item nil after the last
---@return "closed"|nil why
function Channel:recv() end -- luacheck: ignore

--- The next item if there is one.
---@return any item
---@return "empty"|"closed"|nil why it is nil
function Channel:try_recv() end -- luacheck: ignore

--- Ends sending; what is buffered may still be received. Harmless when closed.
function Channel:close() end -- luacheck: ignore

--- For a loop over all items: `for item in channel:iter() do`. Each step waits.
---@return fun(): any
function Channel:iter() end -- luacheck: ignore

--- Something to send through, for one of several producers: the channel is closed when the last of them is.
---@return septet.Sender
function Channel:sender() end -- luacheck: ignore

--- Hands values from task to task. `#channel` is the number of items buffered.
---@param capacity number|nil items it buffers: 0 by default, math.huge for no limit
---@return septet.Channel
sync.channel = core.channel

return args.module(sync, "septet.sync")
