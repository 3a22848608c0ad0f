//! The totals of a report in the text format of OpenMetrics 1.0.

use weir_report::model::{Latency, LatencyFigure};

use super::metrics::{self, Labels, Points, Quantity};
use crate::openmetrics::{Text, in_base_units};
use crate::report::Subject;
use crate::units::Unit;

/// The text.
pub fn text(subject: &Subject<'_>) -> String {
    let mut text = Text::default();
    for metric in metrics::of(subject) {
        let name = metric.name.replace('.', "_");
        match metric.points {
            Points::Gauge(quantity, value) => {
                text.family(&name, "gauge", metric.help);
                text.sample(&name, &[], &in_unit(value, quantity));
            }
            Points::Counters(quantity, points) => {
                text.family(&name, "counter", metric.help);
                let sample = format!("{name}_total");
                for (labels, value) in points {
                    text.sample(&sample, &labels, &in_unit(value.into(), quantity));
                }
            }
            Points::Latencies(points) => {
                text.family(&name, "summary", metric.help);
                for (labels, latency) in points {
                    summary(&mut text, &name, &labels, latency);
                }
            }
        }
    }
    text.finish()
}

fn summary(text: &mut Text, name: &str, labels: &Labels<'_>, latency: &Latency) {
    let quantiles: [(&str, LatencyFigure); 4] = [
        ("0.5", |of| of.p50_ns),
        ("0.9", |of| of.p90_ns),
        ("0.99", |of| of.p99_ns),
        ("0.999", |of| of.p99_9_ns),
    ];
    let seconds = |ns: u64| in_unit(ns.into(), Quantity::Time);
    for (quantile, figure) in quantiles {
        let Some(ns) = latency.of_histogram(figure) else {
            continue;
        };
        let labels = [labels.as_slice(), &[("quantile", quantile)]].concat();
        text.sample(name, &labels, &seconds(ns));
    }
    let sample = |what: &str| format!("{name}_{what}");
    text.sample(&sample("count"), labels, &latency.timed.to_string());
    text.sample(&sample("sum"), labels, &seconds(latency.total_ns));
}

fn in_unit(number: i128, quantity: Quantity) -> String {
    let unit = match quantity {
        Quantity::Time => Unit::Time,
        Quantity::Bytes => Unit::Bytes,
        Quantity::Calls | Quantity::Blocks | Quantity::Processes => Unit::Count,
    };
    in_base_units(number, unit)
}
