//! A table of the paper with our numbers, and what its reader must know.

use std::collections::BTreeMap;

use crate::job::Job;
use crate::paper::{Experiment, Ours};
use crate::plan::Plan;
use crate::report::Report;
use crate::result::{Line, Numbers, Table};
use crate::sets::Set;

impl Plan<'_> {
    /// A table or figure with what is finished.
    pub fn table(&self, experiment: &Experiment, reports: &BTreeMap<usize, Report>) -> Table {
        let set = self.sets.iter().find(|set| set.layout == experiment.data_set);
        let is_synthetic = set.is_some_and(|set| set.data.is_synthetic);
        let mut lines = Vec::new();
        for (row, result) in experiment.rows.iter().flat_map(|row| row.results.iter().map(move |result| (row, result)))
        {
            let ours = self.work(result.ours.as_ref()).map(|work| {
                let numbers = set.map_or(&[][..], |set| &set.numbers);
                let finished = numbers.iter().filter_map(|&split| {
                    let name = Job::new(experiment.data_set, result.task, work.clone(), split).name;
                    let index = self.jobs.iter().position(|job| job.name == name)?;
                    Some((name, reports.get(&index)?))
                });
                Numbers::new(&finished.collect::<Vec<_>>(), self.shared.args.repeats)
            });
            lines.push(Line {
                method: row.label.clone(),
                venue: row.venue.clone(),
                task: result.task,
                published_srcc: result.srcc,
                published_plcc: result.plcc,
                published_note: result.note.clone(),
                ours,
            });
        }
        let notes = set.map_or_else(Vec::new, |set| self.notes(experiment, set, &lines, reports));
        Table {
            experiment: experiment.id.clone(),
            title: match is_synthetic {
                true => format!("{} (ours: synthetic images)", experiment.title),
                false => experiment.title.clone(),
            },
            data_set: set.map_or_else(String::new, |set| set.data.name.clone()),
            is_synthetic,
            notes,
            lines,
        }
    }

    /// What a reader of a table must know.
    fn notes(
        &self,
        experiment: &Experiment,
        set: &Set,
        lines: &[Line],
        reports: &BTreeMap<usize, Report>,
    ) -> Vec<String> {
        let args = self.shared.args;
        let mut notes = Vec::new();
        let (done, asked) = lines
            .iter()
            .filter_map(|line| line.ours.as_ref())
            .fold((0, 0), |(done, asked), ours| (done + ours.jobs.len(), asked + ours.splits_asked));
        if done < asked {
            notes.push(format!("partial: {done} of {asked} runs"));
        }
        let n_images = set.data.items.len();
        notes.push(match set.data.is_synthetic {
            true => format!(
                "ours are of {n_images} synthetic images in the layout of {}: they say nothing about real images, and \
                 are no match for the published numbers",
                set.layout.name()
            ),
            false => format!("ours are of {n_images} images of {}", set.data.name),
        });
        let n_splits = set.numbers.len();
        let splits = if n_splits == 1 { "1 split".into() } else { format!("{n_splits} splits") };
        notes.push(match &set.lists {
            Some(folder) => format!(
                "{splits} from the lists in {}; `trainer splits check` finds prompts in both parts",
                folder.display()
            ),
            None => format!(
                "{splits} drawn from seed {}, 4 : 1 with no prompt in both parts: not the paper's lists",
                args.seed
            ),
        });
        if n_splits < args.repeats {
            notes.push(format!("the lists have {n_splits} of the {} splits that were asked for", args.repeats));
        }
        let mut differences = args.differences();
        differences.extend(self.other_clip.clone());
        notes.push(match differences.is_empty() {
            true => "trained with the paper's settings (§4.1), and IPCE's where it is silent".into(),
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
            // Only trainings tell.
            let undecodable = reports.iter().filter(|(index, _)| of_set(index)).map(|(_, report)| report.undecodable);
            let undecodable = undecodable.max().unwrap_or(0);
            let left_out = set.data.skipped.len() + undecodable;
            notes.push(format!("--skip-bad: {left_out} rows were left out; each job's report.json lists them"));
        }
        if let Some(claim) = &experiment.claim {
            notes.push(format!("the paper prints no numbers here; what it says: {claim}"));
        }
        notes.extend(experiment.notes.iter().cloned());
        let results = || experiment.rows.iter().flat_map(|row| row.results.iter().map(move |result| (row, result)));
        if results().any(|(_, result)| matches!(result.ours, Some(Ours::Baseline(_)))) {
            notes.push(match args.baselines {
                true => {
                    "ours of IPCE: its configuration, adv prompts without words, mean of image and crops, trained as \
                         the rest"
                        .into()
                }
                false => "--baselines trains IPCE's configuration, too".into(),
            });
        }
        for (row, result) in results() {
            match &result.ours {
                Some(Ours::ZeroShot(method)) => notes.push(format!(
                    "ours of {}: zero-shot, `trainer evaluate --method {method}` with the CLIP file as it is, the same in \
                     both protocols",
                    row.label
                )),
                Some(Ours::OwnWeights(method)) => notes.push(format!(
                    "{} needs weights of its own: `trainer evaluate --method {method}` computes it",
                    row.label
                )),
                _ => {}
            }
        }
        notes.push(format!("published numbers: {}", self.source));
        notes
    }
}
