// What lies between the products of a layer on a GPU, each in one pass: what follows a product, a gate, attention of many queries
// and of one. Their twins are in mod.rs's callers: candle's operations, and loops on the host.
//
// Numbers are read as `float` or bf16 and computed in float. Sizes fit 32 bits, addresses 64.

#include <cuda_bf16.h>
#include <stdint.h>

typedef __nv_bfloat16 bf16;

__device__ inline float widen(float x) { return x; }
__device__ inline float widen(bf16 x) { return __bfloat162float(x); }
__device__ inline void round_to(float *to, float x) { *to = x; }
__device__ inline void round_to(bf16 *to, float x) { *to = __float2bfloat16_rn(x); }

// N numbers that are read and written at once.
template <typename T, int N> struct alignas(sizeof(T) * N) Packet { T at[N]; };

// As `Activation` in mod.rs numbers them.
__device__ inline float activated(int activation, float x) {
    switch (activation) {
    case 1: return 0.5f * x * (1.0f + erff(x * 0.70710678118654752f));
    case 2: return 0.5f * x * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    case 3: return fmaxf(x, 0.0f);
    default: return x;
    }
}

__device__ inline uint32_t thread_number() { return blockIdx.x * blockDim.x + threadIdx.x; }

// y = activation(y + bias) + added, for `packets` of N numbers in rows of `width` packets. Without a bias or what is added: null.
template <typename T, int N>
__device__ void finish(T *y, const T *bias, const T *added, int activation, uint32_t packets, uint32_t width) {
    uint32_t at = thread_number();
    if (at >= packets) return;
    typedef Packet<T, N> P;
    P *place = reinterpret_cast<P *>(y) + at;
    P values = *place;
    P shift, sum;
    if (bias) shift = reinterpret_cast<const P *>(bias)[at % width];
    if (added) sum = reinterpret_cast<const P *>(added)[at];
#pragma unroll
    for (int i = 0; i < N; i++) {
        float x = widen(values.at[i]);
        if (bias) x += widen(shift.at[i]);
        x = activated(activation, x);
        if (added) x += widen(sum.at[i]);
        round_to(&values.at[i], x);
    }
    *place = values;
}

// out = activation(left half of a row) · its right half, for `packets` of N results in rows of `width` packets.
template <typename T, int N>
__device__ void gate(const T *rows, T *out, int activation, uint32_t packets, uint32_t width) {
    uint32_t at = thread_number();
    if (at >= packets) return;
    typedef Packet<T, N> P;
    const P *row = reinterpret_cast<const P *>(rows) + size_t(at / width) * 2 * width + at % width;
    P left = row[0], right = row[width], values;
#pragma unroll
    for (int i = 0; i < N; i++)
        round_to(&values.at[i], activated(activation, widen(left.at[i])) * widen(right.at[i]));
    reinterpret_cast<P *>(out)[at] = values;
}

__device__ inline float sum_of_warp(float x) {
    for (int apart = 16; apart > 0; apart /= 2) x += __shfl_xor_sync(0xffffffffu, x, apart);
    return x;
}

__device__ inline float largest_of_warp(float x) {
    for (int apart = 16; apart > 0; apart /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, apart));
    return x;
}

// The sum over a block; every thread gets it.
__device__ inline float sum_of_block(float x) {
    __shared__ float sums[32];
    x = sum_of_warp(x);
    __syncthreads();
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = x;
    __syncthreads();
    float sum = 0.0f;
    for (uint32_t warp = 0; warp < blockDim.x / 32; warp++) sum += sums[warp];
    return sum;
}

