/* sample.cu - a token from a row of logits (device/sample.h), exactly: all sums are of integers, so
 * they have no order, and whatever only narrows the search may be rough.
 *
 * sample_scan, all over the card, makes the edits and finds the largest logit of every run of 64;
 * sample_weigh sums the weights of every run, for rows that may be drawn from many. sample_choose
 * has a block for each row: the runs tell where the candidates are that can matter, which are few
 * but where neither top-k nor the logits' fall leaves out the rest. Few are gathered into a list:
 * there the place of each is found by looking at all others. Many stay where they are, and the
 * border between those left and those dropped is searched for (struct view). */
#include "device/cuda/kernels/args_sample.h"
#include "numeric/sample.h"

enum { LIST_MAX = 1024, BINS = SAMPLE_BINS, WARPS = CHOOSE_THREADS / 32 };

#define BANNED_RANK   0x007fffffu /* of -infinity */
#define BINS_PER_UNIT 36.0f       /* more than 28 below the largest a logit has no weight */
#define WEIGHTLESS    28.0f

/* ---- edits, and the largest of each run ------------------------------------------------------ */

DEVICE_FN float *work_of(const struct sample_args *a, uint32_t t)
{
    return a->work + t * sample_runs(a->n_vocab) * SAMPLE_RUN;
}
/* The largest of each run, by rank: of the model's logits, or of the changed ones. */
DEVICE_FN uint32_t *largest_of(const struct sample_args *a, uint32_t t, bool edited)
{
    uint64_t n_runs = sample_runs(a->n_vocab);
    return (uint32_t *)(a->work + a->n_rows * n_runs * SAMPLE_RUN) + (2 * t + edited) * n_runs;
}
/* The sum of weights of each run: of the model's logits, or of what the draw goes by. */
DEVICE_FN uint64_t *sums_of(const struct sample_args *a, uint32_t t, bool drawn)
{
    uint64_t n_runs = sample_runs(a->n_vocab);
    return (uint64_t *)largest_of(a, a->n_rows, false) + (2 * t + drawn) * n_runs;
}
DEVICE_FN uint64_t *bins_of(const struct sample_args *a, uint32_t t)
{
    return sums_of(a, a->n_rows, false) + t * SAMPLE_BINS;
}
DEVICE_FN bool is_edited(const struct sample_row *r)
{
    return r->token == SAMPLE_CHOOSE && r->n_biases + r->n_penalties > 0;
}

/* Whether all of a row may count: then every weight is looked at. */
DEVICE_FN bool counts_whole(const struct sample_row *r, uint32_t n)
{
    return r->token == SAMPLE_CHOOSE && r->per_temperature != 0 && (r->top_k == 0 || r->top_k >= n);
}
DEVICE_FN bool has_top_p(const struct sample_row *r)
{
    return r->top_p < 1ull << SAMPLE_WEIGHT_BITS;
}
DEVICE_FN uint32_t bin_of(float below_max)
{
    return (uint32_t)(-below_max * BINS_PER_UNIT);
}

/* A warp's runs of [from, from + SCAN_LOGITS). */
DEVICE_FN void scan_runs(const float *l, uint32_t from, uint32_t n, uint32_t *largest)
{
    uint32_t lane = threadIdx.x % 32;
    for (uint32_t i = from + threadIdx.x / 32 * SAMPLE_RUN; i < from + SCAN_LOGITS && i < n;
         i += SCAN_THREADS / 32 * SAMPLE_RUN) {
        uint32_t x = i + lane < n ? sample_rank(l[i + lane]) : 0;
        uint32_t y = i + 32 + lane < n ? sample_rank(l[i + 32 + lane]) : 0;
        x = x > y ? x : y;
        for (int s = 16; s > 0; s /= 2) {
            y = __shfl_xor_sync(~0u, x, s);
            x = x > y ? x : y;
        }
        if (lane == 0)
            largest[i / SAMPLE_RUN] = x;
    }
}

