//! The seam between the engine and its products: f32, or 12-bit integers.

use fgd_kernels::{Buffer, Codes, Inputs, Level, Matrix, Product};

/// How linear layers are stored and multiplied.
pub(crate) trait Arithmetic: Send + Sync {
    /// Packed weights.
    type Values: Send + Sync;
    /// Working memory of a product.
    type Scratch: Default + Send;

    /// Whether a product over some inputs, continued over the others, is the whole product to the bit.
    const DIVIDES: bool;

    /// Packs `weight(output, input)` and `bias(output)`, both padded by the caller with zeros; `sizes` is outputs,
    /// inputs.
    fn pack(
        &self,
        sizes: [usize; 2],
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Matrix<Self::Values>;

    /// See [`Product`].
    fn product(&self, product: Product<Self::Values>, scratch: &mut Self::Scratch);

    /// Engine and instruction set, for records.
    fn label(&self) -> String;
}

/// f32 throughout.
pub(crate) struct Float(pub Level);

impl Arithmetic for Float {
    type Values = Buffer;
    type Scratch = ();

    const DIVIDES: bool = true;

    fn pack(
        &self,
        sizes: [usize; 2],
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Matrix {
        Matrix::pack(sizes, self.0.panel(), weight, bias)
    }

    fn product(&self, product: Product, (): &mut ()) {
        self.0.product(product);
    }

    fn label(&self) -> String {
        format!("packed/{}", self.0)
    }
}

/// Products of 12-bit codes.
pub(crate) struct Int12(pub Level);

impl Arithmetic for Int12 {
    type Values = Codes;
    type Scratch = Inputs;

    /// Inputs share scales in blocks.
    const DIVIDES: bool = false;

    fn pack(
        &self,
        sizes: [usize; 2],
        weight: impl Fn(usize, usize) -> f32,
        bias: impl Fn(usize) -> f32,
    ) -> Matrix<Codes> {
        Codes::pack(sizes, self.0.panel(), weight, bias)
    }

    fn product(&self, product: Product<Codes>, scratch: &mut Inputs) {
        self.0.integer_product(product, scratch);
    }

    fn label(&self) -> String {
        format!("int12/{}", self.0.integer_name())
    }
}
