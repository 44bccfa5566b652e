//! Pixels of any kind to 8-bit RGB, as transformers' `convert_to_rgb` does with Pillow.

use image::DynamicImage;

/// RGB bytes, row-major; transparency is composited onto white.
///
/// 16-bit colour keeps its high byte, as Pillow's `RGB;16B`; 16-bit grey is clipped at 255, as Pillow's `I;16`.
pub fn rgb_bytes(image: DynamicImage) -> Vec<u8> {
    let grey = |g: u8| [g, g, g];
    let high = |v: u16| (v >> 8) as u8;
    match image {
        DynamicImage::ImageRgb8(rgb) => rgb.into_raw(),
        DynamicImage::ImageRgba8(rgba) => {
            rgba.pixels().flat_map(|p| on_white([p.0[0], p.0[1], p.0[2]], p.0[3])).collect()
        }
        DynamicImage::ImageLuma8(luma) => luma.pixels().flat_map(|p| grey(p.0[0])).collect(),
        DynamicImage::ImageLumaA8(luma) => {
            luma.pixels().flat_map(|p| on_white(grey(p.0[0]), p.0[1])).collect()
        }
        DynamicImage::ImageLuma16(luma) => {
            luma.pixels().flat_map(|p| grey(p.0[0].min(255) as u8)).collect()
        }
        DynamicImage::ImageLumaA16(luma) => {
            luma.pixels().flat_map(|p| on_white(grey(high(p.0[0])), high(p.0[1]))).collect()
        }
        DynamicImage::ImageRgb16(rgb) => rgb.pixels().flat_map(|p| p.0.map(high)).collect(),
        DynamicImage::ImageRgba16(rgba) => rgba
            .pixels()
            .flat_map(|p| on_white([p.0[0], p.0[1], p.0[2]].map(high), high(p.0[3])))
            .collect(),
        other => other.into_rgb8().into_raw(),
    }
}

/// Pillow's `alpha_composite` onto opaque white (`AlphaComposite.c`): fixed point with 7 bits more than a byte.
fn on_white(colour: [u8; 3], alpha: u8) -> [u8; 3] {
    const BITS: u32 = 7;
    let weight = u32::from(alpha) << BITS;
    let rest = (255 << BITS) - weight;
    colour.map(|value| {
        let sum = u32::from(value) * weight + 255 * rest + (0x80 << BITS);
        ((((sum >> 8) + sum) >> 8) >> BITS) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparency_shows_white() {
        for value in 0..=255 {
            assert_eq!(on_white([value; 3], 0), [255; 3]);
            assert_eq!(on_white([value; 3], 255), [value; 3]);
            for alpha in 0..=255u8 {
                let share = f64::from(alpha) / 255.0;
                let exact = f64::from(value) * share + 255.0 * (1.0 - share);
                let ours = f64::from(on_white([value; 3], alpha)[0]);
                assert!((ours - exact).abs() <= 0.51, "{value} at {alpha}: {ours}, not {exact}");
            }
        }
    }
}
