# SPDX-License-Identifier: MIT
"""docs/man/septet.1: it is well formed, and describes what --help lists."""

import json
import os
import re
import subprocess
import unittest

from installed import ROOT, run

PAGE = os.path.join(ROOT, "docs", "man", "septet.1")


TABLE = json.loads(run(os.environ["SEPTET"], "help", "--json"))


def section(title):
    """The source of a section of the page."""
    with open(PAGE, encoding="utf-8") as file:
        return file.read().partition(f".Sh {title}\n")[2].partition("\n.Sh ")[0]


def plain(item):
    """An item of a list as it is typed: the macros of mdoc are resolved."""
    text, glue, end = "", True, ""
    for word in (item + " ").split(" ")[:-1]:
        if word in ("Ns", "Ar", "Cm", "Fl", "Op"):
            glue = glue or word == "Ns"
            if word in ("Fl", "Op"):
                text += ("" if glue else " ") + {"Fl": "-", "Op": "["}[word]
                glue, end = True, "]" if word == "Op" else end
        else:
            text, glue = text + ("" if glue else " ") + word, False
    return text + end


def items(text):
    return [plain(item).lower() for item in re.findall(r"^\.It (Fl.*)$", text, re.M)]


def names(rows):
    return [row["name"].lower() for row in rows]


class Man(unittest.TestCase):
    def test_mandoc_finds_no_fault(self):
        run("mandoc", "-Tlint", "-Wwarning", PAGE)

    def test_it_describes_the_options_of_the_table_in_their_order(self):
        self.assertEqual(items(section("DESCRIPTION")), names(TABLE["options"]))

    def test_it_describes_each_variable_and_status_of_the_table(self):
        listed = re.findall(r"^\.It Ev (.*)$", section("ENVIRONMENT"), re.M)
        self.assertEqual([name for item in listed for name in item.split(" , ")],
                         [row["name"] for row in TABLE["environment"]])
        self.assertEqual(re.findall(r"^\.It (\d+)$", section("EXIT STATUS"), re.M),
                         [row["name"] for row in TABLE["statuses"]])

    def test_it_names_each_option_of_the_commands_and_no_other(self):
        """An option of a command stands in the text, with the argument that the table has."""
        with open(PAGE, encoding="utf-8") as file:
            page = file.read()
        rows = TABLE["options"] + [row for c in TABLE["commands"] for row in c["options"]]
        known = {re.match(r"-+[\w-]*", row["name"])[0] for row in rows}
        named = {"-" + name for name in re.findall(r"\bFl (-?[\w-]+)", page)}
        self.assertEqual(named, known - {"-"})
        shown = {plain(item).lower() for item in
                 re.findall(r"\b(Fl -?[\w-]+(?: Ns Op = Ns Ar \w+| Ns = Ns Ar \w+| Ar \w+)?)",
                            page)}
        for command in TABLE["commands"]:
            self.assertLessEqual(set(names(command["options"])), shown, command["name"])

    def test_its_synopsis_has_each_command(self):
        self.assertEqual(sorted(re.findall(r"^\.Nm\n\.Cm (.*)$", section("SYNOPSIS"), re.M)),
                         [row["name"] for row in TABLE["commands"]])

    def test_a_reader_sees_its_sections(self):
        shown = subprocess.run(["mandoc", "-Tutf8", PAGE], capture_output=True, text=True,
                               check=True).stdout
        text = re.sub(".\b", "", shown)
        for title in ("NAME", "SYNOPSIS", "ENVIRONMENT", "EXIT STATUS", "EXAMPLES"):
            self.assertIn(f"\n{title}\n", text)


if __name__ == "__main__":
    unittest.main()
