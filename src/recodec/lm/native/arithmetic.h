/* Exact products, and the single IEEE operations between them: `lm/arithmetic.py` in C.
 *
 * Why each is exact: docs/exact-entropy.md. float and double operations must be those of IEEE 754, rounded to nearest and
 * not fused: compile with -ffp-contract=off, and never with -ffast-math.
 */
#ifndef RECODEC_ARITHMETIC_H
#define RECODEC_ARITHMETIC_H

#include "simd.h"

#define EXACT_LIMIT (1 << 24)
#define DIFFERENCE_LIMIT (1 << 23)
#define STREAM_MAX (1 << 20)
#define HIDDEN_MAX 511
#define DISTANCE_MAX (1 << 20)
#define MIXING_BITS 14
#define SHIFT_MAX 60
#define ENTRY_SHIFT_MAX 8

#define TILE 16 /* outputs that lie side by side */
#define PER_TILE (TILE / LANES)

INLINE i32 smaller(i32 a, i32 b) { return a < b ? a : b; }
INLINE i32 larger(i32 a, i32 b) { return a > b ? a : b; }
INLINE float within(float x, float low, float high) {
    x = x < low ? low : x;
    return x > high ? high : x;
}

/* To the nearest integer, ties to even, for sizes below 2^22: of 1.5 * 2^23 and above, floats are integers. */
INLINE i32 round_even(float x) {
    union { float number; i32 bits; } sum;
    sum.number = x + 12582912.0f;
    return sum.bits - 0x4B400000;
}

INLINE i32 integer_root(i64 x) {
    i64 root = 0;
    for (i64 bit = (i64)1 << 30; bit; bit >>= 1)
        if ((root + bit) * (root + bit) <= x) root += bit;
    return (i32)root;
}

INLINE i32 pair_at(const i16 *p) {
    union { i16 each[2]; i32 both; } pair;
    pair.each[0] = p[0], pair.each[1] = p[1];
    return pair.both;
}

/* out[r][o] = sum over i of x[r][i] * w[i][o], for some rows and tiles: both are constants where this is inlined.
 *
 * Weights lie in pairs: w + p * w_step has those of the inputs 2p and 2p + 1, [o][2], for the outputs of one tile;
 * the next tile is w_tile further. `narrow` weights are int8, others int16. With a `list`, the pairs of inputs are those
 * that it names. */
INLINE void multiply_block(int rows, int tiles, int narrow, const i16 *RESTRICT x, size_t x_row, const void *w,
                           size_t w_step, size_t w_tile, const i32 *list, int pairs, i32 *RESTRICT out,
                           size_t out_row) {
    vec sums[BLOCK * PER_TILE], weights[TILES * PER_TILE];
    int vectors = tiles * PER_TILE;
    for (int s = 0; s < rows * vectors; s++) sums[s] = vec_zero();
    for (int i = 0; i < pairs; i++) {
        size_t p = (size_t)(list ? list[i] : i);
        for (int v = 0; v < vectors; v++) {
            size_t at = p * w_step + (size_t)(v / PER_TILE) * w_tile + (size_t)(v % PER_TILE) * LANES * 2;
            if (PER_TILE < 2 || v % (PER_TILE / 2) == 0) prefetch((const u8 *)w + (narrow ? at : 2 * at) + AHEAD);
            weights[v] = narrow ? vec_load8((const i8 *)w + at) : vec_load16((const i16 *)w + at);
        }
        for (int r = 0; r < rows; r++) {
            vec same = vec_same(pair_at(x + (size_t)r * x_row + 2 * p));
            for (int v = 0; v < vectors; v++)
                sums[r * vectors + v] = vec_multiply_add(sums[r * vectors + v], same, weights[v]);
        }
    }
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vectors; v++)
            vec_store(out + (size_t)r * out_row + (size_t)v * LANES, sums[r * vectors + v]);
}

