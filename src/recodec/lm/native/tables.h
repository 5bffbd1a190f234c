/* From scores to integer frequencies, and the range coder: `lm/tables.py` and `wire/v1/range_coder.py` in C. */
#ifndef RECODEC_TABLES_H
#define RECODEC_TABLES_H

#include "arithmetic.h"

#define STEP_BITS 6
#define TOTAL_BITS 16
#define PEAK_BITS 20
#define MAX_HEIGHTS (((PEAK_BITS + 1) << STEP_BITS) + 2)

/* floor(2^(31 - i/64)). Made by integer square roots, as `exp2_table` is; a test compares the two. */
static const u32 FRACTIONS[1 << STEP_BITS] = {
    2147483648u, 2124350982u, 2101467501u, 2078830521u, 2056437386u, 2034285470u, 2012372173u, 1990694927u,
    1969251187u, 1948038440u, 1927054195u, 1906295993u, 1885761398u, 1865448001u, 1845353419u, 1825475297u,
    1805811301u, 1786359125u, 1767116488u, 1748081133u, 1729250826u, 1710623359u, 1692196547u, 1673968228u,
    1655936264u, 1638098541u, 1620452965u, 1602997467u, 1585729999u, 1568648537u, 1551751075u, 1535035633u,
    1518500249u, 1502142985u, 1485961920u, 1469955158u, 1454120821u, 1438457050u, 1422962010u, 1407633882u,
    1392470868u, 1377471191u, 1362633089u, 1347954823u, 1333434672u, 1319070931u, 1304861916u, 1290805961u,
    1276901416u, 1263146651u, 1249540052u, 1236080023u, 1222764985u, 1209593377u, 1196563653u, 1183674285u,
    1170923761u, 1158310586u, 1145833280u, 1133490379u, 1121280435u, 1109202017u, 1097253708u, 1085434105u,
};

/* `exp2_table`: round(2^peak_bits * 2^(-i/64)), down to 1, and a final 0. Returns the index of that. */
static i32 fill_heights(int peak_bits, i32 *heights) {
    i32 top = (peak_bits + 1) << STEP_BITS;
    for (i32 i = 0; i <= top; i++) {
        u32 root = FRACTIONS[i & ((1 << STEP_BITS) - 1)] >> (31 - (peak_bits + 1) + (i >> STEP_BITS));
        heights[i] = (i32)((root + 1) >> 1);
    }
    heights[top + 1] = 0;
    return top + 1;
}

/* One maximum for each lane, so that no comparison waits for the one before it. */
static float largest_of(const float *scores, int count) {
    float each[TILE], best = scores[0];
    int i = 0;
    for (int lane = 0; lane < TILE; lane++) each[lane] = best;
    for (; i + TILE <= count; i += TILE)
        for (int lane = 0; lane < TILE; lane++)
            each[lane] = scores[i + lane] > each[lane] ? scores[i + lane] : each[lane];
    for (; i < count; i++) best = scores[i] > best ? scores[i] : best;
    for (int lane = 0; lane < TILE; lane++) best = each[lane] > best ? each[lane] : best;
    return best;
}

/* Scores, integers in float, to the heights e of the rule's third step. Returns their sum S. */
static i32 table_of(const float *RESTRICT scores, int symbols, float scale, const i32 *RESTRICT heights, i32 last,
                    i32 *RESTRICT table) {
    float best = largest_of(scores, symbols), end = (float)last;
    for (int i = 0; i < symbols; i++) {
        float below = (best - scores[i]) * scale;
        table[i] = (i32)(below < end ? below : end);
    }
    i32 sum = 0;
    for (int i = 0; i < symbols; i++) sum += table[i] = heights[table[i]];
    i32 least = sum / ((1 << TOTAL_BITS) - symbols) + 1;
    sum = 0;
    for (int i = 0; i < symbols; i++) sum += table[i] = larger(table[i], least);
    return sum;
}

