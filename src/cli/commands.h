/* commands.h - the program's commands: one cmd_<name>.c each, listed here once. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

/* Each gets its own argv (argv[0] is the command's name) and returns the exit status. */
typedef int command_fn(int argc, char **argv);

/* X(function, name, what it does) under H(heading). */
command_fn cmd_poc_bench; /* isobit poc finds it */
#ifdef ISOBIT_HAVE_NET
#define COMMAND_LIST_NET(H, X)                                                                     \
    H("Serve")                                                                                     \
    X(cmd_serve, "serve", "serve models over the OpenAI API")                                      \
    X(cmd_top, "top", "watch a server: its batch, cache, speed and requests")                      \
    X(cmd_key, "key", "make, list and revoke keys of the server")
#define COMMAND_LIST_PULL(X) X(cmd_pull, "pull", "fetch a model by name")
#define COMMAND_LIST_VALIDATE(X)                                                                   \
    X(cmd_validate, "validate", "judge an answer of another engine by its log-probabilities")
command_fn cmd_worker; /* not for people: serve starts it */
command_fn cmd_poc_init, cmd_poc_generate, cmd_poc_validate, cmd_poc_serve; /* cmd_poc's */
#else
#define COMMAND_LIST_NET(H, X)
#define COMMAND_LIST_PULL(X)
#define COMMAND_LIST_VALIDATE(X)
#endif
#define COMMAND_LIST(H, X)                                                                         \
    H("Talk")                                                                                      \
    X(cmd_run, "run", "answer one prompt")                                                         \
    X(cmd_chat, "chat", "talk with a model in the terminal")                                       \
    X(cmd_embed, "embed", "turn texts into vectors")                                               \
    COMMAND_LIST_NET(H, X)                                                                         \
    H("Models")                                                                                    \
    COMMAND_LIST_PULL(X)                                                                           \
    X(cmd_list, "list", "show the models that were pulled")                                        \
    X(cmd_rm, "rm", "remove a model that was pulled")                                              \
    H("Look")                                                                                      \
    X(cmd_inspect, "inspect", "show what a model file holds and needs, and its identity")          \
    X(cmd_tokenize, "tokenize", "turn text into token ids")                                        \
    X(cmd_detokenize, "detokenize", "turn token ids into text")                                    \
    H("Make")                                                                                      \
    X(cmd_quantize, "quantize", "rewrite a model with smaller weights")                            \
    X(cmd_convert, "convert", "write a Hugging Face folder as one GGUF file")                      \
    H("Measure")                                                                                   \
    X(cmd_bench, "bench", "measure speed beside what the machine could do")                        \
    X(cmd_gpu, "gpu", "list the graphics cards, what they do, and how a model would lie on one")   \
    X(cmd_poc, "poc", "compute Gonka's proof of compute, and check that of others")                \
    H("Check")                                                                                     \
    X(cmd_verify, "verify", "check a receipt, and compute its answer anew")                        \
    X(cmd_dispute, "dispute", "settle which of two receipts of one request is right")              \
    X(cmd_node_key, "node-key", "make, renew and revoke the keys that sign receipts")              \
    COMMAND_LIST_VALIDATE(X)                                                                       \
    X(cmd_logits, "logits", "print a hash of the logits after each token")                         \
    X(cmd_perplexity, "perplexity", "measure how well a model predicts a text")                    \
    X(cmd_selftest, "selftest", "check this machine's arithmetic against the definition")          \
    X(cmd_trace, "trace", "write a hash per operation, or compare two such traces")

#define COMMAND_NO_HEADING(text)
#define COMMAND_DECLARE(function, name, text) command_fn function;
COMMAND_LIST(COMMAND_NO_HEADING, COMMAND_DECLARE)
#undef COMMAND_DECLARE

#endif
