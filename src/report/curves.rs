//! Drawings of a study: rewards by step, and scatter plots.

use plotters::prelude::*;

use super::figure::{FigureError, label, legend, range};
use super::number::number;

const SIZE: (u32, u32) = (960, 540);

/// Colors that can be told apart with any color vision (Okabe and Ito).
const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(60, 60, 60),
];

const LIGHT: RGBColor = RGBColor(240, 240, 240);
const BOLD: RGBColor = RGBColor(215, 215, 215);
const FRONTIER: RGBColor = RGBColor(170, 170, 170);

fn color(index: usize) -> RGBColor {
    COLORS[index % COLORS.len()]
}

/// A curve with a band around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name in the legend.
    pub name: String,
    /// By ascending step.
    pub points: Vec<CurvePoint>,
}

/// The quartiles at a step; minus infinity is below the drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CurvePoint {
    /// The step.
    pub step: u64,
    /// The lower quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub high: f64,
}

/// Draws curves as SVG over a logarithmic axis of steps, with horizontal lines of given names and heights.
///
/// The vertical axis spans the lines and the quartiles after the first hundredth of the steps.
///
/// # Errors
/// There is nothing to draw, or the drawing fails.
pub fn curves(
    title: &str,
    y_label: &str,
    curves: &[Curve],
    lines: &[(String, f64)],
) -> Result<String, FigureError> {
    let last = curves.iter().filter_map(|c| c.points.last()).map(|p| p.step).max().unwrap_or(0);
    let settled = |point: &&CurvePoint| point.step * 100 >= last;
    let values = curves.iter().flat_map(|curve| {
        curve
            .points
            .iter()
            .filter(settled)
            .flat_map(|p| [p.low, p.median, p.high])
            .chain(curve.points.last().map(|point| point.high))
    });
    let heights = values.chain(lines.iter().map(|line| line.1)).filter(|value| value.is_finite());
    let (low, high) = range(heights);
    if last == 0 || low > high {
        return Err(FigureError::Empty);
    }
    let margin = (high - low).max(1e-6) * 0.05;
    let mut text = String::new();
    let frame = Frame { title, y_label, low: low - margin, high: high + margin, last };
    draw_curves(&frame, curves, lines, &mut text)
        .map_err(|error| FigureError::Draw(error.to_string()))?;
    Ok(text)
}

/// The frame of a drawing over steps.
struct Frame<'a> {
    title: &'a str,
    y_label: &'a str,
    /// The lowest and the highest value that is drawn.
    low: f64,
    high: f64,
    /// The last step.
    last: u64,
}

fn draw_curves(
    frame: &Frame<'_>,
    curves: &[Curve],
    lines: &[(String, f64)],
    text: &mut String,
) -> Result<(), Box<dyn std::error::Error>> {
    let Frame { title, y_label, low, high, last } = *frame;
    let end = (last as f64).max(2.0);
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .margin_right(32)
        .x_label_area_size(48)
        .y_label_area_size(76)
        .build_cartesian_2d((1.0..end).log_scale(), low..high)?;
    chart
        .configure_mesh()
        .x_desc("step")
        .y_desc(y_label)
        .axis_desc_style(("sans-serif", 16))
        .label_style(("sans-serif", 13))
        .light_line_style(LIGHT)
        .bold_line_style(BOLD)
        .x_label_formatter(&|value| number(*value))
        .y_label_formatter(&|value| number(*value))
        .draw()?;
    let inside = |value: f64| value.clamp(low, high);
    for (index, curve) in curves.iter().enumerate() {
        let fill = color(index);
        let steps = stairs(&curve.points);
        let seen = || steps.iter().filter(|(_, point)| point.high > f64::NEG_INFINITY);
        let upper = seen().map(|(step, point)| (*step, inside(point.high)));
        let lower = seen().rev().map(|(step, point)| (*step, inside(point.low)));
        let band: Vec<(f64, f64)> = upper.chain(lower).collect();
        if band.len() > 2 {
            chart.draw_series([Polygon::new(band, fill.mix(0.18).filled())])?;
        }
        let median = steps.iter().filter(|(_, point)| point.median > f64::NEG_INFINITY);
        let median: Vec<_> = median.map(|(step, point)| (*step, inside(point.median))).collect();
        chart
            .draw_series(LineSeries::new(median, fill.stroke_width(2)))?
            .label(&curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], fill.stroke_width(2)));
    }
    for (index, (name, height)) in lines.iter().enumerate() {
        let style = if index == 0 { BLACK.stroke_width(1) } else { FRONTIER.stroke_width(1) };
        chart
            .draw_series(DashedLineSeries::new([(1.0, *height), (end, *height)], 6, 4, style))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    legend(&mut chart)?;
    root.present()?;
    Ok(())
}

/// The corners of the steps of a curve: a value holds until the next point.
fn stairs(points: &[CurvePoint]) -> Vec<(f64, CurvePoint)> {
    let mut corners: Vec<(f64, CurvePoint)> = Vec::with_capacity(2 * points.len());
    for point in points {
        let step = (point.step as f64).max(1.0);
        if let Some(&(_, before)) = corners.last() {
            corners.push((step, before));
        }
        corners.push((step, *point));
    }
    corners
}

