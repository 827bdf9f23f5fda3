-- SPDX-License-Identifier: MIT
-- The contract of an engine, kept by queues in files.
require "jobs_contract" "sqlite"
