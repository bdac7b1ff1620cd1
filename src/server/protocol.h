/* protocol.h - what the front and a model's worker say to each other, in frames (net/frames.h).
 *
 * The front owns sockets and keys; a worker owns one model. A call is one HTTP request that the
 * front has admitted; its number names it in every frame. The front may say CANCEL at any time; the
 * worker ends every call with one END, also a cancelled one. */
#ifndef SERVER_PROTOCOL_H
#define SERVER_PROTOCOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* Answers are computed anew behind everything else. */
#define VERIFY_PATH "/v1/verify"

enum frame_kind {
    /* front -> worker */
    FRAME_CALL = 1, /* struct call_head, path, body */
    FRAME_CANCEL,
    FRAME_LOAD, /* there is room for the model */
    /* worker -> front */
    FRAME_NEEDS,  /* uint64_t: bytes that the model will take; it waits for LOAD */
    FRAME_READY,  /* the model's facts as JSON */
    FRAME_FACTS,  /* the facts again, now that more of them are known */
    FRAME_FAILED, /* why it cannot serve; the worker ends */
    FRAME_REPLY,  /* struct reply_line, then a body: the whole answer but for END */
    FRAME_STREAM, /* struct reply_line: an event stream begins */
    FRAME_DATA,   /* of the stream */
    FRAME_END,    /* nothing, or a byte: its stream ended with an error */
    FRAME_USAGE, /* struct call_usage: how far the call is; once more before its answer's end */
    FRAME_STATS, /* struct stats: how the worker fares; of no call */
    /* struct receipt_head, a receipt's body, its bundle: before the last frames of its answer */
    FRAME_RECEIPT,
};

enum { FRAME_BYTES_MAX = (64 << 20) + 4096 };

/* Of which answers receipts are made. */
enum receipts_mode {
    RECEIPTS_OFF,   /* who asks for one gets an error */
    RECEIPTS_ASKED, /* of those whose request has "receipt": true */
    RECEIPTS_ALWAYS,
};

struct call_head {
    uint64_t tenant; /* whose prompts may be shared */
    uint32_t n_path;
    int32_t priority;    /* the engine's */
    uint32_t may_verify; /* the key has that scope, or none is needed */
    uint32_t receipts;   /* enum receipts_mode */
};

/* The path of a call for artifacts of proof of compute, which is the front's own. Its body is
 * {block_hash, public_key, seq_len, k_dim, stronger, order, nonces}, its answer an array: each
 * nonce's artifact in base64, or null. */
#define NONCES_PATH "/nonces"

enum call_state {
    CALL_QUEUED, /* none of its prompts is being read */
    CALL_PROMPT, /* no token was chosen yet */
    CALL_ANSWER,
};

/* Tokens: of its prompts, of those that are read by now, remembered among them; chosen. */
struct call_usage {
    uint32_t state; /* enum call_state */
    uint32_t n_prompt, n_read, n_cached, n_answer;
};

struct receipt_head {
    uint32_t index;  /* of the call's choices */
    uint32_t n_body; /* bytes; the rest is the bundle */
};

struct reply_line {
    uint32_t status;
    uint32_t n_receipts; /* that come before the answer's end */
    uint32_t n_unknown; /* then names of unknown fields, for a header */
};

#endif