/// Points that share a mark.
#[derive(Clone, Debug, PartialEq)]
pub struct Marks {
    /// Their name in the legend.
    pub name: String,
    /// The index of their color; `None` is the gray of the background.
    pub color: Option<usize>,
    /// True for large triangles, false for small circles.
    pub large: bool,
    /// The values of x and y.
    pub points: Vec<(f64, f64)>,
}

/// Draws points as SVG, one metric against another; the horizontal axis is logarithmic if it spans
/// more than a factor of ten.
///
/// `note` qualifies the vertical axis, for example as predicted.
///
/// # Errors
/// There are no points, or the drawing fails.
pub fn scatter(
    title: &str,
    (x, y): (&str, &str),
    note: &str,
    marks: &[Marks],
) -> Result<String, FigureError> {
    let mut text = String::new();
    let points = || marks.iter().flat_map(|marks| &marks.points);
    if points().next().is_none() {
        return Err(FigureError::Empty);
    }
    let is_accuracy = |metric: &str| metric == "accuracy";
    let drawn = if is_accuracy(x) { label(x, note) } else { label(x, "") };
    let up = if is_accuracy(y) { label(y, note) } else { label(y, "") };
    draw_scatter(title, &drawn, &up, marks, &mut text)
        .map_err(|error| FigureError::Draw(error.to_string()))?;
    Ok(text)
}

fn draw_scatter(
    title: &str,
    (x_label, x_factor): &(String, f64),
    (y_label, y_factor): &(String, f64),
    marks: &[Marks],
    text: &mut String,
) -> Result<(), Box<dyn std::error::Error>> {
    let points = || marks.iter().flat_map(|marks| &marks.points);
    let (left, right) = range(points().map(|point| point.0 * x_factor));
    let (low, high) = range(points().map(|point| point.1 * y_factor));
    let logarithmic = left > 0.0 && right / left > 10.0;
    // A logarithmic axis is drawn as a linear one of logarithms.
    let place = |value: f64| if logarithmic { value.log10() } else { value };
    let (left, right) = (place(left), place(right));
    let (wide, tall) = ((right - left).max(1e-9) * 0.03, (high - low).max(1e-9) * 0.04);
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&root)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .margin_right(32)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(left - wide..right + wide, low - tall..high + tall)?;
    chart
        .configure_mesh()
        .x_desc(x_label)
        .y_desc(y_label)
        .axis_desc_style(("sans-serif", 16))
        .label_style(("sans-serif", 13))
        .light_line_style(LIGHT)
        .bold_line_style(BOLD)
        .x_label_formatter(&|value| {
            number(if logarithmic { rounded(10f64.powf(*value)) } else { *value })
        })
        .draw()?;
    for marks in marks {
        let fill = marks.color.map_or(FRONTIER, color);
        let at = |point: &(f64, f64)| (place(point.0 * x_factor), point.1 * y_factor);
        if marks.large {
            let rim = |point| TriangleMarker::new(at(point), 6, BLACK.filled());
            let mark = |point| TriangleMarker::new(at(point), 4, fill.filled());
            chart.draw_series(marks.points.iter().map(rim))?;
            chart
                .draw_series(marks.points.iter().map(mark))?
                .label(&marks.name)
                .legend(move |(x, y)| TriangleMarker::new((x + 8, y), 6, fill.filled()));
        } else {
            let mark = |point| Circle::new(at(point), 2, fill.filled());
            chart
                .draw_series(marks.points.iter().map(mark))?
                .label(&marks.name)
                .legend(move |(x, y)| Circle::new((x + 8, y), 4, fill.filled()));
        }
    }
    legend(&mut chart)?;
    root.present()?;
    Ok(())
}

/// Rounds a positive number to three significant digits, as ticks within a decade are not round.
fn rounded(value: f64) -> f64 {
    let scale = 10f64.powf(2.0 - value.log10().floor());
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: f64 = f64::NEG_INFINITY;

    #[test]
    fn curves_have_bands_lines_and_a_legend() {
        let point = |step, low, median, high| CurvePoint { step, low, median, high };
        let points =
            vec![point(1, NONE, NONE, 0.2), point(10, NONE, 0.4, 0.5), point(100, 0.5, 0.6, 0.7)];
        let late =
            Curve { name: "a <late> one".into(), points: vec![point(100, NONE, NONE, NONE)] };
        let drawn = [Curve { name: "combined".into(), points }, late];
        let text = curves("s & t", "reward", &drawn, &[("best".into(), 0.8)]).unwrap();
        for part in ["<svg", "combined", "a &lt;late&gt; one", "s &amp; t", "best", "<polygon"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        let nothing = curves("", "reward", &drawn[1..], &[]).unwrap_err();
        assert_eq!(nothing.to_string(), "there are no points to draw");
    }

    #[test]
    fn points_have_their_own_marks() {
        let marks = [
            Marks {
                name: "all".into(),
                color: None,
                large: false,
                points: vec![(1.0, 0.9), (50.0, 0.95)],
            },
            Marks { name: "best".into(), color: Some(1), large: true, points: vec![(2.0, 0.93)] },
        ];
        let text = scatter("t", ("latency_ms", "accuracy"), "predicted", &marks).unwrap();
        for part in ["latency (ms)", "accuracy (%), predicted", "all", "best", "<polygon"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(scatter("t", ("a", "b"), "", &[]).is_err());
    }
}
