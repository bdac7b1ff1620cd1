/* batch.c - requests of OpenAI's /v1/batches. */
#include "api/batch.h"

#include <stddef.h>

#include "api/tables.h"
#include "base/check.h"

enum { METADATA_PAIRS_MAX = 16 };

#define FIELD(member) offsetof(struct api_batch, member)

static const struct api_field fields[] = {
    {"input_file_id", API_TEXT, FIELD(input_file), 0, 0, "of a file with a request in each line"},
    {"endpoint", API_TEXT, FIELD(endpoint), 0, 0, "which every line asks for"},
    {"completion_window", API_TEXT, FIELD(window), 0, 0, "24h"},
    {"metadata", API_VALUE, FIELD(metadata), 0, 0, "up to 16 texts by name, given back"},
    {"output_expires_after", API_NO_EFFECT, 0, 0, 0, "files are kept 30 days"},
};

const struct api_table api_batch_table = {"BatchRequest", fields, COUNT_OF(fields),
                                          "input_file_id endpoint"};

static bool check_metadata(const json_t *metadata, struct api_error *e)
{
    const char *name;
    json_t *value;
    if (!metadata)
        return true;
    if (!json_is_object(metadata) || json_object_size(metadata) > METADATA_PAIRS_MAX)
        return api_fail(e, 400, "metadata", "metadata must be an object of at most %d texts",
                        METADATA_PAIRS_MAX);
    json_object_foreach ((json_t *)metadata, name, value)
        if (!json_is_string(value))
            return api_fail(e, 400, "metadata", "metadata's %.60s must be a text", name);
    return true;
}

bool api_batch_parse(struct str body, struct api_batch *r, struct api_error *e)
{
    *r = (struct api_batch){.input_file = STR(""), .endpoint = STR(""), .window = STR("24h")};
    r->root = api_parse(body, e);
    if (!r->root || !api_read(r->root, "", fields, COUNT_OF(fields), r, NULL, NULL, e))
        return false;
    if (r->input_file.len == 0)
        return api_fail(e, 400, "input_file_id", "input_file_id is missing");
    if (r->endpoint.len == 0)
        return api_fail(e, 400, "endpoint", "endpoint is missing");
    if (!str_is(r->window, "24h"))
        return api_fail(e, 400, "completion_window", "completion_window must be 24h");
    return check_metadata(r->metadata, e);
}
