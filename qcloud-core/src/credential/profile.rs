//! Credentials in the files of the official clients and of their command line tool.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures_util::future::BoxFuture;
use tracing::{debug, warn};

use super::ini::Ini;
use super::{
    AssumeRoleCredentials, CredentialProvider, Credentials, CvmRoleCredentials, ProviderContext, StaticCredentials,
    check, refused, tccli,
};
use crate::environment::Environment;
use crate::{Error, Region, Secret};

const FILE: &str = "TENCENTCLOUD_CREDENTIALS_FILE";
const PROFILE: &str = "TENCENTCLOUD_PROFILE";
const TCCLI_PROFILE: &str = "TCCLI_PROFILE";
const SYSTEM_FILE: &str = "/etc/tencentcloud/credentials";

/// Credentials of a profile in a file.
///
/// The first of these that has the profile counts:
/// - `~/.tencentcloud/credentials`, then `/etc/tencentcloud/credentials`: a `[profile]` head, then `secret_id = …`,
///   `secret_key = …` and if need be `token = …`. With `role_arn = …` (and `role_session_name`, `external_id`,
///   `region`) the keys serve to assume that role.
/// - `~/.tccli/<profile>.credential`, which `tccli configure` and `tccli auth login` write, its role settings included.
///
/// `TENCENTCLOUD_CREDENTIALS_FILE` names a file of the first form to read in place of them all. The profile is the one
/// given here, or `TENCENTCLOUD_PROFILE`, or `TCCLI_PROFILE`, or `default`; one asked for by name must be there. The
/// files are read at each load.
#[derive(Clone, Debug)]
pub struct ProfileCredentials {
    context: ProviderContext,
    profile: Option<String>,
    file: Option<PathBuf>,
}

impl ProfileCredentials {
    /// The profile that the environment names, in the usual files.
    #[must_use]
    pub fn new(context: ProviderContext) -> Self {
        Self { context, profile: None, file: None }
    }

    /// Takes the profile of this name.
    #[must_use]
    pub fn with_profile(mut self, name: impl Into<String>) -> Self {
        self.profile = Some(name.into());
        self
    }

    /// Reads this INI file only. It must be there and have the profile.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    async fn find(&self) -> Result<Option<Credentials>, Error> {
        let files = Files::new(&*self.context.environment, self.profile.as_deref(), self.file.as_deref())?;
        for path in &files.ini {
            if let Some(entry) = files.ini_entry(path)?
                && let Some(credentials) = self.resolve(&files.profile, entry).await?
            {
                return Ok(Some(credentials));
            }
        }
        if let Some(entry) = files.tccli_entry()?
            && let Some(credentials) = self.resolve(&files.profile, entry).await?
        {
            return Ok(Some(credentials));
        }
        if files.must_exist {
            return Err(refused(format!(
                "there are no credentials of the profile {} in {}",
                files.profile,
                files.list()
            )));
        }
        Ok(None)
    }

    async fn resolve(&self, profile: &str, entry: Entry) -> Result<Option<Credentials>, Error> {
        let place = &entry.place;
        if entry.cvm_role {
            let role = CvmRoleCredentials::new(self.context.clone());
            return role.load().await?.map(Some).ok_or_else(|| {
                refused(format!("{place} says to use the role of the CVM instance, but there is no such role here"))
            });
        }
        let (id, key) = match (entry.secret_id, entry.secret_key) {
            (Some(id), Some(key)) => (id, key),
            (None, None) if entry.role_arn.is_none() => return Ok(None),
            (None, _) => return Err(refused(format!("{place} lacks the secret id"))),
            (_, None) => return Err(refused(format!("{place} lacks the secret key"))),
        };
        check(&format!("the secret id in {place}"), &id)?;
        check(&format!("the secret key in {place}"), key.expose())?;
        let mut credentials = Credentials::new(id, key);
        if let Some(token) = entry.token {
            check(&format!("the token in {place}"), token.expose())?;
            credentials = credentials.with_token(token);
        }
        if let Some(end) = entry.expires_at {
            if end <= self.context.clock.now() {
                return Err(refused(format!(
                    "the login in {place} has ended: renew it with `tccli auth login --profile {profile}`"
                )));
            }
            credentials = credentials.with_expiry(end);
        }
        let Some(role_arn) = entry.role_arn else { return Ok(Some(credentials)) };
        let mut role = AssumeRoleCredentials::new(self.context.clone(), StaticCredentials::new(credentials), role_arn);
        if let Some(name) = entry.session_name {
            role = role.with_session_name(name);
        }
        if let Some(id) = entry.external_id {
            role = role.with_external_id(id);
        }
        if let Some(region) = entry.region {
            role = role.with_region(Region::new(region));
        }
        role.load().await
    }
}

impl CredentialProvider for ProfileCredentials {
    fn name(&self) -> &'static str {
        "profile file"
    }

    fn load(&self) -> BoxFuture<'_, Result<Option<Credentials>, Error>> {
        Box::pin(self.find())
    }

    fn hint(&self) -> Option<&'static str> {
        Some("write secret_id and secret_key under [default] in ~/.tencentcloud/credentials, or run `tccli configure`")
    }
}

/// The region of a profile: `region` in the INI file, or what `tccli configure` wrote to `~/.tccli/<profile>.configure`.
///
/// Files and profile are found as by [`ProfileCredentials`]; `None` stands for the profile that the environment names.
///
/// # Errors
/// When a file can't be read or is malformed. A profile or region that is not there is `Ok(None)`.
pub fn profile_region(environment: &dyn Environment, profile: Option<&str>) -> Result<Option<String>, Error> {
    let files = Files::new(environment, profile, None)?;
    for path in &files.ini {
        if let Some(entry) = files.ini_entry(path)?
            && entry.region.is_some()
        {
            return Ok(entry.region);
        }
    }
    match files.tccli("configure") {
        Some(path) => match files.read(&path)? {
            Some(text) => tccli::region(&path.display().to_string(), &text),
            None => Ok(None),
        },
        None => Ok(None),
    }
}

