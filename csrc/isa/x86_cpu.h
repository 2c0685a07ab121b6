/* What an x86-64 CPU and its operating system can run, asked of CPUID. Compilers' own answer,
 * __builtin_cpu_supports, is always no where their run-time library does not fill it in (zig). */
#ifndef BYTEPROP_ISA_X86_CPU_H
#define BYTEPROP_ISA_X86_CPU_H

#include <cpuid.h>
#include <stdbool.h>

#define BP_X86_YMM 0x06u /* bits of XCR0: the system saves these registers */
#define BP_X86_ZMM 0xE6u

static inline bool bp_x86_saves(unsigned registers) {
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c >> 27 & 1) == 0) {
        return false;
    }
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a & registers) == registers;
}

static inline bool bp_x86_has_avx2(void) {
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b >> 5 & 1) != 0 &&
           bp_x86_saves(BP_X86_YMM);
}

/* With F, BW and VL. */
static inline bool bp_x86_has_avx512vnni(void) {
    const unsigned needed = 1u << 16 | 1u << 30 | 1u << 31;
    unsigned a, b, c, d;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & needed) == needed &&
           (c >> 11 & 1) != 0 && bp_x86_saves(BP_X86_ZMM);
}

static inline bool bp_x86_has_avxvnni(void) {
    unsigned a, b, c, d;
    return bp_x86_has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1) != 0;
}

#endif
