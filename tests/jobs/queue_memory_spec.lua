-- SPDX-License-Identifier: MIT
-- What scripts expect of a queue, in memory.
require "jobs_queue" "memory"
