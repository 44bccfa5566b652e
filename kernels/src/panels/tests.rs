use half::{bf16, f16};

use super::*;
use crate::agreement::value;
use crate::amx::Model;

struct Problem {
    form: Form,
    sizes: [usize; 2],
    weights: Vec<f32>,
    words: Vec<i32>,
    x: Vec<f32>,
}

impl Problem {
    fn new(form: Form, level: Level, rows: usize, sizes: [usize; 2]) -> Self {
        let weights: Vec<f32> = (0..sizes[0] * sizes[1]).map(|i| value(3 * i)).collect();
        let mut problem = Self { form, sizes, weights, words: Vec::new(), x: Vec::new() };
        problem.pack(level);
        problem.x = (0..rows * sizes[1]).map(|i| 2.0 * value(i)).collect();
        problem
    }

    fn pack(&mut self, level: Level) {
        let [outputs, inputs] = self.sizes;
        self.words = vec![0; self.form.weight_words([outputs, inputs])];
        let panel = self.form.weight_words([PANEL, inputs]);
        let rows = self.weights.chunks(PANEL * inputs);
        for (words, rows) in self.words.chunks_mut(panel).zip(rows) {
            self.form.pack(level, rows, inputs, words);
        }
    }

    fn weights(&self) -> Panels<'_> {
        Panels::new(self.form, &self.words, self.sizes)
    }

    fn run(&self, level: Level, x: &[f32], bias: &[f32], panels: Range<usize>) -> Vec<f32> {
        self.run_in(self.sizes[1], level, x, bias, panels)
    }

    /// In passes of so many inputs.
    fn run_in(
        &self,
        pass: usize,
        level: Level,
        x: &[f32],
        bias: &[f32],
        panels: Range<usize>,
    ) -> Vec<f32> {
        self.run_by(|product| level.panel_product(product), pass, level, x, bias, panels)
    }

    /// In a model of tile registers.
    fn run_in_registers(&self, pass: usize, x: &[f32], panels: Range<usize>) -> Vec<f32> {
        let by = |product: PanelProduct| {
            with_numbers!(self.form, N => {
                let registers = Some(Model::default());
                Level::PORTABLE.run(Product::<N, _> { product, registers, numbers: PhantomData });
            });
        };
        self.run_by(by, pass, Level::PORTABLE, x, &[], panels)
    }

    fn run_by(
        &self,
        multiply: impl Fn(PanelProduct),
        pass: usize,
        level: Level,
        x: &[f32],
        bias: &[f32],
        panels: Range<usize>,
    ) -> Vec<f32> {
        let (form, inputs) = (self.form, self.sizes[1]);
        let rows = x.len() / inputs;
        let mut output = vec![f32::NAN; rows * panels.len() * PANEL];
        for from in (0..inputs).step_by(pass) {
            let inner = from..inputs.min(from + pass);
            let words = form.input_words(inner.len());
            let mut input = vec![0; rows * words];
            for (x, input) in x.chunks(inputs).zip(input.chunks_mut(words)) {
                form.round(level, &x[inner.clone()], input);
            }
            multiply(PanelProduct {
                input: &input,
                weights: self.weights(),
                panels: panels.clone(),
                inner,
                bias,
                activation: Some(Activation::Relu),
                output: &mut output,
            });
        }
        output
    }
}

/// Sizes with every remainder: of blocks, passes, panels and tiles.
const SIZES: [[usize; 3]; 5] =
    [[1, 32, 32], [2, 5, 7], [13, 40, 100], [7, 70, 544], [45, 33, 1100]];

fn problems() -> impl Iterator<Item = (Form, [usize; 3])> {
    Form::ALL.into_iter().flat_map(|form| SIZES.map(|size| (form, size)))
}

/// All levels give the same bits where inputs are rounded (but for bf16 in tile registers), and nearly so elsewhere.
#[test]
fn all_levels_agree_and_rows_stand_alone() {
    for (form, [rows, outputs, inputs]) in problems() {
        let twin = Problem::new(form, Level::PORTABLE, rows, [outputs, inputs]);
        let panels = outputs.div_ceil(PANEL);
        let bias: Vec<f32> = (0..outputs).map(value).collect();
        let twins = twin.run(Level::PORTABLE, &twin.x, &bias, 0..panels);
        for level in Level::available() {
            let name = format!("{form:?} on {} {}", level.integer_name(), level.has_bf16());
            let problem = Problem::new(form, level, rows, [outputs, inputs]);
            assert_eq!(problem.words, twin.words, "{name}: weights of {outputs} × {inputs}");
            let want = problem.run(level, &problem.x, &bias, 0..panels);
            let exact = match form {
                // Tile registers add the products of pairs in another order.
                Form::Halves => level.amx().is_none(),
                form => form == Form::Bytes,
            };
            let bound = if exact { 0.0 } else { 1e-3 };
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= bound;
            assert!(want.iter().zip(&twins).all(near), "{name}: {rows}, {outputs} × {inputs}");
            let passes = problem.run_in(128, level, &problem.x, &bias, 0..panels);
            assert_eq!(passes, want, "{name}: in passes");
            let last = &problem.x[(rows - 1) * inputs..];
            let alone = problem.run(level, last, &bias, 0..panels);
            assert_eq!(alone, want[(rows - 1) * panels * PANEL..], "{name}: alone");
            let begin = (panels - 1) * PANEL;
            let part = problem.run(level, last, &bias[begin..], panels - 1..panels);
            assert_eq!(part, alone[begin..], "{name}: one panel");
        }
    }
}

