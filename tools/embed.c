/* SPDX-License-Identifier: MIT */
/* embed OUT.c HEADER TABLE ROOT/ FILE... [ROOT/ FILE...]: writes modules as C arrays, so that the
 * library and the command need no files of their own at run time. TABLE is the type of a row and
 * the name of the table that the modules become, as HEADER declares it. A module's name is the
 * file's path below the folder ROOT before it: septet/http/retry.lua is "septet.http.retry",
 * septet/init.lua is "septet". A file of another kind is a module that is its text:
 * septet/trace/report/page.css is "septet.trace.report.page.css". */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, const char *path)
{
    fprintf(stderr, "embed: cannot %s '%s'\n", what, path);
    exit(1);
}

static bool is_text(const char *path)
{
    size_t len = strlen(path);
    return len < 4 || strcmp(path + len - 4, ".lua") != 0;
}

static void module_name(char *name, size_t size, const char *root, const char *path)
{
    size_t len = strlen(root);
    if (strncmp(path, root, len) != 0)
        die("name, as it is not in the folder,", path);
    const char *file = path + len;
    const char *end = strcmp(file, "septet/init.lua") == 0 ? "/init.lua" : ".lua";
    if (is_text(file))
        end = "";
    snprintf(name, size, "%.*s", (int)(strlen(file) - strlen(end)), file);
    for (char *c = name; *c; c++)
        if (*c == '/')
            *c = '.';
}

static size_t embed(FILE *out, const char *path, int index)
{
    FILE *in = fopen(path, "rb");
    if (!in)
        die("read", path);
    fprintf(out, "static const unsigned char module_%d[] = {", index);
    size_t n = 0;
    for (int c; (c = getc(in)) != EOF; n++)
        fprintf(out, "%s%d,", n % 24 ? "" : "\n    ", c);
    fprintf(out, "\n};\n\n");
    if (ferror(in))
        die("read", path);
    fclose(in);
    return n;
}

static bool is_root(const char *argument)
{
    size_t len = strlen(argument);
    return len > 0 && argument[len - 1] == '/';
}

int main(int argc, char **argv)
{
    if (argc < 6 || !is_root(argv[4])) {
        fprintf(stderr, "usage: embed OUT.c HEADER TABLE ROOT/ FILE... [ROOT/ FILE...]\n");
        return 2;
    }
    FILE *out = fopen(argv[1], "w");
    if (!out)
        die("write", argv[1]);
    fprintf(out, "/* Made by tools/embed.c. */\n#include \"%s\"\n\n", argv[2]);
    for (int i = 4; argv[i]; i++)
        if (!is_root(argv[i]))
            embed(out, argv[i], i);
    fprintf(out, "const %s[] = {\n", argv[3]);
    const char *root = NULL;
    for (int i = 4; argv[i]; i++) {
        if (is_root(argv[i])) {
            root = argv[i];
            continue;
        }
        char name[256];
        module_name(name, sizeof name, root, argv[i]);
        fprintf(out, "    {\"%s\", (const char *)module_%d, sizeof module_%d, %d},\n", name, i, i,
                is_text(argv[i]));
    }
    fprintf(out, "    {0, 0, 0, 0},\n};\n");
    if (fclose(out) != 0)
        die("write", argv[1]);
    return 0;
}
