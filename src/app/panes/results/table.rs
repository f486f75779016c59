//! What of a measurement is exported: a table of what is on screen.

use super::Detail;
use crate::app::panes::Names;
use crate::app::widgets::table::Table;
use crate::session::inspect::MeasuredView;

/// The table of a detail of a view.
pub(super) fn of(names: Names<'_>, view: &MeasuredView, detail: Detail) -> Table {
    let confusion = &view.confusion;
    let classes: Vec<String> = (0..confusion.classes).map(|class| names.class(class)).collect();
    match detail {
        Detail::Confusion => {
            let heading = std::iter::once("true \\ predicted").chain(classes.iter().map(String::as_str));
            let mut table = Table::new(heading);
            for (class, name) in classes.iter().enumerate() {
                let counts = (0..confusion.classes).map(|column| confusion.count(class, column).to_string());
                table.row(std::iter::once(name.clone()).chain(counts));
            }
            table
        }
        Detail::Mistakes => {
            let mut table = Table::new(["class", "taken for", "images", "of the class's images (%)"]);
            for (label, predicted, count) in confusion.mistakes() {
                let share = 100.0 * count as f32 / confusion.of_class(label).0 as f32;
                let [label, predicted] = [label, predicted].map(|class| names.class(class));
                table.row([label, predicted, count.to_string(), share.to_string()]);
            }
            table
        }
        Detail::Classes => {
            let mut table = Table::new(["class", "images", "recognised (%)", "precision (%)"]);
            for (class, name) in classes.into_iter().enumerate() {
                let (images, recall) = confusion.of_class(class);
                // A class without images has no share.
                let percent =
                    |share: f32| if share.is_finite() { (100.0 * share).to_string() } else { String::new() };
                let precision = percent(confusion.precision(class));
                table.row([name, images.to_string(), percent(recall), precision]);
            }
            table
        }
        Detail::Worst => {
            let mut table = Table::new(["image", "class", "loss (nats)", "predicted", "probability"]);
            for example in &confusion.worst {
                let first = example.guesses.first();
                table.row([
                    example.name.clone(),
                    names.class(example.label),
                    example.loss.to_string(),
                    first.map_or_else(String::new, |guess| names.class(guess.class)),
                    first.map_or_else(String::new, |guess| guess.p.to_string()),
                ]);
            }
            table
        }
    }
}