/// As in vectors, to the bit where sums are of integers; and rows stand alone.
#[test]
fn products_in_tile_registers() {
    let forms = problems().filter(|(form, _)| matches!(form, Form::Halves | Form::Bytes));
    for (form, [rows, outputs, inputs]) in forms {
        let problem = Problem::new(form, Level::PORTABLE, rows, [outputs, inputs]);
        let panels = outputs.div_ceil(PANEL);
        let want = problem.run(Level::PORTABLE, &problem.x, &[], 0..panels);
        let got = problem.run_in_registers(inputs, &problem.x, 0..panels);
        let bound = if form == Form::Bytes { 0.0 } else { 1e-3 };
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= bound;
        assert!(got.iter().zip(&want).all(near), "{form:?}: {rows}, {outputs} × {inputs}");
        assert_eq!(problem.run_in_registers(128, &problem.x, 0..panels), got, "in passes");
        let last = &problem.x[(rows - 1) * inputs..];
        let alone = problem.run_in_registers(inputs, last, 0..panels);
        assert_eq!(alone, got[(rows - 1) * panels * PANEL..], "{form:?}: alone");
    }
}

/// The twin multiplies what its words stand for: the nearest numbers of the form.
#[test]
fn products_are_those_of_the_rounded_numbers() {
    let level = Level::PORTABLE;
    for (form, [rows, outputs, inputs]) in problems() {
        let problem = Problem::new(form, level, rows, [outputs, inputs]);
        let x: Vec<f32> = match form {
            Form::F16 | Form::Bf16 => problem.x.clone(),
            _ => problem.x.chunks(inputs).flat_map(|x| rounded(form, x)).collect(),
        };
        let stride = outputs.next_multiple_of(PANEL);
        let got = problem.run(level, &problem.x, &[], 0..stride / PANEL);
        for output in 0..outputs {
            let mut weights = vec![0.0; inputs];
            problem.weights().widen(output, 0, &mut weights);
            let stored = &problem.weights[output * inputs..][..inputs];
            assert_eq!(weights, rounded(form, stored), "{form:?}, {outputs} × {inputs}");
            for (row, x) in x.chunks(inputs).enumerate() {
                let exact: f64 =
                    x.iter().zip(&weights).map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                let got = f64::from(got[row * stride + output]);
                let bound = 1e-4 + 2e-6 * exact.abs();
                assert!((got - exact.max(0.0)).abs() < bound, "{form:?}: {got}, not {exact}");
            }
        }
    }
}

/// What a row becomes.
fn rounded(form: Form, x: &[f32]) -> Vec<f32> {
    let eight_bits = |x: &[f32]| {
        let largest = x.iter().fold(0f32, |m, x| m.max(x.abs()));
        let (scale, factor) = (largest / 127.0, 127.0 / largest);
        x.iter().map(|x| (x * factor).round_ties_even() * scale).collect::<Vec<_>>()
    };
    match form {
        Form::F32 => x.to_vec(),
        Form::F16 => x.iter().map(|x| f16::from_f32(*x).to_f32()).collect(),
        Form::Bf16 | Form::Halves => x.iter().map(|x| bf16::from_f32(*x).to_f32()).collect(),
        Form::Bytes => x.chunks(form.block()).flat_map(eight_bits).collect(),
    }
}

#[test]
fn zeros_and_the_largest_codes_are_exact() {
    for (form, level) in Form::ALL.into_iter().flat_map(|f| Level::available().map(move |l| (f, l)))
    {
        for (w, x) in [(0.0, 2.0), (3.0, 0.0), (-3.0, -2.0), (3.0, -2.0)] {
            let mut problem = Problem::new(form, level, 1, [32, 64]);
            problem.weights.fill(w);
            problem.pack(level);
            let got = problem.run(level, &[x; 64], &[], 0..1);
            let want = f32::max(64.0 * w * x, 0.0);
            assert!(got.iter().all(|got| (got - want).abs() < 1e-4), "{level}: {got:?}");
        }
    }
}

/// Such numbers had codes beyond the largest, others on each level; a sum of them was one beyond all integers.
#[test]
fn what_is_too_small_for_a_code_is_nothing_and_what_is_no_number_stays_so() {
    for level in Level::available() {
        let mut problem = Problem::new(Form::Bytes, level, 1, [32, 256]);
        let tiny = vec![1e-38; 256];
        assert!(problem.run(level, &tiny, &[], 0..1).iter().all(|x| x.abs() < 1e-30), "{level}");
        let mut x = vec![1.0; 256];
        for (at, odd) in [(0, f32::NAN), (17, f32::NAN), (255, f32::INFINITY)] {
            x[at] = odd;
            let got = problem.run(level, &x, &[], 0..1);
            assert!(got.iter().all(|x| x.is_nan()), "{level}: {odd} at {at}");
            x[at] = 5.0;
        }
        problem.weights.fill(-1e-38);
        problem.pack(level);
        assert!(problem.run(level, &x, &[], 0..1).iter().all(|x| x.abs() < 1e-30), "{level}");
    }
}