/* Edits of logits [from, from + SCAN_LOGITS). */
DEVICE_FN void change(const struct sample_args *a, const struct sample_row *r, uint32_t from,
                      float *work)
{
    const struct sample_edit *biases = a->edits + r->first_edit, *penalties = biases + r->n_biases;
    for (uint32_t i = threadIdx.x; i < r->n_biases; i += SCAN_THREADS) {
        float *l = work + biases[i].token, bias = num_from_bits(biases[i].value);
        if ((uint32_t)biases[i].token - from < SCAN_LOGITS)
            *l = sample_rank(bias) == BANNED_RANK ? bias : sample_clamp(*l + bias);
    }
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < r->n_penalties; i += SCAN_THREADS) {
        float *l = work + penalties[i].token;
        if ((uint32_t)penalties[i].token - from < SCAN_LOGITS && sample_rank(*l) != BANNED_RANK)
            *l = sample_penalised(*l, penalties[i].value, r->repeat, r->frequency, r->presence);
    }
    __syncthreads();
}

KERNEL_BOUNDS(sample_scan, struct sample_args, SCAN_THREADS, 4)
{
    uint32_t t = blockIdx.y, from = blockIdx.x * SCAN_LOGITS;
    const struct sample_row *r = a.rows + t;
    const float *l = a.logits + t * a.stride;
    float *work = work_of(&a, t);
    if (r->token == SAMPLE_NOTHING || a.bad[t])
        return;
    for (uint32_t i = threadIdx.x; blockIdx.x == 0 && i < BINS; i += SCAN_THREADS)
        bins_of(&a, t)[i] = 0;
    scan_runs(l, from, a.n_vocab, largest_of(&a, t, false));
    if (!is_edited(r))
        return;
    for (uint32_t i = from + threadIdx.x; i < from + SCAN_LOGITS && i < a.n_vocab;
         i += SCAN_THREADS)
        work[i] = l[i];
    __syncthreads();
    change(&a, r, from, work);
    scan_runs(work, from, a.n_vocab, largest_of(&a, t, true));
}

/* ---- the weights of all ----------------------------------------------------------------------- */

DEVICE_FN uint64_t exchange_xor(uint64_t x, int mask)
{
    uint32_t low = __shfl_xor_sync(~0u, (uint32_t)x, mask);
    uint32_t high = __shfl_xor_sync(~0u, (uint32_t)(x >> 32), mask);
    return (uint64_t)high << 32 | low;
}

DEVICE_FN uint64_t sum_of_warp(uint64_t x)
{
    for (int s = 16; s > 0; s /= 2)
        x += exchange_xor(x, s);
    return x;
}

