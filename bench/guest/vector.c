// Integer vectors: what codecs and image filters do. Built for SSE2 up to
// SSSE3 (16 bytes) and for AVX2 (32 bytes).
#include "program.h"
#include <immintrin.h>

#if defined(__AVX2__)
typedef __m256i vector;
#define OP(name) _mm256_##name
#define LOAD(p) _mm256_loadu_si256((const __m256i *)(p))
#define STORE(p, v) _mm256_storeu_si256((__m256i *)(p), v)
#define ZERO() _mm256_setzero_si256()
#define AND(a, b) _mm256_and_si256(a, b)
#define OR(a, b) _mm256_or_si256(a, b)
#define XOR(a, b) _mm256_xor_si256(a, b)
#define SUPPORTED __builtin_cpu_supports("avx2")
#else
typedef __m128i vector;
#define OP(name) _mm_##name
#define LOAD(p) _mm_loadu_si128((const __m128i *)(p))
#define STORE(p, v) _mm_storeu_si128((__m128i *)(p), v)
#define ZERO() _mm_setzero_si128()
#define AND(a, b) _mm_and_si128(a, b)
#define OR(a, b) _mm_or_si128(a, b)
#define XOR(a, b) _mm_xor_si128(a, b)
#define SUPPORTED __builtin_cpu_supports("ssse3")
#endif

enum { SIZE = 16 << 10, STEP = sizeof(vector) };
static uint8_t a[SIZE + 64], b[SIZE + 64], c[SIZE + 64];

static void fill(void) {
    uint64_t state = 1;
    for (int i = 0; i < SIZE; i++) {
        a[i] = (uint8_t)next_random(&state);
        b[i] = (uint8_t)next_random(&state);
    }
}
static uint64_t sum_of(const uint8_t *bytes) {
    uint64_t sum = 0;
    for (int i = 0; i < SIZE; i += 8) {
        uint64_t value;
        memcpy(&value, bytes + i, 8);
        sum = mix(sum, value);
    }
    return sum;
}
// Adds up the 64-bit lanes.
static uint64_t across(vector v) {
    uint64_t lanes[STEP / 8], sum = 0;
    STORE(lanes, v);
    for (size_t i = 0; i < STEP / 8; i++) sum += lanes[i];
    return sum;
}

// Sum of absolute differences, as in motion search.
static uint64_t sad(unsigned long work) {
    vector total = ZERO();
    fill();
    while (work--) {
        const uint8_t *shifted = b + work % 16;
        for (int i = 0; i < SIZE; i += STEP) total = OP(add_epi64)(total, OP(sad_epu8)(LOAD(a + i), LOAD(shifted + i)));
    }
    return across(total);
}

// Blending with saturation and averages.
static uint64_t blend(unsigned long work) {
    fill();
    while (work--) {
        vector offset = OP(set1_epi8)((char)work);
        for (int i = 0; i < SIZE; i += STEP) {
            vector x = LOAD(a + i), y = LOAD(b + i);
            vector sum = OP(adds_epu8)(x, offset), difference = OP(subs_epu8)(y, offset);
            STORE(c + i, OP(avg_epu8)(OP(max_epu8)(sum, y), OP(min_epu8)(difference, x)));
        }
        a[work % SIZE] ^= c[(work * 7) % SIZE];
    }
    return sum_of(c);
}

// 16-bit multiplications and packs: a colour conversion.
static uint64_t colour(unsigned long work) {
    fill();
    while (work--) {
        vector weight = OP(set1_epi16)((short)(64 + work % 32));
        for (int i = 0; i < SIZE; i += STEP) {
            vector x = LOAD(a + i), y = LOAD(b + i), zero = ZERO();
            vector low = OP(mullo_epi16)(OP(unpacklo_epi8)(x, zero), weight);
            vector high = OP(mullo_epi16)(OP(unpackhi_epi8)(x, zero), weight);
            vector dot = OP(madd_epi16)(OP(unpacklo_epi8)(y, zero), weight);
            low = OP(srai_epi16)(OP(adds_epi16)(low, OP(packs_epi32)(dot, dot)), 7);
            STORE(c + i, OP(packus_epi16)(low, OP(srli_epi16)(high, 7)));
        }
        a[work % SIZE] ^= c[(work * 7) % SIZE];
    }
    return sum_of(c);
}

// Table look-ups by byte shuffle: the number of one bits.
static uint64_t shuffle(unsigned long work) {
    static const uint8_t ones[32] = {0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4};
    vector table = LOAD(ones), low = OP(set1_epi8)(15), total = ZERO();
    fill();
    while (work--)
        for (int i = 0; i < SIZE; i += STEP) {
            vector x = XOR(LOAD(a + i), LOAD(b + work % 16 + i));
            vector nibbles = OP(shuffle_epi8)(table, AND(x, low));
            nibbles = OP(add_epi8)(nibbles, OP(shuffle_epi8)(table, AND(OP(srli_epi16)(x, 4), low)));
            total = OP(add_epi64)(total, OP(sad_epu8)(nibbles, ZERO()));
        }
    return across(total);
}

// How often each byte occurs: scalar stores between vector loads.
static uint64_t histogram(unsigned long work) {
    static uint32_t counts[4][256];
    fill();
    while (work--)
        for (int i = 0; i < SIZE; i += STEP) {
            uint32_t words[STEP / 4];
            STORE(words, OP(add_epi8)(LOAD(a + i), LOAD(b + work % 16 + i)));
            for (size_t w = 0; w < STEP / 4; w++)
                for (int k = 0; k < 4; k++) counts[k][words[w] >> 8 * k & 255]++;
        }
    uint64_t sum = 0;
    for (int i = 0; i < 256; i++) sum = mix(sum, counts[0][i] + counts[1][i] + counts[2][i] + counts[3][i]);
    return sum;
}

// Compares, masks and branches on them: counting a byte.
static uint64_t search(unsigned long work) {
    uint64_t sum = 0;
    fill();
    while (work--) {
        vector wanted = OP(set1_epi8)((char)work);
        for (int i = 0; i < SIZE; i += STEP) {
            unsigned mask = (unsigned)OP(movemask_epi8)(OR(OP(cmpeq_epi8)(LOAD(a + i), wanted), OP(cmpeq_epi8)(LOAD(b + i), wanted)));
            while (mask) {
                sum += (unsigned)__builtin_ctz(mask) + (unsigned)i;
                mask &= mask - 1;
            }
        }
    }
    return sum;
}

int main(int argc, char **argv) {
    static const struct routine routines[] = {{"sad", sad}, {"blend", blend}, {"colour", colour}, {"shuffle", shuffle}, {"histogram", histogram}, {"search", search}, {0}};
    if (!SUPPORTED) {
        puts("not supported: SSSE3 or AVX2");
        return NOT_SUPPORTED;
    }
    return run_routine(routines, argc, argv);
}