/* What is multiplied: rows of x, tiles of weights, and where the sums go. */
typedef struct {
    int narrow, rows, tiles, pairs;
    const i16 *x;
    const u8 *w;
    i32 *out;
    size_t x_row, w_step, w_tile, out_row;
} Multiplication;

INLINE size_t tile_bytes(const Multiplication *m) { return m->narrow ? m->w_tile : 2 * m->w_tile; }

/* Take blocks of `height` rows and `width` tiles off, as many as fit: rows share what is loaded of the weights. */
INLINE void take_tiles(Multiplication *m, int height, int width) {
    if (height * width > BLOCK) return;
    for (; m->tiles >= width; m->tiles -= width, m->w += width * tile_bytes(m), m->out += width * TILE)
        for (int r = 0; r < m->rows; r += height)
            multiply_block(height, width, m->narrow, m->x + r * m->x_row, m->x_row, m->w, m->w_step, m->w_tile, NULL,
                           m->pairs, m->out + r * m->out_row, m->out_row);
}

/* Take as many rows off as make blocks of that height. */
INLINE void take_rows(Multiplication *m, int height) {
    if (height > ROWS || m->rows < height) return;
    Multiplication now = *m;
    now.rows = m->rows / height * height;
    m->rows -= now.rows, m->x += now.rows * m->x_row, m->out += now.rows * m->out_row;
    take_tiles(&now, height, 16);
    take_tiles(&now, height, 8);
    take_tiles(&now, height, 4);
    take_tiles(&now, height, 2);
    take_tiles(&now, height, 1);
}

/* The same for any number of rows and tiles. Heights and widths are constants, so that every block is a loop of its own. */
INLINE void multiply_any(Multiplication m) {
    take_rows(&m, 8);
    take_rows(&m, 4);
    take_rows(&m, 2);
    take_rows(&m, 1);
}

static void multiply(int rows, int tiles, const i16 *x, size_t x_row, const i16 *w, size_t w_step, size_t w_tile, int pairs,
                     i32 *out, size_t out_row) {
    multiply_any((Multiplication){0, rows, tiles, pairs, x, (const u8 *)w, out, x_row, w_step, w_tile, out_row});
}

static void multiply_narrow(int rows, int tiles, const i16 *x, size_t x_row, const i8 *w, size_t w_step, size_t w_tile,
                            int pairs, i32 *out, size_t out_row) {
    multiply_any((Multiplication){1, rows, tiles, pairs, x, (const u8 *)w, out, x_row, w_step, w_tile, out_row});
}

/* RMS norm of a row; `normalize` of arithmetic.py. One entry beyond an odd width is made 0, to complete a pair. */
static void normalize(const i32 *RESTRICT x, int width, i16 *RESTRICT y) {
    i64 squares = 1;
    for (int i = 0; i < width; i++) squares += (i64)x[i] * x[i];
    float gain = (float)(64.0 / square_root((double)squares / (double)width));
    for (int i = 0; i < width; i++) y[i] = (i16)round_even((float)x[i] * gain);
    if (width & 1) y[width] = 0;
}

/* Sums to their output's unit, within integer bounds: so it does not matter that these come before the rounding. */
static void rescale(const i32 *RESTRICT sums, const float *RESTRICT scale, int count, float low, float high,
                    i16 *RESTRICT y) {
    for (int i = 0; i < count; i++) y[i] = (i16)round_even(within((float)sums[i] * scale[i], low, high));
    if (count & 1) y[count] = 0;
}

/* The same, added to the stream. */
static void add_to_stream(const i32 *RESTRICT sums, const float *RESTRICT scale, int count, i32 *RESTRICT x) {
    for (int i = 0; i < count; i++) {
        i32 sum = x[i] + round_even(within((float)sums[i] * scale[i], -STREAM_MAX, STREAM_MAX));
        x[i] = larger(-STREAM_MAX, smaller(STREAM_MAX, sum));
    }
}

#endif
