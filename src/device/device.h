/* device.h - where compute happens: the table of operations that every device implements.
 *
 * A model is a sequence of these operations on f32 rows; docs/arithmetic.md defines each one to the
 * bit, the scalar C in device/cpu/ is that definition as a program, and every other implementation
 * equals it by memcmp. Shapes are checked once, here (ops.c), for all devices.
 *
 * Letters: T rows (tokens), K columns in, N rows of a matrix (columns out), D model width, H heads,
 * G key-value heads, E head size, V vocabulary. Row-major always; y[T,N] = x[T,K] . w[N,K]^T.
 *
 * Memory: what an operation reads and writes is the device's own (mem_take), but for what is said
 * to be the host's. Whoever opened the device touches it only by put, get, zero and move, unless
 * host_memory says that it is memory like any other.
 * Queue: operations are submitted in order; what one writes may be read by later ones at once, and
 * by the host when get or wait returns. The CPU completes at once.
 * Owner thread: the one that opened the device. Operations allocate nothing.
 * A device may be lost in mid-work: operations then do nothing, and status says so. */
#ifndef DEVICE_DEVICE_H
#define DEVICE_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "device/kv_page.h"
#include "device/sample.h"
#include "tensor/dtype.h"

/* What a matrix type multiplies with (docs/arithmetic.md, "Activations"). */
enum act_kind {
    ACT_Q256, /* K-quants: int8, one f32 scale per 256, a 2-bit exponent per 32 */
    ACT_Q32,  /* types with a scale per 32 or 64: int8, one f32 scale per 32 */
    ACT_F32,  /* F32, F16, BF16: as they are */
    ACT_F16,  /* F16 in the profile `fast`: rounded to binary16 */
    ACT_BF16, /* BF16 in the profile `fast`: rounded to bfloat16 */
};
enum act_kind act_kind_of(enum dtype t);

/* A weight matrix in the device's own layout: same numbers, perhaps re-ordered, never re-rounded.
 */
struct matrix {
    enum dtype dtype;
    uint32_t n_rows, n_cols; /* N, K */
    const void *data;
    size_t n_bytes;
    bool is_raw; /* data are the file's rows: they are packed as they are multiplied */
};

/* A matrix may be packed in pieces of a multiple of MATRIX_STEP rows: a piece is a matrix of its
 * own, and its place is matrix_bytes of the rows before it. */
enum { MATRIX_STEP = 64 };

/* T rows of activations ready to be multiplied; the layout belongs to the device. */
struct acts {
    enum act_kind kind;
    uint32_t n_rows, n_cols; /* T, K */
    void *data;              /* device_acts_bytes(kind, T, K) bytes, 64-byte aligned */
};

enum { FETCH_PLACES = 2, FETCH_BYTES = 1 << 20 /* at most, in one */ };

/* One layer's part of a key-value page holds, for each of G heads, KV_PAGE positions of 12-bit
 * keys and values with their scales. Opaque but for its size; kv_export gives canonical bytes. */
struct kv_shape {
    uint32_t n_kv_heads, head_size; /* G, E (a multiple of 4) */
};
size_t kv_layer_bytes(struct kv_shape s); /* a multiple of 64 */

/* Rows on their way into products: x += add, y = the norm of x, y quantised. */
struct norm_args {
    float *x;              /* [T, n] */
    float *add;            /* [T, n] added to x first; NULL: nothing is. Undefined afterwards */
    const float *add_norm; /* [n] add goes through RMSNorm with these before; or NULL */
    const float *w, *b;    /* [n] the norm's; b of LayerNorm alone, may be NULL */
    bool is_layernorm;     /* else RMSNorm */
    float eps;             /* of both norms */
    float *y;              /* [T, n], may be x */
    bool keeps_y;          /* else y is room, undefined afterwards */
    size_t stride_x, stride_add, stride_y;
    uint32_t n_rows, n;
    const struct acts *acts; /* [n_acts] y in each of these kinds, as quantize makes them */
    uint32_t n_acts;
    uint8_t *bad; /* as quantize; NULL without acts */
};

