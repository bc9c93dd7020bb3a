//! The judge: compiles upstream's test programs, unmodified, and runs them on our library and on upstream's.
//!
//! `cases.toml` says which cases must appear, `known-failures.toml` which of them are known to fail. The run fails when
//! anything else fails or vanishes, and when a listed case passes. See `args.rs` for the command line.

#![deny(unsafe_code)]

#[allow(unsafe_code, dead_code)] // the tests of interoperation call what the judge does not
mod api;
mod args;
mod compile;
mod corpora;
#[allow(unsafe_code)]
mod library;
mod lists;
mod load;
mod machine;
mod matrix;
mod progress;
mod reference;
mod report;
mod runner;
#[allow(unsafe_code)]
mod sandbox;
mod unity;
mod vendor;
mod verdict;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use args::{Action, Args};
use compile::{Compiled, Compiler};
use library::Library;
use lists::{Cases, KnownFailures, ReferenceRuns};
use progress::Progress;
use report::Counts;
use runner::{Judged, Runner};
use sandbox::Network;

fn main() -> ExitCode {
    let outcome = Args::parse(std::env::args().skip(1)).and_then(|args| match args.action {
        Action::Ours | Action::Reference | Action::Both => judge(&args),
        Action::RecordCases => record_cases(&args).map(|()| true),
        Action::MeasureReference => measure_reference(&args).map(|()| true),
        Action::BuildReference => build_reference().map(|()| true),
        Action::DebianLibrary => debian_library().map(|()| true),
        Action::RecordCorpora => record_corpora().map(|()| true),
        Action::Matrix => matrix(&args),
        Action::Probe => probe(&args).map(|()| true),
        Action::VmPrograms => vm_programs(&args).map(|()| true),
        Action::VmJudge => match args.asked.as_slice() {
            [log] => machine::judge_console(Path::new(log)),
            _ => Err(args::USAGE.to_owned()),
        },
    });
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

/// What this machine lacks, in the words that upstream's tests have for it (in lower case).
fn lacking(network: Network) -> Vec<&'static str> {
    let mut words = Vec::new();
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        words.push("ipv6");
    }
    if network != Network::Multicast {
        words.push("multicast");
    }
    if !sandbox::has_vsock() {
        words.push("vmci");
    }
    words
}

fn upstream_library(vendor: &Path) -> Result<Library, String> {
    let progress = Progress::new("building the reference library", 0);
    let file = reference::build(vendor, &|done, total| progress.count(done, total));
    progress.close();
    Library::stage("reference", &file?, None)
}

/// For `make demo` and `make bench`, which run upstream's library too.
fn build_reference() -> Result<(), String> {
    println!("{}", upstream_library(&vendor::locate()?)?.dir.display());
    Ok(())
}

/// For tests that need a library with everything that Debian's is built with.
fn debian_library() -> Result<(), String> {
    let library = matrix::debian()?;
    println!("{}", library.file.display());
    println!("{}", library.path.unwrap_or_default().display());
    Ok(())
}

/// What upstream's sockets say to each other, for the fuzz programs.
fn record_corpora() -> Result<(), String> {
    let library = upstream_library(&vendor::locate()?)?;
    corpora::record(&library.dir.join("libzmq.so.5"))
}

/// Our library: a fresh build, or the file that was named.
fn our_library(args: &Args) -> Result<Library, String> {
    match &args.library {
        None => Library::ours(),
        Some(file) => Library::stage("ours", file, None),
    }
}

fn matrix(args: &Args) -> Result<bool, String> {
    let vendor = vendor::locate()?;
    matrix::write(&our_library(args)?, &upstream_library(&vendor)?, &vendor)
}

/// Says `yes:` or `no:`, and what.
fn probe(args: &Args) -> Result<(), String> {
    let (Some(library), [kind, name]) = (&args.library, args.asked.as_slice()) else {
        return Err(args::USAGE.to_owned());
    };
    match matrix::probe(library, kind, name) {
        Ok(what) => println!("yes: {what}"),
        Err(why) => println!("no: {why}"),
    }
    Ok(())
}

/// One line for each: its name, where it is, and which of its cases are wanted. The first one says where the library is.
fn vm_programs(args: &Args) -> Result<(), String> {
    let vendor = vendor::locate()?;
    let library = our_library(args)?;
    let include = args.include.clone().or(library.include.clone());
    let library = Library { include, ..library };
    println!("library {}", library.dir.join("libzmq.so.5").display());
    let wanted = machine::programs(&Cases::load()?);
    let compiled = compile(&vendor, &library, wanted.iter().map(|(name, _)| name.clone()).collect())?;
    for ((name, part), (_, program)) in wanted.iter().zip(compiled) {
        println!("{name} {} {part}", program?.display());
    }
    Ok(())
}

/// The programs of a run, compiled.
fn compile(vendor: &Path, library: &Library, names: Vec<String>) -> Result<Vec<(String, Compiled)>, String> {
    let progress = Progress::new("compiling", names.len());
    let total = names.len();
    let compiled = Compiler::new(vendor, library)?.programs(&names, &|done| progress.count(done, total));
    progress.close();
    Ok(names.into_iter().zip(compiled).collect())
}

