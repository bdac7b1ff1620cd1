/* graphs.c - passes that repeat, recorded once and submitted whole.
 *
 * A key stands for all that the launches of a pass depend on: shapes, addresses, the operations. It
 * is met once as it comes (kernels are found, shared memory is allowed), recorded the second time,
 * and from the third on it is one call. How far the longest row reaches decides grids as well, and
 * is made part of the key here, rounded up as grids are.
 *
 * Copies between host and device cannot be in a recording: their bytes would be those of the first
 * time. One that comes in the middle ends it; what was recorded is submitted, the rest goes as it
 * comes, and the key is never recorded again. */
#include "device/cuda/cuda_int.h"

/* The entry of a key; a new one takes the place that was used least recently. */
static struct cuda_graph *find(struct cuda *c, uint64_t key)
{
    struct cuda_graph *oldest = &c->graphs[0];
    for (size_t i = 0; i < c->n_graphs; i++) {
        struct cuda_graph *g = &c->graphs[i];
        if (g->key == key)
            return g;
        oldest = g->n_used < oldest->n_used ? g : oldest;
    }
    if (c->n_graphs < CUDA_GRAPHS_MAX)
        oldest = &c->graphs[c->n_graphs++];
    if (oldest->exec)
        cuda_did(c, c->driver.cuGraphExecDestroy(oldest->exec), "cuGraphExecDestroy");
    *oldest = (struct cuda_graph){.key = key};
    return oldest;
}

static void submit(struct cuda *c, struct cuda_graph *g)
{
    cuda_did(c, c->driver.cuGraphLaunch(g->exec, c->stream), "cuGraphLaunch");
}

/* What was recorded so far becomes an executable graph, and is submitted. */
static void end_recording(struct cuda *c)
{
    struct cuda_graph *g = c->recording;
    struct CUgraph_st *graph = NULL;
    c->recording = NULL;
    if (!cuda_did(c, c->driver.cuStreamEndCapture(c->stream, &graph), "cuStreamEndCapture"))
        return;
    if (cuda_did(c, c->driver.cuGraphInstantiate(&g->exec, graph, 0), "cuGraphInstantiate"))
        submit(c, g);
    cuda_did(c, c->driver.cuGraphDestroy(graph), "cuGraphDestroy");
}

bool cuda_pass_begin(struct device *d, uint64_t key)
{
    struct cuda *c = cuda_of(d);
    bool is_done = false;
    if (key != 0 && cuda_enter(c)) {
        bool is_new = false;
        struct cuda_graph *g = find(c, (key ^ c->n_pages_longest) * 0x9e3779b97f4a7c15u);
        is_new = g->n_used == 0;
        g->n_used = ++c->n_passes;
        is_done = g->exec && !g->never;
        if (is_done)
            submit(c, g);
        else if (!is_new && !g->never &&
                 cuda_did(c,
                          c->driver.cuStreamBeginCapture(c->stream, CU_STREAM_CAPTURE_MODE_RELAXED),
                          "cuStreamBeginCapture"))
            c->recording = g;
        cuda_leave(c);
    } else if (key != 0) {
        cuda_leave(c);
    }
    return is_done;
}

void cuda_pass_end(struct device *d)
{
    struct cuda *c = cuda_of(d);
    pthread_mutex_lock(&c->lock);
    if (c->recording)
        end_recording(c);
    pthread_mutex_unlock(&c->lock);
}

void cuda_break_recording(struct cuda *c)
{
    if (!c->recording)
        return;
    c->recording->never = true;
    end_recording(c);
}

void cuda_release_graphs(struct cuda *c)
{
    for (size_t i = 0; i < c->n_graphs; i++)
        if (c->graphs[i].exec)
            (void)c->driver.cuGraphExecDestroy(c->graphs[i].exec);
}
