-- SPDX-License-Identifier: MIT
-- septet jobs with queues in files.
require "jobs_command".on "sqlite"
