# SPDX-License-Identifier: MIT
"""cmake --install: an outside project builds against what it installed, by CMake and by pkg-config,
static and shared, in C and in C++, wherever the prefix is."""

import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from installed import BUILD, OUTSIDE, ROOT, install, libdir, run

VERSION = "0.1.0"
C_OUTPUT = f"2 tasks slept in septet {VERSION}\n"
CC_OUTPUT = "the answer is 42\n"
LANGUAGES = {"c": ("cc", "-std=c11", C_OUTPUT), "cc": ("c++", "-std=c++20", CC_OUTPUT)}
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wno-unused-parameter", "-Werror"]


def needed(program):
    """Returns the names of the shared libraries that a program needs by itself."""
    return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", program))


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="septet-install-")
        cls.addClassCleanup(folder.cleanup)
        cls.folder = folder.name
        cls.prefix = os.path.join(cls.folder, "prefix")
        install(cls.prefix)
        cls.lib = libdir(cls.prefix)

    def pkg_config(self, *arguments):
        return run("pkg-config", *arguments,
                   PKG_CONFIG_PATH=os.path.join(self.lib, "pkgconfig")).split()

    def compile(self, language, flags, name):
        compiler, standard, _ = LANGUAGES[language]
        program = os.path.join(self.folder, name)
        run(compiler, standard, *STRICT, "-o", program,
            os.path.join(OUTSIDE, f"program.{language}"), *flags)
        return program

    def check(self, program, language, is_shared):
        self.assertEqual("libseptet.so.0" in needed(program), is_shared, program)
        self.assertEqual(run(program, LD_LIBRARY_PATH=self.lib), LANGUAGES[language][2])

    def build_by_cmake(self, prefix, *options):
        build = tempfile.mkdtemp(dir=self.folder)
        run("cmake", "-G", "Ninja", "-S", OUTSIDE, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}",
            *options)
        run("cmake", "--build", build)
        return build

    def test_e_11_the_outside_project_builds_by_cmake(self):
        build = self.build_by_cmake(self.prefix)
        for library in ("septet", "static"):
            for language in LANGUAGES:
                program = os.path.join(build, f"{library}_{language}")
                self.check(program, language, library == "septet")

    def test_e_11_the_outside_project_builds_by_pkg_config(self):
        for language in LANGUAGES:
            flags = self.pkg_config("--cflags", "--libs", "septet")
            self.check(self.compile(language, flags, f"shared_{language}"), language, True)
            flags = self.pkg_config("--cflags", "--libs", "septet-static")
            self.check(self.compile(language, flags, f"static_{language}"), language, False)

    def test_e_11_pkg_config_static_links_where_there_is_only_the_archive(self):
        lib = os.path.join(self.folder, "archive")
        os.makedirs(lib)
        shutil.copy(os.path.join(self.lib, "libseptet.a"), lib)
        flags = self.pkg_config("--static", f"--define-variable=libdir={lib}", "--cflags", "--libs",
                                "septet")
        self.check(self.compile("c", flags, "archive_c"), "c", False)

    def test_e_11_the_readmes_command_links(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            commands = re.findall(r"^    (cc .*program\.c.*)$", file.read(), re.M)
        self.assertEqual(len(commands), 2)
        for command in commands:
            place = tempfile.mkdtemp(dir=self.folder)
            shutil.copy(os.path.join(OUTSIDE, "program.c"), place)
            run("sh", "-c", command, cwd=place,
                PKG_CONFIG_PATH=os.path.join(self.lib, "pkgconfig"))
            self.check(os.path.join(place, "program"), "c", "septet-static" not in command)

    def test_the_definitions_for_editors_are_an_addon(self):
        share = os.path.join(self.prefix, "share", "septet")
        self.assertTrue(os.path.isfile(os.path.join(share, "config.json")))
        for name in "septet.lua", "septet/task.lua", "septet/errors.lua":
            self.assertTrue(os.path.isfile(os.path.join(share, "library", name)), name)

    def test_the_completions_are_where_shells_look(self):
        share = os.path.join(self.prefix, "share")
        for shell, path in (("bash", "bash-completion/completions/septet"),
                            ("zsh", "zsh/site-functions/_septet"),
                            ("fish", "fish/vendor_completions.d/septet.fish")):
            with open(os.path.join(share, path), encoding="utf-8") as file:
                self.assertEqual(file.read(), run(os.environ["SEPTET"], "completions", shell))

    def test_the_prefix_may_move(self):
        moved = os.path.join(self.folder, "moved")
        shutil.copytree(self.prefix, moved, symlinks=True)
        elsewhere = os.path.join(self.folder, "elsewhere")
        os.rename(self.prefix, elsewhere)
        try:
            build = self.build_by_cmake(moved)
            self.check(os.path.join(build, "static_c"), "c", False)
            pc = os.path.join(libdir(moved), "pkgconfig")
            for variable, folder in (("libdir", libdir(moved)), ("includedir", moved + "/include")):
                found = run("pkg-config", "--define-prefix", f"--variable={variable}", "septet",
                            PKG_CONFIG_PATH=pc)
                self.assertEqual(found.strip(), folder)
        finally:
            os.rename(elsewhere, self.prefix)

    def test_destdir_is_in_no_file(self):
        stage = os.path.join(self.folder, "stage")
        install("/usr", DESTDIR=stage)
        usr = os.path.join(stage, "usr")
        self.assertEqual(os.listdir(stage), ["usr"])
        for path in glob.glob(f"{usr}/**/*", recursive=True):
            if path.endswith((".pc", ".cmake")):
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                self.assertNotIn(stage, text, path)
                self.assertNotIn(BUILD, text, path)
                self.assertNotIn(ROOT, text, path)
        with open(os.path.join(libdir(usr), "pkgconfig", "septet.pc"), encoding="utf-8") as file:
            self.assertIn("prefix=/usr\n", file.read())

    def test_without_the_libraries_there_is_no_static_target_and_a_message(self):
        only = os.path.join(self.folder, "only")
        os.makedirs(only)
        pc = os.path.join(run("pkg-config", "--variable=pcfiledir", "lua5.4").strip(), "lua5.4.pc")
        shutil.copy(pc, only)
        missing = r"pkg-config cannot find one of\s+sqlite3>=3.40"
        with self.assertRaisesRegex(AssertionError, missing):
            run("cmake", "-G", "Ninja", "-S", OUTSIDE, "-B", os.path.join(self.folder, "none"),
                f"-DCMAKE_PREFIX_PATH={self.prefix}", PKG_CONFIG_LIBDIR=only)

    def test_another_minor_version_is_refused(self):
        place = os.path.join(self.folder, "other")
        shutil.copytree(OUTSIDE, place)
        path = os.path.join(place, "CMakeLists.txt")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("septet 0.1", "septet 0.2"))
        with self.assertRaisesRegex(AssertionError, f"version: {VERSION}"):
            run("cmake", "-G", "Ninja", "-S", place, "-B", place + "/build",
                f"-DCMAKE_PREFIX_PATH={self.prefix}")

    def test_the_archive_has_ordinary_code_alone(self):
        self.assertNotIn(".gnu.lto_", run("readelf", "-SW", os.path.join(self.lib, "libseptet.a")))

    def test_the_shared_library_has_its_name_and_needs_nothing_undefined(self):
        library = os.path.join(self.lib, "libseptet.so")
        self.assertIn("[libseptet.so.0]", run("readelf", "-d", library))
        self.assertNotIn("undefined symbol", run("ldd", "-r", library))

    def test_the_command_runs_from_its_prefix(self):
        command = os.path.join(self.prefix, "bin", "septet")
        self.assertEqual(run(command, "-E", "-e", "print(1)"), "1\n")
        self.assertIn(VERSION, run(command, "--version"))


