// Code that changes while it runs: a patched immediate, a small compiler that
// writes a fresh function each time, into memory that is writable and
// executable at once, switched between the two, or mapped twice.
#define _GNU_SOURCE
#include "program.h"
#include <sys/mman.h>
#include <unistd.h>

enum { AREA = 64 << 10, PAGE = 4096 };
typedef uint32_t function(uint32_t);

static uint8_t *map(int protection) {
    uint8_t *area = mmap(NULL, AREA, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (area == MAP_FAILED) fail("mmap");
    return area;
}

static uint32_t call(const uint8_t *code, uint32_t argument) {
    function *entry;
    memcpy(&entry, &code, sizeof entry);
    // The call may read code that this program wrote as data.
    __asm__ volatile("" : : : "memory");
    return entry(argument);
}

// Writes `mov eax, argument`, for the calling convention of each width.
static uint8_t *take_argument(uint8_t *at) {
#if defined(__x86_64__)
    static const uint8_t code[] = {0x89, 0xf8}; // mov eax, edi
#else
    static const uint8_t code[] = {0x8b, 0x44, 0x24, 0x04}; // mov eax, [esp+4]
#endif
    memcpy(at, code, sizeof code);
    return at + sizeof code;
}
static uint8_t *with_immediate(uint8_t *at, uint8_t opcode, uint32_t immediate) {
    *at = opcode;
    memcpy(at + 1, &immediate, sizeof immediate);
    return at + 5;
}

// One function whose constant changes before every call.
static uint64_t patch(unsigned long work) {
    uint8_t *code = map(PROT_READ | PROT_WRITE | PROT_EXEC);
    uint8_t *immediate = take_argument(code) + 1;
    *with_immediate(immediate - 1, 0x05, 0) = 0xc3; // add eax, imm32; ret
    uint32_t value = 1;
    while (work--) {
        uint32_t constant = (uint32_t)work * 7;
        memcpy(immediate, &constant, sizeof constant);
        value = call(code, value) * 3;
    }
    return value;
}

// As `patch`, but the data beside the code changes, not the code.
static uint64_t neighbour(unsigned long work) {
    uint8_t *code = map(PROT_READ | PROT_WRITE | PROT_EXEC);
    *with_immediate(take_argument(code), 0x05, 12345) = 0xc3;
    uint32_t value = 1;
    volatile uint32_t *beside = (volatile uint32_t *)(code + 2048);
    while (work--) {
        *beside += (uint32_t)work;
        value = call(code, value) ^ *beside;
    }
    return value;
}

// A function of ten random additions, exclusive ors and subtractions.
static void compile(uint8_t *at, uint64_t *state) {
    static const uint8_t opcodes[] = {0x05, 0x35, 0x2d};
    at = take_argument(at);
    for (int i = 0; i < 10; i++) {
        uint32_t random = next_random(state);
        at = with_immediate(at, opcodes[random % 3], random);
    }
    *at = 0xc3;
}

static uint64_t compile_writable(unsigned long work) {
    uint8_t *code = map(PROT_READ | PROT_WRITE | PROT_EXEC);
    uint64_t state = 1;
    uint32_t value = 1;
    while (work--) {
        uint8_t *at = code + work % (AREA / 64) * 64;
        compile(at, &state);
        for (int i = 0; i < 20; i++) value = call(at, value);
    }
    return value;
}

static uint64_t compile_protected(unsigned long work) {
    uint8_t *code = map(PROT_READ | PROT_EXEC);
    uint64_t state = 1;
    uint32_t value = 1;
    while (work--) {
        uint8_t *at = code + work % (AREA / PAGE) * PAGE;
        if (mprotect(at, PAGE, PROT_READ | PROT_WRITE)) fail("mprotect");
        compile(at, &state);
        if (mprotect(at, PAGE, PROT_READ | PROT_EXEC)) fail("mprotect");
        for (int i = 0; i < 100; i++) value = call(at, value);
    }
    return value;
}

static uint64_t compile_mapped_twice(unsigned long work) {
    int file = memfd_create("code", 0);
    if (file < 0 || ftruncate(file, AREA)) fail("memfd");
    uint8_t *writable = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    uint8_t *code = mmap(NULL, AREA, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
    if (writable == MAP_FAILED || code == MAP_FAILED) fail("mmap");
    uint64_t state = 1;
    uint32_t value = 1;
    while (work--) {
        size_t at = work % (AREA / 64) * 64;
        compile(writable + at, &state);
        for (int i = 0; i < 20; i++) value = call(code + at, value);
    }
    return value;
}

int main(int argc, char **argv) {
    static const struct routine routines[] = {{"patch", patch}, {"neighbour", neighbour}, {"compile-writable", compile_writable}, {"compile-protected", compile_protected}, {"compile-mapped-twice", compile_mapped_twice}, {0}};
    return run_routine(routines, argc, argv);
}
