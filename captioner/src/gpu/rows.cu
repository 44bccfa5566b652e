// What lies between the large products of a layer, each in one pass over rows: what follows a product, a gate, a norm, and products of
// a few rows.

#include "numbers.cuh"

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
