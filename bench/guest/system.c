// What a program asks of its kernel. Everything runs on one processor.
#define _GNU_SOURCE
#include "program.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t syscalls(unsigned long work) {
    uint64_t sum = 0;
    while (work--) sum += (uint64_t)(syscall(SYS_getpid) > 0);
    return sum;
}

static uint64_t faults(unsigned long work) {
    enum { PAGES = 256, PAGE = 4096 };
    uint64_t sum = 0;
    while (work--) {
        uint8_t *area = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED) fail("mmap");
        // Page by page, also where transparent huge pages are on.
        madvise(area, PAGES * PAGE, MADV_NOHUGEPAGE);
        for (int i = 0; i < PAGES; i++) sum += ++area[i * PAGE];
        munmap(area, PAGES * PAGE);
    }
    return sum;
}

// Changes of protection: the kernel flushes the TLB each time.
static uint64_t protect(unsigned long work) {
    uint8_t *area = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t sum = 0;
    if (area == MAP_FAILED) fail("mmap");
    while (work--) {
        area[work % 4 * 4096]++;
        mprotect(area, 4 * 4096, PROT_READ);
        sum += area[4096];
        mprotect(area, 4 * 4096, PROT_READ | PROT_WRITE);
    }
    return sum;
}

static volatile uint64_t signals_seen;
static void on_signal(int number) { signals_seen += (uint64_t)number; }
static uint64_t signals(unsigned long work) {
    struct sigaction action = {.sa_handler = on_signal};
    if (sigaction(SIGUSR1, &action, NULL)) fail("sigaction");
    while (work--) raise(SIGUSR1);
    return signals_seen;
}

// Faults that the program handles itself, as garbage collectors do.
static uint8_t *guarded;
static void on_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    signals_seen += (uint64_t)number + (info->si_addr == guarded);
    mprotect(guarded, 4096, PROT_READ | PROT_WRITE);
}
static uint64_t segfaults(unsigned long work) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    guarded = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guarded == MAP_FAILED || sigaction(SIGSEGV, &action, NULL)) fail("segfaults");
    while (work--) {
        mprotect(guarded, 4096, PROT_NONE);
        *(volatile uint8_t *)guarded = (uint8_t)work;
    }
    return signals_seen;
}

static uint64_t pipes(unsigned long work) {
    int there[2], back[2];
    uint64_t value = 1;
    if (pipe(there) || pipe(back)) fail("pipe");
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) {
        close(there[1]); // Or the end of the pipe would never come.
        while (read(there[0], &value, sizeof value) == sizeof value) {
            value = value * 3 + 1;
            if (write(back[1], &value, sizeof value) != sizeof value) _exit(1);
        }
        _exit(0);
    }
    close(there[0]);
    while (work--)
        if (write(there[1], &value, sizeof value) != sizeof value || read(back[0], &value, sizeof value) != sizeof value) fail("pipe");
    close(there[1]);
    waitpid(child, NULL, 0);
    return value;
}

// Two processes that wait for each other: each turn changes the address space.
static void take_turns(_Atomic uint32_t *turn, uint32_t mine, unsigned long count) {
    while (count--) {
        while (*turn != mine) syscall(SYS_futex, turn, FUTEX_WAIT, 1 - mine, NULL, NULL, 0);
        *turn = 1 - mine;
        syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}
static uint64_t switches(unsigned long work) {
    _Atomic uint32_t *turn = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    if (turn == MAP_FAILED) fail("mmap");
    pid_t child = fork();
    if (child < 0) fail("fork");
    take_turns(turn, child == 0, work);
    if (child == 0) _exit((int)(work % 100));
    waitpid(child, &status, 0);
    return work + (uint64_t)WEXITSTATUS(status);
}

static uint64_t forks(unsigned long work) {
    uint64_t sum = 0;
    while (work--) {
        int status = 0;
        pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) _exit((int)(work % 50));
        waitpid(child, &status, 0);
        sum += (uint64_t)WEXITSTATUS(status);
    }
    return sum;
}
static uint64_t execs(unsigned long work) {
    uint64_t sum = 0;
    while (work--) {
        int status = 0;
        pid_t child = fork();
        if (child < 0) fail("fork");
        if (child == 0) {
            execl("/proc/self/exe", "system", "leave", "7", (char *)NULL);
            _exit(1);
        }
        waitpid(child, &status, 0);
        sum += (uint64_t)WEXITSTATUS(status);
    }
    return sum;
}
static uint64_t leave(unsigned long work) { _exit((int)work); }

static uint64_t files(unsigned long work) {
    uint64_t sum = 0;
    if (mkdir("/tmp/files", 0755)) fail("mkdir /tmp/files");
    while (work--) {
        char name[64];
        struct stat status;
        snprintf(name, sizeof name, "/tmp/files/%lu", work % 1000);
        int file = open(name, O_CREAT | O_RDWR, 0644);
        if (file < 0 || write(file, name, strlen(name)) < 0) fail(name);
        close(file);
        if (stat(name, &status)) fail(name);
        sum += (uint64_t)status.st_size;
        if (work % 2) unlink(name);
    }
    for (int i = 0; i < 1000; i++) {
        char name[64];
        snprintf(name, sizeof name, "/tmp/files/%d", i);
        unlink(name);
    }
    rmdir("/tmp/files");
    return sum;
}

int main(int argc, char **argv) {
    static const struct routine routines[] = {{"syscalls", syscalls}, {"faults", faults}, {"protect", protect}, {"signals", signals}, {"segfaults", segfaults}, {"pipes", pipes}, {"switches", switches}, {"forks", forks}, {"execs", execs}, {"leave", leave}, {"files", files}, {0}};
    return run_routine(routines, argc, argv);
}
