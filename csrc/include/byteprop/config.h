/* Compile-time configuration of the C library: assertions and the one accessor for model bytes.
 *
 * The library is C99 and freestanding: stdint.h, stddef.h, stdbool.h and limits.h are all it
 * includes. No malloc, no recursion, no variable-length arrays, no floating point. */
#ifndef BYTEPROP_CONFIG_H
#define BYTEPROP_CONFIG_H

#include <stddef.h>
#include <stdint.h>

/* Settings of a package of the library whose build system passes no definitions: Arduino's. */
#if defined(__has_include)
#if __has_include(<byteprop_config.h>)
#include <byteprop_config.h>
#endif
#endif

/* A failed assertion is a bug of the library, never a consequence of bad input. It does not follow
 * NDEBUG, because Python's build flags define that. Define BP_ASSERTIONS to 1 to switch it on; the
 * program then supplies bp_assert_failed, which must not return. */
#ifndef BP_ASSERTIONS
#define BP_ASSERTIONS 0
#endif
#if BP_ASSERTIONS
#ifdef __cplusplus
extern "C" {
#endif
void bp_assert_failed(const char *file, int line);
#ifdef __cplusplus
}
#endif
#define BP_ASSERT(condition) ((condition) ? (void)0 : bp_assert_failed(__FILE__, __LINE__))
#else
#define BP_ASSERT(condition) ((void)0)
#endif

/* 0: the flag FAST of ops is neither checked nor used, in firmware that has no room for it. */
#ifndef BP_FAST_OPS
#define BP_FAST_OPS 1
#endif

/* Model bytes ("ROM") are read through these macros and through nothing else: on AVR they are in
 * another address space. p is a `const uint8_t *`, of BP_ROM_I32 and BP_ROM_U32 4-byte aligned, of
 * BP_ROM_U16 2-byte aligned.
 * Define BP_ROM_IS_RAM to 1 for an AVR program whose model image is in RAM.
 * BP_ROM_IS_APART: a pointer to model bytes must not be read as one to RAM. */
#ifndef BP_ROM_IS_RAM
#define BP_ROM_IS_RAM 0
#endif
#if defined(__AVR__) && !BP_ROM_IS_RAM
#include <avr/pgmspace.h>
#define BP_ROM_IS_APART 1
#if defined(__AVR_HAVE_ELPM__)
/* Flash of more than 64 KB: pointers have the low 16 bits of an address. Model bytes are those of
 * the one image in flash, which has at most 64 KB: what is below its first byte by these bits is in
 * the 64 KB after those where it begins. */
#ifdef __cplusplus
extern "C" {
#endif
extern const uint8_t bp_model_image[] __attribute__((weak));
#ifdef __cplusplus
}
#endif
static inline uint_farptr_t bp_rom_far(const uint8_t *p) {
    uint8_t high;
    __asm__("ldi %0, hh8(bp_model_image)" : "=d"(high));
    high = (uint8_t)(high + ((uintptr_t)p < (uintptr_t)bp_model_image ? 1 : 0));
    return (uint_farptr_t)high << 16 | (uintptr_t)p;
}
#define BP_ROM_U8(p) pgm_read_byte_far(bp_rom_far(p))
#define BP_ROM_U16(p) pgm_read_word_far(bp_rom_far(p))
#define BP_ROM_I32(p) ((int32_t)pgm_read_dword_far(bp_rom_far(p)))
#define BP_ROM_DATA PROGMEM
#else
#define BP_ROM_U8(p) pgm_read_byte(p)
#define BP_ROM_U16(p) pgm_read_word(p)
#define BP_ROM_I32(p) ((int32_t)pgm_read_dword(p))
#define BP_ROM_DATA PROGMEM
#endif
#else
#define BP_ROM_IS_APART 0
#define BP_ROM_U8(p) (*(const uint8_t *)(p))
#define BP_ROM_U16(p) bp_rom_u16(p)
#define BP_ROM_I32(p) bp_rom_i32(p)
#define BP_ROM_DATA
static inline uint16_t bp_rom_u16(const uint8_t *p) {
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint16_t value;
    __builtin_memcpy(&value, __builtin_assume_aligned(p, 2), sizeof value);
    return value;
#else
    return (uint16_t)(p[0] | (uint16_t)p[1] << 8);
#endif
}
static inline int32_t bp_rom_i32(const uint8_t *p) {
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    int32_t value;
    __builtin_memcpy(&value, __builtin_assume_aligned(p, 4), sizeof value);
    return value;
#else
    return (int32_t)((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
                     (uint32_t)p[3] << 24);
#endif
}
#endif
#define BP_ROM_I8(p) ((int8_t)BP_ROM_U8(p))
#define BP_ROM_U32(p) ((uint32_t)BP_ROM_I32(p))

/* Constant tables of the library itself, declared BP_TABLE: in flash on AVR wherever models lie.
 * BP_TABLE_U8, _U16 and _U32 take a `const uint8_t *`, `const uint16_t *` or `const uint32_t *`. */
#if defined(__AVR__)
#include <avr/pgmspace.h>
#define BP_TABLE PROGMEM
#define BP_TABLE_U8(p) pgm_read_byte(p)
#define BP_TABLE_U16(p) pgm_read_word(p)
#define BP_TABLE_U32(p) pgm_read_dword(p)
#define BP_TABLE_POINTER(p) ((__typeof__(*(p)))pgm_read_word(p))
#else
#define BP_TABLE
#define BP_TABLE_U8(p) (*(p))
#define BP_TABLE_U16(p) (*(p))
#define BP_TABLE_U32(p) (*(p))
#define BP_TABLE_POINTER(p) (*(p))
#endif

#endif
