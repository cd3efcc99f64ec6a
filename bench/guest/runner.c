// Runs the programs of a list, one after the other, and marks on standard
// output (in the guest: the serial line) where each begins and ends:
//
//   BEGIN name
//   END name status length checksum wall-microseconds cpu-microseconds
//   SAID name first-bytes-of-its-output
//   READY / DONE                              before the first, after the last
//
// As a guest's first process it mounts what programs expect and resets the
// machine at the end. On the host, `runner --native ROOT` does the same below
// ROOT, on one processor. The list is /bench/list: NAME, a tab, the command.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { WORDS = 32, LINE = 1024, SAID = 120 };

static void fail(const char *what) {
    printf("FAILED %s: %s\n", what, strerror(errno));
    fflush(stdout);
    exit(1);
}

// Writes one line, at once.
static void mark(const char *line) {
    size_t length = strlen(line);
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, line, length);
        if (written <= 0) exit(1);
        line += written;
        length -= (size_t)written;
    }
}

// Waits until the line is quiet, so that no marker waits behind another.
static void settle(void) {
    tcdrain(STDOUT_FILENO);
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
}

static void become_program(char *command, int output) {
    char *words[WORDS + 1], *rest = NULL;
    static char *environment[] = {"PATH=/usr/bin:/bin:/bench", "HOME=/tmp", "LC_ALL=C", "PYTHONHASHSEED=0", "PERL_HASH_SEED=0", NULL};
    int count = 0;
    for (char *word = strtok_r(command, " ", &rest); word && count < WORDS; word = strtok_r(NULL, " ", &rest)) words[count++] = word;
    words[count] = NULL;
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0) dup2(nothing, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    environ = environment;
    if (count > 0) execvp(words[0], words);
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", words[0], strerror(errno));
    _exit(127);
}

static long microseconds(struct timeval time) { return time.tv_sec * 1000000L + time.tv_usec; }

static void run(const char *name, char *command) {
    char line[LINE], said[SAID + 1];
    int channel[2], status = 0;
    size_t length = 0;
    uint64_t checksum = 14695981039346656037u; // FNV-1a.
    static uint8_t buffer[65536];
    struct rusage usage;
    struct timespec begin, end;

    if (pipe2(channel, O_CLOEXEC)) fail("pipe");
    snprintf(line, sizeof line, "BEGIN %.100s\n", name);
    mark(line);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child == 0) become_program(command, channel[1]);
    close(channel[1]);
    for (ssize_t got; (got = read(channel[0], buffer, sizeof buffer)) > 0;)
        for (ssize_t i = 0; i < got; i++) {
            checksum = (checksum ^ buffer[i]) * 1099511628211u;
            if (length < SAID) said[length] = buffer[i] >= ' ' && buffer[i] < 127 ? (char)buffer[i] : ' ';
            length++;
        }
    close(channel[0]);
    if (wait4(child, &status, 0, &usage) < 0) fail("wait4");
    clock_gettime(CLOCK_MONOTONIC, &end);
    long wall = (end.tv_sec - begin.tv_sec) * 1000000L + (end.tv_nsec - begin.tv_nsec) / 1000;
    long processor = microseconds(usage.ru_utime) + microseconds(usage.ru_stime);
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    snprintf(line, sizeof line, "END %.100s %d %zu %016llx %ld %ld\n", name, code, length, (unsigned long long)checksum, wall, processor);
    mark(line);
    said[length < SAID ? length : SAID] = 0;
    snprintf(line, sizeof line, "SAID %.100s %s\n", name, said);
    mark(line);
    settle();
}

static void run_list(void) {
    char line[LINE];
    FILE *list = fopen("/bench/list", "re");
    if (!list) fail("/bench/list");
    mark("READY\n");
    settle();
    while (fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = 0;
        char *command = strchr(line, '\t');
        if (!command) continue;
        *command++ = 0;
        run(line, command);
    }
    fclose(list);
    mark("DONE\n");
}

static void mount_or_fail(const char *kind, const char *at) {
    mkdir(at, 0755);
    if (mount(kind, at, kind, 0, NULL) && errno != EBUSY) fail(at);
}

static void be_first_process(void) {
    mount_or_fail("devtmpfs", "/dev");
    mount_or_fail("proc", "/proc");
    mount_or_fail("sysfs", "/sys");
    mount_or_fail("tmpfs", "/tmp");
    int line = open("/dev/ttyS0", O_RDWR);
    struct termios mode;
    for (int i = 0; line >= 0 && i < 3; i++) dup2(line, i);
    if (!tcgetattr(STDOUT_FILENO, &mode)) {
        cfmakeraw(&mode);
        tcsetattr(STDOUT_FILENO, TCSANOW, &mode);
    }
    run_list();
    settle();
    reboot(RB_AUTOBOOT);
}

static void write_file(const char *path, const char *text) {
    int file = open(path, O_WRONLY);
    if (file < 0 || write(file, text, strlen(text)) < 0) fail(path);
    close(file);
}

// A mount namespace of our own: with privileges or, as a user, with a user
// namespace in which we are root.
static void enter(const char *root) {
    uid_t user = getuid();
    gid_t group = getgid();
    if (unshare(CLONE_NEWNS)) {
        char map[64];
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS)) fail("no namespace for the native run (run as root or allow user namespaces)");
        write_file("/proc/self/setgroups", "deny");
        snprintf(map, sizeof map, "0 %u 1", user);
        write_file("/proc/self/uid_map", map);
        snprintf(map, sizeof map, "0 %u 1", group);
        write_file("/proc/self/gid_map", map);
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) fail("private mounts");
    if (chdir(root)) fail(root);
    static const char *const shared[] = {"dev", "proc"};
    for (int i = 0; i < 2; i++) {
        char from[16];
        snprintf(from, sizeof from, "/%s", shared[i]);
        mkdir(shared[i], 0755);
        if (mount(from, shared[i], NULL, MS_BIND | MS_REC, NULL)) fail(shared[i]);
    }
    mkdir("tmp", 0755);
    if (mount("tmpfs", "tmp", "tmpfs", 0, NULL)) fail("tmp");
    if (chroot(".") || chdir("/")) fail("chroot");
}

static void use_one_processor(void) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)sched_getcpu(), &set);
    sched_setaffinity(0, sizeof set, &set);
}

int main(int argc, char **argv) {
    if (getpid() == 1) {
        be_first_process();
    } else if (argc == 3 && !strcmp(argv[1], "--native")) {
        use_one_processor();
        enter(argv[2]);
        run_list();
    } else {
        fprintf(stderr, "usage: %s --native ROOT\n", argv[0]);
        return 2;
    }
    return 0;
}
