/* What the RP2350's boot ROM looks for in the first 4 KB of flash before it starts a program: a
 * block that says "executable, Arm, secure, RP2350". RP2350 Datasheet, 5.9 "Metadata Block
 * Details"; values as in pico-sdk's picobin.h. No boot ROM has been seen to accept it. */
#include <stdint.h>

#define BLOCK_BEGIN 0xFFFFDED3u
#define BLOCK_END 0xAB123579u
#define ITEM_IMAGE_TYPE 0x42u
#define ITEM_LAST 0xFFu
#define WORDS(n) ((uint32_t)(n) << 8)
#define EXECUTABLE 1u
#define SECURE (2u << 4)
#define ARM (0u << 8)
#define CHIP_RP2350 (1u << 12)

__attribute__((section(".image_definition"), used)) static const uint32_t bp_image_definition[] = {
    BLOCK_BEGIN,
    (EXECUTABLE | SECURE | ARM | CHIP_RP2350) << 16 | WORDS(1) | ITEM_IMAGE_TYPE,
    WORDS(1) | ITEM_LAST, /* words of all items before it */
    0,                    /* the next block of the list: itself */
    BLOCK_END,
};
