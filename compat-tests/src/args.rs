//! The command line.

use std::path::PathBuf;

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Judge our library.
    Ours,
    /// Run the reference library.
    Reference,
    /// Both, for a report with two columns.
    Both,
    /// Write `cases.toml` from runs of the reference.
    RecordCases,
    /// Write `reference-flaky.toml` from runs of the reference.
    MeasureReference,
    /// Build upstream's library and print the folder that it lies in.
    BuildReference,
    /// Get Debian's library and print where it lies, and where what it depends on does.
    DebianLibrary,
    /// Record what upstream's sockets say, as seeds of the fuzz programs' inputs.
    RecordCorpora,
    /// Write `target/matrix.md`: what each library has.
    Matrix,
    /// Ask one library for one thing (`matrix` starts these).
    Probe,
    /// Compile the programs that `make test-vm` runs in a machine of its own, and print where they are.
    VmPrograms,
    /// Judge what that machine wrote to its console.
    VmJudge,
}

/// The command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Args {
    /// What to do.
    pub action: Action,
    /// Parts of the names of the programs to run; empty runs all.
    pub filter: Vec<String>,
    /// Part of the name of the cases to run.
    pub case: Option<String>,
    /// Programs at a time.
    pub jobs: usize,
    /// How often to run everything.
    pub repeat: usize,
    /// A library file to judge in the place of a freshly built one.
    pub library: Option<PathBuf>,
    /// The folder of the header to compile against.
    pub include: Option<PathBuf>,
    /// Keep the machine's processors busy meanwhile.
    pub load: bool,
    /// What to ask for: its kind and name. Or the file to judge.
    pub asked: Vec<String>,
    /// Give a program that goes wrong no second chance.
    pub once: bool,
}

/// What `--help` says.
pub const USAGE: &str = "\
usage: compat-tests ours|reference|both|record-cases|measure-reference|build-reference|debian-library|record-corpora|matrix [options]

  ours                judge our library (built for release first) by upstream's test programs
  reference           run them on upstream's library, built from the crate zeromq-src
  both                both, for a report with two columns
  record-cases        write cases.toml from runs of the reference
  measure-reference   write reference-flaky.toml from runs of the reference
  build-reference     build upstream's library only, and print the folder with its libzmq.so.5
  debian-library      get Debian's library, and print the file and its LD_LIBRARY_PATH
  record-corpora      record what upstream's sockets say to each other, from which the fuzz programs' inputs are made
  matrix              ask our library, Debian's and upstream's for everything in zmq.h, and write target/matrix.md

  --filter NAME       only programs whose name contains NAME; may be given several times
  --case NAME         only cases whose name contains NAME
  --jobs N            programs at a time (4)
  --repeat N          run everything N times (1)
  --load              keep every processor busy meanwhile, by processes of the lowest priority
  --once              no second look at a program that goes wrong
  --library FILE      judge this library file in the place of a fresh build of ours
  --include DIR       compile against the zmq.h in DIR
";

/// Jobs unless told otherwise: most programs sleep most of the time.
const JOBS: usize = 4;

impl Args {
    /// Reads the command line, without the program's own name.
    pub fn parse(args: impl IntoIterator<Item = String>) -> Result<Args, String> {
        let mut args = args.into_iter();
        let action = match args.next().as_deref() {
            Some("ours") => Action::Ours,
            Some("reference") => Action::Reference,
            Some("both") => Action::Both,
            Some("record-cases") => Action::RecordCases,
            Some("measure-reference") => Action::MeasureReference,
            Some("build-reference") => Action::BuildReference,
            Some("debian-library") => Action::DebianLibrary,
            Some("record-corpora") => Action::RecordCorpora,
            Some("matrix") => Action::Matrix,
            Some("probe") => Action::Probe,
            Some("vm-programs") => Action::VmPrograms,
            Some("vm-judge") => Action::VmJudge,
            _ => return Err(USAGE.to_owned()),
        };
        let mut parsed = Args {
            action,
            filter: Vec::new(),
            case: None,
            jobs: JOBS,
            repeat: 1,
            library: None,
            include: None,
            load: false,
            asked: Vec::new(),
            once: false,
        };
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or(format!("{arg} needs a value\n\n{USAGE}"));
            match arg.as_str() {
                "--filter" => parsed.filter.push(value()?),
                "--case" => parsed.case = Some(value()?),
                "--jobs" => parsed.jobs = number(&arg, &value()?)?,
                "--repeat" => parsed.repeat = number(&arg, &value()?)?,
                "--library" => parsed.library = Some(value()?.into()),
                "--include" => parsed.include = Some(value()?.into()),
                "--load" => parsed.load = true,
                "--once" => parsed.once = true,
                _ if matches!(action, Action::Probe | Action::VmJudge) && !arg.starts_with("--") => {
                    parsed.asked.push(arg);
                }
                _ => return Err(format!("unknown option {arg}\n\n{USAGE}")),
            }
        }
        Ok(parsed)
    }
}

fn number(option: &str, value: &str) -> Result<usize, String> {
    value
        .parse()
        .ok()
        .filter(|n| *n > 0)
        .ok_or(format!("{option}: expected a positive number, not {value:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn reads_the_options() {
        let args = parse("ours --filter hwm --filter pair --jobs 2 --case tcp --once").unwrap();
        assert_eq!(args.action, Action::Ours);
        assert_eq!(args.filter, ["hwm", "pair"]);
        assert_eq!((args.jobs, args.repeat, args.once), (2, 1, true));
        assert_eq!(args.case.as_deref(), Some("tcp"));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        for line in ["", "theirs", "ours --jobs", "ours --jobs 0", "ours --jobs x", "ours --fliter hwm"] {
            assert!(parse(line).is_err(), "{line:?}");
        }
    }
}
