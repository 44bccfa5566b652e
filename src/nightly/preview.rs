//! What a night would do, without doing it: nothing is written, downloaded or run.

use std::collections::HashSet;

use fgd_captions::{self as captions, Severity};
use fgd_record::words::counted;
use fgd_store::digest::HashMemo;

use super::execute::is_done;
use super::place::{NightFolder, find_accepted};
use super::plan::Planner;
use super::suite::{Suite, System};
use super::{NightlyError, Workspace};
use crate::jobs::compare::gate::Gate;
use crate::jobs::provenance;
use crate::jobs::scoring::findings::errors;
use crate::jobs::scoring::slices::check_column;
use crate::jobs::scoring::system::System as Opened;
use crate::jobs::train;
use crate::settings::Settings;

/// A step that a night would come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prospect {
    /// The step, as the night calls it.
    pub step: String,
    /// What would become of it.
    pub outlook: String,
    /// Whether it would fail, as far as can be seen.
    pub fails: bool,
}

/// The steps of the next night, in order.
///
/// # Errors
/// What keeps the night from beginning: a history that cannot be read, names of the suite that stand for nothing.
pub fn preview(workspace: &Workspace, settings: &Settings) -> Result<Vec<Prospect>, NightlyError> {
    let suite = &workspace.suite;
    workspace.check_named(&workspace.read_history()?)?;
    let mut local = settings.clone();
    local.hub.offline = true;
    let mut hashes = HashMemo::open(&workspace.state.join("hashes.json"));
    let planner = Planner::new(workspace, &local, &provenance::now(), &mut hashes);
    let mut all = Vec::new();
    all.extend(workspace.unwritable().map(|error| Prospect {
        step: "the night".into(),
        outlook: format!("would fail: {error}"),
        fails: true,
    }));
    let mut unscored = HashSet::new();
    for system in &suite.systems {
        let steps = of_system(workspace, settings, &planner, &mut hashes, system);
        if steps.iter().any(|step| step.fails) {
            unscored.insert(system.name.as_str());
        }
        all.extend(steps);
    }
    let runs = |step: String| Prospect { step, outlook: "would run".into(), fails: false };
    all.extend(of_several(suite).into_iter().map(|Several { step, systems }| {
        match systems.iter().filter(|name| !unscored.contains(*name)).count() {
            0 | 1 => Prospect {
                step,
                outlook: "would fail: fewer than two of its systems have a score".into(),
                fails: true,
            },
            _ => runs(step),
        }
    }));
    for benchmark in &suite.benchmarks {
        let step = format!("bench {}", benchmark.name);
        all.push(match planner.check_models(benchmark, &mut hashes) {
            Ok(()) => runs(step),
            Err(why) => without_model(step, &why, settings),
        });
    }
    Ok(all)
}

/// A step over several systems.
pub struct Several<'a> {
    /// The step, as the night calls it.
    pub step: String,
    /// The systems, by name.
    pub systems: Vec<&'a str>,
}

/// The steps over several systems, in order: the conditions that a test decides, and the data sets that rank.
pub fn of_several(suite: &Suite) -> Vec<Several<'_>> {
    let names: Vec<String> = suite.systems.iter().map(|system| system.name.clone()).collect();
    let tested = suite.gates.conditions.iter().map(|condition| {
        let systems = Gate::parse(condition, &names).map(|gate| gate.tested_systems());
        let systems = systems.unwrap_or_default().into_iter();
        Several {
            step: format!("condition {condition}"),
            systems: systems.map(|at| suite.systems[at].name.as_str()).collect(),
        }
    });
    let ranked = suite.data.iter().map(|data| {
        let of_data = suite.systems.iter().filter(|one| suite.data_of(one).name == data.name);
        Several {
            step: format!("leaderboard {}", data.name),
            systems: of_data.map(|system| system.name.as_str()).collect(),
        }
    });
    tested.chain(ranked).filter(|several| several.systems.len() > 1).collect()
}

/// The night that the next run would go on with.
pub fn unfinished(workspace: &Workspace) -> Option<NightFolder> {
    NightFolder::unfinished(&workspace.state, &provenance::now())
}

/// A step whose model is not here.
fn without_model(step: String, why: &str, settings: &Settings) -> Prospect {
    // What is no id of the hub is not to be had there.
    let fails = settings.hub.offline || why.contains("not a hub id");
    let outlook = match fails {
        true => format!("would fail: {why}"),
        false => "would download a model that is not here yet, and run".to_owned(),
    };
    Prospect { step, outlook, fails }
}

/// What keeps a submission from being scored, as far as its file and the references tell.
fn wrong_captions(workspace: &Workspace, planner: &Planner, system: &System) -> Option<String> {
    let submission = planner.path(system.submission.as_ref()?);
    let data = workspace.suite.data_of(system);
    let (file, references) = match planner.opened(&submission, data) {
        Ok((Opened::Captions(file), Opened::Captions(references))) => (file, references),
        Ok(_) => return None,
        Err(error) => return Some(error.to_string()),
    };
    let (file, references) = (&file, &references);
    let no_column = |name: &String| check_column(name, file, references).err();
    if let Some(error) = data.slice.iter().find_map(no_column) {
        return Some(format!("slice: {error}"));
    }
    let aligned = captions::align(file, references).findings;
    let found = [file.findings.clone(), captions::lint(file), aligned].concat();
    let first = found.iter().find(|finding| finding.severity == Severity::Error)?;
    let errors = counted(errors(&found), "error");
    Some(format!("{}: {errors}; the first: {first}", submission.display()))
}

fn of_system(
    workspace: &Workspace,
    settings: &Settings,
    planner: &Planner,
    hashes: &mut HashMemo,
    system: &System,
) -> Vec<Prospect> {
    let name = &system.name;
    let prospect = |kind: &str, outlook: String, fails| Prospect {
        step: format!("{kind} {name}"),
        outlook,
        fails,
    };
    if let Err(why) = planner.check_files(system, hashes) {
        return vec![prospect("score", format!("would fail: {why}"), true)];
    }
    if let Some(why) = wrong_captions(workspace, planner, system) {
        return vec![prospect("score", format!("would fail: {why}"), true)];
    }
    let inputs = match planner.inputs(system, hashes) {
        Ok(inputs) => inputs,
        Err(why) => {
            let downloads = system.checkpoint.is_some() && !settings.hub.offline;
            let first = if downloads { "caption" } else { "score" };
            return vec![without_model(format!("{first} {name}"), &why, settings)];
        }
    };
    let mut found = Vec::new();
    let outlook = |is_done: bool| if is_done { "done before" } else { "would run" };
    if let Some((step, train)) = planner.train(system, &inputs) {
        let is_done = is_done(&train.output.join(train::RECORD), &step.key);
        found.push(prospect("train", outlook(is_done).into(), false));
    }
    if system.checkpoint.is_some() {
        let (step, captions) = planner.caption(system, &inputs);
        let outlook = outlook(is_done(&captions, &step.key));
        found.push(prospect("caption", outlook.into(), false));
    }
    found.push(prospect("score", "would run".into(), false));
    if find_accepted(&workspace.state, name).is_some() {
        let outlook = "would run if what goes into it is not what was accepted";
        found.push(prospect("compare", outlook.into(), false));
    }
    found
}
