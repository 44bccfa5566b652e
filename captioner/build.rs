//! Compiles the kernels for an NVIDIA GPU where they are asked for, with the toolkit and for the architecture that candle's are.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda")]
    kernels();
}

#[cfg(feature = "cuda")]
fn kernels() {
    let kernels = cudaforge::KernelBuilder::new()
        .source_files(["src/gpu/rows.cu", "src/gpu/attention.cu"])
        .arg("-std=c++17")
        .arg("-O3")
        .build_ptx();
    if let Err(error) = kernels {
        println!("cargo::error=the kernels in src/gpu cannot be compiled: {error}");
    }
    println!("cargo::rerun-if-changed=src/gpu");
}
