-- SPDX-License-Identifier: MIT
-- What scripts expect of a queue, in a file.
require "jobs_queue" "sqlite"
