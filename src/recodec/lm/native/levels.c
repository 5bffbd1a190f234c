/* Which of the compiled sets of instructions this processor and its system can run: bits 1 (avx512vnni), 2 (avx512),
 * 4 (avx2), 8 (sse2) and 16 (neon). */
#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#if defined(__x86_64__) && !defined(_MSC_VER)

EXPORT int lm_levels(void) {
    __builtin_cpu_init();
    int found = 8;
    if (__builtin_cpu_supports("avx2")) found |= 4;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq"))
        found |= 2;
    if (found & 2 && __builtin_cpu_supports("avx512vnni")) found |= 1;
    return found;
}

#elif defined(_M_X64)

#include <immintrin.h>
#include <intrin.h>

EXPORT int lm_levels(void) {
    int one[4], seven[4], found = 8;
    __cpuid(one, 0);
    if (one[0] < 7) return found;
    __cpuid(one, 1);
    if (!(one[2] & 1 << 27)) return found; /* the system does not say which registers it saves */
    __cpuidex(seven, 7, 0);
    unsigned long long saved = _xgetbv(0);
    if ((saved & 0x06) == 0x06 && seven[1] & 1 << 5) found |= 4;
    if ((saved & 0xE6) == 0xE6 && seven[1] & 1 << 16 && seven[1] & 1 << 17 && seven[1] & 1 << 30 && seven[1] < 0) found |= 2;
    if (found & 2 && seven[2] & 1 << 11) found |= 1;
    return found;
}

#elif defined(__aarch64__) || defined(_M_ARM64)

EXPORT int lm_levels(void) { return 16; }

#endif
