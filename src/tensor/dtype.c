/* dtype.c - the table of element types. */
#include "tensor/dtype.h"

#include <string.h>

#include "base/check.h"

static const struct dtype_info infos[DTYPE_COUNT] = {
#define DTYPE_INFO(name, text, len, bytes, id) [DTYPE_##name] = {text, len, bytes, id},
    DTYPE_LIST(DTYPE_INFO)
#undef DTYPE_INFO
};

/* Types of other GGUF files that are refused by name. */
static const struct {
    uint32_t id;
    const char *name;
} others[] = {
    {9, "Q8_1"},        {16, "IQ2_XXS"},    {17, "IQ2_XS"},     {18, "IQ3_XXS"},  {19, "IQ1_S"},
    {21, "IQ3_S"},      {22, "IQ2_S"},      {29, "IQ1_M"},      {34, "TQ1_0"},    {35, "TQ2_0"},
    {4, "Q4_2"},        {5, "Q4_3"},        {31, "Q4_0_4_4"},   {32, "Q4_0_4_8"}, {33, "Q4_0_8_8"},
    {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"}, {40, "NVFP4"},
};

const struct dtype_info *dtype_info(enum dtype t)
{
    CHECK((unsigned)t < DTYPE_COUNT);
    return &infos[t];
}

bool dtype_from_name(const char *name, enum dtype *out)
{
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (strcmp(infos[t].name, name) == 0) {
            *out = (enum dtype)t;
            return true;
        }
    return false;
}

bool dtype_from_ggml(uint32_t id, enum dtype *out)
{
    for (int t = 0; t < DTYPE_COUNT; t++)
        if (infos[t].ggml_id >= 0 && (uint32_t)infos[t].ggml_id == id) {
            *out = (enum dtype)t;
            return true;
        }
    return false;
}

const char *dtype_ggml_name(uint32_t id)
{
    enum dtype t;
    if (dtype_from_ggml(id, &t))
        return infos[t].name;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (others[i].id == id)
            return others[i].name;
    return NULL;
}

size_t dtype_row_bytes(enum dtype t, size_t n)
{
    const struct dtype_info *info = dtype_info(t);
    CHECK(n % (size_t)info->block_len == 0);
    return n / (size_t)info->block_len * (size_t)info->block_bytes;
}
