// Attention of one query in each row, and of many, without scores in memory.

#include "numbers.cuh"

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

// c [16 × 8] += a [16 × 16] · b [16 × 8]
__device__ inline void multiply(float c[4], const uint32_t a[4], uint32_t b0, uint32_t b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

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
