/* embed OUT.c FILE.lua...: writes Lua modules as C arrays, so that the library needs no files of
 * its own at run time. The module's name is the file's: lua/septet/task.lua is "septet.task",
 * init.lua is "septet". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void die(const char *what, const char *path)
{
    fprintf(stderr, "embed: cannot %s '%s'\n", what, path);
    exit(1);
}

static void module_name(char *name, size_t size, const char *path)
{
    const char *base = strrchr(path, '/');
    base = base ? base + 1 : path;
    int len = (int)(strlen(base) - strlen(".lua"));
    if (strcmp(base, "init.lua") == 0)
        snprintf(name, size, "septet");
    else
        snprintf(name, size, "septet.%.*s", len, base);
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

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: embed OUT.c FILE.lua...\n");
        return 2;
    }
    FILE *out = fopen(argv[1], "w");
    if (!out)
        die("write", argv[1]);
    fprintf(out, "/* Made by tools/embed.c. */\n#include \"lua/embed.h\"\n\n");
    for (int i = 2; i < argc; i++)
        embed(out, argv[i], i - 2);
    fprintf(out, "const struct spt_module spt_modules[] = {\n");
    for (int i = 2; i < argc; i++) {
        char name[256];
        module_name(name, sizeof name, argv[i]);
        fprintf(out, "    {\"%s\", (const char *)module_%d, sizeof module_%d},\n", name, i - 2,
                i - 2);
    }
    fprintf(out, "    {0, 0, 0},\n};\n");
    if (fclose(out) != 0)
        die("write", argv[1]);
    return 0;
}
