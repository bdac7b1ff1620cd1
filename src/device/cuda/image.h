/* image.h - the kernels as they were compiled: fat binaries inside the program, or nothing where
 * there was no nvcc to compile them. */
#ifndef DEVICE_CUDA_IMAGE_H
#define DEVICE_CUDA_IMAGE_H

#include <stdbool.h>
#include <stddef.h>

enum { CUDA_IMAGES_MAX = 16 };

struct cuda_images {
    const void *images[CUDA_IMAGES_MAX]; /* for cuModuleLoadData, one for each file of kernels */
    size_t n_images;                     /* at least 1 */
    bool is_empty;                       /* no kernels in them */
    const char *cards; /* "75 80 90 90p": compute capabilities, p: PTX; "" if empty */
    int least;         /* the lowest of them; 0 if empty */
};

struct cuda_images cuda_images(void);

/* cuda_image_arch - of kernels for these cards, the capability of the code that a card runs:
 * code for its own generation and not above it, else the latest PTX that is not above it. 0: there
 * is none. */
int cuda_image_arch(const char *cards, int capability);

#endif
