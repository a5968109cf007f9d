//! Trials as a scatter plot.

use plotters::coord::{CoordTranslate, Shift};
use plotters::prelude::*;

/// The metrics that a figure shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axes {
    /// The metric of the horizontal axis, which is logarithmic.
    pub x: String,
    /// The metric of the vertical axis, which is linear.
    pub y: String,
    /// The metric that is shown as color.
    pub color: String,
}

/// Points that share a mark.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its name in the legend.
    pub name: String,
    /// The values of x, y and color.
    pub points: Vec<[f64; 3]>,
}

/// Reasons that a figure cannot be drawn.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// There are no points.
    #[error("there are no points to draw")]
    Empty,
    /// A value on the logarithmic axis is not positive.
    #[error("{metric} is {value}, and its axis is logarithmic")]
    NotPositive {
        /// The metric.
        metric: String,
        /// Its value.
        value: f64,
    },
    /// The drawing failed.
    #[error("cannot draw: {0}")]
    Draw(String),
}

const SIZE: (u32, u32) = (960, 640);
const BAR: u32 = 130;
/// The number of steps of the color bar.
const STEPS: u32 = 64;

/// The label of a metric's axis, with unit and note, and the factor for its values.
pub(super) fn label(metric: &str, note: &str) -> (String, f64) {
    let (text, factor) = if metric == "accuracy" {
        ("accuracy (%)".to_owned(), 100.0)
    } else if metric == "img_s_cm2" {
        ("performance per area (img/s/cm\u{b2})".to_owned(), 1.0)
    } else if let Some(name) = metric.strip_suffix("_mm2") {
        (format!("{name} (mm\u{b2})"), 1.0)
    } else {
        match metric.rsplit_once('_') {
            Some((name, unit @ ("ms" | "us" | "mj" | "mhz"))) => (format!("{name} ({unit})"), 1.0),
            _ => (metric.to_owned(), 1.0),
        }
    };
    (if note.is_empty() { text } else { format!("{text}, {note}") }, factor)
}

/// The lowest and the highest of some values.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

/// Draws a legend of the series into the lower right corner.
pub(super) fn legend<'a, CT: CoordTranslate>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, CT>,
) -> Result<(), Box<dyn std::error::Error>> {
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font(("sans-serif", 14))
        .draw()?;
    Ok(())
}

/// Draws points as SVG: x logarithmically, y linearly, the third value as color. The first series has
/// circles, the others have triangles.
///
/// `note` qualifies the vertical axis, for example as predicted.
///
/// # Errors
/// There are no points, a value on the logarithmic axis is not positive, or the drawing fails.
pub fn figure(
    title: &str,
    axes: &Axes,
    note: &str,
    series: &[Series],
) -> Result<String, FigureError> {
    let all = || series.iter().flat_map(|series| &series.points);
    if all().next().is_none() {
        return Err(FigureError::Empty);
    }
    if let Some(point) = all().find(|point| point[0] <= 0.0) {
        return Err(FigureError::NotPositive { metric: axes.x.clone(), value: point[0] });
    }
    let mut text = String::new();
    draw(title, axes, note, series, &mut text)
        .map_err(|error| FigureError::Draw(error.to_string()))?;
    Ok(text)
}

/// A metric along an axis or as color: its name with the unit, the factor to that unit, and the range of its
/// values.
struct Scale {
    label: String,
    factor: f64,
    low: f64,
    high: f64,
}

impl Scale {
    /// The scale of the values at `index` of all points.
    fn of(metric: &str, note: &str, series: &[Series], index: usize) -> Self {
        let (label, factor) = label(metric, note);
        let points = series.iter().flat_map(|series| &series.points);
        let (low, high) = range(points.map(|point| point[index] * factor));
        Self { label, factor, low, high }
    }

    /// The color of a value, by its place in the range.
    fn color(&self, value: f64) -> RGBColor {
        let span = self.high - self.low;
        let share = if span > 0.0 { (value * self.factor - self.low) / span } else { 0.5 };
        ViridisRGB.get_color(share.clamp(0.0, 1.0))
    }
}

/// The part of a figure that `draw` fills, and its error.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn std::error::Error>>;

fn draw(title: &str, axes: &Axes, note: &str, series: &[Series], text: &mut String) -> Drawn {
    let x = Scale::of(&axes.x, "", series, 0);
    let y = Scale::of(&axes.y, note, series, 1);
    let color = Scale::of(&axes.color, "", series, 2);
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(SIZE.0 - BAR);
    draw_points(&left, title, [&x, &y, &color], series)?;
    draw_color_bar(&right, &color)?;
    root.present()?;
    Ok(())
}

