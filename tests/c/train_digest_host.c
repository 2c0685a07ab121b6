/* Prints the digest of every network, with every set of tuned code that the CPU has; the same with
 * and without a resumption. */
#include <byteprop/kernels.h>
#include <byteprop/status.h>
#include <stdio.h>
#include <stdlib.h>

#include "train_digest.h"

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
    free(space.bytes);
    return status;
}

int main(void) {
    static const char *const isas[] = {"portable", "avx2"};
    for (size_t i = 0; i < sizeof isas / sizeof isas[0]; ++i) {
        for (int resume = 0; resume < 2 && bp_isa_select(isas[i]) == BP_OK; ++resume) {
            if (print_all(isas[i], resume) != -1) {
                return 1;
            }
        }
    }
    return 0;
}
