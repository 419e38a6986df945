/* replay: runs a fuzz target over the files of its corpus, where the compiler brings no libFuzzer. */
#include "fuzz.h"

#include "introspectd/file.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>

enum { MAX_INPUT_BYTES = 1 << 20 };

static int replay_file(const char *path)
{
    char *bytes = NULL;
    size_t len = 0;
    int error = file_read(path, MAX_INPUT_BYTES, &bytes, &len);
    if (error != 0) {
        fprintf(stderr, "%s: error %d\n", path, error);
        return 0;
    }
    (void)LLVMFuzzerTestOneInput((const uint8_t *)bytes, len);
    free(bytes);
    return 1;
}

int main(int argc, char **argv)
{
    DIR *corpus = argc == 2 ? opendir(argv[1]) : NULL;
    if (corpus == NULL) {
        fputs("usage: replay CORPUS_DIRECTORY\n", stderr);
        return 64;
    }
    int inputs = 0;
    for (struct dirent *entry; (entry = readdir(corpus)) != NULL;) {
        char path[PATH_MAX];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        inputs += replay_file(path);
    }
    closedir(corpus);
    printf("%d inputs\n", inputs);
    return inputs > 0 ? 0 : 1;
}
