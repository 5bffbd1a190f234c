/* A model's integers, as the products want them: `lm/weights.py` in C.
 *
 * Sizes and bounds are checked here as well, so that nobody who loads a model can make a sum overflow, or read what is
 * not there. The caller says only where the tensors lie; that they have the shapes that follow from the sizes is its part.
 */
#ifndef RECODEC_MODEL_H
#define RECODEC_MODEL_H

#include "tables.h"

#define MAX_CODEBOOKS 32
#define MAX_SYMBOLS 4096
#define MAX_WIDTH 2048
#define MAX_LAYERS 65536
#define MAX_HIDDEN 65536
#define MAX_PAST 1023

typedef struct {
    i32 codebooks, symbols, width, layers, heads, feed_forward, past, head_width, conditioned;
} Sizes;

/* Weights in tiles: [outputs / 16][inputs / 2][16][2]; each output's power of two. */
typedef struct {
    i16 *weights;
    float *scale;
    i32 inputs, outputs;
} Product;

typedef struct {
    Product query_key_value, out, up, down;
    i32 *distance; /* [heads][past + 1], the farthest first */
    float *score_scale;
} Layer;

typedef struct {
    Sizes sizes;
    i32 head_size, attention_max, norm_max, logits_in, heights_last, mixing_last;
    i8 *embed, *condition, *embed_shift, *condition_shift; /* [codebooks][symbols][width] and [codebooks][symbols] */
    i16 *start;
    Product *hidden; /* of each codebook, if head_width > 0 */
    i8 *logits;      /* [codebooks] tiles, as of a Product */
    float *logits_scale, *bias, *score_scale;
    i32 *heights, *mixing;
    Layer *layers;
} Model;

/* The tensors' pointers, in this order; then LAYER_TENSORS of each layer. */
enum {
    T_EMBED, T_EMBED_SHIFT, T_CONDITION, T_CONDITION_SHIFT, T_LOGITS, T_LOGITS_SHIFT, T_START, T_BIAS, T_SCORE_SHIFT,
    T_HIDDEN, T_HIDDEN_SHIFT, MODEL_TENSORS
};
enum {
    T_QUERY_KEY_VALUE, T_QUERY_KEY_VALUE_SHIFT, T_OUT, T_OUT_SHIFT, T_UP, T_UP_SHIFT, T_DOWN, T_DOWN_SHIFT, T_DISTANCE,
    T_LAYER_SCORE_SHIFT, LAYER_TENSORS
};

INLINE i32 even(i32 n) { return (n + 1) & ~1; }
INLINE i32 tiles_of(i32 outputs) { return (outputs + TILE - 1) / TILE; }
INLINE size_t tile_weights(i32 inputs) { return (size_t)even(inputs) * TILE; }

static int sizes_fit(const Sizes *s) {
    return s->codebooks >= 1 && s->codebooks <= MAX_CODEBOOKS && s->symbols >= 2 && s->symbols <= MAX_SYMBOLS &&
           s->width >= 1 && s->width <= MAX_WIDTH && s->layers >= 1 && s->layers <= MAX_LAYERS && s->heads >= 1 &&
           s->heads <= s->width && s->width % s->heads == 0 && s->feed_forward >= 1 && s->feed_forward <= MAX_HIDDEN &&
           s->past >= 0 && s->past <= MAX_PAST && s->head_width >= 0 && s->head_width <= MAX_HIDDEN;
}

/* Memory is handed out of one piece; with no piece, what is counted is how much it takes. */
typedef struct {
    u8 *base;
    u64 used;
} Arena;

static void *take(Arena *a, u64 count, u64 each) {
    u64 at = a->used;
    a->used += (count * each + 63) & ~(u64)63;
    return a->base ? a->base + at : NULL;
}

/* What was counted, or 0 if no piece can be so large. */
INLINE size_t bytes_of(const Arena *a) { return a->used <= PTRDIFF_MAX ? (size_t)a->used : 0; }

static void place_product(Arena *a, Product *p, i32 inputs, i32 outputs) {
    i16 *weights = take(a, (u64)tile_weights(inputs) * tiles_of(outputs), sizeof(i16));
    float *scale = take(a, outputs, sizeof(float));
    Product placed = {weights, scale, inputs, outputs};
    if (a->base) *p = placed;
}

static void place_layer(Arena *a, Layer *layer, const Sizes *s) {
    Layer placed = {{0}, {0}, {0}, {0}, 0, 0};
    if (!layer) layer = &placed;
    place_product(a, &layer->query_key_value, s->width, 3 * s->width);
    place_product(a, &layer->out, s->width, s->width);
    place_product(a, &layer->up, s->width, s->feed_forward);
    place_product(a, &layer->down, s->feed_forward, s->width);
    layer->distance = take(a, (u64)s->heads * (s->past + 1), sizeof(i32));
    layer->score_scale = take(a, s->heads, sizeof(float));
}

