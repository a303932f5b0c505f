//! Builds the table of an experiment, with our numbers and the notes that its reader needs.

use std::collections::BTreeMap;

use crate::data_sets::DataSet;
use crate::job::Job;
use crate::paper::{Computation, Experiment};
use crate::plan::Plan;
use crate::report::Report;
use crate::table::{MethodRow, OurNumbers, Table};

impl Plan<'_> {
    /// The table of an experiment, with the results of the finished jobs.
    pub fn table(&self, experiment: &Experiment, reports: &BTreeMap<usize, Report>) -> Table {
        let set = self.sets.iter().find(|set| set.layout == experiment.data_set);
        let is_synthetic = set.is_some_and(|set| set.data.is_synthetic);
        let mut rows = Vec::new();
        for (row, result) in experiment.rows.iter().flat_map(|row| row.results.iter().map(move |result| (row, result)))
        {
            let ours = self.job_kind(result.ours.as_ref()).map(|kind| {
                let numbers = set.map_or(&[][..], |set| &set.numbers);
                let finished = numbers.iter().filter_map(|&split| {
                    let name = Job::new(experiment.data_set, result.task, kind.clone(), split).name;
                    let index = self.jobs.iter().position(|job| job.name == name)?;
                    Some((name, reports.get(&index)?))
                });
                OurNumbers::new(&finished.collect::<Vec<_>>(), self.shared.args.repeats)
            });
            rows.push(MethodRow {
                method: row.label.clone(),
                venue: row.venue.clone(),
                task: result.task,
                published_srcc: result.srcc,
                published_plcc: result.plcc,
                published_note: result.note.clone(),
                ours,
            });
        }
        let notes = set.map_or_else(Vec::new, |set| self.notes(experiment, set, &rows, reports));
        Table {
            experiment: experiment.id.clone(),
            title: match is_synthetic {
                true => format!("{} (ours: synthetic images)", experiment.title),
                false => experiment.title.clone(),
            },
            data_set: set.map_or_else(String::new, |set| set.data.name.clone()),
            is_synthetic,
            notes,
            rows,
        }
    }

    /// Notes for a reader of the table.
    fn notes(
        &self,
        experiment: &Experiment,
        set: &DataSet,
        rows: &[MethodRow],
        reports: &BTreeMap<usize, Report>,
    ) -> Vec<String> {
        let args = self.shared.args;
        let mut notes = Vec::new();
        let (done, asked) = rows
            .iter()
            .filter_map(|row| row.ours.as_ref())
            .fold((0, 0), |(done, asked), ours| (done + ours.jobs.len(), asked + ours.splits_asked));
        if done < asked {
            notes.push(format!("partial: {done} of {asked} runs"));
        }
        let n_images = set.data.items.len();
        notes.push(match set.data.is_synthetic {
            true => format!(
                "our numbers are from {n_images} synthetic images in the layout of {}: they say nothing about real \
                 images and cannot be compared with the published numbers",
                set.layout.name()
            ),
            false => format!("our numbers are from {n_images} images of {}", set.data.name),
        });
        let n_splits = set.numbers.len();
        let splits = if n_splits == 1 { "1 split".into() } else { format!("{n_splits} splits") };
        notes.push(match &set.lists {
            Some(folder) => format!(
                "{splits} from the lists in {}; `trainer splits check` lists prompts that are in both parts",
                folder.display()
            ),
            None => format!(
                "{splits} drawn from seed {}, 4 : 1 with no prompt in both parts; these are not the paper's splits",
                args.seed
            ),
        });
        if n_splits < args.repeats {
            notes.push(format!("the lists have {n_splits} of the {} requested splits", args.repeats));
        }
        let mut differences = args.differences();
        differences.extend(self.other_clip.clone());
        notes.push(match differences.is_empty() {
            true => "trained with the paper's settings (§4.2), and IPCE's where the paper gives none".into(),
            false => format!("differs from the paper: {}", differences.join("; ")),
        });
        let honest = match args.training.validation {
            0.0 => "the last epoch",
            _ => "the epoch that is best on held-out training prompts",
        };
        notes.push(format!(
            "mean ± standard deviation (n − 1) over splits; paper protocol: the epoch with the best (SRCC + PLCC) / 2 on \
             the test split itself; honest: {honest}"
        ));
        if set.skip_bad {
            let of_set = |index: &usize| self.jobs[*index].layout == set.layout;
            // Only trainings report images that could not be decoded.
            let undecodable = reports.iter().filter(|(index, _)| of_set(index)).map(|(_, report)| report.undecodable);
            let undecodable = undecodable.max().unwrap_or(0);
            let skipped = set.data.skipped.len() + undecodable;
            notes.push(format!("--skip-bad: {skipped} rows were skipped; the report.json of each job lists them"));
        }
        if let Some(claim) = &experiment.claim {
            notes.push(format!("the paper prints no numbers here; it says: {claim}"));
        }
        notes.extend(experiment.notes.iter().cloned());
        let results = || experiment.rows.iter().flat_map(|row| row.results.iter().map(move |result| (row, result)));
        if results().any(|(_, result)| matches!(result.ours, Some(Computation::Baseline(_)))) {
            notes.push(match args.baselines {
                true => {
                    "our IPCE model has IPCE's configuration (adverb prompts, no words, mean of image and crops) and the \
                     same training as the others"
                        .into()
                }
                false => "--baselines also trains IPCE".into(),
            });
        }
        for (row, result) in results() {
            match &result.ours {
                Some(Computation::ZeroShot(method)) => notes.push(format!(
                    "our {} is zero-shot: `trainer evaluate --method {method}` with the initial CLIP weights; both \
                     protocols are equal",
                    row.label
                )),
                Some(Computation::OwnWeights(method)) => notes.push(format!(
                    "{} needs its published weights; `trainer evaluate --method {method}` computes it",
                    row.label
                )),
                _ => {}
            }
        }
        notes.push(format!("published numbers: {}", self.source));
        notes
    }
}