/* The largest of a row, by what is known of its runs. */
DEVICE_FN float max_of_runs(const uint32_t *largest, uint32_t n_runs, uint32_t *places)
{
    uint32_t x = 0;
    for (uint32_t i = threadIdx.x; i < n_runs; i += SCAN_THREADS)
        x = largest[i] > x ? largest[i] : x;
    for (int s = 16; s > 0; s /= 2) {
        uint32_t y = __shfl_xor_sync(~0u, x, s);
        x = x > y ? x : y;
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        places[threadIdx.x / 32] = x;
    __syncthreads();
    for (uint32_t i = 0; i < SCAN_THREADS / 32; i++)
        x = places[i] > x ? places[i] : x;
    return sample_logit(x);
}

/* What one logit gives to the draw; its weight goes into the bins, where there are any. */
DEVICE_FN uint64_t drawn_weight(const struct sample_row *r, float below_max, uint64_t *bins)
{
    uint64_t w = sample_weight(below_max);
    if (bins && w > 0)
        add64(&bins[bin_of(below_max)], w);
    return w < r->min_p ? 0 : sample_weight(sample_clamp(below_max * r->per_temperature));
}

/* A warp's runs: their sums; r: of what is drawn by, NULL: of plain weights. */
DEVICE_FN void weigh_runs(const struct sample_row *r, const float *l, uint32_t n, float max,
                          uint64_t *bins, uint64_t *sums)
{
    uint32_t from = blockIdx.x * SCAN_LOGITS;
    for (uint32_t i = from + threadIdx.x / 32 * SAMPLE_RUN; i < from + SCAN_LOGITS && i < n;
         i += SCAN_THREADS / 32 * SAMPLE_RUN) {
        uint64_t sum = 0;
        for (uint32_t k = i + threadIdx.x % 32; k < i + SAMPLE_RUN && k < n; k += 32)
            sum += r ? drawn_weight(r, l[k] - max, bins) : sample_weight(l[k] - max);
        sum = sum_of_warp(sum);
        if (threadIdx.x % 32 == 0)
            sums[i / SAMPLE_RUN] = sum;
    }
}

KERNEL_BOUNDS(sample_weigh, struct sample_args, SCAN_THREADS, 4)
{
    SHARED(uint32_t, places, SCAN_THREADS / 32);
    SHARED(uint64_t, bins, BINS);
    uint32_t t = blockIdx.y, n_runs = (uint32_t)sample_runs(a.n_vocab);
    const struct sample_row *r = a.rows + t;
    const float *l = a.logits + t * a.stride;
    if (r->token == SAMPLE_NOTHING || a.bad[t])
        return;
    if (r->wants_sum) {
        float max = max_of_runs(largest_of(&a, t, false), n_runs, places);
        weigh_runs(NULL, l, a.n_vocab, max, NULL, sums_of(&a, t, false));
    }
    float max = max_of_runs(largest_of(&a, t, is_edited(r)), n_runs, places);
    if (!counts_whole(r, a.n_vocab) || sample_rank(max) == BANNED_RANK)
        return;
    for (uint32_t i = threadIdx.x; i < BINS; i += SCAN_THREADS)
        bins[i] = 0;
    __syncthreads();
    weigh_runs(r, is_edited(r) ? work_of(&a, t) : l, a.n_vocab, max, has_top_p(r) ? bins : NULL,
               sums_of(&a, t, true));
    __syncthreads();
    for (uint32_t i = threadIdx.x; has_top_p(r) && i < BINS; i += SCAN_THREADS)
        if (bins[i] > 0)
            add64(&bins_of(&a, t)[i], bins[i]);
}

/* ---- what a block does together ----------------------------------------------------------- */

/* Shared memory. */
struct place {
    uint64_t *sums; /* [WARPS] */
    uint64_t *own;  /* [CHOOSE_THREADS] */
    uint64_t *bins; /* [BINS] */
    /* The list: [LIST_MAX] tokens in any order. */
    uint64_t *weight;
    uint32_t *rank, *token, *runs;
    uint32_t *n;     /* [2] counters */
    uint64_t *found; /* [1] what one thread tells all */
};

/* Over the block, for every thread. */
DEVICE_FN uint64_t sum_of_all(uint64_t x, const struct place *p)
{
    uint64_t sum = 0;
    x = sum_of_warp(x);
    __syncthreads(); /* nobody reads the last sums any more */
    if (threadIdx.x % 32 == 0)
        p->sums[threadIdx.x / 32] = x;
    __syncthreads();
    for (uint32_t i = 0; i < WARPS; i++)
        sum += p->sums[i];
    return sum;
}

DEVICE_FN uint64_t max_of_all(uint64_t x, const struct place *p)
{
    uint64_t max = 0;
    for (int s = 16; s > 0; s /= 2) {
        uint64_t y = exchange_xor(x, s);
        x = x > y ? x : y;
    }
    __syncthreads();
    if (threadIdx.x % 32 == 0)
        p->sums[threadIdx.x / 32] = x;
    __syncthreads();
    for (uint32_t i = 0; i < WARPS; i++)
        max = p->sums[i] > max ? p->sums[i] : max;
    return max;
}

/* ---- many candidates, where they lie -------------------------------------------------------- */

/* Left are those of a higher rank, and of this one up to token `last`. */
struct view {
    const float *l;
    const uint32_t *largest; /* of each run, by rank */
    const uint64_t *sums;    /* of each run, what all of it is drawn by, where counts_whole */
    const uint64_t *bins;    /* there too, of weights, under top-p */
    uint32_t n, n_runs;
    float max;
    uint32_t rank, last;
    uint64_t least; /* min-p */
    float per_temperature;
};

enum amount { ONE, WEIGHT, DRAWN, OF_BIN, OF_RUN };

/* What candidate i counts for, if it is left. */
DEVICE_FN uint64_t amount_of(const struct view *v, enum amount kind, const struct place *p,
                             uint32_t i)
{
    if (kind == OF_BIN)
        return p->bins[i];
    if (kind == OF_RUN)
        return v->sums[i];
    float l = v->l[i];
    uint32_t rank = sample_rank(l);
    if (rank < v->rank || (rank == v->rank && i > v->last))
        return 0;
    uint64_t w = kind == ONE ? 1 : sample_weight(l - v->max);
    if (kind != DRAWN)
        return w;
    return w < v->least ? 0 : sample_weight(sample_clamp((l - v->max) * v->per_temperature));
}

/* Of candidates of this rank or a higher one. */
DEVICE_FN uint64_t sum_from(const struct view *v, enum amount kind, uint32_t rank,
                            const struct place *p)
{
    uint64_t sum = 0;
    for (uint32_t i = threadIdx.x; i < v->n; i += CHOOSE_THREADS)
        if (sample_rank(v->l[i]) >= rank)
            sum += amount_of(v, kind, p, i);
    return sum_of_all(sum, p);
}

/* The first of [begin, end) at which the running sum of amounts, from *sum on, exceeds `target`,
 * which the last does; only_rank: of this rank alone, 0: of any. *sum becomes the one in front of
 * it. In two or three turns: each thread has a part, and the part where it happens is the next
 * turn's whole. */
DEVICE_FN uint32_t locate(const struct view *v, enum amount kind, uint32_t begin, uint32_t end,
                          uint32_t only_rank, uint64_t target, const struct place *p,
                          uint64_t *sum)
{
    while (end - begin > 1) {
        uint32_t each = (end - begin + CHOOSE_THREADS - 1) / CHOOSE_THREADS;
        uint32_t from = begin + threadIdx.x * each, to = from + each;
        uint64_t own = 0;
        for (uint32_t i = from; i < to && i < end; i++)
            if (only_rank == 0 || sample_rank(v->l[i]) == only_rank)
                own += amount_of(v, kind, p, i);
        sum_of_all(own, p); /* of each warp into sums */
        p->own[threadIdx.x] = own;
        __syncthreads();
        uint64_t mine = *sum;
        for (uint32_t i = 0; i < threadIdx.x / 32; i++)
            mine += p->sums[i];
        for (uint32_t i = threadIdx.x / 32 * 32; i < threadIdx.x; i++)
            mine += p->own[i];
        if (mine <= target && target < mine + own) {
            p->n[0] = from;
            p->n[1] = to < end ? to : end;
            p->found[0] = mine;
        }
        __syncthreads();
        begin = p->n[0];
        end = p->n[1];
        *sum = p->found[0];
        __syncthreads();
    }
    return begin;
}

/* Left stay the fewest first whose amounts reach `wanted`: above 0, at most the sum of all. */
DEVICE_FN void keep(struct view *v, enum amount kind, uint64_t wanted, const struct place *p)
{
    uint32_t rank = 0;
    uint64_t before = 0;
    for (int bit = 31; bit >= 0; bit--)
        if (sum_from(v, kind, rank | 1u << bit, p) >= wanted)
            rank |= 1u << bit;
    uint64_t above = sum_from(v, kind, rank + 1, p);
    v->last = locate(v, kind, 0, v->n, rank, wanted - above - 1, p, &before);
    v->rank = rank;
}

/* ---- few candidates, in a list ---------------------------------------------------------------- */

/* Runs of which the largest is of this rank or a higher one. False: too many. */
DEVICE_FN bool gather_runs(const struct view *v, uint32_t rank, const struct place *p)
{
    __syncthreads();
    if (threadIdx.x < 2)
        p->n[threadIdx.x] = 0;
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < v->n_runs; i += CHOOSE_THREADS)
        if (v->largest[i] >= rank) {
            uint32_t at = atomicAdd(&p->n[0], 1);
            if (at < LIST_MAX)
                p->runs[at] = i;
        }
    __syncthreads();
    return p->n[0] <= LIST_MAX;
}

