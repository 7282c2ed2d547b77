//! Whole clusters through bad weather: the manager with its QCloud adapters, on the API server double and the emulator, in
//! virtual time. Machines come and go, Services change, processes die, and calls to either side fail in every way that is
//! known. Then the weather clears, and everything must be as it ought to be.
//!
//! `SIMULATION_SEED=n` runs one seed, `SIMULATION_MINUTES=n` changes how long each one lasts.
#![cfg(feature = "emulator")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "helpers of tests fail like tests")]

mod cloud;
mod truth;
mod weather;
mod world;

use std::ops::RangeInclusive;
use std::time::Duration;

use tokio::time::Instant;

use self::world::World;

/// How long each seed lasts, in minutes, before the weather clears.
const MINUTES: u64 = 390;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}")))
}

/// Runs some seeds, each in its own world; gives the minutes that passed there.
fn run(seeds: impl IntoIterator<Item = u64>) -> u64 {
    let length = Duration::from_secs(60 * number("SIMULATION_MINUTES").unwrap_or(MINUTES));
    let mut minutes = 0;
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let told = Told(seed);
        let begun = std::time::Instant::now();
        minutes += runtime.block_on(async {
            let started = Instant::now();
            let mut world = World::new(seed).await;
            world.live(length).await;
            world.clear_up().await;
            let account = world.account();
            println!(
                "seed {seed}: {} min in {:.1} s; {account}",
                started.elapsed().as_secs() / 60,
                begun.elapsed().as_secs_f64()
            );
            started.elapsed().as_secs() / 60
        });
        std::mem::forget(told);
    }
    minutes
}

/// Names the seed when its run fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        eprintln!("the run failed: SIMULATION_SEED={} repeats it", self.0);
    }
}

/// These seeds, unless a single one is asked for.
fn these(seeds: RangeInclusive<u64>) {
    if number("SIMULATION_SEED").is_none() {
        let least = seeds.clone().count() as u64 * number("SIMULATION_MINUTES").unwrap_or(MINUTES);
        assert!(run(seeds) >= least);
    }
}

// In two halves, so that two cores share them: together more than 10,000 minutes.

#[test]
fn all_is_well_after_bad_weather_1() {
    these(1..=13);
}

#[test]
fn all_is_well_after_bad_weather_2() {
    these(14..=26);
}

#[test]
fn all_is_well_after_the_weather_of_a_given_seed() {
    if let Some(seed) = number("SIMULATION_SEED") {
        run([seed]);
    }
}
