/* The vector operations of the kernel, one set of them for each kind of processor.
 *
 * `vec` is LANES sums of 32 bits. Everything that is multiplied comes as pairs of 16-bit integers: a lane adds the two
 * products of its pair. All of it is integer arithmetic without overflow, so the width of a vector changes no result.
 */
#ifndef RECODEC_SIMD_H
#define RECODEC_SIMD_H

#include <stddef.h>
#include <stdint.h>

typedef int8_t i8;
typedef int16_t i16;
typedef int32_t i32;
typedef int64_t i64;
typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

#if defined(_MSC_VER) && !defined(__clang__)
#define INLINE static __forceinline
#define RESTRICT __restrict
#else
#define INLINE static inline __attribute__((always_inline))
#define RESTRICT restrict
#endif

#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>

INLINE double square_root(double x) { return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(x))); }
#endif

/* What is read next is asked for AHEAD bytes before. */
#ifndef AHEAD
#define AHEAD 1024
#endif
#if defined(__wasm__)
INLINE void prefetch(const void *p) { (void)p; }
#elif defined(_M_X64)
INLINE void prefetch(const void *p) { _mm_prefetch((const char *)p, _MM_HINT_T0); }
#elif defined(_M_ARM64)
INLINE void prefetch(const void *p) { __prefetch(p); }
#else
INLINE void prefetch(const void *p) { __builtin_prefetch(p); }
#endif

/* ROWS: rows of x that share what is loaded of the weights. TILES: tiles of weights that share a single row. Both are such
 * that the sums stay in registers. */
#if defined(__AVX512BW__)

#define LANES 16
#define ROWS 8
#define BLOCK 16
#define TILES 16
typedef __m512i vec;
INLINE vec vec_zero(void) { return _mm512_setzero_si512(); }
INLINE vec vec_load16(const i16 *p) { return _mm512_loadu_si512((const void *)p); }
INLINE vec vec_load8(const i8 *p) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)p)); }
INLINE vec vec_same(i32 pair) { return _mm512_set1_epi32(pair); }
#if defined(__AVX512VNNI__)
INLINE vec vec_multiply_add(vec sum, vec a, vec b) { return _mm512_dpwssd_epi32(sum, a, b); }
#else
INLINE vec vec_multiply_add(vec sum, vec a, vec b) { return _mm512_add_epi32(sum, _mm512_madd_epi16(a, b)); }
#endif
INLINE void vec_store(i32 *p, vec a) { _mm512_storeu_si512((void *)p, a); }

#elif defined(__AVX2__)

#define LANES 8
#define ROWS 4
#define BLOCK 4
#define TILES 4
typedef __m256i vec;
INLINE vec vec_zero(void) { return _mm256_setzero_si256(); }
INLINE vec vec_load16(const i16 *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
INLINE vec vec_load8(const i8 *p) { return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p)); }
INLINE vec vec_same(i32 pair) { return _mm256_set1_epi32(pair); }
INLINE vec vec_multiply_add(vec sum, vec a, vec b) { return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b)); }
INLINE void vec_store(i32 *p, vec a) { _mm256_storeu_si256((__m256i *)(void *)p, a); }

#elif defined(__x86_64__) || defined(_M_X64)

#define LANES 4
#define ROWS 2
#define BLOCK 2
#define TILES 2
typedef __m128i vec;
INLINE vec vec_zero(void) { return _mm_setzero_si128(); }
INLINE vec vec_load16(const i16 *p) { return _mm_loadu_si128((const __m128i *)(const void *)p); }
INLINE vec vec_load8(const i8 *p) {
    __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)p);
    return _mm_srai_epi16(_mm_unpacklo_epi8(bytes, bytes), 8);
}
INLINE vec vec_same(i32 pair) { return _mm_set1_epi32(pair); }
INLINE vec vec_multiply_add(vec sum, vec a, vec b) { return _mm_add_epi32(sum, _mm_madd_epi16(a, b)); }
INLINE void vec_store(i32 *p, vec a) { _mm_storeu_si128((__m128i *)(void *)p, a); }

#elif defined(__aarch64__) || defined(_M_ARM64)

#include <arm_neon.h>
#define LANES 4
#define ROWS 4
#define BLOCK 4
#define TILES 4
typedef int32x4_t vec;
INLINE double square_root(double x) { return vgetq_lane_f64(vsqrtq_f64(vdupq_n_f64(x)), 0); }
INLINE vec vec_zero(void) { return vdupq_n_s32(0); }
INLINE vec vec_load16(const i16 *p) { return vreinterpretq_s32_s16(vld1q_s16(p)); }
INLINE vec vec_load8(const i8 *p) { return vreinterpretq_s32_s16(vmovl_s8(vld1_s8(p))); }
INLINE vec vec_same(i32 pair) { return vdupq_n_s32(pair); }
INLINE vec vec_multiply_add(vec sum, vec a, vec b) {
    int16x8_t x = vreinterpretq_s16_s32(a), y = vreinterpretq_s16_s32(b);
    int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y));
    return vaddq_s32(sum, vpaddq_s32(low, vmull_high_s16(x, y)));
}
INLINE void vec_store(i32 *p, vec a) { vst1q_s32(p, a); }

#elif defined(__wasm_simd128__)

#include <wasm_simd128.h>
#define LANES 4
#define ROWS 2
#define BLOCK 2
#define TILES 2
typedef v128_t vec;
INLINE double square_root(double x) { return __builtin_sqrt(x); }
INLINE vec vec_zero(void) { return wasm_i32x4_splat(0); }
INLINE vec vec_load16(const i16 *p) { return wasm_v128_load(p); }
INLINE vec vec_load8(const i8 *p) { return wasm_i16x8_load8x8(p); }
INLINE vec vec_same(i32 pair) { return wasm_i32x4_splat(pair); }
INLINE vec vec_multiply_add(vec sum, vec a, vec b) { return wasm_i32x4_add(sum, wasm_i32x4_dot_i16x8(a, b)); }
INLINE void vec_store(i32 *p, vec a) { wasm_v128_store(p, a); }

#else
#error "no vector operations are written for this processor"
#endif

#endif