/* Candidates of this rank or a higher one into the list, a warp a run at a time. Returns how many;
 * 0: more than it holds. */
DEVICE_FN uint32_t gather(const struct view *v, uint32_t rank, const struct place *p)
{
    if (!gather_runs(v, rank, p))
        return 0;
    uint32_t n_runs = p->n[0];
    for (uint32_t k = threadIdx.x / 32; k < n_runs; k += WARPS) {
        uint32_t from = p->runs[k] * SAMPLE_RUN;
        for (uint32_t i = from + threadIdx.x % 32; i < from + SAMPLE_RUN && i < v->n; i += 32) {
            uint32_t own = sample_rank(v->l[i]), at = own >= rank ? atomicAdd(&p->n[1], 1) : 0;
            if (own >= rank && at < LIST_MAX) {
                p->rank[at] = own;
                p->token[at] = i;
            }
        }
    }
    __syncthreads();
    return p->n[1] <= LIST_MAX ? p->n[1] : 0;
}

/* How many of the list come before j, or what they weigh. */
DEVICE_FN uint64_t sum_before(const struct place *p, uint32_t n, uint32_t j, bool by_weight)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n; i++)
        if (p->rank[i] > p->rank[j] || (p->rank[i] == p->rank[j] && p->token[i] < p->token[j]))
            sum += by_weight ? p->weight[i] : 1;
    return sum;
}

