//! The page: well-formed, with its style inside, no script, and nothing that a browser would have to fetch.

use super::chart::{Chart, Line, stroke};
use super::group::{Group, differences};
use super::pictures::Pictures;
use super::run::{Condition, Run};
use super::statistics::Figure;
use super::tables::Table;
use crate::training::events::Finish;
use crate::words::counted;
use std::collections::BTreeSet;
use std::fmt::Write as _;

const STYLE: &str = include_str!("style.css");

/// Columns beyond which a printed table's headings stand upright, so that it is no wider than the paper.
const WIDE: usize = 8;

/// Text as it stands between tags and in attributes. Control characters, which XML does not allow, become
/// spaces.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A figure as a cell shows it: `71.3 ± 0.8`, or that it was not measured. One too small for so many digits
/// after the point is written with a power of ten: it is not 0.
pub fn cell(figure: Option<Figure>, digits: usize) -> String {
    let rounds_to_zero = |mean: f64| mean != 0.0 && mean.abs() < 0.5 * 0.1f64.powi(digits as i32);
    let number = |value: f64, is_small: bool| {
        if is_small { format!("{value:.1e}") } else { format!("{value:.digits$}") }
    };
    match figure {
        None => "not measured".to_owned(),
        Some(Figure { mean, spread: None, .. }) => number(mean, rounds_to_zero(mean)),
        Some(Figure { mean, spread: Some(spread), .. }) => {
            let is_small = rounds_to_zero(mean);
            format!("{} ± {}", number(mean, is_small), number(spread, is_small))
        }
    }
}

/// The whole page.
pub(super) fn page(groups: &[Group], tables: &[Table], warnings: &[String], pictures: &Pictures) -> String {
    let runs: usize = groups.iter().map(|group| group.runs.len()).sum();
    let title = format!("DualProp: {} compared", counted(runs, "run"));
    let mut text = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" \
         content=\"width=device-width, initial-scale=1\"/>\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\"/>\n<meta name=\"color-scheme\" \
         content=\"light dark\"/>\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n\
         <h1>{title}</h1>\n<p>{}; runs that differ by their seed alone are one. ± is the standard deviation over seeds, n \
         their number.</p>\n",
        counted(groups.len(), "group")
    );
    if !warnings.is_empty() {
        text += "<ul class=\"warnings\">";
        for warning in warnings {
            let _ = write!(text, "<li>{}</li>", escape(warning));
        }
        text += "</ul>\n";
    }
    text += &runs_section(groups);
    text += &differences_section(groups);
    for table in tables {
        text += &table_section(table);
    }
    text += &curves_section(groups);
    text += &pictures.section();
    let version = env!("CARGO_PKG_VERSION");
    let _ = write!(text, "</main>\n<footer>Made by dualprop {version}.</footer>\n</body>\n</html>\n");
    text
}

/// A table that scrolls by itself where it is wider than the screen.
pub(super) fn scrolling(name: &str, table: &str) -> String {
    format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">{table}</div>\n",
        escape(name)
    )
}

fn head(columns: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let cells = columns.into_iter().map(|c| format!("<th scope=\"col\">{}</th>", escape(c.as_ref())));
    format!("<thead><tr>{}</tr></thead>", cells.collect::<String>())
}

/// The groups with their line in the charts and their runs.
fn runs_section(groups: &[Group]) -> String {
    let mut body = String::new();
    for (index, group) in groups.iter().enumerate() {
        let seeds: Vec<String> = group.runs.iter().map(|run| run.config.run.seed.to_string()).collect();
        let steps: BTreeSet<u64> = group.runs.iter().map(|run| run.steps).collect();
        let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
        let ended: BTreeSet<String> = group.runs.iter().map(ending).collect();
        let ended: Vec<String> = ended.into_iter().collect();
        let folders: Vec<String> = group.runs.iter().map(|run| run.dir.display().to_string()).collect();
        let _ = write!(
            body,
            "<tr><th scope=\"row\"><svg class=\"swatch\" viewBox=\"0 0 40 10\" aria-hidden=\"true\"><path {} \
             d=\"M0 5H40\"/></svg> {}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
            stroke(index),
            escape(&group.label),
            group.runs.len(),
            seeds.join(", "),
            steps.join(", "),
            escape(&ended.join("; ")),
            escape(&folders.join(", "))
        );
    }
    let head = head(["group", "n", "seeds", "steps", "ended", "folders"]);
    format!(
        "<h2>Runs</h2>\n{}",
        scrolling("Runs", &format!("<table class=\"words\">{head}<tbody>{body}</tbody></table>"))
    )
}