enum act_fn {
    ACT_FN_SILU,
    ACT_FN_GELU_TANH,
    ACT_FN_GELU_ERF,
    ACT_FN_SWIGLU_OAI, /* gpt-oss: clamped at 7, alpha 1.702, (up + 1) */
};

/* y = fn(gate) * up, elementwise, and quantised. */
struct glu_args {
    enum act_fn fn;
    const float *gate, *up;                  /* [T, n] */
    float *y;                                /* [T, n], may be gate or up */
    bool keeps_y;                            /* else y is room, undefined afterwards */
    size_t stride_gate, stride_up, stride_y; /* stride_up may be 0 */
    uint32_t n_rows, n;
    const struct acts *acts; /* as above */
    uint32_t n_acts;
    uint8_t *bad;
};

/* Heads of queries and keys normed and rotated in place; keys and values into the cache. The rows
 * of one page come in ascending positions; others may stand between them. */
struct kv_write_args {
    float *q, *k;   /* [T, H, E], [T, G, E] */
    const float *v; /* [T, G, E] */
    size_t stride_q, stride_k, stride_v;
    const float *q_norm, *k_norm; /* [E] RMSNorm of each head first; or NULL */
    float eps;
    uint32_t n_rot;            /* RoPE of a head's first n_rot elements, even; 0: none */
    bool interleaved;          /* pairs (0,1)(2,3).. as in Llama's GGUF; else (i, i + n_rot/2) */
    const float *cos, *sin;    /* [T, n_rot/2], made by numeric/rope.h */
    const struct kv_row *rows; /* T */
    uint32_t n_rows, n_heads;
    struct kv_shape shape;
    size_t layer_offset; /* bytes from a page's base to this layer's part */
    uint8_t *bad;        /* [T], set to 1 where k or v is not finite; not cleared */
};

struct attention_args {
    const float *q; /* [T, H, E] after RoPE, before the Hadamard rotation */
    float *out;     /* [T, H, E] */
    size_t stride_q, stride_out;
    const struct kv_row *rows; /* T; positions 0..position are in the cache already */
    uint32_t n_rows, n_heads;
    struct kv_shape shape;
    size_t layer_offset;
    uint32_t window;    /* a row sees its last `window` positions, itself included; 0: all */
    float scale;        /* softmax scale in natural units, without the 1/n of the rotation */
    float softcap;      /* 0: none */
    const float *sinks; /* [H] or NULL */
    uint8_t *bad;       /* [T] */
};

/* A mixture of experts: T rows, of each of which n_used of n_experts are asked; D wide, F between.
 * kinds_in, kinds_down: bit act_kind for each that gate and up, and down, multiply with. */
enum { EXPERTS_MAX = 1024, EXPERTS_USED_MAX = 64 };
struct experts_shape {
    uint32_t n_rows, n_experts, n_used, n_embd, n_ff;
    uint32_t kinds_in, kinds_down;
};

/* out = what the experts chosen by the router's logits make of x, weighed (docs/arithmetic.md,
 * "Experts"). */
struct experts_args {
    struct experts_shape shape;
    const float *logits; /* [T, n_experts]; one that is not finite counts as 0, its row as bad */
    bool is_normed;      /* weights are shares of the chosen alone, else of all */
    enum act_fn fn;
    /* [n_experts] alike and at equal distances in memory: [F, D], [F, D], [D, F] */
    const struct matrix *gate, *up, *down;
    const float *gate_bias, *up_bias, *down_bias; /* [n_experts, F or D] or NULL */
    const float *x;                               /* [T, D] */
    float *out;                                   /* [T, D] */
    size_t stride_x, stride_out;
    void *scratch; /* experts_bytes of this shape, or of one with more rows */
    uint8_t *bad;  /* [T] set to 1 where a value on the way is not finite */
};

struct device;

/* Every pointer below is device memory unless said otherwise; sizes in floats unless named
 * otherwise. */
