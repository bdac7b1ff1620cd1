/* byte_map.c - GPT-2's spelling of bytes as printable characters.
 *
 * Printable Latin-1 bytes are themselves; the other 68 are U+0100.. in order. */
#include "text/tokenizer_int.h"

static bool printable(unsigned b)
{
    return (b >= '!' && b <= '~') || (b >= 0xa1 && b != 0xad);
}

uint32_t byte_map_char(unsigned char byte)
{
    if (printable(byte))
        return byte;
    return 0x100u + (byte <= ' ' ? byte : byte <= 0xa0 ? 33u + (byte - 0x7fu) : 67u);
}

int byte_map_byte(uint32_t c)
{
    if (c < 0x100)
        return printable(c) ? (int)c : -1;
    if (c > 0x100 + 67)
        return -1;
    uint32_t k = c - 0x100;
    return (int)(k <= 32 ? k : k < 67 ? 0x7f + (k - 33) : 0xad);
}

void byte_map_text(struct str text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char bytes[4];
        buf_add(out, bytes, (size_t)utf8_encode(byte_map_char((unsigned char)text.ptr[i]), bytes));
    }
}