/* Lay a model out in a piece of memory, at whose start it is; returns the bytes that it takes. */
static size_t place_model(const Sizes *s, u8 *memory) {
    Arena a = {memory, 0};
    Model counted, *m = take(&a, 1, sizeof(Model));
    if (!m) m = &counted;
    u64 books = s->codebooks, codes = books * s->symbols;
    m->sizes = *s;
    m->logits_in = s->head_width ? s->head_width : s->width;
    m->embed = take(&a, codes, s->width);
    m->embed_shift = take(&a, codes, 1);
    m->condition = take(&a, s->conditioned ? codes : 0, s->width);
    m->condition_shift = take(&a, s->conditioned ? codes : 0, 1);
    m->start = take(&a, s->width, sizeof(i16));
    m->logits = take(&a, books * tiles_of(s->symbols), tile_weights(m->logits_in));
    m->logits_scale = take(&a, codes, sizeof(float));
    m->bias = take(&a, codes, sizeof(float));
    m->score_scale = take(&a, books, sizeof(float));
    m->heights = take(&a, MAX_HEIGHTS, sizeof(i32));
    m->mixing = take(&a, MAX_HEIGHTS, sizeof(i32));
    m->hidden = take(&a, books, sizeof(Product));
    for (u64 k = 0; s->head_width && k < books; k++)
        place_product(&a, m->hidden ? m->hidden + k : NULL, s->width, s->head_width);
    m->layers = take(&a, s->layers, sizeof(Layer));
    for (i32 i = 0; i < s->layers; i++) place_layer(&a, m->layers ? m->layers + i : NULL, s);
    return bytes_of(&a);
}

/* 2 to the power of -shift. */
INLINE float power_of_two(i32 shift) {
    union { u32 bits; float number; } power;
    power.bits = (u32)(127 - shift) << 23;
    return power.number;
}

static int fill_scales(const i8 *shifts, i32 count, float *scale) {
    for (i32 i = 0; i < count; i++) {
        if (shifts[i] < -SHIFT_MAX || shifts[i] > SHIFT_MAX) return 0;
        scale[i] = power_of_two(shifts[i]);
    }
    return 1;
}

/* Two rows of a tile, interleaved, and the sizes of what it has of each output. They cannot wrap: check their bound last. */
INLINE void fill_pair(const i16 *RESTRICT even_row, const i16 *RESTRICT odd_row, i16 *RESTRICT pairs, u32 *RESTRICT sizes) {
    for (i32 o = 0; o < TILE; o++) {
        i32 first = even_row[o], second = odd_row[o];
        pairs[2 * o] = (i16)first, pairs[2 * o + 1] = (i16)second;
        sizes[o] += (u32)(first < 0 ? -first : first) + (u32)(second < 0 ? -second : second);
    }
}

/* Weights [inputs][outputs] to tiles. Refused if some sum of products could exceed the exact limit. */
static int fill_product(Product *p, const i16 *weights, const i8 *shifts, i64 in_max) {
    for (i32 first = 0; first < p->outputs; first += TILE) {
        i16 *tile = p->weights + tile_weights(p->inputs) * (first / TILE);
        u32 sizes[TILE] = {0};
        i32 outputs = smaller(TILE, p->outputs - first);
        for (i32 i = 0; i < p->inputs; i += 2) {
            const i16 *row = weights + (size_t)i * p->outputs + first;
            i16 padded[2][TILE] = {{0}};
            if (outputs == TILE && i + 1 < p->inputs) {
                fill_pair(row, row + p->outputs, tile + (size_t)i * TILE, sizes);
                continue;
            }
            for (i32 o = 0; o < outputs; o++) {
                padded[0][o] = row[o];
                padded[1][o] = i + 1 < p->inputs ? row[p->outputs + o] : 0;
            }
            fill_pair(padded[0], padded[1], tile + (size_t)i * TILE, sizes);
        }
        for (i32 o = 0; o < TILE; o++)
            if (sizes[o] * in_max > EXACT_LIMIT) return 0;
    }
    return fill_scales(shifts, p->outputs, p->scale);
}