// A block normalises a row of `width` packets: with a shift to mean 0 and variance 1, without one to a mean square of 1.
template <typename T, int N>
__device__ void norm(const T *x, const T *scale, const T *shift, T *out, uint32_t width, float epsilon) {
    typedef Packet<T, N> P;
    const P *row = reinterpret_cast<const P *>(x) + size_t(blockIdx.x) * width;
    P *to = reinterpret_cast<P *>(out) + size_t(blockIdx.x) * width;
    float mean = 0.0f, square = 0.0f;
    if (shift) {
        for (uint32_t at = threadIdx.x; at < width; at += blockDim.x) {
            P values = row[at];
#pragma unroll
            for (int i = 0; i < N; i++) mean += widen(values.at[i]);
        }
        mean = sum_of_block(mean) / (width * N);
    }
    for (uint32_t at = threadIdx.x; at < width; at += blockDim.x) {
        P values = row[at];
#pragma unroll
        for (int i = 0; i < N; i++) square += (widen(values.at[i]) - mean) * (widen(values.at[i]) - mean);
    }
    float factor = rsqrtf(sum_of_block(square) / (width * N) + epsilon);
    for (uint32_t at = threadIdx.x; at < width; at += blockDim.x) {
        P values = row[at], scales = reinterpret_cast<const P *>(scale)[at], shifts;
        if (shift) shifts = reinterpret_cast<const P *>(shift)[at];
#pragma unroll
        for (int i = 0; i < N; i++) {
            float value = (widen(values.at[i]) - mean) * factor * widen(scales.at[i]);
            round_to(&values.at[i], shift ? value + widen(shifts.at[i]) : value);
        }
        to[at] = values;
    }
}

// y [rows, outputs] = x [rows, inputs] · weightᵀ, or added to it, for at most ROWS rows and inputs in packets of 8: a warp has one
// output, and what takes the time is reading its weights.
template <int ROWS, typename Y>
__device__ void multiply_few(const bf16 *x, const bf16 *weight, Y *y, uint32_t rows, uint32_t packets, uint32_t outputs, int add) {
    typedef Packet<bf16, 8> P;
    uint32_t output = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (output >= outputs) return;
    const P *weights = reinterpret_cast<const P *>(weight) + size_t(output) * packets;
    const P *inputs = reinterpret_cast<const P *>(x);
    float sums[ROWS] = {};
#pragma unroll 4
    for (uint32_t at = lane; at < packets; at += 32) {
        P weight = weights[at];
#pragma unroll
        for (int row = 0; row < ROWS; row++) {
            if (row >= rows) continue;
            P values = inputs[size_t(row) * packets + at];
#pragma unroll
            for (int i = 0; i < 8; i++) sums[row] += widen(weight.at[i]) * widen(values.at[i]);
        }
    }
#pragma unroll
    for (int row = 0; row < ROWS; row++) {
        float sum = sum_of_warp(sums[row]);
        Y *place = y + size_t(row) * outputs + output;
        if (lane == 0 && row < rows) round_to(place, add ? sum + widen(*place) : sum);
    }
}

// One query of each row, among the keys whose places are in its row of `table`: the attention of a decoder's step. A block has one
// head of one row. Where there is a newest key and value, they are written to the row's last place before they are looked up.
// Places that are NOWHERE are no keys; a row without any is nobody's. The bias is that of the last `keys` of `longest` distances of a head.
#define NOWHERE 0xffffffffu
template <typename T>
__device__ void look_up(const T *queries, uint32_t query_stride, const T *newest_keys, const T *newest_values,
                        uint32_t newest_stride, T *keys, T *values, uint32_t stride, const uint32_t *table, uint32_t count,
                        const float *bias, uint32_t longest, uint32_t dim, T *out) {
    extern __shared__ float shared[];
    float *scores = shared, *query = scores + count, *sums = query + dim;
    uint32_t head = blockIdx.x, row = blockIdx.y, heads = gridDim.x;
    uint32_t thread = threadIdx.x, lane = thread % 32, warp = thread / 32, warps = blockDim.x / 32;
    const uint32_t *places = table + size_t(row) * count;
    for (uint32_t d = thread; d < dim; d += blockDim.x) {
        query[d] = widen(queries[size_t(row) * query_stride + head * dim + d]);
        if (newest_keys && places[count - 1] != NOWHERE) {
            size_t from = size_t(row) * newest_stride + head * dim + d;
            size_t to = size_t(places[count - 1]) * stride + head * dim + d;
            keys[to] = newest_keys[from];
            values[to] = newest_values[from];
        }
    }
    __syncthreads();
    for (uint32_t key = warp; key < count; key += warps) {
        uint32_t place = places[key];
        float score = 0.0f;
        if (place != NOWHERE)
            for (uint32_t d = lane; d < dim; d += 32) score += query[d] * widen(keys[size_t(place) * stride + head * dim + d]);
        score = sum_of_warp(score);
        if (lane == 0) {
            if (bias) score += bias[size_t(head) * longest + longest - count + key];
            scores[key] = place == NOWHERE ? -INFINITY : score;
        }
    }
    __syncthreads();
    float most = -INFINITY, total = 0.0f;
    for (uint32_t key = lane; key < count; key += 32) most = fmaxf(most, scores[key]);
    most = fmaxf(largest_of_warp(most), -3e38f);
    for (uint32_t key = lane; key < count; key += 32) total += __expf(scores[key] - most);
    total = sum_of_warp(total);
    // Some threads share the values of a column, each with keys of its own.
    uint32_t parts = blockDim.x / dim, part = thread / dim, d = thread % dim;
    if (part < parts) {
        float sum = 0.0f;
        for (uint32_t key = part; key < count; key += parts)
            if (places[key] != NOWHERE)
                sum += __expf(scores[key] - most) * widen(values[size_t(places[key]) * stride + head * dim + d]);
        sums[part * dim + d] = sum;
    }
    __syncthreads();
    if (thread < dim) {
        float sum = 0.0f;
        for (uint32_t p = 0; p < parts; p++) sum += sums[p * dim + thread];
        round_to(&out[(size_t(row) * heads + head) * dim + thread], total > 0.0f ? sum / total : 0.0f);
    }
}

