# SPDX-License-Identifier: MIT
"""CMakeLists.txt: another project adds the folder, links one name, and is otherwise left alone."""

import json
import os
import subprocess
import tempfile
import unittest

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))

PROJECT = """
cmake_minimum_required(VERSION 3.21)
project(outer C)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_subdirectory(%s septet)
add_executable(program program.c)
target_link_libraries(program PRIVATE septet::static)
add_executable(dynamic program.c)
target_link_libraries(dynamic PRIVATE septet::septet)
add_executable(plain plain.c)
get_property(options DIRECTORY PROPERTY COMPILE_OPTIONS)
get_property(definitions DIRECTORY PROPERTY COMPILE_DEFINITIONS)
message(STATUS "has '${options}${definitions}${CMAKE_BUILD_TYPE}${CMAKE_C_STANDARD}'")
""" % ROOT
PROGRAM = """
#include <septet/septet.h>
#include <stdio.h>
int main(void)
{
    septet_config config;
    int status;
    septet_config_init(&config);
    septet_host *host = septet_new(&config, &status);
    if (host)
        septet_free(host);
    return puts(septet_strerror(status)) < 0;
}
"""
PLAIN = "int main(void)\n{\n    return 0;\n}\n"


class Subproject(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="septet-outer-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.build = os.path.join(cls.folder, "build")
        files = {"CMakeLists.txt": PROJECT, "program.c": PROGRAM, "plain.c": PLAIN}
        for name, text in files.items():
            with open(os.path.join(cls.folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        cls.output = cls.run_program("cmake", "-G", "Ninja", "-S", cls.folder, "-B", cls.build,
                                     "-DCMAKE_DISABLE_FIND_PACKAGE_mimalloc=ON")

    @classmethod
    def run_program(cls, *command):
        # What this build was configured with is not for the other one.
        kept = {name: value for name, value in os.environ.items() if name != "CFLAGS"}
        done = subprocess.run(command, env=kept, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        if done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.stdout}")
        return done.stdout

    def options_of(self, name):
        """Returns the options that a file of the outer project is compiled with."""
        with open(os.path.join(self.build, "compile_commands.json"), encoding="utf-8") as file:
            for entry in json.load(file):
                if entry["file"] == os.path.join(self.folder, name):
                    words = entry["command"].split()
                    return [word for word in words[1:] if word.startswith("-")]
        raise AssertionError(f"{name} is not compiled")

    def targets(self):
        return self.run_program("ninja", "-C", self.build, "-t", "targets", "all")

    def test_the_outer_project_gets_no_option_of_ours(self):
        self.assertEqual(self.options_of("plain.c"), ["-o", "-c"])
        embedder = [word for word in self.options_of("program.c")
                    if not word.startswith(("-I", "-isystem"))]
        self.assertEqual(embedder, ["-o", "-c"])
        self.assertIn("-- has ''\n", self.output)

    def test_no_program_of_the_outer_project_is_linked_with_an_option_of_ours(self):
        with open(os.path.join(self.build, "build.ninja"), encoding="utf-8") as file:
            rules = file.read().split("\n\n")
        for name in ("program", "dynamic", "plain"):
            rule = [rule for rule in rules if f"build {name}: " in rule]
            self.assertEqual(len(rule), 1)
            self.assertNotIn("-z,", rule[0])
            self.assertNotIn("-flto", rule[0])

    def test_e_11_the_command_is_configured_without_mimalloc_too(self):
        out = self.run_program("cmake", "-G", "Ninja", "-S", self.folder, "-B", self.build + "-cli",
                               "-DCMAKE_DISABLE_FIND_PACKAGE_mimalloc=ON", "-DSEPTET_CLI=ON")
        self.assertIn("mimalloc was not found: the command uses the C library's malloc", out)

    def test_nothing_is_installed_with_the_outer_project(self):
        self.assertNotIn("septet", self.run_program("cmake", "--install", self.build, "--prefix",
                                                    os.path.join(self.folder, "prefix")))

    def test_neither_the_command_nor_tests_are_built(self):
        targets = self.targets()
        self.assertIn("libseptet.a:", targets)
        for name in ("septet_cli", "cmocka", "test_", "bench_", "example_", "fuzz_"):
            self.assertNotIn(name, targets)

    def test_e_11_an_embedder_is_built_with_the_alias_alone_and_without_mimalloc(self):
        self.run_program("cmake", "--build", self.build, "--target", "program")
        self.assertEqual(self.run_program(os.path.join(self.build, "program")), "ok\n")


if __name__ == "__main__":
    unittest.main()
