/* The language model, its tables and the range coder, in integers: for `lm/native_kernel.py`, and for pages as lm.wasm.
 *
 * One source for all processors; no library is needed. It is compiled once for each set of instructions, with a suffix of
 * its names that says which (`-DSUFFIX=_avx2`). NumPy's evaluation in `lm/` is the reference: every number is the same.
 *
 * Memory is the caller's. A model is made by lm_load in lm_model_bytes, read-only from then on, and may serve several
 * threads; a state is made by lm_start in lm_state_bytes, and belongs to one. Arguments that do not fit are refused.
 */
#include "network.h"

#ifndef SUFFIX
#define SUFFIX
#endif
#define JOINED(name, suffix) name##suffix
#define JOIN(name, suffix) JOINED(name, suffix)
#if defined(_WIN32)
#define EXPORT(name) __declspec(dllexport) JOIN(name, SUFFIX)
#else
#define EXPORT(name) __attribute__((visibility("default"))) JOIN(name, SUFFIX)
#endif

enum { OK = 0, BAD_SIZES = 1, BAD_VALUES = 2, BAD_ARGUMENTS = 3 };

/* Bytes of a model of these sizes, 9 integers in the order of `Sizes`; 0 if there can be none. */
size_t EXPORT(lm_model_bytes)(const i32 *sizes) {
    const Sizes *s = (const Sizes *)(const void *)sizes;
    return sizes_fit(s) ? place_model(s, NULL) : 0;
}

/* Make a model of its tensors, which are not needed afterwards. Memory must be aligned to 64 bytes. */
i32 EXPORT(lm_load)(const i32 *sizes, const void *const *tensors, void *memory) {
    const Sizes *s = (const Sizes *)(const void *)sizes;
    if (!sizes_fit(s) || !place_model(s, NULL)) return BAD_SIZES;
    place_model(s, memory);
    return fill_model(memory, tensors) ? OK : BAD_VALUES;
}

static int state_fits(i32 streams, i32 frames) {
    return streams >= 1 && streams <= MAX_ROWS && frames >= 1 && frames <= MAX_FRAMES;
}

/* Bytes of a state of streams in step, of at most so many frames each; 0 if there can be none. */
size_t EXPORT(lm_state_bytes)(const Model *m, i32 streams, i32 frames) {
    size_t zeroed;
    return state_fits(streams, frames) ? place_state(m, streams, frames, NULL, &zeroed) : 0;
}

/* Make a state before the first frame. Memory must be aligned to 64 bytes. */
i32 EXPORT(lm_start)(const Model *m, State *s, i32 streams, i32 frames) {
    static const u8 nothing = 0;
    size_t zeroed;
    if (!state_fits(streams, frames) || !place_state(m, streams, frames, NULL, &zeroed)) return BAD_ARGUMENTS;
    place_state(m, streams, frames, (u8 *)s, &zeroed);
    for (size_t i = (size_t)((u8 *)s->before - (u8 *)s); i < zeroed; i++) ((u8 *)s)[i] = 0;
    for (i32 p = 0; p < streams; p++) range_start(s->decoders + p, &nothing, 0);
    return OK;
}

/* Give a stream its payload, which must stay where it is. */
i32 EXPORT(lm_payload)(State *s, i32 stream, const u8 *payload, size_t length) {
    if (stream < 0 || stream >= s->streams) return BAD_ARGUMENTS;
    range_start(s->decoders + stream, payload, length);
    return OK;
}

/* Whether a state may take so many frames more, and count them. */
static int take_frames(const Model *m, State *s, i32 streams, i32 codebooks, i32 frames) {
    if (streams < 1 || streams > s->streams || codebooks < 1 || codebooks > m->sizes.codebooks || frames < 1 ||
        frames > s->left)
        return 0;
    s->left -= frames;
    return 1;
}

static int codes_fit(const Model *m, const i32 *codes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (codes[i] < 0 || codes[i] >= m->sizes.symbols) return 0;
    return 1;
}

INLINE void keep_codes(State *s, i32 stream, const i32 *codes, i32 codebooks) {
    for (i32 k = 0; k < codebooks; k++) s->before[(size_t)stream * MAX_CODEBOOKS + k] = codes[k];
}