/* Entries [symbols][inputs] of one codebook, int8 with a shift for each, to tiles. */
static int fill_logits(Model *m, i32 k, const i8 *entries, const i8 *shifts, const i32 *bias, i64 in_max) {
    i32 symbols = m->sizes.symbols, inputs = m->logits_in;
    i8 *to = m->logits + (size_t)k * tiles_of(symbols) * tile_weights(inputs);
    for (i32 c = 0; c < tiles_of(symbols) * TILE; c++) {
        i8 *tile = to + tile_weights(inputs) * (c / TILE) + 2 * (c % TILE);
        const i8 *entry = entries + (size_t)c * inputs;
        i32 size = 0, known = c < symbols ? inputs : 0;
        for (i32 i = 0; i < even(inputs); i++) tile[(size_t)(i / 2) * TILE * 2 + (i & 1)] = i < known ? entry[i] : 0;
        for (i32 i = 0; i < known; i++) size += entry[i] < 0 ? -entry[i] : entry[i];
        if (c >= symbols) continue;
        if (shifts[c] < 0 || shifts[c] > ENTRY_SHIFT_MAX) return 0;
        i64 most = ((i64)size << shifts[c]) * in_max + (bias[c] < 0 ? -(i64)bias[c] : bias[c]);
        if (most > DIFFERENCE_LIMIT) return 0;
        m->logits_scale[(size_t)k * symbols + c] = power_of_two(-shifts[c]);
        m->bias[(size_t)k * symbols + c] = (float)bias[c];
    }
    return 1;
}

static int fill_layer(Model *m, Layer *layer, const void *const *t) {
    const Sizes *s = &m->sizes;
    const i32 *distance = t[T_DISTANCE];
    for (i32 h = 0; h < s->heads; h++)
        for (i32 j = 0; j <= s->past; j++) {
            i32 score = distance[(size_t)h * (s->past + 1) + j];
            if (score < -DISTANCE_MAX || score > DISTANCE_MAX) return 0;
            layer->distance[(size_t)h * (s->past + 1) + s->past - j] = score;
        }
    return fill_product(&layer->query_key_value, t[T_QUERY_KEY_VALUE], t[T_QUERY_KEY_VALUE_SHIFT], m->norm_max) &&
           fill_product(&layer->out, t[T_OUT], t[T_OUT_SHIFT], m->attention_max) &&
           fill_product(&layer->up, t[T_UP], t[T_UP_SHIFT], m->norm_max) &&
           fill_product(&layer->down, t[T_DOWN], t[T_DOWN_SHIFT], HIDDEN_MAX) &&
           fill_scales(t[T_LAYER_SCORE_SHIFT], s->heads, layer->score_scale);
}

/* A table with an entry for each code, as the file has it. */
static int fill_entries(const Sizes *s, const i8 *entries, const i8 *shifts, i8 *to, i8 *to_shifts) {
    size_t codes = (size_t)s->codebooks * s->symbols;
    for (size_t c = 0; c < codes; c++) {
        if (shifts[c] < 0 || shifts[c] > ENTRY_SHIFT_MAX) return 0;
        to_shifts[c] = shifts[c];
    }
    for (size_t i = 0; i < codes * s->width; i++) to[i] = entries[i];
    return 1;
}

static int log2_above_1024(i32 symbols) {
    int bits = 0;
    while ((1024 << bits) < symbols) bits++;
    return bits;
}

/* Fill a model that was placed. Returns 0 if its values could leave the range of exact arithmetic. */
static int fill_model(Model *m, const void *const *t) {
    const Sizes *s = &m->sizes;
    m->head_size = s->width / s->heads;
    m->norm_max = integer_root((i64)s->width << 12) + 2;
    m->attention_max = smaller(integer_root((DIFFERENCE_LIMIT - DISTANCE_MAX) / m->head_size),
                               EXACT_LIMIT / ((1 << MIXING_BITS) + s->past / 2 + 2));
    m->heights_last = fill_heights(PEAK_BITS - log2_above_1024(s->symbols), m->heights);
    m->mixing_last = fill_heights(MIXING_BITS, m->mixing);
    for (i32 i = 0; i < s->width; i++) m->start[i] = ((const i16 *)t[T_START])[i];
    if (!fill_entries(s, t[T_EMBED], t[T_EMBED_SHIFT], m->embed, m->embed_shift)) return 0;
    if (s->conditioned && !fill_entries(s, t[T_CONDITION], t[T_CONDITION_SHIFT], m->condition, m->condition_shift))
        return 0;
    if (!fill_scales(t[T_SCORE_SHIFT], s->codebooks, m->score_scale)) return 0;
    for (i32 k = 0; k < s->codebooks; k++) {
        size_t codes = (size_t)k * s->symbols;
        if (!fill_logits(m, k, (const i8 *)t[T_LOGITS] + codes * m->logits_in, (const i8 *)t[T_LOGITS_SHIFT] + codes,
                         (const i32 *)t[T_BIAS] + codes, s->head_width ? HIDDEN_MAX : m->norm_max))
            return 0;
        if (s->head_width && !fill_product(m->hidden + k, (const i16 *)t[T_HIDDEN] + (size_t)k * s->width * s->head_width,
                                           (const i8 *)t[T_HIDDEN_SHIFT] + (size_t)k * s->head_width, m->norm_max))
            return 0;
    }
    for (i32 i = 0; i < s->layers; i++)
        if (!fill_layer(m, m->layers + i, t + MODEL_TENSORS + (size_t)i * LAYER_TENSORS)) return 0;
    return 1;
}

#endif
