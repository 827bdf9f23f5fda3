-- SPDX-License-Identifier: MIT
-- The contract of an engine, kept by queues in memory.
require "jobs_contract" "memory"