// Two bf16 as the registers of a matrix unit hold them, the first in the lower half.
__device__ inline uint32_t pair(float low, float high) {
    __nv_bfloat162 both = __floats2bfloat162_rn(low, high);
    return *reinterpret_cast<uint32_t *>(&both);
}

#ifndef MULTIPLY_TILES
// c [16 × 8] += a [16 × 16] · b [16 × 8]
__device__ inline void multiply(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
#endif

// Where the [rows, dim] matrices of an image and a head begin, and how far apart their rows are.
struct Views {
    uint32_t image, head, row;
};

// WORDS words of a row, 0 where there is no row or it has ended.
template <int WORDS> __device__ inline Packet<uint32_t, WORDS> words_of(const bf16 *row, bool is_row, uint32_t column, uint32_t dim) {
    Packet<uint32_t, WORDS> none = {};
    return is_row && column < dim ? *reinterpret_cast<const Packet<uint32_t, WORDS> *>(row + column) : none;
}

// A tile of keys, with their rows KEY words apart.
#define TILE 64
template <int DIM, int KEY, int WORDS>
__device__ inline void load_keys(uint32_t *tile, const bf16 *k, uint32_t stride, uint32_t begin, uint32_t keys, uint32_t dim) {
    const int PARTS = DIM / 2 / WORDS;
#pragma unroll 4
    for (uint32_t at = threadIdx.x; at < TILE * PARTS; at += blockDim.x) {
        uint32_t key = at / PARTS, part = at % PARTS;
        Packet<uint32_t, WORDS> words = words_of<WORDS>(k + size_t(begin + key) * stride, begin + key < keys, part * WORDS * 2, dim);
        *reinterpret_cast<Packet<uint32_t, WORDS> *>(tile + key * KEY + part * WORDS) = words;
    }
}

// A tile of values, transposed: of every column words of two keys each, and columns VALUE words apart.
template <int DIM, int VALUE, int WORDS>
__device__ inline void load_values(uint32_t *tile, const bf16 *v, uint32_t stride, uint32_t begin, uint32_t keys, uint32_t dim) {
    const int PARTS = DIM / 2 / WORDS, PAIRS = TILE / 2;
#pragma unroll 2
    for (uint32_t at = threadIdx.x; at < PAIRS * PARTS; at += blockDim.x) {
        uint32_t both = at % PAIRS, column = at / PAIRS * WORDS * 2, key = begin + both * 2;
        const bf16 *row = v + size_t(key) * stride;
        Packet<uint32_t, WORDS> first = words_of<WORDS>(row, key < keys, column, dim);
        Packet<uint32_t, WORDS> second = words_of<WORDS>(row + stride, key + 1 < keys, column, dim);
#pragma unroll
        for (int i = 0; i < WORDS; i++) {
            tile[(column + 2 * i) * VALUE + both] = __byte_perm(first.at[i], second.at[i], 0x5410);
            tile[(column + 2 * i + 1) * VALUE + both] = __byte_perm(first.at[i], second.at[i], 0x7632);
        }
    }
}

// Attention of many queries in bf16 (https://arxiv.org/abs/2307.08691): a warp has 16 queries, and goes through the keys in tiles
// with a running maximum and sum, so that no scores are written. Heads of up to DIM numbers, an even number of them.
// Grid: queries / (16 · warps), heads, images. Tiles of keys, and of values transposed in pairs of keys, are shared by the warps;
// their rows are so many words apart that reading a fragment meets every bank once. `wide` are keys and values that can be read 16
// bytes at a time.
template <int DIM>
__device__ void attend(const bf16 *q, Views of_q, const bf16 *k, Views of_k, const bf16 *v, Views of_v, uint32_t queries,
                       uint32_t keys, uint32_t dim, float scale, const float *bias, const float *mask, int wide, bf16 *out) {
    const int KEY = DIM / 2 + 4, VALUE = TILE / 2 + 4, STEPS = DIM / 16, COLUMNS = DIM / 8;
    __shared__ alignas(16) uint32_t key_tile[TILE * KEY];
    __shared__ uint32_t value_tile[DIM * VALUE];
    uint32_t head = blockIdx.y, heads = gridDim.y, image = blockIdx.z;
    uint32_t lane = threadIdx.x % 32, warp = threadIdx.x / 32, group = lane / 4, within = lane % 4;
    uint32_t first = (blockIdx.x * (blockDim.x / 32) + warp) * 16;
    q += size_t(image) * of_q.image + size_t(head) * of_q.head;
    k += size_t(image) * of_k.image + size_t(head) * of_k.head;
    v += size_t(image) * of_v.image + size_t(head) * of_v.head;

    uint32_t query[STEPS][4];
#pragma unroll
    for (int step = 0; step < STEPS; step++)
#pragma unroll
        for (int part = 0; part < 4; part++) {
            uint32_t row = first + group + part % 2 * 8, column = step * 16 + part / 2 * 8 + within * 2;
            bool there = row < queries && column < dim;
            query[step][part] = there ? *reinterpret_cast<const uint32_t *>(q + size_t(row) * of_q.row + column) : 0;
        }
    float sums[COLUMNS][4] = {}, most[2] = {-INFINITY, -INFINITY}, total[2] = {0.0f, 0.0f};

    for (uint32_t begin = 0; begin < keys; begin += TILE) {
        __syncthreads();
        // Words of two numbers, or packets of four such words; what is not there is 0.
        if (wide) {
            load_keys<DIM, KEY, 4>(key_tile, k, of_k.row, begin, keys, dim);
            load_values<DIM, VALUE, 4>(value_tile, v, of_v.row, begin, keys, dim);
        } else {
            load_keys<DIM, KEY, 1>(key_tile, k, of_k.row, begin, keys, dim);
            load_values<DIM, VALUE, 1>(value_tile, v, of_v.row, begin, keys, dim);
        }
        __syncthreads();

        float scores[TILE / 8][4];
#pragma unroll
        for (int column = 0; column < TILE / 8; column++) {
            float *c = scores[column];
            c[0] = c[1] = c[2] = c[3] = 0.0f;
            const uint32_t *key = key_tile + (column * 8 + group) * KEY + within;
#pragma unroll
            for (int step = 0; step < STEPS; step++) multiply(c, query[step], key[step * 8], key[step * 8 + 4]);
#pragma unroll
            for (int i = 0; i < 4; i++) {
                uint32_t row = first + group + i / 2 * 8, at = begin + column * 8 + within * 2 + i % 2;
                float score = c[i] * scale;
                if (at < keys) {
                    if (bias && row < queries) score += bias[(size_t(head) * queries + row) * keys + at];
                    if (mask) score += mask[size_t(image) * keys + at];
                } else score = -INFINITY;
                c[i] = score;
            }
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            float largest = most[half];
#pragma unroll
            for (int column = 0; column < TILE / 8; column++)
                largest = fmaxf(largest, fmaxf(scores[column][half * 2], scores[column][half * 2 + 1]));
            largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 1));
            largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 2));
            // Keys of a first tile may all be masked.
            float shift = largest == -INFINITY ? 0.0f : largest, before = __expf(most[half] - shift), sum = 0.0f;