DEVICE_FN bool is_left(const struct view *v, const struct place *p, uint32_t j)
{
    return p->rank[j] > v->rank || (p->rank[j] == v->rank && p->token[j] <= v->last);
}

/* Left stay those up to the one of the list that a thread has found. */
DEVICE_FN void keep_to(struct view *v, const struct place *p)
{
    __syncthreads();
    v->rank = (uint32_t)(p->found[0] >> 32);
    v->last = (uint32_t)p->found[0];
    __syncthreads();
}

DEVICE_FN void keep_first_of_list(struct view *v, uint32_t n, uint32_t k, const struct place *p)
{
    if (k == 0 || k >= n)
        return;
    for (uint32_t j = threadIdx.x; j < n; j += CHOOSE_THREADS)
        if (sum_before(p, n, j, false) == k - 1)
            p->found[0] = (uint64_t)p->rank[j] << 32 | p->token[j];
    keep_to(v, p);
}

/* The fewest first whose weights, with `before`, reach `wanted`. */
DEVICE_FN void keep_mass_of_list(struct view *v, uint32_t n, uint64_t before, uint64_t wanted,
                                 const struct place *p)
{
    for (uint32_t j = threadIdx.x; j < n; j += CHOOSE_THREADS) {
        uint64_t sum = before + sum_before(p, n, j, true);
        if (sum < wanted && wanted <= sum + p->weight[j])
            p->found[0] = (uint64_t)p->rank[j] << 32 | p->token[j];
    }
    keep_to(v, p);
}

/* Weights of the list, 0 for those that are not left. Returns their sum. */
DEVICE_FN uint64_t weigh_list(const struct view *v, uint32_t n, const struct place *p)
{
    uint64_t sum = 0;
    for (uint32_t j = threadIdx.x; j < n; j += CHOOSE_THREADS) {
        p->weight[j] = is_left(v, p, j) ? sample_weight(sample_logit(p->rank[j]) - v->max) : 0;
        sum += p->weight[j];
    }
    return sum_of_all(sum, p);
}

