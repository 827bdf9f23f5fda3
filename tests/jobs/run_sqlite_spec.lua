-- SPDX-License-Identifier: MIT
-- Runs of queues, on sqlite.
require "jobs_run" "sqlite"
