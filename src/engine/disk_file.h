/* disk_file.h - the file of one key-value page (docs/formats/kv-page.md): a header of 128 bytes,
 * then the page's canonical bytes. Each has a checksum; the header names the key it belongs to. */
#ifndef ENGINE_DISK_FILE_H
#define ENGINE_DISK_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

enum { DISK_HEADER_BYTES = 128, DISK_FILE_VERSION = 1 };

/* disk_file_seal - writes the header before a payload of n_bytes that lies at file + 128. */
void disk_file_seal(uint8_t *file, size_t n_bytes, const uint8_t key[SHA256_BYTES]);

/* disk_file_check - whether n_file bytes are the file of this key with n_bytes of payload. The note
 * says what is wrong; ERR_FORMAT. */
enum err disk_file_check(const uint8_t *file, size_t n_file, size_t n_bytes,
                         const uint8_t key[SHA256_BYTES], struct err_note *note);

/* disk_sum - the checksum: 64 bits, different for any two inputs that differ in one 8-byte word. */
uint64_t disk_sum(const uint8_t *bytes, size_t n_bytes);

#endif