/* The draw from those of the list that are left; their weights become those that are drawn by. */
DEVICE_FN int32_t draw_from_list(const struct view *v, uint32_t n, uint64_t random,
                                 const struct place *p, uint64_t *total)
{
    uint64_t sum = 0;
    for (uint32_t j = threadIdx.x; j < n; j += CHOOSE_THREADS) {
        float below = sample_logit(p->rank[j]) - v->max;
        bool is_drawn = is_left(v, p, j) && sample_weight(below) >= v->least;
        p->weight[j] =
            is_drawn ? sample_weight(sample_clamp(below * v->per_temperature)) : 0;
        sum += p->weight[j];
    }
    *total = sum_of_all(sum, p);
    uint64_t target = sample_target(random, *total);
    for (uint32_t j = threadIdx.x; j < n; j += CHOOSE_THREADS) {
        uint64_t before = 0;
        for (uint32_t i = 0; i < n; i++)
            before += p->token[i] < p->token[j] ? p->weight[i] : 0;
        if (before <= target && target < before + p->weight[j])
            p->found[0] = p->token[j];
    }
    __syncthreads();
    return (int32_t)p->found[0];
}

/* ---- top-p of many ---------------------------------------------------------------------------- */

/* The sum of the weights of those left, in bins that fall with the logit too; `whole`: of all,
 * which sample_weigh has filled them with. */
DEVICE_FN uint64_t fill_bins(const struct view *v, bool whole, const struct place *p)
{
    uint64_t sum = 0;
    for (uint32_t i = threadIdx.x; i < BINS; i += CHOOSE_THREADS) {
        p->bins[i] = whole ? v->bins[i] : 0;
        sum += p->bins[i];
    }
    __syncthreads();
    for (uint32_t i = threadIdx.x; !whole && i < v->n; i += CHOOSE_THREADS) {
        uint64_t w = amount_of(v, WEIGHT, p, i);
        if (w > 0)
            add64(&p->bins[bin_of(v->l[i] - v->max)], w);
        sum += w;
    }
    return sum_of_all(sum, p);
}

/* Those left in one bin into the list. Returns how many; 0: more than it holds. */
DEVICE_FN uint32_t gather_bin(const struct view *v, uint32_t bin, const struct place *p)
{
    if (threadIdx.x == 0)
        p->n[1] = 0;
    __syncthreads();
    for (uint32_t i = threadIdx.x; i < v->n; i += CHOOSE_THREADS) {
        bool is_there = amount_of(v, WEIGHT, p, i) > 0 && bin_of(v->l[i] - v->max) == bin;
        uint32_t at = is_there ? atomicAdd(&p->n[1], 1) : LIST_MAX;
        if (at < LIST_MAX) {
            p->rank[at] = sample_rank(v->l[i]);
            p->token[at] = i;
        }
    }
    __syncthreads();
    return p->n[1] <= LIST_MAX ? p->n[1] : 0;
}

DEVICE_FN uint64_t mass_of(uint64_t share, uint64_t total)
{
    uint64_t mass = sample_mass(share, total);
    return mass > 0 ? mass : 1; /* the first alone */
}

DEVICE_FN void keep_mass(struct view *v, uint64_t share, bool whole, const struct place *p)
{
    uint64_t before = 0, wanted = mass_of(share, fill_bins(v, whole, p));
    uint32_t bin = locate(v, OF_BIN, 0, BINS, 0, wanted - 1, p, &before);
    uint32_t n = gather_bin(v, bin, p);
    if (n == 0) {
        keep(v, WEIGHT, wanted, p);
        return;
    }
    weigh_list(v, n, p);
    keep_mass_of_list(v, n, before, wanted, p);
}

/* ---- a row ------------------------------------------------------------------------------------ */

DEVICE_FN uint32_t highest_rank(const struct view *v, const struct place *p)
{
    uint32_t rank = 0;
    for (uint32_t i = threadIdx.x; i < v->n_runs; i += CHOOSE_THREADS)
        rank = v->largest[i] > rank ? v->largest[i] : rank;
    return (uint32_t)max_of_all(rank, p);
}

/* The first token of a rank that a run has as its highest. */
DEVICE_FN int32_t first_of(const struct view *v, uint32_t rank, const struct place *p)
{
    uint32_t found = 0; /* falls as the place rises */
    for (uint32_t i = threadIdx.x; i < v->n_runs && found == 0; i += CHOOSE_THREADS)
        found = v->largest[i] == rank ? UINT32_MAX - i : 0;
    uint32_t from = (UINT32_MAX - (uint32_t)max_of_all(found, p)) * SAMPLE_RUN;
    uint32_t i = from + threadIdx.x;
    bool is_it = threadIdx.x < SAMPLE_RUN && i < v->n && sample_rank(v->l[i]) == rank;
    return (int32_t)(UINT32_MAX - (uint32_t)max_of_all(is_it ? UINT32_MAX - i : 0, p));
}

