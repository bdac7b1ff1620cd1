/* disk_file.c - the file of one key-value page. */
#include "engine/disk_file.h"

#include <string.h>

static const char magic[8] = {'i', 's', 'o', 'b', 'i', 't', 'K', 'V'};

enum {
    AT_MAGIC = 0,
    AT_VERSION = 8,
    AT_POSITIONS = 12,
    AT_BYTES = 16,
    AT_SUM = 24,
    AT_KEY = 32,
    AT_HEADER_SUM = 120,
    POSITIONS = 64,
};

static void put(uint8_t *out, uint64_t x, int n_bytes)
{
    for (int i = 0; i < n_bytes; i++)
        out[i] = (uint8_t)(x >> 8 * i);
}

static uint64_t get(const uint8_t *in, int n_bytes)
{
    uint64_t x = 0;
    for (int i = 0; i < n_bytes; i++)
        x |= (uint64_t)in[i] << 8 * i;
    return x;
}

#define SUM_FACTOR 0x9e3779b97f4a7c15u

static uint64_t turn(uint64_t h, uint64_t word)
{
    h ^= word;
    return (h << 29 | h >> 35) * SUM_FACTOR; /* one to one in h, and in word */
}

uint64_t disk_sum(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t lane[4] = {1, 2, 3, 4}, h = n_bytes;
    uint8_t last[32] = {0};
    size_t at = 0;
    for (; at + 32 <= n_bytes; at += 32)
        for (int i = 0; i < 4; i++)
            lane[i] = turn(lane[i], get(bytes + at + 8 * i, 8));
    if (at < n_bytes) {
        memcpy(last, bytes + at, n_bytes - at);
        for (int i = 0; i < 4; i++)
            lane[i] = turn(lane[i], get(last + 8 * i, 8));
    }
    for (int i = 0; i < 4; i++)
        h = turn(h, lane[i]);
    return h ^ h >> 32;
}

void disk_file_seal(uint8_t *file, size_t n_bytes, const uint8_t key[SHA256_BYTES])
{
    memset(file, 0, DISK_HEADER_BYTES);
    memcpy(file + AT_MAGIC, magic, sizeof magic);
    put(file + AT_VERSION, DISK_FILE_VERSION, 4);
    put(file + AT_POSITIONS, POSITIONS, 4);
    put(file + AT_BYTES, n_bytes, 8);
    put(file + AT_SUM, disk_sum(file + DISK_HEADER_BYTES, n_bytes), 8);
    memcpy(file + AT_KEY, key, SHA256_BYTES);
    put(file + AT_HEADER_SUM, disk_sum(file, AT_HEADER_SUM), 8);
}

enum err disk_file_check(const uint8_t *file, size_t n_file, size_t n_bytes,
                         const uint8_t key[SHA256_BYTES], struct err_note *note)
{
    if (n_file < DISK_HEADER_BYTES)
        return err_set(note, ERR_FORMAT, "%zu bytes are no header of %d", n_file,
                       DISK_HEADER_BYTES);
    if (memcmp(file + AT_MAGIC, magic, sizeof magic) != 0)
        return err_set(note, ERR_FORMAT, "it does not begin with \"isobitKV\"");
    if (get(file + AT_HEADER_SUM, 8) != disk_sum(file, AT_HEADER_SUM))
        return err_set(note, ERR_FORMAT, "the header's checksum is wrong");
    if (get(file + AT_VERSION, 4) != DISK_FILE_VERSION)
        return err_set(note, ERR_FORMAT, "version %u, not %d",
                       (unsigned)get(file + AT_VERSION, 4), DISK_FILE_VERSION);
    if (memcmp(file + AT_KEY, key, SHA256_BYTES) != 0)
        return err_set(note, ERR_FORMAT, "it belongs to another key");
    if (get(file + AT_POSITIONS, 4) != POSITIONS || get(file + AT_BYTES, 8) != n_bytes ||
        n_file - DISK_HEADER_BYTES != n_bytes)
        return err_set(note, ERR_FORMAT, "%zu bytes, not %zu", n_file,
                       n_bytes + DISK_HEADER_BYTES);
    if (get(file + AT_SUM, 8) != disk_sum(file + DISK_HEADER_BYTES, n_bytes))
        return err_set(note, ERR_FORMAT, "the checksum of the keys and values is wrong");
    return ERR_OK;
}
