// What every guest program of the benchmark has in common: it is called with
// the name of a routine and an amount of work, and prints a checksum that the
// harness compares between the emulators and the host.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Exit status of a routine that the processor has no instructions for.
enum { NOT_SUPPORTED = 77 };

struct routine {
    const char *name;
    uint64_t (*run)(unsigned long work);
};

// A linear congruential generator (the constants are Knuth's MMIX): the same
// numbers everywhere, 32- or 64-bit.
static inline uint32_t next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

// One more value into a checksum (FNV-1a over 64-bit values).
static inline uint64_t mix(uint64_t sum, uint64_t value) {
    return (sum ^ value) * 1099511628211u;
}

// The bits of a number, so that results are compared exactly.
static inline uint64_t bits_of(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline void fail(const char *what) {
    perror(what);
    exit(1);
}

// Tells the compiler that memory behind `p` may be read and changed here.
static inline void touch(void *p) { __asm__ volatile("" : : "r"(p) : "memory"); }

static inline int run_routine(const struct routine *routines, int argc, char **argv) {
    if (argc == 3)
        for (const struct routine *r = routines; r->name; r++)
            if (!strcmp(r->name, argv[1])) {
                uint64_t sum = r->run(strtoul(argv[2], NULL, 10));
                printf("%s %016llx\n", r->name, (unsigned long long)sum);
                return 0;
            }
    fprintf(stderr, "usage: %s ROUTINE WORK, with ROUTINE one of\n", argv[0]);
    for (const struct routine *r = routines; r->name; r++)
        fprintf(stderr, "  %s\n", r->name);
    return 2;
}