/* A rank that k candidates have or exceed, a high one: that of the kth run, its lower half 0. */
DEVICE_FN uint32_t rank_of_first(const struct view *v, uint32_t k, const struct place *p)
{
    uint32_t rank = 0;
    if (k > v->n_runs)
        return 0;
    for (int bit = 31; bit >= 16; bit--) {
        uint32_t n = 0;
        for (uint32_t i = threadIdx.x; i < v->n_runs; i += CHOOSE_THREADS)
            n += v->largest[i] >= (rank | 1u << bit);
        if (sum_of_all(n, p) >= k)
            rank |= 1u << bit;
    }
    return rank;
}

/* A rank below which nothing counts for any stage; k: of top-k, 0: off. */
DEVICE_FN uint32_t rank_that_counts(const struct view *v, const struct sample_row *r, uint32_t k,
                                    const struct place *p)
{
    float flatter = num_max(num_recip(r->per_temperature) * 1.001f, 1.0f);
    float least = v->max - WEIGHTLESS * (has_top_p(r) ? 1.0f : flatter);
    if (r->min_p > 0 && !has_top_p(r)) {
        float share = num_log2((float)r->min_p * 0x1p-40f) * SAMPLE_LN_2;
        least = v->max + share - 0.01f - num_abs(v->max) * 0x1p-16f;
    }
    uint32_t rank = sample_rank(least), first = k > 0 ? rank_of_first(v, k, p) : 0;
    return rank > first ? rank : first;
}

/* The draw from many; whole: nothing was dropped, so the sums of the runs are those of the draw. */
DEVICE_FN int32_t draw(const struct view *v, uint64_t random, bool whole, const struct place *p,
                       uint64_t *total)
{
    uint32_t begin = 0, end = v->n;
    uint64_t sum = 0;
    for (uint32_t i = threadIdx.x; whole && i < v->n_runs; i += CHOOSE_THREADS)
        sum += v->sums[i];
    *total = whole ? sum_of_all(sum, p) : sum_from(v, DRAWN, 0, p);
    uint64_t target = sample_target(random, *total), before = 0;
    if (whole) {
        begin = locate(v, OF_RUN, 0, v->n_runs, 0, target, p, &before) * SAMPLE_RUN;
        end = begin + SAMPLE_RUN < v->n ? begin + SAMPLE_RUN : v->n;
    }
    return (int32_t)locate(v, DRAWN, begin, end, 0, target, p, &before);
}

DEVICE_FN int32_t choose(struct view *v, const struct sample_row *r, const struct place *p,
                         uint64_t *total)
{
    uint32_t highest = highest_rank(v, p), k = r->top_k < v->n ? r->top_k : 0;
    v->max = sample_logit(highest);
    v->least = r->min_p;
    v->per_temperature = r->per_temperature;
    if (highest == BANNED_RANK)
        return -1;
    if (r->per_temperature == 0)
        return first_of(v, highest, p);
    uint32_t n = gather(v, rank_that_counts(v, r, k, p), p);
    if (n > 0) {
        keep_first_of_list(v, n, k, p);
        uint64_t sum = weigh_list(v, n, p);
        if (has_top_p(r))
            keep_mass_of_list(v, n, 0, mass_of(r->top_p, sum), p);
        return draw_from_list(v, n, r->random, p, total);
    }
    if (k > 0)
        keep(v, ONE, k, p);
    if (has_top_p(r))
        keep_mass(v, r->top_p, k == 0, p);
    n = gather(v, v->rank, p);
    if (n > 0)
        return draw_from_list(v, n, r->random, p, total);
    return draw(v, r->random, k == 0 && !has_top_p(r), p, total);
}

