-- SPDX-License-Identifier: MIT
-- Runs of queues, on redis.
require "jobs_run" "redis"
