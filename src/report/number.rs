//! Numbers for people.

/// A number with about five significant digits, without needless zeros.
pub fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..9.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 8")]
    let decimals = (4.0 - magnitude).clamp(0.0, 8.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A whole number with its thousands set apart.
pub fn grouped(value: u128) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_right() {
        let shown = [0.0, 0.7348, 61.279_345, 1234.5678, -0.000_123_45, 1e12, 5.0, 123_456.0];
        let texts = shown.map(number);
        assert_eq!(
            texts,
            ["0", "0.7348", "61.279", "1234.6", "-0.00012345", "1.000e12", "5", "123456"]
        );
        assert_eq!(grouped(3_660_111_360), "3,660,111,360");
        assert_eq!(grouped(12), "12");
    }
}
