/* Prints the digest of every network, with every set of tuned code that the CPU has; the same with
 * and without a resumption. */
#include <byteprop/kernels.h>
#include <byteprop/status.h>
#include <stdio.h>
#include <stdlib.h>

#include "train_digest.h"
#include "train_images.h"

enum { SPACE = 1 << 16 };

static int print_all(const char *isa, int resume) {
    train_digest_t digest;
    train_space_t space = {malloc(SPACE), SPACE};
    int status = space.bytes == NULL ? BP_E_SPACE : BP_OK;
    for (uint8_t i = 0; status == BP_OK; ++i) {
        status = train_digest(&digest, i, space, resume);
        if (status == BP_OK) {
            printf("%s,%d,%s,%08lx,%lu,%lu\n", isa, resume, digest.name,
                   (unsigned long)digest.digest, (unsigned long)digest.steps,
                   (unsigned long)digest.samples);
        }
    }
    for (uint8_t i = 0; status == -1 && i < train_images_n; ++i) {
        uint32_t crc;
        if (train_images_run(&crc, train_images + i, space.bytes, SPACE, resume) != BP_OK) {
            return BP_E_SPACE;
        }
        const unsigned long n = train_images[i].samples;
        printf("%s,%d,%s,%08lx,%lu,%lu\n", isa, resume, train_images[i].name, (unsigned long)crc,
               n, n);
    }
    free(space.bytes);
    return status;
}

int main(void) {
    const char *isa;
    for (int i = 0; (isa = bp_isa_available(i)) != NULL; ++i) {
        for (int resume = 0; resume < 2; ++resume) {
            if (bp_isa_select(isa) != BP_OK || print_all(isa, resume) != -1) {
                return 1;
            }
        }
    }
    return 0;
}
