/* fuzz_trace.c - the reader of traces takes any bytes. */
#include "base/check.h"
#include "cli/trace_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace t;
    struct err_note note = {""};
    enum err rc = trace_parse(&t, (struct str){(const char *)data, size}, "fuzz", &note);
    if (rc) {
        CHECK(note.text[0]);
        return 0;
    }
    for (size_t op_i = 0; op_i < t.n_ops; op_i++)
        for (uint32_t row = 0; row < t.n_rows; row++) {
            float value;
            struct str line = trace_row(&t, op_i, row);
            CHECK(trace_hash(line).len == 16);
            if (line.len > 16)
                (void)trace_value(line, t.ops[op_i].n - 1, &value);
        }
    trace_release(&t);
    return 0;
}
