// Integer programs: calls, indirect jumps, branches, loads and stores, and
// nothing of the vector unit. Built for 64 and for 32 bits.
#include "program.h"

static __attribute__((noinline)) unsigned fib_of(unsigned n) {
    return n < 2 ? n : fib_of(n - 1) + fib_of(n - 2);
}
static uint64_t fib(unsigned long work) { return fib_of((unsigned)work); }

// A byte-code machine whose loop is one jump through a table.
enum { PUSH, LOAD, STORE, ADD, MUL, XOR, DEC, JNZ, HALT };
static uint64_t vm(unsigned long work) {
    static const uint8_t code[] = {
        // loop: a = (a * 31 + n) ^ (a + 7)
        LOAD, 0, PUSH, 31, MUL, LOAD, 1, ADD, LOAD, 0, PUSH, 7, ADD, XOR, STORE, 0,
        // n -= 1; if (n) goto loop
        LOAD, 1, DEC, STORE, 1, LOAD, 1, JNZ, 0, HALT};
    static const void *const jump[] = {&&push, &&load, &&store, &&add, &&mul, &&xor_, &&dec, &&jnz, &&halt};
    uint32_t stack[16], variable[2] = {1, (uint32_t)work}, *sp = stack;
    const uint8_t *pc = code;
#define NEXT goto *jump[*pc++]
    NEXT;
push: *sp++ = *pc++; NEXT;
load: *sp++ = variable[*pc++]; NEXT;
store: variable[*pc++] = *--sp; NEXT;
add: sp--; sp[-1] += sp[0]; NEXT;
mul: sp--; sp[-1] *= sp[0]; NEXT;
xor_: sp--; sp[-1] ^= sp[0]; NEXT;
dec: sp[-1]--; NEXT;
jnz: sp--; pc = *sp ? code + *pc : pc + 1; NEXT;
halt: return variable[0];
#undef NEXT
}

static int compare_ints(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}
static uint64_t sort(unsigned long work) {
    enum { COUNT = 50000 };
    static int32_t numbers[COUNT];
    uint64_t state = 1, sum = 0;
    while (work--) {
        for (int i = 0; i < COUNT; i++) numbers[i] = (int32_t)next_random(&state);
        qsort(numbers, COUNT, sizeof *numbers, compare_ints);
        for (int i = 0; i < COUNT; i += 997) sum = mix(sum, (uint32_t)numbers[i]);
    }
    return sum;
}

static uint64_t sieve(unsigned long work) {
    enum { LIMIT = 1 << 20 };
    static uint8_t composite[LIMIT];
    uint64_t sum = 0;
    while (work--) {
        memset(composite, 0, LIMIT);
        unsigned count = 0;
        for (unsigned i = 2; i < LIMIT; i++) {
            if (composite[i]) continue;
            count++;
            for (unsigned j = i * 2; j < LIMIT; j += i) composite[j] = 1;
        }
        sum = mix(sum, count);
    }
    return sum;
}

// SHA-256, FIPS 180-4.
static inline uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }
static void sha256_block(uint32_t h[8], const uint32_t message[16]) {
    static const uint32_t k[64] = {
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};
    uint32_t w[64], s[8];
    for (int i = 0; i < 16; i++) w[i] = message[i];
    for (int i = 16; i < 64; i++) {
        uint32_t x = w[i - 15], y = w[i - 2];
        w[i] = w[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[i - 7] + (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    memcpy(s, h, sizeof s);
    for (int i = 0; i < 64; i++) {
        uint32_t e = s[4], a = s[0];
        uint32_t one = s[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & s[5]) ^ (~e & s[6])) + k[i] + w[i];
        uint32_t two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));
        for (int j = 7; j > 0; j--) s[j] = s[j - 1];
        s[4] += one;
        s[0] = one + two;
    }
    for (int i = 0; i < 8; i++) h[i] += s[i];
}
static uint64_t sha256(unsigned long work) {
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    uint32_t message[16];
    uint64_t state = 1;
    for (int i = 0; i < 16; i++) message[i] = next_random(&state);
    while (work--) {
        sha256_block(h, message);
        message[work % 16] ^= h[0];
    }
    return (uint64_t)h[0] << 32 | h[7];
}

static uint64_t matrix(unsigned long work) {
    enum { N = 128 };
    static uint32_t a[N][N], b[N][N], c[N][N];
    uint64_t state = 1, sum = 0;
    for (int i = 0; i < N * N; i++) {
        a[i / N][i % N] = next_random(&state);
        b[i / N][i % N] = next_random(&state);
    }
    while (work--) {
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                uint32_t dot = 0;
                for (int k = 0; k < N; k++) dot += a[i][k] * b[k][j];
                c[i][j] = dot;
            }
        memcpy(a[work % N], c[(work * 7) % N], sizeof a[0]);
        sum = mix(sum, c[work % N][3]);
    }
    return sum;
}

// CRC-32 (IEEE 802.3), a byte at a time.
static uint64_t crc(unsigned long work) {
    static uint32_t table[256];
    static uint8_t data[1 << 16];
    uint64_t state = 1;
    for (unsigned i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
    }
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)next_random(&state);
    uint32_t value = ~0u;
    while (work--)
        for (size_t i = 0; i < sizeof data; i++) value = value >> 8 ^ table[(uint8_t)(value ^ data[i])];
    return ~value;
}

// A hash map with chains from malloc: insert, find, remove.
struct node {
    struct node *next;
    uint32_t key, value;
};
static uint64_t hashmap(unsigned long work) {
    enum { BUCKETS = 4096, KEYS = 20000 };
    static struct node *bucket[BUCKETS];
    uint64_t state = 1, sum = 0;
    while (work--) {
        uint32_t key = next_random(&state) % KEYS;
        struct node **link = &bucket[(key * 2654435761u >> 20) % BUCKETS], *node;
        while ((node = *link) && node->key != key) link = &node->next;
        if (!node) {
            node = malloc(sizeof *node);
            if (!node) fail("malloc");
            *node = (struct node){NULL, key, 1};
            *link = node;
        } else if (++node->value % 8 == 0) {
            sum = mix(sum, key);
            *link = node->next;
            free(node);
        }
    }
    return sum;
}

static unsigned place_queens(unsigned all, unsigned columns, unsigned left, unsigned right) {
    if (columns == all) return 1;
    unsigned count = 0;
    for (unsigned free = all & ~(columns | left | right); free; free &= free - 1) {
        unsigned bit = free & -free;
        count += place_queens(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return count;
}
static uint64_t queens(unsigned long work) { return place_queens((1u << work) - 1, 0, 0, 0); }

// Long division of 64-bit numbers: DIV on 64 bits, libgcc's routine on 32.
static uint64_t divide(unsigned long work) {
    uint64_t state = 1, sum = 0;
    while (work--) {
        uint64_t a = (uint64_t)next_random(&state) << 32 | next_random(&state);
        uint64_t b = next_random(&state) | 1;
        sum = mix(sum, a / b + a % b);
    }
    return sum;
}

int main(int argc, char **argv) {
    static const struct routine routines[] = {
        {"fib", fib}, {"vm", vm}, {"sort", sort}, {"sieve", sieve}, {"sha256", sha256}, {"matrix", matrix}, {"crc", crc}, {"hashmap", hashmap}, {"queens", queens}, {"divide", divide}, {0}};
    return run_routine(routines, argc, argv);
}