struct device_ops {
    const char *name;
    bool host_memory; /* its memory is the host's: either may use it between operations */
    void (*close)(struct device *d);
    void (*wait)(struct device *d);
    /* ERR_OK; or the device is lost, and what it gave since the last good answer is worth nothing:
     * the first failure, from then on. */
    enum err (*status)(struct device *d, struct err_note *note);

    /* n_bytes > 0 of zeros, aligned to 256; ERR_MEMORY says what for, how much, and how much there
     * is. Given back with the same size. */
    enum err (*mem_take)(struct device *d, size_t n_bytes, const char *what, void **p,
                         struct err_note *note);
    void (*mem_give)(struct device *d, void *p, size_t n_bytes);
    /* What may still be taken; *n_bytes: what the device has. */
    size_t (*mem_left)(struct device *d, size_t *n_bytes);
    /* From the host's memory, which may change as soon as put returns. At load any thread. */
    void (*put)(struct device *d, void *to, const void *from, size_t n_bytes);
    /* To the host's memory, after all that was submitted before; waits for it. */
    void (*get)(struct device *d, void *to, const void *from, size_t n_bytes);
    /* A get in two halves, not with host_memory: fetch submits it, fetched waits for it, but not
     * for what was submitted since, and gives the bytes. One of each `place` at a time. */
    void (*fetch)(struct device *d, uint32_t place, const void *from, size_t n_bytes);
    void (*fetched)(struct device *d, uint32_t place, void *to, size_t n_bytes);
    void (*move)(struct device *d, void *to, const void *from, size_t n_bytes); /* no overlap */
    void (*zero)(struct device *d, void *to, size_t n_bytes);

    /* rows [n], the host's: those that kv_write and attention name from now on, by this pointer or
     * one inside it. They and their page tables stay as they are until get or wait; without
     * host_memory they are taken as put takes them. */
    void (*rows)(struct device *d, const struct kv_row *rows, uint32_t n);
    /* The operations up to pass_end are a pass, which another of this key repeats with the same
     * arguments, rows by their place among those named; only what was put before it differs. True:
     * the device has recorded such a pass, and has submitted all of it: no operation and no
     * pass_end. */
    bool (*pass_begin)(struct device *d, uint64_t key);
    void (*pass_end)(struct device *d);

    /* Matrix layout, at load: rows are in GGUF's layout; rows and packed are the host's, and packed
     * is then put. Any thread, any number at once. matrix_bytes 0, with host_memory alone: the
     * device multiplies the rows where they lie, and nothing is packed. */
    size_t (*matrix_bytes)(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols);
    void (*matrix_pack)(struct device *d, enum dtype t, uint32_t n_rows, uint32_t n_cols,
                        const void *rows, void *packed);
    /* Memory for products with raw matrices of this type and width; ERR_MEMORY. With host_memory
     * alone: others have no raw matrices. */
    enum err (*raw_reserve)(struct device *d, enum dtype t, uint32_t n_cols, struct err_note *note);

    size_t (*acts_bytes)(struct device *d, enum act_kind kind, uint32_t n_rows, uint32_t n_cols);
    /* What such a matrix multiplies with in the profile `fast` (docs/arithmetic.md, "Profiles"):
     * ACT_F16, ACT_BF16, or act_kind_of(t) where the device has nothing faster for it. */
    enum act_kind (*fast_kind)(struct device *d, enum dtype t, uint32_t n_cols);
    /* Before the first of such products; note: what a person should know of their speed, or "". */
    void (*fast_begin)(struct device *d, struct err_note *note);
    /* Quantise rows; bad[t] = 1 where row t holds a non-finite value (its acts are then zero). */
    void (*quantize)(struct device *d, const float *x, size_t stride, struct acts *a, uint8_t *bad);
    /* y[T,N] = acts . w^T (+ bias[N] unless NULL, one rounded addition). */
    void (*matmul)(struct device *d, const struct matrix *w, const struct acts *a,
                   const float *bias, float *y, size_t stride);
    /* y[t] = row token[t] of a GGUF-layout matrix, decoded, times scale if scale != 1. */
    void (*embed)(struct device *d, enum dtype t, const void *rows, uint32_t n_cols,
                  const int32_t *token, uint32_t n_tokens, float scale, float *y, size_t stride);