fn selected(names: Vec<String>, args: &Args) -> Vec<String> {
    let wanted =
        |name: &String| args.filter.is_empty() || args.filter.iter().any(|f| name.contains(f.as_str()));
    names.into_iter().filter(wanted).collect()
}

/// What the crate holds and the list doesn't, and the other way round.
fn compare_with_crate(vendor: &Path, cases: &Cases) -> Result<Vec<String>, String> {
    let mut problems = Vec::new();
    let mut present = vendor::programs(vendor)?;
    for name in &present {
        let path = format!("tests/{name}.cpp");
        if cases.programs.contains_key(name) == cases.excluded.contains_key(&path) {
            problems.push(format!("{path}: must be either a program of cases.toml or excluded there"));
        }
    }
    for name in cases.programs.keys().filter(|n| present.binary_search(n).is_err()) {
        problems.push(format!("{name}: a program of cases.toml that vanished from upstream's tree"));
    }
    present = vendor::other_programs(vendor)?;
    for path in present.iter().filter(|p| !cases.excluded.contains_key(*p)) {
        problems.push(format!("{path}: cases.toml does not say why it is not run"));
    }
    Ok(problems)
}

fn judge(args: &Args) -> Result<bool, String> {
    let vendor = vendor::locate()?;
    let cases = Cases::load()?;
    let known = KnownFailures::load()?;
    let reference_runs = ReferenceRuns::load()?;
    let mut problems = compare_with_crate(&vendor, &cases)?;
    problems.extend(known.strays(&cases));

    let mut columns: Vec<(&'static str, Vec<Judged>)> = Vec::new();
    let roles: &[&str] = match args.action {
        Action::Ours => &["ours"],
        Action::Reference => &["reference"],
        _ => &["ours", "reference"],
    };
    let nothing_known = KnownFailures::default();
    for role in roles {
        let ours = *role == "ours";
        let library = if ours { our_library(args)? } else { upstream_library(&vendor)? };
        let include = if ours { args.include.clone().or(library.include.clone()) } else { None };
        let library = Library { include, ..library };
        let names = selected(cases.programs.keys().cloned().collect(), args);
        if names.is_empty() {
            return Err("no program has such a name".to_owned());
        }
        let programs = compile(&vendor, &library, names)?;
        let known = if ours { &known } else { &nothing_known };
        let runner = runner(args, &library, &cases, known, &reference_runs, &vendor)?;
        let load = args.load.then(load::Load::start);
        let mut rounds = Vec::new();
        for number in 1..=args.repeat {
            let judged = run(&runner, &programs);
            if args.repeat > 1 {
                eprintln!("run {number} of {}: {}", args.repeat, report::last_line(Counts::of(&judged)));
            }
            rounds.push(judged);
        }
        drop(load);
        let judged = report::merge(rounds);
        eprint!("{}", report::account(role, &judged, &reference_runs));
        columns.push((library.role, judged));
    }

    let table: Vec<(&str, &[Judged])> =
        columns.iter().map(|(role, judged)| (*role, judged.as_slice())).collect();
    // The README's figures are made from the report of a whole run, so a partial one doesn't replace it.
    let whole = args.filter.is_empty() && args.case.is_none();
    let name = if whole { "target/report.md" } else { "target/report-part.md" };
    let path = vendor::package_dir().join(name);
    std::fs::write(&path, report::markdown(&table, &reference_runs))
        .map_err(|e| format!("{}: {e}", path.display()))?;
    for problem in &problems {
        println!("{problem}");
    }
    let mut fine = problems.is_empty();
    for (role, judged) in &columns {
        let counts = Counts::of(judged);
        // What upstream's own library fails is upstream's affair: it is shown, and fails nothing beside ours.
        fine &= counts.failed == 0 || (*role == "reference" && args.action == Action::Both);
        if columns.len() > 1 && *role != "ours" {
            println!("{role}: {}", report::last_line(counts));
        }
    }
    println!("report: {}", path.display());
    println!("{}", report::last_line(Counts::of(&columns[0].1)));
    Ok(fine)
}

fn runner<'a>(
    args: &'a Args,
    library: &'a Library,
    cases: &'a Cases,
    known: &'a KnownFailures,
    reference: &'a ReferenceRuns,
    vendor: &'a Path,
) -> Result<Runner<'a>, String> {
    let network = Network::best();
    if network == Network::Shared {
        eprintln!("no network namespaces here: one program at a time");
    }
    Ok(Runner {
        library,
        cases,
        known,
        reference,
        vendor,
        corpora: corpora::make()?,
        jobs: if network == Network::Shared { 1 } else { args.jobs },
        case_filter: args.case.as_deref(),
        second_look: !args.once,
        network,
        lacking: lacking(network),
    })
}