typedef struct {
    i32 start, freq;
} Interval;

/* Of a symbol, before which the table sums up to `below`. */
INLINE Interval interval_of(i32 below, i32 height, i32 sum) {
    i64 start = ((i64)below << TOTAL_BITS) / sum;
    Interval found = {(i32)start, (i32)(((i64)(below + height) << TOTAL_BITS) / sum - start)};
    return found;
}

INLINE i32 sum_of(const i32 *table, i32 count) {
    i32 sum = 0;
    for (i32 i = 0; i < count; i++) sum += table[i];
    return sum;
}

typedef struct {
    u64 width, value;
    const u8 *at, *end; /* of the payload; behind it come zeros */
} RangeDecoder;

INLINE void pull_word(RangeDecoder *d) {
    d->value <<= 16;
    for (int shift = 8; shift >= 0; shift -= 8)
        if (d->at < d->end) d->value |= (u64)*d->at++ << shift;
}

static void range_start(RangeDecoder *d, const u8 *payload, size_t length) {
    d->width = (u64)1 << 48, d->value = 0, d->at = payload, d->end = payload + length;
    for (int i = 0; i < 3; i++) pull_word(d);
}

/* The next symbol by a table of that sum. Any bytes give a symbol of the table. */
static i32 range_symbol(RangeDecoder *d, const i32 *table, int symbols, i32 sum) {
    u64 unit = d->width >> TOTAL_BITS, target = d->value / unit;
    if (target >> TOTAL_BITS) target = (1 << TOTAL_BITS) - 1;
    i32 least = (i32)(((i64)(target + 1) * sum + ((1 << TOTAL_BITS) - 1)) >> TOTAL_BITS);
    i32 below = 0, symbol = 0;
    for (; symbol + 32 <= symbols; symbol += 32) {
        i32 more = sum_of(table + symbol, 32);
        if (below + more >= least) break;
        below += more;
    }
    /* least is at most the sum of all, so this ends with a symbol of the table */
    for (; below + table[symbol] < least; symbol++) below += table[symbol];
    Interval found = interval_of(below, table[symbol], sum);
    d->width = (u64)found.freq * unit;
    d->value -= (u64)found.start * unit;
    if (d->width >> 32) return symbol;
    d->width <<= 16;
    pull_word(d);
    return symbol;
}

/* Add one to the number that the bytes spell. It is below 1 as a fraction, so there is room. */
static void carry(u8 *out, i32 length) {
    for (i32 i = length - 1; i >= 0 && ++out[i] == 0; i--) {
    }
}

/* The number of [low, low + width) that ends in the most zero bits. */
static u64 roundest(u64 low, u64 width) {
    for (int bits = 48;; bits--) {
        u64 number = ((low + (((u64)1 << bits) - 1)) >> bits) << bits;
        if (number < low + width) return number;
    }
}

/* `encode_packet`: symbols by their intervals to bytes, of which `out` must hold 2 * count + 6. Returns their number. */
static i32 range_encode(const i32 *starts, const i32 *freqs, i32 count, u8 *out) {
    u64 low = 0, width = (u64)1 << 48;
    i32 length = 0;
    for (i32 i = 0; i < count; i++) {
        u64 unit = width >> TOTAL_BITS;
        low += (u64)starts[i] * unit;
        width = (u64)freqs[i] * unit;
        if (low >> 48) carry(out, length), low &= ((u64)1 << 48) - 1;
        if (width >> 32) continue;
        out[length++] = (u8)(low >> 40);
        out[length++] = (u8)(low >> 32);
        low = (low & 0xFFFFFFFFu) << 16;
        width <<= 16;
    }
    u64 last = roundest(low, width);
    if (last >> 48) carry(out, length), last &= ((u64)1 << 48) - 1;
    for (int shift = 40; shift >= 0; shift -= 8) out[length++] = (u8)(last >> shift);
    while (length && !out[length - 1]) length--;
    return length;
}

#endif
