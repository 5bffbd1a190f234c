/* The network over streams in step, with their past in a cache: `lm/network.py` and `lm/attention.py` in C. */
#ifndef RECODEC_NETWORK_H
#define RECODEC_NETWORK_H

#include "model.h"

#define MAX_ROWS 64            /* rows (frames of all streams) of one pass */
#define MAX_FRAMES (1 << 24) /* of a stream */

typedef struct {
    i32 streams, rows, left, room, filled, started; /* left: frames that may still come */
    i32 *before;   /* [streams][MAX_CODEBOOKS], the codes of the last frame */
    i16 *keys;     /* [streams][layers][heads][room / 16][even(head_size) / 2][16][2], tiles of frames */
    i16 *values;   /* [streams][layers][heads][room / 2][head_size][2], pairs of frames */
    RangeDecoder *decoders;
    i32 *x;        /* [rows][width], the stream */
    i16 *narrow;   /* [rows][widest input of a product] */
    i16 *packed;   /* [rows][3 * width], queries, keys and values */
    i32 *sums;     /* [rows][widest output of a product, in tiles] */
    float *scores; /* [rows][symbols] */
    i32 *table;    /* [symbols] */
    i32 *seen;     /* [room], scores of frames */
    i16 *mixing;   /* [room + 1], their weights */
    i16 *query;    /* [head_size], of one head, in pairs */
    i32 *mixed;    /* [room / 2], the pairs of frames whose weights are not both 0 */
} State;

INLINE size_t key_size(const Model *m, const State *s) { return (size_t)even(m->head_size) * s->room; }
INLINE size_t value_size(const Model *m, const State *s) { return (size_t)m->head_size * s->room; }
/* A tile more than the widest row: rows that lie powers of two apart would share few places of a cache. */
INLINE size_t row_in(const Sizes *s) {
    return (size_t)even(larger(larger(s->feed_forward, s->width), s->head_width)) + TILE;
}
INLINE size_t row_out(const Sizes *s) {
    i32 widest = larger(larger(3 * s->width, s->feed_forward), larger(s->head_width, s->symbols));
    return ((size_t)tiles_of(widest) + 1) * TILE;
}

/* Lay out the state of streams of at most `frames` frames; returns the bytes that it takes, of which those up to
 * `*zeroed` must be zero before the first frame. */
static size_t place_state(const Model *m, i32 streams, i32 frames, u8 *memory, size_t *zeroed) {
    const Sizes *z = &m->sizes;
    Arena a = {memory, 0};
    State counted, *s = take(&a, 1, sizeof(State));
    if (!s) s = &counted;
    s->streams = streams, s->left = frames, s->filled = s->started = 0;
    i32 rows = s->rows = (i32)((i64)streams * frames < MAX_ROWS ? streams * frames : MAX_ROWS);
    s->room = (smaller(frames, z->past + TILE + MAX_ROWS) + TILE - 1) / TILE * TILE;
    u64 heads = (u64)streams * z->layers * z->heads;
    s->before = take(&a, (size_t)streams * MAX_CODEBOOKS, sizeof(i32));
    s->decoders = take(&a, streams, sizeof(RangeDecoder));
    s->keys = take(&a, heads * key_size(m, s), sizeof(i16));
    s->values = take(&a, heads * value_size(m, s) + 4 * TILE, sizeof(i16));
    *zeroed = bytes_of(&a);
    s->x = take(&a, (u64)rows * z->width, sizeof(i32));
    s->narrow = take(&a, (u64)rows * row_in(z), sizeof(i16));
    s->packed = take(&a, (u64)rows * 3 * z->width + 1, sizeof(i16));
    s->sums = take(&a, (u64)rows * row_out(z), sizeof(i32));
    s->scores = take(&a, (u64)rows * z->symbols, sizeof(float));
    s->table = take(&a, z->symbols, sizeof(i32));
    s->seen = take(&a, s->room, sizeof(i32));
    s->mixing = take(&a, (size_t)s->room + 1, sizeof(i16));
    s->mixed = take(&a, s->room / 2, sizeof(i32));
    s->query = take(&a, (size_t)z->width + 1, sizeof(i16));
    return bytes_of(&a);
}

static void multiply_by(const Product *p, const i16 *x, size_t x_row, int rows, i32 *sums, size_t sums_row) {
    multiply(rows, tiles_of(p->outputs), x, x_row, p->weights, 2 * TILE, tile_weights(p->inputs), even(p->inputs) / 2,
             sums, sums_row);
}

