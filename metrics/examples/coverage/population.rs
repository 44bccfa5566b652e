//! Systems whose distance is known, made from the embeddings of real captions.

use std::error::Error;
use std::f64::consts::TAU;
use std::path::{Path, PathBuf};

use fgd_metrics::frechet::from_moments;
use fgd_metrics::moments::Moments;
use ndarray::{Array2, ArrayView1, ArrayViewMut1, Axis};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The distance that the systems with noise are tuned to, that of a good system.
const NEAR: f64 = 0.0011;

/// A caption of every image of the population.
pub struct System {
    /// What tables call it.
    pub name: &'static str,
    /// Its embeddings, row by row those of the references' images.
    pub rows: Array2<f32>,
    /// Its set distance to the references.
    pub truth: f64,
}

/// References, and systems that captioned the same images.
pub struct Population {
    /// One reference per image.
    pub references: Array2<f32>,
    moments: Moments,
    /// Captions cut after six words, where a file of them was given.
    pub truncated: Option<Array2<f32>>,
}

impl Population {
    pub fn open(references: &Path, truncated: Option<&PathBuf>) -> Result<Self, Box<dyn Error>> {
        let references: Array2<f32> = ndarray_npy::read_npy(references)?;
        let truncated = truncated.map(ndarray_npy::read_npy).transpose()?;
        let moments = Moments::from_rows(references.view());
        println!(
            "population: {} captions of {} dimensions",
            references.nrows(),
            references.ncols()
        );
        Ok(Self { references, moments, truncated })
    }

    /// Set distance of these rows from the references.
    pub fn distance(&self, rows: &Array2<f32>) -> Result<f64, Box<dyn Error>> {
        of_moments(&Moments::from_rows(rows.view()), &self.moments)
    }

    pub fn system(&self, name: &'static str, rows: Array2<f32>) -> Result<System, Box<dyn Error>> {
        Ok(System { name, truth: self.distance(&rows)?, rows })
    }

    /// The systems of the table: four that were looked at when the estimator was made, and some that were not.
    /// Those that are named, or all.
    pub fn systems(&self, named: &[String]) -> Result<Vec<System>, Box<dyn Error>> {
        let noise = self.noise(NEAR, 1)?;
        let mut systems = Vec::new();
        if let Some(rows) = &self.truncated {
            systems.push(self.system("trunc", rows.clone())?);
        }
        systems.push(self.system("mix10", self.elsewhere(noise.rows.clone(), 10))?);
        systems.push(self.system("dup20", self.constant(noise.rows.clone(), 5))?);
        systems.push(noise);
        systems.push(self.system("prototypes", self.prototypes(600))?);
        systems.push(self.system("outliers", self.outliers(100))?);
        systems.retain(|system| named.is_empty() || named.iter().any(|name| name == system.name));
        Ok(systems)
    }

    /// References with as much noise as makes this distance.
    pub fn noise(&self, distance: f64, seed: u64) -> Result<System, Box<dyn Error>> {
        self.tuned("noise", distance, |size| self.perturbed(size, seed))
    }

    /// The system whose size makes this distance, by bisection.
    pub fn tuned(
        &self,
        name: &'static str,
        distance: f64,
        rows: impl Fn(f32) -> Array2<f32>,
    ) -> Result<System, Box<dyn Error>> {
        let (mut low, mut high) = (0.0_f32, 2.0);
        for _ in 0..18 {
            let middle = 0.5 * (low + high);
            if self.distance(&rows(middle))? < distance { low = middle } else { high = middle }
        }
        self.system(name, rows(0.5 * (low + high)))
    }

    /// Every reference plus isotropic noise of this expected length, on the unit sphere.
    pub fn perturbed(&self, size: f32, seed: u64) -> Array2<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut rows = self.references.clone();
        let scale = size / (rows.ncols() as f32).sqrt();
        for mut row in rows.outer_iter_mut() {
            row.mapv_inplace(|v| v + scale * normal(&mut rng));
            unit(row);
        }
        rows
    }

    /// Every `every`-th caption is that of another image.
    pub fn elsewhere(&self, mut rows: Array2<f32>, every: usize) -> Array2<f32> {
        let n = rows.nrows();
        for i in (0..n).step_by(every) {
            let other = self.references.row((i + n / 2) % n).to_owned();
            rows.row_mut(i).assign(&other);
        }
        rows
    }

    /// Every `every`-th caption is one and the same.
    pub fn constant(&self, mut rows: Array2<f32>, every: usize) -> Array2<f32> {
        let one = self.references.row(0).to_owned();
        (0..rows.nrows()).step_by(every).for_each(|i| rows.row_mut(i).assign(&one));
        rows
    }

    /// A system of stock phrases: every caption is the nearest of so many references, with a little noise.
    fn prototypes(&self, count: usize) -> Array2<f32> {
        let step = self.references.nrows() / count;
        let stock: Vec<usize> = (0..count).map(|k| k * step).collect();
        let stock = self.references.select(Axis(0), &stock);
        let mut rows = self.perturbed(0.2, 7);
        for (i, mut row) in rows.outer_iter_mut().enumerate() {
            let near = stock.dot(&self.references.row(i));
            let best = (0..count).max_by(|&a, &b| near[a].total_cmp(&near[b])).unwrap_or(0);
            row.zip_mut_with(&stock.row(best), |v, &s| *v = 0.4 * *v + 0.6 * s);
            unit(row);
        }
        rows
    }

    /// Noise, with one caption in `every` far from all others.
    fn outliers(&self, every: usize) -> Array2<f32> {
        let mut rows = self.perturbed(0.2, 9);
        let mean = self.references.mean_axis(Axis(0)).expect("rows");
        let mut rng = ChaCha8Rng::seed_from_u64(10);
        for i in (0..rows.nrows()).step_by(every) {
            let mut row = rows.row_mut(i);
            row.zip_mut_with(&mean, |v, &m| *v = -m + 0.02 * normal(&mut rng));
            unit(row);
        }
        rows
    }
}

/// Set distance of two populations, each with every row once.
pub fn distance(a: &Array2<f32>, b: &Array2<f32>) -> Result<f64, Box<dyn Error>> {
    of_moments(&Moments::from_rows(a.view()), &Moments::from_rows(b.view()))
}

fn of_moments(a: &Moments, b: &Moments) -> Result<f64, Box<dyn Error>> {
    // Of populations, so with ddof 0.
    let of_population = |moments: &Moments| {
        let (n, mean) = (moments.n(), moments.mean().to_owned());
        Moments::from_mean_covariance(n, mean, moments.covariance(0)?, 1)
    };
    Ok(from_moments(&of_population(a)?, &of_population(b)?)?.value)
}

fn normal(rng: &mut ChaCha8Rng) -> f32 {
    let (radius, angle): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    ((-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()) as f32
}

fn unit(mut row: ArrayViewMut1<f32>) {
    let length = norm(row.view());
    row.mapv_inplace(|v| v / length);
}

fn norm(row: ArrayView1<f32>) -> f32 {
    row.dot(&row).sqrt()
}
