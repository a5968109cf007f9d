//! Activations computed by Candle's own operations.

use std::f64::consts::FRAC_1_SQRT_2;

use candle_core::{Result, Tensor};

use crate::network::Activation;

/// Applies an activation to each value, with PyTorch's gradients at kinks.
///
/// # Errors
/// Returns an error if the device fails.
pub(super) fn activated(x: &Tensor, activation: Activation) -> Result<Tensor> {
    match activation {
        Activation::None => Ok(x.clone()),
        Activation::Relu => rectified(x),
        Activation::Relu6 => relu6(x),
        Activation::HardSwish => (x * relu6(&(x + 3.0)?)?)? / 6.0,
        Activation::Silu => x.silu(),
        // The product has the exact gradient; that of Candle's own has a constant of six digits.
        Activation::Gelu => x * (((x * FRAC_1_SQRT_2)?.erf()? + 1.0)? * 0.5)?,
    }
}

/// max(0, x) with a gradient of 0 at 0; Candle's own has 1 there.
fn rectified(x: &Tensor) -> Result<Tensor> {
    let open = x.gt(0.0)?.to_dtype(x.dtype())?.detach();
    x * open
}

/// min(max(0, x), 6) with a gradient of 0 at 0 and at 6.
fn relu6(x: &Tensor) -> Result<Tensor> {
    let most = x.ones_like()?.affine(6.0, 0.0)?.detach();
    x.ge(6.0)?.where_cond(&most, &rectified(x)?)
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device, Var};

    use super::*;

    const AT: [f64; 13] = [-4.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 7.0];

    /// The values and slopes of an activation at some places.
    fn at(activation: Activation, places: &[f64], dtype: DType) -> (Vec<f64>, Vec<f64>) {
        let read = |tensor: &Tensor| tensor.to_dtype(DType::F64).unwrap().to_vec1().unwrap();
        let x = Tensor::new(places, &Device::Cpu).unwrap().to_dtype(dtype).unwrap();
        let x = Var::from_tensor(&x).unwrap();
        let y = activated(&x, activation).unwrap();
        let gradients = y.sum_all().unwrap().backward().unwrap();
        (read(&y), read(gradients.get(&x).unwrap()))
    }

    fn assert_near(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
        assert_eq!(found.len(), expected.len());
        for ((found, expected), at) in found.iter().zip(expected).zip(AT) {
            assert!((found - expected).abs() < tolerance, "{what} at {at}: {found} {expected}");
        }
    }

    /// The formulas of the documentation of `torch.nn.ReLU6`, `Hardswish`, `SiLU` and `GELU`
    /// (`approximate="none"`), computed in 64 bits with Python's `math.exp` and `math.erfc`.
    #[test]
    fn values_are_those_of_the_published_formulas() {
        let expected = [
            (Activation::None, AT),
            (Activation::Relu, AT.map(|x| if x > 0.0 { x } else { 0.0 })),
            (Activation::Relu6, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 6.0]),
            (
                Activation::HardSwish,
                [
                    0.0,
                    0.0,
                    -0.333_333_333_333_333_3,
                    -0.333_333_333_333_333_3,
                    -0.208_333_333_333_333_3,
                    0.0,
                    0.291_666_666_666_666_7,
                    0.666_666_666_666_666_6,
                    1.666_666_666_666_667,
                    3.0,
                    4.0,
                    6.0,
                    7.0,
                ],
            ),
            (
                Activation::Silu,
                [
                    -0.071_944_839_848_366_23,
                    -0.142_277_619_532_700_4,
                    -0.238_405_844_044_235_1,
                    -0.268_941_421_369_995_1,
                    -0.188_770_334_399_072_7,
                    0.0,
                    0.311_229_665_600_927_3,
                    0.731_058_578_630_004_9,
                    1.761_594_155_955_765,
                    2.857_722_380_467_3,
                    3.928_055_160_151_634,
                    5.985_164_261_060_192,
                    6.993_622_641_639_196,
                ],
            ),
            (
                Activation::Gelu,
                [
                    -0.000_126_684_967_332_479_9,
                    -0.004_049_694_094_890_287,
                    -0.045_500_263_896_358_44,
                    -0.158_655_253_931_457_1,
                    -0.154_268_769_362_993_4,
                    0.0,
                    0.345_731_230_637_006_6,
                    0.841_344_746_068_542_9,
                    1.954_499_736_103_642,
                    2.995_950_305_905_11,
                    3.999_873_315_032_668,
                    5.999_999_994_080_474,
                    6.999_999_999_991_041,
                ],
            ),
        ];
        assert_eq!(expected.map(|(activation, _)| activation), Activation::ALL);
        for (activation, expected) in expected {
            let (found, _) = at(activation, &AT, DType::F64);
            assert_near(&found, &expected, 1e-13, activation.name());
            let (found, _) = at(activation, &AT, DType::F32);
            assert_near(&found, &expected, 1e-6, activation.name());
        }
    }

    #[test]
    fn slopes_are_those_of_finite_differences() {
        // Apart from the kinks at -3, 0, 3 and 6.
        let places = AT.map(|x| x + 0.25);
        let step = 1e-5;
        for activation in Activation::ALL {
            let (_, slopes) = at(activation, &places, DType::F64);
            let (above, _) = at(activation, &places.map(|x| x + step), DType::F64);
            let (below, _) = at(activation, &places.map(|x| x - step), DType::F64);
            let differences: Vec<f64> =
                above.iter().zip(&below).map(|(a, b)| (a - b) / (2.0 * step)).collect();
            assert_near(&slopes, &differences, 1e-9, activation.name());
        }
    }

    /// The gradients of `relu_backward`, `hardtanh_backward` and `hardswish_backward` in PyTorch 2.
    #[test]
    fn slopes_at_kinks_are_pytorchs() {
        let slopes = |activation, places: &[f64]| at(activation, places, DType::F64).1;
        assert_eq!(slopes(Activation::Relu, &[0.0]), [0.0]);
        assert_eq!(slopes(Activation::Relu6, &[0.0, 6.0]), [0.0, 0.0]);
        assert_eq!(slopes(Activation::HardSwish, &[-3.0, 3.0]), [0.0, 1.0]);
    }

    #[test]
    fn values_far_from_zero_stay_finite() {
        for activation in Activation::ALL {
            let (values, slopes) = at(activation, &[-1e4, 1e4], DType::F32);
            let finite = values.iter().chain(&slopes).all(|value| value.is_finite());
            assert!(finite, "{activation}: {values:?} {slopes:?}");
        }
    }
}
