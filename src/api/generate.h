/* generate.h - requests of OpenAI's /v1/chat/completions and /v1/completions, with the further
 * fields that vLLM and llama-server made common.
 *
 * A request owns its JSON; texts and values in it point there. What cannot be honoured is an error
 * that names the field; nothing is cut or ignored (docs/server.md lists fields without effect). */
#ifndef API_GENERATE_H
#define API_GENERATE_H

#include "api/fields.h"
#include "isobit.h"

enum { API_STOPS_MAX = 16, API_BIASES_MAX = 1024, API_CHOICES_MAX = 128 };

/* What shape an answer must have. */
enum api_shape {
    API_SHAPE_ANY,
    API_SHAPE_JSON,    /* any JSON object */
    API_SHAPE_SCHEMA,  /* value: a JSON schema */
    API_SHAPE_GRAMMAR, /* text: GBNF */
    API_SHAPE_REGEX,   /* text */
    API_SHAPE_CHOICE,  /* value: an array of texts */
};

/* Whether the model may, or must, call tools. */
enum api_calls { API_CALLS_AUTO, API_CALLS_NONE, API_CALLS_REQUIRED };

struct api_generate {
    json_t *root; /* the whole request */
    json_t *made; /* an array of what a dialect made of it; see api_generate_own */

    struct str model;
    const json_t *messages, *tools, *kwargs; /* chat: arrays and an object, or NULL */
    const char *messages_field; /* what the API calls messages, for errors */
    const json_t *tool_choice;
    enum api_calls calls;     /* of api_tools_read */
    const char *tool_name;    /* the one that must be called; NULL: any */
    bool reasoning_is_text;   /* reasoning is not told apart */
    struct str prompt;          /* completions: text ... */
    const json_t *prompt_ids;   /* ... or token ids ... */
    const json_t *prompts;      /* ... or an array of either */
    const json_t *prompt_before; /* token ids that come before it, or NULL */
    /* With the scope verify: the answer is this, and only its logprobs are wanted. */
    struct str enforced_text;
    const json_t *enforced; /* {tokens: [{token, top_tokens}]}, or NULL */
    bool processed_logprobs; /* after the stages of sampling */
    struct str suffix;           /* what follows the answer, or "" */
    bool each_alone;             /* a prompt that fails leaves the others alone */
    bool only_load;              /* nothing is to be generated */
    bool echo;                  /* completions: the prompt comes first */
    bool add_generation_prompt; /* chat: an assistant's turn is begun */
    bool parallel_tool_calls;   /* chat: more than one call may be made */
    struct str prefill;         /* chat: the answer's beginning, not said again */

    /* How tokens are chosen; stops and biases below. Seed: as given, else chosen by the server. */
    struct iso_sampling sampling;
    bool has_seed;
    uint32_t n;       /* answers */
    uint32_t n_max;   /* tokens of each; UINT32_MAX: to the context's end */
    uint32_t n_min;   /* before an end token may be chosen */
    bool ignore_eos, stream, include_usage, return_token_ids, return_progress;
    bool logprobs;    /* of the chosen tokens */
    uint32_t n_top;   /* alternatives beside each */
    int32_t n_prompt_top; /* the same of the prompt's tokens; -1: they are not wanted */
    struct str stops[API_STOPS_MAX];
    size_t n_stops;
    int32_t stop_ids[ISO_STOPS_MAX];
    size_t n_stop_ids;
    struct iso_bias *biases; /* ascending; owned */
    size_t n_biases;
    const json_t *biases_told; /* llama-server's logit_bias, which may name texts; or NULL */
    const json_t *breakers;    /* DRY's, texts; NULL: the usual ones */
    bool calls_whole;          /* in a stream, calls of tools come whole, at the end */
    bool no_cache;             /* what was read before is read again, and nothing is left */

    enum api_shape shape;
    const json_t *shape_value;
    struct str shape_text;
    struct str cache_salt, user;
    bool receipt; /* a receipt is wanted, with the answer */
    int64_t clock_s; /* what templates are told, local civil seconds since 1970; 0: the time */

    struct buf unknown; /* names of unknown fields, for a response header */
};

/* Both return false with e filled; release r in any case. body must outlive neither. */
bool api_chat_parse(struct str body, struct api_generate *r, struct api_error *e);
bool api_completion_parse(struct str body, struct api_generate *r, struct api_error *e);
void api_generate_release(struct api_generate *r);

/* For other dialects: the defaults, OpenAI's; and whether messages are what templates know. */
void api_generate_begin(struct api_generate *r);
bool api_messages_check(const json_t *messages, struct api_error *e);
/* api_tools_read - checks tools and tool_choice, which are as OpenAI has them, and says what they
 * mean together; without tools that may be called, tools is NULL. */
bool api_tools_read(struct api_generate *r, struct api_error *e);
/* Whether a tool's arguments must follow its schema exactly. */
bool api_tool_is_strict(const json_t *tool);
/* api_generate_own - value, a new reference, lives as long as r. NULL without memory. */
const json_t *api_generate_own(struct api_generate *r, json_t *value);

#endif
