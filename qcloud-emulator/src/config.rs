//! The configuration file.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::builder::Builder;
use crate::clock::{Clock, Time};
use crate::credentials::Credential;
use crate::error::ConfigError;
use crate::fault::Fault;
use crate::settings::Settings;
use crate::zones;

/// A configuration: a builder with its knobs turned as a TOML file has them.
///
/// ```
/// let config = qcloud_emulator::Config::from_toml(
///     r#"
///     clock = "2026-01-01T00:00:00Z"
///
///     [settings]
///     seed = 7
///     sold-out-zones = ["ap-guangzhou-3"]
///
///     [[faults]]
///     action = "CreateVpc"
///     nth = 2
///     effect = "timeout"
///     executed = true
///     "#,
/// )?;
/// let emulator = config.builder().build()?;
/// # let _ = emulator;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Config {
    builder: Builder,
    state: Option<PathBuf>,
}

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    port: u16,
    admin_port: Option<u16>,
    clock: ClockForm,
    state: Option<PathBuf>,
    settings: Settings,
    credentials: Vec<CredentialForm>,
    faults: Vec<Fault>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(try_from = "String")]
enum ClockForm {
    #[default]
    Machine,
    StandsNow,
    StandsAt(Time),
}

impl TryFrom<String> for ClockForm {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "machine" => Ok(Self::Machine),
            "standing" => Ok(Self::StandsNow),
            other => Time::from_iso(other).map(Self::StandsAt).ok_or_else(|| {
                format!("`clock` is `machine`, `standing`, or a time such as `2026-01-31T08:15:00Z`, not `{other}`")
            }),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct CredentialForm {
    secret_id: String,
    secret_key: String,
    token: Option<String>,
}

impl Config {
    /// Reads a configuration. The README has every key.
    ///
    /// # Errors
    ///
    /// When it is no TOML, has an unknown key or a value that does not fit: the error says in which line, and what would.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text).map_err(|error| ConfigError(error.to_string().trim_end().to_owned()))?;
        if zones::region(&file.settings.region).is_none() {
            let (region, known) = (&file.settings.region, zones::region_names());
            return Err(ConfigError(format!("`region`: there is no `{region}`, only {known}")));
        }
        let clock = match file.clock {
            ClockForm::Machine => Clock::real(),
            ClockForm::StandsNow => Clock::starting_now(),
            ClockForm::StandsAt(at) => Clock::starting_at(at.to_system()),
        };
        let mut builder = Builder::turned(file.settings).port(file.port).clock(clock);
        if let Some(port) = file.admin_port {
            builder = builder.admin_port(port);
        }
        for given in file.credentials {
            let credential = Credential::new(given.secret_id, given.secret_key);
            builder = builder.credential(match given.token {
                Some(token) => credential.with_token(token),
                None => credential,
            });
        }
        for fault in file.faults {
            builder = builder.fault(fault);
        }
        Ok(Self { builder, state: file.state })
    }

    /// The builder, its knobs turned.
    pub fn builder(self) -> Builder {
        self.builder
    }

    /// Where the state is to be loaded from at the start and saved at the end.
    pub fn state(&self) -> Option<&Path> {
        self.state.as_deref()
    }
}
