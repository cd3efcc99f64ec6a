// Floating point in the precision REAL, built four times: SSE2, AVX2 with FMA,
// and twice for the x87 (double and 80-bit).
#include "program.h"

#ifndef REAL
#define REAL double
#endif
typedef REAL real;

#if defined(__AVX2__)
#define SUPPORTED (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
#else
#define SUPPORTED 1
#endif

static real square_root(real x) { return sizeof(real) > 8 ? (real)__builtin_sqrtl(x) : (real)__builtin_sqrt((double)x); }

// Five bodies under gravity.
struct body {
    real at[3], speed[3], mass;
};
static uint64_t nbody(unsigned long work) {
    struct body bodies[5] = {
        {{0, 0, 0}, {0, 0, 0}, (real)39.5},
        {{(real)4.8, (real)-1.2, (real)-0.1}, {(real)0.6, (real)2.8, (real)-0.02}, (real)0.038},
        {{(real)8.3, (real)4.1, (real)-0.4}, {(real)-1.0, (real)1.8, (real)0.008}, (real)0.011},
        {{(real)12.9, (real)-15.1, (real)-0.2}, {(real)1.1, (real)0.9, (real)-0.01}, (real)0.0017},
        {{(real)15.4, (real)-25.9, (real)0.2}, {(real)1.0, (real)0.6, (real)-0.03}, (real)0.002}};
    const real step = (real)0.01;
    while (work--) {
        for (int i = 0; i < 5; i++)
            for (int j = i + 1; j < 5; j++) {
                real d[3], square = 0;
                for (int k = 0; k < 3; k++) {
                    d[k] = bodies[i].at[k] - bodies[j].at[k];
                    square += d[k] * d[k];
                }
                real pull = step / (square * square_root(square));
                for (int k = 0; k < 3; k++) {
                    bodies[i].speed[k] -= d[k] * bodies[j].mass * pull;
                    bodies[j].speed[k] += d[k] * bodies[i].mass * pull;
                }
            }
        for (int i = 0; i < 5; i++)
            for (int k = 0; k < 3; k++) bodies[i].at[k] += step * bodies[i].speed[k];
    }
    uint64_t sum = 0;
    for (int i = 0; i < 5; i++)
        for (int k = 0; k < 3; k++) sum = mix(sum, bits_of((double)bodies[i].at[k]));
    return sum;
}

static uint64_t mandelbrot(unsigned long work) {
    enum { SIDE = 64 };
    uint64_t sum = 0;
    for (int py = 0; py < SIDE; py++)
        for (int px = 0; px < SIDE; px++) {
            real cx = (real)px / (SIDE / 2) - (real)1.5, cy = (real)py / (SIDE / 2) - 1, x = 0, y = 0;
            unsigned long count = 0;
            while (count < work && x * x + y * y < 4) {
                real next = x * x - y * y + cx;
                y = 2 * x * y + cy;
                x = next;
                count++;
            }
            sum = mix(sum, count);
        }
    return sum;
}

// The largest singular value of an infinite matrix, cut to N by N.
enum { SPECTRAL = 200 };
static real element(int i, int j) { return 1 / (real)((i + j) * (i + j + 1) / 2 + i + 1); }
static void multiply_vector(const real *in, real *out, int transposed) {
    for (int i = 0; i < SPECTRAL; i++) {
        real sum = 0;
        for (int j = 0; j < SPECTRAL; j++) sum += in[j] * (transposed ? element(j, i) : element(i, j));
        out[i] = sum;
    }
}
static uint64_t spectral(unsigned long work) {
    real u[SPECTRAL], v[SPECTRAL], t[SPECTRAL], uv = 0, vv = 0;
    for (int i = 0; i < SPECTRAL; i++) u[i] = 1;
    while (work--) {
        multiply_vector(u, t, 0);
        multiply_vector(t, v, 1);
        multiply_vector(v, t, 0);
        multiply_vector(t, u, 1);
    }
    for (int i = 0; i < SPECTRAL; i++) {
        uv += u[i] * v[i];
        vv += v[i] * v[i];
    }
    return bits_of((double)square_root(uv / vv));
}

// The inner loop goes along rows, so that compilers can use vectors.
static uint64_t matmul(unsigned long work) {
    enum { N = 96 };
    static real a[N][N], b[N][N], c[N][N];
    uint64_t state = 1, sum = 0;
    for (int i = 0; i < N * N; i++) {
        a[i / N][i % N] = (real)next_random(&state) / 4294967296;
        b[i / N][i % N] = (real)next_random(&state) / 4294967296;
    }
    while (work--) {
        memset(c, 0, sizeof c);
        for (int i = 0; i < N; i++)
            for (int k = 0; k < N; k++)
                for (int j = 0; j < N; j++) c[i][j] += a[i][k] * b[k][j];
        a[work % N][work % 7] = c[work % N][5] / N;
        sum = mix(sum, bits_of((double)c[work % N][3]));
    }
    return sum;
}

// Between integers, single and double precision, with comparisons.
static uint64_t convert(unsigned long work) {
    uint64_t state = 1, sum = 0;
    real largest = 0;
    float single = 0;
    while (work--) {
        int32_t number = (int32_t)next_random(&state);
        real x = (real)number / 3;
        single += (float)x;
        if (x > largest) largest = x;
        sum += (uint64_t)(int64_t)(x * (real)1.5);
        if (single > 1e12f) single = 0;
    }
    return mix(mix(sum, bits_of((double)largest)), bits_of(single));
}

#if !defined(__SSE2_MATH__)
// The x87's own sine and cosine. What emulators compute may differ in the last
// digits, so only the first nine count.
static uint64_t trigonometry(unsigned long work) {
    long double sum = 0;
    for (unsigned long i = 0; i < work; i++) {
        long double x = (long double)(i % 1000) / 160, sine, cosine;
        __asm__("fsincos" : "=t"(cosine), "=u"(sine) : "0"(x));
        sum += sine * cosine + cosine;
    }
    char digits[40];
    snprintf(digits, sizeof digits, "%.9Lg", sum);
    uint64_t checksum = 0;
    for (char *c = digits; *c; c++) checksum = mix(checksum, (uint8_t)*c);
    return checksum;
}
#endif

int main(int argc, char **argv) {
    static const struct routine routines[] = {
#if !defined(__SSE2_MATH__)
        {"trigonometry", trigonometry},
#endif
        {"nbody", nbody}, {"mandelbrot", mandelbrot}, {"spectral", spectral}, {"matmul", matmul}, {"convert", convert}, {0}};
    if (!SUPPORTED) {
        puts("not supported: AVX2 and FMA");
        return NOT_SUPPORTED;
    }
    return run_routine(routines, argc, argv);
}