DEVICE_FN void find_best(const struct view *v, uint32_t n_best, const struct place *p,
                         struct sample_result *out)
{
    uint32_t n = gather(v, rank_of_first(v, n_best, p), p);
    for (uint32_t j = threadIdx.x; j < n; j += CHOOSE_THREADS) {
        uint64_t at = sum_before(p, n, j, false);
        if (at >= n_best)
            continue;
        out->best[at].token = (int32_t)p->token[j];
        out->best[at].logit = v->l[p->token[j]];
    }
    uint64_t last = UINT64_MAX; /* rank and place from the end of the one before */
    for (uint32_t at = 0; n == 0 && at < n_best; at++) {
        uint64_t first = 0;
        for (uint32_t i = threadIdx.x; i < v->n; i += CHOOSE_THREADS) {
            uint64_t key = (uint64_t)sample_rank(v->l[i]) << 32 | (UINT32_MAX - i);
            first = key < last && key > first ? key : first;
        }
        last = max_of_all(first, p);
        uint32_t token = UINT32_MAX - (uint32_t)last;
        if (threadIdx.x == 0) {
            out->best[at].token = (int32_t)token;
            out->best[at].logit = v->l[token];
        }
    }
}

/* Of a row of logits, changed ones or the model's own. */
DEVICE_FN struct view view_of(const struct sample_args *a, uint32_t t, bool edited)
{
    struct view v;
    v.l = edited ? work_of(a, t) : a->logits + t * a->stride;
    v.largest = largest_of(a, t, edited);
    v.sums = sums_of(a, t, true);
    v.bins = bins_of(a, t);
    v.n = a->n_vocab;
    v.n_runs = (uint32_t)sample_runs(a->n_vocab);
    v.max = 0;
    v.rank = 0;
    v.last = UINT32_MAX;
    v.least = 0;
    v.per_temperature = 0;
    return v;
}

DEVICE_FN void clear(struct sample_result *out, int32_t *token)
{
    for (uint32_t i = threadIdx.x; i < sizeof *out / 4; i += CHOOSE_THREADS)
        ((uint32_t *)out)[i] = 0;
    __syncthreads();
    if (threadIdx.x == 0) {
        out->token = -1;
        *token = 0;
    }
    __syncthreads();
}

KERNEL_BOUNDS(sample_choose, struct sample_args, CHOOSE_THREADS, 1)
{
    SHARED(uint64_t, sums, WARPS);
    SHARED(uint64_t, own, CHOOSE_THREADS);
    SHARED(uint64_t, bins, BINS);
    SHARED(uint64_t, weight, LIST_MAX);
    SHARED(uint32_t, rank, LIST_MAX);
    SHARED(uint32_t, token, LIST_MAX);
    SHARED(uint32_t, runs, LIST_MAX);
    SHARED(uint32_t, n, 2);
    SHARED(uint64_t, found, 1);
    const struct place p = {sums, own, bins, weight, rank, token, runs, n, found};
    uint32_t t = blockIdx.x;
    const struct sample_row *r = a.rows + t;
    struct sample_result *out = a.results + t;
    clear(out, a.tokens + t);
    if (r->token == SAMPLE_NOTHING || a.bad[t])
        return;
    struct view v = view_of(&a, t, is_edited(r)), model = view_of(&a, t, false);
    uint64_t total = 0, sum = 0;
    int32_t chosen = r->token == SAMPLE_CHOOSE ? choose(&v, r, &p, &total) : r->token;
    if (r->n_best > 0)
        find_best(&model, r->n_best, &p, out);
    if (r->wants_sum) {
        model.max = sample_logit(highest_rank(&model, &p));
        for (uint32_t i = threadIdx.x; i < model.n_runs; i += CHOOSE_THREADS)
            sum += sums_of(&a, t, false)[i];
        sum = sum_of_all(sum, &p);
    }
    if (threadIdx.x > 0)
        return;
    out->sum = total;
    out->token = chosen;
    a.tokens[t] = chosen >= 0 ? chosen : 0;
    out->logit = chosen >= 0 ? model.l[chosen] : 0.0f;
    out->max = model.max;
    out->log2_sum = r->wants_sum ? sample_log2_sum(sum) : 0.0f;
}