fn run(runner: &Runner, programs: &[(String, Compiled)]) -> Vec<Judged> {
    let progress = Progress::new(runner.library.role, programs.len());
    let judged = runner.run_all(programs, &|name| progress.started(name), &|judged| {
        let bad = judged.verdicts.iter().filter(|(_, v)| v.is_unexpected()).count();
        let word = match (bad, judged.flaky.is_empty()) {
            (0, true) => "ok   ",
            (0, false) => "FLAKY",
            _ => "FAIL ",
        };
        let cases = judged.verdicts.len();
        let (name, seconds) = (&judged.name, judged.run.seconds);
        let line = match bad {
            0 => format!("{word} {name}: {cases} cases, {seconds:.1} s"),
            _ => format!("{word} {name}: {bad} of {cases} cases, {seconds:.1} s"),
        };
        progress.finished(&judged.name, bad > 0 || !judged.flaky.is_empty(), &line);
    });
    progress.close();
    judged
}

/// The reference's runs that the two lists are made from, program by program.
fn reference_runs(args: &Args, cases: &Cases) -> Result<Vec<Vec<Judged>>, String> {
    let vendor = vendor::locate()?;
    let library = upstream_library(&vendor)?;
    let excluded = |name: &String| cases.excluded.contains_key(&format!("tests/{name}.cpp"));
    let names = vendor::programs(&vendor)?.into_iter().filter(|n| !excluded(n)).collect();
    let programs = compile(&vendor, &library, selected(names, args))?;
    let known = KnownFailures::default();
    // No time limits from an earlier measurement: they may be what has to change.
    let old = ReferenceRuns::default();
    let mut runner = runner(args, &library, cases, &known, &old, &vendor)?;
    runner.second_look = false;
    Ok((0..args.repeat).map(|_| run(&runner, &programs)).collect())
}

/// The union of what the runs showed; a case may skip if it skipped in any.
fn record_cases(args: &Args) -> Result<(), String> {
    let vendor = vendor::locate()?;
    let old = Cases::load()?;
    // Without a list nothing is missing, so that a program's own order of cases is what gets recorded.
    let blank = Cases { excluded: old.excluded.clone(), ..Default::default() };
    let mut cases = if args.filter.is_empty() { blank.clone() } else { old };
    let library = upstream_library(&vendor)?;
    let (known, nothing) = (KnownFailures::default(), ReferenceRuns::default());
    let recorder = runner(args, &library, &blank, &known, &nothing, &vendor)?;
    let mut recorded: BTreeMap<String, lists::Program> = BTreeMap::new();
    for runs in reference_runs(args, &blank)? {
        for judged in runs {
            if !judged.run.end.is_some_and(unity::End::is_orderly) {
                // Not all of its cases have run; a further run may show them.
                eprintln!("{}: left out, because it ended by {:?}", judged.name, judged.run.end);
                continue;
            }
            let fresh = recorder.recorded_cases(&judged.name, &judged.run);
            let program = recorded.entry(judged.name.clone()).or_insert_with(|| fresh.clone());
            for case in fresh.cases {
                if !program.cases.contains(&case) {
                    program.cases.push(case);
                }
            }
            program.may_skip.extend(fresh.may_skip);
        }
    }
    let wanted = selected(vendor::programs(&vendor)?, args);
    let excluded = |name: &String| blank.excluded.contains_key(&format!("tests/{name}.cpp"));
    if let Some(name) = wanted.iter().find(|n| !excluded(n) && !recorded.contains_key(*n)) {
        return Err(format!("{name}: ran to its end in none of the runs; nothing was written"));
    }
    cases.programs.extend(recorded);
    let total: usize = cases.programs.values().map(|p| p.cases.len()).sum();
    std::fs::write(lists::cases_path(), cases.to_text()).map_err(|e| e.to_string())?;
    println!("{} programs, {total} cases", cases.programs.len());
    Ok(())
}

fn measure_reference(args: &Args) -> Result<(), String> {
    let cases = Cases::load()?;
    let runs = args.repeat as u64;
    let mut all = ReferenceRuns { runs, ..Default::default() };
    if !args.filter.is_empty() {
        // What isn't measured again keeps what was measured before.
        all = ReferenceRuns::load()?;
        for name in selected(cases.programs.keys().cloned().collect(), args) {
            all.failures.remove(&name);
            all.seconds.remove(&name);
            all.measured.insert(name, runs);
        }
    }
    for judged in reference_runs(args, &cases)?.into_iter().flatten() {
        if judged.run.end.is_some_and(unity::End::is_orderly) {
            let longest = all.seconds.entry(judged.name.clone()).or_default();
            *longest = longest.max(judged.run.seconds);
        }
        for (case, _) in judged.verdicts.iter().filter(|(_, v)| v.is_unexpected()) {
            *all.failures.entry(judged.name.clone()).or_default().entry(case.clone()).or_default() += 1;
        }
    }
    std::fs::write(lists::reference_runs_path(), all.to_text()).map_err(|e| e.to_string())?;
    println!("{runs} runs, {} programs with failures", all.failures.len());
    Ok(())
}
