-- SPDX-License-Identifier: MIT
-- Runs of queues, on memory.
require "jobs_run" "memory"
