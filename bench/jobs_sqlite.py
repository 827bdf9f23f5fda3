#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""jobs_sqlite.py FILE N: the peer of jobs.py in Python's sqlite3: N jobs, durable, one transaction
each for put, take and acknowledgement. Prints the jobs and the seconds."""

import sqlite3
import sys
import time

SCHEMA = """
CREATE TABLE jobs (id INTEGER PRIMARY KEY, key TEXT UNIQUE, data TEXT, state INTEGER, result TEXT);
CREATE INDEX pending ON jobs (id) WHERE state = 0;
"""


def main(path, n):
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.executescript(SCHEMA)
    began = time.monotonic()
    for i in range(n):
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO jobs (key, data, state) VALUES (?, ?, 0)",
                   ("job %d" % i, '{"number":%d}' % i))
        db.execute("COMMIT")
    done = 0
    while True:
        db.execute("BEGIN IMMEDIATE")
        row = db.execute("SELECT id FROM jobs WHERE state = 0 ORDER BY id LIMIT 1").fetchone()
        if row:
            db.execute("UPDATE jobs SET state = 1 WHERE id = ?", row)
        db.execute("COMMIT")
        if not row:
            break
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE jobs SET state = 2, result = NULL WHERE id = ?", row)
        db.execute("COMMIT")
        done += 1
    print("all %d jobs %.6f s 0 s of CPU" % (done, time.monotonic() - began))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
