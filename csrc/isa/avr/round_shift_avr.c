/* bp_round_shift_right for AVR, which shifts by one bit at a time: whole bytes are moved, and what
 * is left is shifted the shorter way, up to 4 bits to the right or up to 3 to the left. */
#include "isa/isa.h"

#ifdef BP_ISA_AVR

#define NEGATE                                                                                     \
    "com %B[x]\n\t"                                                                                \
    "com %C[x]\n\t"                                                                                \
    "com %D[x]\n\t"                                                                                \
    "neg %A[x]\n\t"                                                                                \
    "sbci %B[x], 0xFF\n\t"                                                                         \
    "sbci %C[x], 0xFF\n\t"                                                                         \
    "sbci %D[x], 0xFF\n"
#define DROP_LOWEST_BYTE                                                                           \
    "mov %A[x], %B[x]\n\t"                                                                         \
    "mov %B[x], %C[x]\n\t"                                                                         \
    "mov %C[x], %D[x]\n\t"
#define SHIFT_ONE_BIT                                                                              \
    "lsr %D[x]\n\t"                                                                                \
    "ror %C[x]\n\t"                                                                                \
    "ror %B[x]\n\t"                                                                                \
    "ror %A[x]\n\t"

int32_t bp_round_shift_right_avr(int32_t x, uint8_t rshift) {
    uint8_t top;
    /* clang-format off */
    __asm__("tst %[n]\n\t"
            "breq 9f\n\t"
            /* The magnitude, which is at most 2^31; T keeps the sign. */
            "bst %D[x], 7\n\t"
            "brtc 1f\n\t"
            NEGATE
            "1:\n\t"
            /* All but one bit of the shift. */
            "dec %[n]\n"
            "2:\n\t"
            "cpi %[n], 8\n\t"
            "brlo 3f\n\t"
            DROP_LOWEST_BYTE
            "clr %D[x]\n\t"
            "subi %[n], 8\n\t"
            "rjmp 2b\n"
            "3:\n\t"
            "cpi %[n], 5\n\t"
            "brlo 5f\n\t"
            "clr %[top]\n\t"
            "subi %[n], 8\n"
            "4:\n\t"
            "lsl %A[x]\n\t"
            "rol %B[x]\n\t"
            "rol %C[x]\n\t"
            "rol %D[x]\n\t"
            "rol %[top]\n\t"
            "inc %[n]\n\t"
            "brne 4b\n\t"
            DROP_LOWEST_BYTE
            "mov %D[x], %[top]\n\t"
            "rjmp 7f\n"
            "5:\n\t"
            "tst %[n]\n\t"
            "breq 7f\n"
            "6:\n\t"
            SHIFT_ONE_BIT
            "dec %[n]\n\t"
            "brne 6b\n"
            "7:\n\t"
            /* Add 1 and shift by the last bit. */
            "subi %A[x], 0xFF\n\t"
            "sbci %B[x], 0xFF\n\t"
            "sbci %C[x], 0xFF\n\t"
            "sbci %D[x], 0xFF\n\t"
            SHIFT_ONE_BIT
            "brtc 9f\n\t"
            NEGATE
            "9:\n\t"
            : [x] "+d"(x), [n] "+d"(rshift), [top] "=&r"(top)
            :
            : "cc");
    /* clang-format on */
    return x;
}
#endif
