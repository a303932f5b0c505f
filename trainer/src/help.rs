//! The help texts. `-h` shows the flags that most users need, and examples. `--help` explains all flags.

use clap::{Arg, Command, CommandFactory};

use crate::cli::Cli;

/// The help of a subcommand.
struct Page {
    /// Names of the subcommand and of those that it belongs to, outermost first.
    path: &'static [&'static str],
    /// Arguments that the short help shows: long flags, or value names of positional arguments. Empty for all
    /// arguments.
    short: &'static [&'static str],
    /// Example commands, one per line.
    examples: &'static str,
}

const PAGES: [Page; 12] = [
    Page {
        path: &["score"],
        short: &[
            "PATH", "from", "prompt", "format", "output", "resume", "gallery", "clip", "model", "task", "crops",
            "device",
        ],
        examples: "  trainer score photos --prompt 'a cat on a sofa'
  trainer score photos --clip openai/clip-vit-base-patch32 --format jsonl
  trainer score --from data.parquet --output scores.parquet
  trainer score photos --gallery site",
    },
    Page {
        path: &["serve"],
        short: &["www", "listen", "token-file", "device", "log", "max-waiting", "clip", "model", "crops"],
        examples: "  trainer serve --www www/dist
  trainer serve --model my-model --listen 0.0.0.0:8080 --token-file token",
    },
    Page {
        path: &["export"],
        short: &["dtype", "vision-only", "name", "out", "overwrite", "clip", "model", "activation", "task", "crops"],
        examples: "  trainer export --clip openai/clip-vit-base-patch32 --dtype f16 --out my-model
  trainer export --model run/honest --out my-model",
    },
    Page {
        path: &["models"],
        short: &[],
        examples: "  trainer models
  trainer models --cached",
    },
    Page {
        path: &["splits"],
        short: &[],
        examples: "  trainer splits check --data AGIQA-3K --splits AGIQA-3K/splits
  trainer splits make --data AGIQA-3K --out splits",
    },
    Page {
        path: &["splits", "make"],
        short: &[],
        examples: "  trainer splits make --data AGIQA-3K --out splits --count 10 --seed 1",
    },
    Page {
        path: &["splits", "check"],
        short: &[],
        examples: "  trainer splits check --data AGIQA-3K --splits AGIQA-3K/splits --format json",
    },
    Page {
        path: &["train"],
        short: &[
            "out", "data", "splits", "split", "joint", "task", "clip", "model", "scratch", "device", "epochs", "lr",
        ],
        examples: "  trainer train --data AGIQA-3K --clip model.safetensors --joint --out run
  trainer train --data AGIQA-3K --scratch tiny --task perception --out run",
    },
    Page {
        path: &["evaluate"],
        short: &["out", "method", "device", "data", "splits", "split", "all", "clip", "model", "task"],
        examples: "  trainer evaluate --data AGIQA-3K --model run/honest --out report
  trainer evaluate --data AGIQA-3K --clip model.safetensors --all --out report",
    },
    Page {
        path: &["reproduce"],
        short: &["EXPERIMENT", "data", "clip", "splits", "out", "devices", "repeats", "baselines", "list", "epochs"],
        examples: "  trainer reproduce table3 --data data --clip model.safetensors --out runs
  trainer reproduce all --data data --clip model.safetensors --out runs --list",
    },
    Page {
        path: &["device"],
        short: &[],
        examples: "  trainer device
  trainer device --device cpu --clip openai/clip-vit-base-patch32",
    },
    Page { path: &["synth"], short: &[], examples: "  trainer synth --out data/synthetic --images 4000 --seed 1" },
];

/// The command line, with examples for each subcommand and a short help that fits a screen.
pub fn command() -> Command {
    PAGES.iter().fold(Cli::command(), |command, page| with_page(command, page.path, page))
}

fn with_page(command: Command, path: &'static [&'static str], page: &Page) -> Command {
    let Some((first, rest)) = path.split_first() else {
        let is_short = |arg: &Arg| page.short.is_empty() || page.short.contains(&name(arg).as_str());
        return command
            .after_help(format!("Examples:\n{}", page.examples))
            .mut_args(|arg| if is_short(&arg) { arg } else { arg.hide_short_help(true) });
    };
    // A subcommand that is off has no subcommands of its own.
    if command.find_subcommand(first).is_none() {
        return command;
    }
    command.mut_subcommand(first, |command| with_page(command, rest, page))
}

/// The long flag of an argument, or its value name if it has no flag.
fn name(arg: &Arg) -> String {
    let value = || arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
    arg.get_long().map(str::to_owned).or_else(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines and columns of a screen.
    const SCREEN: (usize, usize) = (40, 80);

    fn visit(command: &Command, look: &mut impl FnMut(&Command)) {
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            look(command);
            visit(command, look);
        }
    }

    #[test]
    fn the_short_help_of_each_command_fits_a_screen_and_has_examples() {
        let mut count = 0;
        visit(&command(), &mut |command| {
            let help = command.clone().term_width(SCREEN.1).render_help().to_string();
            let lines = help.lines().count();
            assert!(lines <= SCREEN.0, "{}: {lines} lines\n{help}", command.get_name());
            assert!(help.contains("Examples:\n  trainer "), "{} has no page in help.rs", command.get_name());
            count += 1;
        });
        assert_eq!(count, PAGES.len());
    }

    #[test]
    fn the_arguments_of_each_page_exist() {
        for page in &PAGES {
            let command = command();
            let command =
                page.path.iter().fold(&command, |command, name| command.find_subcommand(name).expect("a command"));
            for named in page.short {
                assert!(
                    command.get_arguments().any(|arg| name(arg) == *named),
                    "{} has no {named}",
                    page.path.join(" ")
                );
            }
        }
    }

    #[test]
    fn every_example_is_accepted_by_the_command_that_it_is_an_example_of() {
        for page in &PAGES {
            for line in page.examples.lines() {
                assert!(line.len() <= SCREEN.1, "{line}");
                let words = line.trim().replace("'a cat on a sofa'", "a-cat");
                let found = command().try_get_matches_from(words.split_whitespace());
                assert!(found.is_ok(), "{line}: {}", found.err().map(|error| error.to_string()).unwrap_or_default());
                assert!(words.starts_with(&format!("trainer {}", page.path[0])), "{line}");
            }
        }
    }

    #[test]
    fn the_long_help_has_every_argument() {
        visit(&command(), &mut |command| {
            let help = command.clone().render_long_help().to_string();
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                assert!(help.contains(&name(arg)), "{}: {}", command.get_name(), name(arg));
            }
        });
    }
}
