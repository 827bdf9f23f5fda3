-- SPDX-License-Identifier: MIT
--- Events, semaphores, locks and channels that tasks share. Waiters are served in FIFO order. A
--- released permit or lock and a sent value are handed directly to the longest waiter. They belong
--- to it from then on, even if it is cancelled before it runs.
---@class septet.sync
local sync = {}

local core = require "septet.core"
local args = require "septet.internal.args"

--- Creates an event. It is set once and stays set.
---@return septet.Event
sync.event = core.event

--- Creates a semaphore with `n` permits, all free.
---@param n integer at least 1
---@return septet.Semaphore
sync.semaphore = core.semaphore

--- Creates a lock, which one task owns at a time. A lock belongs to the task, not to a coroutine.
---@return septet.Lock
sync.lock = core.lock

--- Creates a channel, which passes values from task to task in order. `#channel` is the number of
--- buffered items.
---@param capacity number|nil number of items it buffers: 0 by default, math.huge for no limit
---@return septet.Channel
sync.channel = core.channel

return args.module(sync, "septet.sync")
