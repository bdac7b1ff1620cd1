/* openapi.h - the description of the server's endpoints, OpenAPI 3.1.
 *
 * Made from what serves: the table of endpoints (routes.c) and the tables that bodies are read by
 * (api/tables.h). openapi/openapi.json adds what neither knows: sentences, the shape of answers,
 * the shape of values that fields hold. */
#ifndef SERVER_OPENAPI_H
#define SERVER_OPENAPI_H

#include <jansson.h>
#include <stddef.h>

struct endpoint;

/* openapi_document - free with json_decref. NULL without memory. */
json_t *openapi_document(const struct endpoint *endpoints, size_t n_endpoints);

#endif
