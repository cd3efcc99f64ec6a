// Memory programs: copies by hand and by the C library, string instructions,
// string functions, and loads that depend on each other.
#include "program.h"
#include <emmintrin.h>

enum { BLOCK = 64 << 10 };
static uint8_t source[BLOCK + 64] __attribute__((aligned(64)));
static uint8_t target[BLOCK + 64] __attribute__((aligned(64)));

static void fill_source(void) {
    uint64_t state = 1;
    for (int i = 0; i < BLOCK; i++) source[i] = (uint8_t)(next_random(&state) % 255 + 1);
}
static uint64_t sum_of(const uint8_t *bytes) {
    uint64_t sum = 0;
    for (int i = 0; i < BLOCK; i += 61) sum = mix(sum, bytes[i]);
    return sum;
}

// Copies by hand, 16 and 8 bytes at a time.
static uint64_t copy_sse(unsigned long work) {
    fill_source();
    while (work--) {
        for (int i = 0; i < BLOCK; i += 64)
            for (int j = 0; j < 64; j += 16)
                _mm_store_si128((__m128i *)(target + i + j), _mm_load_si128((__m128i *)(source + i + j)));
        source[work % BLOCK]++;
        touch(target);
    }
    return sum_of(target);
}
static uint64_t copy_words(unsigned long work) {
    fill_source();
    while (work--) {
        const uint64_t *from = (const uint64_t *)source;
        uint64_t *to = (uint64_t *)target;
        for (int i = 0; i < BLOCK / 8; i++) {
            to[i] = from[i];
            // Keeps it a plain loop, neither a call of memcpy nor vectors.
            __asm__ volatile("");
        }
        source[work % BLOCK]++;
    }
    return sum_of(target);
}

// The C library's, large and small.
static uint64_t libc_memcpy(unsigned long work) {
    fill_source();
    while (work--) {
        memcpy(target, source, BLOCK);
        touch(target);
        source[work % BLOCK]++;
    }
    return sum_of(target);
}
static uint64_t libc_small(unsigned long work) {
    fill_source();
    while (work--) {
        size_t length = work % 97;
        memcpy(target + work % 64 * 100, source + work % 509, length);
        memmove(target + work % 61 * 90, target + work % 67 * 90, length);
        memset(target + 30000 + work % 71 * 100, (int)work, length);
    }
    return sum_of(target);
}
static uint64_t libc_memset(unsigned long work) {
    while (work--) {
        memset(target, (int)work + 5, BLOCK);
        touch(target);
    }
    return sum_of(target);
}

// String functions over lines of 5 to 120 characters.
static uint64_t over_lines(unsigned long work, uint64_t (*visit)(char *line, size_t length)) {
    uint64_t sum = 0;
    fill_source();
    while (work--) {
        uint64_t state = work;
        for (size_t at = 0; at < BLOCK - 128;) {
            size_t length = 5 + next_random(&state) % 116;
            uint8_t kept = source[at + length];
            source[at + length] = 0;
            sum += visit((char *)source + at, length);
            source[at + length] = kept;
            at += length + 1;
        }
    }
    return sum;
}
static uint64_t visit_strlen(char *line, size_t length) { return strlen(line) + length; }
static uint64_t visit_memchr(char *line, size_t length) {
    char *found = memchr(line, 1, length), *zero = strchr(line, 2);
    return (uint64_t)(found ? found - line : 0) + (uint64_t)(zero ? zero - line : 0);
}
static uint64_t visit_strcmp(char *line, size_t length) {
    memcpy(target, line, length + 1);
    uint64_t same = strcmp(line, (char *)target) == 0;
    target[length - 1] ^= 0x40;
    return same + 2 * (strcmp(line, (char *)target) < 0) + 4 * (memcmp(line, target, length) < 0);
}
static uint64_t libc_strlen(unsigned long work) { return over_lines(work, visit_strlen); }
static uint64_t libc_memchr(unsigned long work) { return over_lines(work, visit_memchr); }
static uint64_t libc_strcmp(unsigned long work) { return over_lines(work, visit_strcmp); }

