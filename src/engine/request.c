/* request.c - what a request asks for unless told otherwise; results in words. */
#include "base/check.h"
#include "base/err.h"
#include "isobit.h"

struct iso_request iso_request_default(void)
{
    return (struct iso_request){
        .n_answer_max = UINT32_MAX,
        .sampling =
            {
                .temperature = 0.8f,
                .top_k = 40,
                .top_p = 0.95f,
                .min_p = 0.05f,
                .typical_p = 1,
                .repeat_penalty = 1,
                .n_penalty_window = 64,
                .dry_base = 1.75f,
                .dry_allowed_length = 2,
                .n_dry_window = UINT32_MAX,
                .xtc_threshold = 0.1f,
                .mirostat_tau = 5,
                .mirostat_eta = 0.1f,
                .order = {ISO_STAGE_PENALTIES, ISO_STAGE_DRY, ISO_STAGE_TOP_K, ISO_STAGE_TYPICAL,
                          ISO_STAGE_TOP_P, ISO_STAGE_MIN_P, ISO_STAGE_XTC, ISO_STAGE_TEMPERATURE},
            },
    };
}

const char *iso_err_text(enum iso_err err)
{
    return err_text((enum err)err);
}

const char *iso_finish_text(enum iso_finish finish)
{
    static const char *const text[] = {"none", "stop", "length", "context", "cancelled", "error",
                                       "deadline"};
    CHECK((size_t)finish < COUNT_OF(text));
    return text[finish];
}