    void (*norm)(struct device *d, const struct norm_args *a);
    void (*glu)(struct device *d, const struct glu_args *a);
    void (*kv_write)(struct device *d, const struct kv_write_args *a);
    void (*attention)(struct device *d, const struct attention_args *a);
    /* digests[i] = SHA-256 of kv_export of all KV_PAGE positions of layer i, whose parts lie one
     * after another in the page. */
    void (*kv_digest)(struct device *d, const void *page, struct kv_shape s, uint32_t n_layers,
                      uint8_t (*digests)[SHA256_BYTES]);
    /* x[i] = x[from[i]] for i below n_kept, rows of n; from: the host's, ascending, and taken as
     * put takes it. */
    void (*keep_rows)(struct device *d, float *x, size_t stride, uint32_t n, const uint32_t *from,
                      uint32_t n_kept);
    size_t (*experts_bytes)(struct device *d, const struct experts_shape *s);
    void (*experts)(struct device *d, const struct experts_args *a);
    /* For t below n: first[origin[t]] = mark + l with the lowest l below n_marks of which
     * bad[l * n + t] is not 0, unless there is none, or first[origin[t]] is not 0 already. */
    void (*note_bad)(struct device *d, uint8_t *first, const uint32_t *origin, const uint8_t *bad,
                     uint32_t n, uint32_t n_marks, uint8_t mark);
    /* x += y * scale (scale 1: x += y). */
    void (*add)(struct device *d, float *x, size_t stride_x, const float *y, size_t stride_y,
                uint32_t n_rows, uint32_t n, float scale);
    /* x[t] -= 2 (v . x[t]) v with v = mirrors[t] + at; a row whose mirrors[t] is NULL stays. The
     * array is device memory too. */
    void (*reflect)(struct device *d, float *x, size_t stride, const float *const *mirrors,
                    size_t at, uint32_t n_rows, uint32_t n);
    /* x = x + 0.0f, or cap * tanh(x * (1/cap)) where cap != 0; bad[t] = 1 if not finite. */
    void (*logits)(struct device *d, float *x, size_t stride, uint32_t n_rows, uint32_t n,
                   float cap, uint8_t *bad);
    /* A token for each row of logits, and what else is asked of it (sample.h). */
    void (*sample)(struct device *d, const struct sample_args *a);
};

struct device {
    const struct device_ops *ops;
};

/* isa: "auto", "scalar", "avx2", "avx512", "neon". ERR_UNSUPPORTED names what this machine has. */
enum err cpu_device_open(int n_threads, const char *isa, struct device **d, struct err_note *note);
size_t cpu_device_bytes(void); /* memory that it takes itself, at most */
/* Names of the instruction sets that work here, best last; NULL-terminated. */
const char *const *cpu_isa_names(void);
static inline const char *cpu_isa_best(void)
{
    const char *const *names = cpu_isa_names();
    while (names[1])
        names++;
    return names[0];
}

/* kv_export - the canonical bytes of positions [0, n) of one layer's part of a page, for hashes:
 * for each head, for each position: k int16[E], v int16[E], k scale, v scale, running maximum of
 * the v scales, all little-endian. Returns bytes written: n * G * (4 E + 12). */
size_t kv_export(const void *layer_part, struct kv_shape s, uint32_t n, uint8_t *out);
/* kv_import - the way back: positions [0, n) from their canonical bytes. Returns bytes read. */
size_t kv_import(void *layer_part, struct kv_shape s, uint32_t n, const uint8_t *in);
/* kv_plausible - whether these are bytes that kv_export may give: integers in their range, scales
 * finite and not negative, the running maximum that of the scales. Others' pages are asked before
 * they are imported: sums over them stay in range. */
bool kv_plausible(struct kv_shape s, uint32_t n, const uint8_t *in);

#endif