static void decode_frame(const Model *m, State *s, i32 streams, i32 codebooks) {
    for (i32 p = 0; p < streams; p++)
        embed(m, s->started ? s->before + (size_t)p * MAX_CODEBOOKS : NULL, codebooks, s->x + (size_t)p * m->sizes.width);
    s->started = 1;
    push_rows(m, s, streams, 1);
    for (i32 k = 0; k < codebooks; k++) {
        score_rows(m, s, k, streams);
        for (i32 p = 0; p < streams; p++) {
            i32 sum = table_of(s->scores + (size_t)p * m->sizes.symbols, m->sizes.symbols, m->score_scale[k], m->heights,
                               m->heights_last, s->table);
            i32 code = range_symbol(s->decoders + p, s->table, m->sizes.symbols, sum);
            s->before[(size_t)p * MAX_CODEBOOKS + k] = code;
            condition(m, s, p, k, code);
        }
    }
}

/* The next frames of the first `streams` streams, to codes [streams][frames][codebooks]. */
i32 EXPORT(lm_decode)(const Model *m, State *s, i32 streams, i32 codebooks, i32 frames, i32 *codes) {
    if (!take_frames(m, s, streams, codebooks, frames)) return BAD_ARGUMENTS;
    for (i32 f = 0; f < frames; f++) {
        decode_frame(m, s, streams, codebooks);
        for (i32 p = 0; p < streams; p++)
            for (i32 k = 0; k < codebooks; k++)
                codes[((size_t)p * frames + f) * codebooks + k] = s->before[(size_t)p * MAX_CODEBOOKS + k];
    }
    return OK;
}

/* What goes into the network for rows [streams][frames], `total` frames of which the codes have. */
static void embed_rows(const Model *m, State *s, i32 streams, i32 codebooks, i32 total, i32 first, i32 frames,
                       const i32 *codes) {
    for (i32 r = 0; r < streams * frames; r++) {
        i32 p = r / frames, f = first + r % frames;
        const i32 *before = f ? codes + ((size_t)p * total + f - 1) * codebooks : s->before + (size_t)p * MAX_CODEBOOKS;
        embed(m, f || s->started ? before : NULL, codebooks, s->x + (size_t)r * m->sizes.width);
    }
    s->started = 1;
}

static void interval_rows(const Model *m, State *s, i32 streams, i32 codebooks, i32 total, i32 first, i32 frames,
                          const i32 *codes, i32 *starts, i32 *freqs, float *scores) {
    i32 symbols = m->sizes.symbols;
    for (i32 k = 0; k < codebooks; k++) {
        score_rows(m, s, k, streams * frames);
        for (i32 r = 0; r < streams * frames; r++) {
            size_t at = ((size_t)(r / frames) * total + first + r % frames) * codebooks + k;
            const float *row = s->scores + (size_t)r * symbols;
            for (i32 c = 0; scores && c < symbols; c++) scores[at * symbols + c] = row[c];
            i32 sum = table_of(row, symbols, m->score_scale[k], m->heights, m->heights_last, s->table);
            Interval found = interval_of(sum_of(s->table, codes[at]), s->table[codes[at]], sum);
            starts[at] = found.start, freqs[at] = found.freq;
            condition(m, s, r, k, codes[at]);
        }
    }
}

/* Starts and frequencies of the next frames' codes, all [streams][frames][codebooks]; and all scores, for tests. */
i32 EXPORT(lm_intervals)(const Model *m, State *s, i32 streams, i32 codebooks, i32 frames, const i32 *codes, i32 *starts,
                         i32 *freqs, float *scores) {
    if (!take_frames(m, s, streams, codebooks, frames) || !codes_fit(m, codes, (size_t)streams * frames * codebooks))
        return BAD_ARGUMENTS;
    i32 most = s->rows / streams;
    for (i32 first = 0; first < frames; first += most) {
        i32 count = smaller(most, frames - first);
        embed_rows(m, s, streams, codebooks, frames, first, count, codes);
        push_rows(m, s, streams, count);
        interval_rows(m, s, streams, codebooks, frames, first, count, codes, starts, freqs, scores);
    }
    for (i32 p = 0; p < streams; p++)
        keep_codes(s, p, codes + ((size_t)(p + 1) * frames - 1) * codebooks, codebooks);
    return OK;
}

/* Symbols by their intervals to bytes, of which `out` must hold 2 * count + 6. Returns their number, or -1. */
i32 EXPORT(lm_range_encode)(const i32 *starts, const i32 *freqs, i32 count, u8 *out) {
    for (i32 i = 0; i < count; i++)
        if (starts[i] < 0 || freqs[i] < 1 || starts[i] > (1 << TOTAL_BITS) - 1 ||
            freqs[i] > (1 << TOTAL_BITS) - starts[i])
            return -1;
    return range_encode(starts, freqs, count, out);
}