/// Draws the axes, the points and the legend; the scales are those of x, y and color.
fn draw_points(
    area: &Area<'_>,
    title: &str,
    [x, y, color]: [&Scale; 3],
    series: &[Series],
) -> Drawn {
    let margin = (y.high - y.low).max(1e-9) * 0.04;
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(
            (x.low * 0.9..x.high * 1.1).log_scale(),
            y.low - margin..y.high + margin,
        )?;
    chart
        .configure_mesh()
        .x_desc(x.label.as_str())
        .y_desc(y.label.as_str())
        .axis_desc_style(("sans-serif", 16))
        .label_style(("sans-serif", 13))
        .light_line_style(RGBColor(240, 240, 240))
        .bold_line_style(RGBColor(215, 215, 215))
        .x_label_formatter(&|value| super::number(*value))
        .draw()?;
    let place = |point: &[f64; 3]| (point[0] * x.factor, point[1] * y.factor);
    for (index, series) in series.iter().enumerate() {
        let name = format!("{} ({} points)", series.name, series.points.len());
        if index == 0 {
            let mark =
                |point: &[f64; 3]| Circle::new(place(point), 3, color.color(point[2]).filled());
            chart
                .draw_series(series.points.iter().map(mark))?
                .label(name)
                .legend(|(x, y)| Circle::new((x + 8, y), 4, RGBColor(70, 70, 70).filled()));
        } else {
            // A dark rim sets the triangles apart from the circles below them.
            let rim = |point: &[f64; 3]| TriangleMarker::new(place(point), 8, BLACK.filled());
            let mark = |point: &[f64; 3]| {
                TriangleMarker::new(place(point), 5, color.color(point[2]).filled())
            };
            chart
                .draw_series(series.points.iter().map(rim))?
                .label(name)
                .legend(|(x, y)| TriangleMarker::new((x + 8, y), 6, RGBColor(70, 70, 70).filled()));
            chart.draw_series(series.points.iter().map(mark))?;
        }
    }
    legend(&mut chart)
}

/// Draws the bar that shows which value a color stands for.
fn draw_color_bar(area: &Area<'_>, scale: &Scale) -> Drawn {
    let (top, height, start) = (70, 440, 16);
    let step = |index: u32| top + height - (height * index as i32) / STEPS as i32;
    for index in 0..STEPS {
        let fill = ViridisRGB.get_color(f64::from(index) / f64::from(STEPS - 1));
        let corners = [(start, step(index + 1)), (start + 22, step(index))];
        area.draw(&Rectangle::new(corners, fill.filled()))?;
    }
    let font = ("sans-serif", 13).into_font().color(&BLACK);
    for quarter in 0..=4 {
        let value = scale.low + (scale.high - scale.low) * f64::from(quarter) / 4.0;
        let y = top + height - height * quarter / 4 - 6;
        area.draw(&Text::new(super::number(value), (start + 28, y), font.clone()))?;
    }
    let font = ("sans-serif", 14).into_font().color(&BLACK);
    area.draw(&Text::new(scale.label.as_str(), (start - 4, top - 28), font))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> Axes {
        Axes { x: "latency_ms".into(), y: "accuracy".into(), color: "area_mm2".into() }
    }

    #[test]
    fn a_figure_has_axes_with_units_a_legend_and_all_points() {
        let points = vec![[1.5, 0.92, 60.0], [30.0, 0.94, 300.0], [200.0, 0.941, 100.0]];
        let series = [
            Series { name: "sweep-1".into(), points },
            Series { name: "run-1".into(), points: vec![[3.0, 0.91, 80.0]] },
        ];
        let text = figure("Frontier", &axes(), "predicted", &series).unwrap();
        for part in [
            "<svg",
            "latency (ms)",
            "accuracy (%), predicted",
            "area (mm\u{b2})",
            "sweep-1 (3 points)",
            "run-1 (1 points)",
            "Frontier",
        ] {
            assert!(text.contains(part), "{part}");
        }
        // One circle for each point of the first series, one in the legend.
        assert_eq!(text.matches("<circle").count(), 4);
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        let of = |points: Vec<[f64; 3]>| {
            let series = [Series { name: "x".into(), points }];
            figure("", &axes(), "", &series).unwrap_err().to_string()
        };
        assert_eq!(of(vec![]), "there are no points to draw");
        assert_eq!(of(vec![[0.0, 1.0, 1.0]]), "latency_ms is 0, and its axis is logarithmic");
    }
}