// String instructions.
static uint64_t rep_movsb(unsigned long work) {
    fill_source();
    while (work--) {
        void *to = target, *from = source;
        size_t count = BLOCK;
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
        source[work % BLOCK]++;
    }
    return sum_of(target);
}
static uint64_t rep_movsl(unsigned long work) {
    fill_source();
    while (work--) {
        void *to = target, *from = source;
        size_t count = BLOCK / 4;
        __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
        source[work % BLOCK]++;
    }
    return sum_of(target);
}
// Many short copies, where setting up is what counts.
static uint64_t rep_short(unsigned long work) {
    fill_source();
    while (work--) {
        void *to = target + work % 512, *from = source + work % 509;
        size_t count = work % 64;
        __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    }
    return sum_of(target);
}
static uint64_t rep_stosb(unsigned long work) {
    while (work--) {
        void *to = target;
        size_t count = BLOCK;
        __asm__ volatile("rep stosb" : "+D"(to), "+c"(count) : "a"((int)work + 5) : "memory");
    }
    return sum_of(target);
}
static uint64_t rep_scasb(unsigned long work) {
    uint64_t sum = 0;
    memset(source, 1, BLOCK);
    while (work--) {
        const void *at = source;
        size_t count = BLOCK;
        source[BLOCK / 2 + work % 4096] = 0;
        __asm__ volatile("repne scasb" : "+D"(at), "+c"(count) : "a"(0) : "memory", "cc");
        sum += count;
        source[BLOCK / 2 + work % 4096] = 1;
    }
    return sum;
}
static uint64_t rep_cmpsb(unsigned long work) {
    uint64_t sum = 0;
    fill_source();
    memcpy(target, source, BLOCK);
    while (work--) {
        const void *a = source, *b = target;
        size_t count = BLOCK;
        target[BLOCK / 2 + work % 4096] ^= 1;
        __asm__ volatile("repe cmpsb" : "+D"(a), "+S"(b), "+c"(count) : : "memory", "cc");
        sum += count;
        target[BLOCK / 2 + work % 4096] ^= 1;
    }
    return sum;
}

// Loads of which each needs the one before: a random cycle through `bytes`.
static uint64_t chase(unsigned long work, size_t bytes) {
    enum { STEP = 64 / sizeof(uint32_t) }; // One link a cache line.
    size_t count = bytes / 64;
    uint32_t *links = aligned_alloc(4096, bytes), at = 0;
    if (!links) fail("aligned_alloc");
    uint64_t state = 1;
    for (size_t i = 0; i < count; i++) links[i * STEP] = (uint32_t)i;
    for (size_t i = count - 1; i > 0; i--) { // Sattolo's shuffle makes one cycle.
        size_t j = next_random(&state) % i;
        uint32_t kept = links[i * STEP];
        links[i * STEP] = links[j * STEP];
        links[j * STEP] = kept;
    }
    while (work--) at = links[at * STEP];
    free(links);
    return at;
}
static uint64_t chase_l1(unsigned long work) { return chase(work, 16 << 10); }
static uint64_t chase_l2(unsigned long work) { return chase(work, 512 << 10); }
static uint64_t chase_dram(unsigned long work) { return chase(work, 64 << 20); }

// Random reads that do not wait for each other.
static uint64_t random_reads(unsigned long work) {
    size_t count = (64 << 20) / sizeof(uint32_t);
    uint32_t *words = malloc(count * sizeof *words);
    if (!words) fail("malloc");
    for (size_t i = 0; i < count; i++) words[i] = (uint32_t)i * 2654435761u;
    uint64_t state = 1, sum = 0;
    while (work--) sum += words[next_random(&state) % count];
    free(words);
    return sum;
}

int main(int argc, char **argv) {
    static const struct routine routines[] = {
        {"copy-sse", copy_sse}, {"copy-words", copy_words}, {"memcpy", libc_memcpy}, {"memcpy-small", libc_small}, {"memset", libc_memset}, {"strlen", libc_strlen}, {"memchr", libc_memchr}, {"strcmp", libc_strcmp}, {"rep-movsb", rep_movsb}, {"rep-movsl", rep_movsl}, {"rep-short", rep_short}, {"rep-stosb", rep_stosb}, {"rep-scasb", rep_scasb}, {"rep-cmpsb", rep_cmpsb}, {"chase-l1", chase_l1}, {"chase-l2", chase_l2}, {"chase-dram", chase_dram}, {"random-reads", random_reads}, {0}};
    return run_routine(routines, argc, argv);
}
