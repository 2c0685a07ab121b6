/* tests/c/train_digest.c as a bare program: "name,digest,steps,samples" of every network that fits,
 * or "name,no space"; the exit code is 0 when nothing else stopped a training. */
#include <byteprop/status.h>

#include "bare.h"
#include "train_digest.h"
#include "train_images.h"

/* AVR would not align it, and images are. */
static uint32_t space[SPACE_BYTES / 4] __attribute__((aligned(4)));

static void print(const train_digest_t *digest) {
    bare_text(digest->name);
    bare_text(",");
    bare_number(digest->digest);
    bare_text(",");
    bare_number(digest->steps);
    bare_text(",");
    bare_number(digest->samples);
    bare_text("\n");
}

int bare_main(void) {
    train_space_t all = {(uint8_t *)space, sizeof space};
    train_digest_t digest;
    int status = BP_OK;
    for (uint8_t i = 0; status == BP_OK || status == BP_E_SPACE; ++i) {
        status = train_digest(&digest, i, all, i % 2);
        if (status == BP_OK) {
            print(&digest);
        } else if (status == BP_E_SPACE) {
            bare_text(digest.name);
            bare_text(",no space\n");
        }
    }
    for (uint8_t i = 0; i < train_images_n; ++i) {
        digest.name = train_images[i].name;
        digest.steps = digest.samples = train_images[i].samples;
        const int outcome = train_images_run(&digest.digest, train_images + i, (uint8_t *)space,
                                             sizeof space, i % 2);
        if (outcome != BP_OK) {
            return 2;
        }
        print(&digest);
    }
    return status == -1 ? 0 : 1;
}
