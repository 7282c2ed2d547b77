//! Generates the typed clients from `models/`, and the services of the programs from their `proto/`.
//!
//! The facts of the API (`models/*.json`) and what we add to them (`models/overrides/`) are read, resolved into a plan
//! that holds every decision, and emitted as Rust text. A run writes only files whose content changes.

mod emit;
mod manifest;
mod model;
mod names;
mod output;
mod overrides;
mod plan;
mod problem;
mod proto;
mod report;
mod resolve;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

use model::Model;
use output::Output;
use overrides::Overrides;
use plan::Plan;
use problem::Problems;
use report::{Report, Row};

/// Generates the typed clients from the API definitions in models/ and the overrides beside them, and the services of the
/// programs from their proto files.
#[derive(Debug, Parser)]
#[command(about)]
struct Arguments {
    /// Write nothing; fail and name the files that are not up to date.
    #[arg(long)]
    check: bool,
}

/// A package that is generated from models.
struct Package {
    name: &'static str,
    /// Models with the folders of their modules.
    models: &'static [(&'static str, &'static str)],
}

const PACKAGES: &[Package] = &[
    Package { name: "qcloud-cvm", models: &[("cvm-2017-03-12", "src")] },
    Package { name: "qcloud-vpc", models: &[("vpc-2017-03-12", "src")] },
    Package { name: "qcloud-clb", models: &[("clb-2018-03-17", "src")] },
    Package { name: "qcloud-cbs", models: &[("cbs-2017-03-12", "src")] },
    Package {
        name: "qcloud-container",
        models: &[("tke-2018-05-25", "src/v20180525"), ("tke-2022-05-01", "src/v20220501")],
    },
];

/// The packages that speak gRPC, with their proto files.
const PROTOCOLS: &[(&str, &str)] = &[("qcloud-csi", "csi.proto")];

/// Where the tests against the official examples find the operations.
const CONFORMANCE_FOLDER: &str = "conformance/src/generated";

/// Where the emulator keeps the models.
const EMULATOR_MODELS: &str = "qcloud-emulator/models";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    match run(root, arguments.check) {
        Ok(code) => code,
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path, check: bool) -> Result<ExitCode, Problems> {
    let (output, report) = generate(root)?;
    let changed = if check { output.differences(root)? } else { output.write(root)? };
    let verb = if check { "not up to date:" } else { "wrote" };
    let changes: String = changed.iter().map(|path| format!("{verb} {path}\n")).collect();
    // Whoever closed the pipe doesn't want to read it.
    _ = std::io::stdout().write_all(format!("{report}{changes}").as_bytes());
    Ok(if check && !changed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Makes all files in memory.
fn generate(root: &Path) -> Result<(Output, Report), Problems> {
    let mut output = Output::default();
    let mut report = Report::default();
    let mut problems = Vec::new();
    let mut emulator = Vec::new();
    let mut operations = Vec::new();
    for package in PACKAGES {
        let mut plans = Vec::new();
        for (name, folder) in package.models {
            let json = model::read(root, &format!("models/{name}.json"))?;
            emulator.push((format!("{name}.json"), model::minify(&json)));
            match plan(root, name, &json) {
                Ok(plan) => {
                    let files = emit::emit(&plan);
                    let module = folder.strip_prefix("src/").map_or_else(String::new, |module| format!("::{module}"));
                    let file = emit::conformance(&plan, &format!("{}{module}", package.name.replace('-', "_")));
                    operations.push((format!("{}.rs", name.replace('-', "_")), file));
                    report.rows.push(Row::new(&plan, files.iter().map(|(_, text)| text.lines().count()).sum()));
                    output.folder(&format!("{}/{folder}/generated", package.name), files);
                    plans.push(plan);
                }
                Err(Problems(mut found)) => problems.append(&mut found),
            }
        }
        let file = format!("{}/Cargo.toml", package.name);
        match manifest::with_groups(&model::read(root, &file)?, &file, &plans.iter().collect::<Vec<_>>()) {
            Ok(manifest) => output.file(&file, manifest),
            Err(problem) => problems.push(problem),
        }
    }
    output.folder(EMULATOR_MODELS, emulator);
    operations.push(("mod.rs".to_owned(), emit::conformance_module(&operations)));
    output.folder(CONFORMANCE_FOLDER, operations);
    for (package, file) in PROTOCOLS {
        match proto::generate(root, &format!("{package}/proto"), file) {
            Ok(generated) => output.folder(&format!("{package}/src/generated"), vec![generated]),
            Err(problem) => problems.push(problem),
        }
    }
    Problems::none_or(problems, (output, report))
}

fn plan(root: &Path, name: &str, json: &str) -> Result<Plan, Problems> {
    let model = Model::parse(json, &format!("models/{name}.json"))?;
    let overrides = Overrides::load(root, name)?;
    resolve::resolve(&model, &overrides)
}