#pragma unroll
            for (int column = 0; column < TILE / 8; column++)
#pragma unroll
                for (int i = half * 2; i < half * 2 + 2; i++) sum += scores[column][i] = __expf(scores[column][i] - shift);
            most[half] = largest;
            total[half] = total[half] * before + sum;
#pragma unroll
            for (int column = 0; column < COLUMNS; column++) {
                sums[column][half * 2] *= before;
                sums[column][half * 2 + 1] *= before;
            }
        }
#pragma unroll
        for (int step = 0; step < TILE / 16; step++) {
            const float *left = scores[step * 2], *right = scores[step * 2 + 1];
            uint32_t weights[4] = {pair(left[0], left[1]), pair(left[2], left[3]), pair(right[0], right[1]), pair(right[2], right[3])};
#pragma unroll
            for (int column = 0; column < COLUMNS; column++) {
                const uint32_t *value = value_tile + (column * 8 + group) * VALUE + step * 8 + within;
                multiply(sums[column], weights, value[0], value[4]);
            }
        }
    }
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float all = total[half];
        all += __shfl_xor_sync(0xffffffffu, all, 1);
        all += __shfl_xor_sync(0xffffffffu, all, 2);
        uint32_t row = first + group + half * 8;
        if (row >= queries) continue;
        uint32_t *to = reinterpret_cast<uint32_t *>(out + ((size_t(image) * queries + row) * heads + head) * dim);
