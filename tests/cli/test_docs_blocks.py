# SPDX-License-Identifier: MIT
"""The blocks of code of all pages do what the pages say.

CONTRIBUTING.md, "Blocks in documents", says how a block is marked."""

import unittest

import documents
import document_runs
import harness

NOT_RUN = 10  # blocks, of all pages


class Blocks(harness.Case):
    def test_each_block_does_what_its_page_says(self):
        for page in documents.pages():
            with self.subTest(page):
                failures = document_runs.run(page, self.dir).failures
                if failures:
                    self.fail("\n".join(["CONTRIBUTING.md, 'Blocks in documents':", *failures]))

    def test_few_are_not_run(self):
        marked = [b for page in documents.pages() for b in documents.blocks(page)[0]
                  if b.state == "not run"]
        self.assertLessEqual(len(marked), NOT_RUN, marked)


if __name__ == "__main__":
    unittest.main()
