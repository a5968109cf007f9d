//! Formatting of numbers for people.

/// Formats a number with about five significant digits, without trailing zeros.
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

/// Formats a whole number with commas between thousands.
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

/// Formats a count with its noun: `one` for a count of 1, else `many`.
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count.into()), if count == 1 { one } else { many })
}

/// Formats a time in seconds: in one unit below about 10 s, else in up to two, such as `2 h 5 min`.
pub fn duration(seconds: f64) -> String {
    if !seconds.is_finite() || seconds < 0.0 {
        return "unknown".to_owned();
    }
    if seconds > 0.0 && seconds < 95e-6 {
        return format!("{} us", number((seconds * 1e7).round() / 10.0));
    }
    if seconds < 0.0095 {
        return format!("{} ms", number((seconds * 1e5).round() / 1e2));
    }
    if seconds < 9.95 {
        let decimals = if seconds < 0.995 { 2 } else { 1 };
        return format!("{seconds:.decimals$} s");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
    let whole = seconds.round() as u64;
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let (mut left, mut text) = (whole, String::new());
    for (index, (size, name)) in units.into_iter().enumerate() {
        if left < size {
            continue;
        }
        text = format!("{} {name}", left / size);
        left %= size;
        if let Some((next, name)) = units.get(index + 1).filter(|(next, _)| left >= *next) {
            text += &format!(" {} {name}", left / next);
        }
        break;
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
        let studies = [0, 1, 1_200].map(|count| counted(count, "study", "studies"));
        assert_eq!(studies, ["0 studies", "1 study", "1,200 studies"]);
        let times =
            [0.0, 3.21e-6, 0.000_25, 0.0095, 0.32, 4.06, 59.6, 200.0, 3_600.0, 93_784.0, 1e7];
        assert_eq!(
            times.map(duration),
            [
                "0 ms",
                "3.2 us",
                "0.25 ms",
                "0.01 s",
                "0.32 s",
                "4.1 s",
                "1 min",
                "3 min 20 s",
                "1 h",
                "1 d 2 h",
                "115 d 17 h"
            ]
        );
    }
}
