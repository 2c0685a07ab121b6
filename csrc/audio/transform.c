#include "audio/parts.h"

/* A discrete Fourier transform of 256 complex numbers of 16 bits, in place; decimation in time.
 * Before each of the 8 stages it is decided how far their results are shifted, by the largest number:
 * afterwards every number is within 19,779. */

enum { TWIDDLE_BITS = 14 };

static void swap(int16_t *a, int16_t *b) {
    const int16_t kept = *a;
    *a = *b;
    *b = kept;
}

/* To the order in which the 8 bits of indices are reversed. */
static void reorder(int16_t *z) {
    uint16_t reversed = 0;
    for (uint16_t i = 0; i < BP_AUDIO_PAIRS; ++i) {
        if (i < reversed) {
            swap(z + 2 * i, z + 2 * reversed);
            swap(z + 2 * i + 1, z + 2 * reversed + 1);
        }
        uint16_t bit = BP_AUDIO_PAIRS / 2;
        for (; reversed & bit; bit >>= 1) {
            reversed ^= bit;
        }
        reversed |= bit;
    }
}

/* A number grows by 1 + sqrt(2) = 2.42 at most: from 2^13 to 19,779, from 2^14 halved to the same,
 * and from 2^15 by a quarter as well. */
static uint8_t shift_for(uint32_t bits) {
    return (uint8_t)((bits >= 1u << 13) + (bits >= 1u << 14));
}

/* a + w * b and a - w * b for every pair with the factor w = cos - i sin of a stage; returns the bits
 * of the results. Sums: 2^15 * 2^14 + 2^15 * sqrt(2) * (2^14 + 1) < 2^31 - 2^15. */
static uint32_t butterflies(int16_t *z, uint16_t half, uint16_t first, uint8_t shift) {
    const uint16_t angle = (uint16_t)(first * (BP_AUDIO_PAIRS / half));
    const int32_t c = bp_audio_cos(angle), s = bp_audio_sin(angle);
    const uint8_t down = (uint8_t)(TWIDDLE_BITS + shift);
    const int32_t round = (int32_t)1 << (down - 1);
    uint32_t bits = 0;
    for (int16_t *a = z + 2 * first; a < z + BP_AUDIO_POINTS; a += 4 * half) {
        int16_t *b = a + 2 * half;
        const int32_t re = c * b[0] + s * b[1], im = c * b[1] - s * b[0];
        const int32_t a_re = a[0] * ((int32_t)1 << TWIDDLE_BITS) + round;
        const int32_t a_im = a[1] * ((int32_t)1 << TWIDDLE_BITS) + round;
        const int32_t sum_re = (a_re + re) >> down, sum_im = (a_im + im) >> down;
        const int32_t difference_re = (a_re - re) >> down, difference_im = (a_im - im) >> down;
        a[0] = (int16_t)sum_re;
        a[1] = (int16_t)sum_im;
        b[0] = (int16_t)difference_re;
        b[1] = (int16_t)difference_im;
        bits |= bp_audio_bits(sum_re) | bp_audio_bits(sum_im) | bp_audio_bits(difference_re) |
                bp_audio_bits(difference_im);
    }
    return bits;
}

uint8_t bp_audio_transform(int16_t work[BP_AUDIO_POINTS]) {
    uint32_t bits = 0;
    for (uint16_t i = 0; i < BP_AUDIO_POINTS; ++i) {
        bits |= bp_audio_bits(work[i]);
    }
    reorder(work);
    uint8_t total = 0;
    for (uint16_t half = 1; half < BP_AUDIO_PAIRS; half = (uint16_t)(2 * half)) {
        const uint8_t shift = shift_for(bits);
        bits = 0;
        for (uint16_t first = 0; first < half; ++first) {
            bits |= butterflies(work, half, first, shift);
        }
        total = (uint8_t)(total + shift);
    }
    return total;
}

/* With a = z[k] + conj(z[256 - k]) and b = z[k] - conj(z[256 - k]), a bin of the real transform is
 * (a - i w b) / 2, w = cos - i sin. Numbers are within 19,779, so |a| and |b| are at most 55,944, sums
 * are below 1.6 * 2^30, and the power is at most 55,945^2 < 2^32. */
uint32_t bp_audio_power(const int16_t work[BP_AUDIO_POINTS], uint16_t bin) {
    const int16_t *z = work + 2 * bin, *mirror = work + BP_AUDIO_POINTS - 2 * bin;
    const int32_t c = bp_audio_cos(bin), s = bp_audio_sin(bin);
    const int32_t a_re = (int32_t)z[0] + mirror[0], a_im = (int32_t)z[1] - mirror[1];
    const int32_t b_re = (int32_t)z[0] - mirror[0], b_im = (int32_t)z[1] + mirror[1];
    const int32_t one = (int32_t)1 << TWIDDLE_BITS;
    const int32_t re = (a_re * one + c * b_im - s * b_re + one) >> (TWIDDLE_BITS + 1);
    const int32_t im = (a_im * one - c * b_re - s * b_im + one) >> (TWIDDLE_BITS + 1);
    return (uint32_t)re * (uint32_t)re + (uint32_t)im * (uint32_t)im;
}
