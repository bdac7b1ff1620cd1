/* replay.c - runs a fuzz target over every file of the folders named, without a fuzzing engine. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

int main(int argc, char **argv)
{
    int n_files = 0;
    for (int i = 1; i < argc; i++) {
        struct dirent *entry;
        DIR *dir = opendir(argv[i]);
        while (dir && (entry = readdir(dir))) {
            char path[4096], *text;
            size_t n_bytes;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            if (file_is_dir(path) || file_read(path, 64 << 20, &text, &n_bytes, NULL) != ERR_OK)
                continue;
            /* An exact-size copy lets AddressSanitizer see a read past the end. */
            uint8_t *copy = malloc(n_bytes ? n_bytes : 1);
            for (size_t k = 0; k < n_bytes; k++)
                copy[k] = (uint8_t)text[k];
            LLVMFuzzerTestOneInput(copy, n_bytes);
            free(copy);
            mem_free(text);
            n_files++;
        }
        if (dir)
            closedir(dir);
    }
    printf("%d inputs replayed\n", n_files);
    return n_files > 0 ? 0 : 1;
}