#pragma unroll
        for (int column = 0; column < COLUMNS; column++) {
            uint32_t word = column * 4 + within;
            if (word * 2 < dim) to[word] = pair(sums[column][half * 2] / all, sums[column][half * 2 + 1] / all);
        }
    }
}

#define EACH(T, N, NAME)                                                                                                           \
    extern "C" __global__ void finish_##NAME(T *y, const T *bias, const T *added, int activation, uint32_t packets,                  \
                                             uint32_t width) {                                                                     \
        finish<T, N>(y, bias, added, activation, packets, width);                                                                  \
    }                                                                                                                              \
    extern "C" __global__ void gate_##NAME(const T *rows, T *out, int activation, uint32_t packets, uint32_t width) {                \
        gate<T, N>(rows, out, activation, packets, width);                                                                         \
    }                                                                                                                              \
    extern "C" __global__ void norm_##NAME(const T *x, const T *scale, const T *shift, T *out, uint32_t width, float epsilon) {    \
        norm<T, N>(x, scale, shift, out, width, epsilon);                                                                          \
    }
EACH(float, 1, f32x1)
EACH(float, 4, f32x4)
EACH(bf16, 1, bf16x1)
EACH(bf16, 8, bf16x8)

#define FEW(ROWS, Y, NAME)                                                                                                         \
    extern "C" __global__ void multiply_##NAME(const bf16 *x, const bf16 *weight, Y *y, uint32_t rows, uint32_t packets,           \
                                               uint32_t outputs, int add) {                                                        \
        multiply_few<ROWS, Y>(x, weight, y, rows, packets, outputs, add);                                                          \
    }
FEW(1, bf16, 1_bf16)
FEW(1, float, 1_f32)
FEW(4, bf16, 4_bf16)
FEW(4, float, 4_f32)

#define LOOK_UP(T, NAME)                                                                                                           \
    extern "C" __global__ void look_up_##NAME(const T *q, uint32_t q_stride, const T *new_k, const T *new_v, uint32_t new_stride,  \
                                              T *k, T *v, uint32_t stride, const uint32_t *table, uint32_t count,                  \
                                              const float *bias, uint32_t longest, uint32_t dim, T *out) {                         \
        look_up<T>(q, q_stride, new_k, new_v, new_stride, k, v, stride, table, count, bias, longest, dim, out);                    \
    }
LOOK_UP(float, f32)
LOOK_UP(bf16, bf16)

#define ATTEND(DIM)                                                                                                                \
    extern "C" __global__ void attend_##DIM(const bf16 *q, Views of_q, const bf16 *k, Views of_k, const bf16 *v, Views of_v,       \
                                            uint32_t queries, uint32_t keys, uint32_t dim, float scale, const float *bias,         \
                                            const float *mask, int wide, bf16 *out) {                                              \
        attend<DIM>(q, of_q, k, of_k, v, of_v, queries, keys, dim, scale, bias, mask, wide, out);                                  \
    }
ATTEND(16)
ATTEND(32)
ATTEND(64)
ATTEND(96)
ATTEND(128)
