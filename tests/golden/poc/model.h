/* model.h - made by tools/poc_model_vectors.py with numpy. */
#define MODEL_BLOCK "0xb10c"
#define MODEL_KEY "gonka1key"

static const struct model_case {
    struct poc_params params;
    double fraction;
    uint64_t n_values;
    const char *weights; /* all tensors, in order */
    const char *input;   /* of nonce 5 */
} MODEL_CASES[] = {
    {{96, 2, 4, 2, 80, 4.0, 64, 1e-05, 10000.0, false, 9}, 0.05, 660960,
     "df9ec39953455c6a991df45b296b6e7ba06f6b301064c008ab6576deb405072f",
     "7c20306c34e237a2251cc9c2b409c5af3e6b6d56184244c60cf1e4a6133898e2"},
    {{96, 2, 4, 2, 80, 4.0, 64, 1e-05, 10000.0, false, 9}, 0.2, 660960,
     "7385c238fdf75a27faa0dd0ad55bf21b1846c3f3004d95bb9b662f3b1b45ada4",
     "7c20306c34e237a2251cc9c2b409c5af3e6b6d56184244c60cf1e4a6133898e2"},
    {{112, 3, 4, 4, 64, 1.3, 96, 1e-05, 500000.0, true, 16}, 0.05, 649488,
     "8028796e3f4a0361272a828630d35621c8b08946b1547d4604a17e675a11908d",
     "9cab7ce8fb7a9205b7705b2c81f22808b38c20b9224f356dd6d4b65d06f7b8ab"},
    {{64, 2, 4, 1, 50, 2.0, 32, 1e-05, 10000.0, false, 5}, 0.0, 162368,
     "459a8b14f1ed6061f457b71a4f61b73b66cb2dd111530ddc5b0850e3b210aa0a",
     "817043d958f0699cbecf5a2a9fec52fd0d16668a9023a784f1a9da3bce898793"},
};

/* Logits (i * 7919 % 1000 - 500) / 64 for nonces 0, 1, ... */
enum { MODEL_LOGITS = 300 };
static const double MODEL_DISTANCES[] = {
    0x1.6c359a0d4a6fep+0, 0x1.5bbb5cbb6fdfdp+0, 0x1.670a0a5e220eep+0, 0x1.724471394b0eap+0,
    0x1.5fe6c8497e1cep+0, 0x1.61a4ddc1ebb31p+0, 0x1.6a5035ec9ce2ap+0, 0x1.63dc450a70e33p+0,
};
