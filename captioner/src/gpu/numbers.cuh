// Numbers as the kernels read and write them: float or bf16, computed in float. Sizes fit 32 bits, addresses 64.

#pragma once

#include <cuda_bf16.h>
#include <stdint.h>

typedef __nv_bfloat16 bf16;

__device__ inline float widen(float x) { return x; }
__device__ inline float widen(bf16 x) { return __bfloat162float(x); }
__device__ inline void round_to(float *to, float x) { *to = x; }
__device__ inline void round_to(bf16 *to, float x) { *to = __float2bfloat16_rn(x); }

// N numbers that are read and written at once.
template <typename T, int N> struct alignas(sizeof(T) * N) Packet { T at[N]; };

__device__ inline float sum_of_warp(float x) {
    for (int apart = 16; apart > 0; apart /= 2) x += __shfl_xor_sync(0xffffffffu, x, apart);
    return x;
}

__device__ inline float largest_of_warp(float x) {
    for (int apart = 16; apart > 0; apart /= 2) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, apart));
    return x;
}
