/* image.c - the fat binaries of the kernels, by .incbin. */
#include "device/cuda/image.h"

#include <stdlib.h>
#include <string.h>

#ifdef ISOBIT_HAVE_KERNELS
#include "cuda_images.h" /* made by tools/cuda.cmake */

#define INCLUDE(name, file)                                                                        \
    extern const char cuda_image_##name[] __attribute__((visibility("hidden")));                   \
    __asm__(".pushsection .rodata\n"                                                               \
            ".balign 64\n"                                                                         \
            ".global cuda_image_" #name "\n"                                                       \
            ".hidden cuda_image_" #name "\n"                                                       \
            "cuda_image_" #name ":\n"                                                              \
            ".incbin \"" file "\"\n"                                                               \
            ".popsection\n");
CUDA_IMAGES(INCLUDE)

struct cuda_images cuda_images(void)
{
    struct cuda_images found = {.cards = CUDA_CARDS, .least = CUDA_LEAST};
#define ADD(name, file) found.images[found.n_images++] = cuda_image_##name;
    CUDA_IMAGES(ADD)
    return found;
}
#else
/* A driver refuses it, as no image; the stand-in of the tests knows it. */
static const char no_kernels[64] = "isobit: no kernels";

struct cuda_images cuda_images(void)
{
    return (struct cuda_images){{no_kernels}, 1, true, "", 0};
}
#endif

int cuda_image_arch(const char *cards, int capability)
{
    int code = 0, ptx = 0;
    for (const char *at = cards; *at; at += strspn(at, " ")) {
        char *end;
        int n = (int)strtol(at, &end, 10);
        bool is_ptx = *end == 'p', suits = n <= capability;
        if (is_ptx && suits && n > ptx)
            ptx = n;
        if (!is_ptx && suits && n / 10 == capability / 10 && n > code)
            code = n;
        at = end + is_ptx;
    }
    return code ? code : ptx;
}
