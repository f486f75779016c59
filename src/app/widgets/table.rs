//! Tables of text cells, and how they are written: CSV with every digit for programs, Markdown and LaTeX with
//! as many as people read.

use crate::app::format;
use crate::report::escape_markdown;
use std::fmt::Write as _;

/// A table of text cells with a heading row.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    Csv,
    Markdown,
    Latex,
}

impl Table {
    /// A table with its heading row.
    pub fn new<T: AsRef<str>>(headings: impl IntoIterator<Item = T>) -> Self {
        let mut table = Self::default();
        table.row(headings);
        table
    }

    /// Adds a row.
    pub fn row<T: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(|cell| cell.as_ref().to_owned()).collect());
    }

    /// The table as text.
    pub fn text(&self, format: TableFormat) -> String {
        match format {
            TableFormat::Csv => self.csv(),
            TableFormat::Markdown => self.markdown(),
            TableFormat::Latex => self.latex(),
        }
    }

    fn csv(&self) -> String {
        let cell = |cell: &String| match cell.contains([',', '"', '\n', '\r']) {
            true => format!("\"{}\"", cell.replace('"', "\"\"")),
            false => cell.clone(),
        };
        let row = |row: &Vec<String>| row.iter().map(cell).collect::<Vec<_>>().join(",") + "\n";
        self.rows.iter().map(row).collect()
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        let mut line = |cells: Vec<String>| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        };
        for (index, row) in self.rows.iter().enumerate() {
            line(row.iter().map(|cell| escape_markdown(&readable(cell))).collect());
            if index == 0 {
                let rule = |number| if number { "--:".to_owned() } else { "---".to_owned() };
                line(self.are_numbers().into_iter().map(rule).collect());
            }
        }
        text
    }

    /// Rules of `booktabs`, without a float: the reader's document has its own caption.
    fn latex(&self) -> String {
        let columns: String =
            self.are_numbers().into_iter().map(|number| if number { 'r' } else { 'l' }).collect();
        let mut text = format!("% \\usepackage{{booktabs}}\n\\begin{{tabular}}{{{columns}}}\n\\toprule\n");
        for (index, row) in self.rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().map(|cell| escape_latex(&readable(cell))).collect();
            let _ = writeln!(text, "{} \\\\", cells.join(" & "));
            if index == 0 {
                text += "\\midrule\n";
            }
        }
        text + "\\bottomrule\n\\end{tabular}\n"
    }

    /// Which columns hold numbers below their heading.
    fn are_numbers(&self) -> Vec<bool> {
        let columns = self.rows.first().map_or(0, Vec::len);
        let is_number = |cell: &String| {
            let figure = cell.trim_end_matches('%').split(['±', ' ']).next().unwrap_or_default();
            cell.is_empty()
                || cell == "–"
                || figure.replace('−', "-").trim_end_matches('%').parse::<f64>().is_ok()
        };
        let of_column = |column: usize| self.rows.iter().skip(1).filter_map(move |row| row.get(column));
        (0..columns).map(|column| of_column(column).all(is_number)).collect()
    }
}

/// A cell as people read it: of a long fraction three digits.
fn readable(cell: &str) -> String {
    match cell.parse::<f64>() {
        Ok(value) if cell.contains(['.', 'e']) && value.is_finite() => format::significant(value),
        _ => cell.to_owned(),
    }
}

fn escape_latex(words: &str) -> String {
    let mut text = String::with_capacity(words.len());
    for c in words.chars() {
        match c {
            '\\' => text += "\\textbackslash{}",
            '~' => text += "\\textasciitilde{}",
            '^' => text += "\\textasciicircum{}",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => text.extend(['\\', c]),
            'ε' => text += "$\\epsilon$",
            'γ' => text += "$\\gamma$",
            'β' => text += "$\\beta$",
            '±' => text += "$\\pm$",
            '−' => text += "$-$",
            '–' => text += "--",
            '\u{202f}' => text += "\\,",
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["class", "images", "right (%)"]);
        table.row(["cat, \"tame\"", "3", "33.333332"]);
        table.row(["dog_|x", "1200", ""]);
        table
    }

    #[test]
    fn programs_get_every_digit() {
        assert_eq!(
            table().text(TableFormat::Csv),
            "class,images,right (%)\n\"cat, \"\"tame\"\"\",3,33.333332\ndog_|x,1200,\n"
        );
    }

    #[test]
    fn people_get_three_digits_and_no_accident_of_the_markup() {
        let markdown = table().text(TableFormat::Markdown);
        assert_eq!(
            markdown,
            "| class | images | right (%) |\n| --- | --: | --: |\n| cat, \"tame\" | 3 | 33.3 |\n| dog\\_\\|x | 1200 |  |\n"
        );
        let latex = table().text(TableFormat::Latex);
        assert!(latex.contains("\\begin{tabular}{lrr}"), "{latex}");
        assert!(latex.contains("class & images & right (\\%) \\\\\n\\midrule\n"), "{latex}");
        assert!(latex.contains("dog\\_|x & 1200 &  \\\\\n\\bottomrule"), "{latex}");
    }
}