fn ending(run: &Run) -> String {
    match &run.finish {
        None if !run.is_run => "an evaluated checkpoint".to_owned(),
        Some(Finish::Completed) => "complete".to_owned(),
        Some(Finish::StoppedAndSaved | Finish::Discarded) => "stopped".to_owned(),
        Some(Finish::Failed(reason)) => format!("failed: {reason}"),
        None => "at work or cut off".to_owned(),
    }
}

fn differences_section(groups: &[Group]) -> String {
    let differences = differences(groups);
    if groups.len() < 2 {
        return String::new();
    }
    if differences.is_empty() {
        return "<h2>Differences of configuration</h2>\n<p>None but the seed.</p>\n".to_owned();
    }
    let columns = std::iter::once("key").chain(groups.iter().map(|group| group.label.as_str()));
    let mut body = String::new();
    for difference in &differences {
        let _ = write!(body, "<tr><th scope=\"row\"><code>{}</code></th>", difference.key);
        for value in &difference.values {
            let _ = write!(body, "<td><code>{}</code></td>", escape(value));
        }
        body += "</tr>";
    }
    let table = format!("<table class=\"words\">{}<tbody>{body}</tbody></table>", head(columns));
    format!("<h2>Differences of configuration</h2>\n{}", scrolling("Differences of configuration", &table))
}

fn table_section(table: &Table) -> String {
    let by_domain = table.rows.iter().any(|row| row.domain.is_some());
    let unit = if table.unit.is_empty() { String::new() } else { format!(" ({})", table.unit) };
    let labels = ["group"].into_iter().chain(by_domain.then_some("domain")).map(str::to_owned);
    let columns: Vec<String> =
        labels.chain(table.columns.iter().map(|name| format!("{name}{unit}"))).collect();
    let mut body = String::new();
    let mut last = None;
    for row in &table.rows {
        // A group's name stands once, before the first of its domains.
        let alike = table.rows.iter().filter(|other| other.group == row.group).count();
        body += "<tr>";
        if last != Some(&row.group) {
            let _ = write!(body, "<th scope=\"rowgroup\" rowspan=\"{alike}\">{}</th>", escape(&row.group));
        }
        last = Some(&row.group);
        if let Some(domain) = &row.domain {
            let _ = write!(body, "<th scope=\"row\">{}</th>", escape(domain));
        }
        for figure in &row.cells {
            let class = if figure.is_none() { " class=\"absent\"" } else { "" };
            let n = figure.map_or_else(String::new, |f| format!(" <span class=\"n\">n = {}</span>", f.n));
            let _ = write!(body, "<td{class}>{}{n}</td>", cell(*figure, table.digits));
        }
        body += "</tr>";
    }
    let mut classes: Vec<&str> = Vec::new();
    classes.extend(by_domain.then_some("domains"));
    classes.extend((table.columns.len() > WIDE).then_some("wide"));
    let class = classes.join(" ");
    let html = format!("<table class=\"{class}\">{}<tbody>{body}</tbody></table>", head(columns));
    format!(
        "<h2>{}</h2>\n<p>{}</p>\n{}",
        escape(&table.title),
        escape(&table.caption),
        scrolling(&table.title, &html)
    )
}

