//! The kernels beside their twins, on a machine that has a GPU: numbers of bf16, which f32 holds, and results in f32 and bf16.

use candle_core::{DType, Device, Tensor};
use fgd_kernels::Activation;

use crate::layers::device::{add_product, attend, gate, norm, product, write_product};
use crate::layers::{Memory, NOWHERE};

/// bf16 keeps 8 bits of what is of the order of 1.
const TOLERANCE: [(DType, f32); 2] = [(DType::F32, 2e-5), (DType::BF16, 3e-2)];

fn gpu() -> Option<Device> {
    let device = crate::parse_device("cuda:0").ok();
    if device.is_none() {
        eprintln!("SKIPPED: no GPU is at hand");
    }
    device
}

/// Numbers of the order of 1 that bf16 can hold.
fn numbers(shape: &[usize], seed: f32) -> Tensor {
    let count: usize = shape.iter().product();
    let values: Vec<f32> = (0..count).map(|i| (i as f32 * 0.731 + seed).sin()).collect();
    let values = Tensor::from_vec(values, shape, &Device::Cpu).unwrap();
    values.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap()
}

fn holds(name: &str, ours: &Tensor, twin: &Tensor, tolerance: f32) {
    let ours = ours.to_dtype(DType::F32).unwrap().to_device(&Device::Cpu).unwrap();
    assert_eq!(ours.dims(), twin.dims(), "{name}");
    let apart = (ours - twin).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
    let apart: f32 = apart.to_scalar().unwrap();
    assert!(apart <= tolerance, "{name}: {apart}");
}

#[test]
fn products_gates_and_norms() {
    let Some(device) = gpu() else { return };
    for (dtype, tolerance) in TOLERANCE {
        let there = |x: &Tensor| x.to_dtype(dtype).unwrap().to_device(&device).unwrap();
        // Few rows and many, in packets and not.
        for (rows, inputs, outputs) in
            [(1, 64, 24), (3, 256, 10), (4, 9, 8), (70, 48, 40), (5, 33, 7)]
        {
            let (x, weight) = (numbers(&[rows, inputs], 0.1), numbers(&[outputs, inputs], 0.2));
            let weight = (weight / (inputs as f64).sqrt()).unwrap();
            let weight = weight.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
            let (bias, other) = (numbers(&[outputs], 0.3), numbers(&[rows, outputs], 0.4));
            let [a, w, b, o] = [&x, &weight, &bias, &other].map(there);
            for activation in
                [None, Some(Activation::Gelu), Some(Activation::GeluTanh), Some(Activation::Relu)]
            {
                let ours = product(&a, &w, Some(&b), activation, Some(&o)).unwrap();
                let twin = product(&x, &weight, Some(&bias), activation, Some(&other));
                holds("product", &ours, &twin.unwrap(), tolerance);
            }
            let twin = product(&x, &weight, None, None, Some(&other)).unwrap();
            holds("sum", &add_product(&a, &w, o).unwrap(), &twin, tolerance);
            let wide = Tensor::zeros((rows, outputs), DType::F32, &device).unwrap();
            write_product(&a, &w, &wide).unwrap();
            holds("wide", &wide, &product(&x, &weight, None, None, None).unwrap(), 2e-5);
            let both = numbers(&[rows, 2 * outputs], 0.5);
            let ours = gate(&there(&both), Activation::GeluTanh).unwrap();
            holds("gate", &ours, &gate(&both, Activation::GeluTanh).unwrap(), tolerance);
            let (scale, shift) = (numbers(&[inputs], 0.6), numbers(&[inputs], 0.7));
            let ours = norm(&a, &there(&scale), Some(&there(&shift)), 1e-6).unwrap();
            holds("norm", &ours, &norm(&x, &scale, Some(&shift), 1e-6).unwrap(), tolerance);
            let ours = norm(&a, &there(&scale), None, 1e-6).unwrap();
            holds("norm", &ours, &norm(&x, &scale, None, 1e-6).unwrap(), tolerance);
        }
    }
}

#[test]
fn attention_of_many_queries() {
    let Some(device) = gpu() else { return };
    for (queries, keys, dim) in
        [(5, 7, 12), (41, 41, 64), (257, 257, 88), (32, 257, 64), (70, 131, 128)]
    {
        let width = 3 * dim;
        // Columns of one projection, as layers have them.
        let all = numbers(&[2, queries.max(keys), 3 * width], 0.1);
        let bias = numbers(&[3, queries, keys], 0.2);
        let mut mask = vec![0f32; 2 * keys];
        mask[2 * keys - 3..].fill(f32::NEG_INFINITY);
        let mask = Tensor::from_vec(mask, (2, keys), &Device::Cpu).unwrap();
        let run = |all: &Tensor, bias: &Tensor, mask: &Tensor| {
            let part = |at: usize, rows: usize| {
                all.narrow(2, at * width, width).unwrap().narrow(1, 0, rows).unwrap()
            };
            let (q, k, v) = (part(0, queries), part(1, keys), part(2, keys));
            [(None, None), (Some(bias), Some(mask))]
                .map(|(bias, mask)| attend([&q, &k, &v], 3, 0.2, bias, mask).unwrap())
        };
        let twins = run(&all, &bias, &mask);
        for (dtype, tolerance) in TOLERANCE {
            let all = all.to_dtype(dtype).unwrap().to_device(&device).unwrap();
            let [bias, mask] = [&bias, &mask].map(|x| x.to_device(&device).unwrap());
            for (ours, twin) in run(&all, &bias, &mask).iter().zip(&twins) {
                holds(&format!("{queries} × {keys} × {dim} in {dtype:?}"), ours, twin, tolerance);
            }
        }
    }
}

#[test]
fn attention_of_one_query_in_each_row() {
    let Some(device) = gpu() else { return };
    for (dtype, tolerance) in TOLERANCE {
        for (heads, dim) in [(2, 8), (3, 64), (1, 128)] {
            let width = heads * dim;
            let run = |device: &Device, dtype: DType| {
                let there = |shape: &[usize], seed| {
                    numbers(shape, seed).to_dtype(dtype).unwrap().to_device(device).unwrap()
                };
                let memory =
                    Memory { keys: there(&[20, width], 0.1), values: there(&[20, width], 0.2) };
                // The last row is nobody's.
                let mut table = vec![NOWHERE; 4 * 6];
                table[..6].copy_from_slice(&[3, 9, 1, 4, 0, 17]);
                table[9..12].copy_from_slice(&[7, 3, 18]);
                table[17] = 19;
                let table = Tensor::from_vec(table, (4, 6), device).unwrap();
                let newest = there(&[4, 3 * width], 0.3);
                let column = |at: usize| newest.narrow(1, at * width, width).unwrap();
                let bias = numbers(&[heads, 9], 0.4).to_device(device).unwrap();
                let (q, new) = (column(0), [column(1), column(2)]);
                let new = [&new[0], &new[1]];
                let own = memory.look_up(&q, Some(new), &table, Some(&bias), heads).unwrap();
                let again = memory.look_up(&q, None, &table, None, heads).unwrap();
                [own, again]
            };
            let (ours, twins) = (run(&device, dtype), run(&Device::Cpu, DType::F32));
            for (ours, twin) in ours.iter().zip(&twins) {
                holds(&format!("{heads} heads of {dim} in {dtype:?}"), ours, twin, tolerance);
            }
        }
    }
}