/* Make room at the end of a full cache. Frames stay in their tiles, so whole tiles of them go. */
static void slide(const Model *m, State *s) {
    i32 gone = (s->filled - m->sizes.past) / TILE * TILE, kept = s->room - gone;
    size_t heads = (size_t)s->streams * m->sizes.layers * m->sizes.heads;
    size_t key = even(m->head_size), value = m->head_size;
    for (size_t head = 0; head < heads; head++) {
        i16 *keys = s->keys + head * key_size(m, s), *values = s->values + head * value_size(m, s);
        for (size_t i = 0; i < kept * key; i++) keys[i] = keys[i + gone * key];
        for (size_t i = 0; i < kept * value; i++) values[i] = values[i + gone * value];
    }
    s->filled -= gone;
}

static void remember(const Model *m, State *s, size_t head, i32 at, const i16 *key, const i16 *value) {
    i16 *keys = s->keys + head * key_size(m, s), *values = s->values + head * value_size(m, s);
    keys += (size_t)(at / TILE) * TILE * even(m->head_size) + 2 * (at % TILE);
    for (i32 i = 0; i < m->head_size; i++) keys[(size_t)(i / 2) * 2 * TILE + (i & 1)] = key[i];
    i16 *pair = values + (size_t)(at / 2) * m->head_size * 2;
    for (i32 i = 0; i < m->head_size; i++) pair[2 * i + (at & 1)] = value[i];
}

/* Scores of the seen frames to weights of their values; `weights` begins at an even frame. */
static void mixing_weights(const Model *m, i32 *seen, i32 count, float scale, i16 *weights) {
    i32 best = seen[0], sum = 0;
    float end = (float)m->mixing_last;
    for (i32 j = 1; j < count; j++) best = larger(best, seen[j]);
    for (i32 j = 0; j < count; j++) {
        float below = (float)(best - seen[j]) * scale;
        seen[j] = (i32)(below < end ? below : end);
    }
    for (i32 j = 0; j < count; j++) sum += seen[j] = m->mixing[seen[j]];
    float gain = (float)((double)(1 << MIXING_BITS) / (double)sum);
    for (i32 j = 0; j < count; j++) weights[j] = (i16)round_even((float)seen[j] * gain);
}

/* The values of some pairs of frames by the weights in s->mixing. About half of them are 0, and are left out. */
static void mix(const Model *m, State *s, const i16 *values, i32 pairs, i16 *mixture) {
    i32 sums[2 * TILE], used = 0, size = m->head_size;
    float most = (float)m->attention_max;
    for (i32 p = 0; p < pairs; p++) {
        s->mixed[used] = p;
        used += pair_at(s->mixing + 2 * p) != 0;
    }
    for (i32 o = 0; o < size; o += 2 * TILE) {
        const i16 *part = values + 2 * o;
        size_t step = 2 * (size_t)size;
        if (size - o > TILE)
            multiply_block(1, 2, 0, s->mixing, 0, part, step, 2 * TILE, s->mixed, used, sums, 0);
        else
            multiply_block(1, 1, 0, s->mixing, 0, part, step, 2 * TILE, s->mixed, used, sums, 0);
        for (i32 i = 0; i < smaller(2 * TILE, size - o); i++)
            mixture[o + i] = (i16)round_even(within((float)sums[i] * (1.0f / (1 << MIXING_BITS)), -most, most));
    }
}

/* One head of one frame, which stands at `at` in the cache: a mixture of the values that it sees. */
static void attend(const Model *m, const Layer *layer, State *s, i32 h, size_t head, i32 at, i16 *mixture) {
    i32 first = larger(0, at - m->sizes.past), count = at - first + 1, size = m->head_size;
    i32 tile = first / TILE, skipped = first % TILE;
    size_t tile_size = (size_t)TILE * even(size);
    const i16 *keys = s->keys + head * key_size(m, s) + tile * tile_size;
    multiply(1, tiles_of(skipped + count), s->query, 0, keys, 2 * TILE, tile_size, even(size) / 2, s->seen, 0);
    i32 *seen = s->seen + skipped;
    const i32 *distance = layer->distance + (size_t)(h + 1) * (m->sizes.past + 1) - count;
    for (i32 j = 0; j < count; j++) seen[j] += distance[j];
    s->mixing[0] = 0;
    mixing_weights(m, seen, count, layer->score_scale[h], s->mixing + (first & 1));
    s->mixing[(first & 1) + count] = 0;
    mix(m, s, s->values + head * value_size(m, s) + (size_t)(first / 2) * size * 2, ((first & 1) + count + 1) / 2, mixture);
}

/* All heads of a layer over some frames of some streams: from s->packed to s->narrow. */
static void attend_all(const Model *m, i32 l, State *s, i32 streams, i32 frames, size_t row) {
    const Sizes *z = &m->sizes;
    for (i32 r = 0; r < streams * frames; r++) {
        const i16 *packed = s->packed + (size_t)r * 3 * z->width;
        for (i32 h = 0; h < z->heads; h++) {
            size_t head = ((size_t)(r / frames) * z->layers + l) * z->heads + h;
            const i16 *part = packed + (size_t)h * m->head_size;
            remember(m, s, head, s->filled + r % frames, part + z->width, part + 2 * z->width);
            for (i32 i = 0; i < m->head_size; i++) s->query[i] = part[i];
            s->query[m->head_size] = 0;
            attend(m, m->layers + l, s, h, head, s->filled + r % frames, s->narrow + r * row + h * m->head_size);
        }
        if (z->width & 1) s->narrow[r * row + z->width] = 0;
    }
}

