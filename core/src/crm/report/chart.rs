//! A report as a bar chart in SVG: groups of bars over labels, a vertical axis, a legend.
//!
//! Needs no font files: texts are SVG texts, which the reader's own fonts draw; only their width is estimated.

use plotters::backend::SVGBackend;
use plotters::chart::{ChartBuilder, SeriesLabelPosition};
use plotters::drawing::IntoDrawingArea;
use plotters::element::{Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::Cell;
use crate::error::{Error, Result};
use crate::message::{Language, Message};

const WIDTH: u32 = 960;
const HEIGHT: u32 = 540;
/// Groups with bars of their own; the others are drawn as one.
const SERIES_MAX: usize = 8;
/// Numbers on the vertical axis.
const TICKS_MAX: usize = 8;
/// Labels that fit side by side; of more, some are left out.
const LABELS_MAX: usize = 16;

/// Colours that people with common colour blindness tell apart (Okabe and Ito), the last for the others.
const COLOURS: [RGBColor; SERIES_MAX + 1] = [
    RGBColor(0, 114, 178),
    RGBColor(230, 159, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(213, 94, 0),
    RGBColor(240, 228, 66),
    RGBColor(90, 90, 90),
    RGBColor(190, 190, 190),
];

/// Bars of one colour.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    pub name: Cell,
    /// One value for each label of the chart.
    pub values: Vec<f64>,
}

/// What is drawn. See the [module](self).
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chart {
    labels: Vec<Cell>,
    series: Vec<Series>,
    axis: Message,
}

impl Chart {
    /// A chart of these bars; `axis` names the vertical axis.
    pub(super) fn new(labels: Vec<Cell>, mut series: Vec<Series>, axis: Message) -> Self {
        let total = |series: &Series| series.values.iter().sum::<f64>();
        if series.len() > SERIES_MAX {
            series.sort_by(|a, b| total(b).total_cmp(&total(a)));
            let others = series.split_off(SERIES_MAX);
            let mut values = vec![0.0; labels.len()];
            for other in &others {
                values.iter_mut().zip(&other.values).for_each(|(sum, value)| *sum += value);
            }
            let message = Message::new("report-others").with("count", others.len());
            let name = Cell::Choice { value: "others".into(), labels: Language::ALL.map(|l| message.render(l)) };
            series.push(Series { name, values });
        }
        Self { labels, series, axis }
    }

    /// The chart as an SVG document; `figure` writes a whole number of the axis.
    pub(super) fn svg(&self, title: &str, language: Language, figure: &dyn Fn(&str) -> String) -> Result<String> {
        let mut svg = String::new();
        self.draw(&mut svg, title, language, figure)
            .map_err(|e| Error::invalid("report-chart").with("reason", e.to_string()))?;
        Ok(svg)
    }

    fn draw(
        &self,
        svg: &mut String,
        title: &str,
        language: Language,
        figure: &dyn Fn(&str) -> String,
    ) -> std::result::Result<(), Box<dyn std::error::Error>> {
        let root = SVGBackend::with_string(svg, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&plotters::style::WHITE)?;
        let values = self.series.iter().flat_map(|s| s.values.iter().copied());
        let top = values.fold(1.0f64, f64::max) * 1.08;
        let across = self.labels.len().max(1) as f64;
        let mut chart = ChartBuilder::on(&root)
            .caption(title, ("sans-serif", 24))
            .margin(16)
            .x_label_area_size(48)
            .y_label_area_size(84)
            .build_cartesian_2d(0f64..across, 0f64..top)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .disable_x_axis()
            .light_line_style(plotters::style::TRANSPARENT)
            .bold_line_style(RGBColor(225, 225, 225))
            .axis_style(RGBColor(120, 120, 120))
            // No more than there are whole numbers up to the top, so that each is one.
            .y_labels(TICKS_MAX.min(top as usize + 1))
            .y_label_formatter(&|value| figure(&format!("{value:.0}")))
            .y_desc(self.axis.render(language))
            .label_style(("sans-serif", 14))
            .draw()?;
        let slot = 0.8 / self.series.len().max(1) as f64;
        for (n, (series, colour)) in self.series.iter().zip(COLOURS.iter().cycle()).enumerate() {
            let style: ShapeStyle = colour.filled();
            let bars = series.values.iter().enumerate().map(|(at, value)| {
                let left = at as f64 + 0.1 + n as f64 * slot;
                Rectangle::new([(left, 0.0), (left + slot * 0.92, *value)], style)
            });
            let drawn = chart.draw_series(bars)?;
            if self.series.len() > 1 {
                let name = shortened(&series.name.text(language));
                drawn.label(name).legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 14, y + 5)], style));
            }
        }
        let anchor = Pos::new(HPos::Center, VPos::Top);
        let style = TextStyle::from(("sans-serif", 14).into_font()).pos(anchor);
        let skip = self.labels.len().div_ceil(LABELS_MAX).max(1);
        for (at, label) in self.labels.iter().enumerate().step_by(skip) {
            let (x, y) = chart.backend_coord(&(at as f64 + 0.5, 0.0));
            root.draw(&Text::new(shortened(&label.text(language)), (x, y + 8), style.clone()))?;
        }
        if self.series.len() > 1 {
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperRight)
                .background_style(plotters::style::WHITE.mix(0.85))
                .border_style(RGBColor(200, 200, 200))
                .label_font(("sans-serif", 14))
                .draw()?;
        }
        root.present()?;
        Ok(())
    }
}

fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 24;
    match text.char_indices().nth(CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None if text.is_empty() => "–".to_owned(),
        None => text.to_owned(),
    }
}

/// A whole number with thin spaces between thousands.
pub(super) fn grouped(digits: &str) -> String {
    let mut out = String::with_capacity(digits.len() + 4);
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_owned())
    }

    fn series(name: &str, values: &[f64]) -> Series {
        Series { name: text(name), values: values.to_vec() }
    }

    #[test]
    fn a_chart_has_its_title_labels_legend_and_a_bar_for_each_value() {
        let labels = vec![text("Новая"), text("Выиграна")];
        let chart = Chart::new(
            labels,
            vec![series("Київ", &[1.0, 2.0]), series("<b>", &[3.0, 4.0])],
            Message::new("report-count"),
        );
        let svg = chart.svg("Воронка", Language::Ru, &grouped).unwrap();
        for part in ["<svg", "Воронка", "Новая", "Выиграна", "Київ", "&lt;b&gt;", "</svg>"] {
            assert!(svg.contains(part), "{part}");
        }
        let bars = svg.matches("#0072B2").count() + svg.matches("#E69F00").count();
        assert_eq!(bars, 4 + 2, "four bars and two legend marks");
    }

    #[test]
    fn many_groups_are_drawn_as_the_largest_and_the_others() {
        let many: Vec<Series> = (0..20).map(|n| series(&n.to_string(), &[f64::from(n)])).collect();
        let chart = Chart::new(vec![text("x")], many, Message::new("report-count"));
        assert_eq!(chart.series.len(), SERIES_MAX + 1);
        assert_eq!(chart.series[0].name, text("19"));
        assert_eq!(chart.series[SERIES_MAX].values, [(0..12).map(f64::from).sum::<f64>()]);
    }

    #[test]
    fn an_empty_report_is_an_empty_chart() {
        let svg = Chart::new(vec![], vec![], Message::new("report-count")).svg("–", Language::En, &grouped).unwrap();
        assert!(svg.ends_with("</svg>\n") || svg.ends_with("</svg>"), "{}", &svg[svg.len() - 20..]);
    }

    #[test]
    fn thousands_are_parted() {
        assert_eq!(grouped("1234567"), "1\u{202f}234\u{202f}567");
        assert_eq!(grouped("12"), "12");
    }

    #[test]
    fn the_numbers_of_the_axis_are_whole_and_each_stands_once() {
        for highest in (1..=40).chain([100, 999, 4238, 1_000_000]) {
            let chart =
                Chart::new(vec![text("x")], vec![series("y", &[f64::from(highest)])], Message::new("report-count"));
            let drawn = std::cell::RefCell::new(Vec::new());
            let keep = |digits: &str| {
                drawn.borrow_mut().push(digits.to_owned());
                format!("[{digits}]")
            };
            let svg = chart.svg("–", Language::En, &keep).unwrap();
            let ticks: std::collections::BTreeSet<String> = drawn.into_inner().into_iter().collect();
            assert!((2..=TICKS_MAX).contains(&ticks.len()), "{highest}: {ticks:?}");
            for tick in ticks {
                assert_eq!(svg.matches(&format!("[{tick}]")).count(), 1, "{highest}: {tick}");
            }
        }
    }
}
