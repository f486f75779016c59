//! Runs of one name, told apart by as little of their folders' paths as does it.

use super::ListedRun;
use std::collections::HashMap;
use std::path::Component;
use std::sync::Arc;

/// Gives each run that shares its name the shortest end of its path that no other run of the name has, and
/// takes from the others what they had.
pub(super) fn tell_apart(listed: &mut [Arc<ListedRun>]) {
    let mut alike: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, run) in listed.iter().enumerate() {
        alike.entry(run.name.clone()).or_default().push(index);
    }
    let mut places = vec![String::new(); listed.len()];
    for runs in alike.into_values().filter(|runs| runs.len() > 1) {
        let paths: Vec<Vec<String>> = runs.iter().map(|index| path(&listed[*index])).collect();
        let longest = paths.iter().map(Vec::len).max().unwrap_or(0);
        let mut left: Vec<usize> = (0..runs.len()).collect();
        for parts in 1..=longest {
            let end = |run: usize| paths[run][paths[run].len().saturating_sub(parts)..].join("/");
            let label = |run: usize| listed[runs[run]].label_with(&end(run));
            let mut counts: HashMap<String, usize> = HashMap::new();
            (0..runs.len()).for_each(|run| *counts.entry(label(run)).or_default() += 1);
            left.retain(|run| {
                let is_alone = counts.get(&label(*run)) == Some(&1);
                if is_alone || parts == longest {
                    places[runs[*run]] = end(*run);
                }
                !is_alone
            });
        }
    }
    for (run, place) in listed.iter_mut().zip(places) {
        if run.place != place {
            Arc::make_mut(run).place = place;
        }
    }
}

/// The parts of the path that a label does not have yet: all but the folder's own name, which is with them
/// where the user has given another.
fn path(run: &ListedRun) -> Vec<String> {
    let is_renamed = !run.notes.name.is_empty();
    let within = if is_renamed { Some(run.dir.as_path()) } else { run.dir.parent() };
    let parts = within.into_iter().flat_map(|path| path.components());
    let named = parts.filter_map(|part| match part {
        Component::RootDir | Component::CurDir => None,
        part => Some(part.as_os_str().to_string_lossy().into_owned()),
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::model::runs::tests::run;

    #[test]
    fn runs_of_one_name_get_as_much_of_their_path_as_tells_them_apart() {
        let of = |dir: &str, name: &str| {
            let mut made = run(dir, "advprop", 0, 0.1, &[]);
            let listed = Arc::make_mut(&mut made);
            listed.folder = dir.rsplit('/').next().unwrap_or_default().into();
            let notes = crate::training::run_folder::RunNotes { name: name.into(), ..Default::default() };
            listed.annotate(Ok(notes));
            made
        };
        let mut listed = vec![
            of("/w/a/x/first", ""),
            of("/w/b/x/first", ""),
            of("/w/b/y/first", ""),
            of("/w/b/y/second", ""),
            of("/w/a/x/third", "best"),
            of("/w/a/x/fourth", "best"),
        ];
        tell_apart(&mut listed);
        let labels: Vec<String> = listed.iter().map(|run| run.label()).collect();
        assert_eq!(labels, ["a/x/first", "b/x/first", "y/first", "second", "best (third)", "best (fourth)"]);
        listed.truncate(1);
        tell_apart(&mut listed);
        assert_eq!(listed[0].label(), "first", "alone it needs no more");
    }
}