/* The next frames of the first `streams` streams, whose embeddings are in s->x, through all layers. */
static void push_rows(const Model *m, State *s, i32 streams, i32 frames) {
    const Sizes *z = &m->sizes;
    i32 rows = streams * frames, d = z->width;
    size_t in = row_in(z), out = row_out(z);
    float most = (float)m->attention_max;
    if (s->filled + frames > s->room) slide(m, s);
    for (i32 l = 0; l < z->layers; l++) {
        const Layer *layer = m->layers + l;
        for (i32 r = 0; r < rows; r++) normalize(s->x + (size_t)r * d, d, s->narrow + r * in);
        multiply_by(&layer->query_key_value, s->narrow, in, rows, s->sums, out);
        for (i32 r = 0; r < rows; r++)
            rescale(s->sums + r * out, layer->query_key_value.scale, 3 * d, -most, most, s->packed + (size_t)r * 3 * d);
        attend_all(m, l, s, streams, frames, in);
        multiply_by(&layer->out, s->narrow, in, rows, s->sums, out);
        for (i32 r = 0; r < rows; r++) {
            add_to_stream(s->sums + r * out, layer->out.scale, d, s->x + (size_t)r * d);
            normalize(s->x + (size_t)r * d, d, s->narrow + r * in);
        }
        multiply_by(&layer->up, s->narrow, in, rows, s->sums, out);
        for (i32 r = 0; r < rows; r++)
            rescale(s->sums + r * out, layer->up.scale, z->feed_forward, 0, HIDDEN_MAX, s->narrow + r * in);
        multiply_by(&layer->down, s->narrow, in, rows, s->sums, out);
        for (i32 r = 0; r < rows; r++) add_to_stream(s->sums + r * out, layer->down.scale, d, s->x + (size_t)r * d);
    }
    s->filled += frames;
}

static void add_entry(const Model *m, const i8 *table, const i8 *shifts, i32 k, i32 code, i32 *RESTRICT x) {
    size_t entry = (size_t)k * m->sizes.symbols + code;
    const i8 *RESTRICT numbers = table + entry * m->sizes.width;
    i32 unit = 1 << shifts[entry];
    for (i32 i = 0; i < m->sizes.width; i++) x[i] += numbers[i] * unit;
}

/* What goes into the network for a frame, from the codes of the one before it; NULL: there is none. */
static void embed(const Model *m, const i32 *before, i32 codebooks, i32 *RESTRICT x) {
    for (i32 i = 0; i < m->sizes.width; i++) x[i] = before ? 0 : m->start[i];
    for (i32 k = 0; before && k < codebooks; k++) add_entry(m, m->embed, m->embed_shift, k, before[k], x);
}

/* Scores of one codebook for the first rows of s->x: integers in float, to s->scores. */
static void score_rows(const Model *m, State *s, i32 k, i32 rows) {
    const Sizes *z = &m->sizes;
    size_t in = row_in(z), out = row_out(z), codes = (size_t)k * z->symbols;
    for (i32 r = 0; r < rows; r++) normalize(s->x + (size_t)r * z->width, z->width, s->narrow + r * in);
    if (z->head_width) {
        multiply_by(m->hidden + k, s->narrow, in, rows, s->sums, out);
        for (i32 r = 0; r < rows; r++)
            rescale(s->sums + r * out, m->hidden[k].scale, z->head_width, 0, HIDDEN_MAX, s->narrow + r * in);
    }
    const i8 *logits = m->logits + (size_t)k * tiles_of(z->symbols) * tile_weights(m->logits_in);
    multiply_narrow(rows, tiles_of(z->symbols), s->narrow, in, logits, 2 * TILE, tile_weights(m->logits_in),
                    even(m->logits_in) / 2, s->sums, out);
    const float *RESTRICT scale = m->logits_scale + codes, *RESTRICT bias = m->bias + codes;
    for (i32 r = 0; r < rows; r++) {
        const i32 *RESTRICT sums = s->sums + r * out;
        float *RESTRICT scores = s->scores + (size_t)r * z->symbols;
        for (i32 c = 0; c < z->symbols; c++) scores[c] = (float)sums[c] * scale[c] + bias[c];
    }
}

/* Go on to the next codebook of a row, given its code. */
INLINE void condition(const Model *m, State *s, i32 row, i32 k, i32 code) {
    if (m->sizes.conditioned)
        add_entry(m, m->condition, m->condition_shift, k, code, s->x + (size_t)row * m->sizes.width);
}

#endif