fn curves_section(groups: &[Group]) -> String {
    let charts = charts(groups);
    if charts.is_empty() {
        return "<h2>Curves</h2>\n<p>Not measured: no run has finished a step.</p>\n".to_owned();
    }
    let mut text = "<h2>Curves</h2>\n<p>Means over seeds with a band of one standard deviation. Training losses are means \
                    over parts of the run.</p>\n"
        .to_owned();
    text += "<ul class=\"legend\">";
    for (index, group) in groups.iter().enumerate() {
        let _ = write!(
            text,
            "<li><svg class=\"swatch\" viewBox=\"0 0 40 10\" aria-hidden=\"true\"><path {} d=\"M0 5H40\"/></svg> {} \
             (n = {})</li>",
            stroke(index),
            escape(&group.label),
            group.runs.len()
        );
    }
    text += "</ul>\n<div class=\"charts\">\n";
    for chart in charts {
        let title = escape(&chart.title);
        let _ = writeln!(text, "<figure><figcaption>{title}</figcaption>{}</figure>", chart.svg());
    }
    text + "</div>\n"
}

fn charts(groups: &[Group]) -> Vec<Chart> {
    let mut charts = Vec::new();
    let runs = || groups.iter().flat_map(|group| &group.runs);
    let mut branches: Vec<&String> =
        runs().flat_map(|run| run.losses.keys()).collect::<BTreeSet<_>>().into_iter().collect();
    branches.sort_by_key(|name| !name.starts_with("main"));
    for branch in branches {
        let points = |run: &Run| run.losses.get(branch).cloned();
        let lines = lines(groups, points);
        charts.push(Chart {
            title: format!("Training loss, {branch}"),
            x_label: "step",
            y_label: "nats",
            lines,
        });
    }
    let mut conditions: Vec<&Condition> =
        runs().flat_map(|run| run.validations.keys()).collect::<BTreeSet<_>>().into_iter().collect();
    conditions.sort_by_key(|condition| (condition.attack.is_some(), condition.domain != "main"));
    for condition in conditions {
        let points = |run: &Run| {
            let points = run.validations.get(condition)?;
            Some(points.iter().map(|(x, y)| (*x, 100.0 * y)).collect())
        };
        let under = condition.attack.as_ref().map_or_else(String::new, |attack| format!(" under {attack}"));
        charts.push(Chart {
            title: format!("Top-1 on {}{under}, domain {}", condition.split, condition.domain),
            x_label: "step",
            y_label: "%",
            lines: lines(groups, points),
        });
    }
    charts.push(Chart {
        title: "Distance of aux from main by BN layer, from the input".to_owned(),
        x_label: "BN layer",
        y_label: "nats",
        lines: lines(groups, |run| {
            let layers = run.bn_distances.get("aux")?;
            Some(layers.iter().zip(1..).map(|((_, distance), place)| (f64::from(place), *distance)).collect())
        }),
    });
    charts.retain(|chart| !chart.lines.is_empty());
    charts
}

fn lines(groups: &[Group], points: impl Fn(&Run) -> Option<Vec<(f64, f64)>>) -> Vec<Line> {
    let line = |(index, group): (usize, &Group)| {
        let of_runs: Vec<Vec<(f64, f64)>> = group.runs.iter().filter_map(&points).collect();
        let of_runs: Vec<&[(f64, f64)]> = of_runs.iter().map(Vec::as_slice).collect();
        Line::of_runs(index, &group.label, &of_runs)
    };
    groups.iter().enumerate().filter_map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_what_is_missing_and_never_calls_a_small_number_0() {
        let figure = |mean, spread| Some(Figure { mean, spread, n: 2 });
        assert_eq!(cell(None, 1), "not measured");
        assert_eq!(cell(figure(71.25, None), 2), "71.25");
        assert_eq!(cell(figure(71.25, Some(0.04)), 1), "71.2 ± 0.0");
        assert_eq!(cell(figure(5e-5, Some(0.0)), 3), "5.0e-5 ± 0.0e0");
        assert_eq!(cell(figure(0.0, None), 1), "0.0");
    }

    #[test]
    fn markup_becomes_text() {
        assert_eq!(escape("<a href=\"x\">&'\u{1}"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39; ");
    }
}