/// Which files to look into, for which profile.
struct Files<'a> {
    environment: &'a dyn Environment,
    profile: String,
    ini: Vec<PathBuf>,
    /// The user named the only file to look into.
    named_file: bool,
    /// The user named the profile or the file.
    must_exist: bool,
}

/// What a profile says, in either form.
#[derive(Default)]
struct Entry {
    place: String,
    secret_id: Option<String>,
    secret_key: Option<Secret>,
    token: Option<Secret>,
    expires_at: Option<SystemTime>,
    cvm_role: bool,
    role_arn: Option<String>,
    session_name: Option<String>,
    external_id: Option<String>,
    region: Option<String>,
}

impl<'a> Files<'a> {
    fn new(environment: &'a dyn Environment, profile: Option<&str>, file: Option<&Path>) -> Result<Self, Error> {
        let named = profile.map(str::to_owned).or_else(|| {
            [PROFILE, TCCLI_PROFILE].iter().find_map(|name| environment.var(name).filter(|v| !v.is_empty()))
        });
        let file = match (file, environment.var(FILE)) {
            (Some(file), _) => Some(file.to_owned()),
            (None, Some(file)) if file.is_empty() => {
                return Err(refused(format!("{FILE} is set but empty: name a file, or unset it")));
            }
            (None, file) => file.map(PathBuf::from),
        };
        let must_exist = named.is_some() || file.is_some();
        let profile = named.unwrap_or_else(|| "default".to_owned());
        // It becomes part of a file name.
        if profile.is_empty() || profile.starts_with('.') || profile.contains(['/', '\\', '\0']) {
            return Err(refused(format!("{profile:?} is not a possible name of a profile")));
        }
        let named_file = file.is_some();
        let ini = file.map_or_else(
            || {
                let home = environment.home_dir().map(|home| home.join(".tencentcloud").join("credentials"));
                home.into_iter().chain([PathBuf::from(SYSTEM_FILE)]).collect()
            },
            |file| vec![file],
        );
        Ok(Self { environment, profile, ini, named_file, must_exist })
    }

    fn tccli_entry(&self) -> Result<Option<Entry>, Error> {
        let Some(path) = self.tccli("credential") else { return Ok(None) };
        let Some(text) = self.read(&path)? else { return Ok(None) };
        let place = path.display().to_string();
        let file = tccli::CredentialFile::parse(&place, &text)?;
        Ok(Some(Entry {
            cvm_role: file.r#type.as_deref() == Some("cvm-role"),
            expires_at: file.expires_at(),
            secret_id: file.secret_id.filter(|id| !id.is_empty()),
            secret_key: file.secret_key.filter(|key| !key.is_empty()),
            token: file.token.filter(|token| !token.is_empty()),
            role_arn: file.role_arn.filter(|arn| !arn.is_empty()),
            session_name: file.role_session_name.filter(|name| !name.is_empty()),
            place,
            ..Entry::default()
        }))
    }

    fn ini_entry(&self, path: &Path) -> Result<Option<Entry>, Error> {
        let Some(text) = self.read(path)? else { return Ok(None) };
        let file = path.display();
        let ini = Ini::parse(&text)
            .map_err(|malformed| refused(format!("{file}, line {}: {}", malformed.line, malformed.what)))?;
        let Some(section) = ini.section(&self.profile) else {
            debug!(%file, profile = self.profile, "the file does not have the profile");
            return Ok(None);
        };
        let text = |key| section.get(key).map(|value| value.expose().to_owned());
        Ok(Some(Entry {
            place: format!("{file}, profile {}", self.profile),
            secret_id: text("secret_id"),
            secret_key: section.get("secret_key").cloned(),
            token: section.get("token").cloned(),
            role_arn: text("role_arn"),
            session_name: text("role_session_name"),
            external_id: text("external_id"),
            region: text("region"),
            ..Entry::default()
        }))
    }

    fn tccli(&self, kind: &str) -> Option<PathBuf> {
        let home = self.environment.home_dir().filter(|_| !self.named_file)?;
        Some(home.join(".tccli").join(format!("{}.{kind}", self.profile)))
    }

    /// The text of a file; `None` when it may be absent and is. A file of another user, as in a container that kept
    /// `HOME=/root`, is as good as absent.
    fn read(&self, path: &Path) -> Result<Option<String>, Error> {
        use io::ErrorKind::{NotADirectory, NotFound, PermissionDenied};
        match self.environment.read_file(path) {
            Ok(text) => Ok(Some(text)),
            Err(error) if !self.named_file && matches!(error.kind(), NotFound | NotADirectory) => Ok(None),
            Err(error) if !self.must_exist && error.kind() == PermissionDenied => {
                warn!(file = %path.display(), "no permission to read the file; going on without it");
                Ok(None)
            }
            Err(error) => Err(refused(format!(
                "{} can't be read ({error}): make it readable{}",
                path.display(),
                if self.named_file { format!(", or correct {FILE}") } else { String::new() }
            ))
            .with_source(error)),
        }
    }

    fn list(&self) -> String {
        let paths: Vec<_> =
            self.ini.iter().cloned().chain(self.tccli("credential")).map(|path| path.display().to_string()).collect();
        paths.join(", ")
    }
}