class Headers(unittest.TestCase):
    """The headers in the languages that include them."""

    def compile(self, compiler, source, *flags):
        done = subprocess.run(
            [compiler, *STRICT, "-c", "-o", os.devnull, *flags, f"-I{ROOT}/include", "-"],
            input=source, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)

    def lua_flags(self):
        return run("pkg-config", "--cflags", "lua5.4").split()

    def test_each_header_stands_alone(self):
        for name in ("septet", "op"):
            source = f"#include <septet/{name}.h>\nint nothing_else;\n"
            for standard in ("c11", "c17"):
                self.compile("cc", source, f"-std={standard}", "-xc", *self.lua_flags())
            for standard in ("c++11", "c++17", "c++20"):
                self.compile("c++", source, f"-std={standard}", "-xc++", *self.lua_flags())

    def test_e_11_cxx_with_the_luaconf_of_upstream_declares_functions_of_c(self):
        # Debian's LUA_API says extern "C" in C++, and upstream's does not.
        include = next(flag[2:] for flag in self.lua_flags() if flag.startswith("-I"))
        with tempfile.TemporaryDirectory(prefix="septet-lua-") as folder:
            for path in glob.glob(os.path.join(include, "*.h*")):
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                with open(os.path.join(folder, os.path.basename(path)), "w",
                          encoding="utf-8") as file:
                    file.write(re.sub(r'(define LUA_API\s+)extern "C"', r"\1extern", text))
            with open(os.path.join(folder, "luaconf.h"), encoding="utf-8") as file:
                self.assertNotIn('extern "C"', file.read())
            built = os.path.join(folder, "program.o")
            run("c++", "-std=c++20", *STRICT, f"-I{folder}", f"-I{ROOT}/include", "-c", "-o", built,
                os.path.join(OUTSIDE, "program.cc"))
            wanted = run("nm", "-u", built).split()
            self.assertIn("lua_pushinteger", wanted)
            self.assertIn("septet_op_new", wanted)


if __name__ == "__main__":
    unittest.main()
