-- SPDX-License-Identifier: MIT
-- Runs of queues, on redis.
before_all(require "jobs_engines".start)
require "jobs_run" "redis"
